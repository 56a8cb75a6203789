"""ROSAT PSPC and HRI, both in the form of 1994 and later (RDF) and in the older one made from QPOE files.

A PI channel of the PSPC is about 10 eV. Lists hold accepted events only: there is no filter. The older form keeps its
facts in keywords such as ``XS-OBSID``, which are read where the usual ones are absent. The HRI has no usable energies.
"""

from __future__ import annotations

from typing import Final

from daxa_native.conventions import Convention, Energy, Grid, Quiet

PSPC: Final = Convention(
    name="ROSAT PSPC",
    title="ROSAT",
    energies=(Energy(column="PI", step=0.01, low=1, high=256),),
    cuts=lambda events: [],
    grid=Grid(bin=30, shape=(512, 512), origin="low", low=1, high=15360),
    quiet=Quiet(kev=(0.11, 2.35)),
)

HRI: Final = Convention(
    name="ROSAT HRI",
    title="ROSAT",
    energies=(),
    cuts=lambda events: [],
    grid=Grid(bin=16, shape=(512, 512), origin="low", low=1, high=8192),
)


def convention(telescope: str, instrument: str) -> Convention | None:
    """Find the convention of a ROSAT instrument."""
    if telescope != "ROSAT":
        return None
    return PSPC if instrument.startswith("PSPC") else HRI if instrument.startswith("HRI") else None

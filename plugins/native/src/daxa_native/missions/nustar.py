"""NuSTAR: ``_cl`` lists of nupipeline, one module a file.

E[keV] = 1.6 + 0.04 PI (nustar-gen-utils). A cleaned list is filtered already and nothing is repeated; the unfiltered
one, which has a column SHIELD, takes nupipeline's own cuts. There are no proton flares here, and cuts on the South
Atlantic Anomaly need housekeeping that an event list does not hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from daxa_native.conventions import Convention, Cut, Energy, Grid, Quiet, within, zero
from daxa_native.subspace import Component, parse_bits

if TYPE_CHECKING:
    from daxa_native.events import EventList

STATUS: Final = "b000000000x0xx000"
"""nupipeline's cut on STATUS: events beside a bad pixel, at the detector's edge or beside a hot pixel are kept."""


def _good_status(values: Mapping[str, np.ndarray]) -> np.ndarray:
    high, low = values["STATUS"][:, 0].astype(np.uint16), values["STATUS"][:, 1]
    zeros, _ones = parse_bits(STATUS)
    return ((high << 8 | low) & np.uint16(zeros)) == 0


def _cuts(events: EventList) -> list[Cut]:
    if events.table.column("SHIELD") is None:
        return []
    status = Cut(
        text=f"STATUS == {STATUS}",
        columns=("STATUS",),
        test=_good_status,
        recorded=Component("STATUS", STATUS, form="X"),
    )
    return [within("GRADE", 0, 26), status, zero("SHIELD")]


CONVENTION: Final = Convention(
    name="NuSTAR",
    title="NuSTAR",
    energies=(Energy(column="PI", step=0.04, offset=1.6, low=0, high=4095),),
    cuts=_cuts,
    grid=Grid(bin=1, shape=None, origin="low", low=1, high=1000),
    quiet=Quiet(kev=(3.0, 78.0)),
)


def convention(telescope: str, instrument: str) -> Convention | None:
    """Find the convention of NuSTAR's modules."""
    return CONVENTION if telescope == "NUSTAR" and instrument in ("FPMA", "FPMB") else None

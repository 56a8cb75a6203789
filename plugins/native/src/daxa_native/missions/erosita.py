"""eROSITA: lists of the CalPV phase and of the public survey releases, all telescope modules in one file.

PI is in eV, held as a float; negative PI marks the lesser pixels of a pattern. Good times are per telescope module, in
``GTIn`` or, where GTI_SEL says so, ``FLAREGTIn``. Sky columns are signed and count from the field's centre.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daxa_native.conventions import Convention, Cut, Energy, Grid, Quiet, bits_clear, within

if TYPE_CHECKING:
    from daxa_native.events import EventList

FLAG_MASK: Final = 0xC00FFF30
"""The usual cut for science: corrupt events and frames, borders, bad pixels and their neighbours, out of the field."""


def _cuts(events: EventList) -> list[Cut]:
    attitude = Cut(
        text="RA != 0 || DEC != 0",
        columns=("RA", "DEC"),
        test=lambda values: (values["RA"] != 0) | (values["DEC"] != 0),
        optional=True,
    )
    positive = Cut(text="PI >= 0", columns=("PI",), test=lambda values: values["PI"] >= 0)
    return [within("PAT_TYP", 1, 4), bits_clear("FLAG", FLAG_MASK), positive, attitude]


def _caveats(events: EventList) -> list[tuple[str, str]]:
    found = [
        ("absolute-time", "Dates follow from the list's own reference epoch and are uncertain by 69 s (leap seconds).")
    ]
    if (
        str(events.keyword("OBS_MODE", "")).strip().upper() in ("SCAN", "SURVEY")
        or not str(events.keyword("OBS_ID", "")).strip()
    ):
        found.append(
            (
                "scan",
                "The telescope scanned: the sum of good times is no position's exposure; rates need a map.",
            )
        )
    return found


CONVENTION: Final = Convention(
    name="eROSITA",
    title="eROSITA",
    energies=(Energy(column="PI", step=0.001, low=0, high=20000),),
    cuts=_cuts,
    grid=Grid(bin=80, shape=(3240, 3240), origin="edge", low=-180000, high=180000, physical=("P", None)),
    quiet=Quiet(kev=(0.2, 10.0), seconds=20.0),
    unit="TM_NR",
    good_times="modules",
    exposure="modules",
    unit_keywords=("ONTIME{:d}", "LIVTIME{:d}"),
    caveats=_caveats,
)


def convention(telescope: str, instrument: str) -> Convention | None:
    """Find the convention of eROSITA's modules, merged or single."""
    if telescope != "EROSITA":
        return None
    return CONVENTION if instrument == "MERGED" or instrument.startswith("TM") else None

"""Chandra ACIS and HRC, level 2 lists.

``energy`` is in eV; without it, PI = floor(energy / 14.6 eV) + 1, and channel 1024 collects whatever lies above. Good
times are per CCD; the data subspace names their tables by HDUNAME (``GTI7``). A delivered HRC list is filtered already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daxa_native.conventions import Convention, Cut, Energy, Grid, Quiet, one_of, zero

if TYPE_CHECKING:
    from daxa_native.events import EventList

CHANNEL: Final = 14.6
"""Width of a PI channel in eV."""

OVERFLOW: Final = 1024


def _acis_cuts(events: EventList) -> list[Cut]:
    return [one_of("grade", (0, 2, 3, 4, 6)), zero("status")]


def _header_exposure(events: EventList) -> bool:
    """A level 1 list may come without good times although its subspace names some: its header tells the exposure."""
    return str(events.keyword("CONTENT", "")).strip().upper() == "EVT1"


def _no_image(events: EventList) -> str:
    if str(events.keyword("READMODE", "")).strip().upper() == "CONTINUOUS":
        return "the CCDs were read continuously, so that one coordinate of each event is not measured"
    return ""


ACIS: Final = Convention(
    name="Chandra ACIS",
    title="Chandra",
    energies=(
        Energy(column="energy", step=0.001, low=0, high=CHANNEL * (OVERFLOW - 1), top=CHANNEL * (OVERFLOW - 1)),
        Energy(column="pi", step=CHANNEL / 1000, offset=-CHANNEL / 2000, low=1, high=OVERFLOW - 1, top=OVERFLOW - 1),
    ),
    cuts=_acis_cuts,
    grid=Grid(bin=2, shape=None, origin="events", margin=8, low=0.5, high=8192.5),
    quiet=Quiet(kev=(0.5, 7.0), seconds=200.0),
    unit="ccd_id",
    good_times="subspace",
    fallback="GTI",
    unit_keywords=("ONTIME{:d}", "LIVTIME{:d}", "EXPOSUR{:d}"),
    frame="ICRS",
    header_exposure=_header_exposure,
    no_image=_no_image,
)

HRC: Final = Convention(
    name="Chandra HRC",
    title="Chandra",
    energies=(),
    cuts=lambda events: [],
    grid=Grid(bin=16, shape=None, origin="events", margin=8, low=0.5, high=32768.5),
    quiet=Quiet(seconds=200.0),
    good_times="subspace",
    fallback="GTI",
    frame="ICRS",
    header_exposure=_header_exposure,
)


def convention(telescope: str, instrument: str) -> Convention | None:
    """Find the convention of a Chandra instrument."""
    if telescope != "CHANDRA":
        return None
    return ACIS if instrument.startswith("ACIS") else HRC if instrument.startswith("HRC") else None

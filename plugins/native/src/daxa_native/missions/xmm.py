"""XMM-Newton EPIC: lists of emchain, emproc, epchain, epproc and evselect.

PI is in eV. Good times are per CCD, in the tables that the data subspace names; ``STDGTInn``, which stays in a filtered
list, is wider and holds only for lists without a data subspace. Images are those of evselect with ``ximagemin=3649``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from daxa_native.conventions import Convention, Cut, Energy, Grid, Quiet, at_most, bits_clear, zero

if TYPE_CHECKING:
    from daxa_native.events import EventList

MOS_MASK: Final = 0x766BA000
"""#XMMEA_EM as SAS 13.5 and later define it; the list's own keyword wins."""

PN_MASK: Final = 0xCFA0000
"""#XMMEA_EP. It lets events out of the field of view pass (bit 16), so that images need FLAG == 0 as well."""

_MASK: Final = re.compile(r"\(\s*FLAG\s*&\s*0x([0-9a-fA-F]+)\s*\)\s*==\s*0\Z")


def _mask(events: EventList, keyword: str, otherwise: int) -> int:
    """Return the mask the list itself defines, else the table's."""
    match = _MASK.match(str(events.keyword(keyword, "")).strip())
    return int(match[1], 16) if match else otherwise


def _mos_cuts(events: EventList) -> list[Cut]:
    return [at_most("PATTERN", 12), bits_clear("FLAG", _mask(events, "XMMEA_EM", MOS_MASK)), zero("FLAG")]


def _pn_cuts(events: EventList) -> list[Cut]:
    singles = Cut(
        text="PI >= 500 || PATTERN == 0",
        columns=("PI", "PATTERN"),
        test=lambda values: (values["PI"] >= 500) | (values["PATTERN"] == 0),
    )
    return [at_most("PATTERN", 4), singles, bits_clear("FLAG", _mask(events, "XMMEA_EP", PN_MASK)), zero("FLAG")]


def _mos_quiet(events: EventList) -> list[Cut]:
    return [zero("PATTERN"), bits_clear("FLAG", _mask(events, "XMMEA_EM", MOS_MASK))]


def _pn_quiet(events: EventList) -> list[Cut]:
    return [zero("PATTERN"), bits_clear("FLAG", _mask(events, "XMMEA_EP", PN_MASK))]


def _caveats(events: EventList) -> list[tuple[str, str]]:
    wheel = str(events.keyword("FILTER", ""))
    if wheel in ("Closed", "CalClosed"):
        return [("no-sky", f"The filter wheel stood at {wheel}: the events are not from the sky.")]
    return []


GRID: Final = Grid(bin=87, shape=(512, 512), origin="reference", low=1, high=51840, physical=("L", 1.0), dtype=">f8")

MOS: Final = Convention(
    name="XMM-Newton EPIC-MOS",
    title="XMM-Newton",
    energies=(Energy(column="PI", step=0.001, low=0, high=15000),),
    cuts=_mos_cuts,
    grid=GRID,
    quiet=Quiet(kev=(10.0, 15.0), cuts=_mos_quiet, threshold=0.35),
    unit="CCDNR",
    good_times="subspace",
    fallback="STDGTI",
    exposure="frames",
    central=1,
    unit_keywords=("ONTIME{:02d}", "LIVETI{:02d}"),
    caveats=_caveats,
)

PN: Final = Convention(
    name="XMM-Newton EPIC-pn",
    title="XMM-Newton",
    energies=(Energy(column="PI", step=0.001, low=0, high=20479),),
    cuts=_pn_cuts,
    grid=GRID,
    quiet=Quiet(kev=(10.0, 12.0), cuts=_pn_quiet, threshold=0.4),
    unit="CCDNR",
    good_times="subspace",
    fallback="STDGTI",
    exposure="frames",
    central=4,  # holds the aim point; from general knowledge, not from a file
    unit_keywords=("ONTIME{:02d}", "LIVETI{:02d}"),
    caveats=_caveats,
)


def convention(telescope: str, instrument: str) -> Convention | None:
    """Find the convention of an EPIC camera."""
    if telescope != "XMM":
        return None
    return {"EMOS1": MOS, "EMOS2": MOS, "EPN": PN}.get(instrument)

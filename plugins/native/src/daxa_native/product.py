"""What every product says of itself: whose data it holds, from when to when, how long, how it was made, from what."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import textwrap
import warnings
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
from astropy.io import fits
from astropy.time import Time

from daxa.api import report_caveat
from daxa_native.events import EventList
from daxa_native.exposure import Exposure
from daxa_native.fitsfile import Hdu, text
from daxa_native.goodtime import GoodTimes, table_named
from daxa_native.selection import Selection
from daxa_native.writing import Unit

COPIED: Final = (
    "MISSION", "TELESCOP", "INSTRUME", "OBS_ID", "EXP_ID", "EXPIDSTR", "SEQ_NUM", "OBI_NUM", "REVOLUT", "DETNAM",
    "FILTER", "GRATING", "DATAMODE", "SUBMODE", "READMODE", "OBS_MODE", "OBSMODE", "SKYFIELD", "OBJECT", "OBSERVER",
    "RA_OBJ", "DEC_OBJ", "RA_TARG", "DEC_TARG", "RA_NOM", "DEC_NOM", "RA_PNT", "DEC_PNT", "PA_PNT", "ROLL_NOM",
    "ROLL_PNT",
)  # fmt: skip
TIME: Final = ("TIMESYS", "MJDREF", "MJDREFI", "MJDREFF", "TIMEZERO", "TIMEUNIT", "TIMEREF", "TASSIGN", "CLOCKAPP")
DEAD: Final = ("DEADC", "DTCOR")

_OLDER: Final = {
    "OBS_ID": "XS-OBSID",
    "RA_PNT": "XS-RAPT",
    "DEC_PNT": "XS-DECPT",
    "MJDREFI": "XS-MJDRD",
    "MJDREFF": "XS-MJDRF",
    "DTCOR": "XS-DTCOR",
}
"""ROSAT's keywords of 1993, read where the present ones are absent."""

_CAVEATS_MAX: Final = 99
_DAY: Final = 86400.0
_HISTORY_WIDTH: Final = 72

Card = tuple[str, Any, str]


def creator() -> str:
    """Name and version of this package."""
    return f"daxa-native {importlib.metadata.version('daxa-native')}"


def ascii_of(content: str) -> str:
    """Text as a header may hold it."""
    return "".join(letter if " " <= letter <= "~" else "?" for letter in content)


class Fingerprint:
    """SHA-256 of a file, worked out beside the reduction."""

    def __init__(self, content: np.ndarray) -> None:
        self._pool = ThreadPoolExecutor(1)
        self._future: Future[str] = self._pool.submit(lambda: hashlib.sha256(content).hexdigest())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    @property
    def value(self) -> str:
        """Hexadecimal digits."""
        return self._future.result()


def mission_cards(events: EventList) -> list[Card]:
    """Keywords of mission, observation and time system, as the input has them."""
    found = []
    for keyword in (*COPIED, *TIME, *DEAD):
        for name in (keyword, _OLDER.get(keyword, keyword)):
            content = events.keyword(name)
            if content is not None:
                clean = ascii_of(content.rstrip()) if isinstance(content, str) else content
                found.append((keyword, clean, _comment(events, name)))
                break
    return found


def _comment(events: EventList, keyword: str) -> str:
    for header in (events.hdu.header, events.file.hdus[0].header):
        if keyword in header:
            return ascii_of(header.comments[keyword])
    return ""


def time_cards(events: EventList, times: GoodTimes) -> list[Card]:
    """TSTART and TSTOP of the good times, and the dates that follow from them."""
    start, stop = times.span
    found: list[Card] = [("TSTART", start, "[s] first START"), ("TSTOP", stop, "[s] last STOP")]
    days = events.number("MJDREFI", "XS-MJDRD", "MJDREF")
    if days is None:
        return found
    has_parts = events.number("MJDREFI", "XS-MJDRD") is not None
    part = (events.number("MJDREFF", "XS-MJDRF") or 0.0) if has_parts else 0.0
    zero = events.number("TIMEZERO") or 0.0
    scale = str(events.keyword("TIMESYS", "UTC")).strip().lower()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ERFA doubts years for which leap seconds are not announced
        moments = Time(
            [days] * 3,
            [part, part + (start + zero) / _DAY, part + (stop + zero) / _DAY],
            format="mjd",
            scale=scale if scale in Time.SCALES else "utc",
        )
        dates = moments.isot
    return [
        *found,
        ("DATE-OBS", str(dates[1]), "TSTART, in the system TIMESYS"),
        ("DATE-END", str(dates[2]), "TSTOP, in the system TIMESYS"),
        ("MJD-OBS", float(moments.mjd[1]), "[d] TSTART"),
        ("MJD-END", float(moments.mjd[2]), "[d] TSTOP"),
        ("DATEREF", str(dates[0]), "zero of the times"),
    ]


def exposure_cards(events: EventList, exposure: Exposure) -> list[Card]:
    """ONTIME, LIVETIME and EXPOSURE, of the whole and of each unit."""
    found: list[Card] = []
    for unit, (on, live) in sorted(exposure.by_unit.items()):
        values = (on, live, live)
        titles = ("[s] good time of unit", "[s] live time of unit", "[s] exposure of unit")
        for keyword, seconds, title in zip(events.convention.unit_keywords, values, titles, strict=False):
            found.append((keyword.format(unit), seconds, f"{title} {unit}"))
    return [
        *found,
        ("ONTIME", exposure.ontime, "[s] sum of good times"),
        ("LIVETIME", exposure.livetime, "[s] live part of it"),
        ("EXPOSURE", exposure.exposure, "[s] see HISTORY"),
    ]


def band_cards(selection: Selection) -> list[Card]:
    """The energy band, in keV and in values of the list's column."""
    if selection.band is None:
        return []
    band = selection.band
    return [
        ("E_MIN", band.kev[0], "[keV] lower limit of the band, included"),
        ("E_MAX", band.kev[1], "[keV] upper limit of the band, included"),
        ("ECOLUMN", band.column.name, "column that tells the energy"),
        ("PI_MIN", band.low, "first value of the column, included"),
        ("PI_MAX", band.high, "last value of the column, included"),
    ]


def inherited_caveats(events: EventList) -> list[tuple[str, str]]:
    """Caveats that the input, a product itself, carries."""
    found = []
    for index in range(1, _CAVEATS_MAX):
        content = events.keyword(f"CAVEAT{index}")
        if content is None:
            break
        code, colon, message = str(content).partition(": ")
        if colon:
            found.append((code, message))
    return found


def gather_caveats(*groups: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Put caveats together, each code and message once."""
    return list(dict.fromkeys(one for group in groups for one in group))


def report(caveats: Iterable[tuple[str, str]]) -> None:
    """Hand caveats to whoever runs the work."""
    for code, message in caveats:
        report_caveat(code, message)


def provenance(
    events: EventList,
    selection: Selection,
    exposure: Exposure,
    *,
    made: str,
    parameters: Mapping[str, Any],
    checksum: str,
    counts: str,
    caveats: Sequence[tuple[str, str]],
) -> tuple[list[Card], list[str]]:
    """Return the keywords and the lines of HISTORY that say how a product was made."""
    cards: list[Card] = [
        ("CREATOR", creator(), "program that made this file"),
        ("DATE", datetime.now(UTC).isoformat(timespec="seconds").removesuffix("+00:00"), "when it was made, UTC"),
        ("SLCTEXPR", ascii_of(selection.text), "events taken"),
    ]
    if os.environ.get("DAXA_SKY"):
        cards.append(("DAXASKY", True, "made of data of the offline sky, not of an archive"))
    cards += [
        (f"CAVEAT{index}", ascii_of(f"{code}: {message}"), "")
        for index, (code, message) in enumerate(caveats[:_CAVEATS_MAX], start=1)
    ]
    history = [
        f"{made} by {creator()}",
        f"input: {events.path.name}",
        f"sha256 {checksum}",
        *(f"parameter {name} = {given}" for name, given in parameters.items()),
        f"filter ({events.convention.name}): {selection.text or 'none'}",
        "limits of bands and of good time intervals are included at both ends",
        f"good times: {selection.times.source}",
        f"exposure: {exposure.rule}",
        f"events: {counts}",
    ]
    ratio = events.number("DTCOR", "XS-DTCOR")
    if ratio == 1:
        history.append("DTCOR is 1 in the input: no dead time was corrected there")
    for keyword in ("SLCTEXPR", "XPROC0"):
        earlier = events.keyword(keyword)
        if earlier:
            history.append(f"input's {keyword}: {earlier}")
    return cards, [ascii_of(line) for line in history]


def put(header: fits.Header, cards: Iterable[Card], history: Iterable[str] = ()) -> None:
    """Set keywords, and add lines of HISTORY."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fits.verify.VerifyWarning)  # a comment that is too long is cut
        for keyword, content, comment in cards:
            header.set(keyword, content, comment)
    for line in history:
        for part in textwrap.wrap(line, _HISTORY_WIDTH, subsequent_indent="  "):
            header.add_history(part)


def primary_header(shape: tuple[int, ...] = (), dtype: str = "u1") -> fits.Header:
    """Make the header of a primary HDU, of an image if a shape is given."""
    kind = np.dtype(dtype)
    axes = [(f"NAXIS{number}", length) for number, length in enumerate(reversed(shape), start=1)]
    return fits.Header(
        [
            ("SIMPLE", True, "conforms to FITS"),
            ("BITPIX", 8 * kind.itemsize * (-1 if kind.kind == "f" else 1)),
            ("NAXIS", len(axes)),
            *axes,
            ("EXTEND", True, "extensions follow"),
        ]
    )


def good_time_units(events: EventList, times: GoodTimes) -> list[tuple[str, Unit]]:
    """Make the tables of the good times applied, each with the name of the table it comes from."""
    if times.from_header:
        return []
    return [
        (
            times.names[unit],
            _good_time_unit(events, times.names[unit], unit, intervals, table_named(events, times.names[unit])),
        )
        for unit, intervals in times.by_unit.items()
    ]


def interval_unit(events: EventList, name: str, intervals: np.ndarray) -> Unit:
    """Make a table of good times that stands for itself."""
    return _good_time_unit(events, name, None, intervals, None)


def _good_time_unit(events: EventList, name: str, unit: int | None, intervals: np.ndarray, source: Hdu | None) -> Unit:
    header = fits.Header(
        [
            ("XTENSION", "BINTABLE", "binary table"),
            ("BITPIX", 8),
            ("NAXIS", 2),
            ("NAXIS1", 16),
            ("NAXIS2", len(intervals)),
            ("PCOUNT", 0),
            ("GCOUNT", 1),
            ("TFIELDS", 2),
            ("TTYPE1", "START", "begin of good time, included"),
            ("TFORM1", "D"),
            ("TUNIT1", "s"),
            ("TTYPE2", "STOP", "end of good time, included"),
            ("TFORM2", "D"),
            ("TUNIT2", "s"),
            ("EXTNAME", text(source.header, "EXTNAME") if source else name),
            ("HDUCLASS", "OGIP"),
            ("HDUCLAS1", "GTI"),
            ("HDUCLAS2", "STANDARD"),
        ]
    )
    if source is not None:
        for keyword in ("EXTVER", "HDUNAME", "CCDID", "CCD_ID"):
            if keyword in source.header:
                header.set(keyword, source.header[keyword], source.header.comments[keyword])
    if unit is not None and not any(keyword in header for keyword in ("CCDID", "CCD_ID")):
        header.set("UNITID", unit, events.convention.unit)
    put(header, [card for card in mission_cards(events) if card[0] in TIME])
    header.set("ONTIME", float(np.sum(intervals[:, 1] - intervals[:, 0])), "[s] sum of the intervals")
    header.set("TSTART", float(intervals[0, 0]), "[s]")
    header.set("TSTOP", float(intervals[-1, 1]), "[s]")
    return Unit(header, lambda: [intervals.astype(">f8")])

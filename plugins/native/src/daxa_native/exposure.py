"""How long a list was exposed: recomputed from the good times that are in it, never copied.

XMM-Newton: ONTIMEnn of a CCD is the sum of its good times; LIVETInn sums the live part of those frames that lie wholly
inside a single good interval; EXPOSURE is the largest ONTIMEnn, as in the SAS's images. Others: the sum of good times,
and that times LIVETIME / ONTIME of the header. Several telescope modules: the mean over them.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from attrs import define, field

from daxa_native import gti
from daxa_native.events import EventList
from daxa_native.fitsfile import Hdu, number
from daxa_native.goodtime import GoodTimes

DISAGREES: Final = 0.01
_RATIO_MAX: Final = 1.001
_SHRUNK: Final = 0.5


@define(eq=False)
class Exposure:
    """Times in seconds.

    Parameters
    ----------
    ontime, livetime, exposure : float
        Of the instrument.
    by_unit : dict of int to (float, float)
        On time and live time of each detector unit.
    rule : str
        How they were found.
    caveats : list of (str, str)
        Code and message.
    """

    ontime: float
    livetime: float
    exposure: float
    rule: str
    by_unit: dict[int, tuple[float, float]] = field(factory=dict)
    caveats: list[tuple[str, str]] = field(factory=list)


def find_exposure(events: EventList, times: GoodTimes) -> Exposure:
    """Recompute on time, live time and exposure for given good times."""
    if times.from_header:
        return _of_header(events)
    caveats: list[tuple[str, str]] = []
    live = _live_times(events, times, caveats)
    on = {unit: gti.total(own) for unit, own in times.by_unit.items()}
    by_unit = {unit: (on[unit], live[unit]) for unit in on if unit is not None}
    how = events.convention.exposure
    if how == "modules" and by_unit:
        ontime, livetime = (float(np.mean([pair[index] for pair in by_unit.values()])) for index in (0, 1))
        rule = f"mean over the {len(by_unit)} telescope modules of good times, dead time corrected"
        return Exposure(ontime, livetime, livetime, rule, by_unit, caveats)
    central = _central(events, on)
    ontime, livetime = on[central], live[central]
    of = "" if central is None else f" of unit {central}"
    if how == "frames":
        rule = f"ONTIME, LIVETIME{of}; EXPOSURE is the largest ONTIMEnn, not live time"
        return Exposure(ontime, livetime, max(on.values()), rule, by_unit, caveats)
    rule = f"sum of good times{of}; EXPOSURE is LIVETIME"
    return Exposure(ontime, livetime, livetime, rule, by_unit, caveats)


def _live_times(events: EventList, times: GoodTimes, caveats: list[tuple[str, str]]) -> dict[int | None, float]:
    """Live time of each unit."""
    how = events.convention.exposure
    frames = _frames(events) if how == "frames" else {}
    deadtimes = _dead_times(events) if how == "modules" else {}
    ratio: float | None = None
    found: dict[int | None, float] = {}
    for unit, own in times.by_unit.items():
        if unit in frames:
            found[unit] = _live_frames(events, frames[unit], own)
        elif unit in deadtimes:
            found[unit] = gti.total(own) * _mean_inside(deadtimes[unit], own)
        else:
            if ratio is None:
                ratio = _ratio(events, caveats)
            found[unit] = gti.total(own) * ratio
    return found


def _frames(events: EventList) -> dict[int, Hdu]:
    """The tables of frames of each CCD."""
    found = {}
    for hdu in events.file.hdus:
        if hdu.is_table and hdu.name.startswith("EXPOSU"):
            ccd = number(hdu.header, "CCDID")
            digits = hdu.name[len("EXPOSU") :]
            if ccd is not None or digits.isdigit():
                found[int(digits) if ccd is None else int(ccd)] = hdu
    return found


def _live_frames(events: EventList, hdu: Hdu, intervals: np.ndarray) -> float:
    """Sum the live part of the frames that lie wholly inside one interval."""
    table = hdu.table()
    middle, fraction, length = (table.values(name) for name in ("TIME", "FRACEXP", "TIMEDEL"))
    if middle is None or fraction is None:
        return 0.0
    if length is None:  # pn: the frame time of the mode, in ms
        frame = number(hdu.header, "FRMTIME") or events.number("FRMTIME")
        seconds = frame / 1000 if frame else float(np.median(np.diff(middle))) if len(middle) > 1 else 0.0
        length = np.full(len(middle), seconds)
    length = length.astype(np.float64)
    inside = gti.wholly_inside(intervals, middle - length / 2, middle + length / 2)
    return float(np.sum(fraction[inside].astype(np.float64) * length[inside]))


def _dead_times(events: EventList) -> dict[int, np.ndarray]:
    """Live fraction over time of each telescope module, shape (n, 2): time and fraction."""
    found = {}
    for hdu in events.file.hdus:
        digits = hdu.name[len("DEADCOR") :]
        if hdu.is_table and hdu.name.startswith("DEADCOR") and digits.isdigit():
            table = hdu.table()
            time, fraction = table.values("TIME"), table.values("DEADC")
            if time is not None and fraction is not None and len(time):
                found[int(digits)] = np.column_stack((time, fraction)).astype(np.float64)
    return found


def _mean_inside(samples: np.ndarray, intervals: np.ndarray) -> float:
    inside = gti.contains(intervals, samples[:, 0])
    return float(samples[inside if inside.any() else slice(None), 1].mean())


def _ratio(events: EventList, caveats: list[tuple[str, str]]) -> float:
    """Live time over on time, as the header has it."""
    on, live = events.number("ONTIME", "XS-ONTI"), events.number("LIVETIME", "XS-LIVTI", "EXPOSURE")
    candidates = [live / on if on and live else None, events.number("DTCOR", "DEADC", "XS-DTCOR")]
    for ratio in candidates:
        if ratio is not None and 0 < ratio <= _RATIO_MAX:
            return ratio
    caveats.append(("no-dead-time", "The header tells no dead time: LIVETIME is ONTIME."))
    return 1.0


def _central(events: EventList, on: dict[int | None, float]) -> int | None:
    """The unit that stands for the instrument."""
    if events.convention.central in on:
        return events.convention.central
    header = events.number("ONTIME")
    for unit in on:
        if unit is not None and header and events.convention.unit_keywords:
            own = events.number(events.convention.unit_keywords[0].format(unit))
            if own == header:
                return unit
    return max(on, key=lambda unit: on[unit])


def _of_header(events: EventList) -> Exposure:
    """Take what the header says, where the list has no good times."""
    exposure = events.number("EXPOSURE", "LIVETIME", "ONTIME") or 0.0
    return Exposure(
        events.number("ONTIME") or exposure,
        events.number("LIVETIME") or exposure,
        exposure,
        "taken from the header",
        caveats=[("exposure-of-header", f"The list has no good times: {exposure:.1f} s is what its header says.")],
    )


def compare_header(events: EventList, exposure: Exposure) -> list[tuple[str, str]]:
    """Say where the header disagrees by more than 1 % with the good times in the file."""
    said = [
        ("ONTIME", events.number("ONTIME", "XS-ONTI"), exposure.ontime),
        ("LIVETIME", events.number("LIVETIME", "XS-LIVTI"), exposure.livetime),
    ]
    if events.convention.exposure == "ratio":
        said.append(("EXPOSURE", events.number("EXPOSURE"), exposure.exposure))
    if events.convention.unit_keywords:
        names = {unit: events.convention.unit_keywords[0].format(unit) for unit in exposure.by_unit}
        said += [(name, events.number(name), exposure.by_unit[unit][0]) for unit, name in names.items()]
    wrong = [
        f"{name} {header:.1f} s ({own:.1f} s)"
        for name, header, own in said
        if header is not None and header > 0 and abs(header - own) > DISAGREES * max(header, own)
    ]
    if not wrong:
        return []
    return [
        (
            "exposure-disagrees",
            f"The header says {', '.join(wrong)}; in brackets what follows from the good times in the file,"
            " which is used.",
        )
    ]


def shrunk(before: Exposure, after: Exposure) -> list[tuple[str, str]]:
    """Say that the mean dead time may not hold for a small part of the time."""
    if before.ontime and after.ontime < _SHRUNK * before.ontime:
        return [
            (
                "mean-dead-time",
                f"Good times shrank from {before.ontime:.1f} s to {after.ontime:.1f} s; the mean dead time is used.",
            )
        ]
    return []

"""Counts over time: bins, the good time in each, and the events that fall into them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final

import numpy as np
from attrs import define

from daxa.api import InvalidParameterError
from daxa_native import gti
from daxa_native.events import EventList
from daxa_native.fitsfile import Hdu, damaged, number
from daxa_native.goodtime import GoodTimes
from daxa_native.selection import Selection

BINS_MAX: Final = 5_000_000
_SLIVER: Final = 1e-6
"""Part of a bin below which good time is the rounding of its edges."""


@define(eq=False)
class Curve:
    """Counts in bins of time, in order.

    Parameters
    ----------
    begins, ends : ndarray
        Edges of each bin, in seconds of the list's own clock, shape (n,).
    counts : ndarray
        Events in each, shape (n,).
    good : ndarray
        Good time in each, in seconds, shape (n,): the mean over the detector units that have good times.
    """

    begins: np.ndarray
    ends: np.ndarray
    counts: np.ndarray
    good: np.ndarray

    @property
    def fraction(self) -> np.ndarray:
        """Good time over the length of the bin."""
        return np.asarray(np.clip(self.good / (self.ends - self.begins), 0.0, 1.0))

    @property
    def rate(self) -> np.ndarray:
        """Counts a second of good time; NaN where there is none."""
        return np.asarray(self.counts / self._exposed)

    @property
    def error(self) -> np.ndarray:
        """Square root of the counts, over the good time; NaN where there is none."""
        return np.asarray(np.sqrt(self.counts) / self._exposed)

    @property
    def _exposed(self) -> np.ndarray:
        return np.where(self.good > 0, self.good, np.nan)


def read_seconds(given: Any) -> float:
    """Read the length of a bin: a Quantity of time, or a plain number of seconds.

    Raises
    ------
    InvalidParameterError
        If it is neither, or not positive.
    """
    try:
        if isinstance(given, bool | str | bytes):
            raise TypeError(f"{given!r} is not a time")
        seconds = float(given.to_value("s")) if hasattr(given, "to_value") else float(given)
        if not (math.isfinite(seconds) and seconds > 0):
            raise ValueError(f"{given!r} is not positive")
    except (TypeError, ValueError) as error:  # astropy's UnitConversionError is both
        raise InvalidParameterError(
            f"{given!r} is not the length of a bin.",
            expected='a positive time, such as Quantity(100, "s") or 100 (seconds)',
            remedy="correct the argument",
            value=str(given),
        ) from error
    return seconds


def count(selection: Selection, seconds: float) -> Curve:
    """Count the events of a selection in bins, the first of which begins at the first START of its good times.

    Raises
    ------
    InvalidParameterError
        If there would be very many bins.
    """
    events, times = selection.events, selection.times
    edges = _edges(times, seconds)
    good = np.mean([np.diff(gti.before(own, edges)) for own in times.by_unit.values()], axis=0)
    good[good < _SLIVER * seconds] = 0.0
    counts = np.zeros(len(good), np.int64)
    rows = events.table.rows
    events.column("TIME")
    for part in events.chunks():
        chunk = rows[part]
        moments = events.times(chunk[selection.mask(chunk)])
        places = np.searchsorted(edges, moments, side="right") - 1
        places[moments == edges[-1]] -= 1
        inside = (places >= 0) & (places < len(good))  # only lists without good times have others
        places = places[inside]
        # the STOP of an interval belongs to it: an event at that very time goes to the bin that ends there
        places[(good[places] == 0) & (places > 0)] -= 1
        counts += np.bincount(places, minlength=len(good))
    return Curve(edges[:-1], edges[1:], counts, good)


def _edges(times: GoodTimes, seconds: float) -> np.ndarray:
    start, stop = times.span
    bins = max(1.0, math.ceil((stop - start) / seconds - _SLIVER))
    if bins > BINS_MAX:
        raise InvalidParameterError(
            f"Bins of {seconds:g} s from {start:.1f} s to {stop:.1f} s are {bins:.0f}.",
            expected=f"at most {BINS_MAX} bins",
            remedy="choose longer bins",
            value=seconds,
        )
    edges = start + seconds * np.arange(int(bins) + 1)
    edges[-1] = max(edges[-1], stop)
    return np.asarray(edges)


def read_curve(path: Path, hdu: Hdu) -> Curve:
    """Read a light curve in the form of OGIP: TIME, and COUNTS or RATE.

    Rows without a rate are left out.

    Raises
    ------
    BadEventListError
        If a column that it takes is not there.
    """
    try:
        table = hdu.table()
    except (ValueError, TypeError) as error:
        raise damaged(path, f"its table {hdu.name} is malformed: {error}") from error
    middle, counts, rate = (_column(table.values(name)) for name in ("TIME", "COUNTS", "RATE"))
    if middle is None or (counts is None and rate is None):
        raise damaged(path, f"its table {hdu.name} has no columns TIME and COUNTS or RATE")
    length = _column(table.values("TIMEDEL"))
    if length is None:
        step = number(hdu.header, "TIMEDEL") or (float(np.median(np.diff(middle))) if len(middle) > 1 else 0.0)
        length = np.full(len(middle), step)
    fraction = _column(table.values("FRACEXP"))
    fraction = np.ones(len(middle)) if fraction is None else fraction
    if counts is None:
        counts = rate * length * fraction
    place = number(hdu.header, "TIMEPIXR")
    begins = middle - (0.5 if place is None else place) * length
    usable = np.isfinite(counts) & np.isfinite(begins) & (length > 0) & (fraction > 0) & (counts >= 0)
    order = np.flatnonzero(usable)[np.argsort(begins[usable], kind="stable")]
    begins, length = begins[order], length[order]
    return Curve(begins, begins + length, counts[order], length * np.minimum(fraction[order], 1.0))


def _column(values: np.ndarray | None) -> Any:
    """Values as floats; the first of each row where a row holds several, one a band."""
    if values is None:
        return None
    return (values if values.ndim == 1 else values[:, 0]).astype(np.float64)


def curve_of(path: Path, hdus: list[Hdu]) -> Hdu:
    """Find the light curve among a file's tables.

    Raises
    ------
    BadEventListError
        If there is none.
    """
    for hdu in hdus:
        if hdu.is_table and hdu.name == "RATE":
            return hdu
    raise damaged(path, "it has neither a table EVENTS nor RATE")


def good_of_curve(events: EventList) -> tuple[np.ndarray, Curve]:
    """Read a light curve's file: its good time, of any detector unit, and the curve.

    Without tables of good times, the bins that have a rate are good.
    """
    curve = read_curve(events.path, events.hdu)
    margin = _SLIVER * (curve.ends - curve.begins)
    covered = gti.normalise(np.column_stack((curve.begins - margin, curve.ends + margin)))
    sets = []
    for hdu in events.file.hdus:
        if hdu.is_table and "GTI" in hdu.name:
            table = hdu.table()
            start, stop = table.values("START"), table.values("STOP")
            if start is not None and stop is not None:
                sets.append(np.column_stack((start, stop)))
    return (gti.intersect(gti.union(sets), covered) if sets else covered), curve

"""Which events are taken: an energy band, the mission's standard filter, and good times."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np
from attrs import define, field, frozen

from daxa.api import EmptyBandError, InvalidParameterError
from daxa_native.conventions import Cut, Energy
from daxa_native.events import EventList
from daxa_native.fitsfile import Column
from daxa_native.goodtime import GoodTimes
from daxa_native.subspace import Component

_ROUNDING: Final = 1e-6


@frozen(kw_only=True)
class Band:
    """An energy band on a column; both limits belong to it.

    Parameters
    ----------
    kev : (float, float)
        As asked for.
    column : Column
        The column that tells the energy.
    low, high : float
        First and last value of the column.
    clipped : bool
        Whether the band asked for reaches beyond the column's range.
    """

    kev: tuple[float, float]
    column: Column
    low: float
    high: float
    clipped: bool

    @property
    def text(self) -> str:
        """The condition, for people."""
        return f"{self.column.name} in [{self.low:g}:{self.high:g}]"

    @property
    def recorded(self) -> Component:
        """The condition as the data subspace writes it."""
        return Component(self.column.name, f"{self.low:g}:{self.high:g}")


def find_band(events: EventList, kev: tuple[float, float]) -> Band:
    """Translate a band into values of the column that tells the energy.

    Raises
    ------
    EmptyBandError
        If no value of the column lies in the band, or the instrument has no energies.
    """
    energy, column = _energy(events)
    bottom = energy.low if column.low is None else max(column.low, 0)
    top = energy.high if column.high is None else column.high
    top = top if energy.top is None else min(top, energy.top)
    low, high = ((limit - energy.offset) / energy.step for limit in kev)
    clipped = low < bottom - 1 or high > top + 1
    if column.integer:
        low, high = math.ceil(low - _ROUNDING), math.floor(high + _ROUNDING)
    else:
        low, high = round(low, 6), round(high, 6)
    low, high = max(low, bottom), min(high, top)
    if low > high:
        first, last = (energy.offset + energy.step * limit for limit in (bottom, top))
        raise EmptyBandError(
            f"The band {kev[0]:g}-{kev[1]:g} keV holds no value of {column.name} of {events.path}.",
            expected=f"a band within {max(first, 0):g}-{last:g} keV that holds a whole channel"
            f" ({column.name} {bottom:g} to {top:g})",
            remedy="choose another band",
            path=str(events.path),
            value=list(kev),
        )
    return Band(kev=kev, column=column, low=low, high=high, clipped=clipped)


def _energy(events: EventList) -> tuple[Energy, Column]:
    for energy in events.convention.energies:
        column = events.table.column(energy.column)
        if column is not None:
            return energy, column
    if events.convention.energies:
        events.column(events.convention.energies[-1].column)  # says what is missing
    raise EmptyBandError(
        f"{events.convention.name} does not measure energies.",
        expected="no band",
        remedy="pass band=None to take all events",
        path=str(events.path),
    )


@define(eq=False)
class Selection:
    """The conditions events must meet.

    Parameters
    ----------
    events : EventList
        The list.
    times : GoodTimes
        Good times.
    cuts : list of Cut
        Of the standard filter, as far as the list has their columns.
    band : Band, optional
        Energy band.
    caveats : list of (str, str)
        What is to be known about it: code and message.
    """

    events: EventList
    times: GoodTimes
    cuts: list[Cut] = field(factory=list)
    band: Band | None = None
    caveats: list[tuple[str, str]] = field(factory=list)

    @property
    def all_caveats(self) -> list[tuple[str, str]]:
        """What is to be known, complete once the events have been looked at."""
        if not self.times.without:
            return self.caveats
        units = ", ".join(map(str, sorted(self.times.without)))
        message = f"Events of {self.times.unit} {units} are left out: the list has no good times for them."
        return [*self.caveats, ("unit-without-good-time", message)]

    @property
    def text(self) -> str:
        """The whole condition, for people."""
        parts = [cut.text for cut in self.cuts] + ([self.band.text] if self.band else [])
        if not self.times.from_header:
            parts.append("TIME in GTI (both ends included)")
        return " && ".join(f"({part})" for part in parts)

    @property
    def recorded(self) -> list[Component]:
        """The conditions, but for time, as the data subspace writes them."""
        found = [cut.recorded for cut in self.cuts if cut.recorded is not None]
        return [*found, self.band.recorded] if self.band else found

    def mask(self, rows: np.ndarray) -> np.ndarray:
        """Which of some rows are taken, shape (n,)."""
        band = self.in_band(rows)
        if band is None:
            return self.good(rows)
        band[band] = self.good(compress(rows, band))
        return band

    def in_band(self, rows: np.ndarray) -> np.ndarray | None:
        """Which of some rows lie in the energy band, shape (n,); None if all energies are taken."""
        if self.band is None:
            return None
        values = self.band.column.values(rows)  # NaN is in no band, and TNULL in none that is within the limits
        found: np.ndarray = (values >= self.band.low) & (values <= self.band.high)
        return found

    def good(self, rows: np.ndarray) -> np.ndarray:
        """Which of some rows meet the filter and lie in good time, shape (n,)."""
        read = _Reader(self.events, rows)
        good = np.ones(len(rows), bool)
        for cut in self.cuts:
            good &= cut.test(read)
        if not self.times.from_header:
            units = read[self.times.unit] if self.times.unit else None
            good &= self.times.contains(self.events.times(rows), units)
        return good


def compress(rows: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """Copy the rows wanted: what follows then touches these alone."""
    kept: np.ndarray = rows.view(f"V{rows.dtype.itemsize}")[keep].view(rows.dtype)
    return kept


class _Reader(dict[str, np.ndarray]):
    """Columns of some rows, read when they are first asked for."""

    def __init__(self, events: EventList, rows: np.ndarray) -> None:
        super().__init__()
        self._events, self._rows = events, rows

    def __missing__(self, name: str) -> np.ndarray:
        self[name] = self._events.column(name).values(self._rows)
        return self[name]


def select(
    events: EventList,
    times: GoodTimes,
    *,
    filter: str | None,
    kev: tuple[float, float] | None,
    cuts: Callable[[EventList], list[Cut]] | None = None,
) -> Selection:
    """Put the conditions together.

    Parameters
    ----------
    events : EventList
        The list.
    times : GoodTimes
        Good times.
    filter : {"standard", None}
        Whether the mission's standard filter is applied.
    kev : (float, float), optional
        Energy band in keV.
    cuts : callable, optional
        EventList to the cuts that stand for those of the standard filter.

    Raises
    ------
    InvalidParameterError
        If `filter` is another word.
    EmptyBandError
        If the band holds no channel.
    """
    if filter not in ("standard", None):
        raise InvalidParameterError(
            f"The filter {filter!r} is not known.",
            expected="'standard' or None",
            remedy="filter the list yourself before, or leave the argument out",
            value=filter,
        )
    selection = Selection(events, times, caveats=list(events.convention.caveats(events)))
    for cut in (cuts or events.convention.cuts)(events) if filter else []:
        missing = [name for name in cut.columns if events.table.column(name) is None]
        if missing:
            selection.caveats.append(
                ("missing-column", f"The list has no column {', '.join(missing)}: the filter {cut.text} is skipped.")
            )
        else:
            selection.cuts.append(cut)
    if kev is not None:
        selection.band = find_band(events, kev)
        if selection.band.clipped:
            selection.caveats.append(
                (
                    "band-beyond-range",
                    f"The band {kev[0]:g}-{kev[1]:g} keV reaches beyond the list's energies;"
                    f" used: {selection.band.text}.",
                )
            )
    if times.unit:
        events.column(times.unit)
    if not times.from_header:
        events.column("TIME")
    return selection

"""Which time is good, for each detector unit, by the list's own word."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from attrs import define, evolve, field

from daxa.api import InvalidParameterError, NoGoodTimeError
from daxa_native import gti
from daxa_native.events import EventList
from daxa_native.fitsfile import Hdu, damaged, number, read_fits
from daxa_native.subspace import Subspace, parse_ranges, parse_subspace, units_of

NAMES: Final = ("GTI", "STDGTI")


@define(eq=False)
class GoodTimes:
    """Good time intervals of each detector unit.

    Parameters
    ----------
    unit : str, optional
        Column of the unit; None if one set holds for all events.
    by_unit : dict of int to ndarray
        Intervals, shape (n, 2), in seconds; the key is None if one set holds for all.
    names : dict of int to str
        The table they come from.
    source : str
        Where they come from, in words.
    subspace : Subspace
        The list's data subspace.
    from_header : bool
        Whether the list has none, and the exposure its header says is taken.
    without : set of int
        Units met in the list that have no good times.
    """

    unit: str | None
    by_unit: dict[int | None, np.ndarray]
    names: dict[int | None, str]
    source: str
    subspace: Subspace = field(factory=Subspace)
    from_header: bool = False
    without: set[int] = field(factory=set)
    _common: np.ndarray = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._common = gti.intersect_all(self.by_unit.values())

    @property
    def span(self) -> tuple[float, float]:
        """First START and last STOP."""
        return (
            min(float(one[0, 0]) for one in self.by_unit.values()),
            max(float(one[-1, 1]) for one in self.by_unit.values()),
        )

    def contains(self, times: np.ndarray, units: np.ndarray | None) -> np.ndarray:
        """Which events lie in good time of their unit.

        Parameters
        ----------
        times : ndarray
            In seconds, shape (n,).
        units : ndarray of int, optional
            Unit of each event, shape (n,).
        """
        if units is None:
            return gti.contains(self.by_unit[None], times)
        if len(units) and units.min() == units.max():  # lists are often sorted by unit
            if int(units[0]) not in self.by_unit:
                self.without.add(int(units[0]))
            return gti.contains(self.by_unit.get(int(units[0]), gti.NEVER), times)
        good = gti.contains(self._common, times)  # nearly all time is good for all units alike
        if not good.all():
            rest = np.flatnonzero(~good)
            for unit, intervals in self.by_unit.items():
                those = rest[units[rest] == unit]
                good[those] = gti.contains(intervals, times[those])
        known = np.isin(units, [unit for unit in self.by_unit if unit is not None])
        if not known.all():
            self.without.update(map(int, np.unique(units[~known])))
            good &= known
        return good

    def restricted(self, intervals: np.ndarray, source: str) -> GoodTimes:
        """Keep what is good in `intervals` too.

        Raises
        ------
        NoGoodTimeError
            If nothing is left.
        """
        left = {unit: gti.intersect(own, intervals) for unit, own in self.by_unit.items()}
        left = {unit: own for unit, own in left.items() if len(own)}
        if not left:
            raise NoGoodTimeError(
                f"The good times given by {source} leave nothing of those of {self.source}.",
                expected="times that overlap",
                remedy="check that they belong to this observation, and count from the same time",
            )
        return evolve(self, by_unit=left, source=f"{self.source}, and {source}", from_header=False)


def read_good_times(events: EventList) -> GoodTimes:
    """Read the good times that hold for an event list.

    Raises
    ------
    NoGoodTimeError
        If the list does not say which time is good, names a table that is not there, or no time is good.
    """
    subspace = parse_subspace((card.keyword, card.value) for card in events.hdu.header.cards if "DS" in card.keyword)
    how = events.convention.good_times
    if how == "modules":
        found = _of_modules(events)
    elif how == "subspace":
        found = _of_subspace(events, subspace) or _by_name(events)
    else:
        found = _single(events)
    if found is None:
        if events.convention.header_exposure(events):
            return _of_header(events, subspace)
        raise _none(events, "it has no table of good times")
    found.subspace = subspace
    found.by_unit = {unit: own for unit, own in found.by_unit.items() if len(own)}
    if not found.by_unit:
        raise _none(events, f"{found.source} holds no interval")
    return evolve(found)


def _none(events: EventList, reason: str) -> NoGoodTimeError:
    return NoGoodTimeError(
        f"{events.path} does not say which time is good: {reason}.",
        expected="a table of good time intervals with START and STOP",
        remedy="use the complete event list of the observation, with its GTI extensions",
        path=str(events.path),
        reason=reason,
    )


def _intervals(path: Path, hdu: Hdu, events: EventList | None = None) -> np.ndarray:
    """Read a table of START and STOP, in seconds of the events' own clock."""
    try:
        table = hdu.table()
    except (ValueError, TypeError) as error:
        raise damaged(path, f"its table {hdu.name} is malformed: {error}") from error
    start, stop = table.values("START"), table.values("STOP")
    if start is None or stop is None:
        raise damaged(path, f"its table {hdu.name} has no columns START and STOP")
    zero, own = number(hdu.header, "TIMEZERO"), events.number("TIMEZERO") if events else None
    return gti.normalise(np.column_stack((start, stop)) + (zero - own if zero is not None and own is not None else 0.0))


def _of_subspace(events: EventList, subspace: Subspace) -> GoodTimes | None:
    """Read the tables that the data subspace names; None if it names none, or the list has no such table at all."""
    unit = events.convention.unit
    tables = [component for block in subspace.blocks for component in subspace.of(block, "TIME") if component.is_table]
    if not any(component.ref for component in tables) or not _candidates(events):
        return None
    by_unit: dict[int | None, np.ndarray] = {}
    names: dict[int | None, str] = {}
    for block in subspace.blocks:
        sets, used = [], []
        for component in subspace.of(block, "TIME"):
            if component.is_table:
                hdu = _named(events, component.ref)
                sets.append(_intervals(events.path, hdu, events))
                used.append(component.ref)
            elif component.value:
                sets.append(gti.normalise(parse_ranges(component.value)))
        if not sets:
            continue
        good = gti.intersect_all(sets)
        for number_of_unit in units_of(block, unit) if unit else [None]:
            earlier = by_unit.get(number_of_unit)
            by_unit[number_of_unit] = good if earlier is None else gti.union((earlier, good))
            names.setdefault(number_of_unit, used[0] if used else "GTI")
    if not by_unit:
        only = subspace.blocks[0]
        refs = [one.ref for one in subspace.of(only, "TIME") if one.is_table]
        return GoodTimes(
            None,
            {None: gti.intersect_all(_intervals(events.path, _named(events, ref), events) for ref in refs)},
            {None: refs[0]},
            f"{', '.join(refs)}, named by the data subspace",
        )
    source = f"{', '.join(dict.fromkeys(names.values()))}, named by the data subspace"
    return GoodTimes(unit, by_unit, names, source)


def _candidates(events: EventList) -> list[Hdu]:
    return [hdu for hdu in events.file.hdus if hdu.is_table and ("GTI" in hdu.name or "GTI" in hdu.block_name)]


def table_named(events: EventList, ref: str) -> Hdu | None:
    """Find a table by EXTNAME, HDUNAME, or EXTNAME followed by EXTVER."""
    wanted = ref.upper()
    for hdu in events.file.hdus:
        if hdu.is_table and wanted in (hdu.name, hdu.block_name, f"{hdu.name}{hdu.version}"):
            return hdu
    return None


def _named(events: EventList, ref: str) -> Hdu:
    hdu = table_named(events, ref)
    if hdu is not None:
        return hdu
    raise _none(events, f"its data subspace names the table {ref}, which is not there")


def _by_name(events: EventList) -> GoodTimes | None:
    """Read a list's own tables where no data subspace names them: one a unit, told apart by CCDID or CCD_ID."""
    stem, unit = events.convention.fallback, events.convention.unit
    hdus = [hdu for hdu in _candidates(events) if hdu.name.startswith(stem) or hdu.block_name.startswith(stem)]
    if not hdus:
        return None
    if unit is None or (len(hdus) == 1 and _unit_of(hdus[0], stem) is None):
        return _only(events, hdus)
    by_unit: dict[int | None, np.ndarray] = {}
    names: dict[int | None, str] = {}
    for hdu in hdus:
        number_of_unit = _unit_of(hdu, stem)
        if number_of_unit is None:
            continue
        own = _intervals(events.path, hdu, events)
        by_unit[number_of_unit] = gti.union((by_unit[number_of_unit], own)) if number_of_unit in by_unit else own
        names[number_of_unit] = hdu.block_name or hdu.name
    if not by_unit:
        raise _none(events, f"nothing tells which unit the tables {', '.join(hdu.name for hdu in hdus)} are for")
    return GoodTimes(unit, by_unit, names, f"{', '.join(names.values())}, by the unit each names")


def _unit_of(hdu: Hdu, stem: str) -> int | None:
    for keyword in ("CCDID", "CCD_ID"):
        found = number(hdu.header, keyword)
        if found is not None:
            return int(found)
    for name in (hdu.name, hdu.block_name):
        if name.startswith(stem) and name[len(stem) :].isdigit():
            return int(name[len(stem) :])
    return None


def _only(events: EventList, hdus: list[Hdu]) -> GoodTimes:
    if len(hdus) > 1:
        raise _none(events, f"it has {len(hdus)} tables {hdus[0].name} and does not say which holds")
    return GoodTimes(None, {None: _intervals(events.path, hdus[0], events)}, {None: hdus[0].name}, hdus[0].name)


def _single(events: EventList) -> GoodTimes | None:
    """Read the one table of a list whose events all share their good times."""
    for name in NAMES:
        hdus = [hdu for hdu in events.file.hdus if hdu.is_table and hdu.name == name]
        if hdus:
            return _only(events, hdus)
    return None


def _of_modules(events: EventList) -> GoodTimes | None:
    """Read ``GTIn``, or the set that GTI_SEL names, of each telescope module n."""
    stem = str(events.keyword("GTI_SEL", "GTI")).strip().upper() or "GTI"
    by_unit: dict[int | None, np.ndarray] = {}
    names: dict[int | None, str] = {}
    for hdu in events.file.hdus:
        digits = hdu.name[len(stem) :]
        if hdu.is_table and hdu.name.startswith(stem) and len(digits) == 1 and digits.isdigit():
            by_unit[int(digits)] = _intervals(events.path, hdu, events)
            names[int(digits)] = hdu.name
    if not by_unit:
        return None
    return GoodTimes(events.convention.unit, by_unit, names, f"{', '.join(names.values())}, by telescope module")


def _of_header(events: EventList, subspace: Subspace) -> GoodTimes:
    """Take all time between TSTART and TSTOP, for lists whose header alone tells the exposure."""
    start, stop = events.number("TSTART"), events.number("TSTOP")
    if start is None or stop is None or stop <= start:
        raise _none(events, "it has neither a table of good times nor TSTART and TSTOP")
    return GoodTimes(
        None,
        {None: np.array([[start, stop]])},
        {None: "GTI"},
        "TSTART and TSTOP of the header, for want of a table",
        subspace=subspace,
        from_header=True,
    )


def read_given(given: Any) -> tuple[np.ndarray, str]:
    """Read good times that a user gives: a FITS file with a GTI table, or pairs of START and STOP in seconds.

    Returns
    -------
    (ndarray, str)
        Intervals, and where they come from.

    Raises
    ------
    InvalidParameterError
        If it is neither.
    """
    if isinstance(given, str | Path):
        path = Path(given)
        hdus = [hdu for hdu in read_fits(path).hdus if hdu.is_table and "GTI" in hdu.name]
        if len(hdus) != 1:
            raise InvalidParameterError(
                f"{path} has {len(hdus)} tables of good times.",
                expected="one, whose EXTNAME holds GTI",
                remedy="give the intervals themselves",
                value=str(path),
            )
        return _intervals(path, hdus[0]), path.name
    try:
        pairs = np.asarray(given, dtype=np.float64)
        if pairs.ndim != 2 or pairs.shape[1] != 2:
            raise ValueError(f"shape {pairs.shape}")
    except (TypeError, ValueError) as error:
        raise InvalidParameterError(
            f"The good times {given!r:.80} are not intervals.",
            expected="a FITS file, or pairs of START and STOP in seconds",
            remedy="correct the argument",
        ) from error
    return gti.normalise(pairs), "the caller"

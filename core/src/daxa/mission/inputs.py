"""What users give, positions, radii, times, in one form each. Imported when a filter is called, as astropy is."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
from astropy.coordinates import ConvertError, SkyCoord
from astropy.coordinates.name_resolve import NameResolveError
from astropy.table import Column, Row, Table
from astropy.time import Time
from astropy.units import Quantity, UnitConversionError, deg
from attrs import frozen
from numpy.typing import NDArray

from daxa.exceptions import InvalidParameterError, NameNotResolvedError, ParameterTypeError, UnknownNameError

_FORMS = (
    "[ra, dec] in degrees, a list or array of such pairs, a SkyCoord, or a Table or DataFrame with columns ra and dec"
)


class NotAnAngleError(ParameterTypeError, UnitConversionError):  # type: ignore[misc]
    """A Quantity that should be an angle has another unit."""

    code = "not-an-angle"


class UnresolvedNameError(NameNotResolvedError, NameResolveError):  # type: ignore[misc]
    """No name service knows the object, in astropy's words as well."""


@frozen(eq=False)
class Positions:
    """Positions on the sky.

    Parameters
    ----------
    ra, dec : ndarray of float, shape (n,)
        Degrees, in the mission's frame.
    single : bool
        Whether the user gave one position, and not a list of one.
    """

    ra: NDArray[np.float64]
    dec: NDArray[np.float64]
    single: bool = False

    def __len__(self) -> int:
        return len(self.ra)


def _bad_positions(given: Any, why: str) -> ParameterTypeError:
    text = " ".join(repr(given).split())
    return ParameterTypeError(f"{text[:120]} cannot be positions: {why}.", expected=_FORMS, remedy="correct them")


def as_flag(value: Any, what: str) -> bool:
    """Return a flag.

    Raises
    ------
    ParameterTypeError
        If it is neither True nor False.
    """
    if not isinstance(value, bool | np.bool_):
        raise ParameterTypeError(f"{what} is {value!r}.", expected="True or False", remedy="correct it", value=value)
    return bool(value)


def with_unit(given: Any) -> Any:
    """Return a column of a Table that has a unit as a Quantity; anything else as it is."""
    if isinstance(given, Column) and given.unit is not None:
        plain = np.ma.filled(given.astype(np.float64), np.nan) if isinstance(given, np.ma.MaskedArray) else given.data
        return Quantity(plain, given.unit)
    return given


def _column(table: Any, names: Sequence[str], wanted: str) -> NDArray[np.float64]:
    found = [name for name in names if str(name).lower() == wanted]
    if len(found) != 1:
        raise _bad_positions(list(names), f"the table has {len(found) or 'no'} columns called {wanted}")
    column = table[found[0]]
    if isinstance(column, np.ma.MaskedArray):
        column = np.ma.filled(column.astype(np.float64), np.nan)
    unit = getattr(column, "unit", None)
    values: NDArray[np.float64]
    try:
        values = np.asarray(Quantity(column).to_value(deg) if unit is not None else column, dtype=np.float64)
    except UnitConversionError as problem:
        raise NotAnAngleError(
            f"The column {found[0]!r} is in {unit}.", expected="an angle", remedy="correct the unit"
        ) from problem
    except (TypeError, ValueError) as problem:
        raise _bad_positions(list(names), f"the column {found[0]!r} holds something else: {problem}") from problem
    return values


def as_table(given: Any) -> Any:
    """Return a DataFrame or a Table, a row of one as a table of one row; None for what is no table."""
    if isinstance(given, Row):
        return given.table[given.index : given.index + 1]
    if isinstance(given, pd.Series) and any(isinstance(name, str) for name in given.index):
        return given.to_frame().T
    return given if isinstance(given, pd.DataFrame | Table) else None


def as_skycoord(given: Any, frame: str) -> SkyCoord:
    """Return positions as a SkyCoord, scalar if one was given; what has no frame is taken to be in `frame`.

    Raises
    ------
    ParameterTypeError
        If they cannot be understood.
    InvalidParameterError
        If they are not on the sky.
    """
    if isinstance(given, SkyCoord):
        return given
    table = as_table(given)
    if table is not None:
        names = list(table.columns) if isinstance(table, pd.DataFrame) else list(table.colnames)
        ra, dec = (_column(table, names, name) for name in ("ra", "dec"))
    else:
        if isinstance(given, Iterable) and not isinstance(given, str | np.ndarray | Quantity | Mapping):
            given = list(given)
            if given and all(isinstance(one, SkyCoord) for one in given):
                return SkyCoord([moved(one, frame) for one in given])
        try:
            pairs = np.asarray(_in_degrees(given) if _has_units(given) else given, dtype=np.float64)
        except UnitConversionError as problem:
            raise NotAnAngleError(
                f"{given!r} is not a position.", expected="angles", remedy="correct the unit"
            ) from problem
        except (TypeError, ValueError) as problem:
            raise _bad_positions(given, str(problem)) from problem
        if pairs.ndim not in (1, 2) or pairs.shape[-1] != 2:
            raise _bad_positions(given, f"the shape is {pairs.shape}")
        ra, dec = pairs[..., 0], pairs[..., 1]
    refuse_off_sky(ra, dec)
    return SkyCoord(ra, dec, unit="deg", frame=frame)


def refuse_off_sky(ra: Any, dec: Any) -> None:
    """Raise if a position in degrees is not on the sky.

    Raises
    ------
    InvalidParameterError
        If one is not finite, or beyond a pole.
    """
    lon, lat = np.atleast_1d(ra), np.atleast_1d(dec)
    off = np.flatnonzero(~(np.isfinite(lon) & np.isfinite(lat) & (np.abs(lat) <= 90)))
    if len(off):
        place = (float(np.ravel(lon)[off[0]]), float(np.ravel(lat)[off[0]]))
        which = "The position" if lon.size == 1 else f"The position number {off[0]}, counted from 0,"
        more = "" if len(off) == 1 else f", nor are {len(off) - 1} more of them"
        raise InvalidParameterError(
            f"{which} {place} is not on the sky{more}.",
            expected="finite degrees, declinations from -90 to 90",
            remedy="correct the positions; right ascension comes first",
            value=place,
        )


def _plain(frame: str) -> Any:
    return SkyCoord(0, 0, unit="deg", frame=frame).frame.replicate_without_data()


def moved(places: SkyCoord, frame: Any) -> SkyCoord:
    """Turn positions into another frame.

    Raises
    ------
    InvalidParameterError
        If theirs lacks what that needs.
    """
    if places.is_equivalent_frame(_plain(frame) if isinstance(frame, str) else frame):
        return places  # a rotation there and back would not leave the poles where they are
    try:
        return places.transform_to(frame, merge_attributes=False)  # an equinox given with FK4 is not one of FK5
    except (ConvertError, AttributeError, ValueError) as problem:  # AltAz without a place asks None for it
        raise InvalidParameterError(
            f"Positions in the frame {places.name} cannot be turned into {frame}: {problem}.",
            expected="a frame of the sky, such as icrs, fk5 or galactic",
            remedy="give the frame all that it needs, or convert the positions",
        ) from problem


def _has_units(given: Any) -> bool:
    return isinstance(given, Quantity) or (isinstance(given, list | tuple) and any(map(_has_units, given)))


def _in_degrees(given: Any) -> Any:
    """Take the units off, in lists of lists as well; numbers without one are degrees."""
    if isinstance(given, list | tuple):
        return [_in_degrees(one) for one in given]
    return Quantity(given, deg).value


def as_positions(given: Any, frame: str) -> Positions:
    """Return positions in a mission's frame.

    Raises
    ------
    ParameterTypeError, InvalidParameterError
        If they cannot be understood, are not on the sky, or there are none.
    """
    coordinates = moved(as_skycoord(given, frame), frame)
    ra = np.atleast_1d(np.asarray(coordinates.ra.deg, dtype=np.float64))
    dec = np.atleast_1d(np.asarray(coordinates.dec.deg, dtype=np.float64))
    if ra.ndim != 1 or len(ra) == 0:
        shape = f"Positions of the shape {ra.shape}" if ra.ndim != 1 else "No positions"
        raise InvalidParameterError(f"{shape} are given.", expected=_FORMS, remedy="give a list of at least one")
    refuse_off_sky(ra, dec)
    return Positions(ra, dec, bool(coordinates.isscalar))


def as_degrees(value: Any, what: str = "a search distance") -> float:
    """Return one angle in degrees: a Quantity, a number of degrees, or text such as ``"5 arcmin"``.

    Raises
    ------
    ParameterTypeError
        If it is something else.
    NotAnAngleError
        If its unit is not an angle's.
    InvalidParameterError
        If it is negative or not finite.
    """
    if isinstance(value, str):
        try:
            value = Quantity(value)
        except TypeError as problem:
            raise ParameterTypeError(
                f"{value!r} is not {what}.", expected="text such as '5 arcmin'", remedy="correct it", value=value
            ) from problem
        if value.unit.is_equivalent(""):
            value = float(value.value)
    if isinstance(value, Quantity) and value.isscalar:
        try:
            number = float(value.to_value(deg))
        except UnitConversionError as problem:
            raise NotAnAngleError(
                f"{value} is not {what}.", expected="an angle", remedy="correct the unit", value=str(value)
            ) from problem
    elif isinstance(value, int | float | np.integer | np.floating) and value is not True and value is not False:
        number = float(value)
    else:
        raise ParameterTypeError(
            f"{value!r} is not {what}.", expected="a Quantity or a number of degrees", remedy="correct it"
        )
    if not 0 <= number < np.inf:
        raise InvalidParameterError(
            f"{value} is not {what}.", expected="an angle of zero or more", remedy="correct it", value=number
        )
    return number


def as_radii(value: Any, positions: Positions) -> float | NDArray[np.float64]:
    """Return search distances in degrees: one for all, or one for each position.

    Raises
    ------
    ParameterTypeError, NotAnAngleError
        As :func:`as_degrees`.
    InvalidParameterError
        If there is not one for each position.
    """
    value = with_unit(value)
    if isinstance(value, np.ndarray) and value.ndim == 0 and not isinstance(value, Quantity):
        value = value.item()
    scalar = isinstance(value, str | numbers.Real) or (isinstance(value, Quantity) and value.isscalar)
    if scalar or not isinstance(value, Iterable):
        return as_degrees(value)
    radii = _many_degrees(value)
    if positions.single or len(radii) != len(positions):
        raise InvalidParameterError(
            f"{len(radii)} search distances are given for {'one' if positions.single else len(positions)}"
            f" position{'' if positions.single else 's'}.",
            expected="one for all, or one for each position",
            remedy="correct the list",
        )
    return radii


def _many_degrees(values: Iterable[Any]) -> NDArray[np.float64]:
    """Read angles one by one, unless they are in one array, of which only the worst one must be looked at."""
    if isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind in "fiu" and len(values):
        plain = values.value if isinstance(values, Quantity) else values
        worst = values[int(np.argmin(np.where(np.isfinite(plain), plain, -np.inf)))]
        as_degrees(worst)
        many: NDArray[np.float64] = np.asarray(
            values.to_value(deg) if isinstance(values, Quantity) else values, dtype=np.float64
        )
        return many
    return np.array([as_degrees(one) for one in values], dtype=np.float64)


def as_radii_by_instrument(value: Mapping[Any, Any], known: Sequence[str], chosen: Sequence[str]) -> dict[str, float]:
    """Return search distances in degrees by instrument.

    Raises
    ------
    UnknownNameError
        If an instrument is unknown, or a chosen one is missing.
    ParameterTypeError, NotAnAngleError, InvalidParameterError
        As :func:`as_degrees`.
    """
    unknown = [str(inst) for inst in value if inst not in known]
    missing = [inst for inst in chosen if inst not in value]
    if unknown or missing:
        raise UnknownNameError(
            f"Search distances {f'are given for {chr(44).join(unknown)}' if unknown else 'are missing'}"
            f"{'' if unknown else f' for {chr(44).join(missing)}'}.",
            expected=f"one for each of {', '.join(chosen)}",
            remedy="correct the names of the instruments",
            value=unknown or missing,
        )
    texts = [one for one in value.values() if isinstance(one, str)]
    if texts:
        raise ParameterTypeError(
            f"{texts[0]!r} is not a search distance of an instrument.",
            expected="a Quantity or a number of degrees",
            remedy=f"write Quantity({texts[0]!r})",
            value=texts[0],
        )
    return {str(inst): as_degrees(one) for inst, one in value.items()}


def as_time(value: Any, what: str = "a time") -> np.datetime64:
    """Return one UTC time: a ``datetime`` (naive is UTC), an ISO text, a ``Time`` or a ``datetime64``.

    Raises
    ------
    ParameterTypeError
        If it is something else.
    InvalidParameterError
        If the text is not a time.
    """
    if isinstance(value, Time) and value.isscalar:
        try:
            value = value.utc.to_datetime()
        except ValueError as problem:  # a leap second, or a year that a calendar does not have
            raise InvalidParameterError(
                f"{value!r} is not {what}: {problem}.", expected="such as '2019-12-01 00:00:00'", remedy="correct it"
            ) from problem
    if not isinstance(value, datetime | str | np.datetime64):
        raise ParameterTypeError(
            f"{value!r} is not {what}.", expected="a datetime, an ISO text or a Time", remedy="correct it"
        )
    try:
        if isinstance(value, str) and not any(sign.isdigit() for sign in value):
            raise ValueError("it names no day")  # "now" would be another one when the filter is applied again
        stamp = pd.Timestamp(value)
        if stamp.tzinfo is not None:
            stamp = stamp.tz_convert(UTC).tz_localize(None)
        if pd.isna(stamp):
            raise ValueError("not a time")
    except ValueError as problem:
        raise InvalidParameterError(
            f"{value!r} is not {what}: {problem}.", expected="such as '2019-12-01 00:00:00'", remedy="correct it"
        ) from problem
    when: np.datetime64 = stamp.to_datetime64().astype("M8[us]")
    return when


def as_window(start: Any, end: Any) -> tuple[np.datetime64, np.datetime64]:
    """Return the two ends of a time window.

    Raises
    ------
    ParameterTypeError, InvalidParameterError
        As :func:`as_time`, and if the window ends before it starts.
    """
    window = (as_time(start, "a start"), as_time(end, "an end"))
    if window[1] < window[0]:
        raise InvalidParameterError(
            f"The window from {start} to {end} ends before it starts.",
            expected="the start first",
            remedy="swap them",
        )
    return window


def is_one_time(value: Any) -> bool:
    """Whether this is one time, and not several."""
    return isinstance(value, str | datetime | np.datetime64) or (isinstance(value, Time) and bool(value.isscalar))


def as_times(value: Any) -> list[Any]:
    """Return one or several times as a list."""
    if is_one_time(value):
        return [value]
    if isinstance(value, Iterable):
        return list(value)
    raise ParameterTypeError(
        f"{value!r} is not a time, or a list of times.", expected="datetimes, ISO texts or Times", remedy="correct it"
    )

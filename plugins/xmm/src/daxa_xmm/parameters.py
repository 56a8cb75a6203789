"""Parameters of the XMM-Newton processes: what they may be, and the form in which SAS wants them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from datetime import date, datetime
from math import inf, isfinite
from numbers import Real
from typing import Any, Final

from daxa.api import InvalidParameterError, ParameterTypeError

STATES: Final = ("G", "I", "B", "O", "U")
"""States of a MOS CCD that ``emanom`` tells of: good, intermediate, bad, off, undetermined."""


def _quantity(value: Any, name: str, unit: str, example: str) -> Any:
    """Read a quantity of one kind; text such as ``"2500 eV"`` is read, too."""
    from astropy.units import Quantity, UnitConversionError

    try:
        return Quantity(value).to(unit)
    except UnitConversionError as problem:
        from daxa_xmm.units import WrongUnitError

        raise WrongUnitError(
            f"{name} is {value!r}: {problem}.", expected=f"a Quantity such as {example}", remedy="correct the unit"
        ) from problem
    except (TypeError, ValueError) as problem:
        raise ParameterTypeError(
            f"{name} is {value!r}.", expected=f"a Quantity such as {example}", remedy="correct the call", value=value
        ) from problem


def _scalar(value: Any, name: str, unit: str, example: str) -> Any:
    """Read one finite quantity of a kind."""
    found = _quantity(value, name, unit, example)
    if not found.isscalar:
        raise ParameterTypeError(
            f"{name} is {value!r}, which are {found.size} values.", expected=f"one Quantity such as {example}",
            remedy="give one value", value=value,
        )  # fmt: skip
    if not isfinite(found.value):
        raise InvalidParameterError(
            f"{name} is {found}.",
            expected=f"a finite Quantity such as {example}",
            remedy="correct the call",
            value=value,
        )
    return found


class WrongKindError(ParameterTypeError, InvalidParameterError):
    """A parameter is no number, or no pair of them, where one is needed."""


def _number(value: Any, name: str) -> float:
    """Read a finite number."""
    if isinstance(value, bool) or not isinstance(value, Real) or not isfinite(value):
        raise WrongKindError(f"{name} is {value!r}.", expected="a number", remedy="correct the call", value=value)
    return float(value)


def analysis_date(value: Any) -> str:
    """Return the date of the calibration to use: ``now``, or a day as SAS writes it.

    Raises
    ------
    InvalidParameterError
        If it is neither ``now`` nor a date.
    """
    if isinstance(value, datetime | date):
        return f"{value:%Y-%m-%d}"
    if isinstance(value, str):
        if value == "now":
            return value
        try:
            return f"{date.fromisoformat(value):%Y-%m-%d}"
        except ValueError:
            pass
    raise InvalidParameterError(
        f"analysis_date is {value!r}.", expected="'now', a datetime, or a day such as '2024-04-24'", remedy="correct it"
    )


def energies(lo: Any, hi: Any, names: tuple[str, str] = ("lo_en", "hi_en"), unit: str = "keV") -> tuple[Any, Any]:
    """Check two energies, of which both or none are given.

    Returns
    -------
    tuple of Quantity or None
        Both in `unit`.

    Raises
    ------
    ParameterTypeError, InvalidParameterError
        If one is missing, none, below zero or more than one value, or the upper one is not above the lower one.
    """
    if (lo is None) != (hi is None):
        missing = names[0] if lo is None else names[1]
        raise InvalidParameterError(
            f"{missing} is missing.", expected=f"{names[0]} and {names[1]}, or neither", remedy="give both"
        )
    if lo is None:
        return None, None
    low, high = (_scalar(one, name, unit, "Quantity(0.5, 'keV')") for one, name in zip((lo, hi), names, strict=True))
    if low.value < 0:
        raise InvalidParameterError(f"{names[0]} is {low}.", expected="an energy of zero or more", remedy="correct it")
    if not high > low:
        raise InvalidParameterError(
            f"{names[1]} is {high}, and {names[0]} is {low}.",
            expected="an upper energy above the lower one",
            remedy="correct or swap them",
        )
    return low, high


def seconds(value: Any, name: str, usual: int, least: float, most: float = inf) -> tuple[bool, int]:
    """Read a switch that may be a time instead: whether it is on, and seconds.

    Raises
    ------
    ParameterTypeError, InvalidParameterError
        If it is something else, or the time is not between `least` and `most` seconds.
    """
    if isinstance(value, bool):
        return value, usual
    if not (hasattr(value, "unit") or isinstance(value, str)):
        raise ParameterTypeError(
            f"{name} is {value!r}.", expected="True, False, or a time such as Quantity(30, 's')", remedy="correct it"
        )
    given = float(_scalar(value, name, "s", "Quantity(30, 's')").value)
    if not least <= given <= most:
        upper = f", {most:g} s at most" if isfinite(most) else ""
        raise InvalidParameterError(
            f"{name} is {given:g} s.", expected=f"{least:g} s or more{upper}", remedy="correct it", value=value
        )
    return True, int(given)


def espfilt_parameters(params: Mapping[str, Any]) -> dict[str, Any]:
    """Check the parameters of `espfilt`, in the order in which they are documented."""
    from astropy.units import Quantity

    if not isinstance(params["method"], str) or params["method"] not in ("histogram", "ratio"):
        raise InvalidParameterError(
            f"method is {params['method']!r}.", expected="'histogram' or 'ratio'", remedy="correct it"
        )
    seconds(params["with_smoothing"], "with_smoothing", 51, 1, 60)
    seconds(params["with_binning"], "with_binning", 60, 1)
    _number(params["ratio"], "ratio")
    names = ("filter_lo_en", "filter_hi_en")
    low, high = energies(params[names[0]], params[names[1]], names, "eV")
    if low is None:
        raise InvalidParameterError("No filter energies are given.", expected="both", remedy="leave the defaults")
    for one, name, least, most in ((low, names[0], 1, 32766), (high, names[1], 2, 32767)):
        if not least <= one.value <= most:
            raise InvalidParameterError(
                f"{name} is {one}.", expected=f"an energy from {least} eV to {most} eV", remedy="correct it"
            )
    scale = params["range_scale"]
    if scale is not None:
        if not isinstance(scale, Mapping):
            raise InvalidParameterError(
                f"range_scale is {scale!r}.", expected="a dict with the keys 'pn' and 'mos'", remedy="correct it"
            )
        for key in ("pn", "mos"):
            if key not in scale:
                raise MissingKeyError(
                    f"range_scale lacks {key!r}.", expected="the keys 'pn' and 'mos'", remedy="give both"
                )
            _number(scale[key], f"range_scale[{key!r}]")
    _number(params["allowed_sigma"], "allowed_sigma")
    limits = params["gauss_fit_lims"]
    if not isinstance(limits, list | tuple) or len(limits) != 2:
        raise WrongKindError(
            f"gauss_fit_lims is {limits!r}.", expected="two numbers, such as (0.1, 6.5)", remedy="correct it"
        )
    first, second = (_number(one, "gauss_fit_lims") for one in limits)
    if not 0 <= first < second <= 10:
        raise InvalidParameterError(
            f"gauss_fit_lims is {limits!r}.",
            expected="two numbers from 0 to 10, the second greater",
            remedy="correct it",
        )
    return {"filter_lo_en": Quantity(float(low.value), "eV"), "filter_hi_en": Quantity(float(high.value), "eV")}


class MissingKeyError(InvalidParameterError, KeyError):
    """A parameter that is a mapping lacks a key."""

    __str__ = InvalidParameterError.__str__


def expression(value: Any, name: str) -> list[str]:
    """Return the parts of a filter expression: one text, or several.

    Raises
    ------
    ParameterTypeError
        If one is not text.
    """
    parts = [value] if isinstance(value, str) else value
    if not isinstance(parts, Sequence) or not all(isinstance(one, str) and one.strip() for one in parts):
        raise ParameterTypeError(
            f"{name} is {value!r}.", expected="an expression of evselect, or a list of them", remedy="correct it"
        )
    return list(parts)


def states(value: Any) -> list[str]:
    """Return states of MOS CCDs that are good enough.

    Raises
    ------
    ParameterTypeError, InvalidParameterError
        If it is no state and no sequence of them, or one is unknown.
    """
    expected = f"some of {', '.join(STATES)}"
    if not isinstance(value, str | Sequence | Set):
        raise ParameterTypeError(
            f"acc_mos_anom_states is {value!r}.", expected=expected, remedy="correct it", value=value
        )
    given = [value] if isinstance(value, str) else list(value)
    if not given or any(one not in STATES for one in given):
        raise InvalidParameterError(f"acc_mos_anom_states is {value!r}.", expected=expected, remedy="correct it")
    return [one for one in STATES if one in given]  # in one order: another one gives no other list


def bands(lo: Any, hi: Any) -> list[tuple[float, float]]:
    """Return energy bands in keV of two energies, or of two arrays of them.

    Raises
    ------
    InvalidParameterError
        If there are not as many lower as upper ones, or one is not below the other.
    """
    import numpy as np
    from astropy.units import Quantity

    def read(value: Any, name: str) -> Any:
        given = list(value) if isinstance(value, tuple) else value
        try:
            bare = Quantity(given).unit.is_equivalent("")  # plain numbers are keV
        except (TypeError, ValueError):
            bare = False
        return np.atleast_1d(
            _quantity(Quantity(given, "keV") if bare else given, name, "keV", "Quantity([0.5, 2.0], 'keV')").value
        )

    low, high = read(lo, "lo_en"), read(hi, "hi_en")
    if low.shape != high.shape or low.ndim != 1 or not low.size or not ((low >= 0) & (high > low) & (high < inf)).all():
        raise InvalidParameterError(
            f"lo_en is {lo!r}, hi_en is {hi!r}.",
            expected="as many upper as lower energies, one or more, each above its lower one",
            remedy="correct them",
        )
    return list(dict.fromkeys((round(float(a), 6), round(float(b), 6)) for a, b in zip(low, high, strict=True)))

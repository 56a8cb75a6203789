"""Energy bands: what users may write, what they are called, and which a mission is imaged in by default."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, Final

from daxa.api import EmptyBandError, InvalidParameterError

DEFAULT_BANDS: Final[dict[str, tuple[tuple[float, float], ...]]] = {
    "xmm": ((0.5, 2.0), (2.0, 10.0)),
    "chandra": ((0.5, 2.0), (2.0, 7.0)),
    "nustar": ((3.0, 78.0),),
    "rosat": ((0.5, 2.0),),
    "erosita": ((0.2, 2.3), (2.3, 5.0)),
    "erass": ((0.2, 2.3), (2.3, 5.0)),
}
"""Bands in keV by the first word of the mission's name. eROSITA's are those of its public images (DR1 naming page)."""

WITHOUT_ENERGY: Final = frozenset({"HRI", "HRC", "HRC-I", "HRC-S"})
"""Instruments whose pulse height hardly depends on the energy: one image of all events."""

ALL: Final = "all"
_VARIANT: Final = re.compile(r"en(\d+(?:\.\d+)?)_(\d+(?:\.\d+)?)keV\Z")


def read_band(band: Any) -> tuple[float, float] | None:
    """Read a band as its two limits in keV.

    Parameters
    ----------
    band : Quantity, sequence or None
        A Quantity of two energies in any unit of energy; two such Quantities; or two plain numbers, which are keV. None
        means all energies.

    Raises
    ------
    InvalidParameterError
        If it is none of these, or the unit is not one of energy.
    EmptyBandError
        If the limits are swapped or equal.
    """
    if band is None:
        return None
    try:
        low, high = (_kev(limit) for limit in band)
    except (TypeError, ValueError) as error:  # astropy's UnitConversionError is both
        raise InvalidParameterError(
            f"{band!r} is not an energy band.",
            expected='two energies, such as Quantity([0.5, 2.0], "keV") or [0.5, 2.0] in keV',
            remedy="give a lower and an upper limit",
            value=str(band),
        ) from error
    if not (math.isfinite(low) and math.isfinite(high) and low >= 0):
        raise InvalidParameterError(
            f"{band!r} is not an energy band.",
            expected="two finite energies that are not negative",
            remedy="correct the limits",
            value=str(band),
        )
    if low >= high:
        raise EmptyBandError(
            f"The band {low:g}-{high:g} keV is empty.",
            expected="a lower limit below the upper one",
            remedy="swap or correct the limits",
            value=[low, high],
        )
    return low, high


def _kev(limit: Any) -> float:
    if isinstance(limit, bool | str | bytes):
        raise TypeError(f"{limit!r} is not an energy")
    return float(limit.to_value("keV")) if hasattr(limit, "to_value") else float(limit)


def band_variant(band: Sequence[float] | None) -> str:
    """Write a band as a task's variant, e.g. ``en0.5_2.0keV``; ``all`` for all energies."""
    return ALL if band is None else f"en{float(band[0])}_{float(band[1])}keV"


def variant_band(variant: str) -> list[float] | None:
    """Read a variant as a band in keV; None for ``all``.

    Raises
    ------
    InvalidParameterError
        If the variant is not the name of a band.
    """
    if variant == ALL:
        return None
    match = _VARIANT.match(variant)
    if match is None:
        raise InvalidParameterError(
            f"{variant!r} is not the name of an energy band.",
            expected="a name such as en0.5_2.0keV",
            remedy="correct the variant",
            value=variant,
        )
    return [float(match[1]), float(match[2])]


def default_bands(mission: str, inst: str | None) -> tuple[tuple[float, float] | None, ...]:
    """Return the bands in keV a mission's data are imaged in; (None,) for an instrument without energies."""
    if inst in WITHOUT_ENERGY:
        return (None,)
    for word, bands in DEFAULT_BANDS.items():
        if mission.lower().startswith(word):
            return bands
    return ((0.5, 2.0),)

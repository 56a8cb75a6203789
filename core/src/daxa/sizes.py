"""Sizes as people write them, such as ``2 GB``."""

from __future__ import annotations

import math
import re
from typing import Any, Final

from daxa.exceptions import InvalidParameterError

_UNITS: Final = {
    "": 1,
    "b": 1,
    **{f"{prefix}b": 1000**power for power, prefix in enumerate("kmgt", start=1)},
    **{f"{prefix}ib": 1024**power for power, prefix in enumerate("kmgt", start=1)},
}


def size_in_bytes(value: Any, what: str = "The size") -> float:
    """Read a size.

    Parameters
    ----------
    value : str, int or float
        A number with a unit (``B``, ``kB``, ``MB``, ``GB``, ``TB``, or ``KiB`` ... ``TiB``); without one it counts
        bytes.
    what : str
        What it is the size of, for the error.

    Returns
    -------
    float
        Bytes; not negative.

    Raises
    ------
    InvalidParameterError
        If it is no size.
    """
    match = None if isinstance(value, bool) else re.fullmatch(r"\s*([0-9.eE+]+)\s*([a-zA-Z]*)\s*", str(value))
    try:
        size = float(match[1]) * _UNITS[match[2].lower()] if match else math.nan
    except (KeyError, ValueError):
        size = math.nan
    if not (math.isfinite(size) and size >= 0):
        raise InvalidParameterError(
            f"{what} is {value!r}.", expected="a size such as '500 MB' or '2 GiB'", remedy="correct it", value=value
        )
    return size

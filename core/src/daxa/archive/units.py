"""The error of a time limit that has a unit of another kind. Imports astropy: it is imported when there is one."""

from __future__ import annotations

from astropy.units import UnitConversionError

from daxa.exceptions import ParameterTypeError


class NotATimeError(ParameterTypeError, UnitConversionError):  # type: ignore[misc]
    """A quantity is no time where one is needed."""

"""The error of a quantity that has a unit of another kind. Imports astropy: it is imported when there is one."""

from __future__ import annotations

from typing import ClassVar

from astropy.units import UnitConversionError

from daxa.api import InvalidParameterError


class WrongUnitError(InvalidParameterError, UnitConversionError):
    """A parameter has a unit of another kind, such as seconds where an energy is expected."""

    code: ClassVar[str] = "wrong-unit"

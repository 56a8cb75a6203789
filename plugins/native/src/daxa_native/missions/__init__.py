"""The conventions of each telescope's event lists, one module a mission."""

from __future__ import annotations

from typing import Any, Final

from daxa.api import BadEventListError
from daxa_native.conventions import Convention
from daxa_native.fitsfile import FitsFile, text
from daxa_native.missions import chandra, erosita, nustar, rosat, xmm

_FINDERS: Final = tuple(module.convention for module in (xmm, chandra, nustar, rosat, erosita))


def convention_of(file: FitsFile, header: Any) -> Convention:
    """Find the convention of an event list by its TELESCOP and INSTRUME.

    Raises
    ------
    BadEventListError
        If there is none.
    """
    primary = file.hdus[0].header
    telescope = text(header, "TELESCOP") or text(primary, "TELESCOP")
    instrument = text(header, "INSTRUME") or text(primary, "INSTRUME")
    for finder in _FINDERS:
        found = finder(telescope.upper(), instrument.upper())
        if found is not None:
            return found
    raise BadEventListError(
        f"{file.path} is of telescope {telescope or 'unknown'!r}, instrument {instrument or 'unknown'!r},"
        " whose conventions are not known.",
        expected="EPIC of XMM-Newton, ACIS or HRC of Chandra, NuSTAR, PSPC or HRI of ROSAT, or eROSITA",
        remedy="use the mission's own software for these data",
        path=str(file.path),
        telescope=telescope,
        instrument=instrument,
    )

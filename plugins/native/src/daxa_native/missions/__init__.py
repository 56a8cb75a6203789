"""The conventions of each telescope's event lists, one module a mission; those of other plugins come by entry point."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points
from typing import Any, Final

from daxa.api import BadEventListError, PluginError
from daxa_native.conventions import Convention, Finder
from daxa_native.fitsfile import FitsFile, text
from daxa_native.missions import chandra, erosita, nustar, rosat, xmm

_FINDERS: Final = tuple(module.convention for module in (xmm, chandra, nustar, rosat, erosita))

ENTRY_POINT_GROUP: Final = "daxa_native.conventions"
"""Entry points of plugins that know event lists: each a call ``(telescope, instrument)`` to a Convention or None."""


@cache
def _of_plugins() -> tuple[tuple[str, Finder], ...]:
    """What installed distributions know, by the value of the entry point; looked for once in a process."""
    found = []
    for point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda one: one.value):
        try:
            found.append((point.value, point.load()))
        except Exception as problem:
            raise PluginError(
                f"{point.value}, which knows event lists, cannot be imported: {problem}.",
                remedy="correct the plugin, or uninstall it",
            ) from problem
    return tuple(found)


def _asked(telescope: str, instrument: str) -> Convention | None:
    for finder in _FINDERS:
        if (found := finder(telescope, instrument)) is not None:
            return found
    for name, finder in _of_plugins():
        if (found := finder(telescope, instrument)) is not None:
            if not isinstance(found, Convention):
                raise PluginError(f"{name} answers {found!r}.", expected="a Convention, or None", remedy="correct it")
            return found
    return None


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
    found = _asked(telescope.upper(), instrument.upper())
    if found is not None:
        return found
    raise BadEventListError(
        f"{file.path} is of telescope {telescope or 'unknown'!r}, instrument {instrument or 'unknown'!r},"
        " whose conventions are not known.",
        expected="EPIC of XMM-Newton, ACIS or HRC of Chandra, NuSTAR, ROSAT, eROSITA, or what a plugin knows",
        remedy="use the mission's own software, or a plugin with an entry point of the group daxa_native.conventions",
        path=str(file.path),
        telescope=telescope,
        instrument=instrument,
    )

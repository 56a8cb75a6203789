"""Mission-agnostic reduction of X-ray event lists in pure Python.

Five plain functions, each of which reads a FITS file, writes one file, and returns its path: `clean_events`,
`flare_gti`, `image`, `light_curve` and `quicklook`. The same functions are the bodies of the processes of those names.
Nothing heavy is imported before one of them is used. `Convention` and what belongs to it say what other missions' event
lists look like, for plugins that know some.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from daxa_native.cleaning import clean_events
    from daxa_native.clipping import NoCountsError
    from daxa_native.conventions import (
        Convention,
        Cut,
        Energy,
        Grid,
        Quiet,
        at_most,
        bits_clear,
        one_of,
        within,
        zero,
    )
    from daxa_native.flares import flare_gti
    from daxa_native.imaging import image
    from daxa_native.lightcurve import light_curve
    from daxa_native.picture import quicklook

_CONVENTIONS = ("Convention", "Cut", "Energy", "Grid", "Quiet", "at_most", "bits_clear", "one_of", "within", "zero")
"""What a plugin says of its event lists with, for an entry point of the group ``daxa_native.conventions``."""

_LATE = {
    **dict.fromkeys(_CONVENTIONS, "daxa_native.conventions"),
    "NoCountsError": "daxa_native.clipping",
    "clean_events": "daxa_native.cleaning",
    "flare_gti": "daxa_native.flares",
    "image": "daxa_native.imaging",
    "light_curve": "daxa_native.lightcurve",
    "quicklook": "daxa_native.picture",
}


def __getattr__(name: str) -> Any:
    """Import a function when it is first used."""
    if name in _LATE:
        import importlib

        return getattr(importlib.import_module(_LATE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATE})


__all__ = [
    "Convention",
    "Cut",
    "Energy",
    "Grid",
    "NoCountsError",
    "Quiet",
    "at_most",
    "bits_clear",
    "clean_events",
    "flare_gti",
    "image",
    "light_curve",
    "one_of",
    "quicklook",
    "within",
    "zero",
]

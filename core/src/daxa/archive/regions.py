"""Source regions: what a user gives of them, turned to the sky, and DS9's text for it.

A region file in an archive holds regions of the sky alone, so that it means the same without the image it was drawn on.
Nothing here knows an archive; see :mod:`daxa.archive.sources`.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from daxa.exceptions import DamagedRecordError, DaxaError, InvalidParameterError, MissingFileError, ParameterTypeError

if TYPE_CHECKING:
    from astropy.wcs import WCS

_HEADER: Final = "# Region file format: DS9 astropy/regions\n"
_DECIMALS: Final = 12  # of a degree: well below what any position is known to, and read back as it was
_UNREADABLE: Final = (ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError)
"""What `regions` raises on a text it does not understand."""
_FORMS: Final = "the path of a DS9 file, a list of Region objects, a Regions object, or a dict with the key 'regions'"
_PLACES: Final = ("center", "vertices", "start", "end")


# --- what a user gives ---------------------------------------------------------------------------------------------


def sky_regions(given: Any, label: str) -> list[Any]:
    """Turn what a user gives for an observation into regions of the sky.

    Parameters
    ----------
    given : str, path, list of Region, Regions or dict
        Path of a DS9 file, regions themselves, or a dict with one of them under ``regions`` (or ``region``) and, where
        they are in pixels, the source of a WCS under ``wcs_src``: a WCS, the path of an image, or an XGA ``Image``.
    label : str
        Mission and ObsID, for messages.

    Returns
    -------
    list of SkyRegion
        Regions of the sky as they were given, those of pixels in ICRS; in the order given.

    Raises
    ------
    ParameterTypeError, InvalidParameterError, MissingFileError
        If something cannot be used.
    """
    from regions import PixelRegion

    source, wcs_source = _parts(given, label)
    wcs = None if wcs_source is None else _wcs(wcs_source, label)
    found = _listed(source, label)
    pixels = sum(isinstance(one, PixelRegion) for one in found)
    if pixels and wcs is None:
        raise InvalidParameterError(
            f"{pixels} of the {len(found)} regions of {label} are in pixel coordinates, without a WCS.",
            expected="a WCS of the image they were drawn on",
            remedy="give {'regions': ..., 'wcs_src': ...} with an astropy WCS or the path of the image",
        )
    return [_on_the_sky(one, wcs, f"Region {number} of {label}") for number, one in enumerate(found, start=1)]


def _parts(given: Any, label: str) -> tuple[Any, Any]:
    """Regions and source of a WCS."""
    if not isinstance(given, Mapping):
        return given, None
    keys = [key for key in ("regions", "region") if key in given]
    unknown = [key for key in given if key not in ("regions", "region", "wcs_src")]
    if len(keys) != 1 or unknown:
        raise InvalidParameterError(
            f"The dict given for {label} has the keys {', '.join(map(repr, given)) or '(none)'}.",
            expected="'regions' (or 'region'), and 'wcs_src' if need be",
            remedy="correct the keys",
            value=list(given),
        )
    return given[keys[0]], given.get("wcs_src")


def _listed(source: Any, label: str) -> list[Any]:
    from regions import PixelRegion, Regions, SkyRegion

    if isinstance(source, str | os.PathLike):
        return read_ds9(Path(source).expanduser(), label)
    if not isinstance(source, Regions | list | tuple):
        raise ParameterTypeError(
            f"{source!r} is not what the regions of {label} can be.", expected=_FORMS, remedy="give one of these"
        )
    found = list(source)
    for number, one in enumerate(found, start=1):
        if not isinstance(one, PixelRegion | SkyRegion):
            raise ParameterTypeError(
                f"Entry {number} of the list given for {label} is {one!r}.",
                expected="a pixel or sky region of the package `regions`",
                remedy="give Region objects, or the path of a DS9 file in place of the list",
                value=one,
            )
    return found


# --- coordinates ---------------------------------------------------------------------------------------------------


def _on_the_sky(region: Any, wcs: WCS | None, label: str) -> Any:
    import numpy as np
    from astropy.coordinates import FK4, FK5, ICRS, Galactic
    from regions import PixelRegion

    as_they_are: tuple[type, ...] = (ICRS, FK5, FK4, Galactic)  # DS9 has names for these, of the usual equinox only
    cause = None
    try:
        if isinstance(region, PixelRegion):
            region = region.to_sky(wcs)
            as_they_are = (ICRS,)
        places = [getattr(region, name) for name in _PLACES if hasattr(region, name)]
        on_sky = all(np.isfinite(one.spherical.lon).all() and np.isfinite(one.spherical.lat).all() for one in places)
    except (*_UNREADABLE, RuntimeError) as problem:  # the latter from a WCS with distortions
        on_sky, cause = False, problem
    if not on_sky:
        raise InvalidParameterError(
            f"{label} is not on the sky: {cause or 'its position is not finite'}.",
            expected="a position that the sky, or the WCS, has",
            remedy="correct it; for pixels, see whether the WCS is that of the image they were drawn on",
        ) from cause
    if any(one.frame.is_equivalent_frame(frame()) for one in places[:1] for frame in as_they_are):
        return region
    return _to_icrs(region)


def _to_icrs(region: Any) -> Any:
    """The same region in ICRS; its angle is turned by what north is turned by."""
    from astropy.units import arcmin, deg

    changes = {name: getattr(region, name).icrs for name in _PLACES if hasattr(region, name)}
    if hasattr(region, "angle"):
        north = region.center.directional_offset_by(0 * deg, 1 * arcmin)
        turned = changes["center"].position_angle(north.icrs)
        changes["angle"] = (region.angle + turned).to(deg)
    return region.copy(**changes)


def _wcs(source: Any, label: str) -> WCS:
    from astropy.wcs import WCS

    if isinstance(source, WCS):
        wcs = source
    elif isinstance(source, str | os.PathLike):
        wcs = _wcs_of_image(Path(source).expanduser(), label)
    else:
        wcs = getattr(
            source, "radec_wcs", None
        )  # of XGA's images and maps, known by what they have: XGA may not be here
    if not isinstance(wcs, WCS):
        raise ParameterTypeError(
            f"{source!r} has no WCS for the regions of {label}.",
            expected="an astropy WCS, the path of an image, or an XGA Image",
            remedy="give one of these as 'wcs_src'",
        )
    if not wcs.has_celestial:
        raise InvalidParameterError(
            f"The WCS given for {label} has no celestial axes: {', '.join(wcs.wcs.ctype) or 'no axis at all'}.",
            expected="a WCS of the sky",
            remedy="give the WCS of the image in RA and Dec",
        )
    return wcs.celestial


def _wcs_of_image(path: Path, label: str) -> WCS:
    """The first celestial WCS in the headers of a FITS file's images."""
    from astropy.io import fits
    from astropy.utils.exceptions import AstropyWarning
    from astropy.wcs import WCS

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)  # of old keywords, which it puts right by itself
            with fits.open(path) as units:
                for unit in units:
                    if unit.is_image and unit.header.get("NAXIS", 0) >= 2:
                        wcs = WCS(unit.header, units)
                        if wcs.has_celestial:
                            return wcs
    except FileNotFoundError as problem:
        raise MissingFileError(
            f"The image {path}, given for the WCS of {label}, is not there.",
            expected="the path of a FITS image",
            remedy="correct the path",
            path=str(path),
        ) from problem
    except (OSError, *_UNREADABLE) as problem:
        raise InvalidParameterError(
            f"The image {path}, given for the WCS of {label}, cannot be read: {problem}.",
            expected="a FITS image",
            remedy="correct the path",
            path=str(path),
        ) from problem
    raise InvalidParameterError(
        f"{path}, given for the WCS of {label}, holds no image with celestial axes.",
        expected="a FITS image of the sky",
        remedy="give the image the regions were drawn on",
        path=str(path),
    )


# --- DS9's text ----------------------------------------------------------------------------------------------------


def read_ds9(path: Path, label: str) -> list[Any]:
    """Read a DS9 file: all of its regions, or none.

    Parameters
    ----------
    path : Path
        The file.
    label : str
        Mission and ObsID, for messages.

    Raises
    ------
    MissingFileError
        If it is not there.
    InvalidParameterError
        If it is not such a file, or one of its regions cannot be understood.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as problem:
        raise MissingFileError(
            f"The region file {path} of {label} is not there.",
            expected="the path of a DS9 file",
            remedy="correct the path",
            path=str(path),
        ) from problem
    except (OSError, ValueError) as problem:
        raise InvalidParameterError(
            f"The region file {path} of {label} cannot be read: {problem}.",
            expected="a DS9 file",
            remedy="correct the path",
            path=str(path),
        ) from problem
    try:
        return _parse(text)
    except _UNREADABLE as problem:
        raise InvalidParameterError(
            f"The region file {path} of {label} cannot be understood: {problem}",
            expected="a DS9 file in image or sky coordinates, of shapes that `regions` knows",
            remedy="save it from DS9 in such coordinates, without other shapes",
            path=str(path),
        ) from problem


def parse_own(path: Path, text: str | None, label: str) -> list[Any]:
    """Read regions that an archive has written.

    Parameters
    ----------
    path : Path
        Their file.
    text : str, optional
        Its text, where that is known.
    label : str
        Mission and ObsID, for messages.

    Raises
    ------
    DamagedRecordError
        If it is not what was written.
    """
    try:
        if text is not None:
            return _parse(text)
        if path.stat().st_size:  # an empty one has lost even its header, in a power cut
            return read_ds9(path, label)
        cause = "the file is empty"
    except (InvalidParameterError, OSError, *_UNREADABLE) as problem:
        cause = problem.message if isinstance(problem, DaxaError) else str(problem)
    raise DamagedRecordError(
        f"The source regions of {label} are damaged: {cause}",
        expected="the file as it was written",
        remedy="set the regions of this observation again",
        path=str(path),
    )


def _parse(text: str) -> list[Any]:
    """Read DS9's text. What `regions` would pass over with a warning is an error: a source would be lost."""
    from regions import Regions

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = list(Regions.parse(text, format="ds9"))
    for one in caught:
        if "skipping" in str(one.message):
            raise ValueError(str(one.message))
    return found


def to_ds9(found: list[Any], label: str) -> str:
    """Write regions as DS9's text, in degrees, and see that it says the same when it is read.

    Parameters
    ----------
    found : list of SkyRegion
        The regions.
    label : str
        Mission and ObsID, for messages.

    Raises
    ------
    InvalidParameterError
        If DS9's form has no room for one of them, or for its text or tags.
    """
    from regions import Regions

    if not found:
        return _HEADER
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is passed over; the comparison below finds it
            text = str(Regions(found).serialize(format="ds9", precision=_DECIMALS))
        again = _parse(text)
    except _UNREADABLE as problem:
        raise InvalidParameterError(
            f"The regions of {label} cannot be written as a DS9 file: {problem}",
            expected="circles, ellipses, boxes, annuli, polygons, lines, points and texts",
            remedy="leave the others out, or turn them into such shapes",
        ) from problem
    if len(again) != len(found):
        raise InvalidParameterError(
            f"Of the {len(found)} regions of {label}, {len(again)} would be left in a DS9 file.",
            expected="shapes that DS9 knows",
            remedy="leave the others out, or turn them into such shapes",
        )
    for number, (one, read) in enumerate(zip(found, again, strict=True), start=1):
        if _told(one) != _told(read):
            raise InvalidParameterError(
                f"Region {number} of {label} would be another one in a DS9 file: {one!r}, {dict(one.meta)}.",
                expected="a shape that DS9 knows, texts and tags without braces, semicolons and line breaks",
                remedy="change its text or tags",
            )
    return text


def _told(region: Any) -> tuple[Any, ...]:
    """What must not be lost of a region, apart from its numbers."""
    meta = region.meta
    tags = meta.get("tag") or []
    return (
        type(region),
        [str(one) for one in tags],
        str(meta.get("text") or ""),
        str(getattr(region, "text", "")),
        bool(meta.get("include", True)),
    )

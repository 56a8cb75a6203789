"""Regions of the sky as tests of positions: rectangles, MOCs, STC-S texts, and regions of the package of that name."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from astropy.coordinates import ConvertError, Latitude, Longitude, SkyCoord, SkyOffsetFrame
from astropy.units import Quantity, UnitConversionError, deg
from attrs import frozen
from numpy.typing import NDArray

from daxa.exceptions import InvalidParameterError, ParameterTypeError
from daxa.mission.inputs import as_skycoord, moved, refuse_off_sky
from daxa.mission.selection import in_rectangle, rectangle_corners
from daxa.mission.shapes import Circle, Floats, Mask, Polygon, Shape, touch_any, within
from daxa.mission.stcs import read_stcs, vectors_of

if TYPE_CHECKING:
    from pandas import DataFrame

_SIDES: Final = 64
"""Corners of the polygon that stands for each side of a rectangle, and four times as many for an ellipse."""


# --- rectangles ----------------------------------------------------------------------------------------------------


def rectangle(lower: Any, upper: Any, frame: str) -> tuple[Callable[[DataFrame], NDArray[np.bool_]], bool]:
    """Return the test of a rectangle for catalogues in `frame`, and whether its corners had to be swapped.

    Raises
    ------
    ParameterTypeError, InvalidParameterError
        If a corner is not a position.
    """
    own = lower.frame.replicate_without_data() if isinstance(lower, SkyCoord) else frame
    corners = [_corner(one, frame, own) for one in (lower, upper)]
    first, second, swapped = rectangle_corners(*corners)

    def test(table: DataFrame) -> NDArray[np.bool_]:
        lon, lat = table["ra"].to_numpy(), table["dec"].to_numpy()
        if not isinstance(own, str) and not own.is_equivalent_frame(SkyCoord(0, 0, unit="deg", frame=frame).frame):
            seen = moved(SkyCoord(lon, lat, unit="deg", frame=frame), own).spherical
            lon, lat = seen.lon.wrap_at(360 * deg).to_value(deg), seen.lat.to_value(deg)
        return in_rectangle(lon, lat, first, second)

    return test, swapped


def _corner(given: Any, frame: str, own: Any) -> tuple[float, float]:
    if not isinstance(given, SkyCoord):
        checked = as_skycoord(given, frame)
        if checked.isscalar and isinstance(own, str):  # as written: beyond 360 has a meaning
            lon, lat = (float(one.to_value(deg) if isinstance(one, Quantity) else one) for one in given)
            return lon, lat
        given = checked
    if not given.isscalar:
        raise InvalidParameterError(
            "A corner of a rectangle is several positions.", expected="one position", remedy="give [ra, dec]"
        )
    place = moved(given, own).spherical
    refuse_off_sky(place.lon.deg, place.lat.deg)
    return float(place.lon.wrap_at(360 * deg).to_value(deg)), float(place.lat.to_value(deg))


# --- regions -------------------------------------------------------------------------------------------------------


@frozen(eq=False)
class Region:
    """A region of the sky, as two questions.

    Parameters
    ----------
    inside : callable
        Which positions of a SkyCoord lie in it.
    touches : callable
        Whether it has a position in common with some shapes.
    outline : callable, optional
        Makes the one shape that it is, for regions that are one.
    """

    inside: Callable[[SkyCoord], Mask]
    touches: Callable[[Sequence[Shape]], bool]
    outline: Callable[[], Shape] | None = None

    def selects(self, places: SkyCoord, footprints: Sequence[Any] | None = None) -> Mask:
        """Say which observations belong to it.

        Parameters
        ----------
        places : SkyCoord, shape (n,)
            Their centres.
        footprints : sequence, shape (n,), optional
            STC-S texts of the sky they cover: then it is enough that a part of that lies in the region. Where there is
            none, or it cannot be read, the centre decides.
        """
        mask = self.inside(places)
        unread = 0
        for index, text in enumerate(() if footprints is None else footprints):
            if not isinstance(text, str) or not text.strip():
                continue
            try:
                mask[index] = self.touches(read_stcs(text))
            except InvalidParameterError:
                unread += 1
        if unread:
            warnings.warn(
                f"The footprints of {unread} observations cannot be read; their centres decide.", stacklevel=2
            )
        return mask


def region_of(region: Any) -> Region:
    """Read a region.

    Raises
    ------
    ParameterTypeError, InvalidParameterError
        If it cannot be understood.
    """
    if isinstance(region, str):
        return _of_shapes(read_stcs(region))
    parts = parts_of(region)
    if parts is not None:
        return _together([region_of(one) for one in parts])
    if hasattr(region, "contains_skycoords"):  # a mocpy.MOC
        return Region(lambda places: np.array(region.contains_skycoords(places.icrs), dtype=bool), _moc_test(region))
    kind = type(region).__name__
    try:
        if kind == "CircleSkyRegion":
            return _of_shapes([Circle(vectors_of(region.center)[0], _size(region, "radius"))])
        if kind == "PolygonSkyRegion":
            return _of_shapes([Polygon(vectors_of(region.vertices))])
        if kind in ("EllipseSkyRegion", "RectangleSkyRegion"):
            return _with_axes(region, round_one=kind == "EllipseSkyRegion")
        if kind in ("CircleAnnulusSkyRegion", "EllipseAnnulusSkyRegion", "RectangleAnnulusSkyRegion"):
            return _without_middle(region)
    except (UnitConversionError, ConvertError) as problem:
        raise InvalidParameterError(
            f"{region!r} is not a region of the sky: {problem}.", expected="angles and a frame", remedy="correct it"
        ) from problem
    hint = "; `pip install daxa-core[moc]` reads it" if isinstance(region, Mapping) and "moc" in region else ""
    raise ParameterTypeError(
        f"{region!r:.200} is not a region of the sky{hint}.",
        expected="a mocpy.MOC, an STC-S text, or a circle, ellipse, rectangle, annulus or polygon of `regions`",
        remedy="convert it; pixel regions need to_sky(wcs)",
    )


def parts_of(region: Any) -> list[Any] | None:
    """The regions of which this one is the union: a list of them, or two joined by ``|``; None if it is one region."""
    kind = type(region).__name__
    if kind == "CompoundSkyRegion" and region.operator is operator.or_:
        return [region.region1, region.region2]
    if kind == "Regions" or (isinstance(region, list | tuple) and all(_is_region(one) for one in region)):
        return list(region) or None
    return None


def _is_region(given: Any) -> bool:
    return type(given).__name__.endswith("SkyRegion") or hasattr(given, "contains_skycoords")


def _together(regions: Sequence[Region]) -> Region:
    """The union of regions."""

    def inside(places: SkyCoord) -> Mask:
        found: Mask = np.logical_or.reduce([one.inside(places) for one in regions])
        return found

    return Region(inside, lambda others: any(one.touches(others) for one in regions))


def _without_middle(region: Any) -> Region:
    """Read an annulus: what is in its outer shape and not in its inner one."""
    import regions

    made = getattr(regions, type(region).__name__.replace("Annulus", ""))
    sides = ("radius",) if hasattr(region, "inner_radius") else ("width", "height")
    turned = {"angle": region.angle} if hasattr(region, "angle") else {}
    outer, inner = (
        region_of(made(region.center, **{side: getattr(region, f"{which}_{side}") for side in sides}, **turned))
        for which in ("outer", "inner")
    )
    assert inner.outline is not None
    hole = inner.outline

    def touches(others: Sequence[Shape]) -> bool:
        return any(outer.touches([one]) and not within(one, hole()) for one in others)

    return Region(lambda places: outer.inside(places) & ~inner.inside(places), touches)


def _of_shapes(shapes: Sequence[Shape]) -> Region:
    def inside(places: SkyCoord) -> Mask:
        points = vectors_of(places)
        found: Mask = np.logical_or.reduce([shape.contains(points) for shape in shapes])
        return found

    return Region(inside, lambda others: touch_any(shapes, others), lambda: shapes[0])


def _size(region: Any, name: str) -> float:
    size = float(getattr(region, name).to_value(deg))
    if not 0 < size < 360:
        raise InvalidParameterError(
            f"The {name} of {region!r} is {size:g} degrees.", expected="more than 0, less than 360", remedy="correct it"
        )
    return size


def _with_axes(region: Any, *, round_one: bool) -> Region:
    """Read an ellipse or a rectangle: lengths along a great circle through its centre and across."""
    if not region.center.isscalar:
        raise InvalidParameterError("A region has several centres.", expected="one", remedy="give one region")
    frame = SkyOffsetFrame(origin=region.center, rotation=-region.angle)
    half_x, half_y = _size(region, "width") / 2, _size(region, "height") / 2

    def inside(places: SkyCoord) -> Mask:
        seen = moved(places, frame).spherical
        x, y = seen.lon.wrap_at(180 * deg).to_value(deg) / half_x, seen.lat.to_value(deg) / half_y
        return np.array(x**2 + y**2 <= 1 if round_one else np.maximum(np.abs(x), np.abs(y)) <= 1, dtype=bool)

    @cache
    def outline() -> Polygon:
        way = np.linspace(0, 2 * np.pi, 4 * _SIDES, endpoint=False)
        x, y = np.cos(way), np.sin(way)
        if not round_one:
            x, y = (one / np.maximum(np.abs(x), np.abs(y)) for one in (x, y))
        edge = SkyCoord(x * half_x, np.clip(y * half_y, -90, 90), unit="deg", frame=frame)
        return Polygon(vectors_of(edge))

    return Region(inside, lambda others: touch_any([outline()], others), outline)


def _moc_test(region: Any) -> Callable[[Sequence[Shape]], bool]:
    """Whether a MOC has a cell in common with some shapes."""

    def touches(others: Sequence[Shape]) -> bool:
        from mocpy import MOC

        for shape in others:
            size = max(shape.cap[1], 1e-4)
            depth = int(np.clip(np.ceil(np.log2(58.6 * 64 / size)), 6, 20))
            lon, lat = _longitudes(shape.centre[np.newaxis] if isinstance(shape, Circle) else shape.corners)
            if isinstance(shape, Circle):
                cells = MOC.from_cone(
                    lon=Longitude(lon[0] * deg), lat=Latitude(lat[0] * deg), radius=shape.radius * deg, max_depth=depth
                )
            else:
                cells = MOC.from_polygon(Longitude(lon * deg), Latitude(lat * deg), max_depth=depth)
            if not region.intersection(cells).empty():
                return True
        return False

    return touches


def _longitudes(vectors: Floats) -> tuple[Floats, Floats]:
    x, y, z = vectors.T
    return np.degrees(np.arctan2(y, x)) % 360, np.degrees(np.arctan2(z, np.hypot(x, y)))

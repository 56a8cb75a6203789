"""Regions of the sky as tests of positions: rectangles, MOCs, STC-S texts, and regions of the package of that name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.coordinates import SkyCoord, SkyOffsetFrame
from astropy.units import Quantity, deg
from numpy.typing import NDArray

from daxa.exceptions import InvalidParameterError, ParameterTypeError
from daxa.mission.inputs import as_skycoord
from daxa.mission.selection import in_rectangle, rectangle_corners, separations, unit_vectors

if TYPE_CHECKING:
    from pandas import DataFrame

Test = Callable[[SkyCoord], NDArray[np.bool_]]

_FRAMES = {"ICRS": "icrs", "FK5": "fk5", "J2000": "fk5", "FK4": "fk4", "B1950": "fk4", "GALACTIC": "galactic"}
_FLAVOURS = {"GEOCENTER", "BARYCENTER", "TOPOCENTER", "UNKNOWNREFPOS", "SPHERICAL2"}


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
            moved = SkyCoord(lon, lat, unit="deg", frame=frame).transform_to(own).spherical
            lon, lat = moved.lon.wrap_at(360 * deg).to_value(deg), moved.lat.to_value(deg)
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
    place = (given if isinstance(own, str) and given.name == own else given.transform_to(own)).spherical
    return float(place.lon.wrap_at(360 * deg).to_value(deg)), float(place.lat.to_value(deg))


# --- regions -------------------------------------------------------------------------------------------------------


def region_test(region: Any) -> Test:
    """Return the test of a region.

    Raises
    ------
    ParameterTypeError, InvalidParameterError
        If the region cannot be understood.
    """
    if isinstance(region, str):
        return _stcs(region)
    if hasattr(region, "contains_skycoords"):  # a mocpy.MOC
        return lambda places: np.asarray(region.contains_skycoords(places.icrs), dtype=bool)
    kind = type(region).__name__
    if kind == "CircleSkyRegion":
        return _circle(region.center, region.radius.to_value(deg))
    if kind == "PolygonSkyRegion":
        return _polygon(region.vertices)
    if kind == "EllipseSkyRegion":
        return _ellipse(region)
    if kind == "RectangleSkyRegion":
        return _box(region)
    raise ParameterTypeError(
        f"{region!r} is not a region of the sky.",
        expected="a mocpy.MOC, an STC-S text, or a circle, ellipse, rectangle or polygon of `regions`",
        remedy="convert it; pixel regions need to_sky(wcs)",
    )


def _circle(centre: SkyCoord, radius: float) -> Test:
    return lambda places: np.asarray(places.separation(centre).to_value(deg) <= radius, dtype=bool)


def _offsets(region: Any, places: SkyCoord) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positions relative to a region's centre, along its width and height, in degrees."""
    frame = SkyOffsetFrame(origin=region.center, rotation=-region.angle)
    moved = places.transform_to(frame).spherical
    return moved.lon.wrap_at(180 * deg).to_value(deg), moved.lat.to_value(deg)


def _ellipse(region: Any) -> Test:
    def test(places: SkyCoord) -> NDArray[np.bool_]:
        x, y = _offsets(region, places)
        width, height = region.width.to_value(deg), region.height.to_value(deg)
        return np.asarray((2 * x / width) ** 2 + (2 * y / height) ** 2 <= 1, dtype=bool)

    return test


def _box(region: Any) -> Test:
    def test(places: SkyCoord) -> NDArray[np.bool_]:
        x, y = _offsets(region, places)
        width, height = region.width.to_value(deg), region.height.to_value(deg)
        return np.asarray((np.abs(x) <= width / 2) & (np.abs(y) <= height / 2), dtype=bool)

    return test


def _polygon(vertices: SkyCoord) -> Test:
    """Test of a polygon of great circles: the smaller of the two parts it divides the sphere into.

    A position is inside if the sides, seen from it, turn around it once.
    """
    corners = unit_vectors(*_degrees(vertices))
    if len(corners) < 3:
        raise InvalidParameterError(
            f"A polygon of {len(corners)} corners.", expected="three corners or more", remedy="correct it"
        )
    middle = corners.mean(axis=0)
    span = separations(corners, np.broadcast_to(middle, corners.shape)).max() if np.linalg.norm(middle) else 180.0
    if span >= 90:
        raise InvalidParameterError(
            "The polygon does not fit into half of the sky.",
            expected="corners within 90 degrees of their middle",
            remedy="divide it, or make a MOC of it",
        )

    def test(places: SkyCoord) -> NDArray[np.bool_]:
        points = unit_vectors(*_degrees(places.transform_to(vertices.frame)))
        turned = np.zeros(len(points))
        on_side = np.zeros(len(points), dtype=bool)
        for one, other in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            a, b = (corner - points * (points @ corner)[:, np.newaxis] for corner in (one, other))
            angle = np.arctan2(np.sum(np.cross(a, b) * points, axis=1), np.sum(a * b, axis=1))
            turned += angle
            on_side |= np.isclose(np.abs(angle), np.pi, rtol=0, atol=1e-9)
        near_side = points @ middle > 0
        inside: NDArray[np.bool_] = near_side & ((np.abs(turned) > np.pi) | on_side)
        return inside

    return test


def _degrees(places: SkyCoord) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    sphere = places.spherical
    return np.atleast_1d(sphere.lon.to_value(deg)), np.atleast_1d(sphere.lat.to_value(deg))


def _stcs(text: str) -> Test:
    """Read an STC-S circle or polygon; a Union of them joins them."""
    words = text.replace("(", " ").replace(")", " ").split()
    tests: list[Test] = []
    position = 0
    while position < len(words):
        shape = words[position].upper()
        position += 1
        if shape == "UNION":
            while position < len(words) and words[position].upper() not in ("CIRCLE", "POLYGON"):
                position += 1
            continue
        if shape not in ("CIRCLE", "POLYGON"):
            raise _bad_stcs(text, f"{shape!r} is not a shape it may hold")
        frame = "icrs"
        while position < len(words) and words[position].upper() in {*_FRAMES, *_FLAVOURS}:
            frame = _FRAMES.get(words[position].upper(), frame)
            position += 1
        numbers: list[float] = []
        while position < len(words) and words[position].upper() not in ("CIRCLE", "POLYGON", "UNION"):
            try:
                numbers.append(float(words[position]))
            except ValueError:
                raise _bad_stcs(text, f"{words[position]!r} is not a number") from None
            position += 1
        tests.append(_stcs_shape(text, shape, frame, numbers))
    if not tests:
        raise _bad_stcs(text, "it is empty")
    return lambda places: np.logical_or.reduce([test(places) for test in tests])


def _stcs_shape(text: str, shape: str, frame: str, numbers: list[float]) -> Test:
    if not np.isfinite(numbers).all() or any(
        abs(lat) > 90 for lat in numbers[1 : 2 if shape == "CIRCLE" else None : 2]
    ):
        raise _bad_stcs(text, "a position is not on the sky")
    if shape == "CIRCLE":
        if len(numbers) != 3 or numbers[2] < 0:
            raise _bad_stcs(text, "a circle has a position and a radius")
        return _circle(SkyCoord(*numbers[:2], unit="deg", frame=frame), numbers[2])
    if len(numbers) < 6 or len(numbers) % 2:
        raise _bad_stcs(text, "a polygon has three positions or more")
    return _polygon(SkyCoord(numbers[::2], numbers[1::2], unit="deg", frame=frame))


def _bad_stcs(text: str, why: str) -> InvalidParameterError:
    return InvalidParameterError(
        f"{text[:120]!r} is not a region: {why}.",
        expected="STC-S such as 'POLYGON ICRS 10 0 12 0 11 2' or 'CIRCLE ICRS 10 0 0.5'",
        remedy="correct the text",
        value=text,
    )

"""Circles and polygons of great circles on the sky, as unit vectors: what lies in one, and which two touch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from daxa.exceptions import InvalidParameterError
from daxa.mission.selection import separations

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_EDGE: Final = 1e-9
"""Degrees within which a position counts as being on an edge."""


def _crossed(one: Floats, other: Floats) -> Floats:
    """Cross products, written out: NumPy's own is slow for few vectors."""
    (a, b, c), (d, e, f) = np.moveaxis(one, -1, 0), np.moveaxis(other, -1, 0)
    return np.stack([b * f - c * e, c * d - a * f, a * e - b * d], axis=-1)


@frozen(eq=False)
class Circle:
    """All positions that are no farther from a centre than a radius.

    Parameters
    ----------
    centre : ndarray, shape (3,)
        Unit vector, ICRS.
    radius : float
        Degrees.
    """

    centre: Floats
    radius: float

    @property
    def cap(self) -> tuple[Floats, float]:
        """A circle around it: centre and radius."""
        return self.centre, self.radius

    def contains(self, points: Floats) -> Mask:
        """Say which unit vectors, shape (n, 3), lie in it; its edge belongs to it."""
        inside: Mask = separations(points, self.centre) <= self.radius
        return inside


@frozen(eq=False)
class Polygon:
    """The smaller of the two parts that a closed line of great circles divides the sky into.

    Parameters
    ----------
    corners : ndarray, shape (k, 3)
        Unit vectors, ICRS, in order; the first is not repeated.

    Raises
    ------
    InvalidParameterError
        If there are fewer than three corners, or they do not fit into half of the sky.
    """

    corners: Floats
    cap: tuple[Floats, float] = field(init=False)

    def __attrs_post_init__(self) -> None:
        if len(self.corners) < 3:
            raise InvalidParameterError(
                f"A polygon of {len(self.corners)} corners.", expected="three corners or more", remedy="correct it"
            )
        middle = self.corners.mean(axis=0)
        length = float(np.linalg.norm(middle))
        span = float(separations(self.corners, middle / length).max()) if length > 1e-9 else 180.0
        if span >= 90:
            raise InvalidParameterError(
                "The polygon does not fit into half of the sky.",
                expected="corners within 90 degrees of their middle",
                remedy="divide it, or make a MOC of it",
            )
        object.__setattr__(self, "cap", (middle / length, span + _EDGE))

    @property
    def _ends(self) -> Floats:
        return np.roll(self.corners, -1, axis=0)

    def contains(self, points: Floats) -> Mask:
        """Say which unit vectors, shape (n, 3), lie in it; its edges belong to it.

        A position is inside if the sides, seen from it, turn around it.
        """
        inside = np.zeros(len(points), dtype=bool)
        close = np.flatnonzero(separations(points, self.cap[0]) <= self.cap[1])
        near = points[close]
        turned = np.zeros(len(near))
        for one, other in zip(self.corners, self._ends, strict=True):
            a, b = (corner - near * (near @ corner)[:, np.newaxis] for corner in (one, other))
            turned += np.arctan2(np.sum(_crossed(a, b) * near, axis=1), np.sum(a * b, axis=1))
        inside[close] = (np.abs(turned) > np.pi) | (self.distances(near) <= _EDGE)
        return inside

    def distances(self, points: Floats) -> Floats:
        """Angles from unit vectors, shape (n, 3), to the nearest edge, in degrees."""
        nearest = np.full(len(points), 180.0)
        for one, other in zip(self.corners, self._ends, strict=True):
            pole = _crossed(one, other)
            length = np.linalg.norm(pole)
            to_ends = np.minimum(separations(points, one), separations(points, other))
            if length > 0:
                pole = pole / length
                beside = (_crossed(pole, one) * points).sum(axis=1) * (_crossed(pole, other) * points).sum(axis=1) <= 0
                # seen from the point, the foot on the great circle lies between both ends, and on this side of the sky
                beside &= points @ (one + other) > 0
                off = np.degrees(np.abs(np.arcsin(np.clip(points @ pole, -1, 1))))
                to_ends = np.where(beside, np.minimum(off, to_ends), to_ends)
            nearest = np.minimum(nearest, to_ends)
        return nearest


Shape = Circle | Polygon


def touch(one: Shape, other: Shape) -> bool:
    """Whether two shapes have a position in common."""
    (here, reach), (there, far) = one.cap, other.cap
    if separations(here, there) > reach + far:
        return False
    if isinstance(one, Circle) and isinstance(other, Circle):
        return True
    if isinstance(one, Circle):
        one, other = other, one
    if isinstance(other, Circle):
        assert isinstance(one, Polygon)
        centre = other.centre[np.newaxis]
        return bool(one.contains(centre)[0] or one.distances(centre)[0] <= other.radius)
    assert isinstance(one, Polygon)
    return bool(one.contains(other.corners).any() or other.contains(one.corners).any() or _cross(one, other))


def within(one: Shape, other: Shape) -> bool:
    """Whether a shape lies in another one, which has no dents."""
    if isinstance(one, Circle):
        centre = one.centre[np.newaxis]
        if isinstance(other, Circle):
            return bool(separations(centre, other.centre)[0] + one.radius <= other.radius)
        return bool(other.contains(centre)[0] and other.distances(centre)[0] >= one.radius)
    return bool(other.contains(one.corners).all())


def _cross(one: Polygon, other: Polygon) -> bool:
    """Whether an edge of one polygon crosses an edge of the other: four triangles then turn the same way."""
    a, b = one.corners[:, np.newaxis], one._ends[:, np.newaxis]
    c, d = other.corners[np.newaxis], other._ends[np.newaxis]

    def turn(first: Floats, second: Floats, third: Floats) -> Any:
        return np.sign((_crossed(*np.broadcast_arrays(first, second)) * third).sum(axis=-1))

    turns = np.stack([turn(a, c, b), turn(c, b, d), turn(b, d, a), turn(d, a, c)])
    return bool(((turns == turns[0]).all(axis=0) & (turns[0] != 0)).any())


def touch_any(ones: Iterable[Shape], others: Sequence[Shape]) -> bool:
    """Whether some shape touches some other."""
    return any(touch(one, other) for one in ones for other in others)

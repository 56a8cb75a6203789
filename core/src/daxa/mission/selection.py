"""Selections as pure functions on tables of numbers: positions in degrees, times, masks and pairs.

Distances are taken between unit vectors, so poles and the line RA = 0 are places as any other.
"""

from __future__ import annotations

from itertools import chain
from typing import Final

import numpy as np
from attrs import frozen
from numpy.typing import NDArray
from scipy.spatial import KDTree

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Indices = NDArray[np.int64]

_BLOCK: Final = 4096
"""Positions looked up at once, so that wide searches do not hold all pairs of the sky."""

_SLACK: Final = 1e-9
"""Relative widening of a chord that finds candidates; the exact distance decides."""


def unit_vectors(ra: Floats, dec: Floats) -> Floats:
    """Turn positions into vectors of length one.

    Parameters
    ----------
    ra, dec : ndarray, shape (n,)
        Degrees.

    Returns
    -------
    ndarray, shape (n, 3)
    """
    lon, lat = np.radians(ra), np.radians(dec)
    vectors: Floats = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)
    return vectors


def separations(one: Floats, other: Floats) -> Floats:
    """Angles between unit vectors, in degrees, exact for small and for large ones.

    Parameters
    ----------
    one, other : ndarray, shape (n, 3)
    """
    sine = np.linalg.norm(np.cross(one, other), axis=-1)
    angles: Floats = np.degrees(np.arctan2(sine, np.sum(one * other, axis=-1)))
    return angles


def _chord(angle: Floats | float) -> Floats:
    """Straight distance that is surely not less than that of an angle in degrees."""
    half = np.radians(np.minimum(np.asarray(angle, dtype=np.float64), 180.0)) / 2
    chord: Floats = 2 * np.sin(half) * (1 + _SLACK) + _SLACK**2
    return chord


@frozen(eq=False)
class Pairs:
    """Matches of observations with positions.

    Parameters
    ----------
    positions, rows : ndarray of int, shape (n,)
        Indices into the positions and the table, ordered by position, then by row.
    """

    positions: Indices
    rows: Indices

    def where(self, keep: Mask) -> Pairs:
        """Return the pairs for which `keep` is True."""
        return Pairs(self.positions[keep], self.rows[keep])

    def row_mask(self, size: int) -> Mask:
        """Rows that stand in a pair."""
        mask = np.zeros(size, dtype=bool)
        mask[self.rows] = True
        return mask

    def groups(self) -> tuple[Indices, list[Indices]]:
        """Positions that have a match, and the rows of each."""
        positions, starts = np.unique(self.positions, return_index=True)
        return positions, np.split(self.rows, starts[1:]) if len(starts) else []


def match(rows: Floats, positions: Floats, radius: Floats | float) -> Pairs:
    """Find all pairs of a row and a position that are no farther apart than a radius.

    Parameters
    ----------
    rows : ndarray, shape (n, 3)
        Unit vectors of the observations.
    positions : ndarray, shape (m, 3)
        Unit vectors of the positions.
    radius : float or ndarray of shape (n,) or (m, 1)
        Degrees: one for all, one for each row (NaN: none matches), or, as a column, one for each position.
    """
    by_row = np.ndim(radius) == 1
    centres, others = (rows, positions) if by_row else (positions, rows)
    radii = np.broadcast_to(np.ravel(np.asarray(radius, dtype=np.float64)), len(centres))
    usable = np.flatnonzero(~np.isnan(radii))
    tree = KDTree(others)
    first, second = [], []
    for begin in range(0, len(usable), _BLOCK):
        block = usable[begin : begin + _BLOCK]
        found = tree.query_ball_point(centres[block], _chord(radii[block]), return_sorted=False)
        counts = np.fromiter(map(len, found), dtype=np.int64, count=len(found))
        near = np.fromiter(chain.from_iterable(found), dtype=np.int64, count=int(counts.sum()))
        centre = np.repeat(block, counts)
        inside = separations(centres[centre], others[near]) <= radii[centre]
        first.append(centre[inside])
        second.append(near[inside])
    one = np.concatenate(first) if first else np.zeros(0, dtype=np.int64)
    two = np.concatenate(second) if second else np.zeros(0, dtype=np.int64)
    position, row = (two, one) if by_row else (one, two)
    order = np.lexsort((row, position))
    return Pairs(position[order], row[order])


def near(rows: Floats, positions: Floats, radius: Floats | float) -> Mask:
    """Find the rows that are no farther from some position than a radius; parameters as :func:`match`.

    Where the radius does not depend on the position the nearest one decides, and no pairs are made.
    """
    if np.ndim(radius) == 2:
        return match(rows, positions, radius).row_mask(len(rows))
    _distance, nearest = KDTree(positions).query(rows)
    mask: Mask = separations(rows, positions[nearest]) <= radius
    return mask


def in_rectangle(lon: Floats, lat: Floats, lower: tuple[float, float], upper: tuple[float, float]) -> Mask:
    """Find positions within a rectangle; its edges belong to it.

    Parameters
    ----------
    lon, lat : ndarray, shape (n,)
        Degrees, longitudes from 0 to 360.
    lower, upper : tuple of float
        The two corners. It extends eastwards from the longitude of `lower` to that of `upper`, across 0 if `upper` is
        the smaller one.
    """
    east, west = lon >= lower[0], lon <= upper[0]
    across = east & west if lower[0] <= upper[0] else east | west
    return across & (lat >= lower[1]) & (lat <= upper[1])


def rectangle_corners(
    lower: tuple[float, float], upper: tuple[float, float]
) -> tuple[tuple[float, float], tuple[float, float], bool]:
    """Put the corners of a rectangle in order.

    Where the longitude of `lower` is the greater one, the user may count it as the sky does, or mean a rectangle across
    0: of the two rectangles the narrower one is taken. A longitude beyond 360, or below 0, says it plainly.

    Returns
    -------
    tuple
        Lower and upper corner for :func:`in_rectangle`, and whether coordinates were swapped.
    """
    (west, south), (east, north) = lower, upper
    swapped = 0 < west - east <= 180
    if swapped:
        west, east = east, west
    if south > north:
        south, north, swapped = north, south, True
    if east - west >= 360:
        west, east = 0.0, 360.0
    elif not (0 <= west <= 360 and 0 <= east <= 360):
        west, east = west % 360, east % 360
    return (west, south), (east, north), swapped


def in_window(
    start: NDArray[np.datetime64],
    end: NDArray[np.datetime64],
    window: tuple[NDArray[np.datetime64] | np.datetime64, NDArray[np.datetime64] | np.datetime64],
    *,
    over_run: bool,
) -> Mask:
    """Find observations within a time window; its ends belong to it, and an unknown time is never within.

    Parameters
    ----------
    start, end : ndarray of datetime64, shape (n,)
        Of the observations.
    window : tuple of datetime64, or of arrays of shape (n,)
        Start and end, for all or for each.
    over_run : bool
        Whether it is enough that a part of the observation is within.
    """
    first, last = window
    if over_run:
        begins, ends = (start >= first) & (start <= last), (end >= first) & (end <= last)
        return begins | ends | ((start <= first) & (end >= last))
    return (start >= first) & (end <= last)

"""Selections as pure functions on tables of numbers: positions in degrees, times, masks and pairs.

Distances are taken between unit vectors, so poles and the line RA = 0 are places as any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, Final

import numpy as np
from attrs import frozen
from numpy.typing import NDArray
from scipy.spatial import KDTree

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Indices = NDArray[np.integer[Any]]

_PAIRS_AT_ONCE: Final = 400_000
"""Pairs looked at together, so that wide searches need no memory beyond that of what is kept."""

_WIDE: Final = 0.02
"""Part of the sky's observations from which on it is quicker to look at all of them than to walk the tree."""

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
    apart, along = (np.sqrt(np.einsum("...i,...i->...", way, way)) for way in (one - other, one + other))
    angles: Floats = np.degrees(2 * np.arctan2(apart, along))
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
        starts = np.flatnonzero(np.diff(self.positions, prepend=-1))
        positions = self.positions[starts].astype(np.int64)
        return positions, np.split(self.rows, starts[1:]) if len(starts) else []


Keep = Callable[[Indices, Indices], Mask]
"""Given the positions and the rows of some pairs, says which of them count."""


def _found(others: Floats, centres: Floats, radii: Floats) -> Iterator[tuple[Indices, Indices]]:
    """Find what is near some centres, some pairs at a time: indices of centres, in order, and of others."""
    tree = KDTree(others)
    usable = np.flatnonzero(~np.isnan(radii))
    chords = _chord(radii)
    counts = tree.query_ball_point(centres[usable], chords[usable], return_length=True)
    wide = counts > _WIDE * len(others) + 1000
    blocks = np.maximum.accumulate(np.cumsum(counts) // _PAIRS_AT_ONCE) if len(usable) else counts
    edges = np.flatnonzero(np.diff(blocks) | wide[1:] | wide[:-1]) + 1
    for block in np.split(usable, edges) if len(usable) else ():
        if len(block) == 1:
            yield from _found_by_one(others, centres, int(block[0]), float(chords[block[0]]), float(radii[block[0]]))
            continue
        found = tree.query_ball_point(centres[block], chords[block], return_sorted=True)
        lengths = np.fromiter(map(len, found), dtype=np.int64, count=len(found))
        near = np.fromiter(chain.from_iterable(found), dtype=np.int64, count=int(lengths.sum()))
        centre = np.repeat(block, lengths)
        inside = separations(centres[centre], others[near]) <= radii[centre]
        yield centre[inside], near[inside]


def _found_by_one(
    others: Floats, centres: Floats, index: int, chord: float, radius: float
) -> Iterator[tuple[Indices, Indices]]:
    """Find what is near one centre by looking at all others."""
    for begin in range(0, len(others), _PAIRS_AT_ONCE):
        part = others[begin : begin + _PAIRS_AT_ONCE]
        near = np.flatnonzero(2 - 2 * (part @ centres[index]) <= chord**2 + _SLACK)
        near = near[separations(part[near], centres[index]) <= radius]
        yield np.full(len(near), index), near + begin


def _in_turn(
    rows: Floats, positions: Floats, radius: Floats | float, keep: Keep | None
) -> Iterator[tuple[Indices, Indices]]:
    """Find pairs of positions and rows, some at a time; they are in order unless each row has a radius."""
    by_row = np.ndim(radius) == 1
    centres, others = (rows, positions) if by_row else (positions, rows)
    radii = np.broadcast_to(np.ravel(np.asarray(radius, dtype=np.float64)), len(centres))
    for first, second in _found(others, centres, radii):
        position, row = (second, first) if by_row else (first, second)
        if keep is not None:
            kept = keep(position, row)
            position, row = position[kept], row[kept]
        yield position, row


def match(rows: Floats, positions: Floats, radius: Floats | float, keep: Keep | None = None) -> Pairs:
    """Find all pairs of a row and a position that are no farther apart than a radius.

    Parameters
    ----------
    rows : ndarray, shape (n, 3)
        Unit vectors of the observations.
    positions : ndarray, shape (m, 3)
        Unit vectors of the positions.
    radius : float or ndarray of shape (n,) or (m, 1)
        Degrees: one for all, one for each row (NaN: none matches), or, as a column, one for each position.
    keep : callable, optional
        Says which pairs count, given indices of positions and of rows.
    """
    kind = np.int32 if max(len(rows), len(positions)) < 2**31 else np.int64
    found: list[Any] = [
        (position.astype(kind), row.astype(kind)) for position, row in _in_turn(rows, positions, radius, keep)
    ]
    if not found:
        return Pairs(np.zeros(0, dtype=kind), np.zeros(0, dtype=kind))
    position = np.concatenate([one for one, _other in found])
    row = np.concatenate([other for _one, other in found])
    del found
    if np.ndim(radius) == 1:
        order = np.argsort(position.astype(np.int64) * len(rows) + row)
        position, row = position[order], row[order]
    return Pairs(position, row)


def near(rows: Floats, positions: Floats, radius: Floats | float) -> Mask:
    """Find the rows that are no farther from some position than a radius; parameters as :func:`match`.

    Where the radius does not depend on the position the nearest one decides, and no pairs are made.
    """
    mask: Mask
    if np.ndim(radius) == 2:
        mask = np.zeros(len(rows), dtype=bool)
        for _position, row in _in_turn(rows, positions, radius, None):
            mask[row] = True
        return mask
    _distance, nearest = KDTree(positions).query(rows)
    mask = separations(rows, positions[nearest]) <= radius
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
    elif not (0 <= west < 360 and 0 <= east < 360):
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

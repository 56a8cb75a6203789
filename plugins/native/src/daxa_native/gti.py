"""Algebra of good time intervals. Pure: arrays in, arrays out.

A set of intervals is an array of shape (n, 2), float64, in seconds: START and STOP, sorted, disjoint, STOP > START.
Both ends belong to an interval: with STOP excluded, a Chandra list loses the events of its last frame.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import Any, Final

import numpy as np

NEVER: Final = np.empty((0, 2))
ALWAYS: Final = np.array([[-np.inf, np.inf]])


def normalise(intervals: Any) -> np.ndarray:
    """Sort intervals, join those that overlap or touch, drop those that are empty or not numbers.

    Parameters
    ----------
    intervals : array_like
        Shape (n, 2), in seconds.

    Returns
    -------
    ndarray
        Shape (m, 2), m <= n.
    """
    given = np.asarray(intervals, dtype=np.float64).reshape(-1, 2)
    given = given[given[:, 1] > given[:, 0]]  # false for NaN too
    if not len(given):
        return NEVER.copy()
    given = given[np.argsort(given[:, 0], kind="stable")]
    reach = np.maximum.accumulate(given[:, 1])
    first = np.concatenate(([True], given[1:, 0] > reach[:-1]))
    last = np.concatenate((first[1:], [True]))
    return np.column_stack((given[first, 0], reach[last]))


def union(sets: Iterable[Any]) -> np.ndarray:
    """Time that is good in any of the sets."""
    arrays = [np.asarray(one, dtype=np.float64).reshape(-1, 2) for one in sets]
    return normalise(np.concatenate(arrays)) if arrays else NEVER.copy()


def intersect(first: Any, second: Any) -> np.ndarray:
    """Time that is good in both sets; intervals that only touch leave nothing."""
    one, two = normalise(first), normalise(second)
    if not len(one) or not len(two):
        return NEVER.copy()
    begins = np.searchsorted(two[:, 1], one[:, 0], side="right")
    ends = np.searchsorted(two[:, 0], one[:, 1], side="left")
    counts = np.maximum(ends - begins, 0)
    left = np.repeat(np.arange(len(one)), counts)
    right = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(begins, counts)
    return normalise(
        np.column_stack((np.maximum(one[left, 0], two[right, 0]), np.minimum(one[left, 1], two[right, 1])))
    )


def intersect_all(sets: Iterable[Any]) -> np.ndarray:
    """Time that is good in every set; without any set, all time."""
    return reduce(intersect, sets, ALWAYS.copy())


def complement(intervals: np.ndarray) -> np.ndarray:
    """All time outside normalised intervals; their ends belong to it as well."""
    edges = np.concatenate(([-np.inf], np.asarray(intervals, dtype=np.float64).ravel(), [np.inf]))
    return normalise(edges.reshape(-1, 2))


def before(intervals: np.ndarray, times: np.ndarray) -> np.ndarray:
    """How much of normalised intervals lies before each of some times, in seconds, shape (m,)."""
    lengths = intervals[:, 1] - intervals[:, 0]
    earlier = np.concatenate(([0.0], np.cumsum(lengths)))
    following = np.searchsorted(intervals[:, 0], times, side="right")
    last = np.maximum(following - 1, 0)
    inside = np.minimum(times - intervals[last, 0], lengths[last])
    return np.asarray(np.where(following > 0, earlier[last] + inside, 0.0))


def total(intervals: np.ndarray) -> float:
    """Sum of the lengths of normalised intervals, in seconds."""
    return float(np.sum(intervals[:, 1] - intervals[:, 0]))


def contains(intervals: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Which times lie in normalised intervals, both ends included.

    Parameters
    ----------
    intervals : ndarray
        Shape (n, 2).
    times : ndarray
        Shape (m,), in seconds.

    Returns
    -------
    ndarray of bool
        Shape (m,).
    """
    if not len(intervals):
        return np.zeros(len(times), bool)
    if len(times):
        low, high = times.min(), times.max()
        around = np.searchsorted(intervals[:, 0], low, side="right") - 1
        if around >= 0 and intervals[around, 1] >= high:
            return np.ones(len(times), bool)
    following = np.searchsorted(intervals[:, 0], times, side="right")
    return (following > 0) & (times <= intervals[np.maximum(following - 1, 0), 1])


def wholly_inside(intervals: np.ndarray, begins: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Which spans [begin, end] lie inside a single interval."""
    if not len(intervals):
        return np.zeros(len(begins), bool)
    following = np.searchsorted(intervals[:, 0], begins, side="right")
    return (following > 0) & (ends <= intervals[np.maximum(following - 1, 0), 1])

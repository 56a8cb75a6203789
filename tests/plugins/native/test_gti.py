"""Good time intervals as sets of numbers: the algebra against points in time."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from daxa_native import gti

limits = st.integers(-20, 20).map(float)
intervals = st.lists(st.tuples(limits, limits), max_size=8)
POINTS = np.arange(-21, 21, 0.25)


def inside(raw, point):
    """Whether a point lies in the interior of the set, where touching intervals are one."""
    return any(start <= point <= stop for start, stop in raw if stop > start)


@given(intervals)
def test_normalised_intervals_are_sorted_disjoint_and_the_same_set(raw):
    found = gti.normalise(raw)
    assert found.shape[1] == 2 and np.all(found[:, 1] > found[:, 0]) and np.all(found[1:, 0] > found[:-1, 1])
    assert gti.contains(found, POINTS).tolist() == [inside(raw, point) for point in POINTS]
    assert np.array_equal(gti.normalise(found), found)


@given(intervals, intervals)
def test_intersection_is_that_of_sets_but_for_single_points(first, second):
    found = gti.intersect(first, second)
    both = gti.contains(gti.normalise(first), POINTS) & gti.contains(gti.normalise(second), POINTS)
    got = gti.contains(found, POINTS)
    assert not np.any(got & ~both)
    between = POINTS % 1 != 0  # limits are whole numbers: only there can intervals touch
    assert np.array_equal(got[between], both[between])
    assert np.array_equal(found, gti.intersect(second, first))


@given(intervals, intervals)
def test_lengths_add_up(first, second):
    one, two = gti.normalise(first), gti.normalise(second)
    together = gti.total(gti.union((one, two))) + gti.total(gti.intersect(one, two))
    assert np.isclose(together, gti.total(one) + gti.total(two))


@given(intervals, intervals, intervals)
def test_intersection_is_associative_and_distributes(first, second, third):
    left = gti.intersect(gti.intersect(first, second), third)
    assert np.array_equal(left, gti.intersect(first, gti.intersect(second, third)))
    joined = gti.intersect(first, gti.union((second, third)))
    apart = gti.union((gti.intersect(first, second), gti.intersect(first, third)))
    assert np.isclose(gti.total(joined), gti.total(apart))


@given(intervals)
def test_everything_and_nothing(raw):
    own = gti.normalise(raw)
    assert np.array_equal(gti.intersect(own, gti.ALWAYS), own)
    assert len(gti.intersect(own, gti.NEVER)) == 0
    assert np.array_equal(gti.intersect_all([own]), own)


@settings(max_examples=50)
@given(intervals, st.lists(st.tuples(limits, st.integers(0, 6).map(float)), max_size=20))
def test_spans_wholly_inside_one_interval(raw, spans):
    own = gti.normalise(raw)
    begins, ends = (np.array([begin + extra * length for begin, length in spans]) for extra in (0, 1))
    expected = [any(start <= b and e <= stop for start, stop in own) for b, e in zip(begins, ends, strict=True)]
    assert gti.wholly_inside(own, begins, ends).tolist() == expected


def test_not_a_number_is_no_time():
    assert len(gti.normalise([[np.nan, 1], [0, np.nan]])) == 0
    assert not gti.contains(np.array([[0.0, 1.0]]), np.array([np.nan, 2.0])).any()

"""Pure selections against slow and plain ones."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from daxa.mission import selection
from daxa.mission.inputs import as_degrees
from daxa.mission.products import choose_band

lon = st.one_of(st.floats(0, 360, exclude_max=True), st.sampled_from([0.0, 1e-9, 359.9999999, 180.0]))
lat = st.one_of(st.floats(-90, 90), st.sampled_from([-90.0, 90.0, 0.0, 89.9999999]))
places = st.lists(st.tuples(lon, lat), min_size=1, max_size=25)


def haversine(one, other):
    """Angle in degrees, by another formula than ours."""
    (ra1, dec1), (ra2, dec2) = np.radians(one), np.radians(other)
    half = np.sin((dec2 - dec1) / 2) ** 2 + np.cos(dec1) * np.cos(dec2) * np.sin((ra2 - ra1) / 2) ** 2
    return np.degrees(2 * np.arctan2(np.sqrt(half), np.sqrt(max(0.0, 1 - half))))


def vectors(points):
    return selection.unit_vectors(*np.array(points, dtype=float).T)


@settings(max_examples=150, deadline=None)
@given(places, places, st.data())
def test_pairs_against_brute_force(rows, positions, data):
    kind = data.draw(st.sampled_from(["all", "row", "position"]))
    size = {"all": 1, "row": len(rows), "position": len(positions)}[kind]
    radii = np.array(data.draw(st.lists(st.floats(0, 180), min_size=size, max_size=size)))
    expected = set()
    for p, position in enumerate(positions):
        for r, row in enumerate(rows):
            radius = radii[{"all": 0, "row": r, "position": p}[kind]]
            distance = haversine(row, position)
            assume(abs(distance - radius) > 1e-6)
            if distance < radius:
                expected.add((p, r))
    given_radii = {"all": radii[0], "row": radii, "position": radii[:, np.newaxis]}[kind]
    pairs = selection.match(vectors(rows), vectors(positions), given_radii)
    found = list(zip(pairs.positions.tolist(), pairs.rows.tolist(), strict=True))
    assert found == sorted(expected)
    mask = selection.near(vectors(rows), vectors(positions), given_radii)
    assert set(np.flatnonzero(mask)) == {row for _position, row in expected}


def test_a_row_without_radius_matches_nothing():
    rows = vectors([(10, 10), (10, 10)])
    pairs = selection.match(rows, rows[:1], np.array([np.nan, 1.0]))
    assert pairs.rows.tolist() == [1]
    assert selection.near(rows, rows[:1], np.array([np.nan, 1.0])).tolist() == [False, True]


@given(places, lon, lat, st.floats(0, 359), st.floats(0, 180))
def test_rectangles_against_plain_arithmetic(points, west, south, width, height):
    east, north = west + width, min(south + height, 90.0)
    points = [*points, (west, south), (east % 360, north)]
    lower, upper, swapped = selection.rectangle_corners((west, south), (east, north))
    assert not swapped
    ra, dec = np.array(points).T
    mask = selection.in_rectangle(ra, dec, lower, upper)
    for (one_ra, one_dec), inside in zip(points, mask, strict=True):
        offset = (one_ra - west) % 360
        if min(abs(offset - width), offset, 360 - offset) > 1e-9:
            assert inside == (offset < width and south <= one_dec <= north)
    assert mask[-2]


@pytest.mark.parametrize(
    ("lower", "upper", "expected"),
    [
        ((39, -8), (30, -2), ((30, -8), (39, -2), True)),
        ((350, 0), (10, 1), ((350, 0), (10, 1), False)),
        ((10, 5), (20, 1), ((10, 1), (20, 5), True)),
        ((10, 0), (370, 1), ((0, 0), (360, 1), False)),
        ((-10, 0), (10, 1), ((350, 0), (10, 1), False)),
        ((80, -75), (130, -40), ((80, -75), (130, -40), False)),
    ],
)
def test_corners(lower, upper, expected):
    assert selection.rectangle_corners(lower, upper) == expected


def test_windows_include_their_ends_and_never_an_unknown_time():
    day = np.arange("2020-01-01", "2020-01-05", dtype="M8[D]").astype("M8[us]")
    start, end = day, day + np.timedelta64(1, "D")
    unknown = np.array(["NaT"] * 4, dtype="M8[us]")
    window = (day[1], day[2])
    assert selection.in_window(start, end, window, over_run=True).tolist() == [True, True, True, False]
    assert selection.in_window(start, end, window, over_run=False).tolist() == [False, True, False, False]
    assert not selection.in_window(unknown, unknown, window, over_run=True).any()


@pytest.mark.parametrize(("value", "degrees"), [("30 arcmin", 0.5), (2, 2.0), ("1.5", 1.5), (np.float32(3), 3.0)])
def test_distances(value, degrees):
    assert as_degrees(value) == degrees


def test_w_23_energies_are_matched_with_tolerance():
    bands = {(0.7, 2.0): "a", (2.0, 7.0): "b"}
    assert choose_band(bands, 0.7000000000000001, 2.0) == (0.7, 2.0)
    assert choose_band(bands, None, 7.0) == (2.0, 7.0)
    assert choose_band(bands, 2.0, None) == (2.0, 7.0)

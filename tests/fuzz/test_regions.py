"""Regions as text, and as the mission's filters take them."""

from astropy.coordinates import SkyCoord
from hypothesis import given
from hypothesis import strategies as st

from daxa.mission.regions import region_of
from tests.fuzz.common import LATIN, TEXT, fuzzed, mutated, only_typed

PLACES = SkyCoord([0.0, 10.0, 180.0, 359.9], [0.0, 0.3, -90.0, 90.0], unit="deg")
WORD = st.one_of(
    st.sampled_from(
        ["CIRCLE", "POLYGON", "UNION", "BOX", "ICRS", "FK5", "GALACTIC", "(", ")", "nan", "inf", "-0", "1e400"]
    ),
    st.floats(-400, 400).map(str),
    st.integers(-400, 400).map(str),
    TEXT,
)


def check(text):
    with only_typed():
        inside = region_of(text).inside(PLACES)
        assert inside.shape == (4,) and inside.dtype == bool


@fuzzed
@given(st.one_of(LATIN, st.lists(WORD, max_size=14).map(" ".join)))
def test_texts_of_any_kind(text):
    check(text)


@fuzzed
@given(st.lists(st.tuples(st.floats(-400, 400), st.floats(-95, 95)), max_size=8), st.sampled_from(["ICRS", "FK5", "GALACTIC", ""]))  # fmt: skip
def test_polygons_of_any_corners(corners, frame):
    check(f"POLYGON {frame} " + " ".join(f"{ra} {dec}" for ra, dec in corners))


@fuzzed
@given(mutated(b"Union ICRS (Circle 10 0 0.5 Polygon ICRS 10 0 12 0 11 2)"))
def test_texts_with_wrong_bytes(text):
    check(text.decode("latin-1"))

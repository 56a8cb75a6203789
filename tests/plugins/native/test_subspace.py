"""The data subspace: read, written, and the same again."""

from __future__ import annotations

import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from daxa_native.subspace import (
    Component,
    Subspace,
    format_bits,
    parse_bits,
    parse_integers,
    parse_ranges,
    parse_subspace,
    with_times,
)


def test_a_real_list(real):
    header = fits.getheader(real("0404910601_mos1_events.fits"), "EVENTS")
    subspace = parse_subspace((card.keyword, card.value) for card in header.cards)
    refs = {
        parse_integers(subspace.of(block, "CCDNR")[0].value)[0]: subspace.of(block, "time")[0].ref
        for block in subspace.blocks
    }
    assert refs == {1: "GTI00006", 2: "GTI00106", 3: "GTI00206", 4: "GTI00306", 5: "GTI00406", 7: "GTI00506"}
    masks = [parse_bits(one.value)[0] for one in subspace.of(subspace.blocks[3], "FLAG") if one.form == "X"]
    assert masks == [0x762AA000, 0x766BA000]


@pytest.mark.parametrize(
    ("value", "mask"),
    [
        ("b000x00xxx0x0x0x0x0xxxxxxxxxxxxx", 0x762AA000),
        ("b000x00xx00x0x000x0xxxxxxxxxxxxx", 0x766BA000),
        ("b00xx00000x0xxxxxxxxxxxxxxxxx", 0xCFA0000),
    ],
)
def test_bits_have_the_highest_first(value, mask):
    assert parse_bits(value) == (mask, 0)
    assert parse_bits(format_bits(mask)) == (mask, 0)


def test_ranges():
    inf = float("inf")
    assert parse_ranges(":12") == [(-inf, 12)]
    assert parse_ranges("500:2000") == [(500, 2000)]
    assert parse_ranges("0:0,2:2, 7") == [(0, 0), (2, 2), (7, 7)]
    assert parse_ranges("500:") == [(500, inf)]
    assert parse_integers("1:3,7") == [1, 2, 3, 7]


@pytest.mark.parametrize(("parse", "value"), [(parse_ranges, ""), (parse_ranges, "1:2,"), (parse_ranges, "TABLE"),
                                              (parse_integers, ":5"), (parse_integers, "0:99999999"),
                                              (parse_bits, "b01y"), (parse_bits, "0101"), (parse_bits, "b")])  # fmt: skip
def test_malformed_values(parse, value):
    with pytest.raises(ValueError, match=r"."):
        parse(value)


names = st.sampled_from(["FLAG", "PATTERN", "PI", "grade"])
values = st.tuples(st.integers(0, 50), st.integers(0, 50)).map(lambda pair: f"{min(pair)}:{max(pair)}")


@st.composite
def subspaces(draw):
    """Blocks of the same columns, one unit and one table each."""
    columns = draw(st.lists(names, unique=True, max_size=3))
    units = draw(st.lists(st.integers(1, 12), unique=True, min_size=1, max_size=6))
    return Subspace(
        [
            (
                Component("CCDNR", str(unit)),
                Component("TIME", "TABLE", ref=f"GTI{unit:05d}", unit="s"),
                *(Component(column, draw(values)) for column in columns),
            )
            for unit in units
        ]
    )


@given(subspaces())
def test_what_is_written_is_read_again(subspace):
    header = fits.Header()
    for keyword, value in subspace.cards():
        header[keyword] = value
    assert parse_subspace((card.keyword, card.value) for card in header.cards) == subspace


@given(subspaces(), st.lists(st.tuples(names, values), max_size=3))
def test_filtering_appends_and_keeps_a_block_a_unit(subspace, conditions):
    units = [int(block[0].value) for block in subspace.blocks]
    extra = [Component(name, value) for name, value in conditions]
    made = with_times(subspace, "CCDNR", {unit: f"NEW{unit}" for unit in units[::-1]}, extra)
    assert [int(block[0].value) for block in made.blocks] == units[::-1]
    for block in made.blocks:
        assert made.of(block, "TIME")[0].ref == f"NEW{block[0].value}"
        before = next(old for old in subspace.blocks if old[0].value == block[0].value)
        assert list(block[2 : len(before)]) == list(before[2:])
        assert all(any((new.name, new.value) == (one.name, one.value) for one in block) for new in extra)
    once_more = with_times(made, "CCDNR", {unit: f"NEW{unit}" for unit in units[::-1]}, extra)
    assert once_more == made


@given(st.dictionaries(st.from_regex(r"\A([0-9]{0,2})DS(TYP|VAL|REF|FORM|UNI)[0-9]{1,2}\Z"), st.text(max_size=8)))
def test_any_keywords_are_read_without_an_error(keywords):
    parse_subspace(keywords.items())

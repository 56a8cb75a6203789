"""Fingerprints: what changes them, what does not, and how a change is told."""

import enum
import json
import subprocess
import sys
from datetime import UTC, date, datetime

import numpy as np
import pytest
from astropy.units import Quantity
from hypothesis import given, settings
from hypothesis import strategies as st

from daxa.archive.parameters import restored
from daxa.exceptions import ParameterTypeError
from daxa.schedule.fingerprint import Ingredients, difference, fingerprint, plain, witness

BASE = {
    "process": "evselect",
    "version": "2",
    "variant": "soft",
    "parameters": {"lo": 0.5, "hi": 2.0, "filters": ["a", "b"]},
    "inputs": {"events": witness("x.fits", 10, "ab" * 32)},
    "tools": {"sas": "21.0.0"},
    "calibration": "2026-01-01",
}

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10)
ingredients = st.builds(
    Ingredients,
    process=st.text(),
    version=st.text(),
    variant=st.text(),
    parameters=st.dictionaries(st.text(), values),
    inputs=st.dictionaries(st.text(), st.text()),
    tools=st.dictionaries(st.text(), st.text()),
    calibration=st.text(),
)


@settings(derandomize=True, database=None)
@given(ingredients)
def test_a_record_gives_the_same_fingerprint(one):
    again = Ingredients.read(one.text)
    assert again == one
    assert again.fingerprint == one.fingerprint
    assert difference(one, again) == "would be the same as before"


@settings(derandomize=True, database=None)
@given(ingredients, ingredients)
def test_fingerprints_differ_exactly_if_something_is_told(one, other):
    told = difference(one, other)
    assert (one.fingerprint == other.fingerprint) == (told == "would be the same as before")


@settings(derandomize=True, database=None)
@given(st.dictionaries(st.text(), values, min_size=2))
def test_the_order_of_parameters_does_not_matter(parameters):
    backwards = dict(reversed(parameters.items()))
    assert fingerprint(process="a", parameters=parameters, inputs={}) == fingerprint(
        process="a", parameters=backwards, inputs={}
    )


@pytest.mark.parametrize(
    ("part", "value", "told"),
    [
        ("process", "evsel", "the process changed from evselect to evsel"),
        ("version", "3", "the version of evselect changed from 2 to 3"),
        ("variant", "", "the variant changed from soft to ''"),
        ("parameters", {"lo": 0.3, "hi": 2, "filters": ["a", "b"]}, "parameter lo changed from 0.5 to 0.3"),
        (
            "parameters",
            {"lo": 0.5, "hi": 2, "filters": ["a"], "bin": True},
            "parameter bin is new (True) and parameter filters changed from ['a', 'b'] to ['a']",
        ),
        ("parameters", {"lo": 0.5, "hi": 2}, "parameter filters is gone (['a', 'b'] before)"),
        (
            "inputs",
            {"events": witness("x.fits", 10)},
            f"input events changed from sha256 {'ab' * 25}... to 10 bytes of x.fits",
        ),
        ("tools", {"sas": "22.0.0"}, "the version of sas changed from 21.0.0 to 22.0.0"),
        ("calibration", "2026-06-01", "the calibration changed from 2026-01-01 to 2026-06-01"),
    ],
)
def test_every_part_counts_and_is_told(part, value, told):
    old, new = Ingredients(**BASE), Ingredients(**{**BASE, part: value})
    assert old.fingerprint != new.fingerprint
    assert difference(old, new) == f"runs because {told}"
    assert fingerprint(**BASE) == old.fingerprint


def test_what_has_not_run_before():
    assert difference(None, Ingredients(**BASE)) == "runs because it has not succeeded before"


class Band(enum.Enum):
    SOFT = "soft"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        ((1, 2), [1, 2]),
        ({"b", "a"}, ["a", "b"]),
        (np.float64(0.5), 0.5),
        (np.int32(3), 3),
        (np.array([1.0, 2.5]), [1, 2.5]),
        (np.bool_(True), True),
        (np.str_("x"), "x"),
        (Band.SOFT, "soft"),
        (0.0, -0.0),
        (Quantity([0.5, 2.0], "keV"), {"value": [0.5, 2], "unit": "keV"}),
    ],
)
def test_equal_values_have_one_form(one, other):
    assert plain(one) == plain(other)
    assert plain(Quantity(1, "keV")) != plain(Quantity(1, "eV"))
    first, second = (Ingredients(**{**BASE, "parameters": {"x": value}}) for value in (one, other))
    assert first.fingerprint == second.fingerprint
    assert first == Ingredients.read(first.text)


@pytest.mark.parametrize(
    "value",
    [
        datetime(2020, 1, 2, 3, 4, 5, 6),
        datetime(2020, 1, 2, tzinfo=UTC),
        date(2020, 1, 2),
        {"a": [date(2020, 1, 2), {"b": "2020-01-02"}]},
        [1, "x", None, True],
    ],
)
def test_parameters_come_back_from_the_record_as_they_were(value):
    assert restored(json.loads(json.dumps(plain(value)))) == value


def test_quantities_come_back_also_from_lists():
    low, band = restored(json.loads(json.dumps(plain([Quantity(3.0, "keV"), Quantity([0.5, 2.0], "keV")]))))
    assert low == Quantity(3.0, "keV") and band.unit == "keV" and band.value.tolist() == [0.5, 2.0]


def test_values_that_look_alike_differ():
    forms = [1, True, "1", None, "None", [1], {"1": 1}, 1.5, "1.5"]
    prints = {fingerprint(process="a", parameters={"x": value}, inputs={}) for value in forms}
    assert len(prints) == len(forms)


@pytest.mark.parametrize("value", [object(), b"bytes", {1: 2}, [object()], lambda: None])
def test_values_without_a_form_are_refused(value):
    with pytest.raises(ParameterTypeError):
        fingerprint(process="a", parameters={"x": value}, inputs={})


def test_a_hash_stands_for_the_contents_whatever_the_name():
    assert witness("a.fits", 10, "ff") == witness("b.fits", 11, "ff")
    assert witness("a.fits", 10) != witness("b.fits", 10)
    assert witness("a.fits", 10) != witness("a.fits", 11)


def test_a_fingerprint_is_the_same_in_every_process():
    code = (
        "from daxa.schedule.fingerprint import fingerprint;"
        "print(fingerprint(process='a', parameters={'x': {'c', 'b', 'a'}, 'y': 0.1}, inputs={'events': 'ff'}))"
    )
    prints = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, check=True, capture_output=True, text=True
        ).stdout
        for seed in ("1", "2")
    }
    assert prints == {
        fingerprint(process="a", parameters={"y": 0.1, "x": {"a", "b", "c"}}, inputs={"events": "ff"}) + "\n"
    }

"""Catalogues come back exactly, each under the address of its service."""

import threading

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daxa.exceptions import NewerSchemaError, ParameterTypeError
from daxa.store.catalogues import CatalogueCache

URL = "https://heasarc.example/tap"


@pytest.fixture
def cache(tmp_path):
    with CatalogueCache.open(tmp_path / "a cache") as cache:
        yield cache


def returned(cache, table):
    cache.put("m", URL, table, source="test").result()
    return cache.get("m", URL).table


TABLES = {
    "text": pd.DataFrame({"a": ["x", "", "ü€\U0001f52d", None, "nan", "\x00\n"]}),
    "floats": pd.DataFrame({"a": [0.1, -0.0, np.nan, np.inf, 5e-324], "b": np.arange(5, dtype="f4") / 3}),
    "whole": pd.DataFrame(
        {"a": [2**63 - 1, -(2**63)], "b": np.array([1, 2], "i2"), "c": np.array([0, 2**64 - 1], "u8")}
    ),
    "flags": pd.DataFrame({"a": [True, False]}),
    "times": pd.DataFrame(
        {unit: np.array(["2001-02-03T04:05:06", "NaT"], f"M8[{unit}]") for unit in ("s", "ms", "us", "ns")}
    ),
    "durations": pd.DataFrame({unit: np.array([68138000003, "NaT"], f"m8[{unit}]") for unit in ("s", "ms", "us")}),
    "objects": pd.DataFrame({"a": pd.Series([1, "x", None, 2.5, True, "nan"], dtype=object)}),
    "nullable": pd.DataFrame({"a": pd.array([1, None], "Int64"), "b": pd.array([True, None], "boolean")}),
    "nothing": pd.DataFrame(
        {"a": pd.Series([], dtype="f8"), "t": pd.Series([], dtype="M8[us]"), "s": pd.Series([], dtype="str")}
    ),
    "no columns": pd.DataFrame(),
}


@pytest.mark.parametrize("name", TABLES)
def test_exact_round_trip(cache, name):
    table = TABLES[name]
    pd.testing.assert_frame_equal(
        returned(cache, table), table, check_exact=True, check_index_type=False, check_column_type=name != "no columns"
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.text(st.characters(exclude_categories=()), max_size=8)),
            st.floats(width=64),
            st.integers(-(2**63), 2**63 - 1),
            st.booleans(),
            st.integers(-(2**63), 2**63 - 1),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_any_values(cache, rows):
    text, floats, whole, flags, instants = zip(*rows, strict=True)
    table = pd.DataFrame(
        {
            "text": pd.Series(text, dtype="str" if not any(map(lone_surrogate, text)) else object),
            "floats": np.array(floats),
            "whole": np.array(whole, "i8"),
            "flags": flags,
            "instants": np.array(instants, "i8").view("M8[us]"),
            "durations": np.array(instants, "i8").view("m8[ns]"),
        }
    )
    pd.testing.assert_frame_equal(returned(cache, table), table, check_exact=True)


def lone_surrogate(text):
    return text is not None and any("\ud800" <= letter <= "\udfff" for letter in text)


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame({"bad": [{"a": 1}]}),
        pd.DataFrame({"bad": [1 + 2j]}),
        pd.DataFrame({"bad": pd.to_datetime(["2001-01-01"]).tz_localize("UTC")}),
        pd.DataFrame([[1, 2]], columns=["bad", "bad"]),
        pd.DataFrame([[1]]),
    ],
)
def test_what_cannot_be_kept_exactly_is_refused(cache, table):
    cache.put("m", URL, TABLES["flags"], source="good").result()
    with pytest.raises(ParameterTypeError):
        cache.put("m", URL, table, source="bad")
    assert cache.get("m", URL).source == "good"


def test_keyed_by_mission_and_address(cache):
    cache.put("m", URL, TABLES["flags"], source="real", etag='"1"', fetched_at=5.0).result()
    cache.put("m", "http://127.0.0.1:1/tap", TABLES["text"], source="sky").result()
    found = cache.get("m", URL)
    assert (found.source, found.etag, found.fetched_at) == ("real", '"1"', 5.0)
    _table, fetched_at, source, etag = found
    assert (fetched_at, source, etag) == (5.0, "real", '"1"')
    assert list(cache.get("m", "http://127.0.0.1:1/tap").table) == ["a"]
    assert cache.get("n", URL) is None
    assert cache.fetched_at("m", URL) == 5.0
    assert cache.fetched_at("n", URL) is None
    cache.forget("m", URL).result()
    assert cache.get("m", URL) is None
    assert cache.get("m", "http://127.0.0.1:1/tap") is not None


def test_replaced_whole(cache):
    """Whoever reads sees one catalogue or the other, never parts of both."""
    stop, seen, mixed = threading.Event(), set(), []

    def look():
        while not stop.is_set():
            found = cache.get("m", URL)
            if found is not None:
                values = {int(value) for column in found.table for value in found.table[column]}
                seen.update(values)
                if len(values) != 1 or str(values.pop()) != found.source:
                    mixed.append(found)

    thread = threading.Thread(target=look)
    thread.start()
    for number in range(60):
        table = pd.DataFrame({name: np.full(200, number) for name in "abc"})
        cache.put("m", URL, table, source=str(number)).result()
    stop.set()
    thread.join()
    assert not mixed
    assert cache.db.read("SELECT count(*) FROM catalogue_columns")[0][0] == 3


def test_index_is_not_kept(cache):
    table = TABLES["flags"].set_index(pd.Index([7, 3]))
    assert returned(cache, table).index.tolist() == [0, 1]


def test_table_can_be_changed(cache):
    table = returned(cache, TABLES["floats"])
    table.loc[0, "a"] = 3.0
    assert table["a"][0] == 3.0


def test_damaged_cache_is_set_aside(tmp_path):
    (tmp_path / "catalogues.sqlite").write_bytes(b"garbage" * 1000)
    with CatalogueCache.open(tmp_path) as cache:
        assert cache.get("m", URL) is None
        cache.put("m", URL, TABLES["flags"], source="s").result()
    assert (tmp_path / "catalogues.sqlite.damaged").exists()


def test_newer_cache_is_left_alone(tmp_path):
    with CatalogueCache.open(tmp_path) as cache:
        cache.db.write_now(lambda one: one.execute("INSERT INTO migrations (name, applied) VALUES ('later', 0)"))
    with pytest.raises(NewerSchemaError):
        CatalogueCache.open(tmp_path)

"""Comparing catalogues with the tables that DAXA displayed."""

import csv
from pathlib import Path

import pandas as pd

TABLES = Path(__file__).parents[1] / "data" / "missions"


def displayed(name, tables=TABLES):
    with (tables / f"{name}.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def assert_as_displayed(table, name, *, but=(), tables=TABLES):
    """Every displayed row is in the table, value for value and in the displayed order of columns."""
    rows = displayed(name, tables)
    assert [column for column in rows[0] if column not in ("index", *but)] == [
        column for column in table.columns if column not in but
    ]
    by_id = {row["ObsID"]: row for row in table.to_dict("records")}
    for row in rows:
        found = by_id[row["ObsID"]]
        for column, text in row.items():
            if column == "index" or column in but:
                continue
            value, kind = found[column], table[column].dtype.kind
            where = (row["ObsID"], column)
            if text == "NaT":
                assert value is pd.NaT, where
            elif kind == "M":
                assert value == pd.Timestamp(text), where
            elif kind == "m":
                assert value == (pd.Timedelta(float(text), "s") if text[-2:] == ".0" else pd.Timedelta(text)), where
            elif kind == "b":
                assert value == (text == "True"), where
            elif kind == "f":
                assert round(value, len(text.partition(".")[2])) == float(text), where
            elif text.endswith("..."):  # long texts were cut
                assert str(value).startswith(text[:-3]), where
            else:
                assert str(value) == text, where


def assert_kinds(table, kinds):
    """The columns are exactly these, in this order, of these kinds: f(loat), i(nteger), b(ool), M (time), m, text."""
    text = pd.Series(["text"]).dtype
    found = {name: "text" if dtype == text else dtype.kind for name, dtype in table.dtypes.items()}
    assert list(found.items()) == list(kinds.items())

"""Whole tables of TAP services, and the values in them."""

import numpy as np
import pandas as pd
import pytest
from astropy.table import MaskedColumn, Table

from daxa.context import Context
from daxa.exceptions import BadReplyError, ServiceError
from daxa.net import tables
from daxa.net.client import open_net
from daxa.net.tables import (
    frame,
    on_the_sky,
    public_now,
    texts,
    time_from_seconds,
    utc_from_mjd,
    utc_from_text,
    whole_numbers,
    whole_table,
)
from daxa_testing.sky import Column, Sky

TAP = "https://heasarc.gsfc.nasa.gov/xamin/vo/tap"


@pytest.mark.anyio
async def test_a_whole_table_beyond_the_cap_of_the_service(tmp_path):
    made = Sky()
    rows = [{"obsid": f"{number:06d}", "time": None if number % 2 else 0.5} for number in range(100_500)]
    made.add_table(TAP, "big", [Column("obsid", arraysize="10"), Column("time", "double")], rows)
    with made.running_in_thread() as running:
        async with open_net(Context(**running.settings(), cache=str(tmp_path))) as net:
            service = net.url("HEASARC_TAP")
            found = await whole_table(net, service, "big", ("obsid", "time"))
            with pytest.raises(ServiceError, match="nothere"):
                await whole_table(net, service, "big", ("obsid", "nothere"))
    assert len(found) == 100_500 and found["obsid"].iloc[-1] == "100499" and found["time"].isna().sum() == 50_250


@pytest.mark.anyio
async def test_a_table_beyond_the_cap_is_asked_for_in_zones(tmp_path, monkeypatch):
    """Crowded zones are halved; positions that are missing, or at the end of the circle, are not lost."""
    monkeypatch.setattr(tables, "MOST_ROWS", 40)
    rng = np.random.default_rng(4)
    ra = [*rng.uniform(0, 360, 150), *rng.uniform(83.6, 83.7, 120), *[10.0] * 45, None, 360.0, 0.0, -1.0]
    rows = [{"obsid": str(number), "ra": one, "n": number % 7 or None} for number, one in enumerate(ra)]
    made = Sky()
    made.add_table(TAP, "big", [Column("obsid"), Column("ra", "double"), Column("n", "int")], rows)
    with made.running_in_thread() as running:
        async with open_net(Context(**running.settings(), cache=str(tmp_path))) as net:
            found = await whole_table(net, net.url("HEASARC_TAP"), "big", ("obsid", "ra", "n"))
    assert sorted(map(int, found["obsid"])) == list(range(len(rows)))
    places = found.set_index("obsid")
    for row in rows:
        got = places.loc[row["obsid"]]
        assert got["ra"] == row["ra"] or (row["ra"] is None and np.isnan(got["ra"]))
        assert got["n"] == row["n"] or (row["n"] is None and np.isnan(got["n"]))


@pytest.mark.anyio
async def test_a_zone_that_comes_in_part_is_refused(monkeypatch):
    monkeypatch.setattr(tables, "MOST_ROWS", 4)

    class Cut:
        async def count(self, service, table, where=""):
            return 3 if where else 9

        async def tap(self, service, adql, columns):
            return Table({"ra": [1.0, 2.0]} if "270" in adql else {"ra": [1.0, 2.0, 3.0]})

    with pytest.raises(BadReplyError, match="2 of the 3 rows"):
        await whole_table(Cut(), TAP, "cut", ["ra"])


@pytest.mark.anyio
async def test_a_table_that_comes_in_part_is_refused():
    class Cut:
        async def count(self, service, table):
            return 5

        async def tap(self, service, adql, columns):
            return Table({"obsid": ["1", "2", "3"]})

    with pytest.raises(BadReplyError, match="3 of the 5 rows"):
        await whole_table(Cut(), TAP, "cut", ["obsid"])


@pytest.mark.anyio
@pytest.mark.timeout(30)
@pytest.mark.parametrize("number", [-1, 10**9, 10**30, 400_000])
async def test_counts_that_make_no_sense_end_soon(number):
    """The last is said of every part of the table too, however small."""

    class Lying:
        asked = 0

        async def count(self, service, table, where=""):
            self.asked += 1
            return number

        async def tap(self, service, adql, columns):
            return Table({"ra": []})

    service = Lying()
    with pytest.raises(BadReplyError, match=str(number)):
        await whole_table(service, TAP, "lying", ["ra"])
    assert service.asked < 1000


def test_columns_become_plain():
    table = Table(
        {
            "name": np.array([" a ", None, "b"], dtype=object),
            "number": MaskedColumn(np.array([1, 2, 3], dtype=">i4"), mask=[False, True, False]),
            "plain": np.array([1, 2, 3], dtype=">i4"),
            "small": np.array([0.5, np.nan, 1.5], dtype="f4"),
        }
    )
    found = frame(table, ["plain", "name", "number", "small"])
    assert list(found.columns) == ["plain", "name", "number", "small"]
    assert found["name"].tolist() == ["a", "", "b"] and np.isnan(found["number"][1]) and found["small"].dtype == "f8"
    assert found["plain"].dtype.isnative
    assert whole_numbers(found["number"], missing=-1).tolist() == [1, -1, 3]


def test_times():
    found = utc_from_mjd([49822.9751851852, 0.0, -1.0, np.nan, 416422.0, 88068.0, 88067.9])
    assert str(found[0]) == "1995-04-15 23:24:16.000001" and found[1:6].isna().all() and found[6].year == 2099
    found = utc_from_text(["2016-12-11 23:00:00", "2004-06-17T10:38:28.5Z", "3023-01-01", "", "soon", None])
    assert [str(one) for one in found[:2]] == ["2016-12-11 23:00:00", "2004-06-17 10:38:28.500000"]
    assert found[2:].isna().all()
    assert str(time_from_seconds([221372.000003, np.nan])[0]) == "2 days 13:29:32.000003"
    assert public_now(utc_from_text(["2000-01-01", "2099-01-01", ""])).tolist() == [True, False, False]


def test_identifiers_and_positions():
    assert texts([10027, 27.0, " 0404910601 "]).tolist() == ["10027", "27", "0404910601"]
    assert texts([]).dtype == pd.Series(["text"]).dtype
    assert on_the_sky([0.0, np.nan, 1.0, 1.0], [0.0, 0.0, np.inf, 91.0]).tolist() == [True, False, False, False]

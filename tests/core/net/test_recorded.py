"""Answers that were recorded from real services, good and malformed, through our own parsers: tables, entries, or typed
errors that say what is wrong. What is refused never replaces a good catalogue in the cache.
"""

import os
import time
import warnings
from pathlib import Path

import anyio.to_thread
import pytest

import daxa.exceptions as ex
import daxa_chandra.testing
from daxa.context import Context
from daxa.mission import Chandra
from daxa.mission.catalogue import service_key
from daxa.net.client import Patience, open_net
from daxa.net.listing import parse_listing
from daxa.net.names import resolve
from daxa.net.tap import read_votable
from daxa.store.catalogues import CatalogueCache
from daxa_testing.faults import FaultyServer
from daxa_testing.sky import Column, Sky
from daxa_testing.tap import Table as Stored
from daxa_testing.tap import TapService, error_votable, votable

pytestmark = pytest.mark.anyio

DATA = Path(__file__).parents[2] / "data"
URL = "https://heasarc.gsfc.nasa.gov/xamin/vo/tap/sync"
HTTP, SKY = DATA / "http", DATA / "sky"

NO_TABLES = {
    # what came in place of a VOTable, and a word of its beginning that the error shows
    "bad_table.html": "DOCTYPE HTML",
    "browse_bad_object.html": "BatchStart",
    "browse_tables.txt": "BatchStart",
    "browse_no_rows.fits": "SIMPLE",
    "browse_rosmaster.fits": "SIMPLE",
    "tap_capabilities.xml": "xml-stylesheet",
    "134135.html": "DOCTYPE html",
}


def test_a_recorded_table_is_read():
    table = read_votable((SKY / "obscore-image.xml").read_bytes(), URL, columns=["obs_id", "s_ra", "s_dec"])
    assert len(table) == 10 and all(0 <= one < 360 for one in table["s_ra"])
    with pytest.raises(ex.BadReplyError, match="public_date") as caught:
        read_votable((SKY / "obscore-image.xml").read_bytes(), URL, columns=["obs_id", "public_date"])
    assert caught.value.context["missing"] == ["public_date"]


@pytest.mark.parametrize("name", NO_TABLES)
def test_other_replies_are_refused_as_tables(name):
    with pytest.raises(ex.BadReplyError, match=NO_TABLES[name]):
        read_votable((HTTP / name).read_bytes(), URL)


def test_text_in_a_column_of_numbers_is_refused_by_the_columns_name():
    """ISDC's, after blanks that are passed over."""
    body = (HTTP / "isdc_text_in_a_column_of_numbers.xml").read_bytes()
    assert body[:1].isspace()
    with pytest.raises(ex.BadReplyError, match="scw_type"):
        read_votable(body, URL)


@pytest.mark.parametrize(
    "path", sorted([*HTTP.glob("*.html"), *HTTP.glob("*.txt"), *SKY.glob("*.html")]), ids=lambda p: p.name
)
def test_pages_are_listings_or_are_refused(path):
    """Of eRODat's error page, which is its page of a directory without the one that was asked for, too."""
    base = "https://archive.example/data/"
    if path.name in NO_TABLES and not path.name.startswith("134135"):
        with pytest.raises(ex.BadReplyError, match=r"archive\.example"):
            parse_listing(path.read_text(), base)
        return
    base = {
        "heasarc_nustar_80002092008_index.html": "https://h/FTP/nustar/data/obs/00/8/80002092008/",
        "heasarc_xmm_0153950401_index_abridged.html": "https://h/FTP/xmm/data/rev0/0153950401/",
    }.get(path.name, base)
    entries = parse_listing(path.read_text(), base)
    assert entries and all("/" not in one.name for one in entries)


def test_a_directory_that_is_not_listed_is_not_there():
    whole, without = (
        {one.name for one in parse_listing((HTTP / name).read_text(), "https://h/")}
        for name in ("134135.html", "134135_no_dir.html")
    )
    assert whole - without == {"DET_010"} and without < whole


@pytest.mark.parametrize("path", [*HTTP.glob("*.*"), SKY / "obscore-image.xml"], ids=lambda p: p.name)
async def test_no_recorded_reply_is_taken_for_a_name(path, tmp_path):
    async with FaultyServer().serve() as server:
        server.add("/s/SNV?M%2082", path.read_bytes())
        context = Context(url_sesame=server.url("/s/"), output=str(tmp_path))
        async with open_net(context, patience=Patience(attempts=1)) as net:
            with pytest.raises(ex.NameNotResolvedError, match="M 82"):
                await resolve(net, "M 82")


# --- a good catalogue stays -----------------------------------------------------------------------------------------

SERVICE = "/heasarc.gsfc.nasa.gov/xamin/vo/tap"
COLUMNS = [one for one in daxa_chandra.testing.COLUMNS if one.name != "daxa_origin"]
ROWS = [daxa_chandra.testing.row(f"{number}", 1.0, 2.0, "2005-01-01T00:00:00", 9.0) for number in range(900, 905)]


class Service(FaultyServer):
    """A table service that counts honestly, and then sends what it is told to send."""

    async def reply(self, answer):
        body = votable([Column("count", "long")], [{"count": len(ROWS)}], binary=True).encode()
        if self.requests[f"{SERVICE}/sync"] % 2 == 0:
            body = self.table
        await answer.head(200, Content_Type="application/x-votable+xml", Content_Length=str(len(body)), ETag='"7"')
        await answer.body(body)


def reply_of(rows=ROWS, columns=COLUMNS, binary=True):
    return votable(columns, rows, binary=binary).encode()


def renamed(name, new):
    columns = [Column(new if one.name == name else one.name, one.datatype) for one in COLUMNS]
    return reply_of([{**one, new: one[name]} for one in ROWS], columns)


BAD = {
    **{name: ((HTTP / name).read_bytes(), "not a VOTable") for name in NO_TABLES},
    "isdc": ((HTTP / "isdc_text_in_a_column_of_numbers.xml").read_bytes(), "scw_type"),
    "obscore": ((SKY / "obscore-image.xml").read_bytes(), "public_date"),
    "renamed": (renamed("public_date", "release_date"), "public_date"),
    "missing": (reply_of(columns=[one for one in COLUMNS if one.name != "exposure"]), "exposure"),
    "fewer rows": (reply_of(ROWS[:3]), "3 of the 5 rows"),
    "no rows": (reply_of([]), "0 of the 5 rows"),
    "error": (error_votable("relation does not exist").encode(), "relation does not exist"),
    "cut short": (reply_of()[:-400], "damaged"),
    "nothing": (b"", "not a VOTable"),
}


@pytest.fixture
def make(tmp_path):
    """A context whose table service is one on this machine; the cache knows it whatever its port."""

    def make(server, **settings):
        return Context(
            url_heasarc_tap=server.url(SERVICE), sky="http://127.0.0.1:1", output=str(tmp_path / "o"),
            cache=str(tmp_path / "c"), **settings,
        )  # fmt: skip

    return make


def in_cache(context):
    with CatalogueCache.open(context.config.cache) as cache:
        return cache.get("chandra", service_key(context, ["HEASARC_TAP"]))


async def test_a_good_reply_is_kept_with_date_source_and_etag(make):
    async with Service().serve() as server:
        server.table = reply_of()
        server.add(f"{SERVICE}/sync", b"", server.reply)
        context = make(server)
        mission = Chandra(context=context)
        await mission.load()
        assert len(mission.all_obs_info) == 5
        kept = await anyio.to_thread.run_sync(in_cache, context)
        assert kept.source == server.url(SERVICE) and kept.etag == '"7"' and abs(kept.fetched_at - time.time()) < 60


@pytest.mark.parametrize("name", BAD)
async def test_a_refused_reply_says_why_and_the_good_catalogue_stays(name, make):
    body, says = BAD[name]
    async with Service().serve() as server:
        server.table = reply_of()
        server.add(f"{SERVICE}/sync", b"", server.reply)
        context = make(server)
        good = Chandra(context=context)
        await good.load()
        server.table = body
        with pytest.raises((ex.BadReplyError, ex.ServiceError), match=says):
            await good.load(refresh=True)
        assert len(good.all_obs_info) == 5
        asked = server.requests.total()
        again = Chandra(context=context)
        await again.load()
        assert again.all_obs_info.equals(good.all_obs_info) and server.requests.total() == asked
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            offline = Chandra(context=make(server, offline=True))
            await offline.load()
        assert offline.all_obs_info.equals(good.all_obs_info) and server.requests.total() == asked


@pytest.mark.parametrize("name", ["renamed", "missing", "obscore"])
async def test_a_bad_first_reply_leaves_no_catalogue(name, make):
    body, says = BAD[name]
    async with Service().serve() as server:
        server.table = body
        server.add(f"{SERVICE}/sync", b"", server.reply)
        context = make(server)
        with pytest.raises(ex.BadReplyError, match=says) as caught:
            await Chandra(context=context).load()
        assert says in str(caught.value.context["missing"])
        assert await anyio.to_thread.run_sync(in_cache, context) is None


# --- what the tables of archives are like ---------------------------------------------------------------------------


@pytest.mark.parametrize("binary", [True, False], ids=["BINARY", "TABLEDATA"])
async def test_sentinels_nulls_and_blanks_are_the_same_in_both_serialisations(binary, make):
    rows = [
        {**ROWS[0], "public_date": 416_422, "obsid": "900       ", "detector": "ACIS-S  "},
        {**ROWS[1], "public_date": 0},
        {**ROWS[2], "public_date": None, "time": None},
        {**ROWS[3], "public_date": 88_068, "exposure": None},
        {**ROWS[4], "name": None, "grating": " NONE "},
    ]
    async with Service().serve() as server:
        server.table = reply_of(rows, binary=binary)
        server.add(f"{SERVICE}/sync", b"", server.reply)
        mission = Chandra(context=make(server))
        await mission.load()
    table = mission.all_obs_info
    assert table["ObsID"].tolist() == ["900", "901", "902", "903", "904"]
    assert set(table["instrument"]) == {"ACIS"} and set(table["grating"]) == {"NONE"}
    assert table["proprietary_end_date"].isna().tolist() == [True, True, True, True, False]
    assert table["proprietary_usable"].tolist() == [False, False, False, False, True]
    assert table["start"].isna().tolist() == [False, False, True, False, False]
    assert table["duration"].dt.total_seconds().tolist() == [9.0, 9.0, 9.0, 0.0, 9.0]


async def test_xamins_text_and_the_cap_that_says_nothing():
    """The text has a trailer, and is refused where a table is wanted; the cap is found by the count."""
    with sky_of([{"obsid": "1", "time": 5.0}]).running_in_thread() as running:
        async with open_net(Context(**running.settings())) as net:
            form = {"REQUEST": "doQuery", "LANG": "ADQL", "FORMAT": "text", "QUERY": 'SELECT obsid, "time" FROM t'}
            reply = await net.get(f"{net.url('HEASARC_TAP')}/sync", method="POST", data=form)
            assert reply.text.splitlines() == ["obsid|time", "1|5.0", "Number of rows: 1", "Number of columns: 2"]
            with pytest.raises(ex.BadReplyError, match=r"obsid\|time"):
                read_votable(reply.body, reply.url)
            form["QUERY"] = "SELECT nothing FROM t"
            reply = await net.get(f"{net.url('HEASARC_TAP')}/sync", method="POST", data=form)
            with pytest.raises(ex.ServiceError, match="nothing"):  # an error is a VOTable, whatever was asked for
                read_votable(reply.body, reply.url)
            assert (await net.tap(net.url("HEASARC_TAP"), 'SELECT "time" FROM t', columns=["time"]))["time"][0] == 5.0
            found = await net.tap(net.url("HEASARC_TAP"), "SELECT column_name FROM TAP_SCHEMA.columns")
            assert '"time"' in set(found["column_name"])  # with its quotes, because it is a reserved word


def sky_of(rows):
    sky = Sky()
    sky.add_table("https://heasarc.gsfc.nasa.gov/xamin/vo/tap", "t", [Column("obsid"), Column("time", "double")], rows)
    return sky


def test_the_recorded_bodies_are_small_and_their_licences_are_told():
    told = (HTTP / "README.md").read_text()
    for path in HTTP.iterdir():
        assert path.name == "README.md" or f"`{path.name}`" in told, path.name
        assert os.path.getsize(path) < 25_000


async def test_esas_counts_in_capitals(tmp_path):
    service = TapService("xsa")
    service.add("v_all_observations", Stored([Column("observation_id")], [{"observation_id": "0123700101"}]))
    columns, rows = service.ask("SELECT COUNT(observation_id) FROM v_all_observations")
    assert columns[0].name == "COUNT"
    async with FaultyServer().serve() as server:
        for number, binary in enumerate((True, False)):
            server.add(f"/{number}/sync", votable(columns, rows, binary=binary).encode())
            async with open_net(Context(output=str(tmp_path))) as net:
                assert await net.count(server.url(f"/{number}"), "v_all_observations") == 1

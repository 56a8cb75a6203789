"""The offline sky, compared with recorded answers of the real services."""

import io
import json
import os
import re
import subprocess
import sys
import tarfile
from html.parser import HTMLParser
from pathlib import Path

import aiohttp
import anyio
import pytest
from astropy.io.votable import parse_single_table
from hypothesis import given, settings
from hypothesis import strategies as st

from daxa_testing.adql import QueryError, parse, separation
from daxa_testing.sky import Column, Sky
from daxa_testing.tap import Table, TapService, error_votable, votable

DATA = Path(__file__).parents[2] / "data" / "sky"
FTP = "https://heasarc.gsfc.nasa.gov/FTP/"
XAMIN = "https://heasarc.gsfc.nasa.gov/xamin/vo/tap"
XSA = "https://nxsa.esac.esa.int/tap-server/tap"
CXC = "https://cda.cfa.harvard.edu/cxctap"
AIO = "https://nxsa.esac.esa.int/nxsa-sl/servlet/data-action-aio"

COLUMNS = [
    Column("obsid", "char", arraysize="11"),
    Column("name"),
    Column("ra", "double", "deg", "pos.eq.ra"),
    Column("dec", "double", "deg"),
    Column("time", "double", "mjd"),
    Column("rev", "int"),
]
ROWS = [
    {"obsid": "0000000001", "name": "A & B <c>", "ra": 10.0, "dec": 20.0, "time": 50000.5, "rev": 7},
    {"obsid": "0000000002", "name": "it's", "ra": 10.2, "dec": 20.0, "time": 51000.5, "rev": None},
    {"obsid": "0000000003", "name": None, "ra": 359.9, "dec": -80.0, "time": None, "rev": 9},
]


def made():
    sky = Sky()
    base = FTP + "nustar/data/obs/00/8/80002092008/"
    for name in (
        "auxil/a.gz",
        "event_cl/nu80002092008A01_cl.evt.gz",
        "event_uf/u.gz",
        "hk/h.gz",
        "nu80002092008.cat.gz",
        "pipe.log",
    ):
        sky.add_file(base + name, bytes(range(256)) * 400)
    for service in (XAMIN, XSA, CXC):
        sky.add_table(service, "master", COLUMNS, ROWS)
    sky.add_name("Abell 907", 149.59164, -11.06378)
    sky.add_aio("0404910601", "PPS", "P0404910601M1S001MIEVLI0000.FTZ", b"\x1f\x8bone")
    sky.add_aio("0404910601", "PPS", "P0404910601M2S002MIEVLI0000.FTZ", b"\x1f\x8btwo")
    sky.add_aio("0404910601", "PPS", "P0404910601OBX000SUMMAR0000.HTM", b"<html>")
    sky.add_aio("0404910601", "ODF", "1184_0404910601_M1S00100AUX.FIT", b"SIMPLE")
    sky.add_aio("0404910601", "ODF", "1184_0404910601_SCX00000SUM.ASC", b"text")
    return sky


@pytest.fixture(scope="module")
def running():
    with made().running_in_thread() as sky:
        yield sky


@pytest.fixture
def get(running):
    async def ask(url, method="GET", local=True, **options):
        async with aiohttp.ClientSession(auto_decompress=False) as session:
            address = running.local(url) if local else url
            async with session.request(method, address, **options) as response:
                return response, await response.read()

    return ask


class Skeleton(HTMLParser):
    """Tags of a page with the attributes that matter, and the kinds of its links."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.title = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "a":
            self.links.append(re.sub(r"[\w.\-]+", "x", dict(attrs)["href"]))


pytestmark = pytest.mark.anyio


async def test_a_directory_page_is_built_as_the_recorded_one(get):
    _, body = await get(FTP + "nustar/data/obs/00/8/80002092008/")
    ours, theirs = body.decode(), (DATA / "heasarc_nustar_80002092008_index.html").read_text()
    assert "<title>Index of /FTP/nustar/data/obs/00/8/80002092008</title>" in ours
    for part in ("<h1>Index of /FTP/nustar/data/obs/00/8/80002092008</h1>", '<a href="?C=N;O=D">Name</a>', "Parent Directory</a>",
                 'alt="[DIR]"> <a href="auxil/">auxil/</a>', 'alt="[PARENTDIR]"', "<hr></pre>"):  # fmt: skip
        assert part in theirs and part in ours, part
    assert set(Skeleton(ours).tags) == set(Skeleton(theirs).tags)
    assert Skeleton(ours).links[:5] == Skeleton(theirs).links[:5]
    date = r"\d{4}-\d\d-\d\d \d\d:\d\d\s+(-|[\d.]+[KMG]?)"
    assert re.search(r'pipe\.log">pipe\.log</a>\s+' + date, ours) and re.search(
        r'pipe\.log">pipe\.log</a>\s+' + date, theirs
    )
    assert ours.rstrip().endswith("</html>")


async def test_ours_and_the_recorded_pages_are_read_alike(get):
    from daxa.net.listing import parse_listing

    url = FTP + "nustar/data/obs/00/8/80002092008/"
    recorded = parse_listing((DATA / "heasarc_nustar_80002092008_index.html").read_text(), url)
    _, body = await get(url)
    ours = parse_listing(body.decode(), url)
    assert {(one.name, one.is_dir) for one in ours} == {(one.name, one.is_dir) for one in recorded}
    assert next(one.size for one in ours if one.name == "pipe.log") == 100 * 1024


class Rows(HTMLParser):
    """Rows of the table of files: class, and the kinds of tags in it; and the tags around it."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.names = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "tr" and attrs.get("class"):
            self.rows.append([attrs["class"]])
        elif self.rows and tag in ("td", "a"):
            self.rows[-1].append((tag, attrs.get("class")))
            if tag == "a" and "href" in attrs and len(self.rows[-1]) == 3:
                self.names.append(attrs["href"])


async def test_erodats_pages_are_built_as_the_recorded_ones(get):
    from daxa.net.listing import parse_listing

    base = "https://erosita.mpe.mpg.de/erodat/data/download/135/134/"
    theirs = (DATA / "erodat_134135_exp.html").read_text()
    recorded = parse_listing(theirs, base + "EXP_010/")
    sky = Sky()
    for entry in recorded:
        sky.add_file(f"{base}EXP_010/{entry.name}", b"x" * 100)
    with sky.running_in_thread() as other:
        _, body = await get(other.local(base + "EXP_010/"), local=False)
        _, above = await get(other.local(base), local=False)
    ours = body.decode()
    assert "<title>Directory listing for /135/134/EXP_010/ | eRODat</title>" in ours
    assert "<title>Directory listing for /135/134/EXP_010/ | eRODat</title>" in theirs
    assert '<table id="files"' in ours and '<table id="files"' in theirs
    shapes = [[tuple(map(str, row[:5])) for row in Rows(text).rows] for text in (ours, theirs)]
    assert set(shapes[0]) == set(shapes[1])
    assert {(one.name, one.is_dir) for one in parse_listing(ours, base + "EXP_010/")} == {
        (one.name, one.is_dir) for one in recorded
    }
    assert all(one.exact and one.size == 100 for one in parse_listing(ours, base + "EXP_010/"))
    assert [(one.name, one.is_dir) for one in parse_listing(above.decode(), base)] == [("EXP_010", True)]


async def test_files_ranges_and_validators(get):
    url = FTP + "nustar/data/obs/00/8/80002092008/pipe.log"
    head, _ = await get(url, "HEAD")
    whole, body = await get(url)
    assert len(body) == 102400 == int(head.headers["Content-Length"]) and "Content-Encoding" not in whole.headers
    part, rest = await get(url, headers={"Range": "bytes=100000-", "If-Range": whole.headers["ETag"]})
    assert (
        part.status == 206 and rest == body[100000:] and part.headers["Content-Range"] == "bytes 100000-102399/102400"
    )
    changed, again = await get(url, headers={"Range": "bytes=100000-", "If-Range": '"other"'})
    assert changed.status == 200 and again == body
    beyond, _ = await get(url, headers={"Range": "bytes=102400-"})
    assert beyond.status == 416 and beyond.headers["Content-Range"] == "bytes */102400"
    last, tail = await get(url, headers={"Range": "bytes=-10"})
    assert last.status == 206 and tail == body[-10:]
    moved, _ = await get(FTP + "nustar/data", allow_redirects=False)
    assert moved.status == 301 and moved.headers["Location"].endswith("/FTP/nustar/data/")


@pytest.mark.parametrize(
    "path", ["nowhere", "nustar/data/obs/00/8/80002092008/x", "../etc/passwd", "nustar/%2e%2e/x", "nustar//data"]
)
async def test_what_is_not_in_the_tree_is_not_there(get, path):
    response, _ = await get(FTP + path)
    assert response.status == 404


async def test_hosts_the_sky_does_not_hold_answer_404(get):
    response, _ = await get("https://elsewhere.example/x")
    assert response.status == 404


def ask(query, **more):
    return {"data": {"REQUEST": "doQuery", "LANG": "ADQL", "QUERY": query, **more}}


@pytest.mark.parametrize("service", [XAMIN, XSA, CXC])
async def test_tables_in_each_services_manner(get, service):
    response, body = await get(
        service + "/sync", "POST", **ask("SELECT obsid, name, time, rev FROM master WHERE ra < 300")
    )
    assert response.status == 200
    assert (b"<BINARY>" in body) is (service == XAMIN)
    table = parse_single_table(io.BytesIO(body)).to_table()
    assert table.colnames == ["obsid", "name", "time", "rev"] and len(table) == 2
    assert [str(one).strip() for one in table["name"]] == ["A & B <c>", "it's"]
    assert table["rev"][0] == 7 and table["rev"].mask[1]
    if service == CXC:
        bare, _ = await get(service + "/sync", "POST", allow_redirects=False, **ask("SELECT obsid FROM master"))
        assert bare.status == 303 and "/results/" in bare.headers["Location"]


async def test_an_error_is_a_table_whatever_format_was_asked(get):
    for query in (
        "SELECT OBSIDX FROM master",
        "SELECT * FROM nowhere",
        "DROP TABLE master",
        "SELECT a FROM master GROUP BY a",
        "SELECT",
    ):
        _, body = await get(XAMIN + "/sync", "POST", **ask(query, FORMAT="text"))
        assert b'name="QUERY_STATUS" value="ERROR"' in body, query
        table_root = re.sub(rb"\s+", b" ", body)
        assert table_root.startswith(b"<?xml") and b"<VOTABLE" in table_root
    response, _ = await get(XSA + "/sync", "POST", **ask("SELECT nothing FROM master"))
    assert response.status == 400


def test_our_answers_have_the_parts_of_a_recorded_one():
    recorded = (DATA / "obscore-image.xml").read_text()
    ours = votable(COLUMNS, ROWS, binary=False)
    for text in (recorded, ours):
        assert re.search(r"<VOTABLE[^>]*version=\"1\.\d\"", text)
        assert re.search(r"<RESOURCE\b", text) and re.search(r"<TABLE\b", text) and "</VOTABLE>" in text
        assert re.search(r"<FIELD [^>]*name=.*datatype=|<FIELD [^>]*datatype=.*name=", text)
    assert "ERROR" in error_votable("no <such> column") and "&lt;such&gt;" in error_votable("no <such> column")


async def test_counts_formats_and_the_silent_cap(get):
    _, body = await get(XAMIN + "/sync", "POST", **ask("SELECT COUNT(*) FROM master"))
    assert parse_single_table(io.BytesIO(body)).to_table()["count"][0] == 3
    _, text = await get(XAMIN + "/sync", "POST", **ask('SELECT obsid, "time" FROM public.master', FORMAT="text"))
    assert text.decode().splitlines()[0] == "obsid|time" and "Number of rows: 3" in text.decode()
    _, csv = await get(XSA + "/sync", "POST", **ask("SELECT COUNT(obsid) FROM master", FORMAT="csv"))
    assert csv.decode().splitlines()[0] == "COUNT"
    service = TapService("xamin")
    service.add("many", Table([Column("n", "int")], [{"n": number} for number in range(100_005)]))
    assert len(service.ask("SELECT n FROM many")[1]) == 100_000
    assert len(service.ask("SELECT TOP 200000 n FROM many")[1]) == 100_005
    columns, rows = service.ask("SELECT column_name FROM TAP_SCHEMA.columns WHERE table_name='many'")
    assert [row["column_name"] for row in rows] == ["n"] and columns[0].name == "column_name"


numbers = st.floats(-90, 90, allow_nan=False)
points = st.lists(st.tuples(st.floats(0, 359.99), numbers, st.sampled_from(["a", "b", None])), max_size=30)


@given(points, st.floats(0, 359.99), numbers, st.floats(0.01, 60), numbers)
@settings(max_examples=60, deadline=None)
def test_a_query_selects_what_brute_force_does(rows, ra, dec, radius, limit):
    service = TapService("xamin")
    table = [{"ra": a, "dec": d, "kind": k} for a, d, k in rows]
    service.add("t", Table([Column("ra", "double"), Column("dec", "double"), Column("kind")], table))
    circle = f"CONTAINS(POINT('ICRS', ra, dec), CIRCLE('ICRS', {ra!r}, {dec!r}, {radius!r})) = 1"
    _, found = service.ask(f"SELECT * FROM t WHERE {circle} AND NOT (dec > {limit!r} OR kind IS NULL) ORDER BY ra DESC")
    expected = [
        r
        for r in table
        if separation(r["ra"], r["dec"], ra, dec) <= radius and not (r["dec"] > limit or r["kind"] is None)
    ]
    assert list(found) == sorted(expected, key=lambda r: r["ra"], reverse=True)
    _, distant = service.ask(
        f"SELECT ra FROM t WHERE DISTANCE(POINT('ICRS', ra, dec), POINT({ra!r}, {dec!r})) <= {radius!r} AND 1 = {circle[:-4]}"
    )
    assert len(distant) == sum(separation(r["ra"], r["dec"], ra, dec) <= radius for r in table)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SELECT",
        "SELECT * FROM",
        "SELECT a FROM t WHERE",
        "SELECT a FROM t WHERE a LIKE 3",
        "SELECT a FROM t;;x",
        "SELECT a FROM t JOIN u",
        "SELECT a FROM t WHERE a IN ()",
        "\x00",
    ],
)
def test_what_is_not_understood_is_refused(text):
    with pytest.raises(QueryError):
        parse(text)


async def test_one_address_with_many_kinds_of_reply(get):
    bare, body = await get(AIO + "?obsno=0404910601&level=PPS&instname=M1&name=MIEVLI&extension=FTZ")
    assert body == b"\x1f\x8bone" and "Content-Length" not in bare.headers
    assert 'filename="P0404910601M1S001MIEVLI0000.FTZ"' in bare.headers["Content-Disposition"]
    _, body = await get(AIO + "?obsno=0404910601&level=PPS&name=MIEVLI")
    names = tarfile.open(fileobj=io.BytesIO(body)).getnames()
    assert names == ["0404910601/pps/P0404910601M1S001MIEVLI0000.FTZ", "0404910601/pps/P0404910601M2S002MIEVLI0000.FTZ"]
    _, odf = await get(AIO + "?obsno=0404910601&level=ODF")
    outer = tarfile.open(fileobj=io.BytesIO(odf), mode="r:gz")
    assert outer.getnames()[0] == "1184_0404910601.TAR"
    inner = tarfile.open(fileobj=outer.extractfile("1184_0404910601.TAR"))
    assert inner.getnames() == ["1184_0404910601_M1S00100AUX.FIT", "1184_0404910601_SCX00000SUM.ASC"]
    nothing, page = await get(AIO + "?obsno=0201901401&level=PPS")
    assert nothing.content_type == "text/html" and b"<html>" in page and "Content-Length" not in nothing.headers
    unknown, page = await get(AIO + "?obsno=0404910601&level=PPS&AIOUSER=nobody&AIOPWD=x")
    assert page == b"" and "Content-Type" not in unknown.headers
    ignored, _ = await get(AIO + "?obsno=0404910601&level=PPS&instname=M1", headers={"Range": "bytes=3-"})
    assert ignored.status == 200


async def test_names(get):
    url = "https://cds.unistra.fr/cgi-bin/nph-sesame/SNV?"
    for name in ("Abell%20907", "abell907", "ABELL 907"):
        response, body = await get(url + name)
        found = re.search(r"%J\s*([0-9\.]+)\s*([\+\-\.0-9]+)", body.decode())
        assert response.status == 200 and (float(found[1]), float(found[2])) == (149.59164, -11.06378)
    response, body = await get(url + "Nonesuch")
    assert response.status == 200 and "%J" not in body.decode()


async def test_every_request_is_in_the_log_and_counted(running, get):
    before = len(running.requests)
    await get(FTP + "nustar/data/obs/00/8/80002092008/pipe.log", headers={"Range": "bytes=5-"})
    while len(running.requests) == before:  # it is logged when the last byte is sent
        await anyio.sleep(0.01)
    request = running.requests[before]
    assert request.url == FTP + "nustar/data/obs/00/8/80002092008/pipe.log"
    assert (request.method, request.status, request.range) == ("GET", 206, "bytes=5-")
    assert running.peak(FTP) >= 1


async def test_a_mission_and_target_nobody_thought_of(get):
    """A new table and file are added to a sky; nothing of the sky is changed for them."""
    sky = Sky()
    sky.add_table(
        "https://archive.example/tap",
        "gamma",
        [Column("id"), Column("ra", "double"), Column("dec", "double")],
        [{"id": "G1", "ra": 83.6, "dec": 22.0}],
    )
    sky.add_file("https://archive.example/data/G1/g1.fits", b"bytes")
    sky.add_name("Crab", 83.63, 22.01)
    with sky.running_in_thread() as other:
        _, body = await get(other.local("https://archive.example/tap") + "/sync", "POST", local=False,
                            **ask("SELECT id FROM gamma WHERE 1=CONTAINS(POINT('ICRS',ra,dec),CIRCLE('ICRS',83.63,22.01,0.1))"))  # fmt: skip
        assert parse_single_table(io.BytesIO(body)).to_table()["id"][0] == "G1"
        _, body = await get(other.local("https://archive.example/data/G1/g1.fits"), local=False)
        assert body == b"bytes"


def test_settings_lead_every_service_to_the_sky_and_nowhere_else(running, tmp_path):
    made_settings = running.environment(tmp_path)
    assert {"DAXA_URL_HEASARC", "DAXA_URL_XSA", "DAXA_URL_SESAME", "DAXA_URL_SAMPLE", "DAXA_SKY", "DAXA_CACHE"} <= set(
        made_settings
    )
    assert all(
        value.startswith("http://127.0.0.1:") for name, value in made_settings.items() if name.startswith("DAXA_URL_")
    )
    assert made_settings["DAXA_OUTPUT"] == str(tmp_path / "output")


def daxa(*arguments, **options):
    command = [str(Path(sys.executable).parent / "daxa"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **options)


def test_a_command_sees_the_sky_and_its_status_comes_back(tmp_path):
    show = "import os, json, sys; print(json.dumps({k: v for k, v in os.environ.items() if k.startswith('DAXA_')})); sys.exit(7)"
    own = {"DAXA_CACHE": "/users/own", "DAXA_XSA_USER": "me", "DAXA_LOCATIONS": "s3", "DAXA_TOOL_SAS": "/opt/sas"}
    environment = {**os.environ, **own}
    environment.pop("DAXA_OUTPUT")
    done = daxa("sky", "--root", str(tmp_path), "--", sys.executable, "-c", show, env=environment)
    seen = json.loads(done.stdout)
    assert done.returncode == 7
    assert seen["DAXA_CACHE"] == str(tmp_path / "cache") and seen["DAXA_OUTPUT"] == str(tmp_path / "output")
    assert seen["DAXA_TOOL_SAS"] == "/opt/sas" and "DAXA_LOCATIONS" not in seen
    assert "DAXA_XSA_USER" not in seen and seen["DAXA_URL_HEASARC"].startswith("http://127.0.0.1:")
    assert daxa("sky", "--", "/nowhere/program").returncode == 127
    refused = daxa("sky", "--root", "/dev/null/here", "--", "true")
    assert refused.returncode == 1 and "cannot be made" in refused.stderr and "Traceback" not in refused.stderr


def test_what_a_command_makes_is_kept_apart_from_real_archives_and_stays(tmp_path):
    show = "import os; print(os.environ['DAXA_OUTPUT'], os.environ['DAXA_CACHE'])"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DAXA_")}
    done = daxa("sky", "--", sys.executable, "-c", show, env=environment, cwd=tmp_path)
    output, cache = done.stdout.split()
    assert output == str(tmp_path / "daxa_sky_output") and not Path(cache).exists()
    assert list(tmp_path.iterdir()) == []  # nothing is made before something is


def test_alone_it_serves_and_prints_its_settings(tmp_path):
    command = [str(Path(sys.executable).parent / "daxa"), "sky", "--json", "--root", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert json.loads(process.stdout.readline())["DAXA_SKY"].startswith("http://127.0.0.1:")
    finally:
        process.terminate()
        process.stdout.close()
        assert process.wait(timeout=20) == 0


def test_a_broken_contribution_is_reported_and_the_rest_works(monkeypatch):
    import importlib.metadata

    class Point:
        def __init__(self, value, load):
            self.value, self.load = value, load

    def broken():
        raise ImportError("gone")

    points = [Point("a:b", broken), Point("c:d", lambda: lambda sky: sky.add_name("X", 1.0, 2.0))]
    with monkeypatch.context() as patched:
        patched.setattr(importlib.metadata, "entry_points", lambda group: points)
        sky = Sky.installed()
    assert sky.problems == ["a:b: ImportError: gone"]
    with sky.running_in_thread() as other:
        assert other.settings()["url_sesame"].startswith("http://127.0.0.1:")

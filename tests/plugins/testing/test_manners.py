"""Manners of the archives that few requests meet: other pages, old paths, other forms of a table, and transient faults."""

import contextlib

import aiohttp
import pytest

from daxa.net.listing import parse_listing
from daxa_testing.apache import cut_short, index_page, table_page, with_links
from daxa_testing.disturbing import Disturbance
from daxa_testing.sky import Column, Sky

pytestmark = pytest.mark.anyio

FTP = "https://heasarc.gsfc.nasa.gov/FTP/"
CXC = "https://cxc.cfa.harvard.edu/cdaftp/byobsid/7/907/"
TAP = "https://cda.cfa.harvard.edu/cxctap"
TILES = "https://erosita.mpe.mpg.de/erodat/data/download/"


async def get(address, method="GET", **options):
    async with (
        aiohttp.ClientSession(auto_decompress=False) as session,
        session.request(method, address, **options) as response,
    ):
        return response, await response.read()


def sky_of(*files):
    sky = Sky()
    for url in files:
        sky.add_file(url, b"x" * 5000)
    return sky


FILES = [FTP + "a/sub/deep.fits", FTP + "a/long name & more+.fits.gz", FTP + "a/pipe.log"]


async def test_both_layouts_of_a_directory_hold_the_same():
    sky = sky_of(*FILES)
    found = []
    for page in (index_page, table_page):
        sky.set_page(FTP, page)
        with sky.running_in_thread() as running:
            _, body = await get(running.local(FTP + "a/"))
        found.append({(one.name, one.is_dir) for one in parse_listing(body.decode(), FTP + "a/")})
    assert found[0] == found[1] == {("sub", True), ("long name & more+.fits.gz", False), ("pipe.log", False)}


async def test_a_page_without_its_end_and_one_with_hostile_links():
    sky = sky_of(*FILES)
    sky.set_page(FTP, cut_short(with_links(index_page, "../../etc/passwd", "//evil.example/x"), 0.97))
    with sky.running_in_thread() as running:
        _, body = await get(running.local(FTP + "a/"))
    assert b"</html>" not in body and b"evil.example" in body and b"../../etc" in body


async def test_old_paths_of_erodat_lead_nowhere():
    sky = sky_of(TILES + "096/194/EXP_010/em01_194096_020_EventList_c010.fits.gz")
    with sky.running_in_thread() as running:
        old = running.local(TILES.replace("/erodat/", "/dr1/erodat/") + "096/194/EXP_010/")
        moved, _ = await get(old, allow_redirects=False)
        assert moved.status == 301
        followed, _ = await get(old)
        assert followed.status == 404
        assert (await get(running.local(TILES + "096/194/EXP_010/")))[0].status == 200


@pytest.mark.parametrize(("asked", "told"), [("identity", None), ("gzip, deflate", "gzip")])
async def test_cxc_calls_a_gz_encoded_for_whoever_knows_gzip(asked, told):
    sky = sky_of(CXC + "primary/x.fits.gz", FTP + "x.fits.gz")
    with sky.running_in_thread() as running:
        headers = {"Accept-Encoding": asked}
        response, body = await get(running.local(CXC + "primary/x.fits.gz"), headers=headers)
        assert response.headers.get("Content-Encoding") == told and body == b"x" * 5000
        response, _ = await get(running.local(FTP + "x.fits.gz"), headers=headers)
        assert "Content-Encoding" not in response.headers


async def test_cxc_sends_text_with_tabs_after_a_redirection():
    sky = Sky()
    columns = [Column("obsid", "int"), Column("target_name")]
    sky.add_table(TAP, "observation", columns, [{"obsid": 907, "target_name": "M 82"}, {"obsid": 908}])
    form = {"REQUEST": "doQuery", "LANG": "ADQL", "FORMAT": "text", "QUERY": "SELECT * FROM cxc.observation"}
    with sky.running_in_thread() as running:
        bare, _ = await get(running.local(TAP + "/sync"), "POST", data=form, allow_redirects=False)
        assert bare.status == 303
        response, body = await get(running.local(TAP + "/sync"), "POST", data=form)
    lines = body.decode().splitlines()
    assert response.content_type == "text/plain" and lines[0].startswith("#")
    assert [line.split("\t") for line in lines[1:]] == [["obsid", "target_name"], ["907", "M 82"], ["908", ""]]


# --- transient faults -----------------------------------------------------------------------------------------------


def test_faults_are_a_share_of_requests_and_never_many_in_a_row():
    def drawn(seed):
        made = Disturbance(0.05, seed)
        met = []
        for number in range(4000):
            row = []
            while (kind := made.fault("GET", f"/{number}", ("busy", "cut"))) is not None:
                row.append(kind)
            met.append(row)
        return met, made

    met, made = drawn(1)
    assert met == drawn(1)[0] != drawn(2)[0]
    assert max(map(len, met)) <= 2
    assert 120 < sum(map(bool, met)) < 290 and set(made.met) == {"busy", "cut"}


async def test_every_kind_of_fault_is_met_and_none_the_third_time():
    files = [FTP + f"d{number}/x.fits" for number in range(60)]
    sky = sky_of(*files)
    sky.disturbance = Disturbance(1.0, 3)
    with sky.running_in_thread() as running:
        for url in files:
            for address in (url, url.removesuffix("x.fits")):
                while True:  # the client tries again by itself when a connection is reset
                    with contextlib.suppress(aiohttp.ClientError):
                        response, body = await get(running.local(address))
                        if response.status == 200 and (body == b"x" * 5000 or b"Parent Directory" in body):
                            break
    assert len(running.requests) == 3 * 120  # two faults and an answer each
    assert set(sky.disturbance.met) == {"busy", "broken", "reset", "cut", "page", "gone", "short"}


async def test_connections_are_counted_as_the_server_sees_them():
    sky = sky_of(*FILES)
    with sky.running_in_thread() as running:
        async with aiohttp.ClientSession() as one, aiohttp.ClientSession() as other:
            for session in (one, other, one):
                async with session.get(running.local(FILES[2])) as response:
                    await response.read()
            assert (running.peak(FTP), running.connections(FTP)) == (1, 2)  # idle ones count

"""Protocols that plugins of others meet and ours do not use: DataLink, HEASARC's old batch interface, footprints."""

import io
import urllib.parse
import urllib.request
from pathlib import Path

import aiohttp
import numpy as np
import pytest
from astropy.io import fits
from astropy.io.votable import parse_single_table

from daxa_testing.footprints import Footprint
from daxa_testing.heasarc import TAP
from daxa_testing.sky import BROWSE, DATALINK, FILES, FOOTPRINTS, Column, Sky

pytestmark = pytest.mark.anyio
RECORDED = Path(__file__).parents[2] / "data" / "http" / "browse_rosmaster.fits"
COLUMNS = [Column("seq_id"), Column("ra", "double"), Column("dec", "double"), Column("exposure", "int"), Column("name")]
ROWS = [
    {"seq_id": "RP800001N00", "ra": 10.0, "dec": -5.0, "exposure": 1200, "name": "Vela"},
    {"seq_id": "RP800002N00", "ra": 10.1, "dec": -5.0, "exposure": None, "name": None},
    {"seq_id": "RH800003N00", "ra": 200.0, "dec": 60.0, "exposure": 7, "name": "M 51"},
]
DIRECTORY = f"{FILES}nustar/data/obs/00/8/80002092003/"


@pytest.fixture(scope="module")
def running():
    sky = Sky()
    sky.add_table(TAP, "rosmaster", COLUMNS, ROWS)
    sky.add_links("numaster", "4711", "nustar", DIRECTORY)
    sky.add_browse(TAP)
    sky.add_footprint(Footprint("2798", 10.0, -5.0, "ACIS-I", "Vela", "POLYGON ICRS 9.9 -5.1 10.1 -5.1 10 -4.9"))
    with sky.running_in_thread() as served:
        yield served


@pytest.fixture
async def get(running):
    async with aiohttp.ClientSession() as session:

        async def ask(url, method="GET", **options):
            async with session.request(method, running.local(url), **options) as response:
                return response.status, await response.read()

        yield ask


def table(body):
    return parse_single_table(io.BytesIO(body), verify="ignore").to_table(use_names_over_ids=True)


# --- DataLink ------------------------------------------------------------------------------------------------------------


async def test_a_row_has_several_links_and_one_of_them_is_the_directory(get):
    status, body = await get(f"{DATALINK}/numaster?sizefiles=false", "POST", data={"ID": "4711"})
    links = table(body)
    kept = [one for one in links if "/FTP/" in one["access_url"] and "content=datalink" not in one["content_type"]]
    assert status == 200 and len(links) == 3 and len(kept) == 1
    assert kept[0]["access_url"] == DIRECTORY.replace("/8/8", "/8//8")  # the slash is doubled
    assert kept[0]["semantics"].endswith("products.jsp#nustar.obs")


async def test_a_row_without_products_has_an_error_alone(get):
    _, body = await get(f"{DATALINK}/numaster", "POST", data={"id": "1"})
    (only,) = table(body)
    assert only["error_message"] and not only["access_url"]


async def test_many_rows_are_not_asked_for_in_an_address(get):
    many = [("ID", str(number)) for number in range(1000)]
    status, _ = await get(f"{DATALINK}/numaster?{urllib.parse.urlencode(many)}")
    assert status == 414
    status, body = await get(f"{DATALINK}/numaster", "POST", data=many)
    assert status == 200 and len(table(body)) == 1000


# --- the old batch interface -----------------------------------------------------------------------------------------------


def query(name="rosmaster", **more):
    given = {"tablehead": f"name=BATCHRETRIEVALCATALOG_2.0 {name}", "Action": "Query", "ResultMax": "0", **more}
    return f"{BROWSE}?{urllib.parse.urlencode(given)}&Fields="


async def test_rows_come_as_an_ascii_table(get):
    status, body = await get(f"{query(displaymode='FitsDisplay')}&varon=seq_id&varon=ra&varon=exposure&varon=name")
    with fits.open(io.BytesIO(body)) as hdus, fits.open(RECORDED) as recorded:
        assert isinstance(hdus[1], fits.TableHDU) and isinstance(recorded[1], fits.TableHDU)
        assert hdus[1].columns.names == ["SEQ_ID", "RA", "EXPOSURE", "NAME"]
        assert all(name.isupper() for name in recorded[1].columns.names if name.isalpha())
        assert [one.strip() for one in hdus[1].data["SEQ_ID"]] == [row["seq_id"] for row in ROWS]
        assert np.array_equal(hdus[1].data["RA"], [row["ra"] for row in ROWS])
        assert hdus[1].data["EXPOSURE"][0] == 1200 and [one.strip() for one in hdus[1].data["NAME"]] == [
            "Vela",
            "",
            "M 51",
        ]
    assert status == 200


async def test_no_rows_are_an_empty_image(get):
    _, body = await get(f"{query(Entry='100,0', Radius='1 arcmin')}&varon=ra")
    with fits.open(io.BytesIO(body)) as hdus:
        assert isinstance(hdus[1], fits.ImageHDU) and hdus[1].data is None


async def test_a_cone_and_text(get):
    _, body = await get(f"{query(Entry='10,-5', Radius='10', displaymode='BatchDisplay')}&varon=seq_id&varon=exposure")
    assert body.decode().splitlines() == [
        "BatchStart", "|seq_id|exposure|", "|RP800001N00|1200|", "|RP800002N00||", "BatchEnd"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (query() + "&varon=RA", "column RA does not exist"),  # upper case, until 2026
        (query("rospublic") + "&varon=ra", "Table rospublic does not seem to exist!"),
        (BROWSE + "?Action=Query", "BATCH_RETRIEVAL_MSG ERROR"),
        (query(Entry="nowhere") + "&varon=ra", "could not be resolved"),
    ],
)
async def test_errors_are_pages_and_successes(get, asked, said):
    status, body = await get(asked)
    assert status == 200 and said in body.decode() and "Error from Browse" in body.decode()


# --- footprints -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("more", "count"), [("", 1), ("&INST=ACIS-I,ACIS-S", 1), ("&INST=HRC-I", 0)])
async def test_footprints_near_a_position(get, more, count):
    _, body = await get(f"{FOOTPRINTS}?strict=1&POS=10.01,-5.0&SIZE=0.2{more}")
    assert len(table(body)) == count and (b"nrows=" in body) == bool(count)  # of nothing it does not tell the number
    assert b'version="1.1"' in body


async def test_footprints_want_a_position(get):
    _, body = await get(f"{FOOTPRINTS}?POS=here")
    assert b'value="ERROR"' in body

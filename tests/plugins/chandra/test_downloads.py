"""What is on disk after a download of Chandra: by wish, revision, pointing, and place it can be had from."""

import pytest

from daxa.context import use_context
from daxa.exceptions import MissingFileError, NetworkError
from daxa_chandra import testing
from daxa_chandra.mission import Chandra
from daxa_testing.sky import Sky

from ..skies import context_of, fits, gz

pytestmark = pytest.mark.anyio

WHEN = "2002-10-26 01:19:30"


def tree(
    stem="acisf03205", revision="N006", primary=("evt2", "full_img2", "bpix1"), secondary=("evt1", "mtl1", "osol1")
):
    files = {f"primary/{stem}{revision}_{kind}.fits.gz": gz() for kind in primary}
    files |= {f"secondary/{stem}_000{revision}_{kind}.fits.gz": gz() for kind in secondary}
    return files


PLAIN = {**tree(), "oif.fits": fits(), "00README": b"text\n", "primary/acisf03205N006_cntr_img2.jpg": b"\xff\xd8"}
REVISED = {
    **tree("acisf00027", "N002"),
    **tree("acisf00027", "N010"),
    **tree("acisf00027", "N009"),
    "primary/pcadf137N003_asol1.fits.gz": gz(),
    "primary/orbitf135N001_eph1.fits.gz": gz(),
}
POINTINGS = {1: fits(), 2: fits().replace(b"                    8", b"                   16")}
SEVERAL = {
    f"{where}/acisf02798_00{obi}N004_{kind}.fits.gz": gz(POINTINGS[obi])
    for obi in (1, 2)
    for where, kind in (("primary", "evt2"), ("primary", "full_img2"), ("secondary", "evt1"))
}
HRC = {**tree("hrcf00100", "N003", ("evt2", "full_img2"), ("evt1", "flt1", "msk1", "stat1"))}
TREES = {"3205": PLAIN, "27": REVISED, "2798": SEVERAL, "100": HRC}


def local(files):
    return {name.removesuffix(".gz") for name in files}


RAW = {"download_products": False}
PRODUCTS = {"download_products": True, "download_raw": False}
BOTH = {"download_products": True}


def expected(obs_id, wish):
    wanted = {"oif.fits"} if obs_id == "3205" else set()
    for name in TREES[obs_id]:
        part, kept = name.partition("/")[0], name.endswith(".gz") and "osol1" not in name
        old = obs_id == "27" and ("N002" in name or "N009" in name)
        if (
            kept
            and not old
            and (part == "primary" if wish is PRODUCTS else part == "secondary" if wish is RAW else True)
        ):
            wanted.add(name.removesuffix(".gz"))
    return wanted


@pytest.fixture(scope="module")
def sky():
    made = Sky()
    for number, (obs_id, files) in enumerate(TREES.items()):
        more = {"detector": "HRC-I"} if files is HRC else {}
        testing.add_observation(made, obs_id, 10.0 + number, 20.0, WHEN, 47700.0, files, **more)
    with made.running_in_thread() as running:
        yield running


async def downloaded(running, path, obs_id, **options):
    with use_context(context_of(running, path)):
        mission = Chandra()
        await mission.filter_on_obs_ids(obs_id)
        report = await mission.download(**{"on_error": "collect", **options})
    here = path / "output" / "chandra_raw" / obs_id
    return mission, report, {one.relative_to(here).as_posix() for one in here.rglob("*") if one.is_file()}


@pytest.mark.parametrize("wish", [RAW, PRODUCTS, BOTH], ids=["raw", "products", "both"])
@pytest.mark.parametrize("obs_id", list(TREES))
async def test_which_files_come(sky, tmp_path, obs_id, wish):
    mission, report, files = await downloaded(sky, tmp_path, obs_id, **wish)
    assert report.observations[0].state == "complete" and files == expected(obs_id, wish)
    assert set(mission.downloaded_files(obs_id)) == files


async def test_the_newest_revision_is_the_one_that_is_found(sky, tmp_path):
    mission, _, files = await downloaded(sky, tmp_path, "27", **PRODUCTS)
    assert mission.label(mission.observation("27"), sorted(files))[0].path.endswith("N010_evt2.fits")
    older = [*files, "primary/acisf00027N002_evt2.fits"]  # it stayed from an earlier download
    assert mission.label(mission.observation("27"), older) == mission.label(mission.observation("27"), sorted(files))


async def test_an_older_revision_that_stayed_is_not_in_the_way(sky, tmp_path):
    mission, *_ = await downloaded(sky, tmp_path, "27", **PRODUCTS)
    path = mission.get_evt_list_path("27")
    assert path.endswith("primary/acisf00027N010_evt2.fits")
    (tmp_path / "output/chandra_raw/27/primary/acisf00027N002_evt2.fits").write_bytes(fits())
    assert mission.get_evt_list_path("27") == path


async def test_pointings_of_one_observation_do_not_collide(sky, tmp_path):
    mission, _, files = await downloaded(sky, tmp_path, "2798")
    here = tmp_path / "output/chandra_raw/2798/primary"
    assert {obi: (here / f"acisf02798_00{obi}N004_evt2.fits").read_bytes() for obi in (1, 2)} == POINTINGS
    with pytest.warns(UserWarning, match="2798 was taken in several pointings"):
        assert mission.label(mission.observation("2798"), sorted(files)) == []
    with pytest.raises(MissingFileError, match="2 files"):
        mission.get_evt_list_path("2798")


async def test_a_single_pointing_may_have_its_number_in_its_name(tmp_path):
    made = Sky()
    testing.add_observation(made, "2798", 10.0, 20.0, WHEN, 1.0, {k: v for k, v in SEVERAL.items() if "_001" in k})
    with made.running_in_thread() as running:
        mission, _, _files = await downloaded(running, tmp_path, "2798")
    assert mission.get_evt_list_path("2798").endswith("/primary/acisf02798_001N004_evt2.fits")


# --- the observatory's own site --------------------------------------------------------------------------------------


async def test_what_heasarc_lacks_comes_from_the_observatory(tmp_path):
    made = Sky()
    testing.add_observation(made, "3205", 10.0, 20.0, WHEN, 1.0, {k: v for k, v in PLAIN.items() if "primary" not in k})
    testing.add_rows(made, [testing.row("27", 11.0, 20.0, WHEN, 1.0)])
    for obs_id, files in (("3205", PLAIN), ("27", REVISED)):
        testing.add_cxc_files(made, obs_id, files)
    with made.running_in_thread() as running:
        for obs_id in ("3205", "27"):
            _, report, files = await downloaded(running, tmp_path, obs_id)
            assert report.observations[0].state == "complete" and files == expected(obs_id, BOTH)
            assert all("cxc.cfa.harvard.edu" in one.url for one in report.files)
        *_, report, files = await downloaded(running, tmp_path / "raw", "3205", **RAW)
        assert files == expected("3205", RAW) and all("heasarc" in one.url for one in report.files)


async def test_a_file_that_heasarc_lists_and_has_not(tmp_path, monkeypatch):
    from daxa.net.client import Patience

    monkeypatch.setattr(Patience, "wait", lambda self, attempt: 0.01)
    made = Sky()
    testing.add_observation(made, "3205", 10.0, 20.0, WHEN, 1.0, PLAIN)
    testing.add_cxc_files(made, "3205", PLAIN)
    directory = made._hosts["heasarc.gsfc.nasa.gov"].tree
    answers = made._hosts["heasarc.gsfc.nasa.gov"].__class__.answer

    async def answer(self, request, path):
        from aiohttp import web

        if self.tree is directory and path.endswith("_evt2.fits.gz"):
            return web.Response(status=500)
        return await answers(self, request, path)

    monkeypatch.setattr(made._hosts["heasarc.gsfc.nasa.gov"].__class__, "answer", answer)
    with made.running_in_thread() as running:
        _, report, files = await downloaded(running, tmp_path, "3205")
    assert report.observations[0].state == "complete" and files == expected("3205", BOTH)
    elsewhere = [one.path for one in report.files if "cxc.cfa" in one.url]
    assert elsewhere == ["primary/acisf03205N006_evt2.fits"]


async def test_both_are_down(tmp_path):
    from daxa.context import Context
    from daxa.net.client import Patience, open_net
    from daxa.specs import Want

    closed = {"url_heasarc": "http://127.0.0.1:9/", "url_cxc": "http://127.0.0.1:9/"}
    async with open_net(Context(**closed), patience=Patience(attempts=1)) as net:
        with pytest.raises(NetworkError, match="could not be had"):
            async for _ in Chandra().remote_files({"ObsID": "3205"}, Want(), net):
                pass

"""What is on disk after a download of ROSAT: sets that lack files, and every way in which they are compressed."""

import pytest

from daxa.context import use_context
from daxa_rosat import testing
from daxa_rosat.mission import ROSATAllSky, ROSATPointed
from daxa_testing.sky import Sky

from ..skies import context_of, fits, gz, lzw

pytestmark = pytest.mark.anyio

WHEN = ("1992-06-18 03:25:11", "1992-06-19 13:06:43")
PSPC = ("anc", "bas", "bk1", "bk2", "bk3", "im1", "im2", "im3", "mex")
PACKED = {".fits.Z": lzw, ".fits": fits, ".fits.gz": gz}


def tree(obs_id, kinds, endings=()):
    files = {}
    for kind in kinds:
        ending = dict(endings).get(kind, ".fits.Z")
        files[f"{obs_id.lower()}_{kind}{ending}"] = PACKED[ending]()
    return {**files, f"{obs_id.lower()}_raw.fits.Z": lzw(), f"{obs_id.lower()}.public_contents": b"text\n"}


WHOLE, THIN, PLAIN, TWICE, OLD, EMPTY = (
    "RP800282N00",
    "RP800283N00",
    "WP800284N00",
    "RP800285N00",
    "RP700068",
    "RP700069",
)
HRI, TILE = "RH800286N00", "RS931625N00"
TREES = {
    WHOLE: tree(WHOLE, PSPC),
    THIN: tree(THIN, ("bas", "im1", "mex")),  # sets lack files
    PLAIN: tree(PLAIN, PSPC, {"mex": ".fits", "bas": ".fits.gz"}),
    TWICE: {**tree(TWICE, PSPC), **tree(TWICE, ("mex",), {"mex": ".fits"})},  # both forms are there
    OLD: tree(OLD, ("anc", "im1")),
    HRI: tree(HRI, ("anc", "bas", "bk1", "im1", "mex", "bk2")),
    TILE: tree(TILE, PSPC, {"mex": ".fits"}),
}
ALWAYS, PRODUCTS_OF = {"anc", "bas"}, {obs_id: set(PSPC) for obs_id in TREES} | {HRI: {"anc", "bas", "bk1", "im1"}}


@pytest.fixture(scope="module")
def sky():
    made = Sky()
    for number, (obs_id, files) in enumerate(TREES.items()):
        more = {"proc_rev": 0} if obs_id == OLD else {"instrument": "HRI"} if obs_id == HRI else {}
        if obs_id == TILE:
            more = {}
        testing.add_observation(made, obs_id, 10.0 + number, 20.0, *WHEN, files, **more)
    testing.add_rows(made, [testing.row(EMPTY, 60.0, 20.0, *WHEN, proc_rev=0)])
    with made.running_in_thread() as running:
        yield running


async def downloaded(running, path, obs_id, insts=None, **options):
    with use_context(context_of(running, path)):
        mission = ROSATAllSky() if obs_id == TILE else ROSATPointed(insts)
        await mission.filter_on_obs_ids(obs_id)
        report = await mission.download(**{"on_error": "collect", **options})
    here = path / "output" / f"{mission.name}_raw" / obs_id
    return mission, report, {one.relative_to(here).as_posix() for one in here.rglob("*") if one.is_file()}


RAW = {"download_products": False}
PRODUCTS = {"download_products": True, "download_raw": False}
BOTH = {"download_products": True}


@pytest.mark.parametrize("wish", [RAW, PRODUCTS, BOTH], ids=["raw", "products", "both"])
@pytest.mark.parametrize("obs_id", [WHOLE, THIN, PLAIN, TWICE, HRI, TILE])
async def test_which_files_come(sky, tmp_path, obs_id, wish):
    mission, report, files = await downloaded(sky, tmp_path, obs_id, **wish)
    kinds = ALWAYS if wish is RAW else PRODUCTS_OF[obs_id]
    stem = obs_id.lower()
    there = {name.partition("_")[2].partition(".")[0] for name in TREES[obs_id] if "_" in name}
    assert report.observations[0].state == "complete"
    assert files == {f"{stem}_{kind}.fits" for kind in kinds & there}
    here = tmp_path / "output" / f"{mission.name}_raw" / obs_id
    assert {(here / name).read_bytes() for name in files} == {fits()}


@pytest.mark.parametrize(("insts", "obs_id"), [("HRI", HRI), ("PSPCB", WHOLE), ("PSPC-B", PLAIN)])
@pytest.mark.filterwarnings("ignore:Some instruments")
async def test_one_instrument(sky, tmp_path, insts, obs_id):
    _, report, files = await downloaded(sky, tmp_path, obs_id, insts, **BOTH)
    assert report.observations[0].state == "complete" and len(files) == len(PRODUCTS_OF[obs_id])


@pytest.mark.parametrize("obs_id", [OLD, EMPTY])
async def test_sets_of_the_first_processing_say_so(sky, tmp_path, obs_id):
    _, report, files = await downloaded(sky, tmp_path, obs_id, **BOTH)
    problem = next(one for one in report.failed if one.code == "not-at-archive")
    if obs_id == OLD:
        assert "no event list" in problem.cause and "proc_rev 0" in problem.cause
        assert report.observations[0].state == "partial" and files == {f"{OLD.lower()}_anc.fits"}
    else:
        assert report.observations[0].state == "absent" and files == set()


async def test_products_are_found(sky, tmp_path):
    from astropy.units import Quantity

    mission, _, _files = await downloaded(sky, tmp_path, TILE, **BOTH)
    assert mission.get_expmap_path(TILE).endswith("_mex.fits") and mission.get_evt_list_path(TILE).endswith("_bas.fits")
    lo, hi = Quantity(70, "eV"), Quantity(2.4, "keV")
    assert mission.get_image_path(TILE, lo, hi).endswith("_im1.fits")
    assert mission.get_background_path(TILE, Quantity(400, "eV"), hi).endswith("_bk2.fits")


async def test_options_stand_where_daxa_has_them(sky, tmp_path):
    """There are no credentials between the number of cores and the products."""
    with use_context(context_of(sky, tmp_path)):
        mission = ROSATPointed()
        await mission.filter_on_obs_ids(WHOLE)
        report = await mission.download(2, False)
    assert not report.want.products and mission.downloaded_type == "raw"

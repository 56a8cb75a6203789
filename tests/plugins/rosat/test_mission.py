import pytest

from daxa.context import use_context
from daxa.exceptions import InvalidObsIDError, NotAtArchiveError, PreProcessedNotSupportedError
from daxa_rosat import testing
from daxa_rosat.mission import ROSATAllSky, ROSATPointed
from daxa_testing.sky import Sky

from ..recorded import assert_as_displayed, assert_kinds
from ..skies import context_of, fits, gz, listed, lzw, paths

pytestmark = pytest.mark.anyio

PSPC, HRI, OLD, NEW, TILE = "RP500065N00", "RH400344N00", "RP800282N00", "RF700068A01", "RS930521N00"
KINDS = ["anc", "bas", "bk1", "bk2", "bk3", "im1", "im2", "im3", "mex"]


def files_of(seq_id, kinds):
    return {f"{seq_id.lower()}_{kind}.fits.Z": lzw() for kind in kinds}


@pytest.fixture(scope="module")
def sky():
    made = Sky()
    days = ("1993-03-08 10:30:32", "1993-03-11 05:02:18")
    extra = {"rp500065n00_qlk.ps.Z": lzw(b"%!PS"), "rp500065n00_mov.fits.Z": lzw()}
    testing.add_observation(made, PSPC, 10.0, 20.0, *days, {**files_of(PSPC, KINDS), **extra}, instrument="PSPC")
    kinds = ["anc", "bas", "bk1", "im1"]
    testing.add_observation(made, HRI, 10.5, 20.0, *days, files_of(HRI, kinds), instrument="HRI", subj_cat=4)
    testing.add_observation(made, OLD, 85.88, 69.27, *days, files_of(OLD, ["bas"]), proc_rev=0, subj_cat=42)
    testing.add_observation(made, NEW, 30.0, 20.0, *days, files_of(NEW, ["anc"]), subj_cat=None, exposure=0)
    tile = {**files_of(TILE, KINDS[:-1]), "rs930521n00_mex.fits": fits()}
    testing.add_observation(made, TILE, 263.57, 67.5, "1990-07-11", "1991-08-13", tile)
    testing.add_observation(made, "RS930522N00", 276.4, 67.5, "1990-07-11", "1991-08-13", exposure=40_691)
    with made.running_in_thread() as running:
        yield running


@pytest.fixture
def context(sky, tmp_path):
    own = context_of(sky, tmp_path)
    with use_context(own):
        yield own


async def test_the_catalogue_of_pointed_observations(context):
    mission = ROSATPointed()
    await mission.load()
    table = mission.all_obs_info
    assert_kinds(
        table,
        {
            "ra": "f", "dec": "f", "ObsID": "text", "science_usable": "b", "start": "M", "end": "M", "duration": "m",
            "instrument": "text", "with_filter": "text", "target_category": "text", "target_name": "text",
            "proc_rev": "i", "fits_type": "text",
        },
    )  # fmt: skip
    assert list(table["instrument"]) == ["PSPCB", "HRI", "PSPCB", "PSPCB"]
    assert list(table["science_usable"]) == [True, True, True, False]
    assert mission.filtered_obs_ids.tolist() == [PSPC, HRI, OLD]


async def test_w_18_an_unknown_subject_is_misc(context):
    mission = ROSATPointed()
    await mission.load()
    assert list(mission.all_obs_info["target_category"]) == ["GCL", "NS", "MISC", "MISC"]


async def test_the_catalogue_of_the_survey(context):
    mission = ROSATAllSky()
    await mission.load()
    table = mission.all_obs_info
    assert_kinds(
        table,
        {
            "ra": "f", "dec": "f", "ObsID": "text", "science_usable": "b", "start": "M", "end": "M", "duration": "m",
            "target_category": "text",
        },
    )  # fmt: skip
    assert set(table["target_category"]) == {"ASK"} and str(table["duration"][1]) == "0 days 11:18:11"


@pytest.mark.parametrize(
    ("cls", "name"),
    [(ROSATPointed, "rosat_pointed"), (ROSATPointed, "rosat_pointed_m51"), (ROSATAllSky, "rosat_all_sky")],
)
async def test_recorded_rows(tmp_path, cls, name):
    with Sky.installed().running_in_thread() as running, use_context(context_of(running, tmp_path)):
        mission = cls()
        await mission.load()
    assert_as_displayed(mission.all_obs_info, name)


async def test_filters(context):
    mission = ROSATPointed()
    await mission.filter_on_positions([10.0, 20.9])  # 54': within 1.2 x 60' of the PSPC, beyond 1.2 x 19' of the HRI
    assert mission.filtered_obs_ids.tolist() == [PSPC]
    mission.reset_filter()
    await mission.filter_on_obs_ids([HRI.lower(), OLD])
    assert mission.filtered_obs_ids.tolist() == [HRI, OLD]
    with pytest.raises(InvalidObsIDError, match="RS930521N00"):
        await mission.filter_on_obs_ids(TILE)


async def test_w_19_instruments_are_chosen_among_what_is_left(context):
    mission = ROSATPointed("HRI")
    await mission.load()
    assert mission.filtered_obs_ids.tolist() == [HRI]
    mission.chosen_instruments = ["PSPCB", "HRI"]
    assert mission.filtered_obs_ids.tolist() == [PSPC, HRI, OLD]


@pytest.mark.parametrize(
    ("obs_id", "products", "kinds"),
    [
        (PSPC, True, KINDS),
        (PSPC, False, ["anc", "bas"]),
        (HRI, True, ["anc", "bas", "bk1", "im1"]),
        (OLD, True, ["bas"]),
    ],
)
async def test_files(context, obs_id, products, kinds):
    files, problem = await listed(ROSATPointed(), obs_id, context, raw=True, products=products)
    assert problem is None
    assert sorted(paths(files)) == [f"{obs_id.lower()}_{kind}.fits" for kind in kinds]
    assert [one.path for one in files if one.required] == [f"{obs_id.lower()}_bas.fits"]
    assert {one.unpack for one in files} == {"compress"}
    folder = {PSPC: "pspc/processed_data/500000", HRI: "hri/processed_data/400000", OLD: "pspc/processed_data/800000"}
    assert all(f"/rosat/data/{folder[obs_id]}/{obs_id.lower()}/" in one.url for one in files)


async def test_files_of_the_survey(context):
    files, problem = await listed(ROSATAllSky(), TILE, context, raw=True, products=True)
    assert problem is None
    assert sorted(paths(files)) == [f"{TILE.lower()}_{kind}.fits" for kind in KINDS]
    assert {one.path: one.unpack for one in files}[f"{TILE.lower()}_mex.fits"] == "none"
    assert all("/pspc/processed_data/900000/rs930521n00/" in one.url for one in files)


async def test_w_18_a_missing_product_does_not_cost_the_event_list(context):
    mission = ROSATPointed()
    await mission.filter_on_obs_ids(OLD)
    report = await mission.download()
    assert report.observations[0].state == "complete"
    assert mission.get_evt_list_path(OLD).endswith(f"/rosat_pointed_raw/{OLD}/rp800282n00_bas.fits")
    labels = mission.label(mission.observation(OLD), mission.downloaded_files(OLD))
    assert [(one.kind, one.inst, one.path) for one in labels] == [("events", "PSPCB", "rp800282n00_bas.fits")]


async def test_without_event_list_there_is_nothing(context):
    files, problem = await listed(ROSATPointed(), NEW, context, raw=True, products=True)
    assert isinstance(problem, NotAtArchiveError) and "no event list of ROSAT Pointed's RF700068A01" in str(problem)
    assert paths(files) == ["rf700068a01_anc.fits"]


async def test_labels(context):
    mission = ROSATPointed()
    await mission.load()
    names = [f"{PSPC.lower()}_{kind}.fits" for kind in KINDS]
    found = {(one.kind, one.lo, one.hi): one.path for one in mission.label(mission.observation(PSPC), names)}
    stem = PSPC.lower()
    assert found == {
        ("events", None, None): f"{stem}_bas.fits",
        ("image", 0.07, 2.4): f"{stem}_im1.fits",
        ("image", 0.07, 0.4): f"{stem}_im3.fits",
        ("image", 0.4, 2.4): f"{stem}_im2.fits",
        ("expmap", None, None): f"{stem}_mex.fits",
        ("backmap", 0.07, 2.4): f"{stem}_bk1.fits",
        ("backmap", 0.07, 0.4): f"{stem}_bk3.fits",
        ("backmap", 0.4, 2.4): f"{stem}_bk2.fits",
    }
    names = [f"{HRI.lower()}_{kind}.fits" for kind in KINDS]
    kinds = {one.kind for one in mission.label(mission.observation(HRI), names)}
    assert kinds == {"events", "image", "backmap"}


async def test_the_hri_has_no_exposure_maps(context):
    mission = ROSATPointed()
    await mission.filter_on_obs_ids(HRI)
    await mission.download()
    with pytest.raises(PreProcessedNotSupportedError, match="HRI"):
        mission.get_expmap_path(HRI)


async def test_a_tile_served_under_gzip_is_unpacked_too(tmp_path):
    made = Sky()
    testing.add_observation(made, TILE, 263.57, 67.5, "1990-07-11", "1991-08-13", {"rs930521n00_bas.fits.gz": gz()})
    with made.running_in_thread() as running, use_context(context_of(running, tmp_path)) as own:
        files, _ = await listed(ROSATAllSky(), TILE, own, raw=True, products=True)
    assert [(one.path, one.unpack) for one in files] == [("rs930521n00_bas.fits", "gzip")]


def test_the_survey_takes_a_state_file_first():
    """DAXA's ROSATAllSky takes nothing else."""
    with pytest.raises(FileNotFoundError):
        ROSATAllSky("/no/such/state.json")


def test_processing():
    assert ROSATPointed().ident_to_obsid("RP800282N00PSPCB") == "RP800282N00"
    assert ROSATPointed().ident_to_obsid("RH400344N00HRI") == HRI
    assert ROSATAllSky().ident_to_obsid("RS930521N00PSPC") == TILE
    with pytest.raises(NotImplementedError):
        ROSATPointed().assess_process_obs({})

import pytest

from daxa.context import use_context
from daxa.exceptions import NotAtArchiveError
from daxa_nustar import testing
from daxa_nustar.mission import NuSTARPointed
from daxa_testing.sky import Sky

from ..recorded import assert_as_displayed, assert_kinds
from ..skies import context_of, gz, listed, paths

pytestmark = pytest.mark.anyio

OBS, SOLAR, BARE = "60001110002", "90410111001", "60001110003"

FILES = {
    f"nu{OBS}.cat.gz": gz(),
    "pipe.log": b"log\n",
    f"auxil/nu{OBS}_att.fits.gz": gz(),
    f"hk/nu{OBS}A_fpm.hk.gz": gz(),
    **{f"event_uf/nu{OBS}{module}_uf.evt.gz": gz() for module in "AB"},
    **{f"event_cl/nu{OBS}{module}{mode}_cl.evt.gz": gz() for module in "AB" for mode in ("01", "02", "06")},
    f"event_cl/nu{OBS}A01_sk.img.gz": gz(),
    f"event_cl/nu{OBS}_mkf.gz": gz(),
}


@pytest.fixture(scope="module")
def sky():
    made = Sky()
    day = ("2020-01-01 00:00:00", "2020-01-01 06:00:00.864")
    testing.add_observation(made, OBS, 10.0, 20.0, *day, FILES)
    testing.add_observation(made, SOLAR, 185.0, -2.0, *day, {f"event_cl/nu{SOLAR}A06_cl.evt.gz": gz()}, ontime_b=0.0)
    testing.add_observation(made, BARE, 30.0, 20.0, *day, {f"hk/nu{BARE}A_fpm.hk.gz": gz()}, public_date=0)
    testing.add_rows(
        made,
        [
            testing.row("60001110011", 40.0, 20.0, *day, observation_mode="SLEW"),
            testing.row("60001110012", 40.0, 20.0, *day, spacecraft_mode="STELLAR"),
            testing.row("60001110013", 40.0, 20.0, *day, status="accepted", exposure_a=-20000.0),
            testing.row("60001110014", 40.0, 20.0, *day, ontime_a=0.0, ontime_b=0.0),
            testing.row("60001110015", None, None, *day),
            testing.row("60001110016", 50.0, 20.0, *day, status="PROCESSED", subject_category="Something new"),
        ],
    )
    with made.running_in_thread() as running:
        yield running


@pytest.fixture
def context(sky, tmp_path):
    own = context_of(sky, tmp_path)
    with use_context(own):
        yield own


async def loaded(**options):
    mission = NuSTARPointed(**options)
    with pytest.warns(UserWarning, match="1 of 5 observations of NuSTAR Pointed are left out"):
        await mission.load()
    return mission


async def test_the_catalogue(context):
    table = (await loaded()).all_obs_info
    assert_kinds(
        table,
        {
            "ra": "f", "dec": "f", "ObsID": "text", "science_usable": "b", "proprietary_usable": "b", "start": "M",
            "end": "M", "duration": "m", "proprietary_end_date": "M", "target_category": "text", "exposure_a": "m",
            "exposure_b": "m", "ontime_a": "m", "ontime_b": "m", "nupsdout": "i", "issue_flag": "i",
            "target_name": "text",
        },
    )  # fmt: skip
    assert list(table["ObsID"]) == [OBS, SOLAR, BARE, "60001110016"]
    assert list(table["proprietary_usable"]) == [True, True, False, True]
    assert list(table["target_category"]) == ["AGN", "AGN", "AGN", "MISC"]
    assert str(table["end"][0]) == "2020-01-01 06:00:00.864000"
    assert str(table["duration"][0]) == "0 days 06:00:00.864000"


async def test_recorded_rows(tmp_path):
    with Sky.installed().running_in_thread() as running, use_context(context_of(running, tmp_path)):
        mission = NuSTARPointed()
        await mission.load()
    assert_as_displayed(mission.all_obs_info, "nustar_pointed")


@pytest.mark.parametrize(
    ("insts", "expected"),
    [("FB", [OBS, BARE, "60001110016"]), (["FPMA"], [OBS, SOLAR, BARE, "60001110016"])],
)
async def test_observations_in_which_no_chosen_module_was_on_are_left_out(context, insts, expected):
    mission = NuSTARPointed()
    if insts == "FB":
        with pytest.warns(UserWarning, match="FPMB"):
            mission.chosen_instruments = insts
    else:
        mission.chosen_instruments = insts
    with pytest.warns(UserWarning, match="left out"):
        await mission.load()
    assert mission.filtered_obs_ids.tolist() == expected


async def test_filters(context):
    mission = await loaded()
    await mission.filter_on_obs_ids([OBS, SOLAR])
    assert mission.filtered_obs_ids.tolist() == [OBS, SOLAR]
    await mission.filter_on_positions([10.0, 20.1])  # within 7.8 arcmin
    assert mission.filtered_obs_ids.tolist() == [OBS]


async def test_files(context):
    mission = await loaded()
    files, problem = await listed(mission, OBS, context, raw=True, products=True)
    assert problem is None
    assert sorted(paths(files)) == sorted(
        [
            f"{OBS}_cat.fits",
            f"auxil/nu{OBS}_att.fits.gz",
            f"hk/nu{OBS}A_fpm.hk.gz",
            *(f"event_uf/nu{OBS}{module}_uf.evt" for module in "AB"),
            *(f"event_cl/nu{OBS}{module}{mode}_cl.evt" for module in "AB" for mode in ("01", "02", "06")),
            f"event_cl/nu{OBS}A01_sk.img",
        ]
    )
    files, _ = await listed(mission, OBS, context, raw=False, products=True)
    assert {path.partition("/")[0] for path in paths(files)} == {f"{OBS}_cat.fits", "hk", "event_cl"}
    files, _ = await listed(mission, OBS, context, raw=True, products=False)
    assert {path.partition("/")[0] for path in paths(files)} == {f"{OBS}_cat.fits", "hk", "auxil", "event_uf"}
    mission.chosen_instruments = ["FPMB"]
    files, _ = await listed(mission, OBS, context, raw=False, products=True)
    assert [path for path in paths(files) if "event_cl" in path and "A0" in path] == []


async def test_what_is_missing_is_named(context):
    mission = await loaded()
    files, problem = await listed(mission, BARE, context, raw=True, products=True)
    assert paths(files) == [f"hk/nu{BARE}A_fpm.hk.gz"]
    assert isinstance(problem, NotAtArchiveError) and "no auxil, event_uf, event_cl" in str(problem)


async def test_download_and_labels(context):
    mission = await loaded()
    await mission.filter_on_obs_ids([OBS])
    await mission.download()
    assert mission.get_evt_list_path(OBS, "FPMB").endswith(f"/nustar_pointed_raw/{OBS}/event_cl/nu{OBS}B01_cl.evt")
    labels = mission.label(mission.observation(OBS), mission.downloaded_files(OBS))
    assert sorted((one.kind, one.inst, one.path) for one in labels) == [
        ("events", "FPMA", f"event_cl/nu{OBS}A01_cl.evt"),
        ("events", "FPMB", f"event_cl/nu{OBS}B01_cl.evt"),
        ("image", "FPMA", f"event_cl/nu{OBS}A01_sk.img"),
    ]
    assert {(one.lo, one.hi) for one in labels if one.kind == "image"} == {(3.0, 78.0)}


async def test_a_module_without_mode_01_has_its_mode_06(context):
    mission = await loaded()
    labels = mission.label(
        mission.observation(SOLAR), [f"event_cl/nu{SOLAR}A06_cl.evt", f"event_cl/nu{SOLAR}A02_cl.evt"]
    )
    assert [(one.kind, one.inst, one.path) for one in labels] == [("events", "FPMA", f"event_cl/nu{SOLAR}A06_cl.evt")]


async def test_the_list_of_contents_is_unpacked_and_need_not_be_there(context):
    mission = await loaded()
    files, _ = await listed(mission, OBS, context, raw=False, products=True)
    (contents,) = [one for one in files if one.path.endswith("_cat.fits")]
    assert contents.unpack == "gzip" and not contents.required


def test_processing():
    mission = NuSTARPointed()
    assert mission.ident_to_obsid(f"{OBS}FPMA") == OBS
    assert mission.assess_process_obs({"FPMA": {"active": True}, "FPMB": {"active": False}}) == {
        "FPMA": True,
        "FPMB": False,
    }

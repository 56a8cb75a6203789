import pytest

from daxa.context import use_context
from daxa.exceptions import (
    AccessDeniedError,
    InvalidParameterError,
    NetworkError,
    NotAtArchiveError,
    PreProcessedNotSupportedError,
)
from daxa_testing.sky import Sky
from daxa_xmm import testing
from daxa_xmm.mission import XMMPointed

from ..recorded import assert_as_displayed, assert_kinds
from ..skies import context_of, fits, gz, listed, paths

pytestmark = pytest.mark.anyio

OBS, TWO, NONE, SLEW, OLD = "0123700101", "0505720401", "0201901401", "9000000001", "0153950401"
SOON = "2150-01-01 00:00:00"


def pps(obs_id, *names):
    return {f"P{obs_id}{name}0000.FTZ": gz() for name in names}


def odf(obs_id):
    kinds = ["M1S00110IME.FIT", "M2S00210IME.FIT", "PNS00301IME.FIT", "R1S00400SPE.FIT", "OMS00500IMI.FIT",
             "SCX00000ATS.FIT", "SCX00000SUM.ASC"]  # fmt: skip
    return {f"0070_{obs_id}_{kind}": fits() if kind.endswith("FIT") else b"text\n" for kind in kinds}


@pytest.fixture(scope="module")
def sky():
    made = Sky()
    names = ["M1S001MIEVLI", "M2S002MIEVLI", "PNS003PIEVLI", "PNS003OOEVLI", "R1S004EVENLI", "M1S001IMAGE_"]
    when = ("2004-06-17 10:38:28", 14913)
    testing.add_observation(made, OBS, 149.59, -11.06, *when, pps=pps(OBS, *names), odf=odf(OBS))
    two = pps(TWO, "M1S001MIEVLI", "M1U002MIEVLI")
    testing.add_observation(made, TWO, 149.70, -11.06, *when, pps=two, revolution=1400)
    testing.add_observation(made, NONE, 149.60, -11.09, *when, proprietary_end_date=SOON)
    rows = [
        testing.row(SLEW, 40.0, 20.0, *when),
        testing.row("0000000002", 0.0, 0.0, *when),
        testing.row("0000000003", None, None, *when),
        testing.row("0000000004", 50.0, 20.0, *when, with_science="false", proprietary_end_date=testing.NO_DATE),
    ]
    testing.add_rows(made, rows)
    testing.add_rows(made, [testing.row(OLD, 60.0, 20.0, *when)])
    testing.add_files(made, OLD, pps=pps(OLD, "M1S001MIEVLI", "PNS003PIEVLI"), odf=odf(OLD), esa=False)
    with made.running_in_thread() as running:
        yield running


@pytest.fixture
def context(sky, tmp_path):
    own = context_of(sky, tmp_path)
    with use_context(own):
        yield own


async def loaded(dropped="2 of 8", **options):
    mission = XMMPointed(**options)
    with pytest.warns(UserWarning, match=f"{dropped} observations of XMM-Newton are left out"):
        await mission.load()
    return mission


KINDS = {
    "ra": "f", "dec": "f", "ObsID": "text", "start": "M", "science_usable": "b", "duration": "m",
    "proprietary_end_date": "M", "revolution": "i", "proprietary_usable": "b", "end": "M",
}  # fmt: skip


async def test_the_catalogue(context):
    mission = await loaded()
    table = mission.all_obs_info
    assert_kinds(table, KINDS)
    assert list(table["ObsID"]) == [OBS, TWO, NONE, SLEW, "0000000004", OLD]
    assert list(table["science_usable"]) == [True, True, True, True, False, True]
    assert list(table["proprietary_usable"]) == [True, True, False, True, False, True]
    assert table["proprietary_end_date"].isna().sum() == 2  # further ahead than anybody plans
    assert str(table["end"][0]) == "2004-06-17 14:47:01"


@pytest.mark.parametrize("name", ["xmm_pointed", "xmm_pointed_reloaded", "xmm_pointed_phl1811"])
async def test_recorded_rows(tmp_path, name):
    with Sky.installed().running_in_thread() as running, use_context(context_of(running, tmp_path)):
        mission = XMMPointed()
        await mission.load()
    assert_as_displayed(mission.all_obs_info, name, but=["proprietary_usable"])
    public = mission.all_obs_info.set_index("ObsID")["proprietary_usable"]
    assert public["0201903501"] and not public["0942560501"]


async def test_heasarc_as_asked(context):
    mission = await loaded("2 of 6", use_heasarc=True)
    table = mission.all_obs_info
    assert_kinds(table, KINDS)
    assert list(table["ObsID"]) == [OBS, TWO, NONE, OLD]  # no slew, nothing without science
    assert str(table["start"][0]) == "2004-06-17 10:38:28" and set(table["revolution"]) == {1000, 1400}
    files, problem = await listed(mission, OBS, context, raw=False, products=True)
    assert problem is None and all("heasarc.gsfc.nasa.gov" in one.url for one in files)


async def test_w_29_heasarc_times_are_exact(context):
    ours, theirs = await loaded(), await loaded("2 of 6", use_heasarc=True)
    both = ours.all_obs_info.merge(theirs.all_obs_info, on="ObsID")
    assert (both["start_x"] == both["start_y"]).all() and (both["end_x"] == both["end_y"]).all()


async def test_heasarc_when_esa_fails(sky, tmp_path):
    settings = {**sky.settings(), "url_xsa_tap": f"{sky.address}/no.such.host/tap"}
    own = context_of(sky, tmp_path)
    from daxa.context import Context

    own = Context(**settings, output=str(tmp_path / "o"), cache=str(tmp_path / "c"))
    with use_context(own), pytest.warns(UserWarning) as told:
        mission = XMMPointed()
        await mission.load()
    assert any("HEASARC's is used instead" in str(one.message) for one in told)
    assert OBS in mission.obs_ids


async def test_filters(context):
    mission = await loaded()
    await mission.filter_on_positions([149.59164, -11.06378])  # 18 arcmin
    assert mission.filtered_obs_ids.tolist() == [OBS, TWO, NONE]
    await mission.filter_on_obs_ids([OBS, NONE])
    assert mission.filtered_obs_ids.tolist() == [OBS, NONE]


@pytest.mark.parametrize("insts", [None, ["M1"], ["PN", "R1"]])
async def test_event_lists(context, insts):
    mission = await loaded()
    if insts:
        mission.chosen_instruments = insts
    await mission.filter_on_obs_ids(OBS)
    report = await mission.download(download_products=True, download_raw=False)
    assert report.observations[0].state == "complete"
    every = {"M1": f"PPS/P{OBS}M1S001MIEVLI0000.FIT", "M2": f"PPS/P{OBS}M2S002MIEVLI0000.FIT",
             "PN": f"PPS/P{OBS}PNS003PIEVLI0000.FIT"}  # fmt: skip
    expected = {inst: path for inst, path in every.items() if inst in (insts or ["M1", "M2", "PN"])}
    assert sorted(mission.downloaded_files(OBS)) == sorted(expected.values())
    labels = mission.label(mission.observation(OBS), mission.downloaded_files(OBS))
    assert {(one.kind, one.inst, one.subexp): one.path for one in labels} == {
        ("events", inst, path[17:21]): path for inst, path in expected.items()
    }


async def test_several_sub_exposures(context):
    mission = await loaded()
    await mission.filter_on_obs_ids(TWO)
    await mission.download(download_products=True, download_raw=False)
    labels = mission.label(mission.observation(TWO), mission.downloaded_files(TWO))
    assert [(one.inst, one.subexp) for one in labels] == [("M1", "S001"), ("M1", "U002")]


async def test_the_odf_of_the_chosen_instruments(context):
    mission = await loaded()
    await mission.filter_on_obs_ids(OBS)
    await mission.download()
    names = mission.downloaded_files(OBS)
    assert {name for name in names if "MANIFEST" not in name} == {
        name for name in odf(OBS) if "_R1" not in name and "_OM" not in name
    }
    with pytest.raises(PreProcessedNotSupportedError):
        mission.get_evt_list_path(OBS)


async def test_heasarc_has_what_esa_has_not(context):
    mission = await loaded()
    files, problem = await listed(mission, OLD, context, raw=True, products=True)
    assert problem is None
    expected = {name for name in odf(OLD) if "_R1" not in name and "_OM" not in name}
    expected |= {f"PPS/P{OLD}M1S001MIEVLI0000.FIT", f"PPS/P{OLD}PNS003PIEVLI0000.FIT"}
    assert set(paths(files)) == expected
    await mission.filter_on_obs_ids(OLD)
    report = await mission.download(download_products=True)
    assert report.observations[0].state == "complete" and set(mission.downloaded_files(OLD)) == expected


async def test_in_the_catalogue_with_no_files(context):
    mission = await loaded()
    for want in ({"raw": True, "products": True}, {"raw": False, "products": True}):
        files, problem = await listed(mission, NONE, context, **want)
        assert not files and isinstance(problem, AccessDeniedError)  # it is not public
        assert "no event list of M1, M2, PN" in str(problem)
    await mission.filter_on_obs_ids([TWO])
    report = await mission.download(download_products=True, on_error="collect")
    assert (report.observations[0].state, "no ODF" in report.observations[0].cause) == ("partial", True)


async def test_a_service_that_is_down_is_not_an_empty_archive(sky, tmp_path):
    from daxa.context import Context
    from daxa.net.client import Patience, open_net
    from daxa.specs import Want

    closed = "http://127.0.0.1:9/"  # nobody listens there
    own = Context(**{**sky.settings(), "url_xsa": closed}, output=str(tmp_path / "o"), cache=str(tmp_path / "c"))
    want = Want(raw=False, products=True, instruments=("M1",))

    async def files(obs_id):
        async with open_net(own, patience=Patience(attempts=2, first=0.01)) as net:
            return [one async for one in XMMPointed(context=own).remote_files({"ObsID": obs_id}, want, net)]

    assert paths(await files(OBS)) == [f"PPS/P{OBS}M1S001MIEVLI0000.FIT"]  # HEASARC's
    with pytest.raises(NetworkError) as told:
        await files(NONE)
    assert not isinstance(told.value, NotAtArchiveError)


@pytest.mark.parametrize("name", ["P0123700101M1S001IMAGE_8000.FTZ", "P0505720401M1S001MIEVLI0000.FIT", "notes.txt"])
def test_w_29_unexpected_names_are_no_event_lists(name):
    labels = XMMPointed().label({"ObsID": OBS}, [name, f"PPS/{name}"])
    assert "events" not in {one.kind for one in labels}


def test_instruments():
    with pytest.warns(UserWarning, match="M1, PN"):
        assert XMMPointed(["MOS1", "pn"]).chosen_instruments == ["M1", "PN"]
    with pytest.raises(InvalidParameterError):
        XMMPointed("ACIS")


def test_processing():
    mission = XMMPointed(["M1", "PN", "R1", "OM"])
    for ident in (OBS, f"{OBS}PN", f"{OBS}M1S001"):
        assert mission.ident_to_obsid(ident) == OBS
    good = {"type": "SCIENCE", "filter": "Thin1", "mode": "PrimeFullWindow"}
    assert mission.assess_process_obs(
        {
            "M1": {
                "exposures": {"S001": good, "S002": {**good, "filter": "CalClosed"}, "S003": {**good, "filter": None}}
            },
            "R1": {"exposures": {"S004": {**good, "filter": None}, "S005": {**good, "mode": "Diagnostic"}}},
            "PN": {"exposures": {"S006": {**good, "type": "CAL"}}},
            "OM": {},
            "M2": {"exposures": {"S007": good}},
        }
    ) == {
        "M1": {"S001": True, "S002": False, "S003": False},
        "R1": {"S004": True, "S005": False},
        "PN": {"S006": False},
        "OM": {},
    }

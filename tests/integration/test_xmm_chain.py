"""The whole chain of XMM-Newton, with stand-ins for SAS and HEASoft."""

import os
import re
from pathlib import Path

import pytest
from astropy.units import Quantity, UnitConversionError

import daxa_xmm
from daxa import doctor
from daxa.archive import Archive
from daxa.context import Context, use_context
from daxa.exceptions import InvalidParameterError, MissingToolError, ParameterTypeError
from daxa.mission import XMMPointed
from daxa.tools import FoundTool
from daxa_testing.sky import Sky
from daxa_xmm import testing
from daxa_xmm.testing import sas
from daxa_xmm.testing.sas import rules

pytestmark = pytest.mark.anyio
ONE, TWO, CLOSED, ODD = "0201903501", "0404910601", "0102041001", "0112260101"
INCOMPLETE = {"0112260201": "SCX00000SUM.ASC", "0112260301": "SCX00000ATS.FIT"}
"""Observations whose raw files lack one that is needed."""
PROCESSES = ["cif_build", "odf_ingest", "epchain", "emchain", "espfilt", "cleaned_evt_lists", "merge_subexposures"]


@pytest.fixture(scope="module")
def sky():
    made = Sky()
    several = ("M1S001", "M1U002", "M2S002", "PNS003", "R1S004", "OMS006")
    none = [
        sas.Exposure(instrument=one[:2], name=one[2:], filter="CalClosed") for one in ("M1S001", "M2S002", "PNS003")
    ]
    odd = ("M1S001", "PNS003", *(sas.Exposure(instrument="PN", **more) for more in (
        {"name": "U002", "mode": "UNDEFINED", "kind": "ODI", "ccds": [1]}, {"name": "U009", "mode": "UNDEFINED"},
        {"name": "S007", "mode": "FastTiming", "kind": "TIE", "ccds": [4]}, {"name": "U008", "kind": "ODI", "ccds": [1]},
    )))  # fmt: skip
    kept = ((ONE, sas.USUAL, 828), (TWO, several, 1184), (CLOSED, none, 97), (ODD, odd, 120))
    for obs_id, exposures, revolution in kept:
        files = sas.odf(obs_id, exposures, revolution=revolution)
        testing.add_observation(
            made, obs_id, 149.59, -11.06, "2004-06-17 10:38:28", 14913.0, odf=files, revolution=revolution
        )
    for obs_id, ending in INCOMPLETE.items():
        files = {name: one for name, one in sas.odf(obs_id, revolution=120).items() if not name.endswith(ending)}
        testing.add_observation(made, obs_id, 149.59, -11.06, "2004-06-17 10:38:28", 14913.0, odf=files, revolution=120)
    with made.running_in_thread() as running:
        yield running


@pytest.fixture
def tools(tmp_path):
    return sas.install(tmp_path / "sas", events=300)


@pytest.fixture
def context(sky, tools, tmp_path):
    made = Context(
        **sky.settings(),
        output=str(tmp_path / "output"),
        cache=str(tmp_path / "cache"),
        tool_sas=str(tools),
        tool_heasoft=str(tools / "headas"),
        cores="2",
    )
    with use_context(made):
        yield made


async def archive(*obs_ids, name="xmm", insts=None):
    mission = XMMPointed(insts)
    await mission.filter_on_obs_ids(list(obs_ids))
    return await Archive(name, mission)


def done(arch, process):
    return arch.process_success["xmm_pointed"].get(process, {})


async def test_from_raw_files_to_images(context):
    arch = await archive(ONE, TWO)
    summary = await daxa_xmm.full_process_xmm(arch)
    assert summary.good, arch.failures()["sentence"].tolist()
    assert sorted(arch.process_names["xmm_pointed"]) == sorted(PROCESSES)
    assert dict(done(arch, "merge_subexposures")) == {
        f"{obs_id}{inst}": True for obs_id in (ONE, TWO) for inst in ("M1", "M2", "PN")
    }
    kept = {Path(path).relative_to(arch.archive_path).as_posix() for path in arch.products()["path"]}
    base = f"processed_data/xmm_pointed/{TWO}"
    assert {
        f"{base}/ccf.cif",
        f"{base}/1184_{TWO}_SCX00000SUM.SAS",
        f"{base}/P{TWO}OBX000ATTTSR0000.FIT",
        f"{base}/events/obsid{TWO}-instPN-subexpS003-ootevents.fits",
        f"{base}/background/obsid{TWO}-instPN-subexpS003-allgoodOoTevents.fits",
        f"{base}/cleaning/obsid{TWO}-instM1-subexpU002-en2500_8500keV-gti.fits",
        f"{base}/cleaning/obsid{TWO}-instM1-subexpU002-hist.qdp",
        f"{base}/events/obsid{TWO}-instM1-subexpU002-en-cleanevents.fits",
        f"{base}/events/obsid{TWO}-instM1-subexpALL-en-finalevents.fits",
        f"{base}/events/obsid{TWO}-instPN-subexpALL-en-finalootevents.fits",
        f"{base}/background/obsid{TWO}-instPN-subexpALL-en-finalallgoodootevents.fits",
        f"{base}/images/obsid{TWO}-instPN-subexpALL-en0.5_2.0keV-image.fits",
        f"{base}/images/obsid{TWO}-instPN-subexpALL-en2.0_10.0keV-expmap.fits",
    } <= kept
    assert arch.process_extra_info["xmm_pointed"]["cleaned_evt_lists"][f"{TWO}PNS003"] == {
        "evt_clean_path": f"{arch.archive_path}{base}/events/obsid{TWO}-instPN-subexpS003-en-cleanevents.fits",
        "oot_evt_clean_path": f"{arch.archive_path}{base}/events/obsid{TWO}-instPN-subexpS003-en-cleanootevents.fits",
        "en_key": "",
    }
    again = await daxa_xmm.full_process_xmm(arch)
    assert set(again.counts) == {"reused"} or all(
        state.value == "reused" for state, count in again.counts.items() if count
    )


async def test_raw_data_are_left_as_they_were(context):
    arch = await archive(ONE)
    raw = Path(arch["xmm_pointed"].raw_data_path) / ONE
    before = {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in raw.iterdir()}
    await arch.run("merge_subexposures")
    assert {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in raw.iterdir()} == before


async def test_the_spectrometers_have_a_chain_of_their_own(context):
    arch = await archive(ONE, insts=["R1", "R2"])
    summary = await arch.run("cleaned_rgs_event_lists")
    assert summary.good
    assert dict(done(arch, "cleaned_rgs_event_lists")) == {f"{ONE}R1S004": True, f"{ONE}R2S005": True}
    path = arch.process_extra_info["xmm_pointed"]["cleaned_rgs_event_lists"][f"{ONE}R1S004"]["evt_clean_path"]
    assert path.endswith(f"{ONE}/events/obsid{ONE}-instR1-subexpS004-finalevents.fits")
    assert "epchain" not in arch.process_names["xmm_pointed"]


async def test_energies_ccds_and_out_of_time_events_work(context):
    arch = await archive(TWO)
    summary = await daxa_xmm.full_process_xmm(
        arch, lo_en=Quantity(500, "eV"), hi_en=Quantity(2, "keV"), find_mos_anom_state=True, process_unscheduled=False
    )
    assert summary.good
    assert set(done(arch, "emanom")) == {f"{TWO}M1S001", f"{TWO}M2S002"}
    extra = arch.process_extra_info["xmm_pointed"]
    assert extra["cleaned_evt_lists"][f"{TWO}M1S001"]["en_key"] == "0.5_2.0keV"
    assert extra["merge_subexposures"][f"{TWO}PN"]["final_oot_evt"].endswith(
        f"obsid{TWO}-instPN-subexpALL-en0.5_2.0keV-finalootevents.fits"
    )
    log = arch.get_process_logs("cleaned_evt_lists", full_ident=f"{TWO}M1S001")["xmm_pointed"][f"{TWO}M1S001"]
    assert "CCDNR in" in log
    assert f"{TWO}M1U002" not in done(arch, "emchain")
    assert "unscheduled" in arch.tasks(process="emchain", subexp="U002")["cause"].iloc[0]


async def test_limits_of_the_energy_hold_for_the_call_that_names_them(context):
    arch = await archive(ONE, insts=["M1"])
    band = {"lo_en": Quantity(500, "eV"), "hi_en": Quantity(2, "keV")}
    for limits, key in ((band, "0.5_2.0keV"), ({}, ""), (band, "0.5_2.0keV")):
        assert (await daxa_xmm.full_process_xmm(arch, **limits)).good
        extra = arch.process_extra_info["xmm_pointed"]
        assert extra["cleaned_evt_lists"][f"{ONE}M1S001"]["en_key"] == key
        final = Path(extra["merge_subexposures"][f"{ONE}M1"]["final_evt"])
        assert final.name == f"obsid{ONE}-instM1-subexpALL-en{key}-finalevents.fits" and final.is_file()


@pytest.mark.parametrize(
    ("timeout", "error"),
    [
        (Quantity(3, "keV"), UnitConversionError),
        (Quantity(3, "keV"), ParameterTypeError),
        (Quantity([3, 4], "s"), ParameterTypeError),
        ("long", ParameterTypeError),
        (Quantity(0, "s"), InvalidParameterError),
    ],
)
async def test_a_time_limit_is_a_time(context, timeout, error):
    arch = await archive(ONE)
    with pytest.raises(error, match="timeout is"):
        await daxa_xmm.cif_build(arch, timeout=timeout)
    assert "cif_build" not in set(arch.tasks()["process"])


async def test_a_failing_exposure_leaves_the_others(context, tools):
    message = "** espfilt: error (noCounts), All histo counts are zero! Check your FOV Lightcurve!\n"
    sas.write_scenario(tools, [rules.fails("espfilt", f"{TWO}M1S001", stderr=message)])
    arch = await archive(ONE, TWO)
    summary = await arch.run("merge_subexposures")
    assert [str(one.key.data_id.ident) for one in summary.failures] == [f"{TWO}M1S001"]
    assert arch.get_failed_processes("espfilt") == {"xmm_pointed": [f"{TWO}M1S001"]}
    assert arch.process_errors["xmm_pointed"]["espfilt"][f"{TWO}M1S001"] == [
        "noCounts raised by espfilt - All histo counts are zero! Check your FOV Lightcurve!"
    ]
    assert arch.raw_process_errors["xmm_pointed"]["espfilt"] == {f"{TWO}M1S001": message}
    assert f"{TWO}M1S001" not in done(arch, "cleaned_evt_lists")
    assert done(arch, "merge_subexposures")[f"{TWO}M1"] is True  # of the unscheduled exposure
    sas.write_scenario(tools, [])
    again = await arch.run("merge_subexposures")
    assert again.good
    ran = set(arch.tasks(state="succeeded")["process"]) - {"download"}
    assert ran == {"espfilt", "cleaned_evt_lists", "merge_subexposures"}


async def test_success_has_three_witnesses(context, tools):
    sas.write_scenario(
        tools,
        [
            rules.writes_nothing("emchain", f"{ONE}M1S001"),
            rules.says("emchain", f"{ONE}M2S002", stderr="** emchain: error (odffiles), something is wrong\n"),
            rules.warns(
                "epchain", f"{ONE}PNS003", "** epframes: warning (notHKconstant), HK parameter F1725 varies", 110
            ),
        ],
    )
    arch = await archive(ONE)
    await arch.run(["epchain", "emchain"])
    assert dict(done(arch, "emchain")) == {f"{ONE}M1S001": False, f"{ONE}M2S002": False}
    assert done(arch, "epchain") == {f"{ONE}PNS003": True}
    causes = arch.tasks(process="emchain").set_index("inst")["cause"]
    assert "was not made" in causes["M1"]
    assert causes["M2"] == "odffiles raised by emchain - something is wrong"
    warned = arch.process_warnings["xmm_pointed"]["epchain"][f"{ONE}PNS003"]
    assert len(warned) >= 110
    assert warned[-1] == {"originator": "epframes", "name": "notHKconstant", "message": "HK parameter F1725 varies"}


async def test_an_event_list_without_events_is_no_success(context, tools):
    sas.write_scenario(
        tools,
        [
            rules.writes_no_events("emchain", f"{TWO}M1S001"),
            rules.writes_no_events("epchain", f"{TWO}PNS003"),
            rules.writes_no_events("rgsproc", f"{TWO}R1S004"),
        ],
    )
    arch = await archive(TWO, insts=["M1", "PN", "R1"])
    await arch.run(["merge_subexposures", "cleaned_rgs_event_lists"])
    assert dict(done(arch, "emchain")) == {f"{TWO}M1S001": False, f"{TWO}M1U002": True}
    assert dict(done(arch, "epchain")) == {f"{TWO}PNS003": False}
    assert dict(done(arch, "rgs_events")) == {f"{TWO}R1S004": False}
    cause = arch.tasks(process="emchain", subexp="S001")["cause"].item()
    assert cause == "emchain ended well, but its product 'evt_list' holds no events"
    assert dict(done(arch, "merge_subexposures")) == {f"{TWO}M1": True}  # of the unscheduled exposure


async def test_an_observation_that_saw_nothing_has_no_data(context):
    arch = await archive(ONE, CLOSED)
    summary = await arch.run("merge_subexposures")
    assert summary.good
    assert done(arch, "odf_ingest") == {ONE: True, CLOSED: True}
    assert not any(ident.startswith(CLOSED) for ident in done(arch, "epchain"))
    told = arch.tasks(process="epchain", obs_id=CLOSED)
    assert told["state"].tolist() == ["no_data"]
    assert "CalClosed" in told["cause"].iloc[0]


async def test_exposures_of_unknown_mode_and_of_timing_are_left_out_with_the_reason(context):
    arch = await archive(ODD)
    summary = await arch.run("merge_subexposures")
    assert summary.good
    assert dict(done(arch, "epchain")) == {
        f"{ODD}PNS003": True,
        f"{ODD}PNU009": True,
    }  # its CCDs tell that it saw the sky
    assert dict(done(arch, "merge_subexposures")) == {f"{ODD}PN": True, f"{ODD}M1": True}
    told = arch.tasks(process="epchain").set_index("subexp")["cause"]
    assert told["U002"] == "the raw data do not tell the mode it was taken in"
    assert "none of its CCDs was in imaging mode" in told["S007"] and "none of its CCDs" in told["U008"]
    assert arch.process_observation["xmm_pointed"][ODD]["PN"]["U002"] is False
    assert arch.failures().empty


async def test_raw_files_that_lack_one_fail_with_the_reason_and_leave_nothing(context):
    without_summary, without_attitude = INCOMPLETE
    arch = await archive(ONE, without_summary, without_attitude)
    summary = await arch.run("merge_subexposures")
    assert not summary.good
    assert done(arch, "odf_ingest") == {ONE: True, without_summary: False, without_attitude: True}
    (error,) = arch.process_errors["xmm_pointed"]["odf_ingest"][without_summary]
    assert error.startswith("OdfSummaryFileNotFound raised by odfingest - ")
    (error,) = arch.process_errors["xmm_pointed"]["emchain"][f"{without_attitude}M1S001"]
    assert error.startswith("attitude raised by oal - No attitude file in ")
    assert arch.final_process_success["xmm_pointed"] == {ONE: True, without_summary: False, without_attitude: False}
    for obs_id in INCOMPLETE:
        place = Path(arch.get_current_data_path("xmm_pointed", obs_id))
        assert place.parent.parent.name == "failed_data"
        kept = {path.name for path in place.rglob("*") if path.is_file() and path.parent.name != "logs"}
        assert kept <= {"ccf.cif", f"0120_{obs_id}_SCX00000SUM.SAS"}
    assert not list(Path(arch.archive_path).rglob("scratch/*"))


async def test_a_calibration_that_is_not_there_is_told(context, tools):
    for path in (tools / "ccf").iterdir():
        path.unlink()
    arch = await archive(ONE)
    await arch.run("odf_ingest")
    (error,) = arch.process_errors["xmm_pointed"]["cif_build"][ONE]
    assert error.startswith("NoCcfConstituents raised by cifbuild - ")
    assert "odf_ingest" not in arch.process_success["xmm_pointed"] or not done(arch, "odf_ingest")
    assert arch.tasks(process="odf_ingest")["state"].tolist() == ["blocked"]
    told = str(await doctor(context=context))
    assert "calibration" in told and "SAS_CCFPATH" in told


async def test_a_task_that_hangs_is_ended(context, tools):
    sas.write_scenario(tools, [rules.hangs("espfilt", f"{ONE}M1S001")])
    arch = await archive(ONE)
    await arch.run("espfilt", timeout=Quantity(3, "s"))
    assert dict(done(arch, "espfilt")) == {f"{ONE}M1S001": False, f"{ONE}M2S002": True, f"{ONE}PNS003": True}
    assert arch.tasks(process="espfilt", inst="M1")["state"].tolist() == ["timed_out"]


async def test_every_task_has_a_summary_of_its_own(context, tools):
    sas.write_scenario(tools, [rules.fails("emchain", f"{ONE}M1S001", stderr="** emchain: error (x), see {odf}\n")])
    arch = await archive(ONE)
    await arch.run("emchain")
    said = arch.raw_process_errors["xmm_pointed"]["emchain"][f"{ONE}M1S001"]
    assert re.search(r"see .*/scratch/emchain_[^/]*M1S001/odf\b", said)


async def test_other_parameters_run_what_is_stale_and_no_more(context):
    arch = await archive(ONE)
    await arch.run("merge_subexposures")
    stale = {one.task.process for one in arch.explain("merge_subexposures", espfilt={"method": "ratio"}) if one.runs}
    assert stale == {"espfilt", "cleaned_evt_lists", "merge_subexposures"}
    await daxa_xmm.espfilt(arch, method="ratio", timeout=Quantity(1, "hour"), num_cores=2)
    kept = {one.task.process for one in arch.explain("merge_subexposures") if one.runs}
    assert "espfilt" not in kept  # what was given the last time stays
    reasons = {one.task.process: one.reason for one in arch.explain("espfilt", method="histogram")}
    assert reasons["espfilt"] == "runs because parameter method changed from ratio to histogram"


FLARES = {"espfilt", "cleaned_evt_lists", "merge_subexposures"}


async def ran(arch, process="merge_subexposures", **options):
    """Run a process, and return the tasks that were started: process, and what it is of."""
    before = len(arch.history())
    await arch.run(process, **options)
    history = arch.history().iloc[before:]
    history = history[history["state"] == "running"].fillna({"inst": "", "subexp": ""})
    return {(row.process, row.obs_id, row.inst, row.subexp) for row in history.itertuples()}


def stale(arch, process="merge_subexposures", **params):
    """Tasks that would run by what `explain` says, and why."""
    return {
        (
            one.task.process,
            one.task.data_id.obs_id,
            one.task.data_id.inst or "",
            one.task.data_id.subexp or "",
        ): one.reason
        for one in arch.explain(process, **params)
        if one.runs
    }


async def test_exactly_what_is_stale_runs_and_explain_said_so(context, tools):
    arch = await archive(ONE, TWO)
    everything = await ran(arch)
    assert {one[0] for one in everything} == set(PROCESSES) and not stale(arch)
    after_flares = {one for one in everything if one[0] in FLARES}

    assert await ran(arch) == set()  # nothing changed
    started = await ran(arch, rerun="espfilt")  # a list that is made within the same second equals the old one
    assert {one for one in everything if one[0] == "espfilt"} <= started <= after_flares
    assert await ran(arch, rerun=TWO) == {one for one in everything if one[1] == TWO}
    assert await ran(arch, force=True) == {one for one in everything if one[0] == "merge_subexposures"}
    assert not stale(arch)

    said = stale(arch, espfilt={"allowed_sigma": 2.0})
    assert said[("espfilt", ONE, "PN", "S003")] == "runs because parameter allowed_sigma changed from 3 to 2"
    assert "runs because espfilt" in said[("cleaned_evt_lists", ONE, "PN", "S003")]
    assert await ran(arch, espfilt={"allowed_sigma": 2.0}) == set(said) == after_flares

    extra = arch.process_extra_info["xmm_pointed"]["cleaned_evt_lists"]
    Path(extra[f"{TWO}M2S002"]["evt_clean_path"]).unlink()
    said = stale(arch)
    assert said[("cleaned_evt_lists", TWO, "M2", "S002")] == "runs because a product of it is gone or was changed"
    gone, fed = ("cleaned_evt_lists", TWO, "M2", "S002"), ("merge_subexposures", TWO, "M2", "")
    assert set(said) == {gone, fed}
    assert await ran(arch) in ({gone, fed}, {gone})  # made within the same second, the new list equals the old one

    sas.add_constituent(tools, "EPN_ADUCONV_0199")
    said = stale(arch)
    assert "the calibration changed from 6 files" in said[("cif_build", ONE, "", "")]
    assert "to 7 files" in said[("cif_build", ONE, "", "")]
    assert await ran(arch) == set(said) == everything
    assert not stale(arch)


async def test_a_copy_of_the_calibration_is_the_same_calibration(context, tools):
    arch = await archive(ONE)
    await arch.run("cif_build")
    for path in (tools / "ccf").iterdir():
        os.utime(path, (1_000_000_000, 1_000_000_000))
    assert not stale(arch, "cif_build")
    path.write_bytes(path.read_bytes() + bytes(2880))
    assert "the calibration changed" in stale(arch, "cif_build")[("cif_build", ONE, "", "")]


async def test_the_calibration_is_looked_through_once_a_run(context, monkeypatch):
    asked = []
    told = FoundTool.calibration
    monkeypatch.setattr(FoundTool, "calibration", lambda self: asked.append(self.spec.name) or told(self))
    arch = await archive(ONE)
    await arch.run("emchain")
    assert asked == ["sas"]
    await arch.run("espfilt")
    assert asked == ["sas", "sas"]


async def test_an_observation_ends_while_another_is_ingested(context, tools):
    sas.write_scenario(tools, [rules.hangs("odfingest", TWO, seconds=4)])
    arch = await archive(ONE, TWO)
    await arch.run("merge_subexposures", num_cores=2)
    merged = arch.tasks(process="merge_subexposures", obs_id=ONE)["started"]
    assembled = arch.tasks(process="epchain", obs_id=TWO)["started"]
    assert merged.max() < assembled.min()


async def test_sub_exposures_are_known_after_ingestion_only(context):
    arch = await archive(ONE)
    assert not (arch.tasks()["process"] == "epchain").any()
    await arch.run("odf_ingest")
    summary = arch.observation_summaries["xmm_pointed"][ONE]
    assert sorted(summary) == ["M1", "M2", "PN"]
    assert summary["PN"]["exposures"]["S003"]["filter"] == "Thin1"


async def test_moved_archives_and_downloads_go_on(context, sky, tools, tmp_path):
    arch = await archive(ONE)
    await arch.run("espfilt")
    (tmp_path / "output").rename(tmp_path / "elsewhere")
    moved = Context(
        **sky.settings(),
        output=str(tmp_path / "elsewhere"),
        cache=str(tmp_path / "cache"),
        tool_sas=str(tools),
        tool_heasoft=str(tools / "headas"),
    )
    with use_context(moved):
        again = await Archive("xmm")
        assert not any(one.runs for one in again.explain("espfilt"))
        assert (await again.run("merge_subexposures", rerun="emchain")).good
        path = again.process_extra_info["xmm_pointed"]["merge_subexposures"][f"{ONE}PN"]["final_evt"]
        assert path.startswith(str(tmp_path / "elsewhere"))
        assert Path(path).is_file()


async def test_an_archive_goes_on_when_the_calibration_has_moved(context, tools, tmp_path):
    arch = await archive(ONE)
    await arch.run("espfilt")
    index = Path(arch.get_current_data_path("xmm_pointed", ONE)) / "ccf.cif"
    assert str(tools / "ccf").encode() in index.read_bytes()  # it holds full paths
    before = index.read_bytes()
    (tools / "ccf").rename(tmp_path / "calibration")
    script = tools / "setsas.sh"
    script.write_text(script.read_text().replace(str(tools / "ccf"), str(tmp_path / "calibration")))
    again = await arch.run("generate_images_expmaps", rerun="epchain")
    assert again.good, arch.failures()["sentence"].tolist()
    assert index.read_bytes() == before and arch.tasks(process="cif_build")["attempt"].tolist() == [1]


async def test_summaries_that_are_no_utf8_are_handed_on(context, sky):
    arch = await archive(ONE)
    await arch.run("odf_ingest")
    summary = next(Path(arch.get_current_data_path("xmm_pointed", ONE)).glob("*SUM.SAS"))
    content, status = summary.read_bytes(), summary.stat()
    assert content.count(b"Nobody") == 1
    summary.chmod(0o644)
    summary.write_bytes(content.replace(b"Nobody", b"M\xfcller"))
    os.utime(summary, ns=(status.st_atime_ns, status.st_mtime_ns))  # as it would be, had SAS written it
    assert (await arch.run("epchain")).good


async def test_without_software_what_is_known_of_failures_stays(context, sky, tools, tmp_path):
    sas.write_scenario(tools, [rules.fails("espfilt", f"{ONE}M1S001", stderr="** espfilt: error (noCounts), none\n")])
    arch = await archive(ONE, TWO)
    await arch.run("espfilt")
    told = arch.failures()["sentence"].tolist()
    assert "noCounts raised by espfilt" in told[0]
    await arch.close()
    with use_context(Context(**sky.settings(), output=str(tmp_path / "output"), cache=str(tmp_path / "cache"))):
        arch = await Archive("xmm")
        with pytest.raises(MissingToolError, match="SAS"):
            await arch.run("espfilt", rerun="failed")
        with pytest.raises(MissingToolError, match="SAS"):
            await arch.run("espfilt", method="ratio", obs_ids=[TWO])
        assert arch.failures()["sentence"].tolist() == told
        assert (await arch.run("espfilt", obs_ids=[TWO])).good  # all of it is there, and needs no software
        assert (await arch.update()).good
        assert arch.failures()["sentence"].tolist() == told


@pytest.mark.parametrize("rerun", ["nonsense", "9999999999", "generate_images_expmaps", ["epchain"], 3, ONE[:-1]])
async def test_what_cannot_be_run_again_is_refused(context, rerun):
    arch = await archive(ONE)
    with pytest.raises(InvalidParameterError, match=r"rerun is .*Expected: .*cif_build.*Remedy: "):
        await arch.run("cif_build", rerun=rerun)
    assert "cif_build" not in set(arch.tasks()["process"])


async def test_missing_software_is_told_before_anything_starts(sky, tmp_path):
    with use_context(Context(**sky.settings(), output=str(tmp_path / "output"), cache=str(tmp_path / "cache"))):
        arch = await archive(ONE)
        with pytest.raises(MissingToolError, match="SAS"):
            await arch.run("cif_build")
        assert set(arch.tasks()["process"]) <= {"download"}

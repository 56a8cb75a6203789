"""The two archives of DAXA's tutorial, built anew, against what was recorded of them; and the tutorial's own lines.

What is compared after a mapping: Chandra's instruments have their names of today, the values of "Fully Processed" are
those of what really ran, raw errors are without the lines of DAXA's shell.
"""

import json
import os
import re
import subprocess
from collections import Counter
from pathlib import Path

import astropy.units as u
import pandas as pd
import pytest
from astropy.coordinates import SkyCoord

from daxa.archive import Archive
from daxa.context import Context, use_context
from daxa_demo.run import build_founding

from .conftest import DAXA

pytestmark = pytest.mark.timeout(300)
PHL, A3667 = (Path(__file__).parents[1] / "data" / name for name in ("phl1811", "a3667"))
LOGS = Path(__file__).parents[2] / "plugins" / "demo" / "src" / "daxa_demo" / "data" / "phl1811"


def recorded(name, archive=None):
    text = (PHL / f"{name}.json").read_text(encoding="utf-8")
    if archive is not None:
        text = text.replace("{ARCHIVE_PATH}", archive.archive_path)
    return json.loads(text.replace("ACIS-S", "ACIS"))


def built(name, out):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("DAXA_")}
    done = subprocess.run(
        [*DAXA, "demo", name, "--out", str(out), "--json"], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def phl1811(tmp_path_factory):
    out = tmp_path_factory.mktemp("phl1811")
    return out, built("phl1811", out)


@pytest.fixture(scope="module")
def a3667(tmp_path_factory):
    out = tmp_path_factory.mktemp("a3667")
    return out, built("a3667", out)


@pytest.fixture
def prev(phl1811, tmp_path):
    """The archive, opened by name alone, with no network and no SAS."""
    out, _ = phl1811
    context = Context(output=str(out), cache=str(tmp_path / "cache"), offline=True)

    async def opened():
        return await Archive("PHL1811_made_earlier")

    import asyncio

    with use_context(context):
        yield asyncio.run(opened())


# --- PHL 1811 -------------------------------------------------------------------------------------------------------


def test_its_names_and_places(prev):
    facts = recorded("archive_facts", prev)
    assert prev.archive_name == facts["archive_name"]
    assert prev.archive_path.endswith(f"archives/{facts['archive_name']}/")
    assert prev.mission_names == facts["mission_names"]
    assert [type(one).__name__ for one in prev.missions] == facts["mission_classes_in_order"]
    assert prev["xmm_pointed"] is prev.missions[0]
    for obs_id, path in facts["current_data_path"].items():
        assert prev.get_current_data_path("xmm_pointed", obs_id) == path
        assert Path(path).is_dir()


def test_its_success(prev):
    assert prev.process_success == recorded("process_success")
    assert prev.process_success["xmm_pointed"]["espfilt"]["0502671101PNS003"] is False
    assert prev.final_process_success == recorded("final_process_success")
    names = recorded("process_names")
    assert prev.process_names == names


def test_its_errors_and_warnings(prev):
    expected = recorded("process_errors")["xmm_pointed"]["espfilt"]["0502671101PNS003"]
    assert prev.process_errors["xmm_pointed"]["espfilt"]["0502671101PNS003"] == expected
    example = recorded("process_warnings_example")
    warned = prev.process_warnings[example["mission"]][example["process"]][example["unique_id"]]
    assert len(warned) >= 110
    assert warned[example["list_index"]] == example["entry"]
    raw = recorded("raw_process_errors", prev)
    for mission, processes in raw.items():
        for process, idents in processes.items():
            kept = {
                ident: "".join(line for line in text.splitlines(keepends=True) if not line.startswith("mv: "))
                for ident, text in idents.items()
            }
            assert dict(prev.raw_process_errors[mission].get(process, {})) == kept


def test_its_logs(prev):
    keys = recorded("get_process_logs_keys")
    asked = {"obs_id": "0502671101", "inst": "PN"}
    logs = prev.get_process_logs("espfilt", **asked)
    errors = prev.get_process_raw_error_logs("espfilt", **asked)
    assert {mission: list(found) for mission, found in logs.items()} == keys[
        "get_process_logs(espfilt, obs_id=0502671101, inst=PN)"
    ]
    assert {mission: list(found) for mission, found in errors.items()} == keys[
        "get_process_raw_error_logs(espfilt, obs_id=0502671101, inst=PN)"
    ]
    failed = prev.get_failed_logs("espfilt")
    for found, name in zip(failed, ("logs", "raw_errors"), strict=True):
        assert {mission: list(one) for mission, one in found.items()} == keys["get_failed_logs(espfilt)"][name]
    assert keys["get_failed_logs_logs_equal_get_process_logs"] is (failed[0] == logs)
    assert keys["get_failed_logs_errors_equal_get_process_raw_error_logs"] is (failed[1] == errors)
    assert prev.get_failed_processes("espfilt") == recorded("failed_processes")["espfilt"]
    for ident in ("0502671101PNS003", "0204310101M1S001"):
        text = (LOGS / f"espfilt_{ident}_stdout.log").read_text(encoding="utf-8")
        said = prev.process_logs["xmm_pointed"]["espfilt"][ident]
        assert said.rstrip("\n") == text.replace("{ARCHIVE_PATH}", prev.archive_path).rstrip("\n")


def test_its_extra_information(prev):
    extra = prev.process_extra_info["xmm_pointed"]["cleaned_evt_lists"]
    expected = recorded("process_extra_info_cleaned_evt_lists", prev)
    assert extra == expected
    for kept in extra.values():
        assert all(Path(path).is_file() for key, path in kept.items() if key.endswith("_path"))


def test_its_summaries(prev):
    summary = prev.observation_summaries["xmm_pointed"]["0204310101"]
    assert summary == recorded("observation_summary_0204310101")
    assert prev.process_observation["xmm_pointed"]["0204310101"]["PN"]["U101"] is False


def test_its_table_of_observations(prev):
    expected = pd.read_csv(PHL / "filtered_obs_info.csv", dtype=str)
    table = prev["xmm_pointed"].filtered_obs_info
    assert list(table.columns) == list(expected.columns[1:])
    shown = table.astype(str).assign(ra=table["ra"].map("{:.6f}".format), dec=table["dec"].map("{:.6f}".format))
    assert shown.sort_values("ObsID").values.tolist() == expected[shown.columns].sort_values("ObsID").values.tolist()


# --- the same archive, as an earlier run of the tutorial left it ----------------------------------------------------

EARLIER = PHL / "earlier_run"


def test_the_earlier_run_had_the_same_processes_and_ends(prev):
    names = json.loads((EARLIER / "process_names.json").read_text(encoding="utf-8"))
    assert prev.process_names["xmm_pointed"] == names["xmm_pointed"]
    partial = json.loads((EARLIER / "process_success_partial.json").read_text(encoding="utf-8"))
    for process, ends in partial["xmm_pointed"].items():
        found = prev.process_success["xmm_pointed"][process]
        assert {ident: found[ident] for ident in ends} == ends
    kept = json.loads((EARLIER / "raw_process_errors.json").read_text(encoding="utf-8"))
    for process, texts in kept["xmm_pointed"].items():  # of the one that failed nothing was left
        assert dict(prev.raw_process_errors["xmm_pointed"].get(process, {})) == texts == {}


def test_the_earlier_run_recorded_the_same_with_other_file_names(prev):
    text = (EARLIER / "process_extra_info_cleaned_evt_lists_partial.json").read_text(encoding="utf-8")
    extra = prev.process_extra_info["xmm_pointed"]["cleaned_evt_lists"]
    for ident, entries in json.loads(text.replace("{ARCHIVE_PATH}", prev.archive_path)).items():
        assert set(extra[ident]) == set(entries) and extra[ident]["en_key"] == entries["en_key"]
        directory = str(Path(entries["evt_clean_path"]).parent)
        assert extra[ident]["evt_clean_path"].startswith(f"{directory}/events/obsid{ident[:10]}-inst{ident[10:12]}-")


def test_the_earlier_run_selected_the_same_observations(prev):
    old = pd.read_csv(EARLIER / "filtered_obs_info.csv", dtype=str)
    new = pd.read_csv(PHL / "filtered_obs_info.csv", dtype=str)
    assert list(old.columns[1:]) == list(prev["xmm_pointed"].filtered_obs_info.columns)
    assert old["ObsID"].str.zfill(10).tolist() == new["ObsID"].tolist()
    same = [name for name in old.columns[1:] if name not in ("ra", "dec", "ObsID")]
    assert old[same].equals(new[same])
    assert old[["ra", "dec"]].astype(float).equals(new[["ra", "dec"]].astype(float))


@pytest.mark.parametrize("ident", ["0502671101PNS003", "0204310101M1S001"])
def test_the_earlier_run_wrote_the_same_logs(prev, ident):
    def beginning(text):
        text = re.sub(r"\S*(?:subexp\w+-(oot)?events\.fits|(?:PI|MI|OO)EVLI0000\.FIT)", "<events>", text)
        return re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+", "<date>", text).split("\n")

    old = beginning((EARLIER / f"espfilt_{ident}_stdout_first1000.log").read_text(encoding="utf-8"))[:-1]
    assert len(old) == 4
    assert old == beginning(prev.process_logs["xmm_pointed"]["espfilt"][ident])[:4]


# --- what it prints -------------------------------------------------------------------------------------------------


def lines(text, *, processed=True):
    kept = [line for line in text.strip().splitlines() if "Chosen instruments" not in line]
    return [line for line in kept if processed or "Fully Processed" not in line]


def test_what_it_prints(prev, capsys):
    prev.info()
    said = capsys.readouterr().out
    assert lines(said, processed=False) == lines((PHL / "info.txt").read_text(encoding="utf-8"), processed=False)
    assert said.count("Fully Processed - True") == 4
    assert "ACIS, HRC" in said


# --- source regions -------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_its_source_regions(phl1811, tmp_path):
    out, _ = phl1811
    expected = json.loads((PHL.parent / "regions" / "expected.json").read_text(encoding="utf-8"))
    overwritten = recorded("archive_facts")["source_regions_overwrite_warning_obs_ids"]
    with use_context(Context(output=str(out), cache=str(tmp_path / "cache"), offline=True)):
        prev = await Archive("PHL1811_made_earlier")
        given = {}
        for path in sorted((out / "region_files").glob("*.reg")):
            images = prev.get_current_data_path("xmm_pointed", path.stem) + "images/"
            image = images + f"obsid{path.stem}-instM2-subexpALL-en0.5_2.0keV-image.fits"
            given[path.stem] = {"regions": str(path), "wcs_src": image}
        prev.source_regions = {"xmm_pointed": given}
        with pytest.warns(UserWarning) as told:
            prev.source_regions = {"xmm_pointed": given}
        assert [one for one in overwritten if any(one in str(warned.message) for warned in told)] == overwritten
        found = prev.source_regions["xmm_pointed"]
    assert sorted(found) == sorted(expected) == sorted(given)
    assert {obs_id: len(one) for obs_id, one in found.items()} == {
        "0105261001": 25, "0204310101": 59, "0502671101": 11, "0761910201": 70,
    }  # fmt: skip
    for obs_id, regions in found.items():
        rows = expected[obs_id]["sky"]
        assert len(regions) == len(rows)
        for region, (ra, dec, width, height, angle) in zip(regions, rows, strict=True):
            assert type(region).__name__ == "EllipseSkyRegion"
            assert region.center.separation(SkyCoord(ra, dec, unit="deg")).arcsec < 1e-3
            assert abs(region.width.to_value(u.arcsec) - 3600 * width) < 2e-3
            assert abs(region.height.to_value(u.arcsec) - 3600 * height) < 2e-3
            assert abs((region.angle.to_value(u.deg) - angle + 180) % 360 - 180) < 0.01
        assert Counter(region.visual["edgecolor"] for region in regions) == expected[obs_id]["colours"]


# --- what they are made with ---------------------------------------------------------------------------------------


def test_stand_ins_that_were_left_half_done_are_made_anew(tmp_path, monkeypatch):
    async def built(root):
        raise NotImplementedError

    monkeypatch.setattr("daxa_demo.founding.a3667.build", built)
    (tmp_path / ".stand_ins" / "lib").mkdir(parents=True)
    with pytest.raises(NotImplementedError):
        build_founding("a3667", tmp_path)
    program = tmp_path / ".stand_ins" / "bin" / "sas"
    assert "20.0.0" in subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout


# --- Abell 3667 -----------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_the_archive_of_abell_3667(a3667, tmp_path, capsys):
    out, report = a3667
    counts = json.loads((A3667 / "downloads.json").read_text(encoding="utf-8"))["counts"]
    assert {name: len(found) for name, found in report["observations"].items()} == counts
    with use_context(Context(output=str(out), cache=str(tmp_path / "cache"), offline=True)):
        arch = await Archive("A3667")
        arch.info()
        said = capsys.readouterr().out
        assert lines(said) == lines((A3667 / "info_newer_run.txt").read_text(encoding="utf-8"))
        listing = json.loads((A3667 / "erass_obs_304147_listing.json").read_text(encoding="utf-8"))
        place = Path(arch.get_current_data_path(listing["mission"], listing["obs_id"]))
        assert set(listing["top_level"]) <= {path.name for path in place.iterdir()}
        for part in ("images", "events"):
            assert sorted(path.name for path in (place / part).iterdir()) == sorted(listing[part])

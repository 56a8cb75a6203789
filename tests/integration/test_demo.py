"""The demonstration as a newcomer runs it: real processes, a real server, real observations."""

import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from astropy.io import fits
from astropy.wcs import WCS

from daxa import Archive
from daxa.context import Context

from .conftest import DAXA, run_demo

pytestmark = pytest.mark.timeout(300)

STATES = {"succeeded", "reused", "no_data", "failed", "timed_out", "blocked", "cancelled", "interrupted"}


def of_kind(report, kind, mission):
    return [row for row in report["products"] if row["kind"] == kind and row["mission"] == mission]


def test_the_report_says_what_was_done(demo):
    out, report = demo
    assert set(report) == {
        "archive_path", "missions", "observations", "files", "bytes", "tasks", "failures", "products",
    }  # fmt: skip
    assert report["archive_path"] == f"{out}/archives/demo/"
    assert report["missions"] == ["xmm_pointed", "chandra", "rosat_pointed", "nustar_pointed"]
    assert report["observations"] == {
        "xmm_pointed": ["0201901401", "0201903501", "0404910601"],
        "chandra": ["10027"],
        "rosat_pointed": ["RP800282N00"],
        "nustar_pointed": ["90410111001"],
    }
    assert set(report["tasks"]) == STATES
    assert report["tasks"]["succeeded"] > 20 and report["tasks"]["reused"] == 0
    assert report["files"] >= 7 and report["bytes"] > 10_000_000
    for row in report["products"]:
        path = Path(row["path"])
        assert (
            path.is_absolute()
            and path.is_file()
            and row["kind"] in {"events", "image", "lightcurve", "gti", "quicklook"}
        )


def test_what_cannot_work_fails_with_its_reason(demo):
    _, report = demo
    causes = {(row["mission"], row["obs_id"], row["process"]): row["cause"] for row in report["failures"]}
    assert set(causes) == {("xmm_pointed", "0201901401", "download"), ("nustar_pointed", "90410111001", "image")}
    assert "celestial" in causes["nustar_pointed", "90410111001", "image"]
    assert report["tasks"]["no_data"] >= 1
    assert not of_kind(report, "image", "nustar_pointed") and not of_kind(report, "quicklook", "nustar_pointed")
    assert not [row for row in report["products"] if row["obs_id"] == "0201901401"]


def test_the_images_are_those_sas_makes(demo):
    _, report = demo
    counts = {}
    for row in of_kind(report, "image", "xmm_pointed"):
        if row["obs_id"] == "0404910601" and "en0.5_2.0keV" in row["path"]:
            with fits.open(row["path"], checksum=True) as hdus:
                counts[row["inst"]] = hdus[0].data.sum()
                header = hdus[0].header
                assert WCS(header, naxis=2).has_celestial and header["CREATOR"].startswith("daxa-native")
                assert header["DAXASKY"] is True
    assert counts == {"M1": 27546, "M2": 26069}


def test_every_picture_is_a_picture(demo):
    _, report = demo
    pictures = [row for row in report["products"] if row["kind"] == "quicklook"]
    assert len({(row["mission"], row["obs_id"], row["inst"]) for row in pictures}) == 6
    assert all(Path(row["path"]).read_bytes().startswith(b"\x89PNG") for row in pictures)


def test_again_repeats_nothing(demo, tmp_path):
    out = tmp_path / "again"
    shutil.copytree(demo[0], out)
    before = {path: path.stat().st_mtime_ns for path in (out / "archives").rglob("*.fits")}
    report = run_demo("--out", out)
    assert report["tasks"]["succeeded"] == 0
    assert report["tasks"]["reused"] == demo[1]["tasks"]["succeeded"]
    assert {path: path.stat().st_mtime_ns for path in (out / "archives").rglob("*.fits")} == before


def successes(out):
    """Tasks that an archive's record says succeeded, with the times of their products."""
    import asyncio

    async def read():
        async with Archive("demo", context=Context(output=str(out))) as archive:
            done = archive.tasks()
            done = done[done["state"].isin(["succeeded", "reused"])]
            return (
                {(row.process, row.obs_id, row.inst, row.variant) for row in done.itertuples()},
                {row.path: Path(row.path).stat().st_mtime_ns for row in archive.products().itertuples()},
            )

    if not (out / "archives/demo/.save_info/archive.sqlite").exists():
        return set(), {}
    return asyncio.run(read())


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_stopped_anywhere_it_goes_on_where_it_was(demo, how, tmp_path):
    seed = random.SystemRandom().randrange(10**6)
    print("seed", seed)
    chance = random.Random(seed)
    out = tmp_path / "stopped"
    process = subprocess.Popen(
        [*DAXA, "demo", "--out", str(out), "--json"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    time.sleep(chance.uniform(1.0, 8.0))
    process.send_signal(how)
    process.wait(timeout=60)
    done, times = successes(out)
    report = run_demo("--out", out)
    after, times_after = successes(out)
    assert done <= after
    assert {path: when for path, when in times_after.items() if path in times} == times, (
        "a finished product was made again"
    )
    assert report["tasks"]["succeeded"] + report["tasks"]["reused"] == demo[1]["tasks"]["succeeded"]
    assert report["failures"] and len(report["products"]) == len(demo[1]["products"])
    assert not list(out.rglob("*.part*"))


@pytest.mark.anyio
async def test_the_archive_opens_without_network_and_from_elsewhere(demo, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DAXA_OFFLINE", "1")
    moved = tmp_path / "moved"
    shutil.copytree(demo[0], moved)
    async with Archive("demo", context=Context(output=str(moved))) as archive:
        assert archive.archive_path == f"{moved}/archives/demo/"
        assert archive.mission_names == demo[1]["missions"]
        assert archive["chandra"].filtered_obs_ids.tolist() == ["10027"]
        success = archive.process_success["nustar_pointed"]["image"]
        assert set(success.values()) == {False}
        assert archive.get_current_data_path("xmm_pointed", "0404910601").startswith(str(moved))
        assert archive.get_current_data_path("xmm_pointed", "0404910601").endswith("/0404910601/")
        logs = archive.get_process_logs("image", "chandra")
        assert set(logs) == {"chandra"} and len(logs["chandra"]) >= 1
        archive.info()
        printed = capsys.readouterr().out
        assert "Number of missions - 4\nTotal number of observations - 6\n" in printed
        assert "-- XMM-Newton Pointed --\n   Internal DAXA name - xmm_pointed\n" in printed
        assert archive.made_under_sky and "offline sky" in repr(archive) and "sky" not in printed
        assert "offline sky" in (moved / "archives/demo/MADE_UNDER_THE_OFFLINE_SKY.txt").read_text()
        assert all(Path(path).is_file() for path in archive.products()["path"])


def test_the_record_by_command_line(demo, monkeypatch):
    environment = {**os.environ, "DAXA_OUTPUT": str(demo[0])}

    def daxa(*arguments):
        return subprocess.run([*DAXA, *arguments], capture_output=True, text=True, env=environment)

    info = daxa("info", "demo", "--json")
    assert info.returncode == 0 and [row["name"] for row in json.loads(info.stdout)["missions"]] == demo[1]["missions"]
    status = daxa("status", "demo")
    assert status.returncode == 3 and "celestial" in status.stdout
    assert json.loads(daxa("status", "demo", "--json").stdout)["tasks"]["chandra"]["image"]["succeeded"] >= 1
    logs = daxa("logs", "demo", "image", "--failed", "--json")
    assert logs.returncode == 0 and list(json.loads(logs.stdout)["logs"]["nustar_pointed"])
    products = daxa("products", "demo", "--kind", "quicklook", "--json")
    assert all(row["path"].endswith(".png") for row in json.loads(products.stdout)["products"])
    missing = daxa("info", "nonesuch")
    assert missing.returncode == 1 and "'demo'" in missing.stderr
    assert daxa("info").returncode == 2
    assert daxa("logs", "demo", "nonsense").returncode == 1


def test_an_output_root_that_cannot_be_written_is_told_in_one_line():
    done = subprocess.run([*DAXA, "demo", "--out", "/proc/nowhere", "--json"], capture_output=True, text=True)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "/proc/nowhere" in done.stderr and "Remedy" in done.stderr


def test_a_second_writer_is_refused_and_readers_are_not(tmp_path):
    out = tmp_path / "two"
    first = subprocess.Popen([*DAXA, "demo", "--out", str(out)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    record = out / "archives/demo/.save_info/archive.sqlite"
    while not record.exists() and first.poll() is None:
        time.sleep(0.01)
    refused = 0
    while first.poll() is None and not refused:
        second = subprocess.run([*DAXA, "demo", "--out", str(out)], capture_output=True, text=True)
        refused += second.returncode == 1 and "is being written to by process" in second.stderr
        read = subprocess.run(
            [*DAXA, "status", "demo", "--json"],
            capture_output=True,
            text=True,
            env={**os.environ, "DAXA_OUTPUT": str(out)},
        )
        assert read.returncode in (0, 3), read.stderr
    first.wait()
    assert refused or first.returncode == 1  # whoever came first wrote, the other was told
    assert run_demo("--out", out)["failures"]

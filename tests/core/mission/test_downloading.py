import errno
import hashlib
import io
import os
from functools import cache
from pathlib import Path

import anyio
import numpy as np
import pytest
from astropy.io import fits
from astropy.units import Quantity
from attrs import evolve

import daxa.exceptions as ex
from daxa.events import DownloadEnded, DownloadPlanned, FileFetched, ObservationFetched
from daxa.net.transfer import Transfer

pytestmark = pytest.mark.anyio

OBS = ["000001", "000002", "000003"]


@cache
def picture(text):
    """A small FITS image with a text in its header."""
    stream = io.BytesIO()
    fits.PrimaryHDU(np.arange(12.0).reshape(3, 4), fits.Header({"OBJECT": text})).writeto(stream)
    return stream.getvalue()


def files(obs_id):
    return {
        "raw/data.bin": f"raw of {obs_id} ".encode() * 50,
        "raw/log.txt": f"log of {obs_id}".encode(),
        **{
            f"products/{name}.fits": picture(name)
            for name in (
                f"cama_{obs_id}_001_evt",
                f"camb_{obs_id}_001_evt",
                f"cama_{obs_id}_im1",
                f"cama_{obs_id}_im2",
                f"camb_{obs_id}_im",
                f"cama_{obs_id}_ex",
            )
        },
    }


@pytest.fixture
async def mission(lab, context, server):
    for obs_id in OBS:
        server.put_observation(obs_id, files(obs_id))
    made = lab.Lab()
    await made.filter_on_obs_ids(OBS)
    return made


def on_disk(mission):
    root = Path(mission.raw_data_path)
    return {
        str(one.relative_to(root)): one.read_bytes()
        for one in root.rglob("*")
        if one.is_file() and not one.name.startswith(".downloads")
    }


def whole(obs_ids=OBS, part=""):
    return {f"{obs}/{name}": body for obs in obs_ids for name, body in files(obs).items() if name.startswith(part)}


# --- the whole of it -----------------------------------------------------------------------------------------------


async def test_a_download_with_its_events_and_report(mission, context, server):
    events = []
    context.events.subscribe(events.append)
    report = await mission.download()
    assert on_disk(mission) == whole()
    assert [one.state for one in report.observations] == ["complete"] * 3 and report.failed == []
    assert len(report.files) == 24 and {one.state for one in report.files} == {"fetched"}
    assert report.size == sum(map(len, whole().values())) and report.has_products
    assert mission.download_completed and mission.downloaded_type == "raw+preprocessed"
    assert isinstance(events[0], DownloadPlanned) and (events[0].observations, events[0].present) == (3, 0)
    assert sum(isinstance(one, FileFetched) for one in events) == 24
    assert {one.obs_id for one in events if isinstance(one, ObservationFetched)} == set(OBS)
    assert isinstance(events[-1], DownloadEnded) and events[-1].failed == 0
    assert mission.download_summary() == (24, report.size)
    assert sorted(mission.downloaded_files("000001")) == sorted(files("000001"))


async def test_a_second_call_asks_the_server_nothing(mission, lab, server):
    await mission.download()
    server.log.clear()
    again = lab.Lab()
    await again.filter_on_obs_ids(OBS)
    with pytest.raises(ex.DAXANotDownloadedError, match=r"await mission\.download\(\)"):
        _ = again.downloaded_type
    report = await again.download()
    assert server.fetched() == []
    assert [one.state for one in report.observations] == ["present"] * 3
    assert again.downloaded_type == "raw+preprocessed"


async def test_w_32_only_what_is_missing_is_fetched(mission, server):
    await mission.download()
    root = Path(mission.raw_data_path)
    (root / "000001/raw/log.txt").unlink()
    (root / "000002/raw/data.bin").write_bytes(b"short")
    server.log.clear()
    await mission.download()
    assert sorted(server.fetched()) == [
        "/files/000001/index.json",
        "/files/000001/raw/log.txt",
        "/files/000002/index.json",
        "/files/000002/raw/data.bin",
    ]
    assert on_disk(mission) == whole()


async def test_w_33_complete_observations_are_not_fetched_again_when_one_is_missing(mission, lab, server):
    for obs_id in OBS[:2]:
        one = lab.Lab()
        await one.filter_on_obs_ids(obs_id)
        await one.download()
    server.log.clear()
    report = await mission.download()
    assert {one.obs_id: one.state for one in report.observations} == dict(
        zip(OBS, ("present", "present", "complete"), strict=True)
    )
    assert all("/000003/" in one for one in server.fetched()) and on_disk(mission) == whole()


async def test_w_35_two_at_once_that_share_a_directory_fetch_each_file_once(mission, lab, server, caplog):
    other = lab.Lab()
    await other.filter_on_obs_ids(OBS)
    reports = []

    async def fetch(one):
        reports.append(await one.download())

    async with anyio.create_task_group() as group:
        group.start_soon(fetch, mission)
        group.start_soon(fetch, other)
    wanted = [one for one in server.fetched() if not one.endswith("index.json")]
    assert len(wanted) == len(set(wanted)) == len(whole())
    assert on_disk(mission) == whole() and all(not report.failed for report in reports)
    assert {one.state for report in reports for one in report.observations} <= {"complete", "present"}
    said = [record for record in caplog.records if "another download is at work" in record.message]
    assert 1 <= len(said) <= 2  # once each, at the most


async def test_w_32_an_empty_directory_is_no_download(mission):
    (Path(mission.raw_data_path) / "000001").mkdir(parents=True)
    await mission.download()
    assert on_disk(mission) == whole()


async def test_w_32_raw_first_and_products_later(mission, server):
    await mission.download(download_products=False)
    assert on_disk(mission) == whole(part="raw/") and mission.downloaded_type == "raw"
    with pytest.raises(ex.DAXANotDownloadedError, match="download_products=True"):
        mission.get_evt_list_path("000001", "A")
    server.log.clear()
    await mission.download()
    assert not [one for one in server.fetched() if "/raw/" in one]
    assert on_disk(mission) == whole() and mission.downloaded_type == "raw+preprocessed"


async def test_products_alone(mission):
    report = await mission.download(download_raw=False)
    assert on_disk(mission) == whole(part="products/") and mission.downloaded_type == "preprocessed"
    assert report.has_products
    with pytest.raises(ex.InvalidParameterError):
        await mission.download(download_raw=False, download_products=False)


async def test_what_another_service_sent_is_not_taken_for_this_ones(mission, lab, make_context, server):
    await mission.download()
    for path in [one for one in server.tree if one.startswith("/files/")]:
        server.tree["/mirror" + path[6:]] = server.tree[path]
    other = lab.Lab(context=make_context(url_lab=f"{server.url}/mirror/"))
    await other.filter_on_obs_ids(OBS)
    report = await other.download()
    assert [one.state for one in report.observations] == ["complete"] * 3
    assert len([one for one in server.log if one.startswith("/mirror/")]) == 27


async def test_a_locked_mission_downloads(mission):
    mission.lock()
    await mission.download()
    assert mission.download_completed


# --- what goes wrong -----------------------------------------------------------------------------------------------


async def test_w_37_everything_else_is_fetched_and_the_error_names_every_file(mission, server):
    server.statuses["/files/000002/raw/log.txt"] = 403
    server.statuses["/files/000003/raw/log.txt"] = 503
    with pytest.raises(ex.DAXADownloadError, match="and 1 more") as caught:
        await mission.download()
    results = {one.obs_id: one for one in caught.value.results}
    assert set(results) == {"000002", "000003"}
    denied = results["000002"]
    assert (denied.mission, denied.path, denied.code) == ("lab", "raw/log.txt", "access-denied")
    assert denied.url == f"{server.url}/files/000002/raw/log.txt" and "403" in denied.cause
    assert results["000003"].attempts > 1
    expected = whole()
    del expected["000002/raw/log.txt"], expected["000003/raw/log.txt"]
    assert on_disk(mission) == expected and not mission.download_completed
    server.statuses.clear()
    server.log.clear()
    report = await mission.download()
    assert [one.state for one in report.observations] == ["present", "complete", "complete"]
    assert sorted(server.fetched("log.txt")) == ["/files/000002/raw/log.txt", "/files/000003/raw/log.txt"]
    assert len(server.fetched(".bin")) == 0 and on_disk(mission) == whole()


async def test_on_error(mission, server):
    server.statuses["/files/000002/raw/log.txt"] = 403
    with pytest.warns(UserWarning, match="000002"):
        await mission.download(on_error="warn")
    report = await mission.download(on_error="collect")
    assert [one.state for one in report.observations] == ["present", "partial", "present"]
    assert report.observations[1].cause == report.failed[0].cause
    for bad in ({"on_error": "ignore"}, {"num_cores": 0}, {"locations": ["ftp"]}):
        with pytest.raises(ValueError, match="Expected"):
            await mission.download(**bad)


async def test_an_observation_that_the_archive_does_not_hold_is_absent(mission, lab, server):
    wide = lab.Lab()
    await wide.filter_on_obs_ids([*OBS, "000009"])
    report = await wide.download(on_error="collect")
    last = report.observations[-1]
    assert (last.obs_id, last.state) == ("000009", "absent") and "is not there (404)" in last.cause
    assert last.files[0].url.endswith("/files/000009/index.json")
    assert wide.download_completed  # there is nothing more to be had
    server.put_observation("000009", {})
    report = await wide.download(on_error="collect")
    assert (report.observations[-1].state, report.observations[-1].cause) == (
        "absent",
        "the archive lists no file of what is wanted",
    )
    server.put_observation("000009", files("000009"))
    assert (await wide.download()).observations[-1].state == "complete"


async def test_a_file_that_need_not_be_there(mission, lab, server, monkeypatch):
    listed = lab.Lab.remote_files

    async def lenient(self, obs, want, net):
        async for remote in listed(self, obs, want, net):
            yield evolve(remote, required=False, listed=False)

    monkeypatch.setattr(lab.Lab, "remote_files", lenient)
    del server.tree["/files/000001/raw/log.txt"]
    report = await mission.download()
    assert report.observations[0].state == "complete" and report.failed == []
    assert {one.state for one in report.observations[0].files} == {"fetched", "absent"}


@pytest.mark.parametrize("path", ["../outside.txt", "/etc/passwd", "raw/../../outside"])
async def test_w_36_a_hostile_path_is_refused_and_nothing_leaves_the_directory(mission, server, path, tmp_path):
    server.put_observation("000001", {path: b"evil"})
    report = await mission.download(on_error="collect")
    assert report.observations[0].state == "partial" and "would leave" in report.observations[0].cause
    assert [one.state for one in report.observations[1:]] == ["complete"] * 2
    assert not list(tmp_path.rglob("outside*"))


async def test_a_fault_of_the_plugin_ends_its_observation_only(mission, lab, monkeypatch):
    listed = lab.Lab.remote_files

    async def faulty(self, obs, want, net):
        if obs["ObsID"] == "000002":
            raise ZeroDivisionError("plugin")
        async for remote in listed(self, obs, want, net):
            yield remote

    monkeypatch.setattr(lab.Lab, "remote_files", faulty)
    report = await mission.download(on_error="collect")
    assert [one.state for one in report.observations] == ["complete", "partial", "complete"]
    assert report.observations[1].cause == "ZeroDivisionError: plugin"


async def test_w_37_a_fault_in_a_file_ends_that_file_only(mission, monkeypatch):
    fetch = Transfer.run

    async def faulty(self):
        if self.remote.path == "raw/log.txt" and self.remote.obs_id == "000002":
            raise ZeroDivisionError("reply")
        return await fetch(self)

    monkeypatch.setattr(Transfer, "run", faulty)
    report = await mission.download(on_error="collect")
    assert [one.state for one in report.observations] == ["complete", "partial", "complete"]
    (failed,) = report.failed
    assert (failed.obs_id, failed.path, failed.cause) == ("000002", "raw/log.txt", "ZeroDivisionError: reply")
    assert failed.url.endswith("/files/000002/raw/log.txt")


async def test_a_name_that_cannot_be_written_ends_that_file_only(mission, server, monkeypatch):
    conclude = Transfer._conclude

    def named(self, location, received):
        if self.remote.path == "raw/log.txt" and self.remote.obs_id == "000001":
            raise OSError(errno.ENAMETOOLONG, "File name too long")
        return conclude(self, location, received)

    monkeypatch.setattr(Transfer, "_conclude", named)
    report = await mission.download(on_error="collect", num_cores=1)
    assert [one.state for one in report.observations] == ["partial", "complete", "complete"]
    assert [(one.path, one.code) for one in report.failed] == [("raw/log.txt", "storage")]


async def test_two_forms_of_one_file_are_not_written_over_each_other(mission, lab, monkeypatch):
    listed = lab.Lab.remote_files

    async def twice(self, obs, want, net):
        async for remote in listed(self, obs, want, net):
            yield remote
            yield evolve(remote, locations=[evolve(remote.locations[0], url=remote.url + ".gz")], unpack="gzip")

    monkeypatch.setattr(lab.Lab, "remote_files", twice)
    report = await mission.download()
    assert {one.state for one in report.files} == {"fetched"} and on_disk(mission) == whole()


async def test_an_observation_that_cannot_be_listed_tells_address_and_attempts(mission, server):
    server.statuses["/files/000002/index.json"] = 503
    with pytest.raises(ex.DAXADownloadError) as caught:
        await mission.download()
    (one,) = caught.value.results
    assert (one.mission, one.obs_id, one.path) == ("lab", "000002", "") and one.url.endswith("/000002/index.json")
    assert one.attempts > 1 and "503" in one.cause


async def test_a_full_disk_stops_the_download_with_its_reason(mission, monkeypatch):
    def full(stream, block):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("daxa.net.parts.write_block", full)
    with pytest.raises(ex.DAXADownloadError, match="No space left") as caught:
        await mission.download()
    assert {one.code for one in caught.value.results} == {"storage"}
    assert {name for name in on_disk(mission) if not name.endswith((".part", ".json"))} == set()
    monkeypatch.undo()


async def test_offline_is_told_before_any_connection(mission, lab, make_context, server):
    offline = lab.Lab(context=make_context(offline=True))
    with pytest.warns(UserWarning):
        await offline.filter_on_obs_ids(OBS)
    server.log.clear()
    report = await offline.download(on_error="collect")
    assert {one.code for one in report.failed} == {"offline"} and server.log == []


async def test_a_cancelled_download_goes_on_later(mission, server):
    with anyio.move_on_after(0.05):
        await mission.download()
    report = await mission.download()
    assert on_disk(mission) == whole() and all(one.state in ("present", "complete") for one in report.observations)


# --- proprietary data ----------------------------------------------------------------------------------------------


async def test_what_is_not_public_is_left_out_with_a_warning(lab, context, server):
    table = lab.rows(10)
    table.loc[1, ["proprietary_usable", "proprietary_end_date"]] = [
        False,
        table.start.max() + (table.duration[0] * 9e4),
    ]
    server.put_catalogue(table)
    for obs_id in OBS:
        server.put_observation(obs_id, {"raw/log.txt": b"text"})
    mission = lab.Lab()
    await mission.filter_on_obs_ids(OBS)
    with pytest.warns(UserWarning, match="1 of 3 selected observations of Laboratory are proprietary"):
        report = await mission.download()
    assert [one.obs_id for one in report.observations] == ["000001", "000003"] == list(mission.filtered_obs_ids)
    assert mission.filtering_operations[-1]["name"] == "exclude_proprietary"
    closed = lab.Lab()
    await closed.filter_on_obs_ids("000002")
    with pytest.raises(ex.AccessDeniedError, match="is public yet"):
        await closed.download(credentials={"user": "me"})
    assert list(closed.filtered_obs_ids) == ["000002"]


# --- plan, verify, delete ------------------------------------------------------------------------------------------


async def test_plan_download(mission, server):
    plan = await mission.plan_download()
    assert len(plan.files) == 24 and plan.size == sum(map(len, whole().values())) and plan.unknown == 0
    assert not server.fetched(".bin") and on_disk(mission) == {}
    await mission.download(download_products=False)
    plan = await mission.plan_download()
    assert len(plan.files) == 18 and plan.present == 6 and "18 files" in str(plan) and "6 here already" in str(plan)
    del server.tree["/files/000002/index.json"]
    plan = await mission.plan_download()
    assert list(plan.absent) == ["000002"] and "nothing to be had of 1 observation" in str(plan)


async def test_verify_finds_what_changed_and_the_next_call_fetches_it(mission, server):
    await mission.download()
    assert {one.state for one in await mission.verify()} == {"intact"}
    root = Path(mission.raw_data_path)
    rotten, lost = root / "000001/raw/data.bin", root / "000002/raw/log.txt"
    status = rotten.stat()
    rotten.write_bytes(bytes(status.st_size))
    os.utime(rotten, ns=(status.st_atime_ns, status.st_mtime_ns))  # as bad sectors do
    lost.unlink()
    found = {one.path: one.state for one in await mission.verify() if one.state != "intact"}
    assert found == {"raw/data.bin": "changed", "raw/log.txt": "missing"}
    server.log.clear()
    await mission.download()
    assert sorted(server.fetched()) == [
        "/files/000001/index.json",
        "/files/000001/raw/data.bin",
        "/files/000002/index.json",
        "/files/000002/raw/log.txt",
    ]
    assert on_disk(mission) == whole()


async def test_w_22_delete_raw_data_asks_and_deletes_only_what_was_recorded(mission, monkeypatch):
    await mission.download()
    mission.lock()
    mine = Path(mission.raw_data_path) / "000001/notes.txt"
    mine.write_text("mine")
    answers = iter(["what?", "n"])
    monkeypatch.setattr("builtins.input", lambda prompt: next(answers))
    assert await mission.delete_raw_data() == 0
    assert mission.locked and mission.download_completed and len(on_disk(mission)) == 25
    monkeypatch.setattr("builtins.input", lambda prompt: "y")
    assert await mission.delete_raw_data() == 24
    assert on_disk(mission) == {"000001/notes.txt": b"mine"} and not mission.download_completed
    assert not (Path(mission.raw_data_path) / "000002").exists()
    assert await mission.delete_raw_data(force_del=True, all_raw_data=True) == 0
    await mission.download()
    assert hashlib.sha256(on_disk(mission)["000001/raw/log.txt"]).hexdigest()


async def test_w_20_the_top_level_path(mission, tmp_path):
    (tmp_path / "mydir").mkdir()
    mission.top_level_path = tmp_path / "mydir"
    assert mission.raw_data_path == f"{tmp_path}/mydir/lab_raw/" and mission.top_level_path == f"{tmp_path}/mydir/"
    mission.top_level_path = None
    with pytest.raises(FileNotFoundError):
        mission.top_level_path = tmp_path / "none"
    await mission.download()
    assert (tmp_path / "mydir/lab_raw/000001/raw/log.txt").exists()


# --- products ------------------------------------------------------------------------------------------------------


async def test_product_paths(mission):
    with pytest.raises(ex.DAXANotDownloadedError):
        mission.get_evt_list_path("000001", "A")
    await mission.download()
    root = f"{mission.raw_data_path}000001/products/"
    assert mission.get_evt_list_path("000001", "A") == f"{root}cama_000001_001_evt.fits"
    lo, hi = Quantity(0.5, "keV"), Quantity(2000, "eV")
    assert mission.get_image_path("000001", lo, hi, "A") == f"{root}cama_000001_im1.fits"
    assert mission.get_image_path("000001", lo, inst="A") == f"{root}cama_000001_im1.fits"
    assert mission.get_image_path("000001", hi_en=Quantity(7, "keV"), inst="a") == f"{root}cama_000001_im2.fits"
    assert mission.get_image_path("000001", inst="B") == f"{root}camb_000001_im.fits"
    assert mission.get_image_path("000001", Quantity(700, "eV"), hi, "B") == f"{root}camb_000001_im.fits"
    assert mission.get_expmap_path("000001", inst="A") == f"{root}cama_000001_ex.fits"
    with pytest.warns(UserWarning, match="another name"):
        assert mission.get_evt_list_path("000001", "CAM-A") == f"{root}cama_000001_001_evt.fits"


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda m: m.get_background_path("000001", inst="A"), ex.PreProcessedNotSupportedError),
        (lambda m: m.get_expmap_path("000001", inst="B"), ex.PreProcessedNotSupportedError),
        (lambda m: m.get_evt_list_path("1", "A"), ValueError),
        (lambda m: m.get_evt_list_path("000011", "A"), ValueError),
        (lambda m: m.get_evt_list_path("000001"), ValueError),
        (lambda m: m.get_evt_list_path("000001", "C"), ValueError),
        (lambda m: m.get_image_path("000001", inst="A"), ValueError),
        (lambda m: m.get_image_path("000001", Quantity(1, "keV"), inst="A"), ex.PreProcessedNotAvailableError),
        (lambda m: m.get_image_path("000001", 0.5, 2.0, "A"), TypeError),
        (lambda m: m.get_image_path("000001", Quantity(1, "s"), inst="A"), TypeError),
    ],
)
async def test_bad_questions_for_products(mission, call, error):
    await mission.download()
    with pytest.raises(error) as caught:
        call(mission)
    assert isinstance(caught.value, ex.DaxaError)


async def test_a_product_that_is_gone(mission):
    await mission.download()
    path = Path(mission.get_evt_list_path("000001", "A"))
    path.unlink()
    with pytest.raises(FileNotFoundError, match="verify"):
        mission.get_evt_list_path("000001", "A")


async def test_labels(mission):
    await mission.download()
    labels = mission.label(mission.observation("000001"), mission.downloaded_files("000001"))
    found = {(one.kind, one.inst, one.lo, one.hi): one.path for one in labels}
    assert len(labels) == 6
    assert found["events", "A", None, None] == "products/cama_000001_001_evt.fits"
    assert found["image", "A", 2.0, 7.0] == "products/cama_000001_im2.fits"
    assert found["image", "B", 0.7, 2.0] == "products/camb_000001_im.fits"
    assert found["expmap", "A", None, None] == "products/cama_000001_ex.fits"

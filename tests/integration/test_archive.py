"""Archives of the sample mission, against a sky of the tests' own."""

import asyncio
import threading

import pytest

from daxa import Archive, run_sync
from daxa.context import use_context
from daxa.exceptions import (
    ArchiveExistsError,
    ArchiveInUseError,
    ArchiveNotFoundError,
    ArchiveNotOpenError,
    DamagedRecordError,
    DuplicateMissionError,
    EventLoopInUseError,
    InvalidNameError,
    InvalidObsIDError,
    InvalidParameterError,
    MissionLockedError,
    MissionNotAssociatedError,
    NoDependencyProcessError,
    NoProcessingError,
    NoSelectionError,
    NotAwaitedError,
    NoValidMissionsError,
    ObsNotAssociatedError,
    ParameterTypeError,
    StorageError,
    UnknownNameError,
)

BASE = "https://sample.example/archive/"


async def sample(*obs_ids):
    from daxa.mission import Sample

    mission = Sample()
    await mission.filter_on_obs_ids(list(obs_ids or ("S0001", "S0002")))
    return mission


pytestmark = pytest.mark.anyio


async def test_declare_reduce_reload(context, capsys):
    mission = await sample("S0001")
    arch = await Archive("first one", mission)
    assert arch.mission_names == ["sample"] and len(arch) == 1 and "sample" in arch
    assert arch["sample"] is arch[0] is arch.missions[0]
    assert arch.process_success == {"sample": {"preprocessed_events": {"S0001WIDE": True, "S0001DEEP": True}}}
    with pytest.raises(MissionLockedError, match="update"):
        await arch["sample"].filter_on_obs_ids("S0002")
    summary = await arch.process()
    assert summary.good and str(summary)
    kinds = set(arch.products()["kind"])
    assert {"events", "image", "quicklook"} <= kinds
    names = arch.process_names["sample"]
    assert names[0] == "preprocessed_events" and {"clean_events", "image", "quicklook"} <= set(names)
    logs = arch.process_logs["sample"]["image"]
    assert all(isinstance(text, str) for text in logs.values())
    assert dict(arch.process_success["sample"]["image"]) == arch.process_success["sample"]["image"]
    arch.info()
    assert "Number of observations - 1" in capsys.readouterr().out
    again = await arch.process()
    assert {state.value for state, count in again.counts.items() if count} == {"reused"}
    await arch.close()
    async with Archive("first one") as reloaded:
        assert reloaded["sample"].filtered_obs_ids.tolist() == ["S0001"]
        assert len(reloaded.tasks(process="image", state="reused")) == len(logs)
        assert set(reloaded.history()["state"]) >= {"running", "succeeded", "reused"}
        assert len(reloaded.failures()) == 0


async def test_parameters_that_changed_make_tasks_stale(context):
    arch = await Archive("stale", await sample("S0001"))
    first = await arch.run("image")
    forced = await arch.run("image", force=True, obs_ids=["S0001"])
    made = [state.value for state, count in forced.counts.items() if count]
    assert first.good and "succeeded" in made and "reused" in made
    await arch.close()


async def test_one_damaged_product_is_made_again(context):
    from pathlib import Path

    arch = await Archive("damaged", await sample("S0001"))
    await arch.run("image")
    path = Path(arch.products(kind="image")["path"].iloc[0])
    path.unlink()
    summary = await arch.run("image")
    assert path.is_file() and sum(count for state, count in summary.counts.items() if state.value == "succeeded") == 1
    await arch.close()


async def test_a_run_is_explained_before_it_happens(context):
    from pathlib import Path

    arch = await Archive("explained", await sample("S0001"))
    first = arch.explain("image")
    assert {one.task.process for one in first} == {"clean_events", "image"}
    assert all(one.runs and one.reason == "runs because it has not succeeded before" for one in first)
    await arch.run("quicklook")
    assert not any(one.runs for one in arch.explain("quicklook"))
    changed = {one.task.process: one for one in arch.explain("image", filter="none", obs_ids="S0001")}
    assert changed["clean_events"].reason == "runs because parameter filter changed from standard to none"
    assert changed["image"].runs
    Path(arch.products(kind="image")["path"].iloc[0]).unlink()
    reasons = {str(one.task): one.reason for one in arch.explain("quicklook") if one.runs}
    assert any("gone or was changed" in reason for reason in reasons.values())
    assert any("runs because image of" in reason for reason in reasons.values())
    with pytest.raises(UnknownNameError):
        arch.explain("nonsense")
    await arch.close()


async def test_products_are_verified_byte_by_byte(context):
    from pathlib import Path

    arch = await Archive("verified", await sample("S0001"))
    await arch.run("image")
    assert {one.state for one in await arch.verify()} == {"intact"}
    gone, spoilt = (Path(path) for path in arch.products(kind="image")["path"])
    gone.unlink()
    spoilt.chmod(0o644)
    data = bytearray(spoilt.read_bytes())
    data[-1] ^= 1
    spoilt.write_bytes(data)
    states = {one.path: one.state for one in await arch.verify()}
    assert states[str(gone)] == "missing" and states[str(spoilt)] == "changed"
    assert sorted(set(states.values())) == ["changed", "intact", "missing"]
    await arch.close()


async def test_an_archive_before_its_await(context):
    arch = Archive("never", await sample())
    for use in (lambda: arch.missions, lambda: arch.process_success, lambda: arch["sample"], lambda: arch.tasks()):
        with pytest.raises(ArchiveNotOpenError, match="await Archive"):
            use()
    assert "not open" in repr(arch)
    assert not (context.config.output / "archives").exists()


async def test_a_filter_before_its_await(context):
    from daxa.mission import Sample

    mission = Sample()
    mission.filter_on_obs_ids("S0001")
    with pytest.raises(NotAwaitedError, match="filter_on_obs_ids"):
        await Archive("forgotten", mission)
    assert not (context.config.output / "archives" / "forgotten").exists()


async def test_a_mission_without_filter(context):
    from daxa.mission import Sample

    mission = Sample()
    await mission.load()
    with pytest.raises(NoSelectionError, match="all_observations"):
        await Archive("everything", mission)
    arch = await Archive("everything", mission, all_observations=True, on_error="collect")
    states = arch.tasks(process="download").set_index("obs_id")["state"].to_dict()
    assert states == {"S0001": "succeeded", "S0002": "succeeded", "S0003": "no_data"}
    await arch.close()


@pytest.mark.parametrize("name", ["a/b", "..", "", "x\n", "\\"])
async def test_names_that_are_no_directories(context, name):
    with pytest.raises(InvalidNameError):
        Archive(name)


async def test_what_is_given_is_checked_before_anything_is_written(context):
    mission = await sample()
    with pytest.raises(ParameterTypeError):
        Archive("x", ["xmm"])
    with pytest.raises(DuplicateMissionError):
        Archive("x", [mission, mission])
    with pytest.raises(InvalidParameterError):
        Archive("x", [])
    with pytest.raises(InvalidParameterError):
        Archive("x", mission, on_error="shrug")
    with pytest.raises(UnknownNameError):
        Archive("x", mission, download_products={"chandra": True})
    with pytest.raises(ParameterTypeError):
        Archive("x", mission, download_products={"sample": 1})
    with pytest.raises(InvalidParameterError):
        Archive("x", mission, download_products={"sample": False}, use_preprocessed={"sample": True})
    assert not context.config.output.exists()


async def test_what_is_not_there(context):
    with pytest.raises(ArchiveNotFoundError, match="no archive"):
        await Archive("nowhere")
    arch = await Archive("there", await sample("S0001"), use_preprocessed=False)
    with pytest.raises(NoProcessingError):
        _ = arch.process_success
    with pytest.raises(MissionNotAssociatedError, match="sample"):
        arch["xmm_pointed"]
    with pytest.raises(ObsNotAssociatedError):
        arch.get_current_data_path("sample", "S0002")
    with pytest.raises(InvalidObsIDError):
        arch.get_current_data_path("sample", "../etc")
    with pytest.raises(NoDependencyProcessError):
        arch.get_process_logs("image")
    with pytest.raises(UnknownNameError, match="nonsense"):
        await arch.run("nonsense")
    with pytest.raises(InvalidParameterError, match="no parameter"):
        await arch.run("image", colour="blue")
    with pytest.raises(MissionNotAssociatedError):
        await arch.run("image", missions=["chandra"])
    with pytest.raises(ObsNotAssociatedError):
        await arch.run("image", obs_ids=["S0002"])
    with pytest.raises(UnknownNameError, match="executor"):
        await arch.run("image", executor="moon")
    with pytest.raises(InvalidParameterError):
        await arch.run("image", num_cores=0)
    with pytest.raises(ParameterTypeError):
        await arch.run("image", timeout="soon")
    await arch.close()


async def test_no_mission_can_use_it(context, monkeypatch):
    arch = await Archive("no recipe", await sample("S0001"))
    monkeypatch.setattr(context.registry, "recipes", {})
    with pytest.raises(NoValidMissionsError):
        await arch.process()
    await arch.close()


async def test_declared_again_it_goes_on_and_other_missions_are_refused(context):
    from daxa.mission import Chandra

    arch = await Archive("again", await sample("S0001"))
    await arch.close()
    again = await Archive("again", await sample("S0001"))
    states = set(again.tasks()["state"])
    assert states == {"reused"}
    await again.close()
    with pytest.raises(ArchiveExistsError, match="clobber"):
        await Archive("again", Chandra(), all_observations=True)
    anew = await Archive("again", await sample("S0002"), clobber=True)
    assert anew["sample"].filtered_obs_ids.tolist() == ["S0002"]
    await anew.close()


async def test_clobber_takes_nothing_away_before_the_new_one_can_be_declared(context):
    from daxa.mission import Sample

    arch = await Archive("kept", await sample("S0001"))
    await arch.close()
    unfiltered = Sample()
    await unfiltered.load()
    with pytest.raises(NoSelectionError):
        await Archive("kept", unfiltered, clobber=True)
    with pytest.raises(NotAwaitedError):
        unawaited = Sample()
        unawaited.filter_on_obs_ids("S0002")
        await Archive("kept", unawaited, clobber=True)
    async with Archive("kept") as again:
        assert len(again.products(kind="events")) == 2 and all(one.state == "intact" for one in await again.verify())


async def test_clobber_of_an_archive_that_is_being_written_to_is_refused(context):
    arch = await Archive("busy", await sample("S0001"))
    async with arch._writing():
        with pytest.raises(ArchiveInUseError, match="another Archive object"):
            await Archive("busy", await sample("S0002"), clobber=True)
    assert (await arch.run("image")).good and arch["sample"].filtered_obs_ids.tolist() == ["S0001"]
    anew = await Archive("busy", await sample("S0002"), clobber=True)  # one that is only open hinders nobody
    assert anew["sample"].filtered_obs_ids.tolist() == ["S0002"] and set(anew.tasks()["obs_id"]) == {"S0002"}
    await arch.close()
    await anew.close()


async def test_clobber_of_a_damaged_archive(context):
    root = context.config.output / "archives" / "ruin"
    (root / ".save_info").mkdir(parents=True)
    (root / ".save_info" / "archive.sqlite").write_bytes(b"this is no database" * 100)
    (root / "stray.txt").touch()
    anew = await Archive("ruin", await sample("S0002"), clobber=True)
    assert anew["sample"].filtered_obs_ids.tolist() == ["S0002"] and not (root / "stray.txt").exists()
    await anew.close()


async def test_an_archive_that_daxa_made_is_neither_opened_nor_mixed_with_ours(context):
    save = context.config.output / "archives" / "old" / ".save_info"
    save.mkdir(parents=True)
    (save / "process_info.json").write_text('{"version": "0.0.0"}')
    with pytest.raises(ArchiveNotFoundError, match=r"made by DAXA 0\.x"):
        await Archive("old")
    with pytest.raises(ArchiveExistsError, match=r"made by DAXA 0\.x"):
        await Archive("old", await sample("S0001"))
    assert [path.name for path in save.iterdir()] == ["process_info.json"]
    anew = await Archive("old", await sample("S0001"), clobber=True)
    assert not (save / "process_info.json").exists()
    await anew.close()


async def test_calls_of_one_loop_wait_for_each_other(context):
    arch = await Archive("both", await sample())
    made = await asyncio.gather(
        arch.run("image"), arch.run("quicklook"), arch.run("image", force=True), arch.update(), arch.process()
    )
    assert all(one.good for one in made)
    told = arch.history()
    told = told[told["state"].isin(["running", "succeeded"])]
    of_image = told[(told["process"] == "image") & (told["obs_id"] == "S0001") & (told["inst"] == "WIDE")]
    assert of_image["state"].tolist() == ["running", "succeeded"] * 2  # the first time, and by force
    await arch.close()


async def test_a_damaged_record_is_named(context):
    arch = await Archive("broken", await sample("S0001"))
    await arch.close()
    record = context.config.output / "archives" / "broken" / ".save_info" / "archive.sqlite"
    for extra in record.parent.glob("archive.sqlite-*"):
        extra.unlink()
    record.write_bytes(b"this is no database" * 100)
    with pytest.raises(DamagedRecordError, match=r"archive\.sqlite"):
        await Archive("broken")


async def test_a_full_disk_leaves_nothing_half_written(context, monkeypatch):
    import errno

    from daxa.archive import place

    def full(source, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(place, "_clone", full)
    with pytest.raises(StorageError, match="No space"):
        await Archive("full", await sample("S0001"))
    assert not list((context.config.output / "archives" / "full").rglob("*finalevents*"))
    monkeypatch.undo()
    with use_context(context):
        arch = await Archive("full", await sample("S0001"))
    assert len(arch.products(kind="events")) == 2
    await arch.close()


async def test_two_loops_at_once_are_refused(context):
    arch = await Archive("loops", await sample("S0001"))
    refused = []
    inside = threading.Event()
    leave = threading.Event()

    def other():
        with arch._one_loop():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    thread.start()
    inside.wait(10)
    try:
        await arch.process()
    except EventLoopInUseError as problem:
        refused.append(problem)
    leave.set()
    thread.join()
    assert refused
    assert (await arch.process()).good
    await arch.close()


def test_run_sync_then_await_on_one_archive(context):
    mission = run_sync(sample("S0001"))
    arch = run_sync(Archive("mixed", mission))
    assert run_sync(arch.run("clean_events")).good

    async def more():
        assert run_sync(arch.run("image")).good  # under a running loop
        return await arch.run("quicklook")

    assert asyncio.run(more()).good
    run_sync(arch.close())


async def test_an_archive_opens_without_the_plugin_of_its_mission(context, monkeypatch, caplog):
    from daxa.exceptions import MissingPluginError

    arch = await Archive("orphan", await sample("S0001"))
    await arch.run("image")
    success, paths = dict(arch.process_success["sample"]), list(arch.products()["path"])
    await arch.close()
    monkeypatch.delitem(context.registry.missions, "sample")
    async with Archive("orphan") as orphan:
        assert "pip install daxa-sample" in caplog.text
        assert orphan.mission_names == ["sample"] and orphan["sample"].filtered_obs_ids.tolist() == ["S0001"]
        assert orphan.process_success == {"sample": success} and list(orphan.products()["path"]) == paths
        assert orphan.get_current_data_path("sample", "S0001").endswith("/S0001/")
        assert {one.state for one in await orphan.verify()} == {"intact"}
        assert {one.state for one in await orphan["sample"].verify()} == {"intact"}
        orphan.info()
        with pytest.raises(MissingPluginError, match="pip install daxa-sample"):
            await orphan.run("image", missions=["sample"])
        with pytest.raises(NoValidMissionsError):
            await orphan.process()
    monkeypatch.undo()
    with use_context(context):
        async with Archive("orphan") as again:
            assert (await again.run("image")).good

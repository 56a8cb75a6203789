"""A forgotten await must never cost data."""

import asyncio
import gc
import warnings

import anyio
import pytest

import daxa
from daxa.exceptions import MissionLockedError, NoSelectionError, NotAwaitedError

pytestmark = pytest.mark.anyio

LATER = [
    lambda m: m.filtered_obs_info,
    lambda m: m.filtered_obs_ids,
    lambda m: m.filtered_ra_decs,
    lambda m: m.filter_array,
    lambda m: len(m),
    lambda m: m.require_selection(),
    lambda m: m.snapshot(),
    lambda m: m.save("somewhere"),
]


async def test_a_filter_that_was_not_awaited_is_named_by_all_that_comes_later(lab, context, server):
    mission = lab.Lab()
    await mission.load()
    mission.filter_on_name("A3667", search_distance=3)
    gc.collect()  # the call is gone, and Python says nothing of it
    for read in LATER:
        with pytest.raises(NotAwaitedError, match=r"filter_on_name\('A3667', search_distance=3\)"):
            read(mission)
    for call in (mission.download, mission.plan_download):
        with pytest.raises(NotAwaitedError, match=r"`await filter_on_name"):
            await call(all_observations=True)
    with pytest.raises(NotAwaitedError, match=r"`await filter_on_name"):
        await mission.update()
    assert server.fetched() == []
    assert len(mission.all_obs_info) == 300


async def test_the_mark_goes_when_the_call_is_repeated_with_await_or_forgotten_by_reset(lab, context):
    mission = lab.Lab()
    mission.filter_on_target_type("GCL")
    mission.filter_on_target_type("GCL")
    await mission.filter_on_target_type("GCL")
    assert len(mission)
    mission.filter_on_target_type("AGN")
    await mission.filter_on_target_type("GCL")
    with pytest.raises(NotAwaitedError):
        len(mission)
    mission.reset_filter()
    assert len(mission)


async def test_a_mission_that_nobody_filtered_is_taken_only_when_all_are_wanted(lab, context):
    mission = lab.Lab()
    for call in (mission.download, mission.plan_download):
        with pytest.raises(NoSelectionError, match="all_observations=True"):
            await call()
    mission.require_selection(all_observations=True)


async def test_every_way_to_await(lab, context):
    mission = lab.Lab()
    await mission.filter_on_target_type("GCL")
    await asyncio.gather(mission.filter_on_time("2001-01-01", "2022-01-01"), mission.filter_on_target_type("GCL"))
    await asyncio.create_task(mission.filter_on_target_type("GCL"))
    await asyncio.wait_for(mission.filter_on_target_type("GCL"), 10)
    async with anyio.create_task_group() as group:
        group.start_soon(mission.filter_on_target_type, "GCL")
    async with asyncio.TaskGroup() as group:
        group.create_task(mission.filter_on_target_type("GCL"))
    daxa.run_sync(mission.filter_on_target_type("GCL"))
    assert len(mission.filtering_operations) == 8 and len(mission)


def test_run_sync_and_asyncio_run_without_a_loop(lab, context):
    mission = lab.Lab()
    daxa.run_sync(mission.filter_on_target_type("GCL"))
    asyncio.run(mission.filter_on_target_type("GCL"))
    daxa.run_sync(mission.filter_on_target_type("GCL"))
    assert len(mission.filtering_operations) == 3


async def test_filters_side_by_side_load_the_catalogue_once(lab, context, server):
    mission = lab.Lab()
    await asyncio.gather(*(mission.filter_on_target_type(["GCL", "AGN"]) for _ in range(5)))
    assert len([one for one in server.log if one.endswith("catalogue.json")]) == 1


async def test_a_call_can_be_awaited_once(lab, context):
    mission = lab.Lab()
    call = mission.filter_on_target_type("GCL")
    assert "not awaited" in repr(call)
    await call
    with pytest.raises(RuntimeError, match="already awaited"):
        await call


async def test_a_cancelled_filter_leaves_no_mark_and_no_change(lab, context, monkeypatch):
    mission = lab.Lab()
    started = anyio.Event()

    async def slow(self, net):
        started.set()
        await anyio.sleep(60)

    monkeypatch.setattr(lab.Lab, "catalogue", slow)
    task = asyncio.create_task(mission.filter_on_target_type("GCL"))
    await started.wait()
    with pytest.raises(NotAwaitedError, match="awaited to the end"):
        mission.require_selection()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(NoSelectionError):
        mission.require_selection()
    monkeypatch.undo()


def test_a_dropped_call_gives_no_warning_of_pythons(lab, context):
    mission = lab.Lab()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        call = mission.filter_on_target_type("GCL")
        call.close()
        del call
        gc.collect()


def test_a_wrong_call_is_told_at_once(lab, context):
    mission = lab.Lab()
    with pytest.raises(TypeError, match="missing a required argument"):
        mission.filter_on_time(luck=1)
    mission.lock()
    with pytest.raises(MissionLockedError, match=r"filter_on_target_type\('GCL'\)"):
        mission.filter_on_target_type("GCL")
    mission.marks.refuse()

"""Fetching and processing in one graph: an observation is worked on while others are on their way."""

import os
import signal

import anyio
import pytest

from daxa import Archive
from daxa.context import use_context
from daxa.events import TaskChanged
from daxa.exceptions import NetworkError
from daxa.outcome import State

from .test_archive import BASE, sample

pytestmark = pytest.mark.anyio


def held_back(monkeypatch, obs_id, until):
    """Let the archive answer for one observation only when something has happened."""
    from daxa.mission import Sample

    real = Sample.remote_files

    async def remote_files(self, obs, want, net):
        if obs["ObsID"] == obs_id:
            await until()
        async for remote in real(self, obs, want, net):
            yield remote

    monkeypatch.setattr(Sample, "remote_files", remote_files)


async def test_declared_without_fetching_the_first_run_fetches(context):
    arch = await Archive("later", await sample(), download=False)
    assert len(arch.tasks()) == 0 and not arch["sample"].download_completed
    assert (await arch.run("download")).good
    assert set(arch.tasks(process="download")["state"]) == {"succeeded"} and arch["sample"].download_completed
    assert arch["sample"].downloaded_type == "raw+preprocessed"
    assert len(arch.products(kind="events")) == 4
    again = await arch.run("download")
    assert again.counts == {State.REUSED: 2}
    await arch.close()
    async with Archive("later") as reloaded:
        assert reloaded["sample"].download_completed


async def test_an_observation_is_finished_while_another_is_still_on_its_way(context, monkeypatch):
    drawn = anyio.Event()

    def listen(event):
        if isinstance(event, TaskChanged) and event.state is State.SUCCEEDED and event.task.process == "quicklook":
            assert event.task.data_id.obs_id == "S0001" or drawn.is_set()
            drawn.set()

    held_back(monkeypatch, "S0002", drawn.wait)
    arch = await Archive("overlap", await sample(), download=False)
    with context.events.subscribed(listen), anyio.fail_after(120):
        summary = await arch.process()
    assert summary.good and drawn.is_set()
    order = [(row.process, row.obs_id) for row in arch.history(state="succeeded").itertuples()]
    assert order.index(("quicklook", "S0001")) < order.index(("download", "S0002"))
    assert len(arch.products(kind="quicklook")) == 4
    await arch.close()


async def test_what_was_not_fetched_blocks_its_own_only_and_is_fetched_next_time(context, monkeypatch):
    async def refuse():
        raise NetworkError("The archive is closed today.", url=BASE)

    held_back(monkeypatch, "S0002", refuse)
    arch = await Archive("half", await sample(), download=False)
    summary = await arch.process()
    assert not summary.good
    tasks = arch.tasks()
    row = tasks[(tasks["process"] == "download") & (tasks["obs_id"] == "S0002")].iloc[0]
    assert row["state"] == "failed" and "closed today" in row["cause"]
    assert set(tasks[tasks["obs_id"] == "S0001"]["state"]) == {"succeeded"}
    assert not arch["sample"].download_completed
    monkeypatch.undo()
    with use_context(context):
        assert (await arch.process()).good
    assert set(arch.tasks(obs_id="S0001", process="download")["state"]) == {"succeeded"}  # not looked at again
    assert len(arch.products(kind="quicklook")) == 4 and arch["sample"].download_completed
    await arch.close()


async def test_a_declaration_that_was_cut_short_keeps_what_it_fetched(context, monkeypatch):
    fetched = anyio.Event()

    async def never():
        await fetched.wait()
        await anyio.sleep_forever()

    held_back(monkeypatch, "S0002", never)

    def listen(event):
        if isinstance(event, TaskChanged) and event.task.process == "download" and event.state is State.SUCCEEDED:
            fetched.set()

    with context.events.subscribed(listen):
        async with anyio.create_task_group() as group:

            async def declare():
                await Archive("cut", await sample())

            group.start_soon(declare)
            with anyio.fail_after(60):
                await fetched.wait()
            group.cancel_scope.cancel()
    monkeypatch.undo()
    with use_context(context):
        async with Archive("cut") as arch:
            states = arch.tasks(process="download").set_index("obs_id")["state"].to_dict()
            assert states == {"S0001": "succeeded", "S0002": "cancelled"}
            assert len(arch.products(obs_id="S0001", kind="events")) == 2
            assert (await arch.process()).good


async def test_ctrl_c_ends_a_declaration_and_whoever_waits_for_it(context, monkeypatch):
    async def press():
        os.kill(os.getpid(), signal.SIGINT)

    held_back(monkeypatch, "S0002", press)
    with pytest.raises(KeyboardInterrupt, match="goes on from there"):
        await Archive("cut", await sample())
    with use_context(context):
        async with Archive("cut") as arch:
            states = arch.tasks(process="download").set_index("obs_id")["state"].to_dict()
            assert states == {"S0001": "succeeded", "S0002": "succeeded"}  # what runs is let end
        monkeypatch.undo()
        async with Archive("cut", await sample()) as arch:
            assert (await arch.process()).good


async def test_a_run_is_cancelled_from_elsewhere(context, monkeypatch):
    async def stopped():
        assert arch.cancel(hard=True)
        await anyio.sleep_forever()

    arch = await Archive("stopped", await sample(), download=False)
    assert not arch.cancel()
    held_back(monkeypatch, "S0001", stopped)
    with anyio.fail_after(60):
        summary = await arch.process()
    assert summary.interrupted and not summary.good
    assert "cancelled" in set(arch.tasks(process="download")["state"])
    monkeypatch.undo()
    with use_context(context):
        assert (await arch.process()).good
    await arch.close()


async def test_other_bytes_make_what_works_on_them_stale(context):
    arch = await Archive("bytes", await sample("S0001"), download=False)
    await arch.run("download")
    first = arch.tasks(process="download").iloc[0]
    again = await arch.run("download", rerun="download")
    assert again.counts == {State.REUSED: 1}
    assert arch.tasks(process="download").iloc[0]["obs_id"] == first["obs_id"]
    await arch.close()


async def test_tasks_wait_for_memory(context, monkeypatch):
    """Two tasks that want most of the memory each do not run side by side; one that wants more than all runs alone."""
    from daxa.context import current_context

    processes = current_context().registry.processes("sample")
    monkeypatch.setattr(processes["image"], "memory", 1e30)
    running, most = set(), []

    def listen(event):
        if isinstance(event, TaskChanged) and event.task.process == "image":
            (running.add if event.state is State.RUNNING else running.discard)(event.task)
            most.append(len(running))

    arch = await Archive("memory", await sample())
    with context.events.subscribed(listen):
        assert (await arch.run("image", num_cores=2)).good
    assert max(most) == 1
    await arch.close()

"""Nothing outlives its task, its executor, or its head, whatever it does against it."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from functools import partial

import anyio
import psutil
import pytest
from tests.core.executors.jobs import call, job, nobody, python, shims
from tests.faults.leaks import carrying, nothing_leaks

from daxa.archive.evidence import judge
from daxa.executors.local import LocalExecutor
from daxa.ids import DataId
from daxa.outcome import FailureKind, State
from daxa.process import Command, Job, process
from daxa.schedule.declared import Member, Node, Planned
from daxa.schedule.driver import Attempts, Driver, Run
from daxa.schedule.graph import Graph
from daxa.store.records import ArchiveRecord, TaskEntry

STUBBORN = textwrap.dedent(
    """
    import os, signal, sys, time
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    for _ in range(2):  # children, and children of theirs
        if os.fork() == 0 and "leave" in sys.argv:
            os.setsid()
    print("here", flush=True)
    time.sleep(120)
    """
)
"""Four processes that do not end when they are asked to; with ``leave``, three of them in sessions of their own."""

ORPHANED = STUBBORN.replace(
    'print("here"', 'if os.getpid() != int(os.environ.get("FIRST", 0)) and os.fork(): os._exit(0)\nprint("here"'
)
"""The same, and those below lose their parents."""

TREES = [(STUBBORN, ""), (STUBBORN, "leave"), (ORPHANED, "leave")]


def tree(number):
    text, word = TREES[number % len(TREES)]
    return ["env", "sh", "-c", 'FIRST=$$ exec "$@"', "sh", *python(text, word)]


@process(level="obs")
def stay(job):
    """Stay until ended."""
    return Command(["true"])


class Tasks:
    """Runs a tree of processes for each task, as the runner of an archive does, in a record."""

    def __init__(self, directory, executor, record, run_id, environment, steps=tree):
        self.directory, self.executor, self.record, self.run_id = directory, executor, record, run_id
        self.environment, self.steps = environment, steps
        self.results = []

    def decide(self, key):
        return Run({"cpu": 1.0})

    def children(self, key):
        return None

    async def execute(self, key, attempt):
        number = int(key.data_id.ident)
        steps = self.steps(number)
        ident, environment = key.data_id.ident, self.environment
        make = partial(job, self.directory, steps, name=ident, grace=1.0, environment=environment)
        one = await anyio.to_thread.run_sync(make)
        result = await self.executor.run(one, nobody)
        self.results.append((attempt, result))
        task = Job(process="stay", data_id=key.data_id, name="", scratch=one.cwd, raw=one.cwd)
        witnessed = await anyio.to_thread.run_sync(judge, stay, result, task, {}, one)
        return witnessed.outcome

    async def journal(self, transitions):
        await self.record.journal(
            [
                TaskEntry(
                    key=one.task,
                    state=one.state,
                    run_id=self.run_id,
                    cause=one.outcome.cause if one.outcome else None,
                    kind=one.outcome.kind if one.outcome else None,
                )
                for one in transitions
            ]
        )


def graph_of(number):
    root = DataId("xmm_pointed")
    graph = Graph({root.mission: [Node("stay", "obs")]})
    graph.close(root, [Member(root.child(f"{one:010d}"), (Planned("stay"),)) for one in range(number)])
    return graph


async def drive(directory, number, environment, steps, slots, act):
    """Run tasks and do something meanwhile; the record's rows, the runner, and what `act` returned."""
    record = await anyio.to_thread.run_sync(ArchiveRecord.create, directory / "record.sqlite")
    try:
        async with record.writing(), LocalExecutor(slots) as executor:
            tasks = Tasks(directory, executor, record, await record.begin_run({}), environment, steps)
            driver = Driver(graph_of(number), tasks, capacity={"cpu": float(slots)}, attempts=Attempts(pause=0.01))
            told = []

            async def acting():
                told.append(await act(driver))

            async with anyio.create_task_group() as group:
                group.start_soon(acting)
                await driver.run()
            return await anyio.to_thread.run_sync(record.tasks), tasks, told[0]
    finally:
        await anyio.to_thread.run_sync(record.close)


async def all_there(directory, number, each):
    """Wait until the processes of all trees have said that they are there."""
    with anyio.fail_after(30):
        for one in range(number):
            log = directory / f"{one:010d}.out"
            while not log.exists() or log.read_text().count("here") < each:
                await anyio.sleep(0.05)


@pytest.mark.anyio
async def test_eight_trees_that_ignore_it_are_cancelled_within_their_grace(tmp_path):
    async with nothing_leaks() as check:

        async def cancel(driver):
            await all_there(tmp_path, 8, 4)
            assert len(carrying(check.word)) >= 8 * 4
            driver.cancel(hard=True)
            began = time.monotonic()
            slots = {one.pid for one in shims()}
            while {pid for pid, _ in carrying(check.word)} - slots:
                await anyio.sleep(0.02)
            return time.monotonic() - began

        rows, _, seconds = await drive(tmp_path, 8, check.environment, tree, 8, cancel)
        assert seconds < 1.0 + 1.0  # the grace, and a second
        assert [row.state for row in rows] == [State.CANCELLED] * 8


@pytest.mark.anyio
async def test_a_missing_program_is_no_passing_fault(tmp_path):
    async def nothing(driver):
        return None

    rows, tasks, _ = await drive(tmp_path, 2, {}, lambda _: ["/nowhere/emchain"], 2, nothing)
    assert [(row.state, row.kind) for row in rows] == [(State.FAILED, FailureKind.ENVIRONMENT)] * 2
    assert [attempt for attempt, _ in tasks.results] == [1, 1] and "/nowhere/emchain" in rows[0].cause


@pytest.mark.anyio
async def test_a_lost_slot_costs_an_attempt_and_not_the_task(tmp_path):
    async with nothing_leaks() as check:

        async def kill(driver):
            await all_there(tmp_path, 1, 1)
            shims()[0].kill()

        def steps(_):
            once = f"test -e {tmp_path}/second && exit 0; touch {tmp_path}/second; echo here; sleep 60"
            return ["sh", "-c", once]

        rows, tasks, _ = await drive(tmp_path, 1, check.environment, steps, 1, kill)
    assert rows[0].state is State.SUCCEEDED
    assert [(attempt, bool(result.lost)) for attempt, result in tasks.results] == [(1, True), (2, False)]


# --- nothing is left --------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_a_thousand_tasks_leave_nothing(tmp_path):
    async with nothing_leaks() as check:

        async def nothing(driver):
            return None

        rows, _, _ = await drive(tmp_path, 1000, check.environment, lambda _: ["true"], 4, nothing)
    assert {row.state for row in rows} == {State.SUCCEEDED} and len(rows) == 1000


@pytest.mark.anyio
async def test_an_open_executor_does_not_grow(tmp_path):
    async with LocalExecutor(4) as executor:

        async def some(name):
            with anyio.move_on_after(1.5):
                async with anyio.create_task_group() as group:
                    for number in range(4):
                        one = job(tmp_path, tree(number), name=f"c{name}{number}", grace=0.1)
                        group.start_soon(executor.run, one, nobody)
            async with anyio.create_task_group() as group:
                for number in range(4):
                    one = job(tmp_path, tree(number), name=f"t{name}{number}", grace=0.1, time_limit=0.3)
                    group.start_soon(executor.run, one, nobody)
                for number in range(40):
                    group.start_soon(executor.run, job(tmp_path, ["true"], name=f"n{name}{number}"), nobody)

        await some("a")
        async with nothing_leaks():
            await some("b")


@pytest.mark.anyio
async def test_tasks_of_all_ends_leave_nothing(tmp_path):
    async with nothing_leaks() as check:
        async with LocalExecutor(6) as executor:
            async with anyio.create_task_group() as group:
                for number in range(6):
                    environment = check.environment
                    limited = job(
                        tmp_path, tree(number), name=f"t{number}", grace=0.2, time_limit=0.5, environment=environment
                    )
                    group.start_soon(executor.run, limited, nobody)
                    slow = call("time:sleep", secs=60)
                    called = job(
                        tmp_path, name=f"c{number}", call=slow, grace=0.2, time_limit=0.5, environment=environment
                    )
                    group.start_soon(executor.run, called, nobody)
                    failing = job(
                        tmp_path, ["sh", "-c", "sleep 60 & exit 3"], name=f"f{number}", environment=environment
                    )
                    group.start_soon(executor.run, failing, nobody)
            slots = {one.pid for one in shims()}
            assert not {pid for pid, _ in carrying(check.word)} - slots  # before the executor is closed


# --- the head ---------------------------------------------------------------------------------------------------------

HEAD = textwrap.dedent(
    """
    import asyncio, json, os, sys, time
    from pathlib import Path
    from daxa.executors.base import CallSpec, Launch
    from daxa.executors.local import LocalExecutor

    here, trees, how = Path(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3]

    def launch(name, **what):
        return Launch(name=name, cwd=here, env=dict(os.environ), stdout=here / f"{name}.out", stderr=here / f"{name}.err", grace=60.0, **what)

    async def main():
        async with LocalExecutor(6) as executor:
            jobs = [launch(f"{number:010d}", steps=(tuple(one),)) for number, one in enumerate(trees)]
            jobs.append(launch("call", call=CallSpec(target="subprocess:run", arguments={"args": trees[1]})))
            runs = [asyncio.ensure_future(executor.run(one, lambda _: None)) for one in jobs]
            while sum(path.read_text().count("here") for path in here.glob("*.out")) < 5 * 4:
                await asyncio.sleep(0.05)
            if how == "forked" and os.fork() == 0:  # it holds all lines to the slots
                try:
                    os.closerange(0, 3)
                    time.sleep(8)
                finally:
                    os._exit(0)
            print("there", flush=True)
            if how == "exits":
                os._exit(1)
            await asyncio.gather(*runs)

    asyncio.run(main())
    """
)


@pytest.mark.parametrize("how", ["killed", "forked", "exits", "terminated", "hung up"])
def test_nothing_outlives_its_head_however_it_ends(tmp_path, how):
    with nothing_leaks(seconds=15.0) as check:
        script = tmp_path / "head.py"
        script.write_text(HEAD)
        trees = [tree(number) for number in range(4)]
        head = subprocess.Popen(
            [sys.executable, script, tmp_path, json.dumps(trees), how], stdout=subprocess.PIPE, start_new_session=True
        )
        with head.stdout:
            while b"there" not in head.stdout.readline():
                assert head.poll() is None
        spared = set()
        if how == "forked":
            spared = {one.pid for one in psutil.Process(head.pid).children() if str(script) in one.cmdline()}
            assert len(spared) == 1
        assert len(carrying(check.word)) >= 5 * 4
        number = {
            "killed": signal.SIGKILL,
            "forked": signal.SIGKILL,
            "terminated": signal.SIGTERM,
            "hung up": signal.SIGHUP,
        }
        if how in number:
            head.send_signal(number[how])
        head.wait()
        began = time.monotonic()
        try:
            while {pid for pid, _ in carrying(check.word)} - spared:
                assert time.monotonic() - began < 5.0, check.left()
                time.sleep(0.05)
        finally:
            for pid in spared:
                os.kill(pid, signal.SIGKILL)

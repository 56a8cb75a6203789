"""The driver, with a runner that does what each test says."""

import asyncio
import threading
import time
from collections import Counter
from itertools import pairwise

import anyio
import anyio.lowlevel
import pytest

from daxa.events import TaskChanged, TasksAdded
from daxa.exceptions import InvalidParameterError, StorageError
from daxa.ids import DataId, TaskKey
from daxa.outcome import FailureKind, Outcome, State
from daxa.schedule.driver import Attempts, Driver, Reuse, Run, Skip
from daxa.schedule.graph import Edge, Graph, Member, Node, Planned

pytestmark = pytest.mark.anyio

ROOT = DataId("m")
GOOD = Outcome(State.SUCCEEDED)
QUICK = Attempts(pause=0.001)


def failed(kind, cause="it went wrong"):
    return Outcome(State.FAILED, cause=cause, kind=kind)


class Runner:
    """Journals into a list, watches that nothing starts before it is written, and counts what is held."""

    def __init__(self, outcomes=None, *, seconds=0.0, resources=None, decisions=None, children=None):
        self.outcomes, self.seconds = outcomes or {}, seconds
        self.resources = resources or (lambda key: {"cpu": 1})
        self.decisions, self.to_reveal = decisions or {}, children or {}
        self.written, self.states, self.attempts, self.order = [], {}, [], []
        self.held, self.most = Counter(), Counter()
        self.threads = set()

    def decide(self, key):
        self.threads.add(threading.current_thread())
        decision = self.decisions.get(key, Run(self.resources(key)))
        if isinstance(decision, Exception):
            raise decision
        return decision

    async def execute(self, key, attempt):
        assert self.states[key] is State.RUNNING, "not journalled before it was started"
        assert self.graph_needs_are_written(key)
        self.order.append(key)
        self.attempts.append((key, attempt))
        self.held.update(self.resources(key))
        for name, amount in self.held.items():
            self.most[name] = max(self.most[name], amount)
        try:
            return await self.body(key, attempt)
        finally:
            self.held.subtract(self.resources(key))

    async def body(self, key, attempt):
        await anyio.sleep(self.seconds)
        outcome = self.outcomes.get(key, GOOD)
        if isinstance(outcome, list):
            outcome = outcome[attempt - 1]
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def graph_needs_are_written(self, key):
        return all(self.states[need].ended for need in self.needs.get(key, ()))

    needs = {}

    def children(self, key):
        self.threads.add(threading.current_thread())
        found = self.to_reveal[key]
        if isinstance(found, Exception):
            raise found
        return found

    async def journal(self, transitions):
        assert transitions
        await anyio.sleep(0.0005)
        for transition in transitions:
            before = self.states.get(transition.task)
            assert before is None or not before.ended
            self.written.append(transition)
            self.states[transition.task] = transition.state

    def ends(self):
        return {one.task: one.outcome for one in self.written if one.state.ended}


def key(process, *names, variant=""):
    return TaskKey(process, DataId("m", *names), variant)


def chain(observations, processes="abc"):
    """Observations with a chain of processes each."""
    nodes = [Node(one, "obs", (Edge(before),)) for before, one in pairwise(processes)]
    nodes.append(Node(processes[0], "obs"))
    graph = Graph({"m": nodes})
    tasks = tuple(Planned(one) for one in processes)
    graph.close(ROOT, [Member(ROOT.child(name), tasks) for name in observations])
    return graph


def names(count):
    return [f"{number:04d}" for number in range(count)]


async def run(graph, runner, **options):
    options = {"capacity": {"cpu": 2}, "attempts": QUICK, **options}
    driver = Driver(graph, runner, **options)
    with anyio.fail_after(20):
        return await driver.run()


def check_record(graph, runner):
    """The journal knows every end, and nothing else than the graph."""
    assert graph.done
    assert runner.states == graph.states


async def test_everything_runs_and_is_written_before_what_follows():
    graph, runner = chain(names(20)), Runner()
    runner.needs = {key(one, name): [key(before, name)] for name in names(20) for before, one in ("ab", "bc")}
    assert await run(graph, runner) == {State.SUCCEEDED: 60}
    check_record(graph, runner)
    assert [one.state for one in runner.written if one.task == key("a", "0000")] == [State.RUNNING, State.SUCCEEDED]


async def test_observations_finish_early():
    graph, runner = chain(names(4)), Runner()
    await run(graph, runner, capacity={"cpu": 1})
    assert [str(one) for one in runner.order] == [str(key(one, name)) for name in names(4) for one in "abc"]


async def test_what_fails_does_not_stop_the_rest():
    bad = {key("a", "0003"): failed(FailureKind.TOOL, "exit status 1"), key("b", "0005"): Outcome(State.TIMED_OUT)}
    graph, runner = chain(names(10)), Runner(bad)
    assert await run(graph, runner) == {State.SUCCEEDED: 25, State.FAILED: 1, State.TIMED_OUT: 1, State.BLOCKED: 3}
    check_record(graph, runner)
    end = runner.ends()[key("c", "0003")]
    assert end.root == key("a", "0003")
    assert end.cause == "a of m/0003 failed: exit status 1"


async def test_retries_are_counted_by_kind():
    passing, lost = failed(FailureKind.TRANSIENT), failed(FailureKind.INFRASTRUCTURE)
    graph = chain(names(5), "a")
    runner = Runner(
        {
            key("a", "0000"): [passing, passing, GOOD],
            key("a", "0001"): [passing, passing, passing],
            key("a", "0002"): [lost, passing, lost, passing, lost, lost, GOOD],
            key("a", "0003"): [lost] * 5,
            key("a", "0004"): failed(FailureKind.TOOL),
        }
    )
    assert await run(graph, runner) == {State.SUCCEEDED: 2, State.FAILED: 3}
    assert Counter(one.data_id.obs_id for one, _ in runner.attempts) == dict(
        zip(names(5), (3, 3, 7, 5, 1), strict=True)
    )
    assert runner.attempts.count((key("a", "0002"), 7)) == 1
    again = [one for one in runner.written if one.state is State.READY]
    assert len(again) == 2 + 2 + 6 + 4
    assert all(one.outcome.kind.retryable for one in again)
    check_record(graph, runner)


async def test_a_pause_before_another_attempt_holds_no_resources():
    graph = chain(names(2), "a")
    runner = Runner({key("a", "0000"): [failed(FailureKind.TRANSIENT), GOOD]})
    assert await run(graph, runner, capacity={"cpu": 1}, attempts=Attempts(pause=0.05)) == {State.SUCCEEDED: 2}
    assert [one.data_id.obs_id for one in runner.order] == ["0000", "0001", "0000"]


def test_pauses_grow_to_a_minute():
    attempts = Attempts(pause=1.0)
    assert [attempts.wait(number) for number in (1, 2, 3, 12)] == [1.0, 2.0, 4.0, 60.0]


async def test_capacity_is_never_exceeded():
    def resources(one):
        number = int(one.data_id.obs_id)
        return {"cpu": 1 + number % 3, "memory": number % 5, "net:archive": number % 2, "unlimited": 1e9}

    graph, runner = chain(names(60)), Runner(resources=resources, seconds=0.001)
    capacity = {"cpu": 4, "memory": 6, "net:archive": 1}
    assert await run(graph, runner, capacity=capacity) == {State.SUCCEEDED: 180}
    assert runner.most["cpu"] == 4
    assert all(runner.most[name] <= capacity[name] for name in capacity)


async def test_who_wants_more_than_there_is_runs_alone():
    graph = chain(names(8), "a")
    runner = Runner(resources=lambda one: {"cpu": 99 if one.data_id.obs_id == "0004" else 1}, seconds=0.001)
    assert await run(graph, runner, capacity={"cpu": 3}) == {State.SUCCEEDED: 8}
    assert runner.most["cpu"] == 99


async def test_a_big_task_is_not_starved_by_small_ones():
    many = names(200)
    graph = chain(many, "a")
    big = key("a", "0003")
    runner = Runner(resources=lambda one: {"cpu": 4 if one == big else 1})

    async def body(one, attempt):
        await anyio.sleep(0.001 + 0.0007 * (int(one.data_id.obs_id) % 3))
        return GOOD

    runner.body = body
    assert await run(graph, runner, capacity={"cpu": 4}) == {State.SUCCEEDED: 200}
    assert runner.order.index(big) <= 20


async def test_downloads_and_processing_overlap():
    """What waits for one quantity does not keep the driver from finding work for another."""
    nodes = [Node("fetch", "obs"), Node("reduce", "obs")]
    graph = Graph({"m": nodes})
    graph.close(ROOT, [Member(ROOT.child(name), (Planned("reduce"), Planned("fetch"))) for name in names(400)])
    fetched_at = []

    class Both(Runner):
        async def body(self, one, attempt):
            if one.process == "fetch":
                fetched_at.append(sum(done.process == "reduce" for done in self.order))
            await anyio.sleep(0.0005)
            return GOOD

    runner = Both(resources=lambda one: {"net:archive": 1} if one.process == "fetch" else {"cpu": 1})
    await run(graph, runner, capacity={"cpu": 1, "net:archive": 1})
    assert fetched_at[20] < 100


# --- deciding ------------------------------------------------------------------------------------------------------


async def test_reuse_and_skip_end_without_being_run():
    decisions = {
        key("a", "0000"): Reuse(),
        key("b", "0000"): Reuse(Outcome(State.REUSED)),
        key("a", "0001"): Skip(Outcome(State.NO_DATA, cause="nothing to see")),
    }
    graph, runner = chain(names(3)), Runner(decisions=decisions)
    assert await run(graph, runner) == {State.REUSED: 2, State.NO_DATA: 3, State.SUCCEEDED: 4}
    assert {one.data_id.obs_id for one in runner.order if one.process != "c"} == {"0002"}
    assert runner.ends()[key("c", "0001")].cause == "a of m/0001 has no data: nothing to see"
    assert threading.main_thread() not in runner.threads
    check_record(graph, runner)


async def test_a_long_chain_of_reuse_is_quick():
    graph = chain(names(500))
    runner = Runner(decisions={one: Reuse() for one in graph.states})
    assert await run(graph, runner) == {State.REUSED: 1500}
    assert runner.order == []


@pytest.mark.parametrize("fault", [ValueError("no idea"), Run({"cpu": -1}), Run({"cpu": float("nan")}), None, "yes"])
async def test_a_decision_that_is_none_fails_the_task(fault):
    graph, runner = chain(names(2)), Runner(decisions={key("a", "0000"): fault})
    assert await run(graph, runner) == {State.FAILED: 1, State.BLOCKED: 2, State.SUCCEEDED: 3}
    assert runner.ends()[key("a", "0000")].kind is FailureKind.INTERNAL
    check_record(graph, runner)


# --- revealing -----------------------------------------------------------------------------------------------------

REVEALING = [
    Node("ingest", "obs", reveals=True),
    Node("chain", "exp", (Edge("ingest"),)),
    Node("merge", "obs", (Edge("chain", "any"),)),
]


def revealing(observations):
    graph = Graph({"m": REVEALING})
    tasks = (Planned("merge"), Planned("ingest"))
    graph.close(ROOT, [Member(ROOT.child(name), tasks) for name in observations])
    return graph


def exposures(name, *subexps):
    inst = ROOT.child(name).child("PN")
    return [Member(inst, members=tuple(Member(inst.child(one), (Planned("chain"),)) for one in subexps))]


async def test_revealers_add_children():
    found = {
        key("ingest", "A"): exposures("A", "S1", "S2"),
        key("ingest", "B"): exposures("B"),
        key("ingest", "C"): None,
        key("ingest", "D"): exposures("D", "S1"),
    }
    runner = Runner({key("chain", "A", "PN", "S1"): failed(FailureKind.TOOL)}, children=found)
    runner.decisions = {key("ingest", "D"): Reuse()}
    runner.needs = {key("merge", "A"): [key("chain", "A", "PN", "S1"), key("chain", "A", "PN", "S2")]}
    events = []
    graph = revealing("ABCD")
    counts = await run(graph, runner, publish=events.append)
    ends = {one: end.state for one, end in runner.ends().items()}
    assert ends[key("merge", "A")] is State.SUCCEEDED
    assert ends[key("merge", "B")] is ends[key("merge", "C")] is State.NO_DATA
    assert ends[key("merge", "D")] is State.SUCCEEDED
    assert counts == {State.SUCCEEDED: 7, State.FAILED: 1, State.NO_DATA: 2, State.REUSED: 1}
    assert sum(one.count for one in events if isinstance(one, TasksAdded)) == 3
    assert [(one.task, one.state, one.outcome) for one in events if isinstance(one, TaskChanged)] == [
        (one.task, one.state, one.outcome) for one in runner.written
    ]
    assert threading.main_thread() not in runner.threads
    check_record(graph, runner)


@pytest.mark.parametrize(
    "children",
    [
        ValueError("cannot read the summary"),
        [Member(DataId("m", "Z", "PN"))],
        [Member(DataId("m", "A", "PN"), (Planned("nonsense"),))],
        17,
    ],
)
@pytest.mark.parametrize("decision", [Run(), Reuse()])
async def test_children_that_cannot_be_had_fail_the_revealer(children, decision):
    runner = Runner(children={key("ingest", "A"): children, key("ingest", "B"): exposures("B", "S1")})
    runner.decisions = {key("ingest", "A"): decision}
    graph = revealing("AB")
    assert await run(graph, runner) == {State.FAILED: 1, State.BLOCKED: 1, State.SUCCEEDED: 3}
    assert runner.ends()[key("ingest", "A")].kind is FailureKind.INTERNAL
    assert runner.ends()[key("merge", "A")].root == key("ingest", "A")
    check_record(graph, runner)


async def test_a_scope_nobody_tells_of_does_not_hang():
    runner = Runner(children={key("ingest", "A"): [Member(DataId("m", "A", "PN"))]})
    graph = revealing("A")
    assert await run(graph, runner) == {State.SUCCEEDED: 1, State.BLOCKED: 1}
    assert runner.ends()[key("merge", "A")].cause == "nobody said what m/A/PN holds"
    check_record(graph, runner)


async def test_a_scope_the_plan_forgot_does_not_hang():
    runner, graph = Runner(), Graph({"m": REVEALING})
    assert await run(graph, runner) == {}
    assert graph.done


async def test_what_the_plan_ended_is_journalled():
    graph = Graph({"m": REVEALING})
    graph.close(ROOT, [Member(ROOT.child("A"), (Planned("ingest", skip="not wanted"), Planned("merge")))])
    runner = Runner()
    assert await run(graph, runner) == {State.NO_DATA: 2}
    assert runner.ends()[key("ingest", "A")].cause == "not wanted"
    check_record(graph, runner)


# --- faults --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        ZeroDivisionError("by zero"),
        asyncio.CancelledError(),
        None,
        5,
        Outcome(State.RUNNING),
        ExceptionGroup("two", [OSError()]),
    ],
)
async def test_a_runner_that_raises_fails_the_task(fault):
    graph, runner = chain(names(3)), Runner()

    async def body(one, attempt):
        await anyio.lowlevel.checkpoint()
        if one == key("b", "0001"):
            if isinstance(fault, BaseException):
                raise fault
            return fault
        return GOOD

    runner.body = body
    assert await run(graph, runner) == {State.SUCCEEDED: 7, State.FAILED: 1, State.BLOCKED: 1}
    assert runner.ends()[key("b", "0001")].kind is FailureKind.INTERNAL
    check_record(graph, runner)


async def test_a_subscriber_that_raises_does_not_disturb():
    def publish(event):
        raise ValueError("no")

    assert await run(chain(names(2)), Runner(), publish=publish) == {State.SUCCEEDED: 6}


async def test_a_journal_that_fails_ends_the_run():
    class Full(Runner):
        async def journal(self, transitions):
            if len(self.written) > 10 and not self.failed_once:
                self.failed_once = True
                raise StorageError("the disk is full")
            await super().journal(transitions)

        failed_once = False
        started = ended = 0

        async def body(self, one, attempt):
            self.started += 1
            try:
                await anyio.sleep(0.005)
            finally:
                self.ended += 1
            return GOOD

    graph, runner = chain(names(20)), Full()
    with pytest.raises(StorageError, match="the disk is full"):
        await run(graph, runner)
    assert runner.started == runner.ended
    assert not graph.unfinished
    check_record(graph, runner)  # what could not be written then was written at the end


async def test_a_journal_that_goes_on_failing_raises_its_first_error():
    class Broken(Runner):
        count = 0

        async def journal(self, transitions):
            self.count += 1
            raise StorageError(f"failure {self.count}")

    graph = chain(names(3))
    with pytest.raises(StorageError, match="failure 1"):
        await run(graph, Broken())
    assert not graph.unfinished


def test_a_capacity_must_be_an_amount():
    for capacity in ({"cpu": 0}, {"cpu": -1}, {"cpu": "4"}, {"cpu": True}):
        with pytest.raises(InvalidParameterError):
            Driver(chain("A"), Runner(), capacity=capacity)


# --- cancelling ----------------------------------------------------------------------------------------------------


class Slow(Runner):
    """Tasks that end when told to; counts those that were cut short."""

    def __init__(self, **options):
        super().__init__(**options)
        self.begun, self.release, self.cut, self.clean = anyio.Event(), anyio.Event(), 0, 0

    async def body(self, one, attempt):
        self.begun.set()
        try:
            await self.release.wait()
        except anyio.get_cancelled_exc_class():
            self.cut += 1
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.01)
                self.clean += 1
            raise
        return GOOD


async def start(driver, runner, group):
    counts = {}

    async def live():
        counts.update(await driver.run())

    group.start_soon(live)
    await runner.begun.wait()
    return counts


async def test_soft_cancel_lets_what_runs_end():
    graph, runner = chain(names(10)), Slow()
    driver = Driver(graph, runner, capacity={"cpu": 2})
    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            counts = await start(driver, runner, group)
            driver.cancel()
            await anyio.sleep(0.02)
            assert graph.counts[State.RUNNING] == 2
            runner.release.set()
    assert counts == {State.SUCCEEDED: 2, State.CANCELLED: 28}
    assert len(runner.order) == 2
    check_record(graph, runner)


async def test_soft_then_hard_cancel_ends_what_runs():
    graph, runner = chain(names(10)), Slow()
    driver = Driver(graph, runner, capacity={"cpu": 2})
    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            counts = await start(driver, runner, group)
            driver.cancel()
            await anyio.sleep(0.01)
            driver.cancel(hard=True)
    assert counts == {State.CANCELLED: 30}
    assert runner.cut == runner.clean == 2
    check_record(graph, runner)


async def test_cancel_from_another_thread_and_at_any_time():
    graph, runner = chain(names(10)), Slow()
    driver = Driver(graph, runner, capacity={"cpu": 2})
    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            counts = await start(driver, runner, group)
            await asyncio.to_thread(driver.cancel, True)
    assert counts == {State.CANCELLED: 30}
    driver.cancel(hard=True)  # nothing to cancel any more

    graph, runner = chain(names(10)), Runner()
    driver = Driver(graph, runner, capacity={"cpu": 2})
    driver.cancel()  # before it runs
    assert await driver.run() == {State.CANCELLED: 30}
    check_record(graph, runner)


async def test_cancel_during_a_pause():
    graph = chain(names(1), "a")
    runner = Runner({key("a", "0000"): failed(FailureKind.TRANSIENT)})
    driver = Driver(graph, runner, capacity={"cpu": 2}, attempts=Attempts(pause=30))
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(driver.run)
            while State.READY not in runner.states.values():
                await anyio.sleep(0.001)
            driver.cancel()
    assert graph.counts == {State.CANCELLED: 1}
    check_record(graph, runner)


async def test_children_revealed_after_a_cancel_are_cancelled():
    runner = Slow(children={key("ingest", "A"): exposures("A", "S1", "S2")})
    graph = revealing("A")
    driver = Driver(graph, runner, capacity={"cpu": 2})
    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            counts = await start(driver, runner, group)
            driver.cancel()
            runner.release.set()
    assert counts == {State.SUCCEEDED: 1, State.CANCELLED: 3}
    check_record(graph, runner)


@pytest.mark.parametrize("how", ["scope", "task", "task twice", "group fails"])
async def test_cancellation_from_outside_leaves_everything_ended_and_written(how):
    class Reluctant(Slow):
        async def journal(self, transitions):
            await anyio.sleep(0.01)
            await super().journal(transitions)

    graph, runner = chain(names(10)), Reluctant()
    driver = Driver(graph, runner, capacity={"cpu": 3})
    with anyio.fail_after(10):
        if how == "scope":
            with anyio.CancelScope() as scope:
                async with anyio.create_task_group() as group:
                    await start(driver, runner, group)
                    scope.cancel()
        elif how == "group fails":
            with pytest.raises(ExceptionGroup):
                async with anyio.create_task_group() as group:
                    await start(driver, runner, group)
                    raise ValueError("elsewhere")
        else:
            task = asyncio.create_task(driver.run())
            await runner.begun.wait()
            task.cancel()
            if how == "task twice":
                await asyncio.sleep(0.005)
                task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
    assert runner.cut == runner.clean == 3
    assert graph.counts == {State.CANCELLED: 30}
    check_record(graph, runner)


async def test_cancellation_at_random_moments_leaves_a_consistent_record():
    for number in range(40):
        graph = chain(names(12))
        runner = Runner({key("a", "0003"): failed(FailureKind.TOOL)}, seconds=0.0005)
        driver = Driver(graph, runner, capacity={"cpu": 3}, attempts=QUICK)
        with anyio.move_on_after(0.0005 * number):
            await driver.run()
        if not graph.done or graph.counts.get(State.CANCELLED):
            assert not graph.unfinished
        if runner.states:
            assert graph.states == runner.states


async def test_cancelling_does_not_spin():
    graph, runner = chain(names(10)), Slow()

    async def body(one, attempt):
        runner.begun.set()
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.5)

    runner.body = body
    driver = Driver(graph, runner, capacity={"cpu": 2})
    async with anyio.create_task_group() as group:
        await start(driver, runner, group)
        before = time.process_time()
        driver.cancel(hard=True)
    assert time.process_time() - before < 0.25


async def test_no_task_or_thread_is_left_behind():
    before = asyncio.all_tasks()
    for _ in range(3):
        await run(chain(names(5)), Runner())
    assert asyncio.all_tasks() == before

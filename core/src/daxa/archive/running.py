"""One run of processes on an archive: from what is asked for to the driver, and back to a summary."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
from attrs import field, frozen

from daxa import machine
from daxa.archive.downloads import ArchiveDownloads
from daxa.archive.finality import bring_back, settle
from daxa.archive.parameters import Given, recorded, shared_out, to_record
from daxa.archive.plan import DOWNLOAD, Exposure, MissionPlan, choose_missions
from daxa.archive.refusing import refuse_without_software
from daxa.archive.runner import ArchiveRunner
from daxa.archive.software import Software
from daxa.events import RunEnded, RunStarted
from daxa.exceptions import (
    InvalidParameterError,
    MissionNotAssociatedError,
    ObsNotAssociatedError,
    ParameterTypeError,
    StorageError,
    UnknownNameError,
)
from daxa.ids import DataId, TaskKey
from daxa.mission.absent import AbsentMission
from daxa.outcome import State
from daxa.schedule.declared import Member
from daxa.schedule.driver import Driver
from daxa.schedule.fingerprint import plain
from daxa.schedule.graph import Graph
from daxa.specs import load_target
from daxa.store.records import ArchiveRecord, TaskEntry

if TYPE_CHECKING:
    from daxa.context import Context
    from daxa.mission.base import Mission
    from daxa.mission.download import ObservationResult

log = logging.getLogger(__name__)


@frozen
class RunSummary:
    """How a run ended.

    Parameters
    ----------
    counts : Mapping of State to int
        Tasks by final state.
    failures : tuple of TaskEntry
        Tasks that failed or were timed out.
    interrupted : bool
        Whether the run was cut short by Ctrl-C or ``cancel``.
    downloads : tuple of ObservationResult
        What became of the observations that were fetched, or looked at again.
    stopped : StorageError, optional
        What ended all fetching: there was no room.
    """

    counts: Mapping[State, int]
    failures: tuple[TaskEntry, ...] = ()
    interrupted: bool = False
    downloads: tuple[ObservationResult, ...] = ()
    stopped: StorageError | None = None

    @property
    def good(self) -> bool:
        """Whether nothing failed."""
        return not self.failures and not self.interrupted

    def __str__(self) -> str:
        parts = [f"{count} {state.value.replace('_', ' ')}" for state, count in self.counts.items() if count]
        return ", ".join(parts) or "nothing to do"


def _seconds(timeout: Any) -> float | None:
    """Read a time limit: a Quantity of time, or a number of seconds."""
    if timeout is None:
        return None
    try:
        value = float(timeout.to_value("s")) if hasattr(timeout, "to_value") else float(timeout)
    except (TypeError, ValueError) as problem:
        kind: type[ParameterTypeError] = ParameterTypeError
        if hasattr(timeout, "unit") and not timeout.unit.is_equivalent("s"):
            from daxa.archive.units import NotATimeError

            kind = NotATimeError
        raise kind(
            f"timeout is {timeout!r}.", expected="a time, such as Quantity(1, 'hour')", remedy="correct it"
        ) from problem
    if not value > 0:
        raise InvalidParameterError(
            f"timeout is {timeout!r}.", expected="a time above zero", remedy="correct it", value=timeout
        )
    return value


def _names(value: Sequence[str] | str | None) -> tuple[str, ...] | None:
    return None if value is None else (value,) if isinstance(value, str) else tuple(value)


@frozen(kw_only=True)
class RunRequest:
    """What a run was asked to do."""

    names: tuple[str, ...]
    missions: tuple[str, ...] | None = None
    obs_ids: tuple[str, ...] | None = None
    rerun: str | None = None
    force: bool = False
    executor: str = "local"
    num_cores: int | None = None
    time_limit: float | None = None
    disable_progress: bool = False
    params: Mapping[str, Any] = field(factory=dict)

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        *,
        missions: Sequence[str] | str | None = None,
        obs_ids: Sequence[str] | str | None = None,
        num_cores: int | None = None,
        timeout: Any = None,
        params: Mapping[str, Any] | None = None,
        **rest: Any,
    ) -> RunRequest:
        """Check what was given."""
        if num_cores is not None and (type(num_cores) is not int or num_cores < 1):
            raise InvalidParameterError(
                f"num_cores is {num_cores!r}.", expected="a whole number of 1 or more", remedy="correct it"
            )
        return cls(
            names=tuple(names),
            missions=_names(missions),
            obs_ids=_names(obs_ids),
            num_cores=num_cores,
            time_limit=_seconds(timeout),
            params=dict(params or {}),
            **rest,
        )


def make_plans(
    missions: Mapping[str, Mission],
    wanted: Mapping[str, Sequence[str]],
    request: RunRequest,
    context: Context,
    before: Given,
) -> dict[str, MissionPlan]:
    """Find out what each mission has to run; refuse unknown names and parameters before anything starts.

    `before` is what processes were given the last time; those that are only needed keep it.
    """
    for name in request.missions or ():
        if name not in missions:
            raise MissionNotAssociatedError(
                f"The archive does not hold the mission {name!r}.",
                expected=f"one of {', '.join(missions)}",
                remedy="correct the name",
                value=name,
            )
    plans: dict[str, MissionPlan] = {}
    unknown: dict[str, UnknownNameError] = {}
    for name, mission in missions.items():
        if name not in wanted or (request.missions is not None and name not in request.missions):
            continue
        if isinstance(mission, AbsentMission):
            if request.missions is not None:
                raise mission.missing
            log.warning("%s is left out: %s", name, mission.missing)
            continue
        known = context.registry.processes(name)
        missing = [one for one in wanted[name] if one not in known and one != DOWNLOAD]
        if missing:
            unknown[name] = UnknownNameError(
                f"{name} has no process {missing[0]!r}.",
                expected=f"one of {', '.join(sorted(known)) or 'none'}",
                remedy="correct the name, or install the plugin that provides the process",
                value=missing[0],
            )
            continue
        given, addressed = shared_out(request.params, wanted[name], known, before.get(name, {}))
        plan = MissionPlan(name, mission.product_level, known, tuple(wanted[name]), given, addressed)
        plan.parameters = _parameters(plan, request.params)
        plans[name] = plan
    if not plans and unknown:
        raise next(iter(unknown.values()))
    choose_missions(list(missions), plans, ", ".join(request.names))
    return plans


def _parameters(plan: MissionPlan, params: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Complete the parameters of a chain; one that no process of it knows is refused by what was asked for."""
    chain = [plan.known[name] for name in plan.processes]
    names = {process.name for process in chain}
    unknown = {
        name for name in params if name not in names and not any(name in process.parameters for process in chain)
    }
    if unknown and chain:
        plan.known[plan.wanted[-1]].bind(dict.fromkeys(unknown))
    return {process.name: process.bind(plan.given.get(process.name, {})) for process in chain}


def observations(plan: MissionPlan, mission: Mission, obs_ids: set[str] | None) -> list[Member]:
    """The observations of a run; what they hold comes to light when they are fetched, or their summary is read."""
    root = DataId(plan.mission)
    held = dict.fromkeys(str(one) for one in mission.filtered_obs_ids)  # an archive may list one twice
    chosen = [one for one in held if obs_ids is None or one in obs_ids]
    return [plan.member(Exposure(root.child(obs_id))) for obs_id in chosen]


def _check_rerun(rerun: Any, missions: Mapping[str, Mission], plans: Mapping[str, MissionPlan]) -> None:
    """Refuse to run again what the run does not hold: it would do nothing, in silence."""
    if rerun is None or rerun in ("failed", DOWNLOAD):
        return
    processes = dict.fromkeys(name for plan in plans.values() for name in plan.processes)
    observed = isinstance(rerun, str) and any(rerun in map(str, missions[name].filtered_obs_ids) for name in plans)
    if not observed and (not isinstance(rerun, str) or rerun not in processes):
        raise InvalidParameterError(
            f"rerun is {rerun!r}.",
            expected=f"'failed', an ObsID of the archive, or one of {', '.join(processes)}",
            remedy="correct it; several are run again one after the other",
            value=rerun,
        )


def _force_rule(request: RunRequest, plans: Mapping[str, MissionPlan]) -> Callable[[TaskKey], bool]:
    """Which tasks are run although their products are there."""
    asked = {name for plan in plans.values() for name in plan.wanted}
    if request.force:
        return lambda key: key.process in asked
    rerun = request.rerun
    if rerun == DOWNLOAD:
        return lambda key: key.process == DOWNLOAD
    if rerun is None or rerun == "failed":
        return lambda _key: False  # what failed has no products to reuse: it runs anyway
    known = {name for plan in plans.values() for name in plan.chain}
    if rerun in known:
        return lambda key: key.process == rerun
    return lambda key: key.data_id.obs_id == rerun and key.process != DOWNLOAD


@contextmanager
def _interrupts(driver: Driver) -> Iterator[Callable[[], bool]]:
    """Ctrl-C once: admit nothing more, let what runs end. Twice: end it."""
    pressed = 0

    def press(_number: int, _frame: object) -> None:
        nonlocal pressed
        pressed += 1
        driver.cancel(hard=pressed > 1)

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, press)
    try:
        yield lambda: pressed > 0
    finally:
        signal.signal(signal.SIGINT, before)


def plan_run(
    missions: Mapping[str, Mission],
    wanted: Mapping[str, Sequence[str]],
    request: RunRequest,
    context: Context,
    before: Given,
) -> tuple[dict[str, MissionPlan], Graph]:
    """Make the plans and the graph of a run; refuses what cannot be run before anything starts."""
    plans = make_plans(missions, wanted, request, context, before)
    obs_ids = None if request.obs_ids is None else set(request.obs_ids)
    if obs_ids is not None:
        held = {str(one) for name in plans for one in missions[name].filtered_obs_ids}
        if obs_ids - held:
            raise ObsNotAssociatedError(
                f"The archive does not hold the observation {sorted(obs_ids - held)[0]!r}.",
                expected="ObsIDs of the archive",
                remedy="correct the list",
                value=sorted(obs_ids - held),
            )
    _check_rerun(request.rerun, missions, plans)
    graph = Graph({name: plan.nodes() for name, plan in plans.items()})
    for name, plan in plans.items():
        graph.close(DataId(name), observations(plan, missions[name], obs_ids))
    return plans, graph


async def run_processes(
    root: Path,
    record: ArchiveRecord,
    missions: Mapping[str, Mission],
    wanted: Mapping[str, Sequence[str]],
    request: RunRequest,
    context: Context,
    under_way: Callable[[Driver], AbstractContextManager[Any]] = nullcontext,
) -> RunSummary:
    """Run processes, and what they need, on an archive held for writing.

    Parameters
    ----------
    root : Path
        Its directory.
    record : ArchiveRecord
        Its record.
    missions : Mapping
        Its missions.
    wanted : Mapping
        For each mission, the processes whose products are wanted.
    request : RunRequest
        The rest of what was asked.
    context : Context
        The surroundings.
    under_way : callable, optional
        Told of the driver, as a context manager around its run.
    """
    before = recorded(await anyio.to_thread.run_sync(record.runs))
    plans, graph = await anyio.to_thread.run_sync(plan_run, missions, wanted, request, context, before)
    software = await anyio.to_thread.run_sync(_software, root, record, missions, plans, request, context)
    cores = request.num_cores or context.config.cores
    await record.interrupt_running()
    run_id = await record.begin_run(
        {
            "processes": list(request.names),
            "wanted": {name: list(wanted[name]) for name in plans},
            "params": plain(request.params),
            "given": to_record(plans),
            "time_limit": request.time_limit,
        }
    )
    executor_class = load_target(_executor_target(context, request.executor))
    title = ", ".join(request.names)
    if not request.disable_progress:
        context.events.publish(RunStarted(title=title, total=len(graph)))
    chosen = {
        name: {str(one) for one in missions[name].filtered_obs_ids if request.obs_ids is None or one in request.obs_ids}
        for name in plans
    }
    await bring_back(root, record, chosen)
    force = _force_rule(request, plans)
    fetched = [key for key in graph.states if key.process == DOWNLOAD]
    try:
        async with (
            executor_class(slots=cores) as executor,
            ArchiveDownloads(root, record, missions, run_id).opened(fetched, any(map(force, fetched))) as downloads,
        ):
            runner = ArchiveRunner(
                root=root,
                record=record,
                missions=missions,
                plans=plans,
                executor=executor,
                software=software,
                run_id=run_id,
                force=force,
                downloads=downloads,
                time_limit=request.time_limit,
            )
            capacity = await anyio.to_thread.run_sync(_capacity, context, root, cores)
            driver = Driver(graph, runner, capacity={**capacity, **downloads.capacity}, publish=context.events.publish)
            with _interrupts(driver) as interrupted, under_way(driver):
                counts = await driver.run()
                was_interrupted = interrupted() or driver.cancelled
        await settle(root, record, missions, plans, chosen)
    finally:
        with anyio.CancelScope(shield=True):
            await record.end_run(run_id)
        if not request.disable_progress:
            context.events.publish(RunEnded(title=title))
    failures: list[TaskEntry] = []
    if counts.get(State.FAILED) or counts.get(State.TIMED_OUT):
        failures = await anyio.to_thread.run_sync(
            lambda: record.tasks(state=[State.FAILED.value, State.TIMED_OUT.value], run_id=run_id)
        )
    return RunSummary(
        counts=counts,
        failures=tuple(failures),
        interrupted=was_interrupted,
        downloads=tuple(downloads.results),
        stopped=downloads.stopped,
    )


def _software(
    root: Path,
    record: ArchiveRecord,
    missions: Mapping[str, Mission],
    plans: Mapping[str, MissionPlan],
    request: RunRequest,
    context: Context,
) -> Software:
    """Look for the software of a run; refuse before anything starts what could not run."""
    software = Software.of([plan.known[name] for plan in plans.values() for name in plan.processes], context)
    runner = ArchiveRunner.for_reading(root, record, missions, plans, software)
    refuse_without_software(runner, plans, request.obs_ids, _force_rule(request, plans))
    return software


def _capacity(context: Context, root: Path, cores: int) -> dict[str, float]:
    """What the tasks of a run share."""
    return {"cpu": float(cores), "memory": context.config.memory, "scratch": max(machine.free_space(root), 1.0)}


def _executor_target(context: Context, name: str) -> str:
    if name == "local":
        return "daxa.executors.local:LocalExecutor"
    known = context.registry.executors
    if name not in known:
        raise UnknownNameError(
            f"There is no executor {name!r}.",
            expected=f"one of {', '.join(['local', *sorted(known)])}",
            remedy="correct the name, or install the plugin that provides it",
            value=name,
        )
    return known[name].target

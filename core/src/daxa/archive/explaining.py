"""Why a task would run, or would not: what changed since its products were made. Reads only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen

from daxa.archive.parameters import recorded
from daxa.archive.plan import DOWNLOAD, PREPROCESSED, Exposure, MissionPlan, recorded_children
from daxa.archive.runner import ArchiveRunner
from daxa.archive.running import RunRequest, make_plans
from daxa.archive.software import Software
from daxa.ids import DataId, TaskKey
from daxa.outcome import State
from daxa.schedule.declared import Member
from daxa.schedule.fingerprint import Ingredients, difference
from daxa.store.records import ArchiveRecord, DataIdEntry

if TYPE_CHECKING:
    from daxa.context import Context
    from daxa.mission.base import Mission


@frozen
class TaskExplanation:
    """What would become of a task, and why.

    Parameters
    ----------
    task : TaskKey
        The task.
    runs : bool
        Whether it would run.
    reason : str
        One sentence.
    """

    task: TaskKey
    runs: bool
    reason: str

    def __str__(self) -> str:
        return f"{self.task}: {self.reason}"


def _keys(members: Sequence[Member]) -> Iterator[tuple[TaskKey, str | None]]:
    """All tasks of a plan, each with the reason for which it would be left out."""
    for member in members:
        for planned in member.tasks:
            for variant in planned.variants:
                yield TaskKey(planned.process, member.data_id, variant), planned.skip
        yield from _keys(member.members or ())


def explain_tasks(
    root: Path,
    record: ArchiveRecord,
    missions: Mapping[str, Mission],
    wanted: Mapping[str, Sequence[str]],
    request: RunRequest,
    context: Context,
) -> list[TaskExplanation]:
    """Say of each task of a run whether it would run, and why.

    Parameters
    ----------
    root, record, missions, wanted, request, context
        As for :func:`daxa.archive.running.run_processes`.
    """
    plans = make_plans(missions, wanted, request, context, recorded(record.runs()))
    obs_ids = None if request.obs_ids is None else set(request.obs_ids)
    software = Software.of([plan.known[name] for plan in plans.values() for name in plan.processes], context)
    runner = ArchiveRunner.for_reading(root, record, missions, plans, software)
    made_anew: set[TaskKey] = set()
    found: list[TaskExplanation] = []
    for name, plan in plans.items():
        ranks = {process: rank for rank, process in enumerate(plan.chain)}
        members = _members(plan, missions[name], record, obs_ids)
        for key, skip in sorted(_keys(members), key=lambda pair: ranks[pair[0].process]):
            if key.process == DOWNLOAD or key.process in PREPROCESSED:
                continue
            needed = {need.process for need in plan.needs_of(key.process)}
            above = [one for one in made_anew if one.process in needed and _related(one, key)]
            explanation = _explain(runner, record, key, skip, above)
            if explanation.runs:
                made_anew.add(key)
            found.append(explanation)
    return sorted(found, key=lambda one: one.task)


def _members(plan: MissionPlan, mission: Mission, record: ArchiveRecord, obs_ids: set[str] | None) -> list[Member]:
    """The observations with everything the record knows to lie below them."""
    found: dict[str, list[DataIdEntry]] = {}
    for entry in record.data_ids(mission=plan.mission):
        found.setdefault(str(entry.data_id.obs_id), []).append(entry)
    held = dict.fromkeys(str(one) for one in mission.filtered_obs_ids)  # an archive may list one twice
    chosen = [one for one in held if obs_ids is None or one in obs_ids]
    parents = {obs_id: DataId(plan.mission, obs_id) for obs_id in chosen}
    return [
        plan.member(Exposure(parent), recorded_children(plan, parent, found.get(obs_id, ()), whole=True))
        for obs_id, parent in parents.items()
    ]


def _related(one: TaskKey, other: TaskKey) -> bool:
    return one.data_id.contains(other.data_id) or other.data_id.contains(one.data_id)


def _explain(
    runner: ArchiveRunner, record: ArchiveRecord, key: TaskKey, skip: str | None, above: Sequence[TaskKey]
) -> TaskExplanation:
    if skip is not None:
        return TaskExplanation(key, False, f"does not run: {skip}")
    known = record.task(key)
    if known is None or not known.state.satisfied:
        if known is None or known.state in (State.WAITING, State.READY):
            return TaskExplanation(key, True, difference(None, runner.ingredients(key, known)))
        cause = f": {known.cause}" if known.cause else ""
        return TaskExplanation(key, True, f"runs because the last time it was {known.state.value}{cause}")
    if above:
        return TaskExplanation(key, True, f"runs because {min(above)} runs")
    now = runner.ingredients(key, known)
    if known.fingerprint != now.fingerprint:
        before = Ingredients.read(known.ingredients) if known.ingredients else None
        return TaskExplanation(key, True, difference(before, now))
    if not runner.intact(key):
        return TaskExplanation(key, True, "runs because a product of it is gone or was changed")
    return TaskExplanation(key, False, "does not run: it is as it was made, from the same inputs and parameters")

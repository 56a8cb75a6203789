"""What cannot be run for want of software is refused before anything starts.

Products that are there need no software. But a task that would run without its software would fail, and what is known
of it - its products, or the log that says why it failed before - would give way to that.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from daxa.archive.plan import MissionPlan
from daxa.archive.runner import ArchiveRunner
from daxa.ids import TaskKey
from daxa.outcome import State
from daxa.store.records import TaskEntry


def refuse_without_software(
    runner: ArchiveRunner,
    plans: Mapping[str, MissionPlan],
    obs_ids: Collection[str] | None,
    force: Callable[[TaskKey], bool],
) -> None:
    """Look at the recorded tasks of processes whose software is not here.

    Parameters
    ----------
    runner : ArchiveRunner
        What can be asked about tasks.
    plans : Mapping of str to MissionPlan
        What is to be run for each mission.
    obs_ids : collection of str, optional
        Observations of the run; None for all.
    force : callable
        Whether a task is run although its products are there.

    Raises
    ------
    MissingToolError
        If a process has done nothing yet, or a task of it would run again.
    """
    for plan in plans.values():
        for name in plan.processes:
            problem = runner.software.lacking(plan.known[name])
            if problem is None:
                continue
            entries = runner.record.tasks(mission=plan.mission, process=name)
            asked = [one for one in entries if obs_ids is None or one.key.data_id.obs_id in obs_ids]
            if not any(one.state.satisfied for one in entries):
                raise problem
            if any(force(one.key) or _would_run(runner, one) for one in asked):
                raise problem


def _would_run(runner: ArchiveRunner, known: TaskEntry) -> bool:
    """Whether a task would run by what is known now; what is blocked, or has no data, depends on others."""
    if known.state in (State.BLOCKED, State.NO_DATA):
        return False
    if not known.state.satisfied:
        return True
    now = runner.ingredients(known.key, known)
    return known.fingerprint != now.fingerprint or not runner.intact(known.key)

"""The verdict over whole observations: those of which nothing came through move aside, and come back when run again.

What is recorded of an observation names its files where they are. The record is written first, then the directory is
renamed; what a killed process left between the two is put right by the next run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread

from daxa.archive import layout
from daxa.archive.place import storage_error
from daxa.ids import DataId
from daxa.outcome import State

if TYPE_CHECKING:
    from daxa.archive.plan import MissionPlan
    from daxa.mission.base import Mission
    from daxa.store.records import ArchiveRecord

_UNDECIDED = (State.CANCELLED, State.INTERRUPTED)


async def bring_back(root: Path, record: ArchiveRecord, observations: Mapping[str, Collection[str]]) -> None:
    """Put observations that had failed back to where work is done.

    Parameters
    ----------
    root : Path
        Directory of the archive.
    record : ArchiveRecord
        Its record, held for writing.
    observations : Mapping of str to collection of str
        ObsIDs of a run, by mission.
    """
    await anyio.to_thread.run_sync(_put_right, root, record)
    final = await anyio.to_thread.run_sync(record.final)
    for mission, obs_ids in observations.items():
        failed = [one for one, success in final.get(mission, {}).items() if not success and one in obs_ids]
        await _move(root, record, mission, dict.fromkeys(failed), aside=False)


async def settle(
    root: Path,
    record: ArchiveRecord,
    missions: Mapping[str, Mission],
    plans: Mapping[str, MissionPlan],
    observations: Mapping[str, Collection[str]],
) -> None:
    """Decide over the observations of a run, if a final process was part of it.

    An observation came through if a final process succeeded for any part of it. One of which a task was cancelled or
    interrupted is left undecided.

    Parameters
    ----------
    root, record
        As for :func:`bring_back`.
    missions : Mapping of str to Mission
        The archive's missions.
    plans : Mapping of str to MissionPlan
        What was run.
    observations : Mapping of str to collection of str
        ObsIDs of the run, by mission.
    """
    for name, plan in plans.items():
        finals = [one for one in plan.known if plan.known[one].final]
        if not finals or not observations.get(name):
            continue
        verdicts = await anyio.to_thread.run_sync(_verdicts, record, plan, finals, observations[name])
        if verdicts is None:
            continue
        await _move(root, record, name, {one: False for one, good in verdicts.items() if not good}, aside=True)
        await record.set_final(name, {one: True for one, good in verdicts.items() if good})
        mission = missions[name]
        if not mission.processed:
            mission.processed = True
            await record.set_mission_state(name, await anyio.to_thread.run_sync(mission.snapshot))


def _verdicts(
    record: ArchiveRecord, plan: MissionPlan, finals: Iterable[str], obs_ids: Collection[str]
) -> dict[str, bool] | None:
    """Whether each observation came through; None if no final process was ever run."""
    tasks = record.tasks(mission=plan.mission, process=list(finals))
    wanted = any(plan.known[name].final for name in plan.processes)
    if not wanted and not tasks:
        return None
    good = {one.key.data_id.obs_id for one in tasks if one.state.satisfied}
    undecided = {
        one.key.data_id.obs_id
        for one in record.tasks(mission=plan.mission, state=[state.value for state in _UNDECIDED])
    }
    return {one: one in good for one in obs_ids if one in good or one not in undecided}


async def _move(
    root: Path, record: ArchiveRecord, mission: str, verdicts: Mapping[str, bool | None], *, aside: bool
) -> None:
    """Record verdicts and new paths, then rename the directories."""
    if not verdicts:
        return
    places = {one: _places(mission, one, aside=aside) for one in verdicts}
    await record.set_final(mission, verdicts, {one: (f"{old}/", f"{new}/") for one, (old, new) in places.items()})
    await anyio.to_thread.run_sync(_rename_all, root, list(places.values()))


def _places(mission: str, obs_id: str, *, aside: bool) -> tuple[str, str]:
    """Where an observation's files are, and where they go."""
    data_id = DataId(mission, obs_id)
    here, there = (str(layout.observation(data_id, failed=failed)) for failed in (False, True))
    return (here, there) if aside else (there, here)


def _rename_all(root: Path, places: Iterable[tuple[str, str]]) -> None:
    for old, new in places:
        source, target = root / old, root / new
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.exists() and not target.exists():
                source.rename(target)
        except OSError as problem:
            raise storage_error(problem, target) from problem


def _put_right(root: Path, record: ArchiveRecord) -> None:
    """Rename what a killed process did not come to rename."""
    final = record.final()
    for mission, verdicts in final.items():
        failed = [one for one, success in verdicts.items() if not success]
        _rename_all(root, [_places(mission, one, aside=True) for one in failed])
    for directory in sorted(root.glob(f"{layout.FAILED}/*/*")):
        mission, obs_id = directory.parts[-2:]
        if final.get(mission, {}).get(obs_id, True):
            _rename_all(root, [_places(mission, obs_id, aside=False)])

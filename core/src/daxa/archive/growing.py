"""An archive that grows: missions are added, and recorded selections and processes are brought up to date."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio.to_thread
from attrs import field, frozen

from daxa.archive.parameters import restored
from daxa.archive.plan import DOWNLOAD
from daxa.archive.running import RunRequest, RunSummary, run_processes
from daxa.exceptions import DaxaError
from daxa.mission.absent import AbsentMission
from daxa.mission.base import changes
from daxa.mission.operations import MissionState, write_state
from daxa.outcome import State
from daxa.store.records import ArchiveRecord, RunEntry

if TYPE_CHECKING:
    from daxa.context import Context
    from daxa.mission.base import Mission

log = logging.getLogger(__name__)

PREVIOUS = Path(".save_info/previous_versions")
ADDING = "adding"
"""Fact of the archive: the missions that are being added, or were when that was cut short."""
UNFINISHED = "unfinished"
"""Fact of the archive: the observations, by mission, that an update has taken in and not brought up to date yet."""


@frozen
class UpdateSummary:
    """What an update did.

    Parameters
    ----------
    changes : Mapping of str to Mapping
        What changed, by mission, as ``updated_meta_info`` of a mission tells it; only missions with a change.
    failures : Mapping of str to str
        Causes, by mission, of catalogues that could not be asked.
    runs : tuple of RunSummary
        The runs that followed, also those that an earlier update was cut short in.
    version : str
        Version of the archive now.
    """

    changes: Mapping[str, Mapping[str, Any]] = field(factory=dict)
    failures: Mapping[str, str] = field(factory=dict)
    runs: tuple[RunSummary, ...] = ()
    version: str = ""

    @property
    def good(self) -> bool:
        """Whether everything could be asked, and nothing failed."""
        return not self.failures and all(run.good for run in self.runs)

    @property
    def interrupted(self) -> bool:
        """Whether it was cut short by Ctrl-C or ``cancel``."""
        return any(run.interrupted for run in self.runs)

    def __str__(self) -> str:
        lines = [
            f"{name}: {len(one['new_obs_ids'])} observations are new, {len(one['removed_obs_ids'])} are left out now"
            for name, one in self.changes.items()
        ]
        lines += [f"{name}: could not be asked: {cause}" for name, cause in self.failures.items()]
        lines += [f"run: {run}" for run in self.runs]
        return "\n".join(lines or ["nothing has changed"])


def next_version(version: str) -> str:
    """Raise the minor version, ``0.1.0`` to ``0.2.0``."""
    major, minor, *_ = [*version.split("."), "0", "0"]
    return f"{major}.{int(minor) + 1}.0"


async def begin_adding(record: ArchiveRecord, names: Sequence[str]) -> None:
    """Raise the version of an archive held for writing, for missions that are added; once, if that is cut short."""
    begun = await anyio.to_thread.run_sync(record.meta, ADDING, [])
    if not set(names) <= set(begun):
        await record.renew({"version": next_version(await _version(record)), ADDING: list(names)})


async def end_adding(record: ArchiveRecord) -> None:
    """Record that missions have been added, with everything that could be fetched."""
    await record.set_meta({ADDING: []})


async def _version(record: ArchiveRecord) -> str:
    return str(await anyio.to_thread.run_sync(record.meta, "version", "0.0.0"))


@frozen
class Asked:
    """What was asked of an archive before, and is asked again.

    Parameters
    ----------
    wanted : Mapping of str to list of str
        Processes by mission.
    params : Mapping
        Their parameters, as they are recorded.
    time_limit : float, optional
        Seconds that a task may take.
    """

    wanted: Mapping[str, list[str]]
    params: Mapping[str, Any] = field(factory=dict)
    time_limit: float | None = None


def recorded_requests(runs: Sequence[RunEntry], missions: Sequence[str]) -> list[Asked]:
    """What was last asked for of some missions, in the order it was asked.

    A process that was asked for several times counts as it was the last time. Of a mission of which no process was ever
    asked for, the observations are fetched.
    """
    seen: set[tuple[str, str]] = set()
    found: list[Asked] = []
    for run in reversed(runs):
        wanted: dict[str, list[str]] = {}
        for mission, names in run.request.get("wanted", {}).items():
            fresh = [name for name in names if (mission, name) not in seen and name != DOWNLOAD]
            seen.update((mission, name) for name in fresh)
            if fresh and mission in missions:
                wanted[mission] = fresh
        if wanted:
            found.append(Asked(wanted, run.request.get("params", {}), run.request.get("time_limit")))
    processed = {name for one in found for name in one.wanted}
    others: dict[str, list[str]] = {name: [DOWNLOAD] for name in missions if name not in processed}
    return ([Asked(others)] if others else []) + found[::-1]


async def update_archive(
    root: Path, record: ArchiveRecord, missions: Mapping[str, Mission], context: Context, num_cores: int | None = None
) -> UpdateSummary:
    """Bring the selections of an archive held for writing up to date, and do what was done for what is new.

    Selections, version, and what is to be done for it are recorded together, so that an update that is cut short
    afterwards is finished by the next one.

    Parameters
    ----------
    root : Path
        Its directory.
    record : ArchiveRecord
        Its record.
    missions : Mapping of str to Mission
        Its missions.
    context : Context
        The surroundings.
    num_cores : int, optional
        Most tasks at once.
    """
    told: dict[str, Mapping[str, Any]] = {}
    failures: dict[str, str] = {}
    before: dict[str, MissionState] = {}
    for name, mission in missions.items():
        if isinstance(mission, AbsentMission):
            failures[name] = mission.missing.message
            continue
        state = mission.state
        try:
            found = await _selected_anew(mission)
        except DaxaError as problem:
            log.warning("%s could not be asked: %s", mission.pretty_name, problem)
            failures[name] = problem.message
            continue
        if found["sel_obs_change"] or found["science_usable_change"] or found["proprietary_usable_change"]:
            told[name], before[name] = found, state
    version = await _version(record)
    unfinished = await anyio.to_thread.run_sync(record.meta, UNFINISHED, {})
    if told:
        for name, state in before.items():
            await anyio.to_thread.run_sync(write_state, state, root / PREVIOUS, f"{name}_state_{version}.json")
        version, unfinished = next_version(version), _with_changes(unfinished, told, missions)
        facts = {"version": version, UNFINISHED: unfinished}
        await record.renew(facts, {name: missions[name].snapshot() for name in told})
    runs = await _bring_up(root, record, missions, unfinished, context, num_cores) if unfinished else []
    return UpdateSummary(told, failures, tuple(runs), version)


async def _selected_anew(mission: Mission) -> Mapping[str, Any]:
    """Apply the filters to today's catalogue, leave out what is not public yet, and say what has changed."""
    state = mission.state
    await mission.update(download_new=False)
    if not mission.updated_meta_info["any_obs_add"]:
        return mission.updated_meta_info
    await mission.ready_to_download()
    return changes(state, mission.state, has_proprietary="proprietary_usable" in mission.all_obs_info)


def _with_changes(
    unfinished: Mapping[str, list[str]], told: Mapping[str, Mapping[str, Any]], missions: Mapping[str, Mission]
) -> dict[str, list[str]]:
    """Add the observations that are new, or of which the catalogue now says something else."""
    found = {name: list(obs_ids) for name, obs_ids in unfinished.items()}
    for name, one in told.items():
        changed = [*one["new_obs_ids"], *one["which_changed_science_usable"], *one["which_changed_proprietary_usable"]]
        selected = set(missions[name].filtered_obs_ids)
        known = dict.fromkeys([*found.get(name, ()), *map(str, changed)])
        found[name] = [obs_id for obs_id in known if obs_id in selected]
    return {name: obs_ids for name, obs_ids in found.items() if obs_ids}


async def _bring_up(
    root: Path,
    record: ArchiveRecord,
    missions: Mapping[str, Mission],
    unfinished: Mapping[str, list[str]],
    context: Context,
    num_cores: int | None,
) -> list[RunSummary]:
    """Fetch observations, and do for them what was done before; what cannot be fetched is left for the next update."""
    held = {name: one for name, one in missions.items() if name in unfinished and not isinstance(one, AbsentMission)}
    runs: list[RunSummary] = []
    for asked in recorded_requests(await anyio.to_thread.run_sync(record.runs), list(held)):
        request = RunRequest.of(
            tuple(dict.fromkeys(one for names in asked.wanted.values() for one in names)),
            obs_ids=[obs_id for name in asked.wanted for obs_id in unfinished[name]],
            num_cores=num_cores,
            timeout=asked.time_limit,
            params={name: restored(value) for name, value in asked.params.items()},
        )
        runs.append(await run_processes(root, record, held, asked.wanted, request, context))
        if runs[-1].interrupted:
            break
    if not any(run.interrupted or run.stopped for run in runs):
        await record.set_meta({UNFINISHED: await anyio.to_thread.run_sync(_not_fetched, record, unfinished, held)})
    return runs


def _not_fetched(
    record: ArchiveRecord, unfinished: Mapping[str, list[str]], held: Mapping[str, Mission]
) -> dict[str, list[str]]:
    """What is left of the observations of an update that has run to its end."""
    left: dict[str, list[str]] = {}
    for name, obs_ids in unfinished.items():
        entries = record.tasks(process=DOWNLOAD, mission=name, obs_id=obs_ids)
        over = {one.obs_id for one in entries if one.state.satisfied or one.state is State.NO_DATA}
        left[name] = [obs_id for obs_id in obs_ids if name not in held or obs_id not in over]
    return {name: obs_ids for name, obs_ids in left.items() if obs_ids}

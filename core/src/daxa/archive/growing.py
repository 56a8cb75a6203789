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
from daxa.mission.operations import MissionState, write_state
from daxa.store.records import ArchiveRecord, RunEntry

if TYPE_CHECKING:
    from daxa.context import Context
    from daxa.mission.base import Mission

log = logging.getLogger(__name__)

PREVIOUS = Path(".save_info/previous_versions")


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
        The runs that followed.
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


async def raise_version(record: ArchiveRecord) -> str:
    """Raise the version of an archive held for writing; return the new one."""
    version = next_version(str(await anyio.to_thread.run_sync(record.meta, "version", "0.0.0")))
    await record.set_meta({"version": version})
    return version


def recorded_requests(runs: Sequence[RunEntry], missions: Sequence[str]) -> list[tuple[dict[str, list[str]], Any]]:
    """What was last asked for, as processes by mission with their parameters, in the order it was asked.

    A process that was asked for several times counts as it was the last time.
    """
    seen: set[tuple[str, str]] = set()
    found: list[tuple[dict[str, list[str]], Any]] = []
    for run in reversed(runs):
        wanted: dict[str, list[str]] = {}
        for mission, names in run.request.get("wanted", {}).items():
            fresh = [name for name in names if (mission, name) not in seen and name != DOWNLOAD]
            seen.update((mission, name) for name in fresh)
            if fresh and mission in missions:
                wanted[mission] = fresh
        if wanted:
            found.append((wanted, run.request.get("params", {})))
    return found[::-1]


async def update_archive(
    root: Path, record: ArchiveRecord, missions: Mapping[str, Mission], context: Context, num_cores: int | None = None
) -> UpdateSummary:
    """Bring the selections of an archive held for writing up to date, and do what was done for what is new.

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
    changes: dict[str, Mapping[str, Any]] = {}
    failures: dict[str, str] = {}
    before: dict[str, MissionState] = {}
    for name, mission in missions.items():
        if isinstance(mission, AbsentMission):
            failures[name] = mission.missing.message
            continue
        if not mission.filtering_operations:
            continue  # it was taken whole or chosen by hand: there is nothing to apply again
        state = mission.state
        try:
            await mission.update(download_new=False)
        except DaxaError as problem:
            log.warning("%s could not be asked: %s", mission.pretty_name, problem)
            failures[name] = problem.message
            continue
        told = mission.updated_meta_info
        if told["sel_obs_change"] or told["science_usable_change"] or told["proprietary_usable_change"]:
            changes[name], before[name] = told, state
    version = str(await anyio.to_thread.run_sync(record.meta, "version", "0.0.0"))
    if not changes:
        return UpdateSummary(failures=failures, version=version)
    for name, state in before.items():
        file_name = f"{name}_state_{version}.json"
        await anyio.to_thread.run_sync(write_state, state, root / PREVIOUS, file_name)
        await record.set_mission_state(name, missions[name].snapshot())
    version = await raise_version(record)
    changed = {name: missions[name] for name in changes}
    requests = recorded_requests(await anyio.to_thread.run_sync(record.runs), list(changed))
    runs = []
    for wanted, params in requests or [({name: [DOWNLOAD] for name in changed}, {})]:
        request = RunRequest.of(
            tuple(dict.fromkeys(one for names in wanted.values() for one in names)),
            num_cores=num_cores,
            params={name: restored(value) for name, value in params.items()},
        )
        runs.append(await run_processes(root, record, changed, wanted, request, context))
    return UpdateSummary(changes, failures, tuple(runs), version)

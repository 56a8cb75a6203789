"""A mission's downloads while they are open: what is here, what is fetched, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import anyio.to_thread
from attrs import define, field

from daxa.events import DownloadEnded, DownloadPlanned
from daxa.mission.download import DownloadReport, ObservationResult
from daxa.specs import RemoteFile, Want

if TYPE_CHECKING:
    from daxa.exceptions import StorageError
    from daxa.mission.downloading import Downloading
    from daxa.mission.fetching import Fetching
    from daxa.store.downloads import DownloadRecord


@define
class Downloads:
    """The downloads of some observations of a mission.

    Made by :meth:`daxa.mission.downloading.Downloading.open_downloads`; lives as long as its block.

    Parameters
    ----------
    mission : Mission
        The mission.
    want : Want
        What is wanted.
    rows : Mapping of str to Mapping
        The observations' rows of the catalogue, by ObsID.
    here : set of str
        Observations of which nothing is missing.
    record : DownloadRecord
        What was fetched before.
    """

    mission: Downloading
    want: Want
    rows: Mapping[str, Mapping[str, Any]]
    here: set[str]
    record: DownloadRecord
    _fetching: Fetching | None
    _results: dict[str, ObservationResult] = field(factory=dict, init=False)
    _told: bool = field(default=False, init=False)

    @property
    def stopped(self) -> StorageError | None:
        """The error that ended all fetching: there is no room, or the directory cannot be written."""
        return self._fetching.stopped[0] if self._fetching is not None and self._fetching.stopped else None

    def begin(self) -> None:
        """Tell how much there is to do."""
        mission = self.mission
        mission.context.events.publish(
            DownloadPlanned(mission.name, mission.pretty_name, len(self.rows), len(self.here))
        )
        self._told = True

    def end(self) -> None:
        """Tell that it is over; once."""
        if self._told:
            self._told = False
            self.mission.context.events.publish(DownloadEnded(self.mission.name, len(self.report.failed)))

    async def one(self, obs_id: str) -> ObservationResult:
        """Fetch what is missing of an observation."""
        if obs_id in self.here or self._fetching is None:
            result = ObservationResult(mission=self.mission.name, obs_id=obs_id, state="present")
        else:
            result = await self._fetching.observation(self.rows[obs_id])
        self._results[obs_id] = result
        if len(self._results) == len(self.rows):
            self.end()
        return result

    async def all(self) -> DownloadReport:
        """Fetch what is missing of all observations, side by side, and let the mission take notice."""
        self.begin()
        try:
            for obs_id in self.here:
                await self.one(obs_id)
            if self._fetching is not None:
                rows = [row for obs_id, row in self.rows.items() if obs_id not in self.here]
                self._results.update(await self._fetching.run(rows))
        finally:
            self.end()
        report = self.report
        complete = {one.obs_id for one in report.observations if one.state in ("present", "complete")}
        over = all(one.state != "partial" for one in report.observations)
        await anyio.to_thread.run_sync(self.mission.note_downloads, complete, over)
        return report

    async def plan(self) -> tuple[list[RemoteFile], int, dict[str, str]]:
        """List what is missing: files, number of files or whole observations present, causes by ObsID."""
        if self._fetching is None:
            return [], len(self.here), {}
        rows = [row for obs_id, row in self.rows.items() if obs_id not in self.here]
        files, present, causes = await self._fetching.plan(rows)
        return files, present + len(self.here), causes

    def files(self, obs_id: str) -> list[str]:
        """Paths of an observation's files that are as they were recorded, relative to its directory. Reads."""
        return self.record.intact_files(obs_id)

    @property
    def report(self) -> DownloadReport:
        """What came of it so far, in the order of the selection."""
        results = tuple(self._results[obs_id] for obs_id in self.rows if obs_id in self._results)
        return DownloadReport(self.mission.name, self.want, results)

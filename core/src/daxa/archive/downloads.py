"""Fetching the observations of an archive, as the first step of its graph: fetched, placed and recorded one by one."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anyio.to_thread
from attrs import asdict, define, evolve, field, frozen

from daxa.archive.place import storage_error
from daxa.archive.plan import DOWNLOAD
from daxa.archive.reorganise import Reorganised, children_of, in_each_band, reorganise
from daxa.exceptions import StorageError
from daxa.ids import TaskKey
from daxa.mission.downloads import Downloads
from daxa.outcome import FailureKind, Outcome, State
from daxa.schedule.driver import Decision, Reuse, Run, Skip
from daxa.schedule.fingerprint import Ingredients, witness
from daxa.store.records import ArchiveRecord, ProductEntry, TaskEntry

if TYPE_CHECKING:
    from daxa.mission.base import Mission
    from daxa.mission.download import ObservationResult

WISHES = "wishes"
"""Fact of the archive: what is to be fetched of each mission."""


@frozen
class Wish:
    """What an archive holds of a mission's observations.

    Parameters
    ----------
    raw : bool
        What a reduction from scratch needs.
    products : bool
        The archive's own products.
    preprocessed : bool
        Whether those products are placed under the archive's names.
    """

    raw: bool = True
    products: bool = False
    preprocessed: bool = True

    @property
    def plain(self) -> dict[str, bool]:
        """As plain data."""
        return asdict(self)

    @classmethod
    def recorded(cls, record: ArchiveRecord, mission: Mission) -> Wish:
        """Read what was declared; reads the record."""
        known = record.meta(WISHES, {}).get(mission.name)
        return cls(products=mission.products_by_default) if known is None else cls(**known)


def fetch_quantity(mission: Mission) -> str:
    """Name of the quantity that bounds how many observations are fetched at once from the mission's archive."""
    service = next(iter(mission.services[1:] or mission.services), None)
    if service is None:  # what it names is not of a service: files at hand, or its plugin is not installed
        return f"net:{mission.name}"
    return f"net:{urlsplit(mission.context.service_url(service)).hostname or service.lower()}"


@define
class ArchiveDownloads:
    """The downloads of one run of an archive.

    Parameters
    ----------
    root : Path
        Directory of the archive.
    record : ArchiveRecord
        Its record.
    missions : Mapping of str to Mission
        Its missions.
    run_id : int
        Number of the run in the record.
    """

    root: Path
    record: ArchiveRecord
    missions: Mapping[str, Mission]
    run_id: int
    stopped: StorageError | None = field(default=None, init=False)
    _known: dict[TaskKey, TaskEntry] = field(factory=dict, init=False)
    _fetched: dict[TaskKey, str] = field(factory=dict, init=False)
    _pending: set[TaskKey] = field(factory=set, init=False)
    _open: dict[str, Downloads] = field(factory=dict, init=False)
    _wishes: dict[str, Wish] = field(factory=dict, init=False)
    _quantities: dict[str, str] = field(factory=dict, init=False)

    @asynccontextmanager
    async def opened(self, keys: Iterable[TaskKey], again: bool) -> AsyncIterator[ArchiveDownloads]:
        """Open what is needed to fetch observations that have not been fetched.

        Parameters
        ----------
        keys : iterable of TaskKey
            Download tasks of the run.
        again : bool
            Whether those that were fetched before are looked at again.
        """
        wanted: dict[str, set[str]] = {}
        await anyio.to_thread.run_sync(self._look_up)
        for key in keys:
            known = self._known.get(key)
            if again or known is None or not (known.state.satisfied or known.state is State.NO_DATA):
                self._pending.add(key)
                wanted.setdefault(key.data_id.mission, set()).add(str(key.data_id.obs_id))
        async with AsyncExitStack() as stack:
            for name, obs_ids in wanted.items():
                mission, wish = self.missions[name], self._wishes[name]
                want = mission.wanted(wish.raw, wish.products)
                downloads = await stack.enter_async_context(mission.open_downloads(want, obs_ids))
                downloads.begin()
                stack.callback(downloads.end)
                self._open[name] = downloads
            yield self
        await self._take_notice()

    def _look_up(self) -> None:
        self._known = {entry.key: entry for entry in self.record.tasks(process=DOWNLOAD)}
        self._wishes = {name: Wish.recorded(self.record, mission) for name, mission in self.missions.items()}
        self._quantities = {name: fetch_quantity(mission) for name, mission in self.missions.items()}

    async def _take_notice(self) -> None:
        """Let the missions know what is complete, and record that they do."""
        for name, mission in self.missions.items():
            changed = name in self._open or not mission.download_completed
            if changed and await anyio.to_thread.run_sync(self._note, mission):
                await self.record.set_mission_state(name, mission.snapshot())

    def _note(self, mission: Mission) -> bool:
        states = {
            entry.key.data_id.obs_id: entry.state for entry in self.record.tasks(process=DOWNLOAD, mission=mission.name)
        }
        if not states:
            return False
        complete = {str(obs_id) for obs_id, state in states.items() if state.satisfied}
        over = {obs_id for obs_id, state in states.items() if state.satisfied or state is State.NO_DATA}
        mission.note_downloads(complete, all(obs_id in over for obs_id in mission.filtered_obs_ids))
        wish = self._wishes[mission.name]
        if wish.products and wish.preprocessed and complete:
            mission.processed = True
        return True

    @property
    def capacity(self) -> dict[str, float]:
        """How many observations are fetched at once, by host."""
        from daxa.mission.fetching import OBSERVATIONS_AT_ONCE

        return {self._quantities[name]: float(OBSERVATIONS_AT_ONCE) for name in self._open}

    @property
    def results(self) -> list[ObservationResult]:
        """What became of the observations that were looked at."""
        return [result for downloads in self._open.values() for result in downloads.report.observations]

    # --- what the driver asks ---------------------------------------------------------------------------------------

    def decide(self, key: TaskKey) -> Decision:
        """Say whether an observation is fetched."""
        if key in self._pending:
            return Run({self._quantities[key.data_id.mission]: 1.0})
        known = self._known[key]
        return Reuse() if known.state.satisfied else Skip(Outcome(known.state, cause=known.cause))

    def known(self, key: TaskKey) -> TaskEntry | None:
        """Return what was recorded of an observation before the run."""
        return self._known.get(key)

    def fingerprint(self, key: TaskKey) -> str | None:
        """Say what an observation's files are now, also before the end of the task is in the record."""
        known = self._known.get(key)
        return self._fetched.get(key) or (known.fingerprint if known is not None else None)

    async def execute(self, entry: TaskEntry) -> tuple[TaskEntry, Outcome]:
        """Fetch an observation, place its products, and record both.

        Parameters
        ----------
        entry : TaskEntry
            The task.

        Returns
        -------
        tuple of TaskEntry, Outcome
            The task with what is known of it now, and how it ended.
        """
        name, obs_id = entry.key.data_id.mission, str(entry.key.data_id.obs_id)
        downloads, wish = self._open[name], self._wishes[name]
        result = await downloads.one(obs_id)
        entry = evolve(entry, seconds=result.seconds)
        try:
            if downloads.stopped is not None:
                raise downloads.stopped
            if wish.products and wish.preprocessed and result.state != "absent":
                files = await anyio.to_thread.run_sync(downloads.files, obs_id)
                await self._place(self.missions[name], obs_id, files)
        except StorageError as problem:
            self.stopped = self.stopped or problem
            return entry, Outcome(State.FAILED, cause=problem.message, kind=FailureKind.ENVIRONMENT)
        contents = await anyio.to_thread.run_sync(_contents, downloads, obs_id)
        self._fetched[entry.key] = contents.fingerprint
        return evolve(entry, fingerprint=contents.fingerprint), _outcome(result)

    async def _place(self, mission: Mission, obs_id: str, files: list[str]) -> None:
        labels = in_each_band(mission.label(mission.observation(obs_id), files), mission.bands_of)
        if not labels:
            return
        raw = Path(mission.raw_data_path) / obs_id
        known = await anyio.to_thread.run_sync(self._placed_before, mission.name, obs_id)
        try:
            done = await anyio.to_thread.run_sync(
                partial(reorganise, self.root, raw, mission.name, obs_id, labels, known)
            )
        except OSError as problem:
            raise storage_error(problem, self.root) from problem
        await self.record.put_children(mission.name, obs_id, children_of(labels))
        await self._record(done)

    def _placed_before(self, mission: str, obs_id: str) -> dict[str, tuple[int, int, str | None]]:
        return {
            product.path: (product.size, product.mtime_ns, product.sha256)
            for product in self.record.products(mission=mission, obs_id=obs_id)
            if product.process.startswith("preprocessed_")
        }

    async def _record(self, done: Reorganised) -> None:
        products: dict[TaskKey, list[ProductEntry]] = {}
        reused: dict[TaskKey, bool] = {}
        for one in done.placed:
            key = TaskKey(one.process, one.data_id)
            reused[key] = reused.get(key, True) and one.reused
            products.setdefault(key, []).append(
                ProductEntry(
                    key=one.label.kind,
                    kind=one.label.kind,
                    path=str(one.path),
                    size=one.size,
                    mtime_ns=one.mtime_ns,
                    sha256=one.sha256,
                    lo=one.label.lo,
                    hi=one.label.hi,
                )
            )
        entries = [
            TaskEntry(key=key, state=State.REUSED if reused[key] else State.SUCCEEDED, **self._ended())
            for key in products
        ]
        entries += [
            TaskEntry(
                key=TaskKey(process, data_id),
                state=State.FAILED,
                cause=cause,
                kind=FailureKind.ENVIRONMENT,
                **self._ended(),
            )
            for (process, data_id), cause in done.failed.items()
        ]
        await self.record.journal(entries)
        for key, placed in products.items():
            if not reused[key]:
                await self.record.replace_products(key, placed)

    def _ended(self) -> dict[str, Any]:
        return {"run_id": self.run_id, "attempt": 1, "ended": time.time()}


def _contents(downloads: Downloads, obs_id: str) -> Ingredients:
    """What was fetched of an observation, so that work on it can tell whether it has changed."""
    files = downloads.record.files(obs_id)
    return Ingredients(
        process=DOWNLOAD, inputs={file.path: witness(Path(file.path).name, file.size, file.sha256) for file in files}
    )


def _outcome(result: ObservationResult) -> Outcome:
    match result.state:
        case "present":
            return Outcome(State.REUSED)
        case "complete":
            return Outcome(State.SUCCEEDED)
        case "absent":
            return Outcome(State.NO_DATA, cause=result.cause)
    return Outcome(State.FAILED, cause=result.cause, kind=FailureKind.NETWORK)

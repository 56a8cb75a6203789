"""The Archive: a set of observations with everything that happened to them."""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncIterator, Generator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from daxa.archive import layout
from daxa.archive.checking import ProductCheck, check_products
from daxa.archive.declaration import Declaration, declare, load_missions
from daxa.archive.existing import not_found, refuse_foreign, remove
from daxa.archive.explaining import TaskExplanation, explain_tasks
from daxa.archive.growing import ADDING, UpdateSummary, begin_adding, end_adding, update_archive
from daxa.archive.lookup import Lookup
from daxa.archive.recommended import recommended
from daxa.archive.running import RunRequest, RunSummary, run_processes
from daxa.archive.sources import Regions
from daxa.context import Context, current_context
from daxa.exceptions import (
    ArchiveExistsError,
    ArchiveNotOpenError,
    DuplicateMissionError,
    EventLoopInUseError,
)
from daxa.ids import check_archive_name
from daxa.store.records import ArchiveRecord

if TYPE_CHECKING:
    from daxa.mission.base import Mission
    from daxa.process import Process
    from daxa.schedule.driver import Driver

log = logging.getLogger(__name__)


class Archive(Regions, Lookup):
    """A named set of observations of several missions, on disk, with the record of all that was done to them.

    ``arch = await Archive(name, missions)`` declares one: its observations are downloaded, their products are placed
    under the archive's names, and everything is recorded. ``arch = await Archive(name)`` opens it again, without
    network. It is an asynchronous context manager as well. Calls of one event loop that work on it wait for each other.

    Parameters
    ----------
    archive_name : str
        Name; any printable characters but separators.
    missions : Mission or sequence of Mission, optional
        Filtered missions. Without them an existing archive is opened.
    clobber : bool
        Whether an archive of that name is removed first; refused while somebody writes to it.
    download_products : bool or dict of str to bool, optional
        Whether the archives' own products are fetched; by default as each mission's ``download``.
    use_preprocessed : bool or dict of str to bool
        Whether downloaded products are placed in the archive.
    download_raw : bool or dict of str to bool
        Whether the files that a reduction from scratch needs are fetched.
    all_observations : bool
        Whether missions without a filter may be taken whole.
    on_error : {"raise", "warn", "collect"}
        What happens when files cannot be fetched; everything else is finished first in any case.
    download : bool
        Whether observations are fetched now. Otherwise the first :meth:`run` or :meth:`process` fetches them, and
        each goes on to its processes as soon as it is here; ``await arch.run("download")`` fetches and no more.
    context : Context, optional
        By default the one in force.

    Raises
    ------
    InvalidNameError
        If the name cannot be that of an archive.
    """

    def __init__(
        self,
        archive_name: str,
        missions: Mission | Sequence[Mission] | None = None,
        clobber: bool = False,
        download_products: bool | Mapping[str, bool] | None = None,
        use_preprocessed: bool | Mapping[str, bool] = True,
        *,
        download_raw: bool | Mapping[str, bool] = True,
        all_observations: bool = False,
        on_error: str = "raise",
        download: bool = True,
        context: Context | None = None,
    ) -> None:
        self._name = check_archive_name(archive_name)
        self._context = context if context is not None else current_context()
        self._output = self._context.config.output
        self._root = self._output / "archives" / self._name
        self._declaration = (
            None
            if missions is None
            else Declaration.of(
                missions,
                download_products=download_products,
                download_raw=download_raw,
                use_preprocessed=use_preprocessed,
                all_observations=all_observations,
                on_error=on_error,
                download=download,
            )
        )
        self._clobber = clobber
        self._record: ArchiveRecord | None = None
        self._missions: dict[str, Mission] = {}
        self._loops: list[int] = []
        self._loops_lock = threading.Lock()
        self._turn: anyio.Lock | None = None
        self._last_run: RunSummary | None = None
        self._drivers: list[Driver] = []

    # --- opening and closing ----------------------------------------------------------------------------------------

    def __await__(self) -> Generator[Any, None, Archive]:
        return self._open().__await__()

    async def __aenter__(self) -> Archive:
        return await self._open()

    async def __aexit__(self, *_failure: object) -> None:
        await self.close()

    async def _open(self) -> Archive:
        async with self._one_at_a_time():
            if self._record is not None:
                return self
            record_path = self._root / layout.RECORD
            if self._declaration is not None and self._clobber and await anyio.to_thread.run_sync(self._root.exists):
                await self._declaration.prepare()  # what cannot be declared takes nothing away
                await anyio.to_thread.run_sync(remove, self._root)
            exists = await anyio.to_thread.run_sync(record_path.exists)
            if self._declaration is None:
                if not exists:
                    raise await anyio.to_thread.run_sync(not_found, self._root)
                await self._load(record_path)
            elif exists:
                await self._resume(record_path)
            else:
                await anyio.to_thread.run_sync(refuse_foreign, self._root)
                await self._create(record_path)
            return self

    async def _load(self, record_path: Path) -> None:
        self._record = await anyio.to_thread.run_sync(ArchiveRecord.open, record_path)
        try:
            self._missions = await anyio.to_thread.run_sync(self._reload, self._record)
        except BaseException:
            await self.close()
            raise

    async def _create(self, record_path: Path) -> None:
        assert self._declaration is not None
        await self._declaration.prepare()
        record = await anyio.to_thread.run_sync(ArchiveRecord.create, record_path)
        self._record = record
        try:
            async with self._writing():
                self._missions = await declare(self._declaration, self._name, self._root, record, self._context)
        except BaseException:
            await self.close()
            raise

    async def _resume(self, record_path: Path) -> None:
        """Go on with a declaration that exists: the same missions, whatever was done already."""
        assert self._declaration is not None
        record = await anyio.to_thread.run_sync(ArchiveRecord.open, record_path)
        names = await anyio.to_thread.run_sync(record.mission_names)
        asked = [mission.name for mission in self._declaration.missions]
        if names and set(names) != set(asked):
            await anyio.to_thread.run_sync(record.close)
            raise ArchiveExistsError(
                f"The archive {self._name!r} exists already, with {', '.join(names)}; given were {', '.join(asked)}.",
                expected="the same missions, or a new name",
                remedy="open it with `await Archive(name)`, or begin anew with clobber=True",
                value=self._name,
            )
        self._record = record
        try:
            await self._declaration.prepare()
            async with self._writing():
                self._missions = await declare(self._declaration, self._name, self._root, record, self._context)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Close the record. The archive can be opened again with ``await Archive(name)``."""
        record, self._record = self._record, None
        if record is not None:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(record.close)

    @property
    def _opened(self) -> ArchiveRecord:
        if self._record is None:
            raise ArchiveNotOpenError(
                f"The archive {self._name!r} is not open.",
                expected=f"`arch = await Archive({self._name!r})`, or `async with Archive({self._name!r}) as arch:`",
                remedy="write `await` before Archive(...)",
            )
        return self._record

    @contextmanager
    def _one_loop(self) -> Iterator[None]:
        """Refuse to be used from two event loops at once."""
        me = threading.get_ident()
        with self._loops_lock:
            if any(other != me for other in self._loops):
                raise EventLoopInUseError(
                    f"The archive {self._name!r} is in use by another event loop.",
                    expected="one event loop at a time",
                    remedy="wait for the other call, or open the archive a second time for reading",
                )
            self._loops.append(me)
        try:
            yield
        finally:
            with self._loops_lock:
                self._loops.remove(me)

    @asynccontextmanager
    async def _one_at_a_time(self) -> AsyncIterator[None]:
        """Let calls of one event loop wait for each other: each of them has the archive's tasks to itself."""
        with self._one_loop():
            turn = self._turn = self._turn or anyio.Lock()
            try:
                async with turn:
                    yield
            finally:
                if len(self._loops) == 1:  # nobody waits; what belongs to a loop does not outlive its calls
                    self._turn = None

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[ArchiveRecord]:
        """Hold the archive's lease while a call writes to it."""
        record = self._opened
        async with record.writing():
            yield record

    # --- doing ------------------------------------------------------------------------------------------------------

    async def run(
        self,
        process: str | Process | Sequence[str | Process],
        *,
        missions: Sequence[str] | str | None = None,
        obs_ids: Sequence[str] | str | None = None,
        rerun: str | None = None,
        force: bool = False,
        executor: str = "local",
        num_cores: int | None = None,
        timeout: Any = None,
        disable_progress: bool = False,
        **params: Any,
    ) -> RunSummary:
        """Run processes and what they need, wherever their inputs are ready.

        What was done before with the same parameters and inputs is not done again.

        Parameters
        ----------
        process : str, Process or sequence
            What is wanted.
        missions, obs_ids : sequence of str, optional
            To what it is confined.
        rerun : str, optional
            ``"failed"``, or the name of a process or an ObsID whose tasks are run again.
        force : bool
            Whether all tasks of what is asked for are run again.
        executor : str
            Name of a registered executor.
        num_cores : int, optional
            Most tasks at once.
        timeout : Quantity or float, optional
            What one task may take; a bare number counts seconds.
        disable_progress : bool
            Whether to show no progress line.
        **params
            Parameters of what is wanted, and of what that needs where it has one of the same name. ``name={...}`` gives
            those of a process by its name. What is only needed keeps the parameters it was given the last time.

        Returns
        -------
        RunSummary
            How many tasks ended in which state.

        Raises
        ------
        UnknownNameError, InvalidParameterError, NoValidMissionsError
            Before anything is run.
        """
        wanted = [process] if not isinstance(process, Sequence) or isinstance(process, str) else list(process)
        names = tuple(one if isinstance(one, str) else one.name for one in wanted)
        request = RunRequest.of(
            names,
            missions=missions,
            obs_ids=obs_ids,
            rerun=rerun,
            force=force,
            executor=executor,
            num_cores=num_cores,
            timeout=timeout,
            disable_progress=disable_progress,
            params=params,
        )
        return await self._run(dict.fromkeys(self._missions, names), request)

    async def process(self, **options: Any) -> RunSummary:
        """Run every mission's recommended chain, with what is installed. Takes the options of :meth:`run`."""
        wanted = await anyio.to_thread.run_sync(recommended, self.mission_names, self._context)
        return await self._run(wanted, RunRequest.of(("the recommended chains",), **options))

    def explain(
        self, process: str | Process | None = None, *, obs_ids: Sequence[str] | str | None = None, **params: Any
    ) -> list[TaskExplanation]:
        """Say of each task that a run would look at whether it would run, and why.

        Parameters
        ----------
        process : str or Process, optional
            As for :meth:`run`; by default the recommended chains.
        obs_ids : sequence of str, optional
            To what it is confined.
        **params
            Parameters the run would have.

        Returns
        -------
        list of TaskExplanation
            They print as sentences, e.g. ``runs because parameter filter changed from standard to none``.
        """
        if process is None:
            wanted = recommended(self.mission_names, self._context)
            names: tuple[str, ...] = ("the recommended chains",)
        else:
            names = (process if isinstance(process, str) else process.name,)
            wanted = dict.fromkeys(self.mission_names, names)
        request = RunRequest.of(names, obs_ids=obs_ids, params=params)
        return explain_tasks(self._root, self._opened, self._missions, wanted, request, self._context)

    async def verify(self) -> list[ProductCheck]:
        """Read every product again and compare it with its recorded size and hash.

        Returns
        -------
        list of ProductCheck
            One a product, with its path and ``intact``, ``changed``, ``missing`` or ``unhashed``.
        """
        return await anyio.to_thread.run_sync(lambda: check_products(self._root, self._opened.products()))

    def cancel(self, hard: bool = False) -> bool:
        """End the run that is under way, from another task or thread: admit nothing more, let what runs end.

        Parameters
        ----------
        hard : bool
            End what runs, too.

        Returns
        -------
        bool
            Whether there was a run. Its call returns a summary, as it does after Ctrl-C.
        """
        drivers = tuple(self._drivers)
        for driver in drivers:
            driver.cancel(hard)
        return bool(drivers)

    @contextmanager
    def _under_way(self, driver: Driver) -> Iterator[None]:
        self._drivers.append(driver)
        try:
            yield
        finally:
            self._drivers.remove(driver)

    async def _run(self, wanted: Mapping[str, Sequence[str]], request: RunRequest) -> RunSummary:
        async with self._one_at_a_time(), self._writing() as record:
            summary = await run_processes(
                self._root, record, self._missions, wanted, request, self._context, self._under_way
            )
        self._last_run = summary
        return summary

    async def add_missions(
        self,
        missions: Mission | Sequence[Mission],
        download_products: bool | Mapping[str, bool] | None = None,
        use_preprocessed: bool | Mapping[str, bool] = True,
        *,
        download_raw: bool | Mapping[str, bool] = True,
        all_observations: bool = False,
        on_error: str = "raise",
        download: bool = True,
    ) -> None:
        """Take more missions into the archive; what was done before is left as it is. Parameters as for the archive.

        If it is cut short, or something could not be fetched, the same call goes on with it.

        Raises
        ------
        DuplicateMissionError
            If the archive holds one of them already.
        """
        declaration = Declaration.of(
            missions,
            download_products=download_products,
            download_raw=download_raw,
            use_preprocessed=use_preprocessed,
            all_observations=all_observations,
            on_error=on_error,
            download=download,
        )
        async with self._one_at_a_time():
            begun = await anyio.to_thread.run_sync(self._opened.meta, ADDING, [])
            for mission in declaration.missions:
                if mission.name in self.mission_names and mission.name not in begun:
                    raise DuplicateMissionError(
                        f"The archive {self._name!r} holds the mission {mission.name!r} already.",
                        expected="a mission it does not hold",
                        remedy="`await archive.update()` looks for new observations of it",
                        value=mission.name,
                    )
            await declaration.prepare()
            async with self._writing() as record:
                await begin_adding(record, [mission.name for mission in declaration.missions])
                try:
                    await declare(declaration, self._name, self._root, record, self._context)
                finally:  # what could not be fetched is in the record like all the rest
                    self._missions = await anyio.to_thread.run_sync(self._reload, record)
                await end_adding(record)

    def _reload(self, record: ArchiveRecord) -> dict[str, Mission]:
        return load_missions(record, self._context, self._output)

    async def update(self, num_cores: int | None = None) -> UpdateSummary:
        """Apply the recorded filters to today's catalogues, fetch what is new, and do with it what was done before.

        Parameters
        ----------
        num_cores : int, optional
            Most tasks at once.

        Returns
        -------
        UpdateSummary
            What changed; if nothing did, nothing was run and the version is as it was. A mission that cannot be asked
            stays as it is and stands in ``failures``.
        """
        async with self._one_at_a_time(), self._writing() as record:
            return await update_archive(self._root, record, self._missions, self._context, num_cores)

    async def delete_raw_data(self, force_del: bool = False, all_raw_data: bool = False) -> int:
        """Delete the downloads of the archive's observations; its own products stay.

        Parameters
        ----------
        force_del : bool
            Whether to delete without asking.
        all_raw_data : bool
            Whether those of all observations of its missions, whoever fetched them.

        Returns
        -------
        int
            Number of files deleted.
        """
        deleted = 0
        for mission in self.missions:
            deleted += await mission.delete_raw_data(force_del, all_raw_data)
            mission.lock()
        return deleted

    async def save(self) -> None:
        """Write what is not written yet. Never needed: the record is written as things happen."""
        await anyio.to_thread.run_sync(self._opened.flush)

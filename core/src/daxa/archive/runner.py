"""The life of one task of an archive: decide, run, judge, publish, record. The driver calls this; nobody else does."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio.to_thread
from attrs import define, evolve, field

from daxa.archive import layout
from daxa.archive.downloads import ArchiveDownloads
from daxa.archive.evidence import Witnessed, judge
from daxa.archive.furnishing import extra_info, furnish
from daxa.archive.place import HASH_LIMIT, place, sha256, storage_error
from daxa.archive.plan import DOWNLOAD, PREPROCESSED, MissionPlan, recorded_children, revealed
from daxa.archive.software import Software
from daxa.exceptions import DaxaError, MissingToolError, StorageError
from daxa.executors.base import CallSpec, Executor, Launch
from daxa.ids import DataId, TaskKey
from daxa.outcome import Caveat, FailureKind, Outcome, State
from daxa.process import Call, Command, Job, Process
from daxa.schedule.declared import Member
from daxa.schedule.driver import Decision, Reuse, Run, Skip
from daxa.schedule.fingerprint import Ingredients, plain, witness
from daxa.schedule.graph import Transition
from daxa.specs import Child
from daxa.store.records import ArchiveRecord, ProductEntry, TaskEntry

if TYPE_CHECKING:
    from daxa.mission.base import Mission


@define
class ArchiveRunner:
    """Runs the tasks of one run of one archive.

    Parameters
    ----------
    root : Path
        Directory of the archive.
    record : ArchiveRecord
        Its record.
    missions : Mapping of str to Mission
        Its missions.
    plans : Mapping of str to MissionPlan
        What is to be run for each.
    executor : Executor, optional
        What runs jobs.
    software : Software
        The external software there is.
    run_id : int
        Number of the run in the record.
    force : callable
        Whether a task is run although its products are there.
    downloads : ArchiveDownloads, optional
        What fetches observations.
    time_limit : float, optional
        Seconds a task may take.
    """

    root: Path
    record: ArchiveRecord
    missions: Mapping[str, Mission]
    plans: Mapping[str, MissionPlan]
    executor: Executor | None
    software: Software
    run_id: int
    force: Callable[[TaskKey], bool]
    downloads: ArchiveDownloads | None = None
    time_limit: float | None = None
    _pending: dict[TaskKey, TaskEntry] = field(init=False, factory=dict)

    @classmethod
    def for_reading(
        cls,
        root: Path,
        record: ArchiveRecord,
        missions: Mapping[str, Mission],
        plans: Mapping[str, MissionPlan],
        software: Software,
    ) -> ArchiveRunner:
        """Make one that can be asked about tasks, and runs none."""
        return cls(
            root=root,
            record=record,
            missions=missions,
            plans=plans,
            executor=None,
            software=software,
            run_id=0,
            force=lambda _key: False,
        )

    # --- what the driver asks ---------------------------------------------------------------------------------------

    def decide(self, key: TaskKey) -> Decision:
        """Say whether a task that is ready is run, or what it makes is there already."""
        if key.process == DOWNLOAD:
            return self._decide_download(key)
        known = self.record.task(key)
        if key.process in PREPROCESSED:
            return self._decide_preprocessed(known)
        process = self._process(key)
        ingredients = self.ingredients(key, known)
        self._pending[key] = self._fresh(key, process, ingredients)
        current = known is not None and known.state.satisfied and known.fingerprint == ingredients.fingerprint
        if known is not None and current and not self.force(key) and self.intact(key):
            self._pending[key] = evolve(known, state=State.REUSED, run_id=self.run_id)
            return Reuse(Outcome(State.REUSED, caveats=tuple(known.caveats)))
        return Run(process.resources)

    def _decide_download(self, key: TaskKey) -> Decision:
        assert self.downloads is not None
        answer, known = self.downloads.decide(key), self.downloads.known(key)
        if isinstance(answer, Run) or known is None:
            self._pending[key] = TaskEntry(key=key, state=State.READY, run_id=self.run_id)
        return answer

    @staticmethod
    def _decide_preprocessed(known: TaskEntry | None) -> Decision:
        """What fetching the observation has placed and recorded."""
        if known is not None and known.state.satisfied:
            return Reuse(Outcome(State.REUSED))
        if known is not None and known.state is State.FAILED:
            return Skip(Outcome(State.FAILED, cause=known.cause, kind=known.kind))
        return Skip(Outcome(State.NO_DATA, cause="the archive it comes from holds no such product"))

    async def execute(self, key: TaskKey, attempt: int) -> Outcome:
        """Run a task from its scratch directory to its products."""
        if key.process == DOWNLOAD:
            return await self._fetch(key, attempt)
        process = self._process(key)
        scratch = self.root / layout.SCRATCH / f"{key.process}_{key.data_id.ident}{key.variant}"
        entry = evolve(self._pending[key], attempt=attempt, started=time.time())
        self._pending[key] = entry
        try:
            outcome = await self._run(key, process, scratch, entry)
        except (StorageError, MissingToolError) as problem:
            outcome = Outcome(State.FAILED, cause=str(problem), kind=FailureKind.ENVIRONMENT)
        except DaxaError as problem:
            outcome = Outcome(State.FAILED, cause=str(problem), kind=FailureKind.INTERNAL)
        except OSError as problem:  # of our own directories and files; a program's are its own
            cause = str(storage_error(problem, Path(problem.filename or scratch)))
            outcome = Outcome(State.FAILED, cause=cause, kind=FailureKind.ENVIRONMENT)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(partial(shutil.rmtree, scratch, ignore_errors=True))
        return outcome

    async def journal(self, transitions: Sequence[Transition]) -> None:
        """Write transitions to the record; when this returns, they are there."""
        entries = [self._entry(transition) for transition in transitions if self._is_journalled(transition)]
        if entries:
            await self.record.journal(entries)

    def _is_journalled(self, transition: Transition) -> bool:
        """Whether a run changes the record of a task: not of what was fetched, or placed, before."""
        if transition.task.process == DOWNLOAD:
            assert self.downloads is not None
            known = self.downloads.known(transition.task)
            new = transition.state is State.CANCELLED and not (known is not None and known.state.satisfied)
            return new or transition.task in self._pending
        return transition.task.process not in PREPROCESSED

    def children(self, key: TaskKey) -> Sequence[Member] | None:
        """Data ids that a process brought to light, with the tasks there are for them."""
        plan = self.plans[key.data_id.mission]
        if key.process == DOWNLOAD:
            return recorded_children(plan, key.data_id, self.record.data_ids(plan.mission, key.data_id.obs_id))
        process = self._process(key)
        if not process.reveals:
            return None
        made = {one.key: self.root / one.path for one in self.record.products_of(key)}
        job = evolve(self._job(key, process, self.root / layout.SCRATCH / "reveal"), outputs=made)
        mission = self.missions[key.data_id.mission]
        children: Sequence[Child] = process.children(job)
        if key.data_id.level == "obs":  # what the user did not choose is none of the archive's business
            children = [one for one in children if one.name in mission.chosen_instruments]
        assert key.data_id.obs_id is not None
        self.record.put_children(
            key.data_id.mission, key.data_id.obs_id, children, key.data_id.inst or ""
        ).result()  # called in a thread, and what cannot be recorded must not count as revealed
        return revealed(plan, key.data_id, children)

    async def _fetch(self, key: TaskKey, attempt: int) -> Outcome:
        assert self.downloads is not None
        entry = evolve(self._pending[key], attempt=attempt, started=time.time())
        self._pending[key], outcome = await self.downloads.execute(entry)
        return outcome

    # --- the task's life --------------------------------------------------------------------------------------------

    async def _run(self, key: TaskKey, process: Process, scratch: Path, entry: TaskEntry) -> Outcome:
        prepared = await anyio.to_thread.run_sync(self._prepare, key, process, scratch)
        if isinstance(prepared, Outcome):
            return prepared
        job, launch, wanted = prepared
        collect = wanted.collect if isinstance(wanted, Command) else {}
        assert self.executor is not None
        result = await self.executor.run(launch, lambda _started: None)
        entry = evolve(
            entry,
            seconds=result.seconds,
            cpu_s=result.cpu_s,
            max_rss=result.max_rss,
            host=result.host,
            log=str(layout.log(key, "stdout")),
            stderr=str(layout.log(key, "stderr")),
        )
        witnessed = await anyio.to_thread.run_sync(partial(judge, process, result, job, collect, launch))
        entry = evolve(entry, errors=witnessed.errors, warnings=witnessed.warnings)
        self._pending[key] = entry
        if witnessed.outcome.state is not State.SUCCEEDED:
            cause = witnessed.outcome.cause
            return evolve(witnessed.outcome, cause=cause and cause.replace(f"{self.root}/", ""))
        products = await anyio.to_thread.run_sync(partial(self._publish, key, process, job, witnessed))
        self._pending[key] = evolve(entry, extra=extra_info(products, wanted))
        await self.record.replace_products(key, products)
        return witnessed.outcome

    def _prepare(self, key: TaskKey, process: Process, scratch: Path) -> Outcome | tuple[Job, Launch, Command | Call]:
        """Ask the body what to run, and lay out what the job needs; a body that raises has failed."""
        _make_clean(scratch)
        job = self._job(key, process, scratch)
        try:
            wanted = process.command(job, self._parameters(key))
            if isinstance(wanted, Command):
                furnish(scratch, wanted.scratch_files)
        except (DaxaError, OSError):
            raise
        except Exception as problem:  # noqa: BLE001 - a plugin's fault is this task's failure, not the run's
            cause = f"{process.name} raised {type(problem).__name__}: {problem}"
            return Outcome(State.FAILED, cause=cause, kind=FailureKind.INTERNAL)
        logs = {stream: self.root / layout.log(key, stream) for stream in ("stdout", "stderr")}
        for path in logs.values():
            path.parent.mkdir(parents=True, exist_ok=True)
        return job, self._launch(key, process, wanted, scratch, logs), wanted

    def _launch(
        self, key: TaskKey, process: Process, wanted: Command | Call, scratch: Path, logs: Mapping[str, Path]
    ) -> Launch:
        environment = self.software.environment(process, scratch)
        steps: tuple[tuple[str, ...], ...] = ()
        call = None
        if isinstance(wanted, Command):
            steps = self.software.steps(process, wanted.steps)
            environment.update(wanted.env)
        else:
            call = CallSpec(target=wanted.target, arguments=wanted.arguments)
        return Launch(
            name=str(key),
            steps=steps,
            call=call,
            cwd=scratch,
            env=environment,
            stdout=logs["stdout"],
            stderr=logs["stderr"],
            time_limit=self.time_limit,
        )

    def _publish(self, key: TaskKey, process: Process, job: Job, witnessed: Witnessed) -> list[ProductEntry]:
        """Move what was made into place; from here on it is there, and what it takes the place of is not."""
        entries = []
        words = process.names_of(job, self._parameters(key))
        for name, made in witnessed.outputs.items():
            declared = process.produces[name]
            relative = layout.product(key.data_id, declared.path, key.variant, words)
            target = self.root / relative
            place(made, target, move=True)
            status = target.stat()
            lo, hi = layout.band_of(relative.name)
            entries.append(
                ProductEntry(
                    key=name,
                    kind=declared.kind,
                    path=str(relative),
                    size=status.st_size,
                    mtime_ns=status.st_mtime_ns,
                    sha256=sha256(target) if status.st_size <= HASH_LIMIT else None,
                    lo=lo,
                    hi=hi,
                )
            )
        kept = {one.path for one in entries}
        for old in self.record.products_of(key):
            if old.path not in kept:  # its name tells of other parameters
                (self.root / old.path).unlink(missing_ok=True)
        return entries

    # --- what a task is made of -------------------------------------------------------------------------------------

    def _process(self, key: TaskKey) -> Process:
        return self.plans[key.data_id.mission].known[key.process]

    def _parameters(self, key: TaskKey) -> Mapping[str, Any]:
        return self.plans[key.data_id.mission].parameters[key.process]

    def _given(self, key: TaskKey, process: Process) -> dict[str, list[ProductEntry]]:
        """Products of what the task needs: of its own data id, of those above it, of those below it."""
        given: dict[str, list[ProductEntry]] = {}
        chain = self.plans[key.data_id.mission].chain
        for need in self.plans[key.data_id.mission].needs_of(process.name):
            inst = key.data_id.inst
            if need.process not in chain or (need.instruments and inst is not None and inst not in need.instruments):
                continue
            found = self.record.products(mission=key.data_id.mission, process=need.process, obs_id=key.data_id.obs_id)
            related = [one for one in found if self._related(key.data_id, one)]
            if any(one.variant == key.variant for one in related):
                related = [one for one in related if one.variant == key.variant]
            for one in related:
                given.setdefault(one.key, []).append(one)
        return given

    @staticmethod
    def _related(data_id: DataId, product: ProductEntry) -> bool:
        other = DataId(product.mission, product.obs_id, product.inst or None, product.subexp or None)
        return other.contains(data_id) or data_id.contains(other)

    def _job(self, key: TaskKey, process: Process, scratch: Path) -> Job:
        mission = self.missions[key.data_id.mission]
        obs_id = str(key.data_id.obs_id)
        known = self.record.task(key)
        job = Job(
            process=process.name,
            data_id=key.data_id,
            variant=key.variant,
            name=layout.stem(key.data_id),
            given={
                name: tuple(self.root / product.path for product in products)
                for name, products in self._given(key, process).items()
            },
            scratch=scratch,
            raw=Path(mission.raw_data_path) / obs_id,
            observation=mission.observation(obs_id),
            info=self.record.info_of(key.data_id),
            versions=self.software.versions(process, known.ingredients if known is not None else None)[0],
        )
        words = process.names_of(job, self._parameters(key))
        outputs = {
            name: scratch / layout.product(key.data_id, declared.path, key.variant, words).name
            for name, declared in process.produces.items()
            if declared.is_made_of(key.data_id.inst)
        }
        return evolve(job, outputs=outputs)

    def ingredients(self, key: TaskKey, known: TaskEntry | None) -> Ingredients:
        """Everything the products of a task depend on, as it is now; `known` is what is recorded of it."""
        process = self._process(key)
        inputs = {
            " ".join(
                [product.process, name, *(part for part in (product.inst, product.subexp, product.variant) if part)]
            ): witness(Path(product.path).name, product.size, product.sha256)
            for name, products in self._given(key, process).items()
            for product in products
        }
        if self.plans[key.data_id.mission].begins(process.name):
            fetched = self._fetched(TaskKey(DOWNLOAD, key.data_id.at("obs")))
            if fetched is not None:
                inputs[DOWNLOAD] = fetched
        tools, calibration = self.software.versions(process, known.ingredients if known is not None else None)
        return Ingredients(
            process=process.name,
            version=process.version,
            variant=key.variant,
            parameters=self._parameters(key),
            inputs=inputs,
            tools=tools,
            calibration=calibration,
        )

    def _fetched(self, key: TaskKey) -> str | None:
        """What was fetched of an observation, as a fingerprint."""
        if self.downloads is not None:
            return self.downloads.fingerprint(key)
        known = self.record.task(key)
        return known.fingerprint if known is not None else None

    def intact(self, key: TaskKey) -> bool:
        """Whether every recorded product of a task is on disk as it was recorded."""
        for product in self.record.products_of(key):
            try:
                status = (self.root / product.path).stat()
            except OSError:
                return False
            if (status.st_size, status.st_mtime_ns) != (product.size, product.mtime_ns):
                return False
        return True

    def _fresh(self, key: TaskKey, process: Process, ingredients: Ingredients) -> TaskEntry:
        return TaskEntry(
            key=key,
            state=State.READY,
            run_id=self.run_id,
            fingerprint=ingredients.fingerprint,
            ingredients=ingredients.text,
            params=plain(self._parameters(key)),
        )

    def _entry(self, transition: Transition) -> TaskEntry:
        """The row of a task after a transition."""
        entry = self._pending.get(transition.task)
        if entry is None:
            entry = TaskEntry(key=transition.task, state=transition.state, run_id=self.run_id)
        outcome = transition.outcome
        if outcome is not None:
            caveats: tuple[Caveat, ...] = outcome.caveats or tuple(entry.caveats)
            entry = evolve(
                entry,
                state=transition.state,
                cause=outcome.cause,
                kind=outcome.kind,
                root=outcome.root,
                caveats=caveats,
            )
            if transition.state.ended and transition.state is not State.REUSED:
                entry = evolve(entry, ended=time.time())
        else:
            entry = evolve(entry, state=transition.state)
        if transition.state.ended:
            self._pending.pop(transition.task, None)
        else:
            self._pending[transition.task] = entry
        return entry


def _make_clean(scratch: Path) -> None:
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)

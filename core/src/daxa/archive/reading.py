"""What an open archive can be asked. Nothing here writes, runs or fetches: one indexed query or one file each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daxa.archive import layout
from daxa.archive.frames import failures_frame, history_frame, products_frame, tasks_frame
from daxa.archive.furnishing import extra_shown
from daxa.archive.parameters import restored
from daxa.archive.plan import DOWNLOAD, PREPROCESSED
from daxa.archive.summary import archive_html, info_text
from daxa.archive.views import View, fixed, nested
from daxa.exceptions import (
    InvalidObsIDError,
    MissionNotAssociatedError,
    NoProcessingError,
    ObsNotAssociatedError,
)
from daxa.ids import DataId
from daxa.outcome import State

if TYPE_CHECKING:
    import pandas as pd

    from daxa.context import Context
    from daxa.mission.base import Mission
    from daxa.process import Process
    from daxa.store.records import ArchiveRecord, TaskEntry

VERDICTS = {
    State.SUCCEEDED: True,
    State.REUSED: True,
    State.FAILED: False,
    State.TIMED_OUT: False,
}
"""States that stand in ``process_success``; the others are absent there."""


def ident_of(entry: TaskEntry) -> str:
    """Key of a task in DAXA's records: the data id without separators, and the variant if there is one."""
    variant = f"_{entry.key.variant}" if entry.key.variant else ""
    return f"{entry.key.data_id.ident}{variant}"


def read_log(root: Path, path: str) -> str:
    """Read a log by its recorded path; an empty text if it is nowhere.

    Parameters
    ----------
    root : Path
        Directory of the archive.
    path : str
        Relative to it. Where the observation has been moved since, the log is found there.
    """
    for one in (path, layout.moved(path)):
        try:
            return (root / one).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            continue
    return ""


class Reading:
    """The reading half of an archive."""

    _name: str
    _root: Path
    _output: Path
    _missions: dict[str, Mission]
    _context: Context

    @property
    def _opened(self) -> ArchiveRecord:
        raise NotImplementedError

    # --- what it is -------------------------------------------------------------------------------------------------

    @property
    def archive_name(self) -> str:
        """Name of the archive."""
        return self._name

    @property
    def archive_path(self) -> str:
        """Absolute directory of the archive, ending in ``/``."""
        return f"{self._root}/"

    @property
    def top_level_path(self) -> str:
        """Absolute output directory, ending in ``/``."""
        return f"{self._output}/"

    @property
    def version(self) -> str:
        """Version of the archive, raised by every update that changes something."""
        return str(self._opened.meta("version", "0.0.0"))

    @property
    def made_under_sky(self) -> bool:
        """Whether the data come from the offline sky, not from the real archives."""
        return self._opened.meta("sky") is not None

    @property
    def mission_names(self) -> list[str]:
        """Internal names of the missions, in the order they were given."""
        self._opened  # noqa: B018 - refuses an archive that is not open
        return list(self._missions)

    @property
    def missions(self) -> list[Mission]:
        """The missions, locked, in the order they were given."""
        self._opened  # noqa: B018
        return list(self._missions.values())

    def __getitem__(self, key: str | int) -> Mission:
        missions = self.missions
        if isinstance(key, int):
            return missions[key]
        return self._mission(key)

    def __len__(self) -> int:
        return len(self.missions)

    def __iter__(self) -> Iterator[Mission]:
        return iter(self.missions)

    def __delitem__(self, key: str | int) -> None:
        """Leave a mission out of this object; data and record stay, and whoever opens the archive finds it again."""
        del self._missions[self[key].name]

    def __contains__(self, name: object) -> bool:
        return name in self.mission_names

    def _mission(self, named: str | Mission) -> Mission:
        self._opened  # noqa: B018
        name = str(getattr(named, "name", named))
        try:
            return self._missions[name]
        except KeyError:
            raise MissionNotAssociatedError(
                f"The archive {self._name!r} does not hold the mission {name!r}.",
                expected=f"one of {', '.join(self._missions)}",
                remedy="correct the name",
                value=name,
            ) from None

    def _data_id(self, mission: str | Mission, obs_id: str) -> DataId:
        held = self._mission(mission)
        self._check_obs_id(held, obs_id)
        if obs_id not in set(held.filtered_obs_ids):
            raise ObsNotAssociatedError(
                f"The archive {self._name!r} does not hold the observation {obs_id} of {held.name}.",
                expected="one of the mission's filtered_obs_ids",
                remedy="correct the ObsID",
                value=obs_id,
            )
        return DataId(held.name, obs_id)

    def _check_obs_id(self, held: Mission, obs_id: str) -> None:
        if not held.check_obsid_pattern(obs_id):
            raise InvalidObsIDError(
                f"{obs_id!r} is not an ObsID of {held.pretty_name}.",
                expected=f"the form {held.id_regex}",
                remedy="correct the ObsID",
                value=obs_id,
            )

    def info(self) -> None:
        """Print a summary: missions, observations, first and last date, what is fully processed."""
        print(info_text(self.missions))  # noqa: T201 - printing is its purpose

    def __repr__(self) -> str:
        if self._record_or_none() is None:
            return f"<Archive {self._name!r}, not open>"
        observations = sum(len(mission) for mission in self._missions.values())
        sky = "; made under the offline sky" if self.made_under_sky else ""
        return f"<Archive {self._name!r}: {', '.join(self._missions)}; {observations} observations{sky}>"

    def _repr_html_(self) -> str:
        if self._record_or_none() is None:
            return archive_html(self._name, ["not open"], [], {})
        remarks = [self.archive_path, f"version {self.version}"]
        remarks += ["made under the offline sky"] if self.made_under_sky else []
        tallies = self._opened.tallies()
        run = {mission: [process for one, process in tallies if one == mission] for mission in self.mission_names}
        keys = [(mission, process) for mission in run for process in self._in_order(mission, run[mission])]
        return archive_html(self._name, remarks, self.missions, {key: tallies[key] for key in keys})

    def _record_or_none(self) -> ArchiveRecord | None:
        return getattr(self, "_record", None)

    # --- what was done ----------------------------------------------------------------------------------------------

    def _by_process(self, value: Callable[[TaskEntry], Callable[[], Any]], keep: Callable[[TaskEntry], bool]) -> View:
        """Arrange tasks as ``{mission: {process: {ident: value}}}``; what ran is there, if need be with nothing.

        The tasks of a process are read when it is looked at.
        """
        tables: dict[str, dict[str, Callable[[], Any]]] = {name: {} for name in self.mission_names}
        for mission, process in self._ran():
            tables.setdefault(mission, {})[process] = partial(self._idents, mission, process, value, keep)
        return View({mission: fixed(View(processes)) for mission, processes in tables.items()})

    def _idents(
        self,
        mission: str,
        process: str,
        value: Callable[[TaskEntry], Callable[[], Any]],
        keep: Callable[[TaskEntry], bool],
    ) -> View:
        entries = self._opened.tasks(mission=mission, process=process)
        return View({ident_of(entry): value(entry) for entry in entries if keep(entry)})

    def _ran(self) -> list[tuple[str, str]]:
        """Missions and processes that have tasks with a verdict, in the order in which they were first run."""
        unlisted = self._unlisted()
        return [
            (mission, process)
            for (mission, process), states in self._opened.tallies().items()
            if process not in unlisted and any(state in VERDICTS for state in states)
        ]

    def _unlisted(self) -> set[str]:
        """Processes that DAXA's records never knew; `tasks` tells of them."""
        names = (process for mission in self.mission_names for process in self._registered(mission).values())
        return {DOWNLOAD, *(process.name for process in names if not process.listed)}

    def _process_names(self) -> set[str]:
        return set(self._opened.process_names()) - self._unlisted()

    def _processed(self) -> None:
        if not self._process_names():
            raise NoProcessingError(
                f"Nothing in the archive {self._name!r} has been processed.",
                expected="at least one process",
                remedy="run one, e.g. `await arch.process()`",
            )

    @property
    def process_success(self) -> View:
        """``{mission: {process: {ident: bool}}}``; what was not run, had no data or was blocked is absent."""
        self._processed()
        return self._by_process(lambda entry: fixed(VERDICTS[entry.state]), lambda entry: entry.state in VERDICTS)

    @property
    def process_names(self) -> View:
        """``{mission: [process, ...]}`` in the order in which their plugin declares them."""
        self._processed()
        return View(
            {mission: fixed(self._in_order(mission, processes)) for mission, processes in self.process_success.items()}
        )

    def _in_order(self, mission: str, processes: Iterable[str]) -> list[str]:
        ranks = {name: rank for rank, name in enumerate([DOWNLOAD, *PREPROCESSED, *self._registered(mission)])}
        return sorted(processes, key=lambda name: ranks.get(name, len(ranks)))

    @property
    def process_logs(self) -> View:
        """``{mission: {process: {ident: text}}}``; a log is read when it is looked at."""
        self._processed()
        return self._by_process(
            lambda entry: partial(read_log, self._root, entry.log or ""), lambda entry: bool(entry.log)
        )

    @property
    def raw_process_errors(self) -> View:
        """``{mission: {process: {ident: text}}}`` of what failed tasks wrote to standard error."""
        return self._by_process(
            lambda entry: partial(read_log, self._root, entry.stderr or ""),
            lambda entry: bool(entry.stderr) and VERDICTS.get(entry.state) is False,
        )

    @property
    def process_errors(self) -> View:
        """``{mission: {process: {ident: [error, ...]}}}`` as the tools told them."""
        return self._by_process(lambda entry: fixed(list(entry.errors)), lambda entry: entry.state in VERDICTS)

    @property
    def process_warnings(self) -> View:
        """``{mission: {process: {ident: [warning, ...]}}}`` as the tools told them."""
        return self._by_process(lambda entry: fixed(list(entry.warnings)), lambda entry: entry.state in VERDICTS)

    @property
    def process_extra_info(self) -> View:
        """``{mission: {process: {ident: {key: value}}}}`` of what tasks left: absolute paths, and values."""
        return self._by_process(
            lambda entry: fixed(extra_shown(self._root, entry.extra)),
            lambda entry: entry.state in VERDICTS and bool(entry.extra),
        )

    @property
    def observation_summaries(self) -> View:
        """``{mission: {ObsID: {inst: {...}}}}`` of what summaries say; sub-exposures stand under ``exposures``."""
        tables: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in self.mission_names}
        for entry in self._opened.data_ids():
            data_id = entry.data_id
            insts = tables.setdefault(data_id.mission, {}).setdefault(str(data_id.obs_id), {})
            inst = str(data_id.inst)
            if data_id.subexp is None:
                if entry.info:  # what was learned of file names alone is no summary
                    insts[inst] = dict(entry.info)
            elif entry.info or inst in insts:
                insts.setdefault(inst, {}).setdefault("exposures", {})[data_id.subexp] = dict(entry.info)
        return nested(
            {name: {obs_id: insts for obs_id, insts in found.items() if insts} for name, found in tables.items()}
        )

    @property
    def process_observation(self) -> View:
        """``{mission: {ObsID: {inst: {subexp: bool}}}}``, or ``{inst: bool}``: whether processes should use them."""
        return nested({name: self._to_process(name) for name in self.mission_names})

    def _to_process(self, mission: str) -> dict[str, dict[str, Any]]:
        """The same of a mission."""
        tables: dict[str, dict[str, Any]] = {}
        for entry in self._opened.data_ids(mission):
            inst, insts = str(entry.data_id.inst), tables.setdefault(str(entry.data_id.obs_id), {})
            if entry.data_id.subexp is None:
                summed_up = self._missions[mission].levels[-1] == "exp" and bool(entry.info)
                insts[inst] = {} if summed_up else entry.usable
            else:
                if not isinstance(insts.get(inst), dict):
                    insts[inst] = {}
                insts[inst][entry.data_id.subexp] = entry.usable
        return tables

    @property
    def process_configurations(self) -> View:
        """``{mission: [{process: {parameter: value}}, ...]}`` of what was run, in the order in which it first was.

        Each process stands there once, with all its parameters as they were the last time.
        """
        tables: dict[str, list[dict[str, Any]]] = {name: [] for name in self.mission_names}
        for mission, process in self._ran():
            latest = self._opened.latest_task(mission, process)
            if latest is not None:  # what was downloaded was never started
                tables.setdefault(mission, []).append({process: restored(latest.params)})
        return View({mission: fixed(found) for mission, found in tables.items()})

    def _registered(self, mission: str) -> Mapping[str, Process]:
        """Processes of a mission whose plugin is here."""
        registry = self._context.registry
        return registry.processes(mission) if mission in registry.missions else {}

    @property
    def final_process_success(self) -> View:
        """``{mission: {ObsID: bool}}`` of missions whose last process has run."""
        table: dict[str, dict[str, bool]] = {name: {} for name in self.mission_names}
        table.update(self._opened.final())
        return View(
            {mission: fixed(View({key: fixed(one) for key, one in rows.items()})) for mission, rows in table.items()}
        )

    def get_current_data_path(self, mission: str | Mission, obs_id: str) -> str:
        """Absolute directory in which an observation's data lie now, ending in ``/``.

        Parameters
        ----------
        mission, obs_id : str
            Which observation.

        Raises
        ------
        MissionNotAssociatedError, ObsNotAssociatedError, InvalidObsIDError
            If the archive does not hold it.
        """
        data_id = self._data_id(mission, obs_id)
        failed = not self._opened.final().get(data_id.mission, {}).get(obs_id, True)
        path = str(layout.observation(data_id, failed=failed))
        if not (self._root / path).is_dir() and (self._root / layout.moved(path)).is_dir():
            path = layout.moved(path)  # a run that was killed has not moved it, and the next one will
        return f"{self._root / path}/"

    # --- tables -----------------------------------------------------------------------------------------------------

    def tasks(self, **where: Any) -> pd.DataFrame:
        """Table of all tasks; keywords choose rows, e.g. ``state="failed"``, ``mission=...``, ``process=...``."""
        return tasks_frame(self._opened.tasks(**where), self._root)

    def products(self, **where: Any) -> pd.DataFrame:
        """Table of all products with their absolute paths; keywords choose rows, e.g. ``kind="image"``."""
        return products_frame(self._opened.products(**where), self._root)

    def history(self, **where: Any) -> pd.DataFrame:
        """Table of everything that happened to tasks, in order of time."""
        return history_frame(self._opened.history(**where))

    def failures(self) -> pd.DataFrame:
        """Failures grouped by root cause: how often, how much they block, and an example of each.

        The column ``sentence`` says each in words: ``for sentence in arch.failures()["sentence"]: print(sentence)``.
        """
        return failures_frame(self._opened.tasks(), self._root)

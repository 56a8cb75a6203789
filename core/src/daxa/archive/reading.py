"""What an open archive can be asked. Nothing here writes, runs or fetches: one indexed query or one file each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daxa.archive import layout
from daxa.archive.frames import failures_frame, history_frame, products_frame, tasks_frame
from daxa.archive.furnishing import extra_shown
from daxa.archive.parameters import restored
from daxa.archive.plan import DOWNLOAD, PREPROCESSED
from daxa.archive.summary import info_text
from daxa.archive.views import View, fixed, nested
from daxa.exceptions import (
    InvalidObsIDError,
    MissionNotAssociatedError,
    NoDependencyProcessError,
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

_VERDICT = {
    State.SUCCEEDED: True,
    State.REUSED: True,
    State.FAILED: False,
    State.TIMED_OUT: False,
}
"""States that stand in ``process_success``; the others are absent there."""

_MANY = 1000
"""Values that are looked up one by one in the record; of more, all rows are read."""


def ident_of(entry: TaskEntry) -> str:
    """Key of a task in DAXA's records: the data id without separators, and the variant if there is one."""
    variant = f"_{entry.key.variant}" if entry.key.variant else ""
    return f"{entry.key.data_id.ident}{variant}"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
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
        return str(self._opened.meta("version"))

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

    def __contains__(self, name: object) -> bool:
        return name in self.mission_names

    def _mission(self, name: str) -> Mission:
        self._opened  # noqa: B018
        try:
            return self._missions[name]
        except KeyError:
            raise MissionNotAssociatedError(
                f"The archive {self._name!r} does not hold the mission {name!r}.",
                expected=f"one of {', '.join(self._missions)}",
                remedy="correct the name",
                value=name,
            ) from None

    def _data_id(self, mission: str, obs_id: str) -> DataId:
        held = self._mission(mission)
        if not held.check_obsid_pattern(obs_id):
            raise InvalidObsIDError(
                f"{obs_id!r} is not an ObsID of {held.pretty_name}.",
                expected=f"the form {held.id_regex}",
                remedy="correct the ObsID",
                value=obs_id,
            )
        if obs_id not in set(held.filtered_obs_ids):
            raise ObsNotAssociatedError(
                f"The archive {self._name!r} does not hold the observation {obs_id} of {mission}.",
                expected="one of the mission's filtered_obs_ids",
                remedy="correct the ObsID",
                value=obs_id,
            )
        return DataId(mission, obs_id)

    def info(self) -> None:
        """Print a summary: missions, observations, first and last date, what is fully processed."""
        print(info_text(self.missions))  # noqa: T201 - printing is its purpose

    def __repr__(self) -> str:
        if self._record_or_none() is None:
            return f"<Archive {self._name!r}, not open>"
        observations = sum(len(mission) for mission in self._missions.values())
        sky = "; made under the offline sky" if self.made_under_sky else ""
        return f"<Archive {self._name!r}: {', '.join(self._missions)}; {observations} observations{sky}>"

    def _record_or_none(self) -> ArchiveRecord | None:
        return getattr(self, "_record", None)

    # --- what was done ----------------------------------------------------------------------------------------------

    def _by_process(self, value: Callable[[TaskEntry], Callable[[], Any]], keep: Callable[[TaskEntry], bool]) -> View:
        """Arrange tasks as ``{mission: {process: {ident: value}}}``."""
        tables: dict[str, dict[str, dict[str, Callable[[], Any]]]] = {name: {} for name in self.mission_names}
        unlisted = self._unlisted()
        for entry in self._opened.tasks():
            if entry.key.process not in unlisted and keep(entry):
                processes = tables.setdefault(entry.key.data_id.mission, {})
                processes.setdefault(entry.key.process, {})[ident_of(entry)] = value(entry)
        return View(
            {
                mission: fixed(View({process: fixed(View(idents)) for process, idents in processes.items()}))
                for mission, processes in tables.items()
            }
        )

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
        return self._by_process(lambda entry: fixed(_VERDICT[entry.state]), lambda entry: entry.state in _VERDICT)

    @property
    def process_names(self) -> View:
        """``{mission: [process, ...]}`` in the order in which their plugin declares them."""
        self._processed()
        return View(
            {mission: fixed(self._in_order(mission, processes)) for mission, processes in self.process_success.items()}
        )

    def _in_order(self, mission: str, processes: Iterable[str]) -> list[str]:
        ranks = {name: rank for rank, name in enumerate([*PREPROCESSED, *self._registered(mission)])}
        return sorted(processes, key=lambda name: ranks.get(name, len(ranks)))

    @property
    def process_logs(self) -> View:
        """``{mission: {process: {ident: text}}}``; a log is read when it is looked at."""
        self._processed()
        return self._by_process(
            lambda entry: partial(_read, self._root / (entry.log or "")), lambda entry: bool(entry.log)
        )

    @property
    def raw_process_errors(self) -> View:
        """``{mission: {process: {ident: text}}}`` of what failed tasks wrote to standard error."""
        return self._by_process(
            lambda entry: partial(_read, self._root / (entry.stderr or "")),
            lambda entry: bool(entry.stderr) and _VERDICT.get(entry.state) is False,
        )

    @property
    def process_errors(self) -> View:
        """``{mission: {process: {ident: [error, ...]}}}`` as the tools told them."""
        return self._by_process(lambda entry: fixed(list(entry.errors)), lambda entry: entry.state in _VERDICT)

    @property
    def process_warnings(self) -> View:
        """``{mission: {process: {ident: [warning, ...]}}}`` as the tools told them."""
        return self._by_process(lambda entry: fixed(list(entry.warnings)), lambda entry: entry.state in _VERDICT)

    @property
    def process_extra_info(self) -> View:
        """``{mission: {process: {ident: {key: value}}}}`` of what tasks left: absolute paths, and values."""
        return self._by_process(
            lambda entry: fixed(extra_shown(self._root, entry.extra)),
            lambda entry: entry.state in _VERDICT and bool(entry.extra),
        )

    @property
    def observation_summaries(self) -> View:
        """``{mission: {ObsID: {inst: {...}}}}`` of what summaries say; sub-exposures stand under ``exposures``."""
        tables: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in self.mission_names}
        for entry in self._opened.data_ids():
            data_id = entry.data_id
            insts = tables.setdefault(data_id.mission, {}).setdefault(str(data_id.obs_id), {})
            if data_id.subexp is None:
                if entry.info:  # what was learned of file names alone is no summary
                    insts[str(data_id.inst)] = dict(entry.info)
            elif data_id.inst in insts:
                insts[data_id.inst].setdefault("exposures", {})[data_id.subexp] = dict(entry.info)
        return nested(
            {name: {obs_id: insts for obs_id, insts in found.items() if insts} for name, found in tables.items()}
        )

    @property
    def process_observation(self) -> View:
        """``{mission: {ObsID: {inst: {subexp: bool}}}}``, or ``{inst: bool}``: whether processes should use them."""
        tables: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in self.mission_names}
        for entry in self._opened.data_ids():
            data_id = entry.data_id
            insts = tables.setdefault(data_id.mission, {}).setdefault(str(data_id.obs_id), {})
            inst = str(data_id.inst)
            if data_id.subexp is None:
                insts[inst] = {} if self._missions[data_id.mission].levels[-1] == "exp" else entry.usable
            else:
                insts[inst][data_id.subexp] = entry.usable
        return nested(tables)

    @property
    def process_configurations(self) -> View:
        """``{mission: [{process: {parameter: value}}, ...]}`` in the order in which processes were asked for."""
        tables: dict[str, list[dict[str, Any]]] = {name: [] for name in self.mission_names}
        for run in self._opened.runs():
            for mission, processes in run.request.get("given", {}).items():
                known = self._registered(mission)
                for name, given in processes.items():
                    values = {key: restored(one) for key, one in given.items()}
                    complete = known[name].bind(values) if name in known else values
                    tables.setdefault(mission, []).append({name: complete})
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

    def get_current_data_path(self, mission_name: str, obs_id: str) -> str:
        """Absolute directory in which an observation's data lie now, ending in ``/``.

        Parameters
        ----------
        mission_name, obs_id : str
            Which observation.

        Raises
        ------
        MissionNotAssociatedError, ObsNotAssociatedError, InvalidObsIDError
            If the archive does not hold it.
        """
        data_id = self._data_id(mission_name, obs_id)
        failed = not self._opened.final().get(mission_name, {}).get(obs_id, True)
        return f"{self._root / layout.observation(data_id, failed=failed)}/"

    def get_failed_processes(self, process_name: str) -> dict[str, list[str]]:
        """Identifiers for which a process failed, ``{mission: [ident, ...]}``."""
        self._known_process(process_name)
        failed: dict[str, list[str]] = {}
        for entry in self._opened.tasks(process=process_name):
            if _VERDICT.get(entry.state) is False:
                failed.setdefault(entry.key.data_id.mission, []).append(ident_of(entry))
        return failed

    def _known_process(self, process_name: str) -> None:
        if not self._opened.counts(process=process_name):
            raise NoDependencyProcessError(
                f"{process_name!r} has not been run on the archive {self._name!r}.",
                expected=f"one of {', '.join(sorted(self._process_names())) or 'none so far'}",
                remedy="correct the name, or run it",
                value=process_name,
            )

    def _chosen(
        self,
        process_name: str,
        mission_name: str | None,
        obs_id: str | Sequence[str] | None,
        inst: str | Sequence[str] | None,
        full_ident: str | Sequence[str] | None,
    ) -> Iterator[TaskEntry]:
        """Tasks of a process, chosen as DAXA's log getters do: a full identifier overrides the rest."""
        self._known_process(process_name)
        missions = self.mission_names if mission_name is None else [self._mission(mission_name).name]
        idents, obs_ids, insts = (_listed(value) for value in (full_ident, obs_id, inst))
        where = (
            {"mission": missions} if obs_ids is None or idents is not None else {"mission": missions, "obs_id": obs_ids}
        )
        for entry in self._opened.tasks(process=process_name, **where):
            data_id = entry.key.data_id
            if idents is not None:
                if ident_of(entry) in idents:
                    yield entry
                continue
            if obs_ids is not None and data_id.obs_id not in obs_ids:
                continue
            if insts is not None and data_id.inst is not None:
                known = self._missions[data_id.mission].check_inst_names(list(insts), False, False)
                if data_id.inst not in known:
                    continue
            yield entry

    def _observations_of(self, idents: set[str], missions: Sequence[str]) -> set[str]:
        """The observations that identifiers may belong to: an identifier begins with its ObsID."""
        held = {str(obs_id) for name in missions for obs_id in self._missions[name].filtered_obs_ids}
        lengths = {len(obs_id) for obs_id in held}
        return {ident[:length] for ident in idents for length in lengths} & held

    def _texts(self, entries: Iterator[TaskEntry], stream: str) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        for entry in entries:
            path = getattr(entry, stream)
            if path:
                found.setdefault(entry.key.data_id.mission, {})[ident_of(entry)] = _read(self._root / path)
        return found

    def get_process_logs(
        self,
        process_name: str,
        mission_name: str | None = None,
        obs_id: str | Sequence[str] | None = None,
        inst: str | Sequence[str] | None = None,
        full_ident: str | Sequence[str] | None = None,
    ) -> dict[str, dict[str, str]]:
        """Logs of a process, ``{mission: {ident: text}}``.

        Parameters
        ----------
        process_name : str
            The process.
        mission_name : str, optional
            One mission only.
        obs_id, inst : str or sequence of str, optional
            Observations and instruments only.
        full_ident : str or sequence of str, optional
            Exact identifiers; overrides `obs_id` and `inst`.

        Raises
        ------
        NoDependencyProcessError
            If the process has not been run.
        MissionNotAssociatedError
            If the archive does not hold the mission.
        """
        return self._texts(self._chosen(process_name, mission_name, obs_id, inst, full_ident), "log")

    def get_process_raw_error_logs(
        self,
        process_name: str,
        mission_name: str | None = None,
        obs_id: str | Sequence[str] | None = None,
        inst: str | Sequence[str] | None = None,
        full_ident: str | Sequence[str] | None = None,
    ) -> dict[str, dict[str, str]]:
        """What a process wrote to standard error, ``{mission: {ident: text}}``; parameters as `get_process_logs`."""
        return self._texts(self._chosen(process_name, mission_name, obs_id, inst, full_ident), "stderr")

    def get_failed_logs(self, process_name: str) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, str]]]:
        """Logs and error logs of the tasks for which a process failed."""
        idents = [one for found in self.get_failed_processes(process_name).values() for one in found]
        if not idents:
            return {}, {}
        return (
            self.get_process_logs(process_name, full_ident=idents),
            self.get_process_raw_error_logs(process_name, full_ident=idents),
        )

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


def _listed(value: str | Sequence[str] | None) -> set[str] | None:
    return None if value is None else {value} if isinstance(value, str) else set(value)

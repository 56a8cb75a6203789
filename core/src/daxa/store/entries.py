"""The rows of an archive's record as frozen records: tasks, products, history, data ids, runs."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any, Final

from attrs import field, frozen

from daxa.ids import DataId, TaskKey
from daxa.outcome import Caveat, FailureKind, Outcome, State

KEY_COLUMNS: Final = ("mission", "process", "obs_id", "inst", "subexp", "variant")
"""What names a task. An absent instrument or sub-exposure stands as an empty string."""

TASK_COLUMNS: Final = (
    *KEY_COLUMNS,
    *("state", "cause", "kind", "root", "attempt", "run_id", "started", "ended", "seconds", "cpu_s", "max_rss"),
    *("host", "log", "stderr", "params", "fingerprint", "ingredients", "caveats", "errors", "warnings", "extra"),
)

PRODUCT_COLUMNS: Final = (*KEY_COLUMNS, "key", "kind", "path", "size", "mtime_ns", "sha256", "lo", "hi")


class _Keyed:
    """Parts of the task's key as attributes, absent ones as empty strings."""

    __slots__ = ()

    task: TaskKey | None

    @property
    def _named(self) -> TaskKey:
        assert self.task is not None
        return self.task

    @property
    def data_id(self) -> DataId:
        """Data the task works on."""
        return self._named.data_id

    @property
    def mission(self) -> str:
        """Internal name of the mission."""
        return self._named.data_id.mission

    @property
    def process(self) -> str:
        """Name of the process."""
        return self._named.process

    @property
    def obs_id(self) -> str:
        """Observation."""
        return self._named.data_id.obs_id or ""

    @property
    def inst(self) -> str:
        """Instrument, or an empty string."""
        return self._named.data_id.inst or ""

    @property
    def subexp(self) -> str:
        """Sub-exposure, or an empty string."""
        return self._named.data_id.subexp or ""

    @property
    def variant(self) -> str:
        """Variant, or an empty string."""
        return self._named.variant


@frozen(kw_only=True)
class TaskEntry(_Keyed):
    """What is recorded of a task.

    Parameters
    ----------
    key : TaskKey
        Which task.
    state : State
        Its state.
    cause, kind, root : optional
        Why it did not succeed, as in :class:`daxa.outcome.Outcome`.
    attempt : int
        Which try it is; 0 before the first.
    run_id : int, optional
        Run of the archive that last spoke of it.
    started, ended : float, optional
        Seconds of Unix time.
    seconds, cpu_s : float, optional
        Time it took, by the clock and of the processor, in seconds.
    max_rss : int, optional
        Most memory in use at once, in bytes.
    host : str, optional
        Machine it ran on.
    log, stderr : str, optional
        Paths of its output, relative to the archive.
    params : Mapping
        Parameters, all of them.
    fingerprint : str, optional
        Of all that decides its products.
    ingredients : str, optional
        What the fingerprint is the hash of, as JSON.
    caveats : tuple of Caveat
        What a user of the products should know.
    errors, warnings : sequence
        Messages of the tool.
    extra : Mapping
        What else the process records; plain data.
    """

    key: TaskKey
    state: State
    cause: str | None = None
    kind: FailureKind | None = None
    root: TaskKey | None = None
    attempt: int = 0
    run_id: int | None = None
    started: float | None = None
    ended: float | None = None
    seconds: float | None = None
    cpu_s: float | None = None
    max_rss: int | None = None
    host: str | None = None
    log: str | None = None
    stderr: str | None = None
    params: Mapping[str, Any] = field(factory=dict)
    fingerprint: str | None = None
    ingredients: str | None = None
    caveats: Sequence[Caveat] = ()
    errors: Sequence[str] = ()
    warnings: Sequence[Any] = ()
    extra: Mapping[str, Any] = field(factory=dict)

    @property
    def task(self) -> TaskKey:  # type: ignore[override]
        """The key."""
        return self.key

    @property
    def outcome(self) -> Outcome:
        """State and cause as an outcome."""
        return Outcome(self.state, self.cause, self.kind, tuple(self.caveats), self.root)


@frozen(kw_only=True)
class ProductEntry(_Keyed):
    """A file that a task left in the archive.

    Parameters
    ----------
    key : str
        Name under which the process declares it.
    kind : str
        What it is: ``events``, ``image``, ``lightcurve``, ``gti``, ``quicklook`` ...
    path : str
        Path relative to the archive.
    size, mtime_ns : int
        Bytes, and time of modification in nanoseconds, when it was published.
    sha256 : str, optional
        Checksum.
    lo, hi : float, optional
        Energy band in keV.
    task : TaskKey, optional
        The task; set on reading.
    """

    key: str
    kind: str
    path: str
    size: int
    mtime_ns: int
    sha256: str | None = None
    lo: float | None = None
    hi: float | None = None
    task: TaskKey | None = None


@frozen(kw_only=True)
class HistoryEntry(_Keyed):
    """One transition of a task.

    Parameters
    ----------
    task : TaskKey
        Which task.
    state : State
        What it became.
    at : float
        When, in seconds of Unix time.
    attempt : int
        Which try it was.
    run_id : int, optional
        In which run.
    cause : str, optional
        Why.
    """

    task: TaskKey
    state: State
    at: float
    attempt: int
    run_id: int | None
    cause: str | None


@frozen(kw_only=True)
class DataIdEntry:
    """A data id that a summary or a download brought to light.

    Parameters
    ----------
    data_id : DataId
        The id.
    usable : bool
        Whether processes should use it.
    reason : str
        Why not.
    info : Mapping
        What the summary says of it.
    """

    data_id: DataId
    usable: bool
    reason: str
    info: Mapping[str, Any]


@frozen(kw_only=True)
class RunEntry:
    """A call that worked on the archive.

    Parameters
    ----------
    id : int
        Its number.
    started, ended : float
        Seconds of Unix time; `ended` is None while it lasts, and if it was cut short.
    request : Mapping
        What was asked.
    host : str
        Machine.
    pid : int
        Process.
    """

    id: int
    started: float
    ended: float | None
    request: Mapping[str, Any]
    host: str
    pid: int


# --- to and from rows ---------------------------------------------------------------------------------------------


def _plain(value: Any) -> Any:
    """Turn NumPy's scalars and arrays, paths and sets into what JSON has."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, PurePath):
        return value.as_posix()
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence):
        return list(value)
    raise TypeError(f"{value!r} cannot be recorded: it is neither text, number, flag, list nor mapping")


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_plain).encode


def dump(value: Any) -> str:
    """Write plain data as JSON."""
    return _encode(value)


def key_values(key: TaskKey) -> tuple[str, str, str, str, str, str]:
    """Values of :data:`KEY_COLUMNS`."""
    data_id = key.data_id
    return (data_id.mission, key.process, data_id.obs_id or "", data_id.inst or "", data_id.subexp or "", key.variant)


def data_id_of(mission: str, obs_id: str, inst: str, subexp: str) -> DataId:
    """Make a data id from its columns."""
    return DataId(mission, obs_id or None, inst or None, subexp or None)


def key_of(row: sqlite3.Row) -> TaskKey:
    """Make a key from a row whose first columns are :data:`KEY_COLUMNS`."""
    return TaskKey(row[1], data_id_of(row[0], row[2], row[3], row[4]), row[5])


def task_values(entry: TaskEntry) -> tuple[Any, ...]:
    """Values of :data:`TASK_COLUMNS`."""
    return (
        *key_values(entry.key),
        entry.state.value,
        entry.cause,
        entry.kind and entry.kind.value,
        dump(key_values(entry.root)) if entry.root is not None else None,
        entry.attempt,
        entry.run_id,
        entry.started,
        entry.ended,
        entry.seconds,
        entry.cpu_s,
        entry.max_rss,
        entry.host,
        entry.log,
        entry.stderr,
        dump(entry.params) if entry.params else "{}",
        entry.fingerprint,
        entry.ingredients,
        dump([(caveat.code, caveat.message) for caveat in entry.caveats]) if entry.caveats else "[]",
        dump(entry.errors) if entry.errors else "[]",
        dump(entry.warnings) if entry.warnings else "[]",
        dump(entry.extra) if entry.extra else "{}",
    )


def task_of(row: sqlite3.Row) -> TaskEntry:
    """Make a task from a row of :data:`TASK_COLUMNS`."""
    (state, cause, kind, root, attempt, run_id, started, ended, seconds, cpu_s, max_rss, host, log, stderr) = row[6:20]
    params, fingerprint, ingredients, caveats, errors, warnings, extra = row[20:]
    return TaskEntry(
        key=key_of(row),
        state=State(state),
        cause=cause,
        kind=FailureKind(kind) if kind else None,
        root=_root_of(root),
        attempt=attempt,
        run_id=run_id,
        started=started,
        ended=ended,
        seconds=seconds,
        cpu_s=cpu_s,
        max_rss=max_rss,
        host=host,
        log=log,
        stderr=stderr,
        params=json.loads(params),
        fingerprint=fingerprint,
        ingredients=ingredients,
        caveats=tuple(Caveat(*one) for one in json.loads(caveats)),
        errors=tuple(json.loads(errors)),
        warnings=tuple(json.loads(warnings)),
        extra=json.loads(extra),
    )


def _root_of(text: str | None) -> TaskKey | None:
    if text is None:
        return None
    mission, process, obs_id, inst, subexp, variant = json.loads(text)
    return TaskKey(process, data_id_of(mission, obs_id, inst, subexp), variant)


def product_values(key: TaskKey, entry: ProductEntry) -> tuple[Any, ...]:
    """Values of :data:`PRODUCT_COLUMNS`."""
    return (
        *key_values(key),
        *(entry.key, entry.kind, entry.path, entry.size, entry.mtime_ns, entry.sha256, entry.lo, entry.hi),
    )


def product_of(row: sqlite3.Row) -> ProductEntry:
    """Make a product from a row of :data:`PRODUCT_COLUMNS`."""
    return ProductEntry(task=key_of(row), **{name: row[name] for name in PRODUCT_COLUMNS[6:]})

"""The record as tables with real columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from daxa.archive.causes import failure_groups

if TYPE_CHECKING:
    import pandas as pd

    from daxa.store.records import HistoryEntry, ProductEntry, TaskEntry

TASK_COLUMNS: Final = (
    "mission", "process", "obs_id", "inst", "subexp", "variant", "state", "cause", "kind", "root", "caveats", "attempt",
    "started", "seconds", "cpu_s", "max_rss", "host", "log",
)  # fmt: skip
PRODUCT_COLUMNS: Final = (
    "mission", "process", "obs_id", "inst", "subexp", "variant", "key", "kind", "path", "size", "sha256", "lo", "hi",
)  # fmt: skip

FAILURE_COLUMNS: Final = (
    "mission", "process", "kind", "cause", "tasks", "of", "blocked", "example", "log", "sentence",
)  # fmt: skip


def _frame(rows: list[dict[str, Any]], columns: Sequence[str], **types: Sequence[str]) -> pd.DataFrame:
    """A table whose columns have the same types whatever rows it holds, and if it holds none.

    `types` names columns of ``times``, ``floats`` and ``integers``; the others are text.
    """
    import numpy as np
    import pandas as pd

    text = pd.Series(["x"]).dtype  # pandas' own: str, or object before pandas 3
    made = {}
    for name in columns:
        values = [row[name] for row in rows]
        if name in types.get("times", ()):
            seconds = np.array([np.nan if one is None else one for one in values], dtype="float64")
            made[name] = pd.Series(pd.to_datetime(seconds, unit="s")).astype("datetime64[ns]")
        elif name in types.get("floats", ()):
            made[name] = pd.Series(values, dtype="float64")
        elif name in types.get("integers", ()):
            made[name] = pd.Series(values, dtype="int64")
        else:
            made[name] = pd.Series(values, dtype=text)
    return pd.DataFrame(made)


def tasks_frame(entries: Iterable[TaskEntry], root: Path) -> pd.DataFrame:
    """Tasks as a table.

    Parameters
    ----------
    entries : iterable of TaskEntry
        Rows of the record.
    root : Path
        Directory of the archive, to make paths absolute.

    Returns
    -------
    pandas.DataFrame
        One row a task. ``log`` is what it wrote to standard output, or else to standard error; a task that wrote
        nothing has none.
    """
    rows = []
    for entry in entries:
        data_id = entry.key.data_id
        there = _logs_there(root, entry.log, entry.stderr)
        rows.append(
            {
                "mission": data_id.mission,
                "process": entry.key.process,
                "obs_id": data_id.obs_id,
                "inst": data_id.inst,
                "subexp": data_id.subexp,
                "variant": entry.key.variant,
                "state": entry.state.value,
                "cause": entry.cause,
                "kind": entry.kind.value if entry.kind else None,
                "root": str(entry.root) if entry.root else None,
                "caveats": "; ".join(f"{caveat.code}: {caveat.message}" for caveat in entry.caveats),
                "attempt": entry.attempt,
                "started": entry.started,
                "seconds": entry.seconds,
                "cpu_s": entry.cpu_s,
                "max_rss": entry.max_rss,
                "host": entry.host,
                "log": str(there[0]) if there else None,
            }
        )
    floats = ["seconds", "cpu_s", "max_rss"]
    return _frame(rows, TASK_COLUMNS, times=["started"], floats=floats, integers=["attempt"])


def products_frame(entries: Iterable[ProductEntry], root: Path) -> pd.DataFrame:
    """Products as a table with absolute paths; energies in keV."""
    rows = [
        {
            "mission": entry.mission,
            "process": entry.process,
            "obs_id": entry.obs_id,
            "inst": entry.inst or None,
            "subexp": entry.subexp or None,
            "variant": entry.variant,
            "key": entry.key,
            "kind": entry.kind,
            "path": f"{root}/{entry.path}",
            "size": entry.size,
            "sha256": entry.sha256,
            "lo": entry.lo,
            "hi": entry.hi,
        }
        for entry in entries
    ]
    return _frame(rows, PRODUCT_COLUMNS, floats=["lo", "hi"], integers=["size"])


def history_frame(entries: Iterable[HistoryEntry]) -> pd.DataFrame:
    """What happened to tasks as a table, in order of time."""
    rows = [
        {
            "at": entry.at,
            "mission": entry.mission,
            "process": entry.process,
            "obs_id": entry.obs_id,
            "inst": entry.inst or None,
            "subexp": entry.subexp or None,
            "variant": entry.variant,
            "state": entry.state.value,
            "attempt": entry.attempt,
            "cause": entry.cause,
        }
        for entry in entries
    ]
    columns = ("at", "mission", "process", "obs_id", "inst", "subexp", "variant", "state", "attempt", "cause")
    return _frame(rows, columns, times=["at"], integers=["attempt"])


def failures_frame(entries: Iterable[TaskEntry], root: Path) -> pd.DataFrame:
    """Failures grouped by process and cause.

    Parameters
    ----------
    entries : iterable of TaskEntry
        Rows of the record, of tasks that failed and of all others.
    root : Path
        Directory of the archive, to make paths absolute.

    Returns
    -------
    pandas.DataFrame
        One row a cause, most frequent first: mission, process, kind, cause (``…`` stands for what differs from task to
        task), tasks (how many failed so), of (how many the process has), blocked (how many tasks are blocked behind
        them), example (an identifier), log (the example's, empty if it wrote nothing), and sentence, which says it all.
    """
    rows = []
    for group in failure_groups(entries):
        example = group.members[0]
        log = _telling_log(example, root)
        see = f", see {log}" if log else ", which wrote nothing" if example.log else ""
        rows.append(
            {
                "mission": group.mission,
                "process": group.process,
                "kind": group.kind,
                "cause": group.cause,
                "tasks": len(group.members),
                "of": group.of,
                "blocked": group.blocked,
                "example": example.key.data_id.ident,
                "log": log,
                "sentence": f"{group.sentence} For example {example.key.data_id.ident}{see}.",
            }
        )
    return _frame(rows, FAILURE_COLUMNS, integers=["tasks", "of", "blocked"])


def _telling_log(entry: TaskEntry, root: Path) -> str:
    """The log to look at first: what the program wrote to standard error, or else what it wrote at all."""
    there = _logs_there(root, entry.stderr, entry.log)
    telling = [path for path in there if path.stat().st_size]
    return str((telling or there)[0]) if there else ""


def _logs_there(root: Path, *recorded: str | None) -> list[Path]:
    """Those of a task's logs that are there: one in which nothing was written is not kept."""
    return [path for path in (root / one for one in recorded if one) if path.is_file()]

"""B5 and B6: opening the record of a big archive, and writing to one."""

from __future__ import annotations

import json
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.benchmarks.table import Row, ratio_of, side_by_side

IDS = {"B5", "B6"}
LOG = b"** evselect: message number and words that a tool says\n" * 364  # 20 kB
TASKS = 16_800
RUNS = 5
TRANSITIONS = 20_000
GROUP = 512

OPEN = """
import json, sys, time
from pathlib import Path
import psutil
from daxa.ids import DataId, TaskKey
from daxa.store.records import ArchiveRecord
root, number = Path(sys.argv[1]), int(sys.argv[2])
key = TaskKey("process_0", DataId("xmm_pointed", f"{number:010d}", "PN", "S003"))
before = psutil.Process().memory_info().rss
began = time.perf_counter()
record = ArchiveRecord.open(root / ".save_info" / "archive.sqlite")
entry = record.task(key)
size = len((root / entry.log).read_text()) if len(sys.argv) > 3 else 0
seconds = time.perf_counter() - began
print(json.dumps([1000 * seconds, (psutil.Process().memory_info().rss - before) / 1e6]))
record.close()
"""

BARE = """
import json, sys, time, sqlite3
from pathlib import Path
import psutil
root, number = Path(sys.argv[1]), int(sys.argv[2])
before = psutil.Process().memory_info().rss
began = time.perf_counter()
connection = sqlite3.connect(root / ".save_info" / "archive.sqlite")
sql = "SELECT log FROM tasks WHERE mission = ? AND process = ? AND obs_id = ? AND inst = ? AND subexp = ? AND variant = ?"
row = connection.execute(sql, ("xmm_pointed", "process_0", f"{number:010d}", "PN", "S003", "")).fetchone()
size = len((root / row[0]).read_text()) if len(sys.argv) > 3 else 0
seconds = time.perf_counter() - began
print(json.dumps([1000 * seconds, (psutil.Process().memory_info().rss - before) / 1e6]))
"""

WHOLE = """
import asyncio, json, sys, time
from pathlib import Path
import psutil
from daxa.archive import Archive
from daxa.config import Config
from daxa.context import Context
context = Context(Config({"output": sys.argv[1], "offline": True}))
async def look(ident):
    began = time.perf_counter()
    async with Archive("small", context=context) as archive:
        found = archive.get_process_logs("process_0", full_ident=ident)
    assert len(found["xmm_pointed"][ident]) > 20_000
    return 1000 * (time.perf_counter() - began)
asyncio.run(look(sys.argv[2]))
before = psutil.Process().memory_info().rss
seconds = asyncio.run(look(sys.argv[3]))
print(json.dumps([seconds, (psutil.Process().memory_info().rss - before) / 1e6]))
"""


def measured(program: str, *arguments: object) -> tuple[float, float]:
    """Milliseconds and megabytes, in a process of its own."""
    ended = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)], check=True, capture_output=True, text=True
    )
    milliseconds, size = json.loads(ended.stdout)
    return milliseconds, size


def entries(tasks: int) -> Iterator[Any]:
    """Tasks as an archive's runs leave them: 14 processes for each sub-exposure."""
    from daxa.ids import DataId, TaskKey
    from daxa.outcome import State
    from daxa.store.records import TaskEntry

    for task in range(tasks):
        number, process = divmod(task, 14)
        key = TaskKey(f"process_{process}", DataId("xmm_pointed", f"{number:010d}", "PN", "S003"))
        stem = f"processed_data/xmm_pointed/{number:010d}/logs/process_{process}_{key.data_id.ident}"
        yield TaskEntry(
            key=key, state=State.SUCCEEDED, run_id=1, attempt=1, started=1.0, ended=2.0, seconds=1.0, cpu_s=0.9,
            max_rss=123_456_789, host="a-machine", log=f"{stem}_stdout.log", stderr=f"{stem}_stderr.log",
            params={"lo_en": 0.5, "hi_en": 2.0, "filter": "standard"}, fingerprint="0123456789abcdef" * 4,
            ingredients=json.dumps({"process": key.process, "version": "1", "inputs": {"events": "0123456789abcdef"}}),
            warnings=["a warning of the tool"], extra={"events": f"events/{number:010d}.fits"},
        )  # fmt: skip


def new_record(root: Path, tasks: int) -> Any:
    """Make an archive's record with its tasks."""
    from daxa.store.records import ArchiveRecord

    record = ArchiveRecord.create(root / ".save_info" / "archive.sqlite")
    with record.writing():
        record.begin_run({}).result()
        block = list(entries(tasks))
        for first in range(0, tasks, 10_000):
            record.journal(block[first : first + 10_000]).result()
    return record


def blow_up(root: Path, tasks: int, times: int) -> None:
    """Put a record's tasks in so many times over, under other ObsIDs, with statements instead of Python."""
    with sqlite3.connect(root / ".save_info" / "archive.sqlite") as connection:
        for table, key in (("tasks", "id"), ("history", "task_id")):
            names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            new = (
                {"id": f"id + n * {tasks}"} if table == "tasks" else {"id": "NULL", "task_id": f"task_id + n * {tasks}"}
            )
            new["obs_id"] = "printf('%010d', CAST(obs_id AS INTEGER) + n * 1000000)"
            connection.execute(
                f"WITH RECURSIVE many (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM many WHERE n < {times - 1})"
                f" INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(new.get(name, name) for name in names)}"
                f" FROM many, {table} ORDER BY n, {key}"
            )
    connection.close()


def add_mission(record: Any, observations: int) -> None:
    """Give the record a mission with its observations, as an archive has it."""
    import pandas as pd

    from daxa.config import Config
    from daxa.context import Context
    from daxa.mission.catalogue import Catalogue

    context = Context(Config({"offline": True}))
    mission = context.registry.mission_class("xmm_pointed")(context=context)
    times = pd.Timestamp("2010-01-01") + pd.to_timedelta(range(observations), unit="D")
    table = pd.DataFrame(
        {
            "ra": 150.0, "dec": 2.0, "ObsID": [f"{number:010d}" for number in range(observations)], "start": times,
            "end": times + pd.Timedelta("10h"), "duration": pd.Timedelta("10h"), "science_usable": True,
            "proprietary_end_date": times, "revolution": 1, "proprietary_usable": True,
        }
    )  # fmt: skip
    mission._take(Catalogue(table, 0.0, "made"))
    mission._select_all()
    with record.writing():
        record.add_mission(mission.name, mission.pretty_name, mission.snapshot()).result()


def opening() -> list[Row]:
    """B5."""
    rows = []
    with tempfile.TemporaryDirectory() as directory:
        base = Path(directory) / "archives"
        root = base / "small"
        record = new_record(root, TASKS)
        add_mission(record, TASKS // 14)
        record.close()
        for entry in entries(TASKS):
            path = root / entry.log
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(LOG)
        pairs = [
            (measured(OPEN, root, 7 * run, "log"), measured(BARE, root, 7 * run + 3, "log")) for run in range(RUNS)
        ]
        ours, bare = ([statistics.median(pair[which][part] for pair in pairs) for part in (0, 1)] for which in (0, 1))
        ratio = statistics.median(one[0] / other[0] for one, other in pairs)
        work = f"open the record of {TASKS:,} tasks with 20 kB logs, read one log"
        rows.append(
            Row("B5", f"{work}; bare sqlite3", ours[0], bare[0], "ms", ratio, "<= 50 ms after import", ours[0] <= 50)
        )
        rows.append(
            Row("B5", "memory over import of it", ours[1], bare[1], "MB", ours[1] / bare[1], "< 60 MB", ours[1] < 60)
        )
        idents = [f"{7 * run:010d}PNS003" for run in range(RUNS + 1)]
        whole = [measured(WHOLE, directory, *pair) for pair in pairwise(idents)]
        figure, memory = (statistics.median(one[part] for one in whole) for part in (0, 1))
        work = f"Archive(...) of {TASKS:,} tasks, get_process_logs of one ident; the record"
        rows.append(Row("B5", work, figure, ours[0], "ms", figure / ours[0], "<= 50 ms after import", figure <= 50))
        del memory

        roots = {}
        for tasks, times in ((10_000, 1), (1_000_000, 100)):
            roots[tasks] = base / str(tasks)
            new_record(roots[tasks], 10_000).close()
            if times > 1:
                blow_up(roots[tasks], 10_000, times)
        pairs = [tuple(measured(OPEN, roots[tasks], 7 * run) for tasks in (1_000_000, 10_000)) for run in range(RUNS)]
        ratio = statistics.median(one[0] / other[0] for one, other in pairs)
        big, small = (statistics.median(pair[which][0] for pair in pairs) for which in (0, 1))
        rows.append(
            Row(
                "B5",
                "open 1,000,000 tasks, read one row; against 10,000",
                big,
                small,
                "ms",
                ratio,
                "<= 2 x",
                ratio <= 2,
            )
        )
    return rows  # fmt: skip


def journalling() -> list[Row]:
    """B6."""
    from attrs import evolve

    from daxa.outcome import State
    from daxa.store.entries import task_values
    from daxa.store.records import ArchiveRecord

    ended = list(entries(TRANSITIONS // 2))
    running = [evolve(one, state=State.RUNNING, ended=None, seconds=None, cpu_s=None) for one in ended]
    transitions = [one for pair in zip(running, ended, strict=True) for one in pair]
    with tempfile.TemporaryDirectory() as directory:
        paths = iter(Path(directory) / f"{number}.sqlite" for number in range(100))
        ready: list[Any] = []

        def prepare() -> None:
            while ready:
                ready.pop().close()
            ready.append(ArchiveRecord.create(next(paths)))
            bare = sqlite3.connect(next(paths), isolation_level=None)
            bare.execute("PRAGMA journal_mode = wal")
            bare.execute("PRAGMA synchronous = normal")
            names = [f"c{number}" for number in range(len(task_values(ended[0])))]
            bare.execute(f"CREATE TABLE tasks ({', '.join(names)}, PRIMARY KEY ({', '.join(names[:6])}))")
            bare.execute("CREATE TABLE history (id INTEGER PRIMARY KEY, run_id, attempt, state, at, cause, task)")
            ready.append(bare)

        def ours() -> None:
            record = ready[0]
            with record.writing():
                for one in transitions:
                    record.journal([one])
                record.flush()

        def bare() -> None:
            connection = ready[1]
            sql = f"INSERT OR REPLACE INTO tasks VALUES ({', '.join('?' * len(task_values(ended[0])))})"
            for first in range(0, len(transitions), GROUP):
                group = transitions[first : first + GROUP]
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany(sql, map(task_values, group))
                connection.executemany(
                    "INSERT INTO history VALUES (NULL, ?, ?, ?, ?, ?, ?)",
                    [(one.run_id, one.attempt, one.state.value, 1.0, one.cause, one.key.process) for one in group],
                )
                connection.execute("COMMIT")

        first, second = side_by_side((ours, bare), RUNS, before=prepare)
        prepare()
        record = ready[0]
        sizes = [0]
        with record.writing():
            for half in (transitions[: TRANSITIONS // 2], transitions[TRANSITIONS // 2 :]):
                for one in half:
                    record.journal([one])
                record.flush()
                with sqlite3.connect(record.db.path) as other:
                    pages = (
                        other.execute("PRAGMA page_count").fetchone()[0]
                        * other.execute("PRAGMA page_size").fetchone()[0]
                    )
                other.close()
                sizes.append(pages)
        while ready:
            ready.pop().close()
    figure, reference = (1e6 * statistics.median(one) / TRANSITIONS for one in (first, second))
    growth = [(later - earlier) / (TRANSITIONS / 2) for earlier, later in pairwise(sizes)]
    ratio = growth[1] / growth[0]
    return [
        Row("B6", f"a transition of {TRANSITIONS:,}, group commit; bare executemany", figure, reference, "us", ratio_of(first, second), "<= 60 us", figure <= 60),
        Row("B6", "bytes a transition, second half; first half", growth[1], growth[0], "B", ratio, "linear (<= 1.1)", ratio <= 1.1),
    ]  # fmt: skip


def run() -> list[Row]:
    """Measure both."""
    return opening() + journalling()

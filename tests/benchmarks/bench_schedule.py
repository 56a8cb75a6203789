"""B8 and B9: big graphs, and how long a year of observations takes on a simulated clock."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

from tests.benchmarks.table import Row

IDS = {"B8", "B9"}
SEEDS = (1, 2, 3, 4, 5)
SLOTS = (4, 16, 64)
TOP = Path(__file__).parents[2]

OURS = """
import json, sys
import psutil
from tests.core.schedule.workload import walk
before = psutil.Process().memory_info().rss
graph, seconds = walk(int(sys.argv[1]))
print(json.dumps([1e6 * seconds / len(graph), (psutil.Process().memory_info().rss - before) / len(graph)]))
"""

BARE = """
import json, sys, time
from graphlib import TopologicalSorter
import psutil
before = psutil.Process().memory_info().rss
observations = int(sys.argv[1]) // 11
began = time.perf_counter()
sorter, tasks = TopologicalSorter(), 0
for number in range(observations):
    obs = f"{number:010d}"
    sorter.add((obs, "summary"), (obs, "ingest"))
    for exposure in ("M1", "PN"):
        sorter.add((obs, exposure, "chain"), (obs, "summary"))
        sorter.add((obs, exposure, "filter"), (obs, exposure, "chain"))
        sorter.add((obs, exposure, "clean"), (obs, exposure, "filter"))
        sorter.add((obs, exposure, "merge"), (obs, exposure, "clean"))
        sorter.add((obs, "image"), (obs, exposure, "merge"))
sorter.prepare()
while sorter.is_active():
    for one in sorter.get_ready():
        tasks += 1
        sorter.done(one)
seconds = time.perf_counter() - began
print(json.dumps([1e6 * seconds / tasks, (psutil.Process().memory_info().rss - before) / tasks]))
"""


def measured(program: str, tasks: int) -> tuple[float, float]:
    """Microseconds and bytes a task, in a process of its own."""
    ended = subprocess.run(
        [sys.executable, "-c", program, str(tasks)], check=True, capture_output=True, text=True, cwd=TOP
    )
    microseconds, size = json.loads(ended.stdout)
    return microseconds, size


def graphs() -> list[Row]:
    """B8. The reference is the standard library's sorter with the same tasks and edges: no states, no outcomes."""
    small = [(measured(OURS, 140_000), measured(BARE, 140_000)) for _ in range(5)]
    ours, bare = ([statistics.median(pair[which][part] for pair in small) for part in (0, 1)] for which in (0, 1))
    big = measured(OURS, 1_000_000)
    ratio = statistics.median(one[0] / other[0] for one, other in small)
    return [
        Row("B8", "plan, grow and walk 140,000 tasks; against graphlib", ours[0], bare[0], "us", ratio, "<= 40 us a task", ours[0] <= 40),
        Row("B8", "bytes a task of it; against graphlib", ours[1], bare[1], "B", ours[1] / bare[1], "<= 1 kB a task", ours[1] <= 1024),
        Row("B8", "1,000,000 tasks against 140,000 (one run)", big[0], ours[0], "us", big[0] / ours[0], "<= 40 us a task, linear (<= 1.25)", big[0] <= 40 and big[0] / ours[0] <= 1.25),
        Row("B8", "bytes a task of it", big[1], ours[1], "B", big[1] / ours[1], "<= 1 kB a task", big[1] <= 1024),
    ]  # fmt: skip


def makespans() -> list[Row]:
    """B9. Hours of the simulated clock; medians over five draws."""
    from tests.core.schedule.workload import Year

    years = [Year(seed) for seed in SEEDS]
    rows = []
    for slots in SLOTS:
        found = [
            [
                seconds / 3600
                for seconds in (year.run(slots)[0], year.bound(slots), year.with_barriers(slots), year.foreseen(slots))
            ]
            for year in years
        ]
        ours, bound, barriers, foreseen = (statistics.median(part) for part in zip(*found, strict=True))
        work = f"makespan of 422 observations on {slots} slots (5 draws)"
        ratio = statistics.median(one[0] / one[1] for one in found)
        rows.append(Row("B9", work, ours, bound, "h", ratio, "<= 1.05 x the bound", ratio <= 1.05))
        ratio = statistics.median(one[0] / one[3] for one in found)
        rows.append(Row("B9", f"against a schedule that knows all times before, {slots} slots", ours, foreseen, "h", ratio, "for comparison", True))  # fmt: skip
        ratio = statistics.median(one[2] / one[1] for one in found)
        rows.append(Row("B9", f"the same with a barrier after each process, {slots} slots", barriers, bound, "h", ratio, "for comparison", True))  # fmt: skip
    return rows


def run() -> list[Row]:
    """Measure both."""
    return graphs() + makespans()

"""B7: what a thousand tasks cost that do nothing."""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.table import Row, ratio_of, side_by_side

IDS = {"B7"}
TASKS = 1000


class Runner:
    """Runs one program a task, keeps its output, and journals every transition."""

    def __init__(self, record: Any, executor: Any, program: str, root: Path, run_id: int) -> None:
        self.record, self.executor, self.program, self.root, self.run_id = record, executor, program, root, run_id

    def decide(self, key: Any) -> Any:
        """Run everything."""
        from daxa.schedule.driver import Run

        return Run({"cpu": 1.0})

    def children(self, key: Any) -> None:
        """Nothing is revealed."""

    async def execute(self, key: Any, attempt: int) -> Any:
        """Run the program."""
        from daxa.executors.base import Launch
        from daxa.outcome import Outcome, State

        stem = key.data_id.ident
        launch = Launch(
            name=stem,
            steps=((self.program,),),
            cwd=self.root,
            env={"PATH": os.defpath},
            stdout=self.root / f"{stem}_stdout.log",
            stderr=self.root / f"{stem}_stderr.log",
        )
        result = await self.executor.run(launch, lambda _started: None)
        assert result.exit_status == 0
        return Outcome(State.SUCCEEDED)

    async def journal(self, transitions: Sequence[Any]) -> None:
        """Write them to the record of an archive."""
        from daxa.store.records import TaskEntry

        await self.record.journal(
            [
                TaskEntry(key=one.task, state=one.state, run_id=self.run_id, attempt=1, started=1.0)
                for one in transitions
            ]
        )


async def run_all(directory: Path, program: str) -> None:
    """Run the tasks under the driver, two at a time, in a new record."""
    from daxa.executors.local import LocalExecutor
    from daxa.ids import DataId
    from daxa.outcome import State
    from daxa.schedule.declared import Member, Node, Planned
    from daxa.schedule.driver import Driver
    from daxa.schedule.graph import Graph
    from daxa.store.records import ArchiveRecord

    root = DataId("xmm_pointed")
    graph = Graph({root.mission: [Node("nothing", "obs")]})
    graph.close(root, [Member(root.child(f"{number:010d}"), (Planned("nothing"),)) for number in range(TASKS)])
    record = ArchiveRecord.create(directory / "record.sqlite")
    try:
        async with record.writing(), LocalExecutor(slots=2) as executor:
            runner = Runner(record, executor, program, directory, await record.begin_run({}))
            counts = await Driver(graph, runner, capacity={"cpu": 2.0}).run()
    finally:
        record.close()
    assert counts == {State.SUCCEEDED: TASKS}


MEMORY = Path("/dev/shm")
PLACES = (
    ("true", None, "on disk"),
    ("true", MEMORY, "in memory"),
    ("echo", None, "on disk, where it makes a file each"),
)
"""A log in which nothing was written is not kept; `echo` writes one line, and pays for the making of its file."""


def run() -> list[Row]:
    """Time both, start and end of the slots included; on disk, and where files cost nothing."""
    xargs = shutil.which("xargs")
    numbers = "\n".join(map(str, range(TASKS))).encode()
    rows = []
    for name, place, words in PLACES:
        program = shutil.which(name)
        if xargs is None or program is None or (place is not None and not os.access(place, os.W_OK)):
            print(f"B7: there is no `{name}`, no xargs, or no {place} here; its row is left out")
            continue
        reference_argv = [xargs, "-P", "2", "-n", "1", program]
        with tempfile.TemporaryDirectory(dir=place) as directory:
            target = Path(directory) / "target"

            def clear(target: Path = target) -> None:
                shutil.rmtree(target, ignore_errors=True)
                target.mkdir()

            def ours_of(target: Path = target, program: str = program) -> None:
                asyncio.run(run_all(target, program))

            def theirs_of(argv: list[str] = reference_argv) -> None:
                subprocess.run(argv, input=numbers, stdout=subprocess.DEVNULL, check=True)

            ours, theirs = side_by_side((ours_of, theirs_of), before=clear)
        figure, reference = (1000 * statistics.median(one) / TASKS for one in (ours, theirs))
        ratio = ratio_of(ours, theirs)
        work = f"each of {TASKS:,} `{name}`, 2 at once, journalled, logs kept {words}"
        if name == "true":
            rows.append(Row("B7", work, figure, reference, "ms", ratio, "<= 2 x xargs -P 2", ratio <= 2))
        else:
            rows.append(Row("B7", work, figure, reference, "ms", ratio, "for comparison", True))
    return rows

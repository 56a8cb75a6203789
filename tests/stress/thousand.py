"""A run of a thousand tasks with a tenth failing, and whether its table of failures reads like a sentence."""

import time
from collections import Counter
from pathlib import Path

from daxa.outcome import State
from daxa.store.records import ArchiveRecord
from tests.stress import ledger
from tests.stress.report import Finding
from tests.stress.surroundings import Held, Surroundings

CAUSES = 16
"""Most rows the table of failures may have: four processes fail in four ways."""


def thousand_tasks(directory: Path, *, observations: int = 145) -> Finding:
    """Reduce, and read ``arch.failures()``."""
    found = Finding("F8", "a thousand tasks, a tenth failing")
    surroundings = Surroundings.make(directory, observations)
    before = Held.now()
    output = directory / "output"
    began = time.monotonic()
    surroundings.finish(output)
    seconds = time.monotonic() - began
    states = Counter(ledger.read_ledger(output).states.values())
    found.counts = {"tasks": sum(states.values()), **{state.value: count for state, count in states.items()}}
    found.notes.append(f"     it took {seconds:.1f} s")
    for path in ledger.wrong_on_disk(output, ledger.read_ledger(output)):
        found.fault(f"{path} is not as recorded")
    _failures(found, output)
    if left := surroundings.left_behind():
        found.fault(f"left behind: {left}")
    for leak in Held.now().more_than(before):
        found.fault(f"it left {leak}")
    return found


def _failures(found: Finding, output: Path) -> None:
    """Every failed task is in one row, every blocked one behind one, and there are few rows."""
    from daxa.archive.frames import failures_frame

    record = ArchiveRecord.open(output / ledger.RECORD)
    try:
        entries = record.tasks()
        failed = [one for one in entries if one.state in (State.FAILED, State.TIMED_OUT)]
        blocked = [one for one in entries if one.state is State.BLOCKED]
        table = failures_frame(entries, output / ledger.ARCHIVE)
    finally:
        record.close()
    found.counts["causes"] = len(table)
    if table["tasks"].sum() != len(failed):
        found.fault(f"{len(failed)} tasks failed, the table has {table['tasks'].sum()}")
    if table["blocked"].sum() != len(blocked):
        found.fault(f"{len(blocked)} tasks are blocked, the table has {table['blocked'].sum()}")
    if not 1 <= len(table) <= CAUSES:
        found.fault(f"{len(table)} rows for {len(failed)} failures of at most {CAUSES} kinds")
    for cause, log in zip(table["cause"], table["log"], strict=True):
        if "error (" in cause and not Path(log or "none").is_file():
            found.fault(f"there is no log of {cause!r}: {log!r}")
    roots = {str(one.root) for one in blocked}
    if roots - {str(one.key) for one in failed}:
        found.fault("a blocked task's root is no failed one")
    found.notes += [f"     {sentence}" for sentence in table["sentence"]]

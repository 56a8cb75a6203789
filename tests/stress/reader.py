"""Looks at a stress archive again and again while it is reduced: ``python -m tests.stress.reader OUTPUT``.

It ends when its standard input does, and says what it saw as one line of JSON.
"""

import json
import select
import sys
import time
from pathlib import Path

from tests.stress.ledger import ARCHIVE, RECORD


def look(record, root: Path, seen: dict) -> None:
    """Take one snapshot, and compare it with the one before and with the disk."""
    from daxa.outcome import State

    with record.db.snapshot() as read:
        tasks = {row["id"]: State(row["state"]) for row in read("SELECT id, state FROM tasks")}
        made = read("SELECT task_id, path, size FROM products")
        needed = {row["id"]: row["process"] for row in read("SELECT id, process FROM tasks")}
    ended = sum(state.ended for state in tasks.values())
    if ended < seen["ended"]:
        seen["faults"].append(f"{ended} tasks have ended, {seen['ended']} had before")
    seen["ended"] = ended
    seen["snapshots"] += 1
    paths = {}
    for row in made:
        paths.setdefault(row["task_id"], []).append((row["path"], row["size"]))
    for task, state in tasks.items():
        if not state.satisfied or needed[task] in ("download",):
            continue
        if task not in paths:
            seen["faults"].append(f"task {task} is {state} and has no products")
        for path, size in paths.get(task, ()):
            if not (root / path).is_file() or (root / path).stat().st_size != size:
                seen["faults"].append(f"task {task} is {state}, and {path} is not there whole")
                return
    seen["checked"] += len(made)


def main() -> None:
    from daxa.exceptions import DaxaError
    from daxa.store.records import ArchiveRecord

    output = Path(sys.argv[1])
    seen = {"snapshots": 0, "checked": 0, "ended": 0, "opened": 0, "faults": []}
    record = None
    while not select.select([sys.stdin], [], [], 0.01)[0] and len(seen["faults"]) < 5:
        try:
            if record is None:
                if not (output / RECORD).exists():
                    time.sleep(0.002)
                    continue
                record = ArchiveRecord.open(output / RECORD)
                seen["opened"] += 1
            look(record, output / ARCHIVE, seen)
            if seen["snapshots"] % 10 == 0:
                record.close()
                record = None
        except DaxaError as problem:
            seen["faults"].append(f"{type(problem).__name__}: {problem}")
    if record is not None:
        record.close()
    print(json.dumps(seen))


if __name__ == "__main__":
    main()

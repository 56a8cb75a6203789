"""F4: a disk that is full, read-only, or lets no file grow, while tasks run and while their record is written."""

import contextlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from daxa.outcome import State
from daxa.store.records import ArchiveRecord
from tests.stress import ledger
from tests.stress.report import Finding
from tests.stress.surroundings import Held, Surroundings

TROUBLE = {
    "journal cannot grow": {"room": 60_000},
    "products cannot be placed, ENOSPC": {"refuse": {"call": "rename", "code": "ENOSPC", "after": 20}},
    "products cannot be placed, EROFS": {"refuse": {"call": "replace", "code": "EROFS", "after": 20}},
    "directories cannot be made, EDQUOT": {"refuse": {"call": "mkdir", "code": "EDQUOT", "after": 60}},
}
"""What a head is told, by what is wrong."""


def disk_trouble(directory: Path, *, observations: int = 12, mounted: bool = False) -> Finding:
    """Run into each kind of trouble, look at what is left, and run again without it."""
    found = Finding("F4", "a disk that is full, read-only or limited")
    surroundings = Surroundings.make(directory, observations)
    before = Held.now()
    surroundings.finish(directory / "undisturbed")
    should = ledger.read_ledger(directory / "undisturbed")
    for name in ("kinds of trouble", "typed errors", "failed tasks that name the disk", "wrong files",
                 "unsound records", "reruns of succeeded tasks"):  # fmt: skip
        found.counts[name] = 0
    for number, (name, options) in enumerate(TROUBLE.items()):
        if "refuse" in options:
            options = {"refuse": {**options["refuse"], "below": "/archives/stress/"}}
        output = directory / f"trouble{number}"
        end = surroundings.end(output, json.dumps(options))
        _look(found, surroundings, should, output, name, end)
    output = directory / "tools"
    end = surroundings.end(output, full="T00003 T00005")
    _look(found, surroundings, should, output, "the programs' disk is full", end)
    if mounted:
        _mounted(found, surroundings, should, directory / "mounted")
    for leak in Held.now().more_than(before):
        found.fault(f"it left {leak}")
    return found


def _look(found, surroundings, should, output, name, end) -> None:
    """Whether what went wrong is told, nothing is spoilt, and the next run goes on."""
    found.add("kinds of trouble")
    told = _told(found, output, name, *end)
    if not told:
        found.fault(f"{name}: nobody says that the disk refuses; the head ended with {end}")
    elif len(found.notes) < 12:
        found.notes.append(f"     {name}: {told}")
    if (verdict := ledger.check_record(output)) != "ok":
        found.add("unsound records")
        found.fault(f"{name}: {verdict}")
    then = ledger.read_ledger(output)
    on_disk = ledger.on_disk(output)
    wrong = [path for path, sha256 in then.products.items() if on_disk.get(path) != sha256]
    wrong += ledger.half_made(output)
    first = ledger.starts(output)
    surroundings.finish(output)
    rerun = then.succeeded & set(ledger.starts(output) - first)
    found.add("reruns of succeeded tasks", len(rerun))
    now = ledger.read_ledger(output)
    wrong += ledger.wrong_on_disk(output, now)
    found.add("wrong files", len(wrong))
    for path in wrong:
        found.fault(f"{name}: {path} is not as recorded")
    for task in sorted(rerun):
        found.fault(f"{name}: {task} had succeeded, and was run again")
    if now != should:
        odd = [one for one in should.states if now.states.get(one) is not should.states[one]]
        found.fault(f"{name}: after another run the archive differs from an undisturbed one: {odd[:5]}")
    if left := surroundings.left_behind():
        found.fault(f"{name}: left behind {left}")
    shutil.rmtree(output, ignore_errors=True)


def _told(found: Finding, output: Path, name: str, status: int, _out: str, errors: str) -> str:
    """What a user is told: the error that ended the head, or the causes of the tasks that failed."""
    if status not in (0, 3) or (status == 0 and errors):
        found.fault(f"{name}: the head ended with {status}: {errors}")
        return ""
    if status == 3:
        problem = json.loads(errors.splitlines()[-1])
        if problem["type"] != "StorageError" or "Remedy:" not in problem["message"] or "/" not in problem["message"]:
            found.fault(f"{name}: the head ended with {problem}")
        found.add("typed errors")
        return str(problem["message"])
    record = ArchiveRecord.open(output / ledger.RECORD)
    try:
        failed = record.tasks(state=State.FAILED.value)
    finally:
        record.close()
    causes = [
        f"{one.cause} [{one.kind.value}]"
        for one in failed
        if one.cause and one.kind and ("space left" in one.cause or "cannot be written" in one.cause)
    ]
    found.add("failed tasks that name the disk", len(causes))
    return causes[0] if causes else ""


@contextmanager
def small_disk(directory: Path, size: str) -> Iterator[bool]:
    """A file system of its own; False where it cannot be mounted."""
    directory.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(directory)], capture_output=True, check=False
    )
    try:
        yield done.returncode == 0
    finally:
        if done.returncode == 0:
            subprocess.run(["umount", "-l", str(directory)], check=False)


def _mounted(found: Finding, surroundings: Surroundings, should: ledger.Ledger, directory: Path) -> None:
    """A small disk that fills up in the middle, and is made larger."""
    for size in ("600k", "1200k", "2000k"):
        with small_disk(directory, size) as mounted:
            if not mounted:
                found.notes.append("     no file system can be mounted here; the injected errors stand for it")
                return
            output = directory / "output"
            end = surroundings.end(output)
            subprocess.run(["mount", "-o", "remount,size=200m", str(directory)], check=True)
            _look(found, surroundings, should, output, f"a disk of {size}", end)
    with contextlib.suppress(OSError):
        directory.rmdir()

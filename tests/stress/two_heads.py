"""F6: two heads on one archive, readers during a run, and a lease whose owner is dead."""

import json
import shutil
import socket
import subprocess
from pathlib import Path

from tests.stress import ledger
from tests.stress.report import Finding
from tests.stress.surroundings import LONGEST, Held, Surroundings, kill


def two_heads(directory: Path, *, rounds: int = 1, observations: int = 4) -> Finding:
    """A second head is refused while one holds the archive, and takes it at once when that one is dead."""
    found = Finding("F6", f"two heads on one archive, then a dead one, {rounds} times")
    surroundings = Surroundings.make(directory, observations)
    before = Held.now()
    for name in ("refusals", "takeovers"):
        found.counts[name] = 0
    for number in range(rounds):
        _one(found, surroundings, directory / f"output{number}")
    for leak in Held.now().more_than(before):
        found.fault(f"it left {leak}")
    return found


def _one(found: Finding, surroundings: Surroundings, output: Path) -> None:
    holder = surroundings.start(output, json.dumps({"hold": True}))
    try:
        assert holder.stdout is not None
        if holder.stdout.readline() != "holds\n":
            found.fault(f"the first head did not come to hold the archive: {holder.communicate()[1]}")
            return
        second = surroundings.start(output)
        _, errors = second.communicate(timeout=LONGEST)
        lines = errors.splitlines()
        if second.returncode != 3 or len(lines) != 1:
            found.fault(f"the second head ended with {second.returncode}: {errors}")
            return
        refusal = json.loads(lines[0])
        if refusal["type"] != "ArchiveInUseError":
            found.fault(f"the second head was refused with {refusal}")
        for word in (f"process {holder.pid} ", socket.gethostname(), "Remedy:"):
            if word not in refusal["message"]:
                found.fault(f"the refusal does not say {word!r}: {refusal['message']}")
        if not found.counts["refusals"]:
            found.notes.append(f"     the refusal: {refusal['message']}")
        found.add("refusals")
    finally:
        kill(holder)
    surroundings.finish(output)
    states = ledger.read_ledger(output).states
    if not states or not all(state.ended for state in states.values()):
        found.fault("the head that took the dead one's lease did not end everything")
    found.add("takeovers")
    if left := surroundings.left_behind():
        found.fault(f"left behind: {left}")
    shutil.rmtree(output)


def readers_during_a_run(directory: Path, *, readers: int = 8, observations: int = 43) -> Finding:
    """Readers that come, look and go while everything is reduced; none may see what is not so."""
    found = Finding("F6", f"{readers} readers during a run")
    surroundings = Surroundings.make(directory, observations)
    before = Held.now()
    output = directory / "output"
    looking = [surroundings.start(output, module="tests.stress.reader", stdin=subprocess.PIPE) for _ in range(readers)]
    try:
        surroundings.finish(output)
    finally:
        ends = [one.communicate(timeout=LONGEST) for one in looking]
    for name in ("snapshots", "products looked up on disk", "times opened"):
        found.counts[name] = 0
    for process, (out, errors) in zip(looking, ends, strict=True):
        if process.returncode or errors:
            found.fault(f"a reader ended with {process.returncode}: {errors}")
            continue
        seen = json.loads(out)
        found.add("snapshots", seen["snapshots"])
        found.add("products looked up on disk", seen["checked"])
        found.add("times opened", seen["opened"])
        for fault in seen["faults"]:
            found.fault(fault)
    found.add("tasks", len(ledger.read_ledger(output).states))
    for leak in Held.now().more_than(before):
        found.fault(f"it left {leak}")
    return found

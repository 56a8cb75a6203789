"""F3: the head of a run is killed at random moments, and started again."""

import random
import shutil
import time
from pathlib import Path

from tests.stress import ledger, marks
from tests.stress.report import Finding
from tests.stress.surroundings import Held, Surroundings, kill_after, kill_when


def kill_heads(directory: Path, *, kills: int, observations: int = 43, seed: int = 0) -> Finding:
    """Kill a head `kills` times at moments drawn uniformly over an undisturbed run, each time in a new archive.

    Where fewer than a tenth of them hit a rename or a transaction, a tenth more are aimed at one.
    """
    found = Finding("F3", f"kill -9 the head, {kills} random moments", seed=seed)
    chance = random.Random(seed)
    surroundings = Surroundings.make(directory, observations)
    before = Held.now()

    undisturbed = directory / "undisturbed"
    began = time.monotonic()
    surroundings.finish(undisturbed)
    length = time.monotonic() - began
    begun = _begun(undisturbed)
    should = ledger.read_ledger(undisturbed)
    found.add("tasks", len(should.states))
    for wrong in ledger.wrong_on_disk(undisturbed, should):
        found.fault(f"undisturbed: {wrong} is not as recorded")
    if left := surroundings.left_behind():
        found.fault(f"undisturbed: left behind {left}")

    for name in ("kills", "hits in rename", "hits in row write", "aimed hits", "reruns of succeeded tasks",
                 "tasks without an end", "wrong products", "orphans 5 s later", "unsound records"):  # fmt: skip
        found.counts[name] = 0
    hits = number = 0
    while number < kills or (hits < kills / 10 and number < 2 * kills + 20):
        aimed = number >= kills
        hits += _one(found, surroundings, should, chance, directory / f"kill{number}", length, begun, aimed)
        number += 1
    if hits < kills / 10:
        found.fault(f"only {hits} of {number} kills hit a rename or a transaction")
    for leak in Held.now().more_than(before):
        found.fault(f"the loop left {leak}")
    return found


def _begun(output: Path) -> dict[str, int]:
    shared = marks.Marks(output / "marks")
    _inside, begun = shared.read()
    shared.close()
    return begun


def _one(found, surroundings, should, chance, output, length, begun, aimed) -> int:
    """Kill one head, look, start it again, and look again; returns whether it hit a rename or a transaction."""
    output.mkdir()
    shared = marks.Marks(output / "marks")
    if aimed:
        aim, kind = marks.random_aim(chance, begun)
        kill = kill_when(surroundings.start(output, aim=aim), kind, int(aim.split()[1]), shared)
    else:
        kill = kill_after(surroundings.start(output), chance.uniform(0, length), shared)
    shared.close()
    where = f"{output.name}{' (aimed: ' + aim + ')' if aimed else ''}"
    found.add("kills")
    for kind, name in (("rename", "hits in rename"), ("row", "hits in row write")):
        found.add(name, kind in kill.during)
    found.add("aimed hits", bool(kill.during) and aimed)

    if left := surroundings.left_behind():
        found.add("orphans 5 s later", len(left))
        found.fault(f"{where}: left behind {left}")
    if (verdict := ledger.check_record(output)) != "ok":
        found.add("unsound records")
        found.fault(f"{where}: {verdict}")
    at_kill = ledger.read_ledger(output)
    for path in ledger.half_made(output):
        found.add("wrong products")
        found.fault(f"{where}: {path} is half made")
    first = ledger.starts(output)
    surroundings.finish(output)
    again = ledger.starts(output) - first

    for name in sorted(at_kill.succeeded & set(again)):
        found.add("reruns of succeeded tasks")
        found.fault(f"{where}: {name} had succeeded, and was run again")
    now = ledger.read_ledger(output)
    for name, state in now.states.items():
        if not state.ended:
            found.add("tasks without an end")
            found.fault(f"{where}: {name} is {state}")
    for name in sorted(set(now.states) | set(should.states)):
        if now.states.get(name) != should.states.get(name):
            found.fault(f"{where}: {name} is {now.states.get(name)}, undisturbed {should.states.get(name)}")
    if now.products != should.products:
        found.fault(f"{where}: {len(set(now.products.items()) ^ set(should.products.items()))} products differ")
    for path in ledger.wrong_on_disk(output, now):
        found.add("wrong products")
        found.fault(f"{where}: {path} is not as recorded")
    if left := surroundings.left_behind():
        found.add("orphans 5 s later", len(left))
        found.fault(f"{where}: left behind {left} after the second head")
    shutil.rmtree(output)
    return bool(kill.during)

"""The chain of XMM-Newton with stand-ins for SAS: many observations with failures, and heads that are killed."""

import random
import shutil
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

from daxa.outcome import State
from daxa.store.records import ArchiveRecord
from tests.stress import ledger, marks
from tests.stress.report import Finding
from tests.stress.surroundings import Held, Surroundings, kill_after

HEAD = "tests.stress.xmm_head"
EXPOSURES = ("M1S001", "M2S002", "PNS003")


def scenario(obs_ids):
    """One of ten observations fails, each in one of seven ways."""
    from daxa_xmm.testing.sas import rules

    ways = [
        lambda one: rules.fails("cifbuild", one),
        lambda one: rules.fails("odfingest", one, stderr="** odfingest: error (NoOdfFound), No ODF was found.\n"),
        lambda one: rules.fails(
            "epchain", f"{one}PNS003", stderr="** epchain: error (odffiles), no valid file found\n"
        ),
        lambda one: rules.writes_nothing("emchain", f"{one}M1S001"),
        lambda one: rules.fails(
            "espfilt", f"{one}M2S002", stderr="** espfilt: error (noCounts), All counts are zero!\n"
        ),
        lambda one: rules.fails("evselect", f"{one}M1S001", stderr="** evselect: error (expression), bad expression\n"),
        lambda one: rules.writes_no_events("emchain", f"{one}M2S002"),
    ]
    return [ways[number % len(ways)](one) for number, one in enumerate(obs_ids[::10])]


class XmmSurroundings(Surroundings):
    """A directory with stand-ins for SAS, and a sky with raw files."""

    served = {}

    def environment(self, output, aim="", full=""):
        made = super().environment(output, aim, full)
        return {**made, **self.served, "DAXA_OUTPUT": str(output / "output"), "DAXA_CACHE": str(output / "cache")}


@contextmanager
def surrounded(directory: Path, observations: int):
    """Serve raw files of some observations, with stand-ins for SAS of which some fail."""
    from daxa_testing.sky import Sky
    from daxa_xmm import testing
    from daxa_xmm.testing import sas

    obs_ids = [f"{number:010d}" for number in range(100_000_101, 100_000_101 + 100 * observations, 100)]
    directory.mkdir(parents=True, exist_ok=True)
    tools = sas.install(directory / "sas", events=120, scenario=scenario(obs_ids))
    sky = Sky()
    for number, obs_id in enumerate(obs_ids):
        files = sas.odf(obs_id, EXPOSURES, revolution=828, frames=0)
        testing.add_rows(
            sky,
            [testing.row(obs_id, number % 360, 10.0, "2004-06-17 10:38:28", 14913.0, revolution=828)],
            heasarc=False,
        )
        testing.add_files(sky, obs_id, odf=files, heasarc=False)
    made = XmmSurroundings(directory)
    with sky.running_in_thread() as running:
        made.served = {
            **running.environment(),
            "DAXA_TOOL_SAS": str(tools),
            "DAXA_TOOL_HEASOFT": str(tools / "headas"),
        }
        yield made


def many_observations(directory: Path, *, observations: int) -> Finding:
    """F8: reduce them all; every failure has a cause and a log, what follows from it is blocked, and nothing else."""
    found = Finding("F8", f"{observations} XMM-Newton observations, a tenth failing")
    with surrounded(directory, observations) as surroundings:
        output = directory / "output"
        began = time.monotonic()
        surroundings.finish(output, module=HEAD, longest=240 + 2 * observations)
        seconds = time.monotonic() - began
        book = ledger.read_ledger(output)
        states = Counter(book.states.values())
        found.counts = {"tasks": sum(states.values()), **{state.value: count for state, count in states.items()}}
        found.notes.append(f"     it took {seconds:.1f} s")
        _causes(found, output, observations)
        for path in ledger.wrong_on_disk(output, book):
            found.fault(f"{path} is not as recorded")
        if left := surroundings.left_behind():
            found.fault(f"left behind: {left}")
    return found


def _causes(found: Finding, output: Path, observations: int) -> None:
    from daxa.archive.frames import failures_frame

    record = ArchiveRecord.open(output / ledger.RECORD)
    try:
        entries = record.tasks()
        table = failures_frame(entries, output / ledger.ARCHIVE)
    finally:
        record.close()
    failed = {str(one.key): one for one in entries if one.state in (State.FAILED, State.TIMED_OUT)}
    blocked = [one for one in entries if one.state is State.BLOCKED]
    expected = -(-observations // 10)
    found.counts |= {"causes": len(table)}
    if len(failed) != expected:
        found.fault(f"{len(failed)} tasks failed, {expected} should have")
    for one in failed.values():
        if not one.cause:
            found.fault(f"{one.key} failed without a cause")
        if one.process not in ("emchain",) and not (output / ledger.ARCHIVE / str(one.stderr or one.log)).is_file():
            found.fault(f"{one.key} failed without a log")
    for one in blocked:
        if str(one.root) not in failed:
            found.fault(f"{one.key} is blocked by {one.root}, which did not fail")
    unended = [str(one.key) for one in entries if not one.state.ended]
    if unended:
        found.fault(f"{len(unended)} tasks have no end, e.g. {unended[0]}")
    broken = {one.key.data_id.obs_id for one in failed.values()}
    strays = [one for one in blocked if one.key.data_id.obs_id not in broken]
    if strays:
        found.fault(f"{len(strays)} tasks of other observations are blocked, e.g. {strays[0].key}")
    found.notes += [f"     {sentence}" for sentence in table["sentence"]]


def kill_chains(directory: Path, *, kills: int, observations: int = 12, seed: int = 0) -> Finding:
    """F3 on this chain: kill the head at random moments; what had succeeded is not run again, and all tasks end alike."""
    found = Finding("F3", f"kill -9 the head of XMM-Newton's chain, {kills} random moments", seed=seed)
    chance = random.Random(seed)
    with surrounded(directory, observations) as surroundings:
        before = Held.now()
        began = time.monotonic()
        surroundings.finish(directory / "undisturbed", module=HEAD)
        length = time.monotonic() - began
        should = ledger.read_ledger(directory / "undisturbed")
        found.counts = {"tasks": len(should.states), "kills": 0, "reruns of succeeded tasks": 0, "wrong products": 0}
        for number in range(kills):
            _kill(found, surroundings, should, directory / f"kill{number}", chance.uniform(0, length))
        for leak in Held.now().more_than(before):
            found.fault(f"the loop left {leak}")
    return found


def _kill(found: Finding, surroundings: Surroundings, should: ledger.Ledger, output: Path, seconds: float) -> None:
    output.mkdir()
    shared = marks.Marks(output / "marks")
    kill_after(surroundings.start(output, module=HEAD), seconds, shared)
    shared.close()
    found.add("kills")
    where = f"{output.name} after {seconds:.2f} s"
    if left := surroundings.left_behind():
        found.fault(f"{where}: left behind {left}")
    if (verdict := ledger.check_record(output)) != "ok":
        found.fault(f"{where}: {verdict}")
    at_kill = ledger.read_ledger(output)
    ended = _ends(output)
    surroundings.finish(output, module=HEAD)
    for name in sorted(name for name, count in (_ends(output) - ended).items() if count and name in at_kill.succeeded):
        found.add("reruns of succeeded tasks")
        found.fault(f"{where}: {name} had succeeded, and was run again")
    now = ledger.read_ledger(output)
    if now.states != should.states:
        differing = sorted(
            name for name in {*now.states, *should.states} if now.states.get(name) != should.states.get(name)
        )
        found.fault(f"{where}: {len(differing)} tasks ended otherwise, e.g. {differing[0]}")
    for path in ledger.wrong_on_disk(output, now):
        found.add("wrong products")
        found.fault(f"{where}: {path} is not as recorded")
    shutil.rmtree(output)


def _ends(output: Path) -> Counter[str]:
    """How often each task was run to its end."""
    if not (output / ledger.RECORD).exists():
        return Counter()
    record = ArchiveRecord.open(output / ledger.RECORD)
    try:
        return Counter(ledger.name_of(one.task) for one in record.history() if one.state is State.SUCCEEDED)
    finally:
        record.close()

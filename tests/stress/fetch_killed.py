"""F2: a fetching process is killed at random moments, and started again."""

import gzip
import hashlib
import json
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

from daxa_testing.faults import FaultyServer
from tests.stress import marks
from tests.stress.report import Finding
from tests.stress.surroundings import LONGEST, ROOT, Held, Kill, Surroundings, kill_after, kill_when

SCRIPT = ROOT / "tests" / "faults" / "fetching.py"
IN_FLIGHT = 4 * (1024 + 512) * 1024
"""Four transfers, each with a block that is not written yet, and what the sockets and the client hold."""
SHARE = 0.02
"""Most of all bytes that may be fetched twice beyond that."""


def fits_of(size: int, seed: int) -> bytes:
    """A FITS file of about that many bytes, different for every seed."""
    blocks = max(size // 2880, 2)
    cards = (
        "SIMPLE  =                    T",
        "BITPIX  =                    8",
        "NAXIS   =                    1",
        f"NAXIS1  = {(blocks - 1) * 2880:20d}",
        "END",
    )
    head = "".join(card.ljust(80) for card in cards).encode()
    return head.ljust(2880) + random.Random(seed).randbytes((blocks - 1) * 2880)


class Fetching:
    """A server with 24 files, and processes that fetch them."""

    def __init__(self, directory: Path, server: FaultyServer, chance: random.Random) -> None:
        self.surroundings = Surroundings(directory)
        self.server = server
        self.contents: dict[str, str] = {}
        for number in range(24):
            content = fits_of(chance.choice([20_000, 500_000, 3_000_000]), number)
            packed = number % 3 == 0
            path = f"/f{number:02d}.fits{'.gz' if packed else ''}"
            server.add(path, gzip.compress(content, 1, mtime=0) if packed else content)
            self.contents[path.removesuffix(".gz")[1:]] = hashlib.sha256(content).hexdigest()
        self.total = sum(map(len, server.files.values()))

    def start(
        self, output: Path, trouble: str = "{}", aim: str = "", largest: int | None = None
    ) -> "subprocess.Popen[str]":
        environment = self.surroundings.environment(output, aim=aim)
        files = self.server.files.items()
        urls = json.dumps([self.server.url(path) for path, data in files if largest is None or len(data) <= largest])
        return subprocess.Popen(
            [sys.executable, str(SCRIPT), str(output), urls, trouble],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def finish(self, output: Path) -> None:
        process = self.start(output)
        _, errors = process.communicate(timeout=LONGEST)
        assert process.returncode == 0, errors

    def tree(self, output: Path) -> dict[str, str]:
        """Hash by path of everything below the observation's directory."""
        root = output / "O1"
        return {
            str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in root.rglob("*")
            if path.is_file()
        }


def kill_fetching(directory: Path, *, kills: int, seed: int = 0) -> Finding:
    """Kill a fetching process `kills` times at moments drawn uniformly over an undisturbed one's life.

    Where fewer than a tenth of them hit a rename or a transaction, a tenth more are aimed at one.
    """
    found = Finding("F2", f"kill -9 the fetching process, {kills} random moments", seed=seed)
    chance = random.Random(seed)
    for name in ("kills", "hits in rename", "hits in row write", "aimed hits", "wrong files", "files left over",
                 "most bytes fetched twice", "of them beyond what was in flight"):  # fmt: skip
        found.counts[name] = 0
    server = FaultyServer(delay=0.002)
    fetching = Fetching(directory, server, chance)
    before = Held.now()
    with server.running_in_thread():
        undisturbed = directory / "undisturbed"
        began = time.monotonic()
        fetching.finish(undisturbed)
        length = time.monotonic() - began
        if fetching.tree(undisturbed) != fetching.contents:
            found.fault("undisturbed: the files are not those that are served")
        shared = marks.Marks(undisturbed / "marks")
        _inside, begun = shared.read()
        shared.close()
        hits = number = 0
        while number < kills or (hits < kills / 10 and number < 2 * kills + 20):
            hits += _one(found, fetching, chance, directory / f"kill{number}", length, begun, number >= kills)
            number += 1
    found.counts["bytes in all"] = fetching.total
    if hits < kills / 10:
        found.fault(f"only {hits} of {number} kills hit a rename or a transaction")
    for leak in Held.now().more_than(before):
        found.fault(f"the loop left {leak}")
    return found


def _killed(fetching: Fetching, chance: random.Random, output: Path, length: float, begun, aimed: bool) -> Kill:
    output.mkdir()
    shared = marks.Marks(output / "marks")
    try:
        if not aimed:
            return kill_after(fetching.start(output), chance.uniform(0, length), shared)
        aim, kind = marks.random_aim(chance, begun)
        return kill_when(fetching.start(output, aim=aim), kind, int(aim.split()[1]), shared)
    finally:
        shared.close()


def _one(found, fetching, chance, output, length, begun, aimed) -> bool:
    """Kill one process, look, start it again, and look again; returns whether it hit a rename or a transaction."""
    fetching.server.served.clear()
    kill = _killed(fetching, chance, output, length, begun, aimed)
    found.add("kills")
    found.add("hits in rename", "rename" in kill.during)
    found.add("hits in row write", "row" in kill.during)
    found.add("aimed hits", aimed and bool(kill.during))
    for path, sha256 in fetching.tree(output).items():  # what has its final name is whole
        if path in fetching.contents and sha256 != fetching.contents[path]:
            found.add("wrong files")
            found.fault(f"{output.name}: {path} is not whole under its final name")
    fetching.finish(output)
    now = fetching.tree(output)
    wrong = [path for path, sha256 in fetching.contents.items() if now.get(path) != sha256]
    left = sorted(set(now) - set(fetching.contents))
    found.add("wrong files", len(wrong))
    found.add("files left over", len(left))
    for path in [*wrong, *left]:
        found.fault(f"{output.name}: {path} {'is wrong' if path in wrong else 'was left over'}")
    again = sum(fetching.server.served.values()) - fetching.total
    beyond = max(0, again - IN_FLIGHT)
    found.most("most bytes fetched twice", again)
    found.most("of them beyond what was in flight", beyond)
    if beyond > SHARE * fetching.total:
        found.fault(f"{output.name}: {again} bytes of {fetching.total} were fetched twice")
    shutil.rmtree(output)
    return bool(kill.during)

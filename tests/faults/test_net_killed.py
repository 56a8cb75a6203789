"""A fetching process that is killed at random moments, and started again."""

import gzip
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from daxa_testing.faults import FaultyServer

KILLS = int(os.environ.get("DAXA_TEST_KILLS", "20"))
SCRIPT = Path(__file__).with_name("fetching.py")


def fits_of(size, seed):
    blocks = max(size // 2880, 2)
    head = "".join(
        card.ljust(80)
        for card in (
            "SIMPLE  =                    T",
            "BITPIX  =                    8",
            "NAXIS   =                    1",
            f"NAXIS1  = {(blocks - 1) * 2880:20d}",
            "END",
        )
    ).encode()
    return head.ljust(2880) + random.Random(seed).randbytes((blocks - 1) * 2880)


@pytest.mark.timeout(280)
def test_killed_anywhere_it_ends_with_the_same_files_and_fetches_little_twice(tmp_path):
    seed = int(os.environ.get("DAXA_TEST_SEED", random.SystemRandom().randrange(10**6)))
    print("seed", seed)
    chance = random.Random(seed)
    server = FaultyServer(delay=0.002)
    contents = {}
    for number in range(24):
        content = fits_of(chance.choice([20_000, 500_000, 3_000_000]), number)
        packed = number % 3 == 0
        path = f"/f{number:02d}.fits{'.gz' if packed else ''}"
        server.add(path, gzip.compress(content, 1, mtime=0) if packed else content)
        contents[path.removesuffix(".gz")[1:]] = hashlib.sha256(content).hexdigest()
    total = sum(map(len, server.files.values()))

    with server.running_in_thread():
        urls = json.dumps([server.url(path) for path in server.files])

        def start(directory):
            return subprocess.Popen([sys.executable, str(SCRIPT), str(directory), urls], stderr=subprocess.PIPE)

        def finish(directory):
            process = start(directory)
            _, errors = process.communicate(timeout=120)
            assert process.returncode == 0, errors.decode()

        def tree(directory):
            return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (directory / "O1").iterdir()}

        began = time.monotonic()
        finish(tmp_path / "undisturbed")
        length = time.monotonic() - began
        assert tree(tmp_path / "undisturbed") == contents

        # four transfers, each with a block that is not written yet, and what the sockets and the client hold
        again, in_flight = 0, 4 * (1024 + 512) * 1024
        hit_disk = 0
        for kill in range(KILLS):
            directory = tmp_path / f"killed{kill}"
            server.served.clear()
            process = start(directory)
            time.sleep(chance.uniform(0, length))
            process.send_signal(signal.SIGKILL)
            process.communicate()
            there = list((directory / "O1").iterdir()) if (directory / "O1").exists() else []
            hit_disk += bool(there)
            for path in there:  # what has its final name is whole
                if path.name in contents:
                    assert hashlib.sha256(path.read_bytes()).hexdigest() == contents[path.name]
            finish(directory)
            assert tree(directory) == contents
            extra = sum(server.served.values()) - total
            again = max(again, extra)
            assert extra <= 0.02 * total + in_flight, f"{extra} bytes of {total} were fetched twice"
            shutil.rmtree(directory)
    print(f"{KILLS} kills, {hit_disk} after files were there, at most {again} of {total} bytes fetched twice")
    assert hit_disk >= KILLS // 10

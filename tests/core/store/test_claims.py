"""Claims: one at a time, over processes, and never longer than their process lives."""

import os
import signal
import subprocess
import sys

import anyio
import pytest

from daxa.store.claims import Claim, claimed

pytestmark = pytest.mark.anyio
HOLDING = """
import sys, time
from pathlib import Path
from daxa.store.claims import Claim
assert Claim(Path(sys.argv[1])).take()
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLDING, str(tmp_path / "a")], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_what_another_process_has_is_not_to_be_had_until_it_is_dead(holder, tmp_path):
    claim = Claim(tmp_path / "a")
    assert not claim.take()
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert claim.take()  # its file was left
    claim.release()
    assert not list(tmp_path.iterdir())


async def test_two_of_one_process_wait_for_each_other(tmp_path):
    inside, most = 0, 0

    async def one():
        nonlocal inside, most
        async with claimed(tmp_path / "deep" / "a"):
            inside += 1
            most = max(most, inside)
            await anyio.sleep(0.005)
            inside -= 1

    async with anyio.create_task_group() as group:
        for _ in range(6):
            group.start_soon(one)
    assert most == 1 and not list((tmp_path / "deep").iterdir())


async def test_a_wait_can_be_cancelled_and_a_block_that_fails_gives_it_back(tmp_path):
    with pytest.raises(ZeroDivisionError):
        async with claimed(tmp_path / "a"):
            with anyio.move_on_after(0.1) as scope:
                async with claimed(tmp_path / "a"):
                    raise AssertionError
            assert scope.cancelled_caught
            _ = 1 / 0
    assert Claim(tmp_path / "a").take()


def test_shared_ones_keep_those_alone_out(tmp_path):
    first, second, alone = Claim(tmp_path / "a", shared=True), Claim(tmp_path / "a", shared=True), Claim(tmp_path / "a")
    assert first.take() and second.take() and not alone.take()
    assert not first.is_alone()
    second.release()
    assert first.is_alone() and not second.take()
    first.release()


def test_where_nothing_can_be_written_it_is_said(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="file"):
        Claim(tmp_path / "file" / "a").take()


def test_a_file_system_without_locks_keeps_nobody_out(tmp_path, monkeypatch):
    import errno
    import fcntl

    def refused(*_arguments):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refused)
    claim = Claim(tmp_path / "a")
    assert claim.take()
    claim.release()

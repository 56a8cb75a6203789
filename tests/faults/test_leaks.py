"""The finder of leaks finds them."""

import os
import subprocess
import sys
import threading
import time

import anyio
import pytest
from tests.faults.leaks import carrying, nothing_leaks

ORPHAN = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in range(3):
            os.close(number)
        time.sleep(60)
    os._exit(0)
os.wait()
"""


def test_what_is_tidy_passes():
    with nothing_leaks():
        with open(os.devnull) as file:
            file.read()
        thread = threading.Thread(target=lambda: None)
        thread.start()
        subprocess.run([sys.executable, "-c", ""], check=True)
        thread.join()


def test_an_open_file_is_found(tmp_path):
    with pytest.raises(AssertionError, match=r"left behind: 1 x .*kept"):
        with nothing_leaks(seconds=0.1):
            file = open(tmp_path / "kept", "w")
    file.close()
    with pytest.raises(AssertionError, match="2 x pipe"):
        with nothing_leaks(seconds=0.1):
            ends = os.pipe()
    for end in ends:
        os.close(end)


def test_a_thread_is_found():
    over = threading.Event()
    thread = threading.Thread(target=over.wait, name="the one that waits")
    with pytest.raises(AssertionError, match="thread the one that waits"):
        with nothing_leaks(seconds=0.1):
            thread.start()
    over.set()
    thread.join()


def test_a_child_that_was_not_waited_for_is_found():
    with pytest.raises(AssertionError, match=r"process \d+ \(it has ended\)"):
        with nothing_leaks(seconds=0.3):
            child = subprocess.Popen([sys.executable, "-c", ""])
            time.sleep(0.2)
    child.wait()


def test_an_orphan_in_a_session_of_its_own_is_found():
    check = nothing_leaks(seconds=0.3)
    with pytest.raises(AssertionError, match=r"process [^;]*fork"):
        with check:
            subprocess.run([sys.executable, "-c", ORPHAN], check=True)
    ((pid, _),) = carrying(check.word)
    os.kill(pid, 9)


@pytest.mark.anyio
async def test_in_a_loop_threads_of_the_loop_are_none():
    async with nothing_leaks(seconds=0.5):
        await anyio.to_thread.run_sync(time.sleep, 0.01)


def test_a_failure_within_is_told_and_not_hidden():
    with pytest.raises(KeyError):
        with nothing_leaks():
            raise KeyError

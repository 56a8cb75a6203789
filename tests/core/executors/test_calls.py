"""Calls in warm workers: what one leaves is not for the next, and what ends a worker is told."""

import os
import signal
import textwrap
import time
from pathlib import Path

import anyio
import psutil
import pytest
from tests.core.executors.jobs import call, job, nobody, shims
from tests.faults.leaks import nothing_leaks

from daxa.exceptions import PluginError
from daxa.executors.local import LocalExecutor

pytestmark = pytest.mark.anyio
MIB = 1 << 20


@pytest.fixture(autouse=True)
def functions(tmp_path, monkeypatch):
    (tmp_path / "functions_to_call.py").write_text(
        textwrap.dedent(
            """
            import os, signal, subprocess, sys, time, warnings

            def same(**arguments):
                return arguments

            def hold(mib):
                held = b"x" * (mib << 20)

            def busy(seconds, below=False):
                text = f"import time\\nheld = b'x' * (100 << 20)\\nuntil = time.process_time() + {seconds}\\nwhile time.process_time() < until: pass"
                subprocess.run([sys.executable, "-I", "-S", "-c", text]) if below else exec(text)

            def slow(seconds=60):
                print("here", flush=True)
                time.sleep(seconds)

            def large(mib):
                return "x" * (mib << 20)

            def end(number):
                os.kill(os.getpid(), number)
                time.sleep(10)

            def leave(own_session):
                if os.fork() == 0:
                    if own_session:
                        os.setsid()
                        if os.fork():
                            os._exit(0)
                    time.sleep(60)
                    os._exit(0)
                if own_session:
                    os.wait()

            def pid():
                return os.getpid()

            def warn():
                warnings.simplefilter("error")
                print("out", file=sys.stdout)
                return [str(one) for one in warnings.filters[:1]]

            def first_filter():
                return [str(one) for one in warnings.filters[:1]]

            def exits(status):
                raise SystemExit(status)
            """
        )
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def asks(directory, function, name="job", **arguments):
    more = {key: arguments.pop(key) for key in ("environment", "time_limit", "grace") if key in arguments}
    return job(directory, name=name, call=call(f"functions_to_call:{function}", **arguments), **more)


async def test_memory_is_a_calls_own_and_not_that_of_the_workers_life(tmp_path):
    async with LocalExecutor(1) as executor:
        found = [await executor.run(asks(tmp_path, "hold", mib=size), nobody) for size in (10, 300, 10)]
    assert len({one.pid for one in found}) == 1
    assert found[1].max_rss > 300 * MIB and found[2].max_rss < 150 * MIB
    assert abs(found[0].max_rss - found[2].max_rss) < 30 * MIB


async def test_time_is_a_calls_own_and_programs_it_ran_count(tmp_path):
    async with LocalExecutor(1) as executor:
        alone = await executor.run(asks(tmp_path, "busy", seconds=0.4), nobody)
        below = await executor.run(asks(tmp_path, "busy", seconds=0.4, below=True), nobody)
        nothing = await executor.run(asks(tmp_path, "same"), nobody)
    assert 0.4 <= alone.cpu_s < 3 and 0.4 <= below.cpu_s < 3 and nothing.cpu_s < 0.3
    assert below.max_rss > 100 * MIB
    assert {one.host for one in (alone, below, nothing)} == {os.uname().nodename} and alone.seconds >= 0.4


async def test_what_a_call_did_until_it_was_ended_is_recorded(tmp_path):
    async with LocalExecutor(1) as executor:
        await executor.run(asks(tmp_path, "busy", seconds=1.0), nobody)
        one = asks(tmp_path, "slow", time_limit=0.3, grace=10.0)
        began = time.monotonic()
        result = await executor.run(one, nobody)
        assert time.monotonic() - began < 9
    assert result.timed_out and result.signal == signal.SIGTERM and result.pid > 0
    assert result.cpu_s < 0.5 and result.max_rss > MIB and one.stdout.read_text() == "here\n"


async def test_a_worker_that_the_system_kills_is_infrastructure_and_is_replaced(tmp_path):
    async with nothing_leaks() as check:
        async with LocalExecutor(1) as executor:
            killed = await executor.run(asks(tmp_path, "end", number=9, environment=check.environment), nobody)
            assert killed.lost and "memory" in killed.lost and killed.signal == signal.SIGKILL and killed.error is None
            crashed = await executor.run(asks(tmp_path, "end", number=11), nobody)
            assert crashed.lost is None and crashed.signal == signal.SIGSEGV
            assert "took its Python process down (SIGSEGV)" in crashed.error.message
            assert (await executor.run(asks(tmp_path, "same", a=1), nobody)).value == {"a": 1}


async def test_a_worker_whose_slot_is_killed_is_infrastructure_and_leaves_nothing(tmp_path):
    results = []

    async def run(executor, one):
        results.append(await executor.run(one, nobody))

    async with nothing_leaks() as check:
        async with LocalExecutor(1) as executor:
            one = asks(tmp_path, "slow", environment=check.environment)
            async with anyio.create_task_group() as group:
                group.start_soon(run, executor, one)
                while not one.stdout.exists() or not one.stdout.read_text():
                    await anyio.sleep(0.05)
                (slot,) = shims()
                (worker,) = slot.children()
                slot.kill()
            assert results[0].lost and not (worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE)
            assert (await executor.run(asks(tmp_path, "same", a=1), nobody)).value == {"a": 1}


async def test_a_worker_that_cannot_start_is_infrastructure(tmp_path, monkeypatch):
    broken = tmp_path / "broken" / "daxa"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise SystemExit(3)")
    monkeypatch.setenv("PYTHONPATH", str(broken.parent))
    async with nothing_leaks():
        async with LocalExecutor(1) as executor:
            result = await executor.run(asks(tmp_path, "same"), nobody)
    assert "could not be started (status 3)" in result.lost


async def test_a_worker_is_replaced_after_some_calls(tmp_path, monkeypatch):
    monkeypatch.setattr("daxa.executors.calls.CALLS_PER_WORKER", 3)
    async with nothing_leaks():
        async with LocalExecutor(1) as executor:
            pids = [(await executor.run(asks(tmp_path, "pid"), nobody)).value for _ in range(7)]
            assert len(shims()) == 1
    assert len(set(pids)) == 3 and pids[:3] == pids[:1] * 3 and pids[3:6] == pids[3:4] * 3


async def test_a_worker_that_ended_while_it_was_idle_is_replaced(tmp_path):
    async with nothing_leaks():
        async with LocalExecutor(1) as executor:
            pid = (await executor.run(asks(tmp_path, "pid"), nobody)).value
            os.kill(pid, signal.SIGKILL)
            while psutil.pid_exists(pid):
                await anyio.sleep(0.02)
            await anyio.sleep(0.2)
            result = await executor.run(asks(tmp_path, "pid"), nobody)
    assert result.lost is None and result.value != pid


@pytest.mark.parametrize("own_session", [False, True])
async def test_processes_that_a_call_leaves_behind_are_ended(tmp_path, own_session):
    async with nothing_leaks() as check:
        async with LocalExecutor(1) as executor:
            one = asks(tmp_path, "leave", own_session=own_session, environment=check.environment)
            result = await executor.run(one, nobody)
            assert result.exit_status == 0
            assert not [below for slot in shims() for below in slot.children(recursive=True)]
            assert (await executor.run(asks(tmp_path, "pid"), nobody)).value != result.pid


async def test_answers_that_are_too_large_belong_into_a_file(tmp_path):
    async with LocalExecutor(1) as executor:
        good = await executor.run(asks(tmp_path, "large", mib=8), nobody)
        bad = await executor.run(asks(tmp_path, "large", mib=20), nobody)
        assert len(good.value) == 8 * MIB and "belongs into a file" in bad.error.message and bad.value is None
        assert (await executor.run(asks(tmp_path, "same", a=1), nobody)).value == {"a": 1}


async def test_arguments_are_handed_over_or_refused_before_anything_starts(tmp_path):
    async with nothing_leaks():
        async with LocalExecutor(1) as executor:
            for bad in (object(), {1, 2}, lambda: None):
                with pytest.raises(PluginError, match="cannot be handed to another process"):
                    await executor.run(asks(tmp_path, "same", a=bad), nobody)
            assert not shims()
            value = (await executor.run(asks(tmp_path, "same", a=Path("/x/y"), b=(1, 2.5), c=None), nobody)).value
    assert value == {"a": "/x/y", "b": [1, 2.5], "c": None}


async def test_filters_and_output_of_a_call_are_not_for_the_next(tmp_path):
    async with LocalExecutor(1) as executor:
        before = (await executor.run(asks(tmp_path, "first_filter"), nobody)).value
        one = asks(tmp_path, "warn", name="warns")
        changed = await executor.run(one, nobody)
        after = await executor.run(asks(tmp_path, "first_filter", name="after"), nobody)
    assert changed.value != before and after.value == before and after.pid == changed.pid
    assert one.stdout.read_text() == "out\n" and not one.stderr.exists()
    assert not (tmp_path / "after.out").exists()


async def test_a_call_that_exits_has_failed(tmp_path):
    async with LocalExecutor(1) as executor:
        result = await executor.run(asks(tmp_path, "exits", status=0), nobody)
    assert result.exit_status == 1 and result.error.type == "SystemExit" and result.error.message


@pytest.mark.parametrize("pause", [0.0, 0.005, 0.05, 0.3])
async def test_a_call_that_is_cancelled_as_it_begins_is_ended(tmp_path, pause):
    async with nothing_leaks() as check:
        async with LocalExecutor(1) as executor:
            with anyio.fail_after(20):
                for number in range(2):
                    one = asks(tmp_path, "slow", name=f"a{number}", grace=1.0, environment=check.environment)
                    with anyio.move_on_after(pause) as scope:
                        await executor.run(one, nobody)
                    assert scope.cancelled_caught
                assert (await executor.run(asks(tmp_path, "same", a=1), nobody)).value == {"a": 1}

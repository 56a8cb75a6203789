"""Commands in slots: signals, logs, memory, and slots that are lost."""

import asyncio
import os
import signal
import textwrap
import time

import anyio
import psutil
import pytest
from tests.core.executors.jobs import job, nobody, python, shims
from tests.faults.leaks import carrying, nothing_leaks

from daxa.exceptions import PluginError
from daxa.executors.local import LocalExecutor

pytestmark = pytest.mark.anyio
MIB = 1 << 20


# --- signals and cancellation -----------------------------------------------------------------------------------------


async def test_a_program_that_ends_when_asked_ends_at_once_and_may_clean_up(tmp_path):
    tidy = textwrap.dedent(
        """
        import signal, sys, time
        def leave(*_):
            print("tidied", flush=True)
            sys.exit(0)
        signal.signal(signal.SIGTERM, leave)
        print("here", flush=True)
        time.sleep(60)
        """
    )
    began = time.monotonic()
    async with LocalExecutor(2) as executor:
        plain = await executor.run(job(tmp_path, ["sleep", "60"], name="a", time_limit=0.2, grace=30.0), nobody)
        one = job(tmp_path, python(tidy), name="b", time_limit=1.0, grace=30.0)
        cleaned = await executor.run(one, nobody)
    assert time.monotonic() - began < 15
    assert plain.timed_out and plain.signal == signal.SIGTERM
    assert cleaned.timed_out and cleaned.exit_status == 0 and one.stdout.read_text() == "here\ntidied\n"


async def test_the_others_of_its_group_have_the_grace_too(tmp_path):
    slow = "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.3), print('tidied', flush=True), sys.exit()))\nprint('here', flush=True)\ntime.sleep(60)"
    command = " ".join(f"'{word}'" if word != "-c" else word for word in python(slow.replace("'", '"')))
    async with LocalExecutor(1) as executor:
        one = job(tmp_path, ["sh", "-c", f"{command} & wait"], time_limit=1.0, grace=20.0)
        result = await executor.run(one, nobody)
    assert result.timed_out and one.stdout.read_text() == "here\ntidied\n"


async def test_programs_find_all_signals_as_usual(tmp_path):
    async with LocalExecutor(1) as executor:
        one = job(tmp_path, ["grep", "-E", "SigIgn|SigBlk", "/proc/self/status"])
        await executor.run(one, nobody)
    assert {int(line.split()[1], 16) for line in one.stdout.read_text().splitlines()} == {0}


@pytest.mark.parametrize("pause", [0.0, 0.001, 0.01, 0.03, 0.1])
async def test_a_job_that_is_cancelled_as_it_begins_is_ended(tmp_path, pause):
    async with nothing_leaks() as check:
        async with LocalExecutor(1) as executor:
            with anyio.fail_after(10):
                for number in range(3):
                    one = job(tmp_path, ["sleep", "60"], name=f"a{number}", grace=1.0, environment=check.environment)
                    with anyio.move_on_after(pause) as scope:
                        await executor.run(one, nobody)
                    assert scope.cancelled_caught
                after = job(tmp_path, ["echo", "after"], name="b")
                assert (await executor.run(after, nobody)).exit_status == 0
    assert after.stdout.read_text() == "after\n"


async def test_who_cancels_twice_waits_all_the_same(tmp_path):
    stubborn = (
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('here', flush=True)\ntime.sleep(60)"
    )
    async with nothing_leaks() as check:
        async with LocalExecutor(1) as executor:
            one = job(tmp_path, python(stubborn), grace=0.5, environment=check.environment)
            running = asyncio.ensure_future(executor.run(one, nobody))
            while not one.stdout.exists():
                await anyio.sleep(0.02)
            for _ in range(3):
                running.cancel()
                await anyio.sleep(0.05)
            assert not running.done()  # it has its grace
            with pytest.raises(asyncio.CancelledError):
                await running
            assert not psutil.Process(shims()[0].pid).children()


async def test_what_hears_of_the_start_may_fail_and_the_job_is_ended(tmp_path):
    def deaf(_started):
        raise RuntimeError("not now")

    async with nothing_leaks() as check:
        async with LocalExecutor(1) as executor:
            with pytest.raises(RuntimeError, match="not now"):
                await executor.run(job(tmp_path, ["sleep", "60"], environment=check.environment), deaf)
            assert (await executor.run(job(tmp_path, ["true"]), nobody)).exit_status == 0


# --- logs -------------------------------------------------------------------------------------------------------------


async def test_a_log_in_which_nothing_was_written_is_not_there(tmp_path):
    async with LocalExecutor(1) as executor:
        for number, (text, out, err) in enumerate(
            [("true", "", ""), ("echo a", "a\n", ""), ("echo b >&2", "", "b\n"), ("echo c; echo d >&2", "c\n", "d\n")]
            * 2
        ):
            one = job(tmp_path, ["sh", "-c", text], name=f"a{number}")
            assert (await executor.run(one, nobody)).exit_status == 0
            assert [path.read_text() if path.exists() else "" for path in (one.stdout, one.stderr)] == [out, err]
            assert one.stdout.exists() == bool(out) and one.stderr.exists() == bool(err)


async def test_a_log_is_there_while_the_job_runs(tmp_path):
    async with LocalExecutor(1) as executor:
        one = job(tmp_path, ["sh", "-c", "echo first; sleep 60"], grace=1.0)
        async with anyio.create_task_group() as group:
            group.start_soon(executor.run, one, nobody)
            with anyio.fail_after(10):
                while not one.stdout.exists():
                    await anyio.sleep(0.05)
            assert one.stdout.read_text() == "first\n" and not one.stderr.exists()
            group.cancel_scope.cancel()
    assert one.stdout.read_text() == "first\n"


async def test_logs_of_another_attempt_give_way(tmp_path):
    async with LocalExecutor(1) as executor:
        for text in ("echo long lines; echo of it; echo no >&2", "echo short", "true"):
            one = job(tmp_path, ["sh", "-c", text])
            await executor.run(one, nobody)
            expected = {"echo short": "short\n", "true": None}.get(text, "long lines\nof it\n")
            assert (one.stdout.read_text() if one.stdout.exists() else None) == expected
            assert one.stderr.exists() == ("no" in text)


async def test_logs_that_cannot_be_written_are_the_environments_fault(tmp_path):
    async with LocalExecutor(1) as executor:
        one = job(tmp_path, ["echo", "hello"])
        for directory in (tmp_path / "nowhere", tmp_path / "job" / "file"):
            (tmp_path / "job" / "file").touch()
            lost = type(one)(
                name="lost", steps=one.steps, cwd=one.cwd, env=one.env, stdout=directory / "a.out", stderr=one.stderr
            )
            result = await executor.run(lost, nobody)
            assert result.error.code == "storage" and "cannot be written" in result.error.message
        gone = type(one)(
            name="gone", steps=one.steps, cwd=tmp_path / "no", env=one.env, stdout=one.stdout, stderr=one.stderr
        )
        result = await executor.run(gone, nobody)
        assert result.error.code == "storage" and "cannot be entered" in result.error.message
        assert (await executor.run(one, nobody)).exit_status == 0 and one.stdout.read_text() == "hello\n"


async def test_a_device_may_take_the_output_and_stays(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    async with LocalExecutor(1) as executor:
        one = job(tmp_path, ["echo", "hello"])
        piped = type(one)(name="piped", steps=one.steps, cwd=one.cwd, env=one.env, stdout=pipe, stderr=one.stderr)
        assert (await executor.run(piped, nobody)).exit_status == 0
    assert os.read(reader, 100) == b"hello\n" and pipe.exists()
    os.close(reader)


async def test_a_megabyte_on_both_streams_does_not_hang(tmp_path):
    loud = "import os\nfor _ in range(256):\n    os.write(1, b'o' * 4096)\n    os.write(2, b'e' * 4096)"
    async with LocalExecutor(1) as executor:
        one = job(tmp_path, python(loud))
        with anyio.fail_after(20):
            assert (await executor.run(one, nobody)).exit_status == 0
    assert one.stdout.read_bytes() == b"o" * MIB and one.stderr.read_bytes() == b"e" * MIB


# --- what a job uses --------------------------------------------------------------------------------------------------


async def test_memory_is_a_jobs_own_and_not_that_of_the_slots_life(tmp_path):
    async with LocalExecutor(1) as executor:
        peaks = []
        for number, size in enumerate((10, 300, 10)):
            text = f"held = b'x' * ({size} << 20)"
            one = job(tmp_path, python(text), name=f"a{number}")
            peaks.append((await executor.run(one, nobody)).max_rss)
    assert peaks[1] > 300 * MIB and max(peaks[0], peaks[2]) < 60 * MIB
    assert abs(peaks[0] - peaks[2]) < 10 * MIB


async def test_time_and_memory_of_all_programs_of_a_job_count(tmp_path):
    busy = "import time\nheld = b'x' * (100 << 20)\nuntil = time.process_time() + 0.3\nwhile time.process_time() < until: pass"
    below = f"import subprocess, sys\nsubprocess.run([sys.executable, '-I', '-S', '-c', {busy!r}])"
    async with LocalExecutor(1) as executor:
        result = await executor.run(job(tmp_path, python(below), python(busy)), nobody)
    assert 0.6 <= result.cpu_s < 5 and result.seconds >= 0.6
    assert 100 * MIB < result.max_rss < 200 * MIB
    assert result.host == os.uname().nodename and result.pid > 0


# --- what cannot be run -----------------------------------------------------------------------------------------------


async def test_what_cannot_be_started_is_told(tmp_path):
    (tmp_path / "plain").write_text("no program")
    async with LocalExecutor(1) as executor:
        for step in (["emchain"], [tmp_path / "plain"], [tmp_path], ["a\0b"]):
            result = await executor.run(job(tmp_path, step), nobody)
            assert result.exit_status is None and result.lost is None and result.error.code == "missing-tool"
            assert "cannot be started" in result.error.message
        for steps in ((), ([],)):
            with pytest.raises(PluginError, match="nothing to run"):
                await executor.run(job(tmp_path, *steps), nobody)
        assert (await executor.run(job(tmp_path, ["true"]), nobody)).exit_status == 0


async def test_a_step_that_cannot_be_started_is_the_end_of_a_job_that_went_well_before(tmp_path):
    async with LocalExecutor(1) as executor:
        result = await executor.run(job(tmp_path, ["true"], ["/nowhere/second"], ["touch", "third"]), nobody)
    assert result.error.code == "missing-tool" and result.exit_status is None and not (tmp_path / "job/third").exists()


# --- slots that are lost ----------------------------------------------------------------------------------------------

SCATTERED = textwrap.dedent(
    """
    import os, time
    for leave in (False, True):
        if os.fork() == 0:
            if leave:
                os.setsid()
            if os.fork() == 0:
                break
            os._exit(0)
    print("here", flush=True)
    time.sleep(60)
    """
)


async def test_what_a_job_leaves_in_other_sessions_is_ended_with_it(tmp_path):
    leaves = SCATTERED.replace("time.sleep(60)", "time.sleep(60 if os.getppid() != int(os.environ['SLOT']) else 0.3)")
    async with nothing_leaks() as check:
        async with LocalExecutor(1) as executor:
            await executor.run(job(tmp_path, ["true"], name="first"), nobody)
            (slot,) = shims()
            environment = {**check.environment, "SLOT": str(slot.pid)}
            result = await executor.run(
                job(tmp_path, python(SCATTERED), time_limit=0.5, grace=0.2, environment=environment), nobody
            )
            assert result.timed_out and not slot.children()
            result = await executor.run(job(tmp_path, python(leaves), name="b", environment=environment), nobody)
            assert result.exit_status == 0 and result.seconds < 20 and not slot.children()


async def test_a_slot_that_is_killed_takes_all_its_processes_with_it(tmp_path):
    results = []

    async def run(executor, one):
        results.append(await executor.run(one, nobody))

    async with nothing_leaks() as check:
        async with LocalExecutor(1) as executor:
            one = job(tmp_path, python(SCATTERED), environment=check.environment)
            async with anyio.create_task_group() as group:
                group.start_soon(run, executor, one)
                while not one.stdout.exists() or one.stdout.read_text().count("here") < 3:
                    await anyio.sleep(0.05)
                (slot,) = shims()
                slot.kill()
            assert results[0].lost and results[0].exit_status is None
            assert not {pid for pid, _ in carrying(check.word)} - {one.pid for one in shims()}
            assert (await executor.run(job(tmp_path, ["true"], name="b"), nobody)).exit_status == 0


async def test_a_slot_that_does_not_answer_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr("daxa.executors.slots.PATIENCE", 0.3)
    async with nothing_leaks() as check:
        async with LocalExecutor(1) as executor:
            one = job(tmp_path, python(SCATTERED), grace=0.2, environment=check.environment)
            async with anyio.create_task_group() as group:
                group.start_soon(executor.run, one, nobody)
                while not one.stdout.exists():
                    await anyio.sleep(0.05)
                shims()[0].suspend()
                group.cancel_scope.cancel()
            assert not shims()
            assert (await executor.run(job(tmp_path, ["true"], name="b"), nobody)).exit_status == 0
            shims()[0].suspend()
        assert not shims()


async def test_a_slot_that_was_killed_while_it_was_idle_is_replaced(tmp_path):
    async with nothing_leaks():
        async with LocalExecutor(1) as executor:
            await executor.run(job(tmp_path, ["true"]), nobody)
            shims()[0].kill()
            results = [await executor.run(job(tmp_path, ["true"]), nobody) for _ in range(2)]
    assert results[0].lost and results[1].exit_status == 0

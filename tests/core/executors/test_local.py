"""Jobs on this machine: real processes, and nothing left of them."""

import os
import signal
import subprocess
import sys
import textwrap
import time
import uuid

import anyio
import psutil
import pytest

from daxa.executors.base import CallSpec, Launch
from daxa.executors.local import LocalExecutor

pytestmark = pytest.mark.anyio

STUBBORN = textwrap.dedent(
    """
    import os, signal, sys, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for _ in range(2):
        if os.fork() == 0:
            os.setsid() if len(sys.argv) > 2 else None
            break
    print("here", flush=True)
    time.sleep(120)
    """
)


def launch(tmp_path, *steps, name="job", call=None, **more):
    where = tmp_path / name
    where.mkdir(exist_ok=True)
    return Launch(
        name=name,
        steps=tuple(tuple(map(str, step)) for step in steps),
        call=call,
        cwd=where,
        env={"PATH": os.environ["PATH"], "MARK": "yes"},
        stdout=where / "out.log",
        stderr=where / "err.log",
        **more,
    )


def nobody(_started):
    pass


def marked(mark):
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if mark in (process.info["cmdline"] or []):
            found.append(process.pid)
    return found


async def test_steps_run_in_order_with_their_output_in_files(tmp_path):
    started = []
    async with LocalExecutor(2) as executor:
        job = launch(
            tmp_path, ["sh", "-c", "echo one; echo no >&2"], ["sh", "-c", 'echo two $MARK; pwd; test -z "$HOME"']
        )
        result = await executor.run(job, started.append)
    assert result.exit_status == 0 and result.signal is None and not result.timed_out and result.lost is None
    assert job.stdout.read_text() == f"one\ntwo yes\n{job.cwd}\n" and job.stderr.read_text() == "no\n"
    assert len(started) == 1 and started[0].pid > 0 and result.host == os.uname().nodename
    assert result.seconds > 0 and result.max_rss > 100_000


async def test_a_failing_step_ends_the_job(tmp_path):
    async with LocalExecutor(1) as executor:
        job = launch(tmp_path, ["sh", "-c", "exit 7"], ["touch", "never"])
        result = await executor.run(job, nobody)
        ended = await executor.run(launch(tmp_path, ["sh", "-c", "kill -SEGV $$"], name="b"), nobody)
    assert result.exit_status == 7 and not (job.cwd / "never").exists()
    assert ended.exit_status is None and ended.signal == signal.SIGSEGV


async def test_a_missing_program_is_told_and_is_the_environments_fault(tmp_path):
    async with LocalExecutor(1) as executor:
        result = await executor.run(launch(tmp_path, ["/nowhere/emchain"]), nobody)
    assert result.exit_status is None and result.error.code == "missing-tool" and "emchain" in result.error.message


async def test_much_output_does_not_hang(tmp_path):
    async with LocalExecutor(1) as executor:
        job = launch(tmp_path, [sys.executable, "-c", "print('x' * 1_000_000)"])
        result = await executor.run(job, nobody)
    assert result.exit_status == 0 and job.stdout.stat().st_size == 1_000_001


async def test_standard_input_is_empty(tmp_path):
    async with LocalExecutor(1) as executor:
        assert (await executor.run(launch(tmp_path, ["cat"]), nobody)).exit_status == 0


async def test_a_time_limit_ends_the_whole_tree(tmp_path):
    mark = uuid.uuid4().hex
    async with LocalExecutor(1) as executor:
        began = time.monotonic()
        job = launch(tmp_path, [sys.executable, "-c", STUBBORN, mark], time_limit=1.0, grace=0.3)
        result = await executor.run(job, nobody)
        assert time.monotonic() - began < 3.5
    assert result.timed_out and result.signal == signal.SIGKILL
    assert not marked(mark)


async def test_cancel_ends_trees_that_ignore_it_and_leave_their_group(tmp_path):
    mark = uuid.uuid4().hex
    async with LocalExecutor(8) as executor:
        async with anyio.create_task_group() as group:
            for number in range(8):
                argv = [sys.executable, "-c", STUBBORN, mark, "leave"][: 4 + number % 2]
                group.start_soon(executor.run, launch(tmp_path, argv, name=f"j{number}", grace=0.3), nobody)
            with anyio.fail_after(10):
                while len(marked(mark)) < 8:
                    await anyio.sleep(0.05)
            await anyio.sleep(0.5)
            began = time.monotonic()
            group.cancel_scope.cancel()
        assert time.monotonic() - began < 0.3 + 1.5
        assert not marked(mark)
        assert (await executor.run(launch(tmp_path, ["true"], name="after"), nobody)).exit_status == 0


async def test_when_the_head_is_killed_nothing_stays(tmp_path):
    mark = uuid.uuid4().hex
    head = tmp_path / "head.py"
    head.write_text(
        textwrap.dedent(
            f"""
            import asyncio, os, sys
            from pathlib import Path
            from daxa.executors.base import Launch, CallSpec
            from daxa.executors.local import LocalExecutor
            here = Path({str(tmp_path)!r})
            def job(name, **what):
                return Launch(name=name, cwd=here, env=dict(os.environ), stdout=here / (name + ".out"), stderr=here / (name + ".err"), grace=0.3, **what)
            async def main():
                async with LocalExecutor(2) as executor:
                    await asyncio.gather(
                        executor.run(job("a", steps=(({sys.executable!r}, "-c", {STUBBORN!r}, {mark!r}),)), print),
                        executor.run(job("b", call=CallSpec(target="time:sleep", arguments={{}})), print),
                    )
            asyncio.run(main())
            """
        )
    )
    process = subprocess.Popen([sys.executable, str(head), mark], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with anyio.fail_after(15):
        while len(marked(mark)) < 4:
            await anyio.sleep(0.05)
    below = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    with anyio.fail_after(5):
        while marked(mark) or any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in below):
            await anyio.sleep(0.05)


async def test_a_slot_that_dies_is_no_fault_of_the_job_and_is_replaced(tmp_path):
    async with LocalExecutor(1) as executor:
        results = []

        async def run():
            results.append(await executor.run(launch(tmp_path, ["sleep", "60"]), nobody))

        async with anyio.create_task_group() as group:
            group.start_soon(run)
            await anyio.sleep(0.5)
            for child in psutil.Process().children():
                if "shim.py" in " ".join(child.cmdline()):
                    child.suspend()  # or it would tell of its job's end before it is gone itself
                    for grandchild in child.children():
                        grandchild.kill()
                    child.kill()
        assert results[0].lost
        assert (await executor.run(launch(tmp_path, ["true"], name="b"), nobody)).exit_status == 0


# --- calls ----------------------------------------------------------------------------------------------------------


def call(target, **arguments):
    return CallSpec(target=target, arguments=arguments)


async def test_calls_share_a_warm_worker_and_return_their_value(tmp_path):
    async with LocalExecutor(1) as executor:
        pids = set()
        for number in range(3):
            job = launch(
                tmp_path, name=f"c{number}", call=call(f"{__name__.rpartition('.')[2]}_calls:product", a=number, b=2)
            )
            result = await executor.run(with_path(job), nobody)
            assert result.value == number * 2 and result.exit_status == 0
            assert [(one.code, one.message) for one in result.caveats] == [("test", f"{number}")]
            assert job.stdout.read_text() == "printed\n"
            pids.add(result.pid)
        assert len(pids) == 1 and result.max_rss > 1_000_000


def with_path(job):
    return job


@pytest.fixture(autouse=True)
def calls(tmp_path, monkeypatch):
    (tmp_path / "test_local_calls.py").write_text(
        textwrap.dedent(
            """
            import os, time
            from daxa.api import report_caveat, BadEventListError

            def product(a, b):
                print("printed")
                report_caveat("test", str(a))
                return a * b

            def bad():
                raise BadEventListError("It is damaged.", expected="a list", remedy="fetch it again")

            def crash():
                os._exit(9)

            def slow():
                time.sleep(60)

            def where():
                return [os.getcwd(), sorted(os.environ)]
            """
        )
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


async def test_a_call_that_raises_tells_its_error_and_the_next_works(tmp_path):
    async with LocalExecutor(1) as executor:
        bad = await executor.run(launch(tmp_path, call=call("test_local_calls:bad")), nobody)
        assert bad.error.code == "bad-event-list" and bad.error.message.startswith("It is damaged.")
        assert "Traceback" in bad.error.traceback and bad.exit_status == 1
        good = await executor.run(launch(tmp_path, name="b", call=call("test_local_calls:product", a=1, b=1)), nobody)
        assert good.value == 1 and good.pid != bad.pid


async def test_a_call_that_takes_the_worker_down_is_its_own_fault(tmp_path):
    async with LocalExecutor(1) as executor:
        crashed = await executor.run(launch(tmp_path, call=call("test_local_calls:crash")), nobody)
        assert crashed.lost is None and crashed.exit_status == 9
        assert (
            await executor.run(launch(tmp_path, name="b", call=call("test_local_calls:product", a=1, b=1)), nobody)
        ).value == 1


async def test_a_call_ends_at_its_time_limit_and_on_cancel(tmp_path):
    async with LocalExecutor(1) as executor:
        result = await executor.run(launch(tmp_path, call=call("test_local_calls:slow"), time_limit=0.5), nobody)
        assert result.timed_out
        with anyio.move_on_after(1.0):
            await executor.run(launch(tmp_path, name="b", call=call("test_local_calls:slow")), nobody)
        place = (await executor.run(launch(tmp_path, name="c", call=call("test_local_calls:where")), nobody)).value
    assert place[0] == str(tmp_path / "c") and "MARK" in place[1] and "DAXA_OUTPUT" not in place[1]


async def test_two_hundred_jobs_leave_nothing_open(tmp_path):
    me = psutil.Process()
    before, others = (me.num_fds(), me.num_threads()), {child.pid for child in me.children()}
    async with LocalExecutor(4) as executor:
        async with anyio.create_task_group() as group:
            for number in range(200):
                group.start_soon(executor.run, launch(tmp_path, ["true"], name=f"n{number}"), nobody)
    assert me.num_fds() <= before[0] + 2 and me.num_threads() <= before[1] + 1
    assert not {child.pid for child in me.children()} - others

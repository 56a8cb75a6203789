"""What holds for an executor: one coroutine is a job's whole life, and nothing is left of it."""

from __future__ import annotations

import fcntl
import os
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import anyio

from daxa.context import Context
from daxa.executors.base import CallSpec, Capabilities, Executor, Launch, LaunchResult, Started
from daxa.specs import load_target
from daxa_testing.conformance.base import missing

STUBBORN = textwrap.dedent(
    """
    import fcntl, os, signal, sys, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    where = sys.argv[1]
    if os.fork() == 0 and os.fork() == 0:
        os.setsid()
    lock = open(os.path.join(where, "lock"), "a")
    fcntl.flock(lock, fcntl.LOCK_SH)
    open(os.path.join(where, f"here.{os.getpid()}"), "w").close()
    time.sleep(300)
    """
)
"""Three processes that ignore SIGTERM, one of them in a session of its own; each holds a lock while it lives."""

_TREE = 3
_PATIENCE = 60.0


class ExecutorConformance:
    """Checks of a way to run jobs, with jobs of plain Python.

    Attributes
    ----------
    executor : str
        Name under which it is registered.
    """

    executor: str = ""

    # --- what an author says ----------------------------------------------------------------------------------------

    def make(self, slots: int) -> Executor:
        """Make an executor for so many jobs at once; by default the registered class is called with the number."""
        if not self.executor:
            raise missing(self, "which executor it looks at", 'executor = "dask"')
        made: Executor = load_target(Context().registry.executors[self.executor].target)(slots)
        return made

    # --- jobs -------------------------------------------------------------------------------------------------------

    def _launch(self, tmp_path: Path, name: str, *steps: Any, **more: Any) -> Launch:
        where = tmp_path / name
        where.mkdir()
        return Launch(
            name=name,
            steps=tuple(tuple(map(str, step)) for step in steps),
            cwd=where,
            env={"PATH": os.environ.get("PATH", os.defpath), "MARK": name},
            stdout=where / "out.log",
            stderr=where / "err.log",
            **more,
        )

    def _python(self, tmp_path: Path, name: str, code: str, *arguments: Any, **more: Any) -> Launch:
        return self._launch(tmp_path, name, [sys.executable, "-c", code, *arguments], **more)

    def _ended(self, *launches: Launch, slots: int = 1) -> list[tuple[LaunchResult, list[Started]]]:
        """Run jobs one after the other."""

        async def body() -> list[tuple[LaunchResult, list[Started]]]:
            found = []
            async with self.make(slots) as executor:
                for one in launches:
                    began: list[Started] = []
                    with anyio.fail_after(_PATIENCE):
                        result = await executor.run(one, began.append)
                    found.append((result, began))
            return found

        return anyio.run(body)

    # --- checks -----------------------------------------------------------------------------------------------------

    def test_it_says_what_it_can_do(self) -> None:
        """Capabilities are data, and known before anything is run."""
        assert isinstance(self.make(1).capabilities, Capabilities), "Remedy: write capabilities = Capabilities(...)."

    def test_steps_run_in_order_in_their_directory(self, tmp_path: Path) -> None:
        """With the environment that is given and no other, and standard output and error in their files."""
        code = "import os, sys; print(sys.argv[1], os.getcwd(), sorted(os.environ)); print('no', file=sys.stderr)"
        job = self._launch(tmp_path, "a", *([sys.executable, "-I", "-c", code, number] for number in "12"))
        ((result, _),) = self._ended(job)
        assert (result.exit_status, result.signal, result.timed_out, result.lost) == (0, None, False, None)
        lines = job.stdout.read_text().splitlines()
        assert [line.split()[0] for line in lines] == ["1", "2"] and job.stderr.read_text() == "no\nno\n"
        assert str(job.cwd.resolve()) in lines[0] and "'MARK'" in lines[0]
        leaked = [name for name in ("HOME", "USER", "PYTHONPATH") if f"'{name}'" in lines[0]]
        assert not leaked, f"{', '.join(leaked)} leaks into jobs. Remedy: give them launch.env and nothing else."

    def test_it_tells_of_the_start_once(self, tmp_path: Path) -> None:
        """``started`` is called once a job, with the process and the host, however many steps there are."""
        job = self._launch(tmp_path, "a", *[[sys.executable, "-c", "pass"]] * 3)
        ((result, began),) = self._ended(job)
        assert len(began) == 1, f"started was called {len(began)} times. Remedy: call it with the first step alone."
        assert began[0].pid > 0 and began[0].host and result.host

    def test_the_exit_status_is_kept(self, tmp_path: Path) -> None:
        """A step that fails ends the job, with its status; one that a signal ended, with that."""
        failing = self._launch(
            tmp_path, "a", [sys.executable, "-c", "raise SystemExit(7)"], [sys.executable, "-c", "open('never', 'w')"]
        )
        killed = self._python(tmp_path, "b", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
        (bad, _), (ended, _) = self._ended(failing, killed)
        assert bad.exit_status == 7 and not (failing.cwd / "never").exists()
        assert ended.signal == 11 and ended.exit_status is None

    def test_a_missing_program_is_permanent(self, tmp_path: Path) -> None:
        """It is told as the environment's fault: trying again would not help."""
        ((result, _),) = self._ended(self._launch(tmp_path, "a", ["/nowhere/emchain", "x"]))
        assert result.exit_status is None and result.lost is None and result.error is not None
        assert result.error.code == "missing-tool" and "emchain" in result.error.message, (
            f"a missing program is told as {result.error}. Remedy: CallError(code='missing-tool', ...)."
        )

    def test_a_megabyte_on_both_streams_does_not_hang(self, tmp_path: Path) -> None:
        """Output goes to files, so that no pipe can fill."""
        code = "import sys\nfor _ in range(1000):\n sys.stdout.write('o' * 1048)\n sys.stderr.write('e' * 1048)"
        job = self._python(tmp_path, "a", code)
        ((result, _),) = self._ended(job)
        assert result.exit_status == 0
        assert job.stdout.stat().st_size == job.stderr.stat().st_size == 1_048_000

    def test_standard_input_is_empty(self, tmp_path: Path) -> None:
        """A program that asks a question gets no answer, and does not wait for one."""
        ((result, _),) = self._ended(self._python(tmp_path, "a", "import sys; raise SystemExit(len(sys.stdin.read()))"))
        assert result.exit_status == 0

    def test_what_it_used_is_told(self, tmp_path: Path) -> None:
        """Time by the clock and of the processor, and peak memory."""
        code = "import time; t = time.process_time()\nwhile time.process_time() - t < 0.2: pass\nx = b'x' * 50_000_000"
        ((result, _),) = self._ended(self._python(tmp_path, "a", code))
        assert result.seconds > 0 and result.cpu_s >= 0.15 and result.max_rss > 40_000_000

    def test_a_time_limit_ends_the_whole_tree(self, tmp_path: Path) -> None:
        """The job is told as timed out; nothing of it lives, though it ignores SIGTERM."""
        where = tmp_path / "a"
        job = self._python(tmp_path, "a", STUBBORN, where, time_limit=1.5, grace=0.2)
        ((result, _),) = self._ended(job)
        assert result.timed_out and not result.cancelled, f"told as {result}. Remedy: LaunchResult(timed_out=True)."
        assert _nobody(where), "processes of the job still live. Remedy: end the group, and what left it."

    def test_cancelling_ends_a_tree_that_ignores_it(self, tmp_path: Path) -> None:
        """When the cancellation comes out, the job has ended; the executor takes the next one."""
        where = tmp_path / "a"
        job = self._python(tmp_path, "a", STUBBORN, where, grace=0.2)
        after = self._python(tmp_path, "b", "pass")

        async def body() -> tuple[bool, LaunchResult]:
            async with self.make(1) as executor:
                async with anyio.create_task_group() as group:
                    group.start_soon(executor.run, job, lambda _started: None)
                    with anyio.fail_after(_PATIENCE):
                        while len(list(where.glob("here.*"))) < _TREE:  # noqa: ASYNC110 - files of other processes
                            await anyio.sleep(0.05)
                    group.cancel_scope.cancel()
                gone = _nobody(where)
                with anyio.fail_after(_PATIENCE):
                    return gone, await executor.run(after, lambda _started: None)

        gone, result = anyio.run(body)
        assert gone, "the cancellation came out, and the job lives. Remedy: TERM, grace, KILL to the whole tree first."
        assert result.exit_status == 0

    def test_as_many_run_at_once_as_it_was_made_for(self, tmp_path: Path) -> None:
        """Two jobs that wait for each other end in two slots; of six jobs no more than two run at once."""
        meeting = tmp_path / "meeting"
        meeting.mkdir()
        code = textwrap.dedent(
            """
            import os, sys, time
            place, me = sys.argv[1:]
            open(os.path.join(place, me), "w").close()
            while len([one for one in os.listdir(place) if one in "01"]) < 2:
                time.sleep(0.02)
            """
        )
        counting = textwrap.dedent(
            """
            import os, sys, time
            place, me = sys.argv[1:]
            open(os.path.join(place, "now." + me), "w").close()
            print(len([one for one in os.listdir(place) if one.startswith("now.")]))
            time.sleep(0.2)
            os.unlink(os.path.join(place, "now." + me))
            """
        )
        pair = [self._python(tmp_path, f"p{number}", code, meeting, number) for number in range(2)]
        six = [self._python(tmp_path, f"s{number}", counting, meeting, f"s{number}") for number in range(6)]

        async def body() -> None:
            async with self.make(2) as executor:
                for jobs in (pair, six):
                    with anyio.fail_after(_PATIENCE):
                        async with anyio.create_task_group() as group:
                            for job in jobs:
                                group.start_soon(executor.run, job, lambda _started: None)

        anyio.run(body)
        peak = max(int(job.stdout.read_text()) for job in six)
        assert peak <= 2, f"{peak} jobs ran at once in two slots. Remedy: let run() wait for a free slot."

    def test_a_call_returns_its_value_or_its_error(self, tmp_path: Path) -> None:
        """Where it says that it can call functions, it does; an error is told with its type and message."""
        if not self.make(1).capabilities.calls:
            return
        good = self._launch(tmp_path, "a", call=CallSpec(target="os:listdir", arguments={"path": str(tmp_path / "a")}))
        bad = self._launch(tmp_path, "b", call=CallSpec(target="os:listdir", arguments={"path": "/no/such/place"}))
        (value, began), (error, _) = self._ended(good, bad)
        assert isinstance(value.value, list) and value.error is None and len(began) == 1
        assert error.error is not None and error.error.type == "FileNotFoundError" and error.value is None

    def test_closing_leaves_nothing_behind(self, tmp_path: Path) -> None:
        """After its block, an executor can be entered again, and no job of it is left."""

        async def body() -> list[int | None]:
            executor = self.make(1)
            found = []
            for name in "ab":
                async with executor:
                    with anyio.fail_after(_PATIENCE):
                        result = await executor.run(self._python(tmp_path, name, "pass"), lambda _started: None)
                    found.append(result.exit_status)
            return found

        assert anyio.run(body) == [0, 0]


def _nobody(where: Path) -> bool:
    """Whether no process of a stubborn tree lives: none holds the lock any longer."""
    until = time.monotonic() + 0.5  # the system closes the files of a killed process a moment later
    with (where / "lock").open("a") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    return False
                time.sleep(0.02)
            else:
                return True

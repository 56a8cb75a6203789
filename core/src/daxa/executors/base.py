"""What an executor is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from attrs import field, frozen

from daxa.outcome import Caveat


@frozen(kw_only=True)
class CallSpec:
    """A Python function to call.

    Parameters
    ----------
    target : str
        ``"package.module:function"``.
    arguments : Mapping
        Keyword arguments; what JSON can hold.
    """

    target: str
    arguments: Mapping[str, Any] = field(factory=dict)


@frozen(kw_only=True)
class Launch:
    """A job: argument lists run one after the other, or one call.

    Parameters
    ----------
    name : str
        For people.
    steps : tuple of tuple of str
        Argument lists.
    call : CallSpec, optional
        The function to call instead.
    cwd : Path
        Working directory.
    env : Mapping
        The complete environment.
    stdout, stderr : Path
        Files that take the output, two different ones; one in which nothing is written is not there in the end.
    time_limit : float, optional
        Seconds it may take.
    grace : float
        Seconds between asking a job to end and ending it.
    """

    name: str
    steps: tuple[tuple[str, ...], ...] = ()
    call: CallSpec | None = None
    cwd: Path
    env: Mapping[str, str]
    stdout: Path
    stderr: Path
    time_limit: float | None = None
    grace: float = 5.0


@frozen(kw_only=True)
class CallError:
    """An exception that ended a call."""

    type: str
    message: str
    code: str | None = None
    traceback: str = ""


@frozen(kw_only=True)
class LaunchResult:
    """How a job ended.

    Parameters
    ----------
    exit_status, signal : int, optional
        As the system has it.
    timed_out, cancelled : bool
        Whether it was ended for that.
    seconds, cpu_s : float
        Time by the clock and of the processor.
    max_rss : int
        Most memory in use at once, in bytes.
    host, pid : str, int
        Where it ran.
    lost : str, optional
        Why its end is not known: the slot that ran it is gone.
    value : object
        What a call returned.
    error : CallError, optional
        What it raised.
    caveats : tuple of Caveat
        What it reported.
    """

    exit_status: int | None = None
    signal: int | None = None
    timed_out: bool = False
    cancelled: bool = False
    seconds: float = 0.0
    cpu_s: float = 0.0
    max_rss: int = 0
    host: str = ""
    pid: int = 0
    lost: str | None = None
    value: Any = None
    error: CallError | None = None
    caveats: tuple[Caveat, ...] = ()


@frozen
class Started:
    """A job began."""

    pid: int
    host: str


@frozen(kw_only=True)
class Capabilities:
    """What an executor can do."""

    local: bool = True
    calls: bool = True


class Executor(Protocol):
    """Runs jobs. One coroutine is a job's whole life."""

    capabilities: Capabilities

    async def __aenter__(self) -> Executor: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def run(self, launch: Launch, started: Callable[[Started], None]) -> LaunchResult:
        """Run a job to its end. If cancelled, end it first."""
        ...

"""Whether a task succeeded: exit status, declared products that open and hold data, and the tool's own messages.

All three must agree; the first that does not is the cause.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from attrs import field, frozen

from daxa.executors.base import Launch, LaunchResult
from daxa.outcome import FailureKind, Outcome, State
from daxa.process import Job, Process

_KIND_OF_CODE: Final = {
    "bad-event-list": FailureKind.INPUT,
    "no-celestial-wcs": FailureKind.INPUT,
    "no-good-time": FailureKind.INPUT,
    "empty-band": FailureKind.INPUT,
    "storage": FailureKind.ENVIRONMENT,
    "missing-tool": FailureKind.ENVIRONMENT,
}
"""What kind of failure the errors of a Python body are; the others are the body's own (``tool``)."""


@frozen
class Witnessed:
    """The judgement of a task, with what it was made of.

    Parameters
    ----------
    outcome : Outcome
        The end of the task.
    outputs : Mapping of str to Path
        Files that were made, by product key.
    errors : tuple of str
        Errors the tool told of.
    warnings : tuple of Mapping
        Warnings it told of.
    """

    outcome: Outcome
    outputs: Mapping[str, Path] = field(factory=dict)
    errors: tuple[str, ...] = ()
    warnings: tuple[Mapping[str, Any], ...] = ()


def what_was_made(job: Job, collect: Mapping[str, str]) -> dict[str, list[Path]]:
    """Find the files a job left in its scratch directory, by product key.

    Parameters
    ----------
    job : Job
        The job.
    collect : Mapping
        Shell patterns for products whose name the program chooses.
    """
    made = {}
    for key, path in job.outputs.items():
        if key in collect:
            made[key] = sorted(job.scratch.glob(collect[key]))
        else:
            made[key] = [path] if path.exists() else []
    return made


def holds_data(path: Path) -> str | None:
    """Say what is wrong with a product; None if it opens and holds data.

    FITS files must open to their last header and hold at least one table or image, and a table of events that is there
    must have some; other files must not be empty.
    """
    if path.stat().st_size == 0:
        return "is empty"
    if path.name.lower().endswith((".fits", ".fit", ".evt", ".ds", ".cif", ".img", ".fits.gz")):
        from astropy.io import fits

        try:
            with fits.open(path, memmap=True, lazy_load_hdus=True) as hdus:
                sizes = [hdu.size for hdu in hdus]
                without = any(hdu.name == "EVENTS" and hdu.header.get("NAXIS2") == 0 for hdu in hdus)
        except Exception as problem:  # noqa: BLE001 - astropy raises many kinds for damaged files
            return f"cannot be opened: {problem}"
        if not any(sizes):
            return "holds no data"
        if without:
            return "holds no events"
    return None


def _ended_badly(process: Process, result: LaunchResult) -> Outcome | None:
    """The first witness: how the job ended."""
    if result.lost is not None:
        return Outcome(State.FAILED, cause=result.lost, kind=FailureKind.INFRASTRUCTURE)
    if result.cancelled:
        return Outcome(State.CANCELLED, cause="cancelled")
    if result.timed_out:
        return Outcome(
            State.TIMED_OUT, cause=f"it took longer than it may ({result.seconds:.0f} s)", kind=FailureKind.TIMEOUT
        )
    if result.error is not None:
        kind = _KIND_OF_CODE.get(result.error.code or "", FailureKind.TOOL)
        return Outcome(State.FAILED, cause=result.error.message or result.error.type, kind=kind)
    if result.signal:
        return Outcome(State.FAILED, cause=f"{process.name} was ended by signal {result.signal}", kind=FailureKind.TOOL)
    if result.exit_status is None:
        return Outcome(State.FAILED, cause=f"{process.name} could not be started", kind=FailureKind.ENVIRONMENT)
    if result.exit_status != 0:
        return Outcome(
            State.FAILED, cause=f"{process.name} ended with status {result.exit_status}", kind=FailureKind.TOOL
        )
    return None


def judge(process: Process, result: LaunchResult, job: Job, collect: Mapping[str, str], launch: Launch) -> Witnessed:
    """Judge a task by its three witnesses.

    Parameters
    ----------
    process : Process
        The process.
    result : LaunchResult
        How the job ended.
    job : Job
        The job.
    collect : Mapping
        Shell patterns for products whose name the program chooses.
    launch : Launch
        What was run; names the logs.
    """
    made = what_was_made(job, collect)
    stdout, stderr = launch.stdout, launch.stderr
    errors: list[str] = []
    warnings: list[dict[str, str]] = []
    if result.error is None:
        errors, warnings = process.messages(_text(stdout), _text(stderr))
    bad = _ended_badly(process, result)
    if bad is not None:
        if errors and bad.kind is FailureKind.TOOL:
            bad = Outcome(bad.state, cause=errors[0], kind=bad.kind)
        return Witnessed(bad, errors=tuple(errors), warnings=tuple(warnings))
    if errors:
        return Witnessed(
            Outcome(State.FAILED, cause=errors[0], kind=FailureKind.TOOL),
            errors=tuple(errors),
            warnings=tuple(warnings),
        )
    outputs: dict[str, Path] = {}
    for key, paths in made.items():
        if len(paths) != 1:
            if not paths and process.produces[key].optional:
                continue
            fault = "was not made" if not paths else f"was made {len(paths)} times"
        else:
            fault = holds_data(paths[0]) or ""
            outputs[key] = paths[0]
        if fault:
            cause = f"{process.name} ended well, but its product {key!r} {fault}"
            return Witnessed(Outcome(State.FAILED, cause=cause, kind=FailureKind.OUTPUT), warnings=tuple(warnings))
    return Witnessed(Outcome(State.SUCCEEDED, caveats=tuple(result.caveats)), outputs=outputs, warnings=tuple(warnings))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""

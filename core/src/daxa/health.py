"""What is here and what is missing: external software with its calibration, plugins, and room for data."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import anyio.to_thread
from attrs import asdict, frozen

from daxa._installation import version
from daxa.context import Context, current_context
from daxa.exceptions import DaxaError, MissingToolError, ToolVersionError
from daxa.machine import free_space

if TYPE_CHECKING:
    from daxa.specs import ToolSpec
    from daxa.tools import FoundTool

_LITTLE: float = 1e9


@frozen(kw_only=True)
class Finding:
    """One thing that was looked at.

    Parameters
    ----------
    kind : {"tool", "plugin", "place"}
        External software, a plugin, or a directory.
    name : str
        Which.
    state : {"good", "missing", "wrong"}
        Whether it can be used.
    what : str
        Version, calibration, where it is; or what is wrong with it.
    needed_by : tuple of str
        For tools, ``mission: processes``.
    remedy : str
        The exact fix, where something is missing or wrong.
    """

    kind: Literal["tool", "plugin", "place"]
    name: str
    state: Literal["good", "missing", "wrong"]
    what: str
    needed_by: tuple[str, ...] = ()
    remedy: str = ""


@frozen
class Diagnosis:
    """What :func:`doctor` found; it prints as text.

    Parameters
    ----------
    findings : tuple of Finding
        All that was looked at.
    """

    findings: tuple[Finding, ...]

    @property
    def good(self) -> bool:
        """Whether nothing is missing or wrong."""
        return all(one.state == "good" for one in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {"daxa": version(), "good": self.good, "findings": [asdict(one) for one in self.findings]}

    def __str__(self) -> str:
        lines = [f"DAXA {version()} on Python {sys.version.split()[0]}"]
        for one in self.findings:
            lines += ["", f"{one.kind} {one.name}: {one.state}, {one.what}"]
            lines += [f"   needed by {text}" for text in one.needed_by]
            lines += [f"   to do: {one.remedy}"] if one.remedy else []
        return "\n".join(lines)


async def doctor(context: Context | None = None) -> Diagnosis:
    """Look at everything that processes need, and say how to mend what is missing.

    Parameters
    ----------
    context : Context, optional
        The surroundings.

    Returns
    -------
    Diagnosis
        One finding for each tool that a plugin describes, each plugin with a problem, and the output directory.
    """
    context = context or current_context()
    return await anyio.to_thread.run_sync(lambda: Diagnosis(tuple(_looked_at(context))))


def _looked_at(context: Context) -> Iterator[Finding]:
    needs = _needs(context)
    for name, spec in sorted(context.registry.tools.items()):
        needed_by = tuple(f"{mission}: {', '.join(processes)}" for mission, processes in needs.get(name, {}).items())
        try:
            found = context.find_tool(name)
        except DaxaError as problem:
            absent = isinstance(problem, MissingToolError) and not isinstance(problem, ToolVersionError)
            state: Literal["missing", "wrong"] = "missing" if absent else "wrong"
            yield Finding(
                kind="tool",
                name=name,
                state=state,
                what=problem.message,
                needed_by=needed_by,
                remedy=str(problem.remedy or spec.remedy),
            )
        else:
            yield _tool(found, needed_by)
    for record in context.plugins.records:
        if record.error:
            yield Finding(
                kind="plugin",
                name=record.distribution,
                state="wrong",
                what=record.error,
                remedy=f"`daxa plugins check {record.distribution}` says more; reinstall or update it",
            )
    yield _output(context.config.output)


def _needs(context: Context) -> dict[str, dict[str, list[str]]]:
    """For each tool, the processes that need it, by mission."""
    needs: dict[str, dict[str, list[str]]] = {}
    for mission in context.registry.missions:
        try:
            processes = context.registry.processes(mission)
        except Exception:  # noqa: BLE001, S112 - a broken plugin is told of by its own finding
            continue
        for process in processes.values():
            for tool in process.tools:
                needs.setdefault(tool, {}).setdefault(mission, []).append(process.name)
    return needs


def _tool(found: FoundTool, needed_by: tuple[str, ...]) -> Finding:
    spec, calibration = found.spec, found.calibration()
    parts = [f"{spec.title} {found.version() or 'of unknown version'} {found.found}"]
    missing = calibration == "missing"
    if calibration:
        told = found.environment.get(spec.calibration_variable or "", "")
        without = f"no calibration ({spec.calibration_variable} is {told!r})"
        parts.append(without if missing else f"calibration of {calibration}")
    return Finding(
        kind="tool",
        name=spec.name,
        state="missing" if missing else "good",
        what=", ".join(parts),
        needed_by=needed_by,
        remedy=f"set {spec.calibration_variable} to the directory of the calibration files{_named(spec)}"
        if missing
        else "",
    )


def _named(spec: ToolSpec) -> str:
    """Which files these are, in parentheses."""
    return f" ({', '.join(spec.calibration_files)})" if spec.calibration_files else ""


def _output(path: Path) -> Finding:
    """The output directory, or where it would be made."""
    there = next(one for one in (path, *path.parents) if one.exists())
    if not os.access(there, os.W_OK):
        return Finding(
            kind="place",
            name=str(path),
            state="wrong",
            what="it cannot be written",
            remedy="name another directory with DAXA_OUTPUT",
        )
    free = free_space(there)
    little = free < _LITTLE
    return Finding(
        kind="place",
        name=str(path),
        state="wrong" if little else "good",
        what=f"{free / 1e9:.1f} GB are free",
        remedy="make room, or name another directory with DAXA_OUTPUT" if little else "",
    )

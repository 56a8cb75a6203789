"""Checks of the records a plugin's hooks return: services, tools, executors, recipes, commands."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from daxa.contract.findings import Finding, name_findings
from daxa.specs import ExecutorSpec, Recipe, ServiceSpec, ToolSpec, load_target

if TYPE_CHECKING:
    import click

    from daxa.registry import Registry


def check_service(spec: ServiceSpec) -> Iterator[Finding]:
    """Look at the description of a remote service."""
    subject = f"service {spec.name}"
    yield from name_findings("service", spec.name, upper=True)
    if urlsplit(spec.url).scheme not in ("https", "http") or not urlsplit(spec.url).netloc:
        yield Finding("service", subject, f"{spec.url!r} is not the address of a service.", "write https://host/path/")
    if not 1 <= spec.connections <= min(spec.most, 64):
        yield Finding(
            "service",
            subject,
            f"{spec.connections} connections at once is not a limit an archive can bear.",
            "write what the archive allows; 2 to 4 is usual",
        )
    if spec.interval < 0 or spec.listing_interval < 0:
        yield Finding("service", subject, "the interval is negative.", "write seconds between two requests, or 0")
    if not spec.title:
        yield Finding("service", subject, "it has no title.", 'say what it is, title="files of ..."')


def check_tool(spec: ToolSpec) -> Iterator[Finding]:
    """Look at the description of external software."""
    subject = f"tool {spec.name}"
    yield from name_findings("tool", spec.name)
    if not spec.executables and not spec.home_variable:
        yield Finding(
            "tool",
            subject,
            "nothing tells whether it is here.",
            "name its programs, executables=(...), or the variable that names its installation, home_variable=",
        )
    if not spec.remedy:
        yield Finding(
            "tool",
            subject,
            "it does not say what to do when it is missing.",
            'write remedy="install ... from https://..., and source its script"',
        )
    if not spec.version_command:
        yield Finding(
            "tool",
            subject,
            "its version cannot be asked, so products of two versions look alike.",
            'write version_command=("program", "--version")',
        )
    elif spec.executables and spec.version_command[0] not in spec.executables:
        yield Finding(
            "tool",
            subject,
            f"{spec.version_command[0]} prints its version, and is not among its executables.",
            "add it to executables, so that it is looked for",
        )
    try:
        re.compile(spec.version_pattern)
    except re.error as problem:
        yield Finding("tool", subject, f"version_pattern is no regular expression: {problem}.", "correct it")
    if spec.activation is not None and (spec.activation.startswith("/") or ".." in spec.activation):
        yield Finding(
            "tool", subject, f"activation is {spec.activation!r}.", "write the script's path below the installation"
        )
    if spec.activation is not None and not spec.home_variable:
        yield Finding(
            "tool",
            subject,
            "it has an activation script, and no variable that names the installation it lies in.",
            "write home_variable=",
        )
    if spec.calibration_files and not spec.calibration_variable:
        yield Finding(
            "tool", subject, "it names files of a calibration, and not where it lies.", "write calibration_variable="
        )


def check_executor(spec: ExecutorSpec) -> Iterator[Finding]:
    """Look at a way to run jobs."""
    subject = f"executor {spec.name}"
    yield from name_findings("executor", spec.name)
    if not spec.title:
        yield Finding("executor", subject, "it has no title.", "say in one line where it runs jobs")
    try:
        found = load_target(spec.target)
    except Exception as problem:  # noqa: BLE001 - a plugin's fault is a finding
        yield Finding("executor", subject, f"{spec.target} cannot be imported: {problem!r}.", "correct the target")
        return
    import inspect

    for name in ("run", "__aenter__", "__aexit__"):
        if not inspect.iscoroutinefunction(getattr(found, name, None)):
            yield Finding(
                "executor", subject, f"{spec.target} has no coroutine method {name}.", f"write `async def {name}`"
            )
    if not hasattr(found, "capabilities"):
        yield Finding(
            "executor",
            subject,
            "it does not say what it can do.",
            "write capabilities = Capabilities(...) in the class",
        )


def check_recipe(spec: Recipe, registry: Registry, processes: Mapping[str, Any]) -> Iterator[Finding]:
    """Look at a named chain; `processes` are those of the plugin's own modules."""
    subject = f"recipe {spec.name}"
    yield from name_findings("recipe", spec.name)
    if not spec.processes:
        yield Finding("recipe", subject, "it has no processes.", "name those whose products are wanted")
    for mission in spec.missions:
        if mission not in registry.missions:
            yield Finding(
                "recipe",
                subject,
                f"no installed plugin provides its mission {mission!r}.",
                f"write one of {', '.join(sorted(registry.missions)) or 'none'}",
            )
    for mission in [one for one in spec.missions if one in registry.missions] or [""]:
        known = set(_known(registry, mission)) if mission else set(processes)
        for name in spec.processes:
            if name not in known:
                whose = f"of {mission}" if mission else "of the plugin"
                yield Finding(
                    "recipe",
                    subject,
                    f"there is no process {name!r} {whose}.",
                    f"write one of {', '.join(sorted(known)) or 'none'}",
                )


def _known(registry: Registry, mission: str) -> Iterable[str]:
    try:
        return registry.processes(mission)
    except Exception:  # noqa: BLE001 - found by the checks of processes, and said there
        return ()


def check_commands(commands: Mapping[str, click.Command], taken: Collection[str]) -> Iterator[Finding]:
    """Look at the commands a plugin adds to the program; `taken` are the core's own."""
    for name, command in commands.items():
        subject = f"command {name}"
        yield from name_findings("command", name.replace("-", "_"))
        if name in taken:
            yield Finding("command", subject, "the program has a command of that name.", "give it another name")
        if not command.help:
            yield Finding(
                "command", subject, "it says nothing of itself.", "write a docstring; its first sentence is the help"
            )

"""Looking at an installed distribution: does what it brings keep the contract?

These are the checks that need no network, no data and no test runner; the classes of ``daxa_testing.conformance`` add
those that do.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import re
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from daxa.contract.entry import HEAVY, check_hooks_of, check_import, check_info, check_light, import_cost
from daxa.contract.findings import Finding
from daxa.contract.missions import check_mission_class
from daxa.contract.processes import Surroundings, check_graph, check_process
from daxa.contract.records import check_commands, check_executor, check_recipe, check_service, check_tool
from daxa.exceptions import UnknownNameError
from daxa.hookspecs import ENTRY_POINT_GROUP
from daxa.specs import ExecutorSpec, MissionEntry, Recipe, ServiceSpec, ToolSpec

if TYPE_CHECKING:
    from daxa.process import Process
    from daxa.registry import Registry

_HOOKS = {
    "daxa_register_missions": MissionEntry,
    "daxa_register_services": ServiceSpec,
    "daxa_register_tools": ToolSpec,
    "daxa_register_executors": ExecutorSpec,
    "daxa_register_recipes": Recipe,
    "daxa_register_processes": str,
}


@frozen
class Inspection:
    """What came of looking at a distribution.

    Parameters
    ----------
    distribution, version : str
        Which.
    seconds : Mapping of str to float
        Processor time that the import of each entry module takes.
    provides : Mapping of str to tuple of str
        What it registers: kind and names.
    findings : tuple of Finding
        What it should do otherwise; empty for a sound plugin.
    """

    distribution: str
    version: str
    seconds: Mapping[str, float] = field(factory=dict)
    provides: Mapping[str, tuple[str, ...]] = field(factory=dict)
    findings: tuple[Finding, ...] = ()


def canonical(name: str) -> str:
    """Write the name of a distribution as indexes do: in lower case, with single hyphens."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed_distributions(registry: Registry) -> list[str]:
    """Names of the installed distributions that are plugins, whether they could be loaded or not."""
    return sorted({record.distribution for record in registry.plugins.records})


def find_distribution(registry: Registry, name: str) -> str:
    """Return a distribution's own spelling of its name.

    Raises
    ------
    UnknownNameError
        If it is not installed, or is no plugin.
    """
    known = {canonical(one): one for one in installed_distributions(registry)}
    if canonical(name) in known:
        return known[canonical(name)]
    try:
        importlib.metadata.distribution(name)
    except (importlib.metadata.PackageNotFoundError, ValueError):
        problem, remedy = f"No distribution {name!r} is installed.", "install it, or correct the name"
    else:
        problem = f"The distribution {name!r} is installed, and is no plugin."
        remedy = f'add an entry point to its pyproject.toml: [project.entry-points."{ENTRY_POINT_GROUP}"]'
    raise UnknownNameError(
        problem,
        expected=f"one of {', '.join(known.values()) or 'none, no plugin is installed'}",
        remedy=remedy,
        value=name,
    )


def entry_modules(distribution: str) -> list[str]:
    """Names of the modules that a distribution's entry points name."""
    try:
        points = importlib.metadata.distribution(distribution).entry_points
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return []
    return sorted({point.value for point in points if point.group == ENTRY_POINT_GROUP})


def inspect_distribution(registry: Registry, name: str, *, commands: Collection[str] = ()) -> Inspection:
    """Look at everything an installed distribution brings.

    Parameters
    ----------
    registry : Registry
        What is installed.
    name : str
        Name of the distribution, in any spelling.
    commands : collection of str
        Names of the program's own commands.

    Raises
    ------
    UnknownNameError
        If no such plugin is installed.
    """
    distribution = find_distribution(registry, name)
    provided = _provided(registry, distribution)
    findings: list[Finding] = []
    seconds: dict[str, float] = {}
    for value in entry_modules(distribution):
        module = value.partition(":")[0]
        cost = import_cost(module)
        seconds[module] = cost.seconds
        findings += check_import(module, cost)
        if not cost.error:
            findings += _check_entry(value)
    added = registry.plugins.commands_of(distribution)
    findings += check_commands(added, commands)
    findings += check_records(registry, distribution, provided)
    seen = {one.problem for one in findings}
    reported = [record for record in registry.plugins.records if record.distribution == distribution and record.error]
    for fault in dict.fromkeys(fault for record in reported for fault in str(record.error).split("; ")):
        if not any(fault in problem for problem in seen):
            findings.append(Finding("load", distribution, f"{fault}.", "mend it; until then it is left out"))
    versions = [record.version for record in registry.plugins.records if record.distribution == distribution]
    return Inspection(
        distribution,
        next(iter(versions), ""),
        seconds,
        {**{kind: tuple(_name(one) for one in found) for kind, found in provided.items() if found},
         **({"command": tuple(added)} if added else {})},
        tuple(dict.fromkeys(findings)),
    )  # fmt: skip


def check_records(registry: Registry, distribution: str, provided: Mapping[str, list[Any]]) -> Iterator[Finding]:
    """Look at what a distribution's hooks return, and at what that names."""
    for service in provided["service"]:
        yield from check_service(service)
    for tool in provided["tool"]:
        yield from check_tool(tool)
    for executor in provided["executor"]:
        yield from check_executor(executor)
    for entry in provided["mission"]:
        if registry.owners.get(("mission", entry.name)) == distribution:
            yield from check_mission(registry, entry)
    own: dict[str, Process] = {}
    for module in provided["processes"]:
        found, faults = processes_in(module)
        yield from faults
        own.update(found)
    if own:
        around = Surroundings(known=own, tools=frozenset(registry.tools), missions=frozenset(registry.missions))
        for process in own.values():
            yield from check_process(process, around)
        yield from check_graph(around)
        for module in provided["processes"]:
            yield from check_light(f"module {module}", import_cost(module, attempts=1))
    for recipe in provided["recipe"]:
        yield from check_recipe(recipe, registry, own)


def check_mission(registry: Registry, entry: MissionEntry) -> Iterator[Finding]:
    """Look at a mission: the import of its class, what that declares, and the processes of its own."""
    subject = f"mission {entry.name}"
    module = entry.target.partition(":")[0]
    cost = import_cost(module, attempts=1)
    if cost.error is None:
        yield from check_light(subject, cost)
    try:
        cls = registry.mission_class(entry.name)
    except Exception as problem:  # noqa: BLE001 - a plugin's fault is a finding
        yield Finding("mission-class", subject, f"{entry.target} cannot be had: {problem}", "correct the target")
        return
    yield from check_mission_class(cls, entry.name, entry.title, frozenset(registry.services))
    if entry.processes is None:
        return
    own, faults = processes_in(entry.processes)
    yield from faults
    if faults:
        return
    try:
        known = registry.processes(entry.name)
    except Exception as problem:  # noqa: BLE001 - a plugin's fault is a finding
        yield Finding("processes", subject, f"its processes cannot be had: {problem}", "correct them")
        known = own
    around = surroundings(registry, cls, known)
    yield from check_light(f"module {entry.processes}", import_cost(entry.processes, attempts=1))
    for process in own.values():
        yield from check_process(process, around)
    yield from check_graph(around)


def surroundings(registry: Registry, cls: Any, known: Mapping[str, Process]) -> Surroundings:
    """What the processes of a mission are seen against."""
    return Surroundings(
        mission=cls.name,
        levels=tuple(cls.levels),
        product_level=cls.product_level,
        instruments=tuple(cls.instruments),
        known=known,
        tools=frozenset(registry.tools),
        missions=frozenset(registry.missions),
    )


def processes_in(module: str) -> tuple[dict[str, Process], list[Finding]]:
    """Import a module of processes; return those it holds, and what is wrong with it as a whole."""
    from daxa.process import Process

    subject = f"module {module}"
    try:
        values = vars(importlib.import_module(module)).values()
    except Exception as problem:  # noqa: BLE001 - a plugin's fault is a finding
        return {}, [Finding("processes", subject, f"it cannot be imported: {problem!r}.", "correct it")]
    found: dict[str, Process] = {}
    faults = []
    for value in values:
        if not isinstance(value, Process):
            continue
        if found.setdefault(value.name, value) is not value:
            faults.append(
                Finding("processes", subject, f"two processes are called {value.name!r}.", "rename one of them")
            )
    if not found:
        faults.append(Finding("processes", subject, "it holds no process.", "write functions with @process(...)"))
    return found, faults


def _check_entry(value: str) -> Iterator[Finding]:
    module, _, attribute = value.partition(":")
    try:
        plugin: Any = importlib.import_module(module)
        for part in filter(None, attribute.split(".")):
            plugin = getattr(plugin, part)
    except Exception as problem:  # noqa: BLE001 - a plugin's fault is a finding
        yield Finding("entry-import", f"entry point {value}", f"it cannot be loaded: {problem!r}.", "correct it")
        return
    yield from check_hooks_of(plugin, module)
    yield from check_info(plugin, module)


def _provided(registry: Registry, distribution: str) -> dict[str, list[Any]]:
    """What a distribution's hooks return, by kind."""
    kinds = {hook: hook.removeprefix("daxa_register_").removesuffix("s") for hook in _HOOKS}
    kinds["daxa_register_processes"] = "processes"
    return {
        kinds[hook]: [
            answer
            for owner, answer in registry.plugins.each(hook)
            if owner == distribution and isinstance(answer, record)
        ]
        for hook, record in _HOOKS.items()
    }


def _name(record: Any) -> str:
    return record if isinstance(record, str) else str(record.name)


__all__ = ["HEAVY", "Inspection", "check_mission", "check_records", "find_distribution", "inspect_distribution",
           "installed_distributions", "processes_in", "surroundings"]  # fmt: skip

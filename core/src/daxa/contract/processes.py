"""Checks of declared processes: names, levels, needs, parameters, products, docstrings. No body is called."""

from __future__ import annotations

import inspect
import json
import typing
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import PurePosixPath
from string import Formatter
from typing import Any, Final

from attrs import field, frozen

from daxa.contract.documented import check_docstring
from daxa.contract.findings import Finding, name_findings
from daxa.contract.missions import LEVELS
from daxa.process import Need, Process

CORE_STEPS: Final = frozenset(
    {"download", "preprocessed_events", "preprocessed_images", "preprocessed_expmaps", "preprocessed_backmaps"}
)
"""Steps of the core's own, which any process may need; they work at the level of downloaded products."""

FIELDS: Final = frozenset({"name", "variant", "obs_id", "inst", "subexp"})
"""What a product's path may be made of."""

_OWN: Final[Mapping[str, frozenset[str]]] = {
    "obs": frozenset({"name", "obs_id"}),
    "inst": frozenset({"name", "inst"}),
    "exp": frozenset({"name", "subexp"}),
}
"""Fields of which one must stand in the path, so that two data ids of one observation do not share a product."""


@frozen(kw_only=True)
class Surroundings:
    """What the processes of a mission are seen against.

    Parameters
    ----------
    mission : str
        Internal name; empty for processes that serve any mission.
    levels : tuple of str
        How far its data are divided.
    product_level : str
        Level of its downloaded products.
    instruments : tuple of str
        Its instruments; empty where any will do.
    known : Mapping of str to Process
        All processes that can serve it.
    tools : frozenset of str
        Registered external software.
    missions : frozenset of str
        Registered missions.
    """

    mission: str = ""
    levels: tuple[str, ...] = LEVELS
    product_level: str = "exp"
    instruments: tuple[str, ...] = ()
    known: Mapping[str, Process] = field(factory=dict)
    tools: frozenset[str] = frozenset()
    missions: frozenset[str] = frozenset()

    def depth(self, name: str) -> int | None:
        """Index of the level of a process; None if it is not known."""
        if name == "download":
            return 0
        level = "product" if name in CORE_STEPS else getattr(self.known.get(name), "level", None)
        level = self.product_level if level == "product" else level
        return LEVELS.index(level) if level in LEVELS else None


def check_process(process: Process, around: Surroundings) -> Iterator[Finding]:
    """Look at one process as it is declared."""
    subject = f"process {process.name}"
    yield from name_findings("process", process.name)
    yield from _level(process, subject, around)
    for need in process.needs:
        yield from _need(process, need, subject, around)
    yield from _parameters(process, subject)
    yield from _products(process, subject, around)
    yield from check_docstring(process, subject)
    for tool in process.tools:
        if tool not in around.tools:
            yield Finding("process", subject, f"no tool {tool!r} is registered.", "describe it: daxa_register_tools")
    for mission in process.missions:
        if mission not in around.missions:
            yield Finding("process", subject, f"no installed mission is called {mission!r}.", "correct missions=")
    if process.cpu < 1:
        yield Finding("process", subject, f"cpu is {process.cpu}.", "write the cores a task keeps busy, from 1 on")
    if not process.version:
        yield Finding("process", subject, f"version is {process.version!r}.", 'write text, version="1"')


def check_graph(around: Surroundings) -> Iterator[Finding]:
    """Look at all processes of a mission together: an order in which all can run, and who reveals what."""
    subject = f"processes of {around.mission or 'any mission'}"
    needs = {name: [one.process for one in step.needs if one.process in around.known]
             for name, step in around.known.items()}  # fmt: skip
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as problem:
        circle = " needs ".join(reversed(problem.args[1]))
        yield Finding("needs", subject, f"they wait for each other: {circle}.", "take one of these needs away")
    revealers: dict[int, str] = {}
    for name, step in around.known.items():
        depth = around.depth(name)
        if not step.reveals or depth is None:
            continue
        if depth >= len(around.levels) - 1:
            yield Finding(
                "reveal",
                f"process {name}",
                f"it reveals children of {LEVELS[depth]} data ids, and the mission's levels end there.",
                "let a process of a higher level reveal them, or add a level to the mission",
            )
        if depth in revealers:
            yield Finding(
                "reveal", f"process {name}", f"{revealers[depth]} reveals the same children.", "let one of them do it"
            )
        revealers.setdefault(depth, name)
        for need in step.needs:
            below = around.depth(need.process)
            if below is not None and below > depth:
                yield Finding(
                    "reveal",
                    f"process {name}",
                    f"it reveals the children that {need.process} works on, and needs {need.process} first.",
                    "take the need away, or let another process reveal",
                )


def _level(process: Process, subject: str, around: Surroundings) -> Iterator[Finding]:
    level = around.product_level if process.level == "product" else process.level
    if level not in around.levels:
        yield Finding(
            "level",
            subject,
            f"its level is {process.level!r}; data of {around.mission or 'missions'} are divided into"
            f" {', '.join(around.levels)}.",
            f"write level= one of {', '.join(around.levels)}, or 'product'",
        )
    for inst in process.instruments:
        if around.instruments and inst not in around.instruments:
            yield Finding(
                "instruments", subject, f"{inst!r} is no instrument of {around.mission}.",
                f"write some of {', '.join(around.instruments)}",
            )  # fmt: skip
    if level == "obs" and process.instruments:
        yield Finding(
            "instruments",
            subject,
            "it works on whole observations, and says for which instruments.",
            "leave instruments= out, or work at level 'inst'",
        )


def _need(process: Process, need: Need, subject: str, around: Surroundings) -> Iterator[Finding]:
    other = around.known.get(need.process)
    if other is None and need.process not in CORE_STEPS:
        if not need.optional:
            yield Finding(
                "needs",
                subject,
                f"it needs {need.process!r}, and there is no such process.",
                f"write one of {', '.join(sorted({*around.known, *CORE_STEPS}))}",
            )
        return
    if need.mode not in ("all", "any"):
        yield Finding("needs", subject, f"the need of {need.process} has the mode {need.mode!r}.", "write all or any")
    strange = [inst for inst in need.instruments if around.instruments and inst not in around.instruments]
    if strange:
        yield Finding(
            "needs",
            subject,
            f"it needs {need.process} for {', '.join(strange)}, no instruments of {around.mission}.",
            f"write some of {', '.join(around.instruments)}",
        )
    if other is None:
        return
    mine = set(need.instruments) or set(process.instruments)
    theirs = set(other.instruments)
    if mine and theirs and not mine & theirs:
        yield Finding(
            "needs",
            subject,
            f"it needs {need.process} for {', '.join(sorted(mine))}, which is for {', '.join(sorted(theirs))} only.",
            f"name {'/'.join(sorted(theirs))} in the need, or take it away",
        )
    depths = around.depth(process.name), around.depth(need.process)
    if None not in depths and need.mode == "any" and depths[1] <= depths[0]:  # type: ignore[operator]
        yield Finding(
            "needs",
            subject,
            f"it needs any of {need.process}, of which there is one for each of its own tasks.",
            "write mode='any' where several tasks below are gathered, else leave it out",
        )


def _parameters(process: Process, subject: str) -> Iterator[Finding]:
    signature = inspect.signature(process.body)
    declared = list(signature.parameters.values())
    if not declared or declared[0].kind not in (declared[0].POSITIONAL_ONLY, declared[0].POSITIONAL_OR_KEYWORD):
        yield Finding("parameters", subject, "its body does not take a job.", "write `def body(job: Job, ...)`")
        return
    for parameter in declared[1:]:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            yield Finding("parameters", subject, f"it takes {parameter}.", "name every parameter, with its default")
        elif parameter.default is parameter.empty:
            yield Finding(
                "parameters",
                subject,
                f"{parameter.name} has no default, and nobody would give it a value.",
                f"write {parameter.name}=...; defaults are recorded with every task",
            )
        elif parameter.annotation is parameter.empty:
            yield Finding(
                "parameters",
                subject,
                f"{parameter.name} has no type, so nothing checks what users give.",
                f"write `{parameter.name}: {type(parameter.default).__name__} = {parameter.default!r}`",
            )
    try:
        hints = typing.get_type_hints(process.body)
    except Exception as problem:  # noqa: BLE001 - whatever stands there
        yield Finding(
            "parameters",
            subject,
            f"its types cannot be read: {problem}.",
            "import them at the top of the module, not under `if TYPE_CHECKING:`",
        )
        return
    for name, value in process.parameters.items():
        yield from _default(process, name, value, hints.get(name), subject)


def _default(process: Process, name: str, value: Any, hint: Any, subject: str) -> Iterator[Finding]:
    try:
        back = json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError):
        back = None if value is not None else ...
    if back != (list(value) if isinstance(value, tuple) else value):
        yield Finding(
            "parameters",
            subject,
            f"the default of {name}, {value!r}, is not the same after JSON, in which it is recorded.",
            "use None, text, numbers, True or False, lists and mappings of them; a Quantity as text",
        )
    elif hint in (bool, int, float, str):
        try:
            process.bind({name: value})
        except Exception as problem:  # noqa: BLE001 - said in its own words
            yield Finding(
                "parameters", subject, f"the default of {name} is not of its own type: {problem}", "correct one of them"
            )


def _products(process: Process, subject: str, around: Surroundings) -> Iterator[Finding]:
    if not process.produces and not process.reveals:
        yield Finding(
            "products", subject, "it leaves no product and reveals nothing.", "declare what it makes, produces={...}"
        )
    depth = around.depth(process.name)
    level = LEVELS[depth] if depth is not None else "obs"
    for key, product in process.produces.items():
        yield from name_findings("product", key)
        try:
            used = {name for _, name, _, _ in Formatter().parse(product.path) if name is not None}
        except ValueError as problem:
            yield Finding("products", subject, f"the path of {key} cannot be read: {problem}.", "correct it")
            continue
        if used - FIELDS and (process._naming is None or "" in used):
            yield Finding(
                "products",
                subject,
                f"the path of {key} asks for {', '.join(sorted(used - FIELDS)) or 'something without a name'}.",
                f"use {', '.join('{' + one + '}' for one in sorted(FIELDS))} alone",
            )
            continue
        path = PurePosixPath(product.path)
        if path.is_absolute() or ".." in path.parts or not path.parts or path.parts[0] == "logs":
            yield Finding(
                "products",
                subject,
                f"the path of {key} is {product.path!r}.",
                'write it below the directory of the observation, e.g. "events/{name}-events.fits"',
            )
        if level != "obs" and not used & _OWN[level] and used <= FIELDS:  # words of its own are tried in the kit
            yield Finding(
                "products",
                subject,
                f"two {level} data ids would leave {key} at one path, {product.path!r}.",
                "write {name} in it",
            )
        if process._variants is not None and "variant" not in used:
            yield Finding(
                "products", subject, f"two variants would leave {key} at one path.", "write {variant} in the path"
            )
    for key, until in process.keep.items():
        word, _, name = until.partition(":")
        if key not in process.produces or word != "until" or name not in around.known:
            yield Finding(
                "products", subject, f"keep says {key}: {until!r}.", 'write {"product": "until:<name of a process>"}'
            )

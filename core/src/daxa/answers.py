"""What a hook may answer: the kind of record, and the types of its fields."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Mapping
from typing import Any, Final

from attrs import fields

from daxa.specs import ExecutorSpec, MissionEntry, PluginInfo, Recipe, ServiceSpec, ToolSpec

RECORDS: Final[Mapping[str, type]] = {
    "daxa_plugin_info": PluginInfo,
    "daxa_register_missions": MissionEntry,
    "daxa_register_services": ServiceSpec,
    "daxa_register_tools": ToolSpec,
    "daxa_register_executors": ExecutorSpec,
    "daxa_register_recipes": Recipe,
}
"""Hooks that answer with records."""


def shown(value: object) -> str:
    """Write what a plugin gave, briefly; its own way of writing it may fail."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - whatever a plugin gives
        text = f"<{type(value).__name__}>"
    return text if len(text) <= 120 else f"{text[:117]}..."


def misfit(hook: str, answer: object) -> str | None:
    """Say what is wrong with an answer; None for a good one.

    Parameters
    ----------
    hook : str
        Name of the hook.
    answer : object
        One answer of it.
    """
    if inspect.iscoroutine(answer):
        answer.close()  # nobody awaits it, and Python would say so much later
        return f"{hook} gave a coroutine; hooks are synchronous"
    record = RECORDS.get(hook)
    if record is not None:
        if not isinstance(answer, record):
            return f"{hook} gave {shown(answer)}, not a {record.__name__}"
        return _field_misfit(hook, answer)
    if hook == "daxa_register_processes" and not isinstance(answer, str):
        return f"{hook} gave {shown(answer)}, not a module's name"
    if hook == "daxa_subscribers" and (not callable(answer) or inspect.iscoroutinefunction(answer)):
        return f"{hook} gave {shown(answer)}, not a plain function"
    if hook == "daxa_register_commands":
        return f"{hook} gave {shown(answer)}; it adds commands to the group, and gives nothing"
    return None


def _field_misfit(hook: str, record: Any) -> str | None:
    hints = typing.get_type_hints(type(record))
    for one in fields(type(record)):
        value = getattr(record, one.name)
        if one.name in hints and not _fits(value, hints[one.name]):
            return f"{hook} gave a {type(record).__name__} whose {one.name} is {shown(value)}"
    return None


def _fits(value: object, hint: Any) -> bool:
    """Whether a value is of a type as the records' fields are annotated."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return any(_fits(value, one) for one in inner)
    if origin is tuple:
        return isinstance(value, tuple) and all(_fits(one, inner[0]) for one in value)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint) if isinstance(hint, type) else True

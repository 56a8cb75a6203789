"""The plugin contract written out: hooks, records and names of :mod:`daxa.api`, as plain data.

Two versions of it can be compared line by line; what differs is what plugin authors have to be told.
"""

from __future__ import annotations

import enum
import importlib
import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from daxa import hookspecs, specs
from daxa.exceptions import DaxaError
from daxa.specs import API_VERSION


def contract() -> dict[str, Any]:
    """Return the contract as plain data.

    Returns
    -------
    dict
        ``api``, the number; ``hooks``, name to signature; ``records``, name to fields with type and default;
        ``names``, what :mod:`daxa.api` holds, with kind, signature and members.
    """
    api = importlib.import_module("daxa.api")
    return {
        "api": API_VERSION,
        "hooks": {
            name: signature(function) for name, function in vars(hookspecs).items() if hasattr(function, "daxa_spec")
        },
        "records": {
            name: record_fields(cls)
            for name, cls in vars(specs).items()
            if inspect.isclass(cls) and attrs.has(cls) and cls.__module__ == specs.__name__
        },
        "names": {name: describe(getattr(api, name)) for name in api.__all__},
    }


def contract_text() -> str:
    """Return the contract as JSON, one name a line, sorted."""
    return json.dumps(contract(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def signature(function: Callable[..., Any]) -> str:
    """Write a signature as its author did, whatever version of Python reads it."""
    found = inspect.signature(function)
    parts, star = [], False
    for parameter in found.parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            star = True
        elif parameter.kind is parameter.KEYWORD_ONLY and not star:
            parts.append("*")
            star = True
        mark = "*" if parameter.kind is parameter.VAR_POSITIONAL else ""
        mark = "**" if parameter.kind is parameter.VAR_KEYWORD else mark
        text = f"{mark}{parameter.name}"
        if parameter.annotation is not parameter.empty:
            text += f": {_type(parameter.annotation)}"
        if parameter.default is not parameter.empty:
            text += f" = {_value(parameter.default)}"
        parts.append(text)
    answer = "" if found.return_annotation is found.empty else f" -> {_type(found.return_annotation)}"
    return f"({', '.join(parts)}){answer}"


def record_fields(cls: type) -> dict[str, str]:
    """Fields of a record: ``type = default``."""
    made = {}
    for one in attrs.fields(cls):
        if not one.init:
            continue
        name = one.alias if one.alias else one.name
        made[name] = _type(one.type) + ("" if one.default is attrs.NOTHING else f" = {_default(one.default)}")
    return made


def describe(value: Any) -> dict[str, Any]:
    """Say of a name what kind of thing it is, and how it is used."""
    if inspect.isclass(value):
        return _class(value)
    if inspect.isroutine(value):
        return {
            "kind": "coroutine" if inspect.iscoroutinefunction(value) else "function",
            "signature": signature(value),
        }
    if isinstance(value, int | str | float | bool):
        return {"kind": "constant", "value": value}
    return {"kind": type(value).__name__}


def _class(cls: type) -> dict[str, Any]:
    if issubclass(cls, DaxaError):
        return {"kind": "error", "code": cls.code, "bases": [base.__name__ for base in cls.__bases__]}
    if issubclass(cls, enum.Enum):
        return {"kind": "enum", "values": {name: one.value for name, one in cls.__members__.items()}}
    made: dict[str, Any] = {"kind": "class", "members": _members(cls)}
    if attrs.has(cls):
        made["kind"] = "record"
        if "__init__" in vars(cls) and not hasattr(vars(cls)["__init__"], "__attrs_generated__"):
            own = vars(cls)["__init__"]
            made["signature"] = signature(own) if own.__code__.co_filename == _file(cls) else None
        if made.get("signature") is None:
            made.pop("signature", None)
        made["fields"] = record_fields(cls)
    else:
        made["signature"] = signature(cls.__init__)
    return made


def _file(cls: type) -> str:
    return inspect.getsourcefile(cls) or ""


def _members(cls: type) -> dict[str, str]:
    """Public methods, properties and class attributes of a class, with those it inherits from DAXA's own classes."""
    made: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if not base.__module__.startswith("daxa"):
            continue
        fields = {one.name for one in attrs.fields(base)} if attrs.has(base) else set()
        for name in inspect.get_annotations(base):
            if not name.startswith("_") and name not in fields:
                made.setdefault(name, f"attribute: {_type(inspect.get_annotations(base)[name])}")
        for name, value in vars(base).items():
            public = not name.startswith("_") or name in ("__call__", "__await__", "__aenter__", "__aexit__")
            if public and name not in fields:
                made[name] = _member(value, inspect.get_annotations(base).get(name))
    return made


def _member(value: Any, annotation: Any) -> str:
    if isinstance(value, property):
        answer = inspect.signature(value.fget).return_annotation if value.fget else inspect.Signature.empty
        settable = ", settable" if value.fset else ""
        return f"property{settable}" + ("" if answer is inspect.Signature.empty else f": {_type(answer)}")
    if isinstance(value, classmethod | staticmethod):
        return f"{type(value).__name__} {signature(value.__func__)}"
    if inspect.isfunction(value):
        kind = "coroutine" if inspect.iscoroutinefunction(value) else "method"
        return f"{kind} {signature(value)}"
    said = "attribute" if annotation is None else f"attribute: {_type(annotation)}"
    plain = isinstance(value, str | int | float | bool | tuple | dict | None)
    return f"{said} = {_value(value)}" if plain else said


def _type(annotation: Any) -> str:
    if isinstance(annotation, str):
        return annotation
    return annotation.__name__ if inspect.isclass(annotation) and annotation is not Any else str(annotation)


def _default(default: Any) -> str:
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        return f"{getattr(default.factory, '__name__', 'made')}()"
    return _value(default)


def _value(value: Any) -> str:
    """Write a value so that it reads the same in every process."""
    if isinstance(value, enum.Enum):
        return str(value)
    if callable(value):
        return str(getattr(value, "__name__", type(value).__name__))
    if isinstance(value, frozenset | set):
        return f"{{{', '.join(sorted(map(_value, value)))}}}"
    text = repr(value)
    return type(value).__name__ if " at 0x" in text else text


def changed_names(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Names in which two contracts differ: hooks, ``Record.field``, ``name``, ``Class.member``.

    Parameters
    ----------
    before, after : Mapping
        As :func:`contract` returns them.
    """
    old, new = _flat(before), _flat(after)
    return sorted({name for name in {*old, *new} if old.get(name) != new.get(name)})


def _flat(whole: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"API_VERSION": whole.get("api"), **whole.get("hooks", {})}
    for name, fields in whole.get("records", {}).items():
        made |= {f"{name}.{one}": text for one, text in fields.items()}
    for name, what in whole.get("names", {}).items():
        made[name] = {key: value for key, value in what.items() if key not in ("members", "fields", "values")}
        for key in ("members", "fields", "values"):
            made |= {f"{name}.{one}": text for one, text in what.get(key, {}).items()}
    return made

"""Conditions as users write them, ``mission="nustar_pointed", state=["failed", "timed_out"]``, as SQL."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import Enum
from typing import Any

from daxa.exceptions import InvalidParameterError, ParameterTypeError
from daxa.store.entries import KEY_COLUMNS, dump


def where(columns: Mapping[str, str], given: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """Write conditions as a WHERE clause and its parameters.

    Parameters
    ----------
    columns : Mapping of str to str
        What may be asked for, and its name in SQL.
    given : Mapping
        For each column a value, a collection of values, or None for rows that have none. A mission, or a process, may
        stand for its name.

    Raises
    ------
    InvalidParameterError
        If there is no such column.
    ParameterTypeError
        If a value is of a kind that no column holds.
    """
    parts: list[str] = []
    params: list[Any] = []
    for name, asked in given.items():
        column, value = columns.get(name), _plain(name, asked)
        if column is None:
            raise InvalidParameterError(
                f"There is no column {name!r} to select by.",
                expected=f"one of {', '.join(columns)}",
                remedy="correct the name",
                value=name,
            )
        if value is None:
            parts.append(f"coalesce({column}, '') = ''" if name not in KEY_COLUMNS else f"{column} = ''")
        elif isinstance(value, list):
            parts.append(f"{column} IN (SELECT value FROM json_each(?))")  # noqa: S608 - a constant of ours
            params.append(dump(value))
        else:
            parts.append(f"{column} = ?")
            params.append(value)
    return (" WHERE " + " AND ".join(parts) if parts else ""), params


def _plain(name: str, value: Any) -> Any:
    """A value as SQL has it, or a list of such; absent instruments and sub-exposures stand as empty texts."""
    if hasattr(value, "tolist"):
        value = value.tolist()  # NumPy's and pandas' arrays, and their scalars
    if isinstance(value, Collection) and not isinstance(value, str | bytes | Mapping):
        return ["" if one is None and name in KEY_COLUMNS else _scalar(name, one) for one in value]
    return None if value is None else _scalar(name, value)


def _scalar(name: str, value: Any) -> str | int | float:
    if isinstance(value, str):
        return str(value.value) if isinstance(value, Enum) else str(value)
    if isinstance(value, int | float):
        return value
    named = getattr(value, "name", None)
    if name in ("mission", "process") and isinstance(named, str):
        return named
    raise ParameterTypeError(
        f"{name} cannot be selected by {value!r}.",
        expected="a text, a number, a collection of them, or None",
        remedy="correct the value",
        value=value,
    )

"""Conditions as users write them, ``mission="nustar_pointed", state=["failed", "timed_out"]``, as SQL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from daxa.exceptions import InvalidParameterError
from daxa.store.entries import KEY_COLUMNS, dump


def where(columns: Mapping[str, str], given: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """Write conditions as a WHERE clause and its parameters.

    Parameters
    ----------
    columns : Mapping of str to str
        What may be asked for, and its name in SQL.
    given : Mapping
        For each column a value, a collection of values, or None for rows that have none.

    Raises
    ------
    InvalidParameterError
        If there is no such column.
    """
    parts: list[str] = []
    params: list[Any] = []
    for name, value in given.items():
        column = columns.get(name)
        if column is None:
            raise InvalidParameterError(
                f"There is no column {name!r} to select by.",
                expected=f"one of {', '.join(columns)}",
                remedy="correct the name",
                value=name,
            )
        if value is None:
            parts.append(f"coalesce({column}, '') = ''" if name not in KEY_COLUMNS else f"{column} = ''")
        elif isinstance(value, list | tuple | set | frozenset):
            parts.append(f"{column} IN (SELECT value FROM json_each(?))")  # noqa: S608 - a constant of ours
            params.append(dump(list(value)))
        else:
            parts.append(f"{column} = ?")
            params.append(str(value) if isinstance(value, str) else value)
    return (" WHERE " + " AND ".join(parts) if parts else ""), params

"""Tables as text and bytes, column by column, and back again exactly. Nothing is pickled."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from daxa.exceptions import ParameterTypeError

if TYPE_CHECKING:
    from pandas import DataFrame, Series

TEXT: Final = "text"
"""Mark of a column of text: pandas' own text type, whichever the installed version has."""

_NULLABLE: Final = frozenset(
    {
        "Int8",
        "Int16",
        "Int32",
        "Int64",
        "UInt8",
        "UInt16",
        "UInt32",
        "UInt64",
        "Float32",
        "Float64",
        "boolean",
        "string",
    }
)


@frozen
class Column:
    """A packed column.

    Parameters
    ----------
    name : str
        Its name.
    dtype : str
        NumPy's name of the type, ``text``, ``object``, or pandas' name of a nullable type.
    data : bytes
        Compressed values: bytes in little-endian order for NumPy's types, else a JSON list.
    """

    name: str
    dtype: str
    data: bytes


def _refuse(name: Any, what: Any) -> ParameterTypeError:
    return ParameterTypeError(
        f"The column {name!r} holds {what}, which cannot be recorded.",
        expected="text, numbers, flags, dates or durations",
        remedy="convert the column",
        value=str(what),
    )


def dtype_of(series: Series[Any]) -> str:
    """Return the mark under which a column is packed.

    Raises
    ------
    ParameterTypeError
        If its values cannot be kept exactly.
    """
    import numpy as np
    import pandas as pd

    dtype = series.dtype
    if isinstance(dtype, np.dtype):
        if dtype.kind in "biufmM" and dtype.itemsize <= 8:
            return dtype.newbyteorder("<").str
        if dtype.kind == "O":
            plain_text = pd.api.types.infer_dtype(series, skipna=True) in ("string", "empty")
            pandas_text_is_object = pd.Series(["x"]).dtype == object
            return TEXT if plain_text and pandas_text_is_object else "object"
    elif str(dtype) == "str":
        return TEXT
    elif str(dtype) in _NULLABLE:
        return str(dtype)
    raise _refuse(series.name, dtype)


def values_of(series: Series[Any], dtype: str) -> list[Any]:
    """Return the values of a column of text, objects or a nullable type as JSON has them; missing ones are None."""
    if dtype == "object":
        values = list(series)
        for value in values:
            if not (value is None or isinstance(value, str | int | float | bool)):
                raise _refuse(series.name, type(value).__name__)
        return values
    missing = series.isna().to_numpy()
    return [None if lost else value for value, lost in zip(series.tolist(), missing, strict=True)]


def pack_column(name: str, series: Series[Any]) -> Column:
    """Pack one column.

    Parameters
    ----------
    name : str
        Its name.
    series : pandas.Series
        Its values.

    Raises
    ------
    ParameterTypeError
        If the values cannot be kept exactly.
    """
    dtype = dtype_of(series)
    if dtype[0] in "<|":
        data = series.to_numpy().astype(dtype, copy=False).tobytes()
    else:
        data = json.dumps(values_of(series, dtype), separators=(",", ":")).encode("utf-8", "surrogatepass")
    return Column(name, dtype, zlib.compress(data, 1))


def series_of(values: Sequence[Any], dtype: str) -> Series[Any]:
    """Make a column from values as :func:`values_of` gives them."""
    import pandas as pd

    if dtype == TEXT:
        kind = pd.Series(["x"]).dtype
        return pd.Series([float("nan") if one is None else one for one in values], dtype=kind)
    return pd.Series(list(values), dtype=dtype)


def unpack_column(column: Column) -> Series[Any]:
    """Unpack one column; the inverse of :func:`pack_column`."""
    import numpy as np
    import pandas as pd

    data = zlib.decompress(column.data)
    if column.dtype[0] in "<|":
        values = np.frombuffer(data, dtype=column.dtype)
        return pd.Series(values.astype(values.dtype.newbyteorder("="), copy=True))
    return series_of(json.loads(data.decode("utf-8", "surrogatepass")), column.dtype)


def rows_of(table: DataFrame) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Turn a table into the marks of its columns, and one JSON object a row.

    Dates and durations become whole numbers of their unit.
    """
    check_names(table)
    dtypes = {str(name): dtype_of(table[name]) for name in table.columns}
    columns = []
    for name, dtype in dtypes.items():
        series = table[name]
        if dtype[0] not in "<|":
            columns.append(values_of(series, dtype))
        elif dtype[1] in "mM":
            columns.append(series.to_numpy().view("i8").tolist())
        else:
            columns.append(series.to_numpy().tolist())
    return dtypes, [dict(zip(dtypes, values, strict=True)) for values in zip(*columns, strict=True)]


def table_of(dtypes: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> DataFrame:
    """Make a table from what :func:`rows_of` returned; rows are numbered from 0."""
    import numpy as np
    import pandas as pd

    columns = {}
    for name, dtype in dtypes.items():
        values = [row[name] for row in rows]
        if dtype[0] not in "<|":
            columns[name] = series_of(values, dtype)
        elif dtype[1] in "mM":
            columns[name] = pd.Series(np.array(values, dtype="i8").view(dtype[1:]))
        else:
            columns[name] = pd.Series(np.array(values, dtype=dtype[1:]))
    return _framed(columns, len(rows))


def _framed(columns: Mapping[str, Series[Any]], rows: int) -> DataFrame:
    import pandas as pd

    table = pd.DataFrame(dict(columns), index=pd.RangeIndex(rows))
    table.columns = pd.Index(list(columns), dtype=pd.Series(["x"]).dtype)
    return table


def check_names(table: DataFrame) -> None:
    """Refuse a table whose columns' names are not text, or not different."""
    if not table.columns.is_unique or not all(isinstance(name, str) for name in table.columns):
        raise ParameterTypeError(
            f"The columns are {list(table.columns)!r}.", expected="different names of type str", remedy="rename them"
        )


def pack(table: DataFrame) -> list[Column]:
    """Pack a table. Its index is not kept.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns of text, numbers, flags, ``datetime64`` or ``timedelta64``; any resolution.

    Raises
    ------
    ParameterTypeError
        If a column cannot be kept exactly.
    """
    check_names(table)
    return [pack_column(str(name), table[name]) for name in table.columns]


def unpack(columns: Iterable[Column], rows: int) -> DataFrame:
    """Unpack a table, with rows numbered from 0.

    Parameters
    ----------
    columns : iterable of Column
        In order.
    rows : int
        Number of rows.
    """
    return _framed({column.name: unpack_column(column) for column in columns}, rows)

"""Whole tables of TAP services as frames of pandas, and the kinds of value that archives keep in them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from daxa.exceptions import BadReplyError

if TYPE_CHECKING:
    import numpy as np
    from astropy.table import Table
    from numpy.typing import NDArray
    from pandas import DataFrame, Series

    from daxa.net.client import Net

MJD_OF_UNIX_ZERO: Final = 40587
"""Modified Julian Date of 1970-01-01."""

FAR_FUTURE: Final = 88068.0
"""MJD of the last day of 2099. Archives write it, and others up to a thousand years ahead, for "no date yet"."""

MOST_ROWS: Final = 100_000
"""Rows that HEASARC's service sends at once unless a query names a larger number."""

PAGED_BY: Final = "ra"
"""Column by which a larger table is asked for in parts, in degrees."""

MOST_BELIEVED: Final = 10_000_000
"""Rows that a table may have; the largest catalogues of observations have some hundred thousand."""

_NARROWEST: Final = 1e-6
_DAY: Final = 86_400_000_000
"""Microseconds of a day."""


async def whole_table(net: Net, service: str, table: str, columns: Sequence[str]) -> DataFrame:
    """Fetch all rows of a table.

    HEASARC's service sends at most 100,000 rows, an arbitrary part of the table, unless the query names a larger number
    itself (astroquery issue 3387); ESA's clients add a limit of 2000. So the rows are counted first, the query names
    their number, and what comes is compared with it. A table with more rows than that is asked for in zones of right
    ascension, if that is among the columns: replies that large have come damaged (astroquery issue 3423).

    Parameters
    ----------
    net : Net
        The network.
    service : str
        Base address of the TAP service.
    table : str
        Name of the table.
    columns : sequence of str
        Columns, by the names the frame will have, in lower case.

    Returns
    -------
    pandas.DataFrame
        Text is stripped, and empty where the table has none; numbers that are missing are NaN.

    Raises
    ------
    BadReplyError
        If rows or a column are missing.
    """
    number = await net.count(service, table)
    if not 0 <= number <= MOST_BELIEVED:
        raise BadReplyError(
            f"{service} says that {table} has {number} rows.",
            expected=f"up to {MOST_BELIEVED}",
            remedy="try again later",
            url=service,
        )
    if number <= MOST_ROWS or PAGED_BY not in columns:
        return frame(await _rows(net, service, table, columns, number), columns)
    import pandas as pd

    parts = [frame(part, columns) async for part in _pages(net, service, table, columns, number)]
    if sum(map(len, parts)) < number:
        raise _incomplete(service, table, sum(map(len, parts)), number)
    return pd.concat(parts, ignore_index=True)


async def _rows(net: Net, service: str, table: str, columns: Sequence[str], number: int, where: str = "") -> Table:
    """Ask for so many rows, and refuse fewer."""
    most = (number // 1000 + 1) * 1000
    query = f"SELECT TOP {most} {', '.join(columns)} FROM {table}"  # noqa: S608 - names are those of the plugin
    answer = await net.tap(service, query + (f" WHERE {where}" if where else ""), columns=columns)
    if len(answer) < number:
        raise _incomplete(service, table, len(answer), number)
    return answer


async def _pages(net: Net, service: str, table: str, columns: Sequence[str], number: int) -> AsyncIterator[Table]:
    """Ask for a table in zones of the sky, none with more rows than a service sends at once."""
    pieces = number // MOST_ROWS + 2
    edges = [360.0 * piece / pieces for piece in range(pieces + 1)]
    zones = list(pairwise(edges))
    asked = 0
    while zones:
        asked += 1
        if asked > 100 + 10 * pieces:  # its counts contradict each other
            raise _incomplete(service, table, 0, number)
        low, high = zones.pop(0)
        where = f"{PAGED_BY} >= {low} AND {PAGED_BY} < {high}"
        rows = await net.count(service, table, where)
        if rows > MOST_ROWS and high - low > _NARROWEST:
            zones[:0] = [(low, (low + high) / 2), ((low + high) / 2, high)]
        elif rows:
            yield await _rows(net, service, table, columns, rows, where)
    where = f"{PAGED_BY} IS NULL OR {PAGED_BY} < 0 OR {PAGED_BY} >= 360"
    rows = await net.count(service, table, where)
    if rows:
        yield await _rows(net, service, table, columns, rows, where)


def _incomplete(service: str, table: str, came: int, number: int) -> BadReplyError:
    return BadReplyError(
        f"{service} sent {came} of the {number} rows of {table}.",
        expected="all rows",
        remedy="try again later",
        url=service,
    )


def frame(table: Any, columns: Sequence[str]) -> DataFrame:
    """Make a frame of columns of an astropy table, in that order; see :func:`whole_table`."""
    import numpy as np
    import pandas as pd

    made: dict[str, Any] = {}
    for name in columns:
        column = table[name]
        mask = np.asarray(np.ma.getmaskarray(np.ma.asarray(column)), dtype=bool)
        values = np.asarray(getattr(column, "data", column))
        if values.dtype.kind in "OSU":
            made[name] = pd.Series([_text(one) for one in np.ma.filled(np.ma.asarray(column), "")], dtype=object)
        elif values.dtype.kind == "f" or mask.any():
            made[name] = pd.Series(np.where(mask, np.nan, values.astype("float64")))
        else:
            made[name] = pd.Series(values.astype(values.dtype.newbyteorder("=")))
    return pd.DataFrame(made, columns=list(columns))


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value or "").strip()


def texts(values: Iterable[Any]) -> Series[Any]:
    """Text of whatever a table has as identifier: numbers without a decimal point."""
    import pandas as pd

    kept = [str(int(one)) if isinstance(one, float) and one.is_integer() else str(one).strip() for one in values]
    return pd.Series(kept, dtype=pd.Series(["text"]).dtype)


def whole_numbers(values: Any, missing: int = 0) -> NDArray[np.int64]:
    """Whole numbers; `missing` where there is none."""
    import numpy as np
    import pandas as pd

    given = pd.to_numeric(pd.Series(values), errors="coerce").to_numpy(dtype="float64")
    return np.where(np.abs(given) < 2.0**63, given, missing).astype("int64")


def utc_from_mjd(values: Any) -> Series[Any]:
    """UTC times of Modified Julian Dates in days, to the microsecond.

    Dates that say nothing (missing, 0, negative, :data:`FAR_FUTURE` and later) are NaT.
    """
    import numpy as np
    import pandas as pd

    mjd = np.asarray(pd.Series(values), dtype="float64")
    known = np.isfinite(mjd) & (mjd > 0) & (mjd < FAR_FUTURE)
    days = np.floor(np.where(known, mjd, 0.0))
    within = np.rint((np.where(known, mjd, 0.0) - days) * _DAY).astype("int64")
    since = (days.astype("int64") - MJD_OF_UNIX_ZERO) * _DAY + within
    return pd.Series(np.where(known, since.astype("datetime64[us]"), np.datetime64("NaT", "us")))


def utc_from_text(values: Any) -> Series[Any]:
    """UTC times of ISO text; what is no date, or lies after 2099, is NaT."""
    import numpy as np
    import pandas as pd

    read = pd.to_datetime(pd.Series(values, dtype=object), errors="coerce", format="ISO8601", utc=True)
    times = read.dt.tz_localize(None).to_numpy().astype("datetime64[us]")
    return pd.Series(np.where(times < np.datetime64("2099-12-31", "us"), times, np.datetime64("NaT", "us")))


def time_from_seconds(values: Any) -> Series[Any]:
    """Durations of seconds, to the microsecond; 0 where there is none."""
    import numpy as np
    import pandas as pd

    seconds = np.asarray(pd.Series(values), dtype="float64")
    return pd.Series(np.rint(np.where(np.abs(seconds) < 9e12, seconds, 0.0) * 1e6).astype("timedelta64[us]"))


def public_now(dates: Any) -> NDArray[np.bool_]:
    """Whether dates from which data are public have come; no date means they are not."""
    import time

    import numpy as np

    now = np.datetime64(int(time.time()), "s")
    return np.asarray(np.asarray(dates).astype("datetime64[us]") <= now, dtype=bool)


def on_the_sky(ra: Any, dec: Any) -> NDArray[np.bool_]:
    """Whether positions in degrees are on the sky."""
    import numpy as np

    right, declination = (np.asarray(one, dtype="float64") for one in (ra, dec))
    return np.asarray(np.isfinite(right) & np.isfinite(declination) & (np.abs(declination) <= 90), dtype=bool)

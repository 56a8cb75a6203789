"""Whole tables of TAP services as frames of pandas, and the kinds of value that archives keep in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from daxa.exceptions import BadReplyError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pandas import DataFrame, Series

    from daxa.net.client import Net

MJD_OF_UNIX_ZERO: Final = 40587
"""Modified Julian Date of 1970-01-01."""

FAR_FUTURE: Final = 88068.0
"""MJD of the last day of 2099. Archives write it, and others up to a thousand years ahead, for "no date yet"."""

_DAY: Final = 86_400_000_000
"""Microseconds of a day."""


async def whole_table(net: Net, service: str, table: str, columns: Sequence[str]) -> DataFrame:
    """Fetch all rows of a table.

    HEASARC's service sends at most 100,000 rows, an arbitrary part of the table, unless the query names a larger number
    itself (astroquery issue 3387); ESA's clients add a limit of 2000. So the rows are counted first, the query names
    their number, and what comes is compared with it.

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
    most = (number // 1000 + 1) * 1000
    query = f"SELECT TOP {most} {', '.join(columns)} FROM {table}"  # noqa: S608 - names are those of the plugin
    answer = await net.tap(service, query, columns=columns)
    if len(answer) < number:
        raise BadReplyError(
            f"{service} sent {len(answer)} of the {number} rows of {table}.",
            expected="all rows",
            remedy="try again later",
            url=service,
        )
    return frame(answer, columns)


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

"""Mission elapsed time: seconds of TT since 1998-01-01."""

from __future__ import annotations

_DAYS = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)
_EPOCH = 729_390  # days from the year 0 to 1998-01-01
_LEAPS = ((2017, 1, 37), (2015, 7, 36), (2012, 7, 35), (2009, 1, 34), (2006, 1, 33), (1999, 1, 32), (0, 1, 31))


def seconds(date):
    """Seconds of a date in UTC, ``2006-05-27T09:58:06``."""
    year, month, day = int(date[:4]), int(date[5:7]), int(date[8:10])
    leaps = next(count for since_year, since_month, count in _LEAPS if (year, month) >= (since_year, since_month))
    clock = int(date[11:13]) * 3600 + int(date[14:16]) * 60 + float(date[17:])
    return (_day(year, month, day) - _EPOCH) * 86_400 + clock + leaps + 32.184


def _day(year, month, day):
    before = year - 1
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    past = 365 * year + before // 4 - before // 100 + before // 400
    return past + _DAYS[month - 1] + (leap and month > 2) + day

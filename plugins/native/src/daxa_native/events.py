"""Event lists: the table of events found by name, its columns, and the keywords of list and file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from attrs import define

from daxa.api import BadEventListError
from daxa_native.conventions import Convention
from daxa_native.fitsfile import Column, FitsFile, Hdu, Table, damaged, number, read_fits, value
from daxa_native.missions import convention_of

TABLES: Final = ("EVENTS", "STDEVT")
CHUNK_ROWS: Final = 1 << 17


@define(eq=False)
class EventList:
    """An event list.

    Parameters
    ----------
    file : FitsFile
        The whole file.
    hdu : Hdu
        The HDU of the events.
    table : Table
        The events.
    convention : Convention
        What such lists look like.
    """

    file: FitsFile
    hdu: Hdu
    table: Table
    convention: Convention

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.file.path

    def keyword(self, name: str, default: Any = None) -> Any:
        """Return a keyword of the events, else of the primary header, else `default`."""
        found = value(self.hdu.header, name)
        return value(self.file.hdus[0].header, name, default) if found is None else found

    def number(self, *names: str) -> float | None:
        """Return the first of some keywords that is a number, in the events' header or the primary one."""
        for name in names:
            for header in (self.hdu.header, self.file.hdus[0].header):
                found = number(header, name)
                if found is not None:
                    return found
        return None

    def column(self, name: str) -> Column:
        """Find a column the work cannot do without.

        Raises
        ------
        BadEventListError
            If the list has no such column.
        """
        found = self.table.column(name)
        if found is None:
            raise BadEventListError(
                f"{self.path} has no column {name}.",
                faults=[f"there is no column {name}"],
                expected=f"a column {name}; there are {', '.join(one.name for one in self.table.columns.values())}",
                remedy="use a list that has it",
                path=str(self.path),
                column=name,
            )
        return found

    def chunks(self) -> Iterator[slice]:
        """Slices of rows small enough to stay in memory while they are looked at."""
        return (slice(start, start + CHUNK_ROWS) for start in range(0, len(self.table), CHUNK_ROWS))

    def times(self, rows: np.ndarray) -> np.ndarray:
        """Times of some rows in seconds, as the column has them."""
        return self.column("TIME").values(rows)


def open_events(path: str | Path) -> EventList:
    """Open an event list.

    Parameters
    ----------
    path : path-like
        FITS file, plain or gzip-compressed.

    Raises
    ------
    BadEventListError
        If it is no complete FITS file, holds no events table, or is of a telescope whose conventions are not known.
    """
    file = read_fits(Path(path))
    tables = file.named(*TABLES)
    if not tables:
        names = ", ".join(hdu.name or "PRIMARY" for hdu in file.hdus)
        raise damaged(file.path, f"it has no table {' or '.join(TABLES)}, only {names}")
    hdu = tables[0]
    try:
        table = hdu.table()
    except (ValueError, TypeError) as error:
        raise damaged(file.path, f"its table {hdu.name} is malformed: {error}") from error
    return EventList(file, hdu, table, convention_of(file, hdu.header))

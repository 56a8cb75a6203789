"""A mission's table and tree at HEASARC, for its part of an offline sky: what missions there have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from daxa_testing.sky import FILES, Column, Sky

TAP: Final = "https://heasarc.gsfc.nasa.gov/xamin/vo/tap"
Rows = Iterable[Mapping[str, Any]] | Callable[[], Iterable[Mapping[str, Any]]]


def mjd(text: str) -> float:
    """Modified Julian Date of an ISO time."""
    return (datetime.fromisoformat(text) - datetime(1858, 11, 17)) / timedelta(days=1)


@frozen
class Holdings:
    """A table of observations, and the tree of their files.

    Parameters
    ----------
    table : str
        Name of the table.
    columns : sequence of Column
        Its columns, as far as they matter.
    row : callable
        Makes a row: ``row(obs_id, ra, dec, start, extent, **more)``.
    directory : callable
        Address of an observation's directory, by ObsID.
    tap : str
        Address of the TAP service.
    """

    table: str
    columns: Sequence[Column]
    row: Callable[..., dict[str, Any]]
    directory: Callable[[str], str]
    tap: str = TAP

    def add_rows(self, sky: Sky, rows: Rows) -> None:
        """Add rows to the table, or what makes them when it is first asked."""
        sky.add_table(self.tap, self.table, self.columns, rows if callable(rows) else list(rows))

    def add_files(self, sky: Sky, obs_id: str, files: Mapping[str, bytes | Path]) -> None:
        """Add files of an observation, by path below its directory."""
        for path, content in files.items():
            sky.add_file(self.directory(obs_id) + path, content)

    def add_observation(
        self,
        sky: Sky,
        obs_id: str,
        ra: float,
        dec: float,
        start: str,
        extent: Any,
        files: Mapping[str, bytes | Path] | None = None,
        **more: Any,
    ) -> None:
        """Add an observation: its row, and its files. `extent` is its end or its length, as `row` wants it."""
        self.add_rows(sky, [self.row(obs_id, ra, dec, start, extent, **more)])
        self.add_files(sky, obs_id, files or {})


__all__ = ["FILES", "TAP", "Holdings", "Rows", "mjd"]

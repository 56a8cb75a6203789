"""Chandra's table and tree for an offline sky (needs daxa-testing; not used by the plugin itself)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from daxa_testing.sky import Column, Sky

TAP: Final = "https://heasarc.gsfc.nasa.gov/xamin/vo/tap"
FILES: Final = "https://heasarc.gsfc.nasa.gov/FTP/"
TABLE: Final = "chanmaster"

COLUMNS: Final = (
    Column("obsid"),
    Column("status", arraysize="10"),
    Column("name"),
    Column("ra", "double", "degree"),
    Column("dec", "double", "degree"),
    Column("time", "double", "mjd"),
    Column("detector", arraysize="8"),
    Column("grating"),
    Column("exposure", "double", "s"),
    Column("type"),
    Column("data_mode"),
    Column("class"),
    Column("public_date", "int", "mjd"),
    Column("daxa_origin"),
)
"""Columns of ``chanmaster`` that matter here, and where a row is from: ``recorded``, ``header`` or ``generated``."""


def mjd(text: str) -> float:
    """Modified Julian Date of an ISO time."""
    return (datetime.fromisoformat(text) - datetime(1858, 11, 17)) / timedelta(days=1)


def row(obs_id: str, ra: float, dec: float, start: str, exposure: float, **more: Any) -> dict[str, Any]:
    """A row of the table; what is not said is that of a usual observation with ACIS-S, public."""
    usual = {
        "status": "archived",
        "name": "TARGET",
        "detector": "ACIS-S",
        "grating": "NONE",
        "type": "GO",
        "data_mode": "TE_0046E",
        "class": "CLUSTER OF GALAXIES",
        "public_date": 58_849,
        "daxa_origin": "generated",
    }
    return {**usual, "obsid": obs_id, "ra": ra, "dec": dec, "time": mjd(start), "exposure": exposure, **more}


def directory(obs_id: str) -> str:
    """Address of an observation's directory."""
    return f"{FILES}chandra/data/byobsid/{obs_id[-1]}/{obs_id}/"


def add_rows(sky: Sky, rows: Iterable[Mapping[str, Any]]) -> None:
    """Add rows to the table."""
    sky.add_table(TAP, TABLE, COLUMNS, list(rows))


def add_files(sky: Sky, obs_id: str, files: Mapping[str, bytes | Path]) -> None:
    """Add files of an observation, by path below its directory."""
    for path, content in files.items():
        sky.add_file(directory(obs_id) + path, content)


def add_observation(
    sky: Sky,
    obs_id: str,
    ra: float,
    dec: float,
    start: str,
    exposure: float,
    files: Mapping[str, bytes | Path] | None = None,
    **more: Any,
) -> None:
    """Add an observation: its row, and its files."""
    add_rows(sky, [row(obs_id, ra, dec, start, exposure, **more)])
    add_files(sky, obs_id, files or {})

"""Chandra's table and tree for an offline sky (needs daxa-testing; not used by the plugin itself)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from daxa_testing.heasarc import FILES, Holdings, mjd
from daxa_testing.sky import Column, Sky

TABLE: Final = "chanmaster"
CXC: Final = "https://cxc.cfa.harvard.edu/cdaftp/"

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


def add_cxc_files(sky: Sky, obs_id: str, files: Mapping[str, bytes | Path]) -> None:
    """Add files of an observation to the observatory's own site, by path below its directory there."""
    for path, content in files.items():
        sky.add_file(f"{CXC}byobsid/{obs_id[-1]}/{obs_id}/{path}", content)


HOLDINGS: Final = Holdings(TABLE, COLUMNS, row, directory)
add_rows, add_files, add_observation = HOLDINGS.add_rows, HOLDINGS.add_files, HOLDINGS.add_observation

"""NuSTAR's table and tree for an offline sky (needs daxa-testing; not used by the plugin itself)."""

from __future__ import annotations

from typing import Any, Final

from daxa_testing.heasarc import FILES, Holdings, mjd
from daxa_testing.sky import Column

TABLE: Final = "numaster"

COLUMNS: Final = (
    Column("obsid"),
    Column("name"),
    Column("ra", "double", "degree"),
    Column("dec", "double", "degree"),
    Column("time", "double", "mjd"),
    Column("end_time", "double", "mjd"),
    Column("status"),
    Column("observation_mode"),
    Column("instrument_mode"),
    Column("spacecraft_mode"),
    Column("subject_category"),
    Column("obs_type"),
    Column("exposure_a", "double", "s"),
    Column("exposure_b", "double", "s"),
    Column("ontime_a", "double", "s"),
    Column("ontime_b", "double", "s"),
    Column("nupsdout", "int"),
    Column("issue_flag", "int"),
    Column("public_date", "int", "mjd"),
    Column("daxa_origin"),
)
"""Columns of ``numaster`` that matter here, and where a row is from: ``recorded``, ``header`` or ``generated``."""


def row(obs_id: str, ra: float, dec: float, start: str, end: str, **more: Any) -> dict[str, Any]:
    """A row of the table; what is not said is that of a usual observation, 20 ks long and public."""
    usual = {
        "name": "TARGET",
        "status": "archived",
        "observation_mode": "SCIENCE",
        "instrument_mode": "NORMAL",
        "spacecraft_mode": "INERTIAL",
        "subject_category": "Active galaxies and Quasars",
        "obs_type": "GO",
        "exposure_a": 20_000.0,
        "exposure_b": 20_000.0,
        "ontime_a": 21_000.0,
        "ontime_b": 21_000.0,
        "nupsdout": 0,
        "issue_flag": 0,
        "public_date": 58_849,
        "daxa_origin": "generated",
    }
    return {**usual, "obsid": obs_id, "ra": ra, "dec": dec, "time": mjd(start), "end_time": mjd(end), **more}


def directory(obs_id: str) -> str:
    """Address of an observation's directory."""
    return f"{FILES}nustar/data/obs/{obs_id[1:3]}/{obs_id[0]}/{obs_id}/"


HOLDINGS: Final = Holdings(TABLE, COLUMNS, row, directory)
add_rows, add_files, add_observation = HOLDINGS.add_rows, HOLDINGS.add_files, HOLDINGS.add_observation

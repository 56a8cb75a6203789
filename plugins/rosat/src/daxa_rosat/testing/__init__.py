"""ROSAT's tables and tree for an offline sky (needs daxa-testing; not used by the plugin itself)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from daxa_testing.sky import Column, Sky

TAP: Final = "https://heasarc.gsfc.nasa.gov/xamin/vo/tap"
FILES: Final = "https://heasarc.gsfc.nasa.gov/FTP/"
POINTED: Final = "rosmaster"
SURVEY: Final = "rassmaster"

POINTED_COLUMNS: Final = (
    Column("seq_id"),
    Column("instrument"),
    Column("exposure", "int", "s"),
    Column("name"),
    Column("ra", "double", "degree"),
    Column("dec", "double", "degree"),
    Column("start_time", "double", "mjd"),
    Column("end_time", "double", "mjd"),
    Column("filter"),
    Column("fits_type"),
    Column("proc_rev", "int"),
    Column("site"),
    Column("subj_cat", "int"),
    Column("daxa_origin"),
)
"""Columns of ``rosmaster`` that matter here, and where a row is from: ``recorded``, ``header`` or ``generated``."""

SURVEY_COLUMNS: Final = (
    Column("seq_id"),
    Column("exposure", "int", "s"),
    Column("ra", "double", "degree"),
    Column("dec", "double", "degree"),
    Column("start_date", "double", "mjd"),
    Column("end_date", "double", "mjd"),
    Column("daxa_origin"),
)
"""Columns of ``rassmaster`` that matter here, and where a row is from."""


def mjd(text: str) -> float:
    """Modified Julian Date of an ISO time."""
    return (datetime.fromisoformat(text) - datetime(1858, 11, 17)) / timedelta(days=1)


def row(seq_id: str, ra: float, dec: float, start: str, end: str, **more: Any) -> dict[str, Any]:
    """A row of the pointed observations; what is not said is that of a usual one, 10 ks with the PSPC-B."""
    usual = {
        "instrument": "PSPCB",
        "exposure": 10_000,
        "name": "TARGET",
        "filter": "N",
        "fits_type": "RDF 3_4",
        "proc_rev": 2,
        "site": "GSFC",
        "subj_cat": 8,
        "daxa_origin": "generated",
    }
    times = {"start_time": mjd(start), "end_time": mjd(end)}
    return {**usual, "seq_id": seq_id, "ra": ra, "dec": dec, **times, **more}


def survey_row(seq_id: str, ra: float, dec: float, start: str, end: str, **more: Any) -> dict[str, Any]:
    """A row of the survey's tiles."""
    usual = {"exposure": 20_000, "daxa_origin": "generated"}
    times = {"start_date": mjd(start), "end_date": mjd(end)}
    return {**usual, "seq_id": seq_id, "ra": ra, "dec": dec, **times, **more}


def directory(seq_id: str) -> str:
    """Address of an observation's directory."""
    detector = "hri" if seq_id[1] == "H" else "pspc"
    group = "900000" if seq_id.startswith("RS") else f"{seq_id[2]}00000"
    return f"{FILES}rosat/data/{detector}/processed_data/{group}/{seq_id.lower()}/"


def add_rows(sky: Sky, rows: Iterable[Mapping[str, Any]]) -> None:
    """Add pointed observations to their table."""
    sky.add_table(TAP, POINTED, POINTED_COLUMNS, list(rows))


def add_survey_rows(sky: Sky, rows: Iterable[Mapping[str, Any]]) -> None:
    """Add tiles of the survey to their table."""
    sky.add_table(TAP, SURVEY, SURVEY_COLUMNS, list(rows))


def add_files(sky: Sky, seq_id: str, files: Mapping[str, bytes | Path]) -> None:
    """Add files of an observation, by name."""
    for name, content in files.items():
        sky.add_file(directory(seq_id) + name, content)


def add_observation(
    sky: Sky,
    seq_id: str,
    ra: float,
    dec: float,
    start: str,
    end: str,
    files: Mapping[str, bytes | Path] | None = None,
    **more: Any,
) -> None:
    """Add an observation, pointed or of the survey: its row, and its files."""
    if seq_id.startswith("RS"):
        add_survey_rows(sky, [survey_row(seq_id, ra, dec, start, end, **more)])
    else:
        add_rows(sky, [row(seq_id, ra, dec, start, end, **more)])
    add_files(sky, seq_id, files or {})

"""ROSAT's tables and tree for an offline sky (needs daxa-testing; not used by the plugin itself)."""

from __future__ import annotations

from typing import Any, Final

from daxa_testing.heasarc import FILES, Holdings, mjd
from daxa_testing.sky import Column, Sky

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


POINTINGS: Final = Holdings(POINTED, POINTED_COLUMNS, row, directory)
TILES: Final = Holdings(SURVEY, SURVEY_COLUMNS, survey_row, directory)
add_rows, add_survey_rows, add_files = POINTINGS.add_rows, TILES.add_rows, POINTINGS.add_files


def add_observation(sky: Sky, seq_id: str, *told: Any, **more: Any) -> None:
    """Add an observation, pointed or of the survey: its row, and its files."""
    (TILES if seq_id.startswith("RS") else POINTINGS).add_observation(sky, seq_id, *told, **more)

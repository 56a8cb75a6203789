"""XMM-Newton's tables and trees for an offline sky (needs daxa-testing; not used by the plugin itself)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

from daxa_testing.heasarc import FILES, Rows, mjd
from daxa_testing.heasarc import TAP as HEASARC_TAP
from daxa_testing.sky import Column, Sky

XSA_TAP: Final = "https://nxsa.esac.esa.int/tap-server/tap"
XSA_TABLE: Final = "v_all_observations"
HEASARC_TABLE: Final = "xmmmaster"

XSA_COLUMNS: Final = (
    Column("observation_id"),
    Column("revolution", "int"),
    Column("ra", "double", "deg"),
    Column("dec", "double", "deg"),
    Column("start_utc"),
    Column("end_utc"),
    Column("duration", "double", "s"),
    Column("proprietary_end_date"),
    Column("with_science"),
    Column("stc_s"),
    Column("daxa_origin"),
)
"""Columns of ``v_all_observations`` that matter here, and where a row is from: ``recorded``, ``header``,
``generated``."""

HEASARC_COLUMNS: Final = (
    Column("obsid", arraysize="10"),
    Column("name"),
    Column("ra", "double", "degree"),
    Column("dec", "double", "degree"),
    Column("time", "double", "mjd"),
    Column("end_time", "double", "mjd"),
    Column("status"),
    Column("duration", "double", "s"),
    Column("public_date", "int", "mjd"),
    Column("data_in_heasarc"),
    Column("xmm_revolution", "int"),
    Column("daxa_origin"),
)
"""Columns of ``xmmmaster`` that matter here, and where a row is from."""

NO_DATE: Final = "3000-01-01 00:00:00"
"""How ESA writes that no date is known from which data are public; HEASARC's number for it is 416422."""


def row(obs_id: str, ra: float | None, dec: float | None, start: str, duration: float, **more: Any) -> dict[str, Any]:
    """A row of ESA's table; what is not said is that of a usual observation, public and with science."""
    usual = {
        "revolution": 1000,
        "end_utc": _end(start, duration),
        "proprietary_end_date": "2020-01-01 00:00:00",
        "with_science": "true",
        "daxa_origin": "generated",
    }
    return {**usual, "observation_id": obs_id, "ra": ra, "dec": dec, "start_utc": start, "duration": duration, **more}


def _end(start: str, duration: float) -> str:
    return f"{datetime.fromisoformat(start) + timedelta(seconds=duration):%Y-%m-%d %H:%M:%S}"


def heasarc_row(xsa: Mapping[str, Any]) -> dict[str, Any]:
    """A row of HEASARC's table for an observation, as ESA's table has it."""
    public = str(xsa["proprietary_end_date"] or NO_DATE)
    return {
        "obsid": xsa["observation_id"],
        "name": "TARGET",
        "ra": xsa["ra"],
        "dec": xsa["dec"],
        "time": mjd(xsa["start_utc"]),
        "end_time": mjd(xsa.get("end_utc") or _end(xsa["start_utc"], xsa["duration"])),
        "status": "archived" if xsa["with_science"] == "true" else "observed",
        "duration": xsa["duration"],
        "public_date": 416_422 if public >= NO_DATE else int(mjd(public)),
        "data_in_heasarc": "Y",
        "xmm_revolution": xsa["revolution"],
        "daxa_origin": xsa.get("daxa_origin", "generated"),
    }


def footprint(ra: float, dec: float, radius: float = 0.25) -> str:
    """An octagon around a position, all in degrees, as STC-S; it is made for the sky, not recorded."""
    corners = []
    for number in range(8):
        angle = math.tau * number / 8
        north = min(max(dec + radius * math.cos(angle), -90.0), 90.0)
        east = (ra + radius * math.sin(angle) / max(math.cos(math.radians(north)), 1e-3)) % 360
        corners.append(f"{east:.6f} {north:.6f}")
    return f"Polygon J2000 {' '.join(corners)}"


def _with_footprint(row: Mapping[str, Any]) -> Mapping[str, Any]:
    placed = row["ra"] is not None and row["dec"] is not None and "stc_s" not in row
    return {**row, "stc_s": footprint(row["ra"], row["dec"])} if placed else row


def add_rows(sky: Sky, rows: Rows, *, heasarc: bool = True) -> None:
    """Add observations, as ESA's table has them, to that and to HEASARC's; or what makes them when one is asked."""
    if callable(rows):
        make = cache(lambda: [_with_footprint(one) for one in rows()])
        sky.add_table(XSA_TAP, XSA_TABLE, XSA_COLUMNS, make)
        if heasarc:
            sky.add_table(HEASARC_TAP, HEASARC_TABLE, HEASARC_COLUMNS, lambda: map(heasarc_row, make()))
        return
    kept = [_with_footprint(one) for one in rows]
    sky.add_table(XSA_TAP, XSA_TABLE, XSA_COLUMNS, kept)
    if heasarc:
        sky.add_table(HEASARC_TAP, HEASARC_TABLE, HEASARC_COLUMNS, [heasarc_row(one) for one in kept])


def directory(obs_id: str, level: str) -> str:
    """Address of an observation's directory at HEASARC; `level` is ``ODF`` or ``PPS``."""
    return f"{FILES}xmm/data/rev0/{obs_id}/{level}/"


def add_files(
    sky: Sky,
    obs_id: str,
    *,
    pps: Mapping[str, bytes | Path] | None = None,
    odf: Mapping[str, bytes | Path] | None = None,
    esa: bool = True,
    heasarc: bool = True,
) -> None:
    """Add files of an observation by name, to ESA's servlet and to HEASARC's tree."""
    for level, files in (("PPS", pps or {}), ("ODF", odf or {})):
        for name, content in files.items():
            if esa:
                sky.add_aio(obs_id, level, name, content)
            if heasarc:
                sky.add_file(directory(obs_id, level) + name, content)


def add_observation(
    sky: Sky,
    obs_id: str,
    ra: float,
    dec: float,
    start: str,
    duration: float,
    *,
    pps: Mapping[str, bytes | Path] | None = None,
    odf: Mapping[str, bytes | Path] | None = None,
    **more: Any,
) -> None:
    """Add an observation: its rows, and its files."""
    add_rows(sky, [row(obs_id, ra, dec, start, duration, **more)])
    add_files(sky, obs_id, pps=pps, odf=odf)

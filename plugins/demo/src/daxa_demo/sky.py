"""The demonstration's part of the offline sky: real event lists, and catalogue rows around them."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from daxa_testing.sky import Column, Sky

DATA: Final = Path(__file__).parent / "data"

NAMES: Final = {
    **dict.fromkeys(("A3667", "Abell 3667", "ACO 3667"), (303.13, -56.83)),
    **dict.fromkeys(("PHL 1811", "PHL1811"), (328.75623, -9.37361)),
    **dict.fromkeys(("M51", "M 51", "NGC 5194"), (202.46958, 47.19526)),
    "Abell 907": (149.59164, -11.06378),
    "A907": (149.59164, -11.06378),
    "M82": (148.96846, 69.67970),
    "M 82": (148.96846, 69.67970),
    "NGC 1961": (85.51935, 69.37844),
    "NGC1961": (85.51935, 69.37844),
}
"""Positions in degrees, ICRS."""

_NUMBERS: Final = {"int": int, "long": int, "double": float}


def rows(name: str, columns: Iterable[Column]) -> list[dict[str, Any]]:
    """Rows of one of the tables that come along: a small one of what is real or recorded, and the many around it.

    Parameters
    ----------
    name : str
        Name of the table.
    columns : iterable of Column
        Its columns; numbers that are missing are None.
    """
    kinds = {column.name: _NUMBERS.get(column.datatype, str) for column in columns}
    found: list[dict[str, Any]] = []
    with (DATA / "catalogues" / f"{name}.csv").open(newline="", encoding="utf-8") as stream:
        found += _read(stream, kinds)
    with gzip.open(DATA / "catalogues" / f"{name}.more.csv.gz", "rt", newline="", encoding="utf-8") as stream:
        found += _read(stream, kinds)
    return found


def _read(stream: Iterable[str], kinds: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    lines = csv.reader(stream)
    names = next(lines)
    made = [(name, kinds[name], kinds[name] is str) for name in names]
    for line in lines:
        yield {
            name: value if text else (kind(value) if value else None)
            for (name, kind, text), value in zip(made, line, strict=True)
        }


def files(directory: str, *names: str) -> dict[str, Path]:
    """Files that come along, by name."""
    return {name: DATA / directory / name for name in names}


def below(place: str, found: dict[str, Path]) -> dict[str, bytes | Path]:
    """Files by path, in a directory of an observation."""
    return {f"{place}/{name}": path for name, path in found.items()}


def contribute(sky: Sky) -> None:
    """Add to a sky what the demonstration looks at.

    Parameters
    ----------
    sky : Sky
        The sky.
    """
    _xmm(sky)
    _chandra(sky)
    _rosat(sky)
    _nustar(sky)
    for name, (ra, dec) in NAMES.items():
        sky.add_name(name, ra, dec)


def _xmm(sky: Sky) -> None:
    """Abell 907: event lists of two observations; a third is in the catalogue, and has no files."""
    from daxa_xmm import testing

    testing.add_rows(sky, partial(rows, testing.XSA_TABLE, testing.XSA_COLUMNS))
    for obs_id in ("0404910601", "0201903501"):
        names: Sequence[str] = [f"P{obs_id}{exposure}MIEVLI0000.FTZ" for exposure in ("M1S001", "M2S002")]
        testing.add_files(sky, obs_id, pps={**files("xmm", *names)})


def _chandra(sky: Sky) -> None:
    from daxa_chandra import testing

    testing.add_rows(sky, partial(rows, testing.TABLE, testing.COLUMNS))
    testing.add_files(sky, "10027", below("primary", files("chandra", "acisf10027N003_evt2.fits.gz")))


def _rosat(sky: Sky) -> None:
    from daxa_rosat import testing

    testing.add_rows(sky, partial(rows, testing.POINTED, testing.POINTED_COLUMNS))
    testing.add_survey_rows(sky, partial(rows, testing.SURVEY, testing.SURVEY_COLUMNS))
    testing.add_files(sky, "RP800282N00", {**files("rosat", "rp800282n00_bas.fits.Z")})


def _nustar(sky: Sky) -> None:
    from daxa_nustar import testing

    testing.add_rows(sky, partial(rows, testing.TABLE, testing.COLUMNS))
    testing.add_files(sky, "90410111001", below("event_cl", files("nustar", "nu90410111001A06_cl.evt.gz")))
    housekeeping = files("nustar", "nu90410111001A_fpm.hk.gz", "nu90410111001_chu123.fits.gz")
    testing.add_files(sky, "90410111001", below("hk", housekeeping))

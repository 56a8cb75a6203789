"""What a calibration index (``ccf.cif``) says: which files of the calibration SAS uses for an observation.

``cifbuild`` chooses them by the dates of observation and analysis. Two reductions saw the same calibration if their
indices name the same constituents, wherever the files lie and whenever the indices were made.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import warnings
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, Final

from attrs import frozen

from daxa.api import TaskError

LARGEST: Final = 16 * 2**20
"""Bytes of a file that is still taken for an index: real ones have 0.1 million."""

_EXTENSION: Final = "CALINDEX"
_COLUMNS: Final = ("SCOPE", "TYPEID", "ISSUE", "VALDATE", "VALDATE-END", "FNAME", "DATE", "SUBDATE", "FSIZE", "MD5")
_NEEDED: Final = ("SCOPE", "TYPEID", "ISSUE")
_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_+.-]*\Z")


class BadCalibrationIndexError(TaskError, ValueError):
    """A calibration index is damaged, empty, or no index at all."""

    code: ClassVar[str] = "bad-calibration-index"


@frozen(kw_only=True)
class Constituent:
    """One file of the calibration.

    Parameters
    ----------
    scope : str
        What it is for: an instrument (``EMOS1``, ``EPN``, ``RGS1``, ``OM``), a mirror (``XRT1``), or ``XMM``.
    kind : str
        What it holds, e.g. ``ADUCONV``.
    issue : int
        Its number; of a later one the contents are newer.
    file : str
        Name of the file, without its directory.
    valid_from, valid_to : str
        Dates of observations that it holds for, ISO 8601, UTC; empty where there is no limit.
    created, released : str
        When it was made and given out, ISO 8601, UTC; empty if not known.
    size : int
        Bytes; 0 if not known.
    md5 : str
        Checksum as the index gives it; empty if it gives none.
    """

    scope: str
    kind: str
    issue: int
    file: str
    valid_from: str = ""
    valid_to: str = ""
    created: str = ""
    released: str = ""
    size: int = 0
    md5: str = ""

    def __str__(self) -> str:
        return f"{self.scope}_{self.kind}_{self.issue:04d}"


def parse_cif(path: str | os.PathLike[str]) -> list[Constituent]:
    """Read a calibration index.

    Parameters
    ----------
    path : path-like
        The file that ``cifbuild`` made, FITS.

    Returns
    -------
    list of Constituent
        In the order of the file, which is that of scope and kind.

    Raises
    ------
    BadCalibrationIndexError
        The file cannot be read, is damaged, or names nothing.
    """
    place = Path(path)
    try:
        if place.exists() and not place.is_file():  # to open a pipe would wait for its other end
            raise _problem(place, "it is not a regular file")
        with place.open("rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise _problem(place, f"it has more than {LARGEST} bytes")
        if not content.startswith(b"SIMPLE  ="):  # nor is anything unpacked here
            raise _problem(place, "it is not a FITS file")
        columns = _table(place, content)
    except (OSError, ValueError) as error:
        if isinstance(error, BadCalibrationIndexError):
            raise
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise _problem(place, f"it cannot be read: {reason}") from error
    found = [_constituent(place, number, dict(zip(columns, row, strict=True))) for number, row in _rows(columns)]
    if not found:
        raise _problem(place, "it names no file of the calibration")
    return found


def calibration_digest(constituents: Iterable[Constituent], scopes: Iterable[str] | None = None) -> str:
    """Return a short text that is the same for the same calibration, whatever the order, the directory or the date.

    Parameters
    ----------
    constituents : iterable of Constituent
        What `parse_cif` returned.
    scopes : iterable of str, optional
        Those that matter, e.g. ``{"EPN", "XRT3", "XMM"}``; all by default.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    wanted = None if scopes is None else frozenset(scopes)
    lines = sorted(f"{one} {one.md5.lower()}" for one in constituents if wanted is None or one.scope in wanted)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def newest_release(constituents: Iterable[Constituent]) -> str:
    """Return the date, ISO 8601, of the constituent that was given out last: how old a calibration is."""
    return max((one.released or one.created for one in constituents), default="")


def _table(path: Path, content: bytes) -> dict[str, list[Any]]:
    """Read the columns that are used; the bytes they should have are counted before they are asked for."""
    from astropy.io import fits

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is odd about the file is told by what follows
        try:
            with fits.open(io.BytesIO(content), memmap=False, lazy_load_hdus=True) as file:
                hdu = file[_EXTENSION]
                if not isinstance(hdu, fits.BinTableHDU):
                    raise _problem(path, f"{_EXTENSION} is not a binary table")
                if hdu.size < 0 or hdu.fileinfo()["datLoc"] + hdu.size > len(content):
                    raise _problem(path, "it was cut short")
                names = {name.upper(): name for name in hdu.columns.names}
                if missing := [name for name in _NEEDED if name not in names]:
                    raise _problem(path, f"its table lacks {', '.join(missing)}")
                return {name: hdu.data[names[name]].tolist() for name in _COLUMNS if name in names}
        except (KeyError, TypeError, IndexError, AttributeError, OverflowError, fits.VerifyError) as error:
            raise _problem(path, f"it has no readable table {_EXTENSION} ({str(error)[:200]})") from error


def _rows(columns: dict[str, list[Any]]) -> Iterable[tuple[int, tuple[Any, ...]]]:
    return enumerate(zip(*columns.values(), strict=True), start=1)


def _constituent(path: Path, number: int, row: dict[str, Any]) -> Constituent:
    """Make the record of a row."""
    texts = {name: value.strip() if isinstance(value, str) else "" for name, value in row.items()}
    scope, kind, issue, size = texts["SCOPE"], texts["TYPEID"], row["ISSUE"], row.get("FSIZE", 0)
    if not (_WORD.match(scope) and _WORD.match(kind) and isinstance(issue, int) and issue >= 0):
        raise _problem(path, f"row {number} names no file of the calibration: {f'{scope}_{kind}_{issue}'[:80]!r}")
    return Constituent(
        scope=scope,
        kind=kind,
        issue=issue,
        file=PurePosixPath(texts.get("FNAME", "")).name or f"{scope}_{kind}_{issue:04d}.CCF",
        valid_from=texts.get("VALDATE", ""),
        valid_to=texts.get("VALDATE-END", ""),
        created=texts.get("DATE", ""),
        released=texts.get("SUBDATE", ""),
        size=size if isinstance(size, int) and size > 0 else 0,
        md5=texts.get("MD5", ""),
    )


def _problem(path: Path, what: str) -> BadCalibrationIndexError:
    return BadCalibrationIndexError(
        f"The calibration index {path}: {what}.",
        expected=f"a FITS file of cifbuild with a table {_EXTENSION}",
        remedy="delete it and run cif_build again",
        path=str(path),
    )

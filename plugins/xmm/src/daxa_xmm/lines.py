"""The lines of a log, whatever it comes as, with no more of it in memory than a line."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, TypeAlias

LONGEST: Final = 2**20
"""Bytes of a file's line; a longer one is read as several."""

Log: TypeAlias = str | bytes | Iterable[str | bytes] | os.PathLike[str]
"""A text, its lines, or the `Path` of the file that holds them."""


def lines_of(log: Log) -> Iterator[str]:
    """Yield the lines of a log as text, with or without their ends.

    Parameters
    ----------
    log : str, bytes, iterable of str or bytes, or path-like
        A text, its lines, or the `Path` of a file (a str is always a text). Bytes that are not UTF-8 are replaced.

    Yields
    ------
    str
        One line.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    if isinstance(log, os.PathLike):
        with Path(log).open("rb") as file:
            while piece := file.readline(LONGEST):
                yield piece.decode(errors="replace")
    elif isinstance(log, str):
        yield from log.split("\n")
    elif isinstance(log, bytes | bytearray):
        yield from log.decode(errors="replace").split("\n")
    else:
        for line in log:
            yield line if isinstance(line, str) else line.decode(errors="replace")

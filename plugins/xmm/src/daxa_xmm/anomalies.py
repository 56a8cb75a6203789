"""States of the CCDs of EPIC-MOS, as ``emanom`` tells them."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from daxa.api import TaskError
from daxa_xmm.parameters import states

_CCD: Final = re.compile(r"CCD:\s*(?P<ccd>\d+)\s+Hard.*Status:\s*(?P<state>\w)")


def parse_emanom_out(
    log_file_path: str | os.PathLike[str], acceptable_states: str | Sequence[str] = ("G", "I", "U")
) -> list[int]:
    """Return the CCDs of an EPIC-MOS camera whose state is good enough.

    Parameters
    ----------
    log_file_path : path-like
        Log that ``emanom`` wrote, ``mos1S001-anom.log``.
    acceptable_states : str or sequence of str
        Some of G (good), I (intermediate), B (bad), O (off), U (undetermined).

    Returns
    -------
    list of int
        Numbers of CCDs, in the order of the log.

    Raises
    ------
    FileNotFoundError
        If there is no such log.
    InvalidParameterError
        If a state is unknown.
    TaskError
        If the log tells of no CCD.
    """
    accepted = states(acceptable_states)
    found = [match for match in map(_CCD.search, _text(Path(log_file_path)).splitlines()) if match is not None]
    if not found:
        raise TaskError(
            f"{log_file_path} tells of no CCD.", expected="lines such as 'CCD: 2 Hard: ... Status: G'",
            remedy="run emanom again: rerun='emanom'", path=str(log_file_path),
        )  # fmt: skip
    return [int(match["ccd"]) for match in found if match["state"] in accepted]


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")

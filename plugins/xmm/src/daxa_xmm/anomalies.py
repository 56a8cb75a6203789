"""States of the CCDs of EPIC-MOS, as ``emanom`` tells them."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Final

from daxa.api import TaskError
from daxa_xmm.lines import lines_of
from daxa_xmm.parameters import states

REMEDY: Final = "run emanom again: rerun='emanom'"
"""What helps against a log that cannot be used."""

_CCD: Final = re.compile(r"CCD:\s{0,9}(?P<ccd>\d{1,3})\s{1,9}Hard(?:.{0,400}?Status:\s{0,9}(?P<state>[A-Z])(?!\w))?")


class MissingLogError(TaskError, FileNotFoundError):
    """The log of a task that is needed is not there."""

    code: ClassVar[str] = "missing-log"

    __str__ = TaskError.__str__


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
    MissingLogError
        If there is no such log; it is a FileNotFoundError.
    InvalidParameterError
        If a state is unknown.
    TaskError
        If the log cannot be read, tells of no CCD, or was cut short within a line.
    """
    accepted, path = states(acceptable_states), Path(log_file_path)
    try:
        if path.exists() and not path.is_file():  # to open a pipe would wait for its other end
            raise _problem(path, "is not a regular file")
        found = [match for match in map(_CCD.search, lines_of(path)) if match is not None]
    except FileNotFoundError as error:
        raise MissingLogError(
            f"There is no log {path}.", expected="the log that emanom wrote", remedy=REMEDY, path=str(path)
        ) from error
    except (OSError, ValueError) as error:
        raise _problem(path, f"cannot be read: {error}") from error
    if not found:
        raise _problem(path, "tells of no CCD")
    if cut := [match["ccd"] for match in found if match["state"] is None]:
        raise _problem(path, f"does not tell the state of CCD {', '.join(cut)}")
    return [int(match["ccd"]) for match in found if match["state"] in accepted]


def _problem(path: Path, what: str) -> TaskError:
    return TaskError(
        f"{path} {what}.", expected="lines such as 'CCD: 2 Hard: ... Status: G'", remedy=REMEDY, path=str(path)
    )

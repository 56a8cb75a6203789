"""Rules of a scenario: what happens to which command on which data.

Each is a plain mapping, and may be written by hand into ``scenario.json``. ``id`` is the beginning of an identifier:
``0502671101`` means all of an observation, ``0502671101PNS003`` one exposure, the empty text everything. ``when`` are
arguments that the command must have been given. In texts, ``{name}`` stands for the parameter of that name, for a
word of ``words``, for the working directory (``{cwd}``), or for what is before ``processed_data/`` in the path of an
input (``{ARCHIVE_PATH}``, as in the recorded logs). With ``stdout`` the program says nothing but that text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def _rule(command: str, identifier: str, do: str, **more: Any) -> dict[str, Any]:
    made = {"command": command, "id": identifier, "do": do}
    return made | {name: value for name, value in more.items() if value not in (None, ())}


def fails(
    command: str,
    identifier: str = "",
    *,
    stderr: str | None = None,
    stdout: str | None = None,
    status: int = 1,
    when: Sequence[str] = (),
    words: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Say that a command ends with a status, after printing texts, and writes nothing.

    Parameters
    ----------
    command, identifier : str
        Which.
    stderr, stdout : str, optional
        What is printed; by default an error of the SAS's, and the program's usual first lines.
    status : int
        Exit status.
    when : sequence of str
        Arguments that it must have been given.
    words : mapping, optional
        What stands for other words in braces.
    """
    text = stderr if stderr is not None else f"** {command}: error (constituent), The scenario wants this to fail.\n"
    return _rule(command, identifier, "fail", stderr=text, stdout=stdout, status=status, when=list(when), words=words)


def says(
    command: str,
    identifier: str = "",
    *,
    stdout: str | None = None,
    stderr: str | None = None,
    when: Sequence[str] = (),
    words: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Say that a command prints these texts, and does its work."""
    return _rule(command, identifier, "say", stdout=stdout, stderr=stderr, when=list(when), words=words)


def warns(command: str, identifier: str, message: str, times: int = 1, when: Sequence[str] = ()) -> dict[str, Any]:
    """Say that a command prints a line so many times on its standard error, and does its work."""
    return _rule(command, identifier, "warn", message=message, times=times, when=list(when))


def hangs(command: str, identifier: str = "", seconds: float = 86_400, when: Sequence[str] = ()) -> dict[str, Any]:
    """Say that a command sleeps before it does its work."""
    return _rule(command, identifier, "hang", seconds=seconds, when=list(when))


def writes_nothing(command: str, identifier: str = "", when: Sequence[str] = ()) -> dict[str, Any]:
    """Say that a command ends well, as it says, but leaves no file."""
    return _rule(command, identifier, "nothing", when=list(when))


def writes_no_events(command: str, identifier: str = "", when: Sequence[str] = ()) -> dict[str, Any]:
    """Say that `epchain`, `emchain` or `rgsproc` writes an event list without events."""
    return _rule(command, identifier, "empty", when=list(when))

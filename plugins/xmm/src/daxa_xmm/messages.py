"""What SAS tasks say of their troubles: ``** <task>: error (<name>), <message>``, and warnings of the same form.

SAS writes these lines among everything else. They are found by their form alone. No list of known names decides what is
an error: in logs of SAS 22, a third of the messages have a name that is in none, and a name may hold blanks. The
indented lines below a message are part of it. What is above ``error`` (``fatal``) counts as an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from daxa_xmm.lines import Log, lines_of

LONGEST: Final = 4000
"""Characters that are kept of a message; the log itself keeps all."""

_OPENING: Final = re.compile(
    r"\*\* {1,4}(?P<task>(?:[^:*\s](?:[^:*\n]{0,98}[^:*\s])?::){0,8}[^:*\s](?:[^:*\n]{0,98}[^:*\s])?) ?: ?"
    r"(?P<level>fatal error|fatal|error|warning)(?= ?\(| ?,| ?$)",
    re.IGNORECASE,
)
_SUMMARY: Final = "SummaryOfWarnings"
_COUNTED: Final = re.compile(r"warning \S.{0,200} silently occurred \d+ times\Z")
_UNNAMED: Final = "unnamed"


class Message(NamedTuple):
    """One message of a log, or one line that is none.

    Parameters
    ----------
    kind : {"error", "warning", "rest"}
        What it is. Lines that are no message of SAS are ``rest``: they have neither originator nor name.
    originator : str
        The task that speaks: of ``epproc::epframes`` the innermost, ``epframes``.
    name : str
        The name of the error or warning, as it stands in the log.
    message : str
        The text, the indented lines below included, parted by blanks.
    """

    kind: Literal["error", "warning", "rest"]
    originator: str
    name: str
    message: str

    def __str__(self) -> str:
        return f"{self.name} raised by {self.originator} - {self.message}" if self.name else self.message

    def to_dict(self) -> dict[str, str]:
        """Return originator, name and message by these names."""
        return {"originator": self.originator, "name": self.name, "message": self.message}


def parse_stderr(text: str | bytes) -> tuple[list[str], list[dict[str, str]], list[str]]:
    """Sort what a SAS task wrote into errors, warnings and the rest.

    Parameters
    ----------
    text : str or bytes
        Standard error of a task, or a whole log. Bytes that are not UTF-8 are replaced.

    Returns
    -------
    errors : list of str
        ``<name> raised by <task> - <message>``, in the order of the text.
    warnings : list of dict
        ``originator``, ``name`` and ``message`` of each.
    rest : list of str
        Every other line that is not blank. Nothing of the text is lost.

    See Also
    --------
    iter_messages : the same of a log that is too large for memory.
    """
    errors: list[str] = []
    warnings: list[dict[str, str]] = []
    rest: list[str] = []
    for one in iter_messages(text):
        if one.kind == "error":
            errors.append(str(one))
        elif one.kind == "warning":
            warnings.append(one.to_dict())
        else:
            rest.append(one.message)
    return errors, warnings, rest


def iter_messages(log: Log) -> Iterator[Message]:
    """Yield the messages of a log as they come, and the lines between them.

    Parameters
    ----------
    log : str, bytes, iterable of str or bytes, or path-like
        The log, its lines, or the `Path` of its file, of which one message at a time is in memory.

    Yields
    ------
    Message
        In the order of the log.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    open_message: Message | None = None
    for whole in lines_of(log):
        line = whole.rstrip()
        if match := _OPENING.search(line):
            if open_message is not None:
                yield open_message
            if before := line[: match.start()].strip():  # two tasks write to one log: a line may lack its end
                yield Message("rest", "", "", before)
            open_message = _opened(match, line[match.end() :])
        elif open_message is not None and _continues(open_message, line):
            if len(open_message.message) < LONGEST:
                open_message = open_message._replace(message=_cut(f"{open_message.message} {line.strip()}".strip()))
        else:
            if open_message is not None:
                yield open_message
                open_message = None
            if line:
                yield Message("rest", "", "", line)
    if open_message is not None:
        yield open_message


def _opened(match: re.Match[str], tail: str) -> Message:
    """Make a message of its first line: what was matched, and ``(name), text`` behind it."""
    name, text = _parted(tail.strip())
    kind: Literal["error", "warning"] = "warning" if match["level"].lower() == "warning" else "error"
    originator = match["task"].rpartition("::")[2].strip()
    return Message(kind, originator, name or _UNNAMED, _cut(text.strip(", ")))


def _parted(tail: str) -> tuple[str, str]:
    """Part a name in parentheses, which may hold some itself, from the text."""
    if not tail.startswith("("):
        return "", tail
    depth = 0
    for place, sign in enumerate(tail[:300]):
        depth += (sign == "(") - (sign == ")")
        if depth == 0:
            return tail[1:place].strip(), tail[place + 1 :]
    name, _, text = tail[1:].partition(")")  # never closed: the line was cut
    return _cut(name.strip()), text


def _continues(above: Message, line: str) -> bool:
    """Whether a line belongs to the message above: it is indented, or counts what a summary of warnings sums up."""
    if line[:1].isspace():
        return True
    return above.name == _SUMMARY and bool(_COUNTED.match(line))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 4]} ..."

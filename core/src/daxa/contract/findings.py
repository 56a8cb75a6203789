"""What a check of a plugin finds: what is wrong, with what, and what to write instead."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from attrs import asdict, frozen


@frozen
class Finding:
    """Something that a plugin should do otherwise.

    Parameters
    ----------
    check : str
        Name of the check, e.g. ``entry-import``.
    subject : str
        With what: ``mission sample``, ``process clean_events`` ...
    problem : str
        What is wrong, in a sentence.
    remedy : str
        What to write instead.
    """

    check: str
    subject: str
    problem: str
    remedy: str

    @property
    def plain(self) -> dict[str, str]:
        """The finding as plain data."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.subject}: {self.problem} Remedy: {self.remedy}. [{self.check}]"


def report(findings: Iterable[Finding]) -> str:
    """Write findings one a line, for a person."""
    return "\n".join(str(one) for one in findings)


AVOIDED: Final = frozenset({"entity", "helper", "helpers", "item", "items", "manager", "managers", "util", "utils"})
"""Words that say nothing of what a thing is in the field."""

_SNAKE: Final = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*\Z")
_UPPER: Final = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*\Z")
_PARTS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def vague_words(name: str) -> list[str]:
    """Words of a name, written in either case, that should not be in it."""
    return [word for word in (part.lower() for part in _PARTS.findall(name)) if word in AVOIDED]


def name_findings(kind: str, name: str, *, upper: bool = False) -> Iterator[Finding]:
    """Look at a name that a plugin registers.

    Parameters
    ----------
    kind : str
        What it names: ``mission``, ``process`` ...
    name : str
        The name.
    upper : bool
        Whether names of the kind are written in upper case.
    """
    pattern, words = (_UPPER, "upper") if upper else (_SNAKE, "lower")
    if not pattern.match(name):
        example = re.sub(r"[^A-Za-z0-9]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)).strip("_")
        example = (example.upper() if upper else example.lower()) or "a name"
        yield Finding(
            "name",
            f"{kind} {name}",
            f"the name is not written in {words}-case words joined by underscores.",
            f"call it {example!r}",
        )
    for word in vague_words(name):
        yield Finding(
            "name",
            f"{kind} {name}",
            f"the word {word!r} says nothing of what it is.",
            "use the field's words: mission, catalogue, observation, instrument, process, product, event list",
        )

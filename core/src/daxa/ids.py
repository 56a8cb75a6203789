"""Data ids and task keys: what a piece of data, and a piece of work on it, is called.

A data id is a mission, an ObsID, and as far as the data are divided an instrument and a sub-exposure. The four levels
are ``mission`` (the root: all observations), ``obs``, ``inst`` and ``exp``. Ids are ordered, hashable, and safe as
parts of paths.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import total_ordering
from itertools import pairwise
from typing import Any, Final, Literal

from attrs import field, frozen

from daxa.exceptions import InvalidNameError

Level = Literal["mission", "obs", "inst", "exp"]

LEVELS: Final[tuple[Level, ...]] = ("mission", "obs", "inst", "exp")

_COMPONENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+\-]*\Z")
_ARCHIVE_NAME_MAX = 200


def check_component(value: Any, what: str) -> str:
    """Return `value` if it can stand in a path as one component, else raise.

    Parameters
    ----------
    value : str
        ObsID, instrument, sub-exposure, process or variant name.
    what : str
        What the value is, for the message.

    Raises
    ------
    InvalidNameError
        If the value is empty, holds a separator or a control character, or could leave its directory.
    """
    if not isinstance(value, str) or not _COMPONENT.match(value) or ".." in value:
        raise InvalidNameError(
            f"{value!r} cannot be {what}.",
            expected="letters, digits and _ . + - , beginning with a letter or digit",
            remedy="check the value against the mission's documentation",
            value=value,
        )
    return str(value)


def check_archive_name(name: Any) -> str:
    """Return `name` if it can name an archive: any printable characters but separators, and not ``.`` or ``..``.

    Raises
    ------
    InvalidNameError
        If it cannot.
    """
    good = (
        isinstance(name, str)
        and 0 < len(name.encode()) <= _ARCHIVE_NAME_MAX
        and name.isprintable()
        and name == name.strip()
        and not set(name) & {"/", "\\", "\x00"}
        and not name.startswith(".")
    )
    if not good:
        raise InvalidNameError(
            f"{name!r} cannot be the name of an archive.",
            expected="printable characters without / and \\, not beginning with a dot or ending in a blank,"
            f" at most {_ARCHIVE_NAME_MAX} bytes",
            remedy="choose another name; the name becomes a directory",
            value=name,
        )
    return str(name)


def _component(what: str) -> Callable[[Any, Any, Any], None]:
    def validate(_instance: Any, _attribute: Any, value: Any) -> None:
        check_component(value, what)

    return validate


def _optional_component(what: str) -> Callable[[Any, Any, Any], None]:
    def validate(_instance: Any, _attribute: Any, value: Any) -> None:
        if value is not None:
            check_component(value, what)

    return validate


@total_ordering
@frozen(order=False, cache_hash=True)
class DataId:
    """Name of a piece of data.

    Parameters
    ----------
    mission : str
        Internal name of the mission, e.g. ``xmm_pointed``.
    obs_id : str, optional
        Observation. Without it the id is the root of the mission.
    inst : str, optional
        Instrument.
    subexp : str, optional
        Sub-exposure, e.g. ``S003``.
    """

    mission: str = field(validator=_component("a mission's name"))
    obs_id: str | None = field(default=None, validator=_optional_component("an ObsID"))
    inst: str | None = field(default=None, validator=_optional_component("an instrument"))
    subexp: str | None = field(default=None, validator=_optional_component("a sub-exposure"))

    def __attrs_post_init__(self) -> None:
        parts = (self.obs_id, self.inst, self.subexp)
        if any(later is not None and earlier is None for earlier, later in pairwise(parts)):
            raise InvalidNameError(
                f"{parts!r} is not a data id.",
                expected="an ObsID before an instrument, an instrument before a sub-exposure",
                remedy="give the missing part",
                value=parts,
            )

    @property
    def parts(self) -> tuple[str, ...]:
        """The components that are set, mission first."""
        return tuple(part for part in (self.mission, self.obs_id, self.inst, self.subexp) if part is not None)

    @property
    def level(self) -> Level:
        """How far the id is divided: ``mission``, ``obs``, ``inst`` or ``exp``."""
        return LEVELS[len(self.parts) - 1]

    @property
    def depth(self) -> int:
        """Index of the level in :data:`LEVELS`."""
        return len(self.parts) - 1

    @property
    def ident(self) -> str:
        """ObsID, instrument and sub-exposure without separators: the key of DAXA's process records."""
        return "".join(self.parts[1:])

    @property
    def parent(self) -> DataId | None:
        """The id one level up; None for the root of a mission."""
        parts = self.parts
        return DataId(*parts[:-1]) if len(parts) > 1 else None

    def at(self, level: Level) -> DataId:
        """Return this id or its ancestor at `level`.

        Raises
        ------
        ValueError
            If `level` is deeper than the id.
        """
        depth = LEVELS.index(level)
        if depth > self.depth:
            raise ValueError(f"{self} has no ancestor at level {level!r}")
        return self if depth == self.depth else DataId(*self.parts[: depth + 1])

    def ancestors(self) -> Iterator[DataId]:
        """Parent, grandparent ... up to the root of the mission."""
        parent = self.parent
        while parent is not None:
            yield parent
            parent = parent.parent

    def child(self, name: str) -> DataId:
        """Return the id one level down."""
        if self.depth == len(LEVELS) - 1:
            raise ValueError(f"{self} has no children")
        return DataId(*(*self.parts, name))

    def contains(self, other: DataId) -> bool:
        """Whether `other` is this id or lies below it."""
        return other.parts[: len(self.parts)] == self.parts

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, DataId):
            return NotImplemented
        return self.parts < other.parts

    def __str__(self) -> str:
        return "/".join(self.parts)


@total_ordering
@frozen(order=False, cache_hash=True)
class TaskKey:
    """Name of a task: a process on a data id, in a variant if the process has several.

    Parameters
    ----------
    process : str
        Name of the process.
    data_id : DataId
        The data.
    variant : str
        Variant, such as an energy band ``en0.5_2.0keV``; empty if the process has none.
    """

    process: str = field(validator=_optional_component("a process's name"))
    data_id: DataId
    variant: str = ""

    def __attrs_post_init__(self) -> None:
        if self.variant:
            check_component(self.variant, "a variant")

    @property
    def sort_key(self) -> tuple[tuple[str, ...], str, str]:
        """Data first, then process: tasks of one observation stand together."""
        return (self.data_id.parts, self.process, self.variant)

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, TaskKey):
            return NotImplemented
        return self.sort_key < other.sort_key

    def __str__(self) -> str:
        tail = f" [{self.variant}]" if self.variant else ""
        return f"{self.process} of {self.data_id}{tail}"

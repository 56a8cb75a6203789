"""The filters that were applied, and a mission's state as JSON: DAXA's own files and ours."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from attrs import evolve, field, frozen

from daxa.exceptions import IncompatibleSaveError, InvalidParameterError, MissingFileError, StorageError
from daxa.mission.encoding import decode, encode

__all__ = ["MissionState", "decode", "encode", "read_state", "write_state"]

_CUT: Final = re.compile(r'"(\w+)":\s*[\[{]?\s*(?:"\w+":\s*)?$')
"""The end of a state that DAXA could not write to its end: the key of what has no form in JSON."""


@frozen(kw_only=True)
class MissionState:
    """All that is needed to make a mission's selection anew.

    Parameters
    ----------
    name : str
        Internal name of the mission.
    chos_inst : list of str
        Instruments chosen.
    chos_field : list of str, optional
        Fields chosen, for missions that have them.
    downloaded_type : str, optional
        ``raw``, ``preprocessed`` or ``raw+preprocessed``.
    cur_date : str
        When the state was taken.
    processed : bool
        Whether the observations have been processed.
    selected_obs : list of str
        ObsIDs selected.
    science_usable, proprietary_usable : list of bool
        Parallel to `selected_obs`.
    filtering_operations : list of dict
        ``name`` and ``arguments`` (as JSON) of the filters, in order.
    """

    name: str
    chos_inst: list[str] = field(factory=list)
    chos_field: list[str] | None = None
    downloaded_type: str | None = None
    cur_date: str = ""
    processed: bool = False
    selected_obs: list[str] = field(factory=list)
    science_usable: list[bool] = field(factory=list)
    proprietary_usable: list[bool] = field(factory=list)
    filtering_operations: list[dict[str, Any]] = field(factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return the state with DAXA's keys."""
        return {key: getattr(self, key) for key in _KEYS}

    @classmethod
    def from_json(cls, given: Any, source: str) -> MissionState:
        """Read a state.

        Raises
        ------
        IncompatibleSaveError
            If it is not one; `source` stands in the message.
        """
        fault = _fault(given)
        if fault:
            raise IncompatibleSaveError(
                f"{source} does not hold a mission's state: {fault}.",
                expected=f"JSON with the keys {', '.join(_KEYS)}",
                remedy="name a file written by Mission.save, or by DAXA",
            )
        state = cls(**{key: given[key] for key in _KEYS if key in given})
        return evolve(state, selected_obs=[str(one) for one in state.selected_obs])

    def decoded_operations(self) -> list[dict[str, Any]]:
        """Return the filters with their arguments as Python objects.

        Raises
        ------
        IncompatibleSaveError
            If an argument makes no sense.
        """
        return [{"name": one["name"], "arguments": self._decoded(one)} for one in self.filtering_operations]

    def _decoded(self, operation: Mapping[str, Any]) -> dict[str, Any]:
        arguments: dict[str, Any] = {}
        for name, value in operation["arguments"].items():
            try:
                arguments[name] = decode(value)
            except Exception as problem:
                raise IncompatibleSaveError(
                    f"The argument {name!r} of {operation['name']} in the state of {self.name} cannot be read:"
                    f" {type(problem).__name__}: {problem}.",
                    expected="arguments as Mission.save writes them",
                    remedy="apply the filters anew",
                    value=value,
                ) from problem
        return arguments


_KEYS: Final = (
    "name",
    "chos_inst",
    "chos_field",
    "downloaded_type",
    "cur_date",
    "processed",
    "selected_obs",
    "science_usable",
    "proprietary_usable",
    "filtering_operations",
)


_DOWNLOADED: Final = (None, "raw", "preprocessed", "raw+preprocessed")


def _fault(given: Any) -> str:
    if not isinstance(given, Mapping):
        return "it is not an object"
    if not isinstance(given.get("name"), str):
        return "it names no mission"
    for key in ("chos_inst", "selected_obs", "science_usable", "proprietary_usable", "filtering_operations"):
        if not isinstance(given.get(key, []), list):
            return f"{key} is not a list"
    plain = (("processed", bool), ("cur_date", str), ("chos_field", list | None))
    odd = [key for key, kind in plain if key in given and not isinstance(given[key], kind)]
    if given.get("downloaded_type") not in _DOWNLOADED:
        odd.append("downloaded_type")
    if odd:
        return f"{odd[0]} is {given[odd[0]]!r}"
    operations: Sequence[Any] = given.get("filtering_operations", [])
    if not all(isinstance(one, Mapping) and {"name", "arguments"} <= set(one) for one in operations):
        return "an operation lacks its name or its arguments"
    if not all(isinstance(one["name"], str) and isinstance(one["arguments"], Mapping) for one in operations):
        return "the name of an operation is no text, or its arguments have no names"
    for key in ("science_usable", "proprietary_usable"):
        flags = given.get(key, [])
        if flags and len(flags) != len(given.get("selected_obs", [])):
            return f"{key} has {len(flags)} entries for {len(given.get('selected_obs', []))} observations"
    return ""


def read_state(path: Path) -> MissionState:
    """Read a state file, DAXA's or ours.

    Raises
    ------
    MissingFileError
        If there is none.
    IncompatibleSaveError
        If it is something else.
    """
    text = ""
    try:
        text = path.read_text(encoding="utf-8")
        given = json.loads(text)
    except FileNotFoundError as problem:
        raise MissingFileError(
            f"There is no state file {path}.", expected="a file written by Mission.save", remedy="correct the path"
        ) from problem
    except (OSError, ValueError, RecursionError) as problem:
        cut = _CUT.search(text.rstrip())
        why = f"it breaks off at {cut[1]!r}, which DAXA could not write" if cut else f"{problem}"
        raise IncompatibleSaveError(
            f"{path} cannot be read: {why}.", expected="JSON of Mission.save", remedy="name another file"
        ) from problem
    return MissionState.from_json(given, str(path))


def write_state(state: MissionState, directory: Path, name: str) -> Path:
    """Write a state file: whole, or not at all.

    Raises
    ------
    InvalidParameterError
        If the name does not end in ``.json``, or would leave the directory.
    StorageError
        If it cannot be written.
    """
    if not name.endswith(".json") or Path(name).name != name:
        raise InvalidParameterError(
            f"{name!r} cannot be the name of a state file.",
            expected="a name without a directory that ends in .json",
            remedy="choose another name",
            value=name,
        )
    target = directory / name
    try:
        directory.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(prefix=f".{name}.", dir=directory)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                json.dump(state.to_json(), stream, indent=4)
            Path(part).replace(target)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise
    except OSError as problem:
        raise StorageError(
            f"{target} cannot be written: {problem.strerror or problem}.",
            expected="a directory with room and permission",
            remedy="choose another directory",
            path=str(target),
        ) from problem
    return target

"""The filters that were applied, and a mission's state as JSON: DAXA's own files and ours."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from attrs import evolve, field, frozen

from daxa.exceptions import IncompatibleSaveError, InvalidParameterError, MissingFileError, StorageError

_TIME: Final = "%Y-%m-%d %H:%M:%S.%f"


def encode(value: Any) -> Any:
    """Turn an argument of a filter into JSON, as DAXA does, and what DAXA could not write in the same manner."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, datetime):
        return {"datetime": _naive(value).strftime(_TIME)}
    if isinstance(value, Mapping):
        return {str(key): encode(one) for key, one in value.items()}
    if isinstance(value, tuple | set | frozenset):
        value = list(value)
    if isinstance(value, list):
        if value and all(isinstance(one, datetime) for one in value):
            return {"datetime_list": [_naive(one).strftime(_TIME) for one in value]}
        return [encode(one) for one in value]
    return _encode_arrays(value)


def _naive(value: datetime) -> datetime:
    from datetime import UTC

    return value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)


def _encode_arrays(value: Any) -> Any:
    import numpy as np
    import pandas as pd
    from astropy.coordinates import SkyCoord
    from astropy.table import Table
    from astropy.time import Time
    from astropy.units import Quantity

    from daxa.mission.inputs import as_skycoord

    if isinstance(value, Quantity):
        if value.isscalar:
            return {"quantity": f"{float(value.value)!r} {value.unit}".strip()}
        return {"quantity": {"value": value.value.tolist(), "unit": str(value.unit)}}
    if isinstance(value, pd.DataFrame | Table):
        value = as_skycoord(value, "icrs")
    if isinstance(value, SkyCoord):
        plain = value.name == "icrs" or (value.name == "fk5" and value.equinox.value == "J2000.000")
        coordinates = value if plain else value.transform_to("icrs")
        ra, dec = (np.asarray(one.deg).tolist() for one in (coordinates.ra, coordinates.dec))
        return {"skycoord": {"ra": ra, "dec": dec, "frame": coordinates.name}}
    if isinstance(value, Time):
        return encode(value.utc.to_datetime().tolist() if not value.isscalar else value.utc.to_datetime())
    if isinstance(value, np.datetime64):
        return encode(pd.Timestamp(value).to_pydatetime())
    if isinstance(value, np.ndarray):
        if value.dtype.kind == "M":
            return encode(value.astype("M8[us]").tolist())
        if value.dtype == object and value.size and isinstance(value.flat[0], datetime):
            return encode(value.tolist())
        return {"ndarray": encode(value.tolist())}
    if isinstance(value, np.generic):
        return encode(value.item())
    if hasattr(value, "tolist"):
        return encode(value.tolist())
    return str(value)


def decode(value: Any) -> Any:
    """Turn JSON back into an argument of a filter."""
    if isinstance(value, list):
        return [decode(one) for one in value]
    if not isinstance(value, Mapping):
        return value
    if len(value) == 1:
        ((mark, inner),) = value.items()
        reader = _READERS.get(mark)
        if reader is not None:
            return reader(inner)
    return {key: decode(one) for key, one in value.items()}


def _read_time(text: str) -> datetime:
    return datetime.strptime(text, _TIME)


def _read_quantity(inner: Any) -> Any:
    from astropy.units import Quantity

    if isinstance(inner, Mapping):
        return Quantity(inner["value"], inner["unit"])
    text = str(inner).strip()
    if text.startswith("["):  # DAXA writes arrays as text and cannot read them again
        numbers, _, unit = text[1:].partition("]")
        return Quantity([float(one) for one in numbers.replace(",", " ").split()], unit.strip())
    return Quantity(text)


def _read_skycoord(inner: Mapping[str, Any]) -> Any:
    from astropy.coordinates import SkyCoord

    return SkyCoord(inner["ra"], inner["dec"], unit="deg", frame=inner["frame"])


def _read_array(inner: Any) -> Any:
    import numpy as np

    return np.array(decode(inner))


_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "datetime": _read_time,
    "datetime_list": lambda inner: [_read_time(one) for one in inner],
    "quantity": _read_quantity,
    "skycoord": _read_skycoord,
    "ndarray": _read_array,
}


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
        try:
            return [{"name": one["name"], "arguments": decode(one["arguments"])} for one in self.filtering_operations]
        except Exception as problem:
            raise IncompatibleSaveError(
                f"A filter of the state of {self.name} cannot be read: {type(problem).__name__}: {problem}.",
                expected="arguments as Mission.save writes them",
                remedy="apply the filters anew",
            ) from problem


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


def _fault(given: Any) -> str:
    if not isinstance(given, Mapping):
        return "it is not an object"
    if not isinstance(given.get("name"), str):
        return "it names no mission"
    for key in ("chos_inst", "selected_obs", "science_usable", "proprietary_usable", "filtering_operations"):
        if not isinstance(given.get(key, []), list):
            return f"{key} is not a list"
    operations: Sequence[Any] = given.get("filtering_operations", [])
    if not all(isinstance(one, Mapping) and {"name", "arguments"} <= set(one) for one in operations):
        return "an operation lacks its name or its arguments"
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
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as problem:
        raise MissingFileError(
            f"There is no state file {path}.", expected="a file written by Mission.save", remedy="correct the path"
        ) from problem
    except (OSError, ValueError, RecursionError) as problem:
        raise IncompatibleSaveError(
            f"{path} cannot be read: {problem}.", expected="JSON of Mission.save", remedy="name another file"
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

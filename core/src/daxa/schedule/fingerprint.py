"""Whether work is the same as before: a hash of everything a product depends on. Pure.

What counts is the process and its version, the parameters, what the inputs hold, and the versions of tools and
calibration; never a date, a host, or where the archive stands.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import date, datetime
from enum import Enum
from math import isfinite
from typing import Any, Final

from attrs import field, frozen

from daxa.exceptions import ParameterTypeError

_FORM: Final = "daxa fingerprint 1\n"  # changes when equal ingredients shall give another hash
_SHOWN: Final = 60


def witness(name: str, size: int, sha256: str | None = None) -> str:
    """What an input holds, as far as it is known: its hash, or else its size and name.

    Parameters
    ----------
    name : str
        File name, without directory.
    size : int
        Bytes.
    sha256 : str, optional
        Hash of the contents, in hexadecimal.
    """
    return f"sha256 {sha256}" if sha256 else f"{size} bytes of {name}"


def plain(value: Any) -> Any:
    """Reduce a parameter's value to what JSON can hold, so that equal values have one form.

    Tuples become lists, sets sorted lists, whole floats integers; quantities a value and a unit; arrays lists; dates
    what ISO 8601 writes, marked as such.

    Raises
    ------
    ParameterTypeError
        If there is no such form.
    """
    if isinstance(value, Enum):
        return plain(value.value)
    if value is None or isinstance(value, bool | str):
        return value if value is None or isinstance(value, bool) else str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if not isfinite(value):
            return repr(float(value))
        return int(value) if value == int(value) else float(value)
    if isinstance(value, date):
        return {"datetime" if isinstance(value, datetime) else "date": value.isoformat()}
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise _no_form(value)
        return {str(key): plain(value[key]) for key in sorted(value)}
    if isinstance(value, Set):
        return sorted((plain(one) for one in value), key=_text)
    if hasattr(value, "unit") and hasattr(value, "value"):
        return {"value": plain(value.value), "unit": str(value.unit)}
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return [plain(one) for one in value]
    raise _no_form(value)


def _no_form(value: Any) -> ParameterTypeError:
    return ParameterTypeError(
        f"{value!r} cannot be part of a record.",
        expected="numbers, text, quantities, and lists, sets and mappings (with text as keys) of them",
        remedy="give the value in such a form",
        value=value,
    )


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))


@frozen(kw_only=True)
class Ingredients:
    """Everything the products of a task depend on.

    Parameters
    ----------
    process : str
        Name of the process.
    version : str
        Its version.
    variant : str
        Variant of the task.
    parameters : Mapping
        Complete parameters.
    inputs : Mapping of str to str
        What each input is called, such as ``events`` or ``events M1/S001``, to its :func:`witness`.
    tools : Mapping of str to str
        Versions of the external software.
    calibration : str
        Version of the calibration.
    """

    process: str
    version: str = "1"
    variant: str = ""
    parameters: Mapping[str, Any] = field(factory=dict, converter=plain)
    inputs: Mapping[str, str] = field(factory=dict, converter=plain)
    tools: Mapping[str, str] = field(factory=dict, converter=plain)
    calibration: str = ""

    @property
    def text(self) -> str:
        """The ingredients as JSON, in one form; :meth:`read` reads it."""
        return _text(
            {
                "process": self.process,
                "version": self.version,
                "variant": self.variant,
                "parameters": self.parameters,
                "inputs": self.inputs,
                "tools": self.tools,
                "calibration": self.calibration,
            }
        )

    @classmethod
    def read(cls, text: str) -> Ingredients:
        """Read what :attr:`text` gave."""
        return cls(**json.loads(text))

    @property
    def fingerprint(self) -> str:
        """Their hash: SHA-256, 64 hexadecimal digits."""
        return hashlib.sha256((_FORM + self.text).encode()).hexdigest()


def fingerprint(
    *,
    process: str,
    version: str = "1",
    variant: str = "",
    parameters: Mapping[str, Any],
    inputs: Mapping[str, str],
    tools: Mapping[str, str] | None = None,
    calibration: str = "",
) -> str:
    """Return the hash of what the products of a task depend on; for the parameters see :class:`Ingredients`."""
    return Ingredients(
        process=process,
        version=version,
        variant=variant,
        parameters=parameters,
        inputs=inputs,
        tools=tools or {},
        calibration=calibration,
    ).fingerprint


def difference(old: Ingredients | None, new: Ingredients) -> str:
    """Say why a task runs that has, or has not, run before.

    Parameters
    ----------
    old : Ingredients or None
        Of the products that are there.
    new : Ingredients
        Of the products that are wanted.

    Returns
    -------
    str
        ``runs because parameter X changed from ... to ...``.
    """
    if old is None:
        return "runs because it has not succeeded before"
    changes = list(_changes(old, new))
    if not changes:
        return "would be the same as before"
    *most, last = changes
    return "runs because " + (f"{', '.join(most)} and {last}" if most else last)


def _changes(old: Ingredients, new: Ingredients) -> Iterator[str]:
    if old.process != new.process:
        yield f"the process changed from {old.process} to {new.process}"
    if old.version != new.version:
        yield f"the version of {new.process} changed from {old.version} to {new.version}"
    if old.variant != new.variant:
        yield f"the variant changed from {_shown(old.variant)} to {_shown(new.variant)}"
    yield from _compared("parameter", old.parameters, new.parameters)
    yield from _compared("input", old.inputs, new.inputs)
    yield from _compared("the version of", old.tools, new.tools)
    if old.calibration != new.calibration:
        yield f"the calibration changed from {_shown(old.calibration)} to {_shown(new.calibration)}"


def _compared(what: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted(old.keys() | new.keys()):
        if name not in old:
            yield f"{what} {name} is new ({_shown(new[name])})"
        elif name not in new:
            yield f"{what} {name} is gone ({_shown(old[name])} before)"
        elif _text(old[name]) != _text(new[name]):
            yield f"{what} {name} changed from {_shown(old[name])} to {_shown(new[name])}"


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) and value else repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."

"""What a process body is given, and what it may answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import field, frozen

from daxa.exceptions import PluginError
from daxa.ids import DataId


@frozen(kw_only=True)
class Job:
    """A task as its body sees it. Nothing in it depends on when or where it runs.

    Parameters
    ----------
    process : str
        Name of the process.
    data_id : DataId
        The data.
    variant : str
        The variant, empty if the process has none.
    name : str
        Stem of product names: ``obsid<O>-inst<I>-subexp<SE>``.
    given : Mapping of str to tuple of Path
        Products of the processes that are needed, by product key.
    outputs : Mapping of str to Path
        Where the body's command must leave each declared product: a file in `scratch`.
    scratch : Path
        Private, empty working directory of the task.
    raw : Path
        Directory of the observation's downloaded files; never written to.
    observation : Mapping
        Row of the catalogue: column to plain value.
    info : Mapping
        What the summary says of the data id.
    versions : Mapping of str to str
        Versions of the tools of the process.
    """

    process: str
    data_id: DataId
    variant: str = ""
    name: str
    given: Mapping[str, tuple[Path, ...]] = field(factory=dict)
    outputs: Mapping[str, Path] = field(factory=dict)
    scratch: Path
    raw: Path
    observation: Mapping[str, Any] = field(factory=dict)
    info: Mapping[str, Any] = field(factory=dict)
    versions: Mapping[str, str] = field(factory=dict)

    def inputs(self, key: str) -> tuple[Path, ...]:
        """All products of that key, of the processes that are needed; empty if there are none."""
        return tuple(self.given.get(key, ()))

    def input(self, key: str) -> Path:
        """The one product of that key.

        Raises
        ------
        PluginError
            If there is none, or more than one.
        """
        found = self.inputs(key)
        if len(found) != 1:
            raise PluginError(
                f"{self.process} of {self.data_id} asks for one product {key!r}; there are {len(found)}.",
                expected=f"one; the products given are {', '.join(sorted(self.given)) or 'none'}",
                remedy="correct the declaration of the process",
            )
        return found[0]

    def output(self, key: str) -> Path:
        """Where the product of that key must be left.

        Raises
        ------
        PluginError
            If the process declares no such product.
        """
        try:
            return self.outputs[key]
        except KeyError:
            raise PluginError(
                f"{self.process} declares no product {key!r}.",
                expected=f"one of {', '.join(sorted(self.outputs)) or 'none'}",
                remedy="correct the declaration of the process",
            ) from None


def _argv(step: Sequence[Any]) -> tuple[str, ...]:
    if isinstance(step, str):
        raise PluginError(
            f"{step!r} is not an argument list.",
            expected="a sequence of separate arguments; no shell is ever used",
            remedy="correct the process",
        )
    return tuple(str(argument) for argument in step)


@frozen(init=False)
class Call:
    """A Python function to call in a worker process.

    Parameters
    ----------
    target : str
        ``"package.module:function"``.
    **arguments
        Keyword arguments: paths, numbers, strings, and lists, tuples and mappings of them.
    """

    target: str
    arguments: Mapping[str, Any]

    def __init__(self, target: str, **arguments: Any) -> None:
        self.__attrs_init__(target, arguments)


@frozen(init=False)
class Command:
    """Programs to run, one after the other, in the task's scratch directory.

    Parameters
    ----------
    *steps : sequence of str
        Argument lists. A step that ends with another status than 0 ends the task.
    env : Mapping, optional
        Variables on top of the tools' environment.
    collect : Mapping, optional
        Product key to shell pattern, for products whose name the program chooses; exactly one file must match.
    scratch_files : Mapping, optional
        What stands in the scratch directory before the first step, by relative path: a Path, to which a symbolic link
        is made, or for each file of which one is made if it is a directory; a text; or a :class:`Call` that returns the
        text, or bytes.
    extra : Mapping, optional
        Plain values that are recorded in ``process_extra_info`` beside the paths of products.
    """

    steps: tuple[tuple[str, ...], ...]
    env: Mapping[str, str]
    collect: Mapping[str, str]
    scratch_files: Mapping[str, Path | str | Call]
    extra: Mapping[str, Any]

    def __init__(
        self,
        *steps: Sequence[Any],
        env: Mapping[str, Any] | None = None,
        collect: Mapping[str, str] | None = None,
        scratch_files: Mapping[str, Path | str | Call] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        if not steps:
            raise PluginError("A command has no steps.", expected="at least one", remedy="correct the process")
        self.__attrs_init__(
            tuple(_argv(step) for step in steps),
            {name: str(value) for name, value in (env or {}).items()},
            dict(collect or {}),
            dict(scratch_files or {}),
            dict(extra or {}),
        )

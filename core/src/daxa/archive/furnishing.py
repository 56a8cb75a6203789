"""What a task finds in its scratch directory, and what is recorded of it beside its products."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final

from daxa.exceptions import PluginError
from daxa.process import Call, Command
from daxa.schedule.fingerprint import plain
from daxa.specs import load_target
from daxa.store.records import ProductEntry

VALUE: Final = "value"
"""Key under which something that is no path stands among the paths of ``process_extra_info``."""


def furnish(scratch: Path, files: Mapping[str, Path | str | Call]) -> None:
    """Put files into a scratch directory: links, texts, and what functions return.

    Parameters
    ----------
    scratch : Path
        The directory.
    files : Mapping
        As :class:`daxa.api.Command` takes them. Links come first, so that a text may replace one of them.

    Raises
    ------
    PluginError
        If a path would leave the directory, or a function returns something else.
    """
    for name, content in sorted(files.items(), key=lambda pair: not isinstance(pair[1], Path)):
        relative = PurePosixPath(name)
        if relative.is_absolute() or ".." in relative.parts or not relative.parts:
            raise PluginError(
                f"{name!r} would leave the scratch directory.", expected="a path in it", remedy="correct the process"
            )
        target = scratch / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Path):
            _link(content, target)
            continue
        made = load_target(content.target)(**content.arguments) if isinstance(content, Call) else content
        if not isinstance(made, str | bytes):
            raise PluginError(
                f"What makes {name!r} returned a {type(made).__name__}.",
                expected="text or bytes",
                remedy="correct the process",
            )
        target.unlink(missing_ok=True)  # not through a link: what it leads to is not ours
        target.write_bytes(made if isinstance(made, bytes) else made.encode(errors="surrogateescape"))


def _link(source: Path, target: Path) -> None:
    if not source.is_dir():
        target.symlink_to(source)
        return
    target.mkdir(exist_ok=True)
    for one in source.iterdir():
        if one.is_file():
            (target / one.name).symlink_to(one)


def extra_info(products: Iterable[ProductEntry], wanted: Command | Call) -> dict[str, Any]:
    """What is recorded of a task for ``process_extra_info``: paths of products by key, and plain values."""
    found: dict[str, Any] = {product.key: product.path for product in products}
    if isinstance(wanted, Command):
        found.update({key: {VALUE: plain(one)} for key, one in wanted.extra.items()})
    return found


def extra_shown(root: Path, extra: Mapping[str, Any]) -> dict[str, Any]:
    """The same as it is shown: paths absolute, values as they are."""
    return {key: one[VALUE] if isinstance(one, Mapping) else f"{root}/{one}" for key, one in extra.items()}

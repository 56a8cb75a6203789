"""Replacing text files: all of them or none, whoever else writes at the same time."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

from daxa.archive.place import READ_ONLY, storage_error


def write_texts(texts: Mapping[Path, str]) -> None:
    """Write files, all or none of them; each stands under its name only when it is whole.

    Names of their own for the parts keep processes that write at the same time apart.

    Parameters
    ----------
    texts : Mapping of Path to str
        Text of each file. Missing directories are made; files that are there are replaced.

    Raises
    ------
    StorageError
        If the disk is full or read-only; all files are then as they were.
    """
    target = Path()
    with ExitStack() as undo:  # what it holds is done backwards, unless everything went well
        try:
            parts: dict[Path, Path] = {}
            for target, text in texts.items():
                _make_directory(target.parent, undo)
                handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
                parts[target] = Path(name)
                undo.callback(parts[target].unlink, missing_ok=True)
                with os.fdopen(handle, "w", encoding="utf-8") as stream:
                    stream.write(text)
                parts[target].chmod(READ_ONLY)
            kept: list[Path] = []
            for target, part in parts.items():
                old = part.with_name(f"{part.name}.old")
                if _keep(target, old):
                    kept.append(old)
                    undo.callback(old.replace, target)
                else:
                    undo.callback(target.unlink, missing_ok=True)
                part.replace(target)
        except OSError as problem:
            raise storage_error(problem, target) from problem
        undo.pop_all()
    for old in kept:
        old.unlink(missing_ok=True)


def _make_directory(directory: Path, undo: ExitStack) -> None:
    missing = []
    while not directory.is_dir():
        missing.append(directory)
        directory = directory.parent
    for one in reversed(missing):
        one.mkdir(exist_ok=True)
        undo.callback(_remove_empty, one)


def _remove_empty(directory: Path) -> None:
    with suppress(OSError):  # another process has put something there
        directory.rmdir()


def _keep(target: Path, old: Path) -> bool:
    """Give a file a second name, or copy it; whether there was one."""
    try:
        os.link(target, old)
    except FileNotFoundError:
        return False
    except OSError:  # a file system without links
        shutil.copy2(target, old)
    return True

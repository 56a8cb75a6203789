"""Placing files in an archive: by hard link or reflink where possible, else by copy; never half-written."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from pathlib import Path
from typing import Final

from daxa.exceptions import StorageError

READ_ONLY: Final = 0o444
HASH_LIMIT: Final = 256 * 1024 * 1024
_DISK: Final = frozenset({errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EFBIG, errno.EIO})


def storage_error(problem: OSError, path: Path) -> StorageError:
    """Tell of a disk that refuses a write."""
    return StorageError(
        f"{path} cannot be written: {problem.strerror or problem}.",
        expected="a writable disk with room",
        remedy="free space or choose another output directory, then run the same again: it goes on where it stopped",
        path=str(path),
    )


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, as hexadecimal text."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _clone(source: Path, target: Path) -> None:
    """Link, else share the blocks, else copy."""
    try:
        os.link(source, target, follow_symlinks=True)
        return
    except OSError as problem:
        if problem.errno in (errno.ENOSPC, errno.EROFS, errno.EDQUOT):
            raise
    shutil.copyfile(source, target)  # copy_file_range shares the blocks where the file system can


def place(source: Path, target: Path, *, move: bool = False) -> None:
    """Put a file under its name in the archive, read-only, replacing what was there.

    Parameters
    ----------
    source : Path
        The file; it stays unless `move` is given.
    target : Path
        Its name in the archive.
    move : bool
        Whether the source may be renamed.

    Raises
    ------
    StorageError
        If the disk is full or read-only; the target is then as it was.
    """
    part = target.with_name(f".{target.name}.part")  # one name for all runs: what a killed one left is put away
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        if move:
            try:
                source.rename(part)
            except OSError as problem:
                if problem.errno != errno.EXDEV:
                    raise
                shutil.copyfile(source, part)
        else:
            _clone(source, part)
        part.chmod(READ_ONLY)
        part.replace(target)
    except OSError as problem:
        part.unlink(missing_ok=True)
        if problem.errno in _DISK:
            raise storage_error(problem, target) from problem
        raise

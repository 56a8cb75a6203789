"""What stands on disk under an archive's name: nothing, an archive, one that DAXA has made; and taking it away."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from daxa.archive import layout
from daxa.exceptions import ArchiveExistsError, ArchiveNotFoundError, DamagedRecordError, NewerSchemaError, StorageError
from daxa.store.records import ArchiveRecord

_OF_DAXA: Final = Path(".save_info/process_info.json")
"""The record of an archive that was made by DAXA itself, of versions 0.x."""


def not_found(root: Path) -> ArchiveNotFoundError:
    """Say that there is no archive under a name, and which there are.

    Parameters
    ----------
    root : Path
        Directory of the archive.
    """
    if (root / _OF_DAXA).is_file():
        return ArchiveNotFoundError(
            f"The archive {root} was made by DAXA 0.x, which kept another kind of record.",
            expected=f"an archive with the record {layout.RECORD}",
            remedy="open it with that version, or declare an archive of another name with the same missions",
            value=root.name,
        )
    found = (path.parent.parent.name for path in root.parent.glob(f"*/{layout.RECORD}"))
    there = sorted(name for name in found if not name.startswith("."))
    return ArchiveNotFoundError(
        f"There is no archive {root.name!r} in {root.parent}.",
        expected=f"one of {', '.join(map(repr, there))}" if there else "an archive declared before",
        remedy="declare it with its missions, `await Archive(name, [mission, ...])`, or name another output"
        " directory with DAXA_OUTPUT",
        value=root.name,
    )


def refuse_foreign(root: Path) -> None:
    """Refuse to make an archive in the directory of one that DAXA has made.

    Raises
    ------
    ArchiveExistsError
        If there is one.
    """
    if (root / _OF_DAXA).is_file():
        raise ArchiveExistsError(
            f"There is an archive {root.name!r} already, made by DAXA 0.x: {root}.",
            expected="a name that is free",
            remedy="choose another name, or remove that archive with clobber=True",
            value=root.name,
        )


def remove(root: Path) -> None:
    """Remove what stands under an archive's name; first out of sight, so that a crash leaves no half archive there.

    Raises
    ------
    ArchiveInUseError
        If somebody writes to it just now.
    StorageError
        If it cannot be removed.
    """
    doomed = root.with_name(f".{root.name}.removed")
    try:
        shutil.rmtree(doomed, ignore_errors=True)
        with ExitStack() as held:
            if (root / layout.RECORD).exists():
                _hold(root / layout.RECORD, held)
            root.rename(doomed)
        shutil.rmtree(doomed)
    except StorageError:
        raise
    except OSError as problem:
        raise StorageError(
            f"The archive {root} cannot be removed: {problem.strerror or problem}.",
            remedy="check its permissions",
            path=str(root),
        ) from problem


def _hold(path: Path, held: ExitStack) -> None:
    """Keep others from writing to a record, if it is one."""
    try:
        record = ArchiveRecord.open(path)
    except (DamagedRecordError, NewerSchemaError, StorageError):
        return  # nobody of this version can be writing to it
    held.callback(record.close)
    try:
        held.enter_context(record.writing())
    except StorageError:
        return  # the disk is full, say: what is removed now makes room

"""What a transfer brought: looked at, and unpacked in a scratch directory."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from daxa.exceptions import BadReplyError, InvalidNameError, NotAtArchiveError
from daxa.net.unpack import COMPRESS, GZIP, check_fits, gunzip, is_tar, plain_name, uncompress, unpack_tar
from daxa.specs import RemoteFile

_FITS: Final = b"SIMPLE  ="
_MAGIC: Final = {".gz": GZIP, ".ftz": GZIP, ".z": COMPRESS, ".fits": _FITS, ".evt": _FITS, ".img": _FITS}


def check_path(path: str) -> str:
    """Refuse a relative path that would leave its directory."""
    parts = path.split("/")
    if (
        path.startswith("/")
        or any(part in ("", ".", "..") or part.startswith(".") for part in parts if path)
        or not path.isprintable()
        or "\\" in path
    ):
        raise InvalidNameError(
            f"{path!r} is not a path below a directory.",
            expected="plain names",
            remedy="correct the plugin",
            value=path,
        )
    return path


def contents(part: Path, scratch: Path, remote: RemoteFile, disposition: str) -> list[tuple[Path, str]]:
    """Verify and unpack a file that came.

    Parameters
    ----------
    part : Path
        What came.
    scratch : Path
        Empty directory for what is unpacked.
    remote : RemoteFile
        What it should be.
    disposition : str
        The reply's Content-Disposition header, which names a bare file.

    Returns
    -------
    list of (Path, str)
        Where each file is now, and its path below the observation's directory.

    Raises
    ------
    BadReplyError, NotAtArchiveError, UnsafeArchiveError
        If it is not.
    """
    name = remote.path.rpartition("/")[2]
    with part.open("rb") as stream:
        magic = stream.read(64)
    if remote.unpack in ("tar", "auto"):
        placed = _members(part, scratch, magic, remote, disposition)
    elif remote.unpack == "none":
        _check_magic(magic, name)
        if magic[:2] == GZIP:
            gunzip(part, scratch / "proof", name)
            check_fits(scratch / "proof", name)
        placed = [(part, remote.path)]
    else:
        _check_magic(magic, name + (".gz" if remote.unpack == "gzip" else ".Z"))
        (gunzip if remote.unpack == "gzip" else uncompress)(part, scratch / name, name)
        placed = [(scratch / name, remote.path)]
    if not placed:
        raise NotAtArchiveError(
            f"The reply holds no {' or '.join(remote.members) or 'file'}.", remedy="the archive does not have it"
        )
    for source, relative in placed:
        check_fits(source, relative)
    return placed


def _members(part: Path, scratch: Path, magic: bytes, remote: RemoteFile, disposition: str) -> list[tuple[Path, str]]:
    """Tar, compressed tar, or one bare file."""
    source = part
    inside = scratch / "members"
    inside.mkdir()
    if magic[:2] == GZIP:
        source = scratch / "reply"
        gunzip(part, source, "The reply")
    if is_tar(source):
        paths = unpack_tar(source, inside, remote.members, decompress=remote.decompress_members)
    else:
        with source.open("rb") as stream:
            if stream.read(9) != _FITS:
                raise NotAtArchiveError(
                    f"The archive sent neither a tar nor a FITS file: {magic[:40]!r}.",
                    remedy="the archive does not have it",
                )
        bare = inside / plain_name(_disposition_name(disposition) or "product.FIT")
        shutil.copyfile(source, bare)
        paths = [bare]
    prefix = f"{remote.path}/" if remote.path else ""
    return [(path, check_path(prefix + path.name)) for path in sorted(paths)]


def _check_magic(magic: bytes, name: str) -> None:
    lower = name.lower()
    for ending, start in _MAGIC.items():
        if lower.endswith(ending) and not magic.startswith(start):
            raise BadReplyError(f"{name} begins with {magic[:12]!r}.", expected=f"{start!r}", remedy="try again later")


def _disposition_name(header: str) -> str | None:
    """File name of a Content-Disposition header, if it is a plain one."""
    for part in header.split(";"):
        key, _, value = part.strip().partition("=")
        if key.lower() == "filename":
            name = value.strip().strip('"')
            return name if name and not set(name) & {"/", "\\", "\x00"} and not name.startswith(".") else None
    return None

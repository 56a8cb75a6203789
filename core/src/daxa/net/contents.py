"""What a transfer brought: looked at, and unpacked in a scratch directory."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from attrs import frozen

from daxa.exceptions import BadReplyError, InvalidNameError, NotAtArchiveError
from daxa.net.fits import MAGIC as _FITS
from daxa.net.fits import check_fits
from daxa.net.listing import is_file_name
from daxa.net.unpack import COMPRESS, GZIP, gunzip, is_tar, plain_name, uncompress, unpack_tar
from daxa.specs import RemoteFile

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


@frozen
class Content:
    """A file that came.

    Parameters
    ----------
    source : Path
        Where it is now.
    path : str
        Its path below the observation's directory.
    sha256 : str, optional
        Its hash, if that was found on the way.
    """

    source: Path
    path: str
    sha256: str | None = None


def contents(part: Path, scratch: Path, remote: RemoteFile, disposition: str) -> list[Content]:
    """Verify and unpack a file that came.

    Parameters
    ----------
    part : Path
        What came.
    scratch : Path
        Directory for what is unpacked; made when it is needed.
    remote : RemoteFile
        What it should be.
    disposition : str
        The reply's Content-Disposition header, which names a bare file.

    Returns
    -------
    list of Content
        The files.

    Raises
    ------
    BadReplyError, NotAtArchiveError, UnsafeArchiveError
        If it is not.
    """
    name = remote.path.rpartition("/")[2]
    with part.open("rb") as stream:
        magic = stream.read(64)
    if remote.unpack == "none":
        _check_magic(magic, name)
        if magic[:2] == GZIP:
            gunzip(part, None, name)
        else:
            check_fits(part, remote.path)
        return [Content(part, remote.path)]
    scratch.mkdir(parents=True, exist_ok=True)
    if remote.unpack == "gzip":
        _check_magic(magic, name + ".gz")
        return [Content(scratch / name, remote.path, gunzip(part, scratch / name, name))]
    if remote.unpack == "compress":
        _check_magic(magic, name + ".Z")
        uncompress(part, scratch / name, name)
        placed = [Content(scratch / name, remote.path)]
    else:
        placed = _members(part, scratch, magic, remote, disposition)
    if not placed:
        raise NotAtArchiveError(
            f"The reply holds no {' or '.join(remote.members) or 'file'}.", remedy="the archive does not have it"
        )
    for one in placed:
        check_fits(one.source, one.path)
    return placed


def _members(part: Path, scratch: Path, magic: bytes, remote: RemoteFile, disposition: str) -> list[Content]:
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
    return [Content(path, check_path(prefix + path.name)) for path in sorted(paths)]


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
            return name if is_file_name(name) else None
    return None

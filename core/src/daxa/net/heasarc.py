"""Files of NASA's HEASARC: one tree, served over HTTPS, mirrored to S3, and mounted where somebody has a copy."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final, Literal

from daxa.specs import RemoteFile, Unpack

if TYPE_CHECKING:
    from daxa.net.client import Net
    from daxa.net.listing import Entry

_UNPACK: Final[dict[str, tuple[str, Unpack]]] = {
    ".gz": ("", "gzip"),
    ".FTZ": (".FIT", "gzip"),  # XMM-Newton's name for a FITS file in gzip
    ".Z": ("", "compress"),
}


def heasarc_file(
    net: Net,
    obs_id: str,
    directory: str,
    entry: Entry,
    *,
    to: str = "",
    path: str | None = None,
    unpack: bool = True,
    part_of: Literal["raw", "products", "both"] = "both",
    required: bool = True,
) -> RemoteFile:
    """Name a file that HEASARC lists.

    The mirror in the cloud and mounted copies have the same paths, but not every file, and not at once: the mirror
    comes second, unless the user has it otherwise.

    Parameters
    ----------
    net : Net
        The network.
    obs_id : str
        The observation.
    directory : str
        The file's directory below HEASARC's root, ending in ``/``.
    entry : Entry
        The file, as listed.
    to : str
        Directory that keeps it, below the observation's own, ending in ``/``.
    path : str, optional
        Where it is kept, if the name is another.
    unpack : bool
        Whether a compressed file is unpacked; its name then loses the ending.
    part_of, required :
        As for :class:`daxa.api.RemoteFile`.
    """
    stem, ending = PurePosixPath(entry.name).stem, PurePosixPath(entry.name).suffix
    plain, how = _UNPACK.get(ending, (ending, "none")) if unpack else (ending, "none")
    return RemoteFile(
        obs_id=obs_id,
        path=path if path is not None else f"{to}{stem}{plain}",
        locations=net.heasarc.locations(f"{directory}{entry.name}", entry),
        unpack=how,
        part_of=part_of,
        required=required,
        about=entry.size,
    )

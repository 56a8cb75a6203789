"""Which file systems cannot share memory between machines, so that SQLite's WAL must not be used on them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_NETWORK: Final = frozenset(
    {"nfs", "nfs3", "nfs4", "lustre", "gpfs", "beegfs", "panfs", "pvfs2", "orangefs", "wekafs", "ceph", "glusterfs"}
    | {"cifs", "smb", "smb2", "smb3", "smbfs", "afs", "auristorfs", "coda", "davfs", "ncpfs", "ocfs2", "gfs2", "daos"}
    | {"9p", "virtiofs", "prl_fs", "vboxsf", "acfs", "quobyte"}
)
_OCTAL: Final = re.compile(r"\\([0-7]{3})")


def network_file_system(path: Path, mounts: Path = Path("/proc/self/mounts")) -> str | None:
    """Return the type of the network file system that holds a path; None for a local one.

    Every ``fuse.*`` file system counts as one: rollback journals are right everywhere, WAL is not.

    Parameters
    ----------
    path : Path
        A file or directory; it need not exist.
    mounts : Path
        Table of mounts, in the form of ``/proc/mounts``. Where there is none, the answer is None.
    """
    try:
        table = mounts.read_text(errors="surrogateescape")
    except OSError:
        return None
    place = path.resolve()
    best, kind = -1, ""
    for line in table.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = Path(_OCTAL.sub(lambda found: chr(int(found[1], 8)), fields[1]))
        # Of two mounts on one point the later covers the earlier.
        if len(point.parts) >= best and place.is_relative_to(point):
            best, kind = len(point.parts), fields[2]
    return kind if kind in _NETWORK or kind.startswith("fuse.") else None

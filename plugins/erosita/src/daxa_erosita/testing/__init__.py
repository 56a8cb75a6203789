"""eROSITA's trees for an offline sky (needs daxa-testing; not used by the plugin itself). Its tables come along."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from daxa_testing.sky import Sky

TILES: Final = "https://erosita.mpe.mpg.de/erodat/data/download/"
FIELDS: Final = "https://erosita.mpe.mpg.de/edr/eROSITAObservations/CalPvObs/"


def directory(obs_id: str) -> str:
    """Address of a tile's directory."""
    return f"{TILES}{obs_id[3:]}/{obs_id[:3]}/"


def add_tile(sky: Sky, obs_id: str, files: Mapping[str, bytes | Path]) -> None:
    """Add files of a tile, by path below its directory, e.g. ``EXP_010/em01_..._EventList_c010.fits.gz``."""
    for path, content in files.items():
        sky.add_file(directory(obs_id) + path, content)


def field(members: Mapping[str, bytes]) -> bytes:
    """Make the tar of a field, with members by path within it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            info.mtime = 1_600_000_000
            tar.addfile(info, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), 1, mtime=0)


def add_field(sky: Sky, archive: str, members: Mapping[str, bytes]) -> None:
    """Add the tar of a field, e.g. ``eFEDS.tar.gz``."""
    sky.add_file(FIELDS + archive, field(members))

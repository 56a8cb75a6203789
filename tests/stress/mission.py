"""A mission of any number of observations, each with one small file and one to four sub-exposures."""

import os
import zlib
from pathlib import Path

from daxa.api import Location, Mission, RemoteFile

MIRROR = "DAXA_STRESS_MIRROR"
"""Environment variable: the directory of the observations' files, and by their names the catalogue."""


def sub_exposures(obs_id: str) -> list[tuple[str, str]]:
    """Instrument and name of an observation's sub-exposures: one to four of them."""
    number = 1 + zlib.crc32(obs_id.encode()) % 4
    return [("AB"[index % 2], f"S{index // 2 + 1:03d}") for index in range(number)]


def make_mirror(directory: Path, observations: int) -> list[str]:
    """Write the observations' files; returns their ObsIDs."""
    directory.mkdir(parents=True)
    obs_ids = [f"T{number:05d}" for number in range(observations)]
    for obs_id in obs_ids:
        text = " ".join(f"{inst}/{subexp}" for inst, subexp in sub_exposures(obs_id))
        (directory / f"{obs_id}.txt").write_text(f"{text}\n")
    return obs_ids


class Stress(Mission):
    """Two instruments, A and B."""

    name = "stress"
    pretty_name = "Stress"
    id_pattern = r"T[0-9]{5}"
    frame = "icrs"
    instruments = ("A", "B")
    default_instruments = ("A", "B")
    fov = "15 arcmin"
    levels = ("obs", "inst", "exp")
    product_level = "exp"
    column_order = ("ra", "dec", "ObsID", "science_usable", "start", "end", "duration")
    services = ("STRESS",)

    async def catalogue(self, net):
        """One row an observation."""
        import pandas as pd

        obs_ids = sorted(path.stem for path in Path(os.environ[MIRROR]).glob("T*.txt"))
        table = pd.DataFrame({"ObsID": obs_ids})
        table["ra"] = [number % 360.0 for number in range(len(obs_ids))]
        table["dec"] = 0.0
        table["start"] = pd.Timestamp("2030-01-01")
        table["duration"] = pd.Timedelta(hours=3)
        table["end"] = table["start"] + table["duration"]
        table["science_usable"] = True
        return table

    async def remote_files(self, obs, want, net):
        """The one file, from a mounted copy."""
        path = Path(os.environ[MIRROR]) / f"{obs['ObsID']}.txt"
        yield RemoteFile(obs_id=obs["ObsID"], path="contents.txt", locations=[Location(url=path.as_uri(), kind="file")])

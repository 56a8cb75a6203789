"""Where things lie in an archive, and what they are called: DAXA's layout, which its users' tools know.

::

    <output>/archives/<name>/
        .save_info/archive.sqlite                    the record
        processed_data/<mission>/<ObsID>/            events images background cleaning logs misc
        failed_data/<mission>/<ObsID>/               the same, of observations that failed for good
        regions/<mission>/<ObsID>/
    <output>/<mission>_raw/<ObsID>/                  downloads, shared by all archives
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from daxa.ids import DataId, TaskKey

RECORD: Final = PurePosixPath(".save_info/archive.sqlite")
PROCESSED: Final = "processed_data"
FAILED: Final = "failed_data"
SCRATCH: Final = PurePosixPath(".save_info/scratch")
_BAND: Final = re.compile(r"(?:\A|-)en(\d+(?:\.\d+)?)_(\d+(?:\.\d+)?)keV(?=[-.]|\Z)")
SUBDIRECTORIES: Final = ("background", "cleaning", "events", "images", "logs", "misc")


def band_text(lo: float, hi: float) -> str:
    """Write an energy band in keV as product names have it, e.g. ``en0.5_2.0keV``."""
    return f"en{float(lo)}_{float(hi)}keV"


def band_of(name: str) -> tuple[float | None, float | None]:
    """Read the energy band in keV that a product's name holds; None and None if it holds none."""
    found = _BAND.search(name)
    return (float(found[1]), float(found[2])) if found else (None, None)


def stem(data_id: DataId, subexp: str | None = None) -> str:
    """Stem of product names: ``obsid<O>-inst<I>-subexp<SE>``.

    Parameters
    ----------
    data_id : DataId
        The data.
    subexp : str, optional
        What stands for the sub-exposure where the data id has none; ``None`` by default.
    """
    parts = [f"obsid{data_id.obs_id}"]
    if data_id.inst is not None:
        parts.append(f"inst{data_id.inst}")
        parts.append(f"subexp{data_id.subexp or subexp or 'None'}")
    return "-".join(parts)


def observation(data_id: DataId, *, failed: bool = False) -> PurePosixPath:
    """Directory of an observation, relative to the archive."""
    return PurePosixPath(FAILED if failed else PROCESSED, data_id.mission, str(data_id.obs_id))


def moved(path: str) -> str:
    """Where a file of an observation lies if it is not where it was: among what failed, or no longer.

    Parameters
    ----------
    path : str
        Relative to the archive.
    """
    part, _, rest = path.partition("/")
    other = {PROCESSED: FAILED, FAILED: PROCESSED}.get(part)
    return f"{other}/{rest}" if other else path


def template(root: Path, *parts: str) -> str:
    """Absolute path that holds words for ``str.format``, whatever the archive is called.

    Parameters
    ----------
    root : Path
        The archive.
    *parts : str
        Below it; ``{mn}`` and ``{oi}`` stand for mission and ObsID.
    """
    return str(Path(str(root).replace("{", "{{").replace("}", "}}"), *parts))


def product(data_id: DataId, template: str, variant: str = "", words: Mapping[str, str] | None = None) -> PurePosixPath:
    """Path of a product relative to the archive, from its process's template.

    Parameters
    ----------
    data_id : DataId
        The data.
    template : str
        As the process declares it.
    variant : str
        The variant.
    words : Mapping, optional
        Words of the process's own, see :meth:`daxa.api.Process.naming`.
    """
    filled = template.format(
        **(words or {}),
        name=stem(data_id),
        variant=variant,
        obs_id=data_id.obs_id or "",
        inst=data_id.inst or "",
        subexp=data_id.subexp or "",
    )
    return observation(data_id) / filled


def log(key: TaskKey, stream: str) -> PurePosixPath:
    """Path of a task's log relative to the archive: ``logs/<process>_<ident>[_<variant>]_<stream>.log``."""
    variant = f"_{key.variant}" if key.variant else ""
    return observation(key.data_id) / "logs" / f"{key.process}_{key.data_id.ident}{variant}_{stream}.log"


_PREPROCESSED: Final = {
    "events": ("events", "finalevents"),
    "image": ("images", "image"),
    "expmap": ("images", "expmap"),
    "backmap": ("background", "backmap"),
    "lightcurve": ("events", "lightcurve"),
    "gti": ("cleaning", "gti"),
}


def preprocessed(data_id: DataId, kind: str, lo: float | None, hi: float | None, suffix: str) -> PurePosixPath:
    """Path of a downloaded product relative to the archive, under DAXA's name for it."""
    directory, word = _PREPROCESSED[kind]
    band = "" if lo is None or hi is None else f"-{band_text(lo, hi)}"
    return observation(data_id) / directory / f"{stem(data_id)}{band}-{word}{suffix}"


def make_observation(root: Path, data_id: DataId) -> None:
    """Make an observation's directories."""
    base = root / observation(data_id)
    for name in SUBDIRECTORIES:
        (base / name).mkdir(parents=True, exist_ok=True)

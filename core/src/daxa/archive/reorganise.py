"""Downloaded products under the archive's names: what DAXA calls pre-processed data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from attrs import evolve, field, frozen

from daxa.archive import layout
from daxa.archive.place import HASH_LIMIT, place, sha256
from daxa.exceptions import StorageError
from daxa.ids import DataId
from daxa.specs import Child, ProductLabel, load_target

PROCESS_OF_KIND: Final[Mapping[str, str]] = {
    "events": "preprocessed_events",
    "image": "preprocessed_images",
    "expmap": "preprocessed_expmaps",
    "backmap": "preprocessed_backmaps",
    "lightcurve": "preprocessed_lightcurves",
    "gti": "preprocessed_gtis",
}

_OF_A_BAND: Final = ("image", "expmap", "backmap")


@frozen
class Placed:
    """A downloaded product in its place.

    Parameters
    ----------
    process : str
        Name in the record, e.g. ``preprocessed_events``.
    data_id : DataId
        What it is of.
    label : ProductLabel
        What it is.
    path : PurePosixPath
        Relative to the archive.
    size : int
        Bytes.
    mtime_ns : int
        Time of last change.
    sha256 : str or None
        Hash of its bytes, where the file is not too large to be read for it.
    reused : bool
        Whether it was there already.
    """

    process: str
    data_id: DataId
    label: ProductLabel
    path: PurePosixPath
    size: int
    mtime_ns: int
    sha256: str | None
    reused: bool = False


@frozen
class Reorganised:
    """What became of an observation's downloaded products."""

    placed: tuple[Placed, ...] = ()
    failed: Mapping[tuple[str, DataId], str] = field(factory=dict)


def in_each_band(
    labels: Iterable[ProductLabel], bands_of: Callable[[str], Iterable[tuple[float, float]] | None]
) -> list[ProductLabel]:
    """Give a map that holds for all bands of its instrument a name in each of them, beside the image it belongs to.

    Parameters
    ----------
    labels : iterable of ProductLabel
        What an observation's files are.
    bands_of : callable
        Energy bands of an instrument's images, in keV.
    """
    found: list[ProductLabel] = []
    for one in labels:
        unbound = one.kind in _OF_A_BAND and one.lo is None and one.hi is None
        bands = tuple(bands_of(one.inst) or ()) if unbound else ()
        found += [evolve(one, lo=lo, hi=hi) for lo, hi in bands] or [one]
    return found


def children_of(labels: Iterable[ProductLabel]) -> tuple[Child, ...]:
    """Instruments, and below them sub-exposures, that the labels speak of."""
    found: dict[str, dict[str, None]] = {}
    for label in labels:
        exposures = found.setdefault(label.inst, {})
        if label.subexp is not None:
            exposures[label.subexp] = None
    return tuple(
        Child(name=inst, children=[Child(name=subexp) for subexp in exposures]) for inst, exposures in found.items()
    )


def reorganise(
    root: Path,
    raw: Path,
    mission: str,
    obs_id: str,
    labels: Sequence[ProductLabel],
    present: Mapping[str, tuple[int, int, str | None]],
) -> Reorganised:
    """Place the products of one observation.

    Parameters
    ----------
    root : Path
        The archive.
    raw : Path
        The observation's download directory.
    mission, obs_id : str
        Which observation.
    labels : sequence of ProductLabel
        What its files are.
    present : Mapping
        Size, time of last change and hash of the products recorded already, by path relative to the archive: these
        are left as they are if they are intact.
    """
    placed: list[Placed] = []
    failed: dict[tuple[str, DataId], str] = {}
    layout.make_observation(root, DataId(mission, obs_id))
    for label in labels:
        process = PROCESS_OF_KIND[label.kind]
        data_id = DataId(mission, obs_id, label.inst, label.subexp)
        suffix = "".join(Path(label.path).suffixes[-2:]) if label.path.endswith(".gz") else ".fits"
        path = layout.preprocessed(data_id, label.kind, label.lo, label.hi, suffix)
        target = root / path
        try:
            known = present.get(str(path))
            if known is not None and target.is_file():
                status = target.stat()
                if (status.st_size, status.st_mtime_ns) == known[:2]:
                    placed.append(Placed(process, data_id, label, path, known[0], known[1], known[2], reused=True))
                    continue
            _make(raw / label.path, target, label)
            status = target.stat()
            digest = sha256(target) if status.st_size <= HASH_LIMIT else None
            placed.append(Placed(process, data_id, label, path, status.st_size, status.st_mtime_ns, digest))
        except StorageError:
            raise
        except OSError as problem:
            failed[process, data_id] = f"{label.path} cannot be placed: {problem.strerror or problem}"
        except Exception as problem:  # noqa: BLE001 - a plugin's function; its failure is told, and ends this one only
            failed[process, data_id] = f"nothing can be made of {label.path}: {problem}"
    return Reorganised(tuple(placed), failed)


def _make(source: Path, target: Path, label: ProductLabel) -> None:
    """Place a product: the file as it is, or what its plugin makes of it."""
    if label.made_by is None:
        place(source, target)
        return
    part = target.with_name(f".{target.name}.made")
    try:
        load_target(label.made_by)(str(source), str(part), label.inst)
        place(part, target)
    finally:
        part.unlink(missing_ok=True)

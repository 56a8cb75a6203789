"""Jobs for bodies to be called with: directories, products of what is needed, and nothing real in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from daxa.archive import layout
from daxa.archive.plan import PREPROCESSED, Exposure
from daxa.contract.processes import Surroundings
from daxa.ids import LEVELS, DataId
from daxa.process import Job, Need, Process

CONTENT = b"stands in for a product\n"


@frozen
class Laid:
    """Where jobs of a test work.

    Parameters
    ----------
    root : Path
        Directory of the test.
    around : Surroundings
        The mission.
    data_ids : sequence of DataId
        The deepest data ids there are.
    """

    root: Path
    around: Surroundings
    data_ids: tuple[DataId, ...]

    @property
    def archive(self) -> Path:
        """Directory that stands for an archive."""
        return self.root / "archive"

    @property
    def raw(self) -> Path:
        """Directory that stands for downloads."""
        return self.root / "raw"

    def at_level_of(self, name: str) -> list[DataId]:
        """The data ids that a process, or a step of the core, works on."""
        depth = self.around.depth(name)
        level = LEVELS[1 + (depth if depth is not None else 0)]
        known = self.around.known.get(name)
        found = {one.at(level) for one in self.data_ids if one.depth >= LEVELS.index(level)}
        insts = known.instruments if known is not None else ()
        return sorted(one for one in found if not insts or one.inst is None or one.inst in insts)

    def given(self, process: Process, data_id: DataId, variant: str) -> dict[str, tuple[Path, ...]]:
        """Products of what a process needs, as files."""
        made: dict[str, list[Path]] = {}
        for need in process.needs_with({}):
            if need.instruments and data_id.inst is not None and data_id.inst not in need.instruments:
                continue
            for key, path in self._products(need, data_id, variant):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(CONTENT)
                made.setdefault(key, []).append(path)
        return {key: tuple(sorted(set(paths))) for key, paths in made.items()}

    def _products(self, need: Need, data_id: DataId, variant: str) -> Iterator[tuple[str, Path]]:
        other = self.around.known.get(need.process)
        for one in self.at_level_of(need.process):
            if not (one.contains(data_id) or data_id.contains(one)):
                continue
            if other is None:
                if need.process in PREPROCESSED:
                    kind = PREPROCESSED[need.process]
                    yield kind, self.archive / layout.preprocessed(one, kind, None, None, ".fits")
                continue
            variants = other.variants_of(one, other.parameters)
            for chosen in [variant] if variant in variants else variants:
                words = self.words(other, one, chosen)
                for key, product in other.produces.items():
                    if product.is_made_of(one.inst):
                        yield key, self.archive / layout.product(one, product.path, chosen, words)

    def words(self, process: Process, data_id: DataId, variant: str) -> dict[str, str]:
        """Words of a process's own for the templates of its products."""
        return process.names_of(self._bare(process, data_id, variant, self.root, {}), process.parameters)

    def _bare(self, process: Process, data_id: DataId, variant: str, scratch: Path, info: Mapping[str, Any]) -> Job:
        """A job that has no outputs yet."""
        return Job(
            process=process.name,
            data_id=data_id,
            variant=variant,
            name=layout.stem(data_id),
            given=self.given(process, data_id, variant),
            scratch=scratch,
            raw=self.raw / str(data_id.obs_id),
            observation={
                "ObsID": data_id.obs_id,
                "science_usable": True,
                "ra": 150.1,
                "dec": -11.06,
                "start": datetime(2004, 6, 17, 10, 38, 28),
                "end": datetime(2004, 6, 17, 14, 47, 1),
            },
            info=dict(info),
            versions=dict.fromkeys(process.tools, "99.0.0"),
        )

    def job(self, process: Process, data_id: DataId, variant: str, info: Mapping[str, Any], name: str = "one") -> Job:
        """Make a job, with its directories; `name` tells scratch directories apart."""
        scratch = self.root / "scratch" / name / f"{process.name}_{data_id.ident}{variant}"
        scratch.mkdir(parents=True, exist_ok=True)
        raw = self.raw / str(data_id.obs_id)
        raw.mkdir(parents=True, exist_ok=True)
        (raw / "downloaded.fits").write_bytes(CONTENT)
        bare = self._bare(process, data_id, variant, scratch, info)
        words = process.names_of(bare, process.parameters)
        outputs = {
            key: scratch / layout.product(data_id, product.path, variant, words).name
            for key, product in process.produces.items()
            if product.is_made_of(data_id.inst)
        }
        return evolve(bare, outputs=outputs)


def exposure(data_id: DataId, info: Mapping[str, Any]) -> Exposure:
    """A data id as ``applies`` sees it."""
    return Exposure(data_id=data_id, info=dict(info))

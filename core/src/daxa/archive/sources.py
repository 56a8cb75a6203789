"""The source regions of an archive's observations: set, looked at, and where they are."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from daxa.archive import layout
from daxa.archive.reading import Reading
from daxa.archive.regions import parse_own, sky_regions, to_ds9
from daxa.archive.replacing import write_texts
from daxa.archive.views import View
from daxa.exceptions import (
    ArchiveInUseError,
    InvalidParameterError,
    NoRegionsAssociatedError,
    ObsNotAssociatedError,
    ParameterTypeError,
)

if TYPE_CHECKING:
    from daxa.mission.base import Mission

_DIRECTORY: Final = "regions"
_FILE: Final = "source_regions_radec.reg"
_PENDING: Final = "regions pending"
"""Fact of the archive: regions that are set and not in their files yet."""


class Regions(Reading):
    """The part of an archive that keeps source regions.

    What is set is written to the record first, in one piece, then to the files, and then taken from the record again:
    if the process is killed in between, the record still has what the files lack.
    """

    @property
    def source_regions(self) -> View:
        """Source regions, ``{mission: {ObsID: [SkyRegion, ...]}}``; a file is read when it is looked at.

        Set it with ``{mission: {ObsID: value}}``. A value is the path of a DS9 file, a list of Region objects, a
        ``regions.Regions``, or a dict with one of these under ``regions`` (or ``region``) and, for regions in pixel
        coordinates, the source of a WCS under ``wcs_src``: an astropy WCS, the path of a FITS image, or an XGA
        ``Image``. Pixels become ICRS; what is on the sky stays in its frame if DS9 has that. Colours, texts and tags
        are kept. Observations that are not named keep their regions; if anything is wrong, all of them do.

        Raises
        ------
        MissionNotAssociatedError, ObsNotAssociatedError, InvalidObsIDError
            If the archive does not hold an observation.
        ParameterTypeError, InvalidParameterError, MissingFileError
            If a value cannot be used, e.g. regions in pixels without a WCS.
        DamagedRecordError
            On looking at regions whose file has been changed to something else.
        ArchiveInUseError
            If another process, or another object, writes to the archive.
        StorageError
            If the disk refuses a file.
        """
        return View({name: partial(self._regions_of, name) for name in self.mission_names})

    @source_regions.setter
    def source_regions(self, new: Mapping[str, Mapping[str, Any]]) -> None:
        _nested(new, "source_regions", "{mission: {ObsID: regions}}")
        there = {name: set(self._regions_of(name)) for name in new if name in self._missions}
        texts: dict[str, str] = {}
        replaced = []
        for name, values in new.items():
            mission = self._mission(name)
            _nested(values, f"source_regions[{name!r}]", "{ObsID: regions}")
            held = set(mission.filtered_obs_ids)
            for given, value in values.items():
                obs_id = self._held(mission, given, held)
                path = _region_file(name, obs_id)
                if path in texts:
                    raise InvalidParameterError(
                        f"{name} {obs_id} is named twice.", expected="each observation once", remedy="leave one out"
                    )
                label = f"{name} {obs_id}"
                texts[path] = to_ds9(sky_regions(value, label), label)
                if obs_id in there[name]:
                    replaced.append(label)
        if not texts:
            return
        if replaced:
            warnings.warn(f"Source regions were there and are replaced: {', '.join(replaced)}.", stacklevel=2)
        with self._opened.writing():
            self._write_pending()
            self._opened.set_meta({_PENDING: texts}).result()
            self._write_pending()

    def get_region_file_path(self, mission: str | Mission | None = None, obs_id: str | None = None) -> str:
        """Absolute path of the DS9 file with an observation's source regions.

        Parameters
        ----------
        mission : str or Mission, optional
            The mission. Without it the path is a template with ``{mn}`` in its place.
        obs_id : str, optional
            The observation. Without it the path is a template with ``{oi}`` in its place; ``str.format`` fills it.

        Raises
        ------
        NoRegionsAssociatedError
            If the observation has no regions.
        InvalidParameterError
            If an observation is given without its mission.
        MissionNotAssociatedError, ObsNotAssociatedError, InvalidObsIDError
            If the archive does not hold it.
        """
        if mission is None and obs_id is not None:
            raise InvalidParameterError(
                f"The observation {obs_id!r} is given without its mission.",
                expected="a mission as well",
                remedy="give both, or neither for a template",
            )
        name = None if mission is None else str(getattr(mission, "name", mission))
        if name is not None:
            self._mission(name)
        if name is None or obs_id is None:
            return layout.template(self._root, _DIRECTORY, name or "{mn}", "{oi}", _FILE)
        self._data_id(name, obs_id)
        path = self._root / _region_file(name, obs_id)
        if _region_file(name, obs_id) in self._pending():
            try:
                with self._opened.writing():
                    self._write_pending()
            except ArchiveInUseError:
                if not path.is_file():
                    raise
        if not path.is_file():
            raise NoRegionsAssociatedError(
                f"The observation {obs_id} of {name} has no source regions in the archive {self._name!r}.",
                expected=f"one of {', '.join(self._regions_of(name)) or 'none so far'}",
                remedy=f"set them: `arch.source_regions = {{{name!r}: {{{obs_id!r}: ...}}}}`",
                value=obs_id,
            )
        return str(path)

    def _pending(self) -> Mapping[str, str]:
        """What is set and not in its files yet: texts by path, of a setter that is at work, or was killed."""
        texts: Mapping[str, str] = self._opened.meta(_PENDING, {})
        return texts

    def _write_pending(self) -> None:
        """Write what is set to its files. If the disk refuses one, all of it is as if it had never been set."""
        texts = self._pending()
        if not texts:
            return
        try:
            write_texts({self._root / path: text for path, text in texts.items()})
        finally:
            self._opened.set_meta({_PENDING: {}}).result()

    def _regions_of(self, name: str) -> View:
        """Regions of a mission, in the order of its observations."""
        directory = self._root / _DIRECTORY / name
        there = {one.name for one in directory.iterdir()} if directory.is_dir() else set()
        pending = self._pending()
        found = {}
        for obs_id in map(str, self._missions[name].filtered_obs_ids):
            path = _region_file(name, obs_id)
            if path in pending or (obs_id in there and (self._root / path).is_file()):
                found[obs_id] = partial(self._regions_in, path, f"{name} {obs_id}")
        return View(found)

    def _regions_in(self, path: str, label: str) -> list[Any]:
        """Read an archive's own regions."""
        text = self._pending().get(path)
        return parse_own(self._root / path, text, label)

    def _held(self, mission: Mission, given: Any, held: set[str]) -> str:
        """The ObsID as the catalogue writes it."""
        (obs_id,) = mission.normalise_obs_ids([given])
        if obs_id not in held:
            raise ObsNotAssociatedError(
                f"The archive {self._name!r} does not hold the observation {obs_id} of {mission.name}.",
                expected="one of the mission's filtered_obs_ids",
                remedy="correct the ObsID",
                value=obs_id,
            )
        return obs_id


def _nested(given: Any, name: str, form: str) -> None:
    if not isinstance(given, Mapping):
        raise ParameterTypeError(
            f"{name} cannot be set to {given!r}.", expected=f"a dict {form}", remedy="give a dict", value=given
        )


def _region_file(name: str, obs_id: str) -> str:
    """Path of an observation's regions, relative to the archive."""
    return f"{_DIRECTORY}/{name}/{obs_id}/{_FILE}"

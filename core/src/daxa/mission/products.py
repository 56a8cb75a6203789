"""Products that were downloaded: which file is what, and where it is."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from daxa.exceptions import (
    DAXANotDownloadedError,
    InvalidObsIDError,
    InvalidParameterError,
    MissingFileError,
    ParameterTypeError,
    PreProcessedNotAvailableError,
    PreProcessedNotSupportedError,
)
from daxa.mission.declared import Bands, Template
from daxa.mission.keeping import Keeping
from daxa.specs import ProductLabel

if TYPE_CHECKING:
    from astropy.units import Quantity

_TITLES: Final = {
    "events": "event lists",
    "image": "images",
    "expmap": "exposure maps",
    "backmap": "background maps",
}

_TOLERANCE: Final = 1e-6
"""Relative difference up to which two energies are the same: 700 eV is 0.7 keV."""


def _same(one: float, other: float) -> bool:
    return abs(one - other) <= _TOLERANCE * max(abs(one), abs(other))


def _keV(energy: Any, what: str) -> float | None:
    if energy is None:
        return None
    from astropy.units import Quantity, UnitConversionError

    if not isinstance(energy, Quantity) or not energy.isscalar:
        raise ParameterTypeError(
            f"{what} is {energy!r}.", expected="a Quantity, e.g. Quantity(0.5, 'keV')", remedy="give it with its unit"
        )
    try:
        return float(energy.to_value("keV"))
    except UnitConversionError as problem:
        raise ParameterTypeError(f"{what} is {energy}.", expected="an energy", remedy="correct the unit") from problem


def choose_band(bands: Bands, lo: float | None, hi: float | None) -> tuple[float, float]:
    """Choose the energy band that is meant.

    Parameters
    ----------
    bands : Mapping
        The bands there are, in keV.
    lo, hi : float, optional
        Its ends, as far as they are given.

    Raises
    ------
    PreProcessedNotAvailableError
        If there is no such band.
    InvalidParameterError
        If several are possible.
    """
    known = ", ".join(f"{one:g}-{other:g}" for one, other in bands)
    found = [band for band in bands if (lo is None or _same(band[0], lo)) and (hi is None or _same(band[1], hi))]
    if not found:
        given = f"{'...' if lo is None else f'{lo:g}'}-{'...' if hi is None else f'{hi:g}'} keV"
        raise PreProcessedNotAvailableError(
            f"There is no product in the band {given}.",
            expected=f"one of {known} keV",
            remedy="choose one of these",
            value=(lo, hi),
        )
    if len(found) > 1:
        raise InvalidParameterError(
            "Several energy bands are possible.", expected=f"lo_en and hi_en of {known} keV", remedy="give both"
        )
    return found[0]


class ProductPaths(Keeping):
    """The part of a mission that finds its downloaded products."""

    def _template(self, kind: str, inst: str) -> str | None:
        declared: Template = self.templates.get(kind)
        return declared.get(inst) if isinstance(declared, Mapping) else declared

    def file_pattern(self, template: str, obs_id: str, inst: str, token: str = "") -> str:
        """Fill a template; missions whose file names tell more override it."""
        return template.format(oi=obs_id.lower(), i=self.instrument_tokens.get(inst, inst), eb=token)

    def newest_files(self, paths: Sequence[str]) -> list[str]:
        """Files that count, of those that are here: an archive may have made some anew since the first were fetched.

        Missions whose file names tell a version override it; by default all count.

        Parameters
        ----------
        paths : sequence of str
            Files, relative to the observation's directory.
        """
        return list(paths)

    def label(self, obs: Mapping[str, Any], paths: Sequence[str]) -> list[ProductLabel]:
        """Say what downloaded files are; by default as the templates say.

        Parameters
        ----------
        obs : Mapping
            The observation's row of the catalogue.
        paths : sequence of str
            Files, relative to the observation's directory.
        """
        insts = [str(obs["instrument"])] if self.one_inst_per_obs and "instrument" in obs else list(self._instruments)
        current = self.newest_files(paths)
        labels: dict[tuple[str, str], ProductLabel] = {}
        for kind in self.templates:
            for inst in insts:
                template = self._template(kind, inst)
                if template is None:
                    continue
                bands = self.bands_of(inst) or {}
                only = next(iter(bands)) if len(bands) == 1 else None
                choices = list(bands.items()) if "{eb}" in template else [(only, "")]
                for band, token in choices:
                    pattern = self.file_pattern(template, str(obs["ObsID"]), inst, token)
                    lo, hi = band if band is not None and kind != "events" else (None, None)
                    for path in sorted(one for one in current if fnmatchcase(one, pattern)):
                        found = ProductLabel(kind=kind, path=path, inst=inst, lo=lo, hi=hi)
                        labels.setdefault((kind, path), found)
        return list(labels.values())

    @property
    def preprocessed_energy_bands(self) -> dict[str, Quantity]:
        """Energy bands of the archive's images, by chosen instrument: Quantity of shape (n, 2) in keV.

        Raises
        ------
        PreProcessedNotSupportedError
            If the mission has no bands.
        """
        return self.bands_quantity(self._instruments)

    # --- paths ------------------------------------------------------------------------------------------------------

    def get_evt_list_path(self, obs_id: str, inst: str | None = None) -> str:
        """Absolute path of a downloaded event list.

        Parameters
        ----------
        obs_id : str
            A selected observation.
        inst : str, optional
            Instrument; not needed where there is only one.

        Raises
        ------
        PreProcessedNotSupportedError
            If the mission's archive has none.
        DAXANotDownloadedError
            If products have not been downloaded.
        InvalidObsIDError, InvalidParameterError
            If the observation is not selected, or the instrument is unknown or missing.
        MissingFileError
            If it is not on disk, or not alone.
        """
        return self._path("events", obs_id, inst)

    def get_image_path(
        self,
        obs_id: str,
        lo_en: Quantity | None = None,
        hi_en: Quantity | None = None,
        inst: str | None = None,
    ) -> str:
        """Absolute path of a downloaded image; parameters and errors as :meth:`get_evt_list_path`, and:

        Parameters
        ----------
        lo_en, hi_en : Quantity, optional
            Energy band; not needed where there is only one.

        Raises
        ------
        PreProcessedNotAvailableError
            If there is none in that band; it names the bands.
        """
        return self._path("image", obs_id, inst, (lo_en, hi_en))

    def get_expmap_path(
        self,
        obs_id: str,
        lo_en: Quantity | None = None,
        hi_en: Quantity | None = None,
        inst: str | None = None,
    ) -> str:
        """Absolute path of a downloaded exposure map; parameters and errors as :meth:`get_image_path`."""
        return self._path("expmap", obs_id, inst, (lo_en, hi_en))

    def get_background_path(
        self,
        obs_id: str,
        lo_en: Quantity | None = None,
        hi_en: Quantity | None = None,
        inst: str | None = None,
    ) -> str:
        """Absolute path of a downloaded background map; parameters and errors as :meth:`get_image_path`."""
        return self._path("backmap", obs_id, inst, (lo_en, hi_en))

    def _path(self, kind: str, obs_id: str, inst: str | None, energies: tuple[Any, Any] = (None, None)) -> str:
        if self.templates.get(kind) is None:
            raise self._unsupported(kind, self.pretty_name)
        lo, hi = (_keV(one, what) for one, what in zip(energies, ("lo_en", "hi_en"), strict=True))
        self.refuse_if_not_downloaded()
        if "preprocessed" not in (self._downloaded_type or ""):
            raise DAXANotDownloadedError(
                f"The products of {self.pretty_name} have not been downloaded, only raw data.",
                expected="a download with products",
                remedy="write `await mission.download(download_products=True)`",
                mission=self.name,
            )
        obs_id = self._selected_obs_id(obs_id)
        inst = self._instrument_of(obs_id, inst)
        template = self._template(kind, inst)
        if template is None:
            raise self._unsupported(kind, f"{self.pretty_name} {inst}")
        token = ""
        bands = self.bands_of(inst)
        if "{eb}" in template or (lo, hi) != (None, None):
            if not bands:
                raise self._unsupported(kind, f"{self.pretty_name} {inst}", " in energy bands")
            token = bands[choose_band(bands, lo, hi)]
        pattern = self.file_pattern(template, obs_id, inst, token)
        return self._only_file(obs_id, pattern)

    def _unsupported(self, kind: str, whose: str, more: str = "") -> PreProcessedNotSupportedError:
        return PreProcessedNotSupportedError(
            f"The archive of {whose} has no {_TITLES[kind]}{more}.",
            expected=f"one of {', '.join(_TITLES[one] for one in self.templates) or 'none'}",
            remedy="make them with `arch.process()`",
            mission=self.name,
        )

    def _selected_obs_id(self, obs_id: str) -> str:
        (checked,) = self.normalise_obs_ids(obs_id)
        if checked not in set(self.filtered_obs_ids):
            raise InvalidObsIDError(
                f"{checked} is not among the selected observations of {self.pretty_name}.",
                expected="one of filtered_obs_ids",
                remedy="correct the ObsID",
                obs_id=checked,
            )
        return checked

    def _instrument_of(self, obs_id: str, inst: str | None) -> str:
        given = None if inst is None else self.check_inst_names(inst)[0]
        if self.one_inst_per_obs and "instrument" in self._table.columns:
            own = str(self.observation(obs_id)["instrument"])
            if given is not None and given != own:
                warnings.warn(f"{self.pretty_name} {obs_id} is of {own}, not of {given}.", stacklevel=4)
            return own
        if self.instruments_merged:
            return self._instruments[0]
        if given is not None:
            return given
        if len(self._instruments) > 1:
            raise InvalidParameterError(
                f"{self.pretty_name} has several instruments.",
                expected=f"inst, one of {', '.join(self._instruments)}",
                remedy="give inst",
            )
        return self._instruments[0]

    def _only_file(self, obs_id: str, pattern: str) -> str:
        directory = self._raw / obs_id
        here = [path for path in directory.glob(pattern) if path.is_file()] if directory.is_dir() else []
        found = sorted(self.newest_files([path.relative_to(directory).as_posix() for path in here]))
        if len(found) != 1:
            raise MissingFileError(
                f"{len(found) or 'No'} files of {self.pretty_name} {obs_id} match {pattern}.",
                expected=f"one under {directory}",
                remedy="`await mission.verify()` tells what is missing, `await mission.download()` fetches it",
                path=str(directory / pattern),
            )
        return str(directory / found[0])

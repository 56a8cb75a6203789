"""eROSITA's public observations: the fields of its early data release, and the sky tiles of its first survey."""

from __future__ import annotations

import re
import warnings
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import quote

import anyio.to_thread
from attrs import evolve

from daxa.api import (
    Context,
    Entry,
    InvalidParameterError,
    Location,
    Mission,
    Net,
    NoObsAfterFilterError,
    NotAtArchiveError,
    ProductLabel,
    RemoteFile,
    Want,
    filtering,
    texts,
    time_from_seconds,
)
from daxa_erosita.fields import FIELDS, TYPES, check_fields

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pandas import DataFrame, Series

MODULES: Final = ("TM1", "TM2", "TM3", "TM4", "TM5", "TM6", "TM7")

BANDS: Final = {
    (0.2, 0.6): "1", (0.2, 2.3): "4", (0.2, 0.5): "5", (0.6, 2.3): "2", (2.3, 5.0): "3", (0.5, 1.0): "6",
    (1.0, 2.0): "7",
}  # fmt: skip
"""Energy bands of the survey's images, in keV, and their digit in file names."""

MISPRINTED: Final = {"700195": ("700199", "700200")}
"""ObsIDs that the archive's pages print wrongly, with the right ones."""

_VERSIONED: Final = re.compile(r"(?P<what>[A-Z]+)_(?P<version>\d+)\Z")
_WANTED: Final[tuple[tuple[str, str, Literal["both", "products"]], ...]] = (
    ("EXP", "_EventList_", "both"),
    ("EXP", "_Image_", "products"),
    ("DET", "_ExposureMap_", "products"),
    ("DET", "_BackgrImage_", "products"),
)
"""Directory, part of the name, and wish of the files of a tile."""


def packaged_table(name: str) -> DataFrame:
    """Read one of the tables that come along, as text."""
    import pandas as pd

    with (files("daxa_erosita") / "data" / f"{name}.csv").open(encoding="utf-8") as stream:
        return pd.read_csv(stream, dtype=str)


def utc_with_60_seconds(given: Series[Any]) -> Series[Any]:
    """UTC times of ISO text whose seconds may be 60, which is the next minute: the tile table rounds that way."""
    import pandas as pd

    minutes = pd.to_datetime(given.str.slice(0, 16), format="%Y-%m-%dT%H:%M")
    return minutes + pd.to_timedelta(given.str.slice(17, 19).astype("int64"), unit="s")


class eROSITAFiles(Mission):
    """What both have in common: seven telescope modules, whose events and images lie in the same files."""

    id_pattern = r"^[0-9]{6}$"
    frame = "fk5"
    instruments = MODULES
    default_instruments = MODULES
    instruments_merged = True
    levels = ("obs", "inst")
    product_level = "inst"
    catalogue_included = True

    def active_modules(self, obs: Mapping[str, Any]) -> Sequence[str]:
        """Modules that were at work in an observation."""
        return self.instruments

    async def download(  # type: ignore[override]
        self, num_cores: int | None = None, download_products: bool | None = None, **options: Any
    ) -> Any:
        """Fetch the selected observations, as every mission does; nothing of them asks for credentials."""
        return await super().download(num_cores, download_products=download_products, **options)

    def label(self, obs: Mapping[str, Any], paths: Sequence[str]) -> list[ProductLabel]:
        """Say what downloaded files are. Event lists are cut to the chosen modules; images are of all of them."""
        active = [one for one in self.instruments if one in self.active_modules(obs)]
        chosen = [one for one in active if one in self.chosen_instruments]
        found = []
        for one in super().label(obs, paths):
            if one.kind != "events":
                found.append(evolve(one, inst="_".join(self.instruments)))
            elif chosen == active:
                found.append(evolve(one, inst="_".join(active)))
            elif chosen:
                cut = "daxa_erosita.events:select_modules"
                found.append(evolve(one, inst="_".join(chosen), made_by=cut))
        return found

    def ident_to_obsid(self, ident: str) -> str:
        """Return the ObsID that an identifier such as ``700195TM1`` begins with."""
        return ident[:6]

    def assess_process_obs(self, obs_info: Mapping[str, Any]) -> dict[str, Any]:
        """Say which modules to process: those that saw the sky."""
        return {inst: {"usable": one["filter"] in ("OPEN", "FILTER")} for inst, one in obs_info.items()}


class eROSITACalPV(eROSITAFiles):
    """eROSITA's calibration and performance verification phase: fields of the early data release, each in one tar.

    Parameters
    ----------
    insts : str or sequence of str, optional
        Telescope modules to use; all seven by default.
    fields : str or sequence of str, optional
        Names of fields, or of their types, to use alone.
    save_file_path : str or Path, optional
        State file of an earlier selection.
    context : Context, optional
        The surroundings.
    """

    name = "erosita_calpv"
    pretty_name = "eROSITACalPV"
    fov = "4.5 deg"
    fov_caveat = (
        "The field of view of eROSITA's CalPV observations depends on whether the telescope pointed or scanned; this is"
        " the largest half-width."
    )
    columns = ("Field_Name", "Field_Type", "active_insts")
    column_order = (
        "ra", "dec", "ObsID", "science_usable", "start", "end", "duration", "Field_Name", "Field_Type",
        "active_insts",
    )  # fmt: skip
    services = ("EROSITA_EDR",)
    templates = {"events": "*m00_*_020_EventList_c001.fits"}  # a list may bear the misprinted ObsID

    def __init__(
        self,
        insts: str | Sequence[str] | None = None,
        fields: str | Sequence[str] | None = None,
        save_file_path: str | Path | None = None,
        *,
        context: Context | None = None,
    ) -> None:
        self._fields = None if fields is None else check_fields(fields)
        super().__init__(insts, save_file_path, context=context)

    # --- catalogue --------------------------------------------------------------------------------------------------

    async def catalogue(self, net: Net) -> DataFrame:
        """Read the table that comes along; see :mod:`daxa.api`."""
        import pandas as pd

        found = await anyio.to_thread.run_sync(packaged_table, "calpv")
        return pd.DataFrame(
            {
                "ra": found["ra"].astype("float64"),
                "dec": found["dec"].astype("float64"),
                "ObsID": texts(found["ObsID"]),
                "science_usable": True,
                "start": pd.to_datetime(found["start"]),
                "end": pd.to_datetime(found["end"]),
                "duration": time_from_seconds(found["duration"].astype("float64")),
                "Field_Name": texts(found["field"]),
                "Field_Type": texts(FIELDS[one].type for one in found["field"]),
                "active_insts": texts(",".join(f"TM{one}" for one in modules) for modules in found["modules"]),
            }
        )

    def active_modules(self, obs: Mapping[str, Any]) -> Sequence[str]:
        """Modules that were at work: most early observations had a few."""
        return str(obs["active_insts"]).split(",")

    # --- fields -----------------------------------------------------------------------------------------------------

    @property
    def all_mission_fields(self) -> list[str]:
        """Names of all fields."""
        return list(FIELDS)

    @property
    def all_mission_field_types(self) -> list[str]:
        """Types of fields."""
        return list(TYPES)

    @property
    def chosen_fields(self) -> list[str]:
        """Fields in use; all of them where none was chosen. Setting them selects anew among what the filters leave."""
        fields = list(self._fields or self.all_mission_fields)
        for one in self.filtering_operations:
            if one["name"] == "filter_on_fields":
                named = check_fields(one["arguments"]["fields"])
                fields = [field for field in fields if field in named]
        return fields

    @chosen_fields.setter
    def chosen_fields(self, fields: str | Sequence[str]) -> None:
        self.refuse_if_locked("chosen_fields = ...")
        before, self._fields = self._fields, check_fields(fields)
        try:
            self.chosen_instruments = self.chosen_instruments  # which looks at the fields as well
        except NoObsAfterFilterError:
            self._fields = before
            raise

    @filtering
    async def filter_on_fields(self, fields: str | Sequence[str]) -> None:
        """Select observations of some fields.

        Parameters
        ----------
        fields : str or sequence of str
            Names of fields, or of types of field.

        Raises
        ------
        InvalidParameterError
            If there is no such field.
        NoObsAfterFilterError
            If none would be left.
        """
        import numpy as np

        chosen = check_fields(fields)
        await self.load()
        mask = np.asarray(self.all_obs_info["Field_Name"].isin(chosen), dtype=bool)
        self.apply(mask, f"the fields {', '.join(chosen)}")

    def filter_on_obs_ids(self, allowed_obs_ids: str | Sequence[str], invert: bool = False) -> Any:
        """Select observations by ObsID, as every mission does; an ObsID that the archive misprints is put right."""
        given: Any = [allowed_obs_ids] if isinstance(allowed_obs_ids, str) else allowed_obs_ids
        if isinstance(given, Iterable) and not isinstance(given, Mapping):
            given = list(given)
            for wrong, right in MISPRINTED.items():
                if wrong in given:
                    warnings.warn(
                        f"The ObsID {wrong} is a misprint of the archive's pages; {' and '.join(right)} are meant.",
                        stacklevel=2,
                    )
            given = [right for one in given for right in MISPRINTED.get(str(one), (one,))]
        return super().filter_on_obs_ids(given, invert)

    def rows_of_instruments(self, table: DataFrame, chosen: Sequence[str]) -> NDArray[np.bool_]:
        """Say which observations are of the chosen fields; those of a chosen module include every one."""
        import numpy as np

        rows = super().rows_of_instruments(table, chosen)
        return rows if self._fields is None else rows & np.asarray(table["Field_Name"].isin(self._fields), dtype=bool)

    def choice_in_words(self, chosen: Sequence[str]) -> str:
        """Name the chosen fields, if some were."""
        fields = self._fields
        return super().choice_in_words(chosen) if fields is None else f"the chosen fields, {', '.join(fields)}"

    def require_selection(self, *, all_observations: bool = False) -> None:
        """Refuse a mission that nobody filtered; fields that were chosen are a selection."""
        super().require_selection(all_observations=all_observations or self._fields is not None)

    def fields_to_save(self) -> list[str] | None:
        """Fields chosen."""
        return None if self._fields is None else list(self._fields)

    def restore_fields(self, fields: list[str] | None) -> None:
        """Choose the fields of a saved state."""
        self._fields = None if fields is None else check_fields(fields)

    # --- files ------------------------------------------------------------------------------------------------------

    async def remote_files(self, obs: Mapping[str, Any], want: Want, net: Net) -> AsyncIterator[RemoteFile]:
        """Name the tar of the observation's field; its event list is raw data and product in one."""
        obs_id = str(obs["ObsID"])
        yield RemoteFile(
            obs_id=obs_id,
            path="",
            locations=(Location(url=f"{net.url('EROSITA_EDR').rstrip('/')}/{FIELDS[str(obs['Field_Name'])].archive}"),),
            unpack="auto",
            members=(f"?m0?_{obs_id}_*", f"{obs_id}/?m0?_*", f"*/{obs_id}/?m0?_*"),
            shared=True,
            listed=False,
        )


class eRASS1DE(eROSITAFiles):
    """eRASS1: the sky tiles of eROSITA's first all-sky survey, western Galactic hemisphere (data release 1).

    Parameters
    ----------
    insts : str or sequence of str, optional
        Telescope modules to use; all seven by default.
    save_file_path : str or Path, optional
        State file of an earlier selection.
    context : Context, optional
        The surroundings.
    """

    name = "erosita_all_sky_de_dr1"
    pretty_name = "eRASS DE:1"
    fov = "1.8 deg"
    columns = ("ra_min", "ra_max", "dec_min", "dec_max", "neigh_obs")
    column_order = (
        "ra", "dec", "ObsID", "science_usable", "start", "end", "duration", "ra_min", "ra_max", "dec_min", "dec_max",
        "neigh_obs",
    )  # fmt: skip
    services = ("EROSITA",)
    bands = dict.fromkeys(MODULES, BANDS)
    templates = {
        "events": "EXP_*/e*01_{oi}_020_EventList_c*.fits",
        "image": "EXP_*/e*01_{oi}_02{eb}_Image_c*.fits",
        "expmap": "DET_*/e*01_{oi}_02{eb}_ExposureMap_c*.fits",
        "backmap": "DET_*/e*01_{oi}_02{eb}_BackgrImage_c*.fits",
    }

    async def catalogue(self, net: Net) -> DataFrame:
        """Read the table that comes along; see :mod:`daxa.api`."""
        import pandas as pd

        found = await anyio.to_thread.run_sync(packaged_table, "erass1")
        numbers = {name: found[name].astype("float64") for name in ("ra_min", "ra_max", "dec_min", "dec_max")}
        start, end = utc_with_60_seconds(found["start"]), utc_with_60_seconds(found["end"])
        return pd.DataFrame(
            {
                "ra": found["ra"].astype("float64"),
                "dec": found["dec"].astype("float64"),
                "ObsID": texts(found["ObsID"]),
                "science_usable": True,
                "start": start,
                "end": end,
                "duration": end - start,
                **numbers,
                "neigh_obs": texts(found["neighbours"].str.replace(" ", ",")),
            }
        )

    # --- files ------------------------------------------------------------------------------------------------------

    @property
    def pipeline_version(self) -> str | None:
        """Version of the processing to fetch and to look at, e.g. ``"010"``; None is the newest there is."""
        return self._version

    @pipeline_version.setter
    def pipeline_version(self, version: str | int | None) -> None:
        if version is None:
            self._version = None
            return
        text = f"{version:03d}" if isinstance(version, int) and not isinstance(version, bool) else version
        if not isinstance(text, str) or not re.fullmatch(r"\d{1,6}", text):
            raise InvalidParameterError(
                f"{version!r} is no version of eROSITA's processing.",
                expected='digits such as "010", or None for the newest',
                remedy="correct it",
                value=version,
            )
        self._version = text

    async def download(  # type: ignore[override]
        self,
        num_cores: int | None = None,
        download_products: bool | None = None,
        pipeline_version: str | int | None = None,
        **options: Any,
    ) -> Any:
        """Fetch the selected tiles, as every mission does.

        Parameters
        ----------
        num_cores, download_products
            As for every mission.
        pipeline_version : str or int, optional
            Version of the processing; by default :attr:`pipeline_version`, else the newest there is.
        **options
            Those of every mission.
        """
        if pipeline_version is not None:
            self.pipeline_version = pipeline_version
        return await super().download(num_cores, download_products=download_products, **options)

    def file_pattern(self, template: str, obs_id: str, inst: str, token: str = "") -> str:
        """Fill a template, with the version of the processing if one was chosen."""
        pattern = super().file_pattern(template, obs_id, inst, token)
        if self._version is None:
            return pattern
        directory, _, name = pattern.partition("/")
        return f"{directory.replace('*', self._version)}/{name.replace('_c*', f'_c{self._version}')}"

    def newest_files(self, paths: Sequence[str]) -> list[str]:
        """Files that count: those of the version of the processing that was chosen, else of the newest that is here."""
        versions: dict[str, set[int]] = {}
        split = {path: _VERSIONED.match(path.partition("/")[0]) for path in paths}
        for found in split.values():
            if found is not None:
                versions.setdefault(found["what"], set()).add(int(found["version"]))
        chosen = None if self._version is None else int(self._version)
        return [
            path
            for path, found in split.items()
            if found is None or int(found["version"]) == (max(versions[found["what"]]) if chosen is None else chosen)
        ]

    async def remote_files(self, obs: Mapping[str, Any], want: Want, net: Net) -> AsyncIterator[RemoteFile]:
        """List the tile's directories: exposures always, maps of the detectors with products."""
        obs_id = str(obs["ObsID"])
        url = f"{net.url('EROSITA').rstrip('/')}/{obs_id[3:]}/{obs_id[:3]}/"
        kinds = dict.fromkeys(what for what, _, part_of in _WANTED if want.products or part_of == "both")
        found = [entry.name for entry in await net.listing(url) if entry.is_dir]
        directories = {kind: self._directory(found, kind, obs_id, url) for kind in kinds}
        listed: dict[str, Sequence[Entry]] = {
            kind: await net.listing(f"{url}{name}/", listed=True) for kind, name in directories.items()
        }
        events = 0
        for kind, part, part_of in _WANTED:
            if part_of == "products" and not want.products:
                continue
            for entry in listed[kind]:
                if entry.is_dir or part not in entry.name or ".fits" not in entry.name:
                    continue
                events += part == "_EventList_"
                yield RemoteFile(
                    obs_id=obs_id,
                    path=f"{directories[kind]}/{entry.name.removesuffix('.gz')}",
                    locations=(
                        Location(
                            url=f"{url}{directories[kind]}/{quote(entry.name)}",
                            size=entry.size if entry.exact else None,
                        ),
                    ),
                    unpack="gzip" if entry.name.endswith(".gz") else "none",
                    part_of=part_of,
                    required=part == "_EventList_",
                )
        if not events:
            raise NotAtArchiveError(
                f"The archive has no event list of the tile {obs_id}.",
                expected=f"one in {directories['EXP']}",
                remedy="the tile may not have been released",
                url=url,
            )

    def _directory(self, found: Iterable[str], kind: str, obs_id: str, url: str) -> str:
        """The directory of the version that is wanted."""
        named = [match for match in map(_VERSIONED.match, found) if match is not None and match["what"] == kind]
        if self._version is not None:
            chosen = [one for one in named if int(one["version"]) == int(self._version)]
        else:
            chosen = sorted(named, key=lambda one: int(one["version"]))[-1:]
        if not chosen:
            versions = ", ".join(sorted(one["version"] for one in named)) or "none"
            asked = "" if self._version is None else f" of version {self._version}"
            raise NotAtArchiveError(
                f"The archive has no {kind} data{asked} of the tile {obs_id}.",
                expected=f"a version that is there: {versions}",
                remedy="choose another pipeline_version, or none for the newest",
                url=url,
            )
        return chosen[0].string

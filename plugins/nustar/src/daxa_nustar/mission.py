"""NuSTAR's pointed observations, from HEASARC."""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final, Literal

from daxa.api import (
    AccessDeniedError,
    Entry,
    Mission,
    Net,
    NotAtArchiveError,
    ProductLabel,
    RemoteFile,
    Want,
    heasarc_file,
    on_the_sky,
    public_now,
    texts,
    time_from_seconds,
    utc_from_mjd,
    whole_numbers,
    whole_table,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pandas import DataFrame

COLUMNS: Final = (
    "ra", "dec", "time", "obsid", "status", "exposure_a", "observation_mode", "public_date", "issue_flag", "end_time",
    "exposure_b", "nupsdout", "ontime_a", "ontime_b", "spacecraft_mode", "subject_category", "name",
)  # fmt: skip
"""Columns of HEASARC's table ``numaster`` that are read."""

CATEGORIES: Final = {
    "Active galaxies and Quasars": "AGN",
    "Non-Proposal ToOs": "TOO",
    "Galactic Compact Sources": "GS",
    "Solar System Objects": "SOL",
    "Proposed ToOs and Directors Discretionary Time": "TOO",
    "Calibration Observations": "CAL",
    "Non-ToO Supernovae, Supernova Remnants, and Galactic diffuse": "SNR",
    "Normal galaxies": "NGS",
    "Galaxy clusters and extragalactic diffuse objects": "GCL",
    "Non-Pointing data": "MISC",
}
"""Target types of ``subject_category``; anything else is MISC."""

SCIENCE: Final = "01"
"""Mode of events taken while both the source and the star tracker of the optics are in view."""

SPACECRAFT_SCIENCE: Final = "06"
"""Mode of events taken with the spacecraft's own star trackers alone."""

_UNPACKED: Final = ("evt.gz", "img.gz")
_ENCRYPTED: Final = (".gpg", ".pgp")
_PRODUCTS: Final = "event_cl"
_PART_OF: Final[Mapping[str, Literal["raw", "products", "both"]]] = {
    "hk": "both",
    "auxil": "raw",
    "event_uf": "raw",
    _PRODUCTS: "products",
}


class NuSTARPointed(Mission):
    """NuSTAR: two modules, FPMA and FPMB, each with event lists of its own.

    The catalogue is HEASARC's ``numaster``. Kept are science observations with a pointing spacecraft that have been
    processed, and in which a module was on.
    """

    name = "nustar_pointed"
    pretty_name = "NuSTAR Pointed"
    id_pattern = r"^[0-9]{11}$"
    frame = "fk5"
    instruments = ("FPMA", "FPMB")
    default_instruments = ("FPMA", "FPMB")
    instrument_aliases = {"FA": "FPMA", "FB": "FPMB"}
    instrument_tokens = {"FPMA": "A", "FPMB": "B"}
    fov = "6.5 arcmin"
    levels = ("obs", "inst")
    product_level = "inst"
    columns = (
        "proprietary_end_date", "exposure_a", "exposure_b", "ontime_a", "ontime_b", "nupsdout", "issue_flag",
        "target_category", "proprietary_usable",
    )  # fmt: skip
    column_order = (
        "ra", "dec", "ObsID", "science_usable", "proprietary_usable", "start", "end", "duration",
        "proprietary_end_date", "target_category", "exposure_a", "exposure_b", "ontime_a", "ontime_b", "nupsdout",
        "issue_flag", "target_name",
    )  # fmt: skip
    has_proprietary = True
    services = ("HEASARC_TAP", "HEASARC")
    bands = {"FPMA": {(3.0, 78.0): ""}, "FPMB": {(3.0, 78.0): ""}}
    templates = {"events": "event_cl/nu{oi}{i}01_cl.evt", "image": "event_cl/nu{oi}{i}01_sk.img"}

    # --- catalogue --------------------------------------------------------------------------------------------------

    async def catalogue(self, net: Net) -> DataFrame:
        """Fetch ``numaster``; see :mod:`daxa.api`."""
        import pandas as pd

        found = await whole_table(net, net.url("HEASARC_TAP"), "numaster", COLUMNS)
        keep = (
            found["status"].str.lower().isin(["archived", "processed"])
            & (found["observation_mode"].str.upper() == "SCIENCE")
            & (found["spacecraft_mode"].str.upper() == "INERTIAL")
            & on_the_sky(found["ra"], found["dec"])
        )
        found = found[keep].reset_index(drop=True)
        off = ~((found["ontime_a"] > 0) | (found["ontime_b"] > 0))
        if off.any():
            warnings.warn(
                f"{int(off.sum())} of {len(found)} observations of NuSTAR Pointed are left out of its catalogue: both"
                " modules were off.",
                stacklevel=2,
            )
            found = found[~off].reset_index(drop=True)
        start, end, public = (utc_from_mjd(found[one]) for one in ("time", "end_time", "public_date"))
        return pd.DataFrame(
            {
                "ra": found["ra"],
                "dec": found["dec"],
                "ObsID": texts(found["obsid"]),
                "science_usable": True,
                "proprietary_usable": public_now(public),
                "start": start,
                "end": end,
                "duration": end - start,
                "proprietary_end_date": public,
                "target_category": texts(CATEGORIES.get(one, "MISC") for one in found["subject_category"]),
                **{one: time_from_seconds(found[one]) for one in ("exposure_a", "exposure_b", "ontime_a", "ontime_b")},
                "nupsdout": whole_numbers(found["nupsdout"]),
                "issue_flag": whole_numbers(found["issue_flag"]),
                "target_name": texts(found["name"]),
            }
        )

    def rows_of_instruments(self, table: DataFrame, chosen: Sequence[str]) -> NDArray[np.bool_]:
        """Observations in which one of the chosen modules was on."""
        import numpy as np
        import pandas as pd

        columns = [f"ontime_{self.instrument_tokens[inst].lower()}" for inst in chosen]
        return np.asarray((table[columns] > pd.Timedelta(0)).any(axis=1), dtype=bool)

    # --- files ------------------------------------------------------------------------------------------------------

    async def remote_files(self, obs: Mapping[str, Any], want: Want, net: Net) -> AsyncIterator[RemoteFile]:
        """List the observation's directory at HEASARC.

        Raw data are auxil, event_uf and hk; products are event_cl. Housekeeping comes with either: dead time is in it.
        """
        obs_id = str(obs["ObsID"])
        base = f"nustar/data/obs/{obs_id[1:3]}/{obs_id[0]}/{obs_id}/"
        url = f"{net.url('HEASARC').rstrip('/')}/{base}"
        try:
            top = await net.listing(url)
        except NotAtArchiveError as problem:
            if obs.get("proprietary_usable", True):
                raise
            raise _encrypted(obs_id, url) from problem
        for entry in top:
            if entry.name == f"nu{obs_id}.cat.gz":
                yield heasarc_file(net, obs_id, base, entry, path=f"{obs_id}_cat.fits", required=False)
        there = {entry.name for entry in top if entry.is_dir}
        wishes = {"both"} | ({"raw"} if want.raw else set()) | ({"products"} if want.products else set())
        missing = []
        for directory in (one for one, part in _PART_OF.items() if part in wishes):
            if directory not in there:
                missing.append(directory)
                continue
            for entry in await net.listing(f"{url}{directory}/", listed=True):
                if entry.name.endswith(_ENCRYPTED):
                    raise _encrypted(obs_id, f"{url}{directory}/")
                if not entry.is_dir and self._is_wanted(obs_id, directory, entry, want):
                    yield heasarc_file(
                        net,
                        obs_id,
                        f"{base}{directory}/",
                        entry,
                        to=f"{directory}/",
                        unpack=entry.name.endswith(_UNPACKED),
                        part_of=_PART_OF[directory],
                    )
        if missing:
            raise NotAtArchiveError(
                f"The archive has no {', '.join(missing)} of NuSTAR's {obs_id}.",
                expected="the directories of a processed observation",
                remedy="the observation may not be public, or not be processed yet",
                url=url,
            )

    def _is_wanted(self, obs_id: str, directory: str, entry: Entry, want: Want) -> bool:
        if directory not in ("event_uf", _PRODUCTS):
            return True
        ending = "_uf" if directory == "event_uf" else ""
        starts = tuple(f"nu{obs_id}{self.instrument_tokens[inst]}{ending}" for inst in want.instruments)
        return entry.name.startswith(starts)

    def label(self, obs: Mapping[str, Any], paths: Sequence[str]) -> list[ProductLabel]:
        """Say what downloaded files are: event lists of mode 01, or where a module has none, of mode 06."""
        found = super().label(obs, paths)
        seen = {one.inst for one in found if one.kind == "events"}
        for inst in self.chosen_instruments:
            other = f"{_PRODUCTS}/nu{obs['ObsID']}{self.instrument_tokens[inst]}{SPACECRAFT_SCIENCE}_cl.evt"
            if inst not in seen:
                found += [
                    ProductLabel(kind="events", path=path, inst=inst) for path in paths if fnmatchcase(path, other)
                ]
        return found

    # --- processing -------------------------------------------------------------------------------------------------

    def ident_to_obsid(self, ident: str) -> str:
        """Return the ObsID that an identifier such as ``40001014013FPMA`` begins with."""
        return ident[:11]

    def assess_process_obs(self, obs_info: Mapping[str, Any]) -> dict[str, Any]:
        """Say which modules to process: those that were active."""
        return {inst: bool(info["active"]) for inst, info in obs_info.items()}


def _encrypted(obs_id: str, url: str) -> AccessDeniedError:
    """What is not public yet is at the archive, and is encrypted for those whose data it is."""
    return AccessDeniedError(
        f"The archive has NuSTAR's {obs_id} encrypted only.",
        expected="public data",
        remedy="wait until the observation is public",
        url=url,
        obs_id=obs_id,
    )

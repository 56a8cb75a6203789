"""Chandra's observations, from HEASARC."""

from __future__ import annotations

import re
import warnings
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from daxa.api import (
    Entry,
    Mission,
    Net,
    NotAtArchiveError,
    RemoteFile,
    Want,
    heasarc_file,
    on_the_sky,
    public_now,
    texts,
    time_from_seconds,
    utc_from_mjd,
    whole_table,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pandas import DataFrame

COLUMNS: Final = (
    "ra", "dec", "time", "obsid", "status", "detector", "grating", "exposure", "type", "data_mode", "class",
    "public_date",
)  # fmt: skip
"""Columns of HEASARC's table ``chanmaster`` that are read."""

CATEGORIES: Final = {
    "AGN UNCLASSIFIED": "AGN",
    "EXTENDED GALACTIC OR EXTRAGALACTIC": "EGE",
    "X-RAY BINARY": "GS",
    "CV": "GS",
    "CALIBRATION OBSERVATIONS": "CAL",
    "SNR": "SNR",
    "NON-ACTIVE GALAXY": "NGS",
    "CLUSTER OF GALAXIES": "GCL",
    "NON-POINTING DATA": "MISC",
}
"""Target types of ``class``, in upper case. Anything else is MISC, unless the type of the programme says more."""

PROGRAMMES: Final = {"TOO": "TOO", "DDT": "TOO", "CAL": "CAL"}
"""Target types of ``type``, for what ``class`` leaves as MISC."""

GRATINGS: Final = ("HETG", "LETG")
_SECONDARY: Final = re.compile(r"(evt1|mtl1|bias0|pbk0|flt1|bpix1|msk1|stat1)\.fits")


class Chandra(Mission):
    """Chandra: ACIS and HRC, with or without a grating before them.

    The catalogue is HEASARC's ``chanmaster``. It has no end times: the end is the start plus the exposure, which is too
    early for an observation that was taken in parts.
    """

    name = "chandra"
    pretty_name = "Chandra"
    id_pattern = r"^[0-9]{1,5}$"
    frame = "icrs"
    instruments = ("ACIS", "HRC", "HETG", "LETG")
    default_instruments = ("ACIS", "HRC")
    instrument_aliases = {"ACIS-I": "ACIS", "ACIS-S": "ACIS", "HRC-I": "HRC", "HRC-S": "HRC"}
    instrument_tokens = {"ACIS": "acis", "HRC": "hrc"}
    fov = {"ACIS": "27.8 arcmin", "HRC": "49.5 arcmin"}
    fov_caveat = (
        "The field of view of Chandra depends on which chips of ACIS were on, and on which of HRC's detectors; these"
        " are the largest."
    )
    levels = ("obs", "inst")
    product_level = "inst"
    columns = (
        "proprietary_end_date", "target_category", "instrument", "grating", "data_mode", "proprietary_usable",
    )  # fmt: skip
    column_order = (
        "ra", "dec", "ObsID", "science_usable", "proprietary_usable", "start", "end", "duration",
        "proprietary_end_date", "target_category", "instrument", "grating", "data_mode",
    )  # fmt: skip
    one_inst_per_obs = True
    has_proprietary = True
    integer_obs_ids = True
    services = ("HEASARC_TAP", "HEASARC")
    bands = {"ACIS": {(0.5, 7.0): ""}, "HRC": {(0.06, 10.0): ""}}
    templates = {
        "events": {"ACIS": "primary/{i}f*{oi}N*_evt2.fits", "HRC": "primary/{i}f*{oi}N*_evt2.fits"},
        "image": {"ACIS": "primary/{i}f*{oi}N*_full_img2.fits", "HRC": "primary/{i}f*{oi}N*_full_img2.fits"},
    }

    @property
    def id_regex(self) -> str:
        """Regular expression of ObsIDs: as many digits as the largest of the catalogue has."""
        if not self.loaded:
            return self.id_pattern
        return f"^[0-9]{{1,{max(5, *(len(one) for one in self.obs_ids))}}}$"

    # --- catalogue --------------------------------------------------------------------------------------------------

    async def catalogue(self, net: Net) -> DataFrame:
        """Fetch ``chanmaster``; see :mod:`daxa.api`."""
        import pandas as pd

        found = await whole_table(net, net.url("HEASARC_TAP"), "chanmaster", COLUMNS)
        keep = found["status"].str.lower().isin(["archived", "processed"]) & on_the_sky(found["ra"], found["dec"])
        found = found[keep].reset_index(drop=True)
        start, duration = utc_from_mjd(found["time"]), time_from_seconds(found["exposure"])
        public = utc_from_mjd(found["public_date"])
        kinds = zip(found["class"].str.upper(), found["type"].str.upper(), strict=True)
        return pd.DataFrame(
            {
                "ra": found["ra"],
                "dec": found["dec"],
                "ObsID": texts(found["obsid"]),
                "science_usable": True,
                "proprietary_usable": public_now(public),
                "start": start,
                "end": start + duration,
                "duration": duration,
                "proprietary_end_date": public,
                "target_category": texts(target_category(target, programme) for target, programme in kinds),
                "instrument": texts(one.partition("-")[0] for one in found["detector"]),
                "grating": texts(found["grating"]),
                "data_mode": texts(found["data_mode"]),
            }
        )

    def rows_of_instruments(self, table: DataFrame, chosen: Sequence[str]) -> NDArray[np.bool_]:
        """Observations with a chosen detector, and with a chosen grating or, where none is chosen, without any."""
        import numpy as np

        gratings = [one for one in chosen if one in GRATINGS] or ["NONE"]
        rows = table["instrument"].isin(list(chosen)) & table["grating"].isin(gratings)
        return np.asarray(rows, dtype=bool)

    # --- files ------------------------------------------------------------------------------------------------------

    async def remote_files(self, obs: Mapping[str, Any], want: Want, net: Net) -> AsyncIterator[RemoteFile]:
        """List the observation's directory at HEASARC.

        Products are the FITS files of ``primary``, raw data the files of ``secondary`` that a reprocessing starts from;
        ``oif.fits``, the list of contents, comes with either. Revisions (``N003``) cannot be known without listing.
        """
        obs_id = str(obs["ObsID"])
        base = f"chandra/data/byobsid/{obs_id[-1]}/{obs_id}/"
        url = f"{net.url('HEASARC').rstrip('/')}/{base}"
        top = await net.listing(url)
        for entry in top:
            if entry.name == "oif.fits":
                yield heasarc_file(net, obs_id, base, entry, required=False)
        there = {entry.name for entry in top if entry.is_dir}
        missing = []
        if want.products:
            if "primary" in there:
                for entry in await self._fits(net, f"{url}primary/"):
                    yield heasarc_file(net, obs_id, f"{base}primary/", entry, to="primary/", part_of="products")
            else:
                missing.append("primary")
        if want.raw:
            if "secondary" in there:
                for entry in await self._fits(net, f"{url}secondary/"):
                    if _SECONDARY.search(entry.name):
                        yield heasarc_file(net, obs_id, f"{base}secondary/", entry, to="secondary/", part_of="raw")
            else:
                missing.append("secondary")
        if missing:
            raise NotAtArchiveError(
                f"The archive has no {' and no '.join(missing)} of Chandra's {obs_id}.",
                expected="the directories of a processed observation",
                remedy="the observation may not be public, or not be processed yet",
                url=url,
            )

    @staticmethod
    async def _fits(net: Net, url: str) -> list[Entry]:
        listed = await net.listing(url)
        return [entry for entry in listed if not entry.is_dir and entry.name.endswith((".fits", ".fits.gz"))]

    # --- processing -------------------------------------------------------------------------------------------------

    def ident_to_obsid(self, ident: str) -> str:
        """Return the ObsID that an identifier such as ``3205ACISE001`` begins with."""
        for inst in self.instruments:
            ident = ident.replace(inst, "")
        return ident.partition("E")[0]

    def assess_process_obs(self, obs_info: Mapping[str, Any]) -> dict[str, Any]:
        """Say which exposures to process: active ones, neither alternating nor one of several pointings."""
        found: dict[str, Any] = {}
        for inst, info in obs_info.items():
            alternating, several = bool(info["alt_exp_mode"]), bool(info["sub_exp"])
            if alternating or several:
                warnings.warn(
                    f"{inst}: observations with {'alternating exposures' if alternating else 'several pointings'} are"
                    " not processed yet.",
                    stacklevel=2,
                )
            usable = bool(info["active"]) and not alternating and not several
            found[inst] = dict.fromkeys(info["sub_exp_ids"], usable)
        return found


def target_category(target: str, programme: str) -> str:
    """Target type of a class of targets and a type of programme, both in upper case."""
    found = CATEGORIES.get(target, "MISC")
    return PROGRAMMES.get(programme, found) if found == "MISC" else found

"""Chandra's observations, from HEASARC."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from attrs import evolve

from daxa.api import (
    Entry,
    Location,
    Mission,
    Net,
    NetworkError,
    NotAtArchiveError,
    OfflineError,
    ProductLabel,
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
    "X-RAY BINARY": "XRB",
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

SERVICES: Final = {"HEASARC": "chandra/data/", "CXC": ""}
"""Where files are, best first, with the directory that holds observations."""

_REVISION: Final = re.compile(r"N\d{3}(?=_)")
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
    services = ("HEASARC_TAP", *SERVICES)
    bands = {"ACIS": {(0.5, 7.0): ""}, "HRC": {(0.06, 10.0): ""}}
    templates = {
        "events": {"ACIS": "primary/{i}f*{oi}*N*_evt2.fits", "HRC": "primary/{i}f*{oi}*N*_evt2.fits"},
        "image": {"ACIS": "primary/{i}f*{oi}*N*_full_img2.fits", "HRC": "primary/{i}f*{oi}*N*_full_img2.fits"},
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

    def choice_in_words(self, chosen: Sequence[str]) -> str:
        """Name the chosen detectors and gratings."""
        detectors = ", ".join(one for one in chosen if one not in GRATINGS) or "no detector"
        return f"{detectors} with {' or '.join(one for one in chosen if one in GRATINGS) or 'no grating'}"

    # --- files ------------------------------------------------------------------------------------------------------

    async def remote_files(self, obs: Mapping[str, Any], want: Want, net: Net) -> AsyncIterator[RemoteFile]:
        """List the observation's directory at HEASARC, and where that has none, at the Chandra X-ray Center.

        Products are the FITS files of ``primary``, raw data the files of ``secondary`` that a reprocessing starts from;
        ``oif.fits``, the list of contents, comes with either. Revisions (``N003``) cannot be known without listing; of
        several, the newest is taken.
        """
        obs_id = str(obs["ObsID"])
        wanted = [one for one, wish in (("primary", want.products), ("secondary", want.raw)) if wish]
        service, top = await self._place_of(net, obs_id, wanted)
        for entry in top:
            if entry.name == "oif.fits":
                yield _file(net, service, obs_id, "", entry, required=False)
        there = {entry.name for entry in top if entry.is_dir}
        for name in wanted:
            if name not in there:
                continue
            for entry in newest(await net.listing(f"{_address(net, service, obs_id)}{name}/", listed=True)):
                if name == "primary":
                    yield _file(net, service, obs_id, "primary/", entry, part_of="products")
                elif _SECONDARY.search(entry.name):
                    yield _file(net, service, obs_id, "secondary/", entry, part_of="raw")
        missing = [name for name in wanted if name not in there]
        if missing:
            raise NotAtArchiveError(
                f"The archive has no {' and no '.join(missing)} of Chandra's {obs_id}.",
                expected="the directories of a processed observation",
                remedy="the observation may not be public, or not be processed yet",
                url=_address(net, service, obs_id),
            )

    @staticmethod
    async def _place_of(net: Net, obs_id: str, wanted: Sequence[str]) -> tuple[str, Sequence[Entry]]:
        """List the observation's directory where it holds what is wanted; else where it holds the most."""
        found: list[tuple[str, Sequence[Entry]]] = []
        problem: NetworkError | None = None
        for service in SERVICES:
            try:
                top = await net.listing(_address(net, service, obs_id))
            except OfflineError:
                raise
            except NetworkError as failure:
                if problem is None or isinstance(problem, NotAtArchiveError):  # that one lacks it explains nothing
                    problem = failure
                continue
            found.append((service, top))
            if set(wanted) <= {entry.name for entry in top if entry.is_dir}:
                return service, top
        if not found:
            assert problem is not None
            raise problem
        return max(found, key=lambda one: sum(entry.is_dir and entry.name in wanted for entry in one[1]))

    def newest_files(self, paths: Sequence[str]) -> list[str]:
        """Files that count: of those that differ in their revision alone, the newest."""
        return _newest_names(paths)

    def label(self, obs: Mapping[str, Any], paths: Sequence[str]) -> list[ProductLabel]:
        """Say what downloaded files are; an observation of several pointings has no event list that is *the* one."""
        found = super().label(obs, paths)
        times = Counter((one.kind, one.inst) for one in found)
        if any(count > 1 for count in times.values()):
            warnings.warn(
                f"Chandra's {obs['ObsID']} was taken in several pointings, each with files of its own: they are"
                " downloaded, and not taken into archives.",
                stacklevel=2,
            )
        return [one for one in found if times[one.kind, one.inst] == 1]

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


def newest(entries: Iterable[Entry]) -> list[Entry]:
    """FITS files of a listing; of those that differ in their revision alone, the newest."""
    files = {one.name: one for one in entries if not one.is_dir and one.name.endswith((".fits", ".fits.gz"))}
    return [files[name] for name in _newest_names(list(files))]


def _newest_names(names: Sequence[str]) -> list[str]:
    best: dict[str, str] = {}
    for name in names:
        stem = _REVISION.sub("N_", name, count=1)
        best[stem] = max(best.get(stem, name), name)
    return [name for name in names if name in set(best.values())]


def _directory(service: str, obs_id: str) -> str:
    """Directory of an observation below a service's root."""
    return f"{SERVICES[service]}byobsid/{obs_id[-1]}/{obs_id}/"


def _address(net: Net, service: str, obs_id: str) -> str:
    return f"{net.url(service).rstrip('/')}/{_directory(service, obs_id)}"


def _file(net: Net, service: str, obs_id: str, to: str, entry: Entry, **more: Any) -> RemoteFile:
    """Name a file; the observatory's own site has every file that HEASARC has, and comes last."""
    remote = heasarc_file(net, obs_id, f"{_directory('HEASARC', obs_id)}{to}", entry, to=to, **more)
    own = Location(url=f"{_address(net, 'CXC', obs_id)}{to}{quote(entry.name)}", size=remote.locations[0].size)
    return evolve(remote, locations=(own,) if service == "CXC" else (*remote.locations, own))


def target_category(target: str, programme: str) -> str:
    """Target type of a class of targets and a type of programme, both in upper case."""
    found = CATEGORIES.get(target, "MISC")
    return PROGRAMMES.get(programme, found) if found == "MISC" else found

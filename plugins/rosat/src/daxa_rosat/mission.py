"""ROSAT's pointed observations and the tiles of its all-sky survey, from HEASARC."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from daxa.api import (
    Context,
    Entry,
    Mission,
    Net,
    NotAtArchiveError,
    RemoteFile,
    Want,
    heasarc_file,
    on_the_sky,
    texts,
    time_from_seconds,
    utc_from_mjd,
    whole_numbers,
    whole_table,
)

if TYPE_CHECKING:
    from pandas import DataFrame

POINTED_COLUMNS: Final = (
    "ra", "dec", "seq_id", "start_time", "end_time", "exposure", "fits_type", "instrument", "filter", "proc_rev",
    "subj_cat", "name",
)  # fmt: skip
"""Columns of HEASARC's table ``rosmaster`` that are read."""

SURVEY_COLUMNS: Final = ("ra", "dec", "seq_id", "start_date", "end_date", "exposure")
"""Columns of HEASARC's table ``rassmaster`` that are read."""

CATEGORIES: Final = {
    1: "STR", 2: "STR", 3: "CV", 4: "NS", 5: "SNR", 6: "NGS", 7: "AGN", 8: "GCL", 9: "EGE", 10: "MISC", 0: "MISC",
}  # fmt: skip
"""Target types of ``subj_cat``; any other number is MISC."""

PSPC_BANDS: Final = {(0.07, 2.4): "1", (0.07, 0.4): "3", (0.4, 2.4): "2"}
HRI_BANDS: Final = {(0.07, 2.4): "1"}

_ALWAYS: Final = ("anc", "bas")
_PSPC: Final = ("bk1", "bk2", "bk3", "im1", "im2", "im3", "mex")
_HRI: Final = ("bk1", "im1")
_EVENTS: Final = "bas"
_ENDINGS: Final = (".fits.Z", ".fits.gz", ".fits")


class ROSATFiles(Mission):
    """What the pointed observations and the survey's tiles have in common: where files are, and which."""

    async def download(  # type: ignore[override]
        self, num_cores: int | None = None, download_products: bool | None = None, **options: Any
    ) -> Any:
        """Fetch the selected observations, as every mission does; nothing of them asks for credentials."""
        return await super().download(num_cores, download_products=download_products, **options)

    async def remote_files(self, obs: Mapping[str, Any], want: Want, net: Net) -> AsyncIterator[RemoteFile]:
        """List the observation's directory at HEASARC.

        Event list and ancillary data come with either wish, images, backgrounds and the exposure map are products. Old
        processings lack some of them: only the event list is required.
        """
        obs_id = str(obs["ObsID"])
        base = self.directory(obs_id)
        url = f"{net.url('HEASARC').rstrip('/')}/{base}"
        products = _HRI if obs_id[1].upper() == "H" else _PSPC
        listed = {entry.name: entry for entry in await net.listing(url) if not entry.is_dir}
        for what in (*_ALWAYS, *(products if want.products else ())):
            entry = _first(listed, f"{obs_id.lower()}_{what}")
            if entry is not None:
                part_of: Literal["both", "products"] = "both" if what in _ALWAYS else "products"
                yield heasarc_file(net, obs_id, base, entry, part_of=part_of, required=what == _EVENTS)
            elif what == _EVENTS:
                first = obs.get("proc_rev") == 0
                raise NotAtArchiveError(
                    f"The archive has no event list of {self.pretty_name}'s {obs_id}"
                    f"{', whose data are of the first processing (proc_rev 0)' if first else ''}.",
                    expected=f"{obs_id.lower()}_{_EVENTS}.fits.Z in its directory",
                    remedy="data of the first processing were never converted to this form: leave the observation out",
                    url=url,
                    obs_id=obs_id,
                )

    def directory(self, obs_id: str) -> str:
        """Directory of an observation below HEASARC's root: by detector, and by the subject of the proposal."""
        detector = "hri" if obs_id[1].upper() == "H" else "pspc"
        return f"rosat/data/{detector}/processed_data/{obs_id[2]}00000/{obs_id.lower()}/"

    def ident_to_obsid(self, ident: str) -> str:
        """Return the ObsID that an identifier such as ``RP800282N00PSPCB`` begins with."""
        for inst in sorted(self.instruments, key=len, reverse=True):
            ident = ident.removesuffix(inst)
        return ident


def _first(listed: Mapping[str, Entry], stem: str) -> Entry | None:
    """The file of a stem, compressed or not."""
    return next((listed[stem + ending] for ending in _ENDINGS if stem + ending in listed), None)


class ROSATPointed(ROSATFiles):
    """ROSAT's pointed observations: two proportional counters, PSPC-B and PSPC-C, and the HRI.

    The catalogue is HEASARC's ``rosmaster``. Where it names the instrument PSPC, it was the PSPC-B.
    """

    name = "rosat_pointed"
    pretty_name = "ROSAT Pointed"
    id_pattern = r"^(RH|rh|RP|rp|RF|rf|WH|wh|WP|wp|WF|wf)\d{6}([A-Z]\d{2}|)$"
    frame = "fk5"
    instruments = ("PSPCB", "PSPCC", "HRI")
    default_instruments = ("PSPCB", "PSPCC", "HRI")
    instrument_aliases = {"PSPC-B": "PSPCB", "PSPC B": "PSPCB", "PSPC-C": "PSPCC", "PSPC C": "PSPCC"}
    fov = {"PSPCB": "60 arcmin", "PSPCC": "60 arcmin", "HRI": "19 arcmin"}
    levels = ("obs", "inst")
    product_level = "inst"
    columns = ("instrument",)
    column_order = (
        "ra", "dec", "ObsID", "science_usable", "start", "end", "duration", "instrument", "with_filter",
        "target_category", "target_name", "proc_rev", "fits_type",
    )  # fmt: skip
    one_inst_per_obs = True
    services = ("HEASARC_TAP", "HEASARC")
    bands = {"PSPCB": PSPC_BANDS, "PSPCC": PSPC_BANDS, "HRI": HRI_BANDS}
    templates = {
        "events": "{oi}_bas.fits",
        "image": "{oi}_im{eb}.fits",
        "expmap": {"PSPCB": "{oi}_mex.fits", "PSPCC": "{oi}_mex.fits", "HRI": None},
        "backmap": "{oi}_bk{eb}.fits",
    }

    async def catalogue(self, net: Net) -> DataFrame:
        """Fetch ``rosmaster``; see :mod:`daxa.api`."""
        import pandas as pd

        found = await whole_table(net, net.url("HEASARC_TAP"), "rosmaster", POINTED_COLUMNS)
        found = found[on_the_sky(found["ra"], found["dec"])].reset_index(drop=True)
        return pd.DataFrame(
            {
                "ra": found["ra"],
                "dec": found["dec"],
                "ObsID": texts(found["seq_id"]),
                "science_usable": found["exposure"] > 0,
                "start": utc_from_mjd(found["start_time"]),
                "end": utc_from_mjd(found["end_time"]),
                "duration": time_from_seconds(found["exposure"]),
                "instrument": texts("PSPCB" if one == "PSPC" else one for one in found["instrument"]),
                "with_filter": texts(found["filter"]),
                "target_category": texts(CATEGORIES.get(one, "MISC") for one in whole_numbers(found["subj_cat"])),
                "target_name": texts(found["name"]),
                "proc_rev": whole_numbers(found["proc_rev"]),
                "fits_type": texts(found["fits_type"]),
            }
        )


class ROSATAllSky(ROSATFiles):
    """ROSAT's all-sky survey: tiles of 6 degrees, seen by a PSPC in the first months of the mission.

    The catalogue is HEASARC's ``rassmaster``.

    Parameters
    ----------
    save_file_path : str or Path, optional
        State file of an earlier selection.
    insts : str or sequence of str, optional
        There is one instrument, PSPC.
    context : Context, optional
        The surroundings.
    """

    name = "rosat_all_sky"
    pretty_name = "RASS"
    id_pattern = r"^(RS|rs)\d{6}[A-Z]\d{2}$"
    frame = "fk5"
    instruments = ("PSPC",)
    default_instruments = ("PSPC",)
    fov = "180 arcmin"
    levels = ("obs", "inst")
    product_level = "inst"
    columns = ("target_category",)
    column_order = ("ra", "dec", "ObsID", "science_usable", "start", "end", "duration", "target_category")
    services = ("HEASARC_TAP", "HEASARC")
    bands = {"PSPC": PSPC_BANDS}
    templates = {
        "events": "{oi}_bas.fits",
        "image": "{oi}_im{eb}.fits",
        "expmap": "{oi}_mex.fits",
        "backmap": "{oi}_bk{eb}.fits",
    }

    def __init__(
        self,
        save_file_path: str | Path | None = None,
        insts: str | Sequence[str] | None = None,
        *,
        context: Context | None = None,
    ) -> None:
        super().__init__(insts, save_file_path, context=context)

    def directory(self, obs_id: str) -> str:
        """Directory of a tile below HEASARC's root."""
        return f"rosat/data/pspc/processed_data/900000/{obs_id.lower()}/"

    async def catalogue(self, net: Net) -> DataFrame:
        """Fetch ``rassmaster``; see :mod:`daxa.api`."""
        import pandas as pd

        found = await whole_table(net, net.url("HEASARC_TAP"), "rassmaster", SURVEY_COLUMNS)
        found = found[on_the_sky(found["ra"], found["dec"])].reset_index(drop=True)
        return pd.DataFrame(
            {
                "ra": found["ra"],
                "dec": found["dec"],
                "ObsID": texts(found["seq_id"]),
                "science_usable": True,
                "start": utc_from_mjd(found["start_date"]),
                "end": utc_from_mjd(found["end_date"]),
                "duration": time_from_seconds(found["exposure"]),
                "target_category": texts("ASK" for _ in range(len(found))),
            }
        )

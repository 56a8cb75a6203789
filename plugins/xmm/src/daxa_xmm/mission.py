"""XMM-Newton's pointed observations: catalogue and files of ESA's archive, with HEASARC's copy where that fails."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlencode

from daxa.api import (
    AccessDeniedError,
    Context,
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
    utc_from_text,
    whole_numbers,
    whole_table,
)

if TYPE_CHECKING:
    from pandas import DataFrame, Series

log = logging.getLogger(__name__)

XSA_COLUMNS: Final = (
    "ra", "dec", "observation_id", "start_utc", "with_science", "duration", "proprietary_end_date", "revolution",
)  # fmt: skip
"""Columns of ESA's table ``v_all_observations`` that are read."""

HEASARC_COLUMNS: Final = (
    "ra", "dec", "time", "obsid", "status", "duration", "public_date", "data_in_heasarc", "xmm_revolution",
)  # fmt: skip
"""Columns of HEASARC's table ``xmmmaster`` that are read."""

EVENT_LISTS: Final = {"M1": "MIEVLI", "M2": "MIEVLI", "PN": "PIEVLI"}
"""Names of the pipeline's imaging event lists, by camera (XMM-Newton Data Files Handbook)."""

WITHOUT_SKY: Final = frozenset({"CalClosed", "Closed", "Blocked", "Unknown"})
"""Filters through which no sky is seen."""

NOT_SCIENCE: Final = frozenset(
    {
        "Diagnostic3x3", "Diagnostic1x1", "CcdDiagnostic", "Diagnostic1x1ResetPerPixel", "Diagnostic", "Noise",
        "Offset", "HighTimeResolutionSingleCcd", "OffsetVariance", "CentroidingConfirmation", "CentroidingData",
        "DarkHigh", "DarkLow", "FlatFieldHigh", "FlatFieldLow",
    }
)  # fmt: skip
"""Modes whose data are not of the sky."""

PRODUCTS: Final = "PPS"
"""Directory of the pipeline's products below an observation's own; the files of its ODF lie in that itself."""

_EVENTS: Final = re.compile(
    r"P(?P<obs>\d{10})(?P<inst>M1|M2|PN)(?P<subexp>[SUX]\d{3})(?P<what>[MP]IEVLI)\w{4}\.(FIT|FTZ|fits)\Z"
)
_TRUE: Final = frozenset({"true", "t", "y", "yes", "1"})


class XMMPointed(Mission):
    """XMM-Newton: three X-ray cameras (EPIC M1, M2 and PN), two spectrometers (RGS R1, R2) and the optical monitor.

    The catalogue is ESA's; when ESA cannot be asked, HEASARC's ``xmmmaster``, with a warning.

    Parameters
    ----------
    insts : str or sequence of str, optional
        Instruments to use; M1, M2 and PN by default.
    save_file_path : str or Path, optional
        State file of an earlier selection.
    use_heasarc : bool
        Whether catalogue and files are HEASARC's from the start.
    context : Context, optional
        The surroundings.
    """

    name = "xmm_pointed"
    pretty_name = "XMM-Newton Pointed"
    id_pattern = r"^[0-9]{10}$"
    frame = "fk5"
    instruments = ("M1", "M2", "PN", "OM", "R1", "R2")
    default_instruments = ("M1", "M2", "PN")
    instrument_aliases = {"MOS1": "M1", "MOS2": "M2", "RGS1": "R1", "RGS2": "R2"}
    fov = "15 arcmin"
    levels = ("obs", "inst", "exp")
    product_level = "exp"
    columns = ("proprietary_end_date", "proprietary_usable", "revolution")
    column_order = (
        "ra", "dec", "ObsID", "start", "science_usable", "duration", "proprietary_end_date", "revolution",
        "proprietary_usable", "end",
    )  # fmt: skip
    has_proprietary = True
    services = ("XSA_TAP", "XSA", "HEASARC_TAP", "HEASARC")
    products_by_default = False

    def __init__(
        self,
        insts: str | Sequence[str] | None = None,
        save_file_path: str | Path | None = None,
        use_heasarc: bool = False,
        *,
        context: Context | None = None,
    ) -> None:
        super().__init__(insts, save_file_path, context=context)
        self.use_heasarc = bool(use_heasarc)
        if self.use_heasarc:  # the cache keeps the two catalogues apart by their service
            self.services = ("HEASARC_TAP", "HEASARC")  # type: ignore[assignment, misc]

    # --- catalogue --------------------------------------------------------------------------------------------------

    async def catalogue(self, net: Net) -> DataFrame:
        """Fetch the table of observations; see :mod:`daxa.api`."""
        if self.use_heasarc:
            return self._placed(await self._from_heasarc(net))
        try:
            found = await self._from_esa(net)
        except OfflineError:
            raise
        except NetworkError as problem:
            warnings.warn(
                f"ESA's archive cannot be asked for its catalogue of XMM-Newton ({problem.message}); HEASARC's is used"
                " instead.",
                stacklevel=2,
            )
            found = await self._from_heasarc(net)
        return self._placed(found)

    async def _from_esa(self, net: Net) -> DataFrame:
        found = await whole_table(net, net.url("XSA_TAP"), "v_all_observations", XSA_COLUMNS)
        public = utc_from_text(found["proprietary_end_date"])
        return self._table_of(
            found,
            obs_id="observation_id",
            start=utc_from_text(found["start_utc"]),
            public=public,
            usable=[str(one).lower() in _TRUE for one in found["with_science"]],
            public_usable=public_now(public),
            revolution="revolution",
        )

    async def _from_heasarc(self, net: Net) -> DataFrame:
        found = await whole_table(net, net.url("HEASARC_TAP"), "xmmmaster", HEASARC_COLUMNS)
        taken = found["status"].str.lower().isin(["archived", "processed"])
        found = found[taken & ~found["obsid"].str.startswith("9")].reset_index(drop=True)  # those are slews
        public = utc_from_mjd(found["public_date"])
        return self._table_of(
            found,
            obs_id="obsid",
            start=utc_from_mjd(found["time"]),
            public=public,
            usable=[True] * len(found),
            public_usable=public_now(public) & (found["data_in_heasarc"].str.upper() == "Y"),
            revolution="xmm_revolution",
        )

    @staticmethod
    def _table_of(
        found: DataFrame, *, obs_id: str, start: Series[Any], public: Series[Any], usable: Any, public_usable: Any,
        revolution: str,
    ) -> DataFrame:  # fmt: skip
        import pandas as pd

        duration = time_from_seconds(found["duration"])
        return pd.DataFrame(
            {
                "ra": found["ra"],
                "dec": found["dec"],
                "ObsID": texts(found[obs_id]),
                "start": start,
                "science_usable": usable,
                "duration": duration,
                "proprietary_end_date": public,
                "revolution": whole_numbers(found[revolution]),
                "proprietary_usable": public_usable,
                "end": start + duration,
            }
        )

    @staticmethod
    def _placed(table: DataFrame) -> DataFrame:
        """Leave out observations that say nowhere they looked, calibrations mostly."""
        kept = on_the_sky(table["ra"], table["dec"]) & ~((table["ra"] == 0) & (table["dec"] == 0))
        if not kept.all():
            warnings.warn(
                f"{int((~kept).sum())} of {len(table)} observations of XMM-Newton are left out of its catalogue: they"
                " have no usable position.",
                stacklevel=2,
            )
        return table[kept].reset_index(drop=True)

    # --- files ------------------------------------------------------------------------------------------------------

    async def remote_files(self, obs: Mapping[str, Any], want: Want, net: Net) -> AsyncIterator[RemoteFile]:
        """Name the observation's ODF, and the pipeline's event lists of the chosen cameras.

        ESA's servlet packs what a query matches; what it has is asked first, because it tells "nothing" only by an
        empty reply or a page. HEASARC, where the files lie one by one, serves when ESA has nothing or cannot be asked.
        """
        obs_id = str(obs["ObsID"])
        cameras = [inst for inst in want.instruments if inst in EVENT_LISTS]
        asked: dict[str, list[_Query]] = {}
        if want.raw:
            asked["ODF"] = [_odf(net, obs_id, want)]
        if want.products:
            asked["PPS"] = [_event_list(net, obs_id, inst) for inst in cameras]
        nothing = []
        for level, queries in asked.items():
            found = await self._files(net, obs_id, level, queries)
            for remote in found:
                yield remote
            if not found:
                cause = f"event list of {', '.join(cameras) or 'the chosen instruments'}"
                nothing.append(cause if level == "PPS" else level)
        if nothing:
            raise NotAtArchiveError(
                f"The archives have no {' and no '.join(nothing)} of XMM-Newton's {obs_id}.",
                expected="data of an observation that is in the catalogue",
                remedy="the observation may not have been processed, or hold nothing from these instruments",
                url=_aio(net, obsno=obs_id),
                obs_id=obs_id,
            )

    async def _files(self, net: Net, obs_id: str, level: str, queries: Sequence[_Query]) -> list[RemoteFile]:
        """What ESA sends in one reply each, and of the rest what HEASARC lists; nothing if neither has it."""
        found: list[RemoteFile] = []
        left: list[_Query] = []
        problem: NetworkError | None = None
        for query in queries:
            try:
                if not self.use_heasarc and problem is None and await _at_esa(net, query.packed.url):
                    found.append(query.packed)
                    continue
            except (AccessDeniedError, OfflineError):
                raise
            except NetworkError as failure:
                log.warning("ESA's archive cannot be asked, HEASARC is instead: %s", failure.message)
                problem = failure
            left.append(query)
        here = await self._at_heasarc(net, obs_id, level, left) if left else []
        if problem is not None and not here:
            raise problem
        return [*found, *here]

    @staticmethod
    async def _at_heasarc(net: Net, obs_id: str, level: str, queries: Sequence[_Query]) -> list[RemoteFile]:
        directory = f"xmm/data/rev0/{obs_id}/{level}/"
        try:
            listed = await net.listing(f"{net.url('HEASARC').rstrip('/')}/{directory}")
        except NotAtArchiveError:
            return []
        return [
            heasarc_file(
                net,
                obs_id,
                directory,
                entry,
                to=f"{query.packed.path}/" if query.packed.path else "",
                part_of=query.packed.part_of,
            )
            for query in queries
            for entry in listed
            if not entry.is_dir and query.wanted.search(entry.name)
        ]

    def label(self, obs: Mapping[str, Any], paths: Sequence[str]) -> list[ProductLabel]:
        """Say what downloaded files are: the pipeline's imaging event lists, each of a sub-exposure."""
        found = []
        for path in sorted(paths):
            name = _EVENTS.match(PurePosixPath(path).name)
            if name is not None and name["obs"] == obs["ObsID"] and EVENT_LISTS[name["inst"]] == name["what"]:
                found.append(ProductLabel(kind="events", path=path, inst=name["inst"], subexp=name["subexp"]))
        return found

    # --- processing -------------------------------------------------------------------------------------------------

    def ident_to_obsid(self, ident: str) -> str:
        """Return the ObsID that an identifier such as ``0201903501M1S001`` begins with."""
        return ident[:10]

    def assess_process_obs(self, obs_info: Mapping[str, Any]) -> dict[str, Any]:
        """Say which sub-exposures to process: scientific ones, that saw the sky, in a mode that yields events."""
        found: dict[str, Any] = {}
        for inst, info in obs_info.items():
            spectrometer = inst in ("R1", "R2")
            found[inst] = {
                exposure: (
                    one["type"] == "SCIENCE"
                    and (spectrometer or (one["filter"] is not None and one["filter"] not in WITHOUT_SKY))
                    and one["mode"] not in NOT_SCIENCE
                )
                for exposure, one in info.get("exposures", {}).items()
            }
        return found


def _aio(net: Net, **query: str) -> str:
    """Address of a query of ESA's download servlet."""
    return f"{net.url('XSA').rstrip('/')}/data-action-aio?{urlencode(query)}"


async def _at_esa(net: Net, url: str) -> bool:
    """Whether the servlet has anything for a query: only then does its reply name a file."""
    try:
        reply = await net.get(url, method="HEAD")
    except NotAtArchiveError:
        return False
    headers = {name.lower(): value for name, value in reply.headers.items()}
    return "filename=" in headers.get("content-disposition", "")


class _Query(NamedTuple):
    """Something of an observation: what ESA's servlet sends for it, and the names of its files at HEASARC."""

    packed: RemoteFile
    wanted: re.Pattern[str]


def _odf(net: Net, obs_id: str, want: Want) -> _Query:
    """The data as they came down, of the chosen instruments and of the spacecraft."""
    kinds = (*want.instruments, "SC")
    members = ("*MANIFEST*", *(f"*_{obs_id}_{kind}*" for kind in kinds))
    packed = _packed(obs_id, _aio(net, obsno=obs_id, level="ODF"), "", members, "raw")
    return _Query(packed, re.compile(rf"MANIFEST|_{obs_id}_({'|'.join(kinds)})"))


def _event_list(net: Net, obs_id: str, inst: str) -> _Query:
    """The pipeline's imaging event lists of a camera, one a sub-exposure."""
    kind = EVENT_LISTS[inst]
    url = _aio(net, obsno=obs_id, level="PPS", instname=inst, name=kind, extension="FTZ")
    packed = _packed(obs_id, url, PRODUCTS, (f"P{obs_id}{inst}*{kind}*",), "products")
    return _Query(packed, re.compile(rf"^P{obs_id}{inst}[SUX]\d{{3}}{kind}\w{{4}}\.FTZ$"))


def _packed(obs_id: str, url: str, path: str, members: Sequence[str], part_of: Any) -> RemoteFile:
    """What the servlet sends for a query, whatever its form."""
    return RemoteFile(
        obs_id=obs_id,
        path=path,
        locations=(Location(url=url),),
        unpack="auto",
        members=tuple(members),
        part_of=part_of,
        listed=False,
    )

"""XMM-Newton's pointed observations: catalogue and files of ESA's archive, with HEASARC's copy where that fails."""

from __future__ import annotations

import logging
import warnings
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from daxa.api import (
    AccessDeniedError,
    BadReplyError,
    Context,
    InvalidParameterError,
    Mission,
    Net,
    NetworkError,
    NotAtArchiveError,
    OfflineError,
    ProductLabel,
    RemoteFile,
    ServiceError,
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
from daxa_xmm.exposures import is_usable
from daxa_xmm.holdings import BANDS, EPIC, KINDS, MAPS, TEMPLATES, Query, address, labels, queries

if TYPE_CHECKING:
    from pandas import DataFrame, Series

log = logging.getLogger("daxa.xmm")

XSA_COLUMNS: Final = (
    "ra", "dec", "observation_id", "start_utc", "with_science", "duration", "proprietary_end_date", "revolution",
)  # fmt: skip
"""Columns of ESA's table ``v_all_observations`` that are read."""

XSA_FOOTPRINT: Final = "stc_s"
"""Column there of what an observation covers of the sky; the catalogue is of use without it."""

HEASARC_COLUMNS: Final = (
    "ra", "dec", "time", "obsid", "status", "duration", "public_date", "data_in_heasarc", "xmm_revolution",
)  # fmt: skip
"""Columns of HEASARC's table ``xmmmaster`` that are read."""

_ENCRYPTED: Final = ".gpg"
"""Ending of HEASARC's files that are not public yet: only those whose data they are can read them."""

_ROOT: Final = "xmm/data/rev0/"
"""Directory of observations below HEASARC's root."""

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
    products : sequence of {"events", "images", "expmaps"}, optional
        Which products of ESA's pipeline ``download_products=True`` fetches; by default event lists. Images and
        exposure maps come in the energy bands of :attr:`preprocessed_energy_bands`, one of each a sub-exposure.
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
        "proprietary_usable", "end", "footprint",
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
        products: str | Sequence[str] | None = None,
        context: Context | None = None,
    ) -> None:
        super().__init__(insts, save_file_path, context=context)
        if products is not None:
            self.choose_products(products)
        self.use_heasarc = bool(use_heasarc)
        if self.use_heasarc:  # the cache keeps the two catalogues apart by their service
            self.services = ("HEASARC_TAP", "HEASARC")  # type: ignore[assignment, misc]

    def choose_products(self, kinds: str | Sequence[str]) -> None:
        """Choose kinds of products; only then there are paths of them to ask for."""
        chosen = (kinds,) if isinstance(kinds, str) else tuple(kinds)
        if not chosen or not set(chosen) <= set(KINDS):
            raise InvalidParameterError(
                f"products is {kinds!r}.", expected=f"some of {', '.join(KINDS)}", remedy="correct it", value=kinds
            )
        self.product_kinds = tuple(kind for kind in KINDS if kind in chosen)  # type: ignore[misc]
        names = {"events": "events", "images": "image", "expmaps": "expmap"}
        self.templates = {names[kind]: TEMPLATES[names[kind]] for kind in self.product_kinds}  # type: ignore[misc]
        if set(chosen) & set(MAPS):
            self.bands = dict.fromkeys(EPIC, BANDS)  # type: ignore[misc]

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
        service, table = net.url("XSA_TAP"), "v_all_observations"
        try:
            found = await whole_table(net, service, table, (*XSA_COLUMNS, XSA_FOOTPRINT))
        except (ServiceError, BadReplyError) as problem:
            if isinstance(problem, BadReplyError) and problem.context.get("missing") != [XSA_FOOTPRINT]:
                raise
            log.warning("ESA's archive is asked again, without what observations cover: %s", problem.message)
            found = await whole_table(net, service, table, XSA_COLUMNS)
        public = utc_from_text(found["proprietary_end_date"])
        made = self._table_of(
            found,
            obs_id="observation_id",
            start=utc_from_text(found["start_utc"]),
            public=public,
            usable=[str(one).lower() in _TRUE for one in found["with_science"]],
            public_usable=public_now(public),
            revolution="revolution",
        )
        return made.assign(footprint=found[XSA_FOOTPRINT]) if XSA_FOOTPRINT in found.columns else made

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
        """Name the observation's ODF, and the pipeline's products of the chosen cameras.

        ESA's servlet packs what a query matches; what it has is asked first, because it tells "nothing" only by an
        empty reply or a page. HEASARC, where the files lie one by one, serves when ESA has nothing or cannot be asked.
        """
        obs_id = str(obs["ObsID"])
        if net.prefers_copies and want.raw and want.products:  # a bucket then lists ODF and PPS at once
            with suppress(NetworkError):
                await net.listing(f"{net.url('HEASARC').rstrip('/')}/{_ROOT}{obs_id}/")
        nothing: dict[str, list[str]] = {}
        for kind, asked in _by_kind(queries(net, obs_id, want)).items():
            found = await self._files(net, obs_id, asked)
            for remote in found:
                yield remote
            if not found:
                nothing[kind] = [query.title for query in asked]
        if want.products and not set(want.instruments) & set(EPIC):
            nothing["event list"] = ["event list of the chosen instruments"]
        if not nothing:
            return
        missing = " and no ".join(_together(titles) for titles in nothing.values())
        where = address(net, obsno=obs_id)
        if not obs.get("proprietary_usable", True):
            raise AccessDeniedError(
                f"The archives show no {missing} of XMM-Newton's {obs_id}, which is not public.",
                expected="public data, or credentials of somebody who may see them",
                remedy="wait, or set DAXA_XSA_USER and DAXA_XSA_PASSWORD",
                url=where,
                obs_id=obs_id,
            )
        raise NotAtArchiveError(
            f"The archives have no {missing} of XMM-Newton's {obs_id}.",
            expected="data of an observation that is in the catalogue",
            remedy="the observation may not have been processed, or hold nothing from these instruments",
            url=where,
            obs_id=obs_id,
        )

    async def _files(self, net: Net, obs_id: str, asked: Sequence[Query]) -> list[RemoteFile]:
        """What ESA sends in one reply each, and of the rest what HEASARC lists; nothing if neither has it.

        HEASARC's tree comes first where the user prefers a mirror of it, or a mounted copy.
        """
        found: list[RemoteFile] = []
        left: list[Query] = []
        problem: NetworkError | None = None
        if net.prefers_copies and not self.use_heasarc:
            found, asked = await self._in_copies(net, obs_id, asked)
        for query in asked:
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
        here = [remote for _, remote in await self._at_heasarc(net, obs_id, left)] if left else []
        if problem is not None and not here:
            raise problem
        return [*found, *here]

    async def _in_copies(
        self, net: Net, obs_id: str, asked: Sequence[Query]
    ) -> tuple[list[RemoteFile], Sequence[Query]]:
        """Files of HEASARC's tree, and what of the queries it does not have."""
        try:
            here = await self._at_heasarc(net, obs_id, asked)
        except NetworkError as problem:
            log.warning("HEASARC's copies cannot be asked, ESA is instead: %s", problem.message)
            return [], asked
        answered = [query for query, _ in here]
        return [remote for _, remote in here], [query for query in asked if query not in answered]

    @staticmethod
    async def _at_heasarc(net: Net, obs_id: str, asked: Sequence[Query]) -> list[tuple[Query, RemoteFile]]:
        directory = f"{_ROOT}{obs_id}/{asked[0].level}/"
        try:
            listed = await net.listing(f"{net.url('HEASARC').rstrip('/')}/{directory}")
        except NotAtArchiveError:
            return []
        if any(entry.name.endswith(_ENCRYPTED) for entry in listed):
            raise AccessDeniedError(
                f"HEASARC has the {asked[0].level} of XMM-Newton's {obs_id} encrypted only.",
                expected="public data, or credentials for ESA's archive",
                remedy="wait until the observation is public, or set DAXA_XSA_USER and DAXA_XSA_PASSWORD",
                url=f"{net.url('HEASARC').rstrip('/')}/{directory}",
                obs_id=obs_id,
            )
        return [
            (
                query,
                heasarc_file(
                    net,
                    obs_id,
                    directory,
                    entry,
                    to=f"{query.packed.path}/" if query.packed.path else "",
                    part_of=query.packed.part_of,
                ),
            )
            for query in asked
            for entry in listed
            if not entry.is_dir and query.wanted.search(entry.name)
        ]

    def label(self, obs: Mapping[str, Any], paths: Sequence[str]) -> list[ProductLabel]:
        """Say what downloaded files are: event lists, images and exposure maps, each of a sub-exposure."""
        return labels(obs, paths)

    # --- processing -------------------------------------------------------------------------------------------------

    def ident_to_obsid(self, ident: str) -> str:
        """Return the ObsID that an identifier such as ``0201903501M1S001`` begins with."""
        return ident[:10]

    def assess_process_obs(self, obs_info: Mapping[str, Any]) -> dict[str, Any]:
        """Say which sub-exposures to process: scientific ones, that saw the sky, in a mode that yields events.

        Instruments that were not chosen are left out.
        """
        return {
            inst: {exposure: is_usable(inst, one) for exposure, one in info.get("exposures", {}).items()}
            for inst, info in obs_info.items()
            if inst in self.chosen_instruments
        }


async def _at_esa(net: Net, url: str) -> bool:
    """Whether the servlet has anything for a query: only then does its reply name a file."""
    try:
        reply = await net.get(url, method="HEAD")
    except NotAtArchiveError:
        return False
    except NetworkError as problem:
        if problem.context.get("status") in (405, 501):  # it tells nothing before it is asked in earnest
            return True
        raise
    headers = {name.lower(): value for name, value in reply.headers.items()}
    return "filename=" in headers.get("content-disposition", "")


def _by_kind(asked: Iterable[Query]) -> dict[str, list[Query]]:
    """Queries by what they ask for, whatever the camera."""
    found: dict[str, list[Query]] = {}
    for query in asked:
        found.setdefault(query.title.partition(" of ")[0], []).append(query)
    return found


def _together(titles: Sequence[str]) -> str:
    """``image of M1, M2`` of ``image of M1`` and ``image of M2``."""
    kind, of, _ = titles[0].partition(" of ")
    return kind + of + ", ".join(title.partition(" of ")[2] for title in titles)

"""Downloading a mission: where to, the call itself, and its plan."""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import anyio
import anyio.to_thread

from daxa.exceptions import (
    DAXADownloadError,
    DAXANotDownloadedError,
    InvalidParameterError,
    MissingFileError,
)
from daxa.mission.catalogue import service_key
from daxa.mission.downloads import Downloads
from daxa.mission.proprietary import Proprietary
from daxa.specs import RemoteFile, Want, is_location

if TYPE_CHECKING:
    from daxa.mission.download import DownloadPlan, DownloadReport
    from daxa.net.client import Net
    from daxa.store.downloads import DownloadRecord


class Downloading(Proprietary):
    """The part of a mission that fetches."""

    _version: str | None = None
    """Version of the archive's processing that was chosen, for missions that offer several."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._top: Path = self.context.config.output

    def remote_files(self, obs: Mapping[str, Any], want: Want, net: Net) -> AsyncIterator[RemoteFile]:
        """Name the files of an observation; a plugin's mission says which, as an asynchronous generator.

        Parameters
        ----------
        obs : Mapping
            Its row of the catalogue.
        want : Want
            What is wanted.
        net : Net
            The network, for listings.

        Raises
        ------
        NotAtArchiveError
            If the archive holds nothing for it.
        """
        raise NotImplementedError

    # --- where ------------------------------------------------------------------------------------------------------

    @property
    def top_level_path(self) -> str:
        """Absolute directory of all downloads, ending in ``/``."""
        return f"{self._top}/"

    @top_level_path.setter
    def top_level_path(self, path: str | Path | None) -> None:
        if path is None:
            return
        given = Path(path).expanduser().absolute()
        if not given.is_dir():
            raise MissingFileError(
                f"There is no directory {given}.", expected="one that exists", remedy="make it first", path=str(given)
            )
        self._top = given

    @property
    def raw_data_path(self) -> str:
        """Absolute directory of the mission's downloads, ending in ``/``."""
        return f"{self._raw}/"

    @property
    def _raw(self) -> Path:
        return self._top / f"{self.name}_raw"

    # --- what is here -----------------------------------------------------------------------------------------------

    @property
    def download_completed(self) -> bool:
        """Whether all that was wanted of the selected observations is here."""
        return self._downloaded

    @property
    def downloaded_type(self) -> str | None:
        """``raw``, ``preprocessed`` or ``raw+preprocessed``.

        Raises
        ------
        DAXANotDownloadedError
            If the selection has not been downloaded.
        """
        self.refuse_if_not_downloaded()
        return self._downloaded_type

    def refuse_if_not_downloaded(self) -> None:
        """Raise if the selection has not been downloaded.

        Raises
        ------
        DAXANotDownloadedError
            It says which line to write.
        """
        if not self._downloaded:
            raise DAXANotDownloadedError(
                f"The selected observations of {self.pretty_name} have not been downloaded.",
                expected="a download that ended",
                remedy="write `await mission.download()`; what is here already is recognised",
                mission=self.name,
            )

    def downloaded_files(self, obs_id: str) -> list[str]:
        """Paths of an observation's recorded files, relative to its directory."""
        from daxa.store.downloads import DownloadRecord

        if not DownloadRecord.exists(self._raw):
            return []
        with DownloadRecord.open(self._raw, create=False) as record:
            return record.intact_files(obs_id)

    def download_summary(self) -> tuple[int, int]:
        """Number of files and bytes on disk of the selected observations."""
        from daxa.store.downloads import DownloadRecord

        if not DownloadRecord.exists(self._raw):
            return 0, 0
        selected = set(self.filtered_obs_ids)
        with DownloadRecord.open(self._raw, create=False) as record:
            sizes = [entry.size for entry in record.files() if entry.obs_id in selected]
        return len(sizes), sum(sizes)

    # --- the calls --------------------------------------------------------------------------------------------------

    def wanted(self, raw: bool, products: bool | None) -> Want:
        """Say what is to be fetched: raw data, products (by default as the mission has it), of the chosen instruments.

        Raises
        ------
        InvalidParameterError
            If it is neither.
        """
        want = Want(
            raw=bool(raw),
            products=self.products_by_default if products is None else bool(products),
            instruments=tuple(self._instruments),
            kinds=self.product_kinds,
            version=self._version,
        )
        if not (want.raw or want.products):
            raise InvalidParameterError(
                f"Neither raw data nor products of {self.pretty_name} are wanted.",
                expected="download_raw or download_products",
                remedy="say download_products=True",
            )
        return want

    async def _begin(self, all_observations: bool) -> None:
        self.require_selection(all_observations=all_observations)
        await self.load()
        self.require_selection(all_observations=all_observations)

    @property
    def _service(self) -> str:
        """Key of the record: the addresses of the services that serve files."""
        serving = self.services if self.catalogue_included else self.services[1:] or self.services
        return service_key(self.context, serving)

    def _keys(self) -> dict[str, Any]:
        return {"service": self._service, "sky": self.context.config.sky}

    def _rows(self) -> list[dict[str, Any]]:
        table = self._table[self._selected]
        return [dict(zip(table.columns, row, strict=True)) for row in table.itertuples(index=False, name=None)]

    async def ready_to_download(self, *, all_observations: bool = False, credentials: Any = None) -> None:
        """Load the catalogue, and leave out of the selection what is not public yet.

        Parameters
        ----------
        all_observations : bool
            Whether a mission without a filter is taken whole.
        credentials : optional
            As for :meth:`download`.

        Raises
        ------
        NotAwaitedError, NoSelectionError
            If a filter was not awaited, or none was applied.
        AccessDeniedError
            If no selected observation is public yet.
        """
        await self._begin(all_observations)
        if not await self._login(credentials):
            self._leave_out_proprietary(credentials)

    @asynccontextmanager
    async def open_downloads(
        self,
        want: Want,
        obs_ids: Collection[str] | None = None,
        *,
        prefer: tuple[str, ...] = (),
        observations_at_once: int | None = None,
        credentials: Any = None,
    ) -> AsyncIterator[Downloads]:
        """Open the record of what was fetched, and the network where something is missing.

        Parameters
        ----------
        want : Want
            What is wanted.
        obs_ids : collection of str, optional
            Of which observations; by default of all that are selected.
        prefer : tuple of str
            Where to fetch from, best first; by default as configured.
        observations_at_once : int, optional
            Most observations at once.
        credentials : optional
            As for :meth:`download`.
        """
        from daxa.mission.fetching import OBSERVATIONS_AT_ONCE, Fetching
        from daxa.net.client import open_net
        from daxa.store.downloads import DownloadRecord

        rows = {row["ObsID"]: row for row in self._rows() if obs_ids is None or row["ObsID"] in obs_ids}
        keys = await anyio.to_thread.run_sync(self._keys)
        login = await self._login(credentials) if credentials is not None else None
        async with AsyncExitStack() as stack:
            record = await anyio.to_thread.run_sync(DownloadRecord.open, self._raw)
            stack.push_async_callback(_closed, record)
            here = await anyio.to_thread.run_sync(self._complete, record, want, rows)
            fetching = None
            prefer = prefer or self.context.config.locations
            if len(here) < len(rows):
                fetching = Fetching(
                    mission=self,
                    name=self.name,
                    directory=self._raw,
                    want=want,
                    **keys,
                    context=self.context,
                    record=record,
                    net=await stack.enter_async_context(open_net(self.context, login=login, prefer=prefer)),
                    prefer=prefer,
                    observations_at_once=observations_at_once or OBSERVATIONS_AT_ONCE,
                )
                stack.push_async_callback(fetching.shared.close)
            yield Downloads(self, want, rows, here, record, fetching)

    async def download(
        self,
        num_cores: int | None = None,
        credentials: Any = None,
        download_products: bool | None = None,
        *,
        download_raw: bool = True,
        all_observations: bool = False,
        on_error: Literal["raise", "warn", "collect"] = "raise",
        locations: Sequence[str] = (),
    ) -> DownloadReport:
        """Fetch the selected observations; what is here already is left alone.

        Parameters
        ----------
        num_cores : int, optional
            Most observations at once. How many requests a host sees is a matter of the host's limits.
        credentials : (str, str) or Mapping, optional
            User name and password, or ``{"user": ..., "password": ...}``, for an archive where those who have an
            account get more. By default those of the settings or ``~/.netrc``. With credentials, what is not public is
            tried; without, it is left out. They are never written anywhere.
        download_products : bool, optional
            Whether the archive's own products are fetched; by default they are, except for XMM.
        download_raw : bool
            Whether the files a reduction from scratch needs are fetched.
        all_observations : bool
            Whether a mission without a filter is taken whole.
        on_error : {"raise", "warn", "collect"}
            What to do at the end about files that could not be fetched; everything else is fetched first.
        locations : sequence of str
            Where to fetch from first: ``https``, ``s3`` (HEASARC's mirror in the cloud), or the address of a mounted
            copy of HEASARC's tree, ``file:///...``, which holds ``xmm/``, ``nustar/`` and so on; its files are linked
            where they are kept as they are. What is not named comes after. By default the setting ``locations``.

        Returns
        -------
        DownloadReport
            What became of every observation and file.

        Raises
        ------
        DAXADownloadError
            If files could not be fetched and `on_error` is ``raise``; its ``results`` name them.
        NotAwaitedError, NoSelectionError
            If a filter was not awaited, or none was applied.
        AccessDeniedError
            If no selected observation is public yet.
        StorageError
            If the raw directory cannot be written.
        """
        want = self.wanted(download_raw, download_products)
        prefer = _checked(num_cores, on_error, locations)
        await self.ready_to_download(all_observations=all_observations, credentials=credentials)
        async with self.open_downloads(
            want, prefer=prefer, observations_at_once=num_cores, credentials=credentials
        ) as downloads:
            report = await downloads.all()
        if report.failed and on_error == "raise":
            raise DAXADownloadError.of(report.failed)
        if report.failed and on_error == "warn":
            warnings.warn(str(DAXADownloadError.of(report.failed)), stacklevel=2)
        return report

    async def plan_download(
        self,
        download_products: bool | None = None,
        *,
        download_raw: bool = True,
        all_observations: bool = False,
        locations: Sequence[str] = (),
    ) -> DownloadPlan:
        """Tell files and bytes that :meth:`download` would fetch; parameters as there. Nothing is transferred.

        Returns
        -------
        DownloadPlan
        """
        from daxa.mission.download import DownloadPlan

        want = self.wanted(download_raw, download_products)
        prefer = _checked(None, "raise", locations)
        await self._begin(all_observations)
        async with self.open_downloads(want, prefer=prefer) as downloads:
            files, present, causes = await downloads.plan()
        return DownloadPlan(self.name, tuple(files), present, causes)

    def _complete(self, record: DownloadRecord, want: Want, obs_ids: Iterable[str]) -> set[str]:
        service = self._service
        return {obs_id for obs_id in obs_ids if record.complete(obs_id, want, service)}

    def note_downloads(self, complete: Collection[str], over: bool) -> None:
        """Take notice of what a download did. Reads the record of what was fetched.

        Parameters
        ----------
        complete : collection of str
            ObsIDs of which all that was wanted is here.
        over : bool
            Whether nothing that the archives hold is missing of any.
        """
        from daxa.store.downloads import DownloadRecord

        self._downloaded, self._downloaded_type = over, None
        if not complete or not DownloadRecord.exists(self._raw):
            return
        with DownloadRecord.open(self._raw, create=False) as record:
            parts = [set(entry.wanted) for entry in record.observations() if entry.obs_id in complete]
        common = set.intersection(*parts) if parts else set()
        names = {"raw": "raw", "products": "preprocessed"}
        self._downloaded_type = "+".join(names[part] for part in ("raw", "products") if part in common) or None


async def _closed(record: DownloadRecord) -> None:
    """Close a record whatever happens to the caller."""
    with anyio.CancelScope(shield=True):
        await anyio.to_thread.run_sync(record.close)


def _checked(num_cores: Any, on_error: str, locations: Sequence[str]) -> tuple[str, ...]:
    """Refuse options that mean nothing; return the kinds of location to prefer."""
    if num_cores is not None and (not isinstance(num_cores, int) or num_cores < 1):
        raise InvalidParameterError(
            f"num_cores is {num_cores!r}.", expected="a whole number from 1 on", remedy="correct it", value=num_cores
        )
    if on_error not in ("raise", "warn", "collect"):
        raise InvalidParameterError(
            f"on_error is {on_error!r}.", expected="'raise', 'warn' or 'collect'", remedy="correct it", value=on_error
        )
    prefer = (locations,) if isinstance(locations, str) else tuple(locations)
    if not all(is_location(one) for one in prefer):
        raise InvalidParameterError(
            f"locations is {locations!r}.", expected="some of https, s3 and file:///PATH", remedy="correct it"
        )
    return prefer

"""A mission's catalogue: loading it, reading it, and the lock of a mission that belongs to an archive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import anyio

from daxa.context import Context, current_context
from daxa.exceptions import (
    CatalogueNotLoadedError,
    InvalidParameterError,
    MissionLockedError,
    ObsNotAssociatedError,
    ParameterTypeError,
)
from daxa.mission.catalogue import FOOTPRINT, Catalogue, load_catalogue, public_today, shown
from daxa.mission.declared import Declared
from daxa.mission.pending import Marks

if TYPE_CHECKING:
    import numpy as np
    from astropy.coordinates import SkyCoord
    from numpy.typing import NDArray
    from pandas import DataFrame

    from daxa.net.client import Net


class Catalogued(Declared):
    """The part of a mission that knows its table.

    Parameters
    ----------
    context : Context, optional
        The surroundings; by default those in force.
    """

    def __init__(self, context: Context | None = None) -> None:
        self.context = context if context is not None else current_context()
        self.marks = Marks()
        self._catalogue: Catalogue | None = None
        self._loading: anyio.Event | None = None
        self._locked = False
        self._processed = False

    async def catalogue(self, net: Net) -> DataFrame:
        """Fetch the catalogue; a plugin's mission says how.

        Returns
        -------
        pandas.DataFrame
            One row an observation, with :data:`daxa.mission.catalogue.CORE_COLUMNS` and the mission's own.
        """
        raise NotImplementedError

    # --- the catalogue ----------------------------------------------------------------------------------------------

    async def load(self, refresh: bool = False) -> None:
        """Load the catalogue, if it is not loaded yet. Filters do so by themselves.

        Parameters
        ----------
        refresh : bool
            Whether it is fetched anew; the selection is kept by ObsID.

        Raises
        ------
        CatalogueError
            If it is not in the cache, and there is no network.
        BadReplyError
            If the service's answer is not the catalogue it should be.
        """
        while self._loading is not None:
            await self._loading.wait()
        if self._catalogue is not None and not refresh:
            return
        self._loading = anyio.Event()
        try:
            self._take(await load_catalogue(self, self.context, refresh=refresh))
        finally:
            self._loading.set()
            self._loading = None

    def _take(self, catalogue: Catalogue) -> None:
        """Use a catalogue."""
        public_today(catalogue)
        self._catalogue = catalogue

    def _rows_of(self, obs_ids: Sequence[str]) -> NDArray[np.bool_]:
        import numpy as np

        mask: NDArray[np.bool_] = np.asarray(self._table["ObsID"].isin(list(obs_ids)), dtype=bool)
        return mask

    @property
    def _table(self) -> DataFrame:
        if self._catalogue is None:
            raise CatalogueNotLoadedError(
                f"The catalogue of {self.pretty_name} is not loaded.",
                expected="a filter, or `load`, before a table is read",
                remedy="write `await mission.load()` first, or await a filter: `await mission.filter_on_name(...)`",
                mission=self.name,
            )
        return self._catalogue.table

    @property
    def loaded(self) -> bool:
        """Whether the catalogue is loaded."""
        return self._catalogue is not None

    @property
    def catalogue_date(self) -> float:
        """When the catalogue was fetched, in seconds of Unix time."""
        self._table  # noqa: B018 - refuses a mission without catalogue
        assert self._catalogue is not None
        return self._catalogue.fetched_at

    @property
    def catalogue_source(self) -> str:
        """Where the catalogue is from."""
        self._table  # noqa: B018
        assert self._catalogue is not None
        return self._catalogue.source

    @property
    def all_obs_info(self) -> DataFrame:
        """Table of all observations."""
        return shown(self._table)

    @property
    def footprints(self) -> list[str] | None:
        """What each observation covers of the sky, as STC-S texts; None where the catalogue does not tell."""
        return list(self._table[FOOTPRINT]) if FOOTPRINT in self._table.columns else None

    @property
    def science_usable(self) -> NDArray[np.bool_]:
        """Whether each observation is of use, shape (n,)."""
        import numpy as np

        return np.asarray(self._table["science_usable"], dtype=bool)

    @property
    def obs_ids(self) -> NDArray[np.object_]:
        """ObsIDs of all observations, as str in an array of objects."""
        return self._table["ObsID"].to_numpy(dtype=object)

    @property
    def ra_decs(self) -> SkyCoord:
        """Positions of all observations, in the mission's frame."""
        return self._coordinates(self._table)

    def _coordinates(self, table: DataFrame) -> SkyCoord:
        from astropy.coordinates import SkyCoord

        return SkyCoord(table["ra"].to_numpy(), table["dec"].to_numpy(), unit="deg", frame=self.coord_frame)

    def observation(self, obs_id: str) -> dict[str, Any]:
        """Return the catalogue's row of an observation.

        Raises
        ------
        ObsNotAssociatedError
            If the catalogue has none of that ObsID.
        """
        found = self._table[self._rows_of([obs_id])]
        if not len(found):
            raise ObsNotAssociatedError(
                f"The catalogue of {self.pretty_name} has no observation {obs_id!r}.",
                expected="an ObsID of all_obs_info",
                remedy="correct the ObsID",
                obs_id=obs_id,
            )
        return dict(zip(found.columns, next(found.itertuples(index=False, name=None)), strict=True))

    # --- lock -------------------------------------------------------------------------------------------------------

    @property
    def locked(self) -> bool:
        """Whether the mission belongs to an archive, so that its selection cannot be changed."""
        return self._locked

    @locked.setter
    def locked(self, value: bool) -> None:
        if not isinstance(value, bool):
            raise ParameterTypeError(f"locked is {value!r}.", expected="True or False", remedy="correct it")
        self.refuse_if_locked("locked = ...")
        if value:
            self.lock()

    def lock(self) -> None:
        """Keep the selection from now on. May be called again."""
        self._locked = True

    def refuse_if_locked(self, call: str) -> None:
        """Raise if the selection may not be changed.

        Raises
        ------
        MissionLockedError
            If the mission belongs to an archive.
        """
        if self._locked:
            raise MissionLockedError(
                f"{self.pretty_name} belongs to an archive: {call} would change its selection.",
                expected="a mission that is in no archive",
                remedy="call `await archive.update()` to renew the archive's selection, or filter a new mission object",
                mission=self.name,
            )

    @property
    def processed(self) -> bool:
        """Whether the observations have been processed; setting it locks the mission."""
        return self._processed

    @processed.setter
    def processed(self, value: bool) -> None:
        if not isinstance(value, bool):
            raise ParameterTypeError(f"processed is {value!r}.", expected="True or False", remedy="correct it")
        if self._processed and not value:
            raise InvalidParameterError(
                "Processing cannot be undone.", expected="True", remedy="make a new mission object"
            )
        self._processed = value
        if value:
            self.lock()

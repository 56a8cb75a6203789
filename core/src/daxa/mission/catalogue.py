"""A mission's catalogue: from the user's cache, or from its service, and checked either way."""

from __future__ import annotations

import logging
import re
import time
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

import anyio.to_thread
from attrs import frozen

from daxa.exceptions import (
    BadReplyError,
    CatalogueError,
    DamagedRecordError,
    IllegalSourceType,
    InvalidParameterError,
    NetworkError,
    NewerSchemaError,
    OfflineError,
    ServiceError,
    StorageError,
)
from daxa.mission.taxonomy import refuse_unknown_types

if TYPE_CHECKING:
    from pandas import DataFrame

    from daxa.context import Context
    from daxa.net.client import Net
    from daxa.store.catalogues import CachedCatalogue, CatalogueCache

log = logging.getLogger(__name__)

FOOTPRINT: Final = "footprint"
"""Column of STC-S texts that a catalogue may have: what each observation covers of the sky."""

CORE_COLUMNS: Final = ("ra", "dec", "ObsID", "science_usable", "start", "duration", "end")
"""Columns of every catalogue: degrees, text, flag, UTC times, and a duration."""

STALE: Final = 7 * 86400.0
"""Seconds after which a catalogue in the cache is fetched anew, where there is a network."""

_LOOPBACK: Final = re.compile(r"https?://127(?:\.\d+){3}:\d+")
_LOCAL: Final = "local"


class Source(Protocol):
    """What has a catalogue: a mission."""

    name: ClassVar[str]
    pretty_name: ClassVar[str]
    columns: ClassVar[tuple[str, ...]]
    column_order: ClassVar[tuple[str, ...]]
    services: ClassVar[tuple[str, ...]]
    catalogue_included: ClassVar[bool]

    async def catalogue(self, net: Net) -> DataFrame:
        """Return the catalogue, one row an observation."""


@frozen(eq=False)
class Catalogue:
    """A checked catalogue.

    Parameters
    ----------
    table : pandas.DataFrame
        One row an observation, numbered from 0.
    fetched_at : float
        When it was fetched, in seconds of Unix time.
    source : str
        Where from.
    """

    table: DataFrame
    fetched_at: float
    source: str


def service_key(context: Context, services: Iterable[str]) -> str:
    """Return what caches and records are keyed by: the addresses of services.

    The offline sky has other ports every time; they are left out.
    """
    addresses = " ".join(context.service_url(name) for name in services)
    return steady(context.config.sky, addresses) or _LOCAL


def steady(sky: str | None, text: str) -> str:
    """Replace the ports of the offline sky, if the run sees one, by a word that stays the same.

    The sky has a port for each host it stands in for; which host that is stands in the path.
    """
    return _LOOPBACK.sub("sky:", text) if sky else text


def age(seconds: float) -> str:
    """Write an age for people."""
    for unit, length in (("day", 86400.0), ("hour", 3600.0), ("minute", 60.0)):
        number = int(seconds // length)
        if number:
            return f"{number} {unit}{'' if number == 1 else 's'}"
    return "less than a minute"


async def load_catalogue(mission: Source, context: Context, *, refresh: bool = False) -> Catalogue:
    """Load a mission's catalogue.

    Parameters
    ----------
    mission : Mission
        The mission.
    context : Context
        The surroundings.
    refresh : bool
        Whether it is fetched anew although the cache has a young one.

    Raises
    ------
    CatalogueError
        If there is no network, and the cache has none; or a catalogue that the plugin brings along is not sound.
    BadReplyError
        If the service's answer lacks a column or holds impossible values; a good one in the cache stays.
    """
    if mission.catalogue_included or not mission.services:
        return Catalogue(
            checked(mission, (await _fetched(mission, context))[0]), time.time(), "brought along by the plugin"
        )
    key = await anyio.to_thread.run_sync(service_key, context, mission.services[:1])
    cache = await anyio.to_thread.run_sync(open_cache, context)
    try:
        cached = await anyio.to_thread.run_sync(_held, mission, cache, key)
        young = cached is not None and time.time() - cached.fetched_at < STALE
        if cached is not None and ((young and not refresh) or context.config.offline):
            if context.config.offline:
                _warn_of_age(mission, cached, "There is no network")
            return Catalogue(cached.table, cached.fetched_at, cached.source)
        return await _renewed(mission, context, cache, key, cached, refresh=refresh)
    finally:
        if cache is not None:
            await anyio.to_thread.run_sync(cache.close)


def open_cache(context: Context) -> CatalogueCache | None:
    """Open the user's cache. Where it cannot be had nothing is kept, with a warning, and services are asked each time.

    Raises
    ------
    StorageError, NewerSchemaError
        If there is no network either.
    """
    from daxa.store.catalogues import CatalogueCache

    try:
        return CatalogueCache.open(context.config.cache)
    except (StorageError, NewerSchemaError) as problem:
        if context.config.offline:
            raise
        warnings.warn(f"Catalogues and positions of names are not kept: {problem}", stacklevel=2)
        return None


def _held(mission: Source, cache: CatalogueCache | None, key: str) -> CachedCatalogue | None:
    """What the cache has of a mission, unless it is of no use: damaged, or made for another version of the mission."""
    if cache is None:
        return None
    try:
        found = cache.get(mission.name, key)
        return None if found is None else found._replace(table=checked(mission, found.table))
    except (BadReplyError, DamagedRecordError) as problem:
        log.warning("The catalogue of %s in the cache is passed over: %s", mission.pretty_name, problem.message)
        return None


async def _renewed(
    mission: Source,
    context: Context,
    cache: CatalogueCache | None,
    key: str,
    cached: CachedCatalogue | None,
    *,
    refresh: bool,
) -> Catalogue:
    """Fetch a catalogue and put it into the cache; fall back on an older one where there is no network."""
    try:
        fetched, told = await _fetched(mission, context)
        table = checked(mission, fetched)
    except NetworkError as problem:
        answered = isinstance(problem, BadReplyError | ServiceError)
        if cached is None or (refresh and answered):
            raise _no_catalogue(mission, problem, answered=answered) from problem
        _warn_of_age(mission, cached, problem.message)
        return Catalogue(cached.table, cached.fetched_at, cached.source)
    now = time.time()

    def put() -> str:
        source, etag = _source(mission, context, told)
        try:
            if cache is not None:
                cache.put(mission.name, key, table, source=source, etag=etag, fetched_at=now).result()
        except StorageError as problem:
            warnings.warn(f"The catalogue of {mission.pretty_name} is not kept: {problem}", stacklevel=2)
        return source

    return Catalogue(table, now, await anyio.to_thread.run_sync(put))


async def _fetched(mission: Source, context: Context) -> tuple[Any, list[tuple[str, str | None]]]:
    """Have the mission fetch its table; also who answered, with its mark of the version."""
    from daxa.net.client import open_net

    async with open_net(context) as net:
        net.told = []
        return await mission.catalogue(net), net.told


def _source(mission: Source, context: Context, told: list[tuple[str, str | None]]) -> tuple[str, str | None]:
    """Address of the service that answered last, for another may have stood in for the first, and its ETag."""
    for url, etag in reversed(told):
        for address in map(context.service_url, mission.services):
            if url.startswith(address.rstrip("/")):
                return address, etag
    return context.service_url(mission.services[0]), None


def _warn_of_age(mission: Source, cached: CachedCatalogue, why: str) -> None:
    old = age(max(time.time() - cached.fetched_at, 0.0))
    when = time.strftime("%Y-%m-%d %H:%M", time.gmtime(cached.fetched_at))
    warnings.warn(
        f"{why.rstrip('.')}: the catalogue of {mission.pretty_name} is the one fetched {old} ago ({when} UTC).",
        stacklevel=2,
    )


def _no_catalogue(mission: Source, problem: NetworkError, *, answered: bool) -> Exception:
    if answered:
        return problem
    kind = OfflineError if isinstance(problem, OfflineError) else None
    said = "the network is switched off" if kind else problem.message.rstrip(".")
    return CatalogueError(
        f"The catalogue of {mission.pretty_name} cannot be had: {said}. There is none in the cache either.",
        expected="a network, or a catalogue fetched earlier",
        remedy="load it once with a network; DAXA_OFFLINE switches the network off",
        mission=mission.name,
    )


def public_today(catalogue: Catalogue) -> None:
    """Bring the flags of what is public up to today: the catalogue may have been in the cache for a while."""
    import numpy as np
    import pandas as pd

    table = catalogue.table
    if not {"proprietary_usable", "proprietary_end_date"} <= set(table.columns):
        return
    today, fetched = (pd.Timestamp(one, unit="s") for one in (time.time(), catalogue.fetched_at))
    ends = table["proprietary_end_date"]
    public = np.asarray(table["proprietary_usable"], dtype=bool)
    table["proprietary_usable"] = (public & ~(ends > today)) | ((ends > fetched) & (ends <= today))


def shown(table: DataFrame) -> DataFrame:
    """A catalogue as it is shown: the footprints are texts of many numbers, and stand apart."""
    return table.drop(columns=FOOTPRINT) if FOOTPRINT in table.columns else table


# --- checks --------------------------------------------------------------------------------------------------------


def checked(mission: Source, table: Any) -> DataFrame:
    """Return a catalogue with its columns in order and of their kinds.

    Raises
    ------
    BadReplyError
        If a column is missing or holds impossible values; it names the column.
    """
    try:
        return conformed(mission, table)
    except (InvalidParameterError, IllegalSourceType) as problem:
        raise BadReplyError(
            f"The catalogue of {mission.pretty_name} is not what it should be: {problem.message}",
            expected=problem.expected,
            remedy="try later, or tell the authors of the plugin",
            mission=mission.name,
        ) from problem


def conformed(mission: Source, table: Any) -> DataFrame:
    """Check a table that is to serve as a mission's catalogue, and put it into its form.

    Raises
    ------
    InvalidParameterError
        If it is not a DataFrame, lacks a column, or holds impossible values.
    IllegalSourceType
        If a target type is not in the taxonomy.
    """
    import pandas as pd

    if not isinstance(table, pd.DataFrame):
        raise InvalidParameterError(
            f"A {type(table).__name__} cannot be a catalogue.", expected="a pandas.DataFrame", remedy="convert it"
        )
    required = dict.fromkeys([*CORE_COLUMNS, *mission.columns])
    missing = [name for name in required if name not in table.columns]
    if missing:
        raise InvalidParameterError(
            f"The column {', '.join(map(repr, missing))} is missing.",
            expected=f"the columns {', '.join(required)}",
            remedy="correct the table",
            value=missing,
        )
    order = [name for name in (mission.column_order or CORE_COLUMNS) if name in table.columns]
    whole = table[[*order, *(name for name in table.columns if name not in order)]].copy()
    try:
        for name in ("ra", "dec"):
            whole[name] = whole[name].astype("float64")
        for name in ("start", "end"):
            whole[name] = pd.to_datetime(whole[name], utc=False)
        if whole["duration"].dtype.kind != "m":
            whole["duration"] = pd.to_timedelta(whole["duration"])
        for name in ("science_usable", "proprietary_usable"):
            if name in whole.columns:
                whole[name] = whole[name].astype(bool)
        whole["ObsID"] = pd.Series([str(one) for one in whole["ObsID"]], index=whole.index, dtype=_text())
    except (TypeError, ValueError) as problem:
        raise InvalidParameterError(
            f"The column {name!r} holds something else: {problem}.", remedy="correct the table"
        ) from problem
    _refuse_values(whole)
    return whole.reset_index(drop=True)


def _text() -> Any:
    """The data type of text under the installed pandas."""
    import pandas as pd

    return pd.Series(["text"]).dtype


def _refuse_values(table: DataFrame) -> None:
    import numpy as np

    if not len(table):
        raise InvalidParameterError("It has no rows.", expected="one row an observation", remedy="correct the table")
    ra, dec = table["ra"].to_numpy(), table["dec"].to_numpy()
    if not (np.isfinite(ra).all() and np.isfinite(dec).all() and (np.abs(dec) <= 90).all()):
        raise InvalidParameterError(
            "The column 'ra' or 'dec' holds a position that is not on the sky.",
            expected="finite degrees",
            remedy="leave such rows out",
        )
    bad = table["ObsID"][~table["ObsID"].str.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.+\-]*")]
    if len(bad):
        raise InvalidParameterError(
            f"The column 'ObsID' holds {bad.iloc[0]!r}.", expected="letters and digits", remedy="leave such rows out"
        )
    if "target_category" in table.columns:
        refuse_unknown_types(table["target_category"].dropna().unique())

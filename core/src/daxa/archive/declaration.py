"""Declaring an archive: its missions are recorded, then their observations are fetched side by side.

Every step can be repeated: what is there already is recognised and left alone, so that a declaration that was cut short
goes on when it is made again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import anyio.to_thread
from attrs import define

from daxa.archive.downloads import WISHES, Wish
from daxa.archive.plan import DOWNLOAD
from daxa.archive.running import RunRequest, run_processes
from daxa.exceptions import (
    DAXADownloadError,
    DuplicateMissionError,
    InvalidParameterError,
    MissingPluginError,
    ParameterTypeError,
    PluginError,
    UnknownNameError,
)
from daxa.mission.absent import AbsentMission
from daxa.store.faults import understood
from daxa.store.records import ArchiveRecord

if TYPE_CHECKING:
    from daxa.context import Context
    from daxa.mission.base import Mission

log = logging.getLogger(__name__)

PLUGINS = "plugins"
"""Fact of the archive: the distribution that provides each mission, with its version."""

OnError = Literal["raise", "warn", "collect"]


def _per_mission(
    value: Any, names: Sequence[str], what: str, default: Mapping[str, bool] | None = None
) -> dict[str, bool]:
    """Read a flag that may be given for all missions or for each."""
    if value is None:
        return dict(default or {})
    if isinstance(value, bool):
        return dict.fromkeys(names, value)
    if not isinstance(value, Mapping):
        raise ParameterTypeError(
            f"{what} is {value!r}.", expected="True, False, or a mapping of mission names to them", remedy="correct it"
        )
    if set(value) != set(names):
        raise UnknownNameError(
            f"{what} speaks of {', '.join(map(str, value)) or 'no mission'}.",
            expected=f"exactly {', '.join(names)}",
            remedy="name every mission of the archive once",
            value=dict(value),
        )
    for name, flag in value.items():
        if not isinstance(flag, bool):
            raise ParameterTypeError(f"{what} of {name} is {flag!r}.", expected="True or False", remedy="correct it")
    return dict(value)


@define
class Declaration:
    """What an archive is declared to be."""

    missions: tuple[Mission, ...]
    products: Mapping[str, bool | None]
    raw: Mapping[str, bool]
    preprocessed: Mapping[str, bool]
    all_observations: bool
    on_error: OnError
    download: bool

    @classmethod
    def of(
        cls,
        missions: Any,
        *,
        download_products: Any,
        download_raw: Any,
        use_preprocessed: Any,
        all_observations: bool,
        on_error: str,
        download: bool,
    ) -> Declaration:
        """Check what was given.

        Raises
        ------
        ParameterTypeError
            If something is not a mission.
        DuplicateMissionError
            If a mission is given twice.
        InvalidParameterError
            If there is none, or a flag has another value.
        """
        from daxa.mission.base import Mission

        given = (missions,) if isinstance(missions, Mission) else tuple(missions)
        if not given:
            raise InvalidParameterError(
                "The archive has no missions.", expected="at least one filtered mission", remedy="give missions"
            )
        for one in given:
            if not isinstance(one, Mission):
                raise ParameterTypeError(
                    f"{one!r} is not a mission.",
                    expected="objects such as XMMPointed()",
                    remedy="make the missions with the classes of daxa.mission",
                )
        names = [mission.name for mission in given]
        for name in names:
            if names.count(name) > 1:
                raise DuplicateMissionError(
                    f"The mission {name!r} is given {names.count(name)} times.",
                    expected="every mission once",
                    remedy="apply all filters to one mission object",
                    value=name,
                )
        if on_error not in ("raise", "warn", "collect"):
            raise InvalidParameterError(
                f"on_error is {on_error!r}.",
                expected="'raise', 'warn' or 'collect'",
                remedy="correct it",
                value=on_error,
            )
        products: dict[str, bool | None] = dict.fromkeys(names)
        products.update(_per_mission(download_products, names, "download_products"))
        preprocessed = _per_mission(use_preprocessed, names, "use_preprocessed")
        for name in names:
            if isinstance(use_preprocessed, Mapping) and preprocessed[name] and products[name] is False:
                raise InvalidParameterError(
                    f"use_preprocessed wants the products of {name}, download_products does not fetch them.",
                    expected="both True, or use_preprocessed False",
                    remedy="correct one of them",
                )
        return cls(
            missions=given,
            products=products,
            raw=_per_mission(download_raw, names, "download_raw"),
            preprocessed=preprocessed,
            all_observations=all_observations,
            on_error=on_error,  # type: ignore[arg-type]
            download=download,
        )

    def check(self) -> None:
        """Refuse missions that nobody filtered, or whose filter was not awaited, before anything is written."""
        for mission in self.missions:
            mission.require_selection(all_observations=self.all_observations)

    async def prepare(self) -> None:
        """Load catalogues and leave out what is not public yet, before anything is written."""
        self.check()
        for mission in self.missions:
            await mission.ready_to_download(all_observations=self.all_observations)

    def wish(self, mission: Mission) -> Wish:
        """What is to be fetched of a mission."""
        want = mission.wanted(self.raw[mission.name], self.products[mission.name])
        return Wish(raw=want.raw, products=want.products, preprocessed=self.preprocessed[mission.name])


async def declare(
    declaration: Declaration, name: str, root: Path, record: ArchiveRecord, context: Context
) -> dict[str, Mission]:
    """Record what an archive is to be, and fetch its observations.

    Parameters
    ----------
    declaration : Declaration
        What the archive is to be; it is prepared.
    name : str
        Its name.
    root : Path
        Its directory.
    record : ArchiveRecord
        Its record, held for writing.
    context : Context
        The surroundings.

    Raises
    ------
    DAXADownloadError
        If files could not be fetched and the declaration says ``raise``; all the rest is done and recorded.
    StorageError
        If there is no room for them.
    """
    known = dict(await anyio.to_thread.run_sync(record.missions))
    missions: dict[str, Mission] = {}
    for mission in declaration.missions:
        if mission.name in known:
            recorded = type(mission).from_snapshot(known[mission.name], context=context)
            if list(recorded.filtered_obs_ids) != list(mission.filtered_obs_ids):
                log.warning(
                    "archive %s keeps its recorded selection of %s; `update` takes the new one", name, mission.name
                )
            missions[mission.name] = recorded
        else:
            missions[mission.name] = mission
    facts: dict[str, Any] = {}
    if not await anyio.to_thread.run_sync(record.meta, "declared"):
        facts = {"name": name, "version": "0.0.0", "created": time.time(), "sky": context.config.sky, "declared": True}
    wishes = {mission.name: declaration.wish(mission).plain for mission in missions.values()}
    plugins = {mission.name: _provider(mission, context) for mission in missions.values()}
    for fact, said in ((WISHES, wishes), (PLUGINS, plugins)):
        facts[fact] = {**await anyio.to_thread.run_sync(record.meta, fact, {}), **said}
    new = [mission for mission in missions.values() if mission.name not in known]
    await record.renew(facts, added={one.name: (one.pretty_name, one.snapshot()) for one in new})
    for mission in missions.values():
        mission.lock()
    if context.config.sky:
        await anyio.to_thread.run_sync(_mark_sky, root)
    if declaration.download:
        await _fetch(declaration, root, record, missions, context)
    return missions


def _provider(mission: Mission, context: Context) -> dict[str, str | None]:
    """What to install for a mission, for whoever opens the archive without it."""
    distribution = context.registry.owners.get(("mission", mission.name))
    versions = {record.distribution: record.version for record in context.plugins.records}
    return {
        "title": mission.pretty_name,
        "distribution": distribution,
        "version": versions.get(distribution) if distribution else None,
    }


def _mark_sky(root: Path) -> None:
    """Leave a note for whoever finds the directory."""
    (root / "MADE_UNDER_THE_OFFLINE_SKY.txt").write_text(
        "The data of this archive were served by DAXA's offline sky, not by the real archives.\n", encoding="utf-8"
    )


async def _fetch(
    declaration: Declaration, root: Path, record: ArchiveRecord, missions: Mapping[str, Mission], context: Context
) -> None:
    """Run the first step of the graph alone; what was fetched before is looked at again."""
    request = RunRequest(names=(DOWNLOAD,), rerun=DOWNLOAD, disable_progress=True)
    summary = await run_processes(root, record, missions, dict.fromkeys(missions, (DOWNLOAD,)), request, context)
    if summary.stopped is not None:
        raise summary.stopped
    if summary.interrupted:  # who waits for the archive shall not go on with a part of it
        raise KeyboardInterrupt("what was fetched is kept, and the same call goes on from there")
    failed = [file for result in summary.downloads for file in result.files if file.missing]
    if failed and declaration.on_error == "raise":
        raise DAXADownloadError.of(failed)
    if failed and declaration.on_error == "warn":
        import warnings

        warnings.warn(str(DAXADownloadError.of(failed)), stacklevel=2)


def load_missions(record: ArchiveRecord, context: Context, output: Path) -> dict[str, Mission]:
    """Make an archive's missions anew from its record: no network, no catalogue.

    Parameters
    ----------
    record : ArchiveRecord
        The archive's record.
    context : Context
        The surroundings.
    output : Path
        Output directory the archive lies in.
    """
    plugins = record.meta(PLUGINS, {})
    missions: dict[str, Mission] = {}
    for name, snapshot in record.missions():
        with understood(record.db.path):
            missions[name] = _restored(name, snapshot, plugins.get(name, {}), context)
        missions[name].top_level_path = str(output)
        missions[name].lock()
    return missions


def _restored(name: str, snapshot: Any, told: Mapping[str, Any], context: Context) -> Mission:
    """Make a mission of its recorded state; without its plugin, one that can be read."""
    try:
        return context.registry.mission_class(name).from_snapshot(snapshot, context=context)
    except (MissingPluginError, PluginError) as problem:
        title, distribution = told.get("title", name), told.get("distribution")
        mission = AbsentMission.recorded(name, title, distribution, snapshot, context)
        cause = mission.missing if isinstance(problem, MissingPluginError) else problem
        log.warning("what is recorded of %s can be read, and no more: %s", name, cause)
        return mission

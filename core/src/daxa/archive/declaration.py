"""Declaring an archive: missions are downloaded side by side, and their products placed and recorded.

Every step can be repeated: what is there already is recognised and left alone, so that a declaration that was cut short
goes on when it is made again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import anyio
import anyio.to_thread
from attrs import define

from daxa.archive.place import storage_error
from daxa.archive.reorganise import Reorganised, children_of, reorganise
from daxa.exceptions import (
    DAXADownloadError,
    DuplicateMissionError,
    InvalidParameterError,
    ParameterTypeError,
    UnknownNameError,
    first_of,
)
from daxa.ids import DataId, TaskKey
from daxa.outcome import FailureKind, State
from daxa.store.records import ArchiveRecord, ProductEntry, TaskEntry

if TYPE_CHECKING:
    from daxa.context import Context
    from daxa.mission.base import Mission
    from daxa.mission.download import DownloadReport

log = logging.getLogger(__name__)

DOWNLOAD = "download"
"""Name under which fetching an observation stands in the record."""

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
        )

    def check(self) -> None:
        """Refuse missions that nobody filtered, or whose filter was not awaited, before anything is written."""
        for mission in self.missions:
            mission.require_selection(all_observations=self.all_observations)


async def declare(
    declaration: Declaration, name: str, root: Path, record: ArchiveRecord, context: Context
) -> dict[str, Mission]:
    """Download, place and record.

    Parameters
    ----------
    declaration : Declaration
        What the archive is to be.
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
    """
    declaration.check()
    for mission in declaration.missions:
        await mission.load()
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
    if not await anyio.to_thread.run_sync(record.meta, "declared"):
        await record.set_meta(
            {"name": name, "version": "0.0.0", "created": time.time(), "sky": context.config.sky, "declared": True}
        )
    for mission in missions.values():
        if mission.name not in known:
            await record.add_mission(mission.name, mission.pretty_name, mission.snapshot())
        mission.lock()
    if context.config.sky:
        await anyio.to_thread.run_sync(_mark_sky, root)
    run_id = await record.begin_run({"declare": name})
    reports = await _download_all(declaration, missions)
    for mission in missions.values():
        report = reports[mission.name]
        await _record_downloads(record, mission, report, run_id)
        if declaration.preprocessed[mission.name] and report.has_products:
            await _place_products(root, record, mission, run_id)
        await record.set_mission_state(mission.name, mission.snapshot())
    await record.end_run(run_id)
    failed = [result for report in reports.values() for result in report.failed]
    if failed and declaration.on_error == "raise":
        raise DAXADownloadError.of(failed)
    if failed and declaration.on_error == "warn":
        import warnings

        warnings.warn(str(DAXADownloadError.of(failed)), stacklevel=2)
    return missions


def _mark_sky(root: Path) -> None:
    """Leave a note for whoever finds the directory."""
    (root / "MADE_UNDER_THE_OFFLINE_SKY.txt").write_text(
        "The data of this archive were served by DAXA's offline sky, not by the real archives.\n", encoding="utf-8"
    )


async def _download_all(declaration: Declaration, missions: Mapping[str, Mission]) -> dict[str, DownloadReport]:
    """Download all missions side by side; the hosts' limits hold for all of them together."""
    reports: dict[str, DownloadReport] = {}

    async def one(mission: Mission) -> None:
        reports[mission.name] = await mission.download(
            download_products=declaration.products[mission.name],
            download_raw=declaration.raw[mission.name],
            all_observations=declaration.all_observations,
            on_error="collect",
        )

    try:
        async with anyio.create_task_group() as group:
            for mission in missions.values():
                group.start_soon(one, mission)
    except BaseExceptionGroup as group_of_errors:
        raise first_of(group_of_errors) from None
    return reports


async def _record_downloads(record: ArchiveRecord, mission: Mission, report: DownloadReport, run_id: int) -> None:
    entries = []
    for result in report.observations:
        if result.state == "present":
            state, cause, kind = State.REUSED, None, None
        elif result.state == "complete":
            state, cause, kind = State.SUCCEEDED, None, None
        elif result.state == "absent":
            state, cause, kind = State.NO_DATA, result.cause, None
        else:
            state, cause, kind = State.FAILED, result.cause, FailureKind.TRANSIENT
        entries.append(
            TaskEntry(
                key=TaskKey(DOWNLOAD, DataId(mission.name, result.obs_id)),
                state=state,
                cause=cause,
                kind=kind,
                run_id=run_id,
                attempt=1,
                ended=time.time(),
                seconds=result.seconds,
            )
        )
    await record.journal(entries)


async def _place_products(root: Path, record: ArchiveRecord, mission: Mission, run_id: int) -> None:
    """Place an observation's products and record them, one observation after the other."""
    recorded = await anyio.to_thread.run_sync(lambda: record.products(mission=mission.name))
    known = {
        product.path: (product.size, product.mtime_ns, product.sha256)
        for product in recorded
        if product.process.startswith("preprocessed_")
    }
    for obs_id in mission.filtered_obs_ids:
        files = await anyio.to_thread.run_sync(mission.downloaded_files, obs_id)
        labels = mission.label(mission.observation(obs_id), files)
        if not labels:
            continue
        raw = Path(mission.raw_data_path) / obs_id
        try:
            done = await anyio.to_thread.run_sync(partial(reorganise, root, raw, mission.name, obs_id, labels, known))
        except OSError as problem:
            raise storage_error(problem, root) from problem
        await record.put_children(mission.name, obs_id, children_of(labels))
        await _record_placed(record, done, run_id)
    mission.processed = True


async def _record_placed(record: ArchiveRecord, done: Reorganised, run_id: int) -> None:
    products: dict[TaskKey, list[ProductEntry]] = {}
    reused: dict[TaskKey, bool] = {}
    for one in done.placed:
        key = TaskKey(one.process, one.data_id)
        reused[key] = reused.get(key, True) and one.reused
        products.setdefault(key, []).append(
            ProductEntry(
                key=one.label.kind,
                kind=one.label.kind,
                path=str(one.path),
                size=one.size,
                mtime_ns=one.mtime_ns,
                sha256=one.sha256,
                lo=one.label.lo,
                hi=one.label.hi,
            )
        )
    entries = [
        TaskEntry(
            key=key,
            state=State.REUSED if reused[key] else State.SUCCEEDED,
            run_id=run_id,
            attempt=1,
            ended=time.time(),
        )
        for key in products
    ]
    entries += [
        TaskEntry(
            key=TaskKey(process, data_id),
            state=State.FAILED,
            cause=cause,
            kind=FailureKind.ENVIRONMENT,
            run_id=run_id,
            attempt=1,
            ended=time.time(),
        )
        for (process, data_id), cause in done.failed.items()
    ]
    await record.journal(entries)
    for key, placed in products.items():
        if not reused[key]:
            await record.replace_products(key, placed)


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
    missions = {}
    for name, snapshot in record.missions():
        mission = context.registry.mission_class(name).from_snapshot(snapshot, context=context)
        mission.top_level_path = str(output)
        mission.lock()
        missions[name] = mission
    return missions

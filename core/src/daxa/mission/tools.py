"""Several missions at once: the same positions, or the same object, asked of all of them side by side."""

from __future__ import annotations

import warnings
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import anyio
from attrs import field, frozen

from daxa.context import Context, current_context
from daxa.exceptions import (
    DaxaError,
    InvalidParameterError,
    NoObsAfterFilterError,
    ParameterTypeError,
    UnknownNameError,
)
from daxa.mission.download import cause_of

if TYPE_CHECKING:
    from daxa.mission.base import Mission

Filter = Callable[["Mission"], Awaitable[Any]]


@frozen
class Found(Mapping[str, "Mission"]):
    """Missions that have something, filtered, by internal name.

    Parameters
    ----------
    missions : Mapping
        The missions.
    empty : tuple of str
        Missions that have nothing.
    failures : Mapping
        Causes, by name, of missions that could not be asked.
    """

    missions: Mapping[str, Mission]
    empty: tuple[str, ...] = ()
    failures: Mapping[str, str] = field(factory=dict)

    def __getitem__(self, name: str) -> Mission:
        return self.missions[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.missions)

    def __len__(self) -> int:
        return len(self.missions)

    def summary(self) -> dict[str, dict[str, Any]]:
        """Count, first start and last end (ISO), and ObsIDs, by mission."""
        return {name: _summary(mission) for name, mission in self.missions.items()}

    def __str__(self) -> str:
        counts = {name: len(one) for name, one in self.missions.items()}
        lines = [f"{name}: {count} observation{'' if count == 1 else 's'}" for name, count in counts.items()]
        lines += [f"{name}: nothing" for name in self.empty]
        lines += [f"{name}: could not be asked: {cause}" for name, cause in self.failures.items()]
        return "\n".join(lines)


def _summary(mission: Mission) -> dict[str, Any]:
    table = mission.filtered_obs_info
    first, last = table["start"].min(), table["end"].max()
    return {
        "count": len(table),
        "first": first.isoformat() if first == first else None,
        "last": last.isoformat() if last == last else None,
        "obs_ids": [str(one) for one in table["ObsID"]],
    }


def _names(missions: Any, context: Context) -> list[str]:
    """Internal names of the missions to ask, in DAXA's order."""
    from daxa.mission import MissionIndex

    known = list(MissionIndex(context))
    if missions is None:
        return known
    given = [missions] if isinstance(missions, str) else missions
    if not isinstance(given, Sequence) or not all(isinstance(one, str) for one in given):
        raise InvalidParameterError(
            f"missions is {missions!r}.", expected="a list of internal names", remedy=f"name some of {', '.join(known)}"
        )
    names = [context.registry.mission_entry(one).name if one in known else one for one in given]
    unknown = [one for one in names if one not in known]
    if unknown:
        raise InvalidParameterError(
            f"{', '.join(map(repr, unknown))} is not an installed mission.",
            expected=f"some of {', '.join(known)}",
            remedy=str(context.registry.missing_mission(unknown[0]).remedy),
            value=unknown,
        )
    return list(dict.fromkeys(names))


def _by_mission(value: Any, names: Sequence[str], what: str) -> dict[str, Any]:
    """Read a mapping whose keys are missions that are asked."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ParameterTypeError(
            f"{what} is {value!r}.", expected="a mapping of internal names", remedy="give it by mission"
        )
    unknown = [str(one) for one in value if one not in names]
    if unknown:
        raise InvalidParameterError(
            f"{what} speaks of {', '.join(unknown)}.",
            expected=f"some of {', '.join(names)}",
            remedy="correct the names",
            value=unknown,
        )
    return dict(value)


async def _ask_all(names: Sequence[str], insts: Mapping[str, Any], apply: Filter, context: Context) -> Found:
    """Make missions and filter them, side by side; one that is down costs a warning and that mission only."""
    found: dict[str, Mission] = {}
    empty: list[str] = []
    failures: dict[str, str] = {}
    faults: list[DaxaError] = []

    async def one(name: str) -> None:
        try:
            chosen = {"insts": insts[name]} if name in insts else {}
            mission = context.registry.mission_class(name)(**chosen, context=context)
            await apply(mission)
        except NoObsAfterFilterError:
            empty.append(name)
        except (InvalidParameterError, ParameterTypeError, UnknownNameError) as problem:
            faults.append(problem)  # the caller's, and so the same for all missions
        except Exception as problem:  # noqa: BLE001 - whatever a plugin raises costs its own mission only
            failures[name] = cause_of(problem)
        else:
            found[name] = mission

    async with anyio.create_task_group() as group:
        for name in names:
            group.start_soon(one, name)
    if faults:
        raise faults[0]
    for name, cause in failures.items():
        warnings.warn(f"{context.registry.missions[name].title} could not be asked: {cause}", stacklevel=3)
    return Found(
        {name: found[name] for name in names if name in found},
        tuple(name for name in names if name in empty),
        {name: failures[name] for name in names if name in failures},
    )


async def multi_mission_filter_on_positions(
    positions: Any,
    search_distance: Any = None,
    missions: Sequence[str] | None = None,
    insts: Mapping[str, str | Sequence[str]] | None = None,
    *,
    context: Context | None = None,
) -> list[Mission]:
    """Select observations of several missions near some positions, all missions at once.

    Parameters
    ----------
    positions
        As for :meth:`daxa.mission.base.Mission.filter_on_positions`.
    search_distance : Quantity or Mapping, optional
        One distance for all missions, or ``{internal name: anything filter_on_positions takes}``.
    missions : sequence of str, optional
        Internal names; by default all that are installed.
    insts : Mapping, optional
        Instruments, ``{internal name: instruments}``.
    context : Context, optional
        The surroundings.

    Returns
    -------
    list of Mission
        Those that have observations there. One that has none, or cannot be asked, costs a warning.

    Raises
    ------
    InvalidParameterError, ParameterTypeError
        If a mission is unknown, or a distance or a position cannot be understood.
    """
    from astropy.units import Quantity

    from daxa.mission.inputs import as_degrees, as_positions

    context = context or current_context()
    if isinstance(missions, str):
        raise InvalidParameterError(
            f"missions is {missions!r}.", expected="a list of internal names", remedy=f"write [{missions!r}]"
        )
    names = _names(missions, context)
    as_positions(positions, "icrs")
    if isinstance(search_distance, Mapping):
        distances = _by_mission(search_distance, names, "search_distance")
    elif search_distance is None or (isinstance(search_distance, Quantity) and search_distance.isscalar):
        if search_distance is not None:
            as_degrees(search_distance)
        distances = dict.fromkeys(names, search_distance)
    else:
        raise InvalidParameterError(
            f"search_distance is {search_distance!r}.",
            expected="one Quantity, or a mapping of internal names",
            remedy="give it with its unit, e.g. Quantity(5, 'arcmin')",
        )

    async def apply(mission: Mission) -> None:
        await mission.filter_on_positions(positions, distances.get(mission.name))

    found = await _ask_all(names, _by_mission(insts, names, "insts"), apply, context)
    for name in found.empty:
        warnings.warn(f"{context.registry.missions[name].title} has no observation there.", stacklevel=2)
    return list(found.values())


async def find(
    target: Any,
    missions: Sequence[str] | None = None,
    search_distance: Any = None,
    *,
    context: Context | None = None,
) -> Found:
    """Ask all missions at once what they have of a target.

    Parameters
    ----------
    target : str or position
        Name of an object, or positions as for :meth:`daxa.mission.base.Mission.filter_on_positions`.
    missions : sequence of str, optional
        Internal names; by default all that are installed.
    search_distance : optional
        One distance, or ``{internal name: distance}``; by default 1.2 times each mission's field of view.
    context : Context, optional
        The surroundings.

    Returns
    -------
    Found
        Filtered missions by internal name; it prints as a summary. Missions that cannot be asked cost a warning and
        stand in ``failures``.

    Raises
    ------
    NameNotResolvedError
        If no name service knows the target.
    """
    from daxa.mission.inputs import UnresolvedNameError
    from daxa.mission.names import resolve_names

    context = context or current_context()
    names = _names(missions, context)
    positions = target
    if isinstance(target, str):
        (resolved,) = await resolve_names([target], context, "icrs")
        if resolved is None:
            raise UnresolvedNameError(
                f"No name service knows {target!r}.", expected="a name Sesame knows", remedy="check it", value=target
            )
        positions = resolved
    by_mission = isinstance(search_distance, Mapping)
    distances = _by_mission(search_distance, names, "search_distance") if by_mission else None

    async def apply(mission: Mission) -> None:
        await mission.filter_on_positions(
            positions, search_distance if distances is None else distances.get(mission.name)
        )

    return await _ask_all(names, {}, apply, context)

"""Which parameters the processes of a run have: those given, those of the last time, their defaults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from daxa.schedule.fingerprint import plain

if TYPE_CHECKING:
    from daxa.archive.plan import MissionPlan
    from daxa.process import Process
    from daxa.store.records import RunEntry

Given = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Parameters that were given, by mission and process."""


def restored(value: Any) -> Any:
    """Turn a recorded parameter back into what it was: quantities were kept as value and unit, dates as text."""
    if isinstance(value, Mapping):
        if set(value) == {"value", "unit"}:
            from astropy.units import Quantity

            return Quantity(value["value"], value["unit"])
        for name, kind in (("datetime", datetime), ("date", date)):
            if set(value) == {name}:
                return kind.fromisoformat(value[name])
        return {key: restored(one) for key, one in value.items()}
    return [restored(one) for one in value] if isinstance(value, list) else value


def recorded(runs: Sequence[RunEntry]) -> Given:
    """What was given for processes when they were last asked for.

    Parameters
    ----------
    runs : sequence of RunEntry
        Runs of the archive, the oldest first.
    """
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    for run in runs:
        for mission, processes in run.request.get("given", {}).items():
            for name, values in processes.items():
                found.setdefault(mission, {})[name] = {key: restored(one) for key, one in values.items()}
    return found


def to_record(plans: Mapping[str, MissionPlan]) -> dict[str, dict[str, Any]]:
    """What a run was given for processes that it was asked for, or that were addressed by name, as JSON."""
    return {
        mission: {
            name: plain(plan.given.get(name, {}))
            for name in plan.processes
            if name in plan.wanted or name in plan.addressed
        }
        for mission, plan in plans.items()
    }


def shared_out(
    params: Mapping[str, Any],
    wanted: Sequence[str],
    known: Mapping[str, Process],
    before: Mapping[str, Mapping[str, Any]],
) -> tuple[dict[str, dict[str, Any]], set[str]]:
    """Give each process the parameters that are meant for it.

    One goes to all processes that know it, unless a process that is asked for has it as its own: then to that alone.
    ``process={...}`` addresses a process of the chain by name. A process that is only needed keeps what it was given
    the last time, unless it is given something now.

    Parameters
    ----------
    params : Mapping
        What was given with the run.
    wanted : sequence of str
        Processes that are asked for.
    known : Mapping of str to Process
        All processes of the mission.
    before : Mapping of str to Mapping
        What processes were given the last time.

    Returns
    -------
    tuple of dict and set
        What each process was given, and the processes that were given something now.
    """
    by_name = {name: dict(one) for name, one in params.items() if name in known and isinstance(one, Mapping)}
    shared = {name: one for name, one in params.items() if name not in by_name}
    owned = {name for name in shared if any(one in known and name in known[one].own for one in wanted)}
    found: dict[str, dict[str, Any]] = {}
    addressed: set[str] = set()
    for name, process in known.items():
        now = {
            one: value
            for one, value in shared.items()
            if one in process.parameters and (name in wanted if one in owned or one in process.own else True)
        }
        now.update(by_name.get(name, {}))
        if now:
            addressed.add(name)
        found[name] = now if name in wanted else {**before.get(name, {}), **now}
    return found, addressed

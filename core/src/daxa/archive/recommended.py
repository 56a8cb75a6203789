"""Which chain is recommended for a mission, with the software there is on this machine."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from daxa.archive.plan import MissionPlan
from daxa.archive.software import Software

if TYPE_CHECKING:
    from daxa.context import Context

log = logging.getLogger(__name__)


def recommended(missions: Sequence[str], context: Context) -> dict[str, tuple[str, ...]]:
    """Choose a chain for each mission: the first of which all software is here, else the first.

    Parameters
    ----------
    missions : sequence of str
        Internal names.
    context : Context
        The surroundings.

    Returns
    -------
    dict of str to tuple of str
        Names of processes; missions without a chain are absent.
    """
    chosen: dict[str, tuple[str, ...]] = {}
    for mission in missions:
        if mission not in context.registry.missions:
            continue  # its plugin is not installed
        recipes = context.registry.recipes_for(mission)
        for recipe in recipes:
            problem = _lacking(mission, recipe.processes, context)
            if problem is None:
                chosen[mission] = tuple(recipe.processes)
                break
            log.warning("%s of %s is left out: %s", recipe.name, mission, problem)
        else:
            if recipes:
                chosen[mission] = tuple(recipes[0].processes)
    return chosen


def _lacking(mission: str, processes: Sequence[str], context: Context) -> str | None:
    """Say what a chain cannot be run without."""
    known = context.registry.processes(mission)
    plan = MissionPlan(mission, "inst", known, [name for name in processes if name in known])
    software = Software.of([known[name] for name in plan.processes], context)
    return next((problem.message for problem in software.missing.values()), None)

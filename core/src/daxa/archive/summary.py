"""The text of ``info()``: the tutorial's lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from daxa.mission.base import Mission

_RULE = "-" * 53


def _bounds(missions: Sequence[Mission]) -> tuple[Any, Any]:
    """First start and last end over all observations."""
    starts, ends = [], []
    for mission in missions:
        table = mission.filtered_obs_info
        starts += [table["start"].min()] if table["start"].notna().any() else []
        ends += [table["end"].max()] if table["end"].notna().any() else []
    return (min(starts) if starts else None, max(ends) if ends else None)


def info_text(missions: Sequence[Mission]) -> str:
    """Write the summary of an archive.

    Parameters
    ----------
    missions : sequence of Mission
        The archive's missions.
    """
    first, last = _bounds(missions)
    lines = [
        "",
        _RULE,
        f"Number of missions - {len(missions)}",
        f"Total number of observations - {sum(len(mission) for mission in missions)}",
        f"Beginning of earliest observation - {first}",
        f"End of latest observation - {last}",
    ]
    for mission in missions:
        lines += [
            "",
            f"-- {mission.pretty_name} --",
            f"   Internal DAXA name - {mission.name}",
            f"   Chosen instruments - {', '.join(mission.chosen_instruments)}",
            f"   Number of observations - {len(mission)}",
            f"   Fully Processed - {mission.processed}",
        ]
    return "\n".join([*lines, _RULE, ""])

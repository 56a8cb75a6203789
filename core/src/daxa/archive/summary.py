"""An archive in a few lines: the text of ``info()``, which is the tutorial's, and tables for notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from daxa.outcome import State

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


def archive_html(
    name: str,
    remarks: Sequence[str],
    missions: Sequence[Mission],
    tallies: Mapping[tuple[str, str], Mapping[State, int]],
) -> str:
    """Write the summary of an archive for a notebook: plain tables, without scripts, every text escaped.

    Parameters
    ----------
    name : str
        The archive's name.
    remarks : sequence of str
        What else is to be said in the line below it.
    missions : sequence of Mission
        Its missions.
    tallies : Mapping of (str, str) to Mapping
        For missions and processes, how many tasks are in which state.
    """
    parts = [f"<div><strong>Archive {escape(name)}</strong>", f"<br>{escape('; '.join(remarks))}" if remarks else ""]
    rows = []
    for mission in missions:
        first, last = (_day(one) for one in _bounds([mission]))
        instruments = ", ".join(mission.chosen_instruments)
        processed = "yes" if mission.processed else "no"
        rows.append([mission.pretty_name, mission.name, instruments, len(mission), first, last, processed])
    head = ("Mission", "Name", "Instruments", "Observations", "First", "Last", "Fully processed")
    if rows:
        parts.append(html_table(head, rows))
    states = [state for state in State if any(state in found for found in tallies.values())]
    if tallies:
        titles = [state.value.replace("_", " ") for state in states]
        counts = [[*key, *(found.get(state, "") for state in states)] for key, found in tallies.items()]
        parts.append(html_table(("Mission", "Process", *titles), counts))
    return "".join([*parts, "</div>"])


def _day(time: Any) -> str:
    return "" if time is None else f"{time:%Y-%m-%d}"


def html_table(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """A table; numbers stand to the right, as notebooks have them, texts to the left."""

    def cell(value: Any) -> str:
        side = "right" if isinstance(value, int) else "left"
        return f'<td style="text-align: {side}">{escape(str(value))}</td>'

    titles = "".join(f'<th style="text-align: left">{escape(one)}</th>' for one in head)
    lines = "".join(f"<tr>{''.join(map(cell, row))}</tr>" for row in rows)
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{lines}</tbody></table>"

"""An archive's record as one page of HTML: no scripts, nothing from elsewhere, all text escaped."""

from __future__ import annotations

import os
from collections import Counter
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from daxa.archive.summary import html_table

if TYPE_CHECKING:
    import pandas as pd

    from daxa.archive import Archive

_HEAD: Final = (
    '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{0}</title><style>'
    "body{{font:15px/1.45 sans-serif;margin:2em auto;max-width:75em;padding:0 1em}}"
    "table{{border-collapse:collapse;margin:.8em 0}}td,th{{padding:.2em .8em;border-bottom:1px solid #ccc}}"
    "</style></head><body>\n"
)
_VERDICTS: Final = {True: "usable", False: "failed"}


def page(archive: Archive, beside: Path) -> str:
    """Write the page.

    Parameters
    ----------
    archive : Archive
        The archive, open.
    beside : Path
        Directory the page will lie in; links to logs lead from there, so that page and archive can be moved together.
    """
    tasks = archive.tasks()
    title = f"Archive {archive.archive_name}"
    parts = [_HEAD.format(escape(title)), f"<h1>{escape(title)}</h1>", archive._repr_html_()]
    parts += ["<h2>Failures</h2>", _failures(archive, beside)]
    parts += ["<h2>Observations</h2>", _observations(archive, tasks)]
    parts += ["<h2>Time and memory</h2>", _efforts(tasks), "<h2>Products</h2>", _products(archive)]
    return "\n".join([*parts, "</body></html>\n"])


def _failures(archive: Archive, beside: Path) -> str:
    found = []
    for row in archive.failures().to_dict("records"):
        said, log = escape(str(row["sentence"])), str(row["log"] or "")
        if log:
            target = quote(Path(os.path.relpath(log, beside)).as_posix())
            said = said.replace(escape(log), f'<a href="{target}">{escape(Path(log).name)}</a>')
        found.append(f"<li>{said}</li>")
    return f"<ul>{''.join(found)}</ul>" if found else "<p>None.</p>"


def _observations(archive: Archive, tasks: pd.DataFrame) -> str:
    """Every observation, what became of it, and of its tasks."""
    verdicts = archive.final_process_success if len(tasks) else {}
    counts: dict[tuple[str, str], Counter[str]] = {}
    for mission_name, obs_id, state in zip(tasks["mission"], tasks["obs_id"], tasks["state"], strict=True):
        counts.setdefault((mission_name, obs_id), Counter())[state.replace("_", " ")] += 1
    rows: list[list[Any]] = []
    for mission in archive.missions:
        for obs_id in sorted({str(one) for one in mission.filtered_obs_ids}):
            there = counts.get((mission.name, obs_id), Counter())
            said = ", ".join(f"{number} {state}" for state, number in sorted(there.items()))
            verdict = verdicts.get(mission.name, {}).get(obs_id)
            rows.append([mission.name, obs_id, "" if verdict is None else _VERDICTS[verdict], said])
    return html_table(("Mission", "ObsID", "In the end", "Tasks"), rows)


def _efforts(tasks: pd.DataFrame) -> str:
    """What each process took, of tasks that ran."""
    ran = tasks[tasks["seconds"].notna()]
    rows = []
    for (mission, process), found in ran.groupby(["mission", "process"], sort=False):
        peak = found["max_rss"].max()
        memory = f"{peak / 2**20:.0f} MB" if peak > 0 else ""  # nan, where nothing was measured
        longest = f"{found['seconds'].max():.1f} s"
        rows.append([mission, process, len(found), f"{found['seconds'].sum():.1f} s", longest, memory])
    return html_table(("Mission", "Process", "Tasks", "In all", "Longest", "Most memory"), rows)


def _products(archive: Archive) -> str:
    found = archive.products().groupby(["mission", "kind"], sort=False)
    rows = [
        [mission, kind, len(sizes), f"{sizes.sum() / 1e6:.1f} MB"]
        for (mission, kind), sizes in ((key, group["size"]) for key, group in found)
    ]
    return html_table(("Mission", "Kind", "Files", "Size"), rows)

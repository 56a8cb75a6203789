"""What several commands share: ``--json``, lists read from files, the archive argument."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    import pandas as pd

    from daxa.archive import Archive

F = TypeVar("F", bound=Callable[..., Any])


def json_option(function: F) -> F:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")(function)


def _expanded(_ctx: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> list[str]:
    return expand_lists(values)


def list_option(name: str, text: str) -> Callable[[F], F]:
    """Make an option that takes several values, comma-separated or from files; what is given is a list of them."""
    return click.option(name, multiple=True, callback=_expanded, help=text)


def missions_option(function: F) -> F:
    """Add ``--missions``."""
    return list_option("--missions", "Internal names, comma-separated, or @FILE; all by default.")(function)


def obs_id_option(function: F) -> F:
    """Add ``--obs-id``."""
    return list_option("--obs-id", "ObsIDs, comma-separated, or @FILE.")(function)


def out_option(function: F) -> F:
    """Add ``--out``."""
    return click.option(
        "--out", type=click.Path(file_okay=False, path_type=Path), help="Output root (otherwise DAXA_OUTPUT)."
    )(function)


def expand_lists(values: Iterable[str]) -> list[str]:
    """Replace ``@file`` by the words of the file, and split at commas; ``#`` begins a comment.

    Raises
    ------
    click.BadParameter
        If a file cannot be read, or nothing is named although something was given: that would mean everything.
    """
    values = list(values)
    found: list[str] = []
    for value in values:
        if value.startswith("@"):
            try:
                text = Path(value[1:]).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as problem:
                raise click.BadParameter(f"the list {value[1:]} cannot be read: {problem}") from problem
            lines = (line.partition("#")[0] for line in text.splitlines())
            found += [word for line in lines for word in line.replace(",", " ").split()]
        else:
            found += [word for word in (part.strip() for part in value.split(",")) if word]
    if values and not found:
        raise click.BadParameter(f"{', '.join(map(repr, values))} names nothing; leave the option out to mean all")
    return found


def plain_rows(table: pd.DataFrame, columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Rows of a table as plain data; what is not there is None, as JSON has it."""
    chosen = table if columns is None else table[list(columns)]
    whole = chosen.astype(object).where(chosen.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in whole.to_dict("records")]


def print_json(value: Any) -> None:
    """Print one JSON object on one line."""
    click.echo(json.dumps(value, default=str))


def print_table(headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print columns, as wide as they need to be."""
    table = [[str(cell) for cell in row] for row in rows]
    widths = [max([len(header), *(len(row[index]) for row in table)]) for index, header in enumerate(headers)]
    for row in [list(headers), *table]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def count_tasks(archive: Archive) -> dict[str, dict[str, dict[str, int]]]:
    """Count tasks, ``{mission: {process: {state: number}}}``."""
    counts: dict[str, dict[str, dict[str, int]]] = {}
    for row in archive.tasks().itertuples():
        states = counts.setdefault(str(row.mission), {}).setdefault(str(row.process), {})
        states[str(row.state)] = states.get(str(row.state), 0) + 1
    return counts


def report_of(archive: Archive) -> dict[str, Any]:
    """What became of an archive's tasks, as plain data."""
    return {
        "archive_path": archive.archive_path,
        "observations": {mission.name: [str(one) for one in mission.filtered_obs_ids] for mission in archive.missions},
        "tasks": count_tasks(archive),
        "failures": plain_rows(archive.failures()),
    }


def print_report(report: Mapping[str, Any]) -> None:
    """Print :func:`report_of` for people."""
    rows = [
        (mission, process, ", ".join(f"{number} {state.replace('_', ' ')}" for state, number in states.items()))
        for mission, processes in report["tasks"].items()
        for process, states in processes.items()
    ]
    print_table(["mission", "process", "tasks"], rows)
    for row in report["failures"]:
        click.echo(f"\n{row['sentence']}")
    click.echo(f"\nThe archive is {report['archive_path']}")

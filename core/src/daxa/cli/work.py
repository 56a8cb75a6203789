"""``daxa run``, ``daxa update`` and ``daxa verify``: work on an archive that exists."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from daxa.cli import EXIT_FAILURES
from daxa.cli.archives import with_archive
from daxa.cli.options import (
    json_option,
    missions_option,
    obs_id_option,
    print_json,
    print_report,
    print_table,
    report_of,
)

if TYPE_CHECKING:
    from daxa.archive import Archive


def _parameters(given: tuple[str, ...]) -> dict[str, Any]:
    """Read ``name=value``; values are JSON where they can be, else text."""
    found: dict[str, Any] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not (name.isidentifier() and equals):
            raise click.BadParameter(f"--param {one!r} is not NAME=VALUE")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


@click.command()
@with_archive
@click.argument("process", nargs=-1)
@missions_option
@obs_id_option
@click.option("--rerun", help="'failed', or a process or an ObsID whose tasks are run again.")
@click.option("--force", is_flag=True, help="Run again what is asked for.")
@click.option("--cores", type=click.IntRange(min=1), help="Most tasks at once.")
@click.option("--timeout", type=float, help="Seconds a task may take.")
@click.option("--param", multiple=True, help="A parameter, NAME=VALUE.")
@json_option
async def run(
    archive: Archive,
    process: tuple[str, ...],
    missions: list[str],
    obs_id: list[str],
    rerun: str | None,
    force: bool,
    cores: int | None,
    timeout: float | None,
    param: tuple[str, ...],
    as_json: bool,
) -> int | None:
    """Run processes, and what they need, on the archive NAME; without a name, the recommended chains."""
    options: dict[str, Any] = {
        "missions": missions or None,
        "obs_ids": obs_id or None,
        "rerun": rerun,
        "force": force,
        "num_cores": cores,
        "timeout": timeout,
    }
    parameters = _parameters(param)
    if process:
        summary = await archive.run(list(process), **options, **parameters)
    else:
        summary = await archive.process(**options, params=parameters)
    report = {**report_of(archive), "run": {state.value: count for state, count in summary.counts.items()}}
    if as_json:
        print_json(report)
    else:
        click.echo(f"This run: {summary}\n")
        print_report(report)
    if summary.interrupted:
        raise click.Abort
    return None if summary.good else EXIT_FAILURES


@click.command()
@with_archive
@click.option("--cores", type=click.IntRange(min=1), help="Most tasks at once.")
@json_option
async def update(archive: Archive, cores: int | None, as_json: bool) -> int | None:
    """Apply the recorded filters of the archive NAME to today's catalogues; fetch and process what is new."""
    summary = await archive.update(cores)
    report = {
        "version": summary.version,
        "changes": {
            name: {"new": list(told["new_obs_ids"]), "removed": list(told["removed_obs_ids"])}
            for name, told in summary.changes.items()
        },
        "could_not_be_asked": dict(summary.failures),
        **report_of(archive),
    }
    if as_json:
        print_json(report)
    else:
        click.echo(f"{summary}\n")
        print_report(report)
    if summary.interrupted:
        raise click.Abort
    return None if summary.good else EXIT_FAILURES


@click.command()
@with_archive
@json_option
async def verify(archive: Archive, as_json: bool) -> int | None:
    """Read every product and every downloaded file of the archive NAME again, and compare them with the record."""
    found = [("product", one.path, one.state) for one in await archive.verify()]
    for mission in archive.missions:
        found += [
            ("download", f"{mission.raw_data_path}{one.obs_id}/{one.path}", one.state) for one in await mission.verify()
        ]
    wrong = [row for row in found if row[2] in ("changed", "missing")]
    if as_json:
        print_json({"files": [dict(zip(("kind", "path", "state"), row, strict=True)) for row in found]})
    else:
        if wrong:
            print_table(["kind", "path", "state"], wrong)
        click.echo(f"{len(found) - len(wrong)} of {len(found)} files are as they were recorded.")
    return EXIT_FAILURES if wrong else None

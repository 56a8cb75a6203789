"""``daxa find`` and ``daxa build``: from a name or positions to observations, and on to an archive."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from daxa.cli import EXIT_FAILURES
from daxa.cli.options import (
    json_option,
    list_option,
    missions_option,
    out_option,
    print_json,
    print_report,
    print_table,
    report_of,
)
from daxa.context import Context, use_context

if TYPE_CHECKING:
    from daxa.mission.base import Mission
    from daxa.mission.tools import Found

_NUMBER = r"[+-]?[0-9]+(?:\.[0-9]*)?"
radius_option = click.option("--radius", help="Search distance, e.g. '5 arcmin'; by default 1.2 fields of view.")


def _target(text: str) -> Any:
    """A name as it is, or ``RA,DEC`` in degrees (ICRS) as a position."""
    match = re.fullmatch(rf"\s*({_NUMBER})\s*,\s*({_NUMBER})\s*", text)
    return [float(match[1]), float(match[2])] if match else text


def _positions(path: Path) -> Any:
    """A table with columns ``ra`` and ``dec`` in degrees, in any format that astropy reads."""
    from astropy.table import Table

    try:
        return Table.read(path) if path.suffix in (".fits", ".xml", ".vot") else Table.read(path, format="ascii")
    except Exception as problem:  # its readers raise all kinds
        told = next(iter(str(problem).strip().splitlines()), type(problem).__name__)
        raise click.BadParameter(f"the table {path} cannot be read: {told}") from problem


def _distance(text: str | None) -> Any:
    if text is None:
        return None
    from astropy.units import Quantity

    try:
        return Quantity(text)
    except (TypeError, ValueError) as problem:
        raise click.BadParameter(f"--radius {text!r} is no angle: write it as '5 arcmin'") from problem


async def _asked(target: Any, missions: list[str], radius: str | None) -> Found:
    """Ask the missions; what a warning would say is said by the caller."""
    import daxa

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".* could not be asked: ")
        return await daxa.find(target, missions or None, _distance(radius))


def _tell_failures(found: Found) -> int | None:
    for name, cause in found.failures.items():
        click.echo(f"daxa: {name} could not be asked: {cause}", err=True)
    return EXIT_FAILURES if found.failures else None


@click.command()
@click.argument("target")
@missions_option
@radius_option
@json_option
def find(target: str, missions: list[str], radius: str | None, as_json: bool) -> int | None:
    """Ask all missions what they have of TARGET: a name, or RA,DEC in degrees (ICRS)."""
    from daxa.sync import run_sync

    found = run_sync(_asked(_target(target), missions, radius))
    summary = found.summary()
    if as_json:
        print_json(summary)
    else:
        rows = [(name, one["count"], one["first"] or "-", one["last"] or "-") for name, one in summary.items()]
        print_table(["mission", "observations", "first", "last"], rows)
        for name in found.empty:
            click.echo(f"{name} has none.")
    return _tell_failures(found)


@click.command()
@click.argument("name")
@click.option("--target", help="A name, or RA,DEC in degrees (ICRS).")
@list_option("--obs-id", "ObsIDs of one mission, comma-separated, or @FILE.")
@click.option("--positions", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Table of ra, dec.")
@missions_option
@radius_option
@click.option(
    "--products/--no-products", default=None, help="The archives' own products (default: as the mission has it)."
)
@click.option("--raw/--no-raw", default=True, help="What a reduction from scratch needs (default: fetched).")
@click.option("--process", is_flag=True, help="Run the recommended chains as soon as observations are here.")
@click.option("--clobber", is_flag=True, help="Remove an archive of that name first.")
@click.option("--cores", type=click.IntRange(min=1), help="Most tasks at once.")
@out_option
@json_option
def build(name: str, out: Path | None, as_json: bool, **options: Any) -> int | None:
    """Make the archive NAME of the observations of a target, of positions, or of ObsIDs; go on with one that exists."""
    from daxa.sync import run_sync

    ways = [options[one] for one in ("target", "obs_id", "positions") if options[one]]
    if len(ways) != 1:
        raise click.UsageError("Say what the archive is of: one of --target, --obs-id and --positions.")
    target, positions = options.pop("target"), options.pop("positions")
    asked = _positions(positions) if positions is not None else _target(target or "")
    with use_context(Context(output=None if out is None else str(out))):
        return run_sync(_built(name, as_json, asked=asked, **options))


async def _selected(
    asked: Any, obs_id: list[str], missions: list[str], radius: str | None
) -> tuple[Mapping[str, Mission], int | None]:
    if not obs_id:
        found = await _asked(asked, missions, radius)
        return found, _tell_failures(found)
    if len(missions) != 1:
        raise click.UsageError("ObsIDs belong to one mission: name it with --missions.")
    from daxa.context import current_context

    mission = current_context().registry.mission_class(missions[0])()
    await mission.filter_on_obs_ids(obs_id)
    return {mission.name: mission}, None


async def _built(
    name: str,
    as_json: bool,
    *,
    missions: list[str],
    products: bool | None,
    raw: bool,
    process: bool,
    clobber: bool,
    cores: int | None,
    **selection: Any,
) -> int | None:
    from daxa.archive import Archive

    found, status = await _selected(missions=missions, **selection)
    if not found:
        click.echo("daxa: no mission has observations of that.", err=True)
        return EXIT_FAILURES
    async with Archive(
        name,
        list(found.values()),
        clobber,
        products,
        download_raw=raw,
        download=not process,
        on_error="collect",
    ) as archive:
        cut_short = process and (await archive.process(num_cores=cores)).interrupted
        report = report_of(archive)
        if as_json:
            print_json(report)
        else:
            print_report(report)
        if cut_short:
            raise click.Abort
        return EXIT_FAILURES if report["failures"] else status

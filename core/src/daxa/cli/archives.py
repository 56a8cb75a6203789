"""``daxa info``, ``status``, ``logs``, ``products`` and ``report``: what an archive's record says. They only read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from daxa.cli import EXIT_FAILURES
from daxa.cli.options import (
    json_option,
    list_option,
    missions_option,
    obs_id_option,
    out_option,
    plain_rows,
    print_json,
    print_report,
    print_table,
    report_of,
)
from daxa.context import Context, use_context
from daxa.exceptions import InvalidParameterError

if TYPE_CHECKING:
    from daxa.archive import Archive


_WORDS: Final = {"mission": "mission", "obs_id": "observation"}


def with_archive(function: Callable[..., Any]) -> Callable[..., Any]:
    """Open the archive NAME, under ``--out`` if it is given, and close it at the end."""

    @click.argument("name")
    @out_option
    @wraps(function)
    def command(name: str, out: Path | None, **options: Any) -> Any:
        from daxa.archive import Archive
        from daxa.sync import run_sync

        async def opened() -> Any:
            async with Archive(name) as archive:
                answer = function(archive, **options)
                return await answer if isinstance(answer, Awaitable) else answer

        with use_context(Context(output=None if out is None else str(out))):
            return run_sync(opened())

    return command


@click.command()
@with_archive
@json_option
def info(archive: Archive, as_json: bool) -> None:
    """Summarise the archive NAME: missions, observations, dates."""
    if not as_json:
        archive.info()
        if archive.made_under_sky:
            click.echo("Made under the offline sky, not from the real archives.")
        return
    print_json(
        {
            "archive_name": archive.archive_name,
            "archive_path": archive.archive_path,
            "version": archive.version,
            "made_under_sky": archive.made_under_sky,
            "missions": [
                {
                    "name": mission.name,
                    "title": mission.pretty_name,
                    "instruments": list(mission.chosen_instruments),
                    "observations": [str(one) for one in mission.filtered_obs_ids],
                    "processed": bool(mission.processed),
                }
                for mission in archive.missions
            ],
        }
    )


@click.command()
@with_archive
@json_option
def status(archive: Archive, as_json: bool) -> int | None:
    """Count the tasks of the archive NAME by process and state, and group its failures by cause."""
    report = report_of(archive)
    if as_json:
        print_json(report)
    else:
        print_report(report)
    return EXIT_FAILURES if report["failures"] else None


@click.command()
@with_archive
@click.argument("process")
@obs_id_option
@list_option("--inst", "Instruments, comma-separated, or @FILE.")
@click.option("--failed", is_flag=True, help="Failed tasks only, with their error logs.")
@json_option
def logs(archive: Archive, process: str, obs_id: list[str], inst: list[str], failed: bool, as_json: bool) -> None:
    """Show the logs of PROCESS in the archive NAME."""
    chosen: dict[str, Any] = {"obs_id": obs_id or None, "inst": inst or None}
    texts = archive.get_process_logs(process, **chosen)
    errors = archive.get_process_raw_error_logs(process, **chosen)
    if failed:
        bad = {one for idents in archive.get_failed_processes(process).values() for one in idents}
        texts = {name: {key: text for key, text in found.items() if key in bad} for name, found in texts.items()}
        errors = {name: {key: text for key, text in found.items() if key in bad} for name, found in errors.items()}
    if as_json:
        print_json({"logs": texts, "errors": errors})
        return
    for mission, found in texts.items():
        for ident, text in found.items():
            click.echo(f"== {mission} {process} {ident}")
            click.echo(text, nl=not text.endswith("\n"))
            error = errors.get(mission, {}).get(ident, "")
            if error:
                click.echo(f"-- standard error\n{error}", nl=not error.endswith("\n"))


@click.command()
@with_archive
@click.option("--kind", help="Kind of product, e.g. events, image, quicklook.")
@missions_option
@obs_id_option
@json_option
def products(archive: Archive, kind: str | None, missions: list[str], obs_id: list[str], as_json: bool) -> None:
    """List the products of the archive NAME with their paths."""
    columns = ["mission", "obs_id", "inst", "subexp", "kind", "variant", "path"]
    table = archive.products()
    held = {
        "mission": archive.mission_names,
        "obs_id": [str(one) for mission in archive.missions for one in mission.filtered_obs_ids],
    }
    for name, wanted in (("mission", missions), ("obs_id", obs_id)):
        unknown = [one for one in wanted if one not in held[name]]
        if unknown:
            raise InvalidParameterError(
                f"The archive {archive.archive_name!r} has no {_WORDS[name]} {', '.join(map(repr, unknown))}.",
                expected=f"some of {', '.join(held[name][:20])}",
                remedy="correct it",
                value=unknown,
            )
        if wanted:
            table = table[table[name].isin(wanted)]
    if kind and kind not in set(table["kind"]):
        kinds = ", ".join(sorted(table["kind"].dropna().unique())) or "none"
        click.echo(f"There are no products of the kind {kind!r}; kinds here: {kinds}.", err=True)
    table = table[table["kind"] == kind] if kind else table
    rows = plain_rows(table.sort_values([*columns[:4], "path"], na_position="first"), columns)
    if as_json:
        print_json({"products": rows})
        return
    print_table(columns, [[row[name] or "-" for name in columns] for row in rows])


@click.command()
@with_archive
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="The page; by default report.html in the archive."
)
@json_option
async def report(archive: Archive, output: Path | None, as_json: bool) -> None:
    """Write the record of the archive NAME as a page of HTML: observations, failures with logs, times, products."""
    import anyio.to_thread

    target = await anyio.to_thread.run_sync(_write_page, archive, output)
    if as_json:
        print_json({"page": str(target), **report_of(archive)})
    else:
        click.echo(f"The report is {target}")


def _write_page(archive: Archive, output: Path | None) -> Path:
    from daxa.report.page import page

    target = (output or Path(archive.archive_path) / "report.html").absolute()
    text = page(archive, target.parent)
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as problem:
        raise click.ClickException(f"The page {target} cannot be written: {problem.strerror or problem}.") from problem
    return target

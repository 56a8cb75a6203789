"""The ``daxa demo`` command."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Output root (otherwise DAXA_OUTPUT).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object as the last line on standard output.")
def demo(out: Path | None, as_json: bool) -> int:
    """Take real observations of four missions from a name to a picture.

    A small sky of real observations is served on this machine, and everything else is what you would run yourself:
    selection by name, download, an archive, reduction, and a look at what came of it. Stop it anywhere and run it
    again: it goes on where it was.
    """
    from daxa.cli import EXIT_ERROR, EXIT_OK
    from daxa_demo.run import run_demo

    outcome = run_demo(out, quiet=as_json)
    if as_json:
        click.echo(json.dumps(outcome.report))
    for difference in outcome.differences:
        click.echo(f"Not as expected: {difference}", err=True)
    if outcome.interrupted:
        click.echo("Interrupted. Run the same command again: it goes on where it stopped.", err=True)
        return 130
    return EXIT_ERROR if outcome.differences else EXIT_OK

"""The ``daxa demo`` command."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click


@click.command()
@click.argument("name", required=False, type=click.Choice(["phl1811", "a3667"]))
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Output root (otherwise DAXA_OUTPUT).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object as the last line on standard output.")
def demo(name: str | None, out: Path | None, as_json: bool) -> int:
    """Take real observations of four missions from a name to a picture.

    A small sky of real observations is served on this machine, and everything else is what you would run yourself:
    selection by name, download, an archive, reduction, and a look at what came of it. Stop it anywhere and run it
    again: it goes on where it was.

    With a NAME it builds one of the archives of DAXA's first tutorial, for you to follow that with: phl1811 is reduced
    with stand-ins for SAS, a3667 is declared and fetched. Their files are generated.
    """
    from daxa.cli import EXIT_ERROR, EXIT_OK
    from daxa_demo.run import build_founding, run_demo

    if name is not None:
        return _founding(build_founding, name, out, as_json)
    outcome = run_demo(out, quiet=as_json)
    if as_json:
        click.echo(json.dumps(outcome.report))
    for difference in outcome.differences:
        click.echo(f"Not as expected: {difference}", err=True)
    if outcome.interrupted:
        click.echo("Interrupted. Run the same command again: it goes on where it stopped.", err=True)
        return 130
    return EXIT_ERROR if outcome.differences else EXIT_OK


def _founding(build: Callable[[str, Path | None], dict[str, Any]], name: str, out: Path | None, as_json: bool) -> int:
    """Build an archive, and tell where it is and what did not work in it: in the tutorial some does not."""
    with contextlib.redirect_stdout(sys.stderr if as_json else sys.stdout):
        report = build(name, out)
    if as_json:
        click.echo(json.dumps(report))
        return 0
    for sentence in report["failures"]:
        click.echo(sentence)
    path = Path(report["archive_path"])
    click.echo(f"\nThe archive is {path}; its files are generated, not observed.")
    click.echo(f"Look again with: DAXA_OUTPUT={path.parents[1]} daxa status {report['archive']}")
    return 0

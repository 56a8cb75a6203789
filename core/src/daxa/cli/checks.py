"""``daxa plugins check``: does an installed plugin keep the contract?"""

from __future__ import annotations

import click

from daxa.cli import EXIT_ERROR, command_names
from daxa.cli.options import json_option, print_json
from daxa.context import current_context
from daxa.contract import inspect_distribution
from daxa.contract.entry import USUAL_SECONDS


@click.command()
@click.argument("distribution")
@json_option
def check(distribution: str, as_json: bool) -> int | None:
    """Look at the installed plugin DISTRIBUTION: hooks, declarations, processes.

    Prints what it should do otherwise, one finding a line with its remedy. Nothing is fetched and no process is run;
    the classes of daxa_testing.conformance do that. Exit status: 0 nothing found, 1 something found.
    """
    found = inspect_distribution(current_context().registry, distribution, commands=command_names())
    if as_json:
        print_json(
            {
                "distribution": found.distribution,
                "version": found.version,
                "seconds": found.seconds,
                "provides": found.provides,
                "findings": [one.plain for one in found.findings],
            }
        )
        return EXIT_ERROR if found.findings else None
    for one in found.findings:
        click.echo(str(one))
    provided = "; ".join(f"{kind} {', '.join(names)}" for kind, names in found.provides.items())
    click.echo(f"{found.distribution} {found.version}: {provided or 'provides nothing'}")
    for module, seconds in found.seconds.items():
        click.echo(
            f"{module} takes {seconds * 1000:.1f} ms to import; {USUAL_SECONDS * 1000:.0f} are usual at the most"
        )
    number = len(found.findings)
    click.echo("nothing to mend" if not number else f"{number} thing{'' if number == 1 else 's'} to mend")
    return EXIT_ERROR if number else None

"""The ``daxa demo`` command."""

from __future__ import annotations

import click


@click.command()
@click.option("--out", type=click.Path(file_okay=False), help="Output root.")
def demo(out: str | None) -> None:
    """Take real observations from a name to a picture."""
    from daxa.context import current_context

    click.echo(f"Installed missions: {', '.join(current_context().registry.missions) or 'none yet'}")

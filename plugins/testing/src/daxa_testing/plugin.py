"""Entry module: the ``daxa sky`` command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daxa.api import PluginInfo, hookimpl

if TYPE_CHECKING:
    import click


@hookimpl
def daxa_plugin_info() -> PluginInfo:
    """Say which contract the plugin was written for."""
    return PluginInfo(api=1, homepage="https://pypi.org/project/daxa-testing/")


@hookimpl
def daxa_register_commands(cli: click.Group) -> None:
    """Add ``daxa sky``."""
    from daxa_testing.cli import sky

    cli.add_command(sky)

"""Entry module: the ``daxa demo`` command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daxa.api import PluginInfo, hookimpl

if TYPE_CHECKING:
    import click


@hookimpl
def daxa_plugin_info() -> PluginInfo:
    """Say which contract the plugin was written for."""
    return PluginInfo(api=1, homepage="https://pypi.org/project/daxa-demo/")


@hookimpl
def daxa_register_commands(cli: click.Group) -> None:
    """Add ``daxa demo``."""
    from daxa_demo.cli import demo

    cli.add_command(demo)

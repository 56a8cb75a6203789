"""The hooks a plugin may implement. Every one is synchronous, cheap, does no input or output, and returns plain data.

A plugin is a module named by an entry point of the group ``daxa.plugins``. Its functions are marked with
:data:`daxa.api.hookimpl`. What a hook returns may be one record or a list of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import pluggy

if TYPE_CHECKING:
    import click

    from daxa.events import Subscriber
    from daxa.specs import ExecutorSpec, MissionEntry, PluginInfo, Recipe, ServiceSpec, ToolSpec

PROJECT: Final = "daxa"
ENTRY_POINT_GROUP: Final = "daxa.plugins"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def daxa_plugin_info() -> PluginInfo:  # type: ignore[empty-body]
    """Say which number of the contract the plugin was written for, and where its users find help.

    A plugin without this hook is taken to be written for the number in force.
    """


@hookspec
def daxa_register_missions() -> list[MissionEntry]:  # type: ignore[empty-body]
    """Name the missions the plugin provides. Mission classes are imported on first use, not now."""


@hookspec
def daxa_register_processes() -> list[str]:  # type: ignore[empty-body]
    """Name the modules whose processes serve any mission. A mission's own are named in its entry instead."""


@hookspec
def daxa_register_services() -> list[ServiceSpec]:  # type: ignore[empty-body]
    """Name the remote services the plugin talks to. Two plugins may declare the same service alike."""


@hookspec
def daxa_register_tools() -> list[ToolSpec]:  # type: ignore[empty-body]
    """Name the external software the plugin's processes need."""


@hookspec
def daxa_register_executors() -> list[ExecutorSpec]:  # type: ignore[empty-body]
    """Name ways to run jobs."""


@hookspec
def daxa_register_recipes() -> list[Recipe]:  # type: ignore[empty-body]
    """Name chains of processes."""


@hookspec
def daxa_register_commands(cli: click.Group) -> None:
    """Add commands to the ``daxa`` program. Called when the program starts, so import late.

    Parameters
    ----------
    cli : click.Group
        The program.
    """


@hookspec
def daxa_subscribers() -> list[Subscriber]:  # type: ignore[empty-body]
    """Give functions that are called with every event of :mod:`daxa.events`. One that raises is logged."""


Hook = Callable[..., object]

"""Entry module of the plugin; imports nothing heavy."""

from __future__ import annotations

from daxa.api import PluginInfo, Recipe, hookimpl


@hookimpl
def daxa_plugin_info() -> PluginInfo:
    """Say which contract the plugin was written for."""
    return PluginInfo(api=1, homepage="https://pypi.org/project/daxa-native/")


@hookimpl
def daxa_register_processes() -> list[str]:
    """Name the module of the processes."""
    return ["daxa_native.processes"]


@hookimpl
def daxa_register_recipes() -> list[Recipe]:
    """Name the chain that serves missions without one of their own."""
    return [Recipe(name="native", processes=("clean_events", "image", "quicklook", "light_curve", "flare_gti"))]

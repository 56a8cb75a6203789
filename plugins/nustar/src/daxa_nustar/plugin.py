"""Entry module of the plugin; imports nothing heavy."""

from __future__ import annotations

from daxa.api import MissionEntry, PluginInfo, hookimpl


@hookimpl
def daxa_plugin_info() -> PluginInfo:
    """Say which contract the plugin was written for."""
    return PluginInfo(api=1, homepage="https://pypi.org/project/daxa-nustar/")


@hookimpl
def daxa_register_missions() -> list[MissionEntry]:
    """Name the mission; its files and tables are HEASARC's, a service of the core."""
    return [MissionEntry(name="nustar_pointed", title="NuSTAR Pointed", target="daxa_nustar.mission:NuSTARPointed")]

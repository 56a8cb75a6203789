"""Entry module of the plugin; imports nothing heavy."""

from __future__ import annotations

from daxa.api import MissionEntry, PluginInfo, hookimpl


@hookimpl
def daxa_plugin_info() -> PluginInfo:
    """Say which contract the plugin was written for."""
    return PluginInfo(api=1, homepage="https://pypi.org/project/daxa-rosat/")


@hookimpl
def daxa_register_missions() -> list[MissionEntry]:
    """Name the missions; their files and tables are HEASARC's, a service of the core."""
    return [
        MissionEntry(name="rosat_all_sky", title="RASS", target="daxa_rosat.mission:ROSATAllSky"),
        MissionEntry(name="rosat_pointed", title="ROSAT Pointed", target="daxa_rosat.mission:ROSATPointed"),
    ]

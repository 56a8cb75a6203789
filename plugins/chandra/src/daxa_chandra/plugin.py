"""Entry module of the plugin; imports nothing heavy."""

from __future__ import annotations

from daxa.api import MissionEntry, PluginInfo, ServiceSpec, hookimpl


@hookimpl
def daxa_plugin_info() -> PluginInfo:
    """Say which contract the plugin was written for."""
    return PluginInfo(api=1, homepage="https://pypi.org/project/daxa-chandra/")


@hookimpl
def daxa_register_missions() -> list[MissionEntry]:
    """Name the mission."""
    return [MissionEntry(name="chandra", title="Chandra", target="daxa_chandra.mission:Chandra")]


@hookimpl
def daxa_register_services() -> list[ServiceSpec]:
    """Name the Chandra X-ray Center's own copy, which the observatory's own tools read one file at a time."""
    return [
        ServiceSpec(
            name="CXC",
            url="https://cxc.cfa.harvard.edu/cdaftp/",
            connections=3,
            title="files of the Chandra X-ray Center",
        )
    ]

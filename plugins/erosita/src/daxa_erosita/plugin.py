"""Entry module of the plugin; imports nothing heavy."""

from __future__ import annotations

from daxa.api import MissionEntry, PluginInfo, ServiceSpec, hookimpl


@hookimpl
def daxa_plugin_info() -> PluginInfo:
    """Say which contract the plugin was written for."""
    return PluginInfo(api=1, homepage="https://pypi.org/project/daxa-erosita/")


@hookimpl
def daxa_register_missions() -> list[MissionEntry]:
    """Name the missions."""
    return [
        MissionEntry(name="erosita_calpv", title="eROSITACalPV", target="daxa_erosita.mission:eROSITACalPV"),
        MissionEntry(name="erosita_all_sky_de_dr1", title="eRASS DE:1", target="daxa_erosita.mission:eRASS1DE"),
    ]


@hookimpl
def daxa_register_services() -> list[ServiceSpec]:
    """Name the archive of eROSITA-DE; its own scripts ask for one file after the other, so few at once."""
    return [
        ServiceSpec(
            name="EROSITA",
            url="https://erosita.mpe.mpg.de/erodat/data/download/",
            connections=3,
            title="sky tiles of the eROSITA-DE data releases",
        ),
        ServiceSpec(
            name="EROSITA_EDR",
            url="https://erosita.mpe.mpg.de/edr/eROSITAObservations/CalPvObs/",
            connections=3,
            title="fields of eROSITA's early data release",
        ),
    ]

"""Entry module of the plugin; imports nothing heavy."""

from __future__ import annotations

from daxa.api import MissionEntry, PluginInfo, ServiceSpec, hookimpl


@hookimpl
def daxa_plugin_info() -> PluginInfo:
    """Say which contract the plugin was written for."""
    return PluginInfo(api=1, homepage="https://pypi.org/project/daxa-xmm/")


@hookimpl
def daxa_register_missions() -> list[MissionEntry]:
    """Name the mission."""
    return [MissionEntry(name="xmm_pointed", title="XMM-Newton Pointed", target="daxa_xmm.mission:XMMPointed")]


@hookimpl
def daxa_register_services() -> list[ServiceSpec]:
    """Name ESA's archive: its servlet drops connections above ten at once, so four; two for its tables."""
    return [
        ServiceSpec(
            name="XSA",
            url="https://nxsa.esac.esa.int/nxsa-sl/servlet/",
            connections=4,
            title="files of ESA's XMM-Newton Science Archive",
        ),
        ServiceSpec(
            name="XSA_TAP",
            url="https://nxsa.esac.esa.int/tap-server/tap",
            connections=2,
            title="tables of ESA's XMM-Newton Science Archive",
        ),
    ]

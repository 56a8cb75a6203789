"""Entry module of the plugin; imports nothing heavy."""

from __future__ import annotations

from daxa.api import MissionEntry, PluginInfo, Recipe, ServiceSpec, ToolSpec, hookimpl

_SAS_VARIABLES = (
    "SAS_PATH", "SAS_PERL", "SAS_PYTHON", "SAS_MEMORY_MODEL", "LHEASOFT", "HEADAS", "PGPLOT_*", "LHEAPERL",
)  # fmt: skip
# Not SAS_ODF, SAS_CCF and SAS_CCFFILES, which are of what a user worked on last, nor SAS_VERBOSITY and
# SAS_SUPPRESS_WARNING, with which tasks keep to themselves what went wrong.


@hookimpl
def daxa_plugin_info() -> PluginInfo:
    """Say which contract the plugin was written for."""
    return PluginInfo(api=1, homepage="https://pypi.org/project/daxa-xmm/")


@hookimpl
def daxa_register_missions() -> list[MissionEntry]:
    """Name the mission."""
    return [
        MissionEntry(
            name="xmm_pointed",
            title="XMM-Newton Pointed",
            target="daxa_xmm.mission:XMMPointed",
            processes="daxa_xmm.processes",
        )
    ]


@hookimpl
def daxa_register_services() -> list[ServiceSpec]:
    """Name ESA's archive: its servlet drops connections above ten at once, so four, and never more than eight."""
    return [
        ServiceSpec(
            name="XSA",
            url="https://nxsa.esac.esa.int/nxsa-sl/servlet/",
            connections=4,
            most=8,
            title="files of ESA's XMM-Newton Science Archive",
            login=("AIOUSER", "AIOPWD"),
        ),
        ServiceSpec(
            name="XSA_TAP",
            url="https://nxsa.esac.esa.int/tap-server/tap",
            connections=2,
            most=8,
            title="tables of ESA's XMM-Newton Science Archive",
        ),
    ]


@hookimpl
def daxa_register_tools() -> list[ToolSpec]:
    """Describe SAS, and HEASoft, which some of its tasks use."""
    return [
        ToolSpec(
            name="sas",
            title="XMM-Newton Science Analysis System (SAS)",
            executables=("sas", "cifbuild", "odfingest", "evselect"),
            home_variable="SAS_DIR",
            activation="setsas.sh",
            variables=_SAS_VARIABLES,
            version_command=("sas", "--version"),
            version_pattern=r"\[(?:xmmsas_\d+_\d+-)?(\d+(?:\.\d+)+)",
            calibration_variable="SAS_CCFPATH",
            calibration_files=("*.CCF",),
            minimum_version="14.0.0",
            remedy="install SAS and its calibration (https://www.cosmos.esa.int/web/xmm-newton/sas), set SAS_CCFPATH,"
            " source setsas.sh; or set DAXA_TOOL_SAS to its directory, a script, a conda environment or a container",
        ),
        ToolSpec(
            name="heasoft",
            title="HEASoft",
            executables=("lcurve",),
            home_variable="HEADAS",
            activation="headas-init.sh",
            variables=("HEADAS", "LHEA*", "PGPLOT_*", "CALDB*"),
            version_command=("lcurve", "--version"),
            version_pattern=r"[Vv]ersion\s+(\d+(?:\.\d+)*)",
            remedy="install it (https://heasarc.gsfc.nasa.gov/docs/software/lheasoft/) and source headas-init.sh; or"
            " set DAXA_TOOL_HEASOFT to its directory, a script, a conda environment or a container",
        ),
    ]


@hookimpl
def daxa_register_recipes() -> list[Recipe]:
    """Name the chain from raw data to images."""
    return [
        Recipe(
            name="full_process_xmm",
            processes=("merge_subexposures", "generate_images_expmaps", "cleaned_rgs_event_lists"),
            missions=("xmm_pointed",),
        )
    ]

"""What the plugin provides. This module imports nothing heavy: it is read whenever ``daxa`` starts."""

from daxa.api import MissionEntry, PluginInfo, ServiceSpec, ToolSpec, hookimpl


@hookimpl
def daxa_plugin_info():
    return PluginInfo(api=1, homepage="https://sample.example/", contact="help@sample.example")


@hookimpl
def daxa_register_missions():
    return [
        MissionEntry(
            name="sample",
            title="Sample",
            target="daxa_sample.mission:Sample",
            processes="daxa_sample.processes",
        )
    ]


@hookimpl
def daxa_register_services():
    return [
        ServiceSpec(name="SAMPLE_TAP", url="https://sample.example/tap", connections=2, title="Sample's catalogue"),
        ServiceSpec(name="SAMPLE", url="https://sample.example/archive/", connections=2, title="Sample's files"),
    ]


@hookimpl
def daxa_register_tools():
    return [
        ToolSpec(
            name="sampletools",
            title="Sample's calibration software",
            executables=("samplecal",),
            home_variable="SAMPLETOOLS",
            activation="activate.sh",
            version_command=("samplecal", "--version"),
            remedy="install it from https://sample.example/software/ and set SAMPLETOOLS",
        )
    ]

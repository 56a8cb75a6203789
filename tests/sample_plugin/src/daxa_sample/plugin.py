"""What the plugin provides."""

from daxa.api import MissionEntry, PluginInfo, ServiceSpec, hookimpl


@hookimpl
def daxa_plugin_info():
    return PluginInfo(api=1, homepage="https://sample.example/", contact="help@sample.example")


@hookimpl
def daxa_register_missions():
    return [MissionEntry(name="sample", title="Sample", target="daxa_sample.mission:Sample")]


@hookimpl
def daxa_register_services():
    return [ServiceSpec(name="SAMPLE", url="https://sample.example/archive/", connections=2, title="Sample's files")]

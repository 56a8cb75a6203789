"""The plugin of the stress mission, registered with a context of the tests' own."""

from daxa.api import MissionEntry, PluginInfo, ServiceSpec, hookimpl


@hookimpl
def daxa_plugin_info():
    return PluginInfo(api=1)


@hookimpl
def daxa_register_missions():
    return [
        MissionEntry(
            name="stress",
            title="Stress",
            target="tests.stress.mission:Stress",
            processes="tests.stress.processes",
        )
    ]


@hookimpl
def daxa_register_services():
    return [
        ServiceSpec(name="STRESS", url="https://stress.example/", connections=4, title="the stress mission's files")
    ]

from daxa_testing import PluginConformance


class TestPlugin(PluginConformance):
    distribution = "daxa-demo"

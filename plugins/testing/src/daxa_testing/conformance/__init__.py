"""What every plugin must do, as classes of tests that its author inherits.

Derive a class whose name begins with ``Test``, set two or three attributes, override two or three methods, and let
pytest find it; there is nothing else to configure::

    from daxa_testing import MissionConformance, PluginConformance
    from daxa_testing.sky import Sky

    class TestPlugin(PluginConformance):
        distribution = "daxa-sample"

    class TestSample(MissionConformance):
        mission = "sample"

        def sky(self):
            made = Sky()
            made.add_file("https://sample.example/archive/S0001/s0001_w_evt.fits", EVENTS)
            return made

        def obs_ids(self):
            return ["S0001"]
"""

from daxa_testing.conformance.executor import ExecutorConformance
from daxa_testing.conformance.mission import MissionConformance
from daxa_testing.conformance.plugin import PluginConformance
from daxa_testing.conformance.process import ProcessConformance
from daxa_testing.conformance.tool import ToolConformance

__all__ = [
    "ExecutorConformance",
    "MissionConformance",
    "PluginConformance",
    "ProcessConformance",
    "ToolConformance",
]

"""The checks that ``daxa_testing`` has for plugins, on this one."""

import daxa_sample.testing

from daxa.api import DataId
from daxa_testing import MissionConformance, PluginConformance, ProcessConformance, ToolConformance
from daxa_testing.sky import Sky


class TestPlugin(PluginConformance):
    distribution = "daxa-sample"


class TestMission(MissionConformance):
    mission = "sample"

    def sky(self):
        sky = Sky()
        daxa_sample.testing.add_to(sky)
        sky.add_file(f"{daxa_sample.testing.FILES}S0003/readme.txt", b"nothing here yet")
        return sky

    def obs_ids(self):
        return ["S0001", "S0002"]

    def absent_obs_ids(self):
        return ["S0003"]


class TestProcesses(ProcessConformance):
    mission = "sample"

    def data_ids(self):
        return [
            DataId("sample", "S0001", inst, name)
            for inst, name in (("WIDE", "U001"), ("WIDE", "U002"), ("DEEP", "U003"))
        ]

    def info(self, data_id):
        return {"seconds": 4000.0}

    def summary(self, process, data_id, tmp_path):
        path = tmp_path / "summary.txt"
        path.write_text(daxa_sample.testing.SUMMARY)
        return {"summary": path}


class TestTool(ToolConformance):
    tool = "sampletools"
    version = "2.1"

    def installation(self, tmp_path):
        daxa_sample.testing.install_tool(tmp_path / "sampletools")
        return tmp_path / "sampletools"

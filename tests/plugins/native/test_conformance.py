import pytest

from daxa.api import DataId
from daxa_testing import PluginConformance, ProcessConformance


class TestPlugin(PluginConformance):
    distribution = "daxa-native"


class Native(ProcessConformance):
    module = "daxa_native.processes"


class TestOfSubExposures(Native):
    mission = "xmm_pointed"

    def data_ids(self):
        parts = (("M1", "S001"), ("M1", "U002"), ("PN", "S003"))
        return [DataId(self.mission, "0201903501", *one) for one in parts] + [
            DataId(self.mission, "0404910601", "M1", "S001")
        ]


class TestOfInstruments(Native):
    mission = "nustar_pointed"

    def data_ids(self):
        return [DataId(self.mission, "90410111001", inst) for inst in ("FPMA", "FPMB")]


class TestOfAThirdPartysMission(Native):
    mission = "sample"

    def data_ids(self):
        return [DataId(self.mission, obs_id, inst) for obs_id in ("S0001", "S0002") for inst in ("WIDE", "DEEP")]


@pytest.mark.parametrize("mission", ["chandra", "rosat_pointed"])
def test_of_observations_with_one_instrument(mission, tmp_path):
    checks = Native()
    checks.mission = mission
    checks.data_ids = lambda: [DataId(mission, "A1", inst) for inst in ("ACIS-S", "HRI")]
    checks.test_no_two_tasks_leave_a_product_at_one_path(tmp_path / "products")
    checks.test_their_bodies_are_pure(tmp_path / "bodies")

from attrs import evolve

from daxa.ids import DataId
from daxa_testing import ProcessConformance

from .summaries import real


class TestProcesses(ProcessConformance):
    mission = "xmm_pointed"

    def data_ids(self):
        exposures = [("M1", "S001"), ("M1", "U002"), ("M2", "S002"), ("PN", "S003"), ("R1", "S004"), ("R2", "S005")]
        return [DataId("xmm_pointed", "0201903501", inst, name) for inst, name in exposures]

    def info(self, data_id):
        exposed = {"type": "SCIENCE", "mode": "PrimeFullWindow", "filter": "Thin1", "ccd_modes": {"1": "Imaging"}}
        return {**exposed, "scheduled": str(data_id.subexp).startswith("S")} if data_id.subexp else {"active": True}

    def job(self, job):
        return evolve(job, observation={**job.observation, "revolution": 828})

    def summary(self, process, data_id, tmp_path):
        path = tmp_path / "0828_0201903501_SCX00000SUM.SAS"
        path.write_bytes(real("0828_0201903501"))
        return {"sum_path": path}

from daxa_testing import MissionConformance, PluginConformance
from daxa_testing.sky import Sky
from daxa_xmm import testing

from ..skies import fits, gz

OBS, HEASARC_ONLY, NONE = "0123700101", "0153950401", "0201901401"
WHEN = ("2004-06-17 10:38:28", 14913)


def pps(obs_id):
    return {f"P{obs_id}{name}0000.FTZ": gz() for name in ("M1S001MIEVLI", "M2S002MIEVLI", "PNS003PIEVLI")}


def odf(obs_id):
    return {f"0070_{obs_id}_{name}": fits() for name in ("M1S00110IME.FIT", "PNS00301IME.FIT", "SCX00000ATS.FIT")}


class TestPlugin(PluginConformance):
    distribution = "daxa-xmm"


class TestXMMPointed(MissionConformance):
    mission = "xmm_pointed"

    def sky(self):
        made = Sky()
        testing.add_observation(made, OBS, 149.59, -11.06, *WHEN, pps=pps(OBS), odf=odf(OBS))
        testing.add_rows(made, [testing.row(one, 60.0, 20.0, *WHEN) for one in (HEASARC_ONLY, NONE)])
        testing.add_files(made, HEASARC_ONLY, pps=pps(HEASARC_ONLY), odf=odf(HEASARC_ONLY), esa=False)
        return made

    def obs_ids(self):
        return [OBS, HEASARC_ONLY]

    def absent_obs_ids(self):
        return [NONE]


class TestXMMPointedAtHEASARC(TestXMMPointed):
    def make(self, context):
        return self._class(context)(use_heasarc=True, context=context)

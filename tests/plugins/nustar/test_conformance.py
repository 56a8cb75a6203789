from daxa_nustar import testing
from daxa_testing import MissionConformance, PluginConformance
from daxa_testing.sky import Sky

from ..skies import gz

OBS, NONE = "60001110002", "60001110003"
DAY = ("2020-01-01 00:00:00", "2020-01-01 06:00:00")

FILES = {
    f"nu{OBS}.cat.gz": gz(),
    f"auxil/nu{OBS}_att.fits.gz": gz(),
    f"hk/nu{OBS}A_fpm.hk.gz": gz(),
    **{f"event_uf/nu{OBS}{module}_uf.evt.gz": gz() for module in "AB"},
    **{f"event_cl/nu{OBS}{module}01_cl.evt.gz": gz() for module in "AB"},
    f"event_cl/nu{OBS}A01_sk.img.gz": gz(),
}


class TestPlugin(PluginConformance):
    distribution = "daxa-nustar"


class TestNuSTARPointed(MissionConformance):
    mission = "nustar_pointed"

    def sky(self):
        made = Sky()
        testing.add_observation(made, OBS, 10.0, 20.0, *DAY, FILES)
        testing.add_rows(made, [testing.row(NONE, 30.0, 20.0, *DAY)])
        return made

    def obs_ids(self):
        return [OBS]

    def absent_obs_ids(self):
        return [NONE]

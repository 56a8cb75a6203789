from daxa_chandra import testing
from daxa_testing import MissionConformance, PluginConformance
from daxa_testing.sky import Sky

from ..skies import fits, gz

OBS, NONE = "3205", "9999"

FILES = {
    "oif.fits": fits(),
    "primary/acisf03205N006_evt2.fits.gz": gz(),
    "primary/acisf03205N006_full_img2.fits.gz": gz(),
    "primary/acisf03205N006_cntr_img2.fits.gz": gz(),
    **{f"secondary/acisf03205_000N006_{kind}.fits.gz": gz() for kind in ("evt1", "mtl1", "bpix1")},
}


class TestPlugin(PluginConformance):
    distribution = "daxa-chandra"


class TestChandra(MissionConformance):
    mission = "chandra"

    def sky(self):
        made = Sky()
        testing.add_observation(made, OBS, 10.0, 20.0, "2002-10-26 01:19:30", 47700.0, FILES)
        testing.add_rows(made, [testing.row(NONE, 11.0, 20.0, "2002-10-26 01:19:30", 1000.0)])
        return made

    def obs_ids(self):
        return [OBS]

    def absent_obs_ids(self):
        return [NONE]

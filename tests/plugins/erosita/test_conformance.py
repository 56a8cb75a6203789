from daxa_erosita import testing
from daxa_testing import MissionConformance, PluginConformance
from daxa_testing.sky import Sky

from ..skies import fits, gz

FIELD, TILE, NO_TILE = "300007", "134135", "117048"


class TestPlugin(PluginConformance):
    distribution = "daxa-erosita"


class TestCalPV(MissionConformance):
    mission = "erosita_calpv"

    def sky(self):
        made = Sky()
        members = {f"eFEDS/{one}/fm00_{one}_020_EventList_c001.fits": fits() for one in ("300007", "300008")}
        testing.add_field(made, "eFEDS.tar.gz", members)
        return made

    def obs_ids(self):
        return [FIELD]


class TestERASS1(MissionConformance):
    mission = "erosita_all_sky_de_dr1"

    def sky(self):
        made = Sky()
        files = {
            f"EXP_010/em01_{TILE}_020_EventList_c010.fits.gz": gz(),
            f"EXP_010/em01_{TILE}_024_Image_c010.fits.gz": gz(),
            f"DET_010/em01_{TILE}_024_ExposureMap_c010.fits.gz": gz(),
            f"DET_010/em01_{TILE}_024_BackgrImage_c010.fits.gz": gz(),
            f"DET_010/em01_{TILE}_020_SensMap_c010.fits.gz": gz(),
            f"SOU_010/em01_{TILE}_020_Sources_c010.fits.gz": gz(),
        }
        testing.add_tile(made, TILE, files)
        return made

    def obs_ids(self):
        return [TILE]

    def absent_obs_ids(self):
        return [NO_TILE]

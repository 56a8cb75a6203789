from daxa_rosat import testing
from daxa_testing import MissionConformance, PluginConformance
from daxa_testing.sky import Sky

from ..skies import lzw

PSPC, HRI, NONE, TILE, NO_TILE = "RP500065N00", "RH400344N00", "RF700068A01", "RS930521N00", "RS930522N00"
DAYS = ("1993-03-08 10:30:32", "1993-03-11 05:02:18")
KINDS = ("anc", "bas", "bk1", "bk2", "bk3", "im1", "im2", "im3", "mex")


def files_of(seq_id, kinds=KINDS):
    return {f"{seq_id.lower()}_{kind}.fits.Z": lzw() for kind in kinds}


class TestPlugin(PluginConformance):
    distribution = "daxa-rosat"


class TestROSATPointed(MissionConformance):
    mission = "rosat_pointed"

    def sky(self):
        made = Sky()
        testing.add_observation(made, PSPC, 10.0, 20.0, *DAYS, files_of(PSPC), instrument="PSPC")
        testing.add_observation(
            made, HRI, 10.5, 20.0, *DAYS, files_of(HRI, ("anc", "bas", "bk1", "im1")), instrument="HRI"
        )
        testing.add_rows(made, [testing.row(NONE, 30.0, 20.0, *DAYS)])
        return made

    def obs_ids(self):
        return [PSPC, HRI]

    def absent_obs_ids(self):
        return [NONE]


class TestROSATAllSky(MissionConformance):
    mission = "rosat_all_sky"

    def sky(self):
        made = Sky()
        testing.add_observation(made, TILE, 263.57, 67.5, *DAYS, files_of(TILE))
        testing.add_observation(made, NO_TILE, 276.4, 67.5, *DAYS)
        return made

    def obs_ids(self):
        return [TILE]

    def absent_obs_ids(self):
        return [NO_TILE]

"""What is asked for where: default addresses of services, paths of observations, and the page that lists them.

The literal addresses are those of the archives' own documentation and of clients that are maintained.
"""

import re
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import pytest

import daxa.mission
import daxa_chandra.testing
import daxa_nustar.testing
import daxa_rosat.testing
import daxa_xmm.testing
from daxa.api import Want
from daxa.context import Context
from daxa.net.client import Patience, open_net
from daxa_testing.sky import SESAME, Sky

from .skies import context_of, fits, gz, lzw

pytestmark = pytest.mark.anyio

HEASARC = "https://heasarc.gsfc.nasa.gov"
FTP = f"{HEASARC}/FTP"
S3 = "https://nasa-heasarc.s3.amazonaws.com"
XSA = "https://nxsa.esac.esa.int"
MPE = "https://erosita.mpe.mpg.de"
AIO = f"{XSA}/nxsa-sl/servlet/data-action-aio"

SERVICES = {
    "HEASARC": f"{FTP}/",
    "HEASARC_TAP": f"{HEASARC}/xamin/vo/tap",
    "HEASARC_S3": f"{S3}/",
    "SESAME": "https://cds.unistra.fr/cgi-bin/nph-sesame/",
    "SESAME_MIRROR": "http://vizier.cfa.harvard.edu/viz-bin/nph-sesame/",
    "XSA": f"{XSA}/nxsa-sl/servlet/",
    "XSA_TAP": f"{XSA}/tap-server/tap",
    "CXC": "https://cxc.cfa.harvard.edu/cdaftp/",
    "EROSITA": f"{MPE}/erodat/data/download/",
    "EROSITA_EDR": f"{MPE}/edr/eROSITAObservations/CalPvObs/",
}
DEAD = ("w3query", "nxsa.esac.esa.int:8080", "cda.harvard.edu/cdaftp", "/dr1/erodat/", "sesame.unistra.fr", "rospublic")
"""What once worked, and is gone."""
DOCUMENTED = Path(__file__).parents[2] / "docs" / "reference" / "addresses.rst"


def own_services():
    """Services of the distributions in this tree, without those of test plugins."""
    registry = Context().registry
    return {name: spec.url for name, spec in registry.services.items() if not name.startswith("SAMPLE")}


def real(url):
    """The address of the real archive that a sky's address stands for."""
    parts = urlsplit(url)
    return f"https:/{parts.path}{'?' + parts.query if parts.query else ''}"


def test_default_addresses_of_services():
    assert own_services() == SERVICES


LIMITS = {
    "HEASARC": (4, 0.2, 64), "HEASARC_TAP": (2, 0, 64), "HEASARC_S3": (16, 0, 64), "SESAME": (2, 0, 64),
    "SESAME_MIRROR": (2, 0, 64), "XSA": (4, 0, 8), "XSA_TAP": (2, 0, 8), "CXC": (3, 0, 64), "EROSITA": (3, 0, 64),
    "EROSITA_EDR": (3, 0, 64),
}  # fmt: skip
"""Requests at once, seconds between directory pages, and what no setting exceeds."""


def test_how_hosts_are_treated_unless_the_user_says_otherwise():
    services = Context().registry.services
    found = {
        name: (services[name].connections, services[name].listing_interval, services[name].most) for name in LIMITS
    }
    assert found == LIMITS and set(LIMITS) == set(SERVICES)


def test_nothing_is_asked_where_it_is_known_to_be_gone():
    root = Path(__file__).parents[2]
    for source in [*(root / "core/src").rglob("*.py"), *(root / "plugins").glob("*/src/**/*.py")]:
        if "testing" in source.parts or "daxa_testing" in source.parts:
            continue
        text = source.read_text()
        assert not [one for one in DEAD if f"{one}" in text], source


# --- catalogues -----------------------------------------------------------------------------------------------------

WHEN = ("2005-01-01T00:00:00", "2005-01-02T00:00:00")
CATALOGUES = {
    "XMMPointed": (
        lambda sky: daxa_xmm.testing.add_rows(sky, [daxa_xmm.testing.row("0123700101", 1.0, 2.0, WHEN[0], 9.0)]),
        f"{XSA}/tap-server/tap/sync",
    ),
    "Chandra": (
        lambda sky: daxa_chandra.testing.add_observation(sky, "907", 1.0, 2.0, WHEN[0], 9.0),
        f"{HEASARC}/xamin/vo/tap/sync",
    ),
    "NuSTARPointed": (
        lambda sky: daxa_nustar.testing.add_observation(sky, "80002092008", 1.0, 2.0, *WHEN),
        f"{HEASARC}/xamin/vo/tap/sync",
    ),
    "ROSATPointed": (
        lambda sky: daxa_rosat.testing.add_observation(sky, "RP500065N00", 1.0, 2.0, *WHEN),
        f"{HEASARC}/xamin/vo/tap/sync",
    ),
    "ROSATAllSky": (
        lambda sky: daxa_rosat.testing.add_observation(sky, "RS930625N00", 1.0, 2.0, *WHEN),
        f"{HEASARC}/xamin/vo/tap/sync",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CATALOGUES)
async def test_where_catalogues_are_asked_for(name, tmp_path):
    add, address = CATALOGUES[name]
    sky = Sky()
    add(sky)
    with sky.running_in_thread() as running:
        mission = getattr(daxa.mission, name)(context=context_of(running, tmp_path))
        await mission.load()
        assert len(mission.all_obs_info) == 1
        assert {(one.method, one.url) for one in running.requests} == {("POST", address)}


QUERIES = {
    "XMMPointed": ("nxsa.esac.esa.int", "/tap-server/tap", "v_all_observations", "observation_id"),
    "Chandra": ("heasarc.gsfc.nasa.gov", "/xamin/vo/tap", "chanmaster", "obsid"),
    "NuSTARPointed": ("heasarc.gsfc.nasa.gov", "/xamin/vo/tap", "numaster", "obsid"),
    "ROSATPointed": ("heasarc.gsfc.nasa.gov", "/xamin/vo/tap", "rosmaster", "seq_id"),
    "ROSATAllSky": ("heasarc.gsfc.nasa.gov", "/xamin/vo/tap", "rassmaster", "seq_id"),
}


@pytest.mark.parametrize("name", QUERIES)
async def test_what_tables_are_asked(name, tmp_path, monkeypatch):
    """Rows are counted first; a limit of the query's own lifts the one that services set silently."""
    host, path, table, column = QUERIES[name]
    sky, asked = Sky(), []
    CATALOGUES[name][0](sky)
    service = sky._hosts[host].taps[path]
    real = type(service).answer

    async def answer(self, request, tail):
        asked.append(dict(await request.post()))
        return await real(self, request, tail)

    monkeypatch.setattr(type(service), "answer", answer)
    with sky.running_in_thread() as running:
        await getattr(daxa.mission, name)(context=context_of(running, tmp_path)).load()
    common = {"REQUEST": "doQuery", "LANG": "ADQL", "FORMAT": "votable"}
    assert [{key: value for key, value in form.items() if key != "QUERY"} for form in asked] == [common, common]
    counted, rows = (form["QUERY"] for form in asked)
    assert counted == f"SELECT COUNT(*) FROM {table}"
    found = re.fullmatch(rf"SELECT TOP 1000 ([a-z0-9_, ]+) FROM {table}", rows)
    assert found and {"ra", "dec", column} <= set(found[1].split(", "))


async def test_a_catalogue_of_xmm_that_is_heasarcs_says_so(tmp_path):
    """ESA counts its rows, and then fails: what is cached names who it is from, and is not mixed."""
    sky = Sky()
    daxa_xmm.testing.add_rows(sky, [daxa_xmm.testing.row("0123700101", 1.0, 2.0, WHEN[0], 9.0)])
    service = sky._hosts["nxsa.esac.esa.int"].taps["/tap-server/tap"]
    columns = service.tables["v_all_observations"].columns
    service.tables["v_all_observations"].columns = [one for one in columns if one.name != "with_science"]
    with sky.running_in_thread() as running:
        context = context_of(running, tmp_path)
        mission = daxa.mission.XMMPointed(context=context)
        with pytest.warns(UserWarning, match="with_science.*HEASARC's is used"):
            await mission.load()
        assert mission.catalogue_source == context.service_url("HEASARC_TAP")
        again = daxa.mission.XMMPointed(context=context)
        await again.load()
        assert again.catalogue_source == mission.catalogue_source and list(again.obs_ids) == ["0123700101"]


@pytest.mark.parametrize("name", ["eROSITACalPV", "eRASS1DE"])
async def test_catalogues_that_come_along_are_not_asked_for(name, tmp_path):
    with Sky().running_in_thread() as running:
        await getattr(daxa.mission, name)(context=context_of(running, tmp_path)).load()
        assert running.requests == []


# --- directories and files ------------------------------------------------------------------------------------------


def at_heasarc(path):
    """A file there, and its copy in the cloud: the same path below the root, with single slashes."""
    return [f"{FTP}/{path}", f"{S3}/{path}"]


def at_cxc(path):
    """The same file at the Chandra X-ray Center."""
    return f"https://cxc.cfa.harvard.edu/cdaftp/{path.removeprefix('chandra/data/')}"


def xmm(obs_id, inst, kind):
    return f"{AIO}?obsno={obs_id}&level=PPS&instname={inst}&name={kind}&extension=FTZ"


RULES = [
    # mission, its row, what it holds, directories that are listed, addresses of the files that are named
    ("Chandra", {"ObsID": "907"}, "chandra/data/byobsid/7/907/primary/acisf00907N002_evt2.fits.gz",
     ["chandra/data/byobsid/7/907/", "chandra/data/byobsid/7/907/primary/"]),
    ("Chandra", {"ObsID": "25680"}, "chandra/data/byobsid/0/25680/primary/acisf25680N002_evt2.fits.gz",
     ["chandra/data/byobsid/0/25680/", "chandra/data/byobsid/0/25680/primary/"]),
    ("NuSTARPointed", {"ObsID": "80002092008"}, "nustar/data/obs/00/8/80002092008/event_cl/nu80002092008A01_cl.evt.gz",
     ["nustar/data/obs/00/8/80002092008/", "nustar/data/obs/00/8/80002092008/event_cl/"]),
    ("NuSTARPointed", {"ObsID": "30501002002"}, "nustar/data/obs/05/3/30501002002/event_cl/nu30501002002B01_cl.evt.gz",
     ["nustar/data/obs/05/3/30501002002/", "nustar/data/obs/05/3/30501002002/event_cl/"]),
    # the directory that astroquery's log names (https://github.com/HEASARC/heasarc-tutorials, BSD-3-Clause)
    ("NuSTARPointed", {"ObsID": "60001110002"}, "nustar/data/obs/00/6/60001110002/event_cl/nu60001110002A01_cl.evt.gz",
     ["nustar/data/obs/00/6/60001110002/", "nustar/data/obs/00/6/60001110002/event_cl/"]),
    ("ROSATPointed", {"ObsID": "RP500065N00"}, "rosat/data/pspc/processed_data/500000/rp500065n00/rp500065n00_bas.fits.Z",
     ["rosat/data/pspc/processed_data/500000/rp500065n00/"]),
    ("ROSATPointed", {"ObsID": "RH400344N00"}, "rosat/data/hri/processed_data/400000/rh400344n00/rh400344n00_bas.fits.Z",
     ["rosat/data/hri/processed_data/400000/rh400344n00/"]),
    ("ROSATPointed", {"ObsID": "RF200107N00"}, "rosat/data/pspc/processed_data/200000/rf200107n00/rf200107n00_bas.fits.Z",
     ["rosat/data/pspc/processed_data/200000/rf200107n00/"]),
    ("ROSATPointed", {"ObsID": "RP700068"}, "rosat/data/pspc/processed_data/700000/rp700068/rp700068_bas.fits.Z",
     ["rosat/data/pspc/processed_data/700000/rp700068/"]),
    ("ROSATPointed", {"ObsID": "RP000011A01"}, "rosat/data/pspc/processed_data/000000/rp000011a01/rp000011a01_bas.fits.Z",
     ["rosat/data/pspc/processed_data/000000/rp000011a01/"]),
    ("ROSATPointed", {"ObsID": "RP900341N00"}, "rosat/data/pspc/processed_data/900000/rp900341n00/rp900341n00_bas.fits.Z",
     ["rosat/data/pspc/processed_data/900000/rp900341n00/"]),
    ("ROSATPointed", {"ObsID": "WP800284N00"}, "rosat/data/pspc/processed_data/800000/wp800284n00/wp800284n00_bas.fits.Z",
     ["rosat/data/pspc/processed_data/800000/wp800284n00/"]),
    ("ROSATPointed", {"ObsID": "WF600005N00"}, "rosat/data/pspc/processed_data/600000/wf600005n00/wf600005n00_bas.fits.Z",
     ["rosat/data/pspc/processed_data/600000/wf600005n00/"]),
    ("ROSATPointed", {"ObsID": "WH110001N00"}, "rosat/data/hri/processed_data/100000/wh110001n00/wh110001n00_bas.fits.Z",
     ["rosat/data/hri/processed_data/100000/wh110001n00/"]),
    ("ROSATAllSky", {"ObsID": "RS930625N00"}, "rosat/data/pspc/processed_data/900000/rs930625n00/rs930625n00_bas.fits.Z",
     ["rosat/data/pspc/processed_data/900000/rs930625n00/"]),
]  # fmt: skip


def content(url):
    return lzw() if url.endswith(".Z") else gz() if url.endswith((".gz", ".FTZ")) else fits()


async def named(name, row, running, tmp_path, prefer=(), **want):
    """Addresses of the files that a mission names, and of what it asked for to know."""
    mission = getattr(daxa.mission, name)(context=context_of(running, tmp_path))
    wish = Want(instruments=tuple(mission.chosen_instruments), **{"raw": False, "products": True, **want})
    files = []
    async with open_net(mission.context, patience=Patience(attempts=2, first=0.01), prefer=prefer) as net:
        try:
            async for remote in mission.remote_files(row, wish, net):
                files.append([real(one.url) for one in remote.locations])
        except daxa.exceptions.NotAtArchiveError:
            pass  # the sky holds one file of many
    while running._busy.total():  # what is sent bit by bit is noted at its end
        await anyio.sleep(0.001)
    return files, [(one.method, one.url) for one in running.requests]


@pytest.mark.parametrize(
    ("name", "row", "file", "directories"), RULES, ids=[f"{one[0]} {one[1]['ObsID']}" for one in RULES]
)
async def test_directories_and_files_at_heasarc(name, row, file, directories, tmp_path):
    sky = Sky()
    sky.add_file(f"{FTP}/{file}", content(file))
    with sky.running_in_thread() as running:
        files, asked = await named(name, row, running, tmp_path)
        assert set(asked) == {("GET", f"{FTP}/{one}") for one in directories}
        assert files == [at_heasarc(file) + ([at_cxc(file)] if name == "Chandra" else [])]


@pytest.mark.parametrize(
    ("name", "row", "file", "directories"), RULES, ids=[f"{one[0]} {one[1]['ObsID']}" for one in RULES]
)
async def test_directories_and_files_in_the_cloud(name, row, file, directories, tmp_path):
    sky = Sky()
    sky.add_mirror()
    sky.add_file(f"{FTP}/{file}", content(file))
    with sky.running_in_thread() as running:
        files, asked = await named(name, row, running, tmp_path, prefer=("s3",))
        assert asked == [("GET", f"{S3}/?list-type=2&prefix={directories[0]}&max-keys=1000")]
        here, there = at_heasarc(file)
        assert files == [[there, here] + ([at_cxc(file)] if name == "Chandra" else [])]


CHANDRA, NUSTAR, TILE = (
    "chandra/data/byobsid/7/907/", "nustar/data/obs/00/8/80002092008/", f"{MPE}/erodat/data/download/096/194/",
)  # fmt: skip
RAW = [
    # mission, ObsID, its directory, what raw data are in it, and what else is there
    ("Chandra", "907", f"{FTP}/{CHANDRA}",
     ["secondary/acisf00907_000N002_evt1.fits.gz", "secondary/acisf063875N002_1_bias0.fits.gz", "oif.fits"],
     ["primary/acisf00907N002_evt2.fits.gz", "secondary/aspect/pcadf063875N002_asol1.fits.gz", "00README"]),
    ("NuSTARPointed", "80002092008", f"{FTP}/{NUSTAR}",
     ["auxil/nu80002092008_att.fits.gz", "event_uf/nu80002092008A_uf.evt.gz", "hk/nu80002092008_chu123.fits.gz",
      "nu80002092008.cat.gz"],
     ["event_cl/nu80002092008A01_cl.evt.gz", "pipe.log"]),
    ("ROSATAllSky", "RS930625N00", f"{FTP}/rosat/data/pspc/processed_data/900000/rs930625n00/",
     ["rs930625n00_anc.fits.Z", "rs930625n00_bas.fits.Z"], ["rs930625n00_im1.fits.Z"]),
    ("eRASS1DE", "194096", TILE,
     ["EXP_010/em01_194096_020_EventList_c010.fits.gz"],
     ["EXP_010/em01_194096_021_Image_c010.fits.gz", "DET_010/em01_194096_021_ExposureMap_c010.fits.gz"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "obs_id", "root", "raw", "more"), RAW, ids=[one[0] for one in RAW])
async def test_where_raw_data_are(name, obs_id, root, raw, more, tmp_path):
    sky = Sky()
    for file in (*raw, *more):
        sky.add_file(root + file, content(file))
    with sky.running_in_thread() as running:
        files, asked = await named(name, {"ObsID": obs_id}, running, tmp_path, raw=True, products=False)
    assert {one[0] for one in files} == {root + file for file in raw}
    directories = {file.rpartition("/")[0] for file in raw} - {""}
    assert set(asked) == {("GET", root), *(("GET", f"{root}{one}/") for one in directories)}


@pytest.mark.parametrize("obs_id", ["907", "25680"])
async def test_chandra_at_its_own_center_where_heasarc_has_nothing(obs_id, tmp_path):
    sky = Sky()
    file = f"chandra/data/byobsid/{obs_id[-1]}/{obs_id}/primary/acisf{int(obs_id):05d}N002_evt2.fits.gz"
    sky.add_file(at_cxc(file), gz())
    sky.add_file(f"{FTP}/something/else.fits", fits())
    with sky.running_in_thread() as running:
        files, asked = await named("Chandra", {"ObsID": obs_id}, running, tmp_path)
    assert at_cxc(file) in files[0]
    assert ("GET", f"https://cxc.cfa.harvard.edu/cdaftp/byobsid/{obs_id[-1]}/{obs_id}/primary/") in asked


async def test_xmm_is_asked_of_esas_servlet(tmp_path):
    sky, obs_id = Sky(), "0123700101"
    pps = {f"P{obs_id}{one}0000.FTZ": gz() for one in ("M1S001MIEVLI", "M2S002MIEVLI", "PNS003PIEVLI")}
    odf = {f"0070_{obs_id}_M1S00110IME.FIT": fits()}
    daxa_xmm.testing.add_files(sky, obs_id, pps=pps, odf=odf, heasarc=False)
    expected = [
        f"{AIO}?obsno={obs_id}&level=ODF",
        xmm(obs_id, "M1", "MIEVLI"), xmm(obs_id, "M2", "MIEVLI"), xmm(obs_id, "PN", "PIEVLI"),
    ]  # fmt: skip
    with sky.running_in_thread() as running:
        files, asked = await named("XMMPointed", {"ObsID": obs_id}, running, tmp_path, raw=True)
    assert files == [[one] for one in expected]
    assert asked == [("HEAD", one) for one in expected]


async def test_images_of_xmm_are_asked_of_esas_servlet(tmp_path):
    sky, obs_id = Sky(), "0123700101"
    names = ("M1S001IMAGE_8", "M2S002IMAGE_8", "PNS003IMAGE_8", "M1S001EXPMAP8", "M2S002EXPMAP8", "PNS003EXPMAP8")
    daxa_xmm.testing.add_files(sky, obs_id, pps={f"P{obs_id}{one}000.FTZ": gz() for one in names}, heasarc=False)
    with sky.running_in_thread() as running:
        files, _ = await named("XMMPointed", {"ObsID": obs_id}, running, tmp_path, kinds=("images", "expmaps"))
    kinds = ("IMAGE_", "EXPMAP")
    assert files == [[xmm(obs_id, inst, kind)] for kind in kinds for inst in ("M1", "M2", "PN")]


async def test_xmm_at_heasarc_where_esa_has_nothing(tmp_path):
    sky, obs_id = Sky(), "0123700101"
    sky.add_aio("0000000001", "PPS", "other.FTZ", gz())
    odf, pps = f"0070_{obs_id}_M1S00110IME.FIT", f"P{obs_id}M1S001MIEVLI0000.FTZ"
    daxa_xmm.testing.add_files(sky, obs_id, pps={pps: gz()}, odf={odf: fits()}, esa=False)
    with sky.running_in_thread() as running:
        files, asked = await named("XMMPointed", {"ObsID": obs_id}, running, tmp_path, raw=True)
    base = f"xmm/data/rev0/{obs_id}"
    assert files == [at_heasarc(f"{base}/ODF/{odf}"), at_heasarc(f"{base}/PPS/{pps}")]
    listed = [url for method, url in asked if method == "GET"]
    assert listed == [f"{FTP}/{base}/ODF/", f"{FTP}/{base}/PPS/"]


@pytest.mark.parametrize(
    ("tile", "path", "owner"),
    [("194096", "096/194", "m"), ("001180", "180/001", "m"), ("134135", "135/134", "m"), ("117048", "048/117", "b")],
)
async def test_erass_tiles_lie_by_declination_first(tile, path, owner, tmp_path):
    sky, root = Sky(), f"{MPE}/erodat/data/download/{path}"
    event_list = f"{root}/EXP_010/e{owner}01_{tile}_020_EventList_c010.fits.gz"
    sky.add_file(event_list, gz())
    sky.add_file(f"{root}/DET_010/e{owner}01_{tile}_021_ExposureMap_c010.fits.gz", gz())
    with sky.running_in_thread() as running:
        files, asked = await named("eRASS1DE", {"ObsID": tile}, running, tmp_path)
    assert [event_list] in files
    assert set(asked) == {("GET", f"{root}/{one}") for one in ("", "EXP_010/", "DET_010/")}


FIELDS = {
    "EFEDS": "eFEDS", "ETA_CHA": "eta_Cha", "LMC_SN1987A": "LMC_SN1987A", "LMC_N132D": "LMC_N132D",
    "PSR_J0540_6919": "PSR_J0540m6919", "1ES_0102_72": "1ES_0102m72", "NGC_2516": "NGC_2516", "VELA_SNR": "Vela_SNR",
    "PUPPIS_A": "Puppis_A", "CRAB_1": "Crab_I", "CRAB_2": "Crab_II", "CRAB_3": "Crab_III", "CRAB_4": "Crab_IV",
    "RE_J2334_471": "RE_J2334m471", "A3158": "A3158", "A3266": "A3266", "1H0707": "1H0707",
    "NGC_7793_P13": "NGC_7793P13", "47_TUC__NGC_104_": "47_Tuc", "TGUH2213P1__DARK_CLOUD_": "TGUH2213P1",
    "A3391_A3395": "A3391_A3395", "3C390_3": "3C390",
}  # fmt: skip
"""Tars whose names are published; ten more follow the same rule."""


@pytest.mark.parametrize(("field", "archive"), FIELDS.items())
async def test_fields_of_calpv_are_one_tar_each(field, archive, tmp_path):
    with Sky().running_in_thread() as running:
        files, asked = await named("eROSITACalPV", {"ObsID": "300007", "Field_Name": field}, running, tmp_path)
    assert files == [[f"{MPE}/edr/eROSITAObservations/CalPvObs/{archive}.tar.gz"]]
    assert asked == []


# --- names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "query"), [("Abell 907", "Abell%20907"), ("PSR B1509+58", "PSR%20B1509%2B58"), ("M82", "M82")]
)  # fmt: skip
async def test_how_names_are_asked_for(name, query, tmp_path):
    sky = Sky()
    sky.add_name(name, 1.0, 2.0)
    with sky.running_in_thread() as running:
        async with open_net(context_of(running, tmp_path)) as net:
            assert await net.resolve(name) == (1.0, 2.0)
        (request,) = running.requests
        assert request.url == f"{SESAME}SNV?{query}"


async def test_where_names_are_asked_for_when_the_first_service_is_down(tmp_path):
    sky = Sky()
    sky.add_name("M82", 1.0, 2.0, service_url=SERVICES["SESAME_MIRROR"])
    with sky.running_in_thread() as running:
        async with open_net(context_of(running, tmp_path)) as net:
            assert await net.resolve("M82") == (1.0, 2.0)
        mirror = SERVICES["SESAME_MIRROR"].replace("http:", "https:")  # a sky notes addresses so
        assert [one.url for one in running.requests] == [f"{SESAME}SNV?M82", f"{mirror}SNV?M82"]


# --- the page of what is not verified -------------------------------------------------------------------------------


def rows():
    """Rows of the page's table, as the text of each."""
    return re.split(r"^   \* - ", DOCUMENTED.read_text(), flags=re.MULTILINE)[2:]


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_on_the_page(name):
    (row,) = [one for one in rows() if f"``DAXA_URL_{name}``" in one]
    assert f"``{SERVICES[name]}``" in row


def test_the_page_is_found_and_has_no_other_service():
    assert "reference/addresses" in (DOCUMENTED.parents[1] / "index.rst").read_text()
    named_there = set(re.findall(r"DAXA_URL_([A-Z0-9_]+)``", DOCUMENTED.read_text()))
    assert named_there == set(SERVICES)

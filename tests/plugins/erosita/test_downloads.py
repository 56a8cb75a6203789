import functools
import io
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.units import Quantity

from daxa.archive import Archive
from daxa.context import use_context
from daxa.exceptions import DAXADownloadError, DAXANotDownloadedError, InvalidParameterError, MissingFileError
from daxa.mission import eRASS1DE, eROSITACalPV
from daxa.net.client import Patience
from daxa_erosita import testing
from daxa_erosita.events import select_modules
from daxa_testing.sky import Sky

from ..skies import context_of, gz, listed, paths
from ..skies import fits as fits_bytes

pytestmark = pytest.mark.anyio
TILE = "134135"
EVENTS, IMAGE = f"EXP_010/em01_{TILE}_020_EventList_c010.fits.gz", f"EXP_010/em01_{TILE}_024_Image_c010.fits.gz"
EXPMAP, BACKMAP = (f"DET_010/em01_{TILE}_024_{one}_c010.fits.gz" for one in ("ExposureMap", "BackgrImage"))
OTHERS = (f"DET_010/em01_{TILE}_020_SensMap_c010.fits.gz", f"SOU_010/em01_{TILE}_020_Sources_c010.fits.gz")


def events(modules=(1, 2, 5, 1, 7)):
    buffer = io.BytesIO()
    table = fits.BinTableHDU.from_columns(
        [
            fits.Column("events", "J", array=np.arange(1, len(modules) + 1)),
            fits.Column("TM_NR", "J", array=np.array(modules)),
        ],
        name="EVENTS",
    )
    gti = fits.BinTableHDU.from_columns([fits.Column("START", "D", array=[0.0])], name="GTI1")
    fits.HDUList([fits.PrimaryHDU(), table, gti]).writeto(buffer)
    return buffer.getvalue()


def name_of(obs_id):
    return f"fm00_{obs_id}_020_EventList_c001.fits"


def served(running, ending):
    return [one.url for one in running.requests if one.url.endswith(ending) and one.method == "GET"]


@pytest.fixture
def tiles():
    sky = Sky()
    files = {EVENTS: gz(events()), **dict.fromkeys((IMAGE, EXPMAP, BACKMAP, *OTHERS), gz())}
    testing.add_tile(sky, TILE, files)
    with sky.running_in_thread() as running:
        yield running


# --- tiles ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("want", "expected"),
    [
        ({"raw": True, "products": False}, [EVENTS]),
        ({"raw": True, "products": True}, [EVENTS, IMAGE, EXPMAP, BACKMAP]),
        ({"raw": False, "products": True}, [EVENTS, IMAGE, EXPMAP, BACKMAP]),
    ],
)
async def test_files_of_a_tile(tiles, tmp_path, want, expected):
    context = context_of(tiles, tmp_path)
    found, problem = await listed(eRASS1DE(context=context), TILE, context, **want)
    assert problem is None
    assert sorted(paths(found)) == sorted(one.removesuffix(".gz") for one in expected)
    assert {one.locations[0].size for one in found} == {len(gz(events())), *([len(gz())] if want["products"] else [])}
    root = context.service_url("EROSITA")
    assert all(one.url.startswith(f"{root}135/134/") and "//" not in one.url[8:] for one in found)


async def test_a_tile_is_downloaded_and_its_products_found(tiles, tmp_path):
    with use_context(context_of(tiles, tmp_path)):
        mission = eRASS1DE()
        await mission.filter_on_obs_ids(TILE)
        await mission.download()
        raw = f"{mission.raw_data_path}{TILE}/"
        assert mission.get_evt_list_path(TILE) == raw + EVENTS.removesuffix(".gz")
        band = Quantity([200, 2300], "eV")
        for path, getter in ((IMAGE, "image"), (EXPMAP, "expmap"), (BACKMAP, "background")):
            found = getattr(mission, f"get_{getter}_path")(TILE, *band, inst="TM3")
            assert found == raw + path.removesuffix(".gz")
        assert mission.downloaded_type == "raw+preprocessed"
        before = len(tiles.requests)
        await mission.download()
        assert len(tiles.requests) == before  # all is here


async def test_raw_first_and_products_later(tiles, tmp_path):
    with use_context(context_of(tiles, tmp_path)):
        mission = eRASS1DE()
        await mission.filter_on_obs_ids(TILE)
        await mission.download(download_products=False)
        assert mission.downloaded_type == "raw"
        await mission.download()
        assert len(served(tiles, "_EventList_c010.fits.gz")) == 1


async def test_w_16_a_version_can_be_chosen_and_the_newest_is_the_default(tmp_path):
    sky = Sky()
    for version in ("010", "020"):
        for kind, product in (("EXP", "020_EventList"), ("DET", "024_ExposureMap")):
            testing.add_tile(sky, TILE, {f"{kind}_{version}/em01_{TILE}_{product}_c{version}.fits.gz": gz()})
    with sky.running_in_thread() as running, use_context(context_of(running, tmp_path)):
        old, new = eRASS1DE(), eRASS1DE()
        for mission in (old, new):
            await mission.filter_on_obs_ids(TILE)
        await old.download(pipeline_version=10)
        assert old.pipeline_version == "010"
        assert old.get_evt_list_path(TILE).endswith(f"EXP_010/em01_{TILE}_020_EventList_c010.fits")
        other = eRASS1DE()
        await other.filter_on_obs_ids(TILE)
        other.pipeline_version = "030"
        found, problem = await listed(other, TILE, other.context)
        assert not found
        assert "a version that is there: 010, 020" in str(problem)
        found, problem = await listed(new, TILE, new.context)
        assert {one.split("/")[0] for one in paths(found)} == {"EXP_020", "DET_020"}
        old.pipeline_version = "020"  # that another version is here does not count
        assert (await old.plan_download()).present == 0
        await old.download()
        assert old.get_evt_list_path(TILE).endswith(f"EXP_020/em01_{TILE}_020_EventList_c020.fits")
        old.pipeline_version = "010"
        before = len(running.requests)
        await old.download()  # both are complete now
        assert len(running.requests) == before
        assert old.get_evt_list_path(TILE).endswith(f"EXP_010/em01_{TILE}_020_EventList_c010.fits")
        assert eRASS1DE.from_snapshot(old.snapshot()).pipeline_version == "010"
        assert eRASS1DE.from_snapshot(new.snapshot()).pipeline_version is None
        await new.delete_raw_data(force_del=True)
        await old.download()
        older = old.get_evt_list_path(TILE)
        old.pipeline_version = "020"
        with pytest.raises(MissingFileError, match="No files"):
            old.get_evt_list_path(TILE)
        directory = Path(older).parents[1]
        (directory / "EXP_010").rename(directory / "EXP_020")
        (directory / f"EXP_020/em01_{TILE}_020_EventList_c010.fits").rename(
            directory / f"EXP_020/em01_{TILE}_020_EventList_c020.fits"
        )
        (directory / "EXP_010").mkdir()
        Path(older).write_bytes(fits_bytes())
        assert f"EXP_020/em01_{TILE}_020_EventList_c020" in old.get_evt_list_path(TILE)
        old.pipeline_version = None  # the newest of those that are here
        assert f"EXP_020/em01_{TILE}_020_EventList_c020" in old.get_evt_list_path(TILE)
        files = [one.relative_to(directory).as_posix() for one in directory.rglob("*.fits")]
        assert [one.path for one in old.label({"ObsID": TILE}, files) if one.kind == "events"] == [
            f"EXP_020/em01_{TILE}_020_EventList_c020.fits"
        ]
        old.pipeline_version = "010"
        assert old.get_evt_list_path(TILE) == older


@pytest.mark.parametrize("version", ["ten", -1, True, 1.5, ""])
def test_versions_that_are_none(version):
    with pytest.raises(InvalidParameterError):
        eRASS1DE().pipeline_version = version


async def test_a_tile_without_maps_has_no_products_but_its_raw_data(tmp_path):
    sky = Sky()
    testing.add_tile(sky, TILE, {EVENTS: gz(events())})
    with sky.running_in_thread() as running, use_context(context_of(running, tmp_path)):
        mission = eRASS1DE()
        await mission.filter_on_obs_ids(TILE)
        with pytest.raises(DAXADownloadError, match="no DET data"):
            await mission.download()
        report = await mission.download(download_products=False)
        assert not report.failed


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr("daxa.net.client.Patience", functools.partial(Patience, attempts=2, first=0.01))


@pytest.mark.usefixtures("impatient")
async def test_a_page_instead_of_a_map_is_told_of_that_file(tmp_path):
    sky = Sky()
    testing.add_tile(sky, TILE, {EVENTS: gz(events()), IMAGE: gz(), EXPMAP: gz(), BACKMAP: b"<html>404</html>"})
    with sky.running_in_thread() as running, use_context(context_of(running, tmp_path)):
        mission = eRASS1DE()
        await mission.filter_on_obs_ids(TILE)
        with pytest.raises(DAXADownloadError) as told:
            await mission.download()
        (one,) = told.value.results
        assert (one.mission, one.obs_id, one.path) == (mission.name, TILE, BACKMAP.removesuffix(".gz"))
        with pytest.raises(DAXANotDownloadedError):
            mission.get_background_path(TILE, Quantity(0.2, "keV"), Quantity(2.3, "keV"))


# --- fields ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def fields():
    """Two fields: one whose members are nested, with decoys; one whose lists bear another ObsID than their directory."""
    sky = Sky()
    members = {f"eFEDS/{one}/{name_of(one)}": events() for one in ("300007", "300008", "300009", "300010")}
    decoys = {
        "eFEDS/eRO_300007_readme.fits": b"no",
        "eFEDS/300007/eROtm_300007_020.fits": b"no",
        "eFEDS/.fm00_300007_hidden.fits": b"no",
    }
    testing.add_field(sky, "eFEDS.tar.gz", {**members, **decoys})
    testing.add_field(
        sky,
        "Puppis_A.tar.gz",
        {
            "Puppis_A/700199/fm00_700195_020_EventList_c001.fits": events(),
            f"Puppis_A/700200/{name_of('700200')}": events(),
        },
    )
    testing.add_field(sky, "Crab_II.tar.gz", {f"900100/{name_of('900199')}": events(), name_of("900101"): events()})
    testing.add_field(sky, "A3158.tar.gz", {"readme.txt": b"nothing of it"})
    with sky.running_in_thread() as running:
        yield running


async def test_a_tar_shared_by_many_observations_is_fetched_once(fields, tmp_path):
    with use_context(context_of(fields, tmp_path)):
        mission = eROSITACalPV(fields="efeds")
        await mission.download()
        for obs_id in ("300007", "300008", "300009", "300010"):
            assert mission.get_evt_list_path(obs_id) == f"{mission.raw_data_path}{obs_id}/{name_of(obs_id)}"
            assert mission.downloaded_files(obs_id) == [name_of(obs_id)]
        assert len(served(fields, "eFEDS.tar.gz")) == 1
        assert not (tmp_path / "output" / "erosita_calpv_raw" / ".shared").exists()
        assert mission.downloaded_type == "raw+preprocessed"
        await mission.download()
        assert len(served(fields, "eFEDS.tar.gz")) == 1
        assert await mission.verify()


async def test_observations_of_two_downloads_side_by_side(fields, tmp_path):
    with use_context(context_of(fields, tmp_path)):
        arch = await Archive("two fields", [eROSITACalPV(fields=["efeds", "puppis a"])])
        kept = arch.products(kind="events")
        assert sorted(set(kept["obs_id"])) == ["300007", "300008", "300009", "300010", "700199", "700200"]
        assert len(served(fields, ".tar.gz")) == 2
        path = arch.archive_path + "processed_data/erosita_calpv/300007/events/"
        whole = "obsid300007-instTM1_TM2_TM3_TM4_TM5_TM6_TM7-subexpNone-finalevents.fits"
        assert fits.getdata(path + whole)["TM_NR"].tolist() == [1, 2, 5, 1, 7]


async def test_w_17_a_list_that_bears_another_obs_id_is_found_by_its_directory(fields, tmp_path):
    context = context_of(fields, tmp_path)
    with use_context(context):
        mission = eROSITACalPV(fields="puppis a")
        await mission.download()
        assert mission.downloaded_files("700199") == ["fm00_700195_020_EventList_c001.fits"]
        assert mission.get_evt_list_path("700199").endswith("fm00_700195_020_EventList_c001.fits")


async def test_directories_may_stand_at_the_top_of_a_tar(fields, tmp_path):
    with use_context(context_of(fields, tmp_path)):
        mission = eROSITACalPV()
        await mission.filter_on_obs_ids(["900100", "900101"])
        await mission.download(2, True)  # positions as DAXA has them
        assert mission.downloaded_files("900100") == [name_of("900199")]
        assert mission.downloaded_files("900101") == [name_of("900101")]


async def test_a_tar_without_the_observation_is_told(fields, tmp_path):
    with use_context(context_of(fields, tmp_path)):
        mission = eROSITACalPV(fields=["A3158", "efeds"])
        with pytest.raises(DAXADownloadError, match="700177") as told:
            await mission.download()
        assert [one.obs_id for one in told.value.results] == ["700177"]
        assert mission.downloaded_files("300007")


async def test_a_tar_that_does_not_hold_what_it_should_is_fetched_again(tmp_path):
    """What the archive sent for it was whole, and something else."""
    sky = Sky()
    sky.add_file(testing.FIELDS + "Crab_II.tar.gz", testing.field({"readme.txt": b"nothing of it"}))
    testing.add_field(sky, "eFEDS.tar.gz", {name_of("300007"): events()})
    with sky.running_in_thread() as running, use_context(context_of(running, tmp_path)):
        mission = eROSITACalPV()
        await mission.filter_on_obs_ids(["300007", "900100"])
        for times in (1, 2):
            report = await mission.download(on_error="collect")
            assert [one.obs_id for one in report.failed] == ["900100"]
            assert len(served(running, "Crab_II.tar.gz")) == times
        sky.add_file(testing.FIELDS + "Crab_II.tar.gz", testing.field({name_of("900100"): events()}))
        assert (await mission.download()).failed == []
        assert len(served(running, "eFEDS.tar.gz")) == 1 and not list((tmp_path / "output").rglob(".shared"))


async def test_a_tar_that_is_not_there_is_asked_for_once(fields, tmp_path):
    with use_context(context_of(fields, tmp_path)):
        mission = eROSITACalPV(fields="crab_1")
        with pytest.raises(DAXADownloadError) as told:
            await mission.download()
        assert len(told.value.results) == 26
        assert len({one.cause for one in told.value.results}) == 1
        assert len(served(fields, "Crab_I.tar.gz")) == 1


@pytest.mark.usefixtures("impatient")
async def test_a_tar_that_is_cut_short_leaves_nothing_behind(tmp_path):
    sky = Sky()
    whole = testing.field({f"{one}/{name_of(one)}": events() for one in ("300007", "300008")})
    sky.add_file(testing.FIELDS + "eFEDS.tar.gz", whole[: len(whole) // 2])
    with sky.running_in_thread() as running:
        with use_context(context_of(running, tmp_path)):
            mission = eROSITACalPV()
            await mission.filter_on_obs_ids(["300007", "300008"])
            with pytest.raises(DAXADownloadError, match="damaged"):
                await mission.download()
    assert not list((tmp_path / "output").rglob("*EventList*"))


# --- modules --------------------------------------------------------------------------------------------------------


async def test_event_lists_in_an_archive_are_of_the_chosen_modules_alone(fields, tmp_path):
    with use_context(context_of(fields, tmp_path)):
        mission = eROSITACalPV(insts=["TM1", "TM7"])
        await mission.filter_on_obs_ids("300007")
        arch = await Archive("two modules", [mission])
        (path,) = arch.products(kind="events")["path"]
        assert path.endswith("obsid300007-instTM1_TM7-subexpNone-finalevents.fits")
        with fits.open(arch.archive_path + path if not path.startswith("/") else path) as hdus:
            assert hdus[1].data["TM_NR"].tolist() == [1, 1, 7]
            assert hdus["GTI1"].data["START"].tolist() == [0.0]
        assert fits.getdata(mission.get_evt_list_path("300007"))["TM_NR"].tolist() == [1, 2, 5, 1, 7]


def test_labels_name_the_modules_that_were_at_work():
    mission = eROSITACalPV(insts=["TM3", "TM5", "TM6"])
    obs = {"ObsID": "700177", "active_insts": "TM5,TM6,TM7"}
    (one,) = mission.label(obs, [name_of("700177")])
    assert (one.inst, one.made_by) == ("TM5_TM6", "daxa_erosita.events:select_modules")
    assert not eROSITACalPV(insts="TM1").label(obs, [name_of("700177")])


def test_modules_are_selected_row_by_row(tmp_path):
    source, target = tmp_path / "all.fits", tmp_path / "some.fits"
    source.write_bytes(events())
    select_modules(str(source), str(target), "TM1")
    assert fits.getdata(target)["events"].tolist() == [1, 4]
    assert source.read_bytes() == events()


def test_a_list_without_modules_is_refused(tmp_path):
    from daxa.exceptions import DaxaError

    source = tmp_path / "image.fits"
    fits.PrimaryHDU(np.zeros((2, 2))).writeto(source)
    with pytest.raises(DaxaError, match="telescope modules"):
        select_modules(str(source), str(tmp_path / "some.fits"), "TM1")
    assert not (tmp_path / "some.fits").exists()

"""Defects of DAXA 0.3 as users of its missions met them, and in processes of their own; most have tests elsewhere.

Those stand beside what they are of: all bear the number of the defect in their name.
"""

import json
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from astropy.time import Time
from astropy.units import Quantity

import daxa_chandra.testing
import daxa_erosita.testing
import daxa_nustar.testing
import daxa_rosat.testing
from daxa import Archive
from daxa.context import use_context
from daxa.exceptions import (
    DAXADownloadError,
    PreProcessedNotAvailableError,
    PreProcessedNotSupportedError,
)
from daxa.mission import (
    Chandra,
    NuSTARPointed,
    ROSATAllSky,
    ROSATPointed,
    eRASS1DE,
    eROSITACalPV,
    multi_mission_filter_on_positions,
)
from daxa.net.client import Patience
from daxa_testing.sky import Sky

from ..plugins.skies import context_of, fits, gz
from .conftest import DAXA

pytestmark = pytest.mark.anyio

EARLY, LATE = ("1992-06-18 03:25:11", "1992-06-19 13:06:43"), ("1997-06-18 03:25:11", "1997-06-19 13:06:43")
PRIMARY = {f"primary/acisf00007N002_{kind}.fits.gz": gz() for kind in ("evt2", "full_img2")}
SECONDARY = {"secondary/acisf00007_000N002_evt1.fits.gz": gz()}


@contextmanager
def seen(sky, path):
    """Run a sky, and make missions see it."""
    with sky.running_in_thread() as running, use_context(context_of(running, path)):
        yield


@pytest.fixture
def impatient(monkeypatch):
    """Waits between tries are short."""
    monkeypatch.setattr(Patience, "wait", lambda self, attempt: 0.01)


def reopened(mission, path):
    return type(mission)(save_file_path=mission.save(path))


async def replayed(mission, path):
    """What is selected when the saved filters are applied anew."""
    again = reopened(mission, path)
    await again.update(download_new=False)
    return again.filtered_obs_ids.tolist()


def test_w_01_it_is_imported_by_this_python_and_writes_nothing(tmp_path):
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    code = "import daxa, daxa.config, daxa.mission; daxa.mission.XMMPointed; daxa.config.Config().output"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.timeout(90)
def test_w_35_processes_that_share_an_output_root_fetch_each_file_once(tmp_path):
    sky = Sky.installed()
    sky.latency = 0.1
    with sky.running_in_thread() as running:
        environment = {**running.environment(tmp_path), "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
        command = ["build", "--target", "PHL 1811", "--missions", "chandra,rosat_all_sky", "--json"]
        processes = [
            subprocess.Popen(
                [*DAXA, *command, name], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            for name in ("one", "two", "three")
        ]
        ends = [process.communicate(timeout=80) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], ends
    found = [json.loads(out.splitlines()[-1])["observations"] for out, _ in ends]
    assert found[0] == found[1] == found[2] and len(found[0]["chandra"]) == 3
    fetched = Counter(one.url for one in running.requests if "/FTP/" in one.url and not one.url.endswith("/"))
    assert len(fetched) > 10 and set(fetched.values()) == {1}
    assert not list(tmp_path.rglob("*.part*")) and not list(tmp_path.rglob(".claims/*"))


# --- records of filters ---------------------------------------------------------------------------------------------


async def test_w_02_a_mission_without_data_does_not_end_the_record_of_the_others(tmp_path):
    with seen(Sky(), tmp_path):
        with pytest.warns(UserWarning, match="no observation there"):
            (found,) = await multi_mission_filter_on_positions(
                [110.0, -20.0], missions=["erosita_calpv", "erosita_all_sky_de_dr1"]
            )
        assert [one["name"] for one in found.filtering_operations] == ["filter_on_positions"]
        later = eRASS1DE()
        await later.filter_on_time("2020-01-01", "2020-01-02")
        assert await replayed(later, tmp_path) == later.filtered_obs_ids.tolist() and len(later) == 247


@pytest.mark.parametrize(("cls", "expected"), [(Chandra, "2"), (ROSATPointed, "RP500002N00")])
async def test_w_04_the_default_radii_keep_earlier_filters(tmp_path, cls, expected):
    sky = Sky()
    for number, (start, end) in enumerate((EARLY, LATE, EARLY, LATE)):
        ra = 100.0 if number > 1 else 10.0
        daxa_chandra.testing.add_rows(sky, [daxa_chandra.testing.row(str(number + 1), ra, 20.0, start, 9000.0)])
        daxa_rosat.testing.add_rows(sky, [daxa_rosat.testing.row(f"RP50000{number + 1}N00", ra, 20.0, start, end)])
    with seen(sky, tmp_path):
        mission = cls()
        await mission.filter_on_time("1997-01-01", "1998-01-01")
        await mission.filter_on_positions([10.1, 20.0])
    assert mission.filtered_obs_ids.tolist() == [expected]
    assert [one["name"] for one in mission.filtering_operations] == ["filter_on_time", "filter_on_positions"]


async def test_w_08_a_saved_choice_of_a_grating_is_loaded_again(tmp_path):
    sky = Sky()
    plain, grating = (daxa_chandra.testing.row(one, 10.0, 20.0, EARLY[0], 9000.0) for one in ("1", "2"))
    daxa_chandra.testing.add_rows(sky, [plain, grating | {"grating": "HETG"}])
    with seen(sky, tmp_path):
        mission = Chandra(["ACIS", "HETG"])
        await mission.filter_on_positions([10.0, 20.0])
        again = reopened(mission, tmp_path)
        await again.load()
    assert again.filtered_obs_ids.tolist() == mission.filtered_obs_ids.tolist() == ["2"]
    assert again.chosen_instruments == ["ACIS", "HETG"]


async def test_w_10_filters_of_every_kind_are_replayed(tmp_path):
    with seen(Sky(), tmp_path):
        radii, fields, by_hand = eROSITACalPV(), eROSITACalPV(), eROSITACalPV()
        await radii.filter_on_positions([[129.55, 1.5], [130.33, -78.96]], Quantity([5, 1], "deg"))
        await fields.filter_on_fields("efeds")
        await by_hand.load()
        by_hand.filter_array = np.arange(170) < 3
        for mission, count in ((radii, 3), (fields, 4), (by_hand, 3)):
            assert await replayed(mission, tmp_path) == mission.filtered_obs_ids.tolist()
            assert len(mission) == count


async def test_w_10_radii_by_instrument_and_what_is_not_public_are_replayed(tmp_path):
    sky = Sky()
    rows = [daxa_chandra.testing.row(str(one), 10.0, 20.0 + one / 10, EARLY[0], 9000.0) for one in (7, 8, 9)]
    daxa_chandra.testing.add_rows(sky, [rows[0], rows[1] | {"detector": "HRC-I"}, rows[2] | {"public_date": 88_068}])
    daxa_chandra.testing.add_files(sky, "7", PRIMARY | SECONDARY)
    with seen(sky, tmp_path):
        mission = Chandra()
        await mission.filter_on_positions([10.0, 20.4], {"ACIS": Quantity(19, "arcmin"), "HRC": 0.45})
        assert await replayed(mission, tmp_path) == ["7", "8"]
        mission = Chandra("ACIS")
        await mission.filter_on_positions([10.0, 20.4], {"ACIS": 1})
        assert await replayed(mission, tmp_path) == ["7", "9"]
        with pytest.warns(UserWarning, match="proprietary"):
            await mission.download()
        assert await replayed(mission, tmp_path) == ["7"]


async def test_w_11_an_archive_with_a_mission_that_was_not_filtered_is_updated(tmp_path):
    sky, files = Sky(), {f"rs930625n00_{kind}.fits.gz": gz() for kind in ("bas", "anc")}
    daxa_rosat.testing.add_observation(sky, "RS930625N00", 10.0, 20.0, *EARLY, files)
    with seen(sky, tmp_path):
        arch = await Archive("all of it", ROSATAllSky(), all_observations=True)
        assert (await arch.update()).good
        assert arch["rosat_all_sky"].filtered_obs_ids.tolist() == ["RS930625N00"]
        await arch.close()


# --- files ----------------------------------------------------------------------------------------------------------


async def test_w_17_a_tar_that_was_damaged_is_fetched_again(tmp_path, impatient):
    name = "fm00_700177_020_EventList_c001.fits"
    whole = daxa_erosita.testing.field({name: fits()})  # the one file it holds, in no directory
    sky, address = Sky(), daxa_erosita.testing.FIELDS + "A3158.tar.gz"
    sky.add_file(address, whole[: len(whole) // 2])
    with seen(sky, tmp_path):
        mission = eROSITACalPV(fields="A3158")
        with pytest.raises(DAXADownloadError, match="damaged"):
            await mission.download()
        sky.add_file(address, whole)
        await mission.download()
        assert mission.get_evt_list_path("700177") == f"{mission.raw_data_path}700177/{name}"


async def test_w_23_energies_in_any_unit_alone_and_for_gratings(tmp_path):
    sky = Sky()
    daxa_chandra.testing.add_observation(sky, "7", 10.0, 20.0, EARLY[0], 9000.0, PRIMARY | SECONDARY)
    with seen(sky, tmp_path):
        mission = Chandra()
        await mission.filter_on_obs_ids("7")
        await mission.download()
        path = f"{mission.raw_data_path}7/primary/acisf00007N002_full_img2.fits"
        lo, hi = Quantity(0.5000000000000001, "keV"), Quantity(7000, "eV")
        for energies in ((lo, hi), (lo, None), (None, hi), (None, None)):
            assert mission.get_image_path("7", *energies) == path
        with pytest.raises(PreProcessedNotAvailableError, match=r"0\.5-7"):
            mission.get_image_path("7", hi_en=Quantity(3, "keV"))
        with pytest.warns(UserWarning, match="ACIS"):  # what the observation was taken with
            assert mission.get_image_path("7", lo, hi, inst="HETG") == path
        with pytest.raises(PreProcessedNotSupportedError):
            mission.get_expmap_path("7", lo, hi)


@pytest.mark.parametrize("name", ["oif.fits", "60001110002_cat.fits"])
async def test_w_34_an_error_page_is_not_data(tmp_path, impatient, name):
    """Nor is it where the list of contents should be, which is fetched like every other file."""
    page = b"<html><head><title>404 Not Found</title></head><body>Not Found</body></html>"
    sky = Sky()
    daxa_chandra.testing.add_observation(
        sky, "7", 10.0, 20.0, EARLY[0], 9000.0, {**PRIMARY, **SECONDARY, "oif.fits": page}
    )
    obs_id = "60001110002"
    files = {f"event_cl/nu{obs_id}A01_cl.evt.gz": gz(), f"hk/nu{obs_id}A_fpm.hk.gz": gz(), f"nu{obs_id}.cat.gz": page}
    daxa_nustar.testing.add_observation(sky, obs_id, 10.0, 20.0, *EARLY, files)
    with seen(sky, tmp_path):
        mission = Chandra() if name == "oif.fits" else NuSTARPointed()
        await mission.load()
        with pytest.raises(DAXADownloadError) as told:
            await mission.download(download_raw=False, all_observations=True)
    (obs_id,) = mission.obs_ids
    assert [(one.obs_id, one.path) for one in told.value.results] == [(obs_id, name)]
    here = Path(mission.raw_data_path) / obs_id
    assert not (here / name).exists() and len(mission.downloaded_files(obs_id)) == 2
    assert not [one for one in here.rglob("*") if one.is_file() and b"<html>" in one.read_bytes()]


# --- time -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def another_day(monkeypatch):
    """The clock on the wall shows another date than UTC: tomorrow's in the afternoon, else yesterday's."""
    monkeypatch.setenv("TZ", "Etc/GMT-14" if datetime.now(UTC).hour >= 12 else "Etc/GMT+12")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("another_day")
async def test_w_46_what_is_public_goes_by_utc(tmp_path):
    sky, today = Sky(), int(Time.now().utc.mjd)
    for number, day in enumerate((today, today + 1)):
        row = daxa_nustar.testing.row(f"6000111000{number}", 10.0, 20.0, *EARLY, public_date=day)
        daxa_nustar.testing.add_rows(sky, [row])
    with seen(sky, tmp_path):
        mission = NuSTARPointed()
        await mission.load()
    assert mission.all_obs_info["proprietary_usable"].tolist() == [True, False]

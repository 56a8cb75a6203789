"""Selections that DAXA 0.3.5 made of the same two tables: counts, and sums of the sorted ObsIDs."""

import hashlib

import numpy as np
import pandas as pd
import pytest
from astropy.coordinates import SkyCoord
from astropy.units import Quantity

from daxa.exceptions import (
    InvalidParameterError,
    MissionLockedError,
    NoObsAfterFilterError,
    NoTargetSourceTypeInfo,
    ParameterTypeError,
)
from daxa.mission import eRASS1DE, eROSITACalPV
from daxa_demo import samples

pytestmark = pytest.mark.anyio
MONTH = pd.Timedelta(30, "D")


def sample(name):
    return getattr(samples, name)()


def places(table):
    return table[["ra", "dec"]].to_numpy()


def summed(mission):
    chosen = sorted(mission.filtered_obs_ids)
    return len(chosen), hashlib.sha1(",".join(chosen).encode()).hexdigest()[:12]


@pytest.mark.parametrize(
    ("kind", "sample_name", "radius", "rows", "expected"),
    [
        (eROSITACalPV, "efeds_clusters", None, 542, (4, "d14b8a66f099")),
        (eROSITACalPV, "efeds_clusters", Quantity(1, "deg"), 47, (4, "d14b8a66f099")),
        (eROSITACalPV, "supernovae", None, 20, (106, "1ba4dfcc2363")),
        (eROSITACalPV, "supernovae", Quantity(np.linspace(0.5, 5, 1000), "deg"), 8, (17, "e9dfdd987c89")),
        (eRASS1DE, "efeds_clusters", None, 542, (27, "c1c19122543d")),
        (eRASS1DE, "efeds_clusters", Quantity(1, "deg"), 169, (20, "363852b183b9")),
        (eRASS1DE, "supernovae", None, 389, (510, "00fbe6f3e783")),
        (eRASS1DE, "supernovae", Quantity(np.linspace(0.5, 5, 1000), "deg"), 349, (855, "4650ee5be30b")),
    ],
)
async def test_positions(kind, sample_name, radius, rows, expected):
    mission = kind()
    found = await mission.filter_on_positions(places(sample(sample_name)), radius, return_pos_obs_info=True)
    assert (len(found), summed(mission)) == (rows, expected)


@pytest.mark.parametrize(
    ("kind", "over_run", "rows", "expected"),
    [
        (eROSITACalPV, True, 3, (5, "a948a703b8ec")),
        (eROSITACalPV, False, 3, (5, "a948a703b8ec")),
        (eRASS1DE, True, 12, (18, "37086433f1a9")),
        (eRASS1DE, False, 9, (14, "3ac92e29c9ce")),
    ],
)
async def test_positions_at_their_times(kind, over_run, rows, expected):
    supernovae = sample("supernovae")
    when = pd.to_datetime(supernovae["discovered"])
    windows = [(when + shift).dt.to_pydatetime().tolist() for shift in (-MONTH, MONTH)]
    mission = kind()
    found = await mission.filter_on_positions_at_time(
        places(supernovae), *windows, return_obs_info=True, over_run=over_run
    )
    assert (len(found), summed(mission)) == (rows, expected)


@pytest.mark.parametrize(
    ("kind", "time", "rectangle", "both"),
    [
        (eROSITACalPV, (38, "6ac69f89ce6d"), (25, "b7d444e2644d"), (16, "0bdb7ca136f6")),
        (eRASS1DE, (162, "df641818ae89"), (104, "c719fbf06f75"), (16, "c2904ac8f8c3")),
    ],
)
async def test_times_and_rectangles(kind, time, rectangle, both):
    one, other = kind(), kind()
    await one.filter_on_time("2019-11-01", "2019-12-15")
    await other.filter_on_rect_region([80, -75], [130, -40])
    assert (summed(one), summed(other)) == (time, rectangle)
    await one.filter_on_rect_region([80, -75], [130, -40])
    await other.filter_on_time("2019-11-01", "2019-12-15")
    assert summed(one) == summed(other) == both


async def test_which_observations_belong_to_which_cluster():
    mission = eROSITACalPV()
    found = await mission.filter_on_positions(places(sample("efeds_clusters")), return_pos_obs_info=True)
    assert found["ObsIDs"].value_counts().to_dict() == {
        "300009,300010": 141, "300007,300008": 137, "300008,300009": 104, "300007": 47, "300007,300008,300009": 37,
        "300008,300009,300010": 35, "300010": 33, "300008": 4, "300009": 4,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("positions", "radii", "expected"),
    [
        ([129.55, 1.5], None, ["300007", "300008"]),
        ([[129.55, 1.5], [133.86, 1.5]], None, ["300007", "300008", "300009"]),
        (SkyCoord(224.415, 24.303, unit="deg", frame="galactic"), None, ["300007", "300008"]),
        (
            [[129.55, 1.5], [130.33, -78.96], [284.15, -37.91]],
            Quantity([5, 1, 0.5], "deg"),
            ["300004", "300007", "300008", "700008"],
        ),
    ],
)
async def test_some_places_of_the_early_release(positions, radii, expected):
    mission = eROSITACalPV()
    await mission.filter_on_positions(positions, radii)
    assert sorted(mission.filtered_obs_ids) == expected


async def test_some_tiles():
    day, ten_days, corner, near = (eRASS1DE() for _ in range(4))
    await day.filter_on_time("2020-01-01", "2020-01-02")
    await ten_days.filter_on_time("2020-01-01", "2020-01-10", over_run=False)
    await corner.filter_on_rect_region([129, -60], [145, -40])
    await near.filter_on_positions([[130.33, -78.96]])
    assert [len(one) for one in (day, ten_days, corner)] == [247, 7, 20]
    assert list(near.filtered_obs_ids) == ["122168", "135168"]


async def test_nothing_near_changes_nothing():
    mission = eROSITACalPV()
    with pytest.raises(NoObsAfterFilterError):
        await mission.filter_on_positions([180, 2])
    assert len(mission) == 170
    assert not mission.filtering_operations


async def test_neither_has_types_of_target():
    for kind in (eROSITACalPV, eRASS1DE):
        with pytest.raises(NoTargetSourceTypeInfo):
            await kind().filter_on_target_type("AGN")


# --- tables ---------------------------------------------------------------------------------------------------------


async def test_a_minute_may_have_sixty_seconds():
    mission = eRASS1DE()
    await mission.load()
    assert len(mission.all_obs_info) == 2447
    assert not mission.all_obs_info[["start", "end", "duration"]].isna().any().any()
    odd = mission.observation("133054")
    assert str(odd["start"]) == "2020-04-25 10:12:00"
    assert odd["end"] - odd["start"] == odd["duration"]
    assert str(mission.all_obs_info["start"].min()) == "2019-12-11 22:07:49"
    assert str(mission.all_obs_info["end"].max()) == "2020-06-11 10:22:16"


async def test_a_tile_knows_its_neighbours_and_edges():
    mission = eRASS1DE()
    await mission.load()
    row = mission.observation("117048")
    assert row["neigh_obs"] == "114045,118045,122045,113048,121048,112051,116051,119051,000000"
    assert (row["dec_min"], row["dec_max"]) == (40.5, 43.5)
    assert list(mission.all_obs_info.columns) == list(eRASS1DE.column_order)


async def test_neither_asks_the_network(offline):
    for kind, number in ((eROSITACalPV, 170), (eRASS1DE, 2447)):
        mission = kind(context=offline)
        await mission.load()
        assert len(mission.all_obs_info) == number


async def test_w_31_durations_are_durations():
    mission = eROSITACalPV()
    await mission.load()
    assert mission.observation("300007")["duration"] == pd.Timedelta(seconds=89627)


# --- fields ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "number"),
    [
        ("efeds", 4), ("crab ii", 30), ("survey", 5), ("magellanic clouds", 20), ("CRAB", 108),
        (["EFEDS", "eta cha"], 5), ("galactic fields", 121), ("Extragalactic Fields", 24), ("a3391", 4),
    ],
)  # fmt: skip
async def test_fields(fields, number):
    mission, filtered = eROSITACalPV(fields=fields), eROSITACalPV()
    await mission.load()
    await filtered.filter_on_fields(fields)
    assert len(mission) == len(filtered) == number
    mission.require_selection()  # fields that were chosen are a selection
    assert [one["name"] for one in filtered.filtering_operations] == ["filter_on_fields"]


async def test_w_17_the_globular_cluster_has_its_number():
    mission = eROSITACalPV(fields="47 Tuc")
    await mission.load()
    assert mission.chosen_fields == ["47_TUC__NGC_104_"]
    assert len(mission) == 8


async def test_fields_are_kept_with_a_saved_selection(tmp_path):
    mission = eROSITACalPV(fields=["EFEDS", "CRAB_1"], insts=["TM1", "TM2"])
    await mission.filter_on_time("2019-11-01", "2019-12-15")
    path = mission.save(tmp_path)
    again = eROSITACalPV(save_file_path=path)
    await again.load()
    assert again.chosen_fields == ["EFEDS", "CRAB_1"]
    assert list(again.filtered_obs_ids) == list(mission.filtered_obs_ids)
    again.reset_filter()
    assert set(again.filtered_obs_info["Field_Name"]) == {"EFEDS", "CRAB_1"}


async def test_fields_may_be_chosen_later_and_not_in_an_archive():
    mission = eROSITACalPV()
    await mission.load()
    assert len(mission.chosen_fields) == len(mission.all_mission_fields) == 32
    assert mission.all_mission_field_types == ["SURVEY", "MAGELLANIC_CLOUDS", "GALACTIC_FIELDS", "EXTRAGALACTIC_FIELDS"]
    mission.chosen_fields = "A3158"
    assert list(mission.filtered_obs_ids) == ["700177"]
    mission.chosen_fields = "survey"
    assert len(mission) == 5
    await mission.filter_on_obs_ids(["300007"])
    with pytest.raises(NoObsAfterFilterError, match="is of the chosen fields, A3158"):
        mission.chosen_fields = "A3158"
    assert "not of the chosen fields, EFEDS, ETA_CHA" in str(mission.explain("700177"))
    assert mission.chosen_fields == ["EFEDS", "ETA_CHA"]
    mission.lock()
    with pytest.raises(MissionLockedError):
        mission.chosen_fields = "A3158"


async def test_fields_of_a_filter_are_the_chosen_ones(tmp_path):
    mission = eROSITACalPV()
    await mission.filter_on_fields(["survey", "A3158"])
    assert mission.chosen_fields == ["EFEDS", "ETA_CHA", "A3158"]
    again = eROSITACalPV(save_file_path=mission.save(tmp_path))
    assert again.chosen_fields == ["EFEDS", "ETA_CHA", "A3158"]
    await mission.filter_on_positions([129.55, 1.5])
    mission.chosen_fields = "efeds"
    assert mission.chosen_fields == ["EFEDS"] and list(mission.filtered_obs_ids) == ["300007", "300008"]
    again.reset_filter()
    assert len(again.chosen_fields) == 32


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ("M82", InvalidParameterError),
        ([], InvalidParameterError),
        (["EFEDS", 3], InvalidParameterError),
        (5, InvalidParameterError),
    ],
)
def test_fields_that_are_none(fields, error):
    with pytest.raises(error):
        eROSITACalPV(fields=fields)


async def test_w_17_a_misprinted_obs_id_is_put_right_and_the_list_left_alone():
    mission, given = eROSITACalPV(), ["700195", "300007"]
    with pytest.warns(UserWarning, match="700199 and 700200"):
        await mission.filter_on_obs_ids(given)
    assert sorted(mission.filtered_obs_ids) == ["300007", "700199", "700200"]
    assert given == ["700195", "300007"]


async def test_w_10_obs_ids_of_the_early_release_can_be_left_out_and_replayed(tmp_path):
    mission = eROSITACalPV()
    await mission.filter_on_obs_ids(["300007"], invert=True)
    again = eROSITACalPV(save_file_path=mission.save(tmp_path))
    await again.update()
    assert len(again) == len(mission) == 169


# --- modules --------------------------------------------------------------------------------------------------------


async def test_w_07_modules_can_be_chosen_later_and_are_kept(tmp_path):
    for kind in (eROSITACalPV, eRASS1DE):
        mission = kind()
        mission.chosen_instruments = ["TM5", "tm1"]
        assert mission.chosen_instruments == ["TM5", "TM1"]
        await mission.filter_on_time("2019-11-01", "2019-12-31")
        again = kind(save_file_path=mission.save(tmp_path))
        assert again.chosen_instruments == ["TM5", "TM1"]
    with pytest.raises(InvalidParameterError):
        eROSITACalPV(insts="TM8")
    with pytest.raises(ParameterTypeError):
        eRASS1DE(insts=[1])


def test_fields_of_view():
    with pytest.warns(UserWarning, match="CalPV"):
        assert eROSITACalPV().fov == Quantity(4.5, "deg")
    assert eRASS1DE().fov == Quantity(1.8, "deg")
    bands = eRASS1DE().preprocessed_energy_bands["TM3"]
    assert bands.to_value("keV").tolist() == [
        [0.2, 0.6], [0.2, 2.3], [0.2, 0.5], [0.6, 2.3], [2.3, 5.0], [0.5, 1.0], [1.0, 2.0],
    ]  # fmt: skip


def test_which_modules_to_process():
    info = {"TM1": {"filter": "FILTER"}, "TM2": {"filter": "CLOSED"}, "TM3": {"filter": "OPEN"}}
    usable = {inst: one["usable"] for inst, one in eRASS1DE().assess_process_obs(info).items()}
    assert usable == {"TM1": True, "TM2": False, "TM3": True}
    assert eROSITACalPV().ident_to_obsid("700195TM1") == "700195"

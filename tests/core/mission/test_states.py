import json

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.time import Time
from astropy.units import Quantity

import daxa.exceptions as ex
from daxa.mission.operations import decode, encode

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "value",
    [
        Quantity(1.2345678901234567, "deg"),
        Quantity([1.0, 2.5], "arcmin"),
        {"A": Quantity(1, "deg"), "B": 2},
        [Quantity(1, "deg"), Quantity(2, "deg")],
        SkyCoord([1.0, 2.0], [3.0, 4.0], unit="deg", frame="fk5"),
        SkyCoord(1.0, 2.0, unit="deg", frame="icrs"),
        np.array([[1.0, 2.0]]),
        np.array([]),
        "text",
        None,
        True,
    ],
)
def test_w_10_arguments_come_back_from_json(value):
    again = decode(json.loads(json.dumps(encode(value))))
    if isinstance(value, SkyCoord):
        assert again.frame.name == value.frame.name and (again.separation(value).deg < 1e-12).all()
    elif isinstance(value, np.ndarray):
        assert np.all(again == value) and np.shape(again) == value.shape
    else:
        assert again == value


def test_times_and_frames_in_json():
    assert encode(Time("2020-01-02T03:04:05.5")) == {"datetime": "2020-01-02 03:04:05.500000"}
    assert encode(np.array(["2020-01-02"], dtype="M8[D]"))["datetime_list"][0].startswith("2020-01-02 00")
    galactic = encode(SkyCoord(10, 20, unit="deg", frame="galactic"))
    assert galactic["skycoord"]["frame"] == "icrs"
    assert decode({"quantity": "[1. 2.] deg"}).to_value("deg").tolist() == [1, 2]


async def selected(lab):
    mission = lab.Lab("A")
    await mission.filter_on_positions(SkyCoord([10, 200], [20, -30], unit="deg"), [Quantity(50, "deg"), 40])
    await mission.filter_on_time("2003-01-01", "2019-01-01", over_run=False)
    return mission


async def test_a_saved_selection_is_loaded_again(lab, context, tmp_path):
    mission = await selected(lab)
    path = mission.save(tmp_path / "saved")
    assert path == str(tmp_path / "saved" / "lab_state.json")
    again = lab.Lab(save_file_path=path)
    assert again.chosen_instruments == ["A"]
    again.require_selection()
    with pytest.raises(ex.CatalogueNotLoadedError):
        len(again)
    await again.load()
    assert (again.filter_array == mission.filter_array).all()
    assert [one["name"] for one in again.filtering_operations] == ["filter_on_positions", "filter_on_time"]
    await again.update(download_new=False)
    assert (again.filter_array == mission.filter_array).all()


async def test_daxas_own_files_are_loaded(lab, context, tmp_path):
    written = {
        "name": "lab",
        "chos_inst": ["B"],
        "chos_field": None,
        "downloaded_type": "raw+preprocessed",
        "cur_date": "2025-02-03 12:00:00.000000",
        "processed": True,
        "selected_obs": ["000001", "000002", "777777"],
        "science_usable": [True, True, True],
        "proprietary_usable": [True, True, True],
        "filtering_operations": [
            {
                "name": "filter_on_positions_at_time",
                "arguments": {
                    "positions": {"skycoord": {"ra": [1.0], "dec": [2.0], "frame": "icrs"}},
                    "start_datetimes": {"datetime_list": ["2001-01-01 00:00:00.000000"]},
                    "end_datetimes": {"datetime_list": ["2021-01-01 00:00:00.000000"]},
                    "search_distance": {"quantity": "170.0 deg"},
                    "return_obs_info": False,
                    "over_run": True,
                },
            }
        ],
    }
    path = tmp_path / "lab_state.json"
    path.write_text(json.dumps(written, indent=4))
    mission = lab.Lab(save_file_path=str(path))
    await mission.load()
    assert list(mission.filtered_obs_ids) == ["000001", "000002"]
    assert mission.chosen_instruments == ["B"] and mission.processed
    arguments = mission.filtering_operations[0]["arguments"]
    assert arguments["search_distance"] == Quantity(170, "deg") and arguments["start_datetimes"][0].year == 2001


async def test_w_08_saved_instruments_replace_the_usual_ones(lab, context, tmp_path):
    duo = lab.Duo("NARROW")
    await duo.filter_on_time("2001-01-01", "2030-01-01")
    again = lab.Duo(save_file_path=duo.save(tmp_path))
    await again.load()
    assert set(again.filtered_obs_info.instrument) == {"NARROW"} and len(again) == len(duo)


async def test_bad_states(lab, context, tmp_path):
    with pytest.raises(ex.MissingFileError):
        lab.Lab(save_file_path=tmp_path / "none.json")
    mission = await selected(lab)
    path = mission.save(tmp_path, "mine.json")
    with pytest.raises(ex.IncompatibleSaveError, match="'lab'"):
        lab.Duo(save_file_path=path)
    parts = (
        '"selected_obs": 5', '"filtering_operations": [1]', '"processed": "yes"', '"downloaded_type": 5', '"cur_date": null',
        '"downloaded_type": "all"', '"chos_field": "EFEDS"', '"chos_inst": ["C"]', '"chos_inst": [5]', '"chos_inst": null',
    )  # fmt: skip
    for text in ("{", "[]", "{}", *(f'{{"name": "lab", {part}}}' for part in parts)):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(ex.IncompatibleSaveError):
            lab.Lab(save_file_path=tmp_path / "bad.json")
    for name in ("mine.txt", "../mine.json"):
        with pytest.raises(ValueError, match=r"\.json"):
            mission.save(tmp_path, name)
    (tmp_path / "file").write_text("")
    with pytest.raises(ex.StorageError):
        mission.save(tmp_path / "file")
    with pytest.warns(UserWarning):
        mission.filter_array = np.zeros(300, dtype=bool)
    with pytest.raises(ex.NoObsAfterFilterError):
        mission.save(tmp_path)
    assert sorted(one.name for one in tmp_path.glob("*.json")) == ["bad.json", "mine.json"]


async def test_w_43_a_snapshot_is_json_and_needs_no_network(lab, context, make_context, server):
    mission = await selected(lab)
    snapshot = json.loads(json.dumps(mission.snapshot(), allow_nan=False))
    asked = len(server.log)
    again = lab.Lab.from_snapshot(snapshot, context=make_context(offline=True))
    assert len(server.log) == asked
    assert again.filtered_obs_info.equals(mission.filtered_obs_info.reset_index(drop=True))
    assert (again.filtered_obs_info.dtypes == mission.filtered_obs_info.dtypes).all()
    assert again.chosen_instruments == ["A"] and len(again) == len(again.all_obs_info)
    assert again.snapshot()["rows"] == snapshot["rows"]
    again.lock()
    assert again.explain(again.filtered_obs_ids[0]).selected
    with pytest.raises(ex.IncompatibleSaveError):
        lab.Duo.from_snapshot(snapshot)
    with pytest.raises(ex.IncompatibleSaveError, match="form"):
        lab.Lab.from_snapshot({**snapshot, "format": 99})


async def test_w_11_update_tells_what_changed_and_keeps_the_lock(lab, context, server):
    mission = lab.Lab()
    await mission.filter_on_time("2001-01-01", "2015-01-01")
    await mission.filter_on_target_type("GCL")
    rebuilt = lab.Lab.from_snapshot(mission.snapshot())
    rebuilt.lock()
    table = lab.rows(300)
    old = list(mission.filtered_obs_ids)
    table.loc[table.ObsID == old[0], "target_category"] = "AGN"
    table.loc[table.ObsID == old[1], "proprietary_usable"] = False
    table.loc[table.ObsID == old[1], "proprietary_end_date"] = None
    new = next(one for one in table.ObsID if one not in old)
    row = table.ObsID == new
    table.loc[row, "target_category"] = "GCL"
    table.loc[row, "science_usable"] = True
    table.loc[row, "start"] = table.start[table.ObsID == old[2]].iloc[0]
    table.loc[row, "end"] = table.end[table.ObsID == old[2]].iloc[0]
    server.put_catalogue(table)
    for one in (mission, rebuilt):
        assert one.updated_meta_info == {}
        await one.update(download_new=False)
        assert one.updated_meta_info == {
            "sel_obs_change": True,
            "any_obs_add": True,
            "new_obs_ids": [new],
            "any_obs_removed": True,
            "removed_obs_ids": [old[0]],
            "science_usable_change": False,
            "which_changed_science_usable": {},
            "proprietary_usable_change": True,
            "which_changed_proprietary_usable": {old[1]: False},
        }
    assert rebuilt.locked and not mission.locked
    unfiltered = lab.Lab()
    with pytest.warns(UserWarning, match="nothing is updated"):
        await unfiltered.update()


async def test_w_09_update_fetches_new_observations_as_it_did_the_others(lab, context, server):
    for obs_id in ("000001", "000002"):
        server.put_observation(obs_id, {"raw/data.bin": b"raw", "products/cama_x_001_evt.bin": b"product"})
    table = lab.rows(300)
    table["science_usable"] = table["ObsID"].isin(["000001"])
    server.put_catalogue(table)
    mission = lab.Lab()
    await mission.filter_on_time("1990-01-01", "2050-01-01")
    await mission.download(download_products=False)
    assert mission.downloaded_type == "raw"
    table["science_usable"] = table["ObsID"].isin(["000001", "000002"])
    server.put_catalogue(table)
    await mission.update()
    assert mission.downloaded_type == "raw" and mission.download_completed
    assert server.fetched("data.bin") == ["/files/000001/raw/data.bin", "/files/000002/raw/data.bin"]
    assert server.fetched("evt.bin") == []


async def test_an_update_that_fails_changes_nothing(lab, context, server):
    mission = lab.Lab()
    await mission.filter_on_obs_ids("000001")
    server.put_catalogue(lab.rows(300).iloc[1:])
    with pytest.raises(ex.NoObsAfterFilterError):
        await mission.update()
    assert list(mission.filtered_obs_ids) == ["000001"] and len(mission.filtering_operations) == 1

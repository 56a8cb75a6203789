"""Malformed arguments: a typed error that names what was expected, and a mission that is as it was."""

import json
from datetime import datetime

import numpy as np
import pandas as pd
import pytest
from astropy.coordinates import AltAz, SkyCoord
from astropy.table import MaskedColumn, Table
from astropy.time import Time
from astropy.units import Quantity, UnitConversionError

import daxa.exceptions as ex
from daxa.mission import Mission

pytestmark = pytest.mark.anyio

DAY = ("2010-01-01", "2010-01-02")
HERE = [[1, 2], [3, 4]]
KEV = Quantity(5, "keV")

CALLS = {
    # ObsIDs
    "filter_on_obs_ids": [
        ((5,), TypeError), ((None,), TypeError), (({"000001": 1},), TypeError), (([1, 2],), TypeError),
        ((b"000001",), TypeError), (("1",), ValueError), ((["000001", "1", "x"],), ValueError), (("../../x",), ValueError),
        (("000001\n",), ValueError), (("",), ValueError), (("000001", "no"), TypeError), (("000001", None), TypeError),
    ],
    # rectangles
    "filter_on_rect_region": [
        (("a", [1, 2]), TypeError), (([1, 2], None), TypeError), (([1, 2, 3], [4, 5]), TypeError),
        (([1, 91], [4, 5]), ValueError), (([1, np.nan], [4, 5]), ValueError), (([[1, 2], [3, 4]], [5, 6]), ValueError),
        ((SkyCoord([1, 2], [3, 4], unit="deg"), [5, 6]), ValueError),
        ((SkyCoord(np.nan, 3, unit="deg"), [5, 6]), ValueError), ((SkyCoord(1, 3, unit="deg", frame=AltAz()), [5, 6]), ValueError),
        ((Quantity([1, 2], "keV"), [5, 6]), UnitConversionError),
    ],
    # positions and distances
    "filter_on_positions": [
        (("M51",), TypeError), ((5,), TypeError), ((None,), TypeError), (([1, 2, 3],), TypeError), (({"ra": 1, "dec": 2},), TypeError),
        (([[1, 2], [3]],), TypeError), (([[1, "x"]],), TypeError), ((np.zeros((2, 2, 2)),), TypeError), (([],), ex.DaxaError),
        (([1, 91],), ValueError), (([np.inf, 1],), ValueError), ((SkyCoord([1, np.nan], [2, 3], unit="deg"),), ValueError),
        ((SkyCoord([[1, 2]], [[3, 4]], unit="deg"),), ValueError), ((SkyCoord([], [], unit="deg"),), ValueError),
        ((SkyCoord(1, 2, unit="deg", frame=AltAz()),), ValueError), ((Quantity([1, 2], "keV"),), UnitConversionError),
        ((pd.DataFrame({"x": [1]}),), TypeError), ((pd.DataFrame({"ra": ["a"], "dec": [1]}),), TypeError),
        ((pd.DataFrame({"ra": [1], "RA": [1], "dec": [2]}),), TypeError), ((pd.DataFrame({"ra": [None], "dec": [2.0]}),), ValueError),
        ((Table({"ra": MaskedColumn([1.0, 2.0], mask=[True, False]), "dec": [1.0, 2.0]}),), ValueError),
        ((Table({"ra": Quantity([1.0], "keV"), "dec": [1.0]}),), UnitConversionError),
        ((HERE, KEV), UnitConversionError), ((HERE, "far"), TypeError), ((HERE, "5 keV"), UnitConversionError), ((HERE, -1), ValueError),
        ((HERE, np.nan), ValueError), ((HERE, np.inf), ValueError), ((HERE, True), TypeError), ((HERE, object()), TypeError),
        ((HERE, [1]), ValueError), ((HERE, [1, 2, 3]), ValueError), ((HERE, []), ValueError), ((HERE, [1, None]), TypeError),
        ((HERE, [1, -1]), ValueError), ((HERE, np.array([1, -1])), ValueError), ((HERE, np.array([np.nan, 1])), ValueError),
        ((HERE, np.array([np.inf, 1])), ValueError), ((HERE, Quantity([1, 2], "keV")), UnitConversionError), ((HERE, np.ones((2, 1))), TypeError),
        ((HERE, [KEV, KEV]), UnitConversionError), (([1, 2], [1]), ValueError), ((HERE, {"A": 1, "B": 1}), TypeError),
        ((HERE, np.array(-1.0)), ValueError), ((HERE, 1, "yes"), TypeError),
    ],
    "filter_on_name": [
        ((5,), TypeError), ((None,), TypeError), (([],), TypeError), (("",), TypeError), ((["M51", 5],), TypeError), (([None],), TypeError),
        (("M51", KEV), UnitConversionError), (("M51", -1), ValueError), (("M51", [1, 2]), ValueError), ((["M51", "M31"], np.ones(3)), ValueError),
        (("M51", {"A": 1}), TypeError), (("M51", 1, "yes"), TypeError),
    ],
    "filter_on_time": [
        ((5, 6), TypeError), ((None, DAY[1]), TypeError), (("soon", DAY[1]), ValueError), ((DAY[0], ""), ValueError), ((DAY[1], DAY[0]), ValueError),
        ((pd.NaT, DAY[1]), ValueError), ((np.datetime64("NaT", "us"), DAY[1]), ValueError), ((Time(["2010-01-01"]), DAY[1]), TypeError),
        ((Time("2016-12-31T23:59:60"), "2017-01-02"), ValueError), ((*DAY, "no"), TypeError), ((*DAY, 1), TypeError), (([DAY[0]], [DAY[1]]), TypeError),
        ((DAY[0], "now"), ValueError), (("today", DAY[1]), ValueError),
    ],
    "filter_on_target_type": [
        ((5,), TypeError), ((None,), TypeError), (([5],), TypeError), (("WIMP",), ex.IllegalSourceType), ((["GCL", "WIMP"],), ex.IllegalSourceType),
        (([],), ex.IllegalSourceType), (("",), ex.IllegalSourceType),
    ],
    "filter_on_positions_at_time": [
        ((HERE, DAY[0], [DAY[1]]), TypeError), ((HERE, *DAY), ValueError), ((HERE, [DAY[0]], [DAY[1]]), ValueError),
        ((HERE, [DAY[0]] * 2, [DAY[1]] * 3), ValueError), ((HERE, [DAY[1]] * 2, [DAY[0]] * 2), ValueError), ((HERE, [5, 6], [7, 8]), TypeError),
        ((HERE, 5, 6), TypeError), ((HERE, [DAY[0]] * 2, [DAY[1]] * 2, KEV), UnitConversionError), ((HERE, [DAY[0]] * 2, [DAY[1]] * 2, [1]), ValueError),
        (("x", [DAY[0]] * 2, [DAY[1]] * 2), TypeError), ((HERE, [DAY[0]] * 2, [DAY[1]] * 2, 1, "yes"), TypeError),
        ((HERE, [DAY[0]] * 2, [DAY[1]] * 2, 1, True, "no"), TypeError), ((HERE, [None, None], [None, None]), TypeError),
    ],
    "filter_on_region": [
        ((5,), TypeError), ((None,), TypeError), (([1, 2, 3],), TypeError), (({"moc": "1/0"},), TypeError), (("",), ValueError), (("BOX ICRS 1 2 3 4",), ValueError),
        (("CIRCLE ICRS 1 2",), ValueError), (("CIRCLE ICRS 1 2 -3",), ValueError), (("CIRCLE ICRS 1 2 nan",), ValueError), (("POLYGON ICRS 1 2 3 4",), ValueError),
        (("POLYGON ICRS 1 2 3 4 5",), ValueError), (("POLYGON ICRS 0 0 120 0 240 0",), ValueError), (("UNION ICRS ()",), ValueError),
    ],
}  # fmt: skip

ROWS = [(name, arguments, error) for name, rows in CALLS.items() for arguments, error in rows]


@pytest.fixture
async def mission(lab, context):
    made = lab.Lab()
    await made.filter_on_time("2001-01-01", "2030-01-01")
    return made


@pytest.mark.parametrize(
    ("name", "arguments", "error"), ROWS, ids=[f"{name[10:]}-{number}" for number, (name, *_rest) in enumerate(ROWS)]
)
async def test_arguments_of_filters(mission, name, arguments, error):
    before, operations = mission.filter_array.copy(), mission.filtering_operations
    with pytest.raises(error) as caught:
        await getattr(mission, name)(*arguments)
    told = caught.value
    assert isinstance(told, ex.DaxaError) and told.message and told.expected and told.remedy
    assert (mission.filter_array == before).all() and mission.filtering_operations == operations
    mission.require_selection()  # nothing waits to be awaited


async def test_unlike_fields_of_view_want_each_instrument(lab, context):
    duo = lab.Duo()
    for bad, error in (
        ({"WIDE": 1}, KeyError), ({}, KeyError), ({"WIDE": 1, "NARROW": 1, "ODD": 1}, KeyError), ({"WIDE": 1, "NARROW": "x"}, TypeError), ({"WIDE": 1, "NARROW": "5 deg"}, TypeError),
        ({"WIDE": 1, "NARROW": None}, TypeError), ({"WIDE": 1, "NARROW": KEV}, UnitConversionError), ({"WIDE": 1, "NARROW": -1}, ValueError),
    ):  # fmt: skip
        with pytest.raises(error) as caught:
            await duo.filter_on_positions(HERE, bad)
        assert isinstance(caught.value, ex.DaxaError)


@pytest.mark.parametrize(
    ("setting", "value", "error"),
    [
        ("filter_array", [True], TypeError), ("filter_array", np.zeros(300), TypeError), ("filter_array", np.zeros(3, dtype=bool), ValueError),
        ("filter_array", np.zeros((300, 1), dtype=bool), TypeError), ("filter_array", None, TypeError),
        ("all_obs_info", [1], ValueError), ("all_obs_info", pd.DataFrame({"ra": [1.0]}), ValueError), ("all_obs_info", None, ValueError),
        ("chosen_instruments", [], ValueError), ("chosen_instruments", "C", ValueError), ("chosen_instruments", [1], TypeError), ("chosen_instruments", None, TypeError),
        ("top_level_path", "/no/such/place", FileNotFoundError), ("locked", 1, TypeError), ("locked", None, TypeError), ("processed", "yes", TypeError),
        ("filtering_operations", [], TypeError), ("filtering_operations", {"name": "filter_on_time"}, TypeError),
        ("filtering_operations", {"name": 5, "arguments": {}}, TypeError), ("filtering_operations", {"name": "delete_raw_data", "arguments": {}}, ValueError),
        ("filtering_operations", {"name": "filter_on_time", "arguments": []}, TypeError),
    ],
)  # fmt: skip
async def test_properties(mission, setting, value, error):
    before, operations = mission.filter_array.copy(), mission.filtering_operations
    with pytest.raises(error) as caught:
        setattr(mission, setting, value)
    assert isinstance(caught.value, ex.DaxaError)
    assert (mission.filter_array == before).all() and mission.filtering_operations == operations and not mission.locked


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda lab, m, p: lab.Lab("C"), ValueError),
        (lambda lab, m, p: lab.Lab([1]), TypeError),
        (lambda lab, m, p: lab.Lab(save_file_path=p / "none.json"), FileNotFoundError),
        (lambda lab, m, p: m.check_inst_names([]), ValueError),
        (lambda lab, m, p: m.check_inst_names([None]), TypeError),
        (lambda lab, m, p: m.check_inst_names("C"), ValueError),
        (lambda lab, m, p: m.save(p, "state.txt"), ValueError),
        (lambda lab, m, p: m.save(p, "../state.json"), ValueError),
        (lambda lab, m, p: m.explain("x"), ValueError),
        (lambda lab, m, p: m.explain(5), TypeError),
        (lambda lab, m, p: m.observation("999999"), KeyError),
        (lambda lab, m, p: m.show_allowed_target_types("html"), ValueError),
        (lambda lab, m, p: m.downloaded_type, ex.DAXANotDownloadedError),
        (lambda lab, m, p: m.get_evt_list_path("000001", "A"), ex.DAXANotDownloadedError),
        (lambda lab, m, p: m.get_background_path("000001"), ex.PreProcessedNotSupportedError),
        (lambda lab, m, p: m.get_image_path("000001", 0.5), TypeError),
        (lambda lab, m, p: m.get_image_path("000001", Quantity(5, "deg")), TypeError),
    ],
)
async def test_other_calls(lab, mission, tmp_path, call, error):
    with pytest.raises(error) as caught:
        call(lab, mission, tmp_path)
    assert isinstance(caught.value, ex.DaxaError)


def test_a_mission_that_says_no_name(lab, context):
    nameless = type("Nameless", (Mission,), {"name": "nameless"})
    assert nameless.pretty_name == ""
    with pytest.raises(ValueError, match="Nameless does not say what it is called"):
        nameless().pretty_name  # noqa: B018


async def test_what_is_changed_after_the_call_does_not_count(mission):
    ids = ["000001", "000002"]
    pending = mission.filter_on_obs_ids(ids)
    ids[:] = ["x"]
    await pending
    assert mission.filtered_obs_ids.tolist() == ["000001", "000002"]
    assert mission.filtering_operations[-1]["arguments"]["allowed_obs_ids"] == ["000001", "000002"]
    await mission.filter_on_obs_ids(one for one in ["000002"])
    assert mission.filtering_operations[-1]["arguments"]["allowed_obs_ids"] == ["000002"]
    json.dumps(mission.state.to_json())


async def test_flags_of_other_kinds_are_flags(mission):
    await mission.filter_on_obs_ids("000004", invert=np.True_)
    mission.filter_array = pd.Series(np.arange(300) < 5)
    assert len(mission) == 5 and isinstance(mission.filter_array, np.ndarray)
    await mission.filter_on_time(datetime(2001, 1, 1), datetime(2030, 1, 1), over_run=np.False_)

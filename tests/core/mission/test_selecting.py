import json
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import QTable, Table
from astropy.time import Time
from astropy.units import Quantity, UnitConversionError

import daxa.exceptions as ex
from daxa.mission.encoding import decode

pytestmark = pytest.mark.anyio


@pytest.fixture
async def mission(lab, context):
    made = lab.Lab()
    await made.load()
    return made


def brute(table, positions, radii, frame="fk5"):
    """Pairs by astropy's own separation, one position after the other."""
    places = SkyCoord(table["ra"].to_numpy(), table["dec"].to_numpy(), unit="deg", frame=frame)
    return [
        set(table["ObsID"][(places.separation(one).deg <= radius) & table["science_usable"].to_numpy()])
        for one, radius in zip(positions, radii, strict=True)
    ]


# --- what a mission is before it is asked --------------------------------------------------------------------------


def test_w_43_making_a_mission_touches_neither_network_nor_disk(lab, context, server, tmp_path):
    lab.Lab()
    assert server.log == []
    assert not (tmp_path / "output").exists() and not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    "read",
    [
        lambda m: m.all_obs_info,
        lambda m: m.filtered_obs_info,
        lambda m: m.ra_decs,
        lambda m: len(m),
        lambda m: m.obs_ids,
        lambda m: m.filter_array,
        lambda m: m.info(),
    ],
)
def test_a_table_read_before_it_is_loaded_shows_the_line_to_write(lab, context, read):
    with pytest.raises(ex.CatalogueNotLoadedError, match=r"await mission\.load\(\)"):
        read(lab.Lab())


def test_declarations(lab, context):
    mission = lab.Lab()
    assert mission.fov == Quantity(15, "arcmin") == lab.Lab.fov
    assert lab.Duo.fov["NARROW"] == Quantity(5, "arcmin")
    assert mission.coord_frame.__name__ == "FK5"
    assert mission.chosen_instruments == ["A", "B"] == mission.all_mission_instruments
    assert mission.id_regex == r"[0-9]{6}"
    assert mission.check_obsid_pattern("000001") and not mission.check_obsid_pattern("000001\n")
    assert not mission.one_inst_per_obs and not mission.locked and not mission.processed
    assert mission.preprocessed_energy_bands["A"].to_value("keV").tolist() == [[0.5, 2.0], [2.0, 7.0]]
    assert mission.raw_data_path == f"{context.config.output}/lab_raw/"


def test_instrument_names(lab, context):
    with pytest.warns(UserWarning, match="another name"):
        assert lab.Lab(["cam-a", "a", "B"]).chosen_instruments == ["A", "B"]
    with pytest.raises(ex.InvalidParameterError, match="'C'"):
        lab.Lab(["C"])
    with pytest.raises(ex.ParameterTypeError):
        lab.Lab([1])
    with pytest.raises(ex.InvalidParameterError):
        lab.Lab([])
    assert lab.Lab().check_inst_names(["A", "C"], error_on_bad_inst=False) == ["A"]


# --- the table -----------------------------------------------------------------------------------------------------


async def test_the_table_has_its_columns_in_order_and_of_their_kinds(mission):
    table = mission.all_obs_info
    assert list(table.columns) == list(mission.column_order)
    assert table["start"].dtype.kind == "M" and table["duration"].dtype.kind == "m"
    assert table["ra"].dtype == "float64" and table["science_usable"].dtype == bool
    assert table["ObsID"].dtype == pd.Series(["x"]).dtype
    assert mission.obs_ids.dtype == object and isinstance(mission.obs_ids[0], str)
    assert len(mission) == mission.science_usable.sum() < len(table)
    assert mission.ra_decs.frame.name == "fk5" and len(mission.filtered_ra_decs) == len(mission)
    assert mission.observation("000002")["ObsID"] == "000002"
    with pytest.raises(ex.ObsNotAssociatedError):
        mission.observation("999999")


async def test_a_table_of_the_users_is_checked(mission):
    table = mission.all_obs_info.iloc[:5]
    with pytest.raises(ValueError, match="'duration'"):
        mission.all_obs_info = table.drop(columns="duration")
    with pytest.raises(ValueError, match="DataFrame"):
        mission.all_obs_info = [1]
    with pytest.raises(ex.IllegalSourceType, match="WIMP"):
        mission.all_obs_info = table.assign(target_category="WIMP")
    await mission.filter_on_obs_ids("000002")
    mission.all_obs_info = table
    assert len(mission.all_obs_info) == 5 and mission.filtering_operations == []


# --- ObsIDs, targets, times ----------------------------------------------------------------------------------------


async def test_obs_ids(mission, lab):
    await mission.filter_on_obs_ids(["000001", "000002", "999999"])
    assert list(mission.filtered_obs_ids) == ["000001", "000002"]
    await mission.filter_on_obs_ids(("000001",), invert=True)
    assert list(mission.filtered_obs_ids) == ["000002"]
    assert mission.filtering_operations[1] == {
        "name": "filter_on_obs_ids",
        "arguments": {"allowed_obs_ids": ("000001",), "invert": True},
    }
    with pytest.raises(ex.InvalidObsIDError, match="'12'"):
        await mission.filter_on_obs_ids(["12", "000001"])
    with pytest.raises(ex.ParameterTypeError, match="leading zeros"):
        await mission.filter_on_obs_ids([12])
    duo = lab.Duo()
    await duo.filter_on_obs_ids([12, "13"])
    assert list(duo.filtered_obs_ids) == ["12", "13"]
    with pytest.raises(ex.ParameterTypeError):
        await duo.filter_on_obs_ids(True)


async def test_w_05_a_filter_that_empties_changes_nothing(mission):
    await mission.filter_on_target_type("gcl")
    before, operations = mission.filter_array, mission.filtering_operations
    first = mission.filtered_obs_info.iloc[0]
    far = [(first.ra + 180) % 360, -first.dec]
    for call in (
        lambda: mission.filter_on_target_type("AGN"),
        lambda: mission.filter_on_obs_ids("999999"),
        lambda: mission.filter_on_time("1990-01-01", "1990-01-02"),
        lambda: mission.filter_on_rect_region([10, 89.9999], [10.0001, 90]),
        lambda: mission.filter_on_positions(far, 1e-6),
        lambda: mission.filter_on_positions([far, far], [1e-6, 1e-6]),
        lambda: mission.filter_on_positions(far, 1e-6, return_pos_obs_info=True),
        lambda: mission.filter_on_positions_at_time(far, "2001-01-01", "2030-01-01", 1e-6),
        lambda: mission.filter_on_region("CIRCLE ICRS 0 90 0.000001"),
    ):
        with pytest.raises(ex.NoObsAfterFilterError):
            await call()
        assert (mission.filter_array == before).all() and mission.filtering_operations == operations


async def test_w_02_an_error_elsewhere_does_not_end_the_record(mission, lab):
    other = lab.Duo()
    with pytest.raises(ex.NoObsAfterFilterError):
        await other.filter_on_time("1990-01-01", "1990-01-02")
    await mission.filter_on_target_type("GCL")
    assert [one["name"] for one in mission.filtering_operations] == ["filter_on_target_type"]


async def test_w_03_the_arguments_really_used_are_recorded(mission):
    first = mission.filtered_obs_info.iloc[0]
    await mission.filter_on_positions([first.ra, first.dec], Quantity(2, "deg"))
    assert mission.filtering_operations[-1]["arguments"] == {
        "positions": [first.ra, first.dec],
        "search_distance": Quantity(2, "deg"),
        "return_pos_obs_info": False,
    }


async def test_target_types(mission, lab):
    await mission.filter_on_target_type(["gcl", "AGN"])
    assert set(mission.filtered_obs_info["target_category"]) == {"GCL", "AGN"}
    with pytest.raises(ex.IllegalSourceType, match="WIMP"):
        await mission.filter_on_target_type("WIMP")
    plain = lab.Duo()
    await plain.load()
    plain.all_obs_info = plain.all_obs_info.drop(columns="target_category")
    with pytest.raises(ex.NoTargetSourceTypeInfo):
        await plain.filter_on_target_type("AGN")


def test_the_taxonomy_can_be_shown(lab, capsys):
    lab.Lab.show_allowed_target_types("simple")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 23 and lines[0].split() == ["Target", "Type", "Description"]
    lab.Lab.show_allowed_target_types()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 * 22 + 1 and lines[1].startswith("│ Target Type │ Description ")
    assert lines[2][0] == "╞" and len({len(line) for line in lines}) == 1
    with pytest.raises(ex.InvalidParameterError, match="fancy_grid"):
        lab.Lab.show_allowed_target_types("html")


@pytest.mark.parametrize(
    "convert",
    [
        lambda t: t.to_pydatetime(),
        lambda t: t.to_pydatetime().replace(tzinfo=UTC),
        lambda t: t.isoformat(),
        lambda t: Time(t.isoformat(), scale="utc"),
        lambda t: t.to_datetime64(),
    ],
)
async def test_times_are_inclusive_and_come_in_all_forms(mission, convert):
    row = mission.filtered_obs_info.iloc[7]
    await mission.filter_on_time(convert(row.start), convert(row.end), over_run=False)
    assert list(mission.filtered_obs_ids) == [row.ObsID]
    mission.reset_filter()
    await mission.filter_on_time(convert(row.end), convert(row.end))
    assert row.ObsID in mission.filtered_obs_ids


async def test_over_run_against_the_three_clauses(mission):
    start, end = pd.Timestamp("2008-01-01"), pd.Timestamp("2009-01-01")
    table = mission.filtered_obs_info
    expected = (table.start.between(start, end) | table.end.between(start, end)) | (
        (table.start <= start) & (table.end >= end)
    )
    await mission.filter_on_time(start.to_pydatetime(), end.to_pydatetime())
    assert set(mission.filtered_obs_ids) == set(table.ObsID[expected])


async def test_bad_times(mission):
    with pytest.raises(ex.InvalidParameterError, match="before it starts"):
        await mission.filter_on_time("2009-01-01", "2008-01-01")
    with pytest.raises(ex.InvalidParameterError):
        await mission.filter_on_time("soon", "later")
    with pytest.raises(ex.ParameterTypeError):
        await mission.filter_on_time(12, 13)


# --- positions -----------------------------------------------------------------------------------------------------


async def test_all_forms_of_positions_give_the_same(mission):
    row = mission.filtered_obs_info.iloc[11]
    place = SkyCoord(row.ra, row.dec, unit="deg", frame="fk5")
    forms = [
        [row.ra, row.dec],
        (row.ra, row.dec),
        np.array([row.ra, row.dec]),
        [[row.ra, row.dec]],
        np.array([[row.ra, row.dec]]),
        place,
        place.galactic,
        place.icrs,
        [place.icrs],
        SkyCoord([place]),
        Quantity([row.ra, row.dec], "deg"),
        pd.DataFrame({"RA": [row.ra], "Dec": [row.dec]}),
        Table({"ra": Quantity([row.ra], "deg"), "dec": Quantity([row.dec], "deg")}),
        [[Quantity(row.ra, "deg"), Quantity(row.dec * 60, "arcmin")]],
        ((Quantity(row.ra, "deg"), Quantity(row.dec, "deg")),),
        pd.DataFrame({"Dec": [row.dec], "name": ["here"], "RA": [row.ra]}).iloc[0],
        Table({"dec": [0.0, row.dec], "ra": [0.0, row.ra]})[1],
        QTable({"dec": Quantity([row.dec], "deg"), "ra": Quantity([row.ra / 15], "hourangle")})[0],
        pd.Series([row.ra, row.dec]),
    ]
    for form in forms:
        mission.reset_filter()
        found = await mission.filter_on_positions(form, "1 arcmin", return_pos_obs_info=True)
        assert list(mission.filtered_obs_ids) == [row.ObsID]
        assert list(found.columns) == ["pos_ind", "pos_ra", "pos_dec", "ObsIDs"]
        assert found.ObsIDs.tolist() == [row.ObsID] and found.pos_ind.tolist() == [0]
        assert abs(found.pos_ra[0] - row.ra) < 1e-8 and found.pos_ra.dtype == "float64"
        written = json.loads(json.dumps(mission.state.to_json()["filtering_operations"][0]["arguments"]))
        mission.reset_filter()
        await mission.filter_on_positions(**decode(written))
        assert list(mission.filtered_obs_ids) == [row.ObsID]


@pytest.mark.parametrize(
    ("positions", "distance", "error"),
    [
        ("M51", None, ex.ParameterTypeError),
        ([1, 2, 3], None, ex.ParameterTypeError),
        ([1, 91], None, ex.InvalidParameterError),
        ([float("nan"), 1], None, ex.InvalidParameterError),
        ([], None, ex.DaxaError),
        (pd.DataFrame({"x": [1]}), None, ex.ParameterTypeError),
        ([1, 2], Quantity(5, "keV"), UnitConversionError),
        ([1, 2], Quantity(5, "keV"), ex.ParameterTypeError),
        ([1, 2], -1, ex.InvalidParameterError),
        ([1, 2], [1, 2], ValueError),
        ([[1, 2], [3, 4]], [1, 2, 3], ValueError),
        ([1, 2], {"A": 1}, TypeError),
        ([1, 2], object(), TypeError),
    ],
)
async def test_bad_positions_and_distances(mission, positions, distance, error):
    with pytest.raises(error) as caught:
        await mission.filter_on_positions(positions, distance)
    assert isinstance(caught.value, ex.DaxaError)
    assert mission.filtering_operations == []


async def test_w_41_associations_against_brute_force(mission):
    rng = np.random.default_rng(5)
    places = SkyCoord(rng.uniform(0, 360, 40), np.degrees(np.arcsin(rng.uniform(-1, 1, 40))), unit="deg", frame="icrs")
    for radii in (np.full(40, 8.0), rng.uniform(0.1, 20, 40)):
        mission.reset_filter()
        given = radii if len(set(radii)) > 1 else Quantity(8, "deg")
        found = await mission.filter_on_positions(places, given, return_pos_obs_info=True)
        expected = brute(mission.all_obs_info, places, radii)
        assert dict(zip(found.pos_ind, (set(one.split(",")) for one in found.ObsIDs), strict=True)) == {
            index: one for index, one in enumerate(expected) if one
        }
        assert set(mission.filtered_obs_ids) == set().union(*expected)
        without = type(mission)()
        await without.filter_on_positions(places, given)
        assert (without.filter_array == mission.filter_array).all()


async def test_w_24_numbers_in_the_table_of_associations_are_numbers(mission):
    row = mission.filtered_obs_info.iloc[0]
    found = await mission.filter_on_positions([[row.ra, row.dec]], 1, return_pos_obs_info=True)
    assert found["pos_ind"].dtype.kind == "i" and found["pos_ra"].dtype == found["pos_dec"].dtype == np.float64
    assert found["pos_ra"][0] == row.ra and isinstance(found["ObsIDs"][0], str)


async def test_w_40_one_look_at_the_catalogue_serves_all_positions(mission, monkeypatch):
    """Each with a radius of its own: the tree is made once, not once a position."""
    from daxa.mission import selection

    trees = []
    make = selection.KDTree
    monkeypatch.setattr(selection, "KDTree", lambda *given: trees.append(1) or make(*given))
    places = np.column_stack([np.linspace(0, 359, 500), np.linspace(-80, 80, 500)])
    found = await mission.filter_on_positions(places, np.linspace(1, 9, 500), return_pos_obs_info=True)
    assert len(found) > 50 and len(trees) == 1


async def test_only_observations_that_passed_before_are_listed(mission):
    await mission.filter_on_target_type("GCL")
    found = await mission.filter_on_positions([10, 20], 60, return_pos_obs_info=True)
    listed = set(found.ObsIDs[0].split(","))
    assert listed == set(mission.filtered_obs_ids)
    assert set(mission.filtered_obs_info.target_category) == {"GCL"}


async def test_w_04_distances_by_instrument_keep_earlier_filters(lab, context):
    duo = lab.Duo()
    await duo.filter_on_time("2005-01-01", "2015-01-01")
    middle = set(duo.filtered_obs_ids)
    rng = np.random.default_rng(3)
    places = SkyCoord(rng.uniform(0, 360, 300), np.degrees(np.arcsin(rng.uniform(-1, 1, 300))), unit="deg")
    await duo.filter_on_positions(places)
    assert set(duo.filtered_obs_ids) < middle
    table = duo.all_obs_info
    radii = table.instrument.map({"WIDE": 1.2, "NARROW": 0.1}).to_numpy()
    near = np.array(
        [
            SkyCoord(row.ra, row.dec, unit="deg").separation(places).deg.min() <= radius
            for row, radius in zip(table.itertuples(), radii, strict=True)
        ]
    )
    assert set(duo.filtered_obs_ids) == middle & set(table.ObsID[near])
    assert [one["name"] for one in duo.filtering_operations] == ["filter_on_time", "filter_on_positions"]
    with pytest.raises(KeyError):
        await duo.filter_on_positions(places, {"WIDE": 1})
    with pytest.raises(KeyError):
        await duo.filter_on_positions(places, {"WIDE": 1, "NARROW": 1, "ODD": 1})
    with pytest.raises(TypeError):
        await duo.filter_on_positions(places, {"WIDE": 1, "NARROW": None})
    with pytest.warns(UserWarning, match="unlike fields of view"):
        await duo.filter_on_positions(places, 100)


async def test_w_42_positions_at_time_against_brute_force(mission):
    rng = np.random.default_rng(6)
    places = SkyCoord(rng.uniform(0, 360, 60), np.degrees(np.arcsin(rng.uniform(-1, 1, 60))), unit="deg", frame="fk5")
    starts = [datetime(2001, 1, 1) + timedelta(days=int(day)) for day in rng.integers(0, 6000, 60)]
    ends = [one + timedelta(days=900) for one in starts]
    table = mission.all_obs_info
    expected = {}
    for index, near in enumerate(brute(table, places, np.full(60, 15.0))):
        inside = table[table.ObsID.isin(near) & (table.start <= ends[index]) & (table.end >= starts[index])]
        if len(inside):
            expected[index] = ",".join(inside.ObsID)
    found = await mission.filter_on_positions_at_time(places, starts, np.array(ends), 15, return_obs_info=True)
    assert dict(zip(found.pos_ind, found.ObsIDs, strict=True)) == expected
    assert list(found.index) == list(range(len(found)))
    assert set(mission.filtered_obs_ids) == {one for ids in expected.values() for one in ids.split(",")}
    with pytest.raises(TypeError):
        await mission.filter_on_positions_at_time([1, 2], starts[0], ends)
    with pytest.raises(ValueError, match="one window"):
        await mission.filter_on_positions_at_time(places, starts[:3], ends[:3])


async def test_filters_commute(lab, context):
    calls = [
        lambda m: m.filter_on_time("2003-01-01", "2018-01-01"),
        lambda m: m.filter_on_target_type(["GCL", "STR"]),
        lambda m: m.filter_on_positions([[20, 30], [300, -50]], 70),
        lambda m: m.filter_on_rect_region([200, -80], [380, 70]),
    ]
    results = []
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]):
        mission = lab.Lab()
        for index in order:
            await calls[index](mission)
        results.append(mission.filter_array)
    assert all((one == results[0]).all() for one in results) and results[0].any()


# --- rectangles and regions ----------------------------------------------------------------------------------------


async def test_w_06_rectangles_cross_ra_0(mission):
    table = mission.filtered_obs_info
    await mission.filter_on_rect_region([350, -60], [10, 60])
    expected = table[((table.ra >= 350) | (table.ra <= 10)) & table.dec.between(-60, 60)]
    assert set(mission.filtered_obs_ids) == set(expected.ObsID) and len(expected)
    mission.reset_filter()
    await mission.filter_on_rect_region([350, -60], [370, 60])
    assert set(mission.filtered_obs_ids) == set(expected.ObsID)


async def test_w_06_corners_the_other_way_round_are_swapped_with_a_warning(mission):
    table = mission.filtered_obs_info
    with pytest.warns(UserWarning, match="swapped"):
        await mission.filter_on_rect_region([90, 60], [20, -60])
    expected = table[table.ra.between(20, 90) & table.dec.between(-60, 60)]
    assert set(mission.filtered_obs_ids) == set(expected.ObsID)


async def test_w_06_rectangles_follow_the_frame_of_their_corners(mission):
    table = mission.filtered_obs_info
    galactic = mission.filtered_ra_decs.galactic
    await mission.filter_on_rect_region(
        SkyCoord(350, -20, unit="deg", frame="galactic"), SkyCoord(40, 30, unit="deg", frame="galactic")
    )
    inside = ((galactic.l.deg >= 350) | (galactic.l.deg <= 40)) & (np.abs(galactic.b.deg - 5) <= 25)
    assert set(mission.filtered_obs_ids) == set(table.ObsID[inside])
    with pytest.raises(ex.DaxaError):
        await mission.filter_on_rect_region([1, 2, 3], [4, 5])


async def test_the_line_ra_360_is_that_of_0(lab, context):
    mission = lab.Lab()
    table = lab.rows(4).assign(science_usable=True, dec=0.0)
    table["ra"] = [0.0, 359.0, 1.0, 180.0]
    mission.all_obs_info = table
    for west, east, expected in ((350, 360, 2), (360, 370, 2), (-10, 0, 2), (0, 360, 4), (360, 720, 4)):
        mission.reset_filter()
        await mission.filter_on_rect_region([west, -1], [east, 1])
        assert len(mission) == expected and mission.filter_array[0]


async def test_distances_in_a_column_have_its_unit(mission):
    places = mission.filtered_obs_info.iloc[:3]
    table = Table({"ra": places.ra.to_numpy() + 0.2, "dec": places.dec.to_numpy()})
    table["radius"] = [20.0, 30.0, 40.0]
    table["radius"].unit = "deg"
    found = await mission.filter_on_positions(table, table["radius"], return_pos_obs_info=True)
    for masked in (False, True):
        small = Table({"radius": [1200.0, 1800.0, 2400.0]}, masked=masked)
        small["radius"].unit = "arcmin"
        mission.reset_filter()
        again = await mission.filter_on_positions(table, small["radius"], return_pos_obs_info=True)
        assert again.equals(found)
        written = decode(json.loads(json.dumps(mission.state.to_json()["filtering_operations"][0]["arguments"])))
        assert written["search_distance"].unit == "arcmin"
    small["radius"].mask[1] = True
    with pytest.raises(ex.InvalidParameterError):
        await mission.filter_on_positions(table, small["radius"])


async def test_a_position_that_is_none_is_named(mission):
    with pytest.raises(ex.InvalidParameterError, match=r"number 1, counted from 0, \(3\.0, nan\).*nor are 1 more"):
        await mission.filter_on_positions([[1, 2], [3, np.nan], [5, 91]])


async def test_regions(mission):
    table, places = mission.filtered_obs_info, mission.filtered_ra_decs
    await mission.filter_on_region("CIRCLE ICRS 120 40 30")
    inside = places.separation(SkyCoord(120, 40, unit="deg")).deg <= 30
    assert set(mission.filtered_obs_ids) == set(table.ObsID[inside])
    mission.reset_filter()
    await mission.filter_on_region("Polygon ICRS GEOCENTER 340 -30 20 -30 20 30 340 30")
    polygon = set(mission.filtered_obs_ids)
    icrs = places.icrs
    sure = ((icrs.ra.deg > 340.5) | (icrs.ra.deg < 19.5)) & (np.abs(icrs.dec.deg) < 29.5)
    never = ((icrs.ra.deg < 339.5) & (icrs.ra.deg > 20.5)) | (np.abs(icrs.dec.deg) > 33)
    assert set(table.ObsID[sure]) <= polygon and not polygon & set(table.ObsID[never])
    mission.reset_filter()
    from regions import CircleSkyRegion, EllipseSkyRegion, PolygonSkyRegion, RectangleSkyRegion

    centre = SkyCoord(120, 40, unit="deg")
    size = {"width": Quantity(40, "deg"), "height": Quantity(40, "deg")}
    for region in (CircleSkyRegion(centre, Quantity(20, "deg")), EllipseSkyRegion(centre, **size)):
        mission.reset_filter()
        await mission.filter_on_region(region)
    box = RectangleSkyRegion(centre, **size)
    mission.reset_filter()
    await mission.filter_on_region(box)
    assert len(mission)
    mission.reset_filter()
    await mission.filter_on_region(PolygonSkyRegion(SkyCoord([100, 140, 120], [20, 20, 60], unit="deg")))
    for bad in ("BOX 1 2 3 4", "POLYGON ICRS 1 2 3 4", "CIRCLE ICRS 1 x 3", "", "CIRCLE ICRS 1 95 3"):
        with pytest.raises(ex.InvalidParameterError):
            await mission.filter_on_region(bad)
    with pytest.raises(ex.ParameterTypeError):
        await mission.filter_on_region(5)


# --- the filter by hand, instruments, lock -------------------------------------------------------------------------


async def test_w_25_the_filter_is_an_array_whatever_was_applied(mission):
    assert type(mission.filter_array) is np.ndarray
    row = mission.filtered_obs_info.iloc[0]
    for apply, *arguments in (
        (mission.filter_on_target_type, row.target_category),
        (mission.filter_on_time, row.start, row.end),
        (mission.filter_on_positions, [row.ra, row.dec], 1),
        (mission.filter_on_obs_ids, row.ObsID),
    ):
        await apply(*arguments)
        assert type(mission.filter_array) is np.ndarray and mission.filter_array.dtype == bool


async def test_the_filter_by_hand(mission):
    by_hand = np.zeros(len(mission.all_obs_info), dtype=bool)
    by_hand[:4] = True
    mission.filter_array = by_hand
    assert (mission.filter_array == by_hand).all() and len(mission) == 4
    assert mission.filtering_operations[0]["name"] == "filter_array"
    with pytest.raises(TypeError):
        mission.filter_array = by_hand.astype(int)
    with pytest.raises(ValueError, match="entries"):
        mission.filter_array = by_hand[:3]
    with pytest.warns(UserWarning, match="nothing"):
        mission.filter_array = np.zeros_like(by_hand)


async def test_w_19_instruments_can_be_narrowed_and_widened(lab, context):
    duo = lab.Duo("wide")
    await duo.load()
    assert set(duo.filtered_obs_info.instrument) == {"WIDE"}
    duo.chosen_instruments = ["NARROW"]
    assert set(duo.filtered_obs_info.instrument) == {"NARROW"}
    duo.chosen_instruments = ["WIDE", "NARROW"]
    await duo.filter_on_obs_ids(["1"])
    with pytest.raises(ex.NoObsAfterFilterError, match="unchanged"):
        duo.chosen_instruments = ["NARROW"]
    assert duo.chosen_instruments == ["WIDE", "NARROW"] and len(duo) == 1


async def test_instruments_can_be_changed_after_any_filter(lab, context):
    for info in (False, True):
        duo = lab.Duo("WIDE")
        await duo.load()
        table = duo.all_obs_info
        place = table.loc[table.instrument == "NARROW", ["ra", "dec"]].to_numpy()[3]
        near = {"WIDE": 60, "NARROW": Quantity(30, "deg")}
        expected = brute(table, [SkyCoord(*place, unit="deg")], [60], "icrs")[0] & set(table.ObsID[::2])
        found = await duo.filter_on_positions(place, near, return_pos_obs_info=info)
        assert set(duo.filtered_obs_ids) == expected
        assert not info or set(found.ObsIDs[0].split(",")) == expected
        duo.chosen_instruments = "NARROW"
        other = lab.Duo("NARROW")
        await other.filter_on_positions(place, near)
        assert 0 < len(other) == len(duo) and (duo.filter_array == other.filter_array).all()
        duo.chosen_instruments = ["WIDE", "NARROW"]
        assert set(duo.filtered_obs_ids) == expected | set(other.filtered_obs_ids)
        duo.chosen_instruments = "WIDE"
        await duo.load(refresh=True)
        duo.chosen_instruments = "NARROW"
        assert (duo.filter_array == other.filter_array).all()


async def test_w_30_distances_by_instrument_where_an_observation_is_of_several(lab, context):
    class Twin(lab.Lab):
        fov = {"A": "10 deg", "B": "20 deg"}

    twin, both = Twin("A"), Twin()
    for radius, distance in (
        (12, None),
        (30, {"A": 30, "B": Quantity(50, "deg")}),
        (5, {"A": Quantity(300, "arcmin")}),
    ):
        twin.reset_filter()
        with pytest.warns(UserWarning, match="the widest") if distance is None else nullcontext():
            found = await twin.filter_on_positions([[120, 30], [240, -20]], distance, return_pos_obs_info=True)
        places = SkyCoord([120, 240], [30, -20], unit="deg", frame="fk5")
        pairs = brute(twin.all_obs_info, places, [radius, radius])
        assert [set(one.split(",")) for one in found.ObsIDs] == [one for one in pairs if one]
    with pytest.warns(UserWarning, match="the widest one decides"):
        await both.filter_on_positions([120, 30])
    assert set(both.filtered_obs_ids) == brute(both.all_obs_info, places[:1], [24])[0]
    both.reset_filter()
    await both.filter_on_positions_at_time([120, 30], "2001-01-01", "2030-01-01", {"A": 30, "B": 50})
    assert set(both.filtered_obs_ids) == brute(both.all_obs_info, places[:1], [50])[0]
    with pytest.raises(KeyError):
        await both.filter_on_positions([120, 30], {"A": 30})


async def test_w_22_a_locked_mission_keeps_its_selection(mission):
    await mission.filter_on_target_type("GCL")
    before = mission.filter_array
    mission.locked = True
    for change in (
        lambda: mission.filter_on_time("2001-01-01", "2002-01-01"),
        mission.reset_filter,
        lambda: setattr(mission, "filter_array", ~before),
        lambda: setattr(mission, "chosen_instruments", ["A"]),
        lambda: setattr(mission, "locked", True),
        lambda: setattr(mission, "all_obs_info", mission.all_obs_info),
        lambda: setattr(mission, "filtering_operations", {"name": "filter_on_time", "arguments": {}}),
    ):
        with pytest.raises(ex.MissionLockedError, match="update"):
            change()
    assert (mission.filter_array == before).all() and len(mission.filtering_operations) == 1


async def test_processed_and_locked_are_flags(mission):
    for name in ("processed", "locked"):
        with pytest.raises(TypeError):
            setattr(mission, name, 1)
    mission.processed = True
    assert mission.locked
    with pytest.raises(ValueError, match="undone"):
        mission.processed = False


async def test_the_record_of_operations_can_be_added_to(mission):
    mission.filtering_operations = {"name": "filter_on_time", "arguments": {"start_datetime": "2001-01-01"}}
    assert len(mission.filtering_operations) == 1
    for bad, error in (
        ([], TypeError),
        ({"name": "x"}, TypeError),
        ({"name": 1, "arguments": {}}, TypeError),
        ({"name": "filter_on_luck", "arguments": {}}, ValueError),
        ({"name": "filter_on_time", "arguments": []}, TypeError),
    ):
        with pytest.raises(error):
            mission.filtering_operations = bad


async def test_explain(mission):
    row = mission.filtered_obs_info.iloc[0]
    await mission.filter_on_obs_ids([row.ObsID])
    await mission.filter_on_time(row.start, row.end)
    assert mission.explain(row.ObsID).selected
    assert "filter_on_time lets it through" in str(mission.explain(row.ObsID))
    out = mission.explain("000004")
    assert not out.selected and "no use" in str(out) and "filter_on_obs_ids leaves it out" in str(out)
    assert "not in the catalogue" in str(mission.explain("999999"))


async def test_w_21_info_tells_what_there_is_and_what_is_selected(mission, capsys):
    await mission.filter_on_obs_ids(mission.filtered_obs_ids[0])
    mission.info()
    printed = capsys.readouterr().out
    assert "Number of Observations - 300" in printed and "Number of Filtered Observations - 1" in printed


async def test_explain_tells_which_filter_it_was(mission):
    first = mission.all_obs_info.iloc[0]
    place = [first.ra, first.dec]
    await mission.filter_on_target_type("AGN")
    with pytest.raises(ex.NoObsAfterFilterError) as caught:
        await mission.filter_on_positions(place, 0.001)
    assert "in the catalogue match" not in str(caught.value)  # one does, and was left out before
    await mission.filter_on_positions(place, 60)
    out = str(mission.explain(first.ObsID))
    assert "filter_on_target_type leaves it out" in out and "filter_on_positions did not look at it" in out
    near = mission.filtered_obs_ids[0]
    assert "filter_on_positions lets it through" in str(mission.explain(near))
    far = mission.all_obs_info[(mission.all_obs_info.target_category == "AGN") & mission.science_usable]
    left = next(one for one in far.ObsID if one not in set(mission.filtered_obs_ids))
    assert "filter_on_positions leaves it out" in str(mission.explain(left))

"""Selections against slow and plain ones: real pointings, poles and RA = 0, any order of filters, replays."""

import asyncio
import json
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.coordinates import FK5, SkyCoord
from astropy.time import Time
from astropy.units import Quantity
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import daxa.exceptions as ex
from daxa.context import Context, use_context
from daxa.plugins import Plugins

from . import plain

ROOT = Path(__file__).parents[3]


@pytest.fixture
def quiet(lab):
    plugins = Plugins()
    plugins.register(lab.plugin, "lab")
    with use_context(Context(plugins=plugins, offline=True)) as context:
        yield context


@pytest.fixture
def xmm(lab, quiet):
    """The laboratory's mission with real pointings."""
    mission = lab.Lab()
    mission.all_obs_info = plain.real_table(lab)
    return mission


@pytest.fixture
def duo(lab, quiet):
    """Another, in ICRS, with an instrument for each observation."""
    mission = lab.Duo()
    mission.all_obs_info = plain.real_table(lab, "icrs")
    return mission


def listed(found):
    return {int(row.pos_ind): set(row.ObsIDs.split(",")) for row in found.itertuples()}


def by_index(sets):
    return {index: one for index, one in enumerate(sets) if one}


def selected(mission):
    return set(mission.filtered_obs_ids)


# --- positions -----------------------------------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize("radius", [0.05, 2.0, 30.0, 120.0, 180.0])
async def test_one_radius(xmm, radius):
    places = plain.spread(30, 1)
    expected = plain.near(xmm.all_obs_info, places, lambda number, row: radius)
    if not any(expected):
        places[7] = xmm.all_obs_info.loc[40, ["ra", "dec"]]
        expected = plain.near(xmm.all_obs_info, places, lambda number, row: radius)
    found = await xmm.filter_on_positions(places, radius, return_pos_obs_info=True)
    assert listed(found) == by_index(expected) and selected(xmm) == set().union(*expected)
    assert found.dtypes[["pos_ind", "pos_ra", "pos_dec"]].tolist() == ["int64", "float64", "float64"]
    assert np.allclose(found[["pos_ra", "pos_dec"]].to_numpy(), places[found.pos_ind], rtol=0, atol=1e-12)
    order = {obs_id: number for number, obs_id in enumerate(xmm.obs_ids)}
    assert all(sorted(one.split(","), key=order.get) == one.split(",") for one in found.ObsIDs)


@pytest.mark.anyio
async def test_a_radius_for_each_position(xmm):
    places, radii = plain.spread(40, 2), np.geomspace(0.01, 100, 40)
    expected = plain.near(xmm.all_obs_info, places, lambda number, row: radii[number])
    for given_radii in (radii, list(radii), Quantity(radii * 60, "arcmin"), [Quantity(one, "deg") for one in radii]):
        xmm.reset_filter()
        found = await xmm.filter_on_positions(places, given_radii, return_pos_obs_info=True)
        assert listed(found) == by_index(expected) and selected(xmm) == set().union(*expected)
        xmm.reset_filter()
        await xmm.filter_on_positions(places, given_radii)
        assert selected(xmm) == set().union(*expected)


@pytest.mark.anyio
@pytest.mark.parametrize(("given_radii", "radii"), [(None, {"WIDE": 1.2, "NARROW": 0.1}), ({"WIDE": 0.2, "NARROW": Quantity(1500, "arcmin")}, {"WIDE": 0.2, "NARROW": 25})])  # fmt: skip
async def test_radii_by_instrument(duo, given_radii, radii):
    table = duo.all_obs_info
    places = np.concatenate([plain.spread(20, 3), table.loc[10:200:19, ["ra", "dec"]].to_numpy()])
    expected = plain.near(table, places, lambda number, row: radii[row.instrument])
    found = await duo.filter_on_positions(places, given_radii, return_pos_obs_info=True)
    assert listed(found) == by_index(expected) and selected(duo) == set().union(*expected)


@pytest.mark.anyio
@pytest.mark.parametrize("over_run", [True, False])
async def test_positions_at_time(xmm, over_run):
    table, places = xmm.all_obs_info, plain.spread(50, 4)
    rng = np.random.default_rng(5)
    starts = pd.Timestamp("2001-01-01") + pd.to_timedelta(rng.integers(0, 6000, 50), unit="D")
    ends = starts + pd.Timedelta(days=400)
    radii = rng.uniform(5, 60, 50)
    window = dict(zip(table.ObsID, table.itertuples(), strict=True))
    expected = [
        {one for one in near if plain.in_window(window[one], starts[number], ends[number], over_run)}
        for number, near in enumerate(plain.near(table, places, lambda number, row: radii[number]))
    ]
    forms = [
        (starts.to_numpy(), ends.to_numpy()),
        (list(starts.to_pydatetime()), list(ends.to_pydatetime())),
        ([one.isoformat() for one in starts], Time(ends.to_numpy(), scale="utc")),
    ]
    for first, last in forms:
        xmm.reset_filter()
        found = await xmm.filter_on_positions_at_time(
            places, first, last, radii, return_obs_info=True, over_run=over_run
        )
        assert listed(found) == by_index(expected) and selected(xmm) == set().union(*expected)
        assert found.index.tolist() == list(range(len(found)))


lon = st.one_of(st.floats(0, 360, exclude_max=True), st.sampled_from([0.0, 1e-9, 359.9999999, 180.0]))
lat = st.one_of(st.floats(-90, 90), st.sampled_from([-90.0, 90.0, 0.0, 89.9999999, -89.99]))
many = st.lists(st.tuples(lon, lat), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=many, places=many, radius=st.one_of(st.floats(1e-6, 1e-3), st.floats(0, 180)), data=st.data())
def test_any_places_and_radii(lab, quiet, rows, places, radius, data):
    mission = lab.Lab()
    table = lab.rows(len(rows)).assign(science_usable=True)
    table["ra"], table["dec"] = np.array(rows).T
    mission.all_obs_info = table
    each = data.draw(st.booleans())
    radii = [radius * (1 + number) / len(places) for number in range(len(places))] if each else [radius] * len(places)
    expected = [set() for _ in places]
    for number, place in enumerate(places):
        for row in table.itertuples():
            apart = plain.angle((row.ra, row.dec), place)
            assume(abs(apart - radii[number]) > 1e-7)
            if apart < radii[number]:
                expected[number].add(row.ObsID)

    async def ask():
        return await mission.filter_on_positions(places, radii if each else radius, return_pos_obs_info=True)

    if any(expected):
        assert listed(asyncio.run(ask())) == by_index(expected)
        assert selected(mission) == set().union(*expected)
    else:
        with pytest.raises(ex.NoObsAfterFilterError):
            asyncio.run(ask())
        assert len(mission) == len(rows) and mission.filtering_operations == []


# --- frames and rectangles -----------------------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize("frame", ["icrs", "fk5", "fk4", "galactic", "supergalactic", FK5(equinox="J1975")])
async def test_positions_in_any_frame(xmm, frame):
    places = SkyCoord(*plain.spread(25, 6).T, unit="deg", frame="icrs")
    own = places.fk5
    expected = plain.near(xmm.all_obs_info, zip(own.ra.deg, own.dec.deg, strict=True), lambda number, row: 9.5)
    found = await xmm.filter_on_positions(places.transform_to(frame), 9.5, return_pos_obs_info=True)
    assert listed(found) == by_index(expected)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(west=st.integers(0, 359), width=st.integers(1, 179), south=st.integers(-90, 89), north=st.integers(-90, 90),
       frame=st.sampled_from(["fk5", "icrs", "galactic", "fk4", "supergalactic"]))  # fmt: skip
def test_rectangles(lab, quiet, west, width, south, north, frame):
    assume(south < north)
    mission = lab.Lab()
    table = plain.real_table(lab, every=5)
    mission.all_obs_info = table
    corners = [(west, south), ((west + width) % 360, north)]
    own = SkyCoord(table.ra.to_numpy(), table.dec.to_numpy(), unit="deg", frame="fk5").transform_to(frame).spherical
    expected = {
        row.ObsID
        for row, x, y in zip(table.itertuples(), own.lon.deg, own.lat.deg, strict=True)
        if row.science_usable and plain.in_box(x, y, *corners)
    }
    assume(expected)

    async def ask():
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            await mission.filter_on_rect_region(*(SkyCoord(*corner, unit="deg", frame=frame) for corner in corners))

    asyncio.run(ask())
    assert selected(mission) == expected


# --- any order, any random chain -----------------------------------------------------------------------------------

TIMES = [("2003-01-01", "2016-01-01"), ("2010-05-05", "2021-01-01")]


def steps(table):
    """Filters, each as a call and as a plain question about a row."""
    rng = np.random.default_rng(7)
    places = plain.spread(12, 8)
    picked = [str(one) for one in rng.choice(table.ObsID, len(table) // 2, replace=False)]
    reach = rng.uniform(20, 60, 12)
    starts = [pd.Timestamp(year, 1, 1) for year in range(2001, 2013)]
    ends = [one + pd.Timedelta(days=2500) for one in starts]

    def spot(row, number):
        return plain.angle((row.ra, row.dec), places[number])

    found = [
        (lambda m: m.filter_on_obs_ids(picked), lambda r: r.ObsID in set(picked)),
        (lambda m: m.filter_on_obs_ids(picked[:30], invert=True), lambda r: r.ObsID not in picked[:30]),
        (lambda m: m.filter_on_target_type(["gcl", "AGN"]), lambda r: r.target_category in ("GCL", "AGN")),
        (lambda m: m.filter_on_rect_region([310, -90], [120, 60]), lambda r: plain.in_box(r.ra, r.dec, (310, -90), (120, 60))),
        (lambda m: m.filter_on_positions(places, 40.0), lambda r: any(spot(r, n) <= 40 for n in range(12))),
        (lambda m: m.filter_on_positions(places, reach), lambda r: any(spot(r, n) <= reach[n] for n in range(12))),
        (lambda m: m.filter_on_region("CIRCLE FK5 0 0 100"), lambda r: plain.angle((r.ra, r.dec), (0, 0)) <= 100),
        (
            lambda m: m.filter_on_positions_at_time(places, starts, ends, 70.0),
            lambda r: any(spot(r, n) <= 70 and plain.in_window(r, starts[n], ends[n]) for n in range(12)),
        ),
    ]  # fmt: skip
    for over_run in (True, False):
        for one in TIMES:
            window = tuple(map(pd.Timestamp, one))
            found.append(
                (lambda m, w=one, o=over_run: m.filter_on_time(*w, over_run=o),
                 lambda r, w=window, o=over_run: plain.in_window(r, *w, o))
            )  # fmt: skip
    masks = [{row.ObsID for row in table.itertuples() if row.science_usable and keep(row)} for _call, keep in found]
    return [(call, mask) for (call, _keep), mask in zip(found, masks, strict=True)]


class Steps(list):
    """It is shown by its name alone."""

    def __repr__(self):
        return "filters"


@pytest.fixture
def filters(lab):
    return Steps(steps(plain.real_table(lab, every=4)))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_filters_commute_and_replay(lab, quiet, tmp_path_factory, filters, data):
    chosen = data.draw(st.lists(st.integers(0, len(filters) - 1), min_size=2, max_size=4, unique=True))
    other = data.draw(st.permutations(chosen))
    table = plain.real_table(lab, every=4)
    expected = plain.usable(table).intersection(*(filters[index][1] for index in chosen))
    assume(expected)

    async def applied(order):
        mission = lab.Lab()
        mission.all_obs_info = table
        for index in order:
            await filters[index][0](mission)
        return mission

    first, second = asyncio.run(applied(chosen)), asyncio.run(applied(other))
    assert selected(first) == selected(second) == expected
    again = lab.Lab(save_file_path=first.save(tmp_path_factory.mktemp("state")))
    again._take(first._catalogue)
    assert selected(again) == expected

    async def replayed():
        again.reset_filter()
        assert selected(again) == plain.usable(table)
        for one in first.filtering_operations:
            await again._replay(one["name"], one["arguments"])

    asyncio.run(replayed())
    assert selected(again) == expected


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chain=st.lists(st.integers(0, 11), min_size=1, max_size=9))
def test_random_chains(lab, quiet, filters, chain):
    mission = lab.Lab()
    table = plain.real_table(lab, every=4)
    mission.all_obs_info = table
    left, applied = plain.usable(table), 0

    async def go():
        nonlocal left, applied
        for index in chain:
            call, mask = filters[index]
            if left & mask:
                await call(mission)
                left, applied = left & mask, applied + 1
            else:
                with pytest.raises(ex.NoObsAfterFilterError):
                    await call(mission)
            assert selected(mission) == left and len(mission.filtering_operations) == applied

    asyncio.run(go())


# --- regions -------------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_mocs(xmm, tmp_path):
    from mocpy import MOC

    table, places = xmm.all_obs_info, xmm.ra_decs.icrs
    moc = MOC.from_string("3/0-40 4/500 600-700", format="ascii")
    inside = {obs_id for obs_id, one in zip(table.ObsID, moc.contains_skycoords(places), strict=True) if one}
    await xmm.filter_on_region(moc)
    assert selected(xmm) == inside & plain.usable(table)
    again = type(xmm)(save_file_path=xmm.save(tmp_path))
    assert again.filtering_operations[0]["arguments"]["region"] == moc


@pytest.mark.anyio
async def test_regions_are_replayed_as_they_were(xmm, tmp_path):
    import regions

    centre = SkyCoord(100, -20, unit="deg", frame="galactic")
    size = {"width": Quantity(60, "deg"), "height": Quantity(20, "deg"), "angle": Quantity(35, "deg")}
    shapes = [
        regions.EllipseSkyRegion(centre, **size),
        regions.RectangleSkyRegion(centre, **size),
        regions.CircleSkyRegion(centre, Quantity(25, "deg")),
        regions.PolygonSkyRegion(SkyCoord([100, 140, 120], [20, 20, 60], unit="deg", frame="fk5")),
        "UNION GALACTIC (CIRCLE 100 -20 15 POLYGON ICRS 10 0 30 0 20 30)",
    ]
    for number, shape in enumerate(shapes):
        xmm.reset_filter()
        await xmm.filter_on_region(shape)
        before = selected(xmm)
        again = type(xmm)(save_file_path=xmm.save(tmp_path, f"{number}.json"))
        again._take(xmm._catalogue)
        kept = again.filtering_operations
        again.reset_filter()
        await again._replay(kept[0]["name"], kept[0]["arguments"])
        assert selected(again) == before


@pytest.mark.anyio
async def test_annuli_and_several_regions_at_once(xmm, tmp_path):
    import regions

    centre = SkyCoord(100, -20, unit="deg", frame="galactic")
    turned = {"angle": Quantity(35, "deg")}

    def sized(which, width, height):
        return {f"{which}width": Quantity(width, "deg"), f"{which}height": Quantity(height, "deg")}

    small, wide = (regions.CircleSkyRegion(centre, Quantity(size, "deg")) for size in (12, 25))
    other = regions.CircleSkyRegion(SkyCoord(10, 80, unit="deg"), Quantity(9, "deg"))

    async def found(region):
        xmm.reset_filter()
        await xmm.filter_on_region(region)
        ids = selected(xmm)
        again = type(xmm)(save_file_path=xmm.save(tmp_path))
        again._take(xmm._catalogue)
        (kept,) = again.filtering_operations
        again.reset_filter()
        await again.filter_on_region(**kept["arguments"])
        assert selected(again) == ids
        return ids

    ring = regions.CircleAnnulusSkyRegion(centre, Quantity(12, "deg"), Quantity(25, "deg"))
    assert await found(ring) == await found(wide) - await found(small) != set()
    for kind in ("Ellipse", "Rectangle"):
        whole = getattr(regions, f"{kind}SkyRegion")
        hollow = getattr(regions, f"{kind}AnnulusSkyRegion")(
            centre, **sized("inner_", 30, 10), **sized("outer_", 60, 20), **turned
        )
        outer, inner = (whole(centre, **sized("", *size), **turned) for size in ((60, 20), (30, 10)))
        assert await found(hollow) == await found(outer) - await found(inner) != set()
    both = await found(small) | await found(other)
    for several in (small | other, [small, other], (small, other), regions.Regions([small, other])):
        assert await found(several) == both
    for bad in (small & other, small ^ other, [], [small, 5], regions.Regions([]), regions.PointSkyRegion(centre)):
        with pytest.raises(ex.ParameterTypeError):
            await xmm.filter_on_region(bad)


@pytest.mark.anyio
async def test_rectangles_in_another_frame_are_replayed_as_they_were(xmm, tmp_path):
    corners = [SkyCoord(350, -20, unit="deg", frame="galactic"), SkyCoord(40, 30, unit="deg", frame="galactic")]
    await xmm.filter_on_rect_region(*corners)
    state = json.loads(Path(xmm.save(tmp_path)).read_text())["filtering_operations"][0]["arguments"]["lower_left"]
    assert state["skycoord"]["frame"] == "icrs" and state["skycoord"]["own"]["frame"] == "galactic"
    again = type(xmm)(save_file_path=tmp_path / "lab_state.json")
    again._take(xmm._catalogue)
    kept = again.filtering_operations
    again.reset_filter()
    await again._replay(kept[0]["name"], kept[0]["arguments"])
    assert selected(again) == selected(xmm)


@pytest.mark.anyio
async def test_footprints_count_where_the_catalogue_has_them(lab, quiet):
    mission = lab.Lab()
    table = lab.rows(8).assign(science_usable=True)
    table["ra"], table["dec"] = 10.0, 20.0
    table["footprint"] = [
        "POLYGON ICRS 9 19 11 19 11 21 9 21",  # around the region
        "POLYGON ICRS 12.0 19.5 14 19.5 14 20.5 12.0 20.5",  # beside it
        "POLYGON ICRS 10.5 10 10.6 10 10.6 30 10.5 30",  # across it, no corner inside
        "CIRCLE ICRS 11.5 20 0.2",
        "CIRCLE ICRS 10 20 0.001",
        "UNION ICRS (POLYGON 100 0 101 0 101 1 POLYGON 10.9 20 12 20 12 21)",
        "",  # the centre decides
        "no footprint at all",
    ]
    ids = list(table.ObsID)
    mission.all_obs_info = table
    with pytest.warns(UserWarning, match="1 observations cannot be read"):
        await mission.filter_on_region("POLYGON ICRS 9.2 19.2 11.0 19.2 11.0 20.8 9.2 20.8")
    assert list(mission.filtered_obs_ids) == [ids[index] for index in (0, 2, 4, 5, 6, 7)]
    from mocpy import MOC
    from regions import (
        CircleAnnulusSkyRegion,
        CircleSkyRegion,
        EllipseAnnulusSkyRegion,
        EllipseSkyRegion,
        RectangleAnnulusSkyRegion,
        RectangleSkyRegion,
    )

    centre = SkyCoord(10, 20, unit="deg")
    wide = {"width": Quantity(1.6, "deg"), "height": Quantity(1.6, "deg")}
    moc = MOC.from_cone(lon=Quantity(10, "deg"), lat=Quantity(20, "deg"), radius=Quantity(0.8, "deg"), max_depth=12)
    for region in (
        CircleSkyRegion(centre, Quantity(0.8, "deg")), EllipseSkyRegion(centre, **wide), RectangleSkyRegion(centre, **wide), moc,
    ):  # fmt: skip
        mission.reset_filter()
        with pytest.warns(UserWarning, match="cannot be read"):
            await mission.filter_on_region(region)
        found = [ids.index(one) for one in mission.filtered_obs_ids]
        assert {0, 2, 4, 6, 7} <= set(found) and not {1, 3} & set(found)
    sides = dict(
        zip(("inner_width", "outer_width", "inner_height", "outer_height"), Quantity([1, 1.6] * 2, "deg"), strict=True)
    )
    for ring in (
        CircleAnnulusSkyRegion(centre, Quantity(0.5, "deg"), Quantity(0.8, "deg")),
        EllipseAnnulusSkyRegion(centre, **sides), RectangleAnnulusSkyRegion(centre, **sides),
    ):  # fmt: skip
        mission.reset_filter()
        with pytest.warns(UserWarning, match="cannot be read"):
            await mission.filter_on_region(ring)
        found = {ids.index(one) for one in mission.filtered_obs_ids}
        assert {0, 2} <= found and not {1, 3, 4, 6, 7} & found  # 4 lies in the middle, where nothing of the ring is


def test_shapes_that_touch_against_points_of_them():
    from daxa.mission.selection import unit_vectors
    from daxa.mission.shapes import Circle, Polygon, touch

    rng = np.random.default_rng(9)
    points = unit_vectors(rng.uniform(0, 360, 200_000), np.degrees(np.arcsin(rng.uniform(0.9, 1, 200_000))))
    together = apart = 0
    for _ in range(150):
        shapes = []
        for _side in range(2):
            centre = unit_vectors(rng.uniform(0, 360, 1), rng.uniform(72, 90, 1))[0]
            if rng.integers(2):
                shapes.append(Circle(centre, float(rng.uniform(1, 6))))
            else:
                way = np.sort(rng.uniform(0, 2 * np.pi, 5))
                assume_wide = np.diff(way, append=way[0] + 2 * np.pi).max()
                if assume_wide > 2.8:
                    way = np.arange(5) * 2 * np.pi / 5
                side = np.cross(centre, [1.0, 0, 0])
                side /= np.linalg.norm(side)
                up = np.cross(centre, side)
                size = np.radians(rng.uniform(1, 6))
                corners = np.cos(size) * centre + np.sin(size) * (
                    np.cos(way)[:, None] * side + np.sin(way)[:, None] * up
                )
                shapes.append(Polygon(corners))
        common = (shapes[0].contains(points) & shapes[1].contains(points)).any()
        if common:
            together += 1
            assert touch(*shapes) and touch(*shapes[::-1])
        elif not touch(*shapes):
            apart += 1
            assert not touch(*shapes[::-1])
    assert together > 20 and apart > 20


# --- memory --------------------------------------------------------------------------------------------------------

WIDE = """
import asyncio, json, sys
import numpy as np
import psutil
import astropy.coordinates, scipy.spatial, daxa.mission.inputs
from tests.benchmarks.bench_selection import made_mission
mission = made_mission(374_000)
rng = np.random.default_rng(1)
places = np.stack([rng.uniform(0, 360, 100), rng.uniform(-60, 60, 100)], axis=1)
def peak():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
try:
    open("/proc/self/clear_refs", "w").write("5")
except OSError:
    pass  # the peak of making the table then counts too
before = psutil.Process().memory_info().rss / 2**20
async def ask():
    return await mission.filter_on_positions(places, 60.0, return_pos_obs_info=True)
found = asyncio.run(ask())
print(json.dumps([len(found), int(sum(map(len, found.ObsIDs))), peak() - before]))
"""


@pytest.mark.timeout(120)
def test_w_44_wide_searches_take_little_memory():
    done = subprocess.run([sys.executable, "-c", WIDE], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    positions, characters, megabytes = json.loads(done.stdout)
    assert positions == 100 and characters > 90_000_000 and megabytes < 400

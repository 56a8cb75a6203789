"""The selections of DAXA's tutorials and case studies, on an offline sky as large as the catalogues of then.

Around every one of them are observations that nearly belong: a little beyond the radius or the edge, a second too early
or too late, within the radius of another instrument only, where the place would be in another frame, or not usable.
"""

import csv
import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.coordinates import FK4, Galactic, SkyCoord
from astropy.units import Quantity

from daxa.context import Context, use_context
from daxa.mission import MISS_INDEX, Chandra, XMMPointed, eRASS1DE, eROSITACalPV
from daxa.mission.tools import multi_mission_filter_on_positions
from daxa_demo.samples import efeds_clusters, supernovae
from daxa_demo.sky import DATA, NAMES
from daxa_testing.sky import Sky

from ..plugins.recorded import assert_as_displayed
from ..plugins.skies import context_of

SHOWN = Path(__file__).parents[1] / "data" / "case_studies"
COUNTS = {
    "A3667": {"xmm_pointed": 8, "chandra": 12, "erosita_all_sky_de_dr1": 1, "rosat_pointed": 3},
    "Abell 907": {"xmm_pointed": 3},
    "PHL 1811": {"xmm_pointed": 2, "chandra": 3, "nustar_pointed": 1, "rosat_all_sky": 1},
    "M51": {"xmm_pointed": 16, "chandra": 28, "rosat_pointed": 6, "rosat_all_sky": 2},
}
BY_POSITION = SkyCoord(202.47, 47.2, unit="deg")
"""M51 as one case study gave it; the name service has it 17 seconds of arc from there."""
CASES = [(name, mission, count) for name, found in COUNTS.items() for mission, count in found.items()]
ON_FILE = [case for case in CASES if not case[1].startswith("erosita")]
pytestmark = pytest.mark.anyio
SECOND, MONTH = np.timedelta64(1, "s"), np.timedelta64(30, "D")
LITTLE = Quantity(1.06, "arcmin")
RADII = {
    "xmm_pointed": Quantity(18, "arcmin"),
    "chandra": {"ACIS": Quantity(33.36, "arcmin"), "HRC": Quantity(59.4, "arcmin")},
    "rosat_pointed": {**dict.fromkeys(("PSPCB", "PSPCC"), Quantity(72, "arcmin")), "HRI": Quantity(22.8, "arcmin")},
    "rosat_all_sky": Quantity(216, "arcmin"),
    "nustar_pointed": Quantity(7.8, "arcmin"),
}
"""1.2 times the fields of view."""
TABLES = {
    "xmm_pointed": "v_all_observations",
    "chandra": "chanmaster",
    "rosat_pointed": "rosmaster",
    "rosat_all_sky": "rassmaster",
    "nustar_pointed": "numaster",
}


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    """A context whose cache of catalogues is filled once."""
    with Sky.installed().running_in_thread() as running:
        yield context_of(running, tmp_path_factory.mktemp("selections"))


@pytest.fixture(autouse=True)
def used(context):
    with use_context(context):
        yield


def shown(name):
    with (SHOWN / f"{name}.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


async def selected(mission, *filters, **options):
    """ObsIDs that filters leave; none if they leave none."""
    from daxa.exceptions import NoObsAfterFilterError

    made = MISS_INDEX[mission](**options)
    try:
        for name, *arguments in filters:
            await getattr(made, name)(*arguments)
    except NoObsAfterFilterError:
        return set()
    return set(made.filtered_obs_ids)


def big_table(mission):
    """The rows around the recorded ones."""
    with gzip.open(DATA / "catalogues" / f"{TABLES[mission]}.more.csv.gz", "rt", newline="") as stream:
        return list(csv.DictReader(stream))


def positions(rows):
    return SkyCoord([float(row["ra"]) for row in rows], [float(row["dec"]) for row in rows], unit="deg")


def more(radius, by):
    return {key: one + by for key, one in radius.items()} if isinstance(radius, dict) else radius + by


@pytest.mark.parametrize(("name", "mission", "count"), CASES)
async def test_a_name_gives_as_many_observations_as_it_gave(name, mission, count):
    found = await selected(mission, ("filter_on_name", name))
    assert len(found) == count
    place = SkyCoord(*NAMES[name], unit="deg")
    assert found == await selected(mission, ("filter_on_positions", place))
    assert found == await selected(mission, ("filter_on_positions", place.transform_to(Galactic())))
    if mission in RADII:
        assert found == await selected(mission, ("filter_on_positions", place, RADII[mission]))


@pytest.mark.parametrize(("name", "mission", "count"), ON_FILE)
async def test_what_is_just_outside_of_it_is_there(name, mission, count):
    """With a margin of an arcminute, a wrong frame or a wrong radius the count would be another."""
    place = SkyCoord(*NAMES[name], unit="deg")
    wider = await selected(mission, ("filter_on_positions", place, more(RADII[mission], LITTLE)))
    assert len(wider) - count >= 20
    assert count == len(
        await selected(mission, ("filter_on_positions", place, more(RADII[mission], Quantity(0.9, "arcsec"))))
    )
    if isinstance(RADII[mission], dict):
        widest = max(RADII[mission].values())
        with pytest.warns(UserWarning, match="unlike fields of view"):
            assert len(await selected(mission, ("filter_on_positions", place, widest))) - count >= 6
    old = place.transform_to(FK4(equinox="B1950"))
    misread = SkyCoord(old.ra, old.dec, frame="icrs")
    beyond = max(RADII[mission].values()) if isinstance(RADII[mission], dict) else RADII[mission]
    if misread.separation(place) > beyond + LITTLE:
        assert len(await selected(mission, ("filter_on_positions", misread))) >= 3


@pytest.mark.parametrize(("name", "mission"), [case[:2] for case in ON_FILE if case[1] != "rosat_all_sky"])
def test_what_is_of_no_use_is_there_too(name, mission):
    """Observations of the place itself that a selection must pass over."""
    made = [row for row in big_table(mission) if row["daxa_origin"] == "decoy"]
    near = positions(made).separation(SkyCoord(*NAMES[name], unit="deg")) < Quantity(2, "arcmin")
    assert near.sum() >= 6


@pytest.mark.parametrize(("mission", "count"), COUNTS["M51"].items())
async def test_a_position_gives_as_many_observations_as_it_gave(mission, count):
    assert len(await selected(mission, ("filter_on_positions", BY_POSITION))) == count
    wider = await selected(mission, ("filter_on_positions", BY_POSITION, more(RADII[mission], LITTLE)))
    assert len(wider) - count >= 20


async def test_the_first_archive_of_the_tutorial_has_24_observations():
    missions = [MISS_INDEX[name]() for name in COUNTS["A3667"]]
    for mission in missions:
        await mission.filter_on_name("A3667")
    tables = [mission.filtered_obs_info for mission in missions]
    assert sum(map(len, tables)) == 24
    assert min(table["start"].min() for table in tables) == pd.Timestamp("1992-04-14 18:55:38.000003")
    assert max(table["end"].max() for table in tables) == pd.Timestamp("2020-04-20 12:23:50")


async def test_everything_of_m51_began_and_ended_when_it_did():
    tables = []
    for name in COUNTS["M51"]:
        mission = MISS_INDEX[name]()
        await mission.filter_on_name("M51")
        tables.append(mission.filtered_obs_info)
    assert min(table["start"].min() for table in tables) == pd.Timestamp("1990-07-11 00:00:00")
    assert max(table["end"].max() for table in tables) == pd.Timestamp("2022-01-08 17:51:21")


@pytest.mark.parametrize(
    ("study", "mission", "but"),
    [
        ("efeds", "xmm_pointed", ("proprietary_usable",)),  # of the day it was displayed
        ("efeds", "chandra", ("instrument",)),  # DAXA split ACIS then
        ("efeds", "erosita_calpv", ("active_insts",)),  # a column that it had not yet
        ("xxl", "xmm_pointed", ("proprietary_usable",)),
        ("xxl", "chandra", ("instrument",)),
    ],
)
async def test_observations_that_were_displayed_are_there_value_for_value(study, mission, but):
    made = MISS_INDEX[mission]()
    await made.load()
    assert_as_displayed(made.all_obs_info, f"{study}_{mission}_filtered_obs_info", but=but, tables=SHOWN)


@pytest.mark.parametrize("mission", ["erosita_calpv", "erosita_all_sky_de_dr1"])
async def test_erositas_own_tables_are_as_they_were_displayed(mission):
    made = MISS_INDEX[mission]()
    await made.load()
    assert_as_displayed(made.all_obs_info, mission)


@pytest.mark.parametrize(
    ("mission", "obs_ids"), [(eRASS1DE, {"134090", "134093"}), (eROSITACalPV, {"300007", "300008"})]
)
async def test_what_erosita_has_of_one_place(mission, obs_ids):
    made = mission()
    await made.filter_on_positions([133.071, -1.025])
    assert set(made.filtered_obs_ids) == obs_ids


CORNERS = ((39.0, -8.0), (30.0, -2.0))


@pytest.mark.parametrize(("mission", "count"), [("xmm_pointed", 422), ("chandra", 84)])
async def test_a_patch_of_sky(mission, count):
    """XXL-North; the corners were given the wrong way round, which is said."""
    made = MISS_INDEX[mission]()
    with pytest.warns(UserWarning, match="(?i)corner|swapped|right ascension"):
        await made.filter_on_rect_region(*CORNERS)
    table = made.filtered_obs_info
    assert len(table) == count
    assert {row["ObsID"] for row in shown(f"xxl_{mission}_filtered_obs_info")} <= set(table["ObsID"])
    little = LITTLE.to_value("deg")
    (east, south), (west, north) = CORNERS
    wider = ("filter_on_rect_region", (west - little, south - little), (east + little, north + little))
    assert len(await selected(mission, wider)) - count >= 20
    galactic = [SkyCoord(*corner, unit="deg", frame=Galactic) for corner in ((west, south), (east, north))]
    assert len(await selected(mission, ("filter_on_rect_region", *galactic))) >= 3


def clusters():
    table = efeds_clusters()
    return SkyCoord(table["ra"].to_numpy(), table["dec"].to_numpy(), unit="deg")


async def test_observations_of_a_sample_of_clusters():
    """eFEDS: which of 542 candidate clusters was observed by which of three missions."""
    missions = [XMMPointed(), Chandra(), eROSITACalPV()]
    counts = {"xmm_pointed": (113, 115), "chandra": (90, 192), "erosita_calpv": (4, 542)}
    sample = clusters()
    for mission in missions:
        found = await mission.filter_on_positions(sample, return_pos_obs_info=True)
        assert (len(mission.filtered_obs_info), len(found)) == counts[mission.name]
        told = found.set_index("pos_ind")
        for row in shown(f"efeds_{mission.name}_associations"):
            one = told.loc[int(row["pos_ind"])]
            assert set(one["ObsIDs"].split(",")) == set(row["ObsIDs"].split(","))
            assert one["pos_ra"] == pytest.approx(float(row["pos_ra"]), abs=1e-9)
            assert one["pos_dec"] == pytest.approx(float(row["pos_dec"]), abs=1e-9)
    xm, ch, calpv = (mission.filtered_obs_info for mission in missions)
    secret = xm["proprietary_end_date"] > pd.Timestamp("2024-04-01")  # when it was recorded
    assert secret.sum() == 13
    archived = (calpv, xm[~secret], ch)
    assert sum(map(len, archived)) == 194
    assert min(table["start"].min() for table in archived) == pd.Timestamp("1999-11-02 17:31:43.000001")
    assert max(table["end"].max() for table in archived) == pd.Timestamp("2023-02-26 11:24:55.000001")
    for mission in ("xmm_pointed", "chandra"):
        wider = await selected(mission, ("filter_on_positions", sample, more(RADII[mission], LITTLE)))
        assert len(wider) - counts[mission][0] >= 20


async def test_observations_of_supernovae_within_a_month():
    table = supernovae()
    places = np.column_stack([table["ra"], table["dec"]])
    when = table["discovered"].to_numpy()
    for mission, count in (("xmm_pointed", 1), ("chandra", 15)):
        made = MISS_INDEX[mission]()
        found = await made.filter_on_positions_at_time(places, when - MONTH, when + MONTH, return_obs_info=True)
        assert len(made.filtered_obs_info) == count
        recorded = shown(f"sne_{mission}_associations")
        assert {int(row["pos_ind"]): set(row["ObsIDs"].split(",")) for row in recorded} == {
            row.pos_ind: set(row.ObsIDs.split(",")) for row in found.itertuples()
        }
        assert [table["name"][index] for index in found["pos_ind"]] == [row["sn_name"] for row in recorded]
        longer = ("filter_on_positions_at_time", places, when - MONTH - 2 * SECOND, when + MONTH + 2 * SECOND)
        early = ("filter_on_positions_at_time", places, when - MONTH - 2 * SECOND, when + MONTH)
        assert len(await selected(mission, longer)) - count >= 20
        assert len(await selected(mission, early)) - count >= 10


async def test_all_missions_at_once_give_what_each_gives():
    place = SkyCoord(*NAMES["M51"], unit="deg")
    found = await multi_mission_filter_on_positions(place, missions=list(COUNTS["M51"]))
    assert {mission.name: len(mission.filtered_obs_info) for mission in found} == COUNTS["M51"]


async def test_both_services_with_a_table_of_xmm_tell_the_same(context, tmp_path):
    """ESA's table has more columns; what is selected from HEASARC's is the same."""
    before = await selected("xmm_pointed", ("filter_on_name", "Abell 907"))
    with Sky.installed().running_in_thread() as running:
        settings = {**running.settings(), "url_xsa_tap": f"{running.settings()['url_heasarc']}nobody"}
        own = Context(**settings, output=str(tmp_path / "output"), cache=str(tmp_path / "cache"))
        with use_context(own), pytest.warns(UserWarning, match="HEASARC's is used instead"):
            assert await selected("xmm_pointed", ("filter_on_name", "Abell 907")) == before


@pytest.mark.parametrize(("name", "mission"), [case[:2] for case in ON_FILE])
def test_what_was_made_up_for_want_of_a_record_is_in_no_recorded_selection(name, mission):
    made = [row for row in big_table(mission) if row["daxa_origin"] == "generated"]
    radius = RADII[mission]
    if isinstance(radius, dict):
        own = [
            next(one for key, one in radius.items() if key in f"{row.get('detector')}{row.get('instrument')}")
            for row in made
        ]
        radius = Quantity(own)
    assert not (positions(made).separation(SkyCoord(*NAMES[name], unit="deg")) < radius).any()

import asyncio

import pytest
from astropy.coordinates import SkyCoord
from astropy.coordinates.name_resolve import NameResolveError
from astropy.units import Quantity

import daxa
import daxa.exceptions as ex
import daxa.mission
from daxa.mission import MISS_INDEX, multi_mission_filter_on_positions

pytestmark = pytest.mark.anyio

WIDE = Quantity(30, "deg")


@pytest.fixture
def sesame(server):
    def know(name, ra, dec):
        server.tree[f"/sesame/{name}"] = f"{ra:.8f} {dec:+.8f} = somewhere"

    know("A3667", 303.127, -56.822)
    know("M51", 202.47, 47.2)
    return know


async def test_names(lab, context, sesame):
    mission = lab.Lab()
    found = await mission.filter_on_name(["A3667", "M51"], WIDE, return_pos_obs_info=True)
    other = lab.Lab()
    await other.filter_on_positions(SkyCoord([303.127, 202.47], [-56.822, 47.2], unit="deg"), WIDE)
    assert (mission.filter_array == other.filter_array).all() and found.pos_ind.tolist() == [0, 1]
    assert mission.filtering_operations[0]["arguments"]["object_name"] == ["A3667", "M51"]


async def test_w_26_names_that_nobody_knows_are_passed_over_with_their_radii(lab, context, sesame):
    mission = lab.Lab()
    with pytest.warns(UserWarning, match="'Nowhere'"):
        found = await mission.filter_on_name(
            ["Nowhere", "M51", "A3667"], [Quantity(1e-9, "deg"), WIDE, Quantity(20, "deg")], return_pos_obs_info=True
        )
    assert found.pos_ind.tolist() == [1, 2]
    mission.reset_filter()
    with pytest.raises(ex.NameNotResolvedError, match="Nowhere") as caught:
        await mission.filter_on_name("Nowhere")
    assert isinstance(caught.value, NameResolveError) and caught.value.code == "name-not-resolved"
    for bad in (5, [], [""], [5]):
        with pytest.raises((ex.ParameterTypeError, TypeError)):
            await mission.filter_on_name(bad)
    with pytest.raises(ValueError, match="2 names"):
        await mission.filter_on_name(["A3667", "M51"], [1])
    assert mission.filtering_operations == []


async def test_a_position_in_a_name_is_read_when_asked(lab, context, server):
    mission = lab.Lab()
    await mission.filter_on_name("SSS J194428-420209", WIDE, parse_name=True)
    assert not [one for one in server.log if one.startswith("/sesame")]
    other = lab.Lab()
    await other.filter_on_positions(SkyCoord("19h44m28s -42d02m09s"), WIDE)
    assert (mission.filter_array == other.filter_array).all()


async def test_all_missions_at_once(lab, context):
    with pytest.warns(UserWarning, match="unlike fields of view"):
        found = await multi_mission_filter_on_positions([303.127, -56.822], WIDE)
    assert [one.name for one in found] == ["duo", "lab"]
    distances = {"lab": [WIDE]}
    found = await multi_mission_filter_on_positions([[303.127, -56.822]], distances, ["lab"], {"lab": "A"})
    assert found[0].chosen_instruments == ["A"] and distances == {"lab": [WIDE]}
    with pytest.warns(UserWarning, match="no observation there"):
        assert await multi_mission_filter_on_positions([1, 2], Quantity(1e-9, "deg"), ["lab"]) == []


@pytest.mark.parametrize(
    "bad",
    [
        {"missions": ["swift"]},
        {"missions": 5},
        {"missions": "lab"},
        {"missions": [5]},
        {"search_distance": 5.0},
        {"search_distance": {"swift": WIDE}},
        {"insts": {"swift": "XRT"}},
        {"insts": {"lab": "XRT"}},
        {"positions": [1, 95]},
    ],
)
async def test_bad_questions_to_all(lab, context, bad):
    with pytest.raises(ValueError, match="Expected"):
        await multi_mission_filter_on_positions(
            **{"positions": [1, 2], "search_distance": WIDE, "missions": ["lab"]} | bad
        )


async def test_find_with_one_mission_down(lab, context, server, sesame):
    server.statuses["/tables/catalogue.json"] = 503
    with pytest.warns(UserWarning) as told:
        found = await daxa.find("A3667", search_distance={"lab": WIDE, "duo": {"WIDE": WIDE, "NARROW": WIDE}})
    assert any("Laboratory could not be asked" in str(one.message) for one in told)
    assert list(found) == ["duo"] and "503" in found.failures["lab"] and "could not be asked" in str(found)
    summary = found.summary()["duo"]
    assert summary["count"] == len(found["duo"]) == len(summary["obs_ids"]) and summary["first"].startswith("20")
    server.statuses.clear()
    found = await daxa.find([1, 2], missions=["lab"], search_distance=Quantity(1e-9, "deg"))
    assert len(found) == 0 and found.empty == ("lab",)
    with pytest.raises(ex.NameNotResolvedError):
        await daxa.find("Nowhere")


async def test_the_catalogues_are_asked_side_by_side(lab, context, monkeypatch):
    meeting = asyncio.Barrier(2)
    for cls in (lab.Lab, lab.Duo):

        async def waiting(self, net, real=cls.catalogue):
            await asyncio.wait_for(meeting.wait(), 5)
            return await real(self, net)

        monkeypatch.setattr(cls, "catalogue", waiting)
    found = await daxa.find([10, 10], search_distance={"lab": WIDE, "duo": {"WIDE": WIDE, "NARROW": WIDE}})
    assert len(found) == 2


# --- the facade ----------------------------------------------------------------------------------------------------


def test_classes_of_plugins_appear_by_name(lab, context):
    assert daxa.mission.Lab is lab.Lab and daxa.mission.BaseMission is daxa.mission.Mission
    assert {"Lab", "Duo", "Mission", "MISS_INDEX"} <= set(dir(daxa.mission))
    assert list(MISS_INDEX) == ["duo", "lab"] and len(MISS_INDEX) == 2 and MISS_INDEX["lab"] is lab.Lab
    assert "lab" in MISS_INDEX and "swift" not in MISS_INDEX and "Lab" in repr(MISS_INDEX)
    with pytest.raises(KeyError, match="nobody has written"):
        MISS_INDEX["swift"]
    assert MISS_INDEX.get("swift") is None


@pytest.mark.parametrize(
    ("name", "says"),
    [("Swift", "author's guide"), ("eRASS1DE", "pip install daxa-erosita"), ("Fermi", "install the plugin")],
)
def test_a_missing_missions_name_says_what_to_install(context, name, says):
    with pytest.raises(ImportError, match=says) as caught:
        exec(f"from daxa.mission import {name}")
    assert isinstance(caught.value, ex.MissingPluginError)


def test_other_names_are_what_python_expects(context):
    assert not hasattr(daxa.mission, "__wrapped__") and not hasattr(daxa.mission, "luck")
    from daxa.mission import tools

    assert tools.find is daxa.find


def test_daxas_missions_come_first(lab):
    from daxa.api import MissionEntry, hookimpl
    from daxa.context import Context
    from daxa.mission import MissionIndex
    from daxa.plugins import Plugins

    class plugin:
        @hookimpl
        def daxa_register_missions():
            names = ["zeta", "rosat_pointed", "alpha", "xmm_pointed"]
            return [MissionEntry(name=one, title=one, target=f"nowhere:{one.title()}") for one in names]

    plugins = Plugins()
    plugins.register(plugin, "several")
    assert list(MissionIndex(Context(plugins=plugins))) == ["xmm_pointed", "rosat_pointed", "alpha", "zeta"]

import pytest

from daxa.context import use_context
from daxa.exceptions import NoObsAfterFilterError, NotAtArchiveError
from daxa_chandra import testing
from daxa_chandra.mission import Chandra, target_category
from daxa_testing.sky import Sky

from ..recorded import assert_as_displayed, assert_kinds
from ..skies import context_of, gz, listed, paths

pytestmark = pytest.mark.anyio

PRIMARY = ["acisf03205N006_evt2.fits.gz", "acisf03205N006_full_img2.fits.gz", "acisf03205N006_cntr_img2.fits.gz"]
SECONDARY = ["evt1", "mtl1", "flt1", "bpix1", "msk1", "stat1"]
BIAS = ["acisf110210330N006_1_bias0.fits.gz", "acisf110210330N006_pbk0.fits.gz"]

FILES = {
    "00README": b"read\n",
    **{f"primary/{name}": gz() for name in PRIMARY},
    "primary/acisf03205N006_cntr_img2.jpg": b"\xff\xd8",
    **{f"secondary/acisf03205_000N006_{kind}.fits.gz": gz() for kind in SECONDARY},
    **{f"secondary/{name}": gz() for name in BIAS},
    "secondary/axaff03205N006_VV001_vvref2.pdf.gz": gz(b"%PDF"),
    "secondary/aspect/pcadf110210330N006_asol1.fits.gz": gz(),
}


@pytest.fixture(scope="module")
def sky():
    from ..skies import fits

    made = Sky()
    when = "2002-10-26 01:19:30"
    testing.add_observation(made, "3205", 10.0, 20.0, when, 47700.0, {**FILES, "oif.fits": fits()})
    testing.add_observation(made, "27", 10.1, 20.0, when, 1000.0, {"secondary/acisf00027N003_evt1.fits.gz": gz()})
    testing.add_rows(
        made,
        [
            testing.row("100", 10.0, 20.0, when, 5000.0, detector="HRC-I"),
            testing.row("101", 10.0, 20.0, when, 5000.0, grating="HETG"),
            testing.row("102", 10.0, 20.0, when, 5000.0, status="scheduled"),
            testing.row("103", 11.0, 20.0, when, 5000.0, status="processed", public_date=0, type="NEW"),
            testing.row("104", 11.0, 20.0, when, 5000.0, public_date=88068),
            testing.row("105", None, 20.0, when, 5000.0),
            testing.row("100006", 50.0, 20.0, when, 5000.0, type="DDT", **{"class": ""}),
        ],
    )
    with made.running_in_thread() as running:
        yield running


@pytest.fixture
def context(sky, tmp_path):
    own = context_of(sky, tmp_path)
    with use_context(own):
        yield own


async def test_the_catalogue(context):
    mission = Chandra()
    await mission.load()
    table = mission.all_obs_info
    assert_kinds(
        table,
        {
            "ra": "f", "dec": "f", "ObsID": "text", "science_usable": "b", "proprietary_usable": "b", "start": "M",
            "end": "M", "duration": "m", "proprietary_end_date": "M", "target_category": "text", "instrument": "text",
            "grating": "text", "data_mode": "text",
        },
    )  # fmt: skip
    assert list(table["ObsID"]) == ["3205", "27", "100", "101", "103", "104", "100006"]
    assert list(table["instrument"]) == ["ACIS", "ACIS", "HRC", *["ACIS"] * 4]
    assert not table.set_index("ObsID").loc[["103", "104"], "proprietary_usable"].any()
    assert table["proprietary_end_date"].isna().sum() == 2
    assert str(table["end"][0]) == "2002-10-26 14:34:30"


async def test_recorded_rows(tmp_path):
    with Sky.installed().running_in_thread() as running, use_context(context_of(running, tmp_path)):
        mission = Chandra()
        await mission.load()
    assert_as_displayed(mission.all_obs_info, "chandra")


async def test_obs_ids_have_as_many_digits_as_the_catalogue(context):
    mission = Chandra()
    assert mission.id_regex == "^[0-9]{1,5}$"
    await mission.load()
    assert mission.id_regex == "^[0-9]{1,6}$"
    await mission.filter_on_obs_ids([3205, "100006"])
    assert mission.filtered_obs_ids.tolist() == ["3205", "100006"]


async def test_gratings_are_a_choice(context):
    mission = Chandra()
    await mission.load()
    assert "101" not in mission.filtered_obs_ids
    mission.chosen_instruments = ["ACIS", "HETG"]
    assert mission.filtered_obs_ids.tolist() == ["101"]
    with pytest.raises(NoObsAfterFilterError):
        mission.chosen_instruments = ["HETG"]
    mission.chosen_instruments = ["HRC"]
    assert mission.filtered_obs_ids.tolist() == ["100"]


async def test_positions_are_icrs_and_radii_go_by_detector(context):
    mission = Chandra()
    await mission.filter_on_positions([10.0, 20.8])  # 48': beyond 1.2 x 27.8' of ACIS, within 1.2 x 49.5' of HRC
    assert mission.filtered_obs_ids.tolist() == ["100"]


async def test_files(context):
    mission = Chandra()
    files, problem = await listed(mission, "3205", context, raw=True, products=True)
    assert problem is None
    plain = [name.removesuffix(".gz") for name in PRIMARY]
    raw = [f"secondary/acisf03205_000N006_{kind}.fits" for kind in SECONDARY]
    raw += [f"secondary/{name.removesuffix('.gz')}" for name in BIAS]
    assert sorted(paths(files)) == sorted(["oif.fits", *(f"primary/{name}" for name in plain), *raw])
    assert {one.part_of for one in files if one.path.startswith("secondary")} == {"raw"}
    files, _ = await listed(mission, "3205", context, raw=False, products=True)
    assert sorted(paths(files)) == sorted(["oif.fits", *(f"primary/{name}" for name in plain)])
    files, _ = await listed(mission, "3205", context, raw=True, products=False)
    assert sorted(paths(files)) == sorted(["oif.fits", *raw])


async def test_what_is_missing_is_named(context):
    mission = Chandra()
    files, problem = await listed(mission, "27", context, raw=True, products=True)
    assert paths(files) == ["secondary/acisf00027N003_evt1.fits"]
    assert isinstance(problem, NotAtArchiveError) and "no primary of Chandra's 27" in str(problem)
    files, problem = await listed(mission, "100", context, raw=True, products=True)
    assert not files and isinstance(problem, NotAtArchiveError)


async def test_download_and_labels(context):
    mission = Chandra()
    await mission.filter_on_obs_ids("3205")
    await mission.download()
    assert mission.get_evt_list_path("3205").endswith("/chandra_raw/3205/primary/acisf03205N006_evt2.fits")
    assert mission.get_image_path("3205").endswith("/primary/acisf03205N006_full_img2.fits")
    labels = mission.label(mission.observation("3205"), mission.downloaded_files("3205"))
    assert [(one.kind, one.inst, one.path, one.lo, one.hi) for one in labels] == [
        ("events", "ACIS", "primary/acisf03205N006_evt2.fits", None, None),
        ("image", "ACIS", "primary/acisf03205N006_full_img2.fits", 0.5, 7.0),
    ]


def test_w_19_an_unknown_type_of_programme_is_no_error():
    assert target_category("", "A NEW ONE") == "MISC"
    assert target_category("", "DDT") == "TOO"
    assert target_category("CLUSTER OF GALAXIES", "TOO") == "GCL"


async def test_w_19_x_ray_binaries_are_found_as_what_they_are(tmp_path):
    made = Sky()
    classes = {"1": "X-RAY BINARY", "2": "CLUSTER OF GALAXIES", "3": "CV"}
    testing.add_rows(
        made,
        [testing.row(one, 10.0, 20.0, "2002-10-26 01:19:30", 1000.0, **{"class": two}) for one, two in classes.items()],
    )
    with made.running_in_thread() as running, use_context(context_of(running, tmp_path)):
        mission = Chandra()
        await mission.filter_on_target_type("XRB")
    assert mission.filtered_obs_ids.tolist() == ["1"]


async def test_w_19_what_is_left_is_judged_with_all_filters(context):
    mission = Chandra()
    await mission.filter_on_obs_ids("3205")
    with pytest.raises(NoObsAfterFilterError):
        mission.chosen_instruments = ["HRC"]
    assert mission.chosen_instruments == ["ACIS", "HRC"]


def test_processing():
    mission = Chandra()
    assert mission.ident_to_obsid("3205ACISE001") == "3205"
    assert mission.ident_to_obsid("3205") == "3205"
    info = {"sub_exp_ids": ["E001"], "active": True, "alt_exp_mode": False, "sub_exp": False}
    assert mission.assess_process_obs({"ACIS": info, "HRC": {**info, "active": False}}) == {
        "ACIS": {"E001": True},
        "HRC": {"E001": False},
    }
    with pytest.warns(UserWarning, match="several pointings"):
        assert mission.assess_process_obs({"ACIS": {**info, "sub_exp": True}}) == {"ACIS": {"E001": False}}


def test_the_field_of_view_comes_with_its_caveat():
    with pytest.warns(UserWarning, match="largest"):
        assert str(Chandra().fov["HRC"]) == "49.5 arcmin"

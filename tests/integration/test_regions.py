"""Source regions of archives: every form they can be given in, and what is refused."""

import json
import os
import sys
import types
from collections import Counter
from pathlib import Path

import anyio
import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import FK5, SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from regions import (
    CirclePixelRegion,
    CircleSkyRegion,
    EllipsePixelRegion,
    EllipseSkyRegion,
    LineSkyRegion,
    PixCoord,
    PolygonPixelRegion,
    RectangleSkyRegion,
    RegionMeta,
    Regions,
    RegionVisual,
    SkyRegion,
    TextSkyRegion,
)

from daxa import Archive
from daxa.context import Context, use_context
from daxa.exceptions import (
    ArchiveInUseError,
    ArchiveNotOpenError,
    DamagedRecordError,
    InvalidObsIDError,
    InvalidParameterError,
    MissingFileError,
    MissionNotAssociatedError,
    NoRegionsAssociatedError,
    ObsNotAssociatedError,
    ParameterTypeError,
    StorageError,
)

DATA = Path(__file__).parent.parent / "data" / "regions"
EXPECTED = json.loads((DATA / "expected.json").read_text())
FILES = sorted(EXPECTED)
FILE = DATA / "0502671101.reg"
"""The shortest."""

pytestmark = pytest.mark.anyio


@pytest.fixture
async def arch(sky, tmp_path):
    from daxa.mission import Sample

    context = Context(**sky.settings(), output=str(tmp_path / "output"), cache=str(tmp_path / "cache"))
    with use_context(context):
        mission = Sample()
        await mission.filter_on_obs_ids(["S0001", "S0002"])
        async with Archive("with {braces}", mission, download=False) as made:
            yield made


def wcs_of(obs_id, **changes):
    header = fits.Header({**EXPECTED[obs_id]["wcs"], **changes})
    header["NAXIS"], header["NAXIS1"], header["NAXIS2"] = 2, 512, 512
    return WCS(header)


@pytest.fixture
def image(tmp_path):
    """An image without celestial axes, then the one that counts: the first of its file that has them."""
    path = tmp_path / "image.fits"
    header = wcs_of(FILE.stem).to_header()
    fits.HDUList(
        [fits.PrimaryHDU(), fits.ImageHDU(np.zeros((4, 4))), fits.ImageHDU(np.zeros((512, 512), "i2"), header)]
    ).writeto(path)
    return path


def written(arch):
    """Everything in the directory of regions, with its content."""
    directory = Path(arch.archive_path) / "regions"
    return {
        str(path.relative_to(directory)): path.read_bytes() if path.is_file() else None for path in directory.rglob("*")
    }


def circle(ra=10.0, dec=20.0, radius=3.0, *, frame="icrs", **meta):
    return CircleSkyRegion(SkyCoord(ra, dec, unit="deg", frame=frame), radius * u.arcsec, meta=RegionMeta(meta))


def as_read(*regions):
    """Regions as a DS9 file has them: in degrees, with what DS9 adds."""
    return list(Regions.parse(Regions(regions).serialize(format="ds9", precision=12), format="ds9"))


def position(region, frame="icrs"):
    place = region.center.transform_to(frame).spherical
    return place.lon.deg, place.lat.deg


def assert_as_recorded(found, name=FILE.stem):
    rows = EXPECTED[name]["sky"]
    assert len(found) == len(rows)
    for region, (ra, dec, width, height, angle) in zip(found, rows, strict=True):
        assert type(region) is EllipseSkyRegion and region.center.frame.name == "icrs"
        assert region.center.separation(SkyCoord(ra, dec, unit="deg")).arcsec < 1e-3
        assert abs(region.width.to_value(u.arcsec) - width * 3600) < 2e-3
        assert abs(region.height.to_value(u.arcsec) - height * 3600) < 2e-3
        assert abs((region.angle.to_value(u.deg) - angle + 180) % 360 - 180) < 0.01
    assert Counter(region.visual["edgecolor"] for region in found) == EXPECTED[name]["colours"]


# --- what is accepted ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
async def test_pixels_of_real_files_become_what_was_recorded(arch, name):
    arch.source_regions = {"sample": {"S0001": {"regions": str(DATA / f"{name}.reg"), "wcs_src": wcs_of(name)}}}
    assert_as_recorded(arch.source_regions["sample"]["S0001"], name)


class FakeXGA:
    """Classes of XGA's names: XGA itself is not needed for this."""

    def __init__(self, monkeypatch):
        module = types.ModuleType("xga.products.phot")
        self.Image = type("Image", (), {"__module__": module.__name__, "radec_wcs": wcs_of(FILE.stem)})
        self.RateMap = type("RateMap", (self.Image,), {"__module__": module.__name__})
        self.other = type("Other", (), {"radec_wcs": self.Image.radec_wcs})


@pytest.mark.parametrize("key", ["regions", "region"])
@pytest.mark.parametrize("form", ["path", "list", "Regions"])
@pytest.mark.parametrize("source", ["wcs", "image", "Image", "RateMap", "other"])
async def test_all_forms_of_pixels(arch, image, monkeypatch, key, form, source):
    read = Regions.read(FILE, format="ds9")
    given = {"path": FILE, "list": list(read), "Regions": read}[form]
    xga = FakeXGA(monkeypatch)
    of = {
        "wcs": wcs_of(FILE.stem),
        "image": str(image),
        "Image": xga.Image(),
        "RateMap": xga.RateMap(),
        "other": xga.other(),
    }[source]
    arch.source_regions = {"sample": {"S0001": {key: given, "wcs_src": of}}}
    assert_as_recorded(arch.source_regions["sample"]["S0001"])
    assert "xga" not in sys.modules


@pytest.mark.parametrize("form", ["path", "list", "tuple", "Regions", "dict", "dict without WCS", "empty list"])
async def test_regions_of_the_sky_need_no_wcs(arch, tmp_path, form):
    regions = [circle(), circle(11.0, text="brightest")]
    path = tmp_path / "sky.reg"
    Regions(regions).write(path, format="ds9", precision=12)
    arch.source_regions = {
        "sample": {
            "S0002": {
                "path": str(path),
                "list": regions,
                "tuple": tuple(regions),
                "Regions": Regions(regions),
                "dict": {"region": regions},
                "dict without WCS": {"regions": path, "wcs_src": None},
                "empty list": [],
            }[form]
        }
    }
    found = arch.source_regions["sample"]["S0002"]
    assert [position(one) for one in found] == ([] if form == "empty list" else [(10.0, 20.0), (11.0, 20.0)])
    assert list(arch.source_regions["sample"]) == ["S0002"]


async def test_pixels_and_sky_in_one_list(arch):
    regions = [circle(), CirclePixelRegion(PixCoord(255.5, 255.5), 10)]
    arch.source_regions = {"sample": {"S0001": {"regions": regions, "wcs_src": wcs_of(FILE.stem)}}}
    first, second = arch.source_regions["sample"]["S0001"]
    assert position(first) == (10.0, 20.0)
    wcs = EXPECTED[FILE.stem]["wcs"]
    assert second.center.separation(SkyCoord(wcs["CRVAL1"], wcs["CRVAL2"], unit="deg")) < 1 * u.arcsec
    assert second.radius.to_value(u.arcsec) == pytest.approx(43.5, rel=1e-6)


async def test_a_cube_and_swapped_axes_have_celestial_axes_too(arch):
    plain = wcs_of(FILE.stem)
    cube = WCS(naxis=3)
    cube.wcs.ctype = [*plain.wcs.ctype, "ENER"]
    cube.wcs.crval, cube.wcs.crpix = [*plain.wcs.crval, 1.0], [*plain.wcs.crpix, 1.0]
    cube.wcs.cdelt = [*plain.wcs.cdelt, 0.1]
    arch.source_regions = {"sample": {"S0001": {"regions": FILE, "wcs_src": cube}}}
    assert_as_recorded(arch.source_regions["sample"]["S0001"])


@pytest.mark.parametrize("ctype", [("RA---TAN", "DEC--TAN"), ("GLON-TAN", "GLAT-TAN")])
async def test_pixels_become_icrs_whatever_the_wcs_has(arch, ctype):
    """Corners of a polygon and the ends of an ellipse's axis stand where they stood: the angle turns with the frame."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.radesys = ctype, "FK5"
    wcs.wcs.crval, wcs.wcs.crpix, wcs.wcs.cdelt = [120.0, 40.0], [100.0, 100.0], [-1 / 3600, 1 / 3600]
    ellipse = EllipsePixelRegion(PixCoord(120, 80), 60, 20, 25 * u.deg)
    corners = PixCoord([10, 20, 15], [10, 12, 30])
    arch.source_regions = {"sample": {"S0001": {"regions": [ellipse, PolygonPixelRegion(corners)], "wcs_src": wcs}}}
    found, polygon = arch.source_regions["sample"]["S0001"]
    assert found.center.frame.name == polygon.vertices.frame.name == "icrs"
    assert corners.to_sky(wcs).separation(polygon.vertices).max() < 1e-6 * u.arcsec
    tip = PixCoord(120 + 30 * np.cos(np.radians(25)), 80 + 30 * np.sin(np.radians(25))).to_sky(wcs).icrs
    # the width of an ellipse points to angle - 90 deg, counted from north to east
    turned = found.center.position_angle(tip) - (found.angle - 90 * u.deg)
    assert abs((turned.to_value(u.deg) + 90) % 180 - 90) < 0.01
    assert found.width.to_value(u.arcsec) == pytest.approx(60, rel=1e-5)


@pytest.mark.parametrize("frame", ["icrs", "fk5", "fk4", "galactic"])
async def test_regions_of_the_sky_stay_in_their_frame(arch, frame):
    arch.source_regions = {"sample": {"S0001": [circle(frame=frame)]}}
    (found,) = arch.source_regions["sample"]["S0001"]
    assert found.center.frame.name == frame
    assert found.center.separation(SkyCoord(10, 20, unit="deg", frame=frame)) < 1e-6 * u.arcsec


@pytest.mark.parametrize("frame", ["barycentricmeanecliptic", FK5(equinox="J1980")])
async def test_frames_that_ds9_has_no_name_for_become_icrs(arch, frame):
    given = circle(frame=frame)
    line = LineSkyRegion(given.center, given.center.directional_offset_by(30 * u.deg, 1 * u.arcmin))
    arch.source_regions = {"sample": {"S0001": [given, line]}}
    found, other = arch.source_regions["sample"]["S0001"]
    assert found.center.frame.name == "icrs"
    assert found.center.separation(given.center.icrs) < 1e-6 * u.arcsec
    assert other.end.separation(line.end.icrs) < 1e-6 * u.arcsec


async def test_colours_texts_and_tags_survive(arch, tmp_path):
    path = tmp_path / "drawn.reg"
    path.write_text(
        "# Region file format: DS9\n"
        'global color=cyan width=2 font="times 12 bold"\n'
        "fk5\n"
        'circle(10:40:00,+20:10:00,3") # color=blue text={Source A} tag={group 1} tag={my, own #2}\n'
        '-ellipse(160.0,20.2,5",3",30) # color=#ff00ff dash=1 text={été}\n'
        'box(160.01,20.2,5",3",30) # background\n'
        "# text(160.02,20.2) text={A label} textangle=30\n"
        "point(160.03,20.2) # point=cross 12\n"
    )
    arch.source_regions = {"sample": {"S0001": path}}
    found = arch.source_regions["sample"]["S0001"]
    given = list(Regions.read(path, format="ds9"))
    assert [dict(one.visual) for one in found] == [dict(one.visual) for one in given]
    assert [dict(one.meta) for one in found] == [dict(one.meta) for one in given]
    assert found[0].meta["tag"] == ["group 1", "my, own #2"] and found[0].meta["text"] == "Source A"
    assert [one.visual.get("edgecolor") for one in found][:3] == ["blue", "#ff00ff", "cyan"]
    assert not found[1].meta["include"] and type(found[2]) is RectangleSkyRegion
    assert type(found[3]) is TextSkyRegion and found[3].text == "A label"
    # and once more, from what was read
    arch.source_regions = {"sample": {"S0002": found}}
    assert arch.source_regions["sample"]["S0002"] == found


async def test_colour_of_regions_made_in_python(arch):
    region = circle(text="mine", tag=["a", "b"])
    region.visual = RegionVisual({"color": "magenta"})
    arch.source_regions = {"sample": {"S0001": [region]}}
    (found,) = arch.source_regions["sample"]["S0001"]
    assert found.visual["edgecolor"] == "magenta" and found.meta["text"] == "mine" and found.meta["tag"] == ["a", "b"]


# --- the mapping and the path --------------------------------------------------------------------------------------


async def test_the_mapping_prints_and_compares_as_a_dict_and_loads_on_access(arch):
    assert arch.source_regions == {"sample": {}} and repr(arch.source_regions) == "{'sample': {}}"
    arch.source_regions = {"sample": {"S0002": [circle()], "S0001": FILE_ON_SKY}}
    seen = arch.source_regions
    assert list(seen["sample"]) == ["S0001", "S0002"]
    assert seen == {"sample": {"S0001": seen["sample"]["S0001"], "S0002": as_read(circle())}}
    assert seen != {"sample": {"S0001": seen["sample"]["S0001"], "S0002": as_read(circle(10.1))}}
    assert dict(seen["sample"]) == seen["sample"] == arch.source_regions["sample"]
    assert repr(seen) == repr({"sample": dict(seen["sample"])})
    with pytest.raises(TypeError):
        seen["sample"]["S0001"] = []
    later = arch.source_regions
    assert "S0002" in later["sample"]
    Path(arch.get_region_file_path("sample", "S0002")).chmod(0o644)
    Path(arch.get_region_file_path("sample", "S0002")).write_text("icrs\ncircle(1,2,3)\n")
    assert position(later["sample"]["S0002"][0]) == (1.0, 2.0)


FILE_ON_SKY = [circle(12.0), circle(13.0)]


async def test_another_archives_regions_can_be_set_as_they_are(arch):
    arch.source_regions = {"sample": {"S0001": [circle()]}}
    with pytest.warns(UserWarning, match="S0001"):
        arch.source_regions = arch.source_regions
    assert arch.source_regions == {"sample": {"S0001": as_read(circle())}}


async def test_regions_outlive_the_archive_object_and_name_the_replaced(arch):
    arch.source_regions = {"sample": {"S0001": [circle()]}}
    with pytest.warns(UserWarning, match="replaced: sample S0001"):
        arch.source_regions = {"sample": {"S0001": [circle(11.0)], "S0002": []}}
    path = Path(arch.get_region_file_path("sample", "S0001"))
    async with Archive(arch.archive_name) as again:
        assert again.source_regions == {"sample": {"S0001": as_read(circle(11.0)), "S0002": []}}
        assert again.get_region_file_path("sample", "S0001") == str(path)
    assert {one.name for one in path.parent.iterdir()} == {path.name}  # nothing of the old one, and no part
    assert path.stat().st_mode & 0o777 == 0o444


async def test_the_setter_takes_the_lease_and_gives_it_back(arch):
    async with Archive(arch.archive_name) as other:
        async with other._writing():
            with pytest.raises(ArchiveInUseError):
                arch.source_regions = {"sample": {"S0001": [circle()]}}
            other.source_regions = {"sample": {"S0002": [circle()]}}  # one that holds it already may go on
            assert arch.source_regions == {"sample": {"S0002": as_read(circle())}}
        arch.source_regions = {"sample": {"S0001": [circle()]}}
        other.source_regions = {"sample": {}}
        assert other.source_regions["sample"]["S0001"] == as_read(circle())
        async with other._writing():
            pass


KILLED = """
import asyncio, os, sys
from pathlib import Path
from daxa import Archive
from daxa.context import Context, use_context

output, cache, when = sys.argv[1:]
replaced = []

def replace(self, target, kept=Path.replace):
    if len(replaced) == int(when):
        os.kill(os.getpid(), 9)
    if "regions" in str(target) and not str(target).endswith(".old"):
        replaced.append(target)
    return kept(self, target)

async def main():
    Path.replace = replace
    async with Archive("with {braces}") as arch:
        given = Path(output, "given.reg")
        arch.source_regions = {"sample": {"S0001": given, "S0002": given}}

with use_context(Context(output=output, cache=cache, offline=True)):
    asyncio.run(main())
"""


@pytest.mark.parametrize("when", [0, 1])
async def test_a_setter_that_is_killed_has_set_all_of_it(arch, when):
    """It is killed before the first file is in place, or between the two; what it set is in the record by then."""
    arch.source_regions = {"sample": {"S0001": [circle(11.0)]}}
    output = Path(arch.top_level_path)
    Regions([circle(12.0)]).write(output / "given.reg", format="ds9", precision=12)
    await arch.close()
    done = await anyio.run_process(
        [sys.executable, "-W", "ignore", "-c", KILLED, str(output), str(output / "cache"), str(when)], check=False
    )
    assert done.returncode == -9, done.stderr
    new = as_read(circle(12.0))
    async with Archive(arch.archive_name) as again:
        assert again.source_regions == {"sample": {"S0001": new, "S0002": new}}
        path = Path(again.get_region_file_path("sample", "S0002"))
        assert list(Regions.read(path, format="ds9")) == new
        assert again.source_regions == {"sample": {"S0001": new, "S0002": new}}
        assert len([one for one in written(again) if one.endswith("/source_regions_radec.reg")]) == 2


async def test_an_archive_that_was_moved_has_its_regions(arch, tmp_path):
    arch.source_regions = {"sample": {"S0001": [circle()]}}
    await arch.close()
    elsewhere = tmp_path / "another place"
    (elsewhere / "archives").mkdir(parents=True)
    Path(arch.archive_path).rename(elsewhere / "archives" / arch.archive_name)
    with use_context(Context(output=str(elsewhere), cache=str(tmp_path / "cache"), offline=True)):
        async with Archive(arch.archive_name) as again:
            assert again.source_regions == {"sample": {"S0001": as_read(circle())}}
            assert again.get_region_file_path("sample", "S0001").startswith(f"{elsewhere}/archives/")


async def test_path_of_the_file_and_templates(arch):
    root = arch.archive_path
    arch.source_regions = {"sample": {"S0001": [circle()]}}
    path = arch.get_region_file_path("sample", "S0001")
    assert path == f"{root}regions/sample/S0001/source_regions_radec.reg" and os.path.isfile(path)
    assert arch.get_region_file_path(arch["sample"], "S0001") == path
    assert arch.get_region_file_path().format(mn="sample", oi="S0001") == path
    assert arch.get_region_file_path("sample").format(oi="S0001") == path
    with pytest.raises(NoRegionsAssociatedError, match="S0002") as caught:
        arch.get_region_file_path("sample", "S0002")
    assert isinstance(caught.value, ValueError) and "S0001" in str(caught.value)
    with pytest.raises(InvalidParameterError, match="without its mission"):
        arch.get_region_file_path(obs_id="S0001")
    with pytest.raises(MissionNotAssociatedError):
        arch.get_region_file_path("xmm_pointed")
    with pytest.raises(ObsNotAssociatedError):
        arch.get_region_file_path("sample", "S0003")
    with pytest.raises(InvalidObsIDError):
        arch.get_region_file_path("sample", "../S0001")


# --- what is refused -----------------------------------------------------------------------------------------------

NO_CELESTIAL = WCS(naxis=2)
GARBAGE = {
    "physical": "physical\ncircle(1,2,3)\n",
    "no frame": "circle(1,2,3)\n",
    "unknown shape": "icrs\npanda(1,2,3,4,5,6,7,8)\ncircle(1,2,3)\n",
    "broken": "icrs\ncircle(1,2)\n",
    "not a number": "icrs\ncircle(nan,2,3)\n",
    "not DS9": "once upon a time\n",
}


def bad_values(tmp_path):
    """What cannot be regions of an observation, with the error it ends in."""
    (tmp_path / "binary.reg").write_bytes(b"\x1f\x8b\xff\x00")
    fits.PrimaryHDU(np.zeros((4, 4))).writeto(tmp_path / "plain.fits")
    fits.PrimaryHDU(np.zeros((4, 4)), wcs_of(FILE.stem).to_header()).writeto(tmp_path / "cut.fits")
    (tmp_path / "cut.fits").write_bytes((tmp_path / "cut.fits").read_bytes()[:200])
    wcs = wcs_of(FILE.stem)
    sine = WCS(fits.Header({**EXPECTED[FILE.stem]["wcs"], "CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN"}))
    beyond = CirclePixelRegion(PixCoord(1e7, 1e7), 1)
    xga = type("Image", (), {"__module__": "xga.products.phot", "radec_wcs": None})
    return {
        "pixels without WCS": (str(FILE), InvalidParameterError, "without a WCS"),
        "pixels in a list without WCS": ([circle(), beyond], InvalidParameterError, "1 of the 2"),
        "missing file": (str(tmp_path / "none.reg"), MissingFileError, "none.reg"),
        "directory": (tmp_path, InvalidParameterError, "cannot be read"),
        "binary": (tmp_path / "binary.reg", InvalidParameterError, "cannot be read"),
        "bad name": ("a\0b.reg", InvalidParameterError, "cannot be read"),
        "number": (5, ParameterTypeError, "5"),
        "None": (None, ParameterTypeError, "None"),
        "one region": (circle(), ParameterTypeError, "CircleSkyRegion"),
        "strings in a list": ([str(FILE)], ParameterTypeError, "Entry 1"),
        "wrong key": ({"reg": []}, InvalidParameterError, "'reg'"),
        "no key": ({}, InvalidParameterError, "keys"),
        "both keys": ({"region": [], "regions": []}, InvalidParameterError, "keys"),
        "WCS alone": ({"wcs_src": wcs}, InvalidParameterError, "wcs_src"),
        "WCS without axes of the sky": ({"regions": FILE, "wcs_src": NO_CELESTIAL}, InvalidParameterError, "celestial"),
        "missing image": ({"regions": FILE, "wcs_src": "none.fits"}, MissingFileError, "none.fits"),
        "image without WCS": (
            {"regions": FILE, "wcs_src": tmp_path / "plain.fits"},
            InvalidParameterError,
            "celestial",
        ),
        "no image": ({"regions": FILE, "wcs_src": FILE}, InvalidParameterError, "cannot be read"),
        "cut image": ({"regions": FILE, "wcs_src": tmp_path / "cut.fits"}, InvalidParameterError, "cut.fits"),
        "WCS is a number": ({"regions": FILE, "wcs_src": 5}, ParameterTypeError, "no WCS"),
        "another Image": ({"regions": FILE, "wcs_src": type("Image", (), {})()}, ParameterTypeError, "no WCS"),
        "an Image without WCS": ({"regions": FILE, "wcs_src": xga()}, ParameterTypeError, "no WCS"),
        "not on the sky": ({"regions": [beyond], "wcs_src": sine}, InvalidParameterError, "not on the sky"),
        "bad WCS, not needed": ({"regions": [circle()], "wcs_src": NO_CELESTIAL}, InvalidParameterError, "celestial"),
        "line break in a text": ([circle(text="a\ngalactic")], InvalidParameterError, "Region 1"),
        "brace in a tag": ([circle(), circle(tag=["a}b"])], InvalidParameterError, "Region 2"),
        "compound": ([circle() | circle(11.0)], InvalidParameterError, "DS9"),
        "infinite": ([circle(radius=np.inf)], InvalidParameterError, "DS9"),
    }


@pytest.mark.parametrize("case", [
    "pixels without WCS", "pixels in a list without WCS", "missing file", "directory", "binary", "bad name", "number",
    "None", "one region", "strings in a list", "wrong key", "no key", "both keys", "WCS alone",
    "WCS without axes of the sky", "missing image", "image without WCS", "no image", "cut image", "WCS is a number",
    "another Image", "an Image without WCS", "not on the sky", "bad WCS, not needed", "line break in a text",
    "brace in a tag", "compound", "infinite",
])  # fmt: skip
async def test_whatever_is_wrong_nothing_is_written(arch, tmp_path, case):
    bad, error, message = bad_values(tmp_path)[case]
    arch.source_regions = {"sample": {"S0001": [circle()]}}
    before = written(arch)
    with pytest.raises(error, match=message) as caught:
        arch.source_regions = {"sample": {"S0001": [circle(11.0)], "S0002": bad}}
    assert "S0002" in str(caught.value) and caught.value.expected and caught.value.remedy
    assert written(arch) == before


@pytest.mark.parametrize("name", GARBAGE)
async def test_a_file_is_read_whole_or_not_at_all(arch, tmp_path, name):
    path = tmp_path / "given.reg"
    path.write_text(GARBAGE[name])
    with pytest.raises(InvalidParameterError, match=r"given\.reg|Region 1 .* not finite"):
        arch.source_regions = {"sample": {"S0001": {"regions": path, "wcs_src": wcs_of(FILE.stem)}}}
    assert not written(arch)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ([], ParameterTypeError),
        ({"sample": []}, ParameterTypeError),
        ({"sample": {"S0001": []}, "xmm_pointed": {}}, MissionNotAssociatedError),
        ({"sample": {"S0001": [], "S0003": []}}, ObsNotAssociatedError),
        ({"sample": {"S0001": [], "../S0002": []}}, InvalidObsIDError),
        ({"sample": {"S0001": [], 2: []}}, ParameterTypeError),
        ({"sample": {"S0001": [], "s0001": []}}, InvalidParameterError),
    ],
)
async def test_observations_the_archive_does_not_hold(arch, given, error):
    with pytest.raises(error):
        arch.source_regions = given
    assert not written(arch)


async def test_a_disk_that_refuses_leaves_all_as_it_was(arch, monkeypatch):
    arch.source_regions = {"sample": {"S0001": [circle()]}}
    before = written(arch)
    replace = Path.replace

    def refuse(self, target):
        if "S0002" in str(target):
            raise OSError(28, "No space left on device")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.warns(UserWarning, match="replaced"), pytest.raises(StorageError, match="No space left"):
        arch.source_regions = {"sample": {"S0001": [circle(11.0)], "S0002": [circle(12.0)]}}
    assert written(arch) == before


async def test_a_file_system_without_links(arch, monkeypatch):
    def refuse(*_paths, **_options):
        raise PermissionError(1, "Operation not permitted")

    arch.source_regions = {"sample": {"S0001": [circle()]}}
    monkeypatch.setattr(os, "link", refuse)
    with pytest.warns(UserWarning, match="replaced"):
        arch.source_regions = {"sample": {"S0001": [circle(11.0)]}}
    assert arch.source_regions == {"sample": {"S0001": as_read(circle(11.0))}}
    assert len(written(arch)) == 3


async def test_a_file_that_was_damaged_since_says_so(arch):
    arch.source_regions = {"sample": {"S0001": [circle()], "S0002": [circle()]}}
    path = Path(arch.get_region_file_path("sample", "S0001"))
    path.chmod(0o644)
    path.write_text("icrs\ncircle(1,")
    assert len(arch.source_regions["sample"]["S0002"]) == 1
    with pytest.raises(DamagedRecordError, match="S0001"):
        arch.source_regions["sample"]["S0001"]


async def test_a_closed_archive_has_none(arch):
    await arch.close()
    with pytest.raises(ArchiveNotOpenError):
        arch.source_regions = {"sample": {"S0001": []}}
    with pytest.raises(ArchiveNotOpenError):
        arch.source_regions  # noqa: B018


async def test_writers_at_the_same_time_leave_whole_files(arch):
    """Two threads stand for two processes: each file is one writer's or the other's."""
    many = [as_read(*(circle(ra) for ra in np.linspace(10 + kind, 11 + kind, 200))) for kind in range(2)]

    def write(regions):
        from daxa.archive.regions import to_ds9
        from daxa.archive.replacing import write_texts

        path = Path(arch.archive_path, "regions", "sample", "S0001", "source_regions_radec.reg")
        for _ in range(20):
            write_texts({path: to_ds9(regions, "sample S0001")})
            assert len(path.read_text().splitlines()) == 203  # three lines come before the first

    async with anyio.create_task_group() as group:
        for regions in many:
            group.start_soon(anyio.to_thread.run_sync, write, regions)
    found = arch.source_regions["sample"]["S0001"]
    assert found in many and all(isinstance(one, SkyRegion) for one in found)
    assert len(written(arch)) == 3

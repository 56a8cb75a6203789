"""The sky the demonstration runs against: what is in it, and that it is what the README says."""

import hashlib
import importlib.metadata
import re
import subprocess
import sys

import pytest

from daxa.context import use_context
from daxa.mission import Chandra, NuSTARPointed, ROSATPointed, XMMPointed
from daxa_demo.sky import DATA, NAMES, rows
from daxa_testing.sky import Sky

from ..skies import context_of

README = (DATA / "README.md").read_text()
LINES = re.findall(r"^\| (\S+) \| (\d+) \| `([0-9a-f]{64})` \|$", README, re.MULTILINE)


@pytest.fixture(scope="module")
def sky():
    with Sky.installed().running_in_thread() as running:
        yield running


@pytest.fixture
def context(sky, tmp_path):
    own = context_of(sky, tmp_path)
    with use_context(own):
        yield own


def test_every_file_is_the_one_of_the_readme():
    found = {path.relative_to(DATA).as_posix(): path for path in DATA.rglob("*") if path.is_file()}
    listed = {name for name, _, _ in LINES}
    assert listed == {name for name in found if name.count("/") and not name.endswith((".md", ".txt", ".pyc"))}
    for name, size, digest in LINES:
        content = found[name].read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (int(size), digest), name
    assert sum(int(size) for _, size, _ in LINES) < 15_000_000
    for licence in ("BSD-3-Clause", "MIT", "Expat"):
        assert licence in README


@pytest.mark.parametrize("exposure", ["M1S001", "M2S002"])
@pytest.mark.parametrize("obs_id", ["0404910601", "0201903501"])
def test_names_of_event_lists_are_those_of_their_headers(obs_id, exposure):
    import gzip
    import io

    from astropy.io import fits

    content = gzip.decompress((DATA / "xmm" / f"P{obs_id}{exposure}MIEVLI0000.FTZ").read_bytes())
    header = fits.getheader(io.BytesIO(content))
    assert (header["OBS_ID"], header["INSTRUME"][1:], header["EXPIDSTR"]) == (
        obs_id,
        {"M1": "MOS1", "M2": "MOS2"}[exposure[:2]],
        exposure[2:],
    )


def test_every_row_says_where_it_is_from():
    from daxa_chandra import testing as chandra
    from daxa_nustar import testing as nustar
    from daxa_rosat import testing as rosat
    from daxa_xmm import testing as xmm

    tables = {
        xmm.XSA_TABLE: xmm.XSA_COLUMNS,
        chandra.TABLE: chandra.COLUMNS,
        nustar.TABLE: nustar.COLUMNS,
        rosat.POINTED: rosat.POINTED_COLUMNS,
        rosat.SURVEY: rosat.SURVEY_COLUMNS,
    }
    origins = {}
    for name, columns in tables.items():
        for row in rows(name, columns):
            assert row["daxa_origin"] in ("recorded", "header", "real", "filled", "generated", "decoy")
            origins[next(value for key, value in row.items() if key in ("observation_id", "obsid", "seq_id"))] = row[
                "daxa_origin"
            ]
    assert origins["0201903501"] == "recorded"
    assert origins["0404910601"] == origins["10027"] == origins["RP800282N00"] == "header"
    assert origins["0201901401"] == origins["90410111001"] == "generated"


@pytest.mark.anyio
@pytest.mark.parametrize("name", list(NAMES))
async def test_names_select_the_observations(context, name):
    expected = {
        "Abell 907": (XMMPointed, ["0201901401", "0201903501", "0404910601"]),
        "M82": (Chandra, ["10027"]),
        "NGC 1961": (ROSATPointed, ["RP800282N00"]),
        "PHL 1811": (XMMPointed, ["0204310101", "0761910201"]),
        "A3667": (XMMPointed, 8),
        "M51": (XMMPointed, 16),
    }
    other = {"A907": "Abell 907", "M 82": "M82", "NGC1961": "NGC 1961", "PHL1811": "PHL 1811", "M 51": "M51"}
    other |= {"NGC 5194": "M51", "Abell 3667": "A3667", "ACO 3667": "A3667"}
    cls, wanted = expected[other.get(name, name)]
    mission = cls()
    await mission.filter_on_name(name)
    found = sorted(mission.filtered_obs_ids)
    assert (len(found) if isinstance(wanted, int) else found) == wanted


@pytest.mark.anyio
async def test_what_is_fetched(context):
    xm, ch, ro, nu = XMMPointed(), Chandra(), ROSATPointed(), NuSTARPointed()
    await xm.filter_on_name("Abell 907")
    await ch.filter_on_name("M82")
    await ro.filter_on_name("NGC 1961")
    await nu.filter_on_obs_ids("90410111001")
    found, causes = {}, {}
    for mission in (xm, ch, ro, nu):
        report = await mission.download(download_products=True, download_raw=False, on_error="collect")
        for one in report.observations:
            labels = mission.label(mission.observation(one.obs_id), mission.downloaded_files(one.obs_id))
            found[one.obs_id] = sorted((label.kind, label.inst, label.subexp) for label in labels)
            causes[one.obs_id] = one.cause
    assert found == {
        "0404910601": [("events", "M1", "S001"), ("events", "M2", "S002")],
        "0201903501": [("events", "M1", "S001"), ("events", "M2", "S002")],
        "0201901401": [],
        "10027": [("events", "ACIS", None)],
        "RP800282N00": [("events", "PSPCB", None)],
        "90410111001": [("events", "FPMA", None)],
    }
    assert {obs_id for obs_id, cause in causes.items() if cause} == {"0201901401"}
    assert "no event list" in causes["0201901401"]


def test_the_contribution_is_an_entry_point():
    assert "daxa_demo.sky:contribute" in {one.value for one in importlib.metadata.entry_points(group="daxa.sky")}
    assert Sky.installed().problems == []


@pytest.mark.parametrize("plugin", ["xmm", "chandra", "rosat", "nustar", "demo"])
def test_entry_modules_are_light(plugin):
    code = (
        f"import sys, daxa_{plugin}.plugin\n"
        "heavy = {'astropy', 'pandas', 'numpy', 'aiohttp', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("plugin", ["xmm", "chandra", "rosat", "nustar"])
def test_mission_classes_are_light(plugin):
    code = (
        f"import sys, daxa_{plugin}.mission\n"
        "heavy = {'astropy', 'pandas', 'aiohttp', 'daxa_testing'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

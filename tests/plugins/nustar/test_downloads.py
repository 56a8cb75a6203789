"""What is on disk after a download of NuSTAR: directories, names, modules, and what is encrypted."""

from collections import Counter

import pytest
from aiohttp import web

import daxa_testing.sky
from daxa.context import use_context
from daxa_nustar import testing
from daxa_nustar.mission import NuSTARPointed
from daxa_testing.apache import FRONT_END_404
from daxa_testing.sky import Sky

from ..skies import context_of, fits, gz, listed

pytestmark = pytest.mark.anyio

WHEN = ("2016-10-26 01:19:30", "2016-10-26 21:19:30")
OBS, BARE, CLOSED, BLANK, STALE, GONE = (
    "80002092003", "80002092005", "80002092007", "80002092009", "80002092011", "80002092013",
)  # fmt: skip
FUTURE = 67_000  # MJD, in 2042


def tree(obs_id):
    files = {
        "auxil": [f"nu{obs_id}_att.fits.gz", f"nu{obs_id}_orb.fits.gz"],
        "event_uf": [f"nu{obs_id}{module}_uf.evt.gz" for module in "AB"],
        "event_cl": [f"nu{obs_id}{module}{what}" for module in "AB"
                     for what in ("01_cl.evt.gz", "02_cl.evt.gz", "06_cl.evt.gz", "01_sk.img.gz", "01_gti.fits.gz")],
        "hk": [f"nu{obs_id}_chu123.fits.gz", f"nu{obs_id}A_fpm.hk.gz", f"nu{obs_id}B_fpm.hk.gz"],
    }  # fmt: skip
    made = {f"{where}/{name}": gz() for where, names in files.items() for name in names}
    return {**made, f"nu{obs_id}.cat.gz": gz(), "pipe.log": b"text\n"}


def expected(obs_id, wish, modules):
    """Names on disk: event lists and images are unpacked, the catalogue has a name of its own."""
    directories = {"hk"} | ({"auxil", "event_uf"} if wish is not PRODUCTS else set())
    directories |= {"event_cl"} if wish is not RAW else set()
    wanted = {f"{obs_id}_cat.fits"}
    for path in tree(obs_id):
        where, _, name = path.partition("/")
        of_module = not where.startswith("event") or name[13] in modules
        if where in directories and of_module:
            wanted.add(path.removesuffix(".gz") if path.endswith(("evt.gz", "img.gz")) else path)
    return wanted


RAW = {"download_products": False}
PRODUCTS = {"download_products": True, "download_raw": False}
BOTH = {"download_products": True}


@pytest.fixture(scope="module")
def sky():
    made = Sky()
    testing.add_observation(made, OBS, 10.0, 20.0, *WHEN, tree(OBS))
    testing.add_observation(
        made, BARE, 11.0, 20.0, *WHEN, {name: one for name, one in tree(BARE).items() if "event_cl" not in name}
    )
    closed = {"auxil/nu_att.fits.gz.gpg": b"\x85\x01"}
    testing.add_observation(
        made, STALE, 12.0, 20.0, *WHEN, {**closed, "event_cl/x.evt.gz.gpg": b"\x85", "hk/y.gpg": b"\x85"}
    )
    testing.add_rows(
        made,
        [
            testing.row(CLOSED, 13.0, 20.0, *WHEN, public_date=FUTURE),
            testing.row(BLANK, 14.0, 20.0, *WHEN, public_date=0),
            testing.row(GONE, 15.0, 20.0, *WHEN),
        ],
    )
    with made.running_in_thread() as running:
        yield running


async def downloaded(running, path, obs_id, insts=None, **options):
    with use_context(context_of(running, path)):
        mission = NuSTARPointed(insts)
        await mission.filter_on_obs_ids(obs_id)
        report = await mission.download(**{"on_error": "collect", **options})
    here = path / "output" / "nustar_pointed_raw" / obs_id
    return mission, report, {one.relative_to(here).as_posix() for one in here.rglob("*") if one.is_file()}


@pytest.mark.parametrize(("insts", "modules"), [(None, "AB"), ("FPMA", "A"), (["FPMB"], "B")])
@pytest.mark.parametrize("wish", [RAW, PRODUCTS, BOTH], ids=["raw", "products", "both"])
async def test_which_files_come(sky, tmp_path, insts, modules, wish):
    mission, report, files = await downloaded(sky, tmp_path, OBS, insts, **wish)
    assert report.observations[0].state == "complete" and files == expected(OBS, wish, modules)
    assert set(mission.downloaded_files(OBS)) == files
    contents = {(tmp_path / "output/nustar_pointed_raw" / OBS / name).read_bytes() for name in files}
    assert contents == {fits(), gz()}


async def test_the_other_module_and_the_products_come_later(sky, tmp_path):
    *_, files = await downloaded(sky, tmp_path, OBS, "FPMA", **RAW)
    assert files == expected(OBS, RAW, "A")
    *_, report, files = await downloaded(sky, tmp_path, OBS, **BOTH)
    assert files == expected(OBS, BOTH, "AB")
    fetched = {one.path for one in report.files if one.state == "fetched"}
    assert fetched == files - expected(OBS, RAW, "A")


async def test_a_directory_that_is_not_there(sky, tmp_path):
    _, report, files = await downloaded(sky, tmp_path, BARE, **BOTH)
    assert report.observations[0].state == "partial" and "no event_cl" in report.observations[0].cause
    assert files == expected(BARE, RAW, "AB")


async def test_what_is_not_public_is_left_out_with_its_date(sky, tmp_path):
    with use_context(context_of(sky, tmp_path)):
        mission = NuSTARPointed()
        await mission.filter_on_obs_ids([OBS, CLOSED, BLANK])
        with pytest.warns(UserWarning, match="2 of 3 .* proprietary .*2042-04-26"):
            report = await mission.download(credentials=("somebody", "something"))
    assert [one.obs_id for one in report.observations] == [OBS]


@pytest.mark.parametrize(
    ("obs_id", "date"), [(CLOSED, "2042-04-26"), (BLANK, "no date is known"), (STALE, "2020-01-01")]
)
async def test_what_is_encrypted_is_told_with_its_date(sky, tmp_path, obs_id, date):
    """Whatever the catalogue says of it: nothing is written."""
    from daxa.specs import Want

    context = context_of(sky, tmp_path)
    with use_context(context):
        mission = NuSTARPointed()
        _, problem = await listed(mission, obs_id, context)
        assert problem.code == "access-denied" and "encrypted" in str(problem)
        async with mission.open_downloads(Want(instruments=("FPMA", "FPMB")), [obs_id]) as downloads:
            _, _, causes = await downloads.plan()
            result = await downloads.one(obs_id)
    assert date in causes[obs_id] and "encrypted" in causes[obs_id]
    assert date in result.cause and {one.code for one in result.files} == {"access-denied"}
    assert mission.downloaded_files(obs_id) == []


async def test_what_should_be_there_and_is_not(sky, tmp_path):
    _, report, files = await downloaded(sky, tmp_path, GONE, **BOTH)
    assert [one.code for one in report.failed] == ["not-at-archive"] and not files


async def test_a_listed_directory_that_is_gone_for_a_moment_is_asked_for_again(sky, tmp_path, monkeypatch):
    """A front-end of the archive answers so now and then; the name was read from a page, so it is there."""
    monkeypatch.setattr("daxa.net.client.Patience.wait", lambda self, attempt: 0.01)
    times, serve = Counter(), daxa_testing.sky.serve

    async def front_end(tree, request, path, *args, **options):
        times[path] += 1
        if path.endswith("/hk/") and times[path] <= 2:
            return web.Response(status=404, text=FRONT_END_404)
        return await serve(tree, request, path, *args, **options)

    monkeypatch.setattr(daxa_testing.sky, "serve", front_end)
    _, report, files = await downloaded(sky, tmp_path, OBS, **BOTH)
    assert report.observations[0].state == "complete" and files == expected(OBS, BOTH, "AB")
    assert {count for path, count in times.items() if path.endswith("/hk/")} == {3}

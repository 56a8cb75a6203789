"""What is on disk after a download, whatever form the archive's reply has."""

import warnings

import pytest
from aiohttp import web

from daxa.context import Context, use_context
from daxa.exceptions import (
    AccessDeniedError,
    DAXADownloadError,
    InvalidParameterError,
    MissingFileError,
    PreProcessedNotAvailableError,
    PreProcessedNotSupportedError,
)
from daxa_testing.aio import Servlet
from daxa_testing.sky import Sky
from daxa_xmm import testing
from daxa_xmm.mission import XMMPointed

from ..skies import context_of, fits, gz

pytestmark = pytest.mark.anyio

OBS, ONE = "0123700101", "0505720401"
WHEN = ("2004-06-17 10:38:28", 14913)
SOON = "2045-01-01 00:00:00"
BANDS = "123458"


def odf(obs_id=OBS):
    kinds = ["M1S00110IME.FIT", "M2S00210IME.FIT", "PNS00301IME.FIT", "R1S00400SPE.FIT", "R2S00500SPE.FIT",
             "OMS00600IMI.FIT", "RMX00000ECX.FIT", "SCX00000ATS.FIT", "SCX00000SUM.ASC"]  # fmt: skip
    return {f"0070_{obs_id}_{kind}": fits() if kind.endswith("FIT") else b"text\n" for kind in kinds}


def chosen(*insts, obs_id=OBS):
    """Files of an ODF that are kept: those of the instruments, of the spacecraft, and what says what there is."""
    names = {name for name in odf(obs_id) if name[16:18] in (*insts, "SC")}
    return names | {"MANIFEST.000001"}


def pps(obs_id=OBS):
    names = ["M1S001MIEVLI0000", "M2S002MIEVLI0000", "PNS003PIEVLI0000", "PNS003OOEVLI0000", "R1S004EVENLI0000"]
    for inst, exposure in (("M1", "S001"), ("M2", "S002"), ("PN", "S003")):
        names += [f"{inst}{exposure}{kind}{band}000" for kind in ("IMAGE_", "EXPMAP") for band in BANDS]
    files = {f"P{obs_id}{name}.FTZ": gz() for name in [*names, "EPX000OIMAGE8000", "PNS003IMAGE_7000"]}
    return {**files, f"P{obs_id}PNS003IMAGE_8000.PNG": b"\x89PNG"}


def events(*insts):
    exposures = {"M1": "S001MIEVLI", "M2": "S002MIEVLI", "PN": "S003PIEVLI"}
    return {f"PPS/P{OBS}{inst}{exposures[inst]}0000.FIT" for inst in insts}


def maps(kind, *insts):
    exposures = {"M1": "S001", "M2": "S002", "PN": "S003"}
    return {f"PPS/P{OBS}{inst}{exposures[inst]}{kind}{band}000.FIT" for inst in insts for band in BANDS}


def made(**more):
    sky = Sky()
    testing.add_observation(sky, OBS, 149.59, -11.06, *WHEN, pps=pps(), odf=odf(), **more)
    return sky


async def downloaded(running, path, *, insts=None, obs_id=OBS, mission=None, settings=None, **options):
    context = Context(**{**running.settings(), **(settings or {})}, output=str(path / "o"), cache=str(path / "c"))
    with use_context(context):
        mission = XMMPointed(insts, **(mission or {}))
        await mission.filter_on_obs_ids(obs_id)
        report = await mission.download(**{"on_error": "collect", **options})
    return mission, report


RAW, PRODUCTS, BOTH = {}, {"download_raw": False, "download_products": True}, {"download_products": True}


@pytest.mark.parametrize("heasarc", [False, True], ids=["ESA", "HEASARC"])
@pytest.mark.parametrize(
    ("insts", "wish", "products", "expected"),
    [
        (None, RAW, None, chosen("M1", "M2", "PN")),
        (None, PRODUCTS, None, events("M1", "M2", "PN")),
        (None, BOTH, None, chosen("M1", "M2", "PN") | events("M1", "M2", "PN")),
        ("PN", BOTH, None, chosen("PN") | events("PN")),
        (["R1", "OM"], RAW, None, chosen("R1", "OM")),
        (["M1", "R2"], BOTH, ["events"], chosen("M1", "R2") | events("M1")),
        ("M2", PRODUCTS, "images", maps("IMAGE_", "M2")),
        (["M1", "PN"], PRODUCTS, ["expmaps"], maps("EXPMAP", "M1", "PN")),
        ("PN", BOTH, ["events", "images", "expmaps"],
         chosen("PN") | events("PN") | maps("IMAGE_", "PN") | maps("EXPMAP", "PN")),
    ],
)  # fmt: skip
async def test_which_files_come(tmp_path, insts, wish, products, expected, heasarc):
    with made().running_in_thread() as running:
        options = {"products": products, "use_heasarc": heasarc}
        mission, report = await downloaded(running, tmp_path, insts=insts, mission=options, **wish)
    assert [one.state for one in report.observations] == ["complete"], report.observations
    if heasarc:  # there, the list of what there is does not lie beside the files of this sky
        expected = {name for name in expected if "MANIFEST" not in name}
    assert set(mission.downloaded_files(OBS)) == expected
    here = tmp_path / "o" / "xmm_pointed_raw" / OBS
    assert {one.relative_to(here).as_posix() for one in here.rglob("*") if one.is_file()} == expected


@pytest.mark.parametrize("where", ["s3", "file"])
async def test_heasarcs_copies_come_first_where_the_user_says_so(tmp_path, where):
    sky = made()
    sky.add_mirror()
    mount = tmp_path / "mount"
    for level, files in (("ODF", odf()), ("PPS", pps())):
        for name, content in files.items() if where == "file" else ():
            path = mount / "xmm/data/rev0" / OBS / level / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    with sky.running_in_thread() as running:
        locations = ["s3"] if where == "s3" else [mount.as_uri()]
        mission, report = await downloaded(running, tmp_path, **BOTH, locations=locations)
        asked = [one.url for one in running.requests]
    assert [one.state for one in report.observations] == ["complete"]
    wanted = {name for name in chosen("M1", "M2", "PN") if "MANIFEST" not in name} | events("M1", "M2", "PN")
    assert set(mission.downloaded_files(OBS)) == wanted
    assert not [url for url in asked if "data-action-aio" in url or "/FTP/" in url]
    assert len([url for url in asked if "list-type" in url]) == (1 if where == "s3" else 0)
    assert {one.url.partition(":")[0] for one in report.files} == ({"file"} if where == "file" else {"http"})


@pytest.mark.parametrize("wish", [RAW, PRODUCTS], ids=["raw", "products"])
async def test_what_heasarc_has_encrypted_is_told_with_its_date(tmp_path, wish):
    """The catalogue takes it for public, ESA sends nothing, and HEASARC's copy is not open yet."""
    sky = Sky()
    testing.add_rows(sky, [testing.row(OBS, 149.59, -11.06, *WHEN, proprietary_end_date="2020-01-01 00:00:00")])
    closed = {level: {f"{name}.gpg": b"\x85" for name in names} for level, names in (("odf", odf()), ("pps", pps()))}
    testing.add_files(sky, OBS, **closed, esa=False)
    sky.add_aio("0000000001", "PPS", "other.FTZ", gz())
    with sky.running_in_thread() as running:
        mission, report = await downloaded(running, tmp_path, **wish)
    (problem,) = report.failed
    assert problem.code == "access-denied" and "encrypted" in problem.cause and "2020-01-01" in problem.cause
    assert mission.downloaded_files(OBS) == []


@pytest.mark.parametrize("status", [405, 501])
async def test_a_servlet_that_tells_nothing_beforehand_is_asked_in_earnest(tmp_path, monkeypatch, status):
    answer = Servlet.answer

    async def silent(self, request):
        return web.Response(status=status) if request.method == "HEAD" else await answer(self, request)

    monkeypatch.setattr(Servlet, "answer", silent)
    with made().running_in_thread() as running:
        mission, report = await downloaded(running, tmp_path, **BOTH)
    assert [one.state for one in report.observations] == ["complete"]
    assert set(mission.downloaded_files(OBS)) == chosen("M1", "M2", "PN") | events("M1", "M2", "PN")


async def test_what_heasarcs_copies_lack_esa_sends(tmp_path):
    sky = Sky()
    sky.add_mirror()
    testing.add_rows(sky, [testing.row(OBS, 149.59, -11.06, *WHEN)])
    testing.add_files(sky, OBS, odf=odf(), pps=pps(), heasarc=False)
    testing.add_files(sky, OBS, pps={name: gz() for name in pps() if "M1S001MIEVLI" in name}, esa=False)
    with sky.running_in_thread() as running:
        mission, report = await downloaded(running, tmp_path, **BOTH, locations=["s3"])
    assert [one.state for one in report.observations] == ["complete"]
    assert set(mission.downloaded_files(OBS)) == chosen("M1", "M2", "PN") | events("M1", "M2", "PN")
    from_mirror = [one.path for one in report.files if "nasa-heasarc" in one.url]
    assert from_mirror == [f"PPS/P{OBS}M1S001MIEVLI0000.FIT"]


@pytest.mark.parametrize("manner", ["usual", "tar", "bare", "cut", "dropped"])
@pytest.mark.parametrize("wish", [RAW, PRODUCTS], ids=["raw", "products"])
async def test_whatever_form_the_reply_has(tmp_path, manner, wish, monkeypatch):
    quick(monkeypatch)
    sky = made()
    sky.servlet().manners[OBS] = manner
    with sky.running_in_thread() as running:
        mission, report = await downloaded(running, tmp_path, insts=["M1"], **wish)
    expected = chosen("M1") - ({"MANIFEST.000001"} if manner == "tar" else set()) if wish is RAW else events("M1")
    assert report.observations[0].state == "complete" and set(mission.downloaded_files(OBS)) == expected
    (file,) = report.files
    assert file.attempts == (2 if manner in ("cut", "dropped") else 1)  # without a length, it starts again
    assert not list((tmp_path / "o").rglob("*.part*"))
    for path in expected:
        whole = (tmp_path / "o" / "xmm_pointed_raw" / OBS / path).read_bytes()
        assert whole == {**odf(), "MANIFEST.000001": b""}.get(path, fits())


@pytest.mark.parametrize(
    ("manner", "code"),
    [("empty", "not-at-archive"), ("text", "not-at-archive"), ("page", "not-at-archive"), ("nothing", "bad-reply")],
)
async def test_a_reply_without_files_is_a_typed_error(tmp_path, manner, code, monkeypatch):
    quick(monkeypatch)
    sky = Sky()
    testing.add_rows(sky, [testing.row(OBS, 149.59, -11.06, *WHEN)])
    testing.add_files(sky, OBS, odf=odf(), heasarc=False)
    sky.servlet().manners[OBS] = manner
    with sky.running_in_thread() as running:
        mission, report = await downloaded(running, tmp_path)
    (problem,) = report.failed
    assert problem.code == code and mission.downloaded_files(OBS) == []
    assert not [one for one in (tmp_path / "o" / "xmm_pointed_raw" / OBS).rglob("*") if one.is_file()]


async def test_a_tar_of_all_levels(tmp_path):
    from daxa.net.client import open_net
    from daxa.specs import Location, RemoteFile

    with made().running_in_thread() as running:
        context = context_of(running, tmp_path)
        async with open_net(context) as net:
            url = f"{net.url('XSA')}data-action-aio?obsno={OBS}"
            remote = RemoteFile(obs_id=OBS, path="", locations=[Location(url=url)], unpack="auto")
            found = await net.fetch(remote, tmp_path / "here")
    names = {name.replace(".FTZ", ".FIT") for name in pps()} | set(odf()) | {"MANIFEST.000001"}
    assert {one.path for one in found.files} == names


async def test_further_instruments_and_products_come_later(tmp_path):
    with made().running_in_thread() as running:

        async def more(insts, wish, **options):
            running.requests.clear()
            mission, report = await downloaded(running, tmp_path, insts=insts, mission=options, **wish)
            got = [one for one in running.requests if one.method == "GET" and "data-action" in one.url]
            return set(mission.downloaded_files(OBS)), len(got), report.observations[0].state

        assert await more("M1", RAW) == (chosen("M1"), 1, "complete")
        assert await more("M1", BOTH) == (chosen("M1") | events("M1"), 1, "complete")
        assert await more(["M1", "R1"], RAW) == (chosen("M1", "R1") | events("M1"), 1, "complete")
        assert await more("R1", RAW) == (chosen("M1", "R1") | events("M1"), 0, "present")
        everything = chosen("M1", "R1") | events("M1") | maps("IMAGE_", "M1")
        assert await more("M1", PRODUCTS, products="images") == (everything, 1, "complete")
        assert await more("M1", PRODUCTS, products="images") == (everything, 0, "present")
        assert await more("M1", PRODUCTS) == (everything, 0, "present")


async def test_images_are_found_by_energy(tmp_path):
    from astropy.units import Quantity

    with made().running_in_thread() as running:
        options = {"products": ["images", "expmaps"]}
        mission, _ = await downloaded(running, tmp_path, insts=["M1", "PN"], mission=options, **PRODUCTS)
    lo, hi = Quantity(200, "eV"), Quantity(12, "keV")
    assert mission.get_image_path(OBS, lo, hi, "PN").endswith(f"{OBS}/PPS/P{OBS}PNS003IMAGE_8000.FIT")
    got = mission.get_expmap_path(OBS, Quantity(1, "keV"), Quantity(1999.9999999, "eV"), "M1")
    assert got.endswith("M1S001EXPMAP3000.FIT")
    with pytest.raises(PreProcessedNotAvailableError, match=r"0\.3-2 keV"):
        mission.get_image_path(OBS, Quantity(0.3, "keV"), Quantity(2, "keV"), "PN")
    assert mission.preprocessed_energy_bands["PN"].shape == (6, 2)
    labels = mission.label(mission.observation(OBS), mission.downloaded_files(OBS))
    assert len(labels) == 24 and {one.subexp for one in labels} == {"S001", "S003"}
    assert {(one.lo, one.hi) for one in labels if one.kind == "expmap"} == set(mission.bands_of("M1"))
    with pytest.raises(PreProcessedNotSupportedError, match="event lists"):
        mission.get_evt_list_path(OBS, "PN")


async def test_event_lists_have_paths_when_they_were_chosen(tmp_path):
    with made().running_in_thread() as running:
        mission, _ = await downloaded(running, tmp_path, mission={"products": "events"}, insts=["PN", "M1"], **PRODUCTS)
    assert mission.get_evt_list_path(OBS, "PN").endswith("PNS003PIEVLI0000.FIT")
    with pytest.raises(PreProcessedNotSupportedError):
        mission.get_image_path(OBS, inst="PN")
    (tmp_path / "o" / "xmm_pointed_raw" / OBS / "PPS" / f"P{OBS}PNU004PIEVLI0000.FIT").write_bytes(fits())
    with pytest.raises(MissingFileError, match="2 files"):
        mission.get_evt_list_path(OBS, "PN")


async def test_an_archive_takes_them_and_remembers_the_choice(tmp_path):
    from daxa import Archive

    with made().running_in_thread() as running:
        with use_context(context_of(running, tmp_path)):
            mission = XMMPointed("PN", products=["events", "images"])
            await mission.filter_on_obs_ids(OBS)
            arch = await Archive("maps", mission, download_products=True)
            table = arch.products(kind="image")
            assert len(table) == 6 and {(row.lo, row.hi) for row in table.itertuples()} == set(mission.bands["PN"])
            again = await Archive("maps")
            assert again["xmm_pointed"].product_kinds == ("events", "images")
            assert not len(arch.products(kind="expmap"))


def test_a_mission_without_a_choice():
    from daxa.mission import NuSTARPointed

    with pytest.raises(InvalidParameterError, match="no choice"):
        NuSTARPointed().choose_products("images")


def test_without_a_choice_there_are_no_paths_as_in_daxa():
    with pytest.raises(PreProcessedNotSupportedError):
        _ = XMMPointed().preprocessed_energy_bands
    for wrong in ("pictures", [], ["events", "spectra"]):
        with pytest.raises(InvalidParameterError):
            XMMPointed(products=wrong)


# --- proprietary observations ----------------------------------------------------------------------------------------

USER, PASSWORD = "me@home", "p&=+%# \xe9/'\""
ACCOUNT = {"xsa_user": USER, "xsa_password": PASSWORD}


def closed_sky(**more):
    sky = made(proprietary_end_date=SOON)
    servlet = sky.servlet()
    servlet.proprietary.add(OBS)
    servlet.accounts[USER] = PASSWORD
    for name, value in more.items():
        setattr(servlet, name, value)
    return sky


async def test_without_credentials_it_is_left_out(tmp_path):
    sky = closed_sky()
    testing.add_observation(sky, ONE, 149.7, -11.06, *WHEN, odf=odf(ONE))
    with sky.running_in_thread() as running:
        with pytest.warns(UserWarning, match=r"proprietary.*2045-01-01"):
            _, report = await downloaded(running, tmp_path, obs_id=[OBS, ONE])
        assert [one.obs_id for one in report.observations] == [ONE]
        with pytest.raises(AccessDeniedError, match="2045-01-01") as told:
            await downloaded(running, tmp_path)
        assert "DAXA_XSA_USER" in told.value.remedy


@pytest.mark.parametrize(
    "how",
    [{"settings": ACCOUNT}, {"credentials": (USER, PASSWORD)}, {"credentials": {"user": USER, "password": PASSWORD}}],
)
async def test_w_39_with_credentials_it_is_fetched(tmp_path, how, monkeypatch, caplog):
    caplog.set_level(0)
    events_file = tmp_path / "events.jsonl"
    monkeypatch.setenv("DAXA_EVENTS", str(events_file))
    with closed_sky().running_in_thread() as running, warnings.catch_warnings():
        warnings.simplefilter("error")
        mission, report = await downloaded(running, tmp_path, **BOTH, **how)
        assert [one.state for one in report.observations] == ["complete"], report.observations
        asked = [one.url for one in running.requests if "data-action-aio" in one.url]
        others = [one.url for one in running.requests if "data-action-aio" not in one.url]
    assert asked and all("AIOUSER=me" in one and "AIOPWD=p" in one for one in asked)
    assert others and not any("AIO" in one for one in others)
    assert set(mission.downloaded_files(OBS)) == chosen("M1", "M2", "PN") | events("M1", "M2", "PN")
    written = b"".join(one.read_bytes() for one in tmp_path.rglob("*") if one.is_file())
    for said in (written.decode("latin-1"), str(report), repr(report), repr(mission), caplog.text):
        assert "AIO" not in said and USER not in said and "p%26" not in said and PASSWORD not in said


@pytest.mark.parametrize("older", [False, True])
async def test_credentials_of_somebody_else(tmp_path, older, monkeypatch):
    quick(monkeypatch)
    sky = closed_sky(older=older)
    sky.servlet().accounts["other"] = "secret-word"
    with sky.running_in_thread() as running:
        settings = {"xsa_user": "other", "xsa_password": "wrong-word"}
        _, report = await downloaded(running, tmp_path, settings=settings)
        (problem,) = report.failed
        assert problem.code == "access-denied" and "2045-01-01" in problem.cause
        assert "wrong-word" not in str(report) and "credentials" in problem.cause
        with pytest.raises(DAXADownloadError) as told:
            await downloaded(running, tmp_path, settings=settings, on_error="raise")
        assert "2045-01-01" in str(told.value) and "wrong-word" not in str(told.value)


@pytest.mark.parametrize("older", [False, True])
async def test_a_refusal_names_the_public_date(tmp_path, older):
    """The catalogue takes it for public, or the account may not see it: the archive has the last word."""
    sky = closed_sky(older=older)
    for row in sky._hosts["nxsa.esac.esa.int"].taps["/tap-server/tap"].tables[testing.XSA_TABLE].rows:
        row["proprietary_end_date"] = "2020-01-01 00:00:00"
    with sky.running_in_thread() as running:
        _, report = await downloaded(running, tmp_path)
    if older:  # it says so in words only, and then HEASARC is asked
        assert report.observations[0].state == "complete"
    else:
        assert [(one.code, "2020-01-01" in one.cause) for one in report.failed] == [("access-denied", True)]


def quick(monkeypatch):
    """Waits between tries are short."""
    from daxa.net.client import Patience

    monkeypatch.setattr(Patience, "wait", lambda self, attempt: 0.01)

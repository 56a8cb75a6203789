"""Downloads of missions against a sky of the tests' own: limits, offline, hostile replies."""

import gzip
import io
import random
import tarfile

import anyio
import ncompress
import pytest
from astropy.io import fits

from daxa.context import Context, use_context
from daxa.exceptions import DaxaError, OfflineError, UnsafeArchiveError
from daxa.net.client import open_net
from daxa.specs import Location, RemoteFile
from daxa_testing.sky import Sky

pytestmark = pytest.mark.anyio
FTP = "https://heasarc.gsfc.nasa.gov/FTP/"


def context_of(running, tmp_path, **settings):
    return Context(**running.settings(), output=str(tmp_path / "output"), cache=str(tmp_path / "cache"), **settings)


async def test_w_38_three_missions_at_once_never_exceed_the_hosts_limit(tmp_path):
    import daxa_chandra.testing
    import daxa_nustar.testing
    import daxa_rosat.testing
    from daxa.mission import Chandra, NuSTARPointed, ROSATPointed

    sky = Sky(latency=0.02)
    buffer = io.BytesIO()
    fits.PrimaryHDU().writeto(buffer)
    plain = buffer.getvalue()
    packed, squeezed = gzip.compress(plain, mtime=0), ncompress.compress(plain)
    for number in range(6):
        chandra, nustar, rosat = f"{2000 + number}", f"6000100{number}002", f"RP80000{number}N00"
        daxa_chandra.testing.add_observation(
            sky, chandra, 10.0, 5.0, "2001-01-01T00:00:00", 1000.0,
            {"oif.fits": plain, f"primary/acisf0{chandra}N001_evt2.fits.gz": packed,
             f"secondary/acisf0{chandra}_000N001_evt1.fits.gz": packed, f"secondary/acisf0{chandra}_000N001_flt1.fits.gz": packed},
        )  # fmt: skip
        daxa_nustar.testing.add_observation(
            sky, nustar, 20.0, 5.0, "2015-01-01T00:00:00", "2015-01-02T00:00:00",
            {f"{place}/nu{nustar}{name}.gz": packed for place, name in
             (("event_cl", "A01_cl.evt"), ("event_cl", "B01_cl.evt"), ("event_uf", "A_uf.evt"), ("hk", "A_fpm.hk"), ("auxil", "_att.fits"))},
        )  # fmt: skip
        daxa_rosat.testing.add_observation(
            sky, rosat, 30.0, 5.0, "1992-01-01T00:00:00", "1992-01-02T00:00:00",
            {f"{rosat.lower()}_{name}.fits.Z": squeezed for name in ("bas", "anc", "im1", "mex")},
        )  # fmt: skip
    with sky.running_in_thread() as running, use_context(context_of(running, tmp_path)):
        missions = [Chandra(), NuSTARPointed(), ROSATPointed()]
        for mission in missions:
            await mission.load()
            await mission.filter_on_obs_ids(list(mission.all_obs_info["ObsID"]))
        reports = []

        async def download(mission):
            reports.append(await mission.download(on_error="collect"))

        async with anyio.create_task_group() as group:
            for mission in missions:
                group.start_soon(download, mission)
        assert sum(file.state == "fetched" for report in reports for file in report.files) > 20
        assert 2 <= running.peak(FTP) <= 4  # HEASARC's declared limit, for all of them together


async def test_offline_nothing_is_asked(tmp_path):
    from daxa.mission import Chandra

    sky = Sky()
    sky.add_name("M82", 148.97, 69.68)
    with sky.running_in_thread() as running, use_context(context_of(running, tmp_path, offline=True)) as context:
        with pytest.raises(DaxaError, match=r"(?i)network|offline"):
            await Chandra().load()
        async with open_net(context) as net:
            with pytest.raises(OfflineError, match="DAXA_OFFLINE"):
                await net.resolve("M82")
        assert running.requests == []


async def test_a_tar_that_would_leave_its_directory_is_refused(tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in ("good.fits", "../../evil.fits"):
            info = tarfile.TarInfo(name)
            info.size = 2880
            archive.addfile(info, io.BytesIO(b"SIMPLE  =".ljust(2880)))
    sky = Sky()
    sky.add_file(FTP + "x/all.tar", buffer.getvalue())
    with sky.running_in_thread() as running:
        async with open_net(context_of(running, tmp_path)) as net:
            where = tmp_path / "raw" / "O1"
            remote = RemoteFile(
                obs_id="O1", path="", locations=[Location(url=running.local(FTP + "x/all.tar"))], unpack="tar"
            )
            with pytest.raises(UnsafeArchiveError, match="evil"):
                await net.fetch(remote, where)
    assert not list(tmp_path.rglob("*.fits"))


async def test_what_a_sky_run_caches_is_not_seen_by_a_run_without_it(tmp_path):
    import daxa_chandra.testing
    from daxa.mission import Chandra

    sky = Sky()
    daxa_chandra.testing.add_observation(sky, "2000", 10.0, 5.0, "2001-01-01T00:00:00", 1000.0)
    with sky.running_in_thread() as running:
        await Chandra(context=context_of(running, tmp_path)).load()
    # another run under the sky has other ports, and finds the cache; one without the sky does not
    with sky.running_in_thread() as running:
        again = Chandra(context=context_of(running, tmp_path, offline=True))
        with pytest.warns(UserWarning, match="no network"):
            await again.load()
        assert list(again.all_obs_info["ObsID"]) == ["2000"] and running.requests == []
    real = Chandra(context=Context(output=str(tmp_path / "output"), cache=str(tmp_path / "cache"), offline=True))
    with pytest.raises(DaxaError):
        await real.load()


@pytest.mark.parametrize("how", ["argument", "setting"])
async def test_the_mirror_may_come_first_with_one_listing_an_observation(tmp_path, how):
    import daxa_nustar.testing
    from daxa.mission import NuSTARPointed
    from daxa_testing.sky import MIRROR

    sky = Sky()
    bucket = sky.add_mirror()
    packed = gzip.compress(b"no FITS file", mtime=0)
    for obs_id in ("60001001002", "60001002002"):
        files = {
            f"{place}/nu{obs_id}{name}.gz": packed
            for place, name in (
                ("event_cl", "A01_cl.evt"),
                ("event_uf", "A_uf.evt"),
                ("hk", "A_fpm.hk"),
                ("auxil", "_att.fits"),
            )
        }
        daxa_nustar.testing.add_observation(sky, obs_id, 20.0, 5.0, "2015-01-01T00:00:00", "2015-01-02T00:00:00", files)
    bucket.lacking.add("nustar/data/obs/00/6/60001002002/hk/")  # not everything is copied
    settings, given = ({"locations": "s3"}, {}) if how == "setting" else ({}, {"locations": ["s3"]})
    with sky.running_in_thread() as running, use_context(context_of(running, tmp_path, **settings)):
        mission = NuSTARPointed()
        await mission.filter_on_obs_ids(["60001001002"])
        plan = await mission.plan_download(**given)
        assert plan.unknown == 0 and plan.size == 4 * len(packed)
        before = len(running.requests)
        report = await mission.download(**given)
        asked = [one.url for one in running.requests[before:]]
    assert {file.state for file in report.files} == {"fetched"}
    assert len([url for url in asked if "list-type" in url]) == 1 and len(asked) == 1 + 4
    assert all(url.startswith(MIRROR) for url in asked)


async def test_a_mounted_copy_serves_in_the_place_of_the_archive(tmp_path):
    import daxa_nustar.testing
    from daxa.mission import NuSTARPointed

    sky = Sky()
    daxa_nustar.testing.add_observation(sky, "60001001002", 20.0, 5.0, "2015-01-01T00:00:00", "2015-01-02T00:00:00", {})
    for place, name in (
        ("event_cl", "A01_cl.evt"),
        ("event_uf", "A_uf.evt"),
        ("hk", "A_fpm.hk"),
        ("auxil", "_att.fits"),
    ):
        path = tmp_path / "mount" / "nustar/data/obs/00/6/60001001002" / place / f"nu60001001002{name}.gz"
        path.parent.mkdir(parents=True)
        path.write_bytes(gzip.compress(b"no FITS file", mtime=0))
    with sky.running_in_thread() as running, use_context(context_of(running, tmp_path)):
        mission = NuSTARPointed()
        await mission.filter_on_obs_ids(["60001001002"])
        report = await mission.download(locations=[(tmp_path / "mount").as_uri()])
        assert not [one for one in running.requests if "/FTP/" in one.url]
    assert {file.state for file in report.files} == {"fetched"} and mission.download_completed


async def test_a_plan_tells_bytes_where_listings_round_them(tmp_path):
    """Apache's pages have three figures of a size: enough to know what is coming."""
    import daxa_nustar.testing
    from daxa.mission import NuSTARPointed

    sky, obs_id = Sky(), "60001001002"
    large = gzip.compress(random.Random(1).randbytes(275_000), mtime=0)
    places = ("event_cl/nu{}A01_cl.evt.gz", "event_uf/nu{}A_uf.evt.gz", "hk/nu{}A_fpm.hk.gz", "auxil/nu{}_att.fits.gz")
    files = {one.format(obs_id): large for one in places}
    daxa_nustar.testing.add_observation(sky, obs_id, 20.0, 5.0, "2015-01-01T00:00:00", "2015-01-02T00:00:00", files)
    with sky.running_in_thread() as running, use_context(context_of(running, tmp_path)):
        mission = NuSTARPointed()
        await mission.filter_on_obs_ids([obs_id])
        plan = await mission.plan_download()
        assert not [one for one in running.requests if one.url.endswith(".gz")]
    assert (len(plan.files), plan.rounded, plan.unknown) == (4, 4, 0) and "about 1.1 MB" in str(plan)
    assert abs(plan.size - 4 * len(large)) < 0.01 * 4 * len(large)

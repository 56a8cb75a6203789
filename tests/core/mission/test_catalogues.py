import json
import time

import anyio.to_thread
import pytest

import daxa.exceptions as ex
from daxa.mission.catalogue import STALE, age, service_key
from daxa.store.catalogues import CatalogueCache

pytestmark = pytest.mark.anyio

CATALOGUE = "/tables/catalogue.json"


def asked(server):
    return server.log.count(CATALOGUE)


def make_old(context, seconds):
    with CatalogueCache.open(context.config.cache) as cache:
        key = service_key(context, ["LAB_TABLES"])
        cached = cache.get("lab", key)
        cache.put("lab", key, cached.table, source=cached.source, fetched_at=time.time() - seconds).result()


async def test_the_cache_is_shared_dated_and_equal_to_what_was_fetched(lab, context, server):
    first, second = lab.Lab(), lab.Lab()
    await first.load()
    await second.load()
    assert asked(server) == 1
    assert first.all_obs_info.equals(second.all_obs_info)
    assert (first.all_obs_info.dtypes == second.all_obs_info.dtypes).all()
    assert abs(second.catalogue_date - time.time()) < 60 and second.catalogue_source == f"{server.url}/tables/"
    await second.load(refresh=True)
    assert asked(server) == 2


async def test_offline_the_cache_serves_and_says_how_old_it_is(lab, context, make_context, server):
    await lab.Lab().load()
    make_old(context, 3 * 86400 + 60)
    offline = lab.Lab(context=make_context(offline=True))
    with pytest.warns(UserWarning, match="Laboratory is the one fetched 3 days ago"):
        await offline.filter_on_target_type("GCL")
    assert len(offline) and asked(server) == 1


async def test_offline_without_a_cache_the_error_says_so(lab, make_context):
    mission = lab.Lab(context=make_context(offline=True))
    with pytest.raises(ex.CatalogueError, match="none in the cache"):
        await mission.filter_on_target_type("GCL")
    assert mission.filtering_operations == [] and not mission.loaded


async def test_w_43_with_the_service_down_the_cache_serves_with_a_warning(lab, context, server):
    await lab.Lab().load()
    server.statuses[CATALOGUE] = 503
    await lab.Lab().load()  # a young one is not even asked for
    with pytest.warns(UserWarning, match="less than a minute ago"):
        await lab.Lab().load(refresh=True)
    make_old(context, STALE + 60)
    with pytest.warns(UserWarning, match="7 days ago"):
        await lab.Lab().load()
    server.statuses.clear()
    before = asked(server)
    await lab.Lab().load()
    assert asked(server) == before + 1


async def test_an_old_one_is_fetched_anew(lab, context, server):
    await lab.Lab().load()
    make_old(context, STALE + 60)
    await lab.Lab().load()
    assert asked(server) == 2


def _without(table, name):
    return table.drop(columns=name)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda t: t.drop(columns="duration"), "'duration'"),
        (lambda t: t.rename(columns={"target_category": "category"}), "'target_category'"),
        (lambda t: t.iloc[:0], "no rows"),
        (lambda t: t.assign(dec=99.0), "'dec'"),
        (lambda t: t.assign(ra="far"), "'ra'"),
        (lambda t: t.assign(ObsID="../../etc"), "'ObsID'"),
        (lambda t: t.assign(target_category="WIMP"), "WIMP"),
    ],
)
async def test_a_bad_reply_names_the_column_and_never_replaces_a_good_catalogue(lab, context, server, spoil, says):
    mission = lab.Lab()
    await mission.load()
    table = mission.all_obs_info
    server.put_catalogue(spoil(lab.rows(300)))
    with pytest.raises(ex.BadReplyError, match=says):
        await mission.load(refresh=True)
    assert mission.all_obs_info.equals(table)
    again = lab.Lab()
    await again.load()
    assert again.all_obs_info.equals(table)
    make_old(context, STALE + 60)
    with pytest.warns(UserWarning, match=says):
        await lab.Lab().load()


async def test_a_cached_one_of_another_version_of_the_mission_is_fetched_anew(
    lab, context, make_context, server, caplog
):
    def of_another_version():
        with CatalogueCache.open(context.config.cache) as cache:
            key = service_key(context, ["LAB_TABLES"])
            table = cache.get("lab", key).table.drop(columns="target_category")
            cache.put("lab", key, table, source="x").result()

    await lab.Lab().load()
    await anyio.to_thread.run_sync(of_another_version)
    mission = lab.Lab()
    await mission.load()
    assert asked(server) == 2 and "target_category" in mission.all_obs_info and "'target_category'" in caplog.text


async def test_a_damaged_one_is_fetched_anew(lab, context, server):
    spoil = "UPDATE catalogue_columns SET data = x'00' WHERE position = 0"

    def damage():
        with CatalogueCache.open(context.config.cache) as cache:
            cache.db.submit(lambda connection: connection.execute(spoil)).result()

    await lab.Lab().load()
    await anyio.to_thread.run_sync(damage)
    mission = lab.Lab()
    await mission.load()
    assert asked(server) == 2 and len(mission.all_obs_info) == 300
    await lab.Lab().load()
    assert asked(server) == 2  # it took the damaged one's place


@pytest.mark.parametrize("offline", [False, True])
async def test_a_cache_that_cannot_be_written_costs_a_warning(lab, make_context, server, tmp_path, offline):
    (tmp_path / "file").write_text("in the way")
    mission = lab.Lab(context=make_context(cache=str(tmp_path / "file" / "cache"), offline=offline))
    if offline:
        with pytest.raises(ex.StorageError):
            await mission.load()
        return
    with pytest.warns(UserWarning, match="are not kept"):
        await mission.load()
    assert len(mission.all_obs_info) == 300


async def test_a_bad_first_reply_is_an_error(lab, context, server):
    server.put_catalogue(lab.rows(10).drop(columns="start"))
    with pytest.raises(ex.BadReplyError, match="'start'"):
        await lab.Lab().load()


async def test_caches_of_different_services_never_meet(lab, context, make_context, server):
    await lab.Lab().load()
    server.tree["/other/catalogue.json"] = json.dumps(json.loads(server.tree[CATALOGUE])).encode()
    other = lab.Lab(context=make_context(url_lab_tables=f"{server.url}/other/"))
    await other.load()
    assert server.log.count("/other/catalogue.json") == 1 and other.catalogue_source.endswith("/other/")


async def test_the_sky_is_one_service_whatever_its_port(lab, make_context, server):
    context = make_context(sky=server.url)
    assert service_key(context, ["LAB_TABLES", "LAB"]) == "sky:/tables/ sky:/files/"


async def test_a_catalogue_that_the_plugin_brings_along_needs_no_network(lab, make_context):
    duo = lab.Duo(context=make_context(offline=True))
    await duo.load()
    assert len(duo.all_obs_info) == 400


async def test_w_46_what_is_public_is_seen_as_of_today(lab, context, server):
    import pandas as pd

    table = lab.rows(4)
    now = pd.Timestamp.now()
    table["proprietary_end_date"] = [now - pd.Timedelta(1, "D"), now + pd.Timedelta(1, "D"), pd.NaT, now]
    table["proprietary_usable"] = [True, True, False, False]
    server.put_catalogue(table)
    await lab.Lab().load()
    make_old(context, 3600)
    mission = lab.Lab()
    await mission.load()
    assert mission.all_obs_info.proprietary_usable.tolist() == [True, False, False, True]
    reasons = str(mission.explain("000002"))
    assert "not public" in reasons


async def test_the_selection_is_kept_when_the_catalogue_is_fetched_anew(lab, context, server):
    mission = lab.Lab()
    await mission.filter_on_obs_ids(["000005", "000010"])
    table = lab.rows(300)
    server.put_catalogue(table.iloc[2:])
    await mission.load(refresh=True)
    assert list(mission.filtered_obs_ids) == ["000005", "000010"] and len(mission.all_obs_info) == 298


def test_ages():
    assert [age(one) for one in (5, 61, 7300, 86400 * 2)] == ["less than a minute", "1 minute", "2 hours", "2 days"]

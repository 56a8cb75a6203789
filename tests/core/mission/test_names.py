"""Names to positions: asked once, several at a time, and remembered."""

import time

import pytest

from daxa.context import Context
from daxa.exceptions import NetworkError, OfflineError
from daxa.mission.catalogue import service_key
from daxa.mission.names import resolve_names
from daxa.store import catalogues
from daxa.store.catalogues import CatalogueCache
from daxa_testing.sky import Sky

pytestmark = pytest.mark.anyio


@pytest.fixture
def sky():
    made = Sky()
    made.add_name("M 82", 148.97, 69.68)
    made.add_name("A3667", 303.13, -56.83)
    with made.running_in_thread() as running:
        yield running


@pytest.fixture
def context(sky, tmp_path):
    return Context(**sky.settings(), output=str(tmp_path / "output"), cache=str(tmp_path / "cache"))


def asked(sky):
    return [one for one in sky.requests if "sesame" in one.url]


async def test_a_name_is_asked_once(sky, context):
    first = await resolve_names(["M 82", "nothing at all", "A3667", "M 82"], context, "icrs")
    assert [None if one is None else round(one.ra.deg, 2) for one in first] == [148.97, None, 303.13, 148.97]
    assert len(asked(sky)) == 3
    again = await resolve_names(["A3667", "M 82"], context, "fk5")
    assert len(asked(sky)) == 3 and round(again[1].dec.deg, 2) == 69.68
    await resolve_names(["nothing at all"], context, "icrs")  # what nobody knew may be known by now
    assert len(asked(sky)) == 4


async def test_without_a_network_the_cache_serves(sky, context, tmp_path):
    await resolve_names(["M 82"], context, "icrs")
    offline = Context(**sky.settings(), output=str(tmp_path), cache=str(tmp_path / "cache"), offline=True)
    (place,) = await resolve_names(["M 82"], offline, "icrs")
    assert round(place.ra.deg, 2) == 148.97
    with pytest.raises(OfflineError):
        await resolve_names(["A3667"], offline, "icrs")


async def test_with_the_service_down_old_answers_serve_with_a_warning_and_new_ones_are_kept(
    sky, context, tmp_path, monkeypatch
):
    monkeypatch.setattr("daxa.net.client.Patience.wait", lambda self, attempt: 0.01)
    await resolve_names(["M 82"], context, "icrs")
    later = time.time() + 91 * 86400
    monkeypatch.setattr(catalogues.time, "time", lambda: later)
    down = Context(url_sesame=sky.settings()["url_sesame"].replace("nph-sesame", "down"), cache=context.config.cache)
    key = service_key(context, ("SESAME",))
    monkeypatch.setattr("daxa.mission.names.service_key", lambda *_: key)
    with pytest.warns(UserWarning, match="M 82 are those that were told more than 90 days ago"):
        (place,) = await resolve_names(["M 82"], down, "icrs")
    assert round(place.ra.deg, 2) == 148.97
    with pytest.raises(NetworkError):
        await resolve_names(["M 82", "A3667"], down, "icrs")


def test_old_answers_are_asked_for_again_and_the_oldest_dropped(tmp_path, monkeypatch):
    with CatalogueCache.open(tmp_path) as cache:
        cache.put_positions("s", {"a": (1.0, 2.0)}).result()
        assert cache.positions("s", ["a", "b"], 60.0) == {"a": (1.0, 2.0)} and cache.positions("other", ["a"]) == {}
        later = time.time() + 1000
        monkeypatch.setattr(catalogues.time, "time", lambda: later)
        assert cache.positions("s", ["a"], 60.0) == {} and cache.positions("s", ["a"]) == {"a": (1.0, 2.0)}
        monkeypatch.setattr(catalogues, "_MOST_NAMES", 2)
        cache.put_positions("s", {"b": (1.0, 2.0), "c": (3.0, 4.0)}).result()
        assert set(cache.positions("s", ["a", "b", "c"])) == {"b", "c"}

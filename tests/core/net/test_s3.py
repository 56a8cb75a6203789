"""HEASARC's mirror in the cloud, and mounted copies: listings, the order in which places are asked, and going on there."""

import hashlib
import os
import random

import pytest

from daxa.api import heasarc_file
from daxa.config import Config
from daxa.context import Context
from daxa.exceptions import BadReplyError, DAXAConfigError, NetworkError, NotAtArchiveError
from daxa.net.client import Patience, open_net
from daxa.net.copies import copies_of, entries_of
from daxa.net.s3 import StoredObject, list_bucket, parse_bucket_page
from daxa.specs import Location, RemoteFile
from daxa_testing import faults, s3
from daxa_testing.faults import FaultyServer
from daxa_testing.sky import FILES, MIRROR, Sky

from ...plugins.skies import gz

pytestmark = pytest.mark.anyio
OBS = "nustar/data/obs/00/8/80002092008/"
NAMES = ["nu80002092008.cat.gz", "hk/a.hk.gz", "hk/b.hk.gz", "event_cl/nu80002092008A01_cl.evt.gz"]
QUICK = Patience(attempts=3, first=0.01, most=0.02, read_seconds=1, failures=100)
CONTENT = {name: gz(random.Random(number).randbytes(1000 * (number + 2))) for number, name in enumerate(NAMES)}


def held(names=NAMES):
    sky = Sky()
    for name in names:
        sky.add_file(f"{FILES}{OBS}{name}", CONTENT[name])
    sky.add_file(f"{FILES}nustar/data/obs/00/8/800020920081/other.gz", gz())  # its ObsID begins with ours
    return sky, sky.add_mirror()


@pytest.fixture
def running():
    sky, _ = held()
    with sky.running_in_thread() as served:
        yield served


def context_of(served, tmp_path, **more):
    settings = {**served.settings(), "output": str(tmp_path / "output"), "cache": str(tmp_path / "cache"), **more}
    return Context(**settings)


def listings(served):
    return [one.url for one in served.requests if "list-type" in one.url]


# --- pages of buckets ----------------------------------------------------------------------------------------------------


def page(inner, root="ListBucketResult"):
    return f'<?xml version="1.0"?><{root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{inner}</{root}>'.encode()


ONE = "<Contents><Key>a/b.gz</Key><Size>12</Size><ETag>&quot;0123&quot;</ETag></Contents>"
END = "<IsTruncated>false</IsTruncated>"


def test_a_page_is_read():
    read = parse_bucket_page(
        page(f"<Name>b</Name>{END}{ONE}<CommonPrefixes><Prefix>a/c/</Prefix></CommonPrefixes>"), "u"
    )
    assert read.objects == (StoredObject("a/b.gz", 12, '"0123"'),) and read.token is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>Software error</body></html>",
        page(END + ONE)[:-30],
        page(ONE),
        page("<IsTruncated>true</IsTruncated>" + ONE),
        page("<IsTruncated>perhaps</IsTruncated>" + ONE),
        page(END + ONE.replace("12", "-12")),
        page(END + ONE.replace("12", "1e3")),
        page(END + ONE.replace("Key", "Name")),
        page(END + "<Contents><Key>a</Key></Contents>"),
        page("<Code>SlowDown</Code>", root="Error"),
        b'<!DOCTYPE x [<!ENTITY e "aaaa">]><ListBucketResult><IsTruncated>&e;</IsTruncated></ListBucketResult>',
    ],
)
def test_a_page_that_is_not_sound_is_refused_with_its_address(body):
    with pytest.raises(BadReplyError, match=r"https://bucket\.example/"):
        parse_bucket_page(body, "https://bucket.example/")


def test_keys_that_are_no_paths_are_passed_over():
    keys = ["o/a.gz", "o/../b.gz", "o//c.gz", "o/d\\e", "o/f/", "o/./g", "o/h/i.gz", "p/a.gz", "o/\x07"]
    entries = entries_of([StoredObject(key, 1, "") for key in keys], "o/", "s")
    assert [(one.name, one.is_dir) for one in entries] == [("a.gz", False), ("h", True)]


@pytest.mark.parametrize("size", [1, 2, 1000])
async def test_all_pages_are_read(tmp_path, size):
    sky, bucket = held()
    bucket.most = size
    with sky.running_in_thread() as served:
        async with open_net(context_of(served, tmp_path)) as net:
            found = await list_bucket(net, served.local(MIRROR), OBS)
        asked = listings(served)
    assert [one.key.removeprefix(OBS) for one in found] == sorted(NAMES)
    assert {one.key.removeprefix(OBS): one.size for one in found} == {name: len(CONTENT[name]) for name in NAMES}
    assert len(asked) == {1: 4, 2: 2, 1000: 1}[size]
    assert all("%2B" in url for url in asked[1:])  # a plus in an address is a blank


async def test_a_listing_without_end_is_left(tmp_path):
    endless = page(f"<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>{ONE}")
    with FaultyServer().running_in_thread() as server:
        for token in ("", "&continuation-token=t"):
            server.add(f"/bucket/?list-type=2&prefix=a/&max-keys=1000{token}", endless)
        async with open_net(Context(output=str(tmp_path)), patience=QUICK) as net:
            with pytest.raises(BadReplyError, match="without end"):
                await list_bucket(net, server.url("/bucket/"), "a/")


async def test_a_bucket_that_is_busy_is_asked_again(tmp_path):
    sky, bucket = held()
    bucket.slow_down = 2
    with sky.running_in_thread() as served:
        async with open_net(context_of(served, tmp_path), patience=QUICK, prefer=("s3",)) as net:
            assert len(await net.listing(served.local(FILES + OBS))) == 3


def test_the_entity_tag_of_many_parts_is_theirs():
    small, large = b"x" * 100, random.Random(1).randbytes(s3.PART + 5)
    assert s3.etag(small) == f'"{hashlib.md5(small).hexdigest()}"'
    parts = hashlib.md5(large[: s3.PART]).digest() + hashlib.md5(large[s3.PART :]).digest()
    assert s3.etag(large) == f'"{hashlib.md5(parts).hexdigest()}-2"'


# --- which copy lists ------------------------------------------------------------------------------------------------------


async def test_one_listing_an_observation_with_sizes_and_tags(running, tmp_path):
    async with open_net(context_of(running, tmp_path), prefer=("s3",)) as net:
        top = await net.listing(running.local(FILES + OBS))
        deep = await net.listing(running.local(FILES + OBS) + "hk/")
        file = heasarc_file(net, "80002092008", f"{OBS}hk/", deep[0], to="hk/")
    assert {(one.name, one.is_dir) for one in top} == {(NAMES[0], False), ("hk", True), ("event_cl", True)}
    assert [one.name for one in deep] == ["a.hk.gz", "b.hk.gz"] and len(running.requests) == 1
    first, second = file.locations
    assert (first.kind, first.size, first.etag) == ("s3", len(CONTENT["hk/a.hk.gz"]), s3.etag(CONTENT["hk/a.hk.gz"]))
    assert (second.kind, second.size, second.etag) == ("https", None, None)  # it may have another version


async def test_the_archive_itself_is_asked_first_and_what_it_lacks_is_not_there(tmp_path):
    sky, bucket = held()
    bucket.own["nustar/gone/a.gz"] = gz()
    with sky.running_in_thread() as served:
        async with open_net(context_of(served, tmp_path), patience=QUICK) as net:
            entries = await net.listing(served.local(FILES + OBS))
            with pytest.raises(NotAtArchiveError):
                await net.listing(served.local(FILES) + "nustar/gone/")
        assert not listings(served)
    assert {one.name for one in entries} == {NAMES[0], "hk", "event_cl"}


async def test_the_mirror_lists_when_the_archive_is_down(running, tmp_path):
    down = {"url_heasarc": "http://127.0.0.1:9/FTP/"}
    async with open_net(context_of(running, tmp_path, **down), patience=QUICK) as net:
        assert len(await net.listing("http://127.0.0.1:9/FTP/" + OBS)) == 3
        with pytest.raises(NetworkError, match=r"127\.0\.0\.1:9"):  # of the archive's own trouble
            await net.listing("http://127.0.0.1:9/FTP/xmm/")


async def test_what_the_mirror_lacks_is_listed_by_the_archive(tmp_path):
    sky, bucket = held()
    bucket.lacking.add("nustar/")
    with sky.running_in_thread() as served:
        async with open_net(context_of(served, tmp_path), prefer=("s3",)) as net:
            assert len(await net.listing(served.local(FILES + OBS))) == 3


@pytest.fixture
def mount(tmp_path):
    root = tmp_path / "a mount"
    for name in NAMES[:3]:
        (root / OBS / name).parent.mkdir(parents=True, exist_ok=True)
        (root / OBS / name).write_bytes(CONTENT[name])
    (root / OBS / "hk" / "loose").symlink_to(tmp_path / "nowhere")
    return root


async def test_a_mounted_copy_lists_and_is_linked(running, tmp_path, mount):
    async with open_net(context_of(running, tmp_path), prefer=(mount.as_uri(),)) as net:
        entries = await net.listing(running.local(FILES + OBS) + "hk/")
        one = heasarc_file(net, "80002092008", f"{OBS}hk/", entries[0], to="hk/", unpack=False)
        fetched = await net.fetch(one, tmp_path / "raw")
        there = await net.listing(running.local(FILES + OBS) + "event_cl/")  # the mount has none
    assert [(one.name, one.size, one.exact) for one in entries] == [
        (name.removeprefix("hk/"), len(CONTENT[name]), True) for name in NAMES[1:3]
    ]
    assert [place.kind for place in one.locations] == ["file", "https", "s3"]
    assert fetched.url.startswith("file:///") and there[0].name == NAMES[3].removeprefix("event_cl/")
    assert os.path.samefile(tmp_path / "raw" / "hk" / "a.hk.gz", mount / OBS / "hk" / "a.hk.gz")


async def test_the_archive_may_be_a_mounted_copy_and_needs_no_network(tmp_path, mount):
    context = Context(output=str(tmp_path / "o"), url_heasarc=mount.as_uri(), offline=True)
    async with open_net(context) as net:
        entries = await net.listing(net.url("HEASARC") + "/" + OBS)
        with pytest.raises(NotAtArchiveError, match="There is no directory"):
            await net.listing(net.url("HEASARC") + "/" + "xmm/")
    assert {one.name for one in entries} == {NAMES[0], "hk"}


@pytest.mark.parametrize(
    ("prefer", "kinds"),
    [
        ((), ["https", "s3"]),
        (("s3",), ["s3", "https"]),
        (("file:///mnt", "s3"), ["file", "s3", "https"]),
        (("https", "file:///a", "file:///b"), ["https", "file", "file", "s3"]),
        (("file", "s3", "s3"), ["s3", "https"]),
    ],
)
def test_the_order_of_copies(prefer, kinds):
    assert [one.kind for one in copies_of("https://h.example/FTP", "https://b.example/", prefer)] == kinds


# --- going on elsewhere ------------------------------------------------------------------------------------------------------

LARGE = random.Random(7).randbytes(6_000_000)
OTHER = LARGE[:-1] + bytes([LARGE[-1] ^ 1])


@pytest.fixture(scope="module")
def server():
    with FaultyServer().running_in_thread() as served:
        yield served


async def fetched(net, tmp_path, *places):
    one = RemoteFile(obs_id="1", path="a.dat", locations=places)
    result = await net.fetch(one, tmp_path / "raw")
    return result, (tmp_path / "raw" / "a.dat").read_bytes()


@pytest.fixture
async def net(tmp_path):
    async with open_net(Context(output=str(tmp_path)), patience=QUICK) as opened:
        yield opened


TAG = f'"{hashlib.sha256(LARGE).hexdigest()[:12]}"'
HALF = faults.cut(0.5, 1000)


@pytest.mark.parametrize("told", [{"size": len(LARGE)}, {}, {"size": len(LARGE), "etag": TAG}])
async def test_another_place_goes_on_in_the_middle_where_lengths_agree(server, net, tmp_path, told, request):
    ident = f"{abs(hash(request.node.name))}"
    broken, whole = server.add(f"/b{ident}", LARGE, HALF), server.add(f"/w{ident}", LARGE)
    before = server.served[whole]
    result, content = await fetched(
        net, tmp_path, Location(url=server.url(broken)), Location(url=server.url(whole), kind="s3", **told)
    )
    assert content == LARGE and result.url == server.url(whole)
    assert result.resumed > len(LARGE) // 4
    assert server.served[whole] - before <= len(LARGE) - result.resumed + 65536


@pytest.mark.parametrize("told", [{"size": len(LARGE) - 9}, {}])
async def test_a_file_of_another_length_is_begun_anew(server, net, tmp_path, told, request):
    ident = f"{abs(hash(request.node.name))}"
    broken, whole = server.add(f"/b{ident}", LARGE, HALF), server.add(f"/w{ident}", LARGE[:-9])
    result, content = await fetched(
        net, tmp_path, Location(url=server.url(broken)), Location(url=server.url(whole), kind="s3", **told)
    )
    assert content == LARGE[:-9] and result.resumed == 0


async def test_a_place_that_breaks_off_too_hands_back(server, net, tmp_path):
    third = faults.cut(0.4, 3)
    first, second = server.add("/x1", LARGE, third), server.add("/x2", LARGE, faults.cut(0.7, 1000))
    last = server.add("/x3", LARGE)
    places = [Location(url=server.url(one), size=len(LARGE)) for one in (first, second, last)]
    result, content = await fetched(net, tmp_path, *places)
    assert content == LARGE and result.url == server.url(last) and result.resumed > len(LARGE) // 2


async def test_what_is_not_what_the_bucket_lists_is_fetched_anew(tmp_path):
    """The archive broke off in the middle; the mirror has a file of the same length and other bytes."""
    with FaultyServer().running_in_thread() as server:
        broken = server.add("/b", OTHER, HALF)
        sky = Sky()
        bucket = sky.add_mirror()
        bucket.own["a.dat"] = LARGE
        with sky.running_in_thread() as served:
            place = Location(url=served.local(MIRROR) + "a.dat", kind="s3", size=len(LARGE), etag=s3.etag(LARGE))
            async with open_net(context_of(served, tmp_path), patience=QUICK) as net:
                mixed = bytearray(OTHER)
                mixed[0] ^= 1
                server.add("/b", bytes(mixed), HALF)
                result, content = await fetched(net, tmp_path, Location(url=server.url(broken)), place)
    assert content == LARGE and result.resumed == 0


async def test_an_object_that_does_not_have_the_listed_tag_is_refused(tmp_path):
    sky, bucket = Sky(), None
    bucket = sky.add_mirror()
    bucket.own["a.dat"] = LARGE
    with sky.running_in_thread() as served:
        place = Location(url=served.local(MIRROR) + "a.dat", kind="s3", size=len(LARGE), etag=s3.etag(OTHER))
        async with open_net(context_of(served, tmp_path), patience=QUICK) as net:
            with pytest.raises(BadReplyError, match="not the file that was listed"):
                await fetched(net, tmp_path, place)
    assert not list((tmp_path / "raw").glob("**/a.dat*"))


# --- settings --------------------------------------------------------------------------------------------------------------


def test_limits_are_those_of_the_plugin_or_the_settings(monkeypatch):
    context = Context(connections_xsa=6, interval_xsa=0.5)
    monkeypatch.setenv("DAXA_LISTING_INTERVAL_HEASARC", "0.05")
    assert context.service_limits("XSA").connections == 6 and context.service_limits("XSA").interval == 0.5
    assert context.service_limits("HEASARC").listing_interval == 0.05
    plain = Context(Config())
    assert plain.service_limits("HEASARC").connections == 4 and plain.service_limits("HEASARC_S3").connections == 16


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("connections_xsa", 9),  # ESA drops connections above ten
        ("connections_xsa", 0),
        ("connections_heasarc", "many"),
        ("connections_heasarc", 2.5),
        ("connections_heasarc", True),
        ("interval_heasarc", -1),
        ("listing_interval_heasarc", "nan"),
    ],
)
def test_limits_that_cannot_be_are_refused(name, value):
    with pytest.raises(DAXAConfigError, match=name):
        Context(**{name: value}).service_limits(name.rpartition("_")[2].upper())


@pytest.mark.parametrize(
    ("given", "read"),
    [("s3, https", ("s3", "https")), (["file:///mnt/a%20b"], ("file:///mnt/a%20b",)), ("", ()), (None, ())],
)
def test_the_setting_of_locations(given, read):
    assert Config({"locations": given}).locations == read


@pytest.mark.parametrize("given", ["ftp", "file://host/x", "file:///", ["s3", 3], True, 4])
def test_locations_that_cannot_be_are_refused(given):
    with pytest.raises(DAXAConfigError, match="locations is"):
        _ = Config({"locations": given}).locations


async def test_listings_of_a_host_are_spaced(running, tmp_path):
    context = context_of(running, tmp_path, listing_interval_heasarc=0.1)
    async with open_net(context) as net:
        for _ in range(3):
            await net.listing(running.local(FILES + OBS))
        files = [Location(url=running.local(FILES + OBS + name)) for name in NAMES]
        for place in files:
            await net.get(place.url)
    starts = [one.started for one in running.requests]
    assert starts[2] - starts[0] >= 0.18 and starts[-1] - starts[3] < 0.18

"""What else may go wrong with a transfer: files that change under it, hosts that are down, disks, secrets, hostile replies."""

import errno
import gzip
import hashlib
import io
import json
import os
import tarfile

import anyio
import pytest

from daxa.context import Context
from daxa.exceptions import (
    AccessDeniedError,
    BadReplyError,
    DaxaError,
    NetworkError,
    NotAtArchiveError,
    OfflineError,
    StorageError,
    UnsafeArchiveError,
)
from daxa.net import parts
from daxa.net.client import Patience, open_net
from daxa.specs import Location, RemoteFile
from daxa_testing import faults
from daxa_testing.faults import FaultyServer

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

CARDS = ("SIMPLE  =                    T", "BITPIX  =                    8", "NAXIS   =                    1")
SECRET = "AIOUSER=somebody&AIOPWD=hunter2"


def fits_of(size, fill=b"\x07"):
    head = "".join(card.ljust(80) for card in (*CARDS, f"NAXIS1  = {size:20d}", "END")).encode().ljust(2880)
    return head + (fill * size).ljust(-(-size // 2880) * 2880, b"\0")


def tar_of(**members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


FITS = fits_of(200_000)


@pytest.fixture
async def server():
    async with FaultyServer().serve() as running:
        yield running


@pytest.fixture
async def net(tmp_path):
    context = Context(output=str(tmp_path), cache=str(tmp_path / "cache"))
    patience = Patience(attempts=3, first=0.01, most=0.02, read_seconds=0.5, slowest=2000, window=0.3, failures=99)
    async with open_net(context, patience=patience) as opened:
        yield opened


def remote(*urls, unpack="none", path="f.fits", size=None, **options):
    places = [Location(url=url, size=size, kind="file" if url.startswith("file:") else "https") for url in urls]
    return RemoteFile(obs_id="O1", path=path, locations=places, unpack=unpack, **options)


def left(directory):
    return sorted(path.name for path in directory.rglob("*") if path.is_file())


# --- files that change, replies that lie ----------------------------------------------------------------------------


async def test_a_server_that_goes_on_with_another_file_is_not_believed(server, net, tmp_path):
    path = server.add("/changed.fits", FITS, faults.careless(fits_of(200_000, b"\x01")))
    await net.fetch(remote(server.url(path)), tmp_path / "raw")
    assert (tmp_path / "raw" / "f.fits").read_bytes() == FITS and left(tmp_path / "raw") == ["f.fits"]


async def test_the_listings_size_counts_where_the_reply_tells_none(server, net, tmp_path):
    text = b"line\n" * 4000
    path = server.add("/notes.txt", text, faults.cut(0.5, 2, length=False))
    result = await net.fetch(remote(server.url(path), path="notes.txt", size=len(text)), tmp_path / "raw")
    assert (tmp_path / "raw" / "notes.txt").read_bytes() == text and result.attempts > 1
    never = server.add("/never.txt", text, faults.cut(0.5, 99, length=False))
    with pytest.raises(NetworkError, match=r"never\.txt"):
        await net.fetch(remote(server.url(never), path="never.txt", size=len(text)), tmp_path / "raw")
    assert "never.txt" not in left(tmp_path / "raw")


@pytest.mark.parametrize("name", ["../../evil.FTZ", "/etc/evil.FTZ", ".evil.FTZ", "e" * 300 + ".FTZ", "evil\t.FTZ", ""])
async def test_a_reply_that_names_itself_oddly_is_kept_under_a_name_of_ours(server, net, tmp_path, name):
    path = server.add("/bare", gzip.compress(FITS, mtime=0), faults.named(name))
    raw = tmp_path / "here" / "and" / "raw"
    (found,) = (await net.fetch(remote(server.url(path), path="", unpack="auto"), raw)).files
    assert found.path == "product.FIT" and left(raw) == ["product.FIT"]
    assert not list(tmp_path.rglob("*evil*"))


async def test_a_whole_part_is_not_asked_for_again(server, net, tmp_path, monkeypatch):
    large = fits_of(3_000_000)
    path = server.add("/bare", gzip.compress(large, 0, mtime=0), faults.named("P1.FTZ"))  # more than a block
    one = remote(server.url(path), path="", unpack="auto")

    def killed(_transfer, _url, _digest):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("daxa.net.transfer.Transfer._finish", killed)
        with pytest.raises(KeyboardInterrupt):
            await net.fetch(one, tmp_path / "raw")
    assert any(name.endswith(".part") for name in left(tmp_path / "raw"))
    result = await net.fetch(one, tmp_path / "raw")
    assert left(tmp_path / "raw") == ["P1.FIT"] and server.requests[path] == 1
    assert result.resumed == result.size == len(server.files[path])
    assert result.files[0].sha256 == hashlib.sha256(large).hexdigest()


async def test_a_part_longer_than_the_file_starts_anew(server, net, tmp_path):
    path = server.add("/f.fits", FITS)
    url = server.url(path)
    where = tmp_path / "raw"
    where.mkdir()
    (where / "f.fits.part").write_bytes(FITS + b"x")
    (where / "f.fits.part.json").write_text(json.dumps({"url": url, "etag": '"old"', "total": 10**9}))
    await net.fetch(remote(url), where)
    assert (where / "f.fits").read_bytes() == FITS


@pytest.mark.parametrize("sidecar", ["", "[]", "null", "7", '{"url": 3}', '{"total": "x"}', "\x00"])
async def test_a_spoilt_note_beside_a_part_starts_anew(server, net, tmp_path, sidecar):
    path = server.add("/f.fits", FITS)
    where = tmp_path / "raw"
    where.mkdir()
    (where / "f.fits.part").write_bytes(b"rubbish")
    (where / "f.fits.part.json").write_text(sidecar)
    await net.fetch(remote(server.url(path)), where)
    assert (where / "f.fits").read_bytes() == FITS and left(where) == ["f.fits"]


async def test_what_does_not_unpack_names_the_address_and_leaves_nothing(server, net, tmp_path):
    cases = {
        "/damaged.fits.gz": (gzip.compress(FITS)[:-9], "gzip", BadReplyError),
        "/short.tar": (tar_of(a=FITS)[:-12000], "tar", BadReplyError),
        "/evil.tar": (tar_of(**{"../x": b"x"}), "tar", UnsafeArchiveError),
        "/text": (b"no such observation", "auto", NotAtArchiveError),
        "/other.tar": (tar_of(a=b"x"), "tar", NotAtArchiveError),
    }
    for path, (content, unpack, error) in cases.items():
        server.add(path, content)
        one = remote(server.url(path), unpack=unpack, members=("*.FIT",) if path == "/other.tar" else (), listed=False)
        with pytest.raises(error) as caught:
            await net.fetch(one, tmp_path / "raw")
        assert path in str(caught.value)
        assert left(tmp_path / "raw") == []


# --- places ---------------------------------------------------------------------------------------------------------


async def test_what_is_nowhere_is_told_of_the_place_that_was_asked_first(server, net, tmp_path):
    first, mirror = server.url("/first.fits"), server.url("/mirror.fits")
    with pytest.raises(NotAtArchiveError, match=r"first\.fits") as caught:
        await net.fetch(remote(first, mirror), tmp_path / "raw")
    assert caught.value.context["url"] == first


@pytest.mark.parametrize("code", [503, 403])
async def test_a_mirror_without_the_file_does_not_hide_why_the_archive_failed(server, net, tmp_path, code):
    down = server.add("/down.fits", FITS, faults.status(code, 99))
    with pytest.raises(NetworkError, match=str(code)) as caught:
        await net.fetch(remote(server.url(down), server.url("/nowhere.fits")), tmp_path / "raw")
    assert not isinstance(caught.value, NotAtArchiveError)
    with pytest.raises(NetworkError, match=str(code)) as caught:
        await net.fetch(remote(server.url("/nowhere.fits"), server.url(down)), tmp_path / "raw")
    assert isinstance(caught.value, AccessDeniedError) == (code == 403)


async def test_switched_off_the_mounted_copy_still_serves(server, tmp_path):
    source = tmp_path / "mount" / "f.fits.gz"
    source.parent.mkdir()
    source.write_bytes(gzip.compress(FITS))
    path = server.add("/f.fits", FITS)
    async with open_net(Context(output=str(tmp_path), offline=True)) as net:
        for ask in (
            net.get(server.url(path)),
            net.listing(server.url("/")),
            net.fetch(remote(server.url(path)), tmp_path),
        ):
            with pytest.raises(OfflineError, match="switched off"):
                await ask
        await net.fetch(remote(server.url(path), source.as_uri(), unpack="gzip"), tmp_path / "raw")
    assert (tmp_path / "raw" / "f.fits").read_bytes() == FITS and not server.asked
    assert gzip.decompress(source.read_bytes()) == FITS


async def test_a_damaged_mounted_copy_is_passed_over_and_stays(server, net, tmp_path):
    source = tmp_path / "mount" / "f.fits"
    source.parent.mkdir()
    source.write_bytes(FITS[:-1])
    path = server.add("/f.fits", FITS)
    await net.fetch(remote(source.as_uri(), server.url(path)), tmp_path / "raw")
    assert (tmp_path / "raw" / "f.fits").read_bytes() == FITS and source.read_bytes() == FITS[:-1]


async def test_what_comes_after_a_linked_copy_never_writes_into_it(server, net, tmp_path):
    """A part that is a link of the mounted copy, left by a kill, must not be written over."""
    source = tmp_path / "mount" / "f.fits"
    source.parent.mkdir()
    source.write_bytes(b"precious")
    (tmp_path / "raw").mkdir()
    os.link(source, tmp_path / "raw" / "f.fits.part")
    path = server.add("/f.fits", FITS)
    await net.fetch(remote(server.url(path)), tmp_path / "raw")
    assert source.read_bytes() == b"precious"


# --- hosts ----------------------------------------------------------------------------------------------------------


async def test_a_host_that_is_down_is_left_alone_for_a_while_and_then_asked_once(server, tmp_path):
    for number in range(9):
        server.add(f"/{number}.fits", FITS, faults.status(500, 99))
    innocent = FaultyServer()
    innocent.add("/f.fits", FITS)
    patience = Patience(attempts=2, first=0.01, failures=3, cooling=0.4)
    async with innocent.serve(), open_net(Context(output=str(tmp_path)), patience=patience) as net:
        for number in range(3):
            with pytest.raises(NetworkError, match="500"):
                await net.get(server.url(f"/{number}.fits"))
        assert len(server.asked) == 6
        with pytest.raises(NetworkError, match=r"4\.fits.*left alone"):
            await net.fetch(remote(server.url("/4.fits")), tmp_path / "raw")
        await net.fetch(remote(server.url("/4.fits"), innocent.url("/f.fits")), tmp_path / "raw")
        assert len(server.asked) == 6 and left(tmp_path / "raw") == ["f.fits"]
        await anyio.sleep(0.45)
        problems = []

        async def ask(number):
            try:
                await net.get(server.url(f"/{number}.fits"))
            except NetworkError as problem:
                problems.append(str(problem))

        async with anyio.create_task_group() as group:
            for number in range(5, 9):
                group.start_soon(ask, number)
        assert sum("left alone" in one for one in problems) == 3 and len(server.asked) == 8
        await anyio.sleep(0.45)
        server.faults.clear()
        for number in range(4):
            assert (await net.get(server.url(f"/{number}.fits"))).body == FITS


async def test_refusals_and_missing_files_leave_a_host_open(server, tmp_path):
    patience = Patience(attempts=2, first=0.01, failures=2)
    denied = server.add("/denied", b"", faults.status(403, 99))
    async with open_net(Context(output=str(tmp_path)), patience=patience) as net:
        for _ in range(4):
            for path in (denied, "/nowhere"):
                with pytest.raises((AccessDeniedError, NotAtArchiveError)):
                    await net.get(server.url(path))


async def test_a_page_that_trickles_is_broken_off(server, net):
    path = server.add("/slow", b"x" * 4000, faults.trickle(0.05))
    with pytest.raises(NetworkError, match="slow"), anyio.fail_after(10):
        await net.get(server.url(path))


# --- disks ----------------------------------------------------------------------------------------------------------


async def test_a_disk_that_fills_up_in_the_middle_loses_nothing_that_came(server, net, tmp_path, monkeypatch):
    large = fits_of(4_000_000)
    path = server.add("/large.fits", large)
    written = []
    honest = parts.write_block

    def fills_up(stream, block):
        if written:
            stream.write(block[:1000])
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(len(block))
        honest(stream, block)

    with monkeypatch.context() as patched:
        patched.setattr(parts, "write_block", fills_up)
        with pytest.raises(StorageError, match="No space left"):
            await net.fetch(remote(server.url(path)), tmp_path / "raw")
    assert "f.fits" not in left(tmp_path / "raw")
    result = await net.fetch(remote(server.url(path)), tmp_path / "raw")
    assert (tmp_path / "raw" / "f.fits").read_bytes() == large
    assert result.resumed >= written[0] and result.files[0].sha256 == hashlib.sha256(large).hexdigest()


async def test_a_directory_in_the_way_is_told(server, net, tmp_path):
    path = server.add("/f.fits", FITS)
    (tmp_path / "raw" / "f.fits" / "x").mkdir(parents=True)
    with pytest.raises(StorageError, match=r"f\.fits"):
        await net.fetch(remote(server.url(path)), tmp_path / "raw")
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        await net.fetch(remote(server.url(path)), tmp_path / "file")


# --- secrets --------------------------------------------------------------------------------------------------------


async def test_no_error_and_no_file_of_a_transfer_holds_a_secret(server, net, tmp_path):
    kinds = {
        "busy": faults.status(503, 99), "denied": faults.status(403, 99), "absent": faults.status(404, 99),
        "circle": faults.circle, "page": faults.page(99), "nothing": faults.nothing, "br": faults.lying(Content_Encoding="br"),
        "reset": faults.cut(0.5, 99, reset=True), "gzip": faults.cut(0.5, 99, length=False), "size": faults.too_long(99),
        "slow": faults.trickle(0.1), "text": faults.lying(),
    }  # fmt: skip
    for name, fault in kinds.items():
        path = server.add(f"/{name}?{SECRET}", gzip.compress(FITS) if name == "gzip" else FITS, fault)
        one = remote(
            server.url(path), path="", unpack="tar" if name == "text" else "auto", size=len(FITS), listed=False
        )
        if name == "text":
            server.files[path] = b"no observation".ljust(len(FITS))
        with pytest.raises(DaxaError) as caught:
            await net.fetch(one, tmp_path / "raw")
        problem = caught.value
        told = ""
        while problem is not None:
            told += f"{problem} {problem!r} {getattr(problem, 'context', '')}"
            problem = problem.__cause__
        assert "hunter2" not in told and "somebody" not in told, name
        assert name in str(caught.value)
    for file in (tmp_path / "raw").rglob("*.json"):
        assert "hunter2" not in file.read_text()

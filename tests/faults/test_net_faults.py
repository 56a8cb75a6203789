"""Servers that misbehave: right bytes or a typed error that names URL and cause, and never a wrong file under a final name."""

import errno
import gzip
import hashlib
import io
import random
import tarfile

import anyio
import pytest
from astropy.io import fits

from daxa.context import Context
from daxa.exceptions import AccessDeniedError, BadReplyError, NetworkError, NotAtArchiveError, StorageError
from daxa.net.client import Patience, open_net
from daxa.specs import Location, RemoteFile
from daxa_testing import faults
from daxa_testing.faults import FaultyServer

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]


def fits_bytes(seed=1, blocks=40):
    data = random.Random(seed).randbytes(2880 * blocks)
    buffer = io.BytesIO()
    import numpy as np

    fits.PrimaryHDU(np.frombuffer(data, dtype=">i2").astype(">i2")).writeto(buffer)
    return buffer.getvalue()


PLAIN = fits_bytes()
PACKED = gzip.compress(PLAIN, mtime=0)


@pytest.fixture(scope="module")
def server():
    with FaultyServer().running_in_thread() as running:
        yield running


@pytest.fixture
def quick():
    return Patience(attempts=4, first=0.01, most=0.05, read_seconds=0.5, slowest=2000, window=0.5)


@pytest.fixture
async def net(tmp_path, quick):
    context = Context(output=str(tmp_path), cache=str(tmp_path / "cache"))
    async with open_net(context, patience=quick) as opened:
        yield opened


def remote(server, path, *, unpack="none", name=None, size=None, more=()):
    where = name or path.rpartition("/")[2]
    return RemoteFile(
        obs_id="O1", path=where, locations=[Location(url=server.url(path), size=size), *more], unpack=unpack
    )


GOOD = {
    "503 twice": faults.status(503, 2),
    "503 with Retry-After": faults.status(503, 1, Retry_After="0"),
    "429": faults.status(429, 2, Retry_After="0.05"),
    "500 twice": faults.status(500, 2),
    "404 of a listed file twice": faults.status(404, 2),
    "reset in the middle": faults.cut(0.5, 2, reset=True),
    "truncated with length": faults.cut(0.6, 2),
    "truncated without length": faults.cut(0.6, 2, length=False),
    "a page with 200": faults.page(2),
    "longer than announced": faults.too_long(1),
    "Range ignored": faults.no_range,
    "wrong Content-Range": faults.wrong_range,
    "another file between parts": faults.another_file,
    "encoded though nobody asked": faults.squeezed,
    "stalls": faults.stalled(1),
}


@pytest.mark.parametrize("kind", list(GOOD))
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
async def test_the_right_bytes_come_in_the_end(server, net, tmp_path, kind, packed):
    ending = ".fits.gz" if packed else ".fits"
    content = PACKED if packed else PLAIN
    path = server.add(f"/{kind.replace(' ', '-')}{ending}", content, GOOD[kind])
    size = len(content) if kind == "longer than announced" else None
    name = "f.fits"
    result = await net.fetch(
        remote(server, path, unpack="gzip" if packed else "none", name=name, size=size), tmp_path / "raw"
    )
    assert (tmp_path / "raw" / name).read_bytes() == PLAIN
    assert [path.name for path in (tmp_path / "raw").iterdir()] == [name]
    assert result.files[0].sha256 == hashlib.sha256(PLAIN).hexdigest() and result.files[0].size == len(PLAIN)
    assert result.attempts >= 2 and server.requests[path] == result.attempts


async def test_what_was_there_is_not_fetched_again(server, net, tmp_path):
    large = fits_bytes(blocks=4000)
    path = server.add("/resumed.fits", large, faults.cut(0.75, 1))
    result = await net.fetch(remote(server, path), tmp_path / "raw")
    flying = 512 * 1024  # what the socket and the client hold at the moment of the break
    assert result.resumed >= 0.75 * len(large) - flying
    assert server.served[path] <= len(large) + flying


BAD = {
    "503 for ever": (faults.status(503, 99), NetworkError, "503"),
    "404 for ever": (faults.status(404, 99), NotAtArchiveError, "404"),
    "403": (faults.status(403, 99), AccessDeniedError, "403"),
    "reset for ever": (faults.cut(0.0, 99, reset=True), NetworkError, ""),
    "a page for ever": (faults.page(99), BadReplyError, "page"),
    "wrong length": (faults.lying(Content_Length="100000000"), NetworkError, ""),
    "redirect loop": (faults.circle, BadReplyError, "circles"),
    "nothing": (faults.nothing, BadReplyError, "nothing"),
}


@pytest.mark.parametrize("kind", list(BAD))
async def test_what_cannot_be_had_ends_in_an_error_with_url_and_cause(server, net, tmp_path, kind):
    fault, error, word = BAD[kind]
    path = server.add(f"/bad-{kind.replace(' ', '-')}.fits", PLAIN, fault)
    other = server.add("/innocent.fits", PLAIN)
    with pytest.raises(error) as caught:
        await net.fetch(remote(server, path), tmp_path / "raw")
    assert path in str(caught.value) and word in str(caught.value)
    assert not list(tmp_path.rglob("*.fits"))
    await net.fetch(remote(server, other), tmp_path / "raw")
    assert (tmp_path / "raw" / "innocent.fits").read_bytes() == PLAIN


async def test_403_is_never_tried_again_and_404_of_a_listed_file_twice(server, net, tmp_path):
    for code, times in ((403, 1), (404, 3)):
        path = server.add(f"/count-{code}.fits", PLAIN, faults.status(code, 99))
        with pytest.raises(NetworkError):
            await net.fetch(remote(server, path), tmp_path / "raw")
        assert server.requests[path] == times


async def test_a_damaged_gzip_and_a_short_fits_are_refused(server, net, tmp_path):
    spoilt = bytearray(PACKED)
    spoilt[-6] ^= 255
    cases = {
        "/crc.fits.gz": bytes(spoilt),
        "/end.fits.gz": PACKED[:-200],
        "/odd.fits": PLAIN[:-100],
        "/short.fits": PLAIN[:-2880],
    }
    for path, content in cases.items():
        server.add(path, content)
        with pytest.raises(BadReplyError, match=r"damaged|cut short"):
            await net.fetch(
                remote(server, path, unpack="gzip" if path.endswith(".gz") else "none", name="f.fits"), tmp_path / "raw"
            )
    assert not list(tmp_path.rglob("f.fits"))


async def test_a_compressed_file_that_is_cut_short_is_seen(server, net, tmp_path):
    import ncompress

    whole = ncompress.compress(PLAIN)
    server.add("/whole.fits.Z", whole)
    server.add("/cut.fits.Z", whole[: len(whole) // 2])
    await net.fetch(remote(server, "/whole.fits.Z", unpack="compress", name="whole.fits"), tmp_path / "raw")
    assert (tmp_path / "raw" / "whole.fits").read_bytes() == PLAIN
    with pytest.raises(BadReplyError):
        await net.fetch(remote(server, "/cut.fits.Z", unpack="compress", name="cut.fits"), tmp_path / "raw")
    assert not (tmp_path / "raw" / "cut.fits").exists()


async def test_a_gz_that_is_called_encoded_is_kept_as_it_is(server, net, tmp_path):
    path = server.add("/encoded.fits.gz", PACKED, faults.encoded)
    await net.fetch(remote(server, path, unpack="gzip", name="f.fits"), tmp_path / "raw")
    assert (tmp_path / "raw" / "f.fits").read_bytes() == PLAIN


@pytest.mark.parametrize(
    ("path", "encoding", "unpack"),
    [
        ("/own.fits.gz", "x-gzip", "gzip"),
        ("/own.FTZ", "gzip", "gzip"),
        ("/own.fits.Z", "x-compress", "compress"),
        ("/own.fits.Z", "compress", "compress"),
        ("/servlet", "gzip", "auto"),
    ],
)
async def test_an_encoding_may_be_another_word_for_what_the_file_is(server, net, tmp_path, path, encoding, unpack):
    """Apache calls files of these endings so, whatever a client says that it knows."""
    import ncompress

    content = ncompress.compress(PLAIN) if unpack == "compress" else PACKED
    server.add(path, content, faults.lying(Content_Encoding=encoding))
    where = "" if unpack == "auto" else "own.fits"
    one = RemoteFile(obs_id="O1", path=where, locations=[Location(url=server.url(path))], unpack=unpack)
    (found,) = (await net.fetch(one, tmp_path / "raw")).files
    assert (tmp_path / "raw" / found.path).read_bytes() == PLAIN


async def test_an_error_tells_how_often_it_was_tried(server, net, tmp_path):
    missing = server.add("/listed.fits", PLAIN, faults.status(404, 99))
    page = server.add("/page.fits", PLAIN, faults.page(99))
    for path, attempts in ((missing, 3), (page, 4)):
        with pytest.raises(NetworkError) as caught:
            await net.fetch(remote(server, path), tmp_path / "raw")
        assert caught.value.context["attempts"] == attempts


async def test_a_bucket_that_refuses_a_key_does_not_have_it(server, net, tmp_path):
    path = server.add("/key.fits", PLAIN, faults.status(403, 99))
    locations = [Location(url=server.url(path), kind="s3")]
    with pytest.raises(NotAtArchiveError, match="403"):
        await net.fetch(RemoteFile(obs_id="O1", path="key.fits", locations=locations, listed=False), tmp_path / "raw")


async def test_a_redirect_to_another_host_is_followed(server, net, tmp_path):
    with FaultyServer().running_in_thread() as other:
        other.add("/there.fits", PLAIN)
        path = server.add("/moved.fits", PLAIN, faults.elsewhere(other.url("/there.fits")))
        await net.fetch(remote(server, path), tmp_path / "raw")
    assert (tmp_path / "raw" / "moved.fits").read_bytes() == PLAIN


async def test_a_transfer_that_trickles_is_broken_off(server, net, tmp_path):
    path = server.add("/slow.fits", PLAIN, faults.trickle(0.05))
    with pytest.raises(NetworkError, match=r"slow"), anyio.fail_after(20):
        await net.fetch(remote(server, path), tmp_path / "raw")


async def test_the_next_location_takes_over(server, net, tmp_path):
    path = server.add("/down.fits", PLAIN, faults.status(503, 99))
    copy = server.add("/copy.fits", PLAIN)
    result = await net.fetch(remote(server, path, more=[Location(url=server.url(copy))]), tmp_path / "raw")
    assert (tmp_path / "raw" / "down.fits").read_bytes() == PLAIN and result.url == server.url(copy)


async def test_a_mounted_copy_is_linked(net, tmp_path):
    source = tmp_path / "mount" / "a.fits"
    source.parent.mkdir()
    source.write_bytes(PLAIN)
    one = RemoteFile(obs_id="O1", path="b.fits", locations=[Location(url=source.as_uri(), kind="file")])
    await net.fetch(one, tmp_path / "raw")
    assert (tmp_path / "raw" / "b.fits").samefile(source)


async def test_a_full_disk_is_told_and_the_next_run_goes_on(server, net, tmp_path, monkeypatch):
    from daxa.net import parts

    path = server.add("/full.fits", PLAIN)
    written = []

    def full(stream, block):
        written.append(len(block))
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(parts, "write_block", full)
        with pytest.raises(StorageError, match="No space left"):
            await net.fetch(remote(server, path), tmp_path / "raw")
    assert written and not list(tmp_path.rglob("full.fits"))
    await net.fetch(remote(server, path), tmp_path / "raw")
    assert (tmp_path / "raw" / "full.fits").read_bytes() == PLAIN


async def test_replies_of_many_kinds_from_one_address(server, net, tmp_path):
    def tar(**members):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for name, content in members.items():
                info = tarfile.TarInfo(name.replace("__", "/").replace("_DOT_", "."))
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        return buffer.getvalue()

    inner = tar(**{"0828_0201903501_M1S00100AUX_DOT_FIT": PLAIN, "0828_0201903501_SCX00000SUM_DOT_ASC": b"text\n"})
    odf = gzip.compress(tar(**{"0828_0201903501_DOT_TAR": inner, "MANIFEST_DOT_000001": b""}))
    pps = tar(**{"0201903501__pps__A_DOT_FTZ": PACKED, "0201903501__pps__B_DOT_PDF": b"%PDF"})
    for name, content in {"odf": odf, "pps": pps, "bare": PACKED}.items():
        server.add(f"/{name}", content)

    async def get(name, **options):
        where = tmp_path / name
        one = RemoteFile(
            obs_id="O1", path="", locations=[Location(url=server.url(f"/{name}"))], unpack="auto", **options
        )
        return sorted(file.path for file in (await net.fetch(one, where)).files)

    assert await get("odf") == ["0828_0201903501_M1S00100AUX.FIT", "0828_0201903501_SCX00000SUM.ASC", "MANIFEST.000001"]
    assert await get("pps", members=("*.FTZ",)) == ["A.FIT"]
    assert (tmp_path / "pps" / "A.FIT").read_bytes() == PLAIN
    assert await get("bare") == ["product.FIT"]

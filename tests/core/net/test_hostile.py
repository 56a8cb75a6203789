"""Tars, gzips and FITS files made to do harm: typed errors, in bounded time."""

import contextlib
import gzip
import io
import os
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daxa.exceptions import BadReplyError, DaxaError, UnsafeArchiveError
from daxa.net import unpack
from daxa.net.fits import check_fits

pytestmark = pytest.mark.timeout(60)


def header(*cards):
    return "".join(card.ljust(80)[:80] for card in ("SIMPLE  =                    T", *cards, "END")).encode("latin-1").ljust(2880)  # fmt: skip


def tar(*members, format=tarfile.GNU_FORMAT):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def opened(folder, data, *patterns):
    source, inside = folder / "a.tar", folder / "inside"
    source.write_bytes(data)
    inside.mkdir()
    paths = unpack.unpack_tar(source, inside, patterns)
    assert sorted(paths) == sorted(inside.iterdir())
    return sorted(path.name for path in paths)


@pytest.mark.parametrize(
    "cards",
    [
        ("BITPIX  =                    8", "NAXIS   =                    1", "NAXIS1  =                -5760"),
        ("BITPIX  =                    8", "NAXIS   =           1000000000"),
        ("BITPIX  =                    8", "NAXIS   =                   -1"),
        ("BITPIX  =                eight", "NAXIS   =                    1", "NAXIS1  =                    1"),
        ("BITPIX  =                  8.5", "NAXIS   =                    1", "NAXIS1  =                    1"),
        ("BITPIX  =                    8", "NAXIS   =                  two"),
        ("BITPIX  =                    8", "NAXIS   =                    1", "NAXIS1  = " + "9" * 60),
        ("BITPIX  =                    8", "NAXIS   =                    1", "NAXIS1  =                    1", "PCOUNT  =                -5761"),
        ("BITPIX  =                    8", "NAXIS   =                    1", "NAXIS1  =                    1", "GCOUNT  =                   -9"),
    ],
)  # fmt: skip
def test_absurd_headers_end_at_once_in_an_error(tmp_path, cards):
    path = tmp_path / "a.fits"
    path.write_bytes(header(*cards) + bytes(2880 * 3))
    with pytest.raises(BadReplyError, match=r"a\.fits"):
        check_fits(path, "a.fits")


@given(
    st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=80), max_size=20),
    st.binary(max_size=64),
)
@settings(max_examples=150, deadline=None)
def test_whatever_a_header_says_the_look_at_it_ends(tmp_path_factory, cards, rest):
    path = tmp_path_factory.mktemp("fits") / "a.fits"
    path.write_bytes(header(*cards) + rest.ljust(2880, b"\0"))
    with contextlib.suppress(BadReplyError):
        check_fits(path, "a.fits")


def test_a_tar_of_its_own_name_within_a_tar(tmp_path):
    data = tar(("x.tar", tar(("x.tar", tar(("deep.txt", b"here"))), ("other.txt", b"there"))))
    assert opened(tmp_path, data) == ["deep.txt", "other.txt"]


def test_tars_nested_without_end_are_refused(tmp_path):
    data = b"here"
    for _ in range(30):
        data = gzip.compress(tar(("r.tar.gz", data)))
    with pytest.raises(UnsafeArchiveError, match="nested"):
        opened(tmp_path, gzip.decompress(data))


@pytest.mark.parametrize("names", [("A.fits", "A.fits.gz"), ("A.fits.gz", "A.fits"), ("P.FTZ", "P.FIT")])
def test_a_member_never_replaces_another_when_it_is_unpacked(tmp_path, names):
    contents = [gzip.compress(b"packed") if name.endswith(("gz", "Z")) else b"plain" for name in names]
    with pytest.raises(UnsafeArchiveError, match="twice"):
        opened(tmp_path, tar(*zip(names, contents, strict=True)))


def test_a_member_of_an_inner_tar_never_replaces_one_of_the_outer(tmp_path):
    with pytest.raises(UnsafeArchiveError, match="twice"):
        opened(tmp_path, tar(("x", b"1"), ("in.tar", tar(("x", b"2")))))


@pytest.mark.parametrize("name", ["a" * 300, "ä" * 200])
def test_names_no_disk_can_hold_are_refused(tmp_path, name):
    with pytest.raises(UnsafeArchiveError):
        opened(tmp_path, tar((name, b"x"), format=tarfile.PAX_FORMAT))


def test_a_sparse_member_of_a_terabyte_is_refused(tmp_path):
    source = tmp_path / "sparse"
    with source.open("wb") as stream:
        os.truncate(stream.fileno(), 2**31)
    info = tarfile.TarInfo("x")
    info.size = 2**41
    data = info.tobuf(tarfile.GNU_FORMAT) + bytes(10240)
    with pytest.raises(DaxaError):
        opened(tmp_path, data)


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
@pytest.mark.parametrize("size", [-512, -1, -(2**80), 2**62, 2**80])
def test_a_member_of_a_length_that_no_file_has_is_refused(tmp_path, kind, size):
    info = tarfile.TarInfo("x")
    info.type = kind
    data = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    data[124:136] = b"\xff" + (size & ((1 << 88) - 1)).to_bytes(11, "big")
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])
    with pytest.raises((BadReplyError, UnsafeArchiveError)):
        opened(tmp_path, bytes(data) + bytes(10240))


def test_what_unix_compress_makes_of_a_bomb_is_refused(tmp_path, monkeypatch):
    import ncompress

    monkeypatch.setattr(unpack, "FREE", 1000)
    monkeypatch.setattr(unpack, "RATIO", 100)
    source, target = tmp_path / "bomb.Z", tmp_path / "out"
    source.write_bytes(ncompress.compress(bytes(10_000_000)))
    with pytest.raises(UnsafeArchiveError, match="far more"):
        unpack.uncompress(source, target, "bomb.Z")
    assert target.stat().st_size < 2_000_000


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_tar_with_wrong_bytes_ends_in_files_or_a_typed_error(tmp_path_factory, data):
    whole = bytearray(tar(("a.txt", b"one"), ("b.tar", tar(("c.txt", b"two"))), ("d.gz", gzip.compress(b"three"))))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, 6000))] = data.draw(st.integers(0, 255))
    folder = tmp_path_factory.mktemp("tar")
    with contextlib.suppress(DaxaError):
        opened(folder, bytes(whole))
    assert {path.name for path in folder.iterdir()} <= {"a.tar", "inside"}


@given(st.text(min_size=1, max_size=40))
@settings(max_examples=200, deadline=None)
def test_members_of_any_name_stay_inside(tmp_path_factory, name):
    folder = tmp_path_factory.mktemp("names")
    with contextlib.suppress(DaxaError, UnicodeEncodeError):
        opened(folder, tar((name, b"x"), format=tarfile.PAX_FORMAT))
    assert {path.name for path in folder.iterdir()} <= {"a.tar", "inside"}

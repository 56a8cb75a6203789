"""Packed files: tar, gzip, Unix compress, and tars of them."""

import gzip
import io
import os
import shutil
import tarfile

import ncompress
from hypothesis import given
from hypothesis import strategies as st

from daxa.net.contents import contents
from daxa.specs import Location, RemoteFile
from tests.fuzz.common import LATIN, TEXT, fuzzed, mutated, only_typed

FITS = b"".join(
    card.ljust(80) for card in (b"SIMPLE  =                    T", b"BITPIX  =                    8", b"NAXIS   =                    0", b"END")
).ljust(2880)  # fmt: skip
KINDS = [
    tarfile.REGTYPE,
    tarfile.LNKTYPE,
    tarfile.SYMTYPE,
    tarfile.CHRTYPE,
    tarfile.BLKTYPE,
    tarfile.FIFOTYPE,
    tarfile.DIRTYPE,
]
NAMES = st.one_of(
    st.sampled_from(
        ["a.fits", "../a", "/etc/x", "a/../../b", "b.fits.gz", "c.FTZ", ".", "", "x.tar", "d/e.fits", "a.fits"]
    ),
    TEXT,
)


def tar_of(members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content, kind, link in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, link
            info.size = len(content) if kind == tarfile.REGTYPE else 0
            archive.addfile(info, io.BytesIO(content) if info.size else None)
    return buffer.getvalue()


def unpacked(folder, data, unpack, disposition="", members=()):
    """Unpack as a transfer does; nothing may come to lie outside."""
    work = folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    scratch = work / "scratch"
    scratch.mkdir(parents=True)
    part = work / "part"
    part.write_bytes(data)
    remote = RemoteFile(
        obs_id="O1", path="" if unpack in ("tar", "auto") else "a.fits", unpack=unpack, members=members,
        locations=[Location(url="https://archive.example/a")],
    )  # fmt: skip
    with only_typed():
        for one in contents(part, scratch, remote, disposition):
            path, relative = one.source, one.path
            assert path.is_file() and not path.is_symlink() and path.is_relative_to(work)
            assert not relative.startswith("/") and ".." not in relative.split("/")
    assert sorted(path.name for path in folder.iterdir()) == ["work"]
    assert sorted(os.listdir(work)) == ["part", "scratch"]
    assert sum(path.stat().st_size for path in work.rglob("*") if path.is_file()) < 50_000_000


MEMBER = st.tuples(NAMES, st.one_of(st.just(FITS), st.binary(max_size=200), st.just(gzip.compress(FITS))),
                   st.sampled_from([tarfile.REGTYPE] * 6 + KINDS), TEXT)  # fmt: skip
WHOLE = tar_of([("a.fits", FITS, tarfile.REGTYPE, ""), ("b.fits.gz", gzip.compress(FITS), tarfile.REGTYPE, "")])


@fuzzed
@given(members=st.lists(MEMBER, max_size=5), packed=st.booleans(), patterns=st.sampled_from([(), ("*.fits",), ("[",)]))
def test_tars_with_odd_members(folder, members, packed, patterns):
    try:
        data = tar_of(members)
    except (ValueError, UnicodeError):
        return  # no tar can hold such a name
    unpacked(folder, gzip.compress(data) if packed else data, "auto", members=patterns)


@fuzzed
@given(data=st.sampled_from([WHOLE, gzip.compress(WHOLE)]).flatmap(mutated), unpack=st.sampled_from(["tar", "auto"]))
def test_tars_with_wrong_bytes(folder, data, unpack):
    unpacked(folder, data, unpack)


@fuzzed
@given(data=mutated(gzip.compress(FITS * 3)), unpack=st.sampled_from(["gzip", "none", "auto"]))
def test_gzips_with_wrong_bytes(folder, data, unpack):
    unpacked(folder, data, unpack)


@fuzzed
@given(data=mutated(ncompress.compress(FITS * 3)))
def test_compressed_files_with_wrong_bytes(folder, data):
    unpacked(folder, data, "compress")


@fuzzed
@given(data=st.one_of(st.just(FITS), st.binary(max_size=600)), disposition=st.one_of(LATIN, st.builds('attachment; filename="{}"'.format, NAMES)))  # fmt: skip
def test_bare_files_with_odd_names(folder, data, disposition):
    unpacked(folder, data, "auto", disposition)

"""Unpacking without trust."""

import gzip
import hashlib
import io
import random
import subprocess
import sys
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daxa.exceptions import BadReplyError, InvalidNameError, UnsafeArchiveError
from daxa.net import unpack
from daxa.net.contents import check_path
from daxa.net.fits import FitsWatch, check_fits

FITS = b"SIMPLE  =                    T".ljust(80) + b"BITPIX  =                    8".ljust(80) + b"NAXIS   =                    0".ljust(80) + b"END".ljust(80)  # fmt: skip
FITS = FITS.ljust(2880)


def tar(*members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for member in members:
            name, content = member[:2]
            info = tarfile.TarInfo(name)
            if len(member) > 2:
                info.type, info.linkname = member[2], "/etc/passwd"
                content = b""
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def opened(tmp_path, data, *patterns, **options):
    source, inside = tmp_path / "a.tar", tmp_path / "inside"
    source.write_bytes(data)
    inside.mkdir()
    return sorted(path.name for path in unpack.unpack_tar(source, inside, patterns, **options))


def test_directories_are_dropped_and_members_chosen(tmp_path):
    data = tar(("0404910601/pps/A.FIT", FITS), ("0404910601/pps/B.PDF", b"x"))
    assert opened(tmp_path, data, "*.FIT") == ["A.FIT"]


def test_tars_within_tars_and_compressed_members(tmp_path):
    inner = tar(("x.FIT", FITS), ("y.FTZ", gzip.compress(FITS)))
    data = tar(("0828_1.TAR", inner), ("more.tar.gz", gzip.compress(tar(("z.fits.gz", gzip.compress(FITS))))))
    assert opened(tmp_path, data) == ["x.FIT", "y.FIT", "z.fits"]
    assert (tmp_path / "inside" / "y.FIT").read_bytes() == FITS


@pytest.mark.parametrize(
    "member",
    [("../evil", b"x"), ("/abs", b"x"), ("a/../../evil", b"x"), ("link", b"", tarfile.SYMTYPE), ("hard", b"", tarfile.LNKTYPE),
     ("pipe", b"", tarfile.FIFOTYPE), ("dev", b"", tarfile.CHRTYPE), ("a\\b", b"x"), ("bell\x07", b"x")],
)  # fmt: skip
def test_w_36_hostile_members_are_refused(tmp_path, member):
    with pytest.raises(UnsafeArchiveError):
        opened(tmp_path, tar(("good", b"x"), member))
    assert not (tmp_path / "evil").exists()


def test_one_name_twice_is_refused(tmp_path):
    with pytest.raises(UnsafeArchiveError, match="twice"):
        opened(tmp_path, tar(("a/x", b"1"), ("b/x", b"2")))


def test_bombs_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(unpack, "FREE", 1000)
    monkeypatch.setattr(unpack, "RATIO", 100)
    source = tmp_path / "bomb.gz"
    source.write_bytes(gzip.compress(bytes(10_000_000)))
    with pytest.raises(UnsafeArchiveError, match="far more"):
        unpack.gunzip(source, tmp_path / "out", "bomb.gz")


@pytest.mark.parametrize("cut", [10, 511, 1024, 3000])
def test_a_tar_cut_short_is_seen(tmp_path, cut):
    with pytest.raises((BadReplyError, UnsafeArchiveError)):
        opened(tmp_path, tar(("x.FIT", FITS * 5))[: -10240 + cut] if cut < 10240 else b"")


@given(st.integers(1, 400), st.integers(0, 255))
@settings(max_examples=60, deadline=None)
def test_a_damaged_gzip_is_never_taken(tmp_path_factory, place, value):
    folder = tmp_path_factory.mktemp("gz")
    content = random.Random(1).randbytes(300)
    packed = bytearray(gzip.compress(content, mtime=0))
    place %= len(packed)
    packed[place] = value
    (folder / "a.gz").write_bytes(packed)
    try:
        unpack.gunzip(folder / "a.gz", folder / "a", "a.gz")
    except BadReplyError:
        return
    assert (folder / "a").read_bytes() == content


def test_fits_files_to_their_last_block(tmp_path):
    import numpy as np
    from astropy.io import fits

    path = tmp_path / "a.fits"
    fits.HDUList(
        [
            fits.PrimaryHDU(),
            fits.ImageHDU(np.ones((7, 11))),
            fits.BinTableHDU(np.rec.array([(1, "x")] * 900, names="a,b")),
        ]
    ).writeto(path)
    check_fits(path, "a.fits")
    whole = path.read_bytes()
    for size in (len(whole) - 2880, len(whole) - 1, 2880 * 2):
        path.write_bytes(whole[:size])
        with pytest.raises(BadReplyError, match="cut short"):
            check_fits(path, "a.fits")
    path.write_bytes(b"no FITS at all")
    check_fits(path, "a.txt")


@pytest.mark.parametrize("path", ["../x", "/x", "a/../b", "a//b", ".hidden", "a/.b", "a\\b", "a\n", "a/"])
def test_paths_stay_below_their_directory(path):
    with pytest.raises(InvalidNameError):
        check_path(path)


MEMORY = """
import resource, sys
from pathlib import Path
from daxa.net import unpack
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
getattr(unpack, sys.argv[1])(Path(sys.argv[2]), Path(sys.argv[3]), "a")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize("how", ["uncompress", "gunzip"])
def test_w_45_large_files_are_unpacked_in_little_memory(tmp_path, how):
    import ncompress

    content = random.Random(45).randbytes(24_000_000)
    packed = tmp_path / "packed"
    packed.write_bytes(ncompress.compress(content) if how == "uncompress" else gzip.compress(content, 1))
    command = [sys.executable, "-c", MEMORY, how, str(packed), str(tmp_path / "plain")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (tmp_path / "plain").read_bytes() == content
    assert int(done.stdout) < 16_000  # kB


def test_names_after_unpacking():
    names = {"a.fits.gz": "a.fits", "P0.FTZ": "P0.FIT", "rp_bas.fits.Z": "rp_bas.fits", "plain.fits": "plain.fits"}
    assert {name: unpack.plain_name(name) for name in names} == names


# What begins like FITS is judged as FITS.
NOT_FITS = st.just(b"") | st.binary(max_size=3000).map(lambda content: b"." + content)


@given(st.lists(NOT_FITS, min_size=1, max_size=4), st.integers(1, 500), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_members_that_follow_each_other_and_padding_are_one_file(tmp_path_factory, parts, piece, padding):
    folder = tmp_path_factory.mktemp("gz")
    packed = b"".join(gzip.compress(part, mtime=0) for part in parts) + bytes(512 * padding)
    (folder / "a.gz").write_bytes(packed)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(unpack, "BLOCK", piece)  # wherever a block ends
        digest = unpack.gunzip(folder / "a.gz", folder / "a", "a.gz")
        assert digest == hashlib.sha256(b"".join(parts)).hexdigest()
        assert unpack.gunzip(folder / "a.gz", None, "a.gz") == ""
    assert (folder / "a").read_bytes() == b"".join(parts)


def test_a_big_gzip_is_unpacked_beside_its_hashing(tmp_path):
    content = random.Random(2).randbytes(1 << 20) * 12
    (tmp_path / "a.gz").write_bytes(gzip.compress(content, 1))
    assert unpack.gunzip(tmp_path / "a.gz", tmp_path / "a", "a.gz") == hashlib.sha256(content).hexdigest()
    assert (tmp_path / "a").read_bytes() == content
    (tmp_path / "cut.gz").write_bytes((tmp_path / "a.gz").read_bytes()[:-100_000])
    with pytest.raises(BadReplyError, match="end mark"):
        unpack.gunzip(tmp_path / "cut.gz", tmp_path / "b", "cut.gz")


def test_highly_packed_bytes_come_out_whole(tmp_path):
    for size in (1, unpack.BLOCK - 1, unpack.BLOCK, unpack.BLOCK + 1, 3 * unpack.BLOCK):
        (tmp_path / "z.gz").write_bytes(gzip.compress(bytes(size)))
        unpack.gunzip(tmp_path / "z.gz", tmp_path / "z", "z.gz")
        assert (tmp_path / "z").stat().st_size == size


@pytest.mark.parametrize("junk", [b"junk", b"\x1f\x8b", b"\0\0x"])
def test_what_follows_a_gzip_and_is_none_is_damage(tmp_path, junk):
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"good") + junk)
    with pytest.raises(BadReplyError, match="damaged"):
        unpack.gunzip(tmp_path / "a.gz", tmp_path / "a", "a.gz")


@given(st.integers(1, 9000), st.integers(0, 4), st.integers(0, 9000))
@settings(max_examples=80, deadline=None)
def test_a_file_is_judged_alike_on_disk_and_while_it_goes_by(tmp_path_factory, piece, tables, cut):
    import numpy as np
    from astropy.io import fits

    path = tmp_path_factory.mktemp("fits") / "a.fits"
    hdus = [fits.PrimaryHDU(), *(fits.ImageHDU(np.ones((3, 50 * (number + 1)))) for number in range(tables))]
    fits.HDUList(hdus).writeto(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: max(len(whole) - cut, 0)])

    def by_disk():
        check_fits(path, "a")

    def by_watch():
        watch, data = FitsWatch("a"), path.read_bytes()
        for start in range(0, len(data), piece):
            watch.feed(data[start : start + piece])
        watch.end()

    told = []
    for judge in (by_disk, by_watch):
        try:
            judge()
            told.append("whole")
        except BadReplyError as problem:
            told.append(problem.message)
    assert (
        told[0] == told[1]
        and (told[0] == "whole" or cut)
        and (told[0] != "whole" or cut % 2880 == 0 or cut > len(whole) - 9)
    )

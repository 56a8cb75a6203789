"""Copies of calibration indices that name files without directories."""

import gzip
import io
import random

import pytest
from astropy.io import fits

from daxa_xmm.bare import bare_index
from daxa_xmm.calibration import parse_cif

from .summaries import DATA

CIF = gzip.decompress((DATA / "0201903501_ccf.cif.gz").read_bytes())


@pytest.fixture
def made(tmp_path):
    def of(content):
        path = tmp_path / "ccf.cif"
        path.write_bytes(content)
        path.chmod(0o444)
        found = bare_index(str(path))
        assert path.read_bytes() == content
        return found

    yield of


def test_the_copy_of_a_real_index_differs_in_nothing_but_paths(made, tmp_path):
    copy = made(CIF)
    with fits.open(io.BytesIO(CIF)) as theirs, fits.open(io.BytesIO(copy)) as mine:
        mine.verify("exception")
        assert [repr(hdu.header) for hdu in mine] == [repr(hdu.header) for hdu in theirs]
        old, new = theirs["CALINDEX"].data, mine["CALINDEX"].data
        assert len(new) == len(old) == 118
        assert [f"/lustre/scratch/astro/pr83/code/ccf/{name}" for name in new["FNAME"]] == list(old["FNAME"])
        for name in new.names:
            assert name == "FNAME" or (new[name] == old[name]).all(), name
    (tmp_path / "copy.cif").write_bytes(copy)
    (tmp_path / "real.cif").write_bytes(CIF)
    assert parse_cif(tmp_path / "copy.cif") == parse_cif(tmp_path / "real.cif")
    (tmp_path / "real.cif").unlink()
    assert bare_index(str(tmp_path / "copy.cif")) == copy


def test_tables_of_all_kinds_of_columns(made):
    columns = [
        fits.Column("FLAGS", "11X", array=[[True] * 11] * 2),
        fits.Column("MANY", "3D", array=[[1, 2, 3]] * 2),
        fits.Column("FNAME", "40A", array=["/a/EPN_X_0001.CCF", "EPN_Y_0002.CCF"]),
        fits.Column("LAST", "J", array=[1, 2]),
    ]
    image = fits.PrimaryHDU(data=[[1.5] * 7] * 3)
    content = io.BytesIO()
    fits.HDUList([image, fits.BinTableHDU.from_columns(columns, name="CALINDEX")]).writeto(content)
    with fits.open(io.BytesIO(made(content.getvalue()))) as file:
        assert list(file[1].data["FNAME"]) == ["EPN_X_0001.CCF", "EPN_Y_0002.CCF"]
        assert list(file[1].data["LAST"]) == [1, 2] and file[0].data.sum() == 31.5


@pytest.mark.parametrize("content", [b"", b"no FITS", b"SIMPLE  =", CIF[:2880], CIF[:5760], CIF[:-2880], b"\0" * 9000])
def test_what_is_no_index_is_left_to_the_task(made, content):
    assert made(content) == content


def test_damaged_ones_end_and_keep_their_length(tmp_path):
    chance = random.Random(5)
    path = tmp_path / "ccf.cif"
    for _ in range(300):
        content = bytearray(CIF[: chance.choice([8640, 20000, len(CIF)])])
        for _ in range(chance.randint(1, 40)):
            content[chance.randrange(min(len(content), 8640))] = chance.choice(b"0123456789-'XA= \0\xff")
        path.write_bytes(content)
        assert len(bare_index(str(path))) == len(content)

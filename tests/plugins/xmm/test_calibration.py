import gzip
import os
import random
import re

import pytest
from attrs import evolve

from daxa_xmm.calibration import (
    LARGEST,
    BadCalibrationIndexError,
    Constituent,
    calibration_digest,
    newest_release,
    parse_cif,
)

from .summaries import DATA

CIF = gzip.decompress((DATA / "0201903501_ccf.cif.gz").read_bytes())


@pytest.fixture
def read(tmp_path):
    def at(content):
        path = tmp_path / "ccf.cif"
        path.write_bytes(content)
        return parse_cif(path)

    return at


def test_a_real_index(read):
    found = read(CIF)
    assert len(found) == 118
    assert found[0] == Constituent(
        scope="EMOS1", kind="ADUCONV", issue=79, file="EMOS1_ADUCONV_0079.CCF", valid_from="2003-11-09T18:00:01",
        valid_to="2005-01-21T18:00:00", created="2012-02-16T13:00:08", released="2012-02-17T06:00:02", size=25920,
        md5="95935089382338c0ce336cda1c31437f",
    )  # fmt: skip
    assert [f"{one}.CCF" for one in found] == [one.file for one in found]
    assert {one.scope for one in found} == {
        "EMOS1", "EMOS2", "EPN", "OM", "RGS1", "RGS2", "XMM", "XRT1", "XRT2", "XRT3",
    }  # fmt: skip
    assert found[1].valid_to == ""
    assert newest_release(found) == "2014-09-20T06:00:05"


def test_the_same_calibration_has_the_same_digest():
    found = [Constituent(scope="EPN", kind=kind, issue=3, file="a.CCF", md5="AB") for kind in ("CTI", "GAIN", "PSF")]
    digest = calibration_digest(found)
    assert re.fullmatch(r"[0-9a-f]{16}", digest)
    moved = [evolve(one, file="b.CCF", created="2020-01-01", md5="ab") for one in random.sample(found, 3)]
    assert calibration_digest(moved) == digest
    assert calibration_digest([*found[:2], evolve(found[2], issue=4)]) != digest
    assert calibration_digest([*found[:2], evolve(found[2], md5="ac")]) != digest
    other = [*found, evolve(found[0], scope="RGS1")]
    assert calibration_digest(other) != digest
    assert calibration_digest(other, ["EPN"]) == digest


def test_nothing_is_of_no_date():
    assert newest_release([]) == ""
    assert (
        newest_release([Constituent(scope="EPN", kind="CTI", issue=1, file="a", created="2001-01-01")]) == "2001-01-01"
    )


def changed(old, new):
    assert CIF.count(old) >= 1
    return CIF.replace(old, new.ljust(len(old)), 1)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not a FITS file"),
        (gzip.compress(CIF), "not a FITS file"),
        (b"SIMPLE  = ", "no readable table|cannot be read"),
        (CIF[:2880], "no readable table"),
        (CIF[:20000], "it was cut short"),
        (changed(b"'CALINDEX'", b"'OTHER'"), "no readable table CALINDEX"),
        (changed(b"TTYPE4  = 'ISSUE   '", b"TTYPE4  = 'ISSUED  '"), "its table lacks ISSUE"),
        (changed(b"ADUCONV", b"../etc"), "row 1 names no file of the calibration: 'EMOS1_../etc_79'"),
        (
            changed(b"                  118 / number of rows", b"                    0 / number of rows"),
            "names no file",
        ),
        (
            changed(b"                  118 / number of rows", b"         999999999999 / number of rows"),
            "cut short|cannot be read",
        ),
        (changed(b"XTENSION= 'BINTABLE'", b"XTENSION= 'IMAGE   '"), "CALINDEX"),
    ],
)
def test_damaged_indices_are_refused(read, content, says):
    with pytest.raises(BadCalibrationIndexError, match=says) as caught:
        read(content)
    assert "ccf.cif" in str(caught.value) and "run cif_build again" in str(caught.value)


def test_what_cannot_be_read_at_all(tmp_path):
    with pytest.raises(BadCalibrationIndexError, match="No such file"):
        parse_cif(tmp_path / "none.cif")
    with pytest.raises(BadCalibrationIndexError, match="not a regular file"):
        parse_cif(tmp_path)
    os.mkfifo(tmp_path / "pipe.cif")
    with pytest.raises(BadCalibrationIndexError, match="not a regular file"):
        parse_cif(tmp_path / "pipe.cif")
    with (tmp_path / "large.cif").open("wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(BadCalibrationIndexError, match="more than 16777216 bytes"):
        parse_cif(tmp_path / "large.cif")

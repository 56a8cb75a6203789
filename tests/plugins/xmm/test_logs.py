import gzip
import json

import pytest

from daxa_xmm.logs import read_espfilt_log

from .summaries import DATA

FIGURES = json.loads((DATA / "espfilt_key_figures.json").read_text())
ABOUT_THE_FILE = {"characters_with_token", "lines", "ends_with_newline"}


@pytest.mark.parametrize("name", ["espfilt_0204310101M1S001_stdout", "espfilt_0502671101PNS003_stdout"])
def test_key_figures_of_real_logs(tmp_path, name):
    log = gzip.decompress((DATA / f"{name}.log.gz").read_bytes())
    expected = {key: value for key, value in FIGURES[name].items() if key not in ABOUT_THE_FILE}
    assert read_espfilt_log(log) == read_espfilt_log(log.decode()) == read_espfilt_log(log.splitlines()) == expected
    (tmp_path / "a.log").write_bytes(log)
    assert read_espfilt_log(tmp_path / "a.log") == expected


def test_a_log_that_says_nothing():
    found = read_espfilt_log("nothing\n")
    assert found["finished_normally"] is False
    assert found["gaussian_fit"] is found["sas_build"] is found["lightcurve_max"] is None


def test_numbers_as_fortran_writes_them():
    found = read_espfilt_log("espfilt:- WRITE_QDP_GTI: Norm =  .1261D+04 Width =  -.8937E-01 Center =    0.755\n")
    assert found["gaussian_fit"] == {"norm": 1261.0, "width": -0.08937, "center": 0.755}
    found = read_espfilt_log("espfilt:- min LC value=    0.000 max LC value =  1.2.3 limits(2) =    6.500\n")
    assert (found["lightcurve_min"], found["lightcurve_max"], found["upper_limit"]) == (0.0, None, 6.5)


def test_one_that_began_again_is_not_finished():
    stamp = "espfilt:- espfilt (espfilt-4.3)  [xmmsas_20211130_0941-20.0.0] {}  2024-04-24T19:20:01.000\n"
    assert read_espfilt_log(stamp.format("ended:  "))["finished_normally"]
    assert not read_espfilt_log(stamp.format("ended:  ") + stamp.format("started:"))["finished_normally"]

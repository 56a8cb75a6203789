"""Summaries, logs and calibration indices of XMM-Newton's software."""

import gzip
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daxa_xmm.anomalies import parse_emanom_out
from daxa_xmm.calibration import calibration_digest, newest_release, parse_cif
from daxa_xmm.logs import read_espfilt_log
from daxa_xmm.messages import iter_messages, parse_stderr
from daxa_xmm.summary import parse_odf_sum
from tests.fuzz.common import LATIN, fuzzed, mutated, only_typed

DATA = Path(__file__).parents[1] / "data" / "xmm"
WHOLE = gzip.decompress((DATA / "0828_0201903501_SCX00000SUM.SAS.gz").read_bytes())
PN = WHOLE.index(b"INSTRUMENT\nPN")
SUMMARY = WHOLE[: WHOLE.index(b"INSTRUMENT\nR1")] + WHOLE[PN : WHOLE.index(b"EXPOSURE\n", PN + 2000)]
ESPFILT = gzip.decompress((DATA / "espfilt_0204310101M1S001_stdout.log.gz").read_bytes())
STDERR = (DATA / "espfilt_0502671101PNS003_stderr.log").read_bytes()
CIF = gzip.decompress((DATA / "0201903501_ccf.cif.gz").read_bytes())
SHORT_CIF = CIF[: CIF.index(b"XTENSION")] + CIF[CIF.index(b"XTENSION") :].replace(b"118 /", b"  2 /", 1)[: 3 * 2880]
ROW = st.sampled_from(
    ["FILES", "INSTRUMENT", "EXPOSURE", "OBSERVATION", "CONFIGURATION", "CONFIGURATION EPIC PN", "PROPOSAL", "//", "// x",
     "M1", "PN", "Y / Is", "N / Is", "1 / Number of exposures", "99999 / Number of exposures", "-1 / Number of exposures",
     "001 / Exposure Identifier [also S001]", "SCIENCE / Exposure Type", "MODE = Imaging / Instrument configuration",
     "FILTER = Thin1 // Filter", "DATA_MODE_1 = Imaging / Data mode for CCD 1", "0201903501 / Observation Identifier",
     "0828_0201903501_PNS00301IME.FIT / x", "3 / Number of configuration parameters available", "=", "/", " / "]
) | LATIN  # fmt: skip
WORD = st.sampled_from(
    ["** ", "**", "*", "evselect", "epproc::epframes", "::", ":", " ", ": error", ": warning", ": fatal", "(", ")", "(x)",
     ", ", "\n", "\r", "\t", "\n   ", "silently occurred 1 times", "espfilt:- ", "Executing (routine): espfilt a='", "'",
     "espfilt (espfilt-4.3)  [x] started: 2024-04-24T19:20:01.000", "min LC value=", "1" * 400, "D", "0" * 5000]
) | LATIN  # fmt: skip


ANOMALIES = b"".join(b"CCD: %d Hardness ratio:    2.310 +/-   0.120 Status: G\n" % ccd for ccd in range(1, 8))
HOSTILE = {
    "stars": "** " * 100_000,
    "tasks within tasks": "** " + "a::" * 100_000,
    "a long task": "** " + "a " * 150_000 + ": error (x)",
    "a name that does not end": "** a: error (" + "(" * 300_000,
    "a name that ends too often": "** a: error (" + "()" * 150_000,
    "commas": "** a: error (x)" + ", " * 150_000 + "y",
    "lines below": "** a: warning (x),\n" + "   y\n" * 50_000,
    "counts": "** a: warning (SummaryOfWarnings),\nwarning x" + " silently occurred" * 20_000,
    "quotes": ":- Executing (routine): espfilt " + "a=' a=\" " * 50_000,
    "stamps": ":- a (a-" * 40_000,
    "extremes": "min LC value=" * 20_000 + "1" * 200_000,
    "blanks": "min LC value=" + " " * 300_000,
    "conditions of ccds": "CCD: 1 Hard" * 30_000,
}


def summary_of(folder, content):
    path = folder / "SUM.SAS"
    path.write_bytes(content)
    with only_typed():
        found = parse_odf_sum(path, "0201903501")
        for info in found.values():
            assert info == {"active": False} or info["num_exp"] == len(info["exposures"])
            for one in info.get("exposures", {}).values():
                assert one["type"] and one["mode"] and one["filter"] != ""


@fuzzed
@given(lines=st.lists(ROW, max_size=40), end=st.sampled_from(["\n", "\r\n", "\r", " \n"]))
def test_summaries_of_any_lines(folder, lines, end):
    summary_of(folder, end.join(lines).encode("latin-1", errors="replace"))


@fuzzed
@given(content=mutated(SUMMARY))
def test_summaries_with_wrong_bytes(folder, content):
    summary_of(folder, content)


@fuzzed
@given(content=st.binary(max_size=2000))
def test_summaries_of_any_bytes(folder, content):
    summary_of(folder, content)


@fuzzed
@given(text=st.lists(WORD, max_size=60).map("".join))
def test_logs_of_any_words(text):
    parse_stderr(text)
    read_espfilt_log(text)


@fuzzed
@given(words=st.lists(WORD, min_size=1, max_size=3), times=st.integers(1, 500))
def test_logs_that_repeat_themselves(words, times):
    """A pattern that looks at each place again and again would take hours for these."""
    text = "".join(words) * times
    for _ in iter_messages(text):
        pass
    read_espfilt_log(text)


@pytest.mark.parametrize("name", HOSTILE)
def test_lines_made_to_take_long_do_not(folder, name):
    (folder / "hostile.log").write_text(HOSTILE[name])
    began = time.process_time()
    parse_stderr(HOSTILE[name])
    read_espfilt_log(HOSTILE[name])
    with only_typed():
        parse_emanom_out(folder / "hostile.log")
    with only_typed():
        parse_odf_sum(folder / "hostile.log")
    assert time.process_time() - began < 5


@fuzzed
@given(content=mutated(ANOMALIES))
def test_states_of_ccds_with_wrong_bytes(folder, content):
    (folder / "anom.log").write_bytes(content)
    with only_typed():
        assert all(isinstance(ccd, int) for ccd in parse_emanom_out(folder / "anom.log"))


@fuzzed
@given(content=mutated(STDERR + ESPFILT[:6000]))
def test_logs_with_wrong_bytes(folder, content):
    parse_stderr(content)
    (folder / "a.log").write_bytes(content)
    for _ in iter_messages(folder / "a.log"):
        pass
    read_espfilt_log(folder / "a.log")


@fuzzed
@given(content=mutated(SHORT_CIF))
def test_calibration_indices_with_wrong_bytes(folder, content):
    (folder / "ccf.cif").write_bytes(content)
    with only_typed():
        found = parse_cif(folder / "ccf.cif")
        assert found and calibration_digest(found) and isinstance(newest_release(found), str)

"""The log of emanom, whole, cut short, and none at all."""

import os
import time

import pytest

from daxa.api import DaxaError, TaskError
from daxa_xmm import parse_emanom_out

LINE = "CCD: {} Hardness ratio:    2.310 +/-   0.120 Status: {}\n"


def test_a_log_that_was_cut_short_costs_no_ccd_in_silence(tmp_path):
    path = tmp_path / "mos1S001-anom.log"
    whole = "".join(LINE.format(ccd, "G") for ccd in range(1, 8))
    for end in range(len(whole)):
        path.write_text(whole[:end])
        lines = whole[:end].count("Status: G")
        try:
            assert parse_emanom_out(path) == list(range(1, lines + 1))
        except TaskError as problem:
            assert "rerun='emanom'" in str(problem)
            assert not lines or "does not tell the state of CCD" in str(problem)


def test_what_is_no_log_is_a_typed_error(tmp_path):
    os.mkfifo(tmp_path / "pipe.log")
    (tmp_path / "binary.log").write_bytes(bytes(range(256)) * 20)
    for name, says in (("", "not a regular"), ("pipe.log", "not a regular"), ("binary.log", "tells of no CCD")):
        with pytest.raises(TaskError, match=says):
            parse_emanom_out(tmp_path / name)
    with pytest.raises(TaskError, match="cannot be read"):
        parse_emanom_out("a\0b")
    with pytest.raises(FileNotFoundError, match="rerun='emanom'") as caught:
        parse_emanom_out(tmp_path / "none.log")
    assert isinstance(caught.value, DaxaError) and caught.value.code == "missing-log"


def test_a_line_that_repeats_itself_takes_no_longer(tmp_path):
    """A pattern that looks at the rest of the line from each place would take an hour for this."""
    path = tmp_path / "mos1S001-anom.log"
    path.write_text("CCD: 1 Hard" * 100_000 + "\n" + LINE.format(2, "G"))
    began = time.perf_counter()
    with pytest.raises(TaskError, match="state of CCD 1"):
        parse_emanom_out(path)
    assert time.perf_counter() - began < 5

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daxa import machine
from daxa.api import process
from daxa.exceptions import InvalidParameterError
from daxa.process import Command
from daxa.sizes import size_in_bytes


@pytest.mark.parametrize(
    ("text", "size"),
    [("2 GB", 2e9), ("500MB", 5e8), ("1.5 kB", 1500), ("1 KiB", 1024), ("2GiB", 2 * 1024**3), (7, 7), ("0", 0)],
)
def test_sizes(text, size):
    assert size_in_bytes(text) == size


@pytest.mark.parametrize("wrong", ["", "GB", "2 furlongs", "-1 MB", "nan", float("inf"), None, True, "1 2 MB", "1e400"])
def test_what_is_no_size(wrong):
    with pytest.raises(InvalidParameterError, match="500 MB"):
        size_in_bytes(wrong)


@given(st.text(max_size=20))
def test_any_text_is_a_size_or_refused(text):
    with contextlib.suppress(InvalidParameterError):
        assert 0 <= size_in_bytes(text) < float("inf")


def test_what_a_task_holds():
    @process(level="obs", cpu=2, memory="2 GB", scratch=1000)
    def heavy(job):
        return Command(["true"])

    assert heavy.resources == {"cpu": 2.0, "memory": 2e9, "scratch": 1000.0}
    with pytest.raises(InvalidParameterError, match="heavy"):

        @process(level="obs", memory="lots")
        def heavy(job):
            return Command(["true"])


def test_the_machine(tmp_path):
    assert machine.memory() > 1e8 and machine.free_space(tmp_path) > 0

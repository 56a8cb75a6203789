"""The head of a run is killed at random moments, and started again; `nox -s stress` does it more often."""

import os
import random
import subprocess
import sys

import pytest
from tests.stress import marks
from tests.stress.heads_killed import kill_heads
from tests.stress.surroundings import ROOT, Surroundings, kill_when

from daxa.exceptions import ArchiveNotFoundError
from daxa.store.records import ArchiveRecord

SEED = os.environ.get("DAXA_TEST_SEED")


@pytest.mark.timeout(280)
def test_killed_anywhere_it_goes_on_and_repeats_nothing_that_succeeded(tmp_path):
    seed = int(SEED) if SEED else random.SystemRandom().randrange(10**6)
    print("seed", seed)  # and again with DAXA_TEST_SEED
    found = kill_heads(tmp_path, kills=5, seed=seed)
    print(found)
    assert found.faults == [], str(found)
    assert found.counts["kills"] >= 5 and found.counts["tasks"] >= 300


MAKES = """
import sys
from tests.stress import marks
marks.install()
from daxa.store.records import ArchiveRecord
ArchiveRecord.create(sys.argv[1]).close()
"""


@pytest.mark.parametrize("where", ["row 1 before", "row 1 after", "row 2 before", "row 2 after"])
def test_killed_while_the_record_is_made_there_is_a_whole_one_or_none(tmp_path, where):
    surroundings = Surroundings(tmp_path)
    path = tmp_path / "made" / "archive.sqlite"
    shared = marks.Marks(tmp_path / "marks")
    environment = surroundings.environment(tmp_path, aim=where)
    process = subprocess.Popen(
        [sys.executable, "-c", MAKES, str(path)], env=environment, cwd=ROOT, text=True, stdout=subprocess.PIPE
    )
    kill = kill_when(process, "row", int(where.split()[1]), shared)
    shared.close()
    assert "row" in kill.during
    try:
        ArchiveRecord.open(path).close()
    except ArchiveNotFoundError:
        assert "1" in where  # nothing has its name yet
    record = ArchiveRecord.create(path)
    assert record.tasks() == []
    record.close()

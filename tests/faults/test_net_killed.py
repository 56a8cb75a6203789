"""A fetching process that is killed at random moments, and started again; `nox -s stress` does it more often."""

import os
import random

import pytest
from tests.stress.fetch_killed import kill_fetching

SEED = os.environ.get("DAXA_TEST_SEED")


@pytest.mark.timeout(280)
def test_killed_anywhere_it_ends_with_the_same_files_and_fetches_little_twice(tmp_path):
    seed = int(SEED) if SEED else random.SystemRandom().randrange(10**6)
    print("seed", seed)  # and again with DAXA_TEST_SEED
    found = kill_fetching(tmp_path, kills=10, seed=seed)
    print(found)
    assert found.faults == [], str(found)
    assert found.counts["kills"] >= 10

"""XMM-Newton's chain with failures, and killed; `python -m tests.stress F8 F3` does both at length."""

import os
import random

import pytest
from tests.stress.xmm_chain import kill_chains, many_observations

SEED = os.environ.get("DAXA_TEST_SEED")


@pytest.mark.timeout(280)
def test_every_failure_has_a_cause_and_blocks_its_own(tmp_path):
    found = many_observations(tmp_path, observations=21)
    assert found.faults == [], str(found)
    assert found.counts["failed"] == 3


@pytest.mark.timeout(280)
def test_killed_it_goes_on_and_repeats_nothing_that_succeeded(tmp_path):
    seed = int(SEED) if SEED else random.SystemRandom().randrange(10**6)
    print("seed", seed)  # and again with DAXA_TEST_SEED
    found = kill_chains(tmp_path, kills=2, observations=3, seed=seed)
    assert found.faults == [], str(found)

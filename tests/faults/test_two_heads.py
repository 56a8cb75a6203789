"""One archive, several processes: two heads, many readers, a head that has died."""

import pytest
from tests.stress.two_heads import readers_during_a_run, two_heads


@pytest.mark.timeout(280)
def test_a_second_head_is_refused_by_name_and_takes_over_when_the_first_is_dead(tmp_path):
    found = two_heads(tmp_path, rounds=1)
    assert found.faults == [], str(found)
    assert found.counts["refusals"] == found.counts["takeovers"] == 1


@pytest.mark.timeout(280)
def test_readers_see_nothing_that_is_not_so(tmp_path):
    found = readers_during_a_run(tmp_path, readers=8)
    assert found.faults == [], str(found)
    assert found.counts["snapshots"] > 8 and found.counts["tasks"] >= 300

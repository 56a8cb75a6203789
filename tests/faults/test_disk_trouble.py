"""Disks that are full, read-only or limited: in a fetch, in a task, in the journal. Nothing is ever made unwritable."""

import pytest
from tests.stress.disk import disk_trouble
from tests.stress.fetch_disk import fetch_trouble


@pytest.mark.timeout(280)
def test_a_run_says_that_the_disk_refuses_spoils_nothing_and_goes_on(tmp_path):
    found = disk_trouble(tmp_path, observations=8)
    assert found.faults == [], str(found)
    assert found.counts["kinds of trouble"] == 5 and found.counts["typed errors"] >= 1


@pytest.mark.timeout(280)
def test_a_download_says_that_the_disk_refuses_spoils_nothing_and_goes_on(tmp_path):
    found = fetch_trouble(tmp_path)
    assert found.faults == [], str(found)
    assert found.counts["typed errors"] == 6

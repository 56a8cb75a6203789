"""What a newcomer types first, each time with an empty home: a target is looked for, and made an archive of."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from .conftest import DAXA

FOUR = {"xmm_pointed": 8, "chandra": 12, "erosita_all_sky_de_dr1": 1, "rosat_pointed": 3}
BUILD = ["build", "A3667", "--target", "A3667", "--missions", ",".join(FOUR), "--json"]
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def started(tmp_path):
    """Start a command under the sky, in an empty directory and with an empty home."""
    here, home = tmp_path / "here", tmp_path / "home"
    here.mkdir()
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DAXA_", "XDG_"))}

    def start(*arguments, **settings):
        return subprocess.Popen(
            [*DAXA, "sky", "--", *DAXA, *arguments],
            cwd=here, env={**kept, "HOME": str(home), **settings}, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip

    start.here, start.home = here, home
    return start


def test_find_tells_what_was_recorded(started):
    process = started("find", "A3667", "--json")
    out, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")
    found = json.loads(out)
    assert {name: found[name]["count"] for name in FOUR} == FOUR
    for one in found.values():
        assert set(one) == {"count", "first", "last", "obs_ids"} and len(one["obs_ids"]) == one["count"]
    assert min(found[name]["first"] for name in FOUR) == "1992-04-14T18:55:38.000003"
    assert max(found[name]["last"] for name in FOUR) == "2020-04-20T12:23:50"
    assert list(started.here.iterdir()) == list(started.home.iterdir()) == []


@pytest.mark.parametrize(("number", "status"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)])
def test_a_build_that_was_cut_short_goes_on(started, tmp_path, number, status):
    output = started.here / "daxa_sky_output"
    told = tmp_path / "events"
    told.touch()
    first = started(*BUILD, DAXA_EVENTS=str(told))
    while first.poll() is None and told.read_text().count('"ObservationFetched"') < 6:
        time.sleep(0.02)
    os.killpg(first.pid, number)
    _, errors = first.communicate()
    assert first.returncode == status
    if number == signal.SIGINT:
        assert errors.lstrip() == "Interrupted. What was done is kept; the same command goes on from there.\n"
    before = {path: path.stat().st_mtime_ns for path in output.glob("*_raw/*/*.FIT")}
    second = started(*BUILD)
    out, errors = second.communicate()
    assert second.returncode == 0, errors
    report = json.loads(out)
    assert {name: len(obs_ids) for name, obs_ids in report["observations"].items()} == FOUR
    assert report["failures"] == [] and Path(report["archive_path"]).is_dir()
    after = {path: path.stat().st_mtime_ns for path in before}
    again = {path.parent for path, when in before.items() if after[path] != when}
    assert len(again) <= 4, again  # ESA sends an observation in one file, and four of them were on their way
    assert list(started.home.iterdir()) == []
    info = started("info", "A3667")
    shown, _ = info.communicate()
    assert info.returncode == 0 and "Total number of observations - 24" in shown
    assert "Beginning of earliest observation - 1992-04-14 18:55:38.000003" in shown
    assert "End of latest observation - 2020-04-20 12:23:50" in shown

"""The program's working half: from a target to an archive, runs, and looking at the files again."""

import json
import os
import signal
from pathlib import Path

import daxa_sample.testing
import pytest

from daxa.cli import main
from daxa_testing.sky import Sky


@pytest.fixture(scope="module")
def sky():
    made = Sky()
    daxa_sample.testing.add_to(made)
    made.add_name("Nothing", 20.0, 80.0)
    with made.running_in_thread() as running:
        yield running


class Done:
    """What a command left: its exit status, and what it wrote."""

    def __init__(self, exit_code, written):
        self.exit_code, self.stdout, self.stderr = exit_code, written.out, written.err


@pytest.fixture
def daxa(sky, tmp_path, monkeypatch, capsys):
    from daxa.context import Context, use_context

    for name, value in sky.environment(tmp_path).items():
        monkeypatch.setenv(name, value)

    def run(*arguments):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        return Done(caught.value.code, capsys.readouterr())

    with use_context(Context()):
        yield run


def test_find(daxa):
    done = daxa("find", "Sample Nebula", "--missions", "sample", "--json")
    assert done.exit_code == 0 and json.loads(done.stdout) == {
        "sample": {
            "count": 2,
            "first": "2031-03-01T10:00:00",
            "last": "2031-03-05T01:23:20",
            "obs_ids": ["S0001", "S0002"],
        }
    }
    near = daxa("find", "150.1,-11.06", "--missions", "sample", "--radius", "1 arcmin")
    assert near.exit_code == 0 and near.stdout.splitlines()[1].split()[:2] == ["sample", "1"]
    none = daxa("find", "Nothing", "--missions", "sample")
    assert none.exit_code == 0 and "sample has none" in none.stdout
    assert daxa("find", "Nothing", "--radius", "wide").exit_code == 2
    assert daxa("find", "Nothing", "--missions", "").exit_code == 2  # it would be taken for all of them


def test_a_mission_that_is_down_costs_itself_and_is_told(daxa):
    done = daxa("find", "Sample Nebula", "--missions", "sample,chandra", "--json")
    assert done.exit_code == 3 and set(json.loads(done.stdout)) == {"sample"}
    assert "chandra could not be asked" in done.stderr


@pytest.mark.parametrize("processed", [True, False])
def test_what_is_interrupted_says_so_and_goes_on(daxa, monkeypatch, processed):
    from daxa.mission import Sample

    real = Sample.remote_files

    async def remote_files(self, obs, want, net):
        if obs["ObsID"] == "S0002":
            os.kill(os.getpid(), signal.SIGINT)
        async for remote in real(self, obs, want, net):
            yield remote

    options = ("--process", "--json") if processed else ()
    with monkeypatch.context() as patched:
        patched.setattr(Sample, "remote_files", remote_files)
        done = daxa("build", "neb", "--target", "Sample Nebula", "--missions", "sample", *options)
    assert done.exit_code == 130 and "goes on from there" in done.stderr
    if processed:
        assert json.loads(done.stdout)["tasks"]["sample"]["download"] == {"succeeded": 2}
    assert daxa("run", "neb").exit_code == 0


def test_build_run_verify(daxa, tmp_path):
    built = daxa("build", "neb", "--target", "Sample Nebula", "--missions", "sample", "--process", "--json")
    assert built.exit_code == 0, built.stderr
    report = json.loads(built.stdout)
    assert report["observations"] == {"sample": ["S0001", "S0002"]} and report["failures"] == []
    assert report["tasks"]["sample"]["quicklook"] == {"succeeded": 4}
    again = daxa("run", "neb", "image", "--obs-id", "S0001", "--param", "filter=none", "--json")
    assert again.exit_code == 0 and json.loads(again.stdout)["run"]["succeeded"] == 4, again.stderr
    shown = daxa("run", "neb")
    assert shown.exit_code == 0 and shown.stdout.startswith("This run: ") and "The archive is" in shown.stdout
    assert daxa("run", "neb", "image", "--param", "filter").exit_code == 2
    empty = tmp_path / "empty.txt"
    empty.write_text("# nothing is left\n")
    nothing = daxa("run", "neb", "--obs-id", f"@{empty}")
    assert nothing.exit_code == 2 and "names nothing" in nothing.stderr
    images = json.loads(daxa("products", "neb", "--kind", "image", "--obs-id", "S0001", "--json").stdout)["products"]
    assert {(row["obs_id"], row["kind"]) for row in images} == {("S0001", "image")}
    for option, value in (("--missions", "chandra"), ("--obs-id", "S9999")):
        unknown = daxa("products", "neb", option, value)
        assert unknown.exit_code == 1 and repr(value) in unknown.stderr
    none = daxa("products", "neb", "--kind", "imgae")
    assert none.exit_code == 0 and "kinds here: " in none.stderr
    same = daxa("update", "neb", "--json")
    assert same.exit_code == 0 and json.loads(same.stdout)["changes"] == {}
    assert daxa("update", "neb").stdout.startswith("nothing has changed")
    whole = daxa("verify", "neb", "--json")
    assert whole.exit_code == 0 and {row["state"] for row in json.loads(whole.stdout)["files"]} == {"intact"}
    image = Path(next(row["path"] for row in json.loads(whole.stdout)["files"] if row["path"].endswith("image.fits")))
    image.unlink()
    wrong = daxa("verify", "neb")
    assert wrong.exit_code == 3 and str(image) in wrong.stdout and "missing" in wrong.stdout
    assert daxa("run", "neb").exit_code == 0 and image.is_file()


def test_build_of_positions_and_of_obsids(daxa, tmp_path):
    table = tmp_path / "positions.csv"
    table.write_text("ra,dec\n150.1,-11.06\n10.68,41.27\n")
    made = daxa("build", "list", "--positions", str(table), "--missions", "sample", "--json")
    assert made.exit_code == 0 and json.loads(made.stdout)["observations"] == {"sample": ["S0001", "S0002", "S0003"]}
    ids = daxa("build", "ids", "--obs-id", "S0002", "--missions", "sample")
    assert ids.exit_code == 0 and "1 reused" in ids.stdout  # it was fetched for the other archive
    assert daxa("build", "two", "--obs-id", "S0002", "--target", "M82").exit_code == 2
    assert daxa("build", "two", "--obs-id", "S0002").exit_code == 2
    bad = tmp_path / "bad.csv"
    bad.write_text("\x00\x01")
    refused = daxa("build", "bad", "--positions", str(bad), "--missions", "sample")
    assert refused.exit_code == 1 and "ra and dec" in refused.stderr, refused.stderr
    empty = daxa("build", "empty", "--target", "Nothing", "--missions", "sample")
    assert empty.exit_code == 3 and "no mission has observations" in empty.stderr


def test_a_warning_is_a_sentence_and_no_line_of_code(daxa, monkeypatch):
    import warnings

    from daxa.mission.tools import Found

    written = []

    async def look(*_given):
        written.append(warnings.formatwarning(UserWarning("The catalogue is old."), UserWarning, "code.py", 1))
        return Found({})

    monkeypatch.setattr("daxa.find", look)
    usual = warnings.formatwarning
    assert daxa("find", "Sample Nebula").exit_code == 0
    assert written == ["daxa: The catalogue is old.\n"] and warnings.formatwarning is usual

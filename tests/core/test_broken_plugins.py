"""F9: plugins that are wrong in every way there is, installed side by side; each is told by name, the others work."""

import json
import os
import subprocess
import sys

import pytest

from daxa.answers import misfit, shown
from daxa.api import PluginInfo, Recipe

from .broken_plugins import HOOKS, install, plugins

EXPECTED = sorted([f"zz-{name}" for name in plugins()] + ["broken-reference", "broken-form"])
GOOD = {
    "daxa-chandra",
    "daxa-demo",
    "daxa-erosita",
    "daxa-native",
    "daxa-nustar",
    "daxa-rosat",
    "daxa-sample",
    "daxa-testing",
    "daxa-xmm",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    directory = tmp_path_factory.mktemp("site")
    return directory, install(directory)


@pytest.fixture(scope="module")
def daxa(site, tmp_path_factory):
    """Run the program, or Python, where all of them are installed."""
    home = tmp_path_factory.mktemp("home")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DAXA_")}

    def run(*arguments, python=None):
        command = (
            [sys.executable, "-c", python]
            if python
            else [sys.executable, "-c", "from daxa.cli import main; main()", *arguments]
        )
        environment = {
            **kept,
            "PYTHONPATH": str(site[0]),
            "DAXA_OUTPUT": str(home),
            "DAXA_CONFIG": str(home / "c.toml"),
        }
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100)

    return run


@pytest.fixture(scope="module")
def reported(daxa):
    done = daxa("plugins", "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout.splitlines()[-1])["plugins"]
    return {row["distribution"]: row for row in rows}


@pytest.mark.parametrize("name", EXPECTED)
def test_each_is_reported_by_its_distribution(reported, site, name):
    assert name in reported
    assert site[1][name] in (reported[name]["error"] or "nothing"), reported[name]["error"]


def test_every_hook_is_broken_in_every_way():
    for hook in HOOKS:
        kinds = {name.removesuffix(f"-{hook}") for name in plugins() if name.endswith(hook)}
        assert {"raising", "leaving", "coroutine"} <= kinds and sum(one.startswith("garbage") for one in kinds) >= 8


def test_the_sound_ones_have_no_fault(reported):
    assert set(reported) >= GOOD
    assert {name: reported[name]["error"] for name in GOOD} == dict.fromkeys(GOOD)
    strangers = set(reported) - GOOD - set(EXPECTED)
    assert strangers <= {"damaged"} | {
        name for name in strangers if name.startswith("daxa-")
    }  # metadata without a name


def test_what_the_sound_ones_provide_works(daxa):
    done = daxa("missions", "--json")
    names = {row["name"]: row["distribution"] for row in json.loads(done.stdout.splitlines()[-1])["missions"]}
    assert names["sample"] == "daxa-sample" and {"xmm_pointed", "chandra", "nustar_pointed", "rosat_pointed"} <= set(
        names
    )
    done = daxa("--help")
    assert done.returncode == 0 and " sky " in done.stdout and " demo " in done.stdout
    assert daxa("config").returncode == 0
    code = (
        "from daxa.context import current_context as c; from daxa.events import DownloadEnded\n"
        "found = c().registry.processes('sample')\n"
        "print(found['clean_events'].module, found['count_events'].module)\n"
        "c().events.publish(DownloadEnded(mission='x')); print(c().registry.mission_class('sample').fov)\n"
        "print(c().service_url('HEASARC'), [one.name for one in c().registry.recipes_for('sample')])\n"
    )
    done = daxa(python=code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "daxa_native.processes broken_taken_process_steps"
    assert "30.0 arcmin" in done.stdout and "heasarc.gsfc.nasa.gov" in done.stdout and "native" in done.stdout


@pytest.mark.parametrize("name", ["zz-misspelt", "zz-newer", "zz-garbage-number-daxa_register_tools", "zz-empty"])
def test_check_says_what_to_write_instead(daxa, site, name):
    done = daxa("plugins", "check", name)
    assert done.returncode == 1, done.stderr
    assert site[1][name] in done.stdout and "Remedy: " in done.stdout and "to mend" in done.stdout


def test_an_answer_that_cannot_be_shown_is_shown_anyway():
    class Odd:
        def __repr__(self):
            raise ValueError("never")

    assert shown(Odd()) == "<Odd>" and shown("x" * 500).endswith("...")
    assert misfit("daxa_plugin_info", PluginInfo()) is None
    assert misfit("daxa_register_recipes", Recipe(name="a", processes=("b", 3))) == (
        "daxa_register_recipes gave a Recipe whose processes is ('b', 3)"
    )

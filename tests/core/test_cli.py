"""The program: help, lists from files, exit statuses, what is installed."""

import json

import click
import pytest
from click.testing import CliRunner

from daxa.cli import cli, main
from daxa.cli.options import expand_lists

COMMANDS = (
    "build", "config", "demo", "doctor", "find", "info", "logs", "missions", "plugins", "products", "run", "sky", "status", "update", "verify",
)  # fmt: skip


def run(*arguments):
    return CliRunner().invoke(cli, list(arguments))


def test_help_names_every_command_and_the_exit_statuses():
    for flag in ("-h", "--help"):
        result = run(flag)
        assert result.exit_code == 0 and "3 finished with failures" in " ".join(result.output.split())
        for name in COMMANDS:
            assert name in result.output


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name):
    assert run(name, "-h").exit_code == 0


def test_version():
    assert run("--version").output.startswith("daxa 1")


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["nonsense"], 2),
        (["info"], 2),
        (["info", "nowhere"], 1),
        (["info", "a/b"], 1),
        (["plugins", "--nonsense"], 2),
        (["missions"], 0),
    ],
)
def test_exit_statuses(arguments, status, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == status
    assert "Traceback" not in capsys.readouterr().err


def test_lists_of_obsids_come_from_files_too(tmp_path):
    names = tmp_path / "my list.txt"
    names.write_text("# clusters\n0404910601, 0201903501\n10027 # M82\n\n")
    assert expand_lists([f"@{names}", "RP800282N00,3205"]) == [
        "0404910601",
        "0201903501",
        "10027",
        "RP800282N00",
        "3205",
    ]
    with pytest.raises(click.BadParameter, match="cannot be read"):
        expand_lists(["@/nowhere/list"])


def test_the_sample_plugin_is_found_everywhere():
    plugins = {row["distribution"]: row for row in json.loads(run("plugins", "--json").output)["plugins"]}
    assert "daxa-sample" in plugins, "install it: pip install ./tests/sample_plugin"
    assert plugins["daxa-sample"]["missions"] == ["sample"] and plugins["daxa-sample"]["error"] is None
    missions = {row["name"]: row for row in json.loads(run("missions", "--json").output)["missions"]}
    assert missions["sample"] == {"name": "sample", "title": "Sample", "class": "Sample", "distribution": "daxa-sample"}
    assert "daxa-sample" in run("plugins").output and "Sample" in run("missions").output

    import daxa.mission

    assert "Sample" in dir(daxa.mission) and "sample" in daxa.mission.MISS_INDEX
    assert daxa.mission.MISS_INDEX["sample"] is daxa.mission.Sample
    assert next(iter(daxa.mission.MISS_INDEX)) == "xmm_pointed"


def test_a_broken_plugin_is_listed_with_its_error(monkeypatch):
    from daxa.context import current_context

    current_context().plugins.complain("daxa-sample", "it is out of order")
    try:
        assert "it is out of order" in run("plugins").output
    finally:
        records = current_context().plugins.records
        records[:] = [one for one in records if one.distribution != "daxa-sample"]
        from daxa.plugins import Plugins

        again = Plugins()
        again.discover()
        records.extend(one for one in again.records if one.distribution == "daxa-sample")

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from daxa.cli import cli
from daxa.config import Config
from daxa.context import Context, current_context, use_context
from daxa.exceptions import DAXAConfigError


@pytest.fixture
def file(tmp_path):
    return tmp_path / "config.toml"


def test_argument_before_environment_before_file_before_default(file, monkeypatch, tmp_path):
    monkeypatch.delenv("DAXA_OUTPUT")
    monkeypatch.chdir(tmp_path)
    assert Config().output == tmp_path / "daxa_output"
    assert Config().setting("output").source == "default"
    file.write_text('output = "/data/from_file"\n[url]\nxsa = "https://mirror.example/xsa/"\n')
    assert str(Config().output) == "/data/from_file"
    assert Config().setting("output").source == f"file {file}"
    monkeypatch.setenv("DAXA_OUTPUT", "/data/from_env")
    assert str(Config().output) == "/data/from_env"
    assert str(Config(arguments={"output": "/data/given"}).output) == "/data/given"
    assert Config().service("XSA", "https://x").value == "https://mirror.example/xsa/"
    monkeypatch.setenv("DAXA_URL_XSA", "http://127.0.0.1:9/xsa/")
    assert Config().service("XSA", "https://x").value == "http://127.0.0.1:9/xsa/"


def test_the_relative_output_counts_from_the_working_directory_of_now(monkeypatch, tmp_path):
    monkeypatch.setenv("DAXA_OUTPUT", "out")
    config = Config()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        assert config.output == tmp_path / name / "out"


def test_daxas_own_file_is_read_and_never_written(monkeypatch, tmp_path):
    monkeypatch.delenv("DAXA_OUTPUT")
    cfg = Path(os.environ["XDG_CONFIG_HOME"]) / "daxa.cfg"
    text = "[DAXA_SETUP]\ndaxa_save_path = /data/old/\nnum_cores = 1\n"
    cfg.write_text(text)
    config = Config()
    assert str(config.output) == "/data/old" and config.cores == 1
    assert cfg.read_text() == text
    assert list(tmp_path.iterdir()) == []


def test_memory(monkeypatch):
    assert 1e8 < Config().memory < 1e15  # what the machine has
    monkeypatch.setenv("DAXA_MEMORY", "16 GB")
    assert Config().memory == 16e9
    for wrong in ("plenty", "-1 GB", "0", "nan"):
        with pytest.raises(DAXAConfigError, match="16 GB"):
            _ = Config(arguments={"memory": wrong}).memory


@pytest.mark.parametrize("cores", ["0", "-2", "many", "1.5", "100000", True])
def test_cores_that_cannot_be_used(cores, monkeypatch):
    with pytest.raises(DAXAConfigError) as caught:
        _ = Config(arguments={"cores": cores}).cores
    assert repr(cores) in str(caught.value) and "argument" in str(caught.value)


@pytest.mark.parametrize("address", ["ftp://x/", "heasarc", "https://", "http://a b/"])
def test_addresses_that_cannot_be_used(address, monkeypatch):
    monkeypatch.setenv("DAXA_URL_HEASARC", address)
    with pytest.raises(DAXAConfigError, match="DAXA_URL_HEASARC"):
        Context().service_url("HEASARC")


def test_a_damaged_file_is_named(file):
    file.write_text("output = [")
    with pytest.raises(DAXAConfigError, match=r"config\.toml"):
        _ = Config().cores


@pytest.mark.parametrize(("text", "flag"), [("1", True), ("true", True), ("0", False), ("no", False)])
def test_offline(text, flag, monkeypatch):
    monkeypatch.setenv("DAXA_OFFLINE", text)
    assert Config().offline is flag


def test_offline_that_is_neither(monkeypatch):
    monkeypatch.setenv("DAXA_OFFLINE", "perhaps")
    with pytest.raises(DAXAConfigError):
        _ = Config().offline


def test_the_default_context_is_one_and_another_can_take_its_place():
    assert current_context() is current_context()
    own = Context(output="/elsewhere")
    with use_context(own):
        assert current_context() is own
        assert str(current_context().config.output) == "/elsewhere"
    assert current_context() is not own


def test_config_command_tells_every_value_with_its_source(monkeypatch):
    monkeypatch.setenv("DAXA_XSA_PASSWORD", "hunter2")
    result = CliRunner().invoke(cli, ["config", "--json"])
    assert result.exit_code == 0 and "hunter2" not in result.output
    rows = {row["name"]: row for row in json.loads(result.output)["settings"]}
    assert rows["output"]["source"] == "environment DAXA_OUTPUT"
    assert rows["url_heasarc"] == {
        "name": "url_heasarc",
        "value": "https://heasarc.gsfc.nasa.gov/FTP/",
        "source": "default",
    }
    assert {"cache", "cores", "offline", "pfiles_path", "sky", "xsa_user", "xsa_password", "url_sesame"} <= set(rows)
    plain = CliRunner().invoke(cli, ["config"])
    assert plain.exit_code == 0 and "DAXA_OUTPUT" in plain.output and "hunter2" not in plain.output

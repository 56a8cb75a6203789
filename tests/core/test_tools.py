"""External software: found as it is installed, and run in an environment of the task's own."""

import os
import subprocess

import pytest

from daxa import exceptions
from daxa.api import ToolSpec
from daxa.environments import python_environment, task_environment
from daxa.exceptions import DAXAConfigError, MissingToolError, ToolVersionError
from daxa.tools import find


@pytest.fixture
def velasoft(tmp_path):
    """An installation: a program, and a script that sets its environment."""
    home = tmp_path / "vela soft"  # a blank in a path is usual
    (home / "bin").mkdir(parents=True)
    program = home / "bin" / "velachain"
    program.write_text("#!/bin/sh\necho velachain 3.2; echo PFILES=$PFILES; echo HOME=$HOME\n")
    program.chmod(0o755)
    (home / "init.sh").write_text(
        f'VELA_DIR="{home}"; export VELA_DIR\nPATH="{home}/bin:$PATH"; export PATH\nPFILES="/old;{home}/syspfiles"; export PFILES\n'
    )
    return home


SPEC = ToolSpec(
    name="velasoft",
    title="VelaSoft",
    executables=("velachain",),
    home_variable="VELA_HOME",
    activation="init.sh",
    version_command=("velachain", "--version"),
    remedy="install VelaSoft and set VELA_HOME",
)


def test_found_on_the_path(velasoft):
    found = find(SPEC, {"PATH": f"{velasoft}/bin:/bin"})
    assert found.path.startswith(str(velasoft)) and found.version() == "3.2"


def test_found_by_its_activation_script(velasoft):
    found = find(SPEC, {"PATH": "/bin", "VELA_HOME": str(velasoft)})
    assert found.environment["VELA_DIR"] == str(velasoft)


def test_of_the_environment_only_what_the_tool_needs_is_taken(velasoft):
    from attrs import evolve

    variables = {
        "PATH": f"{velasoft}/bin:/bin",
        "VELA_DIR": "/v",
        "VELA_CCF": "/c",
        "SECRET": "hunter2",
        "PFILES": "a;b",
    }
    assert set(find(SPEC, variables).environment) == {"PATH", "PFILES"}
    taken = find(evolve(SPEC, variables=("VELA_*",)), variables).environment
    assert set(taken) == {"PATH", "PFILES", "VELA_DIR", "VELA_CCF"}


def test_found_where_the_user_says(velasoft, tmp_path):
    plain = {"PATH": "/usr/bin:/bin"}
    for where in (str(velasoft), f"script:{velasoft}/init.sh"):
        found = find(SPEC, plain, where)
        assert found.environment["VELA_DIR"] == str(velasoft) and str(velasoft) in found.found
    script = velasoft / "etc" / "conda" / "activate.d" / "vela.sh"
    script.parent.mkdir(parents=True)
    script.write_text("export VELA_CALDB=$CONDA_PREFIX/caldb\n")
    found = find(SPEC, plain, f"conda:{velasoft}")
    assert found.environment["VELA_CALDB"] == f"{velasoft}/caldb" and found.version() == "3.2"
    envs = tmp_path / "envs"
    envs.mkdir()
    (envs / "vela").symlink_to(velasoft)
    assert find(SPEC, {**plain, "CONDA_ENVS_PATH": str(envs)}, "conda:vela").version() == "3.2"
    box = tmp_path / "run in box"
    box.write_text(f'#!/bin/sh\nPATH="{velasoft}/bin:$PATH" exec "$@"\n')
    box.chmod(0o755)
    boxed = find(SPEC, plain, f"container:'{box}'")
    assert boxed.prefix == (str(box),) and boxed.version() == "3.2"
    with pytest.raises(MissingToolError, match="container"):
        find(SPEC, plain, "container:/no/such/program")
    for where in ("/nowhere", "script:/nowhere", "conda:nothing"):
        with pytest.raises(MissingToolError, match="DAXA_TOOL_VELASOFT"):
            find(SPEC, plain, where)
    for where in ("", "ship:far", "script:", "container: "):
        with pytest.raises(DAXAConfigError, match="container:COMMAND"):
            find(SPEC, plain, where)


def test_its_calibration_is_told_apart(tmp_path):
    from attrs import evolve

    spec = ToolSpec(name="v", title="V", calibration_variable="VELA_CCF", calibration_files=("*.CCF",))
    variables = {"PATH": "/bin", "VELA_CCF": str(tmp_path)}
    assert find(spec, variables).calibration() == "missing"
    (tmp_path / "A_0001.CCF").write_text("a")
    (tmp_path / "notes.txt").write_text("not part of it")
    first = find(spec, variables).calibration()
    assert first.startswith("1 files, the newest of 20")
    (tmp_path / "notes.txt").write_text("changed")
    assert find(spec, variables).calibration() == first
    (tmp_path / "A_0002.CCF").write_text("b")
    assert (
        find(spec, variables).calibration().startswith("2 files")
        and find(spec, {"PATH": ""}).calibration() == "missing"
    )
    assert find(evolve(spec, calibration_variable=None), variables).calibration() == ""


@pytest.mark.parametrize("variables", [{}, {"PATH": "/bin"}, {"PATH": "/bin", "VELA_HOME": "/nowhere"}])
def test_missing_it_says_what_to_do(variables):
    with pytest.raises(MissingToolError, match="velachain") as caught:
        find(SPEC, variables)
    assert "VELA_HOME" in str(caught.value) and isinstance(caught.value, FileNotFoundError)


def test_no_shell_sees_what_a_path_says(tmp_path):
    home = tmp_path / "$(touch pwned)"
    home.mkdir()
    (home / "init.sh").write_text("")
    with pytest.raises(MissingToolError):
        find(SPEC, {"PATH": "/bin", "VELA_HOME": str(home)})
    assert not (tmp_path / "pwned").exists() and not os.path.exists("pwned")


def test_a_task_has_an_environment_of_its_own(velasoft, tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET", "hunter2")
    monkeypatch.setenv("LD_PRELOAD", "")
    found = find(SPEC, {"PATH": "/bin", "VELA_HOME": str(velasoft)})
    environments = []
    for name in ("one", "two"):
        scratch = tmp_path / name
        scratch.mkdir()
        environments.append(task_environment([found], scratch, extra={"SAS_CCF": "x"}))
    one, two = environments
    assert "SECRET" not in one and one["SAS_CCF"] == "x" and one["VELA_DIR"] == str(velasoft)
    for name in ("HOME", "TMPDIR", "PFILES", "ASCDS_WORK_PATH", "ASCDS_TMP"):
        assert one[name] != two[name] and str(tmp_path / "one") in one[name]
    assert one["PFILES"].endswith(f";{velasoft}/syspfiles") and one["HEADASPROMPT"] == "/dev/null"
    done = subprocess.run(["velachain"], env=one, capture_output=True, text=True, check=True)
    assert f"HOME={one['HOME']}" in done.stdout


def test_system_parameter_files_can_be_configured(tmp_path):
    assert task_environment([], tmp_path, pfiles="/soft/syspfiles")["PFILES"].endswith(";/soft/syspfiles")


def test_calls_see_the_sky_and_little_else(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET", "hunter2")
    made = python_environment(tmp_path, "http://127.0.0.1:1")
    assert made["DAXA_SKY"] == "http://127.0.0.1:1" and "SECRET" not in made and "DAXA_OUTPUT" not in made
    assert "DAXA_SKY" not in python_environment(tmp_path)


def test_an_activation_is_told_of_no_more_than_the_tool_needs(velasoft, tmp_path):
    """Whatever a user has set, no task sees it."""
    script = velasoft / "etc" / "conda" / "activate.d" / "vela.sh"
    script.parent.mkdir(parents=True)
    script.write_text("export VELA_HERE=1\n")
    variables = {"PATH": "/usr/bin:/bin", "SECRET": "hunter2", "LD_PRELOAD": "", "PYTHONSTARTUP": "x", "HOME": "/root"}
    for where in (str(velasoft), f"script:{velasoft}/init.sh", f"conda:{velasoft}"):
        found = find(SPEC, variables, where)
        assert not {"SECRET", "LD_PRELOAD", "PYTHONSTARTUP"} & set(task_environment([found], tmp_path)), where


def test_the_calibration_of_a_container_is_the_one_inside(velasoft, tmp_path):
    from attrs import evolve

    spec = evolve(SPEC, calibration_variable="VELA_CCF", calibration_files=("*.CCF", "index/**/*.fits"))
    inside, plain = tmp_path / "in side", {"PATH": "/usr/bin:/bin"}
    for name in ("A_0001.CCF", "index/a.fits", "index/of/b.fits", "older/A_0000.CCF", "notes.txt"):
        (inside / name).parent.mkdir(parents=True, exist_ok=True)
        (inside / name).write_text(name)
    box = tmp_path / "box"
    for line, environment in ((f"VELA_CCF='{inside}' ", plain), ("", {**plain, "VELA_CCF": str(inside)})):
        box.write_text(f'#!/bin/sh\nPATH="{velasoft}/bin:$PATH" {line}exec "$@"\n')
        box.chmod(0o755)
        told = find(spec, environment, f"container:{box}").calibration()
        assert told == find(spec, {"PATH": f"{velasoft}/bin", "VELA_CCF": str(inside)}).calibration()
        assert told.startswith("3 files, the newest of 20")
    boxed = find(spec, plain, f"container:{box}")
    assert boxed.calibration() == "missing"
    boxed.check()  # what a container holds is told by the task that needs it


def test_a_version_that_is_too_old_is_refused(velasoft):
    from attrs import evolve

    variables = {"PATH": f"{velasoft}/bin:/bin"}
    for enough in ("", "3.2", "3.1.9", "3"):
        assert find(evolve(SPEC, minimum_version=enough), variables).version() == "3.2"
    assert find(evolve(SPEC, minimum_version="9", version_pattern="nothing"), variables).version() == ""
    for more in ("3.10", "3.2.1", "14.0.0"):
        with pytest.raises(ToolVersionError, match=rf"has version 3.2.*Expected: version {more} or later") as caught:
            find(evolve(SPEC, minimum_version=more), variables)
        assert isinstance(caught.value, MissingToolError) and caught.value.context["tool"] == "velasoft"


def test_a_calibration_that_is_told_nowhere_is_missing_before_anything_is_run(velasoft, tmp_path):
    from attrs import evolve

    spec = evolve(SPEC, calibration_variable="VELA_CCF")
    variables = {"PATH": f"{velasoft}/bin:/bin"}
    find(SPEC, variables).check()
    find(spec, {**variables, "VELA_CCF": f"/nowhere:{tmp_path}"}).check()
    for told in ({}, {"VELA_CCF": ""}, {"VELA_CCF": "/nowhere"}):
        with pytest.raises(MissingToolError, match=r"calibration of VelaSoft is not here.*set VELA_CCF"):
            find(spec, {**variables, **told}).check()


def test_the_names_of_the_errors_of_before():
    for name in ("SAS", "eSASS", "CIAO", "NuSTARDAS"):
        assert issubclass(MissingToolError, getattr(exceptions, f"{name}NotFoundError"))
    assert issubclass(MissingToolError, exceptions.BackendSoftwareError)
    assert issubclass(ToolVersionError, exceptions.SASVersionError)
    assert issubclass(exceptions.PluginError, exceptions.DAXADeveloperError)

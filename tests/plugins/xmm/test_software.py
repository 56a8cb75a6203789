"""How SAS and HEASoft are found, and what of a user's surroundings their tasks see."""

import pytest

from daxa.archive.software import Software
from daxa.context import Context
from daxa.environments import task_environment
from daxa.exceptions import MissingToolError, SASNotFoundError, SASVersionError
from daxa.tools import find
from daxa_xmm import cif_build
from daxa_xmm.testing import sas

LAST_WORKED_ON = {
    "SAS_ODF": "/other/0001_0000000001_SCX00000SUM.SAS",
    "SAS_CCF": "/other/ccf.cif",
    "SAS_CCFFILES": "/other/EMOS1_ADUCONV_0001.CCF",
    "SAS_VERBOSITY": "0",
    "SAS_SUPPRESS_WARNING": "9",
    "PFILES": "/home/me/pfiles;/nowhere",
    "SECRET": "hunter2",
}
PLAIN = {"PATH": "/usr/bin:/bin", "HOME": "/home/me"}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return sas.install(tmp_path_factory.mktemp("soft ware") / "sas", events=10)


@pytest.fixture
def spec():
    return Context().registry.tools["sas"]


def ways(root, tmp_path):
    """Where the user may say that SAS is, with what is in the environment."""
    conda = tmp_path / "envs" / "sas"
    (conda / "etc" / "conda" / "activate.d").mkdir(parents=True)
    (conda / "etc" / "conda" / "activate.d" / "sas.sh").write_text(f". '{root}/setsas.sh'\n")
    box = tmp_path / "box"
    box.write_text(f"#!/bin/sh\n. '{root}/setsas.sh'\nexec \"$@\"\n")
    box.chmod(0o755)
    yield {**sas.environment(root)}, None
    yield {**PLAIN, "SAS_DIR": str(root)}, None
    yield PLAIN, str(root)
    yield PLAIN, f"script:{root}/setsas.sh"
    yield PLAIN, f"conda:{conda}"
    yield {**PLAIN, "CONDA_ENVS_PATH": str(conda.parent)}, "conda:sas"
    yield PLAIN, f"container:'{box}'"


def test_however_sas_is_found_its_tasks_see_nothing_of_what_was_worked_on_last(root, spec, tmp_path):
    calibrations = set()
    for variables, where in ways(root, tmp_path):
        found = find(spec, {**LAST_WORKED_ON, **variables}, where)
        assert found.version() == "22.1.0", where
        calibrations.add(found.calibration())
        made = task_environment([found], tmp_path)
        assert not {*LAST_WORKED_ON, "SAS_ODF", "SAS_CCF"} & set(made) - {"PFILES"}, where
        assert made["PFILES"].startswith(f"{tmp_path}/.pfiles") and "/home/me" not in made["PFILES"]
        assert made["HOME"] == f"{tmp_path}/.home" and made["TMPDIR"] == f"{tmp_path}/.tmp"
        assert made["HEADASNOQUERY"] and made["HEADASPROMPT"] == "/dev/null"
    (told,) = calibrations
    assert told.startswith(f"{len(sas.CONSTITUENTS)} files, the newest of 20")


def test_what_is_missing_or_too_old_is_told_with_its_fix(root, spec, tmp_path):
    with pytest.raises(SASNotFoundError, match="DAXA_TOOL_SAS"):
        find(spec, PLAIN)
    variables = {**sas.environment(root), "SAS_CCFPATH": str(tmp_path / "none")}
    with pytest.raises(MissingToolError, match="set SAS_CCFPATH"):
        find(spec, variables).check()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        problem = Software.of([cif_build], Context()).lacking(cif_build)
        assert problem is not None and "set SAS_CCFPATH" in str(problem)  # before anything is started
    old = sas.install(tmp_path / "old", version="13.5.0", events=10)
    with pytest.raises(SASVersionError, match=r"has version 13\.5\.0.*Expected: version 14\.0\.0 or later"):
        find(spec, sas.environment(old))


def test_the_version_in_the_forms_of_all_releases(spec, tmp_path):
    """Before SAS 21.0 a date and the version; after it, the version and where it was built."""
    for told, version in (
        ("sas (sas-1.7) [22.1.0-a8f2c2afa-20250304]", "22.1.0"),
        ("sas (sas-1.6) [xmmsas_20211130_0941-20.0.0]", "20.0.0"),
        ("sas(sas-1.4) [xmmsas_20141104_1833-14.0.0]", "14.0.0"),
        ("XMM-Newton Science Analysis System [of ESA]\nsas (sas-1.7) [22.0.0-9173c7d25-20250127]", "22.0.0"),
    ):
        for name in ("sas", "cifbuild", "odfingest", "evselect"):
            program = tmp_path / name
            program.write_text(f"#!/bin/sh\nprintf '%s\\n' '{told}'\n")
            program.chmod(0o755)
        assert find(spec, {"PATH": f"{tmp_path}:/usr/bin:/bin"}).version() == version


def test_heasoft_by_its_script(root, tmp_path):
    spec = Context().registry.tools["heasoft"]
    found = find(spec, {**PLAIN, **LAST_WORKED_ON, "HEADAS": str(root / "headas")})
    assert found.version() and "headas-init.sh" in found.found
    made = task_environment([found], tmp_path)
    assert made["PFILES"] == f"{tmp_path}/.pfiles;{root}/headas/syspfiles"
    assert "SECRET" not in made and "SAS_ODF" not in made

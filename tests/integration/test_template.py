"""The template for plugins: what it makes passes its own tests in the first minute."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import copier
import pytest

TEMPLATE = Path(__file__).parents[2] / "docs" / "plugin_template"


def installed(directory):
    """Lay the metadata beside the sources that an installation would leave, and return their directory."""
    project = tomllib.loads((directory / "pyproject.toml").read_text())["project"]
    information = directory / "src" / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
        + "".join(f"Requires-Dist: {one}\n" for one in project["dependencies"])
    )
    groups = (
        "\n".join([f"[{group}]", *(f"{name} = {value}" for name, value in points.items())])
        for group, points in project["entry-points"].items()
    )
    (information / "entry_points.txt").write_text("\n\n".join(groups) + "\n")
    return directory / "src"


@pytest.mark.parametrize(
    "answers",
    [
        {"distribution": "daxa-vela"},
        {"distribution": "daxa-vela-deep", "levels": "exp", "instruments": "WIDE, DEEP", "host": "http://vela.example/x/"},
        {"distribution": "daxa-vela3", "mission": "vela_3", "pretty_name": "Vela-3 Pointed", "instruments": "A,B,C"},
    ],
    ids=["as it comes", "with exposures", "with names"],
)  # fmt: skip
def test_what_is_made_passes_its_own_tests(tmp_path, answers):
    made = tmp_path / "made"
    copier.run_copy(str(TEMPLATE), made, data=answers, defaults=True, quiet=True)
    environment = {**os.environ, "PYTHONPATH": str(installed(made))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=made, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
    check = subprocess.run(
        [sys.executable, "-m", "daxa", "plugins", "check", answers["distribution"]],
        env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert check.returncode == 0 and "nothing to mend" in check.stdout, check.stdout + check.stderr


@pytest.mark.parametrize(
    "wrong",
    [{"distribution": "vela"}, {"mission": "Vela 3"}, {"host": "archive"}, {"instruments": "a b"}, {"levels": "all"}],
)
def test_answers_that_cannot_be_used_are_refused(tmp_path, wrong):
    with pytest.raises((ValueError, copier.errors.CopierError)):
        copier.run_copy(str(TEMPLATE), tmp_path / "made", data=wrong, defaults=True, quiet=True)

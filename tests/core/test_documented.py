"""Every hook, setting, error and command is in the documentation, and some test speaks of it."""

import inspect
from pathlib import Path

import pytest

import daxa.exceptions
from daxa import hookspecs
from daxa.cli import cli
from daxa.config import SETTINGS

ROOT = Path(__file__).parents[2]
DOCS = "\n".join(path.read_text() for path in sorted((ROOT / "docs").rglob("*.rst")))
TESTS = "\n".join(
    path.read_text() for path in sorted((ROOT / "tests").rglob("*.py")) if path.name != Path(__file__).name
)

ERRORS = {
    cls.__name__: cls
    for cls in vars(daxa.exceptions).values()
    if inspect.isclass(cls) and issubclass(cls, daxa.exceptions.DaxaError)
}
HOOKS = sorted(name for name, one in vars(hookspecs).items() if hasattr(one, "daxa_spec"))


@pytest.mark.parametrize("hook", HOOKS)
def test_hooks(hook):
    assert hook in DOCS and hook in TESTS + (ROOT / "tests/sample_plugin/src/daxa_sample/plugin.py").read_text()


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_settings(name):
    assert f"``{name}``" in DOCS and f"DAXA_{name.upper()}" in DOCS
    assert name in TESTS


@pytest.mark.parametrize("name", sorted(ERRORS))
def test_errors(name):
    assert f"``{ERRORS[name].code}``" in DOCS and name in DOCS
    assert name in TESTS


def test_error_codes_are_unique():
    codes = [cls.code for cls in ERRORS.values()]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("name", sorted(cli.list_commands(None)))
def test_commands(name):
    assert f"``daxa {name}" in DOCS
    assert f'"{name}"' in TESTS

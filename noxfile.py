"""Every task a person runs: ``nox`` alone runs the default ones, ``nox -s NAME`` one of them, ``nox -l`` lists them."""

import os
import shutil
import tomllib
from pathlib import Path

import nox

ROOT = Path(__file__).parent
DISTRIBUTIONS = [ROOT / "core", *sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))]
SAMPLE = ROOT / "tests" / "sample_plugin"
GROUPS = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]

SUITE = ["tests", "-q", "-n", "2", "--dist", "loadfile"]
"""The whole suite, two files side by side; more would only disturb what is about time."""

nox.options.default_venv_backend = "virtualenv"
nox.options.sessions = ["tests", "lint", "types", "wheel", "docs"]
nox.options.error_on_missing_interpreters = False
os.environ.setdefault("PIP_DISABLE_PIP_VERSION_CHECK", "1")


def install(session: nox.Session, *groups: str, editable: bool = True, sample: bool = False) -> None:
    """Install all distributions of the workspace, in one call so that they satisfy each other."""
    requirements: list[str] = []
    for path in [*DISTRIBUTIONS, *([SAMPLE] if sample else [])]:
        requirements += ["-e", str(path)] if editable else [str(path)]
    for group in groups:
        requirements += GROUPS[group]
    session.install(*requirements)


def wheels(session: nox.Session, target: Path) -> list[str]:
    """Build every distribution and the sample plugin as a wheel."""
    session.install("build")
    for path in [*DISTRIBUTIONS, SAMPLE]:
        if (path / "pyproject.toml").exists():
            session.run("python", "-m", "build", "--wheel", "--outdir", str(target), str(path), silent=True)
    return sorted(str(path) for path in target.glob("*.whl"))


@nox.session
def demo(session: nox.Session) -> None:
    """From a name to a picture: real observations of several missions, from the offline sky."""
    install(session)
    arguments = list(session.posargs)
    if "--out" not in arguments and "DAXA_OUTPUT" not in os.environ:
        arguments += ["--out", str(ROOT / "demo_output")]
    session.run("daxa", "demo", *arguments)


@nox.session
def tests(session: nox.Session) -> None:
    """The test suite; further arguments go to pytest."""
    install(session, "test", sample=SAMPLE.exists())
    session.run("pytest", *(session.posargs or SUITE))


@nox.session(python=["3.12", "3.13", "3.14"], name="tests-on")
def tests_on(session: nox.Session) -> None:
    """The test suite on other versions of Python, where they are found."""
    install(session, "test", sample=SAMPLE.exists())
    session.run("pytest", *(session.posargs or SUITE))


@nox.session(name="tests-pandas2")
def tests_pandas2(session: nox.Session) -> None:
    """What touches tables, with the oldest pandas that is supported."""
    install(session, "test", sample=SAMPLE.exists())
    session.install("pandas>=2.2,<3", "numpy<2.4")
    session.run("pytest", "-q", "tests/core/mission", "tests/core/store", "tests/plugins")


@nox.session
def lint(session: nox.Session) -> None:
    """Style, imports, and the floors of the core."""
    session.install(*GROUPS["lint"])
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.install("--no-deps", "-e", str(ROOT / "core"))
    session.run("lint-imports", "--no-cache")


@nox.session
def types(session: nox.Session) -> None:
    """Strict typing of the core and of daxa_testing."""
    install(session, "types")
    session.run("mypy", "core/src/daxa", "plugins/testing/src/daxa_testing")


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation, warnings as errors."""
    install(session, "docs", sample=SAMPLE.exists())
    session.run("sphinx-build", "-W", "--keep-going", "-q", "-b", "html", "docs", "docs/_build/html", *session.posargs)


@nox.session
def wheel(session: nox.Session) -> None:
    """Built wheels in a fresh environment, with the sample plugin beside them."""
    target = Path(session.create_tmp()) / "wheels"
    shutil.rmtree(target, ignore_errors=True)
    built = wheels(session, target)
    fresh = Path(session.create_tmp()) / "fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    session.run("python", "-m", "venv", str(fresh), external=True)
    python = str(fresh / "bin" / "python")
    session.run(python, "-m", "pip", "install", "-q", *built, external=True)
    session.run(python, str(ROOT / "tests" / "check_wheels.py"), external=True)


@nox.session
def template(session: nox.Session) -> None:
    """What the plugin template makes, installed with pip in a fresh environment, passes its own tests."""
    install(session)
    session.install("copier", "pytest")
    for levels in ("inst", "exp"):
        made = Path(session.create_tmp()) / levels
        shutil.rmtree(made, ignore_errors=True)
        name = f"daxa-made-{levels}"
        answers = ["--data", f"distribution={name}", "--data", f"levels={levels}"]
        session.run(
            "copier", "copy", "--quiet", "--defaults", *answers, str(ROOT / "docs" / "plugin_template"), str(made)
        )
        session.install(str(made))
        session.run("pytest", "-q", str(made / "tests"), "-c", str(made / "pyproject.toml"))
        session.run("daxa", "plugins", "check", name)


@nox.session
def bench(session: nox.Session) -> None:
    """Speed, as ratios of things measured side by side; ``--json FILE`` writes the table."""
    install(session, "test")
    session.run("python", "-m", "tests.benchmarks", *session.posargs)


@nox.session
def stress(session: nox.Session) -> None:
    """Kill, fill up and disturb, at length; ``--kills N``, ``--seed S``, ``--json FILE``, and F2, F3 ... to choose."""
    install(session, "test")
    session.run("python", "-m", "tests.stress", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Feed every parser made-up input; ``DAXA_FUZZ_EXAMPLES`` says how many a parser, 100,000 by default."""
    install(session, "test")
    session.run("pytest", "-q", "--timeout=0", *(session.posargs or ["tests/fuzz"]), env={"DAXA_FUZZ": "1"})

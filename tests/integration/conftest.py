import json
import os
import subprocess
import sys
from pathlib import Path

import daxa_sample.testing
import pytest

from daxa.context import Context, use_context
from daxa_testing.sky import Sky

DAXA = [str(Path(sys.executable).parent / "daxa")]


def run_demo(*arguments, **environment):
    done = subprocess.run(
        [*DAXA, "demo", "--json", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """The demonstration, run once where the environment says: its output root and its report."""
    out = tmp_path_factory.mktemp("demo") / "with blanks é"
    return out, run_demo(DAXA_OUTPUT=str(out))


@pytest.fixture(scope="module")
def sky():
    """A sky that holds the sample plugin's mission."""
    made = Sky()
    daxa_sample.testing.add_to(made)
    with made.running_in_thread() as running:
        yield running


@pytest.fixture
def context(sky, tmp_path):
    """A context of the test's own that sees the sky."""
    own = Context(**sky.settings(), output=str(tmp_path / "output"), cache=str(tmp_path / "cache"))
    with use_context(own):
        yield own

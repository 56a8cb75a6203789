import json
import subprocess
import sys
from pathlib import Path

import pytest

DAXA = [str(Path(sys.executable).parent / "daxa")]


def run_demo(out, *arguments, **options):
    done = subprocess.run(
        [*DAXA, "demo", "--out", str(out), "--json", *arguments], capture_output=True, text=True, **options
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """The demonstration, run once: its output root and its report."""
    out = tmp_path_factory.mktemp("demo")
    return out, run_demo(out)

"""The sample plugin's own tests, as its author runs them."""

import subprocess
import sys
from pathlib import Path

SAMPLE = Path(__file__).parents[1] / "sample_plugin"


def test_the_sample_plugin_passes_its_own_tests():
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=SAMPLE, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]

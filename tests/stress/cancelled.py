"""F7: process trees that will not end; the suite's own tests, several times over."""

import re
import subprocess
import sys
from pathlib import Path

from tests.stress.report import Finding
from tests.stress.surroundings import ROOT, Held

TESTS = ROOT / "tests" / "faults" / "test_processes_ended.py"


def cancel_trees(directory: Path, *, rounds: int = 5) -> Finding:
    """Run them, in another order each time."""
    found = Finding("F7", f"process trees that ignore SIGTERM, {rounds} times")
    before = Held.now()
    for number in range(rounds):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", f"--basetemp={directory / str(number)}", str(TESTS)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        passed = re.search(r"(\d+) passed", done.stdout)
        found.add("tests passed", int(passed[1]) if passed else 0)
        if done.returncode:
            found.fault(done.stdout[-2000:])
    for leak in Held.now().more_than(before):
        found.fault(f"it left {leak}")
    return found

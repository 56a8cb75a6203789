"""B12: what a start costs over a bare interpreter."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.benchmarks.table import Row, in_turn

IDS = {"B12"}
CASES = (
    ("import daxa", [sys.executable, "-c", "import daxa"], 150),
    ("daxa --help", [shutil.which("daxa", path=str(Path(sys.executable).parent)) or "daxa", "--help"], 300),
    ("from daxa.mission import XMMPointed", [sys.executable, "-c", "from daxa.mission import XMMPointed"], 250),
)


def run() -> list[Row]:
    """Time each start against ``python -c pass``."""

    def start(command):
        return lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    bare = start([sys.executable, "-c", "pass"])
    rows = []
    for work, command, limit in CASES:
        figure, reference, ratio = in_turn(start(command), bare, runs=9)
        over = 1000 * (figure - reference)
        rows.append(
            Row("B12", work, 1000 * figure, 1000 * reference, "ms", ratio, f"<= {limit} ms over it", over <= limit)
        )
    return rows

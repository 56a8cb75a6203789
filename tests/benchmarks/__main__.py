"""Run all benchmarks, or those named: ``python -m tests.benchmarks [B10 B12] [--json FILE]``."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from tests.benchmarks.table import Row, show, write


def main() -> None:
    """Run them and print one table."""
    parser = argparse.ArgumentParser(prog="nox -s bench --", description=__doc__)
    parser.add_argument("ids", nargs="*", help="benchmarks to run, e.g. B12; all by default")
    parser.add_argument("--json", type=Path, help="write the table to this file too")
    options = parser.parse_args()
    rows: list[Row] = []
    for path in sorted(Path(__file__).parent.glob("bench_*.py")):
        module = importlib.import_module(f"tests.benchmarks.{path.stem}")
        if options.ids and not set(options.ids) & module.IDS:
            continue
        for row in module.run():
            if not options.ids or row.id in options.ids:
                rows.append(row)
    print(show(rows))
    if options.json:
        write(rows, options.json)


if __name__ == "__main__":
    main()

"""Rows of the benchmark table, and how they are measured."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass
class Row:
    """One figure against its reference.

    ``figure`` and ``reference`` are medians in `unit`; ``ratio`` is the median of the ratios of pairs measured in turn.
    """

    id: str
    work: str
    figure: float
    reference: float
    unit: str
    ratio: float
    target: str
    ok: bool


def in_turn(work: Callable[[], object], reference: Callable[[], object], runs: int = 5) -> tuple[float, float, float]:
    """Time two calls in turn, after one of each that does not count.

    Returns
    -------
    (float, float, float)
        Median of the work, of the reference, and of the ratios of the pairs.
    """
    times: list[tuple[float, float]] = []
    for run in range(runs + 1):
        pair = []
        for call in (work, reference):
            began = time.perf_counter()
            call()
            pair.append(time.perf_counter() - began)
        if run:
            times.append((pair[0], pair[1]))
    return (
        statistics.median(first for first, _ in times),
        statistics.median(second for _, second in times),
        statistics.median(first / second for first, second in times),
    )


def show(rows: Sequence[Row]) -> str:
    """Write the table."""
    lines = [f"{'id':<6} {'work':<52} {'figure':>12} {'reference':>12} {'ratio':>8}  {'target':<26} ok"]
    for row in rows:
        lines.append(
            f"{row.id:<6} {row.work:<52} {row.figure:>9.3f} {row.unit:<2} {row.reference:>9.3f} {row.unit:<2}"
            f" {row.ratio:>8.2f}  {row.target:<26} {'yes' if row.ok else 'NO'}"
        )
    return "\n".join(lines)


def write(rows: Sequence[Row], path: Path) -> None:
    """Write the table as JSON."""
    path.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")

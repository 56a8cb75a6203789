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


def side_by_side(
    calls: Sequence[Callable[[], object]], runs: int = 5, *, warm: int = 1, before: Callable[[], object] | None = None
) -> list[list[float]]:
    """Time some calls in turn.

    Parameters
    ----------
    calls : sequence of callable
        What to time.
    runs : int
        How often.
    warm : int
        Rounds before those that do not count.
    before : callable, optional
        Called before each of them, and not timed.

    Returns
    -------
    list of list of float
        For each call its seconds, round by round.
    """
    times: list[list[float]] = [[] for _ in calls]
    for run in range(warm + runs):
        for call, kept in zip(calls, times, strict=True):
            if before is not None:
                before()
            began = time.perf_counter()
            call()
            if run >= warm:
                kept.append(time.perf_counter() - began)
    return times


def ratio_of(first: Sequence[float], second: Sequence[float]) -> float:
    """Median of the ratios of pairs measured in turn."""
    return statistics.median(one / other for one, other in zip(first, second, strict=True))


def in_turn(work: Callable[[], object], reference: Callable[[], object], runs: int = 5) -> tuple[float, float, float]:
    """Time two calls in turn, after one of each that does not count.

    Returns
    -------
    (float, float, float)
        Median of the work, of the reference, and of the ratios of the pairs.
    """
    first, second = side_by_side((work, reference), runs)
    return statistics.median(first), statistics.median(second), ratio_of(first, second)


def show(rows: Sequence[Row]) -> str:
    """Write the table."""
    lines = [f"{'id':<6} {'work':<64} {'figure':>14} {'reference':>14} {'ratio':>8}  {'target':<30} ok"]
    for row in rows:
        lines.append(
            f"{row.id:<6} {row.work:<64} {row.figure:>9.3f} {row.unit:<4} {row.reference:>9.3f} {row.unit:<4}"
            f" {row.ratio:>8.2f}  {row.target:<30} {'yes' if row.ok else 'NO'}"
        )
    return "\n".join(lines)


def write(rows: Sequence[Row], path: Path) -> None:
    """Write the table as JSON."""
    path.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")

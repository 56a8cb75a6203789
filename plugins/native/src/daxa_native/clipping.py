"""How flares are told from the quiet level of a light curve. Pure: curves in, bins and intervals out.

Only excesses are cut. The quiet level begins at the median rate, of bins joined until they hold enough events; a bin is
a flare if its counts exceed those expected by more than so many standard deviations; level and scatter are then found
anew from the bins left, until nothing changes. The deviation is the signed root of the Poisson likelihood ratio with a
correction for continuity, which holds for bins with hardly any events. Where quiet bins scatter by more than Poisson's
law, as the background of real lists does, that scatter is the unit.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import ClassVar, Final, Literal

import numpy as np
from attrs import define

from daxa.api import TaskError
from daxa_native import gti
from daxa_native.curve import Curve

_ENOUGH: Final = 20.0
_ROUNDS: Final = 100
_FEW_BINS: Final = 3
_MUCH: Final = 0.5


class NoCountsError(TaskError):
    """A light curve without counts, which says nothing of flares."""

    code: ClassVar[str] = "no-counts"


@define(eq=False)
class Flares:
    """What was found on a light curve.

    Parameters
    ----------
    cut : ndarray of bool
        Bins that are cut, shape (n,).
    level : float
        Quiet rate in counts a second; for a threshold, the rate of the bins kept.
    scatter : float
        Scatter of the quiet bins in units of Poisson's law, at least 1.
    """

    cut: np.ndarray
    level: float
    scatter: float


def deviation(counts: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """By how many standard deviations counts exceed what is expected; 0 where they do not.

    Parameters
    ----------
    counts, expected : ndarray
        Shape (n,).
    """
    excess = np.maximum(counts - 0.5, 0.0)
    above = (excess > expected) & (expected > 0)
    m, mu = np.where(above, excess, 1.0), np.where(above, expected, 1.0)
    found = np.sqrt(np.maximum(2 * (m * np.log(m / mu) - (m - mu)), 0.0))
    return np.where(above, found, 0.0)


def clip(curve: Curve, sigma: float) -> Flares:
    """Find flares by iterative clipping of bins above the quiet level."""
    used = curve.good > 0
    level, scatter = _start(curve)
    cut = np.zeros(len(curve.counts), bool)
    for turn in range(_ROUNDS):
        fresh = used & (deviation(curve.counts, level * curve.good) > sigma * scatter)
        if turn and np.array_equal(fresh, cut):
            break
        cut = fresh
        left = _calm(used, cut)
        if not curve.counts[left].sum():
            break
        level = float(curve.counts[left].sum() / curve.good[left].sum())
        expected = level * curve.good[left]
        scatter = max(1.0, math.sqrt(float(np.sum((curve.counts[left] - expected) ** 2) / expected.sum())))
    return Flares(cut, level, scatter)


def _calm(used: np.ndarray, cut: np.ndarray) -> np.ndarray:
    """Bins that tell level and scatter: not those beside a bin cut, which hold part of a flare, if others are left."""
    beside = cut.copy()
    beside[1:] |= cut[:-1]
    beside[:-1] |= cut[1:]
    left = used & ~cut
    calm = left & ~beside
    return np.asarray(calm if 2 * np.count_nonzero(calm) >= np.count_nonzero(left) else left)


def _start(curve: Curve) -> tuple[float, float]:
    """Median rate of neighbouring bins joined so that they hold enough events on average, and their scatter."""
    used = curve.good > 0
    counts, good = curve.counts[used].astype(np.float64), curve.good[used]
    joined = max(1, math.ceil(_ENOUGH / counts.mean()))
    firsts = np.arange(0, len(counts), joined)
    counts, good = np.add.reduceat(counts, firsts), np.add.reduceat(good, firsts)
    whole = good >= 0.5 * np.median(good)
    level = float(np.median(counts[whole] / good[whole])) or float(counts.sum() / good.sum())
    expected = level * good[whole]
    residual = (counts[whole] - expected) / np.sqrt(expected)
    return level, max(1.0, 1.4826 * float(np.median(np.abs(residual - np.median(residual)))))


def above(curve: Curve, threshold: float) -> Flares:
    """Find bins whose rate is above a threshold in counts a second; a single event is never a flare."""
    used = curve.good > 0
    cut = used & (curve.counts > threshold * curve.good) & (curve.counts > 1)
    left = used & ~cut
    seconds = curve.good[left].sum()
    return Flares(cut, float(curve.counts[left].sum() / seconds) if seconds else 0.0, 1.0)


def short_left(curve: Curve, cut: np.ndarray, minlength: int) -> np.ndarray:
    """Add to the bins cut those left in stretches of less than `minlength` bins beside a cut one.

    Bins without good time do not count: gaps between good times neither make a stretch short nor end it.
    """
    used = np.flatnonzero(curve.good > 0)
    flags = cut[used]
    if not flags.any():
        return cut
    starts = np.flatnonzero(np.diff(flags, prepend=~flags[:1]))
    lengths = np.diff(np.append(starts, len(flags)))
    found = cut.copy()
    for start, length in zip(starts, lengths, strict=True):
        if not flags[start] and length < minlength:
            found[used[start : start + length]] = True
    return found


def find_flares(
    curve: Curve,
    path: Path,
    *,
    method: Literal["sigma", "threshold"] = "sigma",
    sigma: float = 3.0,
    threshold: float | None = None,
    minlength: int = 3,
) -> Flares:
    """Find flares by either method, and cut what little is left between them.

    Raises
    ------
    NoCountsError
        If the curve holds no counts, or none at all.
    """
    used = curve.good > 0
    if not used.any() or not curve.counts[used].sum() > 0:
        raise NoCountsError(
            f"The light curve of {path} holds no counts: it cannot say whether there were flares.",
            expected="a light curve with events",
            remedy="choose a wider band",
            path=str(path),
        )
    found = above(curve, threshold) if threshold is not None and method == "threshold" else clip(curve, sigma)
    found.cut = short_left(curve, found.cut, minlength)
    return found


def without_flares(base: np.ndarray, curve: Curve, found: Flares) -> np.ndarray:
    """Good time without the bins cut.

    Parameters
    ----------
    base : ndarray
        Intervals, shape (n, 2).
    """
    bad = gti.normalise(np.column_stack((curve.begins[found.cut], curve.ends[found.cut])))
    return gti.intersect(base, gti.complement(bad)) if len(bad) else base


def caveats_of(curve: Curve, found: Flares) -> list[tuple[str, str]]:
    """What is to be known about a cut."""
    used = curve.good > 0
    bins, mean = int(used.sum()), float(curve.counts[used].mean())
    caveats = []
    if bins < _FEW_BINS or mean < 1:
        caveats.append(
            (
                "weak-light-curve",
                f"The light curve in which flares were looked for has {bins} bins of {mean:.3g} events on average:"
                " only strong flares can show.",
            )
        )
    share = float(curve.good[found.cut].sum() / curve.good.sum())
    if share > _MUCH:
        caveats.append(("much-flared", f"{100 * share:.0f} % of the good time is cut as flares: look at the curve."))
    return caveats

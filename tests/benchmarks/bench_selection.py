"""B3 and B4: which of many observations belong to which of many positions."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Callable
from typing import Any

from tests.benchmarks.table import Row, ratio_of, side_by_side

IDS = {"B3", "B4"}
OBSERVATIONS = 374_000
POSITIONS = 10_000
RADIUS = 0.3
RUNS = 7


def made_table(rows: int) -> Any:
    """A catalogue of as many rows as Swift's, all over the sky and over twenty years."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(3)
    start = pd.Timestamp("2004-11-20") + pd.to_timedelta(rng.integers(0, 20 * 365 * 86400, rows), unit="s")
    duration = pd.to_timedelta(rng.integers(300, 90_000, rows), unit="s")
    return pd.DataFrame(
        {
            "ra": rng.uniform(0, 360, rows), "dec": np.degrees(np.arcsin(rng.uniform(-1, 1, rows))),
            "ObsID": [f"{number:010d}" for number in range(rows)], "start": start, "science_usable": True,
            "duration": duration, "proprietary_end_date": start, "revolution": 1, "proprietary_usable": True,
            "end": start + duration,
        }
    )  # fmt: skip


def made_mission(rows: int) -> Any:
    """A mission with such a catalogue, loaded; nothing is fetched."""
    from daxa.config import Config
    from daxa.context import Context
    from daxa.mission.catalogue import Catalogue, conformed

    context = Context(Config({"offline": True}))
    mission = context.registry.mission_class("xmm_pointed")(context=context)
    mission._take(Catalogue(conformed(mission, made_table(rows)), 0.0, "made"))
    return mission


def run() -> list[Row]:
    """Measure the join, and how much more radii and windows of each position's own cost."""
    import numpy as np
    from scipy.spatial import cKDTree

    mission = made_mission(OBSERVATIONS)
    rng = np.random.default_rng(4)
    ra, dec = rng.uniform(0, 360, POSITIONS), np.degrees(np.arcsin(rng.uniform(-1, 1, POSITIONS)))
    positions = np.stack([ra, dec], axis=1)
    radii = rng.uniform(0.5, 1.0, POSITIONS) * RADIUS * 1.3
    starts = (np.datetime64("2005-01-01") + rng.integers(0, 6000, POSITIONS)).astype("M8[us]")
    ends = starts + np.timedelta64(900, "D")

    def vectors(lon: Any, lat: Any) -> Any:
        lon, lat = np.radians(lon), np.radians(lat)
        return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)

    rows = vectors(*(mission.all_obs_info[name].to_numpy() for name in ("ra", "dec")))
    centres = vectors(ra, dec)

    def bare() -> None:
        """The tree and its pairs, from unit vectors that are there already."""
        cKDTree(rows).query_ball_point(centres, 2 * np.sin(np.radians(RADIUS) / 2))

    def call(name: str, *arguments: Any, **named: Any) -> Callable[[], None]:
        return lambda: asyncio.run(awaited(getattr(mission, name)(*arguments, **named)))

    async def awaited(pending: Any) -> None:
        assert len(await pending) > POSITIONS // 4

    one = call("filter_on_positions", positions, RADIUS, return_pos_obs_info=True)
    own_radii = call("filter_on_positions", positions, radii, return_pos_obs_info=True)
    own_times = call("filter_on_positions_at_time", positions, starts, ends, RADIUS, return_obs_info=True)
    times = side_by_side((one, bare, own_radii, own_times), RUNS, before=mission.reset_filter)
    b3, tree, by_radius, by_time = ([1000 * seconds for seconds in each] for each in times)

    def row(ident: str, work: str, figures: list[float], reference: list[float], target: float, of: str) -> Row:
        ratio = ratio_of(figures, reference)
        medians = statistics.median(figures), statistics.median(reference)
        return Row(ident, work, *medians, "ms", ratio, f"<= {target:g} x {of}", ratio <= target)

    size = f"{POSITIONS:,} positions, {OBSERVATIONS:,} observations"
    return [
        row("B3", f"association table of {size}", b3, tree, 3, "bare scipy tree"),
        row("B4", "the same with one radius a position", by_radius, b3, 2, "B3"),
        row("B4", "the same with one time window a position", by_time, b3, 2, "B3"),
    ]

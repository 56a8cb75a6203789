"""Selections done slowly and plainly, one observation after the other: what the mission's filters are compared with."""

import csv
import math
from pathlib import Path

import numpy as np
import pandas as pd
from astropy.coordinates import SkyCoord

DATA = Path(__file__).parents[2] / "data" / "selection"


def angle(one, other):
    """Great-circle distance in degrees of two positions in degrees (Vincenty's formula)."""
    (lon1, lat1), (lon2, lat2) = ([math.radians(part) for part in place] for place in (one, other))
    across = lon2 - lon1
    y = math.hypot(
        math.cos(lat2) * math.sin(across),
        math.cos(lat1) * math.sin(lat2) - math.sin(lat1) * math.cos(lat2) * math.cos(across),
    )
    x = math.sin(lat1) * math.sin(lat2) + math.cos(lat1) * math.cos(lat2) * math.cos(across)
    return math.degrees(math.atan2(y, x))


def in_window(row, start, end, over_run=True):
    if not over_run:
        return row.start >= start and row.end <= end
    return start <= row.start <= end or start <= row.end <= end or (row.start <= start and row.end >= end)


def in_box(lon, lat, lower, upper):
    """A box that goes eastwards from its lower to its upper corner."""
    return (lon - lower[0]) % 360 <= (upper[0] - lower[0]) % 360 and lower[1] <= lat <= upper[1]


def real_table(lab, frame="fk5", every=1):
    """Real pointings of XMM-Newton in the form of the laboratory's missions; times and types are made up."""
    with (DATA / "xmm_observations.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))[::every]
    galactic = SkyCoord(
        [float(row["l"]) for row in rows], [float(row["b"]) for row in rows], unit="deg", frame="galactic"
    )
    table = lab.rows(len(rows), seed=11)
    places = galactic.transform_to(frame)
    table["ra"], table["dec"] = places.ra.deg, places.dec.deg
    table["duration"] = pd.to_timedelta([1000 * float(row["kiloseconds"]) for row in rows], unit="s")
    table["end"] = table["start"] + table["duration"]
    if frame == "icrs":
        table["instrument"] = [("WIDE", "NARROW")[number % 2] for number in range(len(rows))]
        table["ObsID"] = [str(number) for number in range(1, len(rows) + 1)]
    return table


def usable(table):
    return {row.ObsID for row in table.itertuples() if row.science_usable}


def near(table, places, radius_of):
    """ObsIDs by position, for a radius that may depend on position and row; usable observations only."""
    return [
        {
            row.ObsID
            for row in table.itertuples()
            if row.science_usable and angle((row.ra, row.dec), place) <= radius_of(number, row)
        }
        for number, place in enumerate(places)
    ]


def spread(count, seed):
    """Positions all over the sky, and among them poles, the line RA = 0, and doubles."""
    rng = np.random.default_rng(seed)
    places = np.stack([rng.uniform(0, 360, count), np.degrees(np.arcsin(rng.uniform(-1, 1, count)))], axis=1)
    places[:6] = [(0, 90), (123, -90), (0, 0), (359.9999, 12), (0, 75), (0, -75)]
    return places

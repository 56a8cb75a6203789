"""Make the offline sky's big tables: ``python make_catalogues.py REAL REFERENCE [TARGET]``. Imports nothing of daxa.

REAL is a directory with original tables, REFERENCE one with what DAXA 0.3 displayed (see ``make_data.py``); the small
tables of TARGET, which that script writes, are part of the sky as well.

Rows are ``recorded`` (displayed by DAXA), ``real`` (positions and ObsIDs are), ``filled`` (made up so that a recorded
selection has as many observations as it had), ``generated`` (in no recorded selection) or ``decoy``: just outside of
one. For every recorded selection, rows that are in it by chance are taken out, and the count is proved by brute force.
"""

from __future__ import annotations

import csv
import gzip
import io
import math
import sys
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from astropy.coordinates import FK4, FK5, Galactic, SkyCoord
from astropy.table import Table

CHANCE = np.random.default_rng(3667)
ARCMIN = 1 / 60
MARGIN = 1.05 * ARCMIN  # decoys lie within it; nothing else does
RADII = {"xmm": {"": 18.0}, "nustar": {"": 7.8}, "chandra": {"ACIS": 33.36, "HRC": 59.4},
         "rosat": {"PSPCB": 72.0, "PSPCC": 72.0, "HRI": 22.8}, "rass": {"": 216.0}}  # fmt: skip
"""Default radii in arcmin: 1.2 times the field of view."""
PLACES = {
    "A3667": (303.13, -56.83), "PHL 1811": (328.75623, -9.37361), "M51": (202.46958, 47.19526),
    "Abell 907": (149.59164, -11.06378), "M82": (148.96846, 69.67970), "NGC 1961": (85.51935, 69.37844),
    "M51 by position": (202.47, 47.2),
}  # fmt: skip
NEARBY = "M51 by position"
"""Seventeen seconds of arc from where the name leads; as many observations were selected at either."""
WANTED = {
    "xmm": {"A3667": 8, "Abell 907": 3, "PHL 1811": 2, "M51": 16, "M82": 0, "NGC 1961": 0},
    "chandra": {"A3667": 12, "PHL 1811": 3, "M51": 28, "M82": 1, "Abell 907": 0, "NGC 1961": 0},
    "rosat": {"A3667": 3, "M51": 6, "NGC 1961": 1},
    "rass": {"PHL 1811": 1, "M51": 2},
    "nustar": {"PHL 1811": 1, "A3667": 0, "M51": 0, "Abell 907": 0, "M82": 0, "NGC 1961": 0},
}
for _of in WANTED.values():
    _of[NEARBY] = _of["M51"]
"""How many observations a name gave."""
RECTANGLE = (30.0, 39.0, -8.0, -2.0)
BESIDE = ("0502671101", "0102041001", "0105261001")
"""Observations of other targets that are in the archive of PHL 1811."""
IN_RECTANGLE = {"xmm": 422, "chandra": 84}
M51_ENDS = "2022-01-08 17:51:21"
"""End of the latest observation of M51; that it was XMM-Newton's is made up."""
EFEDS_SPAN = ("1999-11-02 17:31:43.000001", "2023-02-26 11:24:55.000001")
"""Start of the earliest and end of the latest observation of eFEDS's clusters; such fractions are Chandra's."""
EFEDS_SECRET = 13
"""Observations of XMM-Newton there that were not public yet when they were counted, early in 2024."""
CLUSTERS = {"xmm": (113, 115), "chandra": (90, 192)}
"""Observations near eFEDS's clusters, and clusters that have one."""
DECOYS = 24
MONTH = 30.0
CLASSES = {"AGN": "AGN UNCLASSIFIED", "NGS": "NON-ACTIVE GALAXY", "GCL": "CLUSTER OF GALAXIES"}
"""What HEASARC's table says in the place of what was displayed."""


def mjd(text: str) -> float:
    """Modified Julian Date of an ISO time."""
    return (datetime.fromisoformat(text) - datetime(1858, 11, 17)) / timedelta(days=1)


def iso(day: float, *, digits: bool = False) -> str:
    """ISO time of a Modified Julian Date, to the second or the microsecond."""
    when = datetime(1858, 11, 17) + timedelta(days=float(day))
    return f"{when:%Y-%m-%d %H:%M:%S.%f}" if digits else f"{when + timedelta(seconds=0.5):%Y-%m-%d %H:%M:%S}"


def unit(ra: Any, dec: Any) -> np.ndarray:
    """Unit vectors, shape (n, 3), of positions in degrees."""
    ra, dec = np.radians(np.atleast_1d(np.asarray(ra, float))), np.radians(np.atleast_1d(np.asarray(dec, float)))
    return np.column_stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])


def apart(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Angles in degrees between all of two sets of unit vectors."""
    chord = np.linalg.norm(first[:, None, :] - second[None, :, :], axis=2)
    return np.degrees(2 * np.arcsin(np.clip(chord / 2, 0, 1)))


def beside(place: Sequence[float], distance: float, angle: float) -> tuple[float, float]:
    """Position at a distance and angle, both in degrees, from another."""
    made = SkyCoord(*place, unit="deg").directional_offset_by(angle * _deg, distance * _deg)
    return round(float(made.ra.deg), 6), round(float(made.dec.deg), 6)


_deg = SkyCoord(0, 0, unit="deg").ra.unit


@dataclass
class Row:
    """An observation: what all missions have in common, and the rest of its row."""

    obs_id: str
    ra: float
    dec: float
    start: float
    end: float
    origin: str
    instrument: str = ""
    usable: bool = True
    more: dict[str, Any] = field(default_factory=dict)


@dataclass
class Mission:
    """A table while it is made."""

    name: str
    new_id: Callable[[], str]
    rows: list[Row] = field(default_factory=list)

    def radius(self, row: Row) -> float:
        """Default radius of an observation, degrees."""
        radii = RADII[self.name]
        return radii.get(row.instrument.split("-")[0], next(iter(radii.values()))) * ARCMIN

    def counted(self) -> list[Row]:
        """Rows that a user may select."""
        return [row for row in self.rows if row.usable]

    def near(self, place: Sequence[float], more: float = 0.0) -> list[Row]:
        """Usable rows within their radius of a place."""
        rows = self.counted()
        if not rows:
            return []
        distance = apart(unit([r.ra for r in rows], [r.dec for r in rows]), unit(*place))[:, 0]
        return [row for row, far in zip(rows, distance, strict=True) if far <= self.radius(row) + more]

    def drop(self, rows: Iterable[Row]) -> None:
        """Take rows out."""
        gone = {id(row) for row in rows}
        self.rows = [row for row in self.rows if id(row) not in gone]

    def made(self, ra: float, dec: float, origin: str, *, start: float | None = None, days: float = 0.25,
             instrument: str = "", usable: bool = True, obs_id: str | None = None, **more: Any) -> Row:  # fmt: skip
        """Add a row."""
        begins = float(CHANCE.uniform(*_SPAN[self.name])) if start is None else start
        instrument = instrument or _USUAL.get(self.name, "")
        row = Row(obs_id or self.new_id(), ra, dec, begins, begins + days, origin, instrument, usable, more)
        if origin == "generated" and self.name != "rass":
            row.end = row.start + 0.05 + _number(row) % 1000 / 1000  # a survey's tiles are all alike
        self.rows.append(row)
        return row


_SPAN = {"xmm": (51600.0, 59900.0), "chandra": (51700.0, 59900.0), "nustar": (56130.0, 60300.0),
         "rosat": (48100.0, 51100.0), "rass": (48083.0, 48300.0)}  # fmt: skip
CHANDRA_SUBJECTS = ("AGN UNCLASSIFIED", "AGN UNCLASSIFIED", "CLUSTER OF GALAXIES", "CV", "NON-ACTIVE GALAXY", "SNR",
                    "X-RAY BINARY", "STARS", "EXTENDED GALACTIC OR EXTRAGALACTIC")  # fmt: skip
NUSTAR_SUBJECTS = ("Active galaxies and Quasars", "Galactic Compact Sources", "Normal galaxies",
                   "Galaxy clusters and extragalactic diffuse objects", "Non-Proposal ToOs")  # fmt: skip
_USUAL = {"chandra": "ACIS-S", "rosat": "PSPCB"}
SECRET = {"xmm": "2999-12-31 00:00:00", "chandra": "", "nustar": 0}
"""Public dates of what is not public, and what nobody knows the date of."""


def counter(form: Callable[[int], str], taken: set[str], first: int) -> Callable[[], str]:
    """Make ObsIDs that nobody has."""
    number = first

    def new() -> str:
        nonlocal number
        while form(number) in taken:
            number += 1
        taken.add(form(number))
        return form(number)

    return new


# --- recorded selections --------------------------------------------------------------------------------------------


def settle_places(mission: Mission) -> None:
    """Let every name have as many observations as it had."""
    for name, number in WANTED[mission.name].items():
        place = PLACES[name]
        kept = [row for row in mission.near(place, MARGIN) if row.origin in ("recorded", "base", "filled")]
        chance = [row for row in mission.near(place, MARGIN) if row not in kept]
        inside = mission.near(place)
        kept_inside = [row for row in kept if row in inside]
        real = [row for row in chance if row.origin == "real" and row in inside][: max(0, number - len(kept_inside))]
        mission.drop([row for row in chance if row not in real])
        missing = number - len(mission.near(place))
        for _ in range(missing):
            far = float(CHANCE.uniform(0, 0.8)) * min(RADII[mission.name].values()) * ARCMIN
            mission.made(*beside(place, far, float(CHANCE.uniform(0, 360))), "filled", **_fill(mission.name, name))
        if (mission.name, name) == ("xmm", "M51"):
            _moved(mission.rows[-1], end=mjd(M51_ENDS))


def _fill(mission: str, name: str) -> dict[str, Any]:
    """What a row that fills a recorded selection is besides its place."""
    if mission == "rass" and name.startswith("M51"):
        return {"start": mjd("1990-07-11"), "days": 380.0}
    told: dict[str, Any] = {"name": name} if mission in ("chandra", "nustar", "rosat") else {}
    latest = {"A3667": 58900.0, "M51": 59580.0}.get(name)  # the last end of all that was selected is known
    return told if latest is None or mission == "rosat" else {**told, "start": float(CHANCE.uniform(52000, latest))}


def _moved(row: Row, *, start: float | None = None, end: float | None = None) -> None:
    """Move an observation to where it starts or ends; it stays as long."""
    days = row.end - row.start
    row.start = end - days if end is not None else row.start if start is None else start
    row.end = row.start + days if end is None else end


def settle_rectangle(mission: Mission) -> None:
    """Let the rectangle of XXL-North have as many observations as it had."""
    if mission.name not in IN_RECTANGLE:
        return
    west, east, south, north = RECTANGLE

    def within(row: Row, more: float = 0.0) -> bool:
        return west - more <= row.ra <= east + more and south - more <= row.dec <= north + more

    rows = mission.counted()
    mission.drop([row for row in rows if within(row, MARGIN) and not within(row) and row.origin != "recorded"])
    mission.drop([row for row in rows if within(row) and row.origin == "generated"])
    inside = [row for row in mission.counted() if within(row)]
    spare = [row for row in inside if row.origin == "real"]
    mission.drop(spare[: max(0, len(inside) - IN_RECTANGLE[mission.name])])
    for _ in range(IN_RECTANGLE[mission.name] - sum(within(row) for row in mission.counted())):
        mission.made(
            float(CHANCE.uniform(west + 0.1, east - 0.1)), float(CHANCE.uniform(south + 0.1, north - 0.1)), "filled"
        )


def settle_clusters(mission: Mission, clusters: np.ndarray, told: dict[str, set[int]]) -> None:
    """Let eFEDS's clusters have as many observations near them as they had, and as many of them have one.

    `told` are observations with their clusters as they were displayed; the clusters before the first, between those at
    the beginning, and so on, had none.
    """
    number, positions = CLUSTERS[mission.name]
    vectors = unit(clusters[:, 0], clusters[:, 1])
    shown = sorted(set().union(*told.values()))
    first, last = shown[len(shown) // 2 - 1] + 1, shown[len(shown) // 2]
    free = set(range(first, last))

    def covered(ra: float, dec: float, radius: float) -> set[int]:
        return set(np.flatnonzero(apart(vectors, unit(ra, dec))[:, 0] <= radius).tolist())

    radius = next(iter(RADII[mission.name].values())) * ARCMIN

    def rim(ra: float, dec: float) -> bool:
        return covered(ra, dec, radius + MARGIN) != covered(ra, dec, radius)

    placed: list[Row] = []
    union: set[int] = set()
    for row in list(mission.counted()):
        if not 120 < row.ra < 152 or not -9 < row.dec < 12:
            continue
        wide = covered(row.ra, row.dec, mission.radius(row) + MARGIN)
        if not wide:
            continue
        clean = covered(row.ra, row.dec, mission.radius(row))
        good = wide == clean and clean <= free and len(union | clean) <= positions - len(shown)
        if row.origin == "recorded" or (row.origin == "real" and good and len(placed) < number - 12):
            placed.append(row)
            union |= clean
        else:
            mission.drop([row])
    for obs_id, wanted in told.items():
        if any(row.obs_id == obs_id for row in placed):
            continue
        centre = _covering(clusters, wanted, free, covered, radius, rim)
        mission.drop([row for row in mission.rows if row.obs_id == obs_id])  # somewhere else, by chance
        placed.append(mission.made(*centre, "filled", obs_id=obs_id))
        union |= covered(*centre, radius)
    while len(union) < positions and len(placed) < number:
        many = positions - len(union) > number - len(placed)  # then one observation must bring several clusters
        best: tuple[int, tuple[float, float]] | None = None
        for _ in range(80 if many else 400):
            index = int(CHANCE.choice(sorted(free - union)))
            spot = beside(clusters[index], float(CHANCE.uniform(0, 0.9)) * radius, float(CHANCE.uniform(0, 360)))
            found = covered(*spot, radius)
            new = len(found - union)
            if not (found <= free and new and len(union | found) <= positions) or rim(*spot):
                continue
            if best is None or new > best[0]:
                best = new, spot
            if not many:
                break
        assert best is not None, (mission.name, len(placed), len(union))
        placed.append(mission.made(*best[1], "filled"))
        union |= covered(*best[1], radius)
    anchors = [row for row in placed if row.origin == "filled"]
    while len(placed) < number:
        anchor = anchors[int(CHANCE.integers(len(anchors)))]
        if covered(anchor.ra, anchor.dec, radius) <= free:
            placed.append(mission.made(anchor.ra, anchor.dec, "filled"))
    _settle_times(mission, [row for row in placed if row.origin == "filled"])


def _settle_times(mission: Mission, filled: list[Row]) -> None:
    """Let what was observed of eFEDS's clusters begin, end, and have been public, as it did and was."""
    if mission.name == "chandra":
        _moved(min(filled, key=lambda row: row.start), start=mjd(EFEDS_SPAN[0]))
        latest = max(filled, key=lambda row: row.end)
        latest.start = latest.end - 21_608 / 86400  # with the ten digits of a start, this ends at that microsecond
        _moved(latest, end=mjd(EFEDS_SPAN[1]))
        return
    latest = sorted(filled, key=lambda row: row.start)[-(EFEDS_SECRET - 5) :]  # five were displayed
    for number, row in enumerate(latest):
        _moved(row, start=mjd("2023-05-02 03:04:05") + 21.25 * number)
        row.more["public"] = iso(row.end + 380)[:10] + " 00:00:00"


def _covering(
    clusters: np.ndarray, wanted: set[int], free: set[int], covered: Any, radius: float, rim: Any
) -> tuple[float, float]:
    """A place near which there are these clusters, none that had no observation, and as few others as can be."""
    middle = clusters[sorted(wanted)].mean(axis=0)
    best, fewest = (float(middle[0]), float(middle[1])), 10**6
    for _ in range(6000):
        spot = beside(middle, abs(float(CHANCE.normal(0, 0.5))) * radius, float(CHANCE.uniform(0, 360)))
        found = covered(*spot, radius)
        if wanted <= found and found - wanted <= free and not rim(*spot) and len(found - wanted) < fewest:
            best, fewest = spot, len(found - wanted)
            if fewest == 0:
                break
    return best


def settle_supernovae(mission: Mission, supernovae: list[dict[str, str]], told: dict[int, list[str]]) -> None:
    """Let the supernovae have the observations within a month of their discovery that they had, and no others."""
    places = unit([float(one["ra"]) for one in supernovae], [float(one["declination"]) for one in supernovae])
    when = np.array([mjd(one["discoverydate"]) for one in supernovae])
    kept_ids = {obs_id for obs_ids in told.values() for obs_id in obs_ids}
    for index, obs_ids in told.items():
        for number, obs_id in enumerate(obs_ids):
            place = (float(supernovae[index]["ra"]), float(supernovae[index]["declination"]))
            mission.drop([row for row in mission.rows if row.obs_id == obs_id])
            mission.made(
                *beside(place, 0.02, 40.0 * number),
                "filled",
                start=float(when[index]) + 1 + number,
                days=0.3,
                obs_id=obs_id,
            )
    rows = mission.counted()
    vectors = unit([row.ra for row in rows], [row.dec for row in rows])
    widest = max(RADII[mission.name].values()) * ARCMIN + MARGIN
    strays = []
    for index, (place, day) in enumerate(zip(places, when, strict=True)):
        for number in np.flatnonzero(apart(vectors, place[None, :])[:, 0] <= widest):
            row = rows[int(number)]
            touches = row.end >= day - MONTH - 1 and row.start <= day + MONTH + 1
            if touches and row.obs_id not in told.get(index, ()) and row.origin not in ("recorded", "base"):
                strays.append(row)
    mission.drop([row for row in strays if row.obs_id not in kept_ids])


# --- decoys ---------------------------------------------------------------------------------------------------------


def add_decoys(mission: Mission) -> None:
    """Add observations just outside of the places: beyond the radius, of another frame or radius, unusable."""
    for name in WANTED[mission.name]:
        place = PLACES[name]
        radii = RADII[mission.name]
        chance = np.random.default_rng(51) if name == NEARBY else CHANCE
        for number in range(DECOYS):
            kinds = sorted(radii)
            kind = kinds[number % len(kinds)]
            off = float(chance.uniform(1 / 3600, ARCMIN))
            angle = 360.0 * number / DECOYS + 3
            spot = beside(place, radii[kind] * ARCMIN + off, angle)
            if not _beyond(mission.name, spot, radii[kind]):  # it would be in the selection of the other place of M51
                spot = beside(place, radii[kind] * ARCMIN + 19 / 3600 + off * 41 / 60, angle)
            start = float(chance.uniform(*_SPAN[mission.name])) if name == NEARBY else None
            mission.made(*spot, "decoy", instrument=_chip(mission.name, kind), start=start)
        if name == NEARBY:
            continue
        if len(radii) > 1:  # inside of what another instrument sees
            low, high = min(radii.values()), max(radii.values())
            kind = min(radii, key=lambda one: radii[one])
            for number in range(6):
                far = (low + (high - low) * (0.1 + 0.13 * number)) * ARCMIN
                mission.made(*beside(place, far, 60.0 * number), "decoy", instrument=_chip(mission.name, kind))
        old = SkyCoord(*place, unit="deg").transform_to(FK4(equinox="B1950"))
        misread = (round(float(old.ra.deg), 6), round(float(old.dec.deg), 6))
        if apart(unit(*misread), unit(*place))[0, 0] > max(radii.values()) * ARCMIN + MARGIN:
            for _ in range(3):
                mission.made(*misread, "decoy")
        if mission.name != "rass":
            for number in range(6):
                secret = {"public": SECRET[mission.name]} if number % 2 and mission.name in SECRET else {}
                mission.made(*beside(place, 0.02, 60.0 * number), "decoy", usable=False, **secret)


def _beyond(mission: str, spot: tuple[float, float], radius: float) -> bool:
    """Whether a spot is further than a radius, in arcmin, from every place."""
    places = np.array([PLACES[name] for name in WANTED[mission]])
    return bool((apart(unit(places[:, 0], places[:, 1]), unit(*spot)) > radius * ARCMIN + 0.9 / 3600).all())


def _chip(mission: str, kind: str) -> str:
    return {"ACIS": "ACIS-S", "HRC": "HRC-I"}.get(kind, kind)


def add_rectangle_decoys(mission: Mission) -> None:
    """Add observations just beyond the edges of the rectangle, and where it would be in galactic coordinates."""
    if mission.name not in IN_RECTANGLE:
        return
    west, east, south, north = RECTANGLE
    for number in range(DECOYS):
        off = float(CHANCE.uniform(1 / 3600, ARCMIN))
        along = (number // 4 + 0.5) / (DECOYS / 4)
        ra, dec = west + along * (east - west), south + along * (north - south)
        spot = [(west - off, dec), (east + off, dec), (ra, south - off), (ra, north + off)][number % 4]
        mission.made(round(spot[0], 6), round(spot[1], 6), "decoy")
    turned = SkyCoord(34.5, -5.0, unit="deg", frame=Galactic).transform_to(FK5)
    for _ in range(3):
        mission.made(round(float(turned.ra.deg), 6), round(float(turned.dec.deg), 6), "decoy")


def add_cluster_decoys(mission: Mission, clusters: np.ndarray) -> None:
    """Add observations just beyond the radius of a cluster, and of all clusters."""
    if mission.name not in CLUSTERS:
        return
    vectors = unit(clusters[:, 0], clusters[:, 1])
    radius = next(iter(RADII[mission.name].values())) * ARCMIN
    edge = [index for index in range(len(clusters)) if clusters[index, 1] > 5.0 or clusters[index, 1] < -2.3]
    made = tries = 0
    while made < DECOYS and tries < 20000:
        tries += 1
        index = edge[int(CHANCE.integers(len(edge)))]
        far = radius + float(CHANCE.uniform(1 / 3600, ARCMIN))
        spot = beside(clusters[index], far, float(CHANCE.uniform(0, 360)))
        if (apart(vectors, unit(*spot))[:, 0] > radius + 1 / 3600).all():
            mission.made(*spot, "decoy")
            made += 1


def add_supernova_decoys(mission: Mission, supernovae: list[dict[str, str]]) -> None:
    """Add observations of supernovae a second too early or too late, or of another one's time."""
    if mission.name not in CLUSTERS:
        return
    second = 1.0 / 86400
    for number in range(DECOYS):
        index = 40 * number + 7
        one = supernovae[index]
        day = mjd(one["discoverydate"])
        days = 0.25
        start = day - MONTH - days - second if number % 2 else day + MONTH + second
        place = float(one["ra"]), float(one["declination"])
        mission.made(*beside(place, 0.01, 15.0 * number), "decoy", start=start, days=days)


# --- tables ---------------------------------------------------------------------------------------------------------


def displayed(path: Path) -> list[dict[str, str]]:
    """Rows of a table."""
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def real_xmm(real: Path) -> Iterable[tuple[str, float, float]]:
    """Real ObsIDs with their pointings: log of observations until September 2018."""
    seen: dict[str, tuple[float, float]] = {}
    for one in displayed(real / "xmm/tables/Fiducial_Exposures_Pre_Cuts.csv"):
        seen.setdefault(one["Observation ID"], (float(one["l"]), float(one["b"])))
    where = SkyCoord(list(seen.values()), unit="deg", frame=Galactic)
    equatorial = where.transform_to(FK5)
    for obs_id, ra, dec in zip(seen, equatorial.ra.deg, equatorial.dec.deg, strict=True):
        yield obs_id, round(float(ra), 6), round(float(dec), 6)


def base_rows(name: str, target: Path, mission: str) -> list[Row]:
    """The rows of a small table, which stay where they are."""
    found = []
    for one in displayed(target / "catalogues" / f"{name}.csv"):
        key = next(key for key in ("observation_id", "obsid", "seq_id") if key in one)
        if not one["ra"]:
            continue
        instrument = one.get("detector") or one.get("instrument") or ""
        more = {"revolution": one.get("revolution", ""), "duration": one.get("duration", "")}
        begins = one.get("start_utc") or one.get("time") or one.get("start_time") or one.get("start_date") or "0"
        start = mjd(begins) if "-" in begins else float(begins or 0)
        days = float(one.get("duration") or 43200) / 86400
        usable = one.get("with_science", "true") == "true" and one.get("grating", "NONE") == "NONE"
        found.append(
            Row(one[key], float(one["ra"]), float(one["dec"]), start, start + days, "base", instrument, usable, more)
        )
    return found


def uniform(number: int) -> Iterable[tuple[float, float]]:
    """Positions all over the sky."""
    for _ in range(number):
        yield round(float(CHANCE.uniform(0, 360)), 6), round(math.degrees(math.asin(float(CHANCE.uniform(-1, 1)))), 6)


def rass_grid() -> Iterable[tuple[float, float]]:
    """Centres of the survey's tiles: rows of declination, each divided evenly."""
    for step in range(-15, 16):
        dec = step * 5.625
        around = 360 * math.cos(math.radians(dec)) / 5.625
        parts = math.ceil(around + 2.9 * abs(math.sin(math.radians(dec))))
        for part in range(parts):
            yield round((part + 0.5) * 360 / parts, 5), dec


def write(path: Path, columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> None:
    """Write a compressed table; the same rows give the same bytes."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(rows)
    path.write_bytes(gzip.compress(text.getvalue().encode(), 9, mtime=0))
    print(path.name, path.stat().st_size, text.getvalue().count("\n") - 1)


def _number(row: Row) -> int:
    """A number of a generated row that looks random and is always the same."""
    return zlib.crc32(row.obs_id.encode())


def _subject(row: Row, subjects: Sequence[Any], usual: Any) -> Any:
    """What was observed: something else for every generated row."""
    return subjects[_number(row) % len(subjects)] if row.origin == "generated" else usual


def _xmm_dict(row: Row) -> dict[str, Any]:
    return {
        "observation_id": row.obs_id,
        "revolution": row.more.get("revolution") or max(1, int((row.start - 51540) / 1.9948)),
        "ra": row.ra, "dec": row.dec, "start_utc": iso(row.start), "duration": round((row.end - row.start) * 86400),
        "proprietary_end_date": row.more.get("public") or iso(row.end + 370)[:10] + " 00:00:00",
        "with_science": "true" if row.usable else "false", "daxa_origin": row.origin,
    }  # fmt: skip


def _chandra_dict(row: Row) -> dict[str, Any]:
    return {
        "obsid": row.obs_id, "status": "archived" if row.usable else "scheduled", "name": row.more.get("name", ""),
        "ra": row.ra, "dec": row.dec, "time": round(row.start, 10), "detector": row.instrument, "grating": "NONE",
        "exposure": round((row.end - row.start) * 86400), "type": "GO",
        "data_mode": row.more.get("data_mode", "TE_0046E"),
        "class": row.more.get("class") or _subject(row, CHANDRA_SUBJECTS, "CLUSTER OF GALAXIES"),
        "public_date": row.more.get("public", int(row.end) + 366),
        "daxa_origin": row.origin,
    }  # fmt: skip


def _nustar_dict(row: Row) -> dict[str, Any]:
    seconds = round((row.end - row.start) * 43200)
    exposures = dict.fromkeys(("exposure_a", "exposure_b", "ontime_a", "ontime_b"), seconds)
    return {
        "obsid": row.obs_id, "name": row.more.get("name", "TARGET"), "ra": row.ra, "dec": row.dec,
        "time": repr(row.start), "end_time": repr(row.end), "status": "archived" if row.usable else "accepted",
        "observation_mode": "SCIENCE", "instrument_mode": "NORMAL", "spacecraft_mode": "INERTIAL",
        "subject_category": _subject(row, NUSTAR_SUBJECTS, ""), "obs_type": "GO", **exposures, "nupsdout": 0,
        "issue_flag": 0, "public_date": row.more.get("public", int(row.end) + 366), "daxa_origin": row.origin,
    }  # fmt: skip


def _rosat_dict(row: Row) -> dict[str, Any]:
    exposure = round((row.end - row.start) * 8640) if row.usable else 0
    return {
        "seq_id": row.obs_id, "instrument": row.instrument, "exposure": exposure,
        "name": row.more.get("name", "TARGET"),
        "ra": row.ra, "dec": row.dec, "start_time": repr(row.start), "end_time": repr(row.end), "filter": "N",
        "fits_type": "RDF 3_4", "proc_rev": 2, "site": "GSFC",
        "subj_cat": row.more.get("subj_cat") or _subject(row, range(1, 10), 8),
        "daxa_origin": row.origin, **row.more.get("row", {}),
    }  # fmt: skip


def _rass_dict(row: Row) -> dict[str, Any]:
    return {
        "seq_id": row.obs_id, "exposure": 20_000, "ra": row.ra, "dec": row.dec, "start_date": repr(row.start),
        "end_date": repr(row.end), "daxa_origin": row.origin,
    }  # fmt: skip


def main(real: Path, reference: Path, target: Path) -> None:
    """Make all tables, and prove the recorded selections."""
    studies = reference / "case_studies"
    clusters = np.array(
        [
            [float(one["RA"]), float(one["DEC"])]
            for one in displayed(reference / "samples/efeds_xray_cluster_candidates.csv")
        ]
    )
    supernovae = displayed(reference / "samples/sn1a_samp.csv")
    made = {
        "xmm": _xmm(real, reference, target),
        "chandra": _chandra(reference, target),
        "nustar": _nustar(target),
        "rosat": _rosat(real, target),
        "rass": _rass(target),
    }
    for name, mission in made.items():
        settle_places(mission)
        settle_rectangle(mission)
        if name in CLUSTERS:
            told = _told(studies / f"efeds_{'xmm_pointed' if name == 'xmm' else name}_associations.csv")
            settle_clusters(mission, clusters, told)
            seen = displayed(studies / f"sne_{'xmm_pointed' if name == 'xmm' else name}_associations.csv")
            settle_supernovae(mission, supernovae, {int(one["pos_ind"]): one["ObsIDs"].split(",") for one in seen})
        _prove(mission, clusters, supernovae)
        add_decoys(mission)
        add_rectangle_decoys(mission)
        add_cluster_decoys(mission, clusters)
        add_supernova_decoys(mission, supernovae)
        _prove(mission, clusters, supernovae)
    tables = target / "catalogues"
    write_founding(target / "catalogues" / "founding.csv", made)
    for name, table, as_dict in (
        ("xmm", "v_all_observations", _xmm_dict), ("chandra", "chanmaster", _chandra_dict),
        ("nustar", "numaster", _nustar_dict), ("rosat", "rosmaster", _rosat_dict), ("rass", "rassmaster", _rass_dict),
    ):  # fmt: skip
        rows = [as_dict(row) for row in made[name].rows if row.origin != "base"]
        write(tables / f"{table}.more.csv.gz", list(rows[0]), rows)


def write_founding(path: Path, made: dict[str, Mission]) -> None:
    """Write what is needed to make files of the tutorial's observations."""
    names = {"xmm": "xmm_pointed", "chandra": "chandra", "nustar": "nustar_pointed", "rosat": "rosat_pointed",
             "rass": "rosat_all_sky"}  # fmt: skip
    wanted = {"xmm": ("A3667", "PHL 1811", "M51", "Abell 907"), "chandra": ("A3667", "PHL 1811", "M51"),
              "nustar": ("PHL 1811",), "rosat": ("A3667", "M51"), "rass": ("A3667", "PHL 1811", "M51")}  # fmt: skip
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["mission", "ObsID", "ra", "dec", "start", "seconds", "revolution", "instrument"])
        for name, places in wanted.items():
            rows = [row for place in places for row in made[name].near(PLACES[place])]
            if name == "xmm":
                rows += [row for row in made[name].rows if row.obs_id in BESIDE]
            for row in rows:
                more = _xmm_dict(row) if row.origin != "base" else row.more
                writer.writerow([
                    names[name], row.obs_id, row.ra, row.dec, iso(row.start), round((row.end - row.start) * 86400),
                    more["revolution"] if name == "xmm" else "", row.instrument.split("-")[0],
                ])  # fmt: skip


def _told(path: Path) -> dict[str, set[int]]:
    """Observations with the clusters they were displayed with."""
    found: dict[str, set[int]] = {}
    for one in displayed(path):
        for obs_id in one["ObsIDs"].split(","):
            found.setdefault(obs_id, set()).add(int(one["pos_ind"]))
    return found


def _xmm(real: Path, reference: Path, target: Path) -> Mission:
    rows = base_rows("v_all_observations", target, "xmm")
    taken = {row.obs_id for row in rows}
    mission = Mission("xmm", counter(lambda number: f"09{number:06d}01", taken, 700000), rows)
    for name in ("xxl", "efeds"):
        for one in displayed(reference / f"case_studies/{name}_xmm_pointed_filtered_obs_info.csv"):
            if one["ObsID"] not in taken:
                taken.add(one["ObsID"])
                clock = [int(part) for part in one["duration"].split()[2].split(":")]
                days = int(one["duration"].split()[0]) + (clock[0] * 3600 + clock[1] * 60 + clock[2]) / 86400
                mission.made(float(one["ra"]), float(one["dec"]), "recorded", start=mjd(one["start"]), days=days,
                             obs_id=one["ObsID"], public=one["proprietary_end_date"] + " 00:00:00",
                             revolution=int(one["revolution"]))  # fmt: skip
    for obs_id, ra, dec in real_xmm(real):
        if obs_id not in taken:
            taken.add(obs_id)
            mission.made(
                ra, dec, "real", obs_id=obs_id, start=51600 + int(obs_id[:4]) % 800 * 9.0 + CHANCE.uniform(0, 9)
            )
    for ra, dec in uniform(18_000 - len(mission.rows)):
        mission.made(ra, dec, "generated")
    return mission


def _chandra(reference: Path, target: Path) -> Mission:
    rows = base_rows("chanmaster", target, "chandra")
    taken = {row.obs_id for row in rows}
    mission = Mission("chandra", counter(str, taken, 29100), rows)
    for one in displayed(reference / "case_studies/efeds_chandra_filtered_obs_info.csv"):
        if one["ObsID"] not in taken:
            taken.add(one["ObsID"])
            start, end = mjd(one["start"]), mjd(one["end"])
            mission.made(float(one["ra"]), float(one["dec"]), "recorded", start=start, days=end - start,
                         obs_id=one["ObsID"], instrument=one["instrument"], data_mode=one["data_mode"],
                         public=int(mjd(one["proprietary_end_date"])),
                         **{"class": CLASSES[one["target_category"]]})  # fmt: skip
    for obs_id, start in (
        ("2957", "2001-12-05 01:03:00"),
        ("2958", "2001-12-17 08:12:00"),
        ("15357", "2013-08-09 04:20:00"),
    ):
        taken.add(obs_id)
        mission.made(
            *beside(PLACES["PHL 1811"], 0.005, 30),
            "filled",
            start=mjd(start),
            days=0.11,
            obs_id=obs_id,
            name="PHL 1811",
        )
    old = counter(str, taken, 100)
    for number, (ra, dec) in enumerate(uniform(24_786 - len(mission.rows))):
        mission.made(
            ra,
            dec,
            "generated",
            obs_id=old(),
            instrument=("ACIS-S", "ACIS-I", "ACIS-S", "HRC-I", "ACIS-I", "HRC-S")[number % 6],
        )
    return mission


def _nustar(target: Path) -> Mission:
    rows = base_rows("numaster", target, "nustar")
    taken = {row.obs_id for row in rows}
    mission = Mission("nustar", counter(lambda number: f"6{number:07d}002", taken, 100), rows)
    end = mjd("2015-11-30 04:11:08.184002")
    mission.made(328.7613, -9.3691, "filled", start=end - 2.1, days=2.1, obs_id="60101004002", name="PHL1811")
    for ra, dec in uniform(4_784 - len(rows)):
        mission.made(ra, dec, "generated")
    return mission


def _rosat(real: Path, target: Path) -> Mission:
    import warnings

    rows = base_rows("rosmaster", target, "rosat")
    taken = {row.obs_id for row in rows}
    mission = Mission("rosat", counter(lambda number: f"RP9{number:05d}N00", taken, 10000), rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = Table.read(real / "rosat/tables/rosmaster_1000rows_allfields.fits")
    for one in table:
        text = {
            key: str(one[key.upper()]).strip()
            for key in ("seq_id", "instrument", "name", "filter", "fits_type", "site")
        }
        if text["seq_id"] in taken:
            continue
        taken.add(text["seq_id"])
        numbers = {key: int(one[key.upper()]) for key in ("exposure", "proc_rev", "subj_cat")}
        times = {key: str(one[key.upper()]).strip() for key in ("start_time", "end_time")}
        start, end = (float(one) for one in times.values())
        mission.made(float(str(one["RA"])), float(str(one["DEC"])), "real", start=start, days=end - start,
                     obs_id=text["seq_id"], instrument=text["instrument"], usable=numbers["exposure"] > 0,
                     row={**text, **numbers, **times})  # fmt: skip
    first = mjd("1992-04-14 18:55:38.000003")
    mission.made(303.13, -56.82, "filled", start=first, days=1.2, obs_id="RP800234N00", name="ABELL 3667")
    mission.made(303.1, -56.85, "filled", start=first + 380, days=1.2, obs_id="RP800524N00", name="ABELL 3667")
    for ra, dec in uniform(9_000):
        mission.made(ra, dec, "generated")
    return mission


def _rass(target: Path) -> Mission:
    rows = base_rows("rassmaster", target, "rass")
    taken = {row.obs_id for row in rows}
    mission = Mission("rass", counter(lambda number: f"RS93{number:04d}N00", taken, 100), rows)
    mission.made(
        *beside(PLACES["PHL 1811"], 2.0, 200.0), "filled", start=mjd("1990-10-31"), days=277.0, obs_id="RS931959N00"
    )
    known = unit([row.ra for row in rows], [row.dec for row in rows])
    for ra, dec in rass_grid():
        if apart(known, unit(ra, dec)).min() > 0.5:
            mission.made(ra, dec, "generated", days=200.0)
    return mission


def _prove(mission: Mission, clusters: np.ndarray, supernovae: list[dict[str, str]]) -> None:
    """Count every recorded selection by brute force."""
    for name, number in WANTED[mission.name].items():
        found = mission.near(PLACES[name])
        assert len(found) == number, (mission.name, name, len(found), number, [row.obs_id for row in found])
    rows = mission.counted()
    if mission.name in IN_RECTANGLE:
        west, east, south, north = RECTANGLE
        inside = [row for row in rows if west <= row.ra <= east and south <= row.dec <= north]
        assert len(inside) == IN_RECTANGLE[mission.name], (mission.name, len(inside))
    if mission.name not in CLUSTERS:
        return
    vectors = unit([row.ra for row in rows], [row.dec for row in rows])
    radii = np.array([mission.radius(row) for row in rows])
    close = apart(unit(clusters[:, 0], clusters[:, 1]), vectors) <= radii[None, :]
    counted = int(close.any(axis=0).sum()), int(close.any(axis=1).sum())
    assert counted == CLUSTERS[mission.name], (mission.name, counted)
    starts, ends = np.array([row.start for row in rows]), np.array([row.end for row in rows])
    hits = 0
    for one in supernovae:
        day = mjd(one["discoverydate"])
        near = apart(vectors, unit(float(one["ra"]), float(one["declination"])))[:, 0] <= radii
        hits += int((near & (ends >= day - MONTH) & (starts <= day + MONTH)).sum())
    assert hits == {"xmm": 1, "chandra": 15}[mission.name], (mission.name, hits)


if __name__ == "__main__":
    given = [Path(one) for one in sys.argv[1:]]
    main(given[0], given[1], given[2] if len(given) > 2 else Path(__file__).parent / "src" / "daxa_demo" / "data")

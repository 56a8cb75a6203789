"""STC-S texts, circles and polygons of them, as shapes on the sky."""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
from astropy.coordinates import SkyCoord

from daxa.exceptions import InvalidParameterError
from daxa.mission.selection import unit_vectors
from daxa.mission.shapes import Circle, Floats, Polygon, Shape

_FRAMES: Final = {"ICRS": "icrs", "FK5": "fk5", "J2000": "fk5", "FK4": "fk4", "B1950": "fk4", "GALACTIC": "galactic"}
_FLAVOURS: Final = {"GEOCENTER", "BARYCENTER", "TOPOCENTER", "HELIOCENTER", "UNKNOWNREFPOS", "SPHERICAL2"}
_SHAPES: Final = ("CIRCLE", "POLYGON")


def vectors_of(places: SkyCoord) -> Floats:
    """Positions as unit vectors of ICRS, shape (n, 3)."""
    sphere = places.icrs.spherical
    return unit_vectors(np.atleast_1d(sphere.lon.deg), np.atleast_1d(sphere.lat.deg))


def read_stcs(text: str) -> list[Shape]:
    """Read an STC-S circle or polygon, or a Union of them.

    Raises
    ------
    InvalidParameterError
        If the text is something else.
    """
    words = text.replace("(", " ").replace(")", " ").split()
    shapes: list[Shape] = []
    general = "icrs"
    position = 0
    while position < len(words):
        kind = words[position].upper()
        if kind not in (*_SHAPES, "UNION"):
            raise _bad(text, f"{kind!r} is not a shape it may hold")
        position += 1
        frame = general
        while position < len(words) and words[position].upper() in {*_FRAMES, *_FLAVOURS}:
            frame = _FRAMES.get(words[position].upper(), frame)
            position += 1
        if kind == "UNION":
            general = frame
            continue
        numbers: list[float] = []
        while position < len(words) and words[position].upper() not in (*_SHAPES, "UNION"):
            try:
                numbers.append(float(words[position]))
            except ValueError:
                raise _bad(text, f"{words[position]!r} is not a number") from None
            position += 1
        shapes.append(_shape(text, kind, frame, numbers))
    if not shapes:
        raise _bad(text, "it is empty")
    return shapes


def _shape(text: str, kind: str, frame: str, numbers: list[float]) -> Shape:
    latitudes = numbers[1:2] if kind == "CIRCLE" else numbers[1::2]
    if not np.isfinite(numbers).all() or any(abs(lat) > 90 for lat in latitudes):
        raise _bad(text, "a position is not on the sky")
    if kind == "CIRCLE":
        if len(numbers) != 3 or numbers[2] < 0:
            raise _bad(text, "a circle has a position and a radius")
        return Circle(_placed(numbers[:1], numbers[1:2], frame)[0], numbers[2])
    if len(numbers) < 6 or len(numbers) % 2:
        raise _bad(text, "a polygon has three positions or more")
    return Polygon(_placed(numbers[::2], numbers[1::2], frame))


def _placed(lon: list[float], lat: list[float], frame: str) -> Floats:
    if frame == "fk4":  # its positions hold terms of aberration: it is not turned alone
        return vectors_of(SkyCoord(lon, lat, unit="deg", frame=frame))
    turned: Floats = unit_vectors(np.array(lon), np.array(lat)) @ _rotation(frame)
    return turned


@cache
def _rotation(frame: str) -> Floats:
    """What turns unit vectors of a frame into those of ICRS: archives send thousands of texts at a time."""
    return vectors_of(SkyCoord([0, 90, 0], [0, 0, 90], unit="deg", frame=frame))


def _bad(text: str, why: str) -> InvalidParameterError:
    return InvalidParameterError(
        f"{text[:120]!r} is not a region: {why}.",
        expected="STC-S such as 'POLYGON ICRS 10 0 12 0 11 2' or 'CIRCLE ICRS 10 0 0.5'",
        remedy="correct the text",
        value=text,
    )

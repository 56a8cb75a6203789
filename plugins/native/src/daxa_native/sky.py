"""The celestial coordinates of a list's sky columns, and the pixels an image has on them.

Coordinates are taken from the file or not at all. A list whose keywords cannot be right, such as those of solar
pointings, whose columns are labelled right ascension and declination but are centred on the Sun, is refused.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from attrs import field, frozen

from daxa.api import InvalidParameterError, NoCelestialWCSError
from daxa_native.conventions import Grid
from daxa_native.events import EventList
from daxa_native.fitsfile import Column

CDELT_MAX: Final = 0.1
"""No X-ray list has sky units of a tenth of a degree; what has is not in degrees."""

SHAPE_MAX: Final = 20_000
_KEYS: Final = ("CTYP", "CRPX", "CRVL", "CDLT", "CUNI")


@frozen(kw_only=True)
class Axis:
    """One sky column with its world coordinate.

    Parameters
    ----------
    column : Column
        The column.
    ctype : str
        Such as ``RA---TAN``.
    reference : float
        Value of the column at the reference point.
    world : float
        Right ascension or declination there, in degrees.
    step : float
        Degrees a unit.
    low, high : float
        Lowest and highest value allowed.
    """

    column: Column
    ctype: str
    reference: float
    world: float
    step: float
    low: float
    high: float


@frozen(kw_only=True)
class Sky:
    """Both sky columns, and the frame.

    Parameters
    ----------
    x, y : Axis
        Right ascension and declination.
    radesys : str
        ``FK5``, ``ICRS`` or ``FK4``.
    equinox : float, optional
        Of FK5 and FK4.
    rotation : float
        Degrees, as CROTA2.
    assumed : bool
        Whether the list does not say the frame, and its mission's is taken.
    """

    x: Axis
    y: Axis
    radesys: str
    equinox: float | None
    rotation: float = 0.0
    assumed: bool = False


def read_sky(events: EventList) -> Sky:
    """Read the celestial coordinates of columns X and Y.

    Raises
    ------
    NoCelestialWCSError
        If they are not there, or cannot be right; the message names each column, keyword and value.
    BadEventListError
        If there are no such columns.
    """
    columns = events.column("X"), events.column("Y")
    read = [_keywords(events, column, letter) for column, letter in zip(columns, "XY", strict=True)]
    faults = [
        f"column {column.name}: {fault}"
        for column, (names, values), start in zip(columns, read, ("RA--", "DEC-"), strict=True)
        for fault in _faults(names, values, start)
    ]
    if faults:
        raise NoCelestialWCSError(
            f"{events.path} has no celestial coordinate system that can be trusted: {'; '.join(faults)}.",
            expected="TCTYPn of RA--/DEC-, TCRVLn and TCRPXn that are numbers, TCDLTn below 0.1 deg",
            remedy="use a list with sky coordinates; one centred on the Sun cannot be placed on the sky",
            path=str(events.path),
            faults=faults,
        )
    grid = events.convention.grid
    x, y = (
        Axis(
            column=column,
            ctype=str(values["CTYP"]).strip(),
            reference=float(values["CRPX"]),
            world=float(values["CRVL"]),
            step=float(values["CDLT"]),
            low=grid.low if column.low is None else column.low,
            high=grid.high if column.high is None else column.high,
        )
        for column, (_names, values) in zip(columns, read, strict=True)
    )
    radesys = str(events.keyword("RADECSYS") or events.keyword("RADESYS") or "").strip().upper()
    equinox = events.number("EQUINOX", "EPOCH")
    assumed = not radesys and equinox is None
    if not radesys:
        radesys = events.convention.frame if equinox is None else "FK4" if equinox < 1984 else "FK5"
    if radesys != "ICRS" and equinox is None:
        equinox = 1950.0 if radesys == "FK4" else 2000.0
    rotation = events.number(f"TCROT{columns[1].index}") or 0.0
    return Sky(x=x, y=y, radesys=radesys, equinox=equinox, rotation=rotation, assumed=assumed)


def _keywords(events: EventList, column: Column, letter: str) -> tuple[dict[str, str], dict[str, Any]]:
    """Names and values of a column's world coordinate: TCTYPn ..., else the SAS's REFXCTYP ..."""
    names = {key: f"T{key}{column.index}" for key in _KEYS}
    if events.keyword(names["CTYP"]) is None and events.keyword(f"REF{letter}CTYP") is not None:
        names = {key: f"REF{letter}{key}" for key in _KEYS}
    return names, {key: events.keyword(name) for key, name in names.items()}


def _faults(names: dict[str, str], values: dict[str, Any], start: str) -> list[str]:
    """Say what is wrong with a column's world coordinate."""
    if values["CTYP"] is None:
        return [f"{names['CTYP']} is missing"]
    found = []
    if not str(values["CTYP"]).strip().upper().startswith(start):
        found.append(f"{names['CTYP']} is {values['CTYP']!r}, not {start}...")
    for key in ("CRVL", "CRPX", "CDLT"):
        content = values[key]
        if content is None:
            found.append(f"{names[key]} is missing")
        elif isinstance(content, str):
            found.append(f"{names[key]} is the text {content!r}, not a number")
        elif isinstance(content, bool) or not math.isfinite(content):
            found.append(f"{names[key]} is {content!r}, not a number")
    step, world = values["CDLT"], values["CRVL"]
    if isinstance(step, int | float) and not 0 < abs(step) < CDELT_MAX:
        found.append(f"{names['CDLT']} is {step} deg a unit")
    if isinstance(world, int | float) and abs(world) > (360 if start == "RA--" else 90):
        found.append(f"{names['CRVL']} is {world} deg")
    unit = str(values["CUNI"] or "").strip().lower()
    if unit not in ("", "deg", "degree", "degrees"):
        found.append(f"{names['CUNI']} is {values['CUNI']!r}")
    return found


@frozen(kw_only=True)
class Pixels:
    """The pixels of an image on the sky columns.

    Parameters
    ----------
    bin : int
        Sky units a pixel.
    left, bottom : float
        Sky value at the lower edge of the first pixel.
    shape : (int, int)
        (ny, nx).
    sky : Sky
        The coordinates.
    physical : (str, float or None)
        Letter of the physical WCS, and the pixel coordinate it is given at.
    """

    bin: int
    left: float
    bottom: float
    shape: tuple[int, int]
    sky: Sky
    physical: tuple[str, float | None] = field(default=("P", 0.5))

    def reference(self, axis: int) -> float:
        """CRPIX of an axis, 0 for x and 1 for y."""
        edge = (self.left, self.bottom)[axis]
        return ((self.sky.x, self.sky.y)[axis].reference - edge) / self.bin + 0.5

    def index(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Place events.

        Parameters
        ----------
        x, y : ndarray
            Sky columns, shape (n,).

        Returns
        -------
        (ndarray, ndarray, ndarray)
            Pixel numbers of x and y, from 0, and which events lie in the image; shape (n,).
        """
        i, j = _pixel(x, self.left, self.bin), _pixel(y, self.bottom, self.bin)
        return i, j, (i >= 0) & (i < self.shape[1]) & (j >= 0) & (j < self.shape[0])

    def cards(self) -> list[tuple[str, Any, str]]:
        """Keywords of the celestial and the physical coordinates."""
        letter, anchor = self.physical
        found: list[tuple[str, Any, str]] = [
            ("RADESYS", self.sky.radesys, "frame of the sky coordinates"),
        ]
        if self.sky.equinox is not None:
            found.append(("EQUINOX", self.sky.equinox, "[yr]"))
        for number, (axis, name, edge) in enumerate(
            ((self.sky.x, "X", self.left), (self.sky.y, "Y", self.bottom)), start=1
        ):
            reference = self.reference(number - 1)
            at = reference if anchor is None else anchor
            middle = edge + (at - 0.5) * self.bin
            found += [
                (f"CTYPE{number}", axis.ctype, "projection"),
                (f"CRPIX{number}", reference, "reference pixel"),
                (f"CRVAL{number}", axis.world, "[deg] at the reference pixel"),
                (f"CUNIT{number}", "deg", ""),
                (f"CDELT{number}", axis.step * self.bin, "[deg] a pixel"),
                (f"CTYPE{number}{letter}", name, "sky column"),
                (f"CRPIX{number}{letter}", at, "reference pixel"),
                (f"CRVAL{number}{letter}", middle, "sky value at the reference pixel"),
                (f"CDELT{number}{letter}", float(self.bin), "sky units a pixel"),
                (f"LTV{number}", at - middle / self.bin, f"pixel = LTV + LTM * {name}"),
                (f"LTM{number}_{number}", 1 / self.bin, ""),
            ]
        if self.sky.rotation:
            found.append(("CROTA2", self.sky.rotation, "[deg]"))
        return [*found, (f"WCSNAME{letter}", "PHYSICAL", ""), (f"WCSAXES{letter}", 2, "")]


def _pixel(values: np.ndarray, edge: float, bin_: int) -> np.ndarray:
    if values.dtype.kind in "iu":
        first = math.ceil(edge)  # an integer v stands for [v - 0.5, v + 0.5)
        wide = values if values.itemsize == 8 else values.astype(np.int32, copy=False)
        return (wide - first) // bin_
    with np.errstate(invalid="ignore"):
        return np.floor((values.astype(np.float64, copy=False) - edge) / bin_).astype(np.int64)


def make_pixels(
    sky: Sky, grid: Grid, bin: int | None, shape: Any, extent: tuple[float, float, float, float] | None
) -> Pixels:
    """Lay the pixels of an image.

    Parameters
    ----------
    sky : Sky
        The sky columns.
    grid : Grid
        Defaults of the mission.
    bin : int, optional
        Sky units a pixel.
    shape : int or (int, int), optional
        (ny, nx); centred on the reference pixel. Without it but with another `bin` than the mission's the image covers
        all values allowed, beginning with the lowest, as evselect does without ranges.
    extent : (float, float, float, float), optional
        Lowest and highest x, lowest and highest y of the events, for grids that follow them.

    Raises
    ------
    InvalidParameterError
        If `bin` or `shape` is not positive, or the image would be huge.
    """
    size = grid.bin if bin is None else _positive(bin, "bin")
    half = 0.5 if sky.x.column.integer else 0.0
    if shape is not None:
        ny, nx = (_positive(one, "shape") for one in ((shape, shape) if np.ndim(shape) == 0 else _pair(shape)))
        origin = "edge" if grid.origin == "edge" or not sky.x.column.integer else "reference"
    elif grid.shape is not None and size == grid.bin:
        (ny, nx), origin = grid.shape, grid.origin
    else:
        ny = nx = 0
        origin = "low" if grid.origin in ("reference", "edge") else grid.origin
    if origin in ("reference", "edge"):
        shift = half if origin == "reference" else 0.0
        left = sky.x.reference - (nx // 2) * size - shift
        bottom = sky.y.reference - (ny // 2) * size - shift
    else:
        # TLMIN of float columns is the edge itself; of integers it is the first value
        left, bottom = sky.x.low - half, sky.y.low - half
        if not nx:
            nx = math.ceil((sky.x.high + half - left) / size)
            ny = math.ceil((sky.y.high + half - bottom) / size)
        if origin == "events" and extent is not None:
            (first_x, nx), (first_y, ny) = (
                _crop(low, high, edge, size, count, grid.margin)
                for low, high, edge, count in ((*extent[:2], left, nx), (*extent[2:], bottom, ny))
            )
            left, bottom = left + first_x * size, bottom + first_y * size
    if max(nx, ny) > SHAPE_MAX:
        raise InvalidParameterError(
            f"The image would have {nx} x {ny} pixels.",
            expected=f"at most {SHAPE_MAX} a side",
            remedy="give a larger bin, or a shape",
            value=[ny, nx],
        )
    return Pixels(bin=size, left=left, bottom=bottom, shape=(ny, nx), sky=sky, physical=grid.physical)


def _crop(low: float, high: float, edge: float, size: int, count: int, margin: int) -> tuple[int, int]:
    """First pixel and number of pixels that hold the events and a margin, within the full image."""
    first = max(0, math.floor((low - edge) / size) - margin)
    last = min(count - 1, math.floor((high - edge) / size) + margin)
    return first, max(1, last - first + 1)


def _pair(shape: Any) -> tuple[Any, Any]:
    pair = tuple(shape)
    if len(pair) != 2:
        raise InvalidParameterError(
            f"The shape {shape!r} is not that of an image.", expected="(ny, nx) or one number", remedy="correct it"
        )
    return pair


def _positive(given: Any, what: str) -> int:
    if isinstance(given, bool) or not isinstance(given, int | np.integer) or given < 1:
        raise InvalidParameterError(
            f"{what} is {given!r}.", expected="a positive whole number", remedy="correct the argument", value=given
        )
    return int(given)

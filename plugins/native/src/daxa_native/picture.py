"""Quick-looks: a picture of an image with sky coordinates, for a first look and no more."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any, Final

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from daxa.api import BadEventListError, InvalidParameterError
from daxa_native.fitsfile import number, read_fits, text, value
from daxa_native.product import creator
from daxa_native.writing import publish, write_block

INK: Final = "#1b1b1f"
FAINT: Final = "#c9c4d4"
_FRACTION: Final = 0.9985
_MARGIN: Final = 0.06
_HEADROOM: Final = 4.0
_FIRST_LOOK: Final = 1.5
_WANTED: Final = 8.0
SMOOTH_MAX: Final = 50


def quicklook(
    image_path: str | Path,
    out_path: str | Path,
    *,
    smooth: float | None = None,
    obs_id: str | None = None,
    dpi: int = 150,
    cmap: str = "magma",
) -> Path:
    """Draw an image of counts with a grid of sky coordinates.

    Counts are smoothed with a Gaussian, stretched by an inverse hyperbolic sine, and cropped to where there are any.
    All of it is for the eye: measure on the image itself.

    Parameters
    ----------
    image_path : path-like
        Image with celestial coordinates, as :func:`daxa_native.image` writes it.
    out_path : path-like
        PNG to write.
    smooth : float, optional
        Standard deviation of the Gaussian in pixels; 0 for none. By default 1 to 4, more for fewer counts.
    obs_id : str, optional
        ObsID for the title; by default that of the header.
    dpi : int
        Pixels an inch; the picture is about 7.2 x 7 inches.
    cmap : str
        Name of a matplotlib colour map.

    Returns
    -------
    Path
        `out_path`.

    Raises
    ------
    BadEventListError
        If the file is damaged, holds no image, or the image has no celestial coordinates.
    InvalidParameterError
        If a parameter has a value that cannot be used.
    StorageError
        If the picture cannot be written; nothing is left behind.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import AsinhNorm
    from matplotlib.figure import Figure

    if not (smooth is None or 0 <= smooth <= SMOOTH_MAX) or cmap not in mpl.colormaps or dpi < 1:
        raise InvalidParameterError(
            f"smooth={smooth!r}, cmap={cmap!r}, dpi={dpi!r} cannot be used.",
            expected=f"0 <= smooth <= {SMOOTH_MAX}, the name of a matplotlib colour map, dpi >= 1",
            remedy="correct the argument",
        )
    header, counts = _read(Path(image_path))
    wcs = WCS(header)
    density = _smoothed(counts, _FIRST_LOOK)[counts > 0]
    sigma = _width(density) if smooth is None else float(smooth)
    shown = _smoothed(counts, sigma)
    top = _level(shown)
    faint = float(np.quantile(density, 0.2)) if len(density) else 0.0
    softness = min(max(faint, top / 300), top / 3)
    ticks = _ticks(top, softness)

    figure = Figure(figsize=(7.2, 6.9), dpi=dpi, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.125, 0.095, 0.73, 0.76), projection=wcs)
    axes.set_facecolor(mpl.colormaps[cmap](0.0))
    drawn = axes.imshow(
        shown,
        origin="lower",
        cmap=cmap,
        norm=AsinhNorm(linear_width=softness, vmin=0, vmax=top),
        interpolation="nearest",
        rasterized=True,
    )
    left, right, bottom, upper = _crop(counts)
    axes.set_xlim(left - 0.5, right + 0.5)
    axes.set_ylim(bottom - 0.5, upper + 0.5)
    axes.coords.grid(color="white", alpha=0.22, linewidth=0.6, linestyle=(0, (4, 3)))
    frame = text(header, "RADESYS") or "ICRS"
    equinox = number(header, "EQUINOX")
    epoch = f", {'B' if frame == 'FK4' else 'J'}{equinox:.1f}" if equinox and frame != "ICRS" else ""
    for index, name in enumerate(("Right ascension", "Declination")):
        coordinate = axes.coords[index]
        coordinate.set_axislabel(f"{name} ({frame}{epoch})", fontsize=10, color=INK, minpad=0.7)
        coordinate.set_ticklabel(size=8.5, color=INK, exclude_overlapping=True)
        coordinate.set_ticks(color="white", size=4)
    axes.coords[0].set_major_formatter("hh:mm:ss")
    axes.coords[1].set_major_formatter("dd:mm" if _side(wcs, right - left, upper - bottom) > 0.1 else "dd:mm:ss")

    position = axes.get_position()
    bar_axes = figure.add_axes((position.x1 + 0.018, position.y0, 0.022, position.height))
    bar = figure.colorbar(drawn, cax=bar_axes, ticks=ticks)
    bar.ax.minorticks_off()
    bar.ax.set_yticklabels([f"{tick:g}" for tick in ticks])
    bar.ax.tick_params(labelsize=8.5, colors=INK)
    bar.outline.set_edgecolor(FAINT)
    bar.set_label(_unit(header, sigma), fontsize=9, color=INK)

    title, subtitle = _titles(header, obs_id, round(counts.sum()))
    figure.text(position.x0, 0.935, title, fontsize=13.5, color=INK, weight="bold", va="baseline")
    figure.text(position.x0, 0.892, subtitle, fontsize=9.5, color="#55525e", va="baseline")
    note = f"{creator()}, quick-look"
    if value(header, "DAXASKY") is True:
        note += ", from the offline sky"
    figure.text(0.985, 0.012, note, fontsize=6.5, color="#8b8794", ha="right")
    content = io.BytesIO()
    figure.savefig(content, format="png", facecolor="white", metadata={"Software": creator(), "Title": title})
    with publish(out_path, sources=[image_path]) as stream:
        write_block(stream, content.getbuffer())
    return Path(out_path)


def _read(path: Path) -> tuple[fits.Header, np.ndarray]:
    """Read the first image of a file."""
    for hdu in read_fits(path).hdus:
        if number(hdu.header, "NAXIS") == 2 and not hdu.is_table and len(hdu.data):
            if not text(hdu.header, "CTYPE1").startswith("RA--"):
                break
            bits = int(value(hdu.header, "BITPIX"))
            kind = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}[bits]
            shape = int(value(hdu.header, "NAXIS2")), int(value(hdu.header, "NAXIS1"))
            return hdu.header, np.nan_to_num(hdu.data.view(kind).reshape(shape).astype(np.float64))
    raise BadEventListError(
        f"{path} holds no image with right ascension and declination.",
        expected="an image with celestial coordinates",
        remedy="make one with daxa_native.image",
        path=str(path),
    )


def _smoothed(counts: np.ndarray, sigma: float) -> np.ndarray:
    """Smooth with a Gaussian, shape kept; nothing lies beyond the edges."""
    if sigma == 0:
        return counts
    reach = math.ceil(4 * sigma)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weights /= weights.sum()
    for axis in (0, 1):
        padded = np.pad(counts, [(reach, reach) if number == axis else (0, 0) for number in (0, 1)])
        length = counts.shape[axis]
        counts = sum(
            weight * np.take(padded, range(start, start + length), axis=axis) for start, weight in enumerate(weights)
        )
    return counts


def _width(density: np.ndarray) -> float:
    """Width for which a typical event has about eight in the area the Gaussian covers; from 1 to 4 pixels."""
    if not len(density):
        return 0.0
    return float(np.clip(math.sqrt(_WANTED / (4 * math.pi * np.median(density))), 1.0, 4.0))


def _level(shown: np.ndarray) -> float:
    """Value that is drawn brightest: high enough that a bright source does not saturate by much."""
    filled = shown[shown > 0]
    if not len(filled):
        return 1.0
    return float(min(filled.max(), _HEADROOM * np.quantile(filled, _FRACTION)))


def _ticks(top: float, softness: float) -> list[float]:
    """About six round numbers, evenly spaced in the stretch."""
    found = [0.0]
    for place in np.linspace(0, math.asinh(top / softness), 7)[1:]:
        level = softness * math.sinh(place)
        digits = 10 ** math.floor(math.log10(level))
        tick = min((1, 2, 3, 5, 7, 10), key=lambda step: abs(step * digits - level)) * digits
        if tick <= top and tick > found[-1]:
            found.append(tick)
    return found


def _crop(counts: np.ndarray) -> tuple[int, int, int, int]:
    """First and last column, first and last row to be shown: a square around all counts, within reason."""
    rows, columns = np.flatnonzero(counts.any(axis=1)), np.flatnonzero(counts.any(axis=0))
    if not len(rows):
        return 0, counts.shape[1] - 1, 0, counts.shape[0] - 1
    half = 0.5 * max(columns[-1] - columns[0], rows[-1] - rows[0]) * (1 + 2 * _MARGIN) + 2
    middle = 0.5 * (columns[0] + columns[-1]), 0.5 * (rows[0] + rows[-1])
    left, right = math.floor(middle[0] - half), math.ceil(middle[0] + half)
    bottom, upper = math.floor(middle[1] - half), math.ceil(middle[1] + half)
    return left, right, bottom, upper


def _side(wcs: Any, width: float, height: float) -> float:
    """Longer side shown, in degrees."""
    return float(max(width, height) * abs(wcs.wcs.cdelt[1]))


def _unit(header: fits.Header, smooth: float) -> str:
    step = number(header, "CDELT2")
    size = f' ({abs(step) * 3600:.2f}" wide)' if step else ""
    how = f", smoothed by {smooth:.1f} pixels" if smooth else ""
    return f"counts per pixel{size}{how}"


def _titles(header: fits.Header, obs_id: str | None, counts: int) -> tuple[str, str]:
    """Two lines: what it is; band, exposure, counts."""
    names = {"XMM": "XMM-Newton", "CHANDRA": "Chandra", "NUSTAR": "NuSTAR", "EROSITA": "eROSITA"}
    telescope = text(header, "TELESCOP")
    what = [names.get(telescope.upper(), telescope), text(header, "INSTRUME"), obs_id or text(header, "OBS_ID")]
    title = "  ".join(part for part in what if part)
    target = text(header, "OBJECT")
    if target:
        title += f"  ·  {target}"
    low, high = number(header, "E_MIN"), number(header, "E_MAX")
    parts = ["all energies" if low is None or high is None else f"{low:g}–{high:g} keV"]
    exposure = number(header, "EXPOSURE")
    if exposure is not None:
        parts.append(f"{exposure / 1000:.2f} ks" if exposure >= 1000 else f"{exposure:.0f} s")
    parts.append(f"{counts:,} counts")
    start = text(header, "DATE-OBS")[:10]
    if start:
        parts.append(start)
    return title, "   ·   ".join(parts)

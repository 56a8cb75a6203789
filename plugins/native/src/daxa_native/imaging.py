"""Images: the events of an energy band, counted in sky pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from astropy.units import Quantity
from attrs import evolve

from daxa.api import NoCelestialWCSError
from daxa_native.bands import read_band
from daxa_native.events import EventList, open_events
from daxa_native.exposure import compare_header, find_exposure
from daxa_native.goodtime import read_good_times
from daxa_native.product import (
    Fingerprint,
    band_cards,
    exposure_cards,
    gather_caveats,
    good_time_units,
    inherited_caveats,
    mission_cards,
    primary_header,
    provenance,
    put,
    report,
    time_cards,
)
from daxa_native.selection import Selection, compress, select
from daxa_native.sky import Pixels, Sky, make_pixels, read_sky
from daxa_native.writing import Unit, publish, write_units

DEFAULT_BAND: Final = Quantity([0.5, 2.0], "keV")
_OUTSIDE: Final = 0.1


def image(
    events_path: str | Path,
    out_path: str | Path,
    band: Any = DEFAULT_BAND,
    *,
    bin: int | None = None,
    shape: Any = None,
    filter: str | None = "standard",
) -> Path:
    """Count the events of an energy band in sky pixels.

    Parameters
    ----------
    events_path : path-like
        Event list of XMM-Newton EPIC, Chandra, NuSTAR, ROSAT or eROSITA, plain or gzip-compressed.
    out_path : path-like
        Image to write; what is there is replaced when the new one is complete.
    band : Quantity or pair of float, optional
        Two energies in any unit of energy; plain numbers are keV. Both limits belong to the band. None for all events.
    bin : int, optional
        Sky units a pixel. By default 87 (4.35") for EPIC, 2 (0.98") for ACIS, 16 for HRC and the HRI, 1 (2.46") for
        NuSTAR, 30 (15") for the PSPC, 80 (4") for eROSITA.
    shape : int or (int, int), optional
        (ny, nx), beginning shape // 2 pixels below the reference pixel. By default EPIC has 512 x 512; Chandra the
        bounding box of the good events of all energies and 8 pixels around it; NuSTAR 1000 x 1000; ROSAT 512 x 512;
        eROSITA 3240 x 3240. With another `bin`, all values that the sky columns may take.
    filter : {"standard", None}
        The mission's standard event filter, or none. Good times are applied in any case.

    Returns
    -------
    Path
        `out_path`. The primary HDU holds the counts, EXPOSURE and the world coordinates; the good times applied follow.

    Raises
    ------
    BadEventListError
        If the list is damaged, lacks a column, or is of another telescope.
    NoCelestialWCSError
        If its sky columns carry no celestial coordinates that can be right.
    NoGoodTimeError
        If it does not say which time is good, or none is.
    EmptyBandError
        If the band is swapped, or holds no channel of the list.
    InvalidParameterError
        If a parameter has a value that cannot be used.
    StorageError
        If the image cannot be written; nothing is left behind.
    """
    kev = read_band(band)
    events = open_events(events_path)
    with Fingerprint(events.file.content) as fingerprint:
        sky = _sky(events)
        times = read_good_times(events)
        selection = select(events, times, filter=filter, kev=kev)
        grid = events.convention.grid
        follows = grid.origin == "events" and shape is None
        pixels = make_pixels(sky, grid, bin, shape, _extent(selection, sky) if follows else None)
        counts, taken = _count(selection, pixels)
        exposure = find_exposure(events, times)
        inside = int(counts.sum())
        caveats = gather_caveats(
            inherited_caveats(events),
            selection.all_caveats,
            exposure.caveats,
            compare_header(events, exposure) if not times.from_header else [],
            _caveats(sky, taken, inside),
        )
        header = primary_header(pixels.shape, grid.dtype)
        put(header, mission_cards(events))
        put(header, time_cards(events, times))
        put(header, exposure_cards(events, exposure))
        put(header, band_cards(selection))
        put(header, [("BUNIT", "count", ""), ("HDUCLASS", "OGIP", "")])
        put(header, [("HDUCLAS1", "IMAGE", ""), ("HDUCLAS2", "TOTAL", "background included")])
        put(header, pixels.cards())
        units = [Unit(header, lambda: [counts.astype(grid.dtype)])]
        units += [unit for _name, unit in good_time_units(events, times)]
        cards, history = provenance(
            events,
            selection,
            exposure,
            made="image",
            parameters={
                "band": "all" if kev is None else f"{kev[0]:g}-{kev[1]:g} keV",
                "bin": pixels.bin,
                "shape": f"{pixels.shape[0]} x {pixels.shape[1]} (ny x nx)",
                "filter": filter,
            },
            checksum=fingerprint.value,
            counts=f"{len(events.table)} in the list, {taken} taken, {inside} of them in the image",
            caveats=caveats,
        )
        put(header, cards, history)
    with publish(out_path, sources=[events.path]) as stream:
        write_units(stream, units)
    report(caveats)
    return Path(out_path)


def _sky(events: EventList) -> Sky:
    """Read the sky columns of a list that can be imaged."""
    sky = read_sky(events)
    reason = events.convention.no_image(events)
    if reason:
        raise NoCelestialWCSError(
            f"{events.path} cannot be imaged: {reason}.",
            expected="a list with two measured sky coordinates",
            remedy="use an observation in an imaging mode",
            path=str(events.path),
        )
    return sky


def _caveats(sky: Sky, taken: int, inside: int) -> list[tuple[str, str]]:
    found = []
    if sky.assumed:
        found.append(("frame-assumed", f"The list does not name the frame of its sky; {sky.radesys} is taken."))
    if not taken:
        found.append(("no-events", "No event meets the conditions: the image is empty."))
    elif taken - inside > _OUTSIDE * taken:
        found.append(("outside-image", f"{taken - inside} of {taken} events lie outside the image."))
    return found


def _extent(selection: Selection, sky: Sky) -> tuple[float, float, float, float] | None:
    """Lowest and highest x, lowest and highest y of the good events of all energies; None without events."""
    everything = evolve(selection, band=None)
    rows = selection.events.table.rows

    def work(part: slice) -> list[float] | None:
        chunk = rows[part]
        good = everything.mask(chunk)
        x, y = sky.x.column.values(chunk)[good], sky.y.column.values(chunk)[good]
        good = (x >= sky.x.low) & (x <= sky.x.high) & (y >= sky.y.low) & (y <= sky.y.high)
        if not good.any():
            return None
        return [float(limit) for limit in (x[good].min(), x[good].max(), y[good].min(), y[good].max())]

    found = [one for one in map(work, selection.events.chunks()) if one is not None]
    if not found:
        return None
    low, high = np.min(found, axis=0), np.max(found, axis=0)
    return float(low[0]), float(high[1]), float(low[2]), float(high[3])


def _count(selection: Selection, pixels: Pixels) -> tuple[np.ndarray, int]:
    """Count events in pixels.

    Returns
    -------
    (ndarray of int, int)
        Counts, shape (ny, nx), and how many events with a position were taken, in the image or not.
    """
    rows = selection.events.table.rows
    columns = pixels.sky.x.column, pixels.sky.y.column
    ny, nx = pixels.shape

    def work(part: slice) -> tuple[np.ndarray, int]:
        chunk = rows[part]
        band = selection.in_band(chunk)
        if band is not None:
            chunk = compress(chunk, band)
        good = selection.good(chunk)
        for column in columns:
            placed = column.defined(chunk)
            if placed is not None:
                good &= placed
        x, y = (column.values(chunk)[good] for column in columns)
        i, j, inside = pixels.index(x, y)
        flat = j.astype(np.intp) * nx + i
        return (flat if inside.all() else flat[inside]), len(flat)

    places, total = [np.empty(0, np.intp)], 0
    for flat, taken in map(work, selection.events.chunks()):
        places.append(flat)
        total += taken
    return np.bincount(np.concatenate(places), minlength=ny * nx).reshape(ny, nx), total

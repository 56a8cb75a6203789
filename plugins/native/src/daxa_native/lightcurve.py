"""Light curves: the events of an energy band, counted in bins of time."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from astropy.io import fits
from astropy.units import Quantity

from daxa_native.bands import read_band
from daxa_native.curve import Curve, count, read_seconds
from daxa_native.events import open_events
from daxa_native.exposure import Exposure, compare_header, find_exposure
from daxa_native.goodtime import read_good_times
from daxa_native.imaging import DEFAULT_BAND
from daxa_native.product import (
    Card,
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
from daxa_native.selection import select
from daxa_native.writing import Unit, publish, write_units

DEFAULT_BINSIZE: Final = Quantity(100.0, "s")

_COLUMNS: Final = (
    ("TIME", ">f8", "D", "s", "middle of the bin"),
    ("TIMEDEL", ">f8", "D", "s", "length of the bin"),
    ("COUNTS", ">i4", "J", "count", "events, background included"),
    ("RATE", ">f8", "D", "count/s", "COUNTS / (TIMEDEL * FRACEXP)"),
    ("RATE_ERR", ">f8", "D", "count/s", "sqrt(COUNTS) / (TIMEDEL * FRACEXP)"),
    ("FRACEXP", ">f8", "D", "", "good time / TIMEDEL"),
)


def light_curve(
    events_path: str | Path,
    out_path: str | Path,
    band: Any = DEFAULT_BAND,
    *,
    binsize: Any = DEFAULT_BINSIZE,
    filter: str | None = "standard",
) -> Path:
    """Count the events of an energy band in bins of time.

    Parameters
    ----------
    events_path : path-like
        Event list of XMM-Newton EPIC, Chandra, NuSTAR, ROSAT or eROSITA, plain or gzip-compressed.
    out_path : path-like
        Light curve to write; what is there is replaced when the new one is complete.
    band : Quantity or pair of float, optional
        Two energies in any unit of energy; plain numbers are keV. Both limits belong to the band. None for all events.
    binsize : Quantity or float, optional
        Length of a bin, plain numbers in seconds. The first bin begins at the first START.
    filter : {"standard", None}
        The mission's standard event filter, or none. Good times are applied in any case.

    Returns
    -------
    Path
        `out_path`. Its table RATE has the columns TIME, TIMEDEL, COUNTS, RATE, RATE_ERR and FRACEXP; the good times
        applied follow. FRACEXP is good time over length of the bin; where good times differ by detector unit (CCDs of
        EPIC and ACIS, modules of eROSITA), it is the mean over the units that have any, so that rates are those of the
        whole instrument if all its units see the same. A bin without good time has the rate NaN. Rates hold all events
        of the list, the source's and the background's, and are not corrected for dead time.

    Raises
    ------
    BadEventListError
        If the list is damaged, lacks a column, or is of another telescope.
    NoGoodTimeError
        If it does not say which time is good, or none is.
    EmptyBandError
        If the band is swapped, or holds no channel of the list.
    InvalidParameterError
        If a parameter has a value that cannot be used.
    StorageError
        If the light curve cannot be written; nothing is left behind.
    """
    kev, seconds = read_band(band), read_seconds(binsize)
    events = open_events(events_path)
    with Fingerprint(events.file.content) as fingerprint:
        times = read_good_times(events)
        selection = select(events, times, filter=filter, kev=kev)
        curve = count(selection, seconds)
        exposure = find_exposure(events, times)
        taken = int(curve.counts.sum())
        caveats = gather_caveats(
            inherited_caveats(events),
            selection.all_caveats,
            exposure.caveats,
            compare_header(events, exposure) if not times.from_header else [],
            [] if taken else [("no-events", "No event meets the conditions: the light curve is empty.")],
        )
        cards, history = provenance(
            events,
            selection,
            exposure,
            made="light_curve",
            parameters={
                "band": "all" if kev is None else f"{kev[0]:g}-{kev[1]:g} keV",
                "binsize": f"{seconds:g} s",
                "filter": filter,
            },
            checksum=fingerprint.value,
            counts=f"{len(events.table)} in the list, {taken} in the light curve",
            caveats=caveats,
        )
    units = len(times.by_unit)
    history.append(
        f"FRACEXP: mean over the {units} units of {times.unit} that have good times"
        if times.unit
        else "FRACEXP: good time over length of the bin"
    )
    common = [
        *mission_cards(events),
        *time_cards(events, times),
        *exposure_cards(events, exposure),
        *band_cards(selection),
        *_cards(seconds, exposure),
        *cards,
    ]
    primary, header = primary_header(), _header(curve)
    put(primary, common, history)
    put(header, common, history)
    tables = [unit for _name, unit in good_time_units(events, times)]
    with publish(out_path, sources=[events.path]) as stream:
        write_units(stream, [Unit(primary), Unit(header, lambda: [_rows(curve)]), *tables])
    report(caveats)
    return Path(out_path)


def _cards(seconds: float, exposure: Exposure) -> list[Card]:
    found: list[Card] = [
        ("TIMEDEL", seconds, "[s] length of a bin"),
        ("TIMEPIXR", 0.5, "TIME is the middle of the bin"),
        ("BACKAPP", False, "background is not subtracted"),
        ("DEADAPP", False, "rates are not corrected for dead time"),
        ("VIGNAPP", False, "nor for vignetting"),
    ]
    if exposure.ontime > 0:
        found.append(("DEADC", min(exposure.livetime / exposure.ontime, 1.0), "LIVETIME / ONTIME"))
    return found


def _header(curve: Curve) -> fits.Header:
    header = fits.Header(
        [
            ("XTENSION", "BINTABLE", "binary table"),
            ("BITPIX", 8),
            ("NAXIS", 2),
            ("NAXIS1", sum(np.dtype(kind).itemsize for _name, kind, *_rest in _COLUMNS)),
            ("NAXIS2", len(curve.counts)),
            ("PCOUNT", 0),
            ("GCOUNT", 1),
            ("TFIELDS", len(_COLUMNS)),
        ]
    )
    for index, (name, _kind, form, unit, title) in enumerate(_COLUMNS, start=1):
        header[f"TTYPE{index}"], header[f"TFORM{index}"] = (name, title), form
        if unit:
            header[f"TUNIT{index}"] = unit
    header["EXTNAME"] = "RATE"
    put(header, [("HDUCLASS", "OGIP", ""), ("HDUCLAS1", "LIGHTCURVE", "")])
    put(header, [("HDUCLAS2", "TOTAL", "background included"), ("HDUCLAS3", "RATE", "")])
    return header


def _rows(curve: Curve) -> np.ndarray:
    rows = np.zeros(len(curve.counts), dtype=[(name, kind) for name, kind, *_rest in _COLUMNS])
    length = curve.ends - curve.begins
    columns = (curve.begins + length / 2, length, curve.counts, curve.rate, curve.error, curve.fraction)
    for (name, *_rest), values in zip(_COLUMNS, columns, strict=True):
        rows[name] = values
    return rows

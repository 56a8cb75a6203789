"""Cleaned event lists: rows are chosen, nothing in them is changed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from astropy.io import fits

from daxa.api import BadEventListError
from daxa_native.bands import read_band
from daxa_native.events import EventList, open_events
from daxa_native.exposure import compare_header, find_exposure, shrunk
from daxa_native.fitsfile import Hdu, number
from daxa_native.flares import look
from daxa_native.goodtime import read_given, read_good_times, table_named
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
from daxa_native.selection import Selection, select
from daxa_native.sky import read_sky
from daxa_native.subspace import is_subspace_keyword, with_times
from daxa_native.writing import Unit, publish, write_units

_STALE: Final = re.compile(r"TDM(IN|AX)\d+\Z|CAVEAT\d+\Z|EXPOSUR[0-9E]\Z|ONTIME\d*\Z|LIVE?TI(ME|M\d|M?E\d)?\d*\Z")

ASSUMED: Final = (
    "good-time-assumed",
    "The list has no good times: all time from TSTART to TSTOP counts as good but for what is cut here.",
)


def clean_events(
    events_path: str | Path,
    out_path: str | Path,
    *,
    filter: str | None = "standard",
    gti: Any = None,
    band: Any = None,
    flares: bool = False,
) -> Path:
    """Keep the events that the standard filter accepts, in good times.

    Parameters
    ----------
    events_path : path-like
        Event list of XMM-Newton EPIC, Chandra, NuSTAR, ROSAT or eROSITA, plain or gzip-compressed.
    out_path : path-like
        Event list to write; what is there is replaced when the new one is complete.
    filter : {"standard", None}
        The mission's standard event filter, or none.
    gti : path-like or sequence of pairs, optional
        Further good times: a FITS file with one GTI table, or START and STOP in seconds of the list's own clock. They
        are intersected with the good times of each detector unit.
    band : Quantity or pair of float, optional
        Energy band, both limits included; plain numbers are keV. By default all energies.
    flares : bool
        Whether flares of the background are cut as well, as :func:`daxa_native.flare_gti` finds them by default. For
        another cut give that function's file as `gti`.

    Returns
    -------
    Path
        `out_path`. Rows are those of the input, unchanged; its other tables are kept, those of the good times are
        replaced by the ones applied, to which the data subspace refers.

    Raises
    ------
    BadEventListError
        If the list is damaged, lacks a column, or is of another telescope.
    NoGoodTimeError
        If it does not say which time is good, or none is left.
    EmptyBandError
        If the band is swapped, or holds no channel of the list.
    InvalidParameterError
        If a parameter has a value that cannot be used.
    NoCountsError
        If flares are to be cut, and the curve that would show them holds no counts.
    StorageError
        If the list cannot be written; nothing is left behind.
    """
    kev = read_band(band)
    events = open_events(events_path)
    with Fingerprint(events.file.content) as fingerprint:
        whole = read_good_times(events)
        before = find_exposure(events, whole)
        times = whole if gti is None else whole.restricted(*read_given(gti))
        found = look(events) if flares else None
        if found is not None:
            times = times.restricted(found.intervals, "what is left without flares")
        exposure = before if times is whole else find_exposure(events, times)
        selection = select(events, times, filter=filter, kev=kev)
        masks = [selection.mask(events.table.rows[part]) for part in events.chunks()]
        taken = int(sum(np.count_nonzero(mask) for mask in masks))
        caveats = gather_caveats(
            inherited_caveats(events),
            selection.all_caveats,
            exposure.caveats,
            compare_header(events, before) if not times.from_header else [],
            shrunk(before, exposure) if events.convention.exposure == "ratio" else [],
            found.caveats if found is not None else [],
            [ASSUMED] if whole.from_header and times is not whole else [],
            _caveats(events, taken),
        )
        cards, history = provenance(
            events,
            selection,
            exposure,
            made="clean_events",
            parameters={
                "filter": filter,
                "gti": "none" if gti is None else read_given(gti)[1],
                "band": "all" if kev is None else f"{kev[0]:g}-{kev[1]:g} keV",
                "flares": "kept" if found is None else ", ".join(f"{one} {told}" for one, told in found.told.items()),
            },
            checksum=fingerprint.value,
            counts=f"{len(events.table)} in the list, {taken} taken",
            caveats=caveats,
        )
    common = [
        *mission_cards(events),
        *time_cards(events, times),
        *exposure_cards(events, exposure),
        *band_cards(selection),
        *cards,
    ]
    with publish(out_path, sources=[events.path]) as stream:
        write_units(stream, _units(events, selection, masks, taken, common, history))
    report(caveats)
    return Path(out_path)


def _caveats(events: EventList, taken: int) -> list[tuple[str, str]]:
    found = []
    try:
        read_sky(events)
    except BadEventListError as error:
        reasons = "; ".join(error.context.get("faults", [error.message]))
        found.append(("no-celestial-wcs", f"The sky columns have no celestial coordinates: {reasons}."))
    if not taken:
        found.append(("no-events", "No event meets the conditions: the list is empty."))
    return found


def _units(
    events: EventList,
    selection: Selection,
    masks: list[np.ndarray],
    taken: int,
    cards: list[tuple[str, Any, str]],
    history: list[str],
) -> Iterator[Unit]:
    """All HDUs of the input, in its order: the events chosen, the good times applied, the rest as it is."""
    times = selection.times
    tables = dict(good_time_units(events, times))
    places = {id(hdu): name for name in tables if (hdu := table_named(events, name)) is not None}
    for index, hdu in enumerate(events.file.hdus):
        if index == 0:
            header = _kept(hdu.header) if number(hdu.header, "NAXIS") == 0 else primary_header()
            put(header, cards, history)
            yield Unit(header)
        elif hdu is events.hdu:
            yield Unit(
                _events_header(events, selection, taken, cards, history),
                lambda: _rows(events, hdu, masks),  # noqa: B023 - used before the next turn
            )
        elif id(hdu) in places:
            yield tables[places[id(hdu)]]
        else:
            yield Unit(hdu.header.copy(), lambda: [hdu.data])  # noqa: B023
    for name, table in tables.items():
        if name not in places.values():
            yield table


def _kept(header: fits.Header) -> fits.Header:
    """Copy a header without what the selection makes untrue."""
    kept = header.copy()
    for keyword in {card.keyword for card in kept.cards if _STALE.match(card.keyword)}:
        kept.remove(keyword, remove_all=True)
    return kept


def _events_header(
    events: EventList, selection: Selection, taken: int, cards: list[tuple[str, Any, str]], history: list[str]
) -> fits.Header:
    header = _kept(events.hdu.header)
    header["NAXIS2"] = taken
    heap = number(header, "THEAP")
    if heap is not None:
        header["THEAP"] = int(heap) - (len(events.table) - taken) * header["NAXIS1"]
    times = selection.times
    if events.convention.good_times == "subspace" and not times.from_header:
        for keyword in [card.keyword for card in header.cards if is_subspace_keyword(card.keyword)]:
            header.remove(keyword, ignore_missing=True)
        refs = {unit: times.names[unit] for unit in times.by_unit}
        for keyword, content in with_times(times.subspace, times.unit, refs, selection.recorded).cards():
            header.set(keyword, content, "data subspace")
    put(header, cards, history)
    return header


def _rows(events: EventList, hdu: Hdu, masks: list[np.ndarray]) -> Iterator[np.ndarray]:
    """The rows taken, as they lie in the input, and the heap of columns of variable length."""
    width = events.table.rows.dtype.itemsize
    end = width * len(events.table)
    rows = hdu.data[:end].view(f"V{width}") if end else np.empty(0, f"V{max(width, 1)}")
    for part, mask in zip(events.chunks(), masks, strict=True):
        yield rows[part][mask]
    if len(hdu.data) > end:
        yield hdu.data[end:]

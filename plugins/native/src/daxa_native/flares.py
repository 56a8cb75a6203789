"""Flares of the background: found on a light curve, and cut out of the good time."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from attrs import define

from daxa.api import InvalidParameterError, NoGoodTimeError
from daxa_native import gti
from daxa_native.bands import band_variant, read_band
from daxa_native.clipping import Flares, caveats_of, find_flares, without_flares
from daxa_native.conventions import Quiet
from daxa_native.curve import Curve, count, curve_of, good_of_curve, read_seconds
from daxa_native.events import TABLES, EventList, open_events
from daxa_native.exposure import Exposure
from daxa_native.fitsfile import read_fits
from daxa_native.goodtime import GoodTimes, read_good_times
from daxa_native.missions import convention_of
from daxa_native.product import (
    Card,
    Fingerprint,
    band_cards,
    gather_caveats,
    inherited_caveats,
    interval_unit,
    mission_cards,
    primary_header,
    provenance,
    put,
    report,
    time_cards,
)
from daxa_native.selection import Selection, select
from daxa_native.writing import Unit, publish, write_units

MISSION: Final = "mission"
METHODS: Final = ("sigma", "threshold")


def _parameters(quiet: Quiet, method: Any, sigma: Any, threshold: Any, minlength: Any) -> float | None:
    """Check the parameters of a cut; return the threshold in counts a second that holds."""
    wrong = ""
    if method not in METHODS:
        wrong = f"The method {method!r} is not known."
    elif isinstance(sigma, bool) or not isinstance(sigma, int | float) or not 0 < sigma < math.inf:
        wrong = f"sigma is {sigma!r}."
    elif isinstance(minlength, bool) or not isinstance(minlength, int) or minlength < 1:
        wrong = f"minlength is {minlength!r}."
    limit = None
    if not wrong and method == "threshold":
        given = quiet.threshold if threshold is None else threshold
        try:
            limit = float(given.to_value("1/s") if hasattr(given, "to_value") else given)  # type: ignore[union-attr,arg-type]
        except (TypeError, ValueError):
            limit = math.nan
        if not 0 < limit < math.inf:
            wrong = f"The threshold is {given!r}."
    if wrong:
        raise InvalidParameterError(
            wrong,
            expected=f"a method of {', '.join(METHODS)}; a positive sigma; a positive threshold in counts a second,"
            " which some instruments have by default; a minlength of 1 or more",
            remedy="correct the argument",
        )
    return limit


@define(eq=False)
class Found:
    """Good time without flares, and how it was found.

    Parameters
    ----------
    events : EventList
        The list, or the light curve's table.
    selection : Selection
        Events of the curve.
    curve : Curve
        The curve.
    flares : Flares
        What was found on it.
    intervals : ndarray
        Good time without flares, of any detector unit, shape (n, 2).
    parameters : dict
        For HISTORY.
    caveats : list of (str, str)
        Code and message.
    """

    events: EventList
    selection: Selection
    curve: Curve
    flares: Flares
    intervals: np.ndarray
    parameters: dict[str, Any]
    caveats: list[tuple[str, str]]

    @property
    def told(self) -> dict[str, Any]:
        """How they were found, and how many bins are cut."""
        used = self.curve.good > 0
        return {**self.parameters, "cut": f"{int((used & self.flares.cut).sum())} of {int(used.sum())} bins"}


def look(
    events: EventList,
    *,
    method: Any = "sigma",
    sigma: Any = 3.0,
    threshold: Any = None,
    binsize: Any = None,
    band: Any = MISSION,
    minlength: Any = 3,
) -> Found:
    """Look for flares in a list of events, or in a table RATE opened like one."""
    quiet = events.convention.quiet
    limit = _parameters(quiet, method, sigma, threshold, minlength)
    parameters: dict[str, Any] = {"method": method}
    parameters |= {"sigma": sigma} if limit is None else {"threshold": f"{limit:g} /s"}
    parameters |= {"minlength": minlength}
    if events.hdu.name == "RATE":
        base, curve = good_of_curve(events)
        times = GoodTimes(None, {None: base}, {None: "GTI"}, f"those of the light curve {events.path.name}")
        selection = Selection(events, times)
    else:
        seconds = quiet.seconds if binsize is None else read_seconds(binsize)
        kev = quiet.kev if isinstance(band, str) and band == MISSION else read_band(band)
        parameters |= {"binsize": f"{seconds:g} s", "band": band_variant(kev)}
        times = read_good_times(events)
        selection = select(events, times, filter="standard", kev=kev, cuts=quiet.cuts)
        curve = count(selection, seconds)
        base = gti.union(times.by_unit.values())
    found = find_flares(curve, events.path, method=method, sigma=sigma, threshold=limit, minlength=minlength)
    intervals = without_flares(base, curve, found)
    if not len(intervals):
        raise NoGoodTimeError(
            f"Nothing is left of the good times of {events.path} without flares.",
            expected="some time that is quiet",
            remedy="look at the light curve, and choose the method or its limit by it",
            path=str(events.path),
        )
    caveats = gather_caveats(selection.all_caveats, caveats_of(curve, found))
    return Found(events, selection, curve, found, intervals, parameters, caveats)


def open_either(path: str | Path) -> EventList:
    """Open a list of events, or a light curve as if it were one.

    Raises
    ------
    BadEventListError
        If it is neither, or of a telescope whose conventions are not known.
    """
    file = read_fits(Path(path))
    if file.named(*TABLES):
        return open_events(path)
    hdu = curve_of(file.path, file.hdus)
    return EventList(file, hdu, hdu.table(), convention_of(file, hdu.header))


def flare_gti(
    events_path: str | Path,
    out_path: str | Path,
    *,
    method: Literal["sigma", "threshold"] = "sigma",
    sigma: float = 3.0,
    threshold: Any = None,
    binsize: Any = None,
    band: Any = MISSION,
    minlength: int = 3,
) -> Path:
    """Find the good time without flares of the background.

    This is a cut on a light curve alone. No housekeeping is looked at, so that it does not stand for a mission's own
    screening, and a source that varies by much is not told from a flare.

    Parameters
    ----------
    events_path : path-like
        Event list, or light curve as :func:`daxa_native.light_curve` writes it.
    out_path : path-like
        File to write. Its table STDGTI is what ``clean_events(..., gti=out_path)`` takes.
    method : {"sigma", "threshold"}
        Cut bins that lie `sigma` standard deviations above the quiet level, or above a rate.
    sigma : float
        Standard deviations; by chance 0.13 % of quiet bins lie 3 above.
    threshold : Quantity or float, optional
        Rate in counts a second. By default 0.35 for EPIC-MOS and 0.4 for EPIC-pn, which are rough; other instruments
        have none.
    binsize : Quantity or float, optional
        Length of a bin, plain numbers in seconds: by default 200 s for Chandra, 20 s for eROSITA, 100 s for the others.
    band : Quantity, pair of float, None or "mission"
        Energies of the curve, plain numbers in keV; None for all. By default 10 keV and above (single pixels) for
        EPIC-MOS, 10-12 keV for EPIC-pn, 0.5-7 for ACIS, 3-78 for NuSTAR, 0.11-2.35 for the PSPC, 0.2-10 for eROSITA.
    minlength : int
        Good stretches of fewer bins beside a flare are cut as well.

    Returns
    -------
    Path
        `out_path`.

    Raises
    ------
    NoCountsError
        If the curve holds no counts: it cannot say then whether there were flares.
    BadEventListError
        If the list is damaged, lacks a column, or is of another telescope.
    NoGoodTimeError
        If it does not say which time is good, or none is left.
    EmptyBandError
        If the band is swapped, or holds no channel of the list.
    InvalidParameterError
        If a parameter has a value that cannot be used.
    StorageError
        If the file cannot be written; nothing is left behind.
    """
    events = open_either(events_path)
    with Fingerprint(events.file.content) as fingerprint:
        found = look(
            events, method=method, sigma=sigma, threshold=threshold, binsize=binsize, band=band, minlength=minlength
        )
        caveats = gather_caveats(inherited_caveats(events), found.caveats)
        cards, history = _provenance(found, fingerprint.value, caveats)
    times = GoodTimes(None, {None: found.intervals}, {None: "STDGTI"}, "")
    common = [*mission_cards(events), *time_cards(events, times), *band_cards(found.selection), *cards]
    primary, table = primary_header(), interval_unit(events, "STDGTI", found.intervals)
    put(primary, common, history)
    put(table.header, [card for card in common if card[0] not in table.header], history)
    with publish(out_path, sources=[events.path]) as stream:
        write_units(stream, [Unit(primary), table])
    report(caveats)
    return Path(out_path)


def _provenance(found: Found, checksum: str, caveats: list[tuple[str, str]]) -> tuple[list[Card], list[str]]:
    seconds = gti.total(found.intervals)
    curve, flares = found.curve, found.flares
    used = curve.good > 0
    bins, cut = int(used.sum()), int((used & flares.cut).sum())
    counts = round(float(curve.counts.sum()))
    cards, history = provenance(
        found.events,
        found.selection,
        Exposure(seconds, seconds, seconds, "sum of the good times in this file"),
        made="flare_gti",
        parameters=found.parameters,
        checksum=checksum,
        counts=f"{counts} in the light curve",
        caveats=caveats,
    )
    history.append(f"flares: {cut} of {bins} bins cut, on the light curve alone; no housekeeping was looked at")
    history.append("bins of the curve above the quiet level are cut; FRACEXP is the mean over detector units")
    cards += [
        ("ONTIME", seconds, "[s] good time left"),
        ("FLARMETH", str(found.parameters["method"]), "how flares were told"),
        ("FLARBINS", cut, "bins cut"),
        ("QUIETRAT", flares.level, "[count/s] rate of the bins left"),
        ("QUIETSCA", flares.scatter, "their scatter over that of Poisson's law"),
    ]
    return cards, history

"""Event lists. The events are those that `install` has made, at the times and on the CCDs of the exposure."""

from __future__ import annotations

import os
import struct
from zlib import crc32

from . import fits
from .odf import NAMES

COLUMNS = (
    ("TIME", "D", "s"), ("RAWX", "I", "PIXELS"), ("RAWY", "I", "PIXELS"),
    ("DETX", "I", "pixel"), ("DETY", "I", "pixel"), ("X", "J", "pixel"), ("Y", "J", "pixel"),
    ("PHA", "I", "CHAN"), ("PI", "I", "CHAN"), ("FLAG", "J", ""), ("PATTERN", "B", ""), ("CCDNR", "B", ""),
)  # fmt: skip
ROW = struct.Struct(fits.row_format([form for _, form, _ in COLUMNS]))
_LONGEST = 100  # frames of a CCD in a list: a real one has some thousands


def _wcs(exposure):
    """Keywords of the sky coordinates."""
    made = []
    for number, axis, kind, step, value in (
        (6, "X", "RA---TAN", -1.38888888888889e-05, exposure["ra"]),
        (7, "Y", "DEC--TAN", 1.38888888888889e-05, exposure["dec"]),
    ):
        made += [(f"TCTYP{number}", kind), (f"TCRPX{number}", 25921), (f"TCRVL{number}", value)]
        made += [(f"TCDLT{number}", step), (f"TCUNI{number}", "deg"), (f"TLMIN{number}", 1), (f"TLMAX{number}", 51840)]
        made += [(f"REF{axis}CTYP", kind), (f"REF{axis}CRPX", 25921), (f"REF{axis}CRVL", value)]
        made += [(f"REF{axis}CDLT", step), (f"REF{axis}LMIN", 1), (f"REF{axis}LMAX", 51840), (f"REF{axis}CUNI", "deg")]
    return made


def keywords(exposure):
    """Keywords of an exposure, in the first header and in that of the events."""
    return [
        ("TELESCOP", "XMM"), ("INSTRUME", NAMES[exposure["instrument"]]), ("OBS_ID", exposure["obs_id"]),
        ("EXP_ID", exposure["obs_id"] + exposure["exposure"][1:]), ("EXPIDSTR", exposure["exposure"]),
        ("DATAMODE", exposure.get("datamode", "IMAGING")), ("SUBMODE", exposure["submode"]),
        ("FILTER", exposure["filter"]), ("OBS_MODE", "POINTING"), ("REVOLUT", exposure["revolution"]),
        ("OBJECT", exposure["object"]), ("DATE-OBS", exposure["date_obs"]), ("DATE-END", exposure["date_end"]),
        ("RA_PNT", exposure["ra"]), ("DEC_PNT", exposure["dec"]), ("PA_PNT", exposure["angle"]),
        ("RADECSYS", exposure["frame"]), ("EQUINOX", 2000.0),
        ("TIMEUNIT", "s"), ("TIMESYS", "TT"), ("MJDREF", 50814.0), ("TIMEREF", "LOCAL"), ("TIMEZERO", 0.0),
    ]  # fmt: skip


def rows(root, exposure, ccds):
    """Events of an exposure, packed.

    Parameters
    ----------
    root : str
        Directory of the installation.
    exposure : dict
        The exposure.
    ccds : sequence of int
        Its CCDs.
    """
    kind = "pn" if exposure["instrument"] == "PN" else "mos"
    with open(os.path.join(root, "lib", f"events_{kind}.bin"), "rb") as file:
        content = file.read()
    start, length = exposure["start"], exposure["stop"] - exposure["start"]
    left_out = crc32(f"{exposure['obs_id']}{exposure['instrument']}{exposure['exposure']}".encode()) % 97
    pack, chosen = ROW.pack, frozenset(ccds)
    return b"".join(
        pack(start + length * row[0], *row[1:])
        for number, row in enumerate(ROW.iter_unpack(content))
        if row[11] in chosen and number % 97 != left_out
    )


def make(task, root, path, exposure, ccds, *, out_of_time=False):
    """Write the event list of an exposure.

    Parameters
    ----------
    task : Task
        The task.
    root : str
        Directory of the installation.
    path : str
        File to write.
    exposure : dict
        The exposure.
    ccds : sequence of int
        CCDs that have events.
    out_of_time : bool
        Whether the events are those that came while the CCD was read: the row says nothing then.
    """
    packed = b"" if task.no_events else rows(root, exposure, ccds)
    start, stop = exposure["start"], exposure["stop"]
    mask = (("XMMEA_EP", "(FLAG & 0xcfa0000) == 0") if exposure["instrument"] == "PN"
            else ("XMMEA_EM", "(FLAG & 0x766ba000) == 0"))  # fmt: skip
    told, sky = keywords(exposure), _wcs(exposure)
    step = max((stop - start) / _LONGEST, 1.0)
    frames = int((stop - start) / step)
    good = 0.95 * frames * step
    more = [
        ("TSTART", start),
        ("TSTOP", stop),
        ("FRMTIME", int(1000 * step)),
        mask,
        ("XMMEA_16", "(FLAG & 0x10000) != 0"),
    ]
    more += [("TLMIN9", 0), ("TLMAX9", 15000 if exposure["instrument"] != "PN" else 20479)]
    more += [("ONTIME", stop - start), ("LIVETIME", good), ("OOTEVT", out_of_time)]
    for ccd in ccds:
        more += [(f"ONTIME{ccd:02}", stop - start), (f"LIVETI{ccd:02}", good)]
    history = [f"stand-in for {task.name}: generated, not observed"]
    reference = [one for one in sky if one[0].startswith("REF")]
    made = [fits.primary([*told, *reference], history=history)]
    made.append(fits.table("EVENTS", COLUMNS, packed, [*told, *more, *sky]))
    for ccd in ccds:
        times = [(start + step * (number + 0.5), step, 0.95) for number in range(frames)]
        columns = (("TIME", "D", "s"), ("TIMEDEL", "E", "s"), ("FRACEXP", "E", ""))
        made.append(fits.table(f"EXPOSU{ccd:02}", columns, times, [("CCDID", ccd), ("FRMTIME", int(1000 * step))]))
    made += [gti(f"STDGTI{ccd:02}", [(start, stop)], ccd) for ccd in ccds]
    task.write(path, made)


def gti(name, intervals, ccd=None):
    """Make a table of good times."""
    first, last = (intervals[0][0], intervals[-1][1]) if intervals else (0.0, 0.0)
    keys = [("CCDID", ccd)] if ccd is not None else []
    keys += [
        ("HDUCLASS", "OGIP"),
        ("HDUCLAS1", "GTI"),
        ("ONTIME", float(sum(stop - start for start, stop in intervals))),
    ]
    keys += [("TSTART", first), ("TSTOP", last), ("TIMEUNIT", "s"), ("TIMESYS", "TT"), ("MJDREF", 50814.0)]
    keys += [("TIMEREF", "LOCAL"), ("TIMEZERO", 0.0)]
    return fits.table(name, (("START", "D", "s"), ("STOP", "D", "s")), intervals, keys)


def read_gti(hdu):
    """Intervals of a table of good times."""
    names = [name for name, _ in hdu.columns()]
    first, last = names.index("START"), names.index("STOP")
    return [(row[first], row[last]) for row in hdu.rows()]


def common(one, other):
    """Times that are in both of two lists of intervals."""
    made = []
    for start, stop in one:
        for begin, end in other:
            if max(start, begin) < min(stop, end):
                made.append((max(start, begin), min(stop, end)))
    return sorted(made)

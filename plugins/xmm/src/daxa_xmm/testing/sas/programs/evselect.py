"""``evselect``: events chosen by an expression, and images, light curves and spectra of them."""

from __future__ import annotations

from array import array

from . import events, fits
from .selection import Selection, SelectionError

_SHORT = {"EMOS1": "M1", "EMOS2": "M2", "EPN": "PN", "RGS1": "R1", "RGS2": "R2"}
_KEPT = ("TELESCOP", "INSTRUME", "OBS_ID", "EXP_ID", "EXPIDSTR", "FILTER", "SUBMODE", "OBJECT", "DATE-OBS", "DATE-END",
         "RADECSYS", "EQUINOX", "RA_PNT", "DEC_PNT", "PA_PNT")  # fmt: skip
"""Keywords that an image takes from the events."""


def identify(task, header):
    """Say which exposure a file is of, as its header has it."""
    instrument = _SHORT.get(header.get("INSTRUME", ""), "")
    task.identify(header.get("OBS_ID", ""), f"{instrument}{header.get('EXPIDSTR', '')}")


def evselect(task):
    """Select events."""
    hdus, place = task.open_table(task["table"])
    identify(task, hdus[place])
    run(task, hdus, place, task.parameters)


def run(task, hdus, place, chosen, of="evselect"):
    """Select from a table as the parameters say, and write what is asked for; returns how many are selected."""
    table = hdus[place]
    kept, selection = select(task, table, chosen["expression"], of)
    if chosen["withimageset"] == "yes":
        _image(task, table, kept, chosen, of)
    if chosen["expression"] != "true":
        task.say(f"selected {len(kept)} rows from the input table.", of)
    if chosen["withfilteredset"] == "yes" and chosen["keepfilteroutput"] == "yes":
        _filtered(task, hdus, place, kept, selection, chosen, of)
    if chosen["withrateset"] == "yes":
        _rate(task, table, kept, chosen)
    if chosen["withspectrumset"] == "yes":
        _spectrum(task, table, kept, chosen)
    return len(kept)


def select(task, table, expression, of="evselect"):
    """Return the rows that are selected, and the expression."""
    names = [name for name, _ in table.columns()]
    try:
        selection = Selection(expression, names, lambda name: _macro(table, name), lambda path: _gti(task, path))
    except SelectionError as problem:
        task.fail("expressionSyntaxError", f"In the selection expression `{expression}': {problem}.", of)
    return [row for row in table.rows() if selection.test(row)], selection


def _macro(table, name):
    """What stands for ``#XMMEA_EP``: the header says it."""
    return table.get(name)


def _gti(task, path):
    hdus, place = task.open_table(path)
    names = [name for name, _ in hdus[place].columns()]
    if "START" not in names or "STOP" not in names:
        task.fail("columnNotFound", f"The column with name 'START' could not be found in '{path}'.")
    return events.read_gti(hdus[place])


def pack(table, rows):
    """Rows as they stand in a file."""
    import struct

    one = struct.Struct(fits.row_format([form for _, form in table.columns()]))
    return b"".join(one.pack(*row) for row in rows)


def _filtered(task, hdus, place, kept, selection, chosen, of):
    made = [hdu.copy() for hdu in hdus]
    made[place] = hdus[place].with_rows(pack(hdus[place], kept), len(kept))
    writes = chosen["writedss"] == "yes"
    if chosen["updateexposure"] == "yes" and not writes:
        task.warn(
            "ExpNoDss",
            "Exposure update requested without writing of the data subspace. Exposure information is likely to be"
            " incorrect.",
            of,
        )
    if selection.files and writes:
        good = None
        for path in selection.files:
            found = _gti(task, path)
            good = found if good is None else events.common(good, found)
        made += _subspace(made, place, good, chosen["updateexposure"] == "yes")
    table = made[place]
    table.set("SLCTEXPR", chosen["expression"])
    task.write(chosen["filteredset"], made)


def _subspace(made, place, good, update):
    """Say in the header which times are good on which CCD; returns the tables of them."""
    table, before = made[place], {}
    for number in range(1, 100):  # what an earlier selection has said, else the standard good times
        found = table.get(f"{'' if number == 1 else number}DSREF2")
        if found is None:
            break
        before[table.get(f"{'' if number == 1 else number}DSVAL1")] = found[1:]
    named = {hdu.name: hdu for hdu in made if hdu.name}
    for hdu in made:
        if hdu.name.startswith("STDGTI"):
            before.setdefault(str(int(hdu.name[6:])), hdu.name)
    used = [name for name in before.values() if name.startswith("GTI")]
    made[:] = [hdu for hdu in made if hdu.name not in used]
    table.drop("DSTYP", "DSUNI", "DSFORM")
    table.cards = [card for card in table.cards if card.lstrip("0123456789")[:5] not in ("DSVAL", "DSREF")]
    for key, value in (("DSTYP1", "CCDNR"), ("DSTYP2", "TIME"), ("DSFORM2", "D"), ("DSUNI2", "s")):
        table.set(key, value)
    tables = []
    for block, ccd in enumerate(sorted(before, key=int)):
        prefix, name = "" if block == 0 else str(block + 1), f"GTI{block:03}02"
        intervals = events.common(events.read_gti(named[before[ccd]]), good)
        table.set(f"{prefix}DSVAL1", ccd)
        table.set(f"{prefix}DSVAL2", "TABLE")
        table.set(f"{prefix}DSREF2", f":{name}")
        tables.append(events.gti(name, intervals, int(ccd)))
        if update:
            _exposure(table, named.get(f"EXPOSU{int(ccd):02}"), intervals, int(ccd))
    if update and before:
        first = min(int(ccd) for ccd in before)
        table.set("ONTIME", table.get(f"ONTIME{first:02}"))
        table.set("LIVETIME", table.get(f"LIVETI{first:02}"))
    return tables


def _exposure(table, frames, intervals, ccd):
    """Exposure of a CCD: the frames that lie wholly in a good time."""
    live = 0.0
    for time, length, fraction in frames.rows() if frames else ():
        if any(start <= time - length / 2 and time + length / 2 <= stop for start, stop in intervals):
            live += length * fraction
    table.set(f"ONTIME{ccd:02}", float(sum(stop - start for start, stop in intervals)))
    table.set(f"LIVETI{ccd:02}", live)


def _axis(task, table, chosen, axis, of):
    """Column of an axis of an image with its first edge, size of a bin, and number of bins."""
    names = [name for name, _ in table.columns()]
    column = chosen[f"{axis}column"]
    if column not in names:
        task.fail("columnNotFound", f"The column with name '{column}' could not be found.", of)
    number = names.index(column) + 1
    low, high = table.get(f"TLMIN{number}", -19_200), table.get(f"TLMAX{number}", 19_199)
    if chosen[f"with{axis}ranges"] == "yes":
        low, high = int(float(chosen[f"{axis}imagemin"])), int(float(chosen[f"{axis}imagemax"]))
    if chosen["imagebinning"] == "binSize":
        size = max(int(float(chosen[f"{axis}imagebinsize"])), 1)
        return number, low, size, -(-(high - low + 1) // size)
    bins = int(chosen[f"{axis}imagesize"])
    return number, low, (high - low + 1) / bins, bins


def _image(task, table, kept, chosen, of):
    x, x0, x_size, width = _axis(task, table, chosen, "x", of)
    y, y0, y_size, height = _axis(task, table, chosen, "y", of)
    pixels = array("d", bytes(8 * width * height))
    for row in kept:
        i, j = int((row[x - 1] - x0) // x_size), int((row[y - 1] - y0) // y_size)
        if 0 <= i < width and 0 <= j < height:
            pixels[j * width + i] += 1
    pixels.byteswap()
    keys = [(key, table.get(key)) for key in _KEPT if table.get(key) is not None]
    for number, column, low, size in ((1, x, x0, x_size), (2, y, y0, y_size)):
        if table.get(f"TCTYP{column}") is None:
            name = chosen["xcolumn" if number == 1 else "ycolumn"]
            task.warn("NoWCS", f"No WCS information available for image column {name}.", of)
            continue
        middle = (size - 1) / 2
        keys += [(f"CTYPE{number}", table.get(f"TCTYP{column}")), (f"CUNIT{number}", "deg")]
        keys += [(f"CRPIX{number}", (table.get(f"TCRPX{column}") - low - middle) / size + 1)]
        keys += [
            (f"CRVAL{number}", table.get(f"TCRVL{column}")),
            (f"CDELT{number}", size * table.get(f"TCDLT{column}")),
        ]
        keys += [(f"CTYPE{number}L", chosen["xcolumn" if number == 1 else "ycolumn"]), (f"CRPIX{number}L", 1.0)]
        keys += [(f"CRVAL{number}L", low + middle), (f"CDELT{number}L", float(size))]
        keys += [(f"LTV{number}", 1 - (low + middle) / size), (f"LTM{number}_{number}", 1 / size)]
    times = [value for value in (table.get(f"ONTIME{ccd:02}") for ccd in range(1, 13)) if value is not None]
    keys += [("EXPOSURE", float(max(times, default=0.0))), ("SLCTEXPR", chosen["expression"])]
    image = (-64, width, height, pixels.tobytes())
    task.write(chosen["imageset"], [fits.primary(keys, image, ["stand-in for evselect: generated"])])
    task.summarise(of)


def _rate(task, table, kept, chosen):
    names = [name for name, _ in table.columns()]
    time, step = names.index(chosen["timecolumn"]), float(chosen["timebinsize"])
    start, stop = table.get("TSTART", 0.0), table.get("TSTOP", 0.0)
    if chosen["withtimeranges"] == "yes":
        start, stop = float(chosen["timemin"]), float(chosen["timemax"])
    counts = [0] * max(int(-(-(stop - start) // step)), 1)
    for row in kept:
        if start <= row[time] < stop:
            counts[int((row[time] - start) // step)] += 1
    rated = chosen["makeratecolumn"] == "yes"
    unit = "count/s" if rated else "count"
    columns = (("TIME", "D", "s"), ("RATE" if rated else "COUNTS", "E", unit), ("ERROR", "E", unit))
    divisor = step if rated else 1.0
    rows = [
        (start + step * (number + 0.5), count / divisor, count**0.5 / divisor) for number, count in enumerate(counts)
    ]
    keys = [(key, table.get(key)) for key in ("INSTRUME", "OBS_ID", "EXPIDSTR", "MJDREF", "TIMESYS") if table.get(key)]
    keys += [("TSTART", start), ("TSTOP", stop), ("TIMEDEL", step), ("SLCTEXPR", chosen["expression"])]
    made = fits.table("RATE", columns, rows, keys)
    task.write(chosen["rateset"], [fits.primary(history=["stand-in for evselect: generated"]), made])


def _spectrum(task, table, kept, chosen):
    names = [name for name, _ in table.columns()]
    column, size = names.index(chosen["energycolumn"]), int(float(chosen["spectralbinsize"]))
    low, high = 0, 11_999
    if chosen["withspecranges"] == "yes":
        low, high = int(float(chosen["specchannelmin"])), int(float(chosen["specchannelmax"]))
    counts = [0] * (-(-(high - low + 1) // size))
    for row in kept:
        if low <= row[column] <= high:
            counts[(row[column] - low) // size] += 1
    columns = (("CHANNEL", "I", ""), ("COUNTS", "J", "count"))
    keys = [("HDUCLASS", "OGIP"), ("HDUCLAS1", "SPECTRUM"), ("SPECDELT", size), ("SLCTEXPR", chosen["expression"])]
    made = fits.table("SPECTRUM", columns, list(enumerate(counts)), keys)
    task.write(chosen["spectrumset"], [fits.primary(history=["stand-in for evselect: generated"]), made])

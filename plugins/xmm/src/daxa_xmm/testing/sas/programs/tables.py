"""``merge`` and ``tabgtigen``: tables made of tables."""

from __future__ import annotations

from . import events, fits
from .evselect import identify, select


def merge(task):
    """Merge two event lists of one observation."""
    one, place = task.open_table(task["set1"], "EVENTS")
    other, second = task.open_table(task["set2"], "EVENTS")
    identify(task, one[place])
    first, last = one[place], other[second]
    if first.get("OBS_ID") != last.get("OBS_ID") and not task.true("mergedifferentobs"):
        task.fail(
            "differentObservations", f"{first.get('OBS_ID')} and {last.get('OBS_ID')} are different observations."
        )
    if first.get("INSTRUME") != last.get("INSTRUME") or first.columns() != last.columns():
        task.fail("filesNonCompatible", f"{task['set1']} and {task['set2']} cannot be merged.")
    made = [hdu.copy() for hdu in one]
    count = first.get("NAXIS2") + last.get("NAXIS2")
    made[place] = first.with_rows(first.data + last.data, count)
    table = made[place]
    for key, better in (("TSTART", min), ("TSTOP", max)):
        table.set(key, better(first.get(key), last.get(key)))
    for key in [f"{name}{ccd:02}" for name in ("ONTIME", "LIVETI") for ccd in range(1, 13)] + ["ONTIME", "LIVETIME"]:
        values = [value for value in (first.get(key), last.get(key)) if value is not None]
        if values:
            table.set(key, float(sum(values)))
    _join_good_times(made, other)
    task.say(f"{count} events in {task['outset']}")
    task.write(task["outset"], made)


def _join_good_times(made, other):
    """Put together tables of the same name, times of good and of frames."""
    named = {hdu.name: hdu for hdu in other if hdu.name}
    known = {hdu.name for hdu in made}
    for place, hdu in enumerate(made):
        more = named.get(hdu.name) if hdu.name != "EVENTS" else None
        if more is not None and hdu.name.startswith(("STDGTI", "GTI")):
            intervals = sorted([*events.read_gti(hdu), *events.read_gti(more)])
            made[place] = events.gti(hdu.name, intervals, hdu.get("CCDID"))
        elif more is not None and hdu.name.startswith("EXPOSU"):
            made[place] = hdu.with_rows(hdu.data + more.data, hdu.get("NAXIS2") + more.get("NAXIS2"))
    made += [hdu for name, hdu in named.items() if name not in known]


def tabgtigen(task):
    """Make good times of the rows of a table that an expression selects."""
    hdus, place = task.open_table(task["table"])
    table = hdus[place]
    identify(task, table)
    names = [name for name, _ in table.columns()]
    if task["timecolumn"] not in names:
        task.fail("columnNotFound", f"The column with name '{task['timecolumn']}' could not be found.")
    column = names.index(task["timecolumn"])
    kept, _ = select(task, table, task["expression"], "tabgtigen")
    times = [row[column] for row in table.rows()]
    step = times[1] - times[0] if len(times) > 1 else 1.0
    before, after = float(task["prefraction"]) * step, float(task["postfraction"]) * step
    intervals = []
    for row in kept:
        start, stop = row[column] - before, row[column] + after
        if intervals and start <= intervals[-1][1] + 1e-6 * step:
            intervals[-1] = (intervals[-1][0], stop)
        else:
            intervals.append((start, stop))
    intervals = [one for one in intervals if one[1] - one[0] >= float(task["mingtisize"])]
    path, _, name = task["gtiset"].partition(":")
    made = [fits.primary(history=["stand-in for tabgtigen: generated"]), events.gti(name or "STDGTI", intervals)]
    task.write(path, made)

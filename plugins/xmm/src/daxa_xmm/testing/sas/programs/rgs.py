"""``rgsproc``: its stages ``1:events``, ``2:angles`` and ``3:filter``; what one leaves, the next reads."""

from __future__ import annotations

from . import attitude, events, fits
from .odf import find

_STAGES = ("1:events", "2:angles", "3:filter", "4:spectra", "5:fluxing", "6:lightcurve")
_COLUMNS = (
    ("TIME", "D", "s"), ("RAWX", "I", "pixel"), ("RAWY", "I", "pixel"), ("PI", "I", "eV"), ("FLAG", "J", ""),
    ("CCDNR", "B", ""), ("BETA_CORR", "E", "rad"), ("XDSP_CORR", "E", "rad"),
)  # fmt: skip


def rgsproc(task):
    """Run the stages that are asked for."""
    stages = [next((one for one in _STAGES if task[key] in (one, one[0], one[2:])), None)
              for key in ("entrystage", "finalstage")]  # fmt: skip
    if None in stages or stages[0] > stages[1]:
        task.fail("InvalidStageRange", f"From {task['entrystage']} to {task['finalstage']} there is no stage.")
    odf = find(task)
    asked = task["instexpids"].split() if task.true("withinstexpids") else []
    there = [f"{instrument}{name}" for instrument in ("R1", "R2") for name in odf.exposures(instrument)]
    task.identify(odf.obs_id, asked[0] if asked else "")
    task.calibration()
    for one in asked:
        if one not in there:
            task.fail("unknownInstrument", f"There is no exposure {one} in {odf.directory}.")
    for one in asked or [one for one in there if one[2] == "S"]:
        exposure, stem = odf.exposure(one[:2], one[2:]), f"P{odf.obs_id}{one}"
        for stage in _STAGES[_STAGES.index(stages[0]) : _STAGES.index(stages[1]) + 1]:
            if stage > "3:filter":
                task.fail("NotImplementedHere", f"The stand-in has no stage {stage}.")
            _RUN[stage](task, odf, exposure, stem)


def _events(task, odf, exposure, stem):
    attitude.make(task, odf, f"P{odf.obs_id}OBX000ATTTSR0000.FIT", float(task["timestep"]))
    start, length = exposure["start"], exposure["stop"] - exposure["start"]
    for kind in ("attgti", "hkgti_"):
        made = [
            fits.primary(history=["stand-in for rgsproc: generated"]),
            events.gti("STDGTI", [(start, start + length)]),
        ]
        task.write(f"{stem}{kind}0000.FIT", made)
    told = events.keywords(exposure)
    rows = [(1, b"PROPOSAL", exposure["ra"], exposure["dec"])]
    columns = (("INDEX", "J", ""), ("LABEL", "12A", ""), ("RA", "D", "deg"), ("DEC", "D", "deg"))
    sources = fits.table("SRCLIST", columns, rows, told)
    task.write(f"{stem}SRCLI_0000.FIT", [fits.primary(told, history=["generated"]), sources])
    files = odf.exposures(exposure["instrument"])[exposure["exposure"]]
    ccds = [one.number for one in files if one.kind == "SPE"] or [1]
    count = 0 if task.no_events else 400
    rows = []
    for number in range(count):
        ccd = ccds[number * len(ccds) // count]
        rows.append((start + length * (number * 29 % count + 0.5) / count, number * 7 % 341, number * 11 % 127,
                     350 + 5 * number, 0 if number % 10 else 0x10, ccd, 0.0, 0.0))  # fmt: skip
    rows.sort()
    keys = [*told, ("TSTART", start), ("TSTOP", start + length), ("ANGLES", False)]
    made = [fits.primary(told, history=["stand-in for rgsproc: generated"]), fits.table("EVENTS", _COLUMNS, rows, keys)]
    task.write(f"{stem}merged0000.FIT", made)


def _angles(task, odf, exposure, stem):
    if task.no_output:
        return
    merged = task.open(f"{stem}merged0000.FIT")
    task.open(f"{stem}SRCLI_0000.FIT")
    task.open(f"P{odf.obs_id}OBX000ATTTSR0000.FIT")
    rows = [(*row[:6], 0.03 + 1e-4 * row[1], 1e-5 * (row[2] - 64)) for row in merged[1].rows()]
    table = fits.table("EVENTS", _COLUMNS, rows)
    merged[1] = merged[1].with_rows(table.data, len(rows))
    merged[1].set("ANGLES", True)
    task.warn("binning ", "_CORR cannot be binned into channels", of="rgsproc::rgsangles")
    task.write(f"{stem}merged0000.FIT", merged)


def _filter(task, odf, exposure, stem):
    if task.no_output:
        return
    merged = task.open(f"{stem}merged0000.FIT")
    task.open(f"{stem}SRCLI_0000.FIT")
    if not merged[1].get("ANGLES"):
        task.fail("columnNotFound", f"The column with name 'BETA_CORR' could not be found in '{stem}merged0000.FIT'.")
    good = None
    for kind in ("attgti", "hkgti_"):
        found = events.read_gti(task.open(f"{stem}{kind}0000.FIT")[1])
        good = found if good is None else events.common(good, found)
    rows = [row for row in merged[1].rows() if not row[4] and any(start <= row[0] <= stop for start, stop in good)]
    packed = fits.table("EVENTS", _COLUMNS, rows).data
    table = merged[1].with_rows(packed, len(rows))
    made = [merged[0].copy(), table, events.gti("STDGTI01", good, 1)]
    task.write(f"{stem}EVENLI0000.FIT", made)
    image = (-32, 17, 5, b"\0" * (4 * 17 * 5))
    task.write(f"{stem}EXPMAP0000.FIT", [fits.primary(events.keywords(exposure), image, ["generated"])])


_RUN = {"1:events": _events, "2:angles": _angles, "3:filter": _filter}

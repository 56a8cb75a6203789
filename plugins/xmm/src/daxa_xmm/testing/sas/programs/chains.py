"""``epchain`` and ``emchain``: raw files to event lists."""

from __future__ import annotations

import os
import sys

from . import attitude, events, fits
from .odf import find
from .task import ROOT


def epchain(task):
    """Make the event list of an exposure of EPIC-pn, or its out-of-time one."""
    odf = find(task, task["odf"])
    name = f"{task['schedule'].upper()}{int(task['exposure']):03}"
    if task["odfaccess"] == "oal":  # then the number counts the exposures of the instrument
        names = list(odf.exposures("PN"))
        place = int(task["exposure"])
        name = names[place - 1] if 0 < place <= len(names) else name
    task.identify(odf.obs_id, f"PN{name}")
    task.calibration()
    kinds = {"IMAGING": ("IME", "RIE"), "TIMING": ("TIE", "CTE"), "BURST": ("BUE",)}.get(task["datamode"].upper())
    if name not in odf.exposures("PN"):
        task.fail("exposure", f"exposure PN{name} not found in ODF directory {odf.directory}.")
    there = {one.number for one in odf.exposures("PN")[name] if not kinds or one.kind in kinds}
    wanted = _ccds(task, task["ccds"], 12)
    for ccd in (ccd for ccd in wanted if ccd not in there):
        task.warn("notInODF", f"requested CCD file seems to be non-existent in ODF: {name} CCD {ccd}")
    ccds = [ccd for ccd in wanted if ccd in there]
    if not ccds:
        task.fail("odffiles", "no valid file found for given specifications (data mode, exposure, etc.)")
    exposure = odf.exposure("PN", name)
    stem, steering = f"P{odf.obs_id}PN{name}", f"P{odf.obs_id}OBX000ATTTSR0000.FIT"
    if task.true("runatthkgen"):
        attitude.make(task, odf, steering, float(task["timestep"]))
    elif not task.no_output:
        task.open(steering)
    kept = f"{stem}frames0000.FIT"
    if not task.true("runepframes") and not task.no_output:
        before = task.open(kept)[0]
        if before.get("OBS_ID") != odf.obs_id or before.get("EXPIDSTR") != name:
            task.fail("constituent", f"{kept} is not of {odf.obs_id} {name}.")
    for ccd in ccds:
        file = next(one for one in odf.exposures("PN")[name] if one.number == ccd)
        odf.header(file)  # a raw file that is no FITS file ends the chain
        task.say(f"CCD {ccd:>2}: {file.name}", "epframes")
    out_of_time = task.true("withoutoftime")
    output = f"{stem}{'OO' if out_of_time else 'PI'}EVLI0000.FIT"
    output = output if task.true("usecanonicalnames") else task["outset"]
    events.make(task, ROOT, output, exposure, ccds, out_of_time=out_of_time)
    if task["keepintermediate"] in ("all", "raw"):
        task.write(kept, [fits.primary([*events.keywords(exposure)], history=["stand-in for epframes: generated"])])
    if task.true("runbackground"):
        _background(task, f"{stem}FBKTSR0000.FIT", exposure)


def emchain(task):
    """Make the event lists of exposures of EPIC-MOS."""
    odf = find(task, task["odf"])
    instruments = task["instruments"].upper().split() or ["M1", "M2"]
    if not set(instruments) <= {"M1", "M2"}:
        task.fail("ParamNotInRange", f"The value `{task['instruments']}' of the parameter `instruments' is not M1/M2.")
    asked = task["exposures"].split()
    chosen = [
        (instrument, name)
        for instrument in instruments
        for name in odf.exposures(instrument)
        if not asked or name in asked or str(int(name[1:])) in asked
    ]
    if not chosen:
        task.identify(odf.obs_id, f"{instruments[0]}{asked[0] if asked else ''}")
        task.fail("odffiles", f"no files of {' '.join(instruments)} {' '.join(asked)} found in {odf.directory}.")
    task.identify(odf.obs_id, "".join(chosen[0]))
    task.calibration()
    if task.true("makeflaregti"):
        _need_heasoft(task)
    attitude.make(task, odf, f"P{odf.obs_id}OBX000ATTTSR0000.FIT")
    for instrument, name in chosen:
        _mos(task, odf, instrument, name)


def _mos(task, odf, instrument, name):
    exposure = odf.exposure(instrument, name)
    wanted = _ccds(task, task["ccds"] or "1-7", 7)
    files = [one for one in odf.exposures(instrument)[name] if one.number in wanted]
    for one in files:
        odf.header(one)
    stem = f"P{odf.obs_id}{instrument}{name}"
    for kinds, letters, mode in ((("IME", "RIE"), "MI", "IMAGING"), (("TIE", "CTE"), "TI", "TIMING")):
        ccds = sorted({one.number for one in files if one.kind in kinds})
        if ccds:
            events.make(task, ROOT, f"{stem}{letters}EVLI0000.FIT", {**exposure, "datamode": mode}, ccds)
    if not any(one.kind in ("IME", "RIE", "TIE", "CTE") for one in files):
        task.fail("odffiles", f"no event files of {instrument}{name} found in {odf.directory}.")
    if task.true("makeflaregti"):
        _background(task, f"{stem}FBKTSR0000.FIT", exposure)


def _background(task, path, exposure):
    """Light curve of the background: quiet, with a flare in the last third as the events have it."""
    start, length = exposure["start"], exposure["stop"] - exposure["start"]
    rows = [(start + length * (number + 0.5) / 50, 3.0 if 35 <= number < 40 else 0.8, 0.1) for number in range(50)]
    columns = (("TIME", "D", "s"), ("RATE", "E", "count/s"), ("ERROR", "E", "count/s"))
    told = events.keywords(exposure)
    task.write(path, [fits.primary(told, history=["generated"]), fits.table("RATE", columns, rows, told)])


def _ccds(task, text, most):
    """Read a list of CCDs, ``1,6-9,12``."""
    made = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            task.fail("ccdlist", f"list of CCDs cannot be expanded: {text}")
        made += range(int(first), int(last or first) + 1)
    outside = [ccd for ccd in made if not 1 <= ccd <= most]
    if outside:
        task.fail("ccd", f"CCD number {outside[0]} out of range [1-{most}]")
    return made


def _need_heasoft(task):
    """See that HEASoft's ``lcurve`` is there and can be started: it is used to make the light curve of flares."""
    import subprocess  # here alone: most starts are spared it

    places = [os.path.join(place, "lcurve") for place in os.environ.get("PATH", "").split(":")]
    program = next((place for place in places if os.access(place, os.X_OK)), None)
    if program is None:
        task.fail("constituent", "lcurve is not on the search path; HEASoft is needed for makeflaregti=yes.")
    sys.stdout.flush()
    done = subprocess.run([program], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode:
        sys.stderr.write(done.stderr.decode())
        task.fail("constituent", "lcurve could not be run.")

"""``emanom``: whether CCDs of MOS are in an anomalous state."""

from __future__ import annotations

from . import evselect

_CORNER = "(PATTERN<=12)&&((FLAG & 0x10000)!=0)&&(CCDNR == {ccd})"
_LIMITS = {("mos1", 4): (2.75, 3.0), ("mos1", 5): (2.25, 3.6), ("mos2", 2): (2.1, 2.5), ("mos2", 5): (2.25, 3.6)}
"""Hardness at which a CCD is bad, and at which it is good; others are never anomalous."""


def emanom(task):
    """Compare hard with soft counts in the corners of each CCD; write the log, and keywords into the event list."""
    path = task["eventfile"]
    hdus, place = task.open_table(path, "EVENTS")
    table = hdus[place]
    camera = {"EMOS1": "mos1", "EMOS2": "mos2"}.get(table.get("INSTRUME"))
    if camera is None:
        task.fail("invalidInstrument", f"{path} is no event list of EPIC-MOS.")
    evselect.identify(task, table)
    task.calibration()
    there = {row[-1] for row in table.rows()}
    lines = []
    for ccd in range(1, 8):
        soft, hard = (
            len(evselect.select(task, table, f"{_CORNER.format(ccd=ccd)}&&(PI in [{low}:{high}])")[0])
            for low, high in ((400, 800), (2500, 5000))
        )
        ratio = hard / soft if soft else 0.0
        error = ratio * (1 / soft + 1 / hard) ** 0.5 if soft and hard else 0.0
        state = "O" if ccd not in there else _state(camera, ccd, ratio) if soft and hard else "U"
        lines.append(f"CCD: {ccd} Hardness ratio: {ratio:8.3f} +/- {error:7.3f} Status: {state}\n")
        for key, value in ((f"ANOMHR{ccd}", ratio), (f"ANOMHE{ccd}", error), (f"ANOMFL{ccd}", state)):
            hdus[0].set(key, value)
    if task.true("writekeys"):
        task.write(path, hdus)
    if task.true("writelog"):
        task.write_text(f"{camera}{table.get('EXPIDSTR')}-anom.log", "".join(lines))
    if task.true("keepcorner"):
        kept, _ = evselect.select(task, table, "(FLAG & 0x10000)!=0")
        made = [hdu.copy() for hdu in hdus]
        made[place] = table.with_rows(evselect.pack(table, kept), len(kept))
        task.write(task["cornerfile"], made)


def _state(camera, ccd, ratio):
    bad, good = _LIMITS.get((camera, ccd), (0.0, 0.0))
    return "G" if ratio >= good else "B" if ratio < bad else "I"

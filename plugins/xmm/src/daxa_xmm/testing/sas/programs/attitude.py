"""Attitude of the spacecraft as a time series."""

from __future__ import annotations

from . import fits
from .met import seconds
from .odf import find

_COLUMNS = (
    ("TIME", "D", "sec"),
    *((name, "D", "degrees") for name in ("AHFRA", "AHFDEC", "AHFPA", "OMRA", "OMDEC", "OMPA")),
    *((name, "D", "degrees") for name in ("DAHFPNT", "DOMPNT", "DAHFOM")),
)


def make(task, odf, path, step=1.0):
    """Write the attitude time series; a hundred lines at most, since the pointing here never moves."""
    spans = [odf.span(one) for one in odf.files if one.exposure[0] in "SU" and one.name.endswith(".FIT")]
    start, end = min(span[0] for span in spans), max(span[1] for span in spans)
    first, length = seconds(start), seconds(end) - seconds(start)
    step = max(step, length / 99)
    ra, dec, angle = odf.pointing()
    row = (ra, dec, angle, ra, dec, angle, 0.0, 0.0, 0.0)
    rows = [(first + step * number, *row) for number in range(int(length / step) + 1)]
    keys = [("TELESCOP", "XMM"), ("OBS_MODE", "POINTING"), ("OBS_ID", odf.obs_id), ("DATE-OBS", start)]
    keys += [("DATE-END", end), ("MAHFRA", ra), ("MAHFDEC", dec), ("MAHFPA", angle), ("NATT", len(rows))]
    history = ["stand-in for atthkgen: generated"]
    task.write(path, [fits.primary(keys, history=history), fits.table("ATTHK", _COLUMNS, rows)])


def atthkgen(task):
    """Make the attitude time series of SAS_ODF."""
    odf = find(task)
    task.identify(odf.obs_id)
    task.calibration()
    make(task, odf, task["atthkset"], float(task["timestep"]))

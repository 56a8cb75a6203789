"""B10 and B11: an image and a cleaned list of ten million events, against the least that must be done by hand.

B11 is measured without and with the cut of flares, which are looked for above 10 keV.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from astropy.io import fits

from tests.benchmarks.table import Row, in_turn

IDS = {"B10", "B11"}
EVENTS = 10_000_000
RUNS = 5
START, CCDS, GOOD = 2.65e8, 7, 30


@contextmanager
def event_list(events: int = EVENTS) -> Iterator[Path]:
    """A list laid out as EPIC-MOS lists are, with good times per CCD; columns are random, times ascend in each CCD."""
    random = np.random.default_rng(20261123)
    rows = np.zeros(
        events,
        dtype=[
            ("TIME", ">f8"), ("RAWX", ">i2"), ("RAWY", ">i2"), ("DETX", ">i2"), ("DETY", ">i2"), ("X", ">i4"),
            ("Y", ">i4"), ("PHA", ">i2"), ("PI", ">i2"), ("FLAG", ">i4"), ("PATTERN", "u1"), ("CCDNR", "u1"),
        ],
    )  # fmt: skip
    rows["CCDNR"] = np.sort(random.integers(1, CCDS + 1, events))
    rows["TIME"] = START
    for ccd in range(1, CCDS + 1):
        of_ccd = rows["CCDNR"] == ccd
        rows["TIME"][of_ccd] += np.sort(random.uniform(0, 40_000, np.count_nonzero(of_ccd)))
    rows["X"], rows["Y"] = random.integers(3649, 48_000, (2, events))
    rows["PI"] = np.minimum(random.exponential(2500, events), 15_000)
    rows["FLAG"] = np.where(random.random(events) < 0.05, 1 << 16, 0)
    rows["PATTERN"] = random.integers(0, 14, events)
    table = fits.BinTableHDU(rows, name="EVENTS")
    header = table.header
    header["TELESCOP"], header["INSTRUME"], header["OBS_ID"] = "XMM", "EMOS1", "0000000000"
    header["MJDREF"], header["TIMESYS"], header["RADECSYS"], header["EQUINOX"] = 50814.0, "TT", "FK5", 2000.0
    for number, (ctype, value, step) in {6: ("RA---TAN", 150.0, -1), 7: ("DEC--TAN", 2.0, 1)}.items():
        header[f"TCTYP{number}"], header[f"TCRPX{number}"], header[f"TCRVL{number}"] = ctype, 25921, value
        header[f"TCDLT{number}"], header[f"TLMIN{number}"], header[f"TLMAX{number}"] = step * 0.05 / 3600, 1, 51840
    header["TLMIN9"], header["TLMAX9"] = 0, 15_000
    header["DSTYP1"], header["DSTYP2"], header["DSVAL2"] = "CCDNR", "TIME", "TABLE"
    tables = []
    for ccd in range(1, CCDS + 1):
        prefix = "" if ccd == 1 else str(ccd)
        header[f"{prefix}DSVAL1"], header[f"{prefix}DSREF2"] = str(ccd), f":GTI00{ccd - 1}06"
        begins = START + np.linspace(0, 38_000, GOOD) + 0.1 * ccd
        tables.append(
            fits.BinTableHDU.from_columns(
                [fits.Column("START", "D", array=begins), fits.Column("STOP", "D", array=begins + 1250)],
                name=f"GTI00{ccd - 1}06",
            )
        )
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "events.fits"
        fits.HDUList([fits.PrimaryHDU(), table, *tables]).writeto(path)
        del rows, table
        yield path


def count_by_hand(path: Path, target: Path) -> None:
    """Read three columns with astropy, count with numpy, write with astropy: no filter, no good times, no record."""
    with fits.open(path) as file:
        data = file["EVENTS"].data
        x, y, energy = data["X"], data["Y"], data["PI"]
        band = (energy >= 500) & (energy <= 2000)
        flat = (y[band].astype(np.intp) - 3649) // 87 * 512 + (x[band].astype(np.intp) - 3649) // 87
        counts = np.bincount(flat, minlength=512 * 512).reshape(512, 512)
    fits.PrimaryHDU(counts.astype(np.float64)).writeto(target, overwrite=True)


def run() -> list[Row]:
    """Time both functions."""
    import daxa_native

    rows = []
    with event_list() as path:
        target, other = path.with_name("made.fits"), path.with_name("by_hand.fits")
        figure, reference, ratio = in_turn(
            lambda: daxa_native.image(path, target, [0.5, 2.0]), lambda: count_by_hand(path, other), runs=RUNS
        )
        work = f"daxa_native.image of {EVENTS:,} events"
        rows.append(Row("B10", work, figure, reference, "s", ratio, "<= 1.3 x read+count+write", ratio <= 1.3))

        daxa_native.clean_events(path, target, band=[0.2, 10.0])
        with fits.open(target) as file:
            kept = np.array(file["EVENTS"].data)

        def write() -> None:
            fits.BinTableHDU(kept).writeto(other, overwrite=True)

        figure, reference, ratio = in_turn(
            lambda: daxa_native.clean_events(path, target, band=[0.2, 10.0]), write, runs=RUNS
        )
        work = f"daxa_native.clean_events of {EVENTS:,} events"
        rows.append(Row("B11", work, figure, reference, "s", ratio, "<= 3 x astropy's write", ratio <= 3))

        figure, reference, ratio = in_turn(
            lambda: daxa_native.clean_events(path, target, band=[0.2, 10.0], flares=True), write, runs=RUNS
        )
        work = "the same with flares looked for and cut"
        rows.append(Row("B11", work, figure, reference, "s", ratio, "<= 3 x astropy's write", ratio <= 3))
    return rows

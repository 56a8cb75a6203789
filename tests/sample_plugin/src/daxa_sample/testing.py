"""Sample's part of the offline sky, and a stand-in for its software: what its tests, and the project's, run against."""

import functools
import io
import stat
from pathlib import Path

TAP, FILES = "https://sample.example/tap", "https://sample.example/archive/"
ROWS = [
    # ObsID, ra and dec in degrees (ICRS), start as MJD, seconds
    ("S0001", 150.10, -11.06, 62926.416666666664, 10_000),
    ("S0002", 150.30, -11.10, 62930.0, 5_000),
    ("S0003", 10.68, 41.27, 62957.520833333336, 20_000),
]
SUMMARY = "WIDE U001 4000 open\nWIDE U002 3000 open\nDEEP U001 50 open\nDEEP U002 4000 closed\nDEEP U003 4000 open\n"
TOOL = """#!/bin/sh
case "$1" in --version) echo "samplecal 2.1"; exit 0;; esac
for one in "$@"; do case "$one" in infile=*) in="${one#*=}";; outfile=*) out="${one#*=}";; minimum=*) ;;
  *) echo "samplecal: ERROR unknown parameter $one" >&2; exit 2;; esac; done
[ -f "$in" ] || { echo "samplecal: ERROR cannot open $in" >&2; exit 1; }
echo "samplecal: WARNING this is a stand-in" >&2
cp "$in" "$out"
"""


def add_to(sky, files=("S0001", "S0002")):
    """Add the table, a name, and the files of some observations."""
    from daxa_testing.sky import Column

    columns = [Column("obsid"), *(Column(name, "double") for name in ("ra", "dec", "start_mjd", "seconds"))]
    names = [column.name for column in columns]
    sky.add_table(TAP, "sample", columns, [dict(zip(names, row, strict=True)) for row in ROWS])
    sky.add_name("Sample Nebula", 150.2, -11.08)
    for obs_id in files:
        add_files(sky, obs_id)


def add_files(sky, obs_id):
    """Add the files of an observation."""
    for token in "wd":
        sky.add_file(f"{FILES}{obs_id}/{obs_id.lower()}_{token}_evt.fits", event_list(obs_id, 0.0, 8000.0))
    sky.add_file(f"{FILES}{obs_id}/summary.txt", SUMMARY.encode())
    for number, (token, name) in enumerate((("w", "u001"), ("w", "u002"), ("d", "u001"), ("d", "u002"), ("d", "u003"))):
        content = event_list(obs_id, 4000.0 * (number % 2), 4000.0, seed=number)
        sky.add_file(f"{FILES}{obs_id}/{obs_id.lower()}_{token}_{name}_raw.fits", content)


@functools.cache
def event_list(obs_id, start, seconds, seed=0, events=2000):
    """Make an event list: a source in the middle of a field. The header says that it is generated."""
    import numpy as np
    from astropy.io import fits

    random = np.random.default_rng(seed)
    times = np.sort(random.uniform(start, start + seconds, events))
    sky = np.clip(random.normal(512, 60, (2, events)), 1, 1024)
    columns = [
        fits.Column("TIME", "D", "s", array=times),
        fits.Column("X", "E", "pixel", array=sky[0]),
        fits.Column("Y", "E", "pixel", array=sky[1]),
        fits.Column("PI", "I", "chan", array=random.integers(20, 800, events)),
        fits.Column("FLAG", "I", array=(random.random(events) < 0.05).astype("int16")),
    ]
    table = fits.BinTableHDU.from_columns(columns, name="EVENTS")
    cards = {
        "TELESCOP": "SAMPLE", "INSTRUME": "CAMERA", "OBS_ID": obs_id, "OBJECT": "Sample Nebula", "MJDREF": 62926.0,
        "TIMEUNIT": "s", "TIMESYS": "TT", "TSTART": start, "TSTOP": start + seconds, "ONTIME": seconds,
        "LIVETIME": 0.9 * seconds, "EXPOSURE": 0.9 * seconds, "RADESYS": "ICRS", "HISTORY": "generated, not observed",
    }  # fmt: skip
    for number, (kind, centre, step) in {2: ("RA---TAN", 150.2, -0.001), 3: ("DEC--TAN", -11.08, 0.001)}.items():
        cards |= {f"TCTYP{number}": kind, f"TCRVL{number}": centre, f"TCDLT{number}": step, f"TCRPX{number}": 512.5}
        cards |= {f"TCUNI{number}": "deg", f"TLMIN{number}": 1, f"TLMAX{number}": 1024}
    table.header.update(cards)
    good = fits.BinTableHDU.from_columns(
        [fits.Column("START", "D", "s", array=[start]), fits.Column("STOP", "D", "s", array=[start + seconds])],
        name="GTI",
    )
    buffer = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), table, good]).writeto(buffer)
    return buffer.getvalue()


def install_tool(directory):
    """Write a stand-in for ``samplecal``, with the script that activates it; returns what SAMPLETOOLS is to be."""
    program = Path(directory) / "bin" / "samplecal"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(TOOL)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    (Path(directory) / "activate.sh").write_text('PATH="$SAMPLETOOLS/bin:$PATH"; export PATH\n')
    return str(directory)

"""Put the programs into a directory, as an installation of the SAS, and one of HEASoft, would be."""

from __future__ import annotations

import compileall
import json
import math
import os
import random
import shlex
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from daxa_xmm.testing.sas.programs import fits
from daxa_xmm.testing.sas.programs.events import ROW
from daxa_xmm.testing.sas.programs.start import PLACES

PROGRAMS: Final = tuple(name for name in PLACES if name != "lcurve")
"""Programs of the SAS."""
CONSTITUENTS: Final = ("EMOS1_ADUCONV_0082", "EMOS2_ADUCONV_0085", "EPN_ADUCONV_0124", "RGS1_LINCOORDS_0008",
                       "XMM_MISCDATA_0022", "XMM_BORESIGHT_0028")  # fmt: skip
"""Files of the calibration; each is a FITS header that says it is generated."""
_BUILDS: Final = {"22.1.0": "22.1.0-a8f2c2afa-20250304", "21.0.0": "xmmsas_20230412_1735-21.0.0",
                  "20.0.0": "xmmsas_20211130_0941-20.0.0", "19.1.0": "xmmsas_20210317_1624-19.1.0"}  # fmt: skip
_ENTRY = """import sys
sys.path.insert(0, {lib!r})
from standin.start import main
sys.exit(main(sys.argv[1], sys.argv[2:], {build!r}))
"""


def install(
    directory: str | Path,
    *,
    version: str = "22.1.0",
    scenario: Iterable[Mapping[str, Any]] = (),
    events: int = 1500,
) -> Path:
    """Write the programs, with calibration files and the scripts that activate them.

    Parameters
    ----------
    directory : path
        Where; it is made. ``setsas.sh`` in it activates the SAS, ``headas/headas-init.sh`` HEASoft's ``lcurve``.
    version : str
        Version of the SAS that they say they are; ``espfilt`` differs between 19, 20 and 21.
    scenario : iterable of mapping
        What is to go wrong, see :func:`write_scenario`.
    events : int
        Number of events that an exposure has with all of its CCDs.

    Returns
    -------
    Path
        The directory, absolute: what ``SAS_DIR`` is to be.
    """
    root = Path(directory).absolute()
    lib = root / "lib"
    shutil.copytree(Path(__file__).parent / "programs", lib / "standin", ignore=shutil.ignore_patterns("__pycache__"))
    build = _BUILDS.get(version, f"{version}-a8f2c2afa-20250304")
    (lib / "entry.py").write_text(_ENTRY.format(lib=str(lib), build=build))
    compileall.compile_dir(lib, quiet=2)
    for kind, ccds in (("mos", 7), ("pn", 12)):
        (lib / f"events_{kind}.bin").write_bytes(_events(events, ccds))
    _commands(root / "bin", lib / "entry.py", PROGRAMS)
    _commands(root / "headas" / "bin", lib / "entry.py", ["lcurve"])
    for name in CONSTITUENTS:
        add_constituent(root, name)
    (root / "headas" / "syspfiles").mkdir()
    (root / "headas" / "syspfiles" / "lcurve.par").write_text('mode,s,h,"ql",,,"mode"\n')
    variables = {name: shlex.quote(value) for name, value in _variables(root).items()}
    (root / "setsas.sh").write_text(
        "".join(f"{name}={variables[name]}; export {name}\n" for name in ("SAS_DIR", "SAS_PATH", "SAS_CCFPATH"))
        + f'PATH={shlex.quote(str(root / "bin"))}:"$PATH"; export PATH\n'
    )
    (root / "headas" / "headas-init.sh").write_text(
        f"HEADAS={variables['HEADAS']}; export HEADAS\n"
        f'PATH={shlex.quote(str(root / "headas" / "bin"))}:"$PATH"; export PATH\n'
        f'PFILES="$HOME/pfiles;"{shlex.quote(str(root / "headas" / "syspfiles"))}; export PFILES\n'
    )
    write_scenario(root, scenario)
    return root


def _variables(root: Path) -> dict[str, str]:
    return {
        "SAS_DIR": str(root),
        "SAS_PATH": str(root),
        "SAS_CCFPATH": str(root / "ccf"),
        "HEADAS": str(root / "headas"),
    }


def environment(root: Path) -> dict[str, str]:
    """Return the variables that are set where both scripts have been run, without PFILES, SAS_CCF and SAS_ODF.

    Parameters
    ----------
    root : Path
        What :func:`install` returned.
    """
    path = f"{root / 'bin'}{os.pathsep}{root / 'headas' / 'bin'}{os.pathsep}{os.defpath}"
    return {**_variables(root), "PATH": path}


def write_scenario(root: Path, rules: Iterable[Mapping[str, Any]]) -> None:
    """Say what is to go wrong from now on; no rules at all: nothing.

    Parameters
    ----------
    root : Path
        What :func:`install` returned.
    rules : iterable of mapping
        Rules, such as those that :mod:`daxa_xmm.testing.sas.rules` makes.
    """
    path = root / "scenario.json"
    kept = list(rules)
    if not kept:
        path.unlink(missing_ok=True)
        return
    made = path.with_suffix(".new")
    made.write_text(json.dumps({"rules": kept}, indent=1))
    made.replace(path)


def _commands(directory: Path, entry: Path, names: Iterable[str]) -> None:
    directory.mkdir(parents=True)
    for name in names:
        words = " ".join(shlex.quote(word) for word in (sys.executable, "-IS", str(entry), name))
        (directory / name).write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        (directory / name).chmod(0o755)


def add_constituent(root: Path, name: str, date: str = "2000-01-01T00:00:00") -> Path:
    """Add a file to the calibration.

    Parameters
    ----------
    root : Path
        What :func:`install` returned.
    name : str
        ``EPN_ADUCONV_0125``: what it is for, its kind, and its number; of a kind the largest number is used.
    date : str
        When it was made; an analysis of an earlier day does not use it. It holds for all observations since 2000.
    """
    keys = [("TELESCOP", "XMM"), ("VALDATE", "2000-01-01T00:00:00"), ("DATE", date), ("CATEGORY", "XMMCCF")]
    path = root / "ccf" / f"{name}.CCF"
    path.parent.mkdir(exist_ok=True)
    fits.write(path, [fits.primary(keys, history=["generated: calibrates nothing"])])
    return path


def _events(count: int, ccds: int) -> bytes:
    """Make events of a field: a source in the middle, one beside it, background, corners, and a flare.

    Times are fractions of an exposure; the flare of soft protons is from 0.70 to 0.80.
    """
    chance = random.Random(ccds)  # noqa: S311 - no secrets here
    rows = []
    for number in range(count):
        kind = chance.random()
        time = chance.random() if kind < 0.85 else 0.7 + 0.1 * chance.random()
        if kind < 0.2:
            x, y = chance.gauss(0, 150), chance.gauss(0, 150)
        elif kind < 0.3:
            x, y = chance.gauss(5_000, 200), chance.gauss(-4_000, 200)
        else:
            x, y = (chance.uniform(-19_000, 19_000) for _ in range(2))
        x, y = (int(min(max(one, -19_199), 19_199)) for one in (x, y))
        energy = int(2_500 + 6_000 * chance.random() if kind >= 0.85 else 200 * math.exp(4 * chance.random()))
        outside = math.hypot(x, y) > 17_700
        flag = 0x10000 if outside else (0x1 if chance.random() < 0.03 else 0)
        pattern = 0 if chance.random() < 0.7 else chance.randint(1, 4) if number % 6 else chance.randint(5, 12)
        ccd = _ccd(x, y, ccds)
        raw = (x + 19_200) % 600 + 1, (y + 19_200) % 600 + 1
        rows.append((time, *raw, x, y, 25_921 + x, 25_921 + y, energy // 4, energy, flag, pattern, ccd))
    return b"".join(ROW.pack(*row) for row in sorted(rows))


def _ccd(x: int, y: int, count: int) -> int:
    """CCD at a place: of MOS one in the middle and six around it, of pn three rows of four."""
    if count == 7:
        if max(abs(x), abs(y)) < 6_600:
            return 1
        return 2 + int((math.atan2(y, x) + math.pi) / (2 * math.pi) * 6) % 6
    return 1 + 4 * min((y + 19_200) // 12_800, 2) + min((x + 19_200) // 9_600, 3)

"""Every program of the stand-in SAS where a variable or the working directory is wrong: it fails as the tool would."""

import re
import subprocess

import pytest

from daxa_xmm.testing import sas

OBS = "0502671101"
PN, MOS, ATTITUDE = f"P{OBS}PNS003PIEVLI0000.FIT", f"P{OBS}M1S001MIEVLI0000.FIT", f"P{OBS}OBX000ATTTSR0000.FIT"

COMMANDS = {
    "sas": "sas --version",
    "sasversion": "sasversion",
    "cifbuild": "cifbuild withobservationdate=no",
    "cifbuild of a date": "cifbuild withobservationdate=yes observationdate=2007-10-07 analysisdate=2026-01-01",
    "odfingest": "odfingest",
    "odfingest of a directory": "odfingest withodfdir=yes odfdir={raw} outdir=.",
    "atthkgen": "atthkgen",
    "epchain": "epchain odfaccess=odf exposure=003 schedule=S",
    "epchain of a directory": "epchain odf={raw} odfaccess=odf exposure=003 schedule=S",
    "emchain": "emchain instruments=M1 exposures=S001",
    "emchain of a directory": "emchain odf={raw} instruments=M1 exposures=S001 makeflaregti=no",
    "rgsproc": "rgsproc entrystage=1:events finalstage=1:events withinstexpids=true instexpids=R1S004",
    "emanom": "emanom eventfile={work}/own.fits",
    "espfilt": "espfilt eventfile={work}/" + MOS,
    "evselect": "evselect filteredset=some.fits table={work}/" + PN,
    "merge": "merge set1={work}/" + MOS + " set2={work}/" + MOS,
    "tabgtigen": "tabgtigen expression=true table={work}/" + ATTITUDE,
    "eexpmap": f"eexpmap imageset={{work}}/image.fits attitudeset={{work}}/{ATTITUDE} eventset={{work}}/{MOS}"
    " expimageset=map.fits pimin=500 pimax=2000",
    "lcurve": "lcurve",
}
"""A command line of each program; where it takes the raw files by a parameter or by a variable, one of both."""

UNREADABLE, NO_ODF = "datasetCouldNotBeRead", "OdfSummaryFileNotFound"
CCF = {name: UNREADABLE for name in COMMANDS if name.split()[0] in (
    "odfingest", "atthkgen", "epchain", "emchain", "rgsproc", "emanom", "espfilt", "eexpmap")}  # fmt: skip
"""Programs that read the calibration; the others need none."""
ODF = {
    "cifbuild": "NoSummaryFile", "odfingest": "NoOdfFound", "epchain of a directory": NO_ODF,
    "emchain of a directory": NO_ODF, **dict.fromkeys(("atthkgen", "epchain", "emchain", "rgsproc"), ""),
}  # fmt: skip
"""Programs that find the raw files, or their summary, by SAS_ODF; the empty text: the error is that of the case."""
SILENT = ("sas", "sasversion", "lcurve")
"""Programs that write nothing where they run."""
GONE = "openForWriting"

CASES = [
    *((name, "SAS_CCF that is not there", CCF.get(name)) for name in COMMANDS),
    *((name, "SAS_CCF of another kind", "blockNotFound" if name in CCF else None) for name in COMMANDS),
    *((name, "SAS_ODF that is not there", ODF[name] or "indir" if name in ODF else None) for name in COMMANDS),
    *((name, "SAS_ODF of no raw files", ODF[name] or NO_ODF if name in ODF else None) for name in COMMANDS),
    *((name, "no SAS_ODF", ODF[name] or "odf" if name in ODF else None) for name in COMMANDS),
    *((name, "PFILES that is not there", {"lcurve": "PFILES", "emchain": "constituent"}.get(name)) for name in COMMANDS),
    *((name, "no PFILES", {"lcurve": "PFILES", "emchain": "constituent"}.get(name)) for name in COMMANDS),
    *((name, "a directory that is gone", GONE) for name in COMMANDS),
    *((name, "a directory that nobody can write to", None if name in SILENT else
       "FileIo" if name.split()[0] in ("odfingest", "emanom") else "createDatasetFailed") for name in COMMANDS),
]  # fmt: skip
"""Program, what is wrong, and the name of the error; None where the program does not care."""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return sas.install(tmp_path_factory.mktemp("sas") / "sas", events=200)


@pytest.fixture(scope="module")
def ready(root, tmp_path_factory):
    """A directory in which both chains have run, and the environment of them; not to be changed."""
    base = tmp_path_factory.mktemp("ready")
    raw, work, pfiles = (base / name for name in ("raw", "work", "pfiles"))
    for path in (raw, work, pfiles):
        path.mkdir()
    for name, content in sas.odf(OBS, ["M1S001", "PNS003", "R1S004"], revolution=1423).items():
        (raw / name).write_bytes(content)
    environment = sas.environment(root) | {
        "SAS_CCF": str(work / "ccf.cif"), "SAS_ODF": str(work / f"1423_{OBS}_SCX00000SUM.SAS"),
        "PFILES": f"{pfiles};{root / 'headas' / 'syspfiles'}",
    }  # fmt: skip
    image = f"evselect table={MOS} withimageset=yes imageset=image.fits xcolumn=X ycolumn=Y"
    for line in (
        COMMANDS["cifbuild of a date"],
        COMMANDS["odfingest of a directory"],
        COMMANDS["epchain"],
        COMMANDS["emchain"],
        image,
    ):
        subprocess.run(words(line, raw, work), env=environment, cwd=work, check=True, capture_output=True)
    return raw, work, environment


def words(line, raw, work):
    return [word.format(raw=raw, work=work) for word in line.split()]


def prepared(ready, directory, name):
    """The command line of a case, and the environment in which it works."""
    raw, work, environment = ready
    if name == "emanom":  # it writes into the list
        (directory / "own.fits").write_bytes((work / MOS).read_bytes())
        work = directory
    if name == "odfingest":  # there need not be a summary yet
        environment = {**environment, "SAS_ODF": str(raw)}
    return words(COMMANDS[name], raw, work), environment


def wrong(what, environment, work, empty, tmp_path):
    """The environment and the directory of a case."""
    changed = {
        "SAS_CCF that is not there": {"SAS_CCF": "/nowhere/ccf.cif"},
        "SAS_CCF of another kind": {"SAS_CCF": str(work / ATTITUDE)},
        "SAS_ODF that is not there": {"SAS_ODF": "/nowhere"},
        "SAS_ODF of no raw files": {"SAS_ODF": str(empty)},
        "no SAS_ODF": {"SAS_ODF": None},
        "PFILES that is not there": {"PFILES": "/nowhere;/nowhere"},
        "no PFILES": {"PFILES": None},
    }.get(what, {})
    where = "/proc" if "nobody" in what else str(tmp_path)
    return {name: value for name, value in {**environment, **changed}.items() if value is not None}, where


def test_every_program_is_tried_with_everything_that_can_be_wrong():
    assert {line.split()[0] for line in COMMANDS.values()} == {*sas.PROGRAMS, "lcurve"}
    assert len(CASES) == len({case[:2] for case in CASES}) == 9 * len(COMMANDS)


@pytest.mark.parametrize("name", list(COMMANDS))
def test_it_works_where_all_is_right(ready, tmp_path, name):
    line, environment = prepared(ready, tmp_path, name)
    done = subprocess.run(line, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not re.search(r": error \(", done.stderr)


@pytest.mark.parametrize(("name", "what", "error"), CASES, ids=[f"{name}-{what}" for name, what, _ in CASES])
def test_it_fails_as_the_tool_would(ready, tmp_path, name, what, error):
    raw, work, _ = ready
    here, empty = tmp_path / "here", tmp_path / "empty"
    for path in (here, empty):
        path.mkdir()
    line, environment = prepared(ready, tmp_path, name)
    environment, where = wrong(what, environment, work, empty, here)
    if "gone" in what:
        line = ["/bin/sh", "-c", 'cd "$0" && rmdir "$0" && exec "$@"', where, *line]
    before = {path.name: path.stat().st_mtime_ns for path in (raw, *raw.iterdir())}
    done = subprocess.run(line, env=environment, cwd=where, capture_output=True, text=True)
    if error is None:
        assert done.returncode == 0, done.stderr
        return
    assert done.returncode == 1, done.stderr
    if error == "PFILES":  # HEASoft has a form of its own
        assert re.search(r"^Error: the parameter file of lcurve .* by PFILES", done.stderr, re.M)
    else:
        assert re.findall(r"^\*\* (?:\S+): error \((.*?)\), .+$", done.stderr, re.M) == [error]
    assert not here.exists() or not {path.name for path in here.iterdir()} - {ATTITUDE}, "it left what it had begun"
    assert before == {path.name: path.stat().st_mtime_ns for path in (raw, *raw.iterdir())}

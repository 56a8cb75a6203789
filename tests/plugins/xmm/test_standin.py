"""The stand-in SAS: each program right and wrong, what a scenario makes of it, and its logs beside recorded ones."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

import daxa_native
from daxa.api import collect_caveats
from daxa.context import Context
from daxa.environments import task_environment
from daxa.tools import find
from daxa_testing import ToolConformance
from daxa_xmm.calibration import parse_cif
from daxa_xmm.messages import parse_stderr
from daxa_xmm.summary import parse_odf_sum
from daxa_xmm.testing import sas
from daxa_xmm.testing.sas import rules

DATA, PHL1811 = (Path(__file__).parents[2] / "data" / name for name in ("xmm", "phl1811"))
OBS = "0502671101"
PN, OOT = f"P{OBS}PNS003PIEVLI0000.FIT", f"P{OBS}PNS003OOEVLI0000.FIT"
MOS, ATTITUDE = f"P{OBS}M1S001MIEVLI0000.FIT", f"P{OBS}OBX000ATTTSR0000.FIT"
CIF = ("cifbuild", "calindexset=ccf.cif", "withobservationdate=yes", "observationdate=2007-10-07",
       "analysisdate=2026-01-01", "fullpath=yes")  # fmt: skip
FILTER = ("method=histogram", "withsmoothing=yes", "smooth=51", "withbinning=yes", "binsize=60", "ratio=1.2",
          "elow=2500", "ehigh=8500", "allowsigma=3.0", "keepinterfiles=yes", "limits=0.1 6.5")  # fmt: skip


class Bench:
    """An installation with the raw files of an observation, and a directory to work in."""

    def __init__(self, root, base, raw):
        self.root, self.work, self.raw = root, base / "work", raw
        for path in (self.work, base / "pfiles"):
            path.mkdir()
        self.summary = self.work / f"1423_{OBS}_SCX00000SUM.SAS"
        self.environment = sas.environment(root) | {
            "SAS_CCF": str(self.work / "ccf.cif"), "SAS_ODF": str(self.summary), "PFILES": f"{base / 'pfiles'};{root / 'headas' / 'syspfiles'}",
        }  # fmt: skip

    def run(self, *arguments, status=0, cwd=None, **more):
        environment = {name: value for name, value in (self.environment | more).items() if value is not None}
        done = subprocess.run(
            [str(one) for one in arguments], env=environment, cwd=cwd or self.work, capture_output=True, text=True
        )
        assert done.returncode == status, (done.stdout[-500:], done.stderr)
        return done

    def refused(self, *arguments, name, **more):
        """The error of a program that ends with one."""
        errors = re.findall(r"^\*\* \S+: error \((.*?)\), (.*)$", self.run(*arguments, status=1, **more).stderr, re.M)
        assert len(errors) == 1 and errors[0][0] == name, errors
        return errors[0][1]

    def prepared(self):
        self.run(*CIF)
        self.run("odfingest", f"odfdir={self.raw}", "outdir=.", "withodfdir=yes", SAS_ODF=None)
        return self

    def epchain(self, *more, **options):
        return self.run("epchain", *self.pn(), *more, **options)

    def pn(self):
        return f"odf={self.raw}", "odfaccess=odf", "exposure=003", "schedule=S", "ccds=1,2,3,4,5,6,7,8,9,10,11,12"

    def both(self):
        self.epchain("runbackground=N", "keepintermediate=raw", "withoutoftime=Y")
        return self.epchain("runatthkgen=N", "runepframes=N", "runbadpixfind=N", "runbadpix=N")

    def emchain(self, *more, **options):
        return self.run("emchain", f"odf={self.raw}", *(more or ("instruments=M1", "exposures=S001")),
                        "addtaglenoise=no", "makeflaregti=no", **options)  # fmt: skip

    def names(self):
        return {path.name for path in self.work.iterdir()}

    def table(self, name, extension="EVENTS"):
        with fits.open(self.work / name, memmap=False) as file:
            file.verify("exception")
            return file[extension].data, file[extension].header


def write_raw(directory):
    directory.mkdir()
    diagnostic = sas.Exposure(instrument="PN", name="U002", kind="DLI", ccds=[1], filter=None)
    closed = sas.Exposure(instrument="M2", name="U002", filter="CalClosed", ccds=[1, 3])
    small = sas.Exposure(instrument="PN", name="S007", mode="PrimeSmallWindow", ccds=[4])
    timing = [sas.Exposure(instrument="M1", name="U003", mode="FastUncompressed", **more)
              for more in ({"kind": "TIE", "ccds": [1]}, {"ccds": [2, 3]})]  # fmt: skip
    made = sas.odf(OBS, ["M1S001", "PNS003", "R1S004", "OMS006", diagnostic, closed, small, *timing], revolution=1423)
    for name, content in made.items():
        (directory / name).write_bytes(content)
    return directory


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    return sas.install(tmp_path_factory.mktemp("sas with a blank") / "sas")


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    return write_raw(tmp_path_factory.mktemp("data") / "raw")


@pytest.fixture
def bench(installed, raw, tmp_path):
    made = Bench(installed, tmp_path, raw)
    yield made
    sas.write_scenario(installed, [])


@pytest.fixture
def scenario(bench):
    return lambda *made: sas.write_scenario(bench.root, made)


@pytest.fixture(scope="module")
def lists(installed, raw, tmp_path_factory):
    """A directory in which both chains have run; not to be changed."""
    made = Bench(installed, tmp_path_factory.mktemp("lists"), raw).prepared()
    made.both()
    made.emchain()
    return made


@pytest.fixture
def after(bench, lists):
    """A working directory that has event lists, links to those of `lists`."""
    for path in lists.work.iterdir():
        (bench.work / path.name).symlink_to(path)
    return bench


def recorded(name):
    return gzip.decompress((DATA / f"{name}.gz").read_bytes()).decode()


def shape(line):
    """A line of a log without what differs between two runs."""
    line = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+", "<date>", line)
    line = re.sub(r"\[.*?\]", "[build]", line)
    return re.sub(r"(\w+)-\d[\d.]*\)", r"\1-<version>)", line)


# --- the setup ----------------------------------------------------------------------------------------------------


class TestSAS(ToolConformance):
    tool, version = "sas", "22.1.0"

    def installation(self, tmp_path):
        return sas.install(tmp_path / "sas")


class TestHEASoft(ToolConformance):
    tool, version = "heasoft", "1.0"

    def installation(self, tmp_path):
        return sas.install(tmp_path / "sas") / "headas"


def test_the_tool_is_found_by_what_a_user_sets(installed, tmp_path):
    spec = Context().registry.tools["sas"]
    found = find(spec, {"PATH": "/usr/bin:/bin"}, f"script:{installed / 'setsas.sh'}")
    assert found.version() == "22.1.0" and found.environment["SAS_DIR"] == str(installed)
    assert found.calibration().startswith(f"{len(sas.CONSTITUENTS)} files")
    other = find(Context().registry.tools["heasoft"], {"PATH": "/usr/bin:/bin"}, str(installed / "headas"))
    made = task_environment([found, other], tmp_path)
    subprocess.run([shutil.which("lcurve", path=made["PATH"])], env=made, check=True, stdout=subprocess.DEVNULL)
    assert (tmp_path / ".pfiles" / "lcurve.par").exists()
    for version in ("20.0.0", "21.0.0", "23.0.0"):
        there = sas.install(tmp_path / version, version=version)
        assert find(spec, {"PATH": "/usr/bin:/bin"}, str(there)).version() == version


def test_every_program_of_the_table_is_there_and_tells_its_version(bench):
    for name in sas.PROGRAMS:
        told = bench.run(name, "--version").stdout
        assert re.fullmatch(rf"{name} \({name}-[\d.]+\) \[22\.1\.0-\S+\]\n", told)
        assert f"\n{name} " in sas.__doc__
    assert bench.run("lcurve", "--version").stdout.startswith("lcurve Version 1.0")
    system = bench.root / "headas" / "syspfiles"
    for wrong in ("", f"/nowhere;{system}", f"{bench.work};/nowhere"):
        assert "by PFILES" in bench.run("lcurve", status=1, PFILES=wrong).stderr
    bench.run("lcurve")
    assert not bench.names()


def test_sasversion_tells_what_is_set(bench):
    lines = bench.run("sasversion", SAS_PATH=None).stdout.split("\n")
    assert lines[0] == "sasversion:- Executing (routine): sasversion  -w 1 -V 4"
    assert "sasversion:- XMM-Newton SAS release and build information:" in lines
    assert "SAS release: 22.1.0-a8f2c2afa-20250304" in lines and f"SAS_ODF = {bench.summary}" in lines
    assert not [line for line in lines if line.startswith("SAS_PATH")]


def test_cifbuild(bench):
    log = bench.run(*CIF).stdout
    assert "cifbuild:- Observation date: 2007-10-07T00:00:00.000\n" in log
    rows, header = bench.table("ccf.cif", "CALINDEX")
    assert len(rows) == len(sas.CONSTITUENTS) and header["CATEGORY"] == "XMMCCF"
    assert rows["FNAME"][0] == str(bench.root / "ccf" / "EMOS1_ADUCONV_0082.CCF") and rows["ISSUE"][0] == 82
    real = gzip.decompress((DATA / "0201903501_ccf.cif.gz").read_bytes())
    with fits.open(bench.work / "ccf.cif") as file, fits.HDUList.fromstring(real) as theirs:
        assert file[1].columns.names == theirs[1].columns.names and file[1].columns.formats == theirs[1].columns.formats


def test_cifbuild_takes_the_newest_issue_of_the_day(bench, tmp_path):
    root = sas.install(tmp_path / "sas")
    sas.add_constituent(root, "EPN_ADUCONV_0125", "2025-06-01T00:00:00")
    for day, issue in (("2025-05-01", 124), ("2025-07-01", 125)):
        bench.run(*CIF[:-2], f"analysisdate={day}", SAS_CCFPATH=str(root / "ccf"))
        index = {entry.kind: entry for entry in parse_cif(bench.work / "ccf.cif") if entry.scope == "EPN"}
        assert index["ADUCONV"].issue == issue and index["ADUCONV"].file == f"EPN_ADUCONV_0{issue}.CCF"
    bench.refused(*CIF[:-3], "observationdate=1999-01-01", "withobservationdate=yes", name="NoCcfConstituents")


def test_cifbuild_refuses(bench, tmp_path):
    bench.refused(*CIF, name="NoCcfPath", SAS_CCFPATH=None)
    bench.refused(*CIF, name="NoCcfConstituents", SAS_CCFPATH=str(tmp_path))
    bench.refused("cifbuild", name="NoSummaryFile", SAS_ODF=None)
    bench.refused(*CIF, "observationdate=yesterday", name="ParamWrongType")
    assert not bench.names()
    bench.run("cifbuild", SAS_ODF=str(bench.raw))
    assert bench.names() == {"ccf.cif"}


def test_odfingest_makes_a_summary_that_is_read_as_a_real_one(bench):
    before = {path.name: path.read_bytes() for path in bench.raw.iterdir()}
    log = bench.prepared().run("odfingest", f"odfdir={bench.raw}", "outdir=.", "withodfdir=yes", SAS_ODF=None).stdout
    assert before == {path.name: path.read_bytes() for path in bench.raw.iterdir()}
    assert f"\nPATH {bench.raw}\n" in bench.summary.read_text()
    read = parse_odf_sum(bench.summary, OBS)
    assert {name: entry["active"] for name, entry in read.items()} == {
        "M1": True, "M2": True, "R1": True, "R2": False, "PN": True, "OM": True}  # fmt: skip
    assert read["PN"]["exposures"]["S003"] == {
        "scheduled": True, "type": "SCIENCE", "mode": "PrimeFullWindow", "filter": "Thin1",
        "ccd_modes": {str(ccd): "Imaging" for ccd in range(1, 13)}}  # fmt: skip
    unscheduled = read["PN"]["exposures"]["U002"]
    assert unscheduled == {"scheduled": False, "type": "SCIENCE", "mode": "Diagnostic", "filter": None,
                           "ccd_modes": {"1": "DiscardedLinesData"}}  # fmt: skip
    assert read["M2"]["exposures"]["U002"]["filter"] == "CalClosed"
    theirs = {shape(line) for line in recorded("sas22_odfingest.log").splitlines()}
    mine = [shape(line) for line in log.splitlines()]
    assert {mine[1], mine[3]} <= theirs and mine[-1] in theirs  # started, identified, ended
    assert mine[0].startswith("odfingest:- Executing (routine): odfingest odfdir=")
    assert "odfingest:- M1/S001 start = <date> end = <date>" in mine


def test_odfingest_refuses(bench, tmp_path):
    bench.run(*CIF)
    empty = tmp_path / "empty"
    empty.mkdir()
    ingest = ("odfingest", "outdir=.", "withodfdir=yes")
    bench.refused("odfingest", name="NoOdfFound", SAS_ODF=None)
    bench.refused(*ingest, f"odfdir={empty}", name="NoOdfFound")
    bench.refused(*ingest, f"odfdir={bench.raw}", name="datasetCouldNotBeRead", SAS_CCF="/nowhere/ccf.cif")
    told = bench.refused("odfingest", f"odfdir={bench.raw}", "outdir=/nowhere", "withodfdir=yes", name="FileIo")
    assert "/nowhere" in told
    other = write_raw(tmp_path / "other")
    (other / "1423_0502671101_SCX00000SUM.ASC").unlink()
    bench.refused(*ingest, f"odfdir={other}", name="OdfSummaryFileNotFound")
    (other / "1423_0502671102_SCX00000SUM.ASC").write_bytes(b"")
    bench.refused(*ingest, f"odfdir={other}", name="MultipleObservations")
    (other / "1423_0502671102_SCX00000SUM.ASC").unlink()
    (other / "1423_0502671101_SCX00000SUM.ASC").write_bytes(b"")
    (other / "1423_0502671101_PNS00301IME.FIT").write_bytes(b"half")
    assert "PNS00301IME" in bench.refused(*ingest, f"odfdir={other}", name="datasetCouldNotBeRead")
    (other / "1423_0502671101_PNS00301IME.FIT").unlink()
    bench.refused(*ingest, f"odfdir={other}", name="InvalidSummaryFile")


# --- the chains ---------------------------------------------------------------------------------------------------


def test_epchain_makes_the_lists_in_two_calls(bench):
    bench.prepared()
    bench.epchain("runbackground=N", "keepintermediate=raw", "withoutoftime=Y")
    assert {OOT, ATTITUDE} <= bench.names() and PN not in bench.names()
    bench.epchain("runatthkgen=N", "runepframes=N", "runbadpixfind=N", "runbadpix=N")
    rows, header = bench.table(PN)
    assert len(rows) > 1000 and set(rows["CCDNR"]) == set(range(1, 13))
    assert header["TSTART"] <= rows["TIME"].min() and rows["TIME"].max() <= header["TSTOP"]
    assert (header["OBS_ID"], header["INSTRUME"], header["EXPIDSTR"]) == (OBS, "EPN", "S003")
    assert bench.table(OOT)[1]["OOTEVT"] and not header["OOTEVT"]
    attitude, _ = bench.table(ATTITUDE, "ATTHK")
    assert np.allclose(attitude["AHFRA"], header["RA_PNT"])
    some = bench.run("epchain", *bench.pn()[:-1], "ccds=1,4-5", "runbackground=no", "SAS_X:unused=1").stderr
    assert not some and set(bench.table(PN)[0]["CCDNR"]) == {1, 4, 5}


def test_epchain_refuses(bench, tmp_path):
    bench.prepared()
    second = ("epchain", *bench.pn(), "runatthkgen=N", "runepframes=N")
    assert ATTITUDE in bench.refused(*second, name="datasetCouldNotBeRead")  # there has been no first call here
    bench.epchain("keepintermediate=none", "runbackground=N")
    assert "frames" in bench.refused(*second, name="datasetCouldNotBeRead")
    pn = bench.pn()
    done = bench.run("epchain", *pn, status=1, SAS_CCF=None, cwd=tmp_path).stderr
    assert "** epchain: warning (SAS_CCF), ccf.cif or environment variable SAS_CCF not found\n" in done
    bench.refused("epchain", *pn, name="datasetCouldNotBeRead", SAS_CCF=str(bench.raw / "MANIFEST.100000"))
    bench.refused("epchain", *pn, name="blockNotFound", SAS_CCF=str(bench.raw / f"1423_{OBS}_SCX00000ATS.FIT"))
    bench.refused("epchain", *pn[1:], name="odf", SAS_ODF=None)
    bench.refused("epchain", "odf=/nowhere", *pn[1:], name="indir")
    bench.refused("epchain", *pn, name="OdfSummaryFileNotFound", SAS_ODF=None)
    bench.refused("epchain", *pn, name="OdfSummaryFileNotFound", SAS_ODF="/nowhere/x_SUM.SAS")
    bench.refused("epchain", *pn, "exposure=9", name="exposure")
    bench.refused("epchain", *pn, "ccds=13", name="ccd")
    bench.refused("epchain", *pn, "ccds=2-", name="ccdlist")
    bench.refused("epchain", *pn, "datamode=TIMING", name="odffiles")
    (tmp_path / "moved").mkdir()
    moved = bench.summary.read_text().replace(f"PATH {bench.raw}", f"PATH {tmp_path / 'moved'}")
    (tmp_path / "moved" / bench.summary.name).write_text(moved)
    bench.refused("epchain", f"odf={tmp_path / 'moved'}", *pn[1:], name="exposure")


def test_chains_take_the_ccds_that_the_odf_has(bench):
    bench.prepared()
    done = bench.run("epchain", f"odf={bench.summary}", "odfaccess=odf", "exposure=7", "schedule=S", "ccds=3-5")
    assert done.stderr == (
        "** epchain: warning (notInODF), requested CCD file seems to be non-existent in ODF: S007 CCD 3\n"
        "** epchain: warning (SummaryOfWarnings), \n   warning notInODF silently occurred 1 times\n"
    )
    rows, header = bench.table(f"P{OBS}PNS007PIEVLI0000.FIT")
    assert set(rows["CCDNR"]) == {4} and header["SUBMODE"] == "PrimeSmallWindow"
    bench.emchain("instruments=M2", "exposures=U002")
    rows, header = bench.table(f"P{OBS}M2U002MIEVLI0000.FIT")
    assert set(rows["CCDNR"]) == {1, 3} and header["FILTER"] == "CalClosed"
    bench.emchain("instruments=M1", "exposures=U003")
    for letters, mode, ccds in (("MI", "IMAGING", {2, 3}), ("TI", "TIMING", {1})):
        rows, header = bench.table(f"P{OBS}M1U003{letters}EVLI0000.FIT")
        assert set(rows["CCDNR"]) == ccds and header["DATAMODE"] == mode
    exposures = parse_odf_sum(bench.summary, OBS)["M1"]["exposures"]
    assert exposures["U003"]["ccd_modes"] == {"1": "Timing", "2": "Imaging", "3": "Imaging"}


def test_emchain(bench, tmp_path):
    bench.prepared()
    done = bench.emchain()
    assert not done.stdout and "emchain:- emchain (emchain-" in done.stderr  # its manual: all text to standard error
    rows, header = bench.table(MOS)
    assert set(rows["CCDNR"]) == set(range(1, 8)) and header["INSTRUME"] == "EMOS1" and header["FILTER"] == "Thin1"
    assert bench.names() >= {MOS, ATTITUDE} and not [name for name in bench.names() if "M2" in name]
    flares = ("emchain", f"odf={bench.raw}", "instruments=M1", "exposures=S001")
    bench.run(*flares)
    assert f"P{OBS}M1S001FBKTSR0000.FIT" in bench.names()
    for wrong in ({"PFILES": f"{tmp_path / 'nowhere'};/sys"}, {"PATH": f"{bench.root / 'bin'}:/usr/bin:/bin"}):
        bench.refused(*flares, name="constituent", **wrong)
    bench.refused("emchain", f"odf={bench.raw}", "instruments=M1", "exposures=S009", name="odffiles")
    bench.refused("emchain", f"odf={bench.raw}", "instruments=PN", name="ParamNotInRange")
    bench.refused(*flares, name="datasetCouldNotBeRead", SAS_CCF="/nowhere")


def test_rgsproc_hands_on_from_stage_to_stage(bench, tmp_path):
    bench.prepared()
    wanted = ("withinstexpids=true", "instexpids=R1S004")
    stem = f"P{OBS}R1S004"
    for number, stage in enumerate(("1:events", "2:angles", "3:filter")):
        if number:
            missing = bench.refused("rgsproc", f"entrystage={stage}", f"finalstage={stage}", *wanted, cwd=tmp_path,
                                    name="datasetCouldNotBeRead")  # fmt: skip
            assert f"{stem}merged0000.FIT" in missing
        log = bench.run("rgsproc", f"entrystage={stage}", f"finalstage={stage}", *wanted).stdout
    assert bench.names() >= {f"{stem}{name}" for name in ("merged0000.FIT", "EVENLI0000.FIT", "EXPMAP0000.FIT")}
    merged, clean = bench.table(f"{stem}merged0000.FIT")[0], bench.table(f"{stem}EVENLI0000.FIT")[0]
    assert 0 < len(clean) < len(merged) and (merged["BETA_CORR"] > 0).all()
    theirs = next(line for line in recorded("sas22_rgsproc.log").splitlines() if "Executing (routine): rgsproc" in line)
    mine = log.splitlines()[0].replace(
        "entrystage=3:filter finalstage=3:filter", "entrystage=1:events finalstage=6:lightcurve"
    )
    assert mine.replace("withinstexpids=yes instexpids=R1S004", "withinstexpids=no instexpids=''") == theirs
    bench.refused("rgsproc", "entrystage=3:filter", "finalstage=1:events", *wanted, name="InvalidStageRange")
    bench.refused("rgsproc", "withinstexpids=true", "instexpids=R2S005", name="unknownInstrument")
    bench.refused("rgsproc", *wanted, name="odf", SAS_ODF=None)


# --- filters ------------------------------------------------------------------------------------------------------


def test_espfilt_leaves_what_its_manual_says(after):
    after.run("espfilt", f"eventfile={PN}", "withoot=yes", f"ootfile={OOT}", *FILTER, "rangescale=15.0")
    expected = {f"pnS003-{what}.fits" for what in ("gti", "allevc", "allevcoot", "fovim", "fovlc", "corev", "corevc")}
    assert expected | {"pnS003-hist.qdp"} <= after.names()
    good = after.table("pnS003-gti.fits", "STDGTI")[0]
    rows, header = after.table(PN)
    flare = header["TSTART"] + 0.75 * (header["TSTOP"] - header["TSTART"])
    assert not any(start <= flare <= stop for start, stop in zip(good["START"], good["STOP"], strict=True))
    clean = after.table("pnS003-allevc.fits")[0]
    inside = (rows["TIME"][:, None] >= good["START"]) & (rows["TIME"][:, None] <= good["STOP"])
    kept = inside.any(axis=1) & (rows["PATTERN"] <= 4) & ((rows["FLAG"] & 0xFB0000) == 0)
    assert len(clean) == np.count_nonzero(kept) > 0
    after.run("espfilt", f"eventfile={MOS}", "withoot=no", "ootfile=dataset", *FILTER)
    assert {"mos1S001-gti.fits", "mos1S001-allevc.fits", "mos1S001-hist.qdp"} <= after.names()
    assert "mos1S001-allevcoot.fits" not in after.names()


def test_espfilt_log_has_the_lines_of_the_recorded_one(after, tmp_path):
    old = sas.install(tmp_path / "sas20", version="20.0.0")
    after.environment |= sas.environment(old)
    arguments = (
        "withoot=no",
        "ootfile=dataset",
        *FILTER[:-2],
        "keepinterfiles=no",
        "limits=0.1 6.5",
        "withlongnames=yes",
    )
    done = after.run("espfilt", f"eventfile={MOS}", *arguments, "rangescale=6.0")
    assert {
        "mos1S001-gti-2500-8500.fits",
        "mos1S001-allevc-2500-8500.fits",
        "mos1S001-hist-2500-8500.qdp",
    } <= after.names()
    assert "mos1S001-fovim-2500-8500.fits" not in after.names()  # it says that it deletes it

    def order(log):
        log = re.sub(r"[^\s=]*obsid\S+events\.fits", MOS, log)
        lines = [shape(line) for line in log.splitlines()]
        words = [
            line
            for line in lines
            if re.match(r"(espfilt|gtibuild|evselect):- (?! *(\w+ *=|\*\*\* sort|\*{5}|min|pl|\d|pre))", line)
        ]
        return [re.sub(r"(\d+|expression=.*? filt|.imagesize=\d+|spectralbin.*)", "", line) for line in words]

    theirs, mine = order(recorded("espfilt_0204310101M1S001_stdout.log")), order(done.stdout)
    assert theirs[0] == mine[0] and theirs[-1] == mine[-1]
    common = [line for line in mine if line in set(theirs)]
    assert len(common) >= 0.8 * len(mine)
    for line in (
        "espfilt:-  ESPFILT: Processing using the HISTOGRAM method.",
        "espfilt:-  HISTOGRAM_METHOD: Return with no errors",
    ):
        assert line in theirs and line in mine
    for log in (recorded("espfilt_0204310101M1S001_stdout.log"), done.stdout):  # what starts, ends, and starts once
        stamps = re.findall(r":- (\w+)  ?\(\1-[\d.]+\)\s+\[.*?\] (started|ended):", log)
        inner = [stamp for stamp in stamps if stamp[0] != "espfilt"]
        assert [what for _, what in inner] == ["started", "ended"] * (len(inner) // 2) and len(inner) >= 18
    errors, warnings, _ = parse_stderr(done.stderr)
    assert not errors and {entry["name"] for entry in warnings} == {"NoWCS", "SummaryOfWarnings"}


def test_espfilt_refuses(after):
    after.refused("espfilt", f"eventfile={PN}", "withlongnames=yes", name="ParamNotFound")  # it is SAS 20's
    after.refused("espfilt", "withoot=no", name="ParamMandatory")
    after.refused("espfilt", "eventfile=none.fits", name="datasetCouldNotBeRead")
    after.refused("espfilt", f"eventfile={PN}", "withoot=yes", "ootfile=none.fits", name="datasetCouldNotBeRead")
    after.refused("espfilt", f"eventfile={PN}", "method=guess", name="ParamNotInRange")
    after.refused("espfilt", f"eventfile={PN}", name="datasetCouldNotBeRead", SAS_CCF="/nowhere")
    after.refused("espfilt", f"eventfile={ATTITUDE}", name="blockNotFound")


def test_evselect_selects_and_says_by_what(after):
    after.run("espfilt", f"eventfile={PN}", "withoot=no", "ootfile=dataset", *FILTER)
    expression = "#XMMEA_EP && (PATTERN <= 4) && (FLAG .eq. 0) && (PI in [500:2000]) && GTI(pnS003-gti.fits, TIME)"
    log = after.run(
        "evselect", f"table={PN}", "filteredset=clean.fits", f"expression={expression}", "updateexposure=yes"
    ).stdout
    rows, header = after.table(PN)
    good = after.table("pnS003-gti.fits", "STDGTI")[0]
    inside = ((rows["TIME"][:, None] >= good["START"]) & (rows["TIME"][:, None] <= good["STOP"])).any(axis=1)
    kept = inside & (rows["PATTERN"] <= 4) & (rows["FLAG"] == 0) & (rows["PI"] >= 500) & (rows["PI"] <= 2000)
    clean, told = after.table("clean.fits")
    assert len(clean) == np.count_nonzero(kept) > 100
    assert f"evselect:- selected {len(clean)} rows from the input table.\n" in log
    assert told["SLCTEXPR"] == expression and told["DSREF2"] == ":GTI00002" and told["12DSREF2"] == ":GTI01102"
    assert told["ONTIME01"] == pytest.approx((good["STOP"] - good["START"]).sum())
    assert told["ONTIME01"] < header["ONTIME01"]
    assert told["LIVETI01"] <= 0.95 * told["ONTIME01"]


def test_evselect_understands_the_language_of_selections(after):
    rows = after.table(MOS)[0]
    bad, pi, ccd = rows["FLAG"].astype(np.uint32), rows["PI"], rows["CCDNR"]
    off = np.hypot(rows["DETX"] - 100.0, rows["DETY"] + 200.0)
    cases = {
        "true": np.ones(len(rows), bool),
        "#XMMEA_EM": (bad & 0x766BA000) == 0,
        "(PATTERN<=12)&&((FLAG & 0x766aa000)==0)&&!(CIRCLE(100,-200,17700,DETX,DETY))": (rows["PATTERN"] <= 12)
        & ((bad & 0x766AA000) == 0)
        & (off > 17700),
        "(DETX,DETY) in circle(100,-200,5000) || PI>8000": (off <= 5000) | (pi > 8000),
        "CCDNR in 1,2,3 && PI.gt.1000 .and. .not. (PATTERN .ne. 0)": (ccd <= 3) & (pi > 1000) & (rows["PATTERN"] == 0),
        "(PI in [:1000]) || (PI in (2000:3000))": (pi <= 1000) | ((pi > 2000) & (pi < 3000)),
        "BOX(0,0,3000,2000,0,DETX,DETY)": (abs(rows["DETX"]) <= 3000) & (abs(rows["DETY"]) <= 2000),
    }
    for expression, expected in cases.items():
        log = after.run("evselect", f"table={MOS}:EVENTS", "filteredset=some.fits", f"expression={expression}").stdout
        assert len(after.table("some.fits")[0]) == np.count_nonzero(expected), expression
        assert ("selected" in log) == (expression != "true")
    for wrong in ("PI >", "PI > 3)", "ENERGY > 3", "#XMMEA_XX", "PI in [a:b]", "PI @ 3"):
        after.refused("evselect", f"table={MOS}", f"expression={wrong}", name="expressionSyntaxError")


def test_evselect_makes_images_curves_and_spectra(after):
    grid = [
        f"{axis}{name}={value}"
        for axis in "xy"
        for name, value in (("imagebinsize", 87), ("imagemin", 3649), ("imagemax", 48106))
    ]
    band = "expression=(PI in [500:2000])"
    after.run(
        "evselect", f"table={MOS}", "imageset=image.fits", "xcolumn=X", "ycolumn=Y", "imagebinning=binSize", band, *grid
    )
    image, header = after.table("image.fits", 0)
    rows, told = after.table(MOS)
    expected = np.count_nonzero((rows["PI"] >= 500) & (rows["PI"] <= 2000))
    assert image.shape == (512, 512) and image.sum() == expected and header["BITPIX"] == -64
    assert header["CRPIX1"] == pytest.approx(256.505747126437) and header["LTV1"] == pytest.approx(-41.4367816091954)
    header["RADESYS"] = header.pop("RADECSYS")  # the SAS writes the old name, of which astropy warns
    ra, dec = WCS(header, fix=False).wcs_pix2world([[header["CRPIX1"], header["CRPIX2"]]], 1)[0]
    assert (ra, dec) == (pytest.approx(told["RA_PNT"]), pytest.approx(told["DEC_PNT"]))
    after.run("eexpmap", "imageset=image.fits", f"attitudeset={ATTITUDE}", f"eventset={MOS}", "expimageset=map.fits",
              "pimin=500", "pimax=2000")  # fmt: skip
    exposure, _ = after.table("map.fits", 0)
    assert exposure.shape == image.shape and exposure.max() == pytest.approx(told["LIVETI01"], rel=1e-3)
    assert exposure[0, 0] == 0 < exposure[256, 256]
    after.refused("eexpmap", "imageset=image.fits", f"attitudeset={MOS}", f"eventset={MOS}", "expimageset=m.fits", "pimin=1",
                  "pimax=2", name="blockNotFound")  # fmt: skip
    after.run("evselect", f"table={MOS}", "rateset=curve.fits", "timebinsize=100", "makeratecolumn=yes", band)
    curve, _ = after.table("curve.fits", "RATE")
    assert curve["RATE"].sum() * 100 == pytest.approx(expected, rel=1e-4)
    after.run("tabgtigen", "table=curve.fits", "gtiset=good.fits", "expression=(RATE <= 0.055)")
    good, _ = after.table("good.fits", "STDGTI")
    assert (good["STOP"] - good["START"]).sum() == pytest.approx(100 * np.count_nonzero(curve["RATE"] <= 0.055))
    after.refused("tabgtigen", "table=curve.fits", "expression=RATE <= 1", "timecolumn=T", name="columnNotFound")
    after.run("evselect", f"table={MOS}", "spectrumset=spectrum.fits", "energycolumn=PI", "spectralbinsize=5")
    assert after.table("spectrum.fits", "SPECTRUM")[0]["COUNTS"].sum() == np.count_nonzero(rows["PI"] < 12_000)
    after.run("atthkgen", "atthkset=attitude.fits")
    assert len(after.table("attitude.fits", "ATTHK")[0]) == 100


def test_native_programs_read_the_lists(after, tmp_path):
    after.run("espfilt", f"eventfile={MOS}", "withoot=no", "ootfile=dataset", *FILTER)
    expression = "#XMMEA_EM && (PATTERN <= 12) && (FLAG .eq. 0) && GTI(mos1S001-gti.fits,TIME)"
    after.run("evselect", f"table={MOS}", "filteredset=clean.fits", f"expression={expression}", "updateexposure=yes")
    rows, header = after.table("clean.fits")
    with collect_caveats() as caveats:
        made = daxa_native.image(after.work / "clean.fits", tmp_path / "image.fits", (0.5, 2.0))
    assert not [caveat for caveat in caveats if "disagree" in caveat.code]
    with fits.open(made) as file:
        assert file[0].data.sum() == np.count_nonzero((rows["PI"] >= 500) & (rows["PI"] <= 2000))
        assert file[0].header["LIVETIME"] == pytest.approx(header["LIVETIME"], rel=1e-4)


def test_merge(after):
    after.run("merge", f"set1={MOS}", f"set2={MOS}", "outset=merged.fits")
    merged, header = after.table("merged.fits")
    rows, told = after.table(MOS)
    assert len(merged) == 2 * len(rows) and header["ONTIME01"] == 2 * told["ONTIME01"]
    after.refused("merge", f"set1={MOS}", f"set2={PN}", name="filesNonCompatible")
    after.refused("merge", f"set1={MOS}", "set2=none.fits", name="datasetCouldNotBeRead")
    other = after.work / "other.fits"
    with fits.open(after.work / MOS) as file:
        file["EVENTS"].header["OBS_ID"] = "0000000001"
        file.writeto(other)
    after.refused("merge", f"set1={MOS}", "set2=other.fits", name="differentObservations")
    after.refused("merge", f"set1={MOS}", name="ParamMandatory")


def test_emanom_writes_a_log_and_into_the_list(after):
    own = after.work / "own.fits"
    own.write_bytes((after.work / MOS).read_bytes())
    after.run("emanom", "eventfile=own.fits", "keepcorner=no")
    lines = (after.work / "mos1S001-anom.log").read_text().splitlines()
    assert [re.match(r"CCD: (\d) Hard.* Status: ([GIBOU])$", line)[1] for line in lines] == list("1234567")
    assert after.table("own.fits", 0)[1]["ANOMFL4"] == lines[3][-1]
    before = own.read_bytes()
    after.run("emanom", "eventfile=own.fits", "writekeys=no", "keepcorner=yes")
    assert own.read_bytes() == before and "temp_corner.fits" in after.names()
    after.refused("emanom", f"eventfile={PN}", name="invalidInstrument")
    after.refused("emanom", "eventfile=own.fits", name="datasetCouldNotBeRead", SAS_CCF="/nowhere")


# --- what holds for all of them -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in sas.PROGRAMS if name != "sas"])
def test_unknown_and_wrong_parameters_are_refused(bench, name):
    assert "`nonsense'" in bench.refused(name, "nonsense=1", name="ParamNotFound")
    assert "`word'" in bench.refused(name, "word", name="ParamNotFound")
    assert not bench.names()


def test_values_of_the_wrong_kind_are_refused(bench):
    told = bench.refused("evselect", "table=x", "withimageset=perhaps", name="ParamWrongType")
    assert told == "The value `perhaps' of the parameter `withimageset' is not a boolean."
    bench.refused("evselect", "table=x", "ximagebinsize=wide", name="ParamWrongType")
    bench.refused("epchain", "exposure=first", name="ParamWrongType")


def test_a_directory_that_cannot_be_written_or_is_gone(lists, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    command = f'cd "{gone}" && rmdir "{gone}" && exec evselect table=x'
    done = subprocess.run(["/bin/sh", "-c", command], env=lists.environment, capture_output=True, text=True)
    assert done.returncode == 1 and "\n** evselect: error (openForWriting), " in f"\n{done.stderr}"
    table = f"table={lists.work / MOS}"
    lists.refused("evselect", table, "filteredset=/nowhere/x.fits", name="createDatasetFailed")


def test_the_first_lines_are_those_of_the_recorded_logs(after):
    done = after.run("evselect", f"table={PN}", "expression=true", "withfilteredset=no", "-V", "4", "-w", "1")
    theirs = next(
        line
        for line in recorded("espfilt_0502671101PNS003_stdout.log").splitlines()
        if "fovim" in line and "evselect:" in line
    )
    changed = {"table": f"table={PN}", "imageset": "imageset=image.fits", "xcolumn": "xcolumn=RAWX",
               "ycolumn": "ycolumn=RAWY", "withimageset": "withimageset=no"}  # fmt: skip
    words = [changed.get(word.partition("=")[0], word) for word in theirs.split(" ")]
    assert done.stdout.splitlines()[0] == " ".join(words)
    assert shape(done.stdout.splitlines()[1]) == "evselect:- evselect (evselect-<version>)  [build] started:  <date>"
    assert shape(done.stdout.splitlines()[-1]) == "evselect:- evselect (evselect-<version>)  [build] ended:    <date>"


def test_other_tasks_print_what_recorded_ones_do(after):
    (after.work / "attitude.fits").symlink_to(after.work / ATTITUDE)
    for name in ("pn_cl.fits", "pn_0p3-10.fits", "pn_bkg_lightcurve.fits"):
        (after.work / name).write_bytes((after.work / PN).read_bytes())
    after.run(
        "evselect",
        "table=pn_cl.fits",
        "imageset=pn_0p3-10.fits",
        "xcolumn=X",
        "ycolumn=Y",
        "ximagesize=20",
        "yimagesize=20",
    )
    after.run("evselect", "table=pn_cl.fits", "rateset=pn_bkg_lightcurve.fits", "timebinsize=100", "makeratecolumn=yes")
    eexpmap = ("imageset=pn_0p3-10.fits", "attitudeset=attitude.fits", "eventset=pn_cl.fits",
               "expimageset=pn_expmap_0p3-10.fits", "pimin=300", "pimax=10000")  # fmt: skip
    raw = {"SAS_ODF": str(after.raw)}
    theirs = [shape(line) for line in (DATA / "sas22_commands.log").read_text().splitlines()]

    def same(log, but=()):
        mine = [shape(line) for line in log.splitlines()]
        return [line for line in mine if line not in theirs and not any(word in line for word in but)]

    for path in (after.work / "ccf.cif", after.summary):  # links to those of `lists`
        path.unlink()
    assert not same(after.run("cifbuild", **raw).stdout, but=["Using the ODF"])
    log = after.run("odfingest", "-w", "1", **raw).stdout
    assert [shape(line) for line in log.splitlines()][:2] == [line for line in theirs if line.startswith("odfingest")][
        :2
    ]
    (after.work / "attitude.fits").unlink()
    assert not same(after.run("atthkgen", "atthkset=attitude.fits", "-V", "2").stdout)
    assert not same(after.run("eexpmap", *eexpmap, "-V", "2").stdout)
    log = after.run("tabgtigen", "table=pn_bkg_lightcurve.fits", "gtiset=gti_pn.fits", "expression=(RATE <= 0.25)",
                    "mingtisize=0.0", SAS_VERBOSITY="2").stdout  # fmt: skip
    assert log and not same(log)
    assert not same(after.run("sasversion", "-V", "2").stdout, but=["SAS_", "Compiled", "Platform", "="])


def test_a_start_imports_little(installed):
    """It is started by the thousand; a time would be a benchmark's, what is imported is a test's."""
    entry = (installed / "bin" / "cifbuild").read_text().splitlines()[1]
    assert " -IS " in entry and not {"-m", "-c"} & set(entry.split())
    command = [sys.executable, "-IS", "-X", "importtime", installed / "lib" / "entry.py", "sas", "--version"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    loaded = {line.rpartition("|")[2].strip() for line in told.splitlines()}
    assert "standin.task" in loaded
    assert not loaded & {"re", "json", "pathlib", "enum", "typing", "datetime", "random", "subprocess", "numpy"}


def test_raw_files_have_the_names_of_real_ones():
    made = sas.odf("0404910601", revolution=1184)
    prefix = "1184_0404910601_"
    real = recorded("1184_0404910601_SCX00000SUM.SAS")
    listed = set(re.findall(rf"^({prefix}\S+) / ODF", real, re.M))
    usual = {name for name in made if name.startswith(prefix) and re.search(r"(IME|AUX|ATS|SPE|IMI)\.FIT$", name)}
    assert len(usual & listed) >= 30 and f"{prefix}SCX00000SUM.ASC" in made
    assert all(name.startswith((prefix, "MANIFEST.")) for name in made)
    for name, content in made.items():
        if name.endswith(".FIT"):
            with fits.HDUList.fromstring(content) as file:
                file.verify("exception")
                assert file[0].header["OBS_ID"] == "0404910601"
    assert sas.odf("0404910601", revolution=1184) == made
    small = sas.odf("0404910601", revolution=1184, frames=0)
    assert list(small) == list(made) and max(map(len, small.values())) <= 2880 + 80 * len(made)


# --- scenarios ----------------------------------------------------------------------------------------------------


def test_a_scenario_makes_one_exposure_fail(after, scenario):
    scenario(rules.fails("espfilt", f"{OBS}PNS003", status=3), rules.fails("merge", "0000000001"))
    done = after.run("espfilt", f"eventfile={PN}", *FILTER, status=3)
    assert "** espfilt: error (constituent), The scenario wants this to fail.\n" in done.stderr
    assert "espfilt:- espfilt (espfilt-4.3)" in done.stdout and "pnS003-gti.fits" not in after.names()
    after.run("espfilt", f"eventfile={MOS}", *FILTER)
    after.run("merge", f"set1={MOS}", f"set2={MOS}")


@pytest.mark.parametrize("where", ["cifbuild", "odfingest", "epchain", "emchain", "rgsproc", "atthkgen"])
def test_a_scenario_reaches_commands_by_observation(bench, scenario, where, tmp_path):
    bench.prepared()
    work = tmp_path / "archive" / f"cif_build-{OBS}" / "scratch"
    work.mkdir(parents=True)
    commands = {
        "cifbuild": CIF, "odfingest": ("odfingest", f"odfdir={bench.raw}", "withodfdir=yes"),
        "epchain": ("epchain", *bench.pn()), "emchain": ("emchain", f"odf={bench.raw}"),
        "rgsproc": ("rgsproc",), "atthkgen": ("atthkgen",),
    }  # fmt: skip
    scenario(rules.fails(where, OBS, stderr="** x: error (y), z\n"))
    assert bench.run(*commands[where], status=1, cwd=work).stderr.endswith("** x: error (y), z\n")
    assert not list(work.iterdir())


def test_a_scenario_makes_it_warn(bench, scenario):
    message = "** epframes: warning (notHKconstant),  HK parameter F1725 is not constant, range = [           0 ,         256 ]. Use default:          256"
    scenario(rules.warns("epchain", f"{OBS}PNS003", message, times=110, when=["runatthkgen=N"]))
    bench.prepared()
    assert not bench.epchain("keepintermediate=raw").stderr
    done = bench.epchain("runatthkgen=N", "runepframes=N")
    _, warnings, _ = parse_stderr(done.stderr)
    example = json.loads((PHL1811 / "process_warnings_example.json").read_text())
    assert len(warnings) == 110 and warnings[example["list_index"]] == example["entry"] and PN in bench.names()


def test_a_scenario_makes_it_hang_until_it_is_ended(after, scenario):
    scenario(rules.hangs("evselect", OBS))
    process = subprocess.Popen(
        ["evselect", f"table={PN}", "filteredset=x.fits"], env=after.environment, cwd=after.work, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert b"Executing" in process.stdout.readline()
    time.sleep(0.2)
    assert process.poll() is None
    process.terminate()
    assert process.wait(10) == -15 and "x.fits" not in after.names()
    process.stdout.close()
    scenario(rules.hangs("evselect", OBS, seconds=0.1))
    after.run("evselect", f"table={PN}", "filteredset=x.fits")


def test_a_scenario_makes_it_write_nothing(bench, scenario):
    bench.prepared()
    scenario(rules.writes_nothing("epchain", OBS), rules.writes_nothing("emchain"), rules.writes_nothing("cifbuild"))
    before = bench.names()
    assert "ended:" in bench.epchain("withoutoftime=Y").stdout
    bench.emchain()
    bench.run(*CIF, "calindexset=other.cif")
    assert bench.names() == before


def test_a_scenario_makes_an_empty_event_list(bench, scenario):
    bench.prepared()
    scenario(rules.writes_no_events("epchain", f"{OBS}PNS003"))
    bench.both()
    assert len(bench.table(PN)[0]) == 0 and bench.table(PN, "STDGTI01")[0]["START"]
    told = bench.refused("espfilt", f"eventfile={PN}", "withoot=yes", f"ootfile={OOT}", *FILTER, name="noCounts")
    assert told == "All histo counts are zero! Check your FOV Lightcurve!"
    bench.run("evselect", f"table={PN}", "filteredset=clean.fits", "expression=#XMMEA_EP && PATTERN<=4")
    assert len(bench.table("clean.fits")[0]) == 0


def test_a_scenario_prints_the_recorded_logs(bench, lists, scenario):
    raw_errors = json.loads((PHL1811 / "raw_process_errors.json").read_text())
    stderr = raw_errors["xmm_pointed"]["espfilt"]["0502671101PNS003"]
    failed, done = (recorded(f"espfilt_{name}_stdout.log") for name in ("0502671101PNS003", "0204310101M1S001"))
    scenario(rules.fails("espfilt", "0502671101PNS003", stdout=failed, stderr=stderr),
             rules.says("espfilt", f"{OBS}M1S001", stdout=done))  # fmt: skip
    events = bench.work / "archive" / "processed_data" / "xmm_pointed" / "0502671101" / "events"
    events.mkdir(parents=True)
    for name in (PN, OOT, MOS, "ccf.cif"):
        (events / name).write_bytes((lists.work / name).read_bytes())
    environment = {"SAS_CCF": str(events / "ccf.cif")}
    told = bench.run(
        "espfilt",
        f"eventfile={events / PN}",
        "withoot=yes",
        f"ootfile={events / OOT}",
        *FILTER,
        status=1,
        **environment,
    )
    base = f"{bench.work / 'archive'}/"
    assert told.stdout == failed.replace("{ARCHIVE_PATH}", base) and told.stderr == stderr.replace(
        "{ARCHIVE_PATH}", base
    )
    assert parse_stderr(told.stderr)[0] == [
        "noCounts raised by espfilt - All histo counts are zero! Check your FOV Lightcurve!"
    ]
    told = bench.run("espfilt", f"eventfile={events / MOS}", *FILTER, **environment)
    assert told.stdout == done.replace("{ARCHIVE_PATH}", base) and not told.stderr
    assert "mos1S001-allevc.fits" in bench.names()


def test_a_scenario_may_be_written_by_hand(after, scenario):
    made = SimpleNamespace(path=after.root / "scenario.json")
    made.path.write_text(
        '{"rules": [{"command": "evselect", "id": "0502671101", "do": "say", "stderr": "{table} {who}\\n", "words": {"who": "me"}}]}'
    )
    assert after.run("evselect", f"table={MOS}").stderr == f"{MOS} me\n"
    sas.write_scenario(after.root, [])
    assert not made.path.exists() and not after.run("evselect", f"table={MOS}").stderr

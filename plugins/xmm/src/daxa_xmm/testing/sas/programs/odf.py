"""The raw files of an observation: which there are, and what their names and headers tell."""

from __future__ import annotations

import os

from .met import seconds

SCIENCE = {
    "IME": "Imaging", "RIE": "ReducedImaging", "TIE": "Timing", "BUE": "Burst", "CTE": "CompressedTiming",
    "ODI": "OffsetData", "DLI": "DiscardedLinesData", "SPE": "Spectroscopy", "DII": "Diagnostic",
    "IMI": "Imaging", "FAE": "Fast",
}  # fmt: skip
"""Types of files that hold data of an exposure, with the data mode they are of."""
INSTRUMENTS = ("M1", "M2", "R1", "R2", "PN", "OM")
NAMES = {"M1": "EMOS1", "M2": "EMOS2", "PN": "EPN", "R1": "RGS1", "R2": "RGS2", "OM": "OM"}


class Constituent:
    """A raw file by its name, ``1184_0404910601_M1S00110IME.FIT``."""

    __slots__ = ("ccd", "exposure", "instrument", "kind", "name", "obs_id", "revolution")

    def __init__(self, name):
        self.name = name
        self.revolution, self.obs_id, rest = name[:4], name[5:15], name[16:]
        self.instrument, self.exposure, self.ccd, self.kind = rest[:2], rest[2:6], rest[6:8], rest[8:11]

    @property
    def number(self):
        """Number of the CCD; of MOS files the first digit, the second one is the node."""
        return int(self.ccd[0]) if self.instrument in ("M1", "M2") else int(self.ccd)


def constituent(name):
    """Make a constituent of a name, None if it is not named like one."""
    right = (
        len(name) == 31
        and name[:4].isdigit()
        and name[4] == "_" == name[15]
        and name[5:15].isdigit()
        and name[18] in "SUX"
        and name[19:24].isdigit()
        and name[27:] in (".FIT", ".ASC", ".SAS")
    )
    return Constituent(name) if right else None


class ODF:
    """Raw files of one observation.

    Parameters
    ----------
    task : Task
        The task that reads them.
    directory : str
        Where they are.
    summary : str or None
        The summary that `odfingest` has made.
    """

    def __init__(self, task, directory, summary=None):
        self.task = task
        self.directory = directory
        self.summary = summary
        found = [constituent(name) for name in sorted(os.listdir(directory))]
        self.files = [one for one in found if one]
        self._headers = {}

    @property
    def obs_id(self):
        """The observation."""
        return self.files[0].obs_id

    def path(self, one):
        """Path of a constituent."""
        return os.path.join(self.directory, one.name)

    def header(self, one):
        """First header of a constituent."""
        if one.name not in self._headers:
            self._headers[one.name] = self.task.open(self.path(one))[0]
        return self._headers[one.name]

    def exposures(self, instrument):
        """Exposures of an instrument that have science files: their names and those files, scheduled ones first."""
        made = {}
        for one in self.files:
            if one.instrument == instrument and one.exposure[0] in "SU" and one.kind in SCIENCE:
                made.setdefault(one.exposure, []).append(one)
        return made

    def auxiliary(self, instrument, exposure):
        """Auxiliary file of an exposure, None if it has none."""
        wanted = (instrument, exposure, "AUX")
        return next((one for one in self.files if (one.instrument, one.exposure, one.kind) == wanted), None)

    def span(self, one):
        """Start and end of a constituent, as its header has them."""
        header = self.header(one)
        return header.get("DATE-OBS"), header.get("DATE-END")

    def exposure(self, instrument, name):
        """Keywords that event lists of an exposure have, with start and end in mission elapsed time."""
        files = self.exposures(instrument)[name]
        start, end = self.span(files[0])
        told = self.header(self.auxiliary(instrument, name) or files[0])
        ra, dec, angle = self.pointing()
        return {
            "obs_id": self.obs_id, "instrument": instrument, "exposure": name, "date_obs": start, "date_end": end,
            "start": seconds(start), "stop": seconds(end), "ra": ra, "dec": dec, "angle": angle,
            "filter": told.get("FILTER", "Unknown"), "submode": told.get("SUBMODE", "PrimeFullWindow"),
            "revolution": int(self.files[0].revolution), "object": told.get("OBJECT", ""),
            "frame": self.attitude().get("RADECSYS", "FK5"),
        }  # fmt: skip

    def pointing(self):
        """Right ascension, declination and position angle, of the spacecraft's attitude file."""
        header = self.attitude()
        return header.get("RA_PNT"), header.get("DEC_PNT"), header.get("PA_PNT")

    def attitude(self):
        """First header of the spacecraft's attitude file."""
        found = next((one for one in self.files if one.instrument == "SC" and one.kind == "ATS"), None)
        if found is None:
            self.task.fail("attitude", f"No attitude file in {self.directory}.", of="oal")
        return self.header(found)


def find(task, where=""):
    """Find the raw files a task is to read, and their summary.

    Parameters
    ----------
    task : Task
        The task.
    where : str
        What its parameter says: a directory, or a summary whose PATH leads to one; empty: SAS_ODF.
    """
    where = where or os.environ.get("SAS_ODF", "")
    if not where:
        task.fail("odf", "SAS_ODF environment variable does not exist and no data directory given.")
    if where.endswith("SUM.SAS"):
        return _of_summary(task, where)
    if not os.path.isdir(where):
        task.fail("indir", f"given data directory {where} could not be found.")
    summary = next((name for name in sorted(os.listdir(where)) if name.endswith("SUM.SAS")), None)
    if summary:
        found = _of_summary(task, os.path.join(where, summary))
        return found
    told = os.environ.get("SAS_ODF", "")
    if told.endswith("SUM.SAS"):
        found = _of_summary(task, told)
        if os.path.realpath(found.directory) == os.path.realpath(where):
            return found
    task.fail("OdfSummaryFileNotFound", f"There is no summary file *SUM.SAS in {where}; odfingest makes one.")


def _of_summary(task, path):
    try:
        with open(path, encoding="latin-1") as file:
            lines = file.read().split("\n")
    except OSError:
        task.fail("OdfSummaryFileNotFound", f"The summary file {path} could not be read.")
    told = next((line[5:].strip() for line in lines if line.startswith("PATH ")), None)
    if told is None or "OBSERVATION" not in lines:
        task.fail("InvalidSummaryFile", f"The file '{path}' does not appear to be a valid summary file.")
    directory = told if os.path.isabs(told) else os.path.join(os.path.dirname(path), told)
    if not os.path.isdir(directory):
        task.fail("indir", f"given data directory {directory} could not be found.")
    found = ODF(task, directory, path)
    obs_id = lines[lines.index("OBSERVATION") + 1][:10]
    if not found.files or found.obs_id != obs_id:
        task.fail("odffiles", f"no valid file found for observation {obs_id} in {directory}.")
    return found

"""What an observation holds: the summary (``*SUM.SAS``) that SAS's ``odfingest`` writes of a raw data directory.

A summary is a text of records. Each begins with a line that is its name (``OBSERVATION``, ``FILES``, ``INSTRUMENT``,
``EXPOSURE``, ``CONFIGURATION ...``); lines that begin with ``//`` are comments. Instruments follow one another, each
with its exposures, each of these with its configuration. What comes after them is the proposal, and free text. The file
is read as a stream, line by line, so that neither its size nor its kind can do harm.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Final

from attrs import define, field

from daxa.api import TaskError

UNDEFINED: Final = "UNDEFINED"
"""What summaries say of a mode that the housekeeping did not tell."""

LARGEST: Final = 16 * 2**20
"""Bytes of a file that is still taken for a summary: real ones have 0.3 million."""

LONGEST: Final = 8192
"""Bytes of a line; the longest one names a directory."""

INSTRUMENTS: Final = ("M1", "M2", "PN", "R1", "R2", "OM")
"""All that take data in exposures; `odfingest` writes a record for each, active or not."""

REMEDY: Final = "delete the file and run odf_ingest again; if it is still so, the raw data are incomplete"
"""What helps against a summary that cannot be used."""

_AFTER_INSTRUMENTS: Final = frozenset({"PROPOSAL", "DATA QUALITY"})
_YES_OR_NO: Final = "'Y / ...' or 'N / ...'"
_RECORDS: Final = frozenset({"OBSERVATION", "FILES", "INSTRUMENT", "EXPOSURE"})
_INSTRUMENT: Final = re.compile(r"[A-Z][A-Z0-9]\Z")
_EXPOSURE: Final = re.compile(r"[A-Z]\d{3}\Z")
_CONFIGURATION: Final = re.compile(r"CONFIGURATION(?: [A-Z ]+)?\Z")
_DATA_MODE: Final = re.compile(r"DATA_MODE_(\d{1,2})\Z")
_CONSTITUENT: Final = re.compile(r"\d{4}_(\w{10})_([A-Z][A-Z0-9])([SUX])\d{3}")
_NO_VALUE: Final = re.compile(r"[-+]?nan\Z|undefined\Z", re.IGNORECASE)
_COMMENT: Final = re.compile(r" //? ?|//? ")


class BadSummaryError(TaskError, ValueError):
    """A summary is damaged, incomplete, of another observation, or no summary at all."""

    code: ClassVar[str] = "bad-summary"


def parse_odf_sum(path: str | os.PathLike[str], obs_id: str | None = None) -> dict[str, dict[str, Any]]:
    """Read the summary that ``odfingest`` wrote of an observation.

    Whether an exposure is of use is not judged here: that is `XMMPointed.assess_process_obs`.

    Parameters
    ----------
    path : path-like
        The file, ``<revolution>_<ObsID>_SCX00000SUM.SAS``.
    obs_id : str, optional
        The observation it should be of.

    Returns
    -------
    dict
        For each instrument ``{"active": False}``, or ``{"active": True, "num_exp": int, "exposures": {...}}`` with, for
        each exposure (``S001``, ``U002``), ``scheduled`` (bool), ``type`` (``SCIENCE``), ``mode``
        (``PrimeFullWindow``, or ``UNDEFINED`` where the raw data do not tell), ``filter`` (``Thin1``, or None where
        they do not tell) and ``ccd_modes`` (``{"1": "Imaging"}``; CCD numbers are text; empty for the optical monitor,
        which has windows).

    Raises
    ------
    BadSummaryError
        The file cannot be read, is damaged or cut short, or belongs to another observation. The message names file,
        line and what was expected.

    Notes
    -----
    The format is described with SAS's ``odfingest``. A file that was cut short is told by what it announces: number of
    exposures, number of parameters, and the instruments of the files it lists.
    """
    summary = _Summary(path=Path(path), obs_id=obs_id)
    try:
        if summary.path.exists() and not summary.path.is_file():  # to open a pipe would wait for its other end
            raise summary.problem("it is not a regular file", "a text file that odfingest wrote")
        with summary.path.open("rb") as file:
            for number, line in _lines(file, summary):
                summary.number = number
                if not summary.take(line):
                    break
            else:
                summary.cut_short()
    except (OSError, ValueError) as error:
        if isinstance(error, BadSummaryError):
            raise
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise summary.problem(f"it cannot be read: {reason}", "a readable file") from error
    return summary.whole()


@define
class _Exposure:
    """One exposure, while its lines are read."""

    line: int
    name: str = ""
    scheduled: bool | None = None
    type: str | None = None
    mode: str | None = None
    filter: str | None = None
    ccd_modes: dict[str, str] = field(factory=dict)
    announced: int | None = None
    parameters: int = 0
    configured: bool = False


@define
class _Summary:
    """What is known of a file so far, and in which record its next line stands."""

    path: Path
    obs_id: str | None
    number: int = 0
    record: str = ""
    observation: str | None = None
    has_files: bool = False
    listed: dict[str, int] = field(factory=dict)
    found: dict[str, dict[str, Any]] = field(factory=dict)
    inst: str = ""
    inst_line: int = 0
    exposure: _Exposure | None = None
    broken: bool = False
    followed: bool = False

    def problem(self, what: str, expected: str, line: int | None = None, remedy: str = REMEDY) -> BadSummaryError:
        """Make the error that names file, line and what was expected."""
        at = self.number if line is None else line
        of = f" (observation {self.obs_id})" if self.obs_id else ""
        where = f"{self.path}, line {at}" if at else str(self.path)
        return BadSummaryError(
            f"{where}{of}: {what}.",
            expected=expected,
            remedy=remedy,
            path=str(self.path),
            line=at or None,
            obs_id=self.obs_id,
        )

    # --- lines ------------------------------------------------------------------------------------------------------

    def take(self, line: str) -> bool:
        """Take the next line that is no comment; False once nothing of interest can follow."""
        if line in _RECORDS or line in _AFTER_INSTRUMENTS or _CONFIGURATION.match(line):
            return self.open_record(line)
        match self.record:
            case "OBSERVATION":
                self.of_observation(line)
            case "FILES":
                self.of_files(line)
            case "INSTRUMENT":
                self.of_instrument(line)
            case "EXPOSURE":
                self.of_exposure(line)
        return True

    def open_record(self, name: str) -> bool:
        """Close what a new record ends, and begin it."""
        if name.startswith("CONFIGURATION"):
            if self.exposure is not None:
                self.exposure.configured = True  # its parameters are the exposure's
            else:
                self.record = "INSTRUMENT" if self.inst else ""
            return True
        self.close_exposure()
        if name != "EXPOSURE":
            self.close_instrument()
        elif not self.inst:
            raise self.problem("an EXPOSURE record stands outside of an instrument", "an INSTRUMENT record before it")
        if name == "INSTRUMENT":
            if not self.has_files:
                raise self.problem("an INSTRUMENT record comes before any FILES record", "a line 'FILES' above")
            self.inst_line = self.number
        self.has_files = self.has_files or name == "FILES"
        if name == "EXPOSURE":
            self.exposure = _Exposure(line=self.number)
        self.record = name
        self.followed = bool(self.found) and name in _AFTER_INSTRUMENTS  # it may stand before them, too
        return not self.followed

    def of_observation(self, line: str) -> None:
        """Learn the ObsID, and compare it with the one that is asked for."""
        value, comment = _value(line)
        if self.observation is None and comment.endswith("Identifier") and "Revolution" not in comment:
            self.observation = value
            self.compare()

    def of_files(self, line: str) -> None:
        """Learn of which instruments there are data."""
        if name := _CONSTITUENT.match(line):
            if self.observation is None:
                self.observation = name[1]
                self.compare()
            if name[3] != "X" and name[2] in INSTRUMENTS:
                self.listed.setdefault(name[2], self.number)

    def of_instrument(self, line: str) -> None:
        """Learn which instrument it is, whether it was active, and how many exposures it took, in this order."""
        value, comment = _value(line)
        if not self.inst:
            if not _INSTRUMENT.match(value):
                raise self.problem(f"{_shown(line)} is no instrument", f"one of {', '.join(INSTRUMENTS)}")
            if value in self.found:
                raise self.problem(f"instrument {value} has a second record", "one record for each instrument")
            self.inst = value
            self.found[value] = {}
        elif "active" not in self.found[self.inst]:
            if value[:1] not in ("Y", "N"):
                raise self.problem(
                    f"{_shown(line)} does not say whether {self.inst} was active", "'Y / ...' or 'N / ...'"
                )
            self.found[self.inst]["active"] = value[0] == "Y"
        elif "Number of exposures" in comment and self.found[self.inst]["active"]:
            self.found[self.inst].update(num_exp=self.count(value, line), exposures={})

    def of_exposure(self, line: str) -> None:
        """Learn what an exposure is: first lines of value and comment, then lines of name, value and comment."""
        exposure = self.exposure
        if exposure is None:
            return
        if exposure.configured and "=" in line:
            self.of_configuration(line, exposure)
            return
        value, comment = _value(line)
        if "configuration parameters" in comment:
            exposure.announced = self.count(value, line)
        elif not exposure.name and (comment.startswith("Exposure I") or "[also " in comment):
            also = comment.partition("[also ")[2].partition("]")[0].strip()
            exposure.name = also or value
        elif "scheduled exposure" in comment:
            exposure.scheduled = value.startswith("Y")
        elif comment.startswith("Exposure Type") and exposure.type is None:
            exposure.type = _word(value)
        elif "=" in line:
            self.of_configuration(line, exposure)

    def of_configuration(self, line: str, exposure: _Exposure) -> None:
        """Learn a parameter of an exposure's configuration."""
        name, _, rest = line.partition("=")
        name, (value, comment) = name.strip(), _value(rest)
        exposure.parameters += 1
        if (name == "MODE" or comment == "Instrument configuration") and exposure.mode is None:
            exposure.mode = _word(value) or UNDEFINED
        elif name == "FILTER" and exposure.filter is None:
            word = _word(value)
            exposure.filter = None if _NO_VALUE.match(word) else word or None
        elif (ccd := _DATA_MODE.match(name)) and self.inst != "OM" and "window" not in comment:
            exposure.ccd_modes[str(int(ccd[1]))] = value

    # --- ends -------------------------------------------------------------------------------------------------------

    def compare(self) -> None:
        """Refuse another observation's summary."""
        if self.obs_id is not None and self.observation != self.obs_id:
            raise self.problem(
                f"it is the summary of observation {_shown(self.observation or '')}",
                str(self.obs_id),
                remedy="give the summary of that observation",
            )

    def count(self, value: str, line: str) -> int:
        """Return a small whole number."""
        if not re.fullmatch(r"[0-9]{1,5}", value):
            raise self.problem(f"{_shown(line)} does not begin with a number", "a number of at most five digits")
        return int(value)

    def close_exposure(self) -> None:
        """Check an exposure and keep it."""
        exposure, self.exposure = self.exposure, None
        if exposure is None or not self.found[self.inst].get("active"):
            return
        info, what = self.found[self.inst], f"the exposure {exposure.name} of {self.inst}".replace("  ", " ")
        if "num_exp" not in info:
            raise self.problem(
                f"{self.inst} has exposures, but not how many", "'1 / Number of exposures ...'", self.inst_line
            )
        name = exposure.name
        if re.fullmatch(r"\d{3}", name) and exposure.scheduled is not None:  # a summary without "[also S001]"
            name = ("S" if exposure.scheduled else "U") + name
        if not _EXPOSURE.match(name):
            raise self.problem(
                f"an exposure of {self.inst} has the identifier {_shown(name)}",
                "a line such as '001 / Exposure Identifier [also S001]'",
                exposure.line,
            )
        if name in info["exposures"]:
            raise self.problem(f"{what} has a second record", "one record for each exposure", exposure.line)
        if self.inst not in INSTRUMENTS:  # releases of 2018 list the radiation monitor, which has neither
            exposure.type, exposure.mode = exposure.type or UNDEFINED, exposure.mode or UNDEFINED
        if not exposure.type:
            raise self.problem(f"{what} has no type", "a line such as 'SCIENCE / Exposure Type'", exposure.line)
        if not exposure.mode and exposure.announced is not None and exposure.parameters >= exposure.announced:
            exposure.mode = UNDEFINED  # the configuration is whole, and does not tell it
        if not exposure.mode:
            raise self.problem(
                f"{what} has no mode", "a line such as 'MODE = Imaging / Instrument configuration'", exposure.line
            )
        info["exposures"][name] = {
            "scheduled": name.startswith("S"),
            "type": exposure.type,
            "mode": exposure.mode,
            "filter": exposure.filter,
            "ccd_modes": exposure.ccd_modes,
        }

    def close_instrument(self) -> None:
        """Check that an instrument's record is whole."""
        inst, self.inst = self.inst, ""
        if not inst:
            if self.record == "INSTRUMENT":
                raise self.problem("an INSTRUMENT record is empty", "an instrument's name below it", self.inst_line)
            return
        info = self.found[inst]
        if "active" not in info:
            raise self.problem(f"whether {inst} was active is not said", _YES_OR_NO, self.inst_line)
        if not info["active"]:
            return
        if "num_exp" not in info:
            raise self.problem(
                f"the number of exposures of {inst} is not said", "'1 / Number of exposures ...'", self.inst_line
            )
        if len(info["exposures"]) != info["num_exp"]:
            raise self.problem(
                f"{inst} announces {info['num_exp']} exposures and has {len(info['exposures'])}",
                "as many EXPOSURE records as announced",
                self.inst_line,
            )

    def cut_short(self) -> None:
        """Check the end of a file that nothing follows the instruments in: it may have been cut within the last one."""
        exposure = self.exposure
        if exposure is not None and self.broken:
            raise self.problem(
                f"the file ends within a line of the exposure {exposure.name} of {self.inst}", "a whole file"
            )
        if exposure is not None and exposure.parameters < (exposure.announced or 0):
            raise self.problem(
                f"the file ends within the exposure {exposure.name} of {self.inst}",
                f"{exposure.announced} parameters, of which {exposure.parameters} are there",
            )
        self.close_exposure()
        self.close_instrument()

    def whole(self) -> dict[str, dict[str, Any]]:
        """Return what was found, if nothing is missing."""
        if not self.found:
            what = "it has no INSTRUMENT record" if self.has_files else "it has neither FILES nor INSTRUMENT records"
            raise self.problem(what, "a summary that odfingest wrote (*SUM.SAS, not *SUM.ASC)")
        for inst, line in self.listed.items():
            if inst not in self.found and not self.followed:
                raise self.problem(f"data of {inst} are listed, but it has no INSTRUMENT record", "a whole file", line)
        return self.found


def _lines(file: BinaryIO, summary: _Summary) -> Iterator[tuple[int, str]]:
    """Yield numbers and texts of the lines that are neither blank nor comments."""
    left = LARGEST
    number = 0
    while raw := file.readline(LONGEST + 1):
        number += 1
        left -= len(raw)
        summary.number = number
        if b"\0" in raw:
            raise summary.problem("it is not a text file", "a text file that odfingest wrote")
        if len(raw) > LONGEST:
            raise summary.problem(f"the line has more than {LONGEST} characters", "a text file that odfingest wrote")
        if left < 0:
            raise summary.problem(f"it has more than {LARGEST} bytes", "a summary, which has less than a million")
        line = raw.decode(errors="replace").replace("\t", " ").strip()
        summary.broken = not raw.endswith(b"\n") and "/" not in line  # what has no comment may lack half its value
        if line and not line.startswith("//"):
            yield number, line


def _value(line: str) -> tuple[str, str]:
    """Split ``value / comment`` or ``value // comment``."""
    split = _COMMENT.search(f" {line} ")
    if split is None:
        return line.strip(), ""
    return f" {line} "[: split.start()].strip(), f" {line} "[split.end() :].strip()


def _word(value: str) -> str:
    """Return the first word of a value; empty if there is none."""
    return value.partition(" ")[0]


def _shown(text: str) -> str:
    """Return a text as an error shows it."""
    return repr(text if len(text) <= 60 else f"{text[:57]}...")

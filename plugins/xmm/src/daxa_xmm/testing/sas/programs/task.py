"""What all tasks have in common: their command line, their messages, the calibration and the directory they run in."""

from __future__ import annotations

import os
import sys
import time

from . import fits
from .parameters import BOOLEANS, IMPLIED, VERSIONS, declared
from .scenario import Scenario

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
"""The directory of the installation."""


class StopError(Exception):
    """The task ends with this status; what is to be said has been said."""

    def __init__(self, status):
        super().__init__(status)
        self.status = status


class Task:
    """A task that runs.

    What it says on its standard output is kept back until it knows which data it is about (`identify`), since a
    scenario may have another text in its place.
    """

    def __init__(self, name, arguments, build):
        self.name = name
        self.build = build
        self.sas = tuple(int(part) for part in _number(build).split("."))
        self.arguments = arguments
        self.options = {}
        self.parameters = {}
        self.verbosity = 4
        self.no_output = False
        self.no_events = False
        self._shown = {}
        self._kept = []
        self._mute = False
        self._log = sys.stderr if name == "emchain" else sys.stdout  # as its manual says: all text, to standard error

    # --- messages ---------------------------------------------------------------------------------------------------

    def raw(self, text):
        """Put text into the log as it is."""
        if self._mute:
            return
        if self._kept is None:
            self._log.write(text)
        else:
            self._kept.append(text)

    def say(self, text, of=None, level=4):
        """Put a line into the log, if the verbosity is that high."""
        if self.verbosity >= level:
            self.raw(f"{of or self.name}:- {text}\n")

    def executing(self, of, text):
        """Say what another task, that this one runs, is run with."""
        self.say(f"Executing (routine): {of} {text}  -w 1 -V {self.verbosity}", of, level=1)
        self.state("started", of)

    def state(self, what, of=None):
        """Say that a task has started or ended."""
        of = of or self.name
        now = time.strftime("%Y-%m-%dT%H:%M:%S.000", time.gmtime())
        gap = "  " if what == "started" else "    "
        self.say(f"{of} ({of}-{VERSIONS[of]})  [{self.build}] {what}:{gap}{now}", of)

    def warn(self, code, message, of=None):
        """Warn; of each warning the first is shown, and the others are counted (``-w 1``)."""
        of = of or self.name
        counts = self._shown.setdefault(of, {})
        counts[code] = counts.get(code, -1) + 1
        if not counts[code] and not self._mute:
            sys.stderr.write(f"** {of}: warning ({code}), {message}\n")

    def fail(self, code, message, of=None):
        """End with an error."""
        self.release()
        if not self._mute:
            self._log.flush()
            sys.stderr.write(f"** {of or self.name}: error ({code}), {message}\n")
        raise StopError(1)

    def release(self):
        """Say what has been kept back."""
        if self._kept:
            self._log.write("".join(self._kept))
        self._kept = None

    def summarise(self, of=None):
        """Count the warnings that were not shown."""
        of = of or self.name
        silent = {code: count for code, count in self._shown.pop(of, {}).items() if count}
        if silent and not self._mute:
            lines = "".join(f"   warning {code} silently occurred {count} times\n" for code, count in silent.items())
            sys.stderr.write(f"** {of}: warning (SummaryOfWarnings), \n{lines}")

    # --- command line -----------------------------------------------------------------------------------------------

    def parse(self):
        """Read the command line.

        Options (``-V 4``, ``-w 1``, ``--odf FILE``, ``--ccf FILE``) may stand before, between and after parameters.
        """
        known = declared(self.name, self.sas)
        given, words = {}, list(self.arguments)
        chain = self.name in ("epchain", "emchain")
        while words:
            word = words.pop(0)
            option = {"-o": "odf", "--odf": "odf", "-i": "ccf", "--ccf": "ccf", "-V": "V", "-w": "w"}.get(word)
            if option:
                self.options[option] = words.pop(0) if words else ""
                continue
            key, equals, value = word.lstrip("-").partition("=")
            if chain and ":" in key:  # a parameter that is handed to one of the tasks the chain runs
                continue
            if not equals or key not in known:
                self.fail("ParamNotFound", f"The task {self.name} has no parameter `{key}'.")
            given[key] = value
        for child, parent in IMPLIED.get(self.name, {}).items():
            if child in given and parent not in given and BOOLEANS.get(given[child].lower(), True):
                given[parent] = "yes"
        for child, parent in IMPLIED.get(self.name, {}).items():  # a parent may have a parent
            if given.get(child) == "yes" and parent not in given:
                given[parent] = "yes"
        missing = [key for key, default in known.items() if default is None and not given.get(key)]
        if missing:
            self.fail("ParamMandatory", f"The mandatory parameter `{missing[0]}' of the task {self.name} is not set.")
        self.parameters = {key: self._checked(key, default, given.get(key, default)) for key, default in known.items()}
        told = self.options.get("V") or os.environ.get("SAS_VERBOSITY", "")
        self.verbosity = int(told) if told.isdigit() else 4
        if "ccf" in self.options:
            os.environ["SAS_CCF"] = self.options["ccf"]
        if "odf" in self.options:
            os.environ["SAS_ODF"] = self.options["odf"]

    def _checked(self, key, default, value):
        """Check that a value has the kind of the default."""
        if default in ("yes", "no"):
            if value.lower() not in BOOLEANS:
                self.fail("ParamWrongType", f"The value `{value}' of the parameter `{key}' is not a boolean.")
            return "yes" if BOOLEANS[value.lower()] else "no"
        if default is not None and _is_number(default) and not _is_number(value):
            self.fail("ParamWrongType", f"The value `{value}' of the parameter `{key}' is not a number.")
        return _shortest(value) if default is not None and _is_number(default) else value

    def start(self):
        """Say what is executed, as every task does."""
        text = f"{self.name} {self.described(self.parameters)}"
        self.say(f"Executing (routine): {text.rstrip()}  -w 1 -V {self.verbosity}", level=1)
        self.state("started")

    def described(self, parameters):
        """Parameters as the log shows them."""
        return " ".join(f"{key}={quoted(value)}" for key, value in parameters.items())

    def __getitem__(self, key):
        return self.parameters[key]

    def true(self, key):
        """Whether a boolean parameter is set."""
        return self.parameters[key] == "yes"

    # --- scenario ---------------------------------------------------------------------------------------------------

    def identify(self, obs_id, exposure=""):
        """Say which data the task is about, ``0502671101`` and ``PNS003``; a scenario may step in now."""
        identifier = f"{obs_id}{exposure}"
        for rule in Scenario(ROOT).rules(self.name, identifier, self.arguments):
            self._obey(rule)
        self.release()

    def _obey(self, rule):
        texts = {name: self._filled(rule, rule[name]) for name in ("stdout", "stderr", "message") if name in rule}
        if "stdout" in texts:
            self._kept = []
            self._log.write(texts["stdout"])
        if "stderr" in texts:
            self.release()
            sys.stderr.write(texts["stderr"])
        if "message" in texts:
            self.release()
            sys.stderr.write("".join(f"{texts['message']}\n" for _ in range(int(rule.get("times", 1)))))
        self._mute = self._mute or "stdout" in texts
        action = rule["do"]
        if action == "fail":
            self.release()
            raise StopError(int(rule.get("status", 1)))
        if action == "hang":
            self.release()
            self._log.flush()
            sys.stderr.flush()
            time.sleep(float(rule.get("seconds", 86_400)))
        self.no_output = self.no_output or action == "nothing"
        self.no_events = self.no_events or action == "empty"

    def _filled(self, rule, text):
        """Put parameters, and the rule's own words, in place of their names in braces."""
        words = {"cwd": os.getcwd(), **self.parameters, **rule.get("words", {})}
        if "ARCHIVE_PATH" not in words:  # recorded logs have it in place of what was before this directory
            paths = [value for value in self.parameters.values() if "processed_data/" in value]
            words["ARCHIVE_PATH"] = paths[0].partition("processed_data/")[0] if paths else ""
        for name, value in words.items():
            text = text.replace("{" + name + "}", value or "")
        return text

    # --- surroundings -----------------------------------------------------------------------------------------------

    def calibration(self):
        """Open the calibration index of SAS_CCF, by default ``ccf.cif`` here, and see that its files are there."""
        path = os.environ.get("SAS_CCF") or "ccf.cif"
        if os.path.isdir(path):
            path = os.path.join(path, "ccf.cif")
        if self.name == "epchain" and not os.path.exists(path):
            self.warn("SAS_CCF", "ccf.cif or environment variable SAS_CCF not found")
        index = next((hdu for hdu in self.open(path) if hdu.name == "CALINDEX"), None)
        if index is None:
            self.fail("blockNotFound", f"The block with name 'CALINDEX' could not be found in the dataset '{path}'.")
        place = [name for name, _ in index.columns()].index("FNAME")
        search = os.environ.get("SAS_CCFPATH", "").split(":")
        for row in index.rows():
            name = row[place].decode("latin-1").strip(" \0")
            if not any(os.path.exists(os.path.join(base, name)) for base in ["", *search]):
                self.unreadable(name)

    def open(self, path):
        """Read a FITS file, or end with the error of the SAS's data access layer."""
        try:
            return fits.read(path)
        except fits.UnreadableError:
            self.unreadable(path)

    def unreadable(self, path):
        """End because a file cannot be read."""
        self.fail(
            "datasetCouldNotBeRead",
            f"The dataset with name '{path}' could not be read; either it does not exist or it is in an unrecognised"
            " format",
        )

    def open_table(self, spec, block=None):
        """Read ``FILE`` or ``FILE:BLOCK``: all HDUs, and the place of the table."""
        path, name = spec, block
        if ":" in spec and not os.path.exists(spec):
            path, _, name = spec.rpartition(":")
        hdus = self.open(path)
        for place, hdu in enumerate(hdus):
            if hdu.name and (name is None or hdu.name == name):
                return hdus, place
        self.fail("blockNotFound", f"The block with name '{name or 'table'}' could not be found in '{path}'.")

    def write(self, path, hdus):
        """Write a FITS file, with the record of how it was made that the SAS leaves."""
        if self.no_output:
            return
        hdus[0].drop("XPROC0  =", "CREATOR =", "DATE    =")
        record = f"{self.name} {self.described(self.parameters)} # ({self.name}-{VERSIONS[self.name]}) [{self.build}]"
        hdus[0].set("XPROC0", record)
        hdus[0].set("CREATOR", f"{self.name} ({self.name}-{VERSIONS[self.name]}) [{self.build}]")
        hdus[0].set("DATE", time.strftime("%Y-%m-%dT%H:%M:%S.000", time.gmtime()), "creation date")
        try:
            fits.write(path, hdus)
        except OSError:
            self.fail("createDatasetFailed", f"The dataset with name '{path}' could not be created.")

    def write_text(self, path, text):
        """Write a text file."""
        if self.no_output:
            return
        try:
            with open(path, "w", encoding="latin-1") as file:
                file.write(text)
        except OSError:
            self.fail("FileIo", f"The file {path} could not be written.")


def quoted(value):
    """A value as the SAS shows it: in quotes if a shell would need them."""
    return f"'{value}'" if not value or any(character in " ()&" for character in value) else value


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


def _shortest(text):
    """``3.0`` as ``3``, ``0.00`` as ``0``: as the SAS shows numbers."""
    return f"{float(text):.12g}" if "." in text else text


def _number(build):
    """Version in the name of a build, ``xmmsas_20211130_0941-20.0.0`` or ``22.1.0-a8f2c2afa-20250304``."""
    return build.rpartition("-")[2] if build.startswith("xmmsas") else build.partition("-")[0]

"""What stands before the reduction: versions, the calibration index."""

from __future__ import annotations

import os
import sys
import time

from . import fits
from .odf import find
from .parameters import VERSIONS
from .task import StopError

_COLUMNS = (
    ("TELESCOP", "4A", ""), ("SCOPE", "6A", ""), ("TYPEID", "32A", ""), ("ISSUE", "I", ""), ("VALDATE", "19A", ""),
    ("VALDATE-END", "19A", ""), ("FNAME", "256A", ""), ("DATE", "19A", ""), ("FSIZE", "J", "byte"),
    ("SUBDATE", "19A", ""), ("EXTSEQU", "32A", ""), ("EXTSEQID", "256A", ""), ("MD5", "32A", ""),
    ("CREATOR", "64A", ""),
)  # fmt: skip


def sas(task):
    """Tell the version."""
    if task.arguments[:1] not in (["--version"], ["-v"]):
        task.fail("ParamNotFound", f"The task sas has no parameter `{' '.join(task.arguments)}'.")
    task.raw(f"sas (sas-{VERSIONS['sas']}) [{task.build}]\n")


def lcurve(task):
    """Tell the version, or be started as `emchain` does; like all of HEASoft it keeps its parameters in PFILES then."""
    if task.arguments[:1] == ["--version"]:
        task.raw("lcurve Version 1.0 (xronos6.0)\n")
        return
    own, _, system = os.environ.get("PFILES", "").partition(";")
    try:
        with open(os.path.join(system.partition(":")[0], "lcurve.par"), encoding="ascii") as file:
            parameters = file.read()
        with open(os.path.join(own.partition(":")[0], "lcurve.par"), "w", encoding="ascii") as file:
            file.write(parameters)
    except OSError as problem:
        sys.stderr.write(f"Error: the parameter file of lcurve cannot be read and kept by PFILES: {problem}\n")
        raise StopError(1) from None
    task.raw("lcurve 1.0 (xronos6.0)\n")


def sasversion(task):
    """Tell the release and the variables that are set."""
    task.say("XMM-Newton SAS release and build information:\n", level=0)
    task.raw(f"SAS release: {task.build}\nCompiled on: {time.strftime('%a %b %d %H:%M:%S UTC %Y', time.gmtime(0))}\n")
    task.raw(
        "Compiled by: daxa_xmm.testing\nPlatform   : stand-in\n\nSAS-related environment variables that are set:\n\n"
    )
    for name in ("SAS_DIR", "SAS_PATH", "SAS_CCFPATH", "SAS_CCF", "SAS_ODF"):
        if name in os.environ:
            task.raw(f"{name} = {os.environ[name]}\n")
    task.raw("\n")


def cifbuild(task):
    """Make the calibration index of the files below SAS_CCFPATH."""
    search = [task["ccfpath"]] if task.true("withccfpath") else os.environ.get("SAS_CCFPATH", "").split(":")
    if not any(search):
        task.fail(
            "NoCcfPath",
            "The environment variable SAS_CCFPATH is not set, and no CCF search path was given on the command line.",
        )
    observed, analysed = task["observationdate"], task["analysisdate"]
    if task.true("withobservationdate"):
        task.identify(_named(os.getcwd()))
    else:
        task.say("Will ask the analysis date to the OAL.")
        found = _raw(task)
        observed = found.span(found.files[0])[0]
        task.say(f"Using the ODF {found.files[0].revolution}_{found.obs_id} found in {found.directory}")
        task.identify(found.obs_id)
    now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    observed, analysed = (_date(task, now if date == "now" else date) for date in (observed, analysed))
    task.say(f"Observation date: {observed}.000")
    task.say(f"Analysis date: {analysed}.000")
    if analysed < observed:
        task.warn("InconsistentDates", f"The analysis date {analysed} is before the observation date {observed}.")
    files = [os.path.join(base, name) for base in search if os.path.isdir(base) for name in sorted(os.listdir(base))]
    rows = {}
    for path in files:
        row = _row(task, path, observed, analysed) if path.endswith((".ccf", ".CCF")) else None
        if row and row[3] >= rows.get(row[1:3], row)[3]:  # the newest issue of each kind
            rows[row[1:3]] = row
    if not rows:
        task.fail("NoCcfConstituents", f"No CCF constituent was found in {':'.join(search)}.")
    keys = [("CATEGORY", task["category"]), ("OBSVDATE", observed), ("ANALDATE", analysed)]
    made = [
        fits.primary(history=["stand-in for cifbuild: generated"]),
        fits.table("CALINDEX", _COLUMNS, rows.values(), keys),
    ]
    task.write(task["calindexset"], made)


def _named(path):
    """Observation that a directory is named after: the last ten digits in it that stand alone."""
    digits = "".join(character if character.isdigit() else " " for character in path)
    return next((word for word in reversed(digits.split()) if len(word) == 10), "")


def _raw(task):
    """Raw files whose date is to be used; at this stage there need not be a summary of `odfingest`."""
    from .odf import ODF

    where = os.environ.get("SAS_ODF", "")
    if where.endswith("SUM.SAS"):
        return find(task)
    found = ODF(task, where) if where and os.path.isdir(where) else None
    if found is None or not found.files:
        task.fail("NoSummaryFile", "No summary file was found; SAS_ODF must name the directory of the ODF.")
    return found


def _date(task, date):
    """Check a date; the time may be missing."""
    right = len(date) >= 10 and (date[:4] + date[5:7] + date[8:10]).isdigit() and date[4] == date[7] == "-"
    if not right or not ("01" <= date[5:7] <= "12" and "01" <= date[8:10] <= "31"):
        task.fail("ParamWrongType", f"`{date}' is not a date.")
    return date[:19] if len(date) > 10 else f"{date}T00:00:00"


def _row(task, path, observed, analysed):
    """Line of a constituent; None if it does not hold for the observation, or came after the day of the analysis."""
    header = task.open(path)[0]
    starts, made = header.get("VALDATE", ""), header.get("DATE", "")
    if starts > observed or made > analysed:
        return None
    scope, _, rest = os.path.basename(path).rpartition(".")[0].partition("_")
    kind, _, issue = rest.rpartition("_")
    name = os.path.abspath(path) if task.true("fullpath") else os.path.basename(path)
    texts = ["XMM", scope, kind, starts, "", name, made, made, "ANY", "", "", "generated"]
    byte = [text.encode("latin-1") for text in texts]
    return (*byte[:3], int(issue), *byte[3:7], os.path.getsize(path), *byte[7:])

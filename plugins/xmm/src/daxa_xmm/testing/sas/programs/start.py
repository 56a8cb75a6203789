"""Where every program starts: find the task by its name and run it."""

from __future__ import annotations

import os
import sys

PLACES = {
    "sas": "setup", "sasversion": "setup", "lcurve": "setup", "cifbuild": "setup", "odfingest": "summary",
    "atthkgen": "attitude", "epchain": "chains", "emchain": "chains", "rgsproc": "rgs", "emanom": "emanom",
    "espfilt": "espfilt", "evselect": "evselect", "merge": "tables", "tabgtigen": "tables", "eexpmap": "eexpmap",
}  # fmt: skip
"""Module of each program."""
PLAIN = ("sas", "lcurve")
"""Programs that are no tasks with parameters."""


def main(name, arguments, build):
    """Run a program.

    Parameters
    ----------
    name : str
        Its name.
    arguments : list of str
        Its arguments.
    build : str
        Name of the SAS's build, such as ``22.1.0-a8f2c2afa-20250304``.

    Returns
    -------
    int
        Its exit status.
    """
    from importlib import import_module

    from .task import StopError, Task

    try:
        os.getcwd()
    except OSError:
        sys.stderr.write(f"** {name}: error (openForWriting), The working directory does not exist.\n")
        return 1
    function = getattr(import_module(f".{PLACES[name]}", __package__), name)
    task = Task(name, arguments, build)
    try:
        if name in PLAIN:
            function(task)
        elif arguments and arguments[0] in ("-v", "--version"):
            sys.stdout.write(f"{name} ({name}-{_version(name)}) [{build}]\n")
        else:
            task.parse()
            task.start()
            function(task)
            task.summarise()
            if name != "sasversion":
                task.state("ended")
        task.release()
    except StopError as stop:
        sys.stdout.flush()
        return stop.status
    sys.stdout.flush()
    return 0


def _version(name):
    from .parameters import VERSIONS

    return VERSIONS[name]

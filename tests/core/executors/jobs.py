"""Jobs for the tests of executors."""

import os
import sys

import psutil

from daxa.executors.base import CallSpec, Launch


def job(directory, *steps, name="job", call=None, environment=(), **more):
    """A launch in a directory of its own, with its logs beside it."""
    where = directory / name
    where.mkdir(exist_ok=True)
    return Launch(
        name=name,
        steps=tuple(tuple(map(str, step)) for step in steps),
        call=call,
        cwd=where,
        env={"PATH": os.environ["PATH"], **dict(environment)},
        stdout=directory / f"{name}.out",
        stderr=directory / f"{name}.err",
        **more,
    )


def python(text, *arguments):
    """A step that is a Python program."""
    return [sys.executable, "-I", "-S", "-c", text, *arguments]


def call(target, **arguments):
    return CallSpec(target=target, arguments=arguments)


def nobody(_started):
    """Hear nothing of a start."""


def shims():
    """The slots that this process has."""
    return [one for one in psutil.Process().children() if "shim.py" in " ".join(one.cmdline())]

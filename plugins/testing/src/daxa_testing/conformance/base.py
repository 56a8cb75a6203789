"""What the classes of checks have in common."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from daxa.context import Context, use_context
from daxa.contract import Finding, Inspection, inspect_distribution, report
from daxa_testing.sky import RunningSky, Sky


def assert_sound(findings: Iterable[Finding]) -> None:
    """Fail with what is wrong and what to write instead, a line each.

    Raises
    ------
    AssertionError
        If anything was found.
    """
    found = list(dict.fromkeys(findings))
    if found:
        raise AssertionError(f"{len(found)} thing{'' if len(found) == 1 else 's'} to mend:\n{report(found)}")


def own_context(tmp_path: Path, **settings: Any) -> Context:
    """Make a context whose directories are a test's own."""
    return Context(output=str(tmp_path / "output"), cache=str(tmp_path / "cache"), **settings)


@contextmanager
def under(sky: Sky, tmp_path: Path, **settings: Any) -> Iterator[tuple[Context, RunningSky]]:
    """Serve a sky, and use a context that sees it and nothing else, for the length of a block."""
    with sky.running_in_thread() as running:
        context = own_context(tmp_path, **{**running.settings(), **settings})
        with use_context(context), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a mission warns of is its own tests' business
            yield context, running


@functools.cache
def inspected(distribution: str) -> Inspection:
    """Look at an installed distribution, once a process."""
    from daxa.cli import command_names

    return inspect_distribution(Context().registry, distribution, commands=command_names())


def missing(test: object, what: str, example: str) -> AssertionError:
    """Make the failure of a class that says too little of what it tests."""
    name = type(test).__name__
    return AssertionError(f"{name} does not say {what}. Write in the class: {example}")

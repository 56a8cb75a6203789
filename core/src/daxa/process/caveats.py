"""Caveats: what a user of a product should know although the work succeeded."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from daxa.outcome import Caveat

log = logging.getLogger(__name__)

_collector: ContextVar[list[Caveat] | None] = ContextVar("daxa_caveats", default=None)


def report_caveat(code: str, message: str) -> Caveat:
    """Tell of something that does not stop the work; it becomes part of the task's outcome.

    Parameters
    ----------
    code : str
        Stable identifier, e.g. ``exposure-disagrees``.
    message : str
        The fact, with its numbers.
    """
    caveat = Caveat(code, message)
    collector = _collector.get()
    if collector is not None:
        collector.append(caveat)
    log.info("%s: %s", code, message)
    return caveat


@contextmanager
def collect_caveats() -> Iterator[list[Caveat]]:
    """Gather the caveats that are reported within a block."""
    gathered: list[Caveat] = []
    token = _collector.set(gathered)
    try:
        yield gathered
    finally:
        _collector.reset(token)

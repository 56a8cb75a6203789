import resource
from pathlib import Path

import pytest

ROOM = 6 * 2**30
"""Bytes of address space on top of what is in use: what wants more is no parser of small input."""


@pytest.fixture(autouse=True)
def bounded_memory():
    """A parser that swells meets a MemoryError, which is none of the project's own."""
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc/self/statm").exists() else 0
    before = resource.getrlimit(resource.RLIMIT_AS)
    if pages:
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + ROOM, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A directory for the length of a module; examples write over each other's files there."""
    return tmp_path_factory.mktemp("fuzz")

"""What plugins and the core are tested with: an offline sky of protocol servers, and a server that misbehaves.

It knows protocols, not missions: a mission's own tables and files come from ``daxa_<mission>.testing``. The classes
that a plugin's tests inherit are in :mod:`daxa_testing.conformance`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from daxa_testing.conformance import (
        ExecutorConformance,
        MissionConformance,
        PluginConformance,
        ProcessConformance,
        ToolConformance,
    )

__all__ = [
    "ExecutorConformance",
    "MissionConformance",
    "PluginConformance",
    "ProcessConformance",
    "ToolConformance",
]


def __getattr__(name: str) -> Any:
    """Import the classes of checks when one is first used: `daxa sky` needs none."""
    if name in __all__:
        import importlib

        return getattr(importlib.import_module("daxa_testing.conformance"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

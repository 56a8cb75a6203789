"""DAXA: local archives of X-ray observations, from a name to clean, recorded data.

The names below are imported when they are first used, so that ``import daxa`` is quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from daxa._installation import refuse_conflict, version

refuse_conflict()

if TYPE_CHECKING:
    from daxa.archive import Archive
    from daxa.context import Context, current_context, use_context
    from daxa.health import doctor
    from daxa.mission.tools import find
    from daxa.sync import run_sync

_LATE: Final = {
    "Archive": "daxa.archive",
    "Context": "daxa.context",
    "current_context": "daxa.context",
    "doctor": "daxa.health",
    "find": "daxa.mission.tools",
    "run_sync": "daxa.sync",
    "use_context": "daxa.context",
}


def __getattr__(name: str) -> Any:
    """Import the public names, the sub-packages and the version when they are first used."""
    import importlib

    if name == "__version__":
        return version()
    if name in _LATE:
        return getattr(importlib.import_module(_LATE[name]), name)
    if name in ("api", "archive", "config", "events", "exceptions", "mission", "process"):
        return importlib.import_module(f"daxa.{name}")
    raise AttributeError(f"module 'daxa' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_LATE, "__version__", "mission", "archive", "api"])


__all__ = ["Archive", "Context", "current_context", "doctor", "find", "run_sync", "use_context"]

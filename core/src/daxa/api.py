"""All that a plugin author imports.

``from daxa.api import Mission, process, hookimpl`` and the records below are the contract; what is not here may change
without notice. ``API_VERSION`` is its number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from daxa.exceptions import (
    AccessDeniedError,
    BadEventListError,
    BadReplyError,
    CatalogueError,
    DaxaError,
    EmptyBandError,
    InvalidObsIDError,
    InvalidParameterError,
    NetworkError,
    NoCelestialWCSError,
    NoGoodTimeError,
    NoObsAfterFilterError,
    NotAtArchiveError,
    OfflineError,
    ParameterTypeError,
    PluginError,
    ServiceError,
    StorageError,
    TaskError,
)
from daxa.hookspecs import hookimpl
from daxa.ids import DataId, TaskKey
from daxa.outcome import Caveat, FailureKind, Outcome, State
from daxa.specs import (
    API_VERSION,
    Child,
    ExecutorSpec,
    Location,
    MissionEntry,
    PluginInfo,
    ProductLabel,
    Recipe,
    RemoteFile,
    ServiceSpec,
    ToolSpec,
    Want,
)

if TYPE_CHECKING:
    from daxa.context import Context
    from daxa.mission.base import Mission
    from daxa.mission.pending import filtering
    from daxa.net.client import Net
    from daxa.net.heasarc import heasarc_file
    from daxa.net.listing import Entry
    from daxa.net.tables import (
        on_the_sky,
        public_now,
        texts,
        time_from_seconds,
        utc_from_mjd,
        utc_from_text,
        whole_numbers,
        whole_table,
    )
    from daxa.process import Call, Command, Job, Need, Process, Product, collect_caveats, process, report_caveat

_LATE = {
    "Context": "daxa.context",
    "Mission": "daxa.mission.base",
    "Net": "daxa.net.client",
    "Call": "daxa.process",
    "Command": "daxa.process",
    "Entry": "daxa.net.listing",
    "Job": "daxa.process",
    "Need": "daxa.process",
    "Process": "daxa.process",
    "Product": "daxa.process",
    "collect_caveats": "daxa.process",
    "filtering": "daxa.mission.pending",
    "heasarc_file": "daxa.net.heasarc",
    "on_the_sky": "daxa.net.tables",
    "process": "daxa.process",
    "public_now": "daxa.net.tables",
    "report_caveat": "daxa.process",
    "texts": "daxa.net.tables",
    "time_from_seconds": "daxa.net.tables",
    "utc_from_mjd": "daxa.net.tables",
    "utc_from_text": "daxa.net.tables",
    "whole_numbers": "daxa.net.tables",
    "whole_table": "daxa.net.tables",
}


def __getattr__(name: str) -> Any:
    """Import what is heavier than plain records when it is first used."""
    if name in _LATE:
        import importlib

        return getattr(importlib.import_module(_LATE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "API_VERSION",
    "AccessDeniedError",
    "BadEventListError",
    "BadReplyError",
    "Call",
    "CatalogueError",
    "Caveat",
    "Child",
    "Command",
    "Context",
    "DataId",
    "DaxaError",
    "EmptyBandError",
    "Entry",
    "ExecutorSpec",
    "FailureKind",
    "InvalidObsIDError",
    "InvalidParameterError",
    "Job",
    "Location",
    "Mission",
    "MissionEntry",
    "Need",
    "Net",
    "NetworkError",
    "NoCelestialWCSError",
    "NoGoodTimeError",
    "NoObsAfterFilterError",
    "NotAtArchiveError",
    "OfflineError",
    "Outcome",
    "ParameterTypeError",
    "PluginError",
    "PluginInfo",
    "Process",
    "Product",
    "ProductLabel",
    "Recipe",
    "RemoteFile",
    "ServiceError",
    "ServiceSpec",
    "State",
    "StorageError",
    "TaskError",
    "TaskKey",
    "ToolSpec",
    "Want",
    "collect_caveats",
    "filtering",
    "heasarc_file",
    "hookimpl",
    "on_the_sky",
    "process",
    "public_now",
    "report_caveat",
    "texts",
    "time_from_seconds",
    "utc_from_mjd",
    "utc_from_text",
    "whole_numbers",
    "whole_table",
]

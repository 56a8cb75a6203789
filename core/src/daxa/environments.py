"""The environment of a task.

It is built from nothing: a short list of variables of the user's, the tools' own, and directories that belong to the
task alone, so that tasks side by side share neither parameter files nor temporary ones.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from daxa.tools import KEPT, SEARCHED, FoundTool

BASE_PATH: Final = ("/usr/local/bin", "/usr/bin", "/bin")
_NOT_TAKEN: Final = (*SEARCHED, "HOME", "TMPDIR", "PWD", "OLDPWD", "SHLVL", "_", "PFILES")


def _own(scratch: Path) -> dict[str, str]:
    """Directories of a task's own; the directories are made."""
    own = {"HOME": scratch / ".home", "TMPDIR": scratch / ".tmp"}
    for path in own.values():
        path.mkdir(parents=True, exist_ok=True)
    return {name: str(path) for name, path in own.items()}


def _joined(lists: Iterable[str], separator: str = os.pathsep) -> str:
    """Join lists of directories; each directory once, the first list first."""
    return separator.join(dict.fromkeys(one for text in lists for one in text.split(separator) if one))


def task_environment(
    tools: Iterable[FoundTool], scratch: Path, pfiles: str | None = None, extra: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Make the complete environment of a task that runs external software.

    Parameters
    ----------
    tools : iterable of FoundTool
        The software it needs.
    scratch : Path
        The task's directory.
    pfiles : str, optional
        System parameter files, where the tools do not say.
    extra : Mapping, optional
        Variables on top.
    """
    tools = tuple(tools)
    made: dict[str, str] = {name: os.environ[name] for name in KEPT if name in os.environ}
    for tool in tools:
        made.update({name: value for name, value in tool.environment.items() if name not in _NOT_TAKEN})
    for name in SEARCHED:
        joined = _joined(tool.environment.get(name, "") for tool in tools)
        if joined:
            made[name] = joined
    made.setdefault("PATH", os.pathsep.join(BASE_PATH))
    own = scratch / ".pfiles"
    own.mkdir(parents=True, exist_ok=True)
    system = _joined(tool.environment.get("PFILES", "").rpartition(";")[2] for tool in tools) or pfiles or ""
    made.update(_own(scratch))
    made.update(
        {
            "PFILES": f"{own};{system}" if system else str(own),
            "HEADASNOQUERY": "1",
            "HEADASPROMPT": "/dev/null",
            "ASCDS_WORK_PATH": made["TMPDIR"],
            "ASCDS_TMP": made["TMPDIR"],
        }
    )
    made.update(extra or {})
    return made


def python_environment(scratch: Path, sky: str | None = None) -> dict[str, str]:
    """Make the complete environment of a task that calls Python.

    Parameters
    ----------
    scratch : Path
        The task's directory.
    sky : str, optional
        The offline sky the run sees, if it sees one; products say so.
    """
    made = {name: os.environ[name] for name in (*KEPT, "PATH") if name in os.environ}
    made.update(_own(scratch))
    made.update({"MPLBACKEND": "Agg", "XDG_CACHE_HOME": made["HOME"], "XDG_CONFIG_HOME": made["HOME"]})
    if sky:
        made["DAXA_SKY"] = sky
    return made

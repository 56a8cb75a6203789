"""External software: finding it, and the environment of a task.

A task's environment is built from nothing: a short list of variables of the user's, the tools' own, and directories
that belong to the task alone, so that tasks side by side share neither parameter files nor temporary ones.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from attrs import field, frozen

from daxa.exceptions import MissingToolError
from daxa.specs import ToolSpec

KEPT: Final = ("LANG", "LC_ALL", "LC_CTYPE", "TZ", "USER", "LOGNAME")
BASE_PATH: Final = ("/usr/local/bin", "/usr/bin", "/bin")


@frozen(kw_only=True)
class FoundTool:
    """External software as it is installed here.

    Parameters
    ----------
    spec : ToolSpec
        What it is.
    environment : Mapping
        The variables it needs.
    """

    spec: ToolSpec
    environment: Mapping[str, str] = field(factory=dict)

    @property
    def path(self) -> str:
        """Its search path."""
        return self.environment.get("PATH", "")

    def version(self) -> str:
        """Ask it for its version; empty if it does not tell."""
        if not self.spec.version_command:
            return ""
        try:
            done = subprocess.run(
                list(self.spec.version_command),
                env=dict(self.environment),
                capture_output=True,
                text=True,
                timeout=60,
                stdin=subprocess.DEVNULL,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return ""
        return (done.stdout or done.stderr).strip()


def _activated(script: Path) -> dict[str, str]:
    """The environment an activation script makes, of a shell that is told the script's path as an argument."""
    done = subprocess.run(
        ["/bin/sh", "-c", '. "$1" >/dev/null 2>&1; env -0', "sh", str(script)],
        env={name: os.environ[name] for name in (*KEPT, "PATH", "HOME") if name in os.environ},
        capture_output=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    pairs = (entry.partition(b"=") for entry in done.stdout.split(b"\0") if b"=" in entry)
    return {name.decode(): value.decode(errors="surrogateescape") for name, _, value in pairs}


def find(spec: ToolSpec, environment: Mapping[str, str] | None = None) -> FoundTool:
    """Find external software: in the environment as it is, or by its activation script.

    Parameters
    ----------
    spec : ToolSpec
        What is looked for.
    environment : Mapping, optional
        Variables to look in; by default the process's.

    Raises
    ------
    MissingToolError
        If it is not here, or one of its programs is missing.
    """
    variables = os.environ if environment is None else environment
    home = variables.get(spec.home_variable) if spec.home_variable else None
    found = dict(variables)
    missing = [name for name in spec.executables if shutil.which(name, path=found.get("PATH", "")) is None]
    if missing and home and spec.activation:
        script = Path(home) / spec.activation
        if script.is_file():
            found = _activated(script)
            missing = [name for name in spec.executables if shutil.which(name, path=found.get("PATH", "")) is None]
    if missing:
        raise MissingToolError(
            f"{spec.title} is not here: {', '.join(missing)} cannot be found.",
            expected="its programs on PATH"
            + (f", or {spec.home_variable} naming the installation" if spec.home_variable else ""),
            remedy=spec.remedy or f"install {spec.title} and activate it",
            tool=spec.name,
        )
    return FoundTool(spec=spec, environment=found)


def _own(scratch: Path) -> dict[str, str]:
    """Directories of a task's own; the directories are made."""
    own = {"HOME": scratch / ".home", "TMPDIR": scratch / ".tmp"}
    for path in own.values():
        path.mkdir(parents=True, exist_ok=True)
    return {name: str(path) for name, path in own.items()}


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
    made: dict[str, str] = {name: os.environ[name] for name in KEPT if name in os.environ}
    paths: list[str] = []
    for tool in tools:
        made.update({name: value for name, value in tool.environment.items() if name not in ("HOME", "TMPDIR", "PWD")})
        paths += [one for one in tool.path.split(os.pathsep) if one and one not in paths]
    made["PATH"] = os.pathsep.join(paths or BASE_PATH)
    own = scratch / ".pfiles"
    own.mkdir(parents=True, exist_ok=True)
    system = made.get("PFILES", "").rpartition(";")[2] or pfiles or ""
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

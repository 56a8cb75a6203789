"""External software: where it is, which version and which calibration it has.

It is looked for where the settings say, else in the environment as it is, else by its activation script. Such a script
can only be read by a shell: it is the one place where there is one. No shell sees a user's text: paths are handed to
fixed commands as arguments.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from attrs import define, field

from daxa.exceptions import DAXAConfigError, MissingToolError, ToolVersionError
from daxa.specs import ToolSpec

KEPT: Final = ("LANG", "LC_ALL", "LC_CTYPE", "TZ", "USER", "LOGNAME")
"""Variables of the user's that every task sees."""
SEARCHED: Final = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PERL5LIB", "PERLLIB", "PYTHONPATH")
"""Lists of directories that active software adds to."""
_ALWAYS: Final = (*SEARCHED, "PFILES", "CONDA_PREFIX")
_ASK_SECONDS: Final = 120

_ACTIVATE: Final = '. "$1" >/dev/null 2>&1; env -0'
_ACTIVATE_CONDA: Final = (
    'export CONDA_PREFIX="$1" PATH="$1/bin:$PATH";'
    ' for one in "$1"/etc/conda/activate.d/*.sh; do [ -f "$one" ] && . "$one" >/dev/null 2>&1; done; env -0'
)


@define(kw_only=True)
class FoundTool:
    """External software as it is installed here.

    Parameters
    ----------
    spec : ToolSpec
        What it is.
    environment : Mapping
        The variables it needs.
    prefix : tuple of str
        Words in front of every command, for software in a container.
    found : str
        How it was found, for people.
    """

    spec: ToolSpec
    environment: Mapping[str, str] = field(factory=dict)
    prefix: tuple[str, ...] = ()
    found: str = "on the search path"
    _version: str | None = field(default=None, init=False)

    @property
    def path(self) -> str:
        """Its search path."""
        return self.environment.get("PATH", "")

    def version(self) -> str:
        """Ask it, once, for its version; empty if it does not tell."""
        if self._version is None:
            self._version = self._ask_version()
        return self._version

    def _ask_version(self) -> str:
        done = self.ask(*self.spec.version_command) if self.spec.version_command else None
        match = re.search(self.spec.version_pattern, f"{done.stdout}\n{done.stderr}") if done else None
        return (match[1] if match.groups() else match[0]) if match else ""

    def ask(self, *words: str) -> subprocess.CompletedProcess[str] | None:
        """Run a command where the software is; None if that cannot be done, or takes too long."""
        try:
            return subprocess.run(
                [*self.prefix, *words],
                env=dict(self.environment),
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_ASK_SECONDS,
                stdin=subprocess.DEVNULL,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None

    def has(self, program: str) -> bool:
        """Whether a program is where the software is."""
        if not self.prefix:
            return shutil.which(program, path=self.path) is not None
        done = self.ask("which", program)
        return done is not None and done.returncode == 0

    def check(self) -> None:
        """Make sure that the directory of its calibration is told, and there, before anything is run.

        Raises
        ------
        MissingToolError
            If it is not. What is in a container is not looked at.
        """
        variable = self.spec.calibration_variable
        if variable is None or self.prefix:
            return
        told = self.environment.get(variable, "")
        if not any(Path(base).is_dir() for base in told.split(os.pathsep) if base):
            raise MissingToolError(
                f"The calibration of {self.spec.title} is not here: {variable} is {told!r}.",
                expected=f"the directory of the calibration files in {variable}",
                remedy=f"set {variable} to it" + (f", or: {self.spec.remedy}" if self.spec.remedy else ""),
                tool=self.spec.name,
            )

    def calibration(self) -> str:
        """Say which calibration it has: number of files, date of the newest, and a hash of their names and sizes.

        Empty if the tool has none; ``missing`` if there should be one.
        """
        variable = self.spec.calibration_variable
        if variable is None:
            return ""
        if self.prefix:  # what the container says, and what lies there
            done = self.ask("printenv", variable)
            bases, look = done.stdout.strip() if done else "", self._files_inside
        else:
            bases, look = self.environment.get(variable, ""), self._files
        files = [one for base in bases.split(os.pathsep) if base for one in look(base)]
        if not files:
            return "missing"
        digest = hashlib.sha256("\n".join(f"{name} {size}" for name, size, _ in sorted(files)).encode()).hexdigest()
        newest = time.strftime("%Y-%m-%d", time.gmtime(max(changed for _, _, changed in files)))
        return f"{len(files)} files, the newest of {newest} ({digest[:8]})"

    def _files(self, base: str) -> Iterator[tuple[str, int, float]]:
        if not Path(base).is_dir():
            return
        for pattern in self.spec.calibration_files or ("*",):
            for path in Path(base).glob(pattern):
                try:
                    status = path.stat()
                except OSError:
                    continue
                if path.is_file():
                    yield str(path.relative_to(base)), status.st_size, status.st_mtime

    def _files_inside(self, base: str) -> Iterator[tuple[str, int, float]]:
        done = self.ask("find", "-L", base, "-type", "f", "-exec", "stat", "-L", "-c", "%s %Y %n", "{}", "+")
        for line in done.stdout.splitlines() if done else ():
            size, changed, name = (*line.split(" ", 2), "", "")[:3]
            relative = name.removeprefix(base).lstrip("/")
            wanted = any(_matches(relative, pattern) for pattern in self.spec.calibration_files or ("*",))
            if wanted and size.isdigit() and changed.isdigit():
                yield relative, int(size), float(changed)


def find(spec: ToolSpec, environment: Mapping[str, str] | None = None, where: str | None = None) -> FoundTool:
    """Find external software.

    Parameters
    ----------
    spec : ToolSpec
        What is looked for.
    environment : Mapping, optional
        Variables to look in; by default the process's.
    where : str, optional
        What the user says: a directory that holds the installation, ``script:PATH`` of an activation script,
        ``conda:NAME`` or ``conda:PATH`` of a conda environment, or ``container:COMMAND``, the words in front of every
        command, such as ``container:apptainer exec /images/sas.sif``.

    Raises
    ------
    MissingToolError
        If it is not here, or one of its programs is missing.
    ToolVersionError
        If it is older than what is needed; this is a MissingToolError.
    DAXAConfigError
        If `where` says something else.
    """
    variables = os.environ if environment is None else environment
    missing: list[str] = []
    for found in _candidates(spec, variables, where):
        missing = [name for name in spec.executables if not found.has(name)]
        if not missing:
            return _new_enough(found)
    missing = missing or list(spec.executables)
    expected = "its programs on PATH"
    if spec.home_variable:
        expected += f", or {spec.home_variable} naming the installation"
    raise MissingToolError(
        f"{spec.title} is not here: {', '.join(missing)} cannot be found" + (f" by {where!r}." if where else "."),
        expected=f"{expected}, or DAXA_TOOL_{spec.name.upper()} saying where it is",
        remedy=spec.remedy or f"install {spec.title} and activate it",
        tool=spec.name,
    )


def _new_enough(found: FoundTool) -> FoundTool:
    """Return it, if it is; so is one that does not tell its version."""
    spec = found.spec
    version = found.version() if spec.minimum_version else ""
    if version and _numbers(version) < _numbers(spec.minimum_version):
        raise ToolVersionError(
            f"{spec.title} {found.found} has version {version}.",
            expected=f"version {spec.minimum_version} or later",
            remedy=spec.remedy or f"update {spec.title}",
            tool=spec.name,
        )
    return found


def _numbers(version: str) -> list[int]:
    return [int(one) for one in re.findall(r"\d+", version)]


def _matches(relative: str, pattern: str) -> bool:
    """Whether a path below a directory is among those that a pattern of `Path.glob` finds there."""
    parts = {"**/": "(?:[^/]+/)*", "*": "[^/]*", "?": "[^/]"}
    split = re.split(r"(\*\*/|\*|\?)", pattern)
    return re.fullmatch("".join(parts.get(part, re.escape(part)) for part in split), relative) is not None


def _candidates(spec: ToolSpec, variables: Mapping[str, str], where: str | None) -> Iterator[FoundTool]:
    if where is not None:
        yield _told(spec, variables, where)
        return
    yield FoundTool(spec=spec, environment=_needed(spec, variables))
    home = variables.get(spec.home_variable) if spec.home_variable else None
    if home and spec.activation and (Path(home) / spec.activation).is_file():
        yield _by_script(spec, variables, Path(home) / spec.activation)


def _needed(spec: ToolSpec, variables: Mapping[str, str]) -> dict[str, str]:
    """What a tool needs of some variables."""
    patterns = (*_ALWAYS, *spec.variables, spec.home_variable or "", spec.calibration_variable or "")
    return {name: value for name, value in variables.items() if any(fnmatchcase(name, one) for one in patterns)}


def _told(spec: ToolSpec, variables: Mapping[str, str], where: str) -> FoundTool:
    kind, colon, rest = where.partition(":")
    if kind == "container" and rest.strip():
        names = (*KEPT, "PATH", "HOME", spec.calibration_variable)  # some containers are shown what lies outside
        kept = {name: variables[name] for name in names if name and name in variables}
        return FoundTool(spec=spec, environment=kept, prefix=tuple(shlex.split(rest)), found=f"in {rest.strip()}")
    if kind == "script" and rest:
        return _by_script(spec, variables, _existing(spec, where, Path(rest).expanduser()))
    if kind == "conda" and rest:
        prefix = _existing(spec, where, _conda_prefix(rest, variables))
        return FoundTool(
            spec=spec,
            environment=_activated(_ACTIVATE_CONDA, prefix, _given(spec, variables)),
            found=f"in the conda environment {prefix}",
        )
    if not colon and where and spec.activation:
        return _by_script(spec, variables, _existing(spec, where, Path(where).expanduser() / spec.activation))
    if not colon and where:
        directory = _existing(spec, where, Path(where).expanduser())
        path = f"{directory / 'bin'}{os.pathsep}{variables.get('PATH', '')}"
        return FoundTool(spec=spec, environment={"PATH": path}, found=f"in {directory}")
    raise _not_a_place(spec, where)


def _existing(spec: ToolSpec, where: str, path: Path) -> Path:
    if not path.exists():
        raise MissingToolError(
            f"{spec.title} is not here: there is no {path}.",
            expected=f"the place that {where!r} names",
            remedy=f"correct DAXA_TOOL_{spec.name.upper()}, or the table [tool] of the configuration file",
            tool=spec.name,
        )
    return path


def _not_a_place(spec: ToolSpec, where: str) -> DAXAConfigError:
    return DAXAConfigError(
        f"The setting tool_{spec.name} is {where!r}.",
        expected="a directory, script:PATH, conda:NAME, conda:PATH or container:COMMAND",
        remedy=f"correct DAXA_TOOL_{spec.name.upper()}, or the table [tool] of the configuration file",
        value=where,
    )


def _conda_prefix(name: str, variables: Mapping[str, str]) -> Path:
    """Directory of a conda environment, by its path, or by its name where conda keeps environments."""
    if os.sep in name:
        return Path(name).expanduser()
    bases = [Path(one) for one in variables.get("CONDA_ENVS_PATH", "").split(os.pathsep) if one]
    if "CONDA_EXE" in variables:
        bases.append(Path(variables["CONDA_EXE"]).parent.parent / "envs")
    if "MAMBA_ROOT_PREFIX" in variables:
        bases.append(Path(variables["MAMBA_ROOT_PREFIX"]) / "envs")
    home = Path(variables.get("HOME", "/"))
    bases += [home / base / "envs" for base in (".conda", "miniconda3", "miniforge3", "anaconda3", "mambaforge")]
    return next((base / name for base in bases if (base / name).is_dir()), bases[0] / name)


def _by_script(spec: ToolSpec, variables: Mapping[str, str], script: Path) -> FoundTool:
    """Run its activation; scripts such as HEASoft's and SAS's expect the variable that names the installation."""
    given = _given(spec, variables)
    if spec.home_variable:
        depth = len(Path(spec.activation or script.name).parts)
        given[spec.home_variable] = str(script.absolute().parents[depth - 1])
    return FoundTool(spec=spec, environment=_activated(_ACTIVATE, script, given), found=f"by {script}")


def _given(spec: ToolSpec, variables: Mapping[str, str]) -> dict[str, str]:
    """What an activation is told of some variables: what it makes of them is what the tasks see."""
    return {**_needed(spec, variables), **{name: variables[name] for name in (*KEPT, "HOME") if name in variables}}


def _activated(activate: str, path: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """The environment that an activation makes, of a shell that is told the path as an argument."""
    try:
        done = subprocess.run(
            [shutil.which("bash") or "/bin/sh", "-c", activate, "sh", str(path)],
            env=dict(variables),
            capture_output=True,
            timeout=_ASK_SECONDS,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return {}
    pairs = (entry.partition(b"=") for entry in done.stdout.split(b"\0") if b"=" in entry)
    return {name.decode(): value.decode(errors="surrogateescape") for name, _, value in pairs}

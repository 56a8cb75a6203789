"""Settings: argument, environment, file, default - in this order.

Nothing is read at import and nothing is ever written. Values are looked up when they are asked for, so that a change of
the environment counts for the next object that is made.
"""

from __future__ import annotations

import configparser
import math
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import platformdirs
from attrs import define, field, frozen

from daxa import machine
from daxa.exceptions import DAXAConfigError, InvalidParameterError
from daxa.sizes import size_in_bytes
from daxa.specs import ServiceSpec, is_location

_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off", ""})

SERVICE_PREFIX: Final = "url_"
TOOL_PREFIX: Final = "tool_"
LIMITS: Final = ("connections", "interval", "listing_interval")
TABLES: Final = ("url", "tool", *LIMITS)
"""Tables of the file; their settings are ``<table>_<name>``."""


@frozen
class Setting:
    """A value and where it comes from.

    Parameters
    ----------
    name : str
        Name in the file; the environment variable is ``DAXA_`` + upper case.
    value : object
        The value in use.
    source : str
        ``argument``, ``environment DAXA_...``, ``file PATH`` or ``default``.
    """

    name: str
    value: Any
    source: str


SETTINGS: Final[Mapping[str, str]] = {
    "output": "directory that takes downloads and archives",
    "cache": "directory of the catalogue cache",
    "cores": "most tasks at once; -1 takes nine tenths of the machine's cores",
    "memory": "what all tasks together may use, e.g. 16 GB; by default what the machine has",
    "locations": "where files are fetched from first: https, s3, or mounted copies (file:///...)",
    "offline": "use the cache only, open no connection",
    "pfiles_path": "system parameter files of HEASoft, where they are not beside the tools",
    "events": "file that takes every event as a JSON line",
    "xsa_user": "user name at the XMM-Newton Science Archive",
    "xsa_password": "password there; never shown",
    "sky": "set by `daxa sky`: the run sees the offline sky, not the real archives",
}
"""Every setting with its meaning; those of services and tools come on top: ``tool_<name>``, ``url_<service>``,
``connections_<service>``, ``interval_<service>`` and ``listing_interval_<service>``."""

_DAXA_CFG_KEYS: Final = {"output": "daxa_save_path", "cores": "num_cores", "pfiles_path": "pfiles_path"}


def config_file() -> Path:
    """Where the configuration file is looked for."""
    named = os.environ.get("DAXA_CONFIG")
    if named:
        return Path(named).expanduser()
    return Path(platformdirs.user_config_dir("daxa", appauthor=False)) / "config.toml"


def daxa_cfg_file() -> Path:
    """Where DAXA 0.3 kept its configuration."""
    root = os.environ.get("XDG_CONFIG_HOME")
    return Path(root) / "daxa.cfg" if root else Path.home() / ".config" / "daxa" / "daxa.cfg"


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            table = tomllib.load(stream)
    except FileNotFoundError:
        return {}
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise DAXAConfigError(
            f"The configuration file {path} cannot be read: {problem}.",
            expected="TOML with keys such as output, cache, cores, offline, and tables [url] and [tool]",
            remedy="correct the file, or name another with DAXA_CONFIG",
            path=str(path),
        ) from problem
    flat = {key.lower(): value for key, value in table.items() if not isinstance(value, dict)}
    for name in TABLES:
        entries = table.get(name, {})
        if not isinstance(entries, dict):
            raise DAXAConfigError(
                f"{name} is {entries!r} in the configuration file {path}.",
                expected=f"a table [{name}]",
                remedy="correct the file",
                path=str(path),
            )
        flat.update({f"{name}_{key.lower()}": value for key, value in entries.items()})
    return flat


def _read_daxa_cfg(path: Path) -> dict[str, str]:
    parser = configparser.ConfigParser(interpolation=None)
    try:
        with path.open(encoding="utf-8") as stream:
            parser.read_file(stream)
    except FileNotFoundError:
        return {}
    except (OSError, configparser.Error, UnicodeDecodeError) as problem:
        raise DAXAConfigError(
            f"The configuration file {path} cannot be read: {problem}.",
            expected="DAXA's daxa.cfg with a section DAXA_SETUP",
            remedy="correct or remove the file",
            path=str(path),
        ) from problem
    if not parser.has_section("DAXA_SETUP"):
        return {}
    section = parser["DAXA_SETUP"]
    return {name: section[key] for name, key in _DAXA_CFG_KEYS.items() if section.get(key)}


@frozen
class ServiceLimits:
    """How a service is treated: requests at once, seconds between the starts of two, and of two directory pages."""

    connections: int
    interval: float
    listing_interval: float


@define
class Config:
    """The settings in force.

    Parameters
    ----------
    arguments : Mapping, optional
        Values given by the program; they win.
    """

    arguments: Mapping[str, Any] = field(factory=dict, repr=lambda given: repr(sorted(given)))  # values may be secret
    _files: dict[Path, tuple[tuple[int, int] | None, dict[str, Any]]] = field(init=False, factory=dict, repr=False)

    def _file_values(self, path: Path) -> dict[str, Any]:
        try:
            status = path.stat()
            stamp: tuple[int, int] | None = (status.st_mtime_ns, status.st_size)
        except OSError:
            stamp = None
        cached = self._files.get(path)
        if cached is None or cached[0] != stamp:
            read = _read_toml if path.suffix == ".toml" or path == config_file() else _read_daxa_cfg
            cached = (stamp, dict(read(path)))
            self._files[path] = cached
        return cached[1]

    def setting(self, name: str, default: Any = None) -> Setting:
        """Look a setting up.

        Parameters
        ----------
        name : str
            Lower-case name.
        default : object
            Used where nobody says otherwise.
        """
        if self.arguments.get(name) is not None:
            return Setting(name, self.arguments[name], "argument")
        variable = "DAXA_" + name.upper()
        if os.environ.get(variable, "") != "":
            return Setting(name, os.environ[variable], f"environment {variable}")
        for path in (config_file(), daxa_cfg_file()):
            values = self._file_values(path)
            if name in values:
                return Setting(name, values[name], f"file {path}")
        return Setting(name, default, "default")

    def _flag(self, setting: Setting) -> bool:
        value = setting.value
        if isinstance(value, bool):
            return value
        text = str(value).strip().lower()
        if text in _TRUE:
            return True
        if text in _FALSE:
            return False
        raise DAXAConfigError(
            f"{setting.name} is {value!r} (from {setting.source}).",
            expected="true or false",
            remedy="correct the setting",
            value=value,
        )

    @property
    def output(self) -> Path:
        """Absolute directory of downloads and archives; relative paths count from the working directory of now."""
        setting = self.setting("output", "daxa_output")
        if not isinstance(setting.value, str | os.PathLike) or "\x00" in os.fspath(setting.value):
            raise DAXAConfigError(
                f"output is {setting.value!r} (from {setting.source}).",
                expected="a directory",
                remedy="correct the setting",
                value=setting.value,
            )
        return Path(os.path.abspath(Path(setting.value).expanduser()))  # noqa: PTH100 - links are kept as the user wrote

    @property
    def cache(self) -> Path:
        """Absolute directory of the catalogue cache."""
        default = platformdirs.user_cache_dir("daxa", appauthor=False)
        return Path(os.path.abspath(Path(self.setting("cache", default).value).expanduser()))  # noqa: PTH100

    @property
    def cores(self) -> int:
        """Most tasks at once."""
        setting = self.setting("cores", -1)
        have = os.cpu_count() or 1
        try:
            if isinstance(setting.value, bool | float):
                raise ValueError
            number = int(setting.value)
        except (TypeError, ValueError):
            number = 0
        if number == -1:
            return max(math.floor(0.9 * have), 1)
        if not 1 <= number <= have:
            raise DAXAConfigError(
                f"cores is {setting.value!r} (from {setting.source}).",
                expected=f"a whole number from 1 to {have}, or -1",
                remedy="correct the setting",
                value=setting.value,
            )
        return number

    @property
    def memory(self) -> float:
        """Bytes of memory that all tasks together may use."""
        setting = self.setting("memory")
        if setting.value is None:
            return machine.memory()
        try:
            size = size_in_bytes(setting.value)
        except InvalidParameterError:
            size = 0.0
        if not size:
            raise DAXAConfigError(
                f"memory is {setting.value!r} (from {setting.source}).",
                expected="a size such as '16 GB'",
                remedy="correct the setting",
                value=setting.value,
            )
        return size

    @property
    def offline(self) -> bool:
        """Whether the network is switched off."""
        return self._flag(self.setting("offline", False))

    @property
    def locations(self) -> tuple[str, ...]:
        """Where files are fetched from, best first.

        Raises
        ------
        DAXAConfigError
            If a word is none of ``https``, ``s3``, ``file`` and ``file:///...``.
        """
        setting = self.setting("locations")
        given = setting.value or ()
        if isinstance(given, str):
            given = given.replace(",", " ").split()
        if not isinstance(given, list | tuple) or not all(is_location(word) for word in given):
            raise DAXAConfigError(
                f"locations is {setting.value!r} (from {setting.source}).",
                expected="some of https, s3 and file:///PATH, best first",
                remedy="correct the setting",
                value=setting.value,
            )
        return tuple(given)

    def limits(self, spec: ServiceSpec) -> ServiceLimits:
        """How a service is treated: as its plugin says, where nobody says otherwise.

        Raises
        ------
        DAXAConfigError
            If a limit is no number, negative, or more than the service bears.
        """
        service = spec.name.lower()
        return ServiceLimits(
            int(self._number(f"connections_{service}", spec.connections, 1, spec.most, whole=True)),
            self._number(f"interval_{service}", spec.interval, 0, 3600),
            self._number(f"listing_interval_{service}", spec.listing_interval, 0, 3600),
        )

    def _number(self, name: str, default: float, least: float, most: float, *, whole: bool = False) -> float:
        setting = self.setting(name, default)
        try:
            number = math.nan if isinstance(setting.value, bool) else float(setting.value)
        except (TypeError, ValueError):
            number = math.nan
        if not least <= number <= most or (whole and not number.is_integer()):
            raise DAXAConfigError(
                f"{name} is {setting.value!r} (from {setting.source}).",
                expected=f"a {'whole ' if whole else ''}number from {least} to {most}",
                remedy="correct the setting",
                value=setting.value,
            )
        return number

    @property
    def sky(self) -> str | None:
        """Address of the offline sky the run sees, if it sees one."""
        value = self.setting("sky").value
        return str(value) if value else None

    def tool(self, name: str) -> str | None:
        """Where the user says that external software is; None if it is to be looked for."""
        value = self.setting(TOOL_PREFIX + name.lower()).value
        return None if value is None else str(value)

    def service(self, name: str, default: str) -> Setting:
        """Address of a service, without trailing blanks.

        Raises
        ------
        DAXAConfigError
            If it is not an http, https or file URL.
        """
        setting = self.setting(SERVICE_PREFIX + name.lower(), default)
        url = str(setting.value).strip()
        if not re.match(r"(https?://[^/\s]+|file:///)\S*\Z", url):
            raise DAXAConfigError(
                f"The address of {name} is {url!r} (from {setting.source}).",
                expected="a URL beginning with https://, http:// or file:///",
                remedy=f"correct DAXA_URL_{name.upper()} or the configuration file",
                value=url,
            )
        return Setting(setting.name, url, setting.source)

"""Finding plugins, one at a time, so that a broken one takes nothing else down."""

from __future__ import annotations

import importlib.metadata
import inspect
import logging
import time
from collections.abc import Iterable, Iterator
from typing import Any, Final

import pluggy
from attrs import Factory, define, field, frozen

from daxa import hookspecs
from daxa.specs import API_VERSION, PluginInfo

log = logging.getLogger(__name__)

OLDEST_API: Final = 1
"""Oldest number of the contract that is still honoured."""


@frozen
class LoadRecord:
    """What became of one plugin.

    Parameters
    ----------
    name : str
        Name of the entry point.
    distribution, version : str
        Where it comes from.
    location : str
        Directory of the distribution.
    api : int, optional
        Number of the contract it was written for.
    seconds : float
        Time its import took.
    error : str, optional
        Why it is not used.
    """

    name: str
    distribution: str
    version: str
    location: str = ""
    api: int | None = None
    seconds: float = 0.0
    error: str | None = None


def _entry_points() -> list[tuple[importlib.metadata.EntryPoint, importlib.metadata.Distribution | None]]:
    """All entry points of the group, sorted by distribution, so that the order does not depend on the disk's."""
    found = [(point, point.dist) for point in importlib.metadata.entry_points(group=hookspecs.ENTRY_POINT_GROUP)]
    return sorted(found, key=lambda pair: (pair[1].name if pair[1] else "", pair[0].name, pair[0].value))


def check_hooks(plugin: Any) -> list[str]:
    """List what is wrong with a plugin's hooks: unknown names, coroutines, unknown arguments.

    Parameters
    ----------
    plugin : module or object
        The plugin.

    Returns
    -------
    list of str
        One sentence a fault; empty for a sound plugin.
    """
    specs = {name: function for name, function in vars(hookspecs).items() if hasattr(function, "daxa_spec")}
    faults = []
    for attribute in sorted(dir(plugin)):
        function: Any = getattr(plugin, attribute, None)
        marked = getattr(function, "daxa_impl", None)
        if marked is None:
            if attribute.startswith("daxa_") and inspect.isroutine(function) and attribute in specs:
                faults.append(f"{attribute} lacks the mark @hookimpl")
            continue
        name = marked.get("specname") or attribute
        if name not in specs:
            if not marked.get("optionalhook"):
                faults.append(f"there is no hook {name!r}; known are {', '.join(sorted(specs))}")
            continue
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            faults.append(f"{name} is a coroutine function; hooks are synchronous")
        known = set(inspect.signature(specs[name]).parameters)
        extra = [parameter for parameter in inspect.signature(function).parameters if parameter not in known]
        if extra:
            faults.append(f"{name} takes {', '.join(extra)}, which this version does not pass")
    return faults


@define
class Plugins:
    """The plugins of a context, and the report of their loading.

    Parameters
    ----------
    blocked : iterable of str
        Names of distributions that are left out.
    """

    blocked: frozenset[str] = field(default=frozenset(), converter=frozenset)
    records: list[LoadRecord] = Factory(list)
    _manager: pluggy.PluginManager = field(init=False, repr=False)
    _owner: dict[int, str] = field(init=False, factory=dict, repr=False)

    def __attrs_post_init__(self) -> None:
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)

    def discover(self) -> None:
        """Load what is installed. A plugin that cannot be loaded is recorded with its error, and left out."""
        for point, dist in _entry_points():
            distribution = dist.name if dist is not None else "unknown"
            if distribution in self.blocked:
                continue
            began = time.perf_counter()
            try:
                plugin = point.load()
            except (Exception, SystemExit) as problem:  # noqa: BLE001 - whatever a plugin does, the others load
                self._record(
                    point.name, dist, time.perf_counter() - began, None, f"{type(problem).__name__}: {problem}"
                )
                continue
            self.register(plugin, point.name, dist, seconds=time.perf_counter() - began)

    def register(
        self,
        plugin: Any,
        name: str,
        dist: importlib.metadata.Distribution | None = None,
        *,
        seconds: float = 0.0,
    ) -> LoadRecord:
        """Take one plugin in, if it keeps the contract.

        Parameters
        ----------
        plugin : module or object
            What the entry point named.
        name : str
            Name of the entry point.
        dist : Distribution, optional
            Where it comes from.
        seconds : float
            Time its import took.
        """
        faults = check_hooks(plugin)
        info = PluginInfo()
        describe = getattr(plugin, "daxa_plugin_info", None)
        if not faults and describe is not None:
            try:
                info = describe()
                if not isinstance(info, PluginInfo):
                    faults.append(f"daxa_plugin_info gave {info!r}, not a PluginInfo")
                    info = PluginInfo()
            except Exception as problem:  # noqa: BLE001 - a plugin's fault is reported, never passed on
                faults.append(f"daxa_plugin_info raised {type(problem).__name__}: {problem}")
        if info.api > API_VERSION:
            faults.append(f"it needs API {info.api}, this core has {API_VERSION}: install a newer daxa-core")
        elif info.api < OLDEST_API:
            faults.append(f"it was written for API {info.api}, the oldest honoured is {OLDEST_API}: update the plugin")
        if not faults:
            try:
                self._manager.register(plugin, name=f"{dist.name if dist else ''}:{name}")
                self._owner[id(plugin)] = dist.name if dist is not None else name
            except (ValueError, pluggy.PluginValidationError) as problem:
                faults.append(str(problem))
        return self._record(name, dist, seconds, info.api, "; ".join(faults) or None)

    def _record(
        self,
        name: str,
        dist: importlib.metadata.Distribution | None,
        seconds: float,
        api: int | None,
        error: str | None,
    ) -> LoadRecord:
        if error:
            log.warning("plugin %s of %s is left out: %s", name, dist.name if dist else "unknown", error)
        record = LoadRecord(
            name=name,
            distribution=dist.name if dist is not None else name,
            version=dist.version if dist is not None else "",
            location=str(dist.locate_file("")) if dist is not None else "",
            api=api,
            seconds=seconds,
            error=error,
        )
        self.records.append(record)
        return record

    def each(self, hook: str, **arguments: Any) -> Iterator[tuple[str, Any]]:
        """Call a hook of every plugin; one that raises loses its own answer only, and is recorded.

        Yields
        ------
        (str, object)
            Distribution and answer; answers of None are passed over, lists are opened.
        """
        for implementation in getattr(self._manager.hook, hook).get_hookimpls():
            owner = self._owner.get(id(implementation.plugin), implementation.plugin_name)
            passed = {name: arguments[name] for name in implementation.argnames}
            try:
                answer = implementation.function(**passed)
                answers: Iterable[Any] = answer if isinstance(answer, list | tuple) else (answer,)
            except Exception as problem:  # noqa: BLE001 - a plugin's fault is reported, never passed on
                self.complain(owner, f"{hook} raised {type(problem).__name__}: {problem}")
                continue
            for one in answers:
                if one is not None:
                    yield owner, one

    def complain(self, distribution: str, fault: str) -> None:
        """Add a fault to the report of a distribution."""
        log.warning("plugin %s: %s", distribution, fault)
        for index, record in enumerate(self.records):
            if record.distribution == distribution:
                error = f"{record.error}; {fault}" if record.error else fault
                self.records[index] = LoadRecord(
                    record.name, record.distribution, record.version, record.location, record.api, record.seconds, error
                )
                return
        self.records.append(LoadRecord(distribution, distribution, "", error=fault))

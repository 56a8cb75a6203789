"""Finding plugins, one at a time, so that a broken one takes nothing else down."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import logging
import time
from collections.abc import Collection, Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

import pluggy
from attrs import Factory, define, evolve, field, frozen

from daxa import hookspecs
from daxa.answers import misfit
from daxa.specs import API_VERSION, PluginInfo

if TYPE_CHECKING:
    import click

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


@frozen
class _Source:
    """Where a plugin comes from; what damaged metadata do not tell is empty."""

    name: str = ""
    version: str = ""
    location: str = ""

    @classmethod
    def of(cls, dist: importlib.metadata.Distribution | None) -> _Source:
        """Read the metadata of a distribution, once: each look at its name would parse all of them again."""
        if dist is None:
            return cls()
        try:
            metadata: Any = dist.metadata
            name, version = str(metadata["Name"] or ""), str(metadata["Version"] or "")
        except Exception:  # noqa: BLE001 - damaged metadata take nothing down
            name = version = ""
        return cls(name, version, str(dist.locate_file("")))


def _entry_points() -> list[tuple[importlib.metadata.EntryPoint, _Source]]:
    """All entry points of the group, sorted by distribution, so that the order does not depend on the disk's."""
    points = importlib.metadata.entry_points(group=hookspecs.ENTRY_POINT_GROUP)
    found = [(point, _Source.of(point.dist)) for point in points]
    return sorted(found, key=lambda pair: (pair[1].name, pair[0].name, pair[0].value))


def _import_fault(problem: BaseException) -> str:
    """Write why an entry point cannot be loaded; a name that daxa.api lacks is a newer contract's."""
    said = f"{type(problem).__name__}: {problem}"
    if isinstance(problem, ImportError) and problem.name == "daxa.api":
        said += f" (this core has API {API_VERSION}: install a newer daxa-core, or correct the name)"
    return said


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
    hooks = 0
    for attribute in sorted(dir(plugin)):
        try:
            function: Any = getattr(plugin, attribute, None)
            marked = getattr(function, "daxa_impl", None)
        except Exception as problem:  # noqa: BLE001 - an attribute that cannot be read is no hook
            faults.append(f"its {attribute} raised {type(problem).__name__}: {problem}")
            continue
        if not isinstance(marked, dict):
            if attribute.startswith("daxa_") and inspect.isroutine(function) and attribute in specs:
                faults.append(f"{attribute} lacks the mark @hookimpl")
            continue
        hooks += 1
        name = marked.get("specname") or attribute
        if name not in specs:
            if not marked.get("optionalhook"):
                faults.append(f"there is no hook {name!r}; known are {', '.join(sorted(specs))}")
            continue
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            faults.append(f"{name} is a coroutine function; hooks are synchronous")
        if marked.get("wrapper") or marked.get("hookwrapper"):
            faults.append(f"{name} is a wrapper; hooks answer for themselves alone")
        known = set(inspect.signature(specs[name]).parameters)
        extra = [parameter for parameter in inspect.signature(function).parameters if parameter not in known]
        if extra:
            faults.append(f"{name} takes {', '.join(extra)}, which this version does not pass")
    if not hooks and not faults:
        faults.append("it has no hooks: no function of it is marked with @hookimpl")
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
        for point, source in _entry_points():
            if (source.name or "unknown") in self.blocked:
                continue
            began = time.perf_counter()
            try:
                plugin = point.load()
            except (Exception, SystemExit) as problem:  # noqa: BLE001 - whatever a plugin does, the others load
                self._record(point.name, source, time.perf_counter() - began, None, _import_fault(problem))
                continue
            self._take(plugin, point.name, source, time.perf_counter() - began)

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
        return self._take(plugin, name, _Source.of(dist), seconds)

    def _take(self, plugin: Any, name: str, source: _Source, seconds: float) -> LoadRecord:
        faults = check_hooks(plugin)
        info = PluginInfo()
        describe = getattr(plugin, "daxa_plugin_info", None)
        if not faults and describe is not None:
            try:
                answer = describe()
                fault = misfit("daxa_plugin_info", answer)
                if fault:
                    faults.append(fault)
                else:
                    info = answer
            except (Exception, SystemExit) as problem:  # noqa: BLE001 - a plugin's fault is reported, never passed on
                faults.append(f"daxa_plugin_info raised {type(problem).__name__}: {problem}")
        if info.api > API_VERSION:
            faults.append(f"it needs API {info.api}, this core has {API_VERSION}: install a newer daxa-core")
        elif info.api < OLDEST_API:
            faults.append(f"it was written for API {info.api}, the oldest honoured is {OLDEST_API}: update the plugin")
        if not faults:
            try:
                self._manager.register(plugin, name=f"{source.name}:{name}")
                self._owner[id(plugin)] = source.name or name
            except Exception as problem:  # noqa: BLE001 - a plugin's fault is reported, never passed on
                faults.append(str(problem))
        return self._record(name, source, seconds, info.api, "; ".join(faults) or None)

    def _record(
        self,
        name: str,
        source: _Source,
        seconds: float,
        api: int | None,
        error: str | None,
    ) -> LoadRecord:
        if error:
            log.warning("plugin %s of %s is left out: %s", name, source.name or "unknown", error)
        record = LoadRecord(
            name=name,
            distribution=source.name or name,
            version=source.version,
            location=source.location,
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
            Distribution and answer; answers of None are passed over, lists are opened. What is not of the kind that the
            hook promises is recorded and left out.
        """
        for implementation in getattr(self._manager.hook, hook).get_hookimpls():
            owner = self._owner.get(id(implementation.plugin), implementation.plugin_name)
            for one in self._answers(owner, hook, implementation, arguments):
                yield owner, one

    def _answers(self, owner: str, hook: str, implementation: Any, arguments: dict[str, Any]) -> list[Any]:
        try:
            passed = {name: arguments[name] for name in implementation.argnames}
            answer = implementation.function(**passed)
            answers: list[Any] = list(answer) if isinstance(answer, list | tuple) else [answer]
        except (Exception, SystemExit) as problem:  # noqa: BLE001 - a plugin's fault is reported, never passed on
            self.complain(owner, f"{hook} raised {type(problem).__name__}: {problem}")
            return []
        good = []
        for one in answers:
            fault = None if one is None else misfit(hook, one)
            if fault:
                self.complain(owner, fault)
            elif one is not None:
                good.append(one)
        return good

    def commands(self, taken: Collection[str] = ()) -> dict[str, click.Command]:
        """Ask every plugin for its commands; each adds them to a group of its own, so that none touches another's.

        Parameters
        ----------
        taken : collection of str
            Names of the program's own commands; a plugin that claims one is recorded.
        """
        found: dict[str, click.Command] = {}
        owners = dict.fromkeys(taken, "daxa-core")
        for owner, group in self._command_groups():
            for name, command in group.commands.items():
                if name in owners:
                    self.complain(owner, f"the command {name!r} is claimed already, by {owners[name]}")
                    continue
                found[name], owners[name] = command, owner
        return found

    def commands_of(self, distribution: str) -> dict[str, click.Command]:
        """Commands that a distribution wants to add."""
        return {
            name: command
            for owner, group in self._command_groups()
            if owner == distribution
            for name, command in group.commands.items()
        }

    def _command_groups(self) -> Iterator[tuple[str, click.Group]]:
        import click

        hook = "daxa_register_commands"
        for implementation in self._manager.hook.daxa_register_commands.get_hookimpls():
            owner = self._owner.get(id(implementation.plugin), implementation.plugin_name)
            group = click.Group("daxa")
            self._answers(owner, hook, implementation, {"cli": group})
            yield owner, group

    def module(self, owner: str, name: str) -> ModuleType | None:
        """Import a module that a plugin names; one that cannot be imported is recorded, and None."""
        try:
            return importlib.import_module(name)
        except (Exception, SystemExit) as problem:  # noqa: BLE001 - a plugin's fault is reported, never passed on
            self.complain(owner, f"{name} cannot be imported: {type(problem).__name__}: {problem}")
            return None

    def complain(self, distribution: str, fault: str) -> None:
        """Add a fault to the report of a distribution, once."""
        for index, record in enumerate(self.records):
            if record.distribution == distribution:
                if record.error and fault in record.error:
                    return
                error = f"{record.error}; {fault}" if record.error else fault
                self.records[index] = evolve(record, error=error)
                break
        else:
            self.records.append(LoadRecord(distribution, distribution, "", error=fault))
        log.warning("plugin %s: %s", distribution, fault)

"""The Context: configuration, plugins and registry, host limits. One is given to everything else.

The process's default context is made when it is first needed. It is the only process-wide state of the project, so that
missions and archives that download side by side share the limits of their hosts.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from daxa.config import Config, ServiceLimits
from daxa.events import Event, Publisher, Subscriber
from daxa.plugins import Plugins
from daxa.registry import Registry
from daxa.specs import load_target

if TYPE_CHECKING:
    from daxa.connections import Connections
    from daxa.hosts import HostLimits
    from daxa.tools import FoundTool


CORE_SUBSCRIBERS: Final = (
    "daxa.report.progress:progress_lines",
    "daxa.report.lines:event_log",
    "daxa.report.lines:json_lines",
)
"""Our own subscribers, by name as a plugin's would be: they live on a floor above this one, and are imported late."""


def _late_subscriber(target: str, context: Context) -> Subscriber:
    """A subscriber that is imported, and made for a context, when the first event comes."""
    made: list[Subscriber] = []

    def subscriber(event: Event) -> None:
        if not made:
            made.append(load_target(target)(context))
        made[0](event)

    return subscriber


class Context:
    """Everything a mission, an archive or a command needs of its surroundings.

    Parameters
    ----------
    config : Config, optional
        Settings; by default those of environment and file.
    plugins : Plugins, optional
        By default what is installed, discovered on first use.
    **settings
        Settings that win over environment and file: ``output=``, ``cache=``, ``cores=``, ``offline=``,
        ``url_<service>=``.
    """

    def __init__(self, config: Config | None = None, plugins: Plugins | None = None, **settings: Any) -> None:
        self.config = config if config is not None else Config(arguments=settings)
        self.events = Publisher()
        for target in CORE_SUBSCRIBERS:
            self.events.subscribe(_late_subscriber(target, self))
        self._plugins = plugins
        self._registry: Registry | None = None
        self._hosts: HostLimits | None = None
        self._connections: Connections | None = None
        self._lock = threading.RLock()

    @property
    def plugins(self) -> Plugins:
        """The plugins with their load report."""
        with self._lock:
            if self._plugins is None:
                plugins = Plugins()
                plugins.discover()
                self._plugins = plugins
            return self._plugins

    @property
    def registry(self) -> Registry:
        """What the plugins provide."""
        with self._lock:
            if self._registry is None:
                registry = Registry(self.plugins)
                for _owner, subscriber in self.plugins.each("daxa_subscribers"):
                    self.events.subscribe(subscriber)
                self._registry = registry
            return self._registry

    @property
    def hosts(self) -> HostLimits:
        """Limits per host, shared by all that downloads in this context."""
        with self._lock:
            if self._hosts is None:
                from daxa.hosts import HostLimits

                self._hosts = HostLimits()
            return self._hosts

    @property
    def connections(self) -> Connections:
        """Open connections, shared by all that downloads in this context at the same time."""
        with self._lock:
            if self._connections is None:
                from daxa.connections import Connections

                self._connections = Connections()
            return self._connections

    def find_tool(self, name: str) -> FoundTool:
        """Find external software that a plugin describes. Starts programs, and waits for them.

        Raises
        ------
        MissingToolError
            If it is not here.
        KeyError
            If no plugin describes it.
        """
        from daxa.tools import find

        return find(self.registry.tools[name], where=self.config.tool(name))

    def service_url(self, name: str) -> str:
        """Address of a registered service, as the configuration has it.

        Raises
        ------
        UnknownNameError
            If no such service is registered.
        """
        from daxa.exceptions import UnknownNameError

        spec = self.registry.services.get(name)
        if spec is None:
            raise UnknownNameError(
                f"No service {name!r} is registered.",
                expected=f"one of {', '.join(sorted(self.registry.services))}",
                remedy="declare it with the hook daxa_register_services",
                value=name,
            )
        return str(self.config.service(name, spec.url).value)

    def service_limits(self, name: str) -> ServiceLimits:
        """How a registered service is treated: its plugin's limits, or those of the configuration."""
        return self.config.limits(self.registry.services[name])

    def services(self) -> Mapping[str, str]:
        """Addresses in use, by service name."""
        return {name: self.service_url(name) for name in self.registry.services}

    @property
    def archives_path(self) -> Path:
        """Directory that holds the archives."""
        return self.config.output / "archives"


class _Default:
    """Holds the process's own context, made on first use."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._context: Context | None = None

    def get(self) -> Context:
        with self._lock:
            if self._context is None:
                self._context = Context()
            return self._context


_current: ContextVar[Context | _Default] = ContextVar("daxa_context", default=_Default())  # noqa: B039 - one for all


def current_context() -> Context:
    """Return the context in force: that of :func:`use_context`, else the process's own."""
    held = _current.get()
    return held.get() if isinstance(held, _Default) else held


@contextmanager
def use_context(context: Context) -> Iterator[Context]:
    """Use another context for the length of a block.

    Parameters
    ----------
    context : Context
        The one to use.
    """
    token = _current.set(context)
    try:
        yield context
    finally:
        _current.reset(token)

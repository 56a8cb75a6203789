"""What the plugins provide, by name: missions, processes, tools, services, executors, recipes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from attrs import define, field

from daxa.exceptions import MissingPluginError, PluginError, UnknownNameError
from daxa.plugins import Plugins
from daxa.specs import ExecutorSpec, MissionEntry, Recipe, ServiceSpec, ToolSpec, load_target

if TYPE_CHECKING:
    from daxa.mission.base import Mission
    from daxa.process import Process

CORE_SERVICES: Final = (
    ServiceSpec(
        name="HEASARC",
        url="https://heasarc.gsfc.nasa.gov/FTP/",
        connections=4,
        listing_interval=0.2,
        title="files of NASA's HEASARC",
    ),
    ServiceSpec(
        name="HEASARC_TAP",
        url="https://heasarc.gsfc.nasa.gov/xamin/vo/tap",
        connections=2,
        title="tables of NASA's HEASARC",
    ),
    ServiceSpec(
        name="HEASARC_S3",
        url="https://nasa-heasarc.s3.amazonaws.com/",
        connections=16,
        title="HEASARC's mirror in the cloud",
    ),
    ServiceSpec(
        name="SESAME",
        url="https://cds.unistra.fr/cgi-bin/nph-sesame/",
        connections=2,
        title="names to positions, at the CDS",
    ),
    ServiceSpec(
        name="SESAME_MIRROR",
        url="http://vizier.cfa.harvard.edu/viz-bin/nph-sesame/",
        connections=2,
        title="names to positions, where the CDS cannot be asked",
    ),
)
"""Services that serve several missions, and so belong to no mission's plugin."""

NOT_YET_WRITTEN: Final[Mapping[str, str]] = {
    "Swift": "swift",
    "Suzaku": "suzaku",
    "ASCA": "asca",
    "INTEGRALPointed": "integral_pointed",
    "XRISMPointed": "xrism_pointed",
}
"""Missions of DAXA 0.3 that have no plugin yet: class and internal name."""

KNOWN_PLUGINS: Final[Mapping[str, str]] = {
    "XMMPointed": "daxa-xmm",
    "Chandra": "daxa-chandra",
    "eROSITACalPV": "daxa-erosita",
    "eRASS1DE": "daxa-erosita",
    "ROSATPointed": "daxa-rosat",
    "ROSATAllSky": "daxa-rosat",
    "NuSTARPointed": "daxa-nustar",
}
"""Classes of our own plugins, to tell what to install."""


@define
class Registry:
    """Everything registered, filled from the plugins when it is first asked for.

    Parameters
    ----------
    plugins : Plugins
        The plugins of the context, already discovered.
    """

    plugins: Plugins
    missions: dict[str, MissionEntry] = field(init=False, factory=dict)
    tools: dict[str, ToolSpec] = field(init=False, factory=dict)
    services: dict[str, ServiceSpec] = field(init=False, factory=dict)
    executors: dict[str, ExecutorSpec] = field(init=False, factory=dict)
    recipes: dict[str, Recipe] = field(init=False, factory=dict)
    process_modules: tuple[str, ...] = field(init=False, default=())
    owners: dict[tuple[str, str], str] = field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        for service in CORE_SERVICES:
            self._claim("service", self.services, service, "daxa-core")
        tables: tuple[tuple[str, str, dict[str, Any]], ...] = (
            ("daxa_register_missions", "mission", self.missions),
            ("daxa_register_services", "service", self.services),
            ("daxa_register_tools", "tool", self.tools),
            ("daxa_register_executors", "executor", self.executors),
            ("daxa_register_recipes", "recipe", self.recipes),
        )
        for hook, kind, table in tables:
            for owner, answer in self.plugins.each(hook):
                self._claim(kind, table, answer, owner)
        modules = []
        for owner, answer in self.plugins.each("daxa_register_processes"):
            if answer not in modules:
                modules.append(answer)
                self.owners["processes", answer] = owner
        self.process_modules = tuple(modules)

    def _claim(self, kind: str, table: dict[str, Any], record: Any, owner: str) -> None:
        """Enter a record; the first to claim a name keeps it, whoever comes later is told."""
        present = table.get(record.name)
        if present is not None:
            if present != record:
                first = self.owners[kind, record.name]
                self.plugins.complain(owner, f"the {kind} {record.name!r} is claimed already, by {first}")
            return
        if kind == "mission":
            taken = [entry.name for entry in self.missions.values() if entry.class_name == record.class_name]
            if taken:
                self.plugins.complain(owner, f"the class name {record.class_name!r} is taken by mission {taken[0]}")
                return
        table[record.name] = record
        self.owners[kind, record.name] = owner

    def mission_entry(self, name: str) -> MissionEntry:
        """Find a mission by internal or class name.

        Raises
        ------
        MissingPluginError
            If no plugin provides it.
        """
        if name in self.missions:
            return self.missions[name]
        for entry in self.missions.values():
            if entry.class_name == name:
                return entry
        raise self.missing_mission(name)

    def missing_mission(self, name: str, distribution: str | None = None) -> MissingPluginError:
        """Make the error that says how to get a mission; `distribution` provides it, if that is known."""
        if distribution is not None:
            remedy = f"pip install {distribution}"
        elif name in NOT_YET_WRITTEN or name in NOT_YET_WRITTEN.values():
            remedy = "nobody has written a plugin for it yet; the plugin author's guide in the documentation tells how"
        elif name in KNOWN_PLUGINS:
            remedy = f"pip install {KNOWN_PLUGINS[name]}"
        else:
            remedy = "install the plugin that provides it; `daxa plugins` lists what is here and what failed to load"
        return MissingPluginError(
            f"No installed plugin provides the mission {name!r}.",
            expected=f"one of {', '.join(sorted(self.missions)) or 'none, no mission plugin is installed'}",
            remedy=remedy,
            value=name,
        )

    def mission_class(self, name: str) -> type[Mission]:
        """Import the class of a mission, by internal or class name.

        Raises
        ------
        MissingPluginError
            If no plugin provides it.
        PluginError
            If its class cannot be imported.
        """
        entry = self.mission_entry(name)
        try:
            found = load_target(entry.target)
        except ImportError as problem:
            raise PluginError(
                f"The mission {entry.name} cannot be imported: {problem}.",
                remedy=f"reinstall {self.owners['mission', entry.name]}",
            ) from problem
        if found.name != entry.name:
            raise PluginError(
                f"{entry.target} says its name is {found.name!r}, the plugin registered {entry.name!r}.",
                remedy=f"update {self.owners['mission', entry.name]}",
            )
        return found  # type: ignore[no-any-return]

    def mission_classes(self) -> Iterator[tuple[str, type[Mission]]]:
        """All missions by internal name, imported one after the other."""
        for name in self.missions:
            yield name, self.mission_class(name)

    def processes(self, mission: str) -> dict[str, Process]:
        """All processes that can serve a mission, by name: its own, then those for any mission.

        Of two processes of one name the first is kept, and the plugin of the other is told. A module for any mission
        that cannot be imported takes nothing but itself away.

        Raises
        ------
        PluginError
            If the module of the mission's own processes cannot be imported.
        """
        from daxa.process import Process

        entry = self.mission_entry(mission)
        provider = self.owners["mission", entry.name]
        found: dict[str, Process] = {}
        modules = [(provider, entry.processes)] if entry.processes else []
        modules += [(self.owners["processes", name], name) for name in self.process_modules]
        for owner, name in modules:
            module = self.plugins.module(owner, name)
            if module is None:
                if name == entry.processes:
                    raise PluginError(
                        f"The processes of {mission} in {name} cannot be imported.",
                        expected="a module that can be imported",
                        remedy=f"`daxa plugins` tells why; reinstall {provider}",
                    )
                continue
            for value in vars(module).values():
                if not isinstance(value, Process) or (value.missions and mission not in value.missions):
                    continue
                present = found.setdefault(value.name, value)
                if present is not value:
                    fault = f"the process {value.name!r} of {name} is claimed already, by {present.module}"
                    self.plugins.complain(owner, fault)
        return found

    def process(self, mission: str, name: str) -> Process:
        """Find one process.

        Raises
        ------
        UnknownNameError
            If the mission has none of that name.
        """
        known = self.processes(mission)
        if name not in known:
            raise UnknownNameError(
                f"{mission} has no process {name!r}.",
                expected=f"one of {', '.join(sorted(known)) or 'none'}",
                remedy="correct the name, or install the plugin that provides the process",
                value=name,
            )
        return known[name]

    def recipes_for(self, mission: str) -> list[Recipe]:
        """The chains that ``arch.process()`` may run for a mission, best first: its own, then those for any mission."""
        candidates = [recipe for recipe in self.recipes.values() if recipe.default]
        own = [recipe for recipe in candidates if mission in recipe.missions]
        return own + [recipe for recipe in candidates if not recipe.missions]

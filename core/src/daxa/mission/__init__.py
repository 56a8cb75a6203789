"""Missions: the classes of installed plugins, by name.

``from daxa.mission import XMMPointed`` imports the plugin's mission when it is asked for; listing names imports none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from daxa.context import Context
    from daxa.mission.base import Mission
    from daxa.mission.base import Mission as BaseMission
    from daxa.mission.tools import multi_mission_filter_on_positions

_ORDER: Final = (
    "xmm_pointed",
    "nustar_pointed",
    "erosita_calpv",
    "erosita_all_sky_de_dr1",
    "chandra",
    "rosat_all_sky",
    "rosat_pointed",
    "swift",
    "suzaku",
    "asca",
    "integral_pointed",
    "xrism_pointed",
)
"""DAXA's missions, in DAXA's order; those of other plugins follow."""

_LATE: Final = {
    "BaseMission": ("daxa.mission.base", "Mission"),
    "Mission": ("daxa.mission.base", "Mission"),
    "multi_mission_filter_on_positions": ("daxa.mission.tools", "multi_mission_filter_on_positions"),
}


class MissionIndex(Mapping[str, "type[Mission]"]):
    """Classes of the installed missions by internal name; a class is imported when it is asked for.

    Parameters
    ----------
    context : Context, optional
        The surroundings; by default those in force whenever it is asked.
    """

    def __init__(self, context: Context | None = None) -> None:
        self._context = context

    def _registry(self) -> Any:
        from daxa.context import current_context

        return (self._context or current_context()).registry

    def __getitem__(self, name: str) -> type[Mission]:
        from daxa.exceptions import UnknownNameError

        registry = self._registry()
        if name not in registry.missions:
            missing = registry.missing_mission(name)
            raise UnknownNameError(
                missing.message, expected=missing.expected, remedy=missing.remedy, value=name
            ) from None
        found: type[Mission] = registry.mission_class(name)
        return found

    def __contains__(self, name: object) -> bool:
        return name in self._registry().missions

    def __iter__(self) -> Iterator[str]:
        known = self._registry().missions
        return iter([*(one for one in _ORDER if one in known), *sorted(one for one in known if one not in _ORDER)])

    def __len__(self) -> int:
        return len(self._registry().missions)

    def __repr__(self) -> str:
        registry = self._registry()
        return f"{{{', '.join(f'{name!r}: {registry.missions[name].class_name}' for name in self)}}}"


MISS_INDEX: Final = MissionIndex()


def __getattr__(name: str) -> Any:
    """Import a mission's class, or one of our own names, when it is first asked for.

    Raises
    ------
    MissingPluginError
        If it is the name of a mission whose plugin is not installed; it says what to install.
    """
    import importlib

    if name in _LATE:
        module, attribute = _LATE[name]
        return getattr(importlib.import_module(module), attribute)
    if not name.startswith("_") and not name.islower():  # sub-modules, and what Python itself asks for, are lower case
        from daxa.context import current_context
        from daxa.registry import KNOWN_PLUGINS, NOT_YET_WRITTEN

        registry = current_context().registry
        if any(entry.class_name == name for entry in registry.missions.values()):
            return registry.mission_class(name)
        if name in KNOWN_PLUGINS or name in NOT_YET_WRITTEN or name[0].isupper():
            raise registry.missing_mission(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    from daxa.context import current_context

    classes = [entry.class_name for entry in current_context().registry.missions.values()]
    return sorted([*_LATE, "MISS_INDEX", "MissionIndex", *classes])


__all__ = ["MISS_INDEX", "BaseMission", "Mission", "MissionIndex", "multi_mission_filter_on_positions"]

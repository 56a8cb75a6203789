"""A mission of an archive whose plugin is not installed: its records can be read, and it says what is missing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from daxa.exceptions import MissingPluginError
from daxa.mission.base import Mission
from daxa.mission.operations import MissionState
from daxa.specs import RemoteFile, Want

if TYPE_CHECKING:
    from pandas import DataFrame

    from daxa.context import Context
    from daxa.net.client import Net


class AbsentMission(Mission):
    """What an archive knows of a mission without its plugin.

    Its table, its paths and all that was recorded of it can be read; what only the plugin can tell raises
    MissingPluginError with the distribution to install.
    """

    distribution: ClassVar[str | None] = None

    @classmethod
    def recorded(
        cls, name: str, title: str, distribution: str | None, snapshot: Mapping[str, Any], context: Context
    ) -> AbsentMission:
        """Make one of what an archive has recorded.

        Parameters
        ----------
        name, title : str
            Internal and display name.
        distribution : str, optional
            What provides it.
        snapshot : Mapping
            As :meth:`daxa.mission.base.Mission.snapshot` makes them.
        context : Context
            The surroundings.
        """
        insts = tuple(MissionState.from_json(snapshot["state"], "the archive's record").chos_inst or ())
        declared = {
            "name": name,
            "pretty_name": title,
            "distribution": distribution,
            "id_pattern": r"[^/\\\x00]+",
            "instruments": insts,
            "default_instruments": insts,
            "frame": "icrs",
        }
        made: type[AbsentMission] = type(cls.__name__, (cls,), declared)
        return made.from_snapshot(snapshot, context=context)

    @property
    def missing(self) -> MissingPluginError:
        """The error that says what to install."""
        return self.context.registry.missing_mission(self.name, self.distribution)

    async def catalogue(self, net: Net) -> DataFrame:
        """Refuse: only the plugin knows."""
        raise self.missing

    def remote_files(self, obs: Mapping[str, Any], want: Want, net: Net) -> AsyncIterator[RemoteFile]:
        """Refuse: only the plugin knows."""
        raise self.missing

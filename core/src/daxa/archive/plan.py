"""From declared processes and recorded data ids to the nodes and members of a graph. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any, Final

from attrs import define, field, frozen

from daxa.exceptions import NoValidMissionsError, UnknownNameError
from daxa.ids import DataId
from daxa.process import Need, Process
from daxa.schedule.declared import Edge, Member, Node, Planned
from daxa.specs import Child
from daxa.store.entries import DataIdEntry

PREPROCESSED: Final = {
    "preprocessed_events": "events",
    "preprocessed_images": "image",
    "preprocessed_expmaps": "expmap",
    "preprocessed_backmaps": "backmap",
}
"""Names under which downloaded products stand in the record, with the kind of product."""

DOWNLOAD: Final = "download"
"""Name under which fetching an observation, and placing its products, stands in the record: the first step of all."""


@frozen
class Exposure:
    """A data id as ``applies`` sees it: the facts of the summary are attributes.

    Parameters
    ----------
    data_id : DataId
        The data.
    usable : bool
        Whether the summary says it can be used.
    reason : str
        Why not.
    info : Mapping
        Facts of the summary.
    """

    data_id: DataId
    usable: bool = True
    reason: str = ""
    info: Mapping[str, Any] = field(factory=dict)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.info[name]
        except KeyError:
            raise AttributeError(f"the summary of {self.data_id} says nothing of {name!r}") from None


@frozen
class Parameters:
    """Parameters as attributes."""

    values: Mapping[str, Any]

    def __getattr__(self, name: str) -> Any:
        try:
            return self.values[name]
        except KeyError:
            raise AttributeError(f"there is no parameter {name!r}") from None


@define
class MissionPlan:
    """What is to be run for one mission.

    Parameters
    ----------
    mission : str
        Internal name.
    product_level : str
        Level at which its downloaded products are kept.
    known : Mapping of str to Process
        All processes that can serve the mission.
    wanted : sequence of str
        Names of the processes whose products are asked for.
    given : Mapping of str to Mapping
        Parameters that were given for processes, now or the last time, as far as they were.
    addressed : set of str
        Processes for which something was given now.
    parameters : Mapping of str to Mapping
        Complete parameters of each process.
    """

    mission: str
    product_level: str
    known: Mapping[str, Process]
    wanted: Sequence[str]
    given: Mapping[str, Mapping[str, Any]] = field(factory=dict)
    addressed: Set[str] = field(factory=set)
    parameters: Mapping[str, Mapping[str, Any]] = field(factory=dict)
    chain: tuple[str, ...] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.chain = self._closure()

    def _closure(self) -> tuple[str, ...]:
        """What is wanted and all it needs, needs first; before all else the observations are fetched."""
        order: list[str] = [DOWNLOAD]
        state: dict[str, bool] = {}

        def visit(name: str, by: str | None, optional: bool) -> None:
            if name == DOWNLOAD:
                return
            if name in PREPROCESSED or state.get(name):
                if name in PREPROCESSED and name not in order:
                    order.append(name)
                return
            process = self.known.get(name)
            if process is None:
                if optional:
                    return
                raise UnknownNameError(
                    f"{self.mission} has no process {name!r}" + (f", which {by} needs." if by else "."),
                    expected=f"one of {', '.join(sorted(self.known)) or 'none'}",
                    remedy="correct the name, or install the plugin that provides the process",
                    value=name,
                )
            state[name] = True
            for need in self.needs_of(name):
                visit(need.process, name, need.optional)
            order.append(name)

        for name in self.wanted:
            visit(name, None, False)
        return tuple(order)

    @property
    def processes(self) -> list[str]:
        """The chain without the steps that are the core's own."""
        return [name for name in self.chain if name != DOWNLOAD and name not in PREPROCESSED]

    def level_of(self, name: str) -> str:
        """Level of a process, with ``product`` resolved."""
        if name == DOWNLOAD:
            return "obs"
        level = "product" if name in PREPROCESSED else self.known[name].level
        return self.product_level if level == "product" else level

    def begins(self, name: str) -> bool:
        """Whether a process works on what was fetched: there is nothing in the chain that it cannot do without."""
        return not any(need.process in self.chain and not need.optional for need in self.needs_of(name))

    def needs_of(self, name: str) -> tuple[Need, ...]:
        """What a process needs with the parameters it has."""
        return self.known[name].needs_with(self.parameters.get(name) or self.given.get(name, {}))

    def nodes(self) -> list[Node]:
        """The chain as nodes of a graph."""
        return [self._node(name) for name in self.chain]

    def _node(self, name: str) -> Node:
        if name == DOWNLOAD:
            return Node(name=name, level="obs", reveals=self.revealer_of("obs") == DOWNLOAD)
        if name in PREPROCESSED:
            return Node(name=name, level=self.level_of(name), needs=(Edge(process=DOWNLOAD),))
        process = self.known[name]
        edges = tuple(self._edge(need) for need in self.needs_of(name) if need.process in self.chain)
        if self.begins(name):
            edges = (Edge(process=DOWNLOAD), *edges)
        return Node(name=name, level=self.level_of(name), needs=edges, reveals=process.reveals)

    @staticmethod
    def _edge(need: Need) -> Edge:
        return Edge(process=need.process, mode=need.mode, optional=need.optional, instruments=tuple(need.instruments))

    def member(self, exposure: Exposure, members: Sequence[Member] | None = None) -> Member:
        """A data id with the tasks the chain has for it.

        Parameters
        ----------
        exposure : Exposure
            The data id.
        members : sequence of Member, optional
            Its children; None if they are yet to be revealed.
        """
        planned = []
        for name in self.chain:
            if self.level_of(name) != exposure.data_id.level:
                continue
            if name == DOWNLOAD or name in PREPROCESSED:
                planned.append(Planned(process=name))
                continue
            process = self.known[name]
            inst = exposure.data_id.inst
            if process.instruments and inst is not None and inst not in process.instruments:
                continue
            params = self.parameters.get(name, process.parameters)
            answer = process.applies_to(exposure, Parameters(params)) if exposure.usable else exposure.reason
            if answer is True:
                planned.append(Planned(process=name, variants=process.variants_of(exposure.data_id, params)))
            else:
                planned.append(Planned(process=name, skip=str(answer) if answer else f"{name} does not apply"))
        return Member(
            data_id=exposure.data_id,
            tasks=tuple(planned),
            members=None if members is None else tuple(members),
        )

    def revealer_of(self, level: str) -> str | None:
        """Name of the process of the chain that reveals the children of data ids of a level.

        Where no summary does, the names of the fetched files tell what an observation holds.
        """
        for name in self.chain:
            if name in self.known and self.known[name].reveals and self.level_of(name) == level:
                return name
        return DOWNLOAD if level == "obs" else None


def revealed(plan: MissionPlan, parent: DataId, children: Iterable[Child]) -> list[Member]:
    """The children that a summary reveals, as members."""

    def grown(above: DataId, child: Child) -> Member:
        exposure = Exposure(data_id=above.child(child.name), usable=child.usable, reason=child.reason, info=child.info)
        level = exposure.data_id.level
        if level == "exp" or plan.revealer_of(level) is not None:
            return plan.member(exposure)
        return plan.member(exposure, [grown(exposure.data_id, one) for one in child.children])

    return [grown(parent, child) for child in children]


def recorded_children(
    plan: MissionPlan, parent: DataId, entries: Iterable[DataIdEntry], *, whole: bool = False
) -> list[Member]:
    """The children that the record knows of a data id, as members.

    Parameters
    ----------
    plan : MissionPlan
        What is to be run.
    parent : DataId
        The data id.
    entries : iterable of DataIdEntry
        What is recorded below its observation.
    whole : bool
        Whether what a process of the chain will reveal again is given too.
    """
    below: dict[DataId, list[Exposure]] = {}
    for entry in entries:
        above = entry.data_id.parent
        assert above is not None
        exposure = Exposure(data_id=entry.data_id, usable=entry.usable, reason=entry.reason, info=entry.info)
        below.setdefault(above, []).append(exposure)

    def grown(exposure: Exposure) -> Member:
        data_id = exposure.data_id
        if data_id.level == "exp" or (plan.revealer_of(data_id.level) is not None and not whole):
            return plan.member(exposure)
        return plan.member(exposure, [grown(child) for child in below.get(data_id, ())])

    return [grown(child) for child in below.get(parent, ())]


def choose_missions(names: Sequence[str], plans: Mapping[str, MissionPlan], process: str) -> None:
    """Refuse a run that no mission can take part in.

    Raises
    ------
    NoValidMissionsError
        If none of the missions has the process.
    """
    if not plans:
        raise NoValidMissionsError(
            f"No mission of the archive can use {process}.",
            expected=f"a process of {', '.join(names)}",
            remedy="`daxa plugins` lists what is installed",
            value=process,
        )

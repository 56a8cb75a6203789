"""What a plan tells the graph: processes with their edges, data ids with their tasks. Checked once, then ranked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from attrs import frozen

from daxa.exceptions import PluginError
from daxa.ids import LEVELS, DataId


@frozen
class Edge:
    """A need of a process.

    Parameters
    ----------
    process : str
        What is needed.
    mode : {"all", "any"}
        Whether every task that is needed must succeed, or one is enough.
    optional : bool
        Wait for the end of what is needed, then go on whatever came of it.
    instruments : tuple of str
        Instruments the need is for; empty for all. It is ignored for data ids of another instrument, and a gather
        takes these instruments only.
    """

    process: str
    mode: Literal["all", "any"] = "all"
    optional: bool = False
    instruments: tuple[str, ...] = ()


@frozen
class Node:
    """A process as the graph sees it.

    Parameters
    ----------
    name : str
        Name of the process.
    level : {"obs", "inst", "exp"}
        Level of the data ids it works on.
    needs : tuple of Edge
        What it needs; the levels of both ends make an edge same-id, broadcast or gather.
    reveals : bool
        Whether it brings the children of its data id to light.
    """

    name: str
    level: str
    needs: tuple[Edge, ...] = ()
    reveals: bool = False


@frozen
class Planned:
    """The tasks of one process on one data id.

    Parameters
    ----------
    process : str
        Name of the process.
    variants : tuple of str
        One task each.
    skip : str, optional
        Why the work is not done; the tasks end as ``no_data`` with that cause.
    """

    process: str
    variants: tuple[str, ...] = ("",)
    skip: str | None = None


@frozen
class Member:
    """A child of a scope with its tasks.

    Parameters
    ----------
    data_id : DataId
        The child.
    tasks : tuple of Planned
        What is to be done with it.
    members : tuple of Member, optional
        Its own children, where they are known already; None leaves its scope open.
    """

    data_id: DataId
    tasks: tuple[Planned, ...] = ()
    members: tuple[Member, ...] | None = None


class Step:
    """A node, checked and ranked: how many steps come before it at the least."""

    __slots__ = ("depth", "gathered", "name", "needs", "rank", "reveals")

    def __init__(self, node: Node) -> None:
        self.name = node.name
        self.depth = LEVELS.index(node.level)
        self.reveals = node.reveals
        self.needs: tuple[Need, ...] = ()
        self.rank = 0
        self.gathered = False


class Need:
    """An edge, with the step at its other end."""

    __slots__ = ("any", "instruments", "optional", "step")

    def __init__(self, edge: Edge, step: Step) -> None:
        self.step = step
        self.any = edge.mode == "any"
        self.optional = edge.optional
        self.instruments = frozenset(edge.instruments)

    def concerns(self, inst: str | None) -> bool:
        """Whether the need is for an instrument; what has no instrument concerns all."""
        return not self.instruments or inst is None or inst in self.instruments


def read_steps(mission: str, nodes: Iterable[Node]) -> dict[str, Step]:
    """Check the processes of a mission, tie them together, and rank them.

    Raises
    ------
    PluginError
        If a name is unknown or given twice, a level or mode does not exist, two processes reveal the same children, or
        a process depends on itself.
    """
    declared: dict[str, Node] = {}
    for node in nodes:
        if node.name in declared:
            raise _wrong(mission, f"declares {node.name} twice", "one process of a name")
        if node.level not in LEVELS[1:]:
            raise _wrong(mission, f"has {node.name} at level {node.level!r}", f"one of {', '.join(LEVELS[1:])}")
        declared[node.name] = node
    steps = {name: Step(node) for name, node in declared.items()}
    for name, node in declared.items():
        for edge in node.needs:
            if edge.process not in steps:
                raise _wrong(mission, f"has no {edge.process}, which {name} needs", f"one of {', '.join(steps)}")
            if edge.mode not in ("all", "any"):
                raise _wrong(mission, f"has the mode {edge.mode!r} in {name}", "all or any")
            steps[edge.process].gathered |= steps[edge.process].depth > steps[name].depth
        steps[name].needs = tuple(Need(edge, steps[edge.process]) for edge in node.needs)
    revealers: dict[int, Step] = {}
    for step in steps.values():
        if step.reveals and step.depth == len(LEVELS) - 1:
            raise _wrong(mission, f"lets {step.name} reveal children of sub-exposures", "a higher level")
        if step.reveals and revealers.setdefault(step.depth, step) is not step:
            both = f"{revealers[step.depth].name} and {step.name}"
            raise _wrong(mission, f"lets both {both} reveal the same children", "one process of a level that reveals")
    _rank(mission, list(steps.values()), list(revealers.values()))
    return steps


def _rank(mission: str, steps: Sequence[Step], revealers: Sequence[Step]) -> None:
    """Count the longest way to each step; a step also comes after what reveals the data it works on."""
    before = {
        step: [need.step for need in step.needs] + [one for one in revealers if one.depth < step.depth]
        for step in steps
    }
    after: dict[Step, list[Step]] = {step: [] for step in steps}
    for step, earlier in before.items():
        for one in earlier:
            after[one].append(step)
    missing = {step: len(earlier) for step, earlier in before.items()}
    free = [step for step in steps if not missing[step]]
    for step in free:  # grows while it is walked
        for one in after[step]:
            one.rank = max(one.rank, step.rank + 1)
            missing[one] -= 1
            if not missing[one]:
                free.append(one)
    if len(free) < len(steps):
        circle = ", ".join(sorted(step.name for step in steps if missing[step]))
        raise _wrong(mission, f"has processes that wait for each other: {circle}", "an order in which all can run")


def _wrong(mission: str, fault: str, expected: str) -> PluginError:
    return PluginError(
        f"The plan of {mission} {fault}.", expected=expected, remedy="correct the processes' needs", mission=mission
    )

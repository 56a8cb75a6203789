"""What a graph must come to, found the slow way: sweep over all tasks until nothing changes.

Shares no code with the graph: it reads the attributes of nodes, edges, members and planned tasks, and knows nothing of
scopes that close, gates or counters.
"""

from daxa.ids import LEVELS, DataId, TaskKey
from daxa.outcome import State

RUNNABLE = "runnable"


class Oracle:
    """The rules, applied to a world.

    nodes: mission -> processes; children: data id -> members it has, once told; results: task -> outcome if it runs;
    told: data ids whose children the plan has told; lost: data ids whose children will never be told -> outcome;
    forced: tasks ended from outside -> state; free: after everything was cancelled, the tasks that were not.
    """

    def __init__(self, nodes, children, results, told, lost, forced, free=None):
        self.nodes = {mission: {node.name: node for node in sequence} for mission, sequence in nodes.items()}
        self.children, self.results, self.told, self.lost = children, results, told, lost
        self.forced, self.free = forced, free
        self.plans = {}  # data id -> process -> planned, of the data ids that exist
        self.ends = {}  # task -> (state, root)

    def sweep_all(self):
        """Sweep until nothing changes; the end of each task, RUNNABLE or None if it has none yet."""
        for mission in self.nodes:
            self.plans[DataId(mission)] = {}
        changed = True
        while changed:
            changed = self.sweep_places()
            for key in self.tasks():
                end = self.end_of(key)
                if key not in self.ends or end != self.ends[key]:
                    self.ends[key] = end
                    changed = True
        return dict(self.ends)

    def sweep_places(self):
        before = len(self.plans)
        for place in list(self.plans):
            if self.scope(place)[0] == "told" and place in self.told:
                for member in self.children[place]:
                    self.plans[member.data_id] = {planned.process: planned for planned in member.tasks}
        return len(self.plans) > before

    def tasks(self):
        for place, plan in self.plans.items():
            for planned in plan.values():
                for variant in planned.variants:
                    yield TaskKey(planned.process, place, variant)

    def scope(self, place):
        """("open" | "told" | "lost", culprit)."""
        for name, planned in self.plans[place].items():
            if self.nodes[place.mission][name].reveals:
                end = self.ends.get(TaskKey(name, place, planned.variants[0]))
                if end is None or end == RUNNABLE:
                    return "open", None
                if end[0].satisfied:
                    return ("told" if place in self.told else "open"), None
                return ("lost", end[1]) if end[0].to_blame else ("told", None)
        if place in self.lost:
            return "lost", self.lost[place].root
        return ("told" if place in self.told else "open"), None

    def end_of(self, key):
        place, node = key.data_id, self.nodes[key.data_id.mission][key.process]
        if self.plans[place][key.process].skip is not None:
            return State.NO_DATA, None
        if key in self.forced:
            return self.forced[key], key
        if self.free is not None and key not in self.free:
            return State.CANCELLED, key
        culprits, lacking = [], False
        for edge in node.needs:
            if edge.instruments and place.inst is not None and place.inst not in edge.instruments:
                continue
            found = self.look(key, edge)
            if found is None:
                return None
            needed, blame = found
            blame += [end[1] for end in needed if end[0].to_blame]
            if edge.optional or (edge.mode == "any" and any(end[0].satisfied for end in needed)):
                continue
            culprits += blame
            lacking = lacking or not needed or any(end[0] is State.NO_DATA for end in needed)
        if culprits:
            return State.BLOCKED, min(culprits, key=lambda root: root.sort_key if root else ())
        if lacking:
            return State.NO_DATA, None
        if key not in self.results:
            return RUNNABLE
        state = self.results[key].state
        return state, (key if state.to_blame else None)

    def look(self, key, edge):
        """Ends of all that an edge leads to, and culprits of lost scopes; None if something is not known yet."""
        place, blame = key.data_id, []
        depth = LEVELS.index(self.nodes[place.mission][edge.process].level)
        if depth <= place.depth:
            sources = [place.at(LEVELS[depth])]
        else:
            related = [one for one in self.plans if place.contains(one)]
            if edge.instruments:
                related = [one for one in related if one.inst is None or one.inst in edge.instruments]
            inside = [self.scope(one) for one in related if one.depth < depth]
            if any(state == "open" for state, _ in inside):
                return None
            blame = [culprit for state, culprit in inside if state == "lost"]
            everything = [self.scope(one)[0] for one in self.plans if place.contains(one) and one.depth < depth]
            if "open" in everything:
                return None
            sources = [one for one in related if one.depth == depth]
        needed = []
        for source in sources:
            planned = self.plans[source].get(edge.process)
            if planned is not None:
                same = [key.variant] if key.variant in planned.variants else planned.variants
                needed += [self.ends.get(TaskKey(edge.process, source, variant)) for variant in same]
        if any(end is None or end == RUNNABLE for end in needed):
            return None
        return needed, blame


def ranks(nodes):
    """How many steps come before each process at the least, by repeated sweeps."""
    found = {node.name: 0 for node in nodes}
    changed = True
    while changed:
        changed = False
        for node in nodes:
            before = [found[edge.process] for edge in node.needs]
            before += [
                found[one.name] for one in nodes if one.reveals and LEVELS.index(one.level) < LEVELS.index(node.level)
            ]
            rank = 1 + max(before, default=-1)
            if rank != found[node.name]:
                found[node.name] = rank
                changed = True
    return found

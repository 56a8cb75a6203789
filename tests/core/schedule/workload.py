"""Big graphs to measure with: many tasks for time and size, and a year of observations on a simulated clock."""

import heapq
import random
import time

from daxa.ids import DataId
from daxa.outcome import FailureKind, Outcome, State
from daxa.schedule.graph import Edge, Graph, Member, Node, Planned
from daxa.schedule.resources import Admission

NODES = (
    Node("ingest", "obs"),
    Node("summary", "obs", (Edge("ingest"),), reveals=True),
    Node("chain", "exp", (Edge("summary"),)),
    Node("filter", "exp", (Edge("chain"),)),
    Node("clean", "exp", (Edge("filter"),)),
    Node("merge", "inst", (Edge("clean", "any"),)),
    Node("image", "obs", (Edge("merge", "any"),)),
)
ON_OBS = (Planned("ingest"), Planned("summary"), Planned("image"))
ON_INST = (Planned("merge"),)
ON_EXP = (Planned("chain"), Planned("filter"), Planned("clean"))
GOOD = Outcome(State.SUCCEEDED)
ROOT = DataId("xmm_pointed")


def children(scope, exposures):
    """Members below an observation: instruments with their sub-exposures."""
    members = []
    for name, subexps in exposures:
        inst = scope.child(name)
        members.append(Member(inst, ON_INST, tuple(Member(inst.child(one), ON_EXP) for one in subexps)))
    return members


def walk(tasks):
    """Plan, grow and walk a graph of about so many tasks; the graph, and the seconds it took."""
    exposures = (("M1", ("S001",)), ("PN", ("S003",)))
    observations = tasks // (len(ON_OBS) + 2 * (len(ON_INST) + len(ON_EXP)))
    began = time.perf_counter()
    graph = Graph({ROOT.mission: NODES})
    graph.close(ROOT, [Member(ROOT.child(f"{number:010d}"), ON_OBS) for number in range(observations)])
    while (key := graph.pop_ready()) is not None:
        graph.start(key)
        if graph.reveals(key):
            graph.close(key.data_id, children(key.data_id, exposures))
        graph.finish(key, GOOD)
    assert graph.done
    return graph, time.perf_counter() - began


class Year:
    """422 XMM-like observations: 1 to 6 sub-exposures, log-normal times, one task in ten fails."""

    def __init__(self, seed, observations=422):
        rng = random.Random(seed)
        self.exposures, self.seconds, self.fails = {}, {}, set()
        for number in range(observations):
            obs = ROOT.child(f"{number:010d}")
            count = rng.randint(1, 6)
            split = [("M1", []), ("M2", []), ("PN", [])]
            for one in range(count):
                rng.choice(split)[1].append(f"S{one:03d}")
            self.exposures[obs] = [(inst, subexps) for inst, subexps in split if subexps]
            ids = [(obs, one.process) for one in ON_OBS]
            for inst, subexps in self.exposures[obs]:
                ids += [(obs.child(inst), one.process) for one in ON_INST]
                ids += [(obs.child(inst).child(subexp), one.process) for subexp in subexps for one in ON_EXP]
            for one in ids:
                self.seconds[one] = rng.lognormvariate(5, 1)
                if rng.random() < 0.1:
                    self.fails.add(one)

    def graph(self):
        graph = Graph({ROOT.mission: NODES})
        graph.close(ROOT, [Member(obs, ON_OBS) for obs in self.exposures])
        return graph

    def end(self, graph, key):
        """End a task as it was drawn."""
        failed = (key.data_id, key.process) in self.fails
        if graph.reveals(key) and not failed:
            graph.close(key.data_id, children(key.data_id, self.exposures[key.data_id]))
        graph.finish(key, Outcome(State.FAILED, kind=FailureKind.TOOL) if failed else GOOD)

    def run(self, slots):
        """Seconds until everything has ended, and seconds of work done."""
        graph, admission, now, work, running = self.graph(), Admission({"cpu": slots}), 0.0, 0.0, []
        while True:
            while (key := graph.pop_ready()) is not None:
                admission.enter(key, {"cpu": 1}, graph.priority(key))
            for key in admission.admit():
                graph.start(key)
                seconds = self.seconds[key.data_id, key.process]
                work += seconds
                heapq.heappush(running, (now + seconds, key))
            if not running:
                assert graph.done
                return now, work
            now, key = heapq.heappop(running)
            admission.leave(key)
            self.end(graph, key)

    def bound(self, slots):
        """No schedule is shorter: the critical path, and the work shared by all slots."""
        critical, work = self.run(1_000_000)
        return max(critical, work / slots)

    def foreseen(self, slots):
        """Seconds if all times were known before: whatever is ready and has the longest way to go starts first.

        A list schedule by critical path. What it misses of :meth:`bound` at many slots nobody can reach: at the end
        there are fewer observations than slots, and each is a chain of tasks that come one after the other.
        """
        graph, now, running, ready = self.graph(), 0.0, [], []
        while True:
            while (key := graph.pop_ready()) is not None:
                heapq.heappush(ready, (-self._way(key.data_id, key.process), key))
            while ready and len(running) < slots:
                key = heapq.heappop(ready)[1]
                graph.start(key)
                heapq.heappush(running, (now + self.seconds[key.data_id, key.process], key))
            if not running:
                assert graph.done
                return now
            now, key = heapq.heappop(running)
            self.end(graph, key)

    def _way(self, data_id, process):
        """Seconds from the start of a task to the end of its observation."""
        obs, after = data_id.at("obs"), []
        if (data_id, process) not in self.fails:
            after = {
                "ingest": [(obs, "summary")],
                "summary": [
                    (obs.child(inst).child(subexp), "chain")
                    for inst, subexps in self.exposures[obs]
                    for subexp in subexps
                ],
                "chain": [(data_id, "filter")],
                "filter": [(data_id, "clean")],
                "clean": [(data_id.at("inst") if data_id.level == "exp" else data_id, "merge")],
                "merge": [(obs, "image")],
                "image": [],
            }[process]
        return self.seconds[data_id, process] + max((self._way(*one) for one in after), default=0.0)

    def with_barriers(self, slots):
        """Seconds if each process waits until the one before it has ended for all observations."""
        graph, now = self.graph(), 0.0
        for node in NODES:
            free, keys = [now] * slots, []
            while (key := graph.pop_ready()) is not None:
                keys.append(key)
            assert {key.process for key in keys} == {node.name}
            for key in keys:
                graph.start(key)
                heapq.heapreplace(free, free[0] + self.seconds[key.data_id, key.process])
                self.end(graph, key)
            now = max(free)
        assert graph.done
        return now

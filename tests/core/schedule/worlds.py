"""Random worlds for the graph to live in, and a run through one."""

import random

from daxa.exceptions import PluginError
from daxa.ids import LEVELS, DataId, TaskKey
from daxa.outcome import FailureKind, Outcome, State
from daxa.schedule import graph as real

from .oracle import RUNNABLE, Oracle, ranks

INSTRUMENTS = ("M1", "M2", "PN")
VARIANTS = (("",), ("",), ("",), ("a",), ("a", "b"), ("b", "c"), ("", "a"))
ENDS = (
    (State.SUCCEEDED,) * 10
    + (State.REUSED,) * 2
    + (State.FAILED, State.TIMED_OUT, State.NO_DATA, State.NO_DATA, State.INTERRUPTED, State.CANCELLED)
)


class World:
    """Missions, their processes, everything that could come to light, and how each task would end."""

    def __init__(self, seed):
        self.rng = rng = random.Random(seed)
        self.nodes, self.children, self.results = {}, {}, {}
        self.seldom_fails = rng.random() < 0.5
        for mission in ("one", "two")[: rng.choice((1, 1, 1, 2))]:
            self.nodes[mission] = self.some_nodes(mission)
            self.grow(DataId(mission), {node.name: node for node in self.nodes[mission]})

    def some_nodes(self, mission):
        rng = self.rng
        levels = LEVELS[1 : 1 + rng.choice((1, 2, 3, 3, 3))]
        while True:
            nodes, revealing = [], set()
            for number in range(rng.randint(2, 7)):
                level = rng.choice(levels)
                needs = tuple(
                    real.Edge(
                        process=rng.choice(nodes).name,
                        mode=rng.choice(("all", "all", "any")),
                        optional=rng.random() < 0.15,
                        instruments=tuple(rng.sample(INSTRUMENTS, rng.randint(1, 2))) if rng.random() < 0.25 else (),
                    )
                    for _ in range(rng.choice((0, 1, 1, 2, 2, 3)) if nodes else 0)
                )
                reveals = level != levels[-1] and level not in revealing and rng.random() < 0.4
                revealing |= {level} if reveals else set()
                nodes.append(real.Node(f"p{number}", level, needs, reveals))
            rng.shuffle(nodes)
            try:
                real.Graph({mission: nodes})
            except PluginError:
                continue  # a circle
            return nodes

    def grow(self, scope, nodes):
        rng = self.rng
        names = {0: ("A", "B", "C"), 1: INSTRUMENTS, 2: ("S1", "S2", "S3")}[scope.depth]
        members = []
        for name in rng.sample(names, rng.choice((0, 1, 2, 2, 3)) if scope.depth else rng.choice((1, 2, 2))):
            data_id = scope.child(name)
            tasks = []
            for node in nodes.values():
                if node.level != data_id.level or rng.random() < 0.1:
                    continue
                variants = ("",) if node.reveals else rng.choice(VARIANTS)
                tasks.append(real.Planned(node.name, variants, "not wanted" if rng.random() < 0.07 else None))
                for variant in variants:
                    key = TaskKey(node.name, data_id, variant)
                    state = State.SUCCEEDED if self.seldom_fails and rng.random() < 0.9 else rng.choice(ENDS)
                    kind = FailureKind.TOOL if state is State.FAILED else None
                    self.results[key] = Outcome(state, cause=f"as it was drawn for {key}", kind=kind)
            rng.shuffle(tasks)
            members.append(real.Member(data_id, tuple(tasks)))
            if data_id.depth < len(LEVELS) - 1:
                self.grow(data_id, nodes)
        self.children[scope] = members

    def revealed(self, member):
        """Whether a task says what the children of a member are."""
        nodes = {node.name: node for node in self.nodes[member.data_id.mission]}
        return any(nodes[planned.process].reveals for planned in member.tasks)


class Walk:
    """One way through a world, with everything that may vary drawn from `seed`; checks against the oracle."""

    def __init__(self, world, seed, module=real, *, cancels=False, losses=True, checks=0.03):
        self.world, self.rng, self.module = world, random.Random(seed), module
        self.cancels, self.losses, self.checks = cancels, losses, checks
        self.graph = module.Graph(world.nodes)
        self.rank = {mission: ranks(nodes) for mission, nodes in world.nodes.items()}
        self.deepest = {
            mission: max(LEVELS.index(node.level) for node in nodes) for mission, nodes in world.nodes.items()
        }
        self.told, self.lost, self.forced, self.free = set(), {}, {}, None
        self.unplanned = [DataId(mission) for mission in world.nodes]  # scopes for the plan to tell
        self.states, self.outcomes = {}, {}
        self.held, self.running, self.finished = [], [], {}

    # --- bookkeeping ------------------------------------------------------------------------------------------------

    def follow(self, transitions):
        for transition in transitions:
            key, before = transition.task, self.states.get(transition.task)
            assert before is None or not before.ended, f"{key} ended twice"
            assert (before is None) == (transition.state is State.WAITING), f"{key}: {before} -> {transition.state}"
            self.states[key] = transition.state
            if transition.state.ended:
                self.outcomes[key] = transition.outcome

    def members(self, scope, nested):
        """The members to tell, some with their own children; what remains is for the plan to tell later."""
        self.told.add(scope)
        members = []
        for member in self.world.children[scope]:
            data_id = member.data_id
            if data_id.depth < self.deepest[data_id.mission] and not self.world.revealed(member):
                if self.rng.random() < nested:
                    member = real.Member(data_id, member.tasks, tuple(self.members(data_id, nested)))
                else:
                    self.unplanned.append(data_id)
            members.append(member)
        return members

    # --- steps ------------------------------------------------------------------------------------------------------

    def tell(self):
        scope = self.unplanned.pop(self.rng.randrange(len(self.unplanned)))
        if self.losses and scope.depth and self.rng.random() < 0.1:
            root = self.rng.choice(list(self.world.results)) if self.rng.random() < 0.7 and self.world.results else None
            self.lost[scope] = Outcome(State.FAILED, cause="nobody knows", root=root)
            self.follow(self.graph.lose(scope, self.lost[scope]))
        else:
            self.follow(self.graph.close(scope, self.members(scope, self.rng.choice((0, 0.5, 1)))))

    def pop(self):
        key = self.graph.pop_ready()
        waiting = [one for one, state in self.states.items() if state is State.READY and one not in self.held]
        assert key == min(waiting, default=None, key=self.place_in_queue)
        if key is not None:
            self.held.append(key)

    def place_in_queue(self, key):
        return (-self.rank[key.data_id.mission][key.process], *key.sort_key)

    def begin(self):
        key = self.held.pop(self.rng.randrange(len(self.held)))
        if self.states[key] is not State.READY:
            return  # cancelled
        if self.rng.random() < 0.1:
            self.end(key)
            return
        self.follow(self.graph.start(key))
        if self.rng.random() < 0.1:
            self.follow(self.graph.retry(key, Outcome(State.FAILED, kind=FailureKind.TRANSIENT)))
            self.follow(self.graph.start(key))
        self.running.append(key)

    def end(self, key):
        outcome = self.finished[key] = self.world.results[key]
        reveals = self.graph.reveals(key) and outcome.state.satisfied
        first = self.rng.random() < 0.5
        if reveals and first:
            self.follow(self.graph.close(key.data_id, self.members(key.data_id, 0.7)))
        self.follow(self.graph.finish(key, outcome))
        if reveals and not first:
            self.follow(self.graph.close(key.data_id, self.members(key.data_id, 0.7)))

    def cancel(self):
        if self.rng.random() < 0.15 and self.free is None:
            self.free = {key for key, state in self.states.items() if state.ended or state is State.RUNNING}
            self.follow(self.graph.cancel())
            return
        open_tasks = [key for key, state in self.states.items() if state in (State.WAITING, State.READY)]
        if open_tasks:
            key = self.rng.choice(open_tasks)
            self.forced[key] = State.CANCELLED
            self.follow(self.graph.cancel(key))

    def go(self):
        """Walk until nothing is left to do; what the graph came to has been compared with the oracle."""
        for _ in range(5000):
            self.pop() if self.rng.random() < 0.7 else None
            steps = []
            steps += [self.tell] * 2 if self.unplanned else []
            steps += [self.begin] * 2 if self.held else []
            steps += (
                [lambda: self.end(self.running.pop(self.rng.randrange(len(self.running))))] * 2 if self.running else []
            )
            if not steps:
                self.pop()
                if not self.held:
                    break
                continue
            if self.cancels and self.rng.random() < 0.05:
                self.cancel()
            else:
                self.rng.choice(steps)()
            if self.rng.random() < self.checks:
                self.compare(self.finished)
        self.compare(self.finished)
        assert self.graph.done, f"never done: {self.graph.counts}, open {self.graph.open_scopes()}"
        assert {one.task: one.outcome for one in self.graph.ended()}.keys() == self.outcomes.keys()
        for one in self.graph.ended():
            if one.state in (State.BLOCKED, State.NO_DATA):
                assert one.outcome == self.outcomes[one.task]
        return {key: (outcome.state, outcome.root, outcome.cause) for key, outcome in self.outcomes.items()}

    def compare(self, results):
        """Compare what is known now: ends with their culprits, and which tasks could run."""
        expected = Oracle(
            self.world.nodes, self.world.children, results, self.told, self.lost, self.forced, self.free
        ).sweep_all()
        states = self.graph.states
        assert states == self.states, "the transitions do not make the states"
        assert states.keys() == expected.keys(), (
            f"there should be other tasks: {sorted(states.keys() ^ expected.keys())}"
        )
        assert len(self.graph) == len(states) == sum(self.graph.counts.values())
        for key, end in expected.items():
            state = states[key]
            if end is None:
                assert state is State.WAITING, f"{key} is {state}, should wait"
            elif end == RUNNABLE:
                assert state in (State.READY, State.RUNNING), f"{key} is {state}, could run"
            else:
                assert state is end[0], f"{key} is {state}, should be {end[0]}"
                if state is State.BLOCKED:
                    assert self.outcomes[key].root == end[1], f"{key} blames {self.outcomes[key].root}, not {end[1]}"


def walk(number, module=real):
    """One of the numbered graphs of the property test."""
    return Walk(World(number), number, module, cancels=number % 4 == 0).go()

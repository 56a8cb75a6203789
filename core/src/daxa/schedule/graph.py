"""The graph of tasks. Pure: no input or output, no clock, no async.

Data ids make a tree. A *scope*, the children of a data id, is open until a plan or a revealing process says what they
are (closed), or until it is certain that nobody will (lost). A task waits behind one *gate* for each need that concerns
it; a gate of a gather is sealed until every scope it looks into is settled. Everything is counted, nothing is looked at
twice: the work of a verb is proportional to what it changes.

What a task ends as does not depend on the order of arrival: it is judged when all its gates have passed. Blame beats
lack of data, and of several culprits the first by data id is the root cause.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from heapq import heappop, heappush

from attrs import frozen

from daxa.exceptions import PluginError
from daxa.ids import DataId, TaskKey
from daxa.outcome import Outcome, State
from daxa.schedule.declared import Edge, Member, Node, Planned, read_steps
from daxa.schedule.gates import Gate, Place, Reason, Task, least

__all__ = ["Edge", "Graph", "Member", "Node", "Planned", "Transition"]


@frozen
class Transition:
    """A task changed its state.

    Parameters
    ----------
    task : TaskKey
        The task.
    state : State
        Its new state.
    outcome : Outcome, optional
        For ends; and for a task made ready again, the outcome of the attempt before.
    """

    task: TaskKey
    state: State
    outcome: Outcome | None = None


class Graph:
    """The tasks of all missions of a run.

    Parameters
    ----------
    nodes : Mapping of str to sequence of Node
        For each mission its processes.

    Raises
    ------
    PluginError
        If the processes of a mission do not fit together.

    Notes
    -----
    Each verb returns the transitions it caused, in order; put together they give the states.
    """

    def __init__(self, nodes: Mapping[str, Sequence[Node]]) -> None:
        self._steps = {mission: read_steps(mission, sequence) for mission, sequence in nodes.items()}
        self._deepest = {
            mission: max((step.depth for step in steps.values()), default=0) for mission, steps in self._steps.items()
        }
        self._tasks: dict[TaskKey, Task] = {}
        self._places: dict[DataId, Place] = {}
        self._counts = dict.fromkeys(State, 0)
        ranks = max((step.rank for steps in self._steps.values() for step in steps.values()), default=0) + 1
        self._ready: list[list[tuple[tuple[str, ...], str, str, Task]]] = [[] for _ in range(ranks)]
        self._cancelled = False
        self._ended: list[Task] = []
        self._changes: list[Transition] = []
        for mission, deepest in self._deepest.items():
            root = DataId(mission)
            self._places[root] = Place(root, None, deepest)
        self._hidden = sum(place.open for place in self._places.values())

    # --- what is known ----------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._tasks)

    def __contains__(self, key: object) -> bool:
        return key in self._tasks

    @property
    def states(self) -> dict[TaskKey, State]:
        """State of every task; made anew at each access."""
        return {key: task.state for key, task in self._tasks.items()}

    @property
    def counts(self) -> dict[State, int]:
        """Number of tasks in each state that occurs."""
        return {state: count for state, count in self._counts.items() if count}

    @property
    def unfinished(self) -> int:
        """Number of tasks that have not ended."""
        return sum(self._counts[state] for state in (State.WAITING, State.READY, State.RUNNING))

    @property
    def done(self) -> bool:
        """Whether every task has ended and no more can come."""
        return not self.unfinished and (self._cancelled or not self._hidden)

    def state(self, key: TaskKey) -> State:
        """State of one task."""
        return self._find(key).state

    def reveals(self, key: TaskKey) -> bool:
        """Whether it is for this task to say what the children of its data id are, though nothing may work on them."""
        task = self._find(key)
        nothing_below = task.place.depth >= self._deepest.get(key.data_id.mission, 0)
        return task.step.reveals and (task.place.open or nothing_below)

    def priority(self, key: TaskKey) -> tuple[int, tuple[str, ...], str, str]:
        """Order in which ready tasks are popped: the later in its chain the earlier, then by data id."""
        task = self._find(key)
        return (-task.step.rank, task.place.order, task.step.name, key.variant)

    def ended(self) -> list[Transition]:
        """The tasks that have ended so far, as transitions."""
        return [Transition(task.key, task.state, task.outcome()) for task in self._tasks.values() if task.ended]

    def open_scopes(self) -> list[DataId]:
        """Data ids whose children are not known yet."""
        return [place.data_id for place in self._places.values() if place.open]

    # --- verbs ------------------------------------------------------------------------------------------------------

    def close(self, scope: DataId, members: Sequence[Member]) -> list[Transition]:
        """Say what the children of a data id are, and what is to be done with each.

        Parameters
        ----------
        scope : DataId
            The data id; the root of a mission for its observations.
        members : sequence of Member
            All its children. Those below the deepest process of the mission are ignored.

        Raises
        ------
        PluginError
            If the members do not fit the scope or the processes; nothing has changed then.
        ValueError
            If the scope is not open.
        """
        if scope.mission in self._deepest and scope.depth >= self._deepest[scope.mission]:
            return []  # nothing works on what is below
        place = self._open(scope)
        self._check(place.data_id, members)
        grown: list[tuple[Place, Member]] = []
        self._grow(place, members, grown)  # all counters are right before the first task is made
        made = [
            (task, planned)
            for child, member in grown
            for planned in member.tasks
            for task in self._make(child, planned)
        ]
        for task, planned in made:
            if planned.skip is None:
                self._link(task)
        self._unseal(place)
        for task, planned in made:
            if planned.skip is not None:
                self._end(task, Outcome(State.NO_DATA, cause=planned.skip))
            elif self._cancelled:
                self._end(task, Outcome(State.CANCELLED, cause="cancelled before it was known"))
            else:
                self._step_on(task)
        return self._settle()

    def lose(self, scope: DataId, outcome: Outcome) -> list[Transition]:
        """Say that the children of a data id will never be known.

        Parameters
        ----------
        scope : DataId
            The data id.
        outcome : Outcome
            Why (`cause`), and the task to blame (`root`).

        Raises
        ------
        ValueError
            If the scope is not open.
        """
        self._lose(self._open(scope), Reason(outcome.root, outcome))
        return self._settle()

    def pop_ready(self) -> TaskKey | None:
        """Take the first ready task from the queue, the least :meth:`priority`; None if there is none."""
        key = self.peek_ready()
        if key is not None:
            heappop(self._ready[self._tasks[key].step.rank])
        return key

    def peek_ready(self) -> TaskKey | None:
        """The task :meth:`pop_ready` would take."""
        for queue in reversed(self._ready):
            while queue:
                task = queue[0][-1]
                if task.state is State.READY:
                    return task.key
                heappop(queue)
        return None

    def start(self, key: TaskKey) -> list[Transition]:
        """Say that a ready task runs now.

        Raises
        ------
        ValueError
            If the task is not ready.
        """
        self._move(self._find(key, State.READY), State.RUNNING)
        return self._settle()

    def retry(self, key: TaskKey, outcome: Outcome) -> list[Transition]:
        """Say that an attempt came to nothing: the task is ready again, in the hands of the caller.

        Raises
        ------
        ValueError
            If the task does not run.
        """
        self._move(self._find(key, State.RUNNING), State.READY, outcome)
        return self._settle()

    def finish(self, key: TaskKey, outcome: Outcome) -> list[Transition]:
        """Say how a task ended that is ready or runs.

        The scope of a revealing task is lost if the task came to nothing, and empty if it had no data; if it
        succeeded the scope is for the caller to close.

        Raises
        ------
        ValueError
            If the task is not ready and does not run, or the outcome's state is not final.
        """
        if not outcome.state.ended:
            raise ValueError(f"{outcome.state} is not the end of {key}")
        self._end(self._find(key, State.READY, State.RUNNING), outcome)
        return self._settle()

    def cancel(self, key: TaskKey | None = None) -> list[Transition]:
        """End one task that has not started, or all of them; those that come to light later too.

        Tasks that run are ended by :meth:`finish`.

        Raises
        ------
        ValueError
            If the task runs or has ended.
        """
        outcome = Outcome(State.CANCELLED, cause="cancelled before it started")
        if key is not None:
            self._end(self._find(key, State.WAITING, State.READY), outcome)
        else:
            self._cancelled = True
            for task in self._tasks.values():
                if not task.ended and task.state is not State.RUNNING:
                    self._end(task, outcome)
        return self._settle()

    # --- the tree grows ---------------------------------------------------------------------------------------------

    def _open(self, scope: DataId) -> Place:
        place = self._places.get(scope)
        if place is None or not place.open:
            raise ValueError(f"the children of {scope} cannot be told: it is " + ("settled" if place else "unknown"))
        return place

    def _check(self, scope: DataId, members: Sequence[Member]) -> None:
        steps = self._steps[scope.mission]
        names = set()
        for member in members:
            data_id = member.data_id
            if data_id.parent != scope or data_id in names:
                raise _bad_member(scope, f"{data_id} is given", "each child of the scope once")
            names.add(data_id)
            depth = data_id.depth
            planned = set()
            for one in member.tasks:
                step = steps.get(one.process)
                if step is None or step.depth != depth or one.process in planned:
                    raise _bad_member(scope, f"{one.process} is planned for {data_id}", "a process of its level, once")
                if len(set(one.variants)) != len(one.variants) or (step.reveals and len(one.variants) != 1):
                    raise _bad_member(
                        scope, f"{one.process} has variants {one.variants}", "each once; one if it reveals"
                    )
                planned.add(one.process)
            if member.members and depth < self._deepest[scope.mission]:
                self._check(data_id, member.members)

    def _grow(self, place: Place, members: Sequence[Member], grown: list[tuple[Place, Member]]) -> None:
        """Add the children of a place, and theirs; its scope is settled by that."""
        deepest = self._deepest[place.data_id.mission]
        children = [Place(member.data_id, place, deepest) for member in members]
        place.children = children
        self._settled(place, len(children))
        for child, member in zip(children, members, strict=True):
            self._places[member.data_id] = child
            grown.append((child, member))
            if member.members is not None and child.open:
                self._grow(child, member.members, grown)

    def _settled(self, place: Place, children: int) -> None:
        """Count one scope less, and those of its children more."""
        place.open = False
        deepest = len(place.pending) - 1
        self._hidden += (children if place.depth + 1 < deepest else 0) - 1
        for above in place.lineage():
            above.pending[place.depth + 1] -= 1
            for depth in range(place.depth + 2, deepest + 1):
                above.pending[depth] += children - 1

    def _make(self, place: Place, planned: Planned) -> Iterator[Task]:
        step = self._steps[place.data_id.mission][planned.process]
        tasks = [Task(TaskKey(step.name, place.data_id, variant), step, place) for variant in planned.variants]
        if not tasks:
            return
        place.tasks[step] = tasks
        if step.gathered:
            for above in place.lineage():
                for gate in above.gates.get(step, ()) if above.gates else ():
                    if gate.need.concerns(place.inst):
                        gate.link(place)
        for task in tasks:
            self._tasks[task.key] = task
            self._counts[State.WAITING] += 1
            self._changes.append(Transition(task.key, State.WAITING))
            yield task

    def _link(self, task: Task) -> None:
        """Set up the gates of a task: link to what is there, and stay sealed while more may come."""
        place = task.place
        for need in task.step.needs:
            if not need.concerns(place.inst):
                continue
            gate = Gate(task, need)
            task.waiting += 1
            depth = need.step.depth
            if depth <= place.depth:
                source = place
                while source.depth > depth:
                    assert source.parent is not None
                    source = source.parent
                gate.link(source)
                self._pass(gate)
                continue
            for source in place.below(depth):
                if need.concerns(source.inst):
                    gate.link(source)
            if place.pending[depth]:
                if place.gates is None:
                    place.gates = {}
                place.gates.setdefault(need.step, []).append(gate)
            else:
                self._open_gather(gate)

    # --- what is settled --------------------------------------------------------------------------------------------

    def _unseal(self, place: Place) -> None:
        """Open the gathers that waited for the scope of a place."""
        for above in place.lineage():
            if above.gates:
                for step in [step for step in above.gates if not above.pending[step.depth]]:
                    for gate in above.gates.pop(step):
                        self._open_gather(gate)

    def _open_gather(self, gate: Gate) -> None:
        for place, reason in gate.task.place.lost or ():
            if place.depth < gate.need.step.depth and gate.need.concerns(place.inst):
                gate.blame = least(gate.blame, reason)
        self._pass(gate)

    def _lose(self, place: Place, reason: Reason) -> None:
        self._settled(place, 0)
        for above in place.lineage():
            if above.lost is None:
                above.lost = []
            above.lost.append((place, reason))
        self._unseal(place)

    def _pass(self, gate: Gate) -> None:
        """Take away one thing a gate waits for; when it waits for nothing, its task learns the verdict."""
        gate.waiting -= 1
        if not gate.waiting:
            blame, lack = gate.verdict()
            task = gate.task
            if not task.ended:
                task.blame = least(task.blame, blame)
                task.lack = least(task.lack, lack)
                self._step_on(task)

    def _step_on(self, task: Task) -> None:
        """Take away one thing a task waits for; when it waits for nothing, it is ready or ends."""
        task.waiting -= 1
        if task.waiting or task.ended:
            return
        if task.blame is not None:
            self._end(task, Outcome(State.BLOCKED, cause=task.blame.told(), root=task.blame.origin))
        elif task.lack is not None:
            self._end(task, Outcome(State.NO_DATA, cause=task.lack.told()))
        else:
            self._move(task, State.READY)
            heappush(self._ready[task.step.rank], (task.place.order, task.step.name, task.key.variant, task))

    def _end(self, task: Task, outcome: Outcome) -> None:
        state = outcome.state
        task.ended = True
        if state is State.NO_DATA:
            task.blame = None
            if task.lack is None:
                task.lack = Reason(task.key, outcome)
        elif state.to_blame:
            if state is not State.BLOCKED:
                task.blame = Reason(task.key, outcome)
            elif task.blame is None:
                task.blame = Reason(outcome.root or task.key, outcome)
        self._move(task, state, outcome)
        self._ended.append(task)

    def _settle(self) -> list[Transition]:
        """Carry every end to what waits for it, then hand over what changed."""
        while self._ended:
            task = self._ended.pop()
            after, task.after = task.after, None
            for gate in after or ():
                gate.take(task)
                self._pass(gate)
            if task.step.reveals and task.place.open:
                if task.blame is not None:
                    self._lose(task.place, task.blame)
                elif task.lack is not None:
                    self._grow(task.place, (), [])
                    self._unseal(task.place)
        changes, self._changes = self._changes, []
        return changes

    def _move(self, task: Task, state: State, outcome: Outcome | None = None) -> None:
        self._counts[task.state] -= 1
        self._counts[state] += 1
        task.state = state
        self._changes.append(Transition(task.key, state, outcome))

    def _find(self, key: TaskKey, *states: State) -> Task:
        task = self._tasks.get(key)
        if task is None:
            raise ValueError(f"{key} is not in the graph")
        if states and task.state not in states:
            raise ValueError(f"{key} is {task.state}, not {' or '.join(states)}")
        return task


def _bad_member(scope: DataId, fault: str, expected: str) -> PluginError:
    return PluginError(
        f"{fault} among the children of {scope}.",
        expected=expected,
        remedy="correct the plan or the process that reveals them",
        mission=scope.mission,
    )

"""Faults put into graph.py by hand; the property test must find each of them."""

import sys
import types
from pathlib import Path

import pytest

from daxa.schedule import graph

from .worlds import walk

GRAPHS = 2000
SOURCE = Path(graph.__file__).read_text(encoding="utf-8")

FAULTS = {
    "a gather opens before the members of the scope are linked": (
        "self._grow(place, members, grown)  # all",
        "self._grow(place, members, grown); self._unseal(place)  # all",
    ),
    "the scopes of new children are not counted": (
        "above.pending[depth] += children - 1",
        "above.pending[depth] -= 1",
    ),
    "a gather made after all is settled waits for a scope to close": (
        "            if place.pending[depth]:\n",
        "            if place.open or True:\n",
    ),
    "a gather made after all is settled does not link what is there": (
        "            for source in place.below(depth):\n",
        "            for source in ():\n",
    ),
    "a gather made before its members does not get them": (
        "                        gate.link(place)\n",
        "                        pass\n",
    ),
    "a scope that closes opens gathers over its own data id only": (
        "        for above in place.lineage():\n            if above.gates:\n",
        "        for above in (place,):\n            if above.gates:\n",
    ),
    "lack of data beats blame": (
        "        if task.blame is not None:\n            self._end(task, Outcome(State.BLOCKED",
        "        if task.blame is not None and task.lack is None:\n            self._end(task, Outcome(State.BLOCKED",
    ),
    "the last gate alone decides": (
        "task.blame = least(task.blame, blame)",
        "task.blame = blame",
    ),
    "a lost scope counts as empty": (
        "            above.lost.append((place, reason))\n",
        "",
    ),
    "a lost scope stays open for those above": (
        "        self._settled(place, 0)\n        for above",
        "        place.open = False\n        for above",
    ),
    "a revealer without data leaves its scope open": (
        "                elif task.lack is not None:\n",
        "                elif False:\n",
    ),
    "a failed revealer leaves its scope open": (
        "                if task.blame is not None:\n                    self._lose",
        "                if False:\n                    self._lose",
    ),
    "a need for other instruments is waited for": (
        "            if not need.concerns(place.inst):\n",
        "            if False:\n",
    ),
    "a gather takes instruments it is not for": (
        "                if need.concerns(source.inst):\n",
        "                if True:\n",
    ),
    "a task is judged when its first gate has passed": (
        "            task.waiting += 1\n",
        "            task.waiting += not task.waiting > 1\n",
    ),
    "ready tasks come out first in, first out": (
        "(task.place.order, task.step.name, task.key.variant, task)",
        '(("", str(len(self._ready[task.step.rank])).zfill(9)), task.step.name, task.key.variant, task)',
    ),
    "what is early in the chain goes first": (
        "        for queue in reversed(self._ready):\n",
        "        for queue in self._ready:\n",
    ),
    "a cancelled task blames nobody": (
        "        elif state.to_blame:\n",
        "        elif state.to_blame and state is not State.CANCELLED:\n",
    ),
    "an end is told to the first that waits only": (
        "            for gate in after or ():\n",
        "            for gate in (after or ())[:1]:\n",
    ),
    "cancelling everything forgets what comes later": (
        "            elif self._cancelled:\n",
        "            elif False:\n",
    ),
}


def with_fault(old, new):
    """Make a copy of the module with one passage changed."""
    assert SOURCE.count(old) == 1, f"the passage occurs {SOURCE.count(old)} times: {old!r}"
    module = types.ModuleType("graph_with_a_fault")
    sys.modules[module.__name__] = module
    try:
        exec(compile(SOURCE.replace(old, new), "graph_with_a_fault.py", "exec"), module.__dict__)
    finally:
        del sys.modules[module.__name__]
    return module


@pytest.mark.parametrize("fault", FAULTS)
def test_the_property_test_finds(fault):
    module = with_fault(*FAULTS[fault])
    for number in range(GRAPHS):
        try:
            walk(number, module)
        except (AssertionError, ValueError):
            return
    pytest.fail(f"no graph of {GRAPHS} finds that {fault}")


def test_an_unchanged_copy_passes():
    module = with_fault("class Graph:", "class Graph :")
    for number in range(100):
        walk(number, module)

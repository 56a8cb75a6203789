"""The graph: against the oracle on random worlds, and its rules one by one."""

import tracemalloc

import pytest

from daxa.exceptions import PluginError
from daxa.ids import DataId, TaskKey
from daxa.outcome import FailureKind, Outcome, State
from daxa.schedule.graph import Edge, Graph, Member, Node, Planned

from . import workload
from .worlds import Walk, World, walk

GRAPHS = 2000
ROOT = DataId("m")
OBS = ROOT.child("A")
PN, M1 = OBS.child("PN"), OBS.child("M1")
GOOD = Outcome(State.SUCCEEDED)
BAD = Outcome(State.FAILED, cause="exit status 1", kind=FailureKind.TOOL)


def test_random_graphs_come_to_what_the_oracle_says():
    for number in range(GRAPHS):
        try:
            walk(number)
        except Exception as problem:
            raise AssertionError(f"graph {number}: {problem}") from problem


def test_final_states_do_not_depend_on_the_order_of_arrival():
    for number in range(150):
        world = World(number)
        first, *others = (Walk(world, seed, losses=False).go() for seed in range(5))
        for other in others:
            assert other == first, f"graph {number}"


# --- rules ------------------------------------------------------------------------------------------------------------


def grown(*nodes, members=None):
    """One observation with two instruments, and every process planned wherever its level is."""

    def plan(level):
        return tuple(Planned(node.name) for node in nodes if node.level == level)

    graph = Graph({"m": nodes})
    below = tuple(Member(inst, plan("inst"), ()) for inst in (M1, PN))
    graph.close(ROOT, [Member(OBS, plan("obs"), below if members is None else members)])
    return graph


def play(graph, **outcomes):
    """End each task that becomes ready as told (by process, or process_INST), else well; the outcomes by name."""
    while (key := graph.pop_ready()) is not None:
        graph.start(key)
        name = key.process + (f"_{key.data_id.inst}" if key.data_id.inst else "")
        graph.finish(key, outcomes.get(name, outcomes.get(key.process, GOOD)))
    assert graph.done
    return {
        change.task.process + (f"_{change.task.data_id.inst}" if change.task.data_id.inst else ""): change.outcome
        for change in graph.ended()
    }


@pytest.mark.parametrize(
    ("mode", "m1", "pn", "state"),
    [
        ("all", GOOD, GOOD, State.SUCCEEDED),
        ("all", GOOD, Outcome(State.NO_DATA), State.NO_DATA),
        ("all", Outcome(State.NO_DATA), BAD, State.BLOCKED),
        ("all", BAD, Outcome(State.NO_DATA), State.BLOCKED),
        ("all", Outcome(State.REUSED), GOOD, State.SUCCEEDED),
        ("any", GOOD, BAD, State.SUCCEEDED),
        ("any", Outcome(State.NO_DATA), GOOD, State.SUCCEEDED),
        ("any", Outcome(State.NO_DATA), Outcome(State.NO_DATA), State.NO_DATA),
        ("any", Outcome(State.TIMED_OUT), Outcome(State.NO_DATA), State.BLOCKED),
        ("any", BAD, Outcome(State.CANCELLED), State.BLOCKED),
    ],
)
def test_needs(mode, m1, pn, state):
    graph = grown(Node("clean", "inst"), Node("merge", "obs", (Edge("clean", mode),)))
    assert play(graph, clean_M1=m1, clean_PN=pn)["merge"].state is state


def test_optional_needs_are_waited_for_whatever_comes_of_them():
    nodes = Node("clean", "inst"), Node("merge", "obs", (Edge("clean", optional=True),))
    graph = grown(*nodes)
    first, second = graph.pop_ready(), graph.pop_ready()
    graph.finish(first, BAD)
    assert graph.pop_ready() is None
    graph.finish(second, Outcome(State.NO_DATA))
    assert graph.pop_ready() == TaskKey("merge", OBS)
    assert play(grown(*nodes, members=()))["merge"].state is State.SUCCEEDED


def test_a_gather_over_nothing_has_no_data():
    for mode in ("all", "any"):
        graph = grown(Node("clean", "inst"), Node("merge", "obs", (Edge("clean", mode),)), members=())
        assert play(graph)["merge"] == Outcome(State.NO_DATA, cause="there is no clean for m/A")


def test_a_need_for_other_instruments_does_not_count():
    chains = Node("pnchain", "inst"), Node("mchain", "inst")
    needs = Edge("pnchain", instruments=("PN",)), Edge("mchain", instruments=("M1", "M2"))
    graph = Graph({"m": [*chains, Node("clean", "inst", needs)]})
    members = (
        Member(PN, (Planned("pnchain"), Planned("clean"))),
        Member(M1, (Planned("clean"),)),
    )
    graph.close(ROOT, [Member(OBS, (), members)])
    ends = play(graph)
    assert ends["clean_PN"].state is State.SUCCEEDED
    assert ends["clean_M1"] == Outcome(State.NO_DATA, cause="there is no mchain for m/A/M1")


def test_a_task_of_the_same_variant_is_enough():
    def variants(*names):
        graph = Graph({"m": [Node("events", "obs"), Node("image", "obs", (Edge("events"),))]})
        graph.close(ROOT, [Member(OBS, (Planned("events", names), Planned("image", ("soft",))))])
        while (key := graph.pop_ready()) is not None:
            graph.finish(key, BAD if key.variant == "hard" else GOOD)
        return graph.state(TaskKey("image", OBS, "soft"))

    assert variants("soft", "hard") is State.SUCCEEDED
    assert variants("broad", "hard") is State.BLOCKED


def test_blame_and_lack_of_data_tell_where_they_come_from():
    nodes = Node("a", "obs"), Node("b", "obs", (Edge("a"),)), Node("c", "inst", (Edge("b"),))
    ends = play(grown(*nodes), a=BAD)
    assert ends["c_PN"].root == TaskKey("a", OBS)
    assert ends["c_PN"].cause == ends["b"].cause == "a of m/A failed: exit status 1"
    ends = play(grown(*nodes), a=Outcome(State.NO_DATA, cause="nothing in the band"))
    assert ends["c_M1"] == Outcome(State.NO_DATA, cause="a of m/A has no data: nothing in the band")


def test_of_several_culprits_the_first_by_data_id_is_told():
    for order in ((M1, PN), (PN, M1)):
        graph = grown(Node("clean", "inst"), Node("merge", "obs", (Edge("clean"),)))
        for inst in order:
            graph.finish(TaskKey("clean", inst), BAD)
        assert [one.outcome.root for one in graph.ended() if one.task.process == "merge"] == [TaskKey("clean", M1)]


def test_a_failed_revealer_loses_its_scope_and_blocks_what_gathers_over_it():
    nodes = Node("ingest", "obs", reveals=True), Node("clean", "inst"), Node("merge", "obs", (Edge("clean", "any"),))

    def with_ingest(outcome):
        graph = Graph({"m": nodes})
        graph.close(ROOT, [Member(OBS, (Planned("ingest"), Planned("merge")))])
        return play(graph, ingest=outcome)["merge"]

    assert with_ingest(BAD).root == TaskKey("ingest", OBS)
    assert with_ingest(BAD).state is State.BLOCKED
    assert with_ingest(Outcome(State.NO_DATA)).state is State.NO_DATA


def test_a_lost_scope_does_not_spoil_any_of_what_succeeded_elsewhere():
    def merged(mode, instruments=()):
        nodes = Node("clean", "exp"), Node("merge", "obs", (Edge("clean", mode, instruments=instruments),))
        graph = Graph({"m": nodes})
        there = Member(M1, (), (Member(M1.child("S1"), (Planned("clean"),)),))
        graph.close(ROOT, [Member(OBS, (Planned("merge"),), (there, Member(PN)))])
        graph.lose(PN, Outcome(State.FAILED, cause="no summary"))
        return play(graph)["merge"]

    assert merged("any").state is State.SUCCEEDED
    assert merged("all") == Outcome(State.BLOCKED, cause="no summary")
    assert merged("all", ("M1",)).state is State.SUCCEEDED


def test_a_skipped_task_ends_at_once_with_its_reason():
    graph = Graph({"m": [Node("a", "obs"), Node("b", "obs", (Edge("a"),))]})
    changes = graph.close(ROOT, [Member(OBS, (Planned("a", skip="unscheduled"), Planned("b")))])
    assert [(one.task.process, one.state) for one in changes] == [
        ("a", State.WAITING),
        ("b", State.WAITING),
        ("a", State.NO_DATA),
        ("b", State.NO_DATA),
    ]
    assert changes[2].outcome.cause == "unscheduled"


def test_cancelling_one_task_blocks_what_needs_it():
    graph = grown(Node("a", "obs"), Node("b", "obs", (Edge("a"),)))
    graph.cancel(TaskKey("a", OBS))
    assert graph.states == {TaskKey("a", OBS): State.CANCELLED, TaskKey("b", OBS): State.BLOCKED}
    assert graph.pop_ready() is None


def test_cancelling_everything_leaves_what_runs():
    graph = grown(Node("a", "obs"), Node("b", "obs", (Edge("a"),)), Node("c", "inst"))
    graph.start(TaskKey("a", OBS))
    graph.cancel()
    assert graph.counts == {State.RUNNING: 1, State.CANCELLED: 3}
    assert not graph.done
    graph.finish(TaskKey("a", OBS), GOOD)
    assert graph.done


def test_the_later_in_the_chain_the_earlier_out():
    nodes = [Node("b", "inst", (Edge("z"),)), Node("z", "obs"), Node("merge", "obs", (Edge("b"),))]
    graph = Graph({"m": nodes})
    members = (Member(M1, (Planned("b"),)), Member(PN, (Planned("b"),)))
    plan = (Planned("z"), Planned("merge"))
    graph.close(ROOT, [Member(OBS, plan, members), Member(ROOT.child("B"), plan, ())])
    order = []
    while (key := graph.pop_ready()) is not None:
        order.append(str(key))
        graph.finish(key, GOOD)
    assert order == ["z of m/A", "b of m/A/M1", "b of m/A/PN", "merge of m/A", "z of m/B"]


def test_levels_nothing_works_on_are_ignored():
    graph = Graph({"m": [Node("a", "obs")]})
    graph.close(ROOT, [Member(OBS, (Planned("a"),), (Member(PN),))])
    assert graph.close(OBS, [Member(PN), Member(M1)]) == []
    assert graph.close(PN, []) == []
    assert play(graph)["a"] == GOOD


# --- misuse -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("nodes", "told"),
    [
        ([Node("a", "obs"), Node("a", "inst")], "twice"),
        ([Node("a", "mission")], "level"),
        ([Node("a", "obs", (Edge("b"),))], "has no b"),
        ([Node("a", "obs", (Edge("a"),))], "wait for each other: a"),
        (
            [Node("a", "obs", (Edge("b"),)), Node("b", "inst", (Edge("a"),)), Node("c", "obs")],
            "wait for each other: a, b",
        ),
        ([Node("a", "obs", (Edge("b", "some"),)), Node("b", "obs")], "mode"),
        ([Node("a", "exp", reveals=True)], "reveal"),
        ([Node("a", "obs", reveals=True), Node("b", "obs", reveals=True)], "reveal the same"),
        ([Node("a", "obs", (Edge("b"),), reveals=True), Node("b", "inst")], "wait for each other: a, b"),
    ],
)
def test_processes_that_do_not_fit(nodes, told):
    with pytest.raises(PluginError, match=told):
        Graph({"m": nodes})


@pytest.mark.parametrize(
    "members",
    [
        [Member(PN)],
        [Member(OBS), Member(OBS)],
        [Member(OBS, (Planned("nonsense"),))],
        [Member(OBS, (Planned("c"),))],
        [Member(OBS, (Planned("a"), Planned("a")))],
        [Member(OBS, (Planned("a", ("x", "x")),))],
        [Member(OBS, (Planned("r", ("x", "y")),))],
        [Member(OBS, (Planned("a"),), (Member(DataId("m", "B", "PN")),))],
    ],
)
def test_members_that_do_not_fit_change_nothing(members):
    graph = Graph({"m": [Node("a", "obs"), Node("r", "obs", reveals=True), Node("c", "inst")]})
    with pytest.raises(PluginError):
        graph.close(ROOT, members)
    assert len(graph) == 0
    graph.close(ROOT, [Member(OBS, (Planned("a"),))])


def test_verbs_out_of_turn():
    graph = grown(Node("a", "obs"), Node("b", "obs", (Edge("a"),)))
    a, b = TaskKey("a", OBS), TaskKey("b", OBS)
    for wrong in (
        lambda: graph.start(b),
        lambda: graph.finish(b, GOOD),
        lambda: graph.retry(a, BAD),
        lambda: graph.finish(a, Outcome(State.RUNNING)),
        lambda: graph.start(TaskKey("z", OBS)),
        lambda: graph.close(ROOT, []),
        lambda: graph.lose(ROOT, BAD),
        lambda: graph.close(DataId("other"), []),
    ):
        with pytest.raises(ValueError, match=r"m/A|m|other"):
            wrong()
    graph.start(a)
    with pytest.raises(ValueError, match="running"):
        graph.cancel(a)
    graph.finish(a, GOOD)
    with pytest.raises(ValueError, match="succeeded"):
        graph.finish(a, GOOD)
    assert a in graph
    assert TaskKey("z", OBS) not in graph


# --- size -------------------------------------------------------------------------------------------------------------


def test_a_task_takes_less_than_a_kilobyte():
    tracemalloc.start()
    try:
        graph, _ = workload.walk(14_000)
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size / len(graph) < 1000


def test_a_year_of_observations_keeps_the_slots_busy():
    year = workload.Year(1)
    for slots in (4, 8, 16):
        seconds, _ = year.run(slots)
        assert seconds <= 1.05 * year.bound(slots)
        assert seconds < year.with_barriers(slots)

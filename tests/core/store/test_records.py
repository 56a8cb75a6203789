"""What an archive's record takes and gives back."""

import sqlite3
import subprocess
import sys
from pathlib import PurePath

import numpy as np
import pandas as pd
import pytest
from attrs import evolve

from daxa.exceptions import DaxaError, InvalidParameterError, ParameterTypeError, UnknownNameError
from daxa.ids import DataId, TaskKey
from daxa.outcome import Caveat, FailureKind, Outcome, State
from daxa.specs import Child
from daxa.store.records import ArchiveRecord, ProductEntry, TaskEntry


def test_importing_it_imports_no_tables():
    code = (
        "import sys, daxa.store.records, daxa.store.downloads, daxa.store.catalogues;"
        "print([m for m in ('pandas', 'numpy', 'astropy', 'aiohttp') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_task_comes_back_as_it_was(record, key):
    entry = TaskEntry(
        key=key(1, variant="en0.5_2.0keV"),
        state=State.FAILED,
        cause="ßome reason",
        kind=FailureKind.TOOL,
        root=TaskKey("ingest", DataId("xmm_pointed", "0000000001")),
        attempt=3,
        run_id=7,
        started=1.25,
        ended=2.5,
        seconds=1.25,
        cpu_s=0.75,
        max_rss=2**40,
        host="node1",
        log="a/b.log",
        stderr="a/c.log",
        params={"band": [0.5, 2.0], "method": "x", "deep": {"a": None}},
        fingerprint="f" * 64,
        caveats=(Caveat("a", "b"), Caveat("c", "d")),
        errors=("one",),
        warnings=({"name": "w", "message": "m"},),
        extra={"path": "x"},
    )
    record.journal([entry]).result()
    assert record.task(entry.key) == entry
    assert entry.outcome == Outcome(State.FAILED, entry.cause, FailureKind.TOOL, entry.caveats, entry.root)
    assert (entry.mission, entry.process, entry.obs_id, entry.inst, entry.subexp, entry.variant) == (
        *("xmm_pointed", "clean", "0000000001", "PN", "S003"),
        "en0.5_2.0keV",
    )
    assert record.task(key(2)) is None


def test_plain_values_of_other_libraries(record, entry):
    params = {"n": np.int64(3), "a": np.array([1.5, 2.0]), "p": PurePath("a/b"), "s": {"b", "a"}, "t": (1, 2)}
    record.journal([entry(1, params=params, started=1.0)]).result()
    assert record.tasks()[0].params == {"n": 3, "a": [1.5, 2.0], "p": "a/b", "s": ["a", "b"], "t": [1, 2]}


def test_what_cannot_be_recorded_is_refused_whole(record, entry):
    with pytest.raises(TypeError, match="cannot be recorded"):
        record.journal([entry(1), entry(2, params={"x": object()}, started=1.0)]).result()
    assert record.tasks() == []


def test_levels_above_exposures(record):
    keys = [
        TaskKey("p", DataId("m", "1")),
        TaskKey("p", DataId("m", "1", "PN")),
        TaskKey("p", DataId("m", "1", "PN", "S1")),
    ]
    record.journal([TaskEntry(key=one, state=State.READY) for one in keys]).result()
    assert [one.key for one in record.tasks()] == keys
    assert [one.key for one in record.tasks(subexp=None)] == keys[:2]
    assert record.tasks(inst="PN", subexp=None)[0].key == keys[1]


def test_every_transition_is_in_the_history(record, entry):
    states = [State.WAITING, State.READY, State.RUNNING, State.FAILED, State.READY, State.RUNNING, State.SUCCEEDED]
    record.journal([entry(1, state, cause=f"c{n}", attempt=n) for n, state in enumerate(states)]).result()
    history = record.history(process="clean", obs_id="0000000001")
    assert [one.state for one in history] == states
    assert [one.cause for one in history] == [f"c{n}" for n in range(7)]
    assert [one.at for one in history] == sorted(one.at for one in history)
    assert record.tasks()[0].state is State.SUCCEEDED
    assert record.history(state=["failed"])[0].attempt == 3


@pytest.mark.parametrize("state", [State.WAITING, State.READY, State.CANCELLED])
def test_plans_take_nothing_away_from_what_succeeded(record, entry, key, state):
    done = entry(1, started=1.0, ended=2.0, fingerprint="f", run_id=1, log="l", params={"a": 1})
    record.journal([done]).result()
    record.journal([entry(1, state, run_id=2)]).result()
    assert record.task(key(1)) == done
    assert [one.state for one in record.history()] == [State.SUCCEEDED, state]
    record.journal([entry(1, State.RUNNING, started=3.0, run_id=2, attempt=1)]).result()
    assert record.task(key(1)) == entry(1, State.RUNNING, started=3.0, run_id=2, attempt=1)
    record.journal([entry(1, state, run_id=2, attempt=1)]).result()
    assert record.task(key(1)).state is state


@pytest.mark.parametrize("state", [State.REUSED, State.NO_DATA, State.BLOCKED])
def test_verdicts_change_the_state_and_its_reason(record, entry, key, state):
    done = entry(1, started=1.0, ended=2.0, fingerprint="f", run_id=1, log="l", attempt=2)
    root = TaskKey("ingest", DataId("xmm_pointed", "0000000001"))
    record.journal([done]).result()
    record.journal([entry(1, state, run_id=2, cause="because", root=root)]).result()
    assert record.task(key(1)) == evolve(done, state=state, run_id=2, cause="because", root=root)


def test_interrupted(record, entry):
    record.journal([entry(1, State.RUNNING), entry(2), entry(3, State.RUNNING), entry(4, State.READY)]).result()
    assert record.interrupt_running().result() == 2
    assert record.counts() == {State.READY: 1, State.SUCCEEDED: 1, State.INTERRUPTED: 2}
    assert {one.obs_id[-1] for one in record.history(state="interrupted")} == {"1", "3"}
    assert record.interrupt_running().result() == 0


def test_selection(record, entry):
    record.journal([entry(n, process=p, run_id=n) for n in range(4) for p in ("clean", "image")]).result()
    record.journal([entry(9, State.FAILED, cause="x")]).result()
    assert len(record.tasks(process="clean")) == 5
    assert len(record.tasks(process=["clean", "image"], obs_id={"0000000001", "0000000002"})) == 4
    assert len(record.tasks(state=(State.FAILED, "timed_out"))) == 1
    assert len(record.tasks(run_id=3)) == 2
    assert len(record.tasks(run_id=None)) == 1
    assert record.tasks(obs_id=[]) == []
    assert record.counts(process="clean") == {State.SUCCEEDED: 4, State.FAILED: 1}
    for method in (record.tasks, record.products, record.history, record.counts):
        with pytest.raises(InvalidParameterError, match="'; DROP"):
            method(**{"'; DROP TABLE tasks": 1})


def test_products_are_replaced(record, entry, key):
    def product(name, **columns):
        return ProductEntry(key=name, kind="events", path=f"a/{name}.fits", size=1, mtime_ns=2**62, **columns)

    with pytest.raises(UnknownNameError):
        record.replace_products(key(1), [product("x")]).result()
    record.journal([entry(1), entry(2)]).result()
    record.replace_products(key(1), [product("x"), product("y", sha256="0", lo=0.5, hi=2.0)]).result()
    record.replace_products(key(2), [product("z")]).result()
    record.replace_products(key(1), [product("y", lo=0.5, hi=2.0)]).result()
    (found,) = record.products_of(key(1))
    assert found == evolve(product("y", lo=0.5, hi=2.0), task=key(1))
    assert (found.mission, found.process, found.inst, found.variant) == ("xmm_pointed", "clean", "PN", "")
    assert found.data_id == key(1).data_id
    assert [one.key for one in record.products(kind="events")] == ["z", "y"]
    assert [one.key for one in record.products(obs_id="0000000002")] == ["z"]


def test_children(record):
    tree = [
        Child(
            name="PN", children=(Child(name="S003", info={"mode": "A"}), Child(name="U002", usable=False, reason="off"))
        ),
        Child(name="M1", usable=False, reason="closed"),
    ]
    record.put_children("m", "1", tree).result()
    record.put_children("m", "2", [Child(name="PN")]).result()
    entries = record.data_ids(mission="m", obs_id="1")
    assert [str(one.data_id) for one in entries] == ["m/1/PN", "m/1/PN/S003", "m/1/PN/U002", "m/1/M1"]
    assert [(one.usable, one.reason) for one in entries] == [(True, ""), (True, ""), (False, "off"), (False, "closed")]
    assert record.info_of(DataId("m", "1", "PN", "S003")) == {"mode": "A"}
    assert record.info_of(DataId("m", "1", "M2")) == {}
    record.put_children("m", "1", [Child(name="S009")], inst="PN").result()
    assert {str(one.data_id) for one in record.data_ids(obs_id="1")} == {"m/1/PN", "m/1/PN/S009", "m/1/M1"}
    record.put_children("m", "1", []).result()
    assert [str(one.data_id) for one in record.data_ids()] == ["m/2/PN"]


def test_missions_and_facts(record):
    record.set_meta({"name": "A 907", "version": "0.0.0", "sky": None}).result()
    record.add_mission("b", "B", {"x": [1]}).result()
    record.add_mission("a", "A", {"y": "ü"}).result()
    record.set_mission_state("b", {"x": [2]}).result()
    record.set_processed("b", True, ["clean", "image"]).result()
    record.set_final("b", {"1": True, "2": True, "3": False})
    record.set_final("b", {"2": False, "3": None}).result()
    assert record.missions() == [("b", {"x": [2]}), ("a", {"y": "ü"})]
    assert record.mission_names() == ["b", "a"]
    assert record.processed("b") == (True, ("clean", "image"))
    assert record.processed("a") == (False, ())
    assert record.final() == {"b": {"1": True, "2": False}}
    assert (record.meta("name"), record.meta("sky", 1), record.meta("other", 2)) == ("A 907", None, 2)


def test_runs(record):
    first = record.begin_run({"processes": ["clean"]}).result()
    second = record.begin_run({}).result()
    record.end_run(first).result()
    runs = record.runs()
    assert [run.id for run in runs] == [first, second]
    assert runs[0].ended >= runs[0].started
    assert runs[1].ended is None
    assert runs[0].request == {"processes": ["clean"]}


@pytest.fixture
def observations():
    return pd.DataFrame(
        {
            "ra": [149.591, np.nan],
            "ObsID": ["0404910601", "0201903501"],
            "science_usable": [True, False],
            "start": pd.to_datetime(["2006-11-02T10:00:00.000003", None]),
            "duration": pd.to_timedelta(["18:55:38.000003", None]),
            "target": ["Abell 907", np.nan],
            "number": [2**62 + 1, 3],
        }
    )


def test_observations_come_back_exactly(record, observations):
    assert record.observations("m") is None
    record.add_observations("m", observations).result()
    pd.testing.assert_frame_equal(record.observations("m"), observations)
    new = observations.assign(ObsID=["0404910601", "0700000001"], ra=[1.0, 2.0])
    record.add_observations("m", new).result()
    record.retire("m", ["0201903501"]).result()
    assert record.obs_ids("m") == ["0404910601", "0700000001"]
    assert record.observations("m")["ra"].tolist() == [1.0, 2.0]
    assert record.observations("m", retired=True)["ObsID"].tolist() == ["0201903501"]
    with pytest.raises(InvalidParameterError, match="other columns"):
        record.add_observations("m", new.drop(columns="ra")).result()
    with pytest.raises(ParameterTypeError, match="'bad'"):
        record.add_observations("n", observations.assign(bad=[{}, {}])).result()


@pytest.mark.parametrize(
    ("table", "where", "index"),
    [
        ("tasks", "mission = 'a' AND process = 'b'", "sqlite_autoindex_tasks_1"),
        ("tasks", "mission = 'a' AND obs_id = 'b'", "tasks_of_observation"),
        ("tasks", "mission = 'a' AND process = 'p' AND obs_id = 'b'", "sqlite_autoindex_tasks_1"),
        ("tasks", "obs_id IN (SELECT value FROM json_each('[]'))", "tasks_of_observation"),
        ("tasks", "state = 'failed'", "tasks_in_state"),
        ("tasks", "state = 'failed' AND mission = 'm'", "tasks_in_state"),
        ("tasks", "state = 'running'", "tasks_in_state"),
        ("history", "task_id = 1", "history_of_task"),
        ("products", "task_id = 1", "products_of_task"),
        ("products", "mission = 'm' AND obs_id = 'o'", "products_of_observation"),
        ("products", "mission = 'm' AND process = 'p' AND obs_id = 'o' AND inst = ''", "products_of_process"),
    ],
)
def test_queries_use_indexes(record, table, where, index):
    plan = " ".join(row["detail"] for row in record.db.read(f"EXPLAIN QUERY PLAN SELECT * FROM {table} WHERE {where}"))
    assert index in plan, plan


def test_file_grows_linearly(record, path, entry):
    sizes = []
    for part in range(4):
        record.journal([entry(n, process=f"p{part}", started=1.0, params={"a": n}) for n in range(3000)]).result()
        sizes.append(record.db.read("PRAGMA page_count")[0][0])
    steps = np.diff(sizes)
    assert steps.max() < 1.3 * steps.min()


def test_opening_again_gives_everything(record, path, entry):
    record.journal([entry(n) for n in range(10)]).result()
    record.close()
    again = ArchiveRecord.open(path)
    assert len(again.tasks()) == 10
    again.close()
    moved = path.parent.rename(path.parent.with_name("elsewhere"))
    there = ArchiveRecord.open(moved / path.name)
    assert len(there.tasks()) == 10
    there.close()


def test_errors_name_a_remedy(record, key):
    with pytest.raises(DaxaError) as caught:
        record.tasks(nonsense=1)
    assert caught.value.remedy
    assert "mission" in caught.value.expected


def test_facts_states_and_missions_are_recorded_together_or_not_at_all(record):
    record.renew({"version": "0.0.0"}, added={"b": ("B", {"n": 1}), "a": ("A", {"n": 1})}).result()
    record.renew({"version": "0.1.0"}, {"a": {"n": 2}}).result()
    assert record.missions() == [("b", {"n": 1}), ("a", {"n": 2})] and record.meta("version") == "0.1.0"
    with pytest.raises(TypeError):
        record.renew({"version": "0.2.0"}, {"a": {"n": object()}})
    with pytest.raises(sqlite3.IntegrityError):
        record.renew({"version": "0.2.0"}, added={"c": (None, {})}).result()
    assert record.meta("version") == "0.1.0" and len(record.missions()) == 2

"""State files of missions, DAXA's and ours."""

import json

from hypothesis import given
from hypothesis import strategies as st

from daxa.mission.operations import read_state
from tests.fuzz.common import TEXT, fuzzed, mutated, only_typed
from tests.stress.head import context_of
from tests.stress.mission import Stress

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=4)),
    max_leaves=12,
)
MARKED = st.dictionaries(st.sampled_from(["datetime", "datetime_list", "quantity", "skycoord", "ndarray"]), JSON, min_size=1, max_size=1)  # fmt: skip
OPERATION = st.fixed_dictionaries(
    {"name": st.sampled_from(["filter_on_obs_ids", "filter_on_positions", "x"]) | TEXT,
     "arguments": st.dictionaries(TEXT, st.one_of(JSON, MARKED), max_size=3) | JSON}
)  # fmt: skip
STATE = st.fixed_dictionaries(
    {"name": st.just("stress") | JSON},
    optional={
        "chos_inst": st.lists(st.sampled_from(["A", "B", "C"])) | JSON,
        "chos_field": JSON,
        "downloaded_type": JSON,
        "processed": JSON,
        "selected_obs": st.lists(st.sampled_from(["T00001", "T00002", "../x"])) | JSON,
        "science_usable": JSON,
        "filtering_operations": st.lists(OPERATION, max_size=3) | JSON,
    },
)
GOOD = json.dumps({"name": "stress", "chos_inst": ["A"], "selected_obs": ["T00001"], "filtering_operations":
                   [{"name": "filter_on_obs_ids", "arguments": {"allowed_obs_ids": ["T00001"]}}]}).encode()  # fmt: skip


def check(folder, content):
    path = folder / "state.json"
    path.write_bytes(content)
    with only_typed():
        read_state(path).decoded_operations()
    with only_typed():
        Stress(save_file_path=path, context=context_of(folder))


@fuzzed
@given(state=STATE)
def test_states_of_any_values(folder, state):
    check(folder, json.dumps(state).encode())


@fuzzed
@given(content=mutated(GOOD))
def test_states_with_wrong_bytes(folder, content):
    check(folder, content)


@fuzzed
@given(depth=st.integers(1, 50_000), mark=st.sampled_from(["[", '{"a":']))
def test_states_that_nest(folder, depth, mark):
    check(folder, (mark * depth).encode())

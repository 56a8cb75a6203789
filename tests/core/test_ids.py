import pytest
from hypothesis import given
from hypothesis import strategies as st

from daxa.exceptions import InvalidNameError
from daxa.ids import DataId, TaskKey, check_archive_name, check_component

component = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_+\-]{0,11}", fullmatch=True)


@given(component, component, component, component)
def test_levels_parents_and_idents(mission, obs_id, inst, subexp):
    full = DataId(mission, obs_id, inst, subexp)
    assert full.level == "exp"
    assert full.ident == obs_id + inst + subexp
    assert [one.level for one in full.ancestors()] == ["inst", "obs", "mission"]
    assert full.parent == DataId(mission, obs_id, inst)
    assert full.parent.child(subexp) == full
    assert full.at("obs") == DataId(mission, obs_id)
    assert all(one.contains(full) and not full.contains(one) for one in full.ancestors())


@given(st.lists(st.tuples(component, component), min_size=2, max_size=8))
def test_order_is_total_and_keeps_observations_together(pairs):
    keys = [TaskKey("step", DataId("m", a, b)) for a, b in pairs]
    ordered = sorted(keys)
    assert [key.data_id.obs_id for key in ordered] == sorted(key.data_id.obs_id for key in keys)


@pytest.mark.parametrize("bad", ["", "..", "a/b", "a\\b", "-x", ".hidden", "a b", "a\n", "x\x00", None, 5, "a..b"])
def test_what_would_leave_its_directory_is_no_component(bad):
    with pytest.raises(InvalidNameError) as caught:
        check_component(bad, "an ObsID")
    assert repr(bad) in str(caught.value) and "Expected" in str(caught.value) and "Remedy" in str(caught.value)


def test_a_gap_in_a_data_id_is_refused():
    with pytest.raises(InvalidNameError):
        DataId("m", None, "PN")
    with pytest.raises(InvalidNameError):
        DataId(None)


@pytest.mark.parametrize("good", ["A3667", "my archive, 2nd try", "été", "a.b", "PHL 1811 (made earlier)"])
def test_archive_names_may_hold_blanks_and_any_printable(good):
    assert check_archive_name(good) == good


@pytest.mark.parametrize(
    "bad", ["", ".", "..", "a/b", "a\\b", "/abs", "x\n", ".hidden", " lead", "trail ", "\x07", "a" * 300, None]
)
def test_archive_names_that_are_no_directories(bad):
    with pytest.raises(InvalidNameError):
        check_archive_name(bad)

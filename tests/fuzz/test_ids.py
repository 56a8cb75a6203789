"""Names: of data, of archives, of what users ask for."""

from pathlib import PurePosixPath

from hypothesis import given
from hypothesis import strategies as st

from daxa.archive import layout
from daxa.ids import DataId, TaskKey, check_archive_name
from daxa.net.contents import check_path
from tests.fuzz.common import TEXT, fuzzed, only_typed

PART = st.one_of(
    st.none(),
    st.sampled_from(["0201903501", "PN", "S003", "..", ".", "", "a/b", "a\\b", "a\0", "-rf", "a b", "x" * 300, "é"]),
    TEXT,
)
WORD = st.one_of(PART, st.integers(), st.binary(max_size=4))


@fuzzed
@given(WORD, WORD, WORD, WORD, PART)
def test_data_ids_of_any_parts(mission, obs_id, inst, subexp, variant):
    with only_typed(TypeError):
        data_id = DataId(mission, obs_id, inst, subexp)
        assert (str(data_id) or mission is None) and hash(data_id) == hash(DataId(mission, obs_id, inst, subexp))
        if data_id.obs_id is None:
            return
        key = TaskKey("step", data_id, variant or "")
        path = layout.log(key, "stdout")
        assert ".." not in path.parts and not path.is_absolute() and len(path.parts) == 5


@fuzzed
@given(WORD)
def test_names_of_archives(name):
    with only_typed():
        checked = check_archive_name(name)
        assert PurePosixPath("archives", checked).parts == ("archives", checked)


@fuzzed
@given(st.one_of(TEXT, st.lists(PART.map(str), max_size=4).map("/".join)))
def test_paths_below_a_directory(path):
    with only_typed():
        checked = PurePosixPath(check_path(path))
        assert not checked.is_absolute() and ".." not in checked.parts

"""What an archive says of itself, in DAXA's shapes: nested properties, getters, finality, and what is refused.

The mission is the sample's: observations with telescopes, and sub-exposures of them. Its software fails where a test
says so.
"""

import asyncio
import copy
import html.parser
import json
import pickle
import shutil
from pathlib import Path

import daxa_sample.processes
import daxa_sample.testing
import numpy as np
import pytest

from daxa import Archive
from daxa.context import Context, use_context
from daxa.exceptions import (
    ArchiveNotOpenError,
    InvalidObsIDError,
    InvalidParameterError,
    MissionNotAssociatedError,
    NoDependencyProcessError,
    NoProcessingError,
    ObsNotAssociatedError,
    ParameterTypeError,
    PreProcessedNotAvailableError,
)
from daxa.outcome import State

pytestmark = pytest.mark.anyio

FAILS = '[ -e "$SAMPLETOOLS/fails/$(basename "$in")" ] && { echo "samplecal: ERROR no good" >&2; exit 1; }\n'
EXPOSURES = {"WIDEU001": "w_u001", "WIDEU002": "w_u002", "DEEPU003": "d_u003"}
"""Those of an observation that are calibrated, with their tokens in file names."""


def installed(home):
    """Install the software; returns its home, and a function that says for which exposures it fails from now on."""
    where = daxa_sample.testing.install_tool(home)
    program = home / "bin" / "samplecal"
    program.write_text(program.read_text().replace("[ -f", FAILS + "[ -f", 1))
    (home / "fails").mkdir()

    def fail_for(*names):
        for old in (home / "fails").iterdir():
            old.unlink()
        for obs_id, exposure in names:
            (home / "fails" / f"{obs_id.lower()}_{EXPOSURES[exposure]}_raw.fits").touch()

    return where, fail_for


@pytest.fixture
def tool(tmp_path, monkeypatch):
    where, fail_for = installed(tmp_path / "tools")
    monkeypatch.setenv("SAMPLETOOLS", where)
    return fail_for


@pytest.fixture
def context(sky, tmp_path, tool, monkeypatch):
    monkeypatch.setattr(daxa_sample.processes.merge, "final", True)
    own = Context(**sky.settings(), output=str(tmp_path / "output"), cache=str(tmp_path / "cache"))
    with use_context(own):
        yield own


async def declared(name="shapes", obs_ids=("S0001", "S0002"), **options):
    from daxa.mission import Sample

    mission = Sample()
    await mission.filter_on_obs_ids(list(obs_ids))
    return await Archive(name, mission, **{"download_products": False, **options})


@pytest.fixture(scope="module")
def processed(sky, tmp_path_factory):
    """The output root of an archive in which one exposure of S0001 failed, and everything of S0002."""
    root = tmp_path_factory.mktemp("shapes")

    async def process():
        async with await declared() as made:
            await made.run("merge", disable_progress=True)

    with pytest.MonkeyPatch.context() as patched:
        where, fail_for = installed(root / "tools")
        patched.setenv("SAMPLETOOLS", where)
        patched.setattr(daxa_sample.processes.merge, "final", True)
        fail_for(("S0001", "WIDEU002"), *(("S0002", exposure) for exposure in EXPOSURES))
        with use_context(Context(**sky.settings(), output=str(root / "output"), cache=str(root / "cache"))):
            asyncio.run(process())
    return root / "output"


@pytest.fixture
async def arch(context, processed, tmp_path):
    """A copy of it, of the test's own."""
    shutil.copytree(processed, tmp_path / "output")
    async with Archive("shapes") as made:
        yield made


SUCCESS = {
    "summary": {"S0001": True, "S0002": True},
    "calibrate": {
        "S0001WIDEU001": True,
        "S0001WIDEU002": False,
        "S0001DEEPU003": True,
        **{f"S0002{exposure}": False for exposure in EXPOSURES},
    },
    "merge": {"S0001WIDE": True, "S0001DEEP": True},
}
FAILED = [ident for ident, success in SUCCESS["calibrate"].items() if not success]
WARNED = [{"originator": "samplecal", "name": "warning", "message": "this is a stand-in"}]


# --- nested properties ----------------------------------------------------------------------------------------------


async def test_nested_properties_are_as_dicts(arch):
    root = arch.archive_path
    assert arch.process_success == {"sample": SUCCESS}
    assert arch.process_names == {"sample": ["summary", "calibrate", "merge"]}
    assert arch.process_errors == {
        "sample": {
            process: {ident: [] if success else ["no good"] for ident, success in idents.items()}
            for process, idents in SUCCESS.items()
        }
    }
    assert arch.process_warnings == {
        "sample": {
            process: {ident: WARNED if success and process == "calibrate" else [] for ident, success in idents.items()}
            for process, idents in SUCCESS.items()
        }
    }
    said = "samplecal: ERROR no good\n"
    assert arch.raw_process_errors == {"sample": {"summary": {}, "calibrate": dict.fromkeys(FAILED, said), "merge": {}}}
    logs = arch.process_logs["sample"]
    assert {process: set(idents) for process, idents in logs.items()} == {
        process: set(idents) for process, idents in SUCCESS.items()
    }
    extra = arch.process_extra_info["sample"]
    assert extra["calibrate"] == {
        f"S0001{inst}{exposure}": {
            "events": f"{root}processed_data/sample/S0001/events/obsidS0001-inst{inst}-subexp{exposure}-events.fits"
        }
        for inst, exposure in (("WIDE", "U001"), ("DEEP", "U003"))
    }
    assert arch.process_configurations == {"sample": [{"summary": {}}, {"calibrate": {"minimum": 0.0}}, {"merge": {}}]}
    assert arch.final_process_success == {"sample": {"S0001": True, "S0002": False}}


async def test_what_observations_hold(arch):
    exposures = {
        "WIDE": {"exposures": {"U001": {"seconds": 4000.0}, "U002": {"seconds": 3000.0}}},
        "DEEP": {"exposures": {"U001": {"seconds": 50.0}, "U002": {"seconds": 4000.0}, "U003": {"seconds": 4000.0}}},
    }
    flags = {"WIDE": {"U001": True, "U002": True}, "DEEP": {"U001": True, "U002": False, "U003": True}}
    assert arch.process_observation == {"sample": {"S0001": flags, "S0002": flags}}
    assert arch.observation_summaries == {"sample": {"S0001": exposures, "S0002": exposures}}
    of_wide = [["S0001", "WIDE", "U001"], ["S0001", "WIDE", "U002"]]
    of_deep = [["S0001", "DEEP", "U001"], ["S0001", "DEEP", "U003"]]
    assert arch.get_obs_to_process("sample", "S0001") == of_wide + of_deep
    assert arch.get_obs_to_process("sample", "wide") == of_wide + [["S0002", *one[1:]] for one in of_wide]
    assert len(arch.get_obs_to_process("sample")) == 8
    for wrong in ("S0003", "TALL", ""):
        with pytest.raises(InvalidParameterError, match="neither"):
            arch.get_obs_to_process("sample", wrong)
    with pytest.raises(MissionNotAssociatedError):
        arch.get_obs_to_process("chandra")


async def test_a_record_outlives_its_object_and_prints_as_a_dict(arch):
    shown = {name: str(getattr(arch, name)) for name in PROPERTIES}
    assert eval(shown["process_success"]) == {"sample": SUCCESS}
    await arch.close()
    with pytest.raises(ArchiveNotOpenError):
        arch.process_success  # noqa: B018
    async with Archive("shapes") as again:
        assert {name: str(getattr(again, name)) for name in PROPERTIES} == shown
        assert again["sample"].processed
        with pytest.raises(TypeError):
            again.process_success["sample"]["merge"]["S0001WIDE"] = False
        with pytest.raises(AttributeError):
            again.process_success = {}
        with pytest.raises(KeyError):
            again.process_success["sample"]["nonsense"]


async def test_a_copy_of_a_property_is_a_dict(arch):
    for made in (copy.copy(arch.process_success), copy.deepcopy(arch.process_success)):
        assert type(made) is dict and type(made["sample"]["merge"]) is dict and made == {"sample": SUCCESS}
    for name in PROPERTIES:
        assert pickle.loads(pickle.dumps(getattr(arch, name))) == getattr(arch, name)
    assert json.loads(json.dumps(arch.process_success, default=dict)) == {"sample": SUCCESS}


TEXTS = {"mission", "process", "obs_id", "inst", "subexp", "variant", "state", "cause", "kind", "root", "log", "path"}


async def test_columns_have_their_types_whatever_rows_there_are(arch):
    import pandas as pd

    text = pd.Series(["x"]).dtype
    kinds = {"attempt": "i", "size": "i", "seconds": "f", "max_rss": "f", "lo": "f", "started": "M", "at": "M"}
    for name in ("tasks", "products", "history"):
        whole = getattr(arch, name)()
        assert len(whole) and {whole[column].dtype for column in TEXTS & set(whole.columns)} == {text}
        assert all(whole[column].dtype.kind == kind for column, kind in kinds.items() if column in whole)
        for where in ({"mission": "nobody"}, {"subexp": None}, {"process": "merge"}, {"process": "summary"}):
            assert getattr(arch, name)(**where).dtypes.to_dict() == whole.dtypes.to_dict(), (name, where)


async def test_rows_are_chosen_by_what_users_have_at_hand(arch):
    import pandas as pd

    mission, whole = arch["sample"], arch.tasks()
    for obs_ids in (
        mission.filtered_obs_ids,
        mission.filtered_obs_info["ObsID"],
        ("S0001", "S0002"),
        {"S0001", "S0002"},
    ):
        assert arch.tasks(obs_id=obs_ids).equals(whole)
    assert arch.tasks(mission=mission).equals(whole) and arch.tasks(mission=[mission]).equals(whole)
    assert arch.tasks(process=daxa_sample.processes.merge).equals(arch.tasks(process="merge"))
    assert arch.tasks(state=State.FAILED).equals(arch.tasks(state="failed"))
    assert arch.tasks(state=[State.FAILED]).equals(arch.tasks(state="failed")) and len(arch.tasks(state="failed"))
    assert len(arch.tasks(inst=[None, "WIDE"])) == len(arch.tasks(inst=None)) + len(arch.tasks(inst="WIDE"))
    for wrong in (b"S0001", {"S0001": 1}, object(), pd.Timestamp("2020-01-01")):
        with pytest.raises(ParameterTypeError, match="obs_id cannot be selected"):
            arch.tasks(obs_id=wrong)


PROPERTIES = [
    "process_success", "process_names", "process_errors", "process_warnings", "raw_process_errors", "process_logs",
    "process_extra_info", "process_configurations", "observation_summaries", "process_observation",
    "final_process_success",
]  # fmt: skip


async def test_before_anything_was_processed(context):
    arch = await declared("nothing yet")
    for name in ("process_success", "process_names", "process_logs"):
        with pytest.raises(NoProcessingError, match=r"arch\.process"):
            getattr(arch, name)
    for name in ("process_errors", "process_warnings", "raw_process_errors", "process_extra_info"):
        assert getattr(arch, name) == {"sample": {}}
    assert arch.process_configurations == {"sample": []}
    assert arch.final_process_success == {"sample": {}}
    with pytest.raises(NoProcessingError):
        arch.check_dependence_success("sample", "S0001", "summary")
    with pytest.raises(NoDependencyProcessError):
        arch.get_failed_logs("summary")
    with pytest.raises(PreProcessedNotAvailableError):
        arch.preprocessed_missions  # noqa: B018
    await arch.close()


async def test_downloaded_products_stand_in_the_record(context):
    arch = await declared("products", download_products=True, download_raw=False)
    assert arch.preprocessed_missions == [arch["sample"]]
    idents = {f"{obs_id}{inst}": True for obs_id in ("S0001", "S0002") for inst in ("WIDE", "DEEP")}
    assert arch.process_success == {"sample": {"preprocessed_events": idents}}
    assert arch.raw_process_errors == {"sample": {"preprocessed_events": {}}}
    assert arch.process_observation["sample"]["S0001"] == {"WIDE": True, "DEEP": True}
    assert arch.observation_summaries == {"sample": {}}
    assert arch.get_obs_to_process("sample", "S0002") == [["S0002", "WIDE"], ["S0002", "DEEP"]]
    await arch.close()


async def test_nested_iteration_and_leaving_a_mission_out(arch):
    assert [(a.name, b.name) for a in arch for b in arch] == [("sample", "sample")]
    del arch["sample"]
    assert len(arch) == 0 and arch.process_success == {"sample": SUCCESS}
    with pytest.raises(MissionNotAssociatedError):
        del arch["sample"]
    await arch.close()
    async with Archive("shapes") as again:
        assert again.mission_names == ["sample"]


# --- getters of logs ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "idents"),
    [
        ({}, list(SUCCESS["calibrate"])),
        ({"obs_id": "S0001"}, ["S0001WIDEU001", "S0001WIDEU002", "S0001DEEPU003"]),
        ({"obs_id": ["S0001", "S0002"], "inst": "DEEP"}, ["S0001DEEPU003", "S0002DEEPU003"]),
        ({"obs_id": "s0002", "inst": ["wide"], "mission_name": "sample"}, ["S0002WIDEU001", "S0002WIDEU002"]),
        ({"full_ident": "S0001WIDEU001"}, ["S0001WIDEU001"]),
        ({"full_ident": ("S0001WIDEU001", "S0002DEEPU003"), "inst": "WIDE"}, ["S0001WIDEU001", "S0002DEEPU003"]),
        ({"full_ident": "S0001WIDE"}, []),
    ],
)
async def test_logs_are_chosen(arch, asked, idents):
    logs = arch.get_process_logs("calibrate", **asked)
    assert {mission: set(found) for mission, found in logs.items()} == {"sample": set(idents)}
    errors = arch.get_process_raw_error_logs("calibrate", **asked)
    assert set(errors["sample"]) == set(idents) & set(FAILED)
    assert all(logs["sample"][ident] == arch.process_logs["sample"]["calibrate"][ident] for ident in idents)


async def test_an_instrument_does_not_hide_what_is_of_none(arch):
    assert set(arch.get_process_logs("summary", inst="WIDE")["sample"]) == {"S0001", "S0002"}


async def test_failed_logs(arch):
    assert {mission: set(idents) for mission, idents in arch.get_failed_processes("calibrate").items()} == {
        "sample": set(FAILED)
    }
    logs, errors = arch.get_failed_logs("calibrate")
    assert set(logs["sample"]) == set(errors["sample"]) == set(FAILED)
    assert set(errors["sample"].values()) == {"samplecal: ERROR no good\n"}
    assert arch.get_failed_processes("merge") == {} and arch.get_failed_logs("merge") == ({}, {})


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"process_name": "nonsense"}, NoDependencyProcessError),
        ({"process_name": None}, NoDependencyProcessError),
        ({"mission_name": "chandra"}, MissionNotAssociatedError),
        ({"obs_id": "S0003"}, ObsNotAssociatedError),
        ({"obs_id": "S000"}, ObsNotAssociatedError),
        ({"obs_id": ["S0001", 2]}, ParameterTypeError),
        ({"obs_id": 1}, ParameterTypeError),
        ({"inst": "TALL"}, InvalidParameterError),
        ({"inst": ["WIDE", "TALL"]}, InvalidParameterError),
        ({"inst": []}, InvalidParameterError),
        ({"full_ident": "S0003WIDEU001"}, ObsNotAssociatedError),
    ],
)
async def test_logs_of_what_is_not_there(arch, asked, error):
    for getter in (arch.get_process_logs, arch.get_process_raw_error_logs):
        with pytest.raises(error) as caught:
            getter(**{"process_name": "calibrate", **asked})
        assert caught.value.expected and caught.value.remedy


# --- what came before -----------------------------------------------------------------------------------------------


async def test_success_of_what_others_need(arch):
    found = arch.check_dependence_success("sample", ["S0001WIDEU001", "S0001WIDEU002", "S0003WIDEU001"], "calibrate")
    assert found.dtype == bool and found.tolist() == [True, False, False]
    parts = [["S0001", "WIDE", "U001"], ("S0002", "WIDE", "U001")]
    assert arch.check_dependence_success("sample", parts, "calibrate").tolist() == [True, False]
    assert arch.check_dependence_success("sample", np.array(parts), "calibrate").tolist() == [True, False]
    assert arch.check_dependence_success("sample", "S0001", "summary").tolist() == [True]
    assert arch.check_dependence_success("sample", np.array(["S0001"]), ["summary"]).tolist() == [True]
    both = arch.check_dependence_success("sample", ["S0001", "S0002"], ["summary", "calibrate"], no_success_error=False)
    assert both.tolist() == [False, False]
    with pytest.raises(NoDependencyProcessError, match="none"):
        arch.check_dependence_success("sample", FAILED, "calibrate")
    with pytest.raises(NoDependencyProcessError, match="nonsense"):
        arch.check_dependence_success("sample", "S0001", ["summary", "nonsense"])
    with pytest.raises(InvalidParameterError):
        arch.check_dependence_success("sample", [], "summary")
    for wrong in (5, ["S0001", 5], [["S0001", 5]]):
        with pytest.raises(ParameterTypeError):
            arch.check_dependence_success("sample", wrong, "summary")
    for wrong in (None, [], [5]):
        with pytest.raises(ParameterTypeError):
            arch.check_dependence_success("sample", "S0001", wrong)
    with pytest.raises(MissionNotAssociatedError):
        arch.check_dependence_success("chandra", "S0001", "summary")


# --- finality -------------------------------------------------------------------------------------------------------


async def test_data_of_observations_that_failed_lie_aside(arch):
    root = arch.archive_path
    failed = f"{root}failed_data/sample/S0002/"
    assert arch.get_current_data_path("sample", "S0001") == f"{root}processed_data/sample/S0001/"
    assert arch.get_current_data_path("sample", "S0002") == failed and Path(failed).is_dir()
    assert arch.get_current_data_path(mission=arch["sample"], obs_id="S0002") == failed
    assert arch.get_region_file_path(mission="sample") == f"{root}regions/sample/{{oi}}/source_regions_radec.reg"
    assert not Path(root, "processed_data/sample/S0002").exists()
    summary = arch.process_extra_info["sample"]["summary"]["S0002"]["summary"]
    assert summary.startswith(failed) and Path(summary).is_file()
    (product,) = arch.products(obs_id="S0002")["path"]
    assert product == summary
    assert arch.get_failed_logs("calibrate")[1]["sample"]["S0002DEEPU003"] == "samplecal: ERROR no good\n"
    logs = arch.tasks(obs_id="S0002", process="calibrate", state="failed")["log"]
    assert len(logs) == 3 and all(log.startswith(f"{failed}logs/calibrate_S0002") for log in logs)
    assert all(Path(log).is_file() for log in arch.tasks()["log"].dropna())  # what wrote nothing names no log
    assert {one.state for one in await arch.verify()} == {"intact"}
    assert arch.construct_failed_data_path("sample", "S0002") == failed


async def test_running_what_failed_again_brings_it_back(arch, tool):
    logs = arch.process_logs["sample"]["summary"]
    tool(("S0001", "WIDEU002"))
    summary = await arch.run("merge", disable_progress=True)
    assert {state.value for state in summary.counts} >= {"succeeded", "reused"}
    assert arch.final_process_success == {"sample": {"S0001": True, "S0002": True}}
    path = arch.get_current_data_path("sample", "S0002")
    assert path.startswith(f"{arch.archive_path}processed_data/") and Path(path).is_dir()
    assert not Path(arch.archive_path, "failed_data/sample/S0002").exists()
    assert arch.process_success["sample"]["calibrate"]["S0002DEEPU003"] is True
    assert isinstance(logs["S0002"], str)  # looked at only now, and moved since
    assert {one.state for one in await arch.verify()} == {"intact"}
    assert all(Path(one).is_file() for one in arch.products()["path"])


async def test_a_run_of_something_else_changes_no_verdict(arch):
    await arch.run("summary", obs_ids=["S0002"], disable_progress=True)
    assert arch.final_process_success == {"sample": {"S0001": True, "S0002": False}}
    assert Path(arch.get_current_data_path("sample", "S0002")).is_dir()


async def test_nothing_is_final_before_the_last_process(context, tool):
    tool(*(("S0001", exposure) for exposure in EXPOSURES))
    arch = await declared("not yet", ["S0001"])
    await arch.run("calibrate", disable_progress=True)
    assert arch.final_process_success == {"sample": {}} and not arch["sample"].processed
    assert "processed_data" in arch.get_current_data_path("sample", "S0001")
    with pytest.raises(InvalidParameterError, match="has not failed"):
        arch.construct_failed_data_path("sample", "S0001")
    await arch.close()


async def test_failed_data_are_found_where_they_lie(arch, tool):
    """As if a run had been killed after the verdict, and before the directory was moved."""
    root = Path(arch.archive_path)
    (root / "failed_data/sample/S0002").rename(root / "processed_data/sample/S0002")
    assert arch.get_current_data_path("sample", "S0002") == f"{root}/processed_data/sample/S0002/"
    assert set(arch.get_failed_logs("calibrate")[1]["sample"].values()) == {"samplecal: ERROR no good\n"}
    tool(*(("S0002", exposure) for exposure in EXPOSURES))
    await arch.run("merge", disable_progress=True)
    assert arch.get_current_data_path("sample", "S0002") == f"{root}/failed_data/sample/S0002/"
    assert Path(arch.get_current_data_path("sample", "S0002")).is_dir()


# --- paths ----------------------------------------------------------------------------------------------------------


async def test_paths_are_constructed(context):
    arch = await declared("a {brace}", ["S0001"], download=False)
    root, template = arch.archive_path, f"{arch.archive_path.replace('{brace}', '{{brace}}')}"
    assert arch.construct_processed_data_path() == f"{template}processed_data/{{mn}}/{{oi}}/"
    assert arch.construct_failed_data_path(arch["sample"]) == f"{template}failed_data/sample/{{oi}}/"
    path = f"{root}processed_data/sample/S0003/"  # of one that is not held, too
    assert arch.construct_processed_data_path("sample", "S0003") == path
    assert arch.construct_processed_data_path().format(mn="sample", oi="S0003") == path
    for wrong in ("../S0001", "S1", 5):
        with pytest.raises(InvalidObsIDError):
            arch.construct_processed_data_path("sample", wrong)
    with pytest.raises(InvalidParameterError, match="without its mission"):
        arch.construct_processed_data_path(obs_id="S0001")
    for getter in (arch.construct_processed_data_path, arch.construct_failed_data_path, arch.get_current_data_path):
        with pytest.raises(MissionNotAssociatedError):
            getter("chandra", "S0001")
    await arch.close()


# --- as it prints ---------------------------------------------------------------------------------------------------


class Tables(html.parser.HTMLParser):
    """Elements and texts of a page; every element that is opened is closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.names, self.texts = [], set(), []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.names.add(tag)
        assert {name for name, _ in attrs} <= {"style"}
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


async def test_tables_for_notebooks(context, tool):
    tool(("S0001", "WIDEU002"))
    name = "<b onclick='x'>&amp;"
    arch = await declared(name, ["S0001"])
    await arch.run("merge", disable_progress=True)
    found = Tables(arch._repr_html_())
    assert found.names == {"div", "strong", "br", "table", "thead", "tbody", "tr", "th", "td"}
    assert f"Archive {name}" in found.texts
    assert {"Sample", "WIDE, DEEP", "calibrate", "failed", "no data"} <= set(found.texts)
    row = found.texts[found.texts.index("calibrate") :]
    assert row[1:4] == ["2", "2", "1"]  # succeeded, no data, failed
    await arch.close()
    assert Tables(arch._repr_html_()).texts == [f"Archive {name}", "not open"]

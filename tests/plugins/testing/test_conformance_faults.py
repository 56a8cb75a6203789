"""The kit on what is wrong: every check that can fail does, and says what to write instead."""

import re
import sys
import textwrap
from pathlib import Path

import pytest

from daxa.api import (
    Call,
    DataId,
    Location,
    Mission,
    Need,
    Recipe,
    RemoteFile,
    ServiceSpec,
    ToolSpec,
    process,
)
from daxa.context import Context
from daxa.contract import Finding, inspect_distribution, report
from daxa.contract.entry import ImportCost, check_import, import_cost
from daxa.contract.findings import name_findings
from daxa.contract.missions import check_mission_class, check_obs_id
from daxa.contract.processes import Surroundings, check_graph, check_process
from daxa.contract.records import check_commands, check_executor, check_recipe, check_service, check_tool
from daxa.exceptions import UnknownNameError
from daxa.executors.base import Capabilities, LaunchResult, Started
from daxa.specs import ExecutorSpec
from daxa_testing import ExecutorConformance, MissionConformance, PluginConformance, ProcessConformance
from daxa_testing.conformance.base import assert_sound
from daxa_testing.conformance.watching import watched
from daxa_testing.sky import Sky

from ..skies import fits


def said(findings):
    found = list(findings)
    assert all(one.problem.endswith((".", "?")) or "Expected" in one.problem for one in found), report(found)
    assert all(one.remedy and not one.remedy.endswith(".") for one in found if "Expected" not in one.problem), report(
        found
    )
    return report(found)


# --- the static part -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "name", "upper", "says"),
    [
        ("process", "cleanEvents", False, "call it 'clean_events'"),
        ("process", "event_helper", False, "'helper' says nothing"),
        ("mission", "DataManager", False, "'manager' says nothing"),
        ("service", "vela-tap", True, "call it 'VELA_TAP'"),
    ],
)
def test_names(kind, name, upper, says):
    assert says in said(name_findings(kind, name, upper=upper))
    assert not list(name_findings(kind, "vela_tap".upper() if upper else "vela_tap", upper=upper))


class Vela(Mission):
    """One telescope."""

    name, pretty_name, id_pattern, frame = "vela", "Vela", r"V[0-9]{4}", "icrs"
    instruments = default_instruments = ("WIDE", "DEEP")
    fov = "30 arcmin"
    services = ("HEASARC",)

    async def catalogue(self, net): ...

    async def remote_files(self, obs, want, net):
        yield


def found_of(**declared):
    made = type("Vela", (Vela,), {"__doc__": "One telescope.", **declared})
    return said(check_mission_class(made, "vela", "Vela", {"HEASARC"}))


def test_a_sound_mission_has_no_findings():
    assert found_of() == ""


async def without_yield(self, obs, want, net): ...


@pytest.mark.parametrize(
    ("declared", "says"),
    [
        ({"name": "other"}, "write name = 'vela'"),
        ({"pretty_name": ""}, "write pretty_name = 'Vela'"),
        ({"__doc__": None}, "no docstring"),
        ({"id_pattern": ".*"}, "'../../etc'"),
        ({"id_pattern": "("}, "no regular expression"),
        ({"frame": "galactic"}, 'write "icrs" or "fk5"'),
        ({"instruments": "WIDE"}, "write a tuple"),
        ({"instruments": ("WIDE", "wide")}, "more than once"),
        ({"instruments": ("a/b",)}, "cannot be an instrument"),
        ({"default_instruments": ("NONE",)}, "default_instruments"),
        ({"instrument_aliases": {"W": "NONE"}}, "leads nowhere"),
        ({"instrument_aliases": {"deep": "WIDE"}}, "hides an instrument"),
        ({"instrument_tokens": {"FAR": "f"}}, "speaks of FAR"),
        ({"fov": "30 parsec"}, "fov of all"),
        ({"fov": {"WIDE": "30 arcmin"}}, "fov lacks DEEP"),
        ({"fov": 0.5}, "written as an object"),
        ({"levels": ("inst",)}, "write the first of"),
        ({"product_level": "exp"}, "product_level is 'exp'"),
        ({"column_order": ("ra", "dec", "dec")}, "column_order lacks ObsID"),
        ({"has_proprietary": True}, "proprietary_end_date"),
        ({"one_inst_per_obs": True}, 'write "instrument"'),
        ({"services": ("VELA",)}, "no service 'VELA'"),
        ({"templates": {"spectra": "x"}}, "no kind of product"),
        ({"templates": {"events": "../{oi}"}}, "leaves the observation's directory"),
        ({"templates": {"events": "{obs}"}}, "use {oi}, {i} and {eb} alone"),
        ({"templates": {"image": "{oi}_{eb}"}}, "declare bands"),
        ({"bands": {"WIDE": {(2.0, 0.5): "1"}}}, "lo < hi"),
        ({"catalogue": lambda self, net: None}, "async def catalogue"),
        ({"remote_files": without_yield}, "yield each RemoteFile"),
        ({"remote_files": Mission.remote_files}, "write `remote_files`"),
    ],
)
def test_declarations_of_a_mission(declared, says):
    assert says in found_of(**declared)


@pytest.mark.parametrize(("obs_id", "says"), [("X1", "does not match"), ("v0001", "upper case"), ("../x", "cannot be")])
def test_obs_ids(obs_id, says):
    assert says in said(check_obs_id(Vela, obs_id)) and not list(check_obs_id(Vela, "V0001"))
    assert "derive the class" in said(check_mission_class(dict, "vela", "Vela", set()))


def around(*steps, **more):
    made = {"levels": ("obs", "inst"), "product_level": "inst", "instruments": ("WIDE", "DEEP"), **more}
    return Surroundings(mission="vela", known={one.name: one for one in steps}, tools=frozenset({"velasoft"}), **made)


def step(name="align", *, body=None, produces=None, level="inst", **more):
    def plain(job):
        """Align it, as in the guide."""
        return Call("json:dumps")

    return process(
        name=name,
        level=level,
        produces={"events": f"events/{{name}}-{name}.fits"} if produces is None else produces,
        **more,
    )(body or plain)


def test_a_sound_process_has_no_findings():
    assert said(check_process(step(), around(step()))) == ""


def no_default(job, sigma):
    """Cut sigma."""


def no_type(job, sigma=3.0):
    """Cut at sigma standard deviations."""


def wrong_type(job, sigma: int = "three"):
    """Cut at sigma standard deviations."""


def unknown_type(job, sigma: "Quantity" = None):  # noqa: F821
    """Cut at sigma standard deviations."""


def no_json(job, bands: tuple = ((0.5, 2.0),)):
    """Cut in bands."""


def not_documented(job, sigma: float = 3.0):
    """Cut."""


def without_unit(job, limit: float = 3.0):
    """Cut above limit."""


def without_docstring(job): ...


def without_reference(job):
    """Align it."""


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (lambda: step("alignManager"), "'manager' says nothing"),
        (lambda: step(level="exp"), "divided into obs, inst"),
        (lambda: step(instruments="FAR"), "no instrument of vela"),
        (lambda: step(level="obs", instruments="WIDE", produces={"a": "misc/a.txt"}), "whole observations"),
        (lambda: step(needs=["nothing_such"]), "there is no such process"),
        (lambda: step(needs={"FAR": "preprocessed_events"}), "no instruments of vela"),
        (lambda: step(needs=[Need(process="preprocessed_events", mode="some")]), "write all or any"),
        (lambda: step(body=no_default), "sigma has no default"),
        (lambda: step(body=no_type), "sigma: float = 3.0"),
        (lambda: step(body=wrong_type), "not of its own type"),
        (lambda: step(body=unknown_type), "under `if TYPE_CHECKING:`"),
        (lambda: step(body=no_json), "not the same after JSON"),
        (lambda: step(body=not_documented), "does not say what `sigma` is"),
        (lambda: step(body=without_unit), "name the unit"),
        (lambda: step(body=without_docstring), "no docstring"),
        (lambda: step(body=without_reference, tools=["velasoft"]), "name the reference"),
        (lambda: step(body=lambda: None), "does not take a job"),
        (lambda: step(tools=["unheard"]), "no tool 'unheard'"),
        (lambda: step(missions=["unheard"]), "no installed mission"),
        (lambda: step(produces={}), "leaves no product"),
        (lambda: step(produces={"a": "events/{band}.fits"}), "asks for band"),
        (lambda: step(produces={"a": "/tmp/{name}.fits"}), "below the directory"),
        (lambda: step(produces={"a": "events/x.fits"}), "at one path"),
        (lambda: step(keep={"events": "forever"}), "until:<name of a process>"),
        (lambda: step(cpu=0), "cores a task keeps busy"),
        (lambda: step(version=""), 'version="1"'),
    ],
)
def test_declarations_of_a_process(made, says):
    one = made()
    assert says in said(check_process(one, around(one)))


def test_variants_must_stand_in_paths():
    one = step()
    one.variants(lambda data_id, params: ["a", "b"])
    assert "write {variant} in the path" in said(check_process(one, around(one)))


def test_needs_that_cannot_be_met():
    align, clean = step("align", needs=["clean"]), step("clean", needs=["align"])
    assert "wait for each other" in said(check_graph(around(align, clean)))
    wide, deep = step("wide", instruments="WIDE"), step("deep", instruments="DEEP", needs=["wide"])
    assert "which is for WIDE only" in said(check_process(deep, around(wide, deep)))
    any_one = step("any_one", needs=[Need(process="align2", mode="any")])
    assert "mode='any'" in said(check_process(any_one, around(step("align2"), any_one)))


def test_revealers():
    def revealing(name, level, **more):
        made = step(name, level=level, produces={"summary": f"misc/{{name}}-{name}.txt"}, **more)
        made.reveal(lambda job: [])
        return made

    assert "levels end there" in said(check_graph(around(revealing("a", "inst"))))
    both = around(revealing("a", "obs"), revealing("b", "obs"))
    assert "a reveals the same children" in said(check_graph(both))
    below = around(step("low"), revealing("a", "obs", needs=["low"]))
    assert "needs low first" in said(check_graph(below))


def test_records():
    assert "not the address" in said(check_service(ServiceSpec(name="VELA", url="vela.example", title="V")))
    loud = ServiceSpec(name="VELA", url="https://vela.example/", connections=500, interval=-1.0)
    assert re.search("limit an archive can bear.*negative.*no title", said(check_service(loud)), re.DOTALL)
    bare = said(check_tool(ToolSpec(name="VelaSoft", title="VelaSoft", version_pattern="(")))
    assert all(
        one in bare for one in ("vela_soft", "whether it is here", "when it is missing", "version", "expression")
    )
    odd = ToolSpec(
        name="v", title="V", executables="a", version_command="b", activation="/x", calibration_files="*", remedy="r"
    )
    assert all(
        one in said(check_tool(odd)) for one in ("is not among", "below the installation", "home_variable", "lies")
    )
    assert "cannot be imported" in said(check_executor(ExecutorSpec(name="far", target="no.such:Far", title="Far")))
    assert "no coroutine method run" in said(check_executor(ExecutorSpec(name="far", target="json:JSONDecoder")))
    registry = Context().registry
    chain = Recipe(name="chain", processes=("nothing_such",), missions=("sample", "unheard"))
    text = said(check_recipe(chain, registry, {}))
    assert "no process 'nothing_such' of sample" in text and "mission 'unheard'" in text
    assert "has no processes" in said(check_recipe(Recipe(name="empty", processes=()), registry, {}))
    import click

    assert "another name" in said(check_commands({"info": click.Command("info", help="Say.")}, {"info"}))
    assert "write a docstring" in said(check_commands({"dive": click.Command("dive")}, ()))


def test_imports(tmp_path, monkeypatch):
    (tmp_path / "heavy_entry.py").write_text("import numpy\n")
    (tmp_path / "slow_entry.py").write_text(
        "import time\nt = time.process_time()\nwhile time.process_time() - t < 0.4: pass\n"
    )
    (tmp_path / "dying_entry.py").write_text("import os\nos._exit(3)\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "numpy" in said(check_import("heavy_entry", import_cost("heavy_entry", attempts=1)))
    assert re.search(r"takes \d{3} ms", said(check_import("slow_entry", import_cost("slow_entry", attempts=1))))
    assert "exit status 3" in said(check_import("dying_entry", import_cost("dying_entry")))
    assert "No module named" in said(check_import("no_such_entry", import_cost("no_such_entry")))
    assert said(check_import("x", ImportCost(0.01))) == ""


def test_an_unknown_distribution_names_those_there_are():
    registry = Context().registry
    with pytest.raises(UnknownNameError, match=r"daxa-sample.*Remedy: install it"):
        inspect_distribution(registry, "daxa-nonesuch")
    with pytest.raises(UnknownNameError, match="is no plugin"):
        inspect_distribution(registry, "click")
    assert inspect_distribution(registry, "DAXA_Sample").distribution == "daxa-sample"


# --- the classes -----------------------------------------------------------------------------------------------------


def test_a_class_that_says_nothing_says_what_to_write(tmp_path):
    with pytest.raises(AssertionError, match='distribution = "daxa-sample"'):
        PluginConformance().test_its_hooks_are_known_and_synchronous()
    with pytest.raises(AssertionError, match='mission = "sample"'):
        MissionConformance().test_its_class_declares_what_it_should()
    with pytest.raises(AssertionError, match="def sky"):
        MissionConformance().sky()
    with pytest.raises(AssertionError, match="def data_ids"):
        ProcessConformance().data_ids()
    with pytest.raises(AssertionError, match='executor = "dask"'):
        ExecutorConformance().make(1)
    with pytest.raises(AssertionError, match=re.escape("1 thing to mend:\na: b. Remedy: c. [x]")):
        assert_sound([Finding("x", "a", "b.", "c")] * 2)


BASE = "https://heasarc.gsfc.nasa.gov/FTP/vela/"


@pytest.fixture
def mission_checks(monkeypatch):
    """Checks of a mission made of the sound one and what is wrong with it."""
    import pandas as pd

    class Sound(Vela):
        rows = (("V0001", True), ("V0002", True))

        async def catalogue(self, net):
            table = pd.DataFrame(self.rows, columns=["ObsID", "science_usable"])
            table["ra"], table["dec"] = 150.1, -11.0
            table["start"] = pd.Timestamp("2031-03-01")
            table["duration"] = pd.Timedelta("1h")
            table["end"] = table["start"] + table["duration"]
            return table

        async def remote_files(self, obs, want, net):
            for inst in want.instruments:
                name = f"{obs['ObsID']}_{inst}.fits"
                url = f"{net.url('HEASARC')}vela/{name}"
                yield RemoteFile(obs_id=obs["ObsID"], path=name, locations=[Location(url=url)])

    def made(**wrong):
        cls = type("Vela", (Sound,), {"__doc__": "One.", **wrong})

        class Checks(MissionConformance):
            mission = "vela"

            def _class(self, context):
                return cls

            def sky(self):
                sky = Sky()
                for obs_id in ("V0001", "V0002"):
                    for inst in ("WIDE", "DEEP"):
                        sky.add_file(f"{BASE}{obs_id}_{inst}.fits", fits())
                return sky

            def obs_ids(self):
                return ["V0001", "V0002"]

        return Checks()

    return made


DYNAMIC = [
    "test_its_catalogue_has_its_columns_types_and_order", "test_its_catalogue_is_the_same_twice",
    "test_its_obs_ids_are_found_again", "test_it_keeps_off_the_network", "test_a_selection_can_be_kept",
    "test_it_names_the_same_files_twice", "test_its_files_stay_in_their_directory",
    "test_raw_and_products_switch_as_declared", "test_fewer_instruments_name_no_other_files",
    "test_what_is_not_there_is_told", "test_an_observation_is_downloaded_verified_and_known_again",
    "test_identifiers_lead_back_to_their_observation",
]  # fmt: skip


@pytest.mark.parametrize("name", DYNAMIC)
def test_a_sound_mission_passes(mission_checks, name, tmp_path):
    getattr(mission_checks(), name)(tmp_path)


def remote(**more):
    async def remote_files(self, obs, want, net):
        usual = {
            "obs_id": obs["ObsID"],
            "path": "a.fits",
            "locations": [Location(url=f"{net.url('HEASARC')}vela/V0001_WIDE.fits")],
        }
        yield RemoteFile(**{**usual, **more})

    return remote_files


async def forgetful_files(self, obs, want, net):
    import itertools

    Vela.counter = getattr(Vela, "counter", None) or itertools.count()
    url = f"{net.url('HEASARC')}vela/V0001_WIDE.fits"
    yield RemoteFile(obs_id=obs["ObsID"], path=f"{next(Vela.counter)}.fits", locations=[Location(url=url)])


async def writing_files(self, obs, want, net):
    Path(self.raw_data_path).mkdir(parents=True, exist_ok=True)
    (Path(self.raw_data_path) / "mine.fits").write_bytes(b"x")
    yield RemoteFile(
        obs_id=obs["ObsID"], path="a", locations=[Location(url=f"{net.url('HEASARC')}vela/V0001_WIDE.fits")]
    )


async def only_when_alone(self, obs, want, net):
    name = "_".join(want.instruments)
    yield RemoteFile(
        obs_id=obs["ObsID"], path=name, locations=[Location(url=f"{net.url('HEASARC')}vela/V0001_WIDE.fits")]
    )


async def shuffled_catalogue(self, net):
    import pandas as pd

    self.rows = type(self).rows = tuple(reversed(type(self).rows))
    return pd.DataFrame(self.rows, columns=["ObsID", "science_usable"])


async def lacking_catalogue(self, net):
    import pandas as pd

    return pd.DataFrame({"ObsID": [1, 1], "ra": ["x", "y"], "more": 1})


@pytest.mark.parametrize(
    ("wrong", "check", "says"),
    [
        ({"catalogue": lacking_catalogue}, DYNAMIC[0], "it lacks dec, science_usable"),
        ({"catalogue": lacking_catalogue}, DYNAMIC[0], "make it float64"),
        ({"catalogue": lacking_catalogue}, DYNAMIC[0], "daxa.api.texts"),
        ({"column_order": ("ra",)}, DYNAMIC[0], "name them in column_order"),
        ({"catalogue": shuffled_catalogue}, DYNAMIC[1], "Remedy: sort them"),
        ({"id_pattern": "[0-9]+"}, DYNAMIC[2], "correct the pattern"),
        ({"remote_files": forgetful_files}, DYNAMIC[5], "names other files the second time"),
        ({"remote_files": writing_files}, DYNAMIC[5], "name them only"),
        ({"remote_files": remote(path="../a.fits")}, DYNAMIC[6], "leaves the observation's directory"),
        ({"remote_files": remote(path="")}, DYNAMIC[6], "its path is a directory"),
        ({"remote_files": remote(obs_id="V9")}, DYNAMIC[6], "it says obs_id='V9'"),
        (
            {"remote_files": remote(locations=[Location(url="https://vela.example/a")])},
            DYNAMIC[6],
            'net.url("SERVICE")',
        ),
        ({"remote_files": remote(locations=[])}, DYNAMIC[6], "give a Location"),
        ({"remote_files": remote(part_of="raw")}, DYNAMIC[7], "though nobody wants it"),
        ({"remote_files": only_when_alone}, DYNAMIC[8], "look at want.instruments alone"),
        ({"ident_to_obsid": lambda self, ident: ident[:2]}, DYNAMIC[11], "take away what follows"),
        ({"label": lambda self, obs, paths: []}, DYNAMIC[10], ""),
    ],
)
def test_a_mission_that_is_wrong_fails(mission_checks, wrong, check, says, tmp_path):
    if not says:
        getattr(mission_checks(**wrong), check)(tmp_path)
        return
    with pytest.raises(AssertionError) as failure:
        getattr(mission_checks(**wrong), check)(tmp_path)
    assert says in str(failure.value), failure.value


# --- processes -------------------------------------------------------------------------------------------------------

SOUND = '''
from daxa.api import Call, Child, Command, process


@process(level="obs", produces={"summary": "misc/{name}-summary.txt"}, version="2")
def ingest(job):
    """Make the summary."""
    return Command(["ingest", job.raw, job.output("summary")])


@ingest.reveal
def _(job):
    words = job.output("summary").read_text().split()
    return [Child(name=word, info={"filter": "Thin1"}) for word in words]


@process(level="inst", needs=[ingest], produces={"events": "events/{name}-e.fits"})
def assemble(job, sigma: float = 3.0):
    """Assemble events above sigma standard deviations."""
    return Command(["assemble", f"sigma={sigma}"], collect={"events": "*.FIT"}, env={"VELA_CCF": job.input("summary")})


@assemble.applies
def _(exposure, params):
    return exposure.filter != "Closed" or "the filter is closed"


@assemble.assess
def _(stdout, stderr):
    return [line for line in stderr.splitlines() if "error" in line], []


@process(level="inst", needs=[assemble], produces={"image": "images/{name}-{variant}-i.fits"})
def picture(job, bands: list = ["soft"]):
    """Draw an image of bands."""
    return Call("json:dump", obj=str(job.input("events")), fp=str(job.output("image")))


@picture.variants
def _(data_id, params):
    return params["bands"]
'''


@pytest.fixture
def process_checks(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)

    def made(old="", new="", summary="WIDE DEEP"):
        source = SOUND.replace(old, new) if old else SOUND
        assert not old or old in SOUND
        number = len(list(tmp_path.glob("vela_steps_*.py")))
        name = f"vela_steps_{tmp_path.name}_{number}".replace("-", "_")
        (tmp_path / f"{name}.py").write_text(source)

        class Checks(ProcessConformance):
            mission, module = "sample", name

            def _around(self):
                return Surroundings(
                    mission="sample", levels=("obs", "inst"), product_level="inst", instruments=("WIDE", "DEEP"),
                    known={one.name: one for one in self.processes()},
                )  # fmt: skip

            def data_ids(self):
                return [DataId("sample", "S0001", inst) for inst in ("WIDE", "DEEP")]

            def info(self, data_id):
                return {"filter": "Thin1"}

            def summary(self, process, data_id, tmp_path):
                path = tmp_path / "summary.txt"
                path.write_text(summary)
                return {"summary": path}

        return Checks()

    yield made
    for name in [one for one in sys.modules if one.startswith("vela_steps_")]:
        del sys.modules[name]


def run_all(checks, tmp_path):
    """Every check of the class, each in a directory of its own; what failed."""
    failures = []
    for name in sorted(one for one in dir(checks) if one.startswith("test_")):
        check = getattr(checks, name)
        place = tmp_path / name
        try:
            check(place) if check.__code__.co_argcount > 1 else check()
        except AssertionError as problem:
            failures.append(f"{name}: {problem}")
    return failures


def test_sound_processes_pass(process_checks, tmp_path):
    assert run_all(process_checks(), tmp_path) == []


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('return Command(["ingest", job.raw, job.output("summary")])', 'import random; return Command(["ingest", random.random(), job.output("summary")])', "something else the second time"),
        ('    return Command(["ingest"', '    (job.raw / "mine").write_text("x")\n    return Command(["ingest"', "its body writes"),
        ('    return Command(["ingest"', '    job.scratch.joinpath("d").mkdir(exist_ok=True)\n    return Command(["ingest"', "makes the directory"),
        ('    return Command(["ingest"', '    import subprocess; subprocess.run(["true"])\n    return Command(["ingest"', "its body starts"),
        ('    return Command(["ingest"', '    import socket; s = socket.socket(); s.connect_ex(("127.0.0.1", 9)); s.close()\n    return Command(["ingest"', "connects to"),
        ('return Command(["ingest", job.raw, job.output("summary")])', 'return ["ingest"]', "return a Command or a Call"),
        ('Command(["ingest", job.raw, job.output("summary")])', 'Command(["sh", "-c", f"ingest > {job.output(\'summary\')}"])', "text to a shell"),
        ('collect={"events": "*.FIT"}', 'collect={}', "where to leave events"),
        ('collect={"events": "*.FIT"}', 'collect={"events": "*.FIT", "more": "*"}', "declare it in produces="),
        ('"json:dump"', '"json:no_such"', "cannot be called"),
        ("fp=str(job.output", "path=str(job.output", "cannot be called"),
        ("fp=str(job.output(\"image\"))", "fp=3", "where to leave image"),
        ("obj=str(job.input(\"events\"))", "obj=object()", "not plain data"),
        ('env={"VELA_CCF"', 'env={"HOME": "/tmp", "VELA_CCF"', "it sets HOME"),
        ("images/{name}-{variant}-i.fits", "events/{name}-e.fits", "would lie at"),
        ('or "the filter is closed"', 'or None', ""),
        ('exposure.filter != "Closed" or', 'None and', "return True, or the reason"),
        ('return params["bands"]', 'return ["a/b"]', "cannot be a variant"),
        ('return params["bands"]', 'return ["a", "a"]', "each once"),
        ('return params["bands"]', 'import random; return [f"v{random.random()}"]', "they differ every time"),
        ('Child(name=word, info', 'Child(name=word + "X", info', "no instrument of sample"),
        ('Child(name=word, info={"filter": "Thin1"})', 'Child(name="WIDE")', "share a name"),
        ('Child(name=word, info={"filter": "Thin1"})', 'Child(name=word, usable=False)', "nobody knows why"),
        ('Child(name=word, info={"filter": "Thin1"})', 'Child(name=word, children=[Child(name="S001")])', "no level below it"),
        ('"filter": "Thin1"', '"filter": object()', "use plain data"),
        ('"filter": "Thin1"', '"filter": __import__("random").random()', "reveals others the second time"),
        ("words = job", 'job.output("summary").write_text("WIDE")\n    words = job', "its reader writes"),
        ('if "error" in line], []', 'if "error" in line] + ["always"], []', "answers"),
        ("sigma: float = 3.0", "sigma=3.0", "sigma: float = 3.0"),
        ('sigma standard deviations', 'many', "does not say what `sigma` is"),
        ("from daxa.api import Call", "import numpy\nfrom daxa.api import Call", "brings numpy"),
    ],
)  # fmt: skip
def test_processes_that_are_wrong_fail(process_checks, tmp_path, old, new, says):
    failures = "\n".join(run_all(process_checks(old, new), tmp_path / "checks"))
    assert says in failures if says else not failures, failures


def test_what_code_does_is_seen(tmp_path):
    import os
    import subprocess

    with watched() as heard:
        (tmp_path / "a").write_text("x")
        (tmp_path / "a").read_text()
        os.environ["VELA_TEST"] = "1"
        del os.environ["VELA_TEST"]
        subprocess.run(["true"], check=True)
    assert [one.split()[0] for one in heard][:3] == ["writes", "sets", "unsets"]
    assert any("starts" in one and "true" in one for one in heard)
    (tmp_path / "b").write_text("x")
    assert not any("/b" in one for one in heard)


# --- executors -------------------------------------------------------------------------------------------------------


class Careless:
    """An executor that starts programs and looks after nothing."""

    capabilities = Capabilities(calls=False)

    def __init__(self, slots):
        self.slots = slots

    async def __aenter__(self):
        return self

    async def __aexit__(self, *failure): ...

    async def run(self, launch, started):
        import asyncio

        status = None
        for argv in launch.steps:
            with launch.stdout.open("ab") as out, launch.stderr.open("ab") as err:
                child = await asyncio.create_subprocess_exec(*argv, cwd=launch.cwd, stdout=out, stderr=err)
            started(Started(child.pid, "here"))
            status = await child.wait()
        return LaunchResult(exit_status=status, host="here")


@pytest.mark.parametrize(
    ("check", "says"),
    [
        ("test_it_tells_of_the_start_once", "started was called 3 times"),
        ("test_the_exit_status_is_kept", ""),
        ("test_steps_run_in_order_in_their_directory", ""),
        ("test_what_it_used_is_told", ""),
        ("test_as_many_run_at_once_as_it_was_made_for", "let run() wait for a free slot"),
    ],
)
def test_a_careless_executor_fails(tmp_path, check, says):
    checks = ExecutorConformance()
    checks.make = Careless
    with pytest.raises(AssertionError) as failure:
        getattr(checks, check)(tmp_path)
    assert says in str(failure.value)


def test_the_kit_needs_no_pytest_to_be_imported():
    import subprocess

    code = textwrap.dedent(
        """
        import sys
        import daxa_testing
        assert "daxa_testing.conformance" not in sys.modules
        daxa_testing.MissionConformance
        assert "pytest" not in sys.modules and len(daxa_testing.__all__) == 5
        """
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_there_are_about_forty_checks():
    from daxa_testing import ToolConformance

    classes = (PluginConformance, MissionConformance, ProcessConformance, ToolConformance, ExecutorConformance)
    names = [name for cls in classes for name in vars(cls) if name.startswith("test_")]
    assert len(names) >= 40 and all(vars(cls)[name].__doc__ for cls in classes for name in vars(cls) if name in names)

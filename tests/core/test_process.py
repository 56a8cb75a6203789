import pickle

import pytest

from daxa.api import Call, Command, DataId, InvalidParameterError, Job, Need, PluginError, Product, process
from daxa.exceptions import BadEventListError, TaskError


@process(level="obs", produces={"ccf": "ccf.cif"})
def cif(job):
    """Make the index."""
    return Command(["cifbuild", f"calindexset={job.output('ccf')}"])


@process(
    level="exp",
    instruments="M1 M2",
    needs=[cif],
    optional={"M1": "emanom"},
    tools=["sas"],
    produces={"events": Product(path="events/{name}-events.fits", kind="events")},
)
def chain(job, unscheduled: bool = True, limit: float = 2.0, tries: int = 3, band=None):
    """Assemble."""
    return Command(
        ["emchain", f"ccf={job.input('ccf')}"], env={"SAS_CCF": job.input("ccf")}, collect={"events": "*EVLI*"}
    )


def job(tmp_path, **given):
    return Job(
        process="chain",
        data_id=DataId("xmm_pointed", "0201903501", "M1", "S001"),
        name="n",
        scratch=tmp_path,
        raw=tmp_path,
        given={key: (value,) for key, value in given.items()},
        outputs={"ccf": tmp_path / "ccf.cif"},
    )


def test_a_declaration_makes_edges_parameters_and_products():
    assert chain.instruments == ("M1", "M2")
    assert chain.needs == (Need(process="cif"), Need(process="emanom", instruments=("M1",), optional=True))
    assert chain.parameters == {"unscheduled": True, "limit": 2.0, "tries": 3, "band": None}
    assert cif.produces["ccf"].kind == "ccf"
    assert chain.__doc__ == "Assemble."


def test_a_body_is_pure(tmp_path):
    work = job(tmp_path, ccf=tmp_path / "ccf.cif")
    assert chain.command(work, chain.bind({})) == chain.command(work, chain.bind({}))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "given",
    [{"nonsense": 1}, {"unscheduled": 1}, {"unscheduled": "yes"}, {"limit": "2"}, {"tries": 2.5}, {"tries": True}],
)
def test_parameters_are_checked(given):
    with pytest.raises(InvalidParameterError) as caught:
        chain.bind(given)
    assert "chain" in str(caught.value) and "Expected" in str(caught.value)


def test_whole_numbers_do_for_floats():
    assert chain.bind({"limit": 3})["limit"] == 3


def test_a_missing_input_names_what_is_there(tmp_path):
    with pytest.raises(PluginError, match="'ccf'; there are 0"):
        chain.command(job(tmp_path), chain.bind({}))


def test_commands_are_argument_lists_only():
    with pytest.raises(PluginError, match="no shell"):
        Command("rm -rf /")
    with pytest.raises(PluginError):
        Command()
    assert Command(["a", 1], ["b"]).steps == (("a", "1"), ("b",))
    assert Call("pkg.mod:f", x=1).arguments == {"x": 1}


def test_a_coroutine_body_is_refused():
    with pytest.raises(PluginError, match="coroutine"):

        @process(level="obs")
        async def wrong(job):
            return Command(["x"])


def test_errors_survive_a_process_boundary():
    error = BadEventListError("It is damaged.", expected="a list", remedy="fetch it again", path="/x")
    again = pickle.loads(pickle.dumps(error))
    assert (
        type(again) is BadEventListError
        and isinstance(again, TaskError)
        and str(again) == str(error)
        and again.context == {"path": "/x"}
    )

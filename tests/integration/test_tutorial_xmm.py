"""DAXA's tutorial of XMM-Newton's reduction, cell by cell, with ``await`` in front of what takes time."""

import inspect
import json
import pydoc
from pathlib import Path

import numpy as np
import pytest
from astropy.units import Quantity

from daxa.archive import Archive
from daxa.context import Context, use_context
from daxa.schedule.fingerprint import plain
from daxa_testing.sky import Sky
from daxa_xmm import chain, processes
from daxa_xmm.testing import sas
from daxa_xmm.testing.sas import rules

from .cells import Notebook

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]
RECORDED = Path(__file__).parents[1] / "data" / "processing"
STEPS = json.loads((RECORDED / "xmm_step_defaults.json").read_text(encoding="utf-8"))["steps"]
BARS = json.loads((RECORDED / "xmm_full_process.json").read_text(encoding="utf-8"))["steps"]


@pytest.fixture
def notebook(tmp_path):
    """In the recorded run, the flares of one exposure of nine could not be told; which, is not recorded."""
    tools = sas.install(tmp_path / "sas", scenario=[rules.fails("espfilt", "0201901401PNS003")])
    with Sky.installed().running_in_thread() as running:
        context = Context(
            **running.settings(), output=str(tmp_path / "daxa_output"), cache=str(tmp_path / "cache"), tool_sas=str(tools),
            tool_heasoft=str(tools / "headas"),
        )  # fmt: skip
        with use_context(context):
            yield Notebook()


async def test_the_one_line_solution(notebook):
    cell = notebook.cell
    await cell("""
        from daxa.mission import XMMPointed
        from daxa.archive import Archive
        from daxa_xmm import full_process_xmm
        from daxa_xmm import cif_build, odf_ingest
        from daxa_xmm import emchain, epchain
        from daxa_xmm import emanom
        from daxa_xmm import espfilt
    """)
    await cell("""
        xm = XMMPointed()
        await xm.filter_on_name('A907')
        arch = await Archive('Abell907', xm)
    """)
    await cell("await full_process_xmm(arch)")
    arch = notebook.names["arch"]
    assert isinstance(arch, Archive)
    messages = {getattr(processes, name).message: name for name in arch.process_names["xmm_pointed"]}
    done = {
        f"XMM-Newton Pointed - {message}": len(arch.process_success["xmm_pointed"][name])
        for message, name in messages.items()
    }
    assert done == {bar["label"]: bar["total"] for bar in BARS if bar["label"].startswith("XMM-Newton")}
    for kind in ("image", "expmap"):
        made = arch.products(process="generate_images_expmaps", kind=kind)
        assert made["variant"].value_counts().to_dict() == {"en0.5_2.0keV": 8, "en2.0_10.0keV": 8}
        assert set(zip(made["lo"], made["hi"], strict=True)) == {(0.5, 2.0), (2.0, 10.0)}
    summaries = arch.observation_summaries["xmm_pointed"]
    assert len(summaries) == 3 and set(summaries["0201903501"]) == {"M1", "M2", "PN"}
    # and its separate steps: nothing is left to do, but what is asked for
    for name in ("cif_build", "odf_ingest", "epchain", "emchain"):
        again = await cell(f"await {name}(arch, num_cores=2)")
        assert {state.value for state, count in again.counts.items() if count} == {"reused"}
    assert (await cell("await emanom(arch)")).good
    assert len(arch.process_success["xmm_pointed"]["emanom"]) == 6


@pytest.mark.parametrize("name", sorted(STEPS))
def test_the_steps_have_the_defaults_that_were_printed(name):
    process = getattr(processes, name)
    bound = process.bind({})
    assert list(process.parameters) == list(STEPS[name])
    for parameter, value in STEPS[name].items():
        found = bound[parameter]
        if isinstance(value, dict) and "unit" in value:
            assert np.all(Quantity(found, "keV") == Quantity(value["value"], value["unit"])), parameter
        else:
            assert plain(found) == plain(value), parameter


@pytest.mark.parametrize("name", sorted(STEPS))
def test_help_of_a_step_tells_its_parameters(name):
    said = pydoc.plain(pydoc.render_doc(getattr(processes, name)))
    for parameter in STEPS[name]:
        assert f"``{parameter}``" in said
    assert len(said.split("\n")[3].split()) > 3  # its first line says what it does


@pytest.mark.parametrize("name", sorted(STEPS))
def test_notebooks_complete_the_parameters_of_a_step(name):
    told = inspect.signature(getattr(processes, name)).parameters
    assert list(told) == ["archive", *STEPS[name], "options"]
    assert all(plain(told[one].default) is not None or STEPS[name][one] is None for one in STEPS[name])


def test_the_chain_leaves_out_anomalous_states_only_when_asked():
    defaults = inspect.signature(chain.full_process_xmm).parameters
    assert defaults["find_mos_anom_state"].default is False and defaults["process_unscheduled"].default is True

"""External software in a run: looked for before anything starts, its version part of what a product depends on."""

import logging

import pytest
from attrs import evolve

from daxa import Archive
from daxa.api import Recipe, ToolSpec
from daxa.exceptions import MissingToolError, PluginError
from daxa.outcome import State

from .test_archive import sample

pytestmark = pytest.mark.anyio


@pytest.fixture
def velasoft(tmp_path, monkeypatch):
    """A tool that a process comes to need."""
    program = tmp_path / "soft" / "bin" / "velachain"

    def install(version):
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"#!/bin/sh\necho velachain {version}\n")
        program.chmod(0o755)
        monkeypatch.setenv("DAXA_TOOL_VELASOFT", str(tmp_path / "soft"))

    def remove():
        program.unlink()

    return install, remove


@pytest.fixture
def needed(context, monkeypatch):
    spec = ToolSpec(
        name="velasoft", title="VelaSoft", executables=("velachain",), version_command=("velachain", "--version")
    )
    monkeypatch.setitem(context.registry.tools, "velasoft", spec)
    monkeypatch.setattr(context.registry.processes("sample")["image"], "tools", ("velasoft",))


async def test_what_is_missing_is_said_before_anything_starts(context, needed):
    arch = await Archive("missing", await sample("S0001"))
    before = len(arch.tasks())
    with pytest.raises(MissingToolError, match="VelaSoft is not here"):
        await arch.run("image")
    with pytest.raises(MissingToolError):
        await arch.process()
    assert len(arch.tasks()) == before and (await arch.run("clean_events")).good
    await arch.close()


async def test_another_version_makes_products_stale_and_none_leaves_them(context, needed, velasoft):
    install, remove = velasoft
    install("3.2")
    arch = await Archive("versions", await sample("S0001"))
    assert (await arch.run("image")).good
    install("3.3")
    reasons = {one.task.process: one.reason for one in arch.explain("image")}
    assert reasons["image"] == "runs because the version of velasoft changed from 3.2 to 3.3"
    assert not next(one.runs for one in arch.explain("clean_events"))
    remove()
    summary = await arch.run("image")
    assert set(summary.counts) == {State.REUSED}
    before = len(arch.history())
    for options in ({"force": True}, {"rerun": "image"}, {"rerun": "S0001"}):  # would undo what is there
        with pytest.raises(MissingToolError, match="VelaSoft is not here"):
            await arch.run("image", **options)
    assert len(arch.history()) == before and set((await arch.run("image")).counts) == {State.REUSED}
    await arch.close()


async def test_the_recommended_chain_is_one_that_can_be_run(context, needed, monkeypatch, caplog):
    arch = await Archive("chains", await sample("S0001"))
    native = next(iter(context.registry.recipes.values()))
    monkeypatch.setitem(
        context.registry.recipes, "plain", evolve(native, name="plain", processes=("clean_events",), missions=())
    )
    with caplog.at_level(logging.WARNING, logger="daxa"):
        assert (await arch.process()).good
    assert set(arch.process_names["sample"]) == {"preprocessed_events", "clean_events"}
    assert f"{native.name} of sample is left out: VelaSoft is not here" in caplog.text
    assert isinstance(native, Recipe)
    await arch.close()


async def test_a_tool_that_nobody_describes(context, monkeypatch):
    arch = await Archive("nobody", await sample("S0001"))
    monkeypatch.setattr(context.registry.processes("sample")["image"], "tools", ("unheard",))
    with pytest.raises(PluginError, match="unheard"):
        await arch.run("image")
    await arch.close()

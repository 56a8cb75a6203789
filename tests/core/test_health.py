"""What is here, what is missing, and what to do about it."""

import json

import pytest

import daxa
from daxa.api import ToolSpec
from daxa.cli import main
from daxa.context import Context, use_context

pytestmark = pytest.mark.anyio


@pytest.fixture
def velasoft(tmp_path, monkeypatch):
    program = tmp_path / "soft" / "bin" / "velachain"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho velachain 3.2\n")
    program.chmod(0o755)
    monkeypatch.setenv("DAXA_TOOL_VELASOFT", str(tmp_path / "soft"))
    return program


@pytest.fixture
def context(tmp_path):
    made = Context(output=str(tmp_path / "out"))
    made.registry.tools.clear()
    made.registry.tools["velasoft"] = ToolSpec(
        name="velasoft",
        title="VelaSoft",
        executables=("velachain",),
        version_command=("velachain",),
        remedy="install VelaSoft 3",
    )
    with use_context(made):
        yield made


async def test_all_is_well(context, velasoft):
    diagnosis = await daxa.doctor()
    assert diagnosis.good, str(diagnosis)
    tool, place = diagnosis.findings
    assert tool.state == "good" and tool.what == f"VelaSoft 3.2 in {velasoft.parent.parent}"
    assert place.kind == "place" and "GB are free" in place.what and "DAXA 1" in str(diagnosis)


async def test_what_is_missing_comes_with_its_fix_and_with_what_needs_it(context, monkeypatch):
    process = next(iter(context.registry.processes("sample").values()))
    monkeypatch.setattr(process, "tools", ("velasoft",))
    diagnosis = await daxa.doctor()
    (tool,) = (one for one in diagnosis.findings if one.kind == "tool")
    assert not diagnosis.good and tool.state == "missing" and tool.remedy == "install VelaSoft 3"
    assert f"sample: {process.name}" in tool.needed_by and "to do: install VelaSoft 3" in str(diagnosis)


async def test_missing_calibration_and_a_wrong_setting(context, velasoft, monkeypatch):
    from attrs import evolve

    spec = context.registry.tools["velasoft"]
    context.registry.tools["velasoft"] = evolve(spec, calibration_variable="VELA_CCF", calibration_files=("*.CCF",))
    (tool,) = (one for one in (await daxa.doctor()).findings if one.kind == "tool")
    assert tool.state == "missing" and "no calibration (VELA_CCF is '')" in tool.what
    assert tool.remedy == "set VELA_CCF to the directory of the calibration files (*.CCF)"
    monkeypatch.setenv("DAXA_TOOL_VELASOFT", "ship:far")
    (tool,) = (one for one in (await daxa.doctor()).findings if one.kind == "tool")
    assert (tool.state == "wrong" and "container:COMMAND" in str(tool)) or "ship:far" in tool.what


async def test_a_version_that_is_too_old_is_wrong(context, velasoft):
    from attrs import evolve

    context.registry.tools["velasoft"] = evolve(context.registry.tools["velasoft"], minimum_version="4")
    (tool,) = (one for one in (await daxa.doctor()).findings if one.kind == "tool")
    assert tool.state == "wrong" and "has version 3.2" in tool.what and tool.remedy == "install VelaSoft 3"


async def test_a_directory_that_cannot_take_data(context, monkeypatch):
    from daxa import health

    monkeypatch.setattr(health, "free_space", lambda _path: 1e6)
    place = (await daxa.doctor()).findings[-1]
    assert place.state == "wrong" and "DAXA_OUTPUT" in place.remedy


def test_the_command(context, velasoft, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["doctor", "--json"])
    assert caught.value.code == 0 and json.loads(capsys.readouterr().out)["good"]
    velasoft.unlink()
    with pytest.raises(SystemExit) as caught:
        main(["doctor"])
    assert caught.value.code == 3 and "to do: install VelaSoft 3" in capsys.readouterr().out

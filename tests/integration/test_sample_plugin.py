"""A third party's mission from its catalogue to merged event lists and pictures, through the core alone."""

import ast
import io
import tokenize
from pathlib import Path

import daxa_sample.testing
import pytest
from astropy.io import fits

import daxa
from daxa import Archive
from daxa.context import Context, use_context
from daxa.mission import MISS_INDEX
from daxa.outcome import State

pytestmark = pytest.mark.anyio
SOURCE = Path(daxa_sample.testing.__file__).parent


@pytest.fixture
def context(sky, tmp_path, monkeypatch):
    monkeypatch.setenv("SAMPLETOOLS", daxa_sample.testing.install_tool(tmp_path / "soft ware"))
    own = Context(**sky.settings(), output=str(tmp_path / "output"), cache=str(tmp_path / "cache"))
    with use_context(own):
        yield own


async def test_it_is_there(context):
    assert "sample" in MISS_INDEX and MISS_INDEX["sample"] is daxa.mission.Sample
    found = await daxa.find("Sample Nebula", ["sample"])
    assert found.summary()["sample"]["obs_ids"] == ["S0001", "S0002"]
    (tool,) = (one for one in (await daxa.doctor()).findings if one.name == "sampletools")
    assert tool.state == "good" and "2.1" in tool.what and "sample: calibrate" in tool.needed_by


async def test_from_the_catalogue_to_merged_lists_and_pictures(context):
    found = await daxa.find("Sample Nebula", ["sample"])
    arch = await Archive("nebula", [found["sample"]], download=False)
    summary = await arch.run("merge")
    assert summary.good, [one.cause for one in summary.failures]
    tasks = arch.tasks(obs_id="S0001").set_index(["process", "inst", "subexp"])
    states = tasks[tasks.index.get_level_values("process") == "calibrate"]["state"].to_dict()
    assert {key[1:]: state for key, state in states.items()} == {
        ("WIDE", "U001"): "succeeded", ("WIDE", "U002"): "succeeded", ("DEEP", "U001"): "no_data",
        ("DEEP", "U002"): "no_data", ("DEEP", "U003"): "succeeded",
    }  # fmt: skip
    causes = [one for one in tasks["cause"] if isinstance(one, str)]
    assert {"its shutter was closed", "it lasted 50 s, and 100 s are needed"} <= set(causes)
    merged = arch.products(kind="merged", obs_id="S0001").set_index("inst")["path"]
    rows = fits.getdata(merged["WIDE"], "EVENTS")
    assert len(rows) == 4000 and (rows["TIME"][1:] >= rows["TIME"][:-1]).all()
    assert len(fits.getdata(merged["DEEP"], "EVENTS")) == 2000
    warnings = arch.process_warnings["sample"]["calibrate"]["S0001WIDEU001"]
    assert warnings == [{"originator": "samplecal", "name": "warning", "message": "this is a stand-in"}]
    assert set((await arch.run("merge")).counts) <= {State.REUSED, State.NO_DATA}
    stale = {one.task.process: one.reason for one in arch.explain("merge", minimum=0.5) if one.runs}
    assert stale["calibrate"] == "runs because parameter minimum changed from 0 to 0.5"
    assert (await arch.process()).good  # its own lists are reduced in Python as well
    assert len(arch.products(kind="quicklook")) == 4
    cleaned = fits.getdata(arch.products(kind="events", process="clean_events")["path"].iloc[0], "EVENTS")
    assert 1800 < len(cleaned) < 2000 and not cleaned["FLAG"].any()
    await arch.close()
    async with Archive("nebula") as again:
        assert len(again["sample"]) == 2 and len(again.products(kind="merged")) == 4


async def test_without_its_software_the_rest_works(context, monkeypatch):
    monkeypatch.delenv("SAMPLETOOLS")
    found = await daxa.find("Sample Nebula", ["sample"])
    arch = await Archive("no software", [found["sample"]])
    with pytest.raises(daxa.exceptions.MissingToolError, match="set SAMPLETOOLS"):
        await arch.run("merge")
    assert (await arch.run("image")).good
    await arch.close()


def code_lines(path):
    """Lines with code: no blank ones, no comments, no docstrings."""
    text = path.read_text()
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
                              tokenize.ENDMARKER):  # fmt: skip
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        body = getattr(node, "body", None)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and body:
            first = body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                lines -= set(range(first.lineno, first.end_lineno + 1))
    return len(lines)


def test_it_takes_less_than_150_lines():
    counts = {path.name: code_lines(path) for path in SOURCE.glob("*.py") if path.name != "testing.py"}
    assert sum(counts.values()) < 150, counts

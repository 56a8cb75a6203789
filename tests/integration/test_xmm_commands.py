"""The command line on an archive of XMM-Newton: run, products, update, logs, verify, report."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from daxa.cli import main
from daxa_testing.sky import Sky
from daxa_xmm import testing
from daxa_xmm.testing import sas
from daxa_xmm.testing.sas import rules

ONE, TWO = "0201903501", "0404910601"
CAUSE = "noCounts raised by espfilt - All histo counts are zero! Check your FOV Lightcurve!"
FAILS = rules.fails(
    "espfilt",
    f"{TWO}PNS003",
    stderr="** espfilt: error (noCounts), All histo counts are zero! Check your FOV Lightcurve!\n",
)


class Links(HTMLParser):
    """Targets of links, and the names of all elements."""

    def __init__(self, text):
        super().__init__()
        self.links, self.elements = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.add(tag)
        self.links += [value for name, value in attrs if name in ("href", "src")]


@pytest.fixture(scope="module")
def sky():
    made = Sky()
    for obs_id in (ONE, TWO):
        files = sas.odf(obs_id, ["M1S001", "PNS003"], revolution=828, frames=0)
        testing.add_observation(made, obs_id, 149.59, -11.06, "2004-06-17 10:38:28", 14913.0, odf=files, revolution=828)
    with made.running_in_thread() as running:
        yield running


@pytest.fixture(scope="module")
def built(sky, tmp_path_factory):
    """An archive that `daxa build --process` made, with one exposure failing; and what the command said."""
    root = tmp_path_factory.mktemp("commands")
    tools = sas.install(root / "sas", events=200, scenario=[FAILS])
    environment = {
        **sky.environment(root), "DAXA_OUTPUT": str(root / "out put"), "DAXA_TOOL_SAS": str(tools),
        "DAXA_TOOL_HEASOFT": f"{tools}/headas",
    }  # fmt: skip
    return environment, root, tools


@pytest.fixture
def daxa(built, monkeypatch, capsys):
    from daxa.context import Context, use_context

    for name, value in built[0].items():
        monkeypatch.setenv(name, value)

    def run(*arguments, status=0):
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        said = capsys.readouterr()
        assert caught.value.code == status, said.err
        return said.out

    with use_context(Context()):
        if not Path(built[0]["DAXA_OUTPUT"]).exists():
            run("build", "xmm", "--missions", "xmm_pointed", "--obs-id", f"{ONE},{TWO}")
            run("run", "xmm", "merge_subexposures", status=3)
        yield run


def test_run_says_what_failed_and_goes_on_with_that(daxa, built):
    said = daxa("status", "xmm", status=3)
    assert re.search(r"^xmm_pointed +espfilt +.*1 failed", said, re.M) and CAUSE in said
    told = json.loads(daxa("run", "xmm", "merge_subexposures", "--rerun", "failed", "--json", status=3))
    assert told["run"]["failed"] == 1 and told["failures"][0]["example"] == f"{TWO}PNS003"
    assert daxa("run", "xmm", "merge_subexposures", "--rerun", "nonsense", status=1) == ""


def test_products_are_listed_in_order_and_can_be_chosen(daxa):
    lines = daxa("products", "xmm", "--kind", "events", "--obs-id", ONE).splitlines()
    assert lines[0].split() == ["mission", "obs_id", "inst", "subexp", "kind", "variant", "path"]
    cells = [line.split()[:6] for line in lines[1:]]
    assert [one[2:4] for one in cells] == [["M1", "-"], ["M1", "S001"], ["PN", "-"], ["PN", "S003"]]
    assert {one[1] for one in cells} == {ONE} and "nan" not in " ".join(lines)

    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    rows = json.loads(daxa("products", "xmm", "--json"), parse_constant=refuse)["products"]
    assert next(row for row in rows if row["kind"] == "ccf")["inst"] is None
    assert all(Path(row["path"]).is_file() for row in rows)
    daxa("products", "xmm", "--missions", "chandra", "--json", status=1)  # which the archive does not hold
    json.loads(daxa("status", "xmm", "--json", status=3), parse_constant=refuse)


def test_logs_of_what_failed_tell_the_error(daxa):
    said = daxa("logs", "xmm", "espfilt", "--failed")
    assert said.startswith(f"== xmm_pointed espfilt {TWO}PNS003\n") and said.count("== xmm_pointed") == 1
    assert "-- standard error\n** espfilt: error (noCounts)" in said
    assert daxa("logs", "xmm", "espfilt", "--obs-id", ONE, "--inst", "M1").count("== xmm_pointed") == 1


def test_update_changes_nothing_where_nothing_is_new(daxa):
    told = json.loads(daxa("update", "xmm", "--json"))
    assert told["changes"] == {} or not any(any(one.values()) for one in told["changes"].values())


def test_verify_finds_what_was_changed(daxa):
    assert re.search(r"^(\d+) of \1 files are as they were recorded\.$", daxa("verify", "xmm"), re.M)
    path = Path(json.loads(daxa("products", "xmm", "--kind", "gti", "--json"))["products"][0]["path"])
    content = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(content.replace(b"STDGTI", b"STDGTJ"))
    said = daxa("verify", "xmm", status=3)
    assert re.search(rf"^product +{re.escape(str(path))} +changed$", said, re.M)
    path.write_bytes(content)
    daxa("verify", "xmm")


def test_report_is_a_page_that_goes_with_the_archive(daxa, built, tmp_path):
    root = Path(built[0]["DAXA_OUTPUT"]) / "archives" / "xmm"
    assert daxa("report", "xmm") == f"The report is {root / 'report.html'}\n"
    text = (root / "report.html").read_text(encoding="utf-8")
    page = Links(text)
    assert not page.elements & {"script", "img", "link", "iframe"}
    (log,) = page.links
    assert (
        (root / unquote(log)).read_text().startswith("** espfilt: error (noCounts)")
    )  # relative: page and archive may move
    for word in (
        "<h1>Archive xmm</h1>",
        CAUSE,
        ONE,
        TWO,
        "usable",
        "merge_subexposures",
        "clean_events",
        "offline sky",
    ):
        assert word in text
    told = json.loads(daxa("report", "xmm", "--output", str(tmp_path / "one page.html"), "--json"))
    assert told["page"] == str(tmp_path / "one page.html") and told["failures"][0]["tasks"] == 1
    (log,) = Links((tmp_path / "one page.html").read_text(encoding="utf-8")).links
    assert (tmp_path / unquote(log)).resolve().is_file()
    daxa("report", "xmm", "--output", "/nowhere/page.html", status=1)
    daxa("verify", "xmm")

"""The plugin contract is frozen: what changes of it is told to plugin authors."""

import copy
import json
import subprocess
import sys

import pytest
from tests import contract as freezing

from daxa.contract.dump import changed_names, contract, contract_text, signature
from daxa.contract.missions import EVERY_CATALOGUE
from daxa.contract.processes import CORE_STEPS

LOG = "# Changelog\n\n## Unreleased (2.0.0)\n\nWords.\n\n### Plugin contract\n\n{}\n\n## 1.0.0\n\n### Plugin contract\n\n* `Old.gone` is new.\n"


def test_the_contract_is_as_frozen_or_the_change_is_told():
    problem = freezing.problem(freezing.frozen(), contract(), freezing.CHANGELOG.read_text())
    assert problem is None, problem


def test_the_command_is_in_contributing():
    assert f"`{freezing.COMMAND}`" in (freezing.ROOT / "CONTRIBUTING.md").read_text()


def test_it_holds_what_authors_use():
    made = contract()
    assert made["hooks"]["daxa_register_commands"] == "(cli: click.Group) -> None"
    assert made["records"]["RemoteFile"]["unpack"].endswith(" = 'none'")
    mission = made["names"]["Mission"]["members"]
    assert mission["id_pattern"].startswith("attribute") and mission["catalogue"].startswith("coroutine (self, net")
    assert mission["remote_files"].startswith("method (self, obs") and "ident_to_obsid" in mission
    assert made["names"]["Job"]["members"]["input"] == "method (self, key: str) -> Path"
    assert made["names"]["Job"]["fields"]["raw"] == "Path"
    assert made["names"]["process"]["kind"] == "function" and "needs: Any = ()" in made["names"]["process"]["signature"]
    assert made["names"]["FailureKind"]["values"]["TOOL"] == "tool"
    assert made["names"]["CatalogueError"]["code"] == "catalogue"


def test_it_is_the_same_in_every_process():
    code = "from daxa.contract.dump import contract_text; print(contract_text(), end='')"
    texts = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    }
    assert texts == {contract_text()} and " at 0x" not in contract_text()


def test_a_signature_is_written_as_its_author_did():
    def made(self, a: "int", *rest: "str", b: "bool" = False, **more: "float") -> "None": ...

    def other(a, /, b=frozenset({"y", "x"}), *, c): ...

    assert signature(made) == "(self, a: int, *rest: str, b: bool = False, **more: float) -> None"
    assert signature(other) == "(a, b = {'x', 'y'}, *, c)"


@pytest.fixture
def changed():
    now = copy.deepcopy(contract())
    del now["hooks"]["daxa_register_recipes"]
    now["records"]["Want"]["epoch"] = "int = 0"
    now["names"]["Mission"]["members"]["catalogue"] = "coroutine (self, net: Net, since: float) -> DataFrame"
    now["names"]["brand_new"] = {"kind": "function", "signature": "()"}
    return now


NAMES = ["Mission.catalogue", "Want.epoch", "brand_new", "daxa_register_recipes"]


def test_what_changed_is_named(changed):
    assert changed_names(contract(), changed) == NAMES
    assert changed_names(contract(), contract()) == []


def test_a_change_must_be_written_anew_and_told(changed, tmp_path):
    path = tmp_path / "api-1.json"
    freezing.write(path, freezing.renewed(freezing.read(path), contract()))
    assert freezing.read(path)["changed"] == [] and freezing.problem(path, contract(), LOG) is None

    silent = freezing.problem(path, changed, LOG.format(""))
    assert f"run `{freezing.COMMAND}`" in silent and "CHANGELOG.md" in silent and "Mission.catalogue" in silent

    told = LOG.format("\n".join(f"* `{name}` is other." for name in NAMES))
    assert "CHANGELOG" not in freezing.problem(path, changed, told)  # told, not written anew
    freezing.write(path, freezing.renewed(freezing.read(path), changed))
    assert freezing.problem(path, changed, told) is None
    assert "brand_new" in freezing.problem(path, changed, told.replace("brand_new", "brand_newer"))

    again = copy.deepcopy(changed)
    again["records"]["Want"]["epoch"] = "float = 0"
    freezing.write(path, freezing.renewed(freezing.read(path), again))
    assert freezing.read(path)["changed"] == NAMES  # what changed since the release, not since the last run
    freezing.write(path, freezing.renewed(freezing.read(path), again, released=True))
    assert freezing.problem(path, again, LOG.format("")) is None


def test_only_the_unreleased_section_counts():
    assert freezing.untold(["Old.gone"], LOG.format("")) == ["Old.gone"]
    assert freezing.untold(["Mission"], LOG.format("* `Mission.catalogue` is other.")) == []
    assert freezing.untold(["catalogue"], LOG.format("* `Mission.catalogue` is other.")) == ["catalogue"]
    assert freezing.section("# Changelog\n") == ""


def test_the_file_reads_line_by_line():
    text = freezing.frozen().read_text()
    assert text.endswith("}\n") and len(text.splitlines()) > 300 and json.loads(text)["contract"]["api"] == 1


def test_constants_that_are_written_twice_agree():
    """The contract stands on a floor below these modules, and cannot import them."""
    from daxa.archive.plan import DOWNLOAD, PREPROCESSED
    from daxa.contract.missions import KINDS, LEVELS
    from daxa.ids import LEVELS as ALL
    from daxa.mission.catalogue import CORE_COLUMNS

    assert CORE_COLUMNS == EVERY_CATALOGUE
    assert {DOWNLOAD, *PREPROCESSED} == CORE_STEPS
    assert ALL[1:] == LEVELS and set(PREPROCESSED.values()) <= set(KINDS)

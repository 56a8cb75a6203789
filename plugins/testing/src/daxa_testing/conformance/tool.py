"""What holds for the description of external software, with a stand-in for an installation of it."""

from __future__ import annotations

import os
from pathlib import Path

from daxa.context import Context
from daxa.contract.records import check_tool
from daxa.environments import task_environment
from daxa.exceptions import MissingToolError
from daxa.specs import ToolSpec
from daxa.tools import KEPT, FoundTool, find
from daxa_testing.conformance.base import assert_sound, missing


class ToolConformance:
    """Checks of a tool: it is found, tells its version, leaks nothing into tasks, and is missed politely.

    Attributes
    ----------
    tool : str
        Name of the tool.
    version : str
        What the stand-in says its version is.
    """

    tool: str = ""
    version: str = ""

    # --- what an author says ----------------------------------------------------------------------------------------

    def installation(self, tmp_path: Path) -> Path:
        """Make a stand-in for an installation below `tmp_path`, and return its directory.

        It holds small scripts in place of the programs, and the activation script if the tool has one.
        """
        raise missing(
            self, "where the tool is", "def installation(self, tmp_path): write scripts, return the directory"
        )

    def spec(self) -> ToolSpec:
        """Return the description; by default what the installed plugins register."""
        if not self.tool:
            raise missing(self, "which tool it looks at", 'tool = "sas"')
        return Context().registry.tools[self.tool]

    def _found(self, tmp_path: Path) -> tuple[FoundTool, Path]:
        home = self.installation(tmp_path)
        return find(self.spec(), {"PATH": os.defpath}, str(home)), home

    # --- checks -----------------------------------------------------------------------------------------------------

    def test_it_is_described(self) -> None:
        """Programs or installation, version, remedy."""
        assert_sound(check_tool(self.spec()))

    def test_it_is_found_where_the_user_says(self, tmp_path: Path) -> None:
        """The setting ``tool_<name>`` may name the installation's directory."""
        found, home = self._found(tmp_path)
        assert str(home) in found.path, (
            f"{home} is not on the search path of the tool found, {found.path!r}."
            " Remedy: let the activation script put it there, or keep programs in bin/."
        )

    def test_it_is_found_by_its_variable(self, tmp_path: Path) -> None:
        """The variable that names the installation leads to it, by its activation script."""
        spec, home = self.spec(), self.installation(tmp_path)
        if spec.home_variable is None or spec.activation is None:
            return
        found = find(spec, {"PATH": os.defpath, spec.home_variable: str(home)})
        assert str(home) in found.path, f"{spec.home_variable} does not lead to it. Remedy: correct activation=."

    def test_it_tells_its_version(self, tmp_path: Path) -> None:
        """The version is what the stand-in prints, and nothing else of what it prints."""
        found, _ = self._found(tmp_path)
        assert found.version() == self.version, (
            f"the version read is {found.version()!r}, not {self.version!r}. Remedy: correct version_command= and"
            " version_pattern=; the first group of the pattern is the version."
        )

    def test_it_is_missed_politely(self, tmp_path: Path) -> None:
        """Where it is not, there is a MissingToolError that says what to do."""
        empty = tmp_path / "nothing here"
        empty.mkdir()
        try:
            find(self.spec(), {"PATH": str(empty)})
        except MissingToolError as problem:
            assert problem.remedy, "it is missing, and nobody says what to do. Remedy: write remedy=."
        else:
            raise AssertionError("it is found where nothing is. Remedy: name its programs, executables=(...).")

    def test_its_tasks_share_nothing(self, tmp_path: Path) -> None:
        """HOME, TMPDIR and PFILES of two tasks differ; nothing of the user's comes along but what the tool names."""
        found, _ = self._found(tmp_path)
        scratches = [tmp_path / "one", tmp_path / "two"]
        one, other = (task_environment([found], scratch) for scratch in scratches)
        for name in ("HOME", "TMPDIR", "PFILES"):
            assert one[name] != other[name], f"two tasks have one {name}. Remedy: do not set it when activated."
            assert str(scratches[0]) in one[name]
        secret = find(self.spec(), {"PATH": found.path, "AWS_SECRET_ACCESS_KEY": "x", "HOME": "/home/me"})
        leaked = {"AWS_SECRET_ACCESS_KEY", "HOME"} & set(secret.environment)
        assert not leaked - set(KEPT), f"{', '.join(leaked)} leaks into tasks. Remedy: narrow variables=."

    def test_its_calibration_is_told_apart(self, tmp_path: Path) -> None:
        """Where it names a calibration that is not there, that is said; a file more is another calibration."""
        spec = self.spec()
        if spec.calibration_variable is None:
            return
        place = tmp_path / "calibration"
        place.mkdir()
        told = []
        name = (spec.calibration_files or ("*",))[0].replace("**/", "").replace("*", "x").replace("?", "x")
        for number in range(3):
            told.append(FoundTool(spec=spec, environment={spec.calibration_variable: str(place)}).calibration())
            target = place / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(b"c" * (number + 1))
        assert told[0] == "missing" and len(set(told)) == 3, f"the calibration is told as {told}. Remedy: correct it."

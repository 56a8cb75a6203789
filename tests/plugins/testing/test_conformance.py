"""The kit on what is sound: this distribution, the local executor, a tool that is a script."""

import os

from daxa.api import ToolSpec
from daxa.executors.local import LocalExecutor
from daxa_testing import ExecutorConformance, PluginConformance, ToolConformance


class TestTestingPlugin(PluginConformance):
    distribution = "daxa-testing"


class TestLocalExecutor(ExecutorConformance):
    def make(self, slots):
        return LocalExecutor(slots)


class TestTool(ToolConformance):
    version = "3.2"

    def spec(self):
        return ToolSpec(
            name="velasoft",
            title="VelaSoft",
            executables=("velachain",),
            home_variable="VELA_HOME",
            activation="etc/init.sh",
            version_command=("velachain", "--version"),
            version_pattern=r"velachain (\d+\.\d+)",
            calibration_variable="VELA_CALDB",
            calibration_files=("index/*.fits",),
            remedy="install VelaSoft and set VELA_HOME",
        )

    def installation(self, tmp_path):
        home = tmp_path / "vela soft"
        for name in ("bin", "etc"):
            (home / name).mkdir(parents=True)
        program = home / "bin" / "velachain"
        program.write_text("#!/bin/sh\necho 'Vela 2030.1'; echo velachain 3.2\n")
        program.chmod(0o755)
        (home / "etc" / "init.sh").write_text(
            f'PATH="{home}/bin:$PATH"; PFILES="/old;{home}/par"; export PATH PFILES\n'
        )
        return home


class TestToolWithoutScript(ToolConformance):
    version = "1.0.7"

    def spec(self):
        return ToolSpec(
            name="plain", title="Plain", executables=("plainly",), version_command=("plainly",), remedy="install it"
        )

    def installation(self, tmp_path):
        program = tmp_path / "bin" / "plainly"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\necho version 1.0.7 {os.sep}\n")
        program.chmod(0o755)
        return tmp_path

"""Defects of DAXA 0.3 that show in processes of their own; the others' tests stand with what they are of."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from daxa_testing.sky import Sky

from .conftest import DAXA


def test_w_01_it_is_imported_by_this_python_and_writes_nothing(tmp_path):
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    code = "import daxa, daxa.config, daxa.mission; daxa.mission.XMMPointed; daxa.config.Config().output"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.timeout(90)
def test_w_35_processes_that_share_an_output_root_fetch_each_file_once(tmp_path):
    sky = Sky.installed()
    sky.latency = 0.1
    with sky.running_in_thread() as running:
        environment = {**running.environment(tmp_path), "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
        command = ["build", "--target", "PHL 1811", "--missions", "chandra,rosat_all_sky", "--json"]
        processes = [
            subprocess.Popen(
                [*DAXA, *command, name], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            for name in ("one", "two", "three")
        ]
        ends = [process.communicate(timeout=80) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], ends
    found = [json.loads(out.splitlines()[-1])["observations"] for out, _ in ends]
    assert found[0] == found[1] == found[2] and len(found[0]["chandra"]) == 3
    fetched = Counter(one.url for one in running.requests if "/FTP/" in one.url and not one.url.endswith("/"))
    assert len(fetched) > 10 and set(fetched.values()) == {1}
    assert not list(tmp_path.rglob("*.part*")) and not list(tmp_path.rglob(".claims/*"))

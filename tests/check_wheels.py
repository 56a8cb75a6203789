"""Run by the wheel session in a fresh environment: what was built can be imported, discovered and called."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

bin_dir = Path(sys.executable).parent

report = subprocess.run([str(bin_dir / "daxa"), "plugins", "--json"], check=True, capture_output=True, text=True).stdout
plugins = json.loads(report)["plugins"]
broken = [row for row in plugins if row["error"]]
assert not broken, broken
names = {row["distribution"] for row in plugins}
missing = {
    "daxa-xmm",
    "daxa-chandra",
    "daxa-erosita",
    "daxa-rosat",
    "daxa-nustar",
    "daxa-native",
    "daxa-sample",
} - names
assert not missing, f"not discovered: {missing}"

missions = json.loads(
    subprocess.run([str(bin_dir / "daxa"), "missions", "--json"], check=True, capture_output=True, text=True).stdout
)["missions"]
assert {"xmm_pointed", "chandra", "rosat_pointed", "nustar_pointed", "sample"} <= {row["name"] for row in missions}
# the sample: found by position, fetched from its own sky, reduced, and opened again without a network
sample = "import daxa.mission; from daxa.mission import MISS_INDEX, Sample; assert MISS_INDEX['sample'] is Sample"
subprocess.run([sys.executable, "-c", sample], check=True)
with tempfile.TemporaryDirectory() as directory:
    daxa = str(bin_dir / "daxa")
    environment = {**os.environ, "DAXA_OUTPUT": directory}
    sky = [daxa, "sky", "--", daxa]

    def told(*command: str) -> dict:
        done = subprocess.run([*command, "--json"], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    found = told(*sky, "find", "Sample Nebula", "--missions", "sample")
    assert found["sample"]["obs_ids"] == ["S0001", "S0002"], found
    built = told(*sky, "build", "nebula", "--target", "Sample Nebula", "--missions", "sample", "--process")
    assert built["tasks"]["sample"]["quicklook"] == {"succeeded": 4} and not built["failures"], built
    again = told(daxa, "products", "nebula", "--kind", "quicklook")
    assert len(again["products"]) == 4 and all(Path(row["path"]).is_file() for row in again["products"])
    assert told(daxa, "plugins", "check", "daxa-sample")
print(f"{len(plugins)} plugins and {len(missions)} missions found in the installed wheels")

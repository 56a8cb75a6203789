"""Run by the wheel session in a fresh environment: what was built can be imported, discovered and called."""

import json
import subprocess
import sys
from pathlib import Path

bin_dir = Path(sys.executable).parent

report = subprocess.run([str(bin_dir / "daxa"), "plugins", "--json"], check=True, capture_output=True, text=True).stdout
plugins = json.loads(report)["plugins"]
broken = [row for row in plugins if row["error"]]
assert not broken, broken
names = {row["distribution"] for row in plugins}
missing = {"daxa-xmm", "daxa-chandra", "daxa-rosat", "daxa-nustar", "daxa-native", "daxa-sample"} - names
assert not missing, f"not discovered: {missing}"

missions = json.loads(
    subprocess.run([str(bin_dir / "daxa"), "missions", "--json"], check=True, capture_output=True, text=True).stdout
)["missions"]
assert {"xmm_pointed", "chandra", "rosat_pointed", "nustar_pointed", "sample"} <= {row["name"] for row in missions}
print(f"{len(plugins)} plugins and {len(missions)} missions found in the installed wheels")

"""The frozen plugin contract, and what a change of it asks for.

``python -m tests.contract`` writes it anew; ``python -m tests.contract --released`` forgets what has changed since the
last release, when there has been one. What is written is a list of the names that changed since then, which the
changelog must tell plugin authors of, and the contract itself.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from daxa.contract.dump import changed_names, contract

ROOT = Path(__file__).parents[1]
CHANGELOG = ROOT / "CHANGELOG.md"
COMMAND = "python -m tests.contract"


def frozen(directory: Path = ROOT / "tests" / "data" / "contract") -> Path:
    """Where the contract of the number in force is kept."""
    return directory / f"api-{contract()['api']}.json"


def read(path: Path) -> dict[str, Any]:
    """The frozen contract; an empty one if there is none yet."""
    return json.loads(path.read_text()) if path.exists() else {"changed": [], "contract": None}


def renewed(before: dict[str, Any], now: dict[str, Any], *, released: bool = False) -> dict[str, Any]:
    """The frozen contract as it should be, with the names that changed since the last release."""
    if before["contract"] is None or released:
        return {"changed": [], "contract": now}
    return {"changed": sorted({*before["changed"], *changed_names(before["contract"], now)}), "contract": now}


def write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def section(changelog: str) -> str:
    """What the changelog's Unreleased section says under ``### Plugin contract``."""
    unreleased = re.search(r"^## Unreleased.*?$(.*?)(?=^## |\Z)", changelog, re.DOTALL | re.MULTILINE)
    found = re.search(
        r"^### Plugin contract$(.*?)(?=^##|\Z)", unreleased[1] if unreleased else "", re.DOTALL | re.MULTILINE
    )
    return found[1] if found else ""


def untold(changed: list[str], changelog: str) -> list[str]:
    """Names that changed, and of which the changelog says nothing."""
    said = section(changelog)
    return [name for name in changed if not re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", said)]


def problem(path: Path, now: dict[str, Any], changelog: str) -> str | None:
    """Say what is to be done about a change; None if nothing has to be."""
    before = read(path)
    should = renewed(before, now)
    faults = []
    if should != before:
        names = changed_names(before["contract"] or {}, now) if before["contract"] else ["all of it"]
        faults.append(f"The plugin contract has changed: {', '.join(names)}. If it is meant, run `{COMMAND}`.")
    missing = untold(should["changed"], changelog)
    if missing:
        faults.append(
            "CHANGELOG.md, section Unreleased, must tell plugin authors under `### Plugin contract`, a line each, of: "
            + ", ".join(missing)
            + "."
        )
    return " ".join(faults) or None


if __name__ == "__main__":
    write(frozen(), renewed(read(frozen()), contract(), released="--released" in sys.argv[1:]))
    left = untold(read(frozen())["changed"], CHANGELOG.read_text())
    print(f"{frozen().relative_to(ROOT)} is written.")
    if left:
        print(f"CHANGELOG.md, Unreleased, `### Plugin contract` does not speak of: {', '.join(left)}")

"""Kill, fill up and disturb, at length: ``python -m tests.stress [--kills N] [--seed S] [--json FILE] [F2 F3 ...]``.

Prints one table of exact counts, and ends with 1 when something that must hold does not.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

from tests.stress import cancelled
from tests.stress.disk import disk_trouble
from tests.stress.fetch_disk import fetch_trouble
from tests.stress.fetch_killed import kill_fetching
from tests.stress.heads_killed import kill_heads
from tests.stress.many_downloads import many_downloads
from tests.stress.report import Finding, show
from tests.stress.thousand import thousand_tasks
from tests.stress.two_heads import readers_during_a_run, two_heads
from tests.stress.xmm_chain import kill_chains, many_observations


def main() -> None:
    """Run what is asked for and print the table."""
    parser = argparse.ArgumentParser(prog="nox -s stress --", description=__doc__)
    parser.add_argument("ids", nargs="*", metavar="ID", help="F2, F3, F4, F6, F7, F8, F10; all by default")
    parser.add_argument("--kills", type=int, default=100, help="how often F2 and F3 kill, 100 by default")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6), help="of the moments")
    parser.add_argument("--json", type=Path, help="write the counts to this file too")
    options = parser.parse_args()
    kills, seed = options.kills, options.seed
    work: list[tuple[str, str, Callable[[Path], Finding]]] = [
        ("F2", "fetching killed", lambda where: kill_fetching(where, kills=kills, seed=seed)),
        ("F3", "heads killed", lambda where: kill_heads(where, kills=kills, seed=seed)),
        ("F4", "tasks and journal", lambda where: disk_trouble(where, observations=43, mounted=True)),
        ("F4", "fetching", fetch_trouble),
        ("F6", "two heads", lambda where: two_heads(where, rounds=10)),
        ("F6", "readers", lambda where: readers_during_a_run(where, readers=8)),
        *([("F7", "process trees", cancelled.cancel_trees)] if cancelled.TESTS.exists() else []),
        ("F8", "a thousand tasks", thousand_tasks),
        ("F8", "a thousand observations of XMM-Newton", lambda where: many_observations(where, observations=1000)),
        ("F3", "heads of XMM-Newton's chain killed", lambda where: kill_chains(where, kills=kills // 5, seed=seed)),
        ("F10", "four missions at once", lambda where: many_downloads(where, observations=1000, seed=seed)),
    ]
    known = {one for one, _, _ in work}
    if unknown := set(options.ids) - known:
        parser.error(f"there is no {', '.join(sorted(unknown))}; known are {', '.join(sorted(known))}")
    print(f"seed {seed}", flush=True)
    findings: list[Finding] = []
    for one, name, run in work:
        if options.ids and one not in options.ids:
            continue
        print(f"{one} {name} ...", flush=True)
        with tempfile.TemporaryDirectory(prefix=f"daxa-stress-{one}-", ignore_cleanup_errors=True) as directory:
            try:
                findings.append(run(Path(directory)))
            except Exception as problem:
                traceback.print_exc()
                findings.append(Finding(one, name, seed, faults=[f"{type(problem).__name__}: {problem}"]))
    print(show(findings))
    if options.json:
        options.json.write_text(json.dumps([finding.plain() for finding in findings], indent=1) + "\n")
    sys.exit(0 if all(finding.good for finding in findings) else 1)


if __name__ == "__main__":
    main()

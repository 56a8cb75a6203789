"""F4 for fetching: a disk that is full, read-only, or lets no file grow, while files come in and are recorded."""

import json
import random
import sqlite3
from contextlib import closing
from pathlib import Path

from daxa.store.downloads import FILE
from daxa_testing.faults import FaultyServer
from tests.stress.fetch_killed import Fetching
from tests.stress.report import Finding
from tests.stress.surroundings import Held

TROUBLE = {
    "no file may grow beyond 200 kB": {"limit": 200_000},
    "blocks cannot be written, ENOSPC": {"block": "ENOSPC"},
    "blocks cannot be written, EROFS": {"block": "EROFS"},
    "blocks cannot be written, EDQUOT": {"block": "EDQUOT"},
    "nothing can be renamed, ENOSPC": {"refused": {"call": "replace", "code": "ENOSPC", "after": 6, "below": "/O1/"}},
    "the record cannot grow": {"limit": 40_000, "small": True, "in_turn": True},
}
"""What a fetching process is told, by what is wrong."""


def fetch_trouble(directory: Path) -> Finding:
    """Run into each kind of trouble, look at what is left, and fetch again without it."""
    found = Finding("F4", "a disk that refuses what is fetched")
    server = FaultyServer()
    fetching = Fetching(directory, server, random.Random(4))
    for name in ("kinds of trouble", "typed errors", "wrong files", "unsound records", "files fetched again"):
        found.counts[name] = 0
    before = Held.now()
    with server.running_in_thread():
        for number, (name, options) in enumerate(TROUBLE.items()):
            _one(found, fetching, directory / f"trouble{number}", name, options)
    for leak in Held.now().more_than(before):
        found.fault(f"it left {leak}")
    return found


def _one(found: Finding, fetching: Fetching, output: Path, name: str, options: dict) -> None:
    found.add("kinds of trouble")
    trouble = json.dumps({key: value for key, value in options.items() if key != "small"})
    process = fetching.start(output, trouble, largest=30_000 if "small" in options else None)
    _, errors = process.communicate(timeout=120)
    if process.returncode != 3 or len(errors.splitlines()) != 1:
        found.fault(f"{name}: the process ended with {process.returncode}: {errors}")
        return
    problem = json.loads(errors)
    if (
        problem["type"] != "StorageError"
        or "Remedy:" not in problem["message"]
        or str(output) not in problem["message"]
    ):
        found.fault(f"{name}: it ended with {problem}")
    found.add("typed errors")
    found.notes.append(f"     {name}: {problem['message']}")
    with closing(sqlite3.connect(f"{(output / FILE).as_uri()}?mode=ro", uri=True)) as connection:
        verdict = connection.execute("PRAGMA integrity_check").fetchone()[0]
        recorded = dict(connection.execute("SELECT url, path FROM files").fetchall())
    if verdict != "ok":
        found.add("unsound records")
        found.fault(f"{name}: {verdict}")
    then = fetching.tree(output)
    wrong = [path for path, sha256 in then.items() if fetching.contents.get(path, sha256) != sha256]
    wrong += [path for path in recorded.values() if path not in then]
    fetching.server.served.clear()
    fetching.finish(output)
    again = [url for url in recorded if fetching.server.served.get("/" + url.rpartition("/")[2])]
    found.add("files fetched again", len(again))
    now = fetching.tree(output)
    wrong += [path for path in set(now) | set(fetching.contents) if now.get(path) != fetching.contents.get(path)]
    found.add("wrong files", len(wrong))
    for path in wrong:
        found.fault(f"{name}: {path} is not as it was served, or is left over")
    for url in again:
        found.fault(f"{name}: {url} was recorded, and fetched again")

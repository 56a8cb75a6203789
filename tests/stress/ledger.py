"""What an archive says, and what lies on disk: read from outside, through the record's public functions."""

import hashlib
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from daxa.outcome import State
from daxa.store.records import ArchiveRecord

ARCHIVE = Path("output/archives/stress")
RECORD = ARCHIVE / ".save_info/archive.sqlite"


@dataclass
class Ledger:
    """State by task, and hash by path of product; reused counts as succeeded."""

    states: dict[str, State]
    products: dict[str, str]

    @property
    def succeeded(self) -> set[str]:
        """Names of the tasks that succeeded."""
        return {name for name, state in self.states.items() if state is State.SUCCEEDED}


def name_of(key) -> str:
    """A task as the stand-in program writes it down."""
    return f"{key.process} {key.data_id.ident}"


def read_ledger(output: Path) -> Ledger:
    """Read the record of the stress archive; empty if there is none yet."""
    path = output / RECORD
    if not path.exists() or not path.stat().st_size:
        return Ledger({}, {})
    try:
        record = ArchiveRecord.open(path)
    except Exception as problem:  # a record that was never finished holds no tables yet
        if "holds no tables" in str(problem):
            return Ledger({}, {})
        raise
    try:
        tasks, products = record.tasks(), record.products()
    finally:
        record.close()
    return Ledger(
        {name_of(one.key): State.SUCCEEDED if one.state is State.REUSED else one.state for one in tasks},
        {one.path: one.sha256 for one in products},
    )


def check_record(output: Path) -> str:
    """What SQLite itself says of the record's soundness; ``ok`` if it is sound, or not there."""
    path = output / RECORD
    if not path.exists():
        return "ok"
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchone()[0]


def on_disk(output: Path) -> dict[str, str]:
    """Products as they lie on disk, by path, with their hashes; logs are not looked at."""
    root = output / ARCHIVE
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for directory in ("processed_data", "failed_data")
        for path in (root / directory).rglob("*")
        if path.is_file() and path.parent.name != "logs"
    }


def wrong_on_disk(output: Path, ledger: Ledger) -> list[str]:
    """Products whose bytes are not those that were recorded, and files that nobody recorded."""
    there = on_disk(output)
    wrong = [path for path, sha256 in ledger.products.items() if there.get(path) != sha256]
    return wrong + [path for path in there if path not in ledger.products]


def half_made(output: Path) -> list[str]:
    """Files under a final name that are not whole: what `place` puts there is read-only from the beginning."""
    root = output / ARCHIVE / "processed_data"
    return [
        str(path)
        for path in root.rglob("*.txt")
        if not path.name.startswith(".") and not path.read_text().endswith("\n")
    ]


def starts(output: Path) -> Counter[str]:
    """How often the program was started for each task."""
    path = output / "starts"
    return Counter(path.read_text().splitlines()) if path.exists() else Counter()

"""A head that is killed while it writes leaves a record that is whole, with everything that was confirmed."""

import random
import signal
import subprocess
import sys
import textwrap
import time

from daxa.outcome import State
from daxa.store.records import ArchiveRecord

WRITER = """
    import sys
    from daxa.ids import DataId, TaskKey
    from daxa.outcome import State
    from daxa.store.records import ArchiveRecord, ProductEntry, TaskEntry
    record, start = ArchiveRecord.open(sys.argv[1]), int(sys.argv[2])
    with record.writing():
        record.interrupt_running().result()
        for number in range(start, start + 100_000):
            key = TaskKey("clean", DataId("m", f"{number:08d}"))
            record.journal([TaskEntry(key=key, state=State.RUNNING, attempt=1, started=1.0)])
            product = ProductEntry(key="events", kind="events", path=f"{number}.fits", size=1, mtime_ns=1)
            record.replace_products(key, [product])
            done = record.journal([TaskEntry(key=key, state=State.SUCCEEDED, attempt=1, started=1.0, ended=2.0)])
            if number % 7 == 0:
                done.result()
                print(number, flush=True)
"""


def test_killed_writers(path):
    ArchiveRecord.create(path).close()
    chance = random.Random(20261123)
    start, confirmed = 0, []
    for _ in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(WRITER), str(path), str(start)], stdout=subprocess.PIPE, text=True
        )
        confirmed.append(int(process.stdout.readline()))
        time.sleep(chance.uniform(0.0, 0.25))
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate()
        confirmed += [int(line) for line in rest.splitlines(keepends=True) if line.endswith("\n")]
        start += 100_000

        record = ArchiveRecord.open(path)
        assert record.db.read("PRAGMA integrity_check")[0][0] == "ok"
        succeeded = {int(entry.obs_id) for entry in record.tasks(state=State.SUCCEEDED)}
        assert set(confirmed) <= succeeded, "what was confirmed is there"
        assert {int(product.obs_id) for product in record.products()} >= succeeded
        assert set(record.counts()) <= {State.SUCCEEDED, State.RUNNING, State.INTERRUPTED}
        with record.writing():  # the dead head's lease is free at once
            record.interrupt_running().result()
        assert State.RUNNING not in record.counts()
        record.close()

"""The cache of catalogues, with several processes at once, and with processes that are killed while they write it."""

import asyncio
import random
import signal
import subprocess
import sys
import textwrap
import time

import pandas as pd

import daxa_chandra.testing
from daxa.context import Context
from daxa.mission import Chandra
from daxa.mission.catalogue import service_key
from daxa.store.catalogues import FILE, CatalogueCache
from daxa_testing.sky import Sky

SERVICE = "sky:/heasarc.gsfc.nasa.gov/xamin/vo/tap"

LOADER = """
    import asyncio
    from daxa.mission import Chandra

    async def load():
        for _ in range(3):
            mission = Chandra()
            await mission.load(refresh=True)
            await Chandra().load()
        print(len(mission.all_obs_info), mission.all_obs_info["ObsID"].iloc[-1])

    asyncio.run(load())
"""

WRITER = """
    import sys
    import pandas as pd
    from daxa.store.catalogues import CatalogueCache

    cache = CatalogueCache.open(sys.argv[1])
    for number in range(int(sys.argv[2]), 1_000_000):
        table = pd.DataFrame({name: [number] * 20_000 for name in "abcdef"})
        cache.put("m", "u", table, source=str(number), fetched_at=float(number)).result()
        print(number, flush=True)
"""


def sky_of(number):
    sky = Sky(latency=0.01)
    rows = [daxa_chandra.testing.row(str(100 + one), 1.0, 2.0, "2005-01-01T00:00:00", 9.0) for one in range(number)]
    daxa_chandra.testing.add_rows(sky, rows)
    return sky


def start(script, *arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options,
    )  # fmt: skip


def test_processes_fetch_and_share_one_catalogue(tmp_path):
    import os

    kept = {name: value for name, value in os.environ.items() if not name.startswith("DAXA_")}
    with sky_of(300).running_in_thread() as running:
        environment = {**kept, **running.environment(tmp_path)}
        processes = [start(LOADER, env=environment) for _ in range(4)]
        for process in processes:
            out, errors = process.communicate(timeout=60)
            assert (process.returncode, out.split()) == (0, ["300", "399"]), errors
        asked = len(running.requests)
        context = Context(**running.settings(), cache=str(tmp_path / "cache"), output=str(tmp_path / "output"))
        mission = Chandra(context=context)
        asyncio.run(mission.load())
        assert len(mission.all_obs_info) == 300 and len(running.requests) == asked  # it was in the cache
        assert service_key(context, ["HEASARC_TAP"]) == SERVICE


def test_a_process_that_is_killed_leaves_one_whole_catalogue(tmp_path):
    """Whatever the moment: all columns are of one and the same writing, the last that was confirmed or the next."""
    chance = random.Random(20261123)
    with CatalogueCache.open(tmp_path) as cache:
        cache.put(
            "m", "u", pd.DataFrame({name: [0] * 20_000 for name in "abcdef"}), source="0", fetched_at=0.0
        ).result()
    number = 0
    for _ in range(8):
        process = start(WRITER, str(tmp_path), str(number + 1))
        confirmed = int(process.stdout.readline())
        time.sleep(chance.uniform(0.0, 0.1))
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate()
        confirmed = max([confirmed, *(int(line) for line in rest.splitlines(keepends=True) if line.endswith("\n"))])
        with CatalogueCache.open(tmp_path) as cache:
            found = cache.get("m", "u")
            assert cache.db.read("PRAGMA integrity_check")[0][0] == "ok"
        number = int(found.source)
        assert number in (confirmed, confirmed + 1)
        assert found.fetched_at == number and len(found.table) == 20_000
        assert (found.table == number).to_numpy().all()
    assert [path.name for path in tmp_path.iterdir() if "damaged" in path.name] == []
    assert (tmp_path / FILE).exists()

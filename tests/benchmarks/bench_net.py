"""B1 and B2: many small files from afar, and one big file from next door."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import shutil
import socket
import statistics
import struct
import subprocess
import tempfile
import time
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.table import Row, ratio_of, side_by_side

IDS = {"B1", "B2"}
ROOT = "https://heasarc.gsfc.nasa.gov/FTP/nustar/data/obs/00/8/"
OBSERVATIONS = 12
DIRECTORIES = {"auxil": 9, "event_cl": 12, "event_uf": 10, "hk": 11}  # and one file beside them: 43 an observation
SMALLEST, BIGGEST = 8_000, 3_000_000
LATE = 0.05
BIG = 1 << 30
PIECE = 1 << 24


# --- the tree of B1 ---------------------------------------------------------------------------------------------------


def fits_like(size: int, random: np.random.Generator) -> bytes:
    """Make a whole FITS file that is about so big once it is packed."""
    length = max(2880, 2 * size // 2880 * 2880)
    cards = ["SIMPLE  =                    T", "BITPIX  =                    8", "NAXIS   =                    1"]
    cards += [f"NAXIS1  = {length:>20}", "END"]
    header = "".join(f"{card:<80}" for card in cards).ljust(2880).encode()
    return header + random.integers(0, 16, length, dtype=np.uint8).tobytes()


def tree() -> Iterator[tuple[str, bytes]]:
    """The files of all observations: paths and contents. Their sizes are spread evenly on a logarithmic scale."""
    random = np.random.default_rng(20261124)
    sizes = np.geomspace(SMALLEST, BIGGEST, 43)
    packed = [zlib.compress(fits_like(int(size), random), 1, 31) for size in sizes]
    for number in range(OBSERVATIONS):
        obs_id = f"800{number:08d}"
        names = [f"nu{obs_id}.cat.gz"]
        for directory, files in DIRECTORIES.items():
            ending = "evt.gz" if directory.startswith("event") else "fits.gz"
            names += [f"{directory}/nu{obs_id}_{file:02d}.{ending}" for file in range(files)]
        for name, content in zip(names, random.permutation(np.array(packed, dtype=object)), strict=True):
            yield f"{obs_id}/{name}", content


def serve_tree(line: Connection) -> None:
    """Serve the tree in a process of its own until the line is closed; says first where, and what there is."""
    from daxa_testing.sky import Sky

    sky = Sky(latency=LATE)
    paths = []
    for path, content in tree():
        sky.add_file(ROOT + path, content)
        paths.append(path)

    async def serve() -> None:
        async with sky.serve() as running:
            line.send((running.local(ROOT), paths))
            await asyncio.to_thread(line.poll, None)

    asyncio.run(serve())


@contextmanager
def tree_server() -> Iterator[tuple[str, list[str]]]:
    """Serve the tree for the length of a block."""
    here, there = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve_tree, args=(there,), daemon=True)
    process.start()
    there.close()
    try:
        yield here.recv()
    finally:
        here.close()
        process.join(10)
        process.kill()


class Observatory:
    """What a mission's download asks of it: the files of an observation, as its directories list them."""

    def __init__(self, url: str, unpack: bool) -> None:
        self.url, self.unpack = url, unpack

    async def remote_files(self, obs: Mapping[str, Any], want: Any, net: Any) -> AsyncIterator[Any]:
        """Name the files; event lists may be unpacked, the rest is kept as it is."""
        from daxa.specs import Location, RemoteFile

        del want
        base = f"{self.url}{obs['ObsID']}/"
        for directory in ("", *(f"{one}/" for one in DIRECTORIES)):
            for entry in await net.listing(base + directory):
                if entry.is_dir:
                    continue
                unpacked = self.unpack and entry.name.endswith("evt.gz")
                yield RemoteFile(
                    obs_id=obs["ObsID"],
                    path=directory + (entry.name.removesuffix(".gz") if unpacked else entry.name),
                    locations=(Location(url=base + directory + entry.name),),
                    unpack="gzip" if unpacked else "none",
                )


async def fetch_tree(url: str, directory: Path, connections: int, unpack: bool = False) -> None:
    """Fetch all observations as a mission's download does: listed, fetched, verified to the last checksum, recorded."""
    from daxa.config import Config
    from daxa.context import Context
    from daxa.mission.fetching import Fetching
    from daxa.net.client import open_net
    from daxa.specs import Want
    from daxa.store.downloads import DownloadRecord

    context = Context(Config({"offline": False}))
    record = DownloadRecord.open(directory)
    try:
        async with open_net(context) as net:
            context.hosts.set(url, connections)
            fetching = Fetching(
                mission=Observatory(url, unpack), name="nustar_pointed", directory=directory, want=Want(), service=url,
                sky=None, context=context, record=record, net=net,
            )  # fmt: skip
            results = await fetching.run([{"ObsID": f"800{number:08d}"} for number in range(OBSERVATIONS)])
    finally:
        record.close()
    fetched = [file for result in results.values() for file in result.files if file.state == "fetched"]
    assert len(fetched) == OBSERVATIONS * 43, next(iter(results.values()))


async def get_all(urls: list[str], connections: int) -> None:
    """Get addresses into memory with nothing but aiohttp."""
    import aiohttp

    connector = aiohttp.TCPConnector(limit=connections)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:

        async def get(url: str) -> None:
            async with session.get(url) as response:
                response.raise_for_status()
                await response.read()

        await asyncio.gather(*map(get, urls))


def keep(path: Path, content: bytes) -> None:
    """Write a file and unpack it to its last checksum, for nothing else than to know that it is whole."""
    path.write_bytes(content)
    member = zlib.decompressobj(31)
    for start in range(0, len(content), 1 << 20):
        member.decompress(content[start : start + (1 << 20)])
    assert member.eof


async def get_and_keep(urls: list[str], directory: Path, connections: int) -> None:
    """Get addresses with nothing but aiohttp, and write and check the files in threads."""
    import aiohttp

    loop = asyncio.get_running_loop()
    connector = aiohttp.TCPConnector(limit=connections)
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:

            async def get(number: int, url: str) -> None:
                async with session.get(url) as response:
                    response.raise_for_status()
                    content = await response.read()
                if url.endswith(".gz"):
                    await loop.run_in_executor(threads, keep, directory / str(number), content)

            await asyncio.gather(*(get(number, url) for number, url in enumerate(urls)))


def run_aria2c(program: str, urls: list[str], directory: Path, connections: int) -> None:
    """Have aria2c fetch addresses to files."""
    lines = "".join(f"{url}\n  out={number}\n" for number, url in enumerate(urls))
    subprocess.run(
        [program, "--input-file=-", f"--dir={directory}", f"--max-concurrent-downloads={connections}", "--split=1",
         "--max-connection-per-server=1", "--file-allocation=none", "--quiet", "--no-conf"],
        input=lines.encode(), check=True,
    )  # fmt: skip


def many_small() -> list[Row]:
    """B1."""
    rows = []
    aria2c = shutil.which("aria2c")
    if aria2c is None:
        print("B1: there is no aria2c here; its row is left out")
    with tree_server() as (url, paths), tempfile.TemporaryDirectory() as directory:
        target = Path(directory) / "target"

        def clear() -> None:
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir()

        folders = {path.rpartition("/")[0] + "/" for path in paths}
        urls = [url + path for path in sorted(folders) + paths]
        for connections, limit, runs in ((4, 1.15, 3), (16, 1.25, 5)):
            calls: list[Callable[[], object]] = [
                lambda n=connections: asyncio.run(fetch_tree(url, target, n)),
                lambda n=connections: asyncio.run(get_all(urls, n)),
            ]
            calls.append(lambda n=connections: asyncio.run(fetch_tree(url, target, n, unpack=True)))
            calls.append(lambda n=connections: asyncio.run(get_and_keep(urls, target, n)))
            if aria2c is not None:
                calls.append(partial(run_aria2c, aria2c, urls, target, connections))
            times = side_by_side(calls, runs, warm=0, before=clear)
            figure = statistics.median(times[0])
            work = (
                f"516 files, {len(urls)} requests {1000 * LATE:.0f} ms late, {connections} at once (median of {runs})"
            )
            ratio = ratio_of(times[0], times[1])
            rows.append(
                Row("B1", work, figure, statistics.median(times[1]), "s", ratio, f"<= {limit} x bare aiohttp", ratio <= limit)
            )  # fmt: skip
            ratio = ratio_of(times[2], times[1])
            unpacked = "the same, and 264 event lists unpacked and hashed"
            rows.append(
                Row("B1", unpacked, statistics.median(times[2]), statistics.median(times[1]), "s", ratio, "for comparison", True)
            )  # fmt: skip
            ratio = ratio_of(times[0], times[3])
            checked = "the same beside aiohttp with every file written and checked"
            rows.append(Row("B1", checked, figure, statistics.median(times[3]), "s", ratio, "for comparison", True))
            if aria2c is not None:
                ratio = ratio_of(times[0], times[4])
                rows.append(
                    Row("B1", work, figure, statistics.median(times[4]), "s", ratio, "faster than aria2c", ratio < 1)
                )
    return rows


# --- the file of B2 ---------------------------------------------------------------------------------------------------


def big_files(directory: Path) -> None:
    """Write a file of 1 GiB, and the same packed: one piece over and over, so that packing takes one piece's time."""
    piece = np.random.default_rng(20261125).integers(0, 16, PIECE, dtype=np.uint8).tobytes()
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    packed = packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH)  # what follows does not look back over this point
    checksum = 0
    with (directory / "big.dat").open("wb") as plain, (directory / "big.dat.gz").open("wb") as other:
        other.write(b"\x1f\x8b\x08" + b"\0" * 6 + b"\xff")
        for _ in range(BIG // PIECE):
            plain.write(piece)
            other.write(packed)
            checksum = zlib.crc32(piece, checksum)
        other.write(packer.flush() + struct.pack("<II", checksum, BIG & 0xFFFFFFFF))


@contextmanager
def nginx_server(program: str, directory: Path) -> Iterator[str]:
    """Serve a directory with nginx on the loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    scratch = directory / "nginx"
    scratch.mkdir()
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "".join(f"{kind}_temp_path {scratch / kind};" for kind in kinds)
    (scratch / "conf").write_text(
        f"daemon off; master_process off; pid {scratch}/pid; error_log stderr error; events {{}}"
        f" http {{ access_log off; sendfile on; tcp_nopush on; {places} default_type application/octet-stream;"
        f" server {{ listen 127.0.0.1:{port}; root {directory}; }} }}\n"
    )
    process = subprocess.Popen([program, "-p", str(scratch), "-e", "stderr", "-c", str(scratch / "conf")])
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait()


async def fetch_big(url: str, directory: Path) -> None:
    """Fetch one file; a packed one is unpacked."""
    from daxa.config import Config
    from daxa.context import Context
    from daxa.net.client import open_net
    from daxa.specs import Location, RemoteFile

    remote = RemoteFile(
        obs_id="1", path="big.dat", locations=(Location(url=url),), unpack="gzip" if url.endswith(".gz") else "none"
    )
    async with open_net(Context(Config({"offline": False}))) as net:
        result = await net.fetch(remote, directory)
    assert result.files[0].size == BIG


def one_big() -> list[Row]:
    """B2."""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/opt/homebrew/bin")
    missing = [
        name for name, found in (("nginx", nginx), *((n, shutil.which(n)) for n in ("curl", "gunzip"))) if not found
    ]
    if missing or nginx is None:
        print(f"B2: there is no {' and no '.join(missing)} here; its rows are left out")
        return []
    rows = []
    with tempfile.TemporaryDirectory() as directory:
        if shutil.disk_usage(directory).free < 6 * BIG:
            print(f"B2: {directory} has no room for it; its rows are left out")
            return []
        served, target = Path(directory) / "served", Path(directory) / "target"
        served.mkdir()
        big_files(served)

        def clear() -> None:
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir()

        def curl(url: str) -> None:
            subprocess.run(["curl", "--silent", "--fail", "--output", target / "curl.gz", url], check=True)
            if url.endswith(".gz"):
                subprocess.run(["gunzip", "--force", target / "curl.gz"], check=True)

        with nginx_server(nginx, served) as base:
            for name, least, runs, words in (
                ("big.dat", 0.9, 5, "fetch and verify 1 GiB"),
                ("big.dat.gz", 1.5, 3, "the same packed, unpacked on the way"),
            ):
                url = base + name
                ours, theirs = side_by_side(
                    (lambda one=url: asyncio.run(fetch_big(one, target)), partial(curl, url)),
                    runs,
                    warm=int(runs > 3),
                    before=clear,
                )
                figure, reference = (BIG / 1e6 / statistics.median(one) for one in (ours, theirs))
                ratio = ratio_of(theirs, ours)
                other = "curl-then-gunzip" if name.endswith(".gz") else "curl's speed"
                rows.append(
                    Row("B2", f"{words} (median of {runs})", figure, reference, "MB/s", ratio, f">= {least} x {other}", ratio >= least)
                )  # fmt: skip
    return rows


def run() -> list[Row]:
    """Time both."""
    return many_small() + one_big()

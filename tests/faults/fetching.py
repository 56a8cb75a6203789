"""Fetches files with a record of its own, to be killed at any moment: ``python fetching.py DIRECTORY URLS [JSON]``.

The JSON says what is wrong with the disk: ``limit``, bytes a file may have; ``refuse``, arguments of
:func:`tests.stress.refusing.refuse`; ``block``, the error that every block after the third one meets. ``in_turn`` fetches
one file after the other, so that each is recorded in a transaction of its own.
"""

import asyncio
import errno
import json
import os
import sys
from pathlib import Path

from tests.stress import marks
from tests.stress.refusing import limit_files, refuse

from daxa.context import Context
from daxa.exceptions import DaxaError
from daxa.net import parts
from daxa.net.client import Patience, open_net
from daxa.specs import Location, RemoteFile
from daxa.store.downloads import DownloadRecord, FileEntry


async def main(directory, urls, in_turn):
    record = DownloadRecord.open(directory)
    context = Context(output=str(directory))
    context.hosts.set(urls[0], 4, 0.0)
    async with open_net(context, patience=Patience(first=0.05)) as net:

        async def one(url):
            path = url.rpartition("/")[2].removesuffix(".gz")
            known = {file.url: file for file in record.files("O1")}
            if url in known and record.intact(known[url]):
                return
            remote = RemoteFile(
                obs_id="O1", path=path, locations=[Location(url=url)], unpack="gzip" if url.endswith(".gz") else "none"
            )
            fetched = await net.fetch(remote, directory / "O1")
            (file,) = fetched.files
            await record.record_file(
                FileEntry(
                    obs_id="O1", path=file.path, url=url, part_of="both", size=file.size, sha256=file.sha256,
                    served_size=fetched.size, etag=fetched.etag, attempts=fetched.attempts, service="test",
                )
            )  # fmt: skip

        turn = asyncio.Semaphore(1 if in_turn else len(urls))

        async def next_one(url):
            async with turn:
                await one(url)

        ends = await asyncio.gather(*map(next_one, urls), return_exceptions=True)
    record.close()
    for problem in ends:
        if problem is not None:
            raise problem


def spoil(limit=None, refused=None, block=None):
    if limit is not None:
        limit_files(limit)
    if refused is not None:
        refuse(**refused)
    if block is not None:
        honest, number, written = parts.write_block, getattr(errno, block), []

        def full(stream, data):
            written.append(len(data))
            if len(written) > 3:
                raise OSError(number, os.strerror(number))
            honest(stream, data)

        parts.write_block = full


if __name__ == "__main__":
    marks.install()
    options = json.loads(sys.argv[3] if len(sys.argv) > 3 else "{}")
    in_turn = options.pop("in_turn", False)
    spoil(**options)
    try:
        asyncio.run(main(Path(sys.argv[1]), json.loads(sys.argv[2]), in_turn))
    except DaxaError as failure:
        print(json.dumps({"type": type(failure).__name__, "message": str(failure)}), file=sys.stderr)
        sys.exit(3)

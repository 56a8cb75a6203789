"""Fetches files with a record of its own, to be killed at any moment: ``python fetching.py DIRECTORY URL...``."""

import asyncio
import json
import sys
from pathlib import Path

from daxa.context import Context
from daxa.net.client import Patience, open_net
from daxa.specs import Location, RemoteFile
from daxa.store.downloads import DownloadRecord, FileEntry


async def main(directory, urls):
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

        await asyncio.gather(*(one(url) for url in urls))
    record.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), json.loads(sys.argv[2])))

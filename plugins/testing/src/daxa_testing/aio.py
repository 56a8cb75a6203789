"""The download servlet of ESA's archives: one address, whose reply may be a tar, a compressed tar, or one bare file.

It tells no length and knows no ranges; the kind of a reply stands in its Content-Disposition.
"""

from __future__ import annotations

import gzip
import io
import re
import tarfile
from pathlib import Path
from typing import Final

from aiohttp import web
from attrs import define, field, frozen

_PPS: Final = re.compile(
    r"P(?P<obs>\d{10})(?P<inst>..)(?P<flag>[SUX])(?P<exp>\d{3})(?P<name>.{6})(?P<slice>.)(?P<source>.{3})\.(?P<ext>\w+)\Z"
)
_NOTHING: Final = "<html><body>The requested observation or product could not be found.</body></html>"


@frozen
class Member:
    """A file of an observation: ``ODF`` or ``PPS``, name, and content."""

    level: str
    name: str
    content: bytes | Path

    def read(self) -> bytes:
        """Its bytes."""
        return self.content.read_bytes() if isinstance(self.content, Path) else self.content


def _tar(members: list[tuple[str, bytes]], mode: str = "w") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode, format=tarfile.USTAR_FORMAT) as archive:  # type: ignore[call-overload]
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            info.mtime = 1_700_000_000
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@define
class Servlet:
    """The servlet's observations."""

    observations: dict[str, list[Member]] = field(factory=dict)
    proprietary: set[str] = field(factory=set)

    def add(self, obs_id: str, level: str, name: str, content: bytes | Path) -> None:
        """Add a file to an observation."""
        self.observations.setdefault(obs_id, []).append(Member(level, name, content))

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer ``.../data-action-aio?obsno=...``."""
        query = {key.lower(): value for key, value in request.query.items()}
        obs_id = query.get("obsno", "")
        if obs_id in self.proprietary:
            return web.Response(status=401, text="proprietary", content_type="text/plain")
        level = query.get("level", "").upper()
        members = [
            one
            for one in self.observations.get(obs_id, [])
            if (not level or one.level == level) and _passes(one, query)
        ]
        if not members:
            return web.Response(text=_NOTHING, content_type="text/html")
        name, body = _reply(obs_id, level, members)
        response = web.StreamResponse(
            headers={
                "Content-Disposition": f'attachment; filename="{name}"',
                "Content-Type": "application/octet-stream",
            }
        )
        response.enable_chunked_encoding()
        await response.prepare(request)
        if request.method != "HEAD":
            for start in range(0, len(body), 1 << 18):
                await response.write(body[start : start + (1 << 18)])
        return response


def _passes(member: Member, query: dict[str, str]) -> bool:
    """Whether a member passes the filters of a query."""
    parts = _PPS.match(member.name)
    if parts is None:
        inst = member.name.partition("_")[2].partition("_")[2][:2] if member.level == "ODF" else ""
        return not query.get("instname") or inst in (query["instname"], "SC", "RM") or not inst
    wanted = {
        "instname": parts["inst"],
        "expflag": parts["flag"],
        "expno": parts["exp"],
        "datasubsetno": parts["slice"],
        "sourceno": parts["source"],
    }
    if any(key in query and query[key] != value for key, value in wanted.items()):
        return False
    if "name" in query and query["name"] not in member.name:
        return False
    return "extension" not in query or parts["ext"].upper() == query["extension"].upper()


def _reply(obs_id: str, level: str, members: list[Member]) -> tuple[str, bytes]:
    if level == "ODF":
        inner_name = members[0].name.partition("_")[0] + f"_{obs_id}.TAR"
        inner = _tar([(one.name, one.read()) for one in members])
        outer = _tar([(inner_name, inner), ("MANIFEST.000001", b"")])
        return f"{obs_id}.tar.gz", gzip.compress(outer, 1, mtime=0)
    if len(members) == 1:
        return members[0].name, members[0].read()
    folders = {"ODF": "odf", "PPS": "pps"}
    return f"{obs_id}.tar", _tar([(f"{obs_id}/{folders[one.level]}/{one.name}", one.read()) for one in members])

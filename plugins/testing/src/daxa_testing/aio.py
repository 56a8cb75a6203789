"""The download servlet of ESA's archives: one address, whose reply may be a tar, a compressed tar, or one bare file.

It tells no length and knows no ranges; the kind of a reply stands in its Content-Disposition.
"""

from __future__ import annotations

import gzip
import io
import re
import tarfile
from collections import Counter
from pathlib import Path
from typing import Final, Literal

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


Manner = Literal["usual", "tar", "bare", "empty", "text", "page", "nothing", "cut", "dropped"]


@define
class Servlet:
    """The servlet's observations.

    Attributes
    ----------
    observations : dict of str to list of Member
        Files by observation.
    proprietary : set of str
        Observations that are shown to those alone who have an account.
    accounts : dict of str to str
        Passwords by user name.
    older : bool
        Whether a refusal is a success with a text, as it was once, and not a status of 401.
    manners : dict of str to str
        How observations are answered that are not answered as usual: ``tar``, an ODF as one plain tar; ``bare``, an
        ODF whose tar is not packed again; ``empty``, a success without anything; ``text`` and ``page``, a success that
        says in words that there is nothing; ``nothing``, a file is named and not sent; ``cut``, the first reply with
        a body ends early, as if that were all; ``dropped``, its connection ends early.
    replies : Counter
        Bodies that were begun, by observation.
    """

    observations: dict[str, list[Member]] = field(factory=dict)
    proprietary: set[str] = field(factory=set)
    accounts: dict[str, str] = field(factory=dict)
    older: bool = False
    manners: dict[str, Manner] = field(factory=dict)
    replies: Counter[str] = field(factory=Counter)

    def add(self, obs_id: str, level: str, name: str, content: bytes | Path) -> None:
        """Add a file to an observation."""
        self.observations.setdefault(obs_id, []).append(Member(level, name, content))

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer ``.../data-action-aio?obsno=...``."""
        response = await self._answered(request)
        if not response.prepared and "Content-Type" in response.headers:
            response.enable_chunked_encoding()  # it never tells a length, of words neither
        return response

    async def _answered(self, request: web.Request) -> web.StreamResponse:
        query = {key.lower(): value for key, value in request.query.items()}
        obs_id = query.get("obsno", "")
        if "aiouser" in query and self.accounts.get(query["aiouser"]) != query.get("aiopwd"):
            return web.Response()  # without a type: that is how it says that it does not know them
        if obs_id in self.proprietary and "aiouser" not in query:
            status = 200 if self.older else 401
            return web.Response(status=status, text="proprietary", content_type="text/plain")
        manner = self.manners.get(obs_id, "usual")
        level = query.get("level", "").upper()
        members = [
            one
            for one in self.observations.get(obs_id, [])
            if (not level or one.level == level) and _passes(one, query)
        ]
        if manner == "empty":
            return web.Response(content_type="application/octet-stream")
        if not members or manner in ("text", "page"):
            kind = "text/plain" if manner == "text" else "text/html"
            return web.Response(text=_NOTHING, content_type=kind)
        name, body = _reply(obs_id, level, members, manner)
        return await self._sent(request, obs_id, name, body)

    async def _sent(self, request: web.Request, obs_id: str, name: str, body: bytes) -> web.StreamResponse:
        """Send a file: no length is told, and no range is known."""
        manner = self.manners.get(obs_id, "usual")
        response = web.StreamResponse(
            headers={
                "Content-Disposition": f'attachment; filename="{name}"',
                "Content-Type": "application/octet-stream",
            }
        )
        response.enable_chunked_encoding()
        await response.prepare(request)
        if request.method == "HEAD":
            return response
        first = not self.replies[obs_id]
        self.replies[obs_id] += 1
        if manner == "nothing":
            body = b""
        elif manner in ("cut", "dropped") and first:
            body = body[: len(body) // 2]
        for start in range(0, len(body), 1 << 18):
            await response.write(body[start : start + (1 << 18)])
        if manner == "dropped" and first and request.transport is not None:
            request.transport.close()
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


def _packed(obs_id: str, members: list[Member], manner: Manner) -> bytes:
    """Pack an ODF: a tar within a compressed tar, or less where the manner has it."""
    content = [(one.name, one.read()) for one in members]
    if manner == "tar":
        return _tar(content)
    inner = (members[0].name.partition("_")[0] + f"_{obs_id}.TAR", _tar(content))
    summary = [pair for pair in content if pair[0].endswith("SUM.ASC")]  # it lies beside the tar as well
    outer = _tar([inner, ("MANIFEST.000001", b""), *summary])
    return outer if manner == "bare" else gzip.compress(outer, 1, mtime=0)


def _reply(obs_id: str, level: str, members: list[Member], manner: Manner) -> tuple[str, bytes]:
    if level == "ODF":
        ending = "tar" if manner in ("tar", "bare") else "tar.gz"
        return f"{obs_id}.{ending}", _packed(obs_id, members, manner)
    if level and len(members) == 1 and manner != "tar":
        return members[0].name, members[0].read()
    odf = [one for one in members if one.level == "ODF"]
    inside = [(f"{obs_id}/odf/{obs_id}.tar.gz", _packed(obs_id, odf, "usual"))] if odf else []
    inside += [(f"{obs_id}/pps/{one.name}", one.read()) for one in members if one.level == "PPS"]
    return f"{obs_id}.tar", _tar(inside)

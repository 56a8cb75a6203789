"""Transient faults for a whole sky: a share of its requests meets one, and the next try is answered as it should be.

Which request meets which is drawn from a seed and the address, not from the order in which requests come.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Final

from aiohttp import web
from attrs import define, field

from daxa_testing.apache import FRONT_END_404, StoredFile, Tree

_ANY: Final = ("busy", "broken", "reset")
_OF_PAGES: Final = (*_ANY, "short")
_OF_FILES: Final = (*_ANY, "cut", "page", "gone")
_WRONG: Final = "<html><head><title>Oops</title></head><body>Software error</body></html>"


@define
class Disturbance:
    """What disturbs a sky.

    Parameters
    ----------
    share : float
        Share of requests that meet a fault.
    seed : int
        Which requests these are.
    in_a_row : int
        Most faults that one address meets, one after the other.

    Attributes
    ----------
    met : Counter
        Faults by kind: ``busy`` (503), ``broken`` (500), ``reset`` before an answer; a file ``cut`` in the middle, a
        ``page`` in its place, and the 404 of a front-end for one that is there (``gone``); a ``short`` listing.
    """

    share: float
    seed: int = 0
    in_a_row: int = 2
    met: Counter[str] = field(factory=Counter, init=False)
    _row: Counter[str] = field(factory=Counter, init=False)
    _asked: Counter[str] = field(factory=Counter, init=False)

    def fault(self, method: str, path_qs: str, kinds: tuple[str, ...]) -> str | None:
        """Draw the fault of a request; None for most."""
        key = f"{method} {path_qs}"
        digest = hashlib.sha256(f"{self.seed} {self._asked[key]} {key}".encode()).digest()
        self._asked[key] += 1
        if self._row[key] >= self.in_a_row or int.from_bytes(digest[:6]) >= self.share * 2**48:
            self._row[key] = 0
            return None
        self._row[key] += 1
        kind = kinds[digest[6] % len(kinds)]
        self.met[kind] += 1
        return kind

    async def answer(self, request: web.Request, tree: Tree, path: str) -> web.StreamResponse | None:
        """Answer a request wrongly; None if it is to be answered as it should be.

        Parameters
        ----------
        request : aiohttp.web.Request
            The request.
        tree : Tree
            Files of the host.
        path : str
            What is asked for there, decoded.
        """
        stored = tree.files.get(path) if request.method == "GET" else None
        kinds = _OF_FILES if stored is not None else _OF_PAGES if path in tree.directories else _ANY
        match self.fault(request.method, request.path_qs, kinds):
            case None:
                return None
            case "busy":
                return web.Response(status=503, headers={"Retry-After": "0"})
            case "broken":
                return web.Response(status=500, text="Internal Server Error")
            case "gone":
                return web.Response(status=404, text=FRONT_END_404)
            case "page":
                return web.Response(text=_WRONG, content_type="text/html")
            case "short":
                return web.Response(text=f"<html><head><title>Index of {path}</title></head>", content_type="text/html")
            case "cut" if stored is not None:
                return await _cut(request, stored)
            case _:
                return _reset(request)


async def _cut(request: web.Request, stored: StoredFile) -> web.StreamResponse:
    """Announce a whole file and send half of it."""
    response = web.StreamResponse(headers={"ETag": stored.etag, "Content-Type": "application/octet-stream"})
    response.content_length = stored.size
    await response.prepare(request)
    for block in stored.read(0, stored.size // 2):
        await response.write(block)
    _broken_off(request)
    return response


def _reset(request: web.Request) -> web.StreamResponse:
    _broken_off(request)
    return web.Response(status=500)


def _broken_off(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.close()

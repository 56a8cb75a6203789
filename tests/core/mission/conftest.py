import asyncio
import importlib.util
import json
import sys
import threading
from pathlib import Path

import pytest
from aiohttp import web

from daxa.context import Context, use_context
from daxa.plugins import Plugins


def _load_lab():
    spec = importlib.util.spec_from_file_location("daxa_lab", Path(__file__).with_name("lab.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules["daxa_lab"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def lab():
    return sys.modules.get("daxa_lab") or _load_lab()


class Server:
    """A real server in a thread: a tree of bytes, a log, and statuses that are given instead."""

    def __init__(self):
        self.tree = {}
        self.log = []
        self.statuses = {}

    async def _answer(self, request):
        self.log.append(request.path_qs)
        planned = self.statuses.get(request.path)
        if planned:
            return web.Response(status=planned)
        if request.path.startswith("/sesame"):
            place = self.tree.get("/sesame/" + request.query_string)
            text = f"# {request.query_string}\n%J {place}\n" if place else "#!SIMBAD: nothing found\n"
            return web.Response(text=text)
        body = self.tree.get(request.path)
        if body is None:
            return web.Response(status=404)
        return web.Response(body=body, headers={"ETag": f'"{hash(body)}"'})

    def __enter__(self):
        started = threading.Event()

        async def main():
            application = web.Application()
            application.router.add_route("*", "/{path:.*}", self._answer)
            runner = web.AppRunner(application)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
            self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
            started.set()
            await self._stop.wait()
            await runner.cleanup()

        self._thread = threading.Thread(target=asyncio.run, args=(main(),))
        self._thread.start()
        started.wait()
        return self

    def __exit__(self, *failure):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def put_catalogue(self, table):
        plain = table.copy()
        for name in ("start", "end", "proprietary_end_date"):
            if name in plain:
                plain[name] = [None if one != one else str(one) for one in plain[name]]
        if "duration" in plain:
            plain["duration"] = plain["duration"].dt.total_seconds()
        self.tree["/tables/catalogue.json"] = json.dumps(plain.to_dict("list")).encode()

    def put_observation(self, obs_id, files):
        for name, body in files.items():
            self.tree[f"/files/{obs_id}/{name}"] = body
        index = {name: len(body) for name, body in files.items()}
        self.tree[f"/files/{obs_id}/index.json"] = json.dumps(index).encode()

    def fetched(self, ending=""):
        return [one for one in self.log if one.startswith("/files/") and one.endswith(ending)]


@pytest.fixture
def server(lab):
    with Server() as server:
        server.put_catalogue(lab.rows(300))
        yield server


@pytest.fixture
def make_context(lab, server):
    def make(**settings):
        plugins = Plugins()
        plugins.register(lab.plugin, "lab")
        addresses = {
            "url_lab": f"{server.url}/files/",
            "url_lab_tables": f"{server.url}/tables/",
            "url_sesame": f"{server.url}/sesame",
        }
        return Context(plugins=plugins, **{**addresses, **settings})

    return make


@pytest.fixture
def context(make_context):
    with use_context(make_context()) as context:
        yield context


@pytest.fixture(autouse=True)
def quick_patience(monkeypatch):
    import daxa.net.client

    monkeypatch.setattr(daxa.net.client.Patience, "wait", lambda self, attempt: 0.01)

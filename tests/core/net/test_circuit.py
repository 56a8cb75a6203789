"""Hosts that are down: left alone by every session of a context, side by side and one after the other."""

import asyncio
import threading
import time

import anyio
import pytest

from daxa.context import Context
from daxa.exceptions import NetworkError
from daxa.hosts import HostLimits
from daxa.net.circuit import Circuit
from daxa.net.client import Patience, open_net
from daxa.specs import Location, RemoteFile
from daxa_testing import faults
from daxa_testing.faults import FaultyServer

URL = "https://archive.example/data/"
PATIENCE = Patience(attempts=1, first=0.01, failures=3, cooling=0.5)


def down(server):
    path = server.add("/f", b"yes", faults.status(500, 99))
    return server.url(path)


@pytest.fixture
async def server():
    async with FaultyServer().serve() as running:
        yield running


@pytest.mark.anyio
async def test_sessions_one_after_the_other_leave_a_host_alone_until_its_time_is_over(server, tmp_path):
    url, context = down(server), Context(output=str(tmp_path))
    for _ in range(3):
        async with open_net(context, patience=PATIENCE) as net:
            with pytest.raises(NetworkError, match="500"):
                await net.get(url)
    async with open_net(context, patience=PATIENCE) as net:
        with pytest.raises(NetworkError, match="left alone after 3 failures"):
            await net.get(url)
        one = RemoteFile(obs_id="O1", path="f", locations=[Location(url=url)])
        with pytest.raises(NetworkError, match="left alone"):
            await net.fetch(one, tmp_path / "raw")
    assert len(server.asked) == 3
    server.faults.clear()
    await anyio.sleep(0.55)
    for _ in range(2):
        async with open_net(context, patience=PATIENCE) as net:
            assert (await net.get(url)).text == "yes"


@pytest.mark.anyio
async def test_sessions_side_by_side_count_together_and_one_answer_frees_all(server, tmp_path):
    url, context = down(server), Context(output=str(tmp_path))
    async with open_net(context, patience=PATIENCE) as one, open_net(context, patience=PATIENCE) as other:
        for net in (one, other, one):
            with pytest.raises(NetworkError, match="500"):
                await net.get(url)
        for net in (one, other):
            with pytest.raises(NetworkError, match="left alone"):
                await net.get(url)
        server.faults.clear()
        await anyio.sleep(0.55)
        assert (await other.get(url)).text == (await one.get(url)).text == "yes"
    assert len(server.asked) == 5


@pytest.mark.anyio
async def test_contexts_know_nothing_of_each_other(server, tmp_path):
    url = down(server)
    async with open_net(Context(output=str(tmp_path)), patience=PATIENCE) as net:
        for _ in range(4):
            with pytest.raises(NetworkError):
                await net.get(url)
    async with open_net(Context(output=str(tmp_path)), patience=PATIENCE) as net:
        with pytest.raises(NetworkError, match="500"):
            await net.get(url)


def test_it_holds_over_event_loops_and_threads(tmp_path):
    context = Context(output=str(tmp_path))
    with FaultyServer().running_in_thread() as server:
        url, told = down(server), []

        async def ask():
            async with open_net(context, patience=PATIENCE) as net:
                with pytest.raises(NetworkError) as caught:
                    await net.get(url)
            told.append("left alone" in str(caught.value))

        for _ in range(3):
            asyncio.run(ask())
        threads = [threading.Thread(target=asyncio.run, args=(ask(),)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert told == [False] * 3 + [True] * 2 and len(server.asked) == 3


def test_after_its_time_one_asks_and_the_others_wait_for_its_answer():
    circuit = Circuit(HostLimits(), 2, 0.1)
    for _ in range(2):
        circuit.check(URL)
        circuit.failed(URL)
    time.sleep(0.11)
    circuit.check(URL + "one")
    with pytest.raises(NetworkError, match="left alone"):
        circuit.check(URL + "other")
    circuit.check("https://elsewhere.example/")
    circuit.answered(URL)
    for _ in range(3):
        circuit.check(URL)


def test_failures_are_counted_in_a_row():
    circuit = Circuit(HostLimits(), 2, 60)
    for _ in range(5):
        circuit.failed(URL)
        circuit.answered(URL)
        circuit.check(URL)


def test_what_a_host_has_failed_survives_a_new_policy():
    hosts = HostLimits()
    circuit = Circuit(hosts, 1, 60)
    circuit.failed(URL)
    hosts.set(URL, 9)
    with pytest.raises(NetworkError, match="left alone"):
        circuit.check(URL)


def test_the_error_names_address_and_host_without_secrets():
    circuit = Circuit(HostLimits(), 1, 60)
    url = "https://me:pw@archive.example/aio?obsno=1&AIOPWD=hunter2"
    circuit.failed(url)
    with pytest.raises(NetworkError, match=r"obsno=1.*https://archive\.example is left alone") as caught:
        circuit.check(url)
    assert "hunter2" not in str(caught.value) and "me:pw" not in str(caught.value)

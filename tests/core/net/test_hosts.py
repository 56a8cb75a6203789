"""Limits of hosts: over all event loops, spaced, adaptive."""

import asyncio
import threading
import time

import anyio
import anyio.to_thread
import pytest

from daxa.context import Context
from daxa.exceptions import NetworkError
from daxa.hosts import HostLimits, origin
from daxa.net.client import Patience, open_net, retry_after, shown
from daxa_testing import faults
from daxa_testing.faults import FaultyServer

URL = "https://archive.example:8443/data/"


def test_two_loops_share_one_limit():
    hosts = HostLimits()
    hosts.set(URL, 3)
    busy, peak, lock = 0, 0, threading.Lock()

    async def one():
        nonlocal busy, peak
        async with hosts.slot(URL):
            with lock:
                busy += 1
                peak = max(peak, busy)
            await asyncio.sleep(0.01)
            with lock:
                busy -= 1

    async def many():
        await asyncio.gather(*(one() for _ in range(30)))

    threads = [threading.Thread(target=asyncio.run, args=(many(),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert peak == 3 and busy == 0


@pytest.mark.anyio
async def test_starts_are_spaced_and_pauses_kept():
    hosts = HostLimits()
    hosts.set(URL, 10, 0.05)
    began = time.monotonic()
    for _ in range(4):
        async with hosts.slot(URL):
            pass
    assert time.monotonic() - began >= 0.14
    hosts.pause(URL, 0.2)
    began = time.monotonic()
    async with hosts.slot(URL):
        assert time.monotonic() - began >= 0.19


@pytest.mark.anyio
async def test_a_busy_host_gets_fewer_at_once_and_slowly_more_again():
    hosts = HostLimits()
    hosts.set(URL, 8)
    for _ in range(2):
        hosts.report(URL, throttled=True)
    assert hosts.allowed(URL) == 2
    for _ in range(15):
        hosts.report(URL, throttled=False)
    assert hosts.allowed(URL) == 3
    for _ in range(200):
        hosts.report(URL, throttled=False)
    assert hosts.allowed(URL) == 8


@pytest.mark.anyio
async def test_who_gives_up_waiting_takes_nothing_away():
    hosts = HostLimits()
    hosts.set(URL, 1)
    async with hosts.slot(URL):
        with anyio.move_on_after(0.05):
            async with hosts.slot(URL):
                raise AssertionError("there was no room")
    with anyio.fail_after(1):
        async with hosts.slot(URL):
            pass


@pytest.mark.anyio
async def test_a_waiter_whose_loop_is_gone_gives_its_turn_to_the_next():
    hosts = HostLimits()
    hosts.set(URL, 1)
    got = []

    async def wait_here():
        async with hosts.slot(URL):
            got.append("here")

    async with anyio.create_task_group() as group:
        async with hosts.slot(URL):
            gone = asyncio.new_event_loop()
            waiting = gone.create_task(wait_here())
            await anyio.to_thread.run_sync(gone.run_until_complete, gone.create_task(asyncio.sleep(0.05)))
            group.start_soon(wait_here)
            await anyio.sleep(0.05)
            gone.close()
        with anyio.fail_after(2):
            while got != ["here"]:
                await anyio.sleep(0.01)
    waiting._log_destroy_pending = False


def test_origins_hold_no_secrets_and_addresses_are_shown_without_them():
    assert origin("https://me:pw@Host.example:80/x?y") == "https://host.example:80"
    text = shown("https://nxsa/aio?obsno=1&AIOUSER=me&AIOPWD=hunter2&x=1")
    assert "hunter2" not in text and "me&" not in text and "obsno=1" in text


@pytest.mark.parametrize(("header", "seconds"), [("3", 3.0), ("0.5", 0.5), (None, None), ("soon", None), ("-2", 0.0)])
def test_retry_after(header, seconds):
    assert retry_after(header) == seconds


def test_retry_after_as_a_date():
    assert retry_after("Fri, 01 Jan 2021 00:00:00 GMT") == 0.0


@pytest.mark.anyio
async def test_secrets_never_stand_in_errors(tmp_path):
    async with FaultyServer().serve() as server:
        server.add("/aio?obsno=1&AIOUSER=me&AIOPWD=hunter2", b"", faults.status(503, 99))
        async with open_net(Context(output=str(tmp_path)), patience=Patience(attempts=2, first=0.01)) as net:
            with pytest.raises(NetworkError) as caught:
                await net.get(server.url("/aio?obsno=1&AIOUSER=me&AIOPWD=hunter2"))
    assert "hunter2" not in str(caught.value) + repr(caught.value.context) and "obsno=1" in str(caught.value)


@pytest.mark.anyio
async def test_a_server_that_asks_to_wait_is_obeyed(tmp_path):
    async with FaultyServer().serve() as server:
        path = server.add("/x", b"yes", faults.status(503, 1, Retry_After="0.4"))
        async with open_net(Context(output=str(tmp_path)), patience=Patience(attempts=3, first=0.01)) as net:
            began = time.monotonic()
            reply = await net.get(server.url(path))
        assert reply.text == "yes" and time.monotonic() - began >= 0.39 and server.requests[path] == 2

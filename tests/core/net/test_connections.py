"""Connections are shared by all that ask at the same time, and hosts with several services keep one limit."""

import asyncio

import pytest

from daxa.context import Context
from daxa.net import tap
from daxa.net.client import open_net
from daxa_testing.sky import Column, Sky

pytestmark = pytest.mark.anyio

FTP = "https://heasarc.gsfc.nasa.gov/FTP/"
TAP = "https://heasarc.gsfc.nasa.gov/xamin/vo/tap"


def sky_of(files=40):
    sky = Sky(latency=0.005)
    for number in range(files):
        sky.add_file(f"{FTP}x/{number}.txt", b"x")
    sky.add_table(TAP, "t", [Column("n", "int")], [{"n": 1}])
    return sky


async def test_sessions_side_by_side_hold_no_more_connections_than_the_limit(tmp_path):
    with sky_of().running_in_thread() as running:
        context = Context(**running.settings(), output=str(tmp_path))

        async def mission(first):
            async with open_net(context) as net:
                for start in range(first, 40, 20):
                    await asyncio.gather(*(net.get(f"{net.url('HEASARC')}x/{n}.txt") for n in range(start, start + 5)))

        await asyncio.gather(*map(mission, (0, 5, 10, 15)))
        assert running.peak(FTP) == running.connections(FTP) == 4  # not the two of its tables, not four for each


async def test_tables_of_a_host_are_asked_for_two_at_a_time(tmp_path):
    with sky_of().running_in_thread() as running:
        context = Context(**running.settings(), output=str(tmp_path))
        async with open_net(context) as net:
            queries = (net.tap(net.url("HEASARC_TAP"), f"SELECT n FROM t WHERE n < {n}") for n in range(12))
            await asyncio.gather(*queries)
        assert running.peak(TAP) == tap.AT_ONCE


async def test_a_busy_host_stays_slowed_down_when_somebody_else_begins(tmp_path):
    with sky_of().running_in_thread() as running:
        context = Context(**running.settings(), output=str(tmp_path))
        async with open_net(context) as net:
            context.hosts.report(net.url("HEASARC"), throttled=True)
            async with open_net(context):
                assert context.hosts.allowed(net.url("HEASARC")) == 2


def test_they_are_closed_with_their_last_user_in_one_loop_after_another():
    context = Context()

    async def use():
        async with context.connections.shared() as one:
            async with context.connections.shared() as other:
                assert one is other
            assert not one.closed
        assert one.closed
        return one

    assert asyncio.run(use()) is not asyncio.run(use())

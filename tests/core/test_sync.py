import asyncio
import threading

import pytest

from daxa import run_sync
from daxa.context import Context, current_context, use_context


async def answer(value):
    await asyncio.sleep(0)
    return value, threading.current_thread().name


def test_twice_in_a_script():
    assert run_sync(answer(1))[0] == 1
    assert run_sync(answer(2))[0] == 2


def test_under_a_running_loop_it_still_returns_only_when_done():
    async def main():
        value, thread = run_sync(answer(3))
        return value, thread

    value, thread = asyncio.run(main())
    assert value == 3 and thread == "daxa-run-sync"


@pytest.mark.parametrize("inside", [False, True])
def test_errors_come_through(inside):
    async def fail():
        raise LookupError("gone")

    async def main():
        run_sync(fail())

    with pytest.raises(LookupError, match="gone"):
        asyncio.run(main()) if inside else run_sync(fail())


def test_the_context_in_force_counts_in_the_other_thread():
    async def whose():
        return current_context()

    async def main():
        return run_sync(whose())

    own = Context()
    with use_context(own):
        assert asyncio.run(main()) is own

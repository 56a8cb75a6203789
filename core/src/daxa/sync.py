"""From plain code into asynchronous code: :func:`run_sync`."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable
from contextvars import copy_context
from typing import Any, TypeVar

T = TypeVar("T")


async def _wait_for(awaitable: Awaitable[T]) -> T:
    return await awaitable


def run_sync(awaitable: Awaitable[T]) -> T:
    """Run an awaitable to its end and return its result, in a script and in a notebook alike.

    Where an event loop is running already (notebooks), the work is done by a loop of its own in another thread, and the
    call still returns only when it is done.

    Parameters
    ----------
    awaitable : awaitable
        What to run, e.g. ``mission.download()``.

    Returns
    -------
    object
        What the awaitable returns.

    Raises
    ------
    BaseException
        Whatever it raises.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(_wait_for(awaitable))
    return _run_in_thread(awaitable)


def _run_in_thread(awaitable: Awaitable[T]) -> T:
    result: list[T] = []
    failure: list[BaseException] = []
    started: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = []
    context = copy_context()  # so that use_context() of the caller counts there too

    async def work() -> T:
        task = asyncio.current_task()
        assert task is not None
        started.append((asyncio.get_running_loop(), task))
        return await awaitable

    def body() -> None:
        try:
            result.append(asyncio.run(work()))
        except BaseException as problem:  # noqa: BLE001 - carried over to the waiting thread
            failure.append(problem)

    thread = threading.Thread(target=context.run, args=(body,), name="daxa-run-sync")
    thread.start()
    try:
        thread.join()
    except BaseException:
        # An interrupt reached the waiting thread: end the work first, so that nothing goes on unseen.
        for loop, task in started:
            loop.call_soon_threadsafe(task.cancel)
        thread.join()
        raise
    if failure:
        raise failure[0]
    return result[0]

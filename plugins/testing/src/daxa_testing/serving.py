"""Serving for the length of a block, from a thread with an event loop of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any, TypeVar

T = TypeVar("T")


@contextmanager
def served_in_thread(serve: Callable[[], AbstractAsyncContextManager[T]], name: str) -> Iterator[T]:
    """Enter an asynchronous context manager in a thread, and leave it at the end of the block.

    Parameters
    ----------
    serve : callable
        Makes the context manager.
    name : str
        Name of the thread.

    Returns
    -------
    context manager
        It gives what `serve`'s gives, and raises what that raises on entering.
    """
    ready = threading.Event()
    state: dict[str, Any] = {}

    async def body() -> None:
        done = asyncio.Event()
        state["loop"], state["done"] = asyncio.get_running_loop(), done
        async with serve() as served:
            state["served"] = served
            ready.set()
            await done.wait()

    def run() -> None:
        try:
            asyncio.run(body())
        except BaseException as problem:  # noqa: BLE001 - handed to the waiting thread
            state["problem"] = problem
        finally:
            ready.set()

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    ready.wait()
    if "problem" in state:
        raise state["problem"]
    try:
        yield state["served"]
    finally:
        state["loop"].call_soon_threadsafe(state["done"].set)
        thread.join()

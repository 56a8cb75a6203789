"""Calls that wait to be awaited, and the marks they leave on their mission until they are."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine, Generator, Iterator
from typing import Any, Concatenate, Final, ParamSpec, Protocol, TypeVar

from attrs import define, field

from daxa.exceptions import NotAwaitedError

P = ParamSpec("P")
R = TypeVar("R")

_LONGEST: Final = 60


@define
class Marks:
    """The calls of one mission that were made and have not ended.

    Only their descriptions are kept: a call that its caller dropped leaves its mark all the same.
    """

    _open: dict[int, str] = field(factory=dict)
    _number: int = 0

    def leave(self, description: str) -> int:
        """Note a call; the number takes the mark away."""
        self._number += 1
        self._open[self._number] = description
        return self._number

    def take(self, number: int) -> None:
        """Take away the mark of a call that has ended, and those of earlier, forgotten calls that were the same."""
        description = self._open.pop(number, None)
        for earlier in [one for one, text in self._open.items() if one < number and text == description]:
            del self._open[earlier]

    def clear(self) -> None:
        """Forget all."""
        self._open.clear()

    def refuse(self) -> None:
        """Raise if a call has not been awaited.

        Raises
        ------
        NotAwaitedError
            It names the calls.
        """
        if self._open:
            calls = list(dict.fromkeys(self._open.values()))
            raise NotAwaitedError(
                f"{' and '.join(calls)} {'was' if len(calls) == 1 else 'were'} called, but not awaited to the end.",
                expected=f"`await {calls[0]}`",
                remedy="put `await` (or daxa.run_sync) in front of the call; reset_filter() forgets it",
                calls=calls,
            )


def _shown(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def describe(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """Write a call as its caller did, with long arguments shortened."""
    shown = [_shown(one) for one in args] + [f"{key}={_shown(value)}" for key, value in kwargs.items()]
    return f"{name}({', '.join(shown)})"


class _Steps(Generator[Any, Any, R]):
    """The steps of a call, for the one who awaits it."""

    def __init__(self, call: PendingCall[R]) -> None:
        self._call = call

    def send(self, value: Any) -> Any:
        return self._call.send(value)

    def throw(self, *error: Any) -> Any:
        return self._call.throw(*error)

    def close(self) -> None:
        self._call.close()


class PendingCall(Coroutine[Any, Any, R]):
    """A coroutine that marks its mission from the call until its end.

    ``await``, ``asyncio.gather``, task groups and ``run_sync`` take it as any coroutine. One that is dropped gives no
    warning of Python's: the mission itself will speak of it.

    Parameters
    ----------
    marks : Marks
        The mission's.
    description : str
        The call, as its caller wrote it.
    start : callable
        Makes the coroutine that does the work; called when the first step is taken.
    """

    def __init__(self, marks: Marks, description: str, start: Callable[[], Coroutine[Any, Any, R]]) -> None:
        self.__name__ = self.__qualname__ = description
        self._marks = marks
        self._number = marks.leave(description)
        self._start = start
        self._work: Coroutine[Any, Any, R] | None = None
        self._ended = False

    def _step(self, step: Callable[[Coroutine[Any, Any, R]], Any]) -> Any:
        if self._ended:
            raise RuntimeError("cannot reuse already awaited coroutine")
        if self._work is None:
            self._work = self._start()
        try:
            return step(self._work)
        except BaseException:
            self._ended = True
            self._marks.take(self._number)
            raise

    def send(self, value: Any) -> Any:
        """Take the next step."""
        return self._step(lambda work: work.send(value))

    def throw(self, *error: Any) -> Any:
        """Raise an error, such as a cancellation, where the work stands."""
        return self._step(lambda work: work.throw(*error))

    def close(self) -> None:
        """End the work where it stands. The mark stays if it had not begun."""
        if self._work is not None and not self._ended:
            self._ended = True
            self._work.close()
            self._marks.take(self._number)

    def __await__(self) -> Generator[Any, Any, R]:
        return _Steps(self)

    def __repr__(self) -> str:
        return f"<call not awaited: {self.__name__}>" if self._work is None else f"<call: {self.__name__}>"


class Marked(Protocol):
    """What leaves marks: a mission."""

    @property
    def marks(self) -> Marks:
        """The calls that have not ended."""

    def refuse_if_locked(self, call: str) -> None:
        """Raise if the selection may not be changed."""

    def record(self, name: str, arguments: dict[str, Any]) -> None:
        """Note a filter that was applied."""


M = TypeVar("M", bound=Marked)


def held(value: Any) -> Any:
    """Return an argument as it is now: what its caller does to it later does not change what was asked, or recorded."""
    if isinstance(value, Iterator):
        return list(value)
    if type(value) in (list, tuple):
        return type(value)(held(one) for one in value)
    if type(value) is dict:
        return {key: held(one) for key, one in value.items()}
    if type(value).__name__ in ("ndarray", "DataFrame", "Table", "QTable", "Quantity", "Series"):
        return value.copy()
    return value


def filtering(
    method: Callable[Concatenate[M, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate[M, P], PendingCall[R]]:
    """Turn a coroutine method into a filter: marked until it ends, refused when locked, recorded when it succeeded.

    What is recorded are the arguments the method really used, defaults included.
    """
    signature = inspect.signature(method)
    again: Callable[..., Coroutine[Any, Any, R]] = method

    def call(mission: M, /, *args: P.args, **kwargs: P.kwargs) -> PendingCall[R]:
        arguments = signature.bind(mission, *args, **kwargs)  # a wrong call is told at once
        arguments.apply_defaults()
        used = {name: held(one) for name, one in list(arguments.arguments.items())[1:]}
        description = describe(method.__name__, args, kwargs)
        mission.refuse_if_locked(description)

        async def work() -> R:
            mission.refuse_if_locked(description)
            result = await again(mission, **used)
            mission.record(method.__name__, used)
            return result

        return PendingCall(mission.marks, description, work)

    functools.update_wrapper(call, method)
    call.is_filter = True  # type: ignore[attr-defined]
    return call


def is_filter(cls: type, name: str) -> bool:
    """Whether a class has a filter of a name; a method that puts its arguments right for its parent's is one too."""
    return any(getattr(vars(one).get(name), "is_filter", False) is True for one in cls.__mro__)

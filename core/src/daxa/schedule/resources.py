"""Who may start: a ledger of named quantities, and the lines of those that wait for some of them. Pure.

A quantity is anything of which there is so much and no more: ``cpu``, ``memory``, ``scratch``, ``net:<host>``. Requests
of the same demand stand in one line, so that admission looks at the heads of a few lines, however many wait.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from heapq import heappop, heappush
from math import isfinite
from typing import Any, Final, Generic, TypeVar

from daxa.exceptions import InvalidParameterError

K = TypeVar("K", bound=Hashable)

Demand = tuple[tuple[str, float], ...]

_ROUNDING: Final = 1e-9
PATIENCE: Final = 8


class Ledger(Generic[K]):
    """What there is of each quantity, and who holds how much of it.

    Parameters
    ----------
    capacity : Mapping of str to float
        Quantities that are limited; of all others there is enough.

    Raises
    ------
    InvalidParameterError
        If a capacity is not a positive number.
    """

    def __init__(self, capacity: Mapping[str, float]) -> None:
        self.capacity = {name: _amount("capacity", name, amount) for name, amount in capacity.items()}
        for name, amount in self.capacity.items():
            if not amount:
                raise _not_an_amount("capacity", name, amount)
        self._held: dict[K, Demand] = {}
        self._used = dict.fromkeys(self.capacity, 0.0)
        self._holders = dict.fromkeys(self.capacity, 0)

    def __contains__(self, key: object) -> bool:
        return key in self._held

    @property
    def used(self) -> dict[str, float]:
        """How much of each quantity is held."""
        return dict(self._used)

    def demand(self, resources: Mapping[str, float]) -> Demand:
        """Reduce a request to the quantities that count; who asks for more than there is gets all there is.

        Raises
        ------
        InvalidParameterError
            If an amount is negative or not a number.
        """
        amounts = {name: _amount("demand", name, amount) for name, amount in resources.items()}
        return tuple(
            (name, min(amount, self.capacity[name]))
            for name, amount in sorted(amounts.items())
            if amount and name in self.capacity
        )

    def fits(self, demand: Demand) -> bool:
        """Whether a demand can be granted now."""
        return all(self._used[name] + amount <= self.capacity[name] + _ROUNDING for name, amount in demand)

    def take(self, key: K, demand: Demand) -> None:
        """Grant a demand that fits."""
        if key in self._held or not self.fits(demand):
            raise ValueError(f"{key} cannot be granted {dict(demand)}")
        self._held[key] = demand
        for name, amount in demand:
            self._used[name] += amount
            self._holders[name] += 1

    def give_back(self, key: K) -> None:
        """Return what a holder had."""
        for name, amount in self._held.pop(key):
            self._holders[name] -= 1
            self._used[name] = self._used[name] - amount if self._holders[name] else 0.0  # no drift


class _Line(Generic[K]):
    """Those that wait for the same demand, by priority."""

    __slots__ = ("demand", "names", "passed", "waiting")

    def __init__(self, demand: Demand) -> None:
        self.demand = demand
        self.names = frozenset(name for name, _ in demand)
        self.waiting: list[tuple[Any, K]] = []
        self.passed = 0  # how often another was served instead, although the first of this line came before it


class Admission(Generic[K]):
    """Decides who starts next.

    In order of priority, whoever fits; small requests go past a big one that does not fit. Once that has happened
    `patience` times, nothing that uses the same quantities is admitted until the big one fits: it has to wait for no
    more than what is running then.

    Parameters
    ----------
    capacity : Mapping of str to float
        Quantities that are limited.
    patience : int
        How many may go past a request that does not fit.
    """

    def __init__(self, capacity: Mapping[str, float], *, patience: int = PATIENCE) -> None:
        self.ledger: Ledger[K] = Ledger(capacity)
        self._patience = patience
        self._lines: dict[Demand, _Line[K]] = {}
        self._waiting: dict[K, Demand] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def first(self) -> Any:
        """Priority of the first of all that wait; None if nobody waits."""
        self._tidy()
        return min((line.waiting[0][0] for line in self._lines.values()), default=None)

    @property
    def idle(self) -> bool:
        """Whether there is some of a quantity left that nobody waits for."""
        self._tidy()
        wanted = frozenset[str]().union(*(line.names for line in self._lines.values()))
        used = self.ledger.used
        return any(used[name] < amount and name not in wanted for name, amount in self.ledger.capacity.items())

    def enter(self, key: K, resources: Mapping[str, float], priority: Any) -> None:
        """Stand in line.

        Parameters
        ----------
        key : hashable
            Who asks.
        resources : Mapping of str to float
            For what.
        priority : orderable
            The least goes first; no two that wait may have the same.

        Raises
        ------
        InvalidParameterError
            If an amount is negative or not a number.
        """
        demand = self.ledger.demand(resources)
        line = self._lines.setdefault(demand, _Line(demand))
        heappush(line.waiting, (priority, key))
        self._waiting[key] = demand

    def withdraw(self, key: K) -> None:
        """Leave the line; nothing happens if `key` does not wait."""
        self._waiting.pop(key, None)

    def leave(self, key: K) -> None:
        """Give back what was granted."""
        self.ledger.give_back(key)

    def admit(self) -> list[K]:
        """Grant what can be granted now, and say to whom."""
        admitted: list[K] = []
        while (line := self._next()) is not None:
            priority, key = heappop(line.waiting)
            self._waiting.pop(key)
            self.ledger.take(key, line.demand)
            line.passed = 0
            for other in self._lines.values():
                if other.waiting and other.waiting[0][0] < priority and other.names & line.names:
                    other.passed += 1
            admitted.append(key)
        return admitted

    def _next(self) -> _Line[K] | None:
        """Find the first line whose head may go."""
        self._tidy()
        kept: set[str] = set()
        for line in sorted(
            self._lines.values(), key=lambda line: (-max(line.passed, self._patience - 1), line.waiting[0][0])
        ):
            if line.names & kept:
                continue
            if self.ledger.fits(line.demand):
                return line
            if line.passed >= self._patience:
                kept |= line.names
        return None

    def _tidy(self) -> None:
        """Forget those who left, and lines where nobody waits."""
        for demand, line in list(self._lines.items()):
            while line.waiting and self._waiting.get(line.waiting[0][1]) != line.demand:
                heappop(line.waiting)  # withdrawn
            if not line.waiting:
                del self._lines[demand]


def _amount(what: str, name: str, amount: Any) -> float:
    if isinstance(amount, bool) or not isinstance(amount, int | float) or not isfinite(amount) or amount < 0:
        raise _not_an_amount(what, name, amount)
    return float(amount)


def _not_an_amount(what: str, name: str, amount: Any) -> InvalidParameterError:
    return InvalidParameterError(
        f"The {what} of {name} is {amount!r}.", expected="a number above zero", remedy="correct it", value=amount
    )

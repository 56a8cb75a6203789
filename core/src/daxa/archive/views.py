"""Read-only mappings over the record that print and compare like dictionaries, and read what they show only then.

Copied or pickled they are dictionaries, and ``json.dumps(view, default=dict)`` writes one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any


class View(Mapping[str, Any]):
    """A mapping whose values are made when they are asked for.

    Parameters
    ----------
    makers : Mapping of str to callable
        For each key, what makes its value. Keys keep their order.
    """

    __slots__ = ("_made", "_makers")

    def __init__(self, makers: Mapping[str, Callable[[], Any]]) -> None:
        self._makers = dict(makers)
        self._made: dict[str, Any] = {}

    def __getitem__(self, key: str) -> Any:
        if key not in self._made:
            self._made[key] = self._makers[key]()
        return self._made[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)

    def __contains__(self, key: object) -> bool:
        return key in self._makers

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping) and plain(self) == plain(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(plain(self))

    def __reduce__(self) -> tuple[type[dict[str, Any]], tuple[dict[str, Any]]]:
        """Copy, and pickle, as a dictionary: what would be read later belongs to an open archive."""
        return dict, (plain(self),)


def plain(value: Any) -> Any:
    """Turn nested views into dictionaries."""
    return {key: plain(one) for key, one in value.items()} if isinstance(value, Mapping) else value


def fixed(value: Any) -> Callable[[], Any]:
    """A maker of a value that is known already."""
    return lambda: value


def nested(table: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> View:
    """Turn ``{mission: {process: {ident: value}}}`` into views."""
    return View(
        {
            mission: fixed(
                View(
                    {
                        process: fixed(View({ident: fixed(one) for ident, one in idents.items()}))
                        for process, idents in processes.items()
                    }
                )
            )
            for mission, processes in table.items()
        }
    )

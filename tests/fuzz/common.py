"""How often, how long, and what may come of it."""

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from daxa.exceptions import DaxaError

AT_LENGTH = os.environ.get("DAXA_FUZZ") == "1"
EXAMPLES = int(os.environ.get("DAXA_FUZZ_EXAMPLES", "100000")) if AT_LENGTH else 50

settings.register_profile("suite", max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
settings.register_profile(
    "fuzz",
    max_examples=EXAMPLES,
    deadline=10_000,  # milliseconds an example: generous, and still far from what a bomb would take
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
fuzzed: Callable[[Any], Any] = settings(settings.get_profile("fuzz" if AT_LENGTH else "suite"))
"""Decorator of every property here."""

TEXT = st.text(max_size=60)
LATIN = st.text(st.characters(max_codepoint=255), max_size=120)


@contextlib.contextmanager
def only_typed(*others: type[BaseException]) -> Iterator[None]:
    """What is not of the project's own errors, or of the others that are allowed, fails the test."""
    with contextlib.suppress(DaxaError, *others):
        yield


class Edited(bytes):
    """Bytes that print as what was done to them."""

    edits: tuple[Any, ...] = ()

    def __repr__(self) -> str:
        return f"<{len(self)} bytes after {self.edits!r}>"


@st.composite
def mutated(draw: st.DrawFn, base: bytes, most: int = 8) -> Edited:
    """Bytes with a few places changed, cut out, put in or repeated."""
    data, edits = bytearray(base), []
    for _ in range(draw(st.integers(0, most))):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        length = draw(st.integers(0, 64))
        kind = draw(st.sampled_from(("set", "cut", "insert", "repeat", "end")))
        put = draw(st.binary(max_size=64)) if kind in ("set", "insert") else b""
        match kind:
            case "set":
                data[at : at + len(put)] = put
            case "cut":
                del data[at : at + length]
            case "insert":
                data[at:at] = put
            case "repeat":
                data[at:at] = data[at : at + length] * 10
            case "end":
                del data[at:]
        edits.append((kind, at, put or length))
    made = Edited(data)
    made.edits = tuple(edits)
    return made

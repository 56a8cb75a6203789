"""The part of ADQL that real clients use: SELECT of columns or a count from one table, WHERE with geometry, ORDER BY.

Everything else is refused with what was not understood, as a service would.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from attrs import frozen

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<text>'(?:[^']|'')*')|(?P<quoted>\"[^\"]+\")"
    r"|(?P<word>[A-Za-z_][\w.]*)|(?P<sign><>|!=|<=|>=|[<>=(),*]))"
)

Row = Mapping[str, Any]
Value = Callable[[Row], Any]
Test = Callable[[Row], bool]


class QueryError(ValueError):
    """What is wrong with a query."""


@frozen
class Query:
    """A query that was understood.

    Parameters
    ----------
    table : str
        Lower-case name of the table.
    columns : tuple of (str, str) or None
        Source and name of each column; None for all.
    count : str, optional
        Name of the count's column, for a count.
    top : int, optional
        Most rows.
    where : callable
        Whether a row passes.
    order : tuple of (str, bool)
        Columns, and whether each descends.
    """

    table: str
    columns: tuple[tuple[str, str], ...] | None
    count: str | None
    top: int | None
    where: Callable[[Row], bool]
    order: tuple[tuple[str, bool], ...] = ()


def _tokens(text: str) -> list[tuple[str, str]]:
    found, position = [], 0
    text = text.rstrip().rstrip(";").rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise QueryError(f"Encountered {text[position : position + 20].strip()!r}")
        kind = str(match.lastgroup)
        found.append((kind, match[kind]))
        position = match.end()
    return found


def separation(ra1: float, dec1: float, ra2: float, dec2: float) -> float:
    """Great-circle distance in degrees, by the formula of haversines."""
    a1, d1, a2, d2 = map(math.radians, (ra1, dec1, ra2, dec2))
    half = math.sin((d2 - d1) / 2) ** 2 + math.cos(d1) * math.cos(d2) * math.sin((a2 - a1) / 2) ** 2
    return math.degrees(2 * math.asin(min(1.0, math.sqrt(half))))


def _inside_polygon(ra: float, dec: float, corners: Sequence[tuple[float, float]]) -> bool:
    """Whether a point lies on the same side of all edges of a convex polygon."""

    def vector(a: float, d: float) -> tuple[float, float, float]:
        x, y = math.radians(a), math.radians(d)
        return math.cos(y) * math.cos(x), math.cos(y) * math.sin(x), math.sin(y)

    point = vector(ra, dec)
    sides = []
    for one, other in zip(corners, [*corners[1:], corners[0]], strict=True):
        a, b = vector(*one), vector(*other)
        normal = (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])
        sides.append(sum(n * p for n, p in zip(normal, point, strict=True)))
    return all(side >= 0 for side in sides) or all(side <= 0 for side in sides)


def _joined(left: Test, right: Test, rule: Callable[[Iterable[bool]], bool]) -> Test:
    """Two conditions as one."""
    return lambda row: rule(one(row) for one in (left, right))


class _Parser:
    """Reads tokens by recursive descent."""

    def __init__(self, text: str) -> None:
        self.tokens = _tokens(text)
        self.position = 0

    def peek(self, *words: str) -> bool:
        if self.position >= len(self.tokens):
            return False
        kind, value = self.tokens[self.position]
        return kind in ("word", "sign") and value.upper() in words

    def take(self, *words: str) -> bool:
        if self.peek(*words):
            self.position += 1
            return True
        return False

    def need(self, word: str) -> None:
        if not self.take(word):
            raise QueryError(f"Encountered {self.next_text()!r}. Was expecting {word!r}")

    def next_text(self) -> str:
        return self.tokens[self.position][1] if self.position < len(self.tokens) else "<EOF>"

    def next(self, *kinds: str) -> str:
        if self.position < len(self.tokens) and self.tokens[self.position][0] in kinds:
            self.position += 1
            return self.tokens[self.position - 1][1]
        raise QueryError(f"Encountered {self.next_text()!r}. Was expecting {' or '.join(kinds)}")

    def name(self) -> str:
        return self.next("word", "quoted").strip('"').rpartition(".")[2].lower()

    def query(self) -> Query:
        self.need("SELECT")
        top = int(self.next("number")) if self.take("TOP") else None
        columns, count = self.columns()
        self.need("FROM")
        table = self.next("word", "quoted").strip('"').lower()
        where: Callable[[Row], bool] = self.either() if self.take("WHERE") else (lambda _row: True)
        order = []
        if self.take("ORDER"):
            self.need("BY")
            while True:
                column = self.name()
                descending = self.take("DESC")
                _ = descending or self.take("ASC")
                order.append((column, descending))
                if not self.take(","):
                    break
        if self.position < len(self.tokens):
            raise QueryError(f"Encountered {self.next_text()!r}. Was expecting <EOF>")
        return Query(table, columns, count, top, where, tuple(order))

    def columns(self) -> tuple[tuple[tuple[str, str], ...] | None, str | None]:
        if self.take("*"):
            return None, None
        if self.peek("COUNT"):
            self.position += 1
            self.need("(")
            if not self.take("*"):
                self.name()
            self.need(")")
            return None, self.name() if self.take("AS") else "count"
        found = []
        while True:
            source = self.name()
            found.append((source, self.name() if self.take("AS") else source))
            if not self.take(","):
                return tuple(found), None

    def either(self) -> Callable[[Row], bool]:
        first = self.both()
        while self.take("OR"):
            first = _joined(first, self.both(), any)
        return first

    def both(self) -> Callable[[Row], bool]:
        first = self.condition()
        while self.take("AND"):
            first = _joined(first, self.condition(), all)
        return first

    def condition(self) -> Callable[[Row], bool]:
        if self.take("NOT"):
            inner = self.condition()
            return lambda row: not inner(row)
        if self.peek("("):
            start = self.position
            self.take("(")
            try:
                inner = self.either()
                self.need(")")
                return inner
            except QueryError:
                self.position = start
                raise
        value = self.value()
        if self.take("IS"):
            negated = self.take("NOT")
            self.need("NULL")
            return lambda row: (value(row) is None) is not negated
        negated = self.take("NOT")
        if self.take("IN"):
            self.need("(")
            members = [self.value()]
            while self.take(","):
                members.append(self.value())
            self.need(")")
            return lambda row: value(row) is not None and any(value(row) == one(row) for one in members) is not negated
        if self.take("BETWEEN"):
            low = self.value()
            self.need("AND")
            high = self.value()
            return lambda row: value(row) is not None and (low(row) <= value(row) <= high(row)) is not negated
        if self.take("LIKE"):
            pattern = self.next("text")[1:-1].replace("''", "'")
            like = re.compile("".join({"%": ".*", "_": "."}.get(one, re.escape(one)) for one in pattern), re.DOTALL)
            return lambda row: value(row) is not None and bool(like.fullmatch(str(value(row)))) is not negated
        if negated:
            raise QueryError(f"Encountered {self.next_text()!r}. Was expecting IN, BETWEEN or LIKE")
        sign = self.next("sign")
        other = self.value()
        compare: dict[str, Callable[[Any, Any], bool]] = {
            "=": lambda a, b: a == b,
            "<>": lambda a, b: a != b,
            "!=": lambda a, b: a != b,
            "<": lambda a, b: a < b,
            "<=": lambda a, b: a <= b,
            ">": lambda a, b: a > b,
            ">=": lambda a, b: a >= b,
        }
        if sign not in compare:
            raise QueryError(f"Encountered {sign!r}. Was expecting a comparison")
        holds = compare[sign]
        return lambda row: value(row) is not None and other(row) is not None and holds(value(row), other(row))

    def value(self) -> Value:
        if self.position >= len(self.tokens):
            raise QueryError("Encountered <EOF>. Was expecting a value")
        kind, text = self.tokens[self.position]
        if kind == "number":
            self.position += 1
            number = float(text) if re.search(r"[.eE]", text) else int(text)
            return lambda _row: number
        if kind == "text":
            self.position += 1
            literal = text[1:-1].replace("''", "'")
            return lambda _row: literal
        if kind == "word" and text.upper() in ("CONTAINS", "DISTANCE"):
            self.position += 1
            return self.contains() if text.upper() == "CONTAINS" else self.distance()
        name = self.name()

        def column(row: Row) -> Any:
            try:
                return row[name]
            except KeyError:
                raise QueryError(f"column {name!r} does not exist") from None

        return column

    def point(self) -> tuple[Value, Value]:
        self.need("POINT")
        self.need("(")
        self.frame()
        ra = self.value()
        self.need(",")
        dec = self.value()
        self.need(")")
        return ra, dec

    def frame(self) -> None:
        if self.position < len(self.tokens) and self.tokens[self.position][0] == "text":
            self.position += 1
            self.need(",")

    def distance(self) -> Value:
        self.need("(")
        one = self.point()
        self.need(",")
        other = self.point()
        self.need(")")

        def apart(row: Row) -> float | None:
            a, d, b, e = (value(row) for value in (*one, *other))
            return None if None in (a, d, b, e) else separation(a, d, b, e)

        return apart

    def contains(self) -> Value:
        self.need("(")
        ra, dec = self.point()
        self.need(",")
        shape = self.next("word").upper()
        if shape not in ("CIRCLE", "BOX", "POLYGON"):
            raise QueryError(f"Encountered {shape!r}. Was expecting CIRCLE, BOX or POLYGON")
        self.need("(")
        self.frame()
        numbers = [self.value()]
        while self.take(","):
            numbers.append(self.value())
        self.need(")")
        self.need(")")

        def inside(row: Row) -> int | None:
            a, d = ra(row), dec(row)
            if a is None or d is None:
                return None
            given = [one(row) for one in numbers]
            if shape == "CIRCLE":
                return int(separation(a, d, given[0], given[1]) <= given[2])
            if shape == "BOX":
                apart = abs((a - given[0] + 180) % 360 - 180)
                return int(apart <= given[2] / 2 and abs(d - given[1]) <= given[3] / 2)
            return int(_inside_polygon(a, d, list(zip(given[::2], given[1::2], strict=True))))

        return inside


def parse(text: str) -> Query:
    """Understand a query.

    Parameters
    ----------
    text : str
        ADQL.

    Raises
    ------
    QueryError
        If it is not of the part that is spoken here.
    """
    return _Parser(text).query()

"""The language in which tables are selected from: ``#XMMEA_EP && (PATTERN <= 4) && GTI(gti.fits,TIME)``."""

from __future__ import annotations

import math

_WORDS = {".and.": "&&", ".or.": "||", ".not.": "!", ".eq.": "==", ".ne.": "!=", ".lt.": "<", ".le.": "<=",
          ".gt.": ">", ".ge.": ">="}  # fmt: skip
_MARKS = ("&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "&", "|", "+", "-", "*", "/", "(", ")", "[", "]", ",", ":",
          "=")  # fmt: skip
_COMPARE = {
    "==": lambda one, other: one == other, "=": lambda one, other: one == other, "!=": lambda one, other: one != other,
    "<": lambda one, other: one < other, "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other, ">=": lambda one, other: one >= other,
}  # fmt: skip


class SelectionError(Exception):
    """The expression is not understood."""


class Selection:
    """An expression, ready to be asked of rows.

    Parameters
    ----------
    text : str
        The expression.
    columns : sequence of str
        Names of the columns.
    macros : callable
        Gives what stands for ``#NAME``, None for a name that is not known.
    gti : callable
        Gives the intervals of ``GTI(FILE,TIME)``.

    Attributes
    ----------
    test : callable
        Tells of a row whether it is selected.
    files : list of str
        Tables of good times that it names.
    """

    def __init__(self, text, columns, macros, gti):
        self._columns = {name.upper(): place for place, name in enumerate(columns)}
        self._macros, self._gti = macros, gti
        self.files = []
        self._tokens, self._place = _tokens(text), 0
        self.test = self._or()
        if self._place < len(self._tokens):
            raise SelectionError(f"`{self._tokens[self._place]}' is not expected in `{text}'")

    # --- tokens -----------------------------------------------------------------------------------------------------

    def _next(self):
        if self._place >= len(self._tokens):
            raise SelectionError("the expression ends too early")
        self._place += 1
        return self._tokens[self._place - 1]

    def _seen(self, *marks):
        if self._place < len(self._tokens) and self._tokens[self._place].lower() in marks:
            self._place += 1
            return self._tokens[self._place - 1].lower()
        return None

    def _expect(self, mark):
        if not self._seen(mark):
            found = self._tokens[self._place] if self._place < len(self._tokens) else "the end"
            raise SelectionError(f"`{mark}' is expected and not `{found}'")

    # --- grammar ----------------------------------------------------------------------------------------------------

    def _or(self):
        one = self._and()
        while self._seen("||"):
            one = _either(one, self._and())
        return one

    def _and(self):
        one = self._not()
        while self._seen("&&"):
            one = _both(one, self._not())
        return one

    def _not(self):
        if self._seen("!"):
            one = self._not()
            return lambda row: not one(row)
        return self._comparison()

    def _comparison(self):
        one = self._sum()
        mark = self._seen(*_COMPARE)
        if mark:
            other, compare = self._sum(), _COMPARE[mark]
            return lambda row: compare(one(row), other(row))
        if self._seen("in"):
            return self._in(one)
        return one

    def _sum(self):
        one = self._atom()
        while mark := self._seen("+", "-", "*", "/", "&", "|"):
            one = _arithmetic(mark, one, self._atom())
        return one

    def _in(self, one):
        if self._seen("circle", "box", "annulus", "ellipse"):
            return self._region(self._tokens[self._place - 1].lower(), one)
        if self._seen("gti"):
            return self._good_times(one)
        opened = self._seen("[", "(")
        ranges = [self._range()]
        while self._seen(","):
            ranges.append(self._range())
        if opened:
            self._expect("]" if opened == "[" else ")")
        inclusive = opened != "("

        def test(row):
            value = one(row)
            if inclusive:
                return any(low <= value <= high for low, high in ranges)
            return any(low < value < high or low == high == value for low, high in ranges)

        return test

    def _range(self):
        low = -math.inf if self._tokens[self._place : self._place + 1] == [":"] else self._number()
        if not self._seen(":"):
            return low, low
        bare = self._tokens[self._place : self._place + 1] in ([","], ["]"], [")"], [])
        return low, math.inf if bare else self._number()

    def _number(self):
        sign = -1 if self._seen("-") else 1
        word = self._next()
        try:
            return sign * _constant(word)
        except ValueError:
            raise SelectionError(f"`{word}' is no number") from None

    def _atom(self):
        word = self._next()
        low = word.lower()
        if word == "(":
            one = self._or()
            if self._seen(","):  # a pair of columns, for a region
                other = self._or()
                self._expect(")")
                return lambda row: (one(row), other(row))
            self._expect(")")
            return one
        if word == "-":
            one = self._atom()
            return lambda row: -one(row)
        if low in ("true", "false"):
            return lambda row: low == "true"
        if word.startswith("#"):
            return self._macro(word[1:])
        if low == "gti":
            return self._good_times(None)
        if low in ("circle", "box", "annulus", "ellipse"):
            return self._region(low, None)
        if word.upper() in self._columns:
            place = self._columns[word.upper()]
            return lambda row: row[place]
        try:
            value = _constant(word)
        except ValueError:
            raise SelectionError(f"there is no column `{word}'") from None
        return lambda row: value

    def _macro(self, name):
        text = self._macros(name)
        if text is None:
            raise SelectionError(f"`#{name}' is not known")
        return Selection(text, self._columns, self._macros, self._gti).test

    def _good_times(self, time):
        self._expect("(")
        path = self._next()
        if time is None:
            self._expect(",")
            time = self._atom()
        self._expect(")")
        self.files.append(path)
        intervals = self._gti(path)
        return lambda row: any(start <= time(row) <= stop for start, stop in intervals)

    def _region(self, kind, pair):
        self._expect("(")
        values, wanted = [], {"circle": 3, "annulus": 4, "box": 5, "ellipse": 5}[kind]
        while len(values) < wanted:
            values.append(self._number())
            if len(values) < wanted:
                self._expect(",")
        if pair is None:
            self._expect(",")
            one = self._atom()
            self._expect(",")
            other = self._atom()
            pair = lambda row: (one(row), other(row))  # noqa: E731 - as the caller would have given it
        self._expect(")")
        inside = _shape(kind, values)
        return lambda row: inside(*pair(row))


def _shape(kind, values):
    x0, y0, *rest = values

    def offsets(x, y):
        return x - x0, y - y0

    if kind == "circle":
        return lambda x, y: math.hypot(*offsets(x, y)) <= rest[0]
    if kind == "annulus":
        return lambda x, y: rest[0] <= math.hypot(*offsets(x, y)) <= rest[1]
    half_x, half_y, angle = rest
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))

    def turned(x, y):
        dx, dy = offsets(x, y)
        return (dx * cosine + dy * sine) / half_x, (dy * cosine - dx * sine) / half_y

    if kind == "ellipse":
        return lambda x, y: math.hypot(*turned(x, y)) <= 1
    return lambda x, y: max(abs(one) for one in turned(x, y)) <= 1


def _either(one, other):
    return lambda row: one(row) or other(row)


def _both(one, other):
    return lambda row: one(row) and other(row)


def _arithmetic(mark, one, other):
    if mark in "&|":  # flags are unsigned, whatever the column's type
        both = mark == "&"
        return lambda row: (one(row) & other(row) if both else one(row) | other(row)) & 0xFFFFFFFF
    if mark == "+":
        return lambda row: one(row) + other(row)
    if mark == "-":
        return lambda row: one(row) - other(row)
    if mark == "*":
        return lambda row: one(row) * other(row)
    return lambda row: one(row) / other(row)


def _constant(word):
    return int(word, 16) if word.lower().startswith("0x") else float(word) if not word.isdigit() else int(word)


def _tokens(text):
    """Cut into names, numbers and marks; the file of a ``GTI(FILE`` is one token whatever it holds."""
    made, place = [], 0
    while place < len(text):
        if text[place] == " ":
            place += 1
            continue
        dotted = next((word for word in _WORDS if text[place : place + len(word)].lower() == word), None)
        mark = dotted or next((mark for mark in _MARKS if text.startswith(mark, place)), None)
        if mark:
            made.append(_WORDS.get(mark, mark))
            place += len(mark)
            if mark == "(" and len(made) > 1 and made[-2].lower() == "gti":
                end = text.find(")", place)
                comma = text.rfind(",", place, end)
                stop = comma if comma > 0 else end
                if end < 0:
                    raise SelectionError("`)' is missing after GTI")
                made.append(text[place:stop].strip())
                place = stop
            continue
        end = place
        while end < len(text) and _goes_on(text, place, end):
            end += 1
        if end == place:
            raise SelectionError(f"`{text[place]}' is not expected")
        made.append(text[place:end])
        place = end
    return made


def _goes_on(text, start, place):
    character = text[place]
    if character.isalnum() or character in "_#":
        return True
    if character == ".":  # a decimal point, but not the one of `.and.`
        return not any(text[place : place + len(word)].lower() == word for word in _WORDS)
    return character in "+-" and text[place - 1] in "eE" and text[start].isdigit() and not text[start:].startswith("0x")

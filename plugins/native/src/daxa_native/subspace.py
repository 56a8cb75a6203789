"""The data subspace: what a list has been filtered by, as the header's ``DSTYPk``, ``DSVALk``, ``DSREFk`` ... say.

A list is the union of blocks; in a block all components hold. The keywords of block 2 and later carry the number in
front (``2DSVAL1``); what a block does not repeat is as in block 1. Both the SAS and Chandra's data model write it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from attrs import define, field, frozen

_KEYWORD: Final = re.compile(r"(\d*)DS(TYP|VAL|REF|FORM|UNIT|UNI)([1-9]\d*)\Z")
_UNITS_MAX: Final = 1000


@frozen
class Component:
    """One condition.

    Parameters
    ----------
    name : str
        Column it is on, as written.
    value : str
        ``lo:hi`` ranges with commas (a limit may be missing), a single value, ``b01x...`` bits, or ``TABLE``.
    ref : str
        For ``TABLE``, the HDU of the table; without the leading colon.
    form : str
        Type; ``X`` for bits.
    unit : str
        Unit of the value.
    """

    name: str
    value: str
    ref: str = ""
    form: str = ""
    unit: str = ""

    @property
    def is_table(self) -> bool:
        """Whether the ranges stand in a table of their own."""
        return self.value.upper() == "TABLE"


@define
class Subspace:
    """What a list has been filtered by.

    Parameters
    ----------
    blocks : list of tuple of Component
        Alternatives. None at all means that nothing is said.
    """

    blocks: list[tuple[Component, ...]] = field(factory=list)

    def __bool__(self) -> bool:
        return bool(self.blocks)

    def of(self, block: tuple[Component, ...], name: str) -> list[Component]:
        """Return the components of a block that are on a column, case ignored."""
        return [one for one in block if one.name.upper() == name.upper()]

    def cards(self) -> Iterator[tuple[str, Any]]:
        """Keywords and values that say it; blocks must have the same columns in the same order."""
        for number, block in enumerate(self.blocks):
            prefix = "" if number == 0 else str(number + 1)
            for index, component in enumerate(block, start=1):
                same = number > 0 and component == self.blocks[0][index - 1]
                if number == 0:
                    yield f"DSTYP{index}", component.name
                    if component.unit:
                        yield f"DSUNI{index}", component.unit
                    if component.form:
                        yield f"DSFORM{index}", component.form
                if not same and (number == 0 or component.value != self.blocks[0][index - 1].value):
                    yield f"{prefix}DSVAL{index}", component.value
                if component.ref and not same:
                    yield f"{prefix}DSREF{index}", f":{component.ref}"


def is_subspace_keyword(keyword: str) -> bool:
    """Whether a header's keyword is part of the data subspace."""
    return _KEYWORD.match(keyword) is not None


def parse_subspace(items: Iterable[tuple[str, Any]]) -> Subspace:
    """Read the data subspace out of a header's keywords and values.

    Parameters
    ----------
    items : iterable of (str, value)
        All keywords; others than those of the subspace are passed over.
    """
    found: dict[int, dict[int, dict[str, str]]] = {}
    for keyword, content in items:
        match = _KEYWORD.match(keyword)
        if match:
            block, index, kind = int(match[1] or 1), int(match[3]), match[2][:3]
            found.setdefault(block, {}).setdefault(index, {})[kind] = str(content).strip()
    first = {index: entry for index, entry in sorted(found.get(1, {}).items()) if entry.get("TYP")}
    if not first:
        return Subspace()
    return Subspace(
        [
            tuple(_component(first[index], {} if number == 1 else own.get(index, {})) for index in first)
            for number, own in sorted(found.items())
        ]
    )


def _component(first: dict[str, str], own: dict[str, str]) -> Component:
    """Make a component of a block: what the block itself says, else what the first one does."""
    entry = {**first, **own}
    table = entry.get("VAL", "").upper() == "TABLE"
    return Component(
        name=first["TYP"],
        value=entry.get("VAL", ""),
        ref=entry.get("REF", "").lstrip(":").strip() if table else "",
        form=entry.get("FOR", ""),
        unit=entry.get("UNI", ""),
    )


def parse_ranges(value: str) -> list[tuple[float, float]]:
    """Read ``0:0,2:2``, ``:12``, ``500:`` or ``7`` as inclusive ranges; a missing limit is infinite.

    Raises
    ------
    ValueError
        If the text has another form.
    """
    ranges = []
    for part in value.split(","):
        low, colon, high = part.strip().partition(":")
        if not low and not high:
            raise ValueError(f"{value!r} is not a list of ranges")
        bottom = float(low) if low else float("-inf")
        top = (float(high) if high else float("inf")) if colon else bottom
        ranges.append((bottom, top))
    return ranges


def parse_integers(value: str) -> list[int]:
    """Read ranges that are bounded as the integers they hold, e.g. CCD numbers.

    Raises
    ------
    ValueError
        If a range is open or very long.
    """
    found: list[int] = []
    for low, high in parse_ranges(value):
        if not (low > float("-inf") and high < float("inf") and high - low < _UNITS_MAX):
            raise ValueError(f"{value!r} does not name units")
        found += range(int(low), int(high) + 1)
    return found


def parse_bits(value: str) -> tuple[int, int]:
    """Read a bit pattern ``b0x1...``, highest bit first, as masks of bits that must be 0 and that must be 1.

    Raises
    ------
    ValueError
        If the text has another form.
    """
    digits = value[1:].lower() if value[:1].lower() == "b" else ""
    if not digits or set(digits) - set("01x"):
        raise ValueError(f"{value!r} is not a bit pattern")
    zeros = int("".join("1" if digit == "0" else "0" for digit in digits), 2)
    ones = int("".join("1" if digit == "1" else "0" for digit in digits), 2)
    return zeros, ones


def format_bits(zeros: int, width: int = 32) -> str:
    """Write a mask of bits that must be 0 as a bit pattern."""
    return "b" + "".join("0" if zeros >> bit & 1 else "x" for bit in reversed(range(width)))


def with_times(
    subspace: Subspace, unit: str | None, times: dict[int | None, str], extra: Iterable[Component]
) -> Subspace:
    """Rewrite a subspace for a list filtered anew: one block a unit, each with its GTI table and further conditions.

    Parameters
    ----------
    subspace : Subspace
        Of the input; may be empty.
    unit : str, optional
        Column of the detector unit, if good times differ by unit.
    times : dict
        Unit to name of its GTI table; the key is None without units.
    extra : iterable of Component
        Conditions applied now. Those that are there already are not repeated.
    """
    own = {"TIME"} | ({unit.upper()} if unit else set())
    sources = [_source(subspace, unit, number) for number in times]
    kept = [[one for one in source if one.name.upper() not in own] for source in sources]
    new = [one for one in extra if not all(any(_same(one, other) for other in block) for block in kept)]
    blocks = []
    for (number, table), conditions in zip(times.items(), kept, strict=True):
        first = [Component(unit, str(number))] if unit else []
        blocks.append((*first, Component("TIME", "TABLE", ref=table, unit="s"), *conditions, *new))
    return Subspace(blocks)


def _source(subspace: Subspace, unit: str | None, number: int | None) -> tuple[Component, ...]:
    """Return the input's block for a unit; where it says nothing of units, its first."""
    for block in subspace.blocks:
        if unit and number in units_of(block, unit):
            return block
    return subspace.blocks[0] if subspace.blocks else ()


def units_of(block: tuple[Component, ...], unit: str) -> list[int]:
    """Detector units a block is for; empty if it does not say."""
    for component in block:
        if component.name.upper() == unit.upper():
            try:
                return parse_integers(component.value)
            except ValueError:
                return []
    return []


def _same(one: Component, other: Component) -> bool:
    return one.name.upper() == other.name.upper() and _meaning(one) == _meaning(other)


def _meaning(component: Component) -> object:
    """What a condition says, however it is written."""
    try:
        return parse_bits(component.value) if component.form == "X" else parse_ranges(component.value)
    except ValueError:
        return component.value

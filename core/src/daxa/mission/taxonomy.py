"""Types of target: the codes that catalogues and ``filter_on_target_type`` use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from daxa.exceptions import IllegalSourceType, InvalidParameterError, ParameterTypeError

TARGET_TYPES: Final[Mapping[str, str]] = {
    "AGN": "Active Galaxies and Quasars",
    "BLZ": "Blazars",
    "CV": "Cataclysmic Variables",
    "CAL": "Calibration Observation (possibly of objects)",
    "EGS": "Extragalactic Surveys",
    "GCL": "Galaxy Clusters",
    "GS": "Galactic Survey",
    "ASK": "All Sky Survey",
    "MAG": "Magnetars and Rotation-Powered Pulsars",
    "NGS": "Normal and Starburst Galaxies",
    "NS": "Neutron stars and Black Holes",
    "STR": "Non-degenerate and White Dwarf Stars",
    "OAGN": "Obscured Active Galaxies and Quasars",
    "SNE": "Non-ToO Supernovae",
    "SNR": "Supernova Remnants and Galactic diffuse",
    "SOL": "Solar System Observations",
    "ULX": "Ultra-luminous X-ray Sources",
    "XRB": "X-ray Binaries",
    "TOO": "Targets of Opportunity",
    "EGE": "Extended galactic or extragalactic",
    "MISC": "Catch-all for other sources",
}
"""Code and meaning, in the order in which they are shown."""


def check_target_types(target_type: object) -> tuple[str, ...]:
    """Return codes of target types in upper case.

    Parameters
    ----------
    target_type : str or iterable of str
        One code or several, in any case.

    Raises
    ------
    ParameterTypeError
        If something is not a str.
    IllegalSourceType
        If a code is not in the taxonomy, or none is given.
    """
    given = [target_type] if isinstance(target_type, str) else target_type
    if not isinstance(given, Iterable):
        raise ParameterTypeError(
            f"{target_type!r} is not a target type.", expected="a code such as 'GCL', or several", remedy="correct it"
        )
    codes = []
    for one in given:
        if not isinstance(one, str):
            raise ParameterTypeError(
                f"{one!r} is not a target type.", expected="a code such as 'GCL'", remedy="give it as text", value=one
            )
        codes.append(one.upper())
    refuse_unknown_types(codes)
    if not codes:
        raise IllegalSourceType("No target type is given.", expected=_known(), remedy="name at least one")
    return tuple(codes)


def refuse_unknown_types(codes: Iterable[object]) -> None:
    """Raise if a code is not in the taxonomy.

    Raises
    ------
    IllegalSourceType
        It names the codes.
    """
    unknown = sorted({str(code) for code in codes if code not in TARGET_TYPES})
    if unknown:
        raise IllegalSourceType(
            f"{', '.join(unknown)} is not in the taxonomy of target types.",
            expected=_known(),
            remedy="see show_allowed_target_types()",
            value=unknown,
        )


def _known() -> str:
    return f"one of {', '.join(TARGET_TYPES)}"


_RULES: Final[Mapping[str, tuple[str, str, str, str, str]]] = {
    # outer sides and gap of a row, then the lines above, below the head, between rows and below
    "fancy_grid": ("│ │ │", "╒═╤═╕", "╞═╪═╡", "├─┼─┤", "╘═╧═╛"),
    "grid": ("| | |", "+-+-+", "+=+=+", "+-+-+", "+-+-+"),
    "github": ("| | |", "", "|-|-|", "", ""),
    "simple": ("     ", "", " - - ", "", ""),
    "plain": ("     ", "", "", "", ""),
}


def target_types_table(table_format: str = "fancy_grid") -> str:
    """Return the taxonomy as a text table with two columns.

    Parameters
    ----------
    table_format : {"fancy_grid", "grid", "github", "simple", "plain"}
        How it looks.

    Raises
    ------
    InvalidParameterError
        If there is no such format.
    """
    if str(table_format) not in _RULES:
        raise InvalidParameterError(
            f"{table_format!r} is not a format of tables.",
            expected=f"one of {', '.join(_RULES)}",
            remedy="choose one of these",
            value=table_format,
        )
    head = ("Target Type", "Description")
    widths = [max(len(row[column]) for row in (head, *TARGET_TYPES.items())) for column in (0, 1)]
    sides, above, under, between, below = _RULES[table_format]
    framed = not sides.isspace()

    def row(cells: Sequence[str]) -> str:
        left, right = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        return f"{sides[0]} {left} {sides[2]} {right} {sides[4]}" if framed else f"{left}  {right}".rstrip()

    def rule(drawn: str) -> str:
        if not framed:
            return f"{'-' * widths[0]}  {'-' * widths[1]}"
        left, right = (drawn[1] * (width + 2) for width in widths)
        return f"{drawn[0]}{left}{drawn[2]}{right}{drawn[4]}"

    rows = [row(one) for one in TARGET_TYPES.items()]
    if between:
        rows = [line for one in rows for line in (one, rule(between))][:-1]
    lines = [rule(above) if above else "", row(head), rule(under) if under else "", *rows, rule(below) if below else ""]
    return "\n".join(line for line in lines if line)

"""Types of target: the codes that catalogues and ``filter_on_target_type`` use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from daxa.exceptions import IllegalSourceType, ParameterTypeError

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


def target_types_table() -> str:
    """Return the taxonomy as a text table with two columns."""
    head = ("Target Type", "Description")
    rows = [head, *TARGET_TYPES.items()]
    left, right = (max(len(row[column]) for row in rows) for column in (0, 1))
    lines = [f"{code:<{left}}  {meaning}" for code, meaning in rows]
    return "\n".join([lines[0], f"{'-' * left}  {'-' * right}", *lines[1:]])

"""Fields of eROSITA's early data release: their types, the tars that hold them, and the names they go by."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from daxa.api import InvalidParameterError


class Field(NamedTuple):
    """A field: its type, and the name of its tar."""

    type: str
    archive: str


FIELDS: Final[Mapping[str, Field]] = {
    "EFEDS": Field("SURVEY", "eFEDS.tar.gz"),
    "ETA_CHA": Field("SURVEY", "eta_Cha.tar.gz"),
    "LMC_SN1987A": Field("MAGELLANIC_CLOUDS", "LMC_SN1987A.tar.gz"),
    "LMC_N132D": Field("MAGELLANIC_CLOUDS", "LMC_N132D.tar.gz"),
    "PSR_J0540_6919": Field("MAGELLANIC_CLOUDS", "PSR_J0540m6919.tar.gz"),
    "PSR_J0537_6910": Field("MAGELLANIC_CLOUDS", "PSR_J0537m6910.tar.gz"),
    "PSR_J0540_PSR_J0537": Field("MAGELLANIC_CLOUDS", "PSR_J0540_PSR_J0537.tar.gz"),
    "1ES_0102_72": Field("MAGELLANIC_CLOUDS", "1ES_0102m72.tar.gz"),
    "NGC_2516": Field("GALACTIC_FIELDS", "NGC_2516.tar.gz"),
    "PSR_B0656_14": Field("GALACTIC_FIELDS", "PSR_B0656p14.tar.gz"),
    "PSR_1509_58": Field("GALACTIC_FIELDS", "PSR_1509m58.tar.gz"),
    "IGR_J13020_6359__2RXP_J130159_635806_": Field("GALACTIC_FIELDS", "IGR_J13020m6359.tar.gz"),
    "IGR_J16318_4848": Field("GALACTIC_FIELDS", "IGR_J16318m4848.tar.gz"),
    "OAO_1657_415": Field("GALACTIC_FIELDS", "OAO_1657m415.tar.gz"),
    "1RXS_J072025_312554": Field("GALACTIC_FIELDS", "1RXS_J072025m312554.tar.gz"),
    "VELA_SNR": Field("GALACTIC_FIELDS", "Vela_SNR.tar.gz"),
    "PUPPIS_A": Field("GALACTIC_FIELDS", "Puppis_A.tar.gz"),
    "HR_3165__ZET_PUP_": Field("GALACTIC_FIELDS", "HR_3165.tar.gz"),
    "CRAB_1": Field("GALACTIC_FIELDS", "Crab_I.tar.gz"),
    "CRAB_2": Field("GALACTIC_FIELDS", "Crab_II.tar.gz"),
    "CRAB_3": Field("GALACTIC_FIELDS", "Crab_III.tar.gz"),
    "CRAB_4": Field("GALACTIC_FIELDS", "Crab_IV.tar.gz"),
    "RE_J2334_471": Field("EXTRAGALACTIC_FIELDS", "RE_J2334m471.tar.gz"),
    "A3158": Field("EXTRAGALACTIC_FIELDS", "A3158.tar.gz"),
    "A3266": Field("EXTRAGALACTIC_FIELDS", "A3266.tar.gz"),
    "1H0707": Field("EXTRAGALACTIC_FIELDS", "1H0707.tar.gz"),
    "NGC_7793_P13": Field("EXTRAGALACTIC_FIELDS", "NGC_7793P13.tar.gz"),
    "47_TUC__NGC_104_": Field("EXTRAGALACTIC_FIELDS", "47_Tuc.tar.gz"),
    "TGUH2213P1__DARK_CLOUD_": Field("EXTRAGALACTIC_FIELDS", "TGUH2213P1.tar.gz"),
    "A3391_A3395": Field("EXTRAGALACTIC_FIELDS", "A3391_A3395.tar.gz"),
    "1RXS_J185635_375433": Field("EXTRAGALACTIC_FIELDS", "1RXS_J185635m375433.tar.gz"),
    "3C390_3": Field("EXTRAGALACTIC_FIELDS", "3C390.tar.gz"),
}
"""Fields by name, with the hyphens, brackets, dots and blanks of their names as ``_``."""

TYPES: Final = tuple(dict.fromkeys(field.type for field in FIELDS.values()))

ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "IGR_J13020_6359": ("IGR_J13020_6359__2RXP_J130159_635806_",),
    "HR_3165": ("HR_3165__ZET_PUP_",),
    "CRAB_I": ("CRAB_1",),
    "CRAB_II": ("CRAB_2",),
    "CRAB_III": ("CRAB_3",),
    "CRAB_IV": ("CRAB_4",),
    "CRAB": ("CRAB_1", "CRAB_2", "CRAB_3", "CRAB_4"),
    "47_TUC": ("47_TUC__NGC_104_",),
    "TGUH2213P1": ("TGUH2213P1__DARK_CLOUD_",),
    "A3391": ("A3391_A3395",),
    "A3395": ("A3391_A3395",),
}
"""Other names of fields."""

_ODD: Final = re.compile(r"[-()+/. ]")


def check_fields(fields: str | Sequence[str]) -> list[str]:
    """Return fields by the names that the catalogue has, each once.

    Parameters
    ----------
    fields : str or sequence of str
        Names of fields, or of types of field, in any case; blanks, hyphens, dots and brackets may stand for ``_``.

    Raises
    ------
    InvalidParameterError
        If one is not text, there is no such field or type, or none is named.
    """
    given: Any = [fields] if isinstance(fields, str) else fields
    wanted = list(given) if isinstance(given, Iterable) else [given]
    if not all(isinstance(one, str) for one in wanted):
        raise InvalidParameterError(
            f"{fields!r} does not name fields of eROSITA's early data release.",
            expected="text, or a list of it",
            remedy="name some of all_mission_fields or all_mission_field_types",
            value=fields,
        )
    chosen: dict[str, None] = {}
    for one in wanted:
        found = _named(_ODD.sub("_", one.strip().upper()))
        if not found:
            raise InvalidParameterError(
                f"eROSITA's early data release has no field {one!r}.",
                expected=f"some of {', '.join(FIELDS)}, or a type: {', '.join(TYPES)}",
                remedy="correct the name",
                value=one,
            )
        chosen.update(dict.fromkeys(found))
    if not chosen:
        raise InvalidParameterError(
            "No field is named.", expected="one or more", remedy="name some of all_mission_fields"
        )
    return list(chosen)


def _named(name: str) -> Sequence[str]:
    """The fields of a name, an alias or a type."""
    if name in FIELDS:
        return (name,)
    return ALIASES.get(name) or [one for one, field in FIELDS.items() if field.type == name]

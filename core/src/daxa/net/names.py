"""Names to positions, by the Sesame service of the CDS."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from daxa.exceptions import InvalidParameterError, NameNotResolvedError

if TYPE_CHECKING:
    from daxa.net.client import Net

_POSITION = re.compile(r"^%J\s*(\d+(?:\.\d*)?)\s*([+-]?\d+(?:\.\d*)?)(?=\s|$)", re.MULTILINE)


async def resolve(net: Net, name: Any) -> tuple[float, float]:
    """Position of a named object.

    Parameters
    ----------
    net : Net
        What asks.
    name : str
        Name of an object.

    Returns
    -------
    (float, float)
        Right ascension and declination in degrees, ICRS.

    Raises
    ------
    NameNotResolvedError
        If the service knows no such name; it says so with a reply that holds no ``%J`` line.
    """
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise InvalidParameterError(f"{name!r} is not the name of an object.", expected="text", remedy="correct it")
    url = f"{net.url('SESAME').rstrip('/')}/SNV?{quote(name.strip())}"
    reply = await net.get(url)
    found = _POSITION.search(reply.text)
    if found is None or float(found[1]) > 360 or abs(float(found[2])) > 90:
        raise NameNotResolvedError(
            f"No name service knows {name!r}.",
            expected="a name that SIMBAD, NED or VizieR know",
            remedy="check the spelling, or give a position",
            value=name,
        )
    return float(found[1]), float(found[2])

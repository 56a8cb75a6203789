"""Names to positions, by the Sesame service of the CDS."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from daxa.exceptions import InvalidParameterError, NameNotResolvedError, NetworkError, OfflineError

if TYPE_CHECKING:
    from daxa.net.client import Net, Reply

SERVICES: Final = ("SESAME", "SESAME_MIRROR")
"""Where names are asked for, in this order; the second only when the first cannot be asked."""

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
    NetworkError
        If neither service can be asked.
    """
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise InvalidParameterError(f"{name!r} is not the name of an object.", expected="text", remedy="correct it")
    reply = await _asked(net, quote(name.strip()))
    found = _POSITION.search(reply.text)
    if found is None or float(found[1]) > 360 or abs(float(found[2])) > 90:
        raise NameNotResolvedError(
            f"No name service knows {name!r}.",
            expected="a name that SIMBAD, NED or VizieR know",
            remedy="check the spelling, or give a position",
            value=name,
        )
    return float(found[1]), float(found[2])


async def _asked(net: Net, name: str) -> Reply:
    problem: NetworkError | None = None
    for service in _services(net):
        try:
            return await net.get(f"{net.url(service).rstrip('/')}/SNV?{name}")
        except OfflineError:
            raise
        except NetworkError as failure:
            problem = problem or failure
    assert problem is not None
    raise problem


def _services(net: Net) -> tuple[str, ...]:
    """Services to ask: whoever names another address for the first means that one alone, unless both are named."""
    config, known = net.context.config, net.context.registry.services
    first, second = (config.service(one, known[one].url).source != "default" for one in SERVICES)
    return SERVICES[:1] if first and not second else SERVICES

"""Names of objects to positions, several at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import anyio

from daxa.exceptions import DaxaError, NameNotResolvedError

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord

    from daxa.context import Context


def _within(name: str) -> tuple[float, float] | None:
    """Read the position that is part of a name such as ``CRTS SSS100805 J194428-420209``, in degrees, ICRS."""
    from astropy.coordinates.jparser import to_skycoord

    try:
        place = to_skycoord(name)
    except ValueError:
        return None
    return float(place.ra.deg), float(place.dec.deg)


async def resolve_names(
    names: Sequence[str], context: Context, frame: str, *, parse: bool = False
) -> list[SkyCoord | None]:
    """Ask the name service for positions.

    Parameters
    ----------
    names : sequence of str
        Names of objects.
    context : Context
        The surroundings.
    frame : str
        Frame of the answer.
    parse : bool
        Whether a position that is part of a name is read from it.

    Returns
    -------
    list of SkyCoord or None
        One a name; None where nobody knows it.

    Raises
    ------
    NetworkError
        If the service cannot be asked.
    """
    from astropy.coordinates import SkyCoord

    from daxa.net.client import open_net

    found: dict[str, SkyCoord] = {}
    failures: list[DaxaError] = []

    async with open_net(context) as net:

        async def one(name: str) -> None:
            try:
                place = (_within(name) if parse else None) or await net.resolve(name)
            except NameNotResolvedError:
                return
            except DaxaError as problem:
                failures.append(problem)
                return
            found[name] = SkyCoord(*place, unit="deg", frame="icrs").transform_to(frame)

        async with anyio.create_task_group() as group:
            for name in dict.fromkeys(names):
                group.start_soon(one, name)
    if failures:
        raise failures[0]
    return [found.get(name) for name in names]

"""Names of objects to positions, several at a time."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread

from daxa.exceptions import DaxaError, NameNotResolvedError
from daxa.mission.catalogue import open_cache, service_key

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord

    from daxa.context import Context
    from daxa.store.catalogues import CatalogueCache

LASTING: Final = 90 * 86400.0
"""Seconds for which a position is kept before the service is asked again, where there is a network."""


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
    """Look positions up: in the cache, else by the name service.

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

    wanted = list(dict.fromkeys(names))
    places = {name: place for name in wanted if parse and (place := _within(name)) is not None}
    asked = [name for name in wanted if name not in places]
    if asked:
        service = await anyio.to_thread.run_sync(service_key, context, ("SESAME",))
        cache = await anyio.to_thread.run_sync(open_cache, context)
        try:
            lasting = math.inf if context.config.offline else LASTING
            if cache is not None:
                places.update(await anyio.to_thread.run_sync(cache.positions, service, asked, lasting))
            asked = [name for name in asked if name not in places]
            told, problem = await _ask(asked, context) if asked else ({}, None)
            if told and cache is not None:
                await cache.put_positions(service, told)
            places.update(told)
            if problem is not None:
                places.update(await _older(cache, service, [one for one in asked if one not in told], problem))
        finally:
            if cache is not None:
                await anyio.to_thread.run_sync(cache.close)
    found = {name: SkyCoord(*place, unit="deg", frame="icrs").transform_to(frame) for name, place in places.items()}
    return [found.get(name) for name in names]


async def _older(
    cache: CatalogueCache | None, service: str, names: Sequence[str], problem: DaxaError
) -> dict[str, tuple[float, float]]:
    """Positions of names that could not be asked for, as they were told long ago: objects do not move much."""
    held = {} if cache is None else await anyio.to_thread.run_sync(cache.positions, service, names)
    if len(held) < len(names):
        raise problem
    warnings.warn(
        f"{problem.message.rstrip('.')}: positions of {', '.join(held)} are those that were told more than"
        f" {LASTING / 86400:.0f} days ago.",
        stacklevel=2,
    )
    return held


async def _ask(names: Sequence[str], context: Context) -> tuple[dict[str, tuple[float, float]], DaxaError | None]:
    """Ask the name service, several names at a time: names that nobody knows are absent; and why others are."""
    from daxa.net.client import open_net

    told: dict[str, tuple[float, float]] = {}
    failures: list[DaxaError] = []
    async with open_net(context) as net:

        async def one(name: str) -> None:
            try:
                told[name] = await net.resolve(name)
            except NameNotResolvedError:
                return
            except DaxaError as problem:
                failures.append(problem)

        async with anyio.create_task_group() as group:
            for name in names:
                group.start_soon(one, name)
    return told, failures[0] if failures else None

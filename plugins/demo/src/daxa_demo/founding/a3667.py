"""The archive of Abell 3667: four missions, declared and fetched, nothing reduced."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from daxa.archive import Archive

NAME: Final = "A3667"


async def build(root: Path) -> Archive:
    """Select and fetch, as the tutorial did.

    Parameters
    ----------
    root : Path
        Output root.

    Returns
    -------
    Archive
        The archive, open.
    """
    from daxa.archive import Archive
    from daxa.mission import Chandra, ROSATPointed, XMMPointed, eRASS1DE

    missions = [XMMPointed(), Chandra(), eRASS1DE(), ROSATPointed()]
    await asyncio.gather(*(mission.filter_on_name("A3667") for mission in missions))
    return await Archive(NAME, missions)

"""From positions to an archive, in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from daxa.exceptions import NoObsAfterFilterError
from daxa.ids import check_archive_name
from daxa.mission.tools import multi_mission_filter_on_positions

if TYPE_CHECKING:
    from daxa.archive.archive import Archive
    from daxa.context import Context


async def assemble_archive_from_positions(
    archive_name: str,
    positions: Any,
    search_distance: Any = None,
    missions: Sequence[str] | None = None,
    insts: Mapping[str, str | Sequence[str]] | None = None,
    clobber: bool = False,
    download_products: bool | Mapping[str, bool] | None = None,
    use_preprocessed: bool | Mapping[str, bool] = True,
    *,
    context: Context | None = None,
) -> Archive:
    """Declare an archive of what several missions have near some positions.

    Parameters
    ----------
    archive_name : str
        Name of the archive.
    positions, search_distance, missions, insts
        As for :func:`daxa.mission.tools.multi_mission_filter_on_positions`.
    clobber, download_products, use_preprocessed
        As for :class:`daxa.archive.Archive`.
    context : Context, optional
        The surroundings.

    Returns
    -------
    Archive
        Open, of the missions that have observations there. One that has none, or cannot be asked, costs a warning.

    Raises
    ------
    NoObsAfterFilterError
        If no mission has an observation there.
    InvalidParameterError, ParameterTypeError
        If a mission is unknown, or a distance or a position cannot be understood.
    InvalidNameError, ArchiveExistsError, DAXADownloadError
        As from :class:`daxa.archive.Archive`.
    """
    from daxa.archive.archive import Archive

    check_archive_name(archive_name)  # before anybody is asked
    found = await multi_mission_filter_on_positions(positions, search_distance, missions, insts, context=context)
    if not found:
        raise NoObsAfterFilterError(
            "No mission that could be asked has an observation there.",
            expected="positions that were observed",
            remedy="widen search_distance, or ask more missions",
        )
    return await Archive(archive_name, found, clobber, download_products, use_preprocessed, context=context)

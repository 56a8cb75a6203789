"""The whole reduction of XMM-Newton data in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from daxa.archive import Archive
    from daxa.archive.running import RunSummary


async def full_process_xmm(
    archive: Archive,
    lo_en: Any = None,
    hi_en: Any = None,
    process_unscheduled: bool = True,
    find_mos_anom_state: bool = False,
    num_cores: int | None = None,
    timeout: Any = None,
    **options: Any,
) -> RunSummary:
    """Reduce the XMM-Newton observations of an archive, from raw files to merged event lists, images and exposure maps.

    Parameters
    ----------
    archive : Archive
        The archive.
    lo_en, hi_en : Quantity, optional
        Limits of the energies of clean event lists; both or neither.
    process_unscheduled : bool
        Whether exposures that were not scheduled are processed.
    find_mos_anom_state : bool
        Whether CCDs of EPIC-MOS in an anomalous state are looked for, and left out.
    num_cores : int, optional
        Most tasks at once.
    timeout : Quantity or float, optional
        What one task may take; a bare number counts seconds.
    **options
        Those of :meth:`daxa.archive.Archive.run`, such as ``obs_ids`` and ``rerun``.

    Returns
    -------
    RunSummary
        How many tasks ended in which state.

    Raises
    ------
    MissingToolError
        If SAS or HEASoft is not here; nothing was started.
    """
    cleaned = {"lo_en": lo_en, "hi_en": hi_en, "filt_mos_anom_state": find_mos_anom_state}
    return await archive.run(
        ["merge_subexposures", "generate_images_expmaps", "cleaned_rgs_event_lists"],
        missions="xmm_pointed",
        num_cores=num_cores,
        timeout=timeout,
        process_unscheduled=process_unscheduled,
        cleaned_evt_lists=cleaned,
        **options,
    )

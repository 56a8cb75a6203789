"""What an observation holds, by its summary, and which exposures are worth a task."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from daxa.api import Child
from daxa_xmm.summary import UNDEFINED, parse_odf_sum

WITHOUT_SKY: Final = frozenset({"CalClosed", "Closed", "Blocked", "Unknown"})
"""Filters through which no sky is seen."""

NOT_SCIENCE: Final = frozenset(
    {
        "Diagnostic3x3", "Diagnostic1x1", "CcdDiagnostic", "Diagnostic1x1ResetPerPixel", "Diagnostic", "Noise",
        "Offset", "HighTimeResolutionSingleCcd", "OffsetVariance", "CentroidingConfirmation", "CentroidingData",
        "DarkHigh", "DarkLow", "FlatFieldHigh", "FlatFieldLow",
    }
)  # fmt: skip
"""Modes whose data are not of the sky."""

IMAGING: Final = "IMAGING"
"""Mode of the CCDs, in capitals, whose data become event lists of images."""

OF_THE_SKY: Final = frozenset({IMAGING, "TIMING", "SPECTROSCOPY"})
"""Modes of CCDs, in capitals, in which they record events from the sky."""


def is_usable(inst: str, exposure: Mapping[str, Any]) -> bool:
    """Whether an exposure is scientific, saw the sky, and was taken in a mode that yields events.

    Parameters
    ----------
    inst : str
        Instrument; the spectrometers have no filters.
    exposure : Mapping
        ``type``, ``filter``, ``mode`` and ``ccd_modes``, as the summary has them. Where the mode is not told, those of
        the CCDs decide.
    """
    sees = inst in ("R1", "R2") or (exposure["filter"] is not None and exposure["filter"] not in WITHOUT_SKY)
    known = inst == "OM" or is_known(exposure)  # of the optical monitor it is often not told, and not used
    return exposure["type"] == "SCIENCE" and sees and known and exposure["mode"] not in NOT_SCIENCE


def is_known(exposure: Mapping[str, Any]) -> bool:
    """Whether the summary tells the mode of an exposure, or of one or more CCDs that they saw the sky."""
    ccds = (exposure.get("ccd_modes") or {}).values()
    return exposure["mode"].upper() != UNDEFINED or any(mode.upper() in OF_THE_SKY for mode in ccds)


def children_of(summary: Path, obs_id: str) -> list[Child]:
    """Read instruments and exposures from a summary, with what it says of them, and which of them are of use.

    Parameters
    ----------
    summary : Path
        The summary that ``odfingest`` wrote.
    obs_id : str
        The observation it should be of.

    Raises
    ------
    BadSummaryError
        If it cannot be read.
    """
    found = []
    for inst, one in parse_odf_sum(summary, obs_id).items():
        children = []
        for name, exposure in one.get("exposures", {}).items():
            usable = is_usable(inst, exposure)
            reason = "" if usable else why_not(exposure)
            children.append(Child(name=name, usable=usable, reason=reason, info=exposure))
        told = {key: value for key, value in one.items() if key != "exposures"}
        reason = "" if one["active"] else "the instrument was not active"
        found.append(Child(name=inst, usable=one["active"], reason=reason, info=told, children=children))
    return found


def why_not(exposure: Mapping[str, Any]) -> str:
    """Say why an exposure is of no use: its type, or its mode and filter."""
    if exposure["type"] != "SCIENCE":
        return f"its type is {exposure['type']}"
    if not is_known(exposure):
        return "the raw data do not tell the mode it was taken in"
    filtered = f"filter {exposure['filter']}" if exposure["filter"] else "no filter"
    return f"it was taken in mode {exposure['mode']} with {filtered}, which shows no sky"


def is_wanted(exposure: Any, params: Any) -> bool | str:
    """Whether an exposure gets a task: scheduled ones do, others where they are wanted; else the reason."""
    return exposure.scheduled or params.process_unscheduled or "it is unscheduled, and these are not wanted"


def imaging_ccds(info: Mapping[str, Any]) -> list[int]:
    """CCDs that were in imaging mode, in order; none where the summary does not tell the modes."""
    modes = info.get("ccd_modes") or {}
    return sorted(int(ccd) for ccd, mode in modes.items() if mode.upper() == IMAGING)


def is_wanted_image(exposure: Any, params: Any) -> bool | str:
    """Whether an exposure of EPIC-pn gets a task: it is wanted, and one or more CCDs were in imaging mode."""
    wanted = is_wanted(exposure, params)
    if wanted is True and not imaging_ccds(exposure.info):
        return "none of its CCDs was in imaging mode, and data in timing and burst mode are not processed"
    return wanted

"""XMM-Newton for DAXA: catalogue, downloads and reduction.

The names below are imported when they are first used. Reading a summary or a log needs neither the mission's class nor
any software of ESA.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from daxa_xmm.anomalies import MissingLogError, parse_emanom_out
    from daxa_xmm.calibration import (
        BadCalibrationIndexError,
        Constituent,
        calibration_digest,
        newest_release,
        parse_cif,
    )
    from daxa_xmm.chain import full_process_xmm
    from daxa_xmm.logs import read_espfilt_log
    from daxa_xmm.messages import Message, iter_messages, parse_stderr
    from daxa_xmm.processes import (
        attitude,
        cif_build,
        cleaned_evt_lists,
        cleaned_rgs_event_lists,
        emanom,
        emchain,
        epchain,
        espfilt,
        generate_images_expmaps,
        merge_subexposures,
        odf_ingest,
        rgs_angles,
        rgs_events,
    )
    from daxa_xmm.summary import BadSummaryError, parse_odf_sum

_LATE: Final = {
    **dict.fromkeys(
        (
            "cif_build",
            "odf_ingest",
            "epchain",
            "emchain",
            "emanom",
            "espfilt",
            "cleaned_evt_lists",
            "merge_subexposures",
            "attitude",
            "generate_images_expmaps",
            "rgs_events",
            "rgs_angles",
            "cleaned_rgs_event_lists",
        ),
        "daxa_xmm.processes",
    ),
    "full_process_xmm": "daxa_xmm.chain",
    "MissingLogError": "daxa_xmm.anomalies",
    "parse_emanom_out": "daxa_xmm.anomalies",
    "BadCalibrationIndexError": "daxa_xmm.calibration",
    "BadSummaryError": "daxa_xmm.summary",
    "Constituent": "daxa_xmm.calibration",
    "Message": "daxa_xmm.messages",
    "calibration_digest": "daxa_xmm.calibration",
    "iter_messages": "daxa_xmm.messages",
    "newest_release": "daxa_xmm.calibration",
    "parse_cif": "daxa_xmm.calibration",
    "parse_odf_sum": "daxa_xmm.summary",
    "parse_stderr": "daxa_xmm.messages",
    "read_espfilt_log": "daxa_xmm.logs",
}


def __getattr__(name: str) -> Any:
    """Import a name when it is first used."""
    if name in _LATE:
        import importlib

        return getattr(importlib.import_module(_LATE[name]), name)
    raise AttributeError(f"module 'daxa_xmm' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATE})


__all__ = [
    "BadCalibrationIndexError",
    "BadSummaryError",
    "Constituent",
    "Message",
    "MissingLogError",
    "attitude",
    "calibration_digest",
    "cif_build",
    "cleaned_evt_lists",
    "cleaned_rgs_event_lists",
    "emanom",
    "emchain",
    "epchain",
    "espfilt",
    "full_process_xmm",
    "generate_images_expmaps",
    "iter_messages",
    "merge_subexposures",
    "newest_release",
    "odf_ingest",
    "parse_cif",
    "parse_emanom_out",
    "parse_odf_sum",
    "parse_stderr",
    "read_espfilt_log",
    "rgs_angles",
    "rgs_events",
]

"""What the log of a SAS task tells: which software ran, with what, and for `espfilt` what it saw in the light curve."""

from __future__ import annotations

import re
from typing import Any, Final

from daxa_xmm.lines import Log, lines_of

_NUMBER: Final = r"\s*([-+]?[\d.]+(?:[EeDd][-+]?\d+)?)"
_STAMP: Final = re.compile(
    r":- (?P<task>[\w.+-]{1,60})  ?\((?P=task)-(?P<version>[^()\s]{1,60})\)\s+\[(?P<build>[^\]]{1,100})\]"
    r"\s+(?P<what>started|ended):\s+(?P<when>\d{4}-\d\d-\d\dT[\d:.]{8,20})"
)
_CALL: Final = re.compile(r":- Executing \((?:routine|invoked)\): (?P<task>[\w.+-]{1,60}) (?P<arguments>.*)")
_ARGUMENT: Final = re.compile(r"(?<!\S)(\w{1,60})=('[^']*'|\"[^\"]*\"|\S*)")
_ROWS: Final = re.compile(r"evselect:- selected (\d{1,18}) rows from the input table")
_CURVE: Final = re.compile(r"CLEAN_LC: There are\s+(\d{1,18})\s+rows in the FOV LC")
_RANGE: Final = re.compile(rf"min LC value={_NUMBER}\s+max LC value ={_NUMBER}\s+limits\(2\) ={_NUMBER}")
_FIT: Final = re.compile(rf"WRITE_QDP_GTI: Norm ={_NUMBER}\s+Width ={_NUMBER}\s+Center ={_NUMBER}")


def read_espfilt_log(log: Log) -> dict[str, Any]:
    """Read what the standard output of `espfilt` tells.

    Parameters
    ----------
    log : str, bytes, iterable of str or bytes, or path-like
        The log, its lines, or the `Path` of its file.

    Returns
    -------
    dict
        ``versions`` (of `espfilt` and each task it called), ``sas_build``, ``started`` and ``ended`` (ISO 8601, UTC;
        ``ended`` is None if it broke off), ``finished_normally``, ``espfilt_arguments`` (as given, quotes included),
        ``evselect_calls``, ``evselect_selected_rows_in_order``, ``fov_lightcurve_rows``, ``lightcurve_min``,
        ``lightcurve_max`` and ``upper_limit`` (counts/s), and ``gaussian_fit`` (of the histogram of rates: ``norm``
        in bins' counts, ``width`` and ``center`` in counts/s; None if there was none). What a log does not say is None,
        empty or zero.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    found: dict[str, Any] = {
        "versions": {},
        "sas_build": None,
        "started": None,
        "ended": None,
        "evselect_calls": 0,
        "evselect_selected_rows_in_order": [],
        "fov_lightcurve_rows": None,
        "lightcurve_min": None,
        "lightcurve_max": None,
        "upper_limit": None,
        "gaussian_fit": None,
        "espfilt_arguments": {},
        "finished_normally": False,
    }
    for line in lines_of(log):
        if stamp := _STAMP.search(line):
            _stamped(found, stamp)
        elif call := _CALL.search(line):
            found["evselect_calls"] += call["task"] == "evselect"
            if call["task"] == "espfilt" and not found["espfilt_arguments"]:
                found["espfilt_arguments"] = dict(_ARGUMENT.findall(call["arguments"]))
        elif rows := _ROWS.search(line):
            found["evselect_selected_rows_in_order"].append(int(rows[1]))
        elif curve := _CURVE.search(line):
            found["fov_lightcurve_rows"] = int(curve[1])
        elif extremes := _RANGE.search(line):
            names = ("lightcurve_min", "lightcurve_max", "upper_limit")
            found.update(zip(names, map(_number, extremes.groups()), strict=True))
        elif fit := _FIT.search(line):
            found["gaussian_fit"] = dict(zip(("norm", "width", "center"), map(_number, fit.groups()), strict=True))
    return found


def _stamped(found: dict[str, Any], stamp: re.Match[str]) -> None:
    """Note that a task began or ended."""
    found["versions"].setdefault(stamp["task"], stamp["version"])
    if stamp["task"] == "espfilt":
        found["sas_build"] = found["sas_build"] or stamp["build"]
        found[stamp["what"]] = stamp["when"]
        found["finished_normally"] = stamp["what"] == "ended"


def _number(text: str) -> float | None:
    """Return a number as Fortran writes it, such as ``-.8937E-01``."""
    try:
        return float(text.replace("D", "E").replace("d", "e"))
    except ValueError:
        return None

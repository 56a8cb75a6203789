"""Small ODFs: the names of real ones, and headers that tell the stand-ins what they need."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from io import BytesIO
from typing import Final

from attrs import field, frozen

from daxa_xmm.testing.sas.programs import fits
from daxa_xmm.testing.sas.programs.odf import NAMES

_CCDS: Final = {"M1": range(1, 8), "M2": range(1, 8), "PN": range(1, 13), "R1": range(1, 10), "R2": range(1, 10),
                "OM": (0,)}  # fmt: skip
_KINDS: Final = {"M1": "IME", "M2": "IME", "PN": "IME", "R1": "SPE", "R2": "SPE", "OM": "IMI"}
_MODES: Final = {"R1": "HighEventRateWithSES", "R2": "HighEventRateWithSES", "OM": "Image"}
HOUSEKEEPING: Final = ("M1X00000HTH", "M2X00000HTH", "PNX00000PMH", "R1X00000PFH", "R2X00000PFH", "OMX00000PEH")
"""Files of instruments that belong to no exposure."""


@frozen(kw_only=True)
class Exposure:
    """An exposure that an ODF is to hold.

    Parameters
    ----------
    instrument : str
        ``M1``, ``M2``, ``PN``, ``R1``, ``R2`` or ``OM``.
    name : str
        ``S003``, ``U002``.
    filter : str or None
        Name of the filter; None: the housekeeping does not tell.
    mode : str, optional
        Mode of the instrument, by default its usual one.
    kind : str, optional
        Type of the science files: ``IME`` imaging, ``TIE`` timing, ``BUE`` burst, ``DLI`` diagnostic, ``ODI`` offsets.
    ccds : iterable of int, optional
        CCDs that have a file, by default all of them.
    type : str
        ``SCIENCE``, or what the summary is to say.
    """

    instrument: str
    name: str
    filter: str | None = "Thin1"
    mode: str | None = None
    kind: str | None = None
    ccds: tuple[int, ...] | None = field(default=None, converter=lambda one: None if one is None else tuple(one))
    type: str = "SCIENCE"


USUAL: Final = ("M1S001", "M2S002", "PNS003", "R1S004", "R2S005", "OMS006")
"""Exposures of most observations."""


def odf(
    obs_id: str,
    exposures: Iterable[str | Exposure] = USUAL,
    *,
    revolution: int = 1000,
    start: str = "2006-05-27 09:58:06",
    duration: float = 20_000.0,
    ra: float = 149.591375,
    dec: float = -11.0887222,
    angle: float = 306.72,
    frame: str = "FK5",
    target: str = "Generated",
    frames: int = 4,
) -> dict[str, bytes]:
    """Make the raw files of an observation.

    Parameters
    ----------
    obs_id : str
        Ten digits.
    exposures : iterable of str or Exposure
        ``M1S001`` means a usual exposure.
    revolution : int
        Revolution of the spacecraft.
    start : str
        Start, UTC.
    duration : float
        Seconds that each exposure lasts.
    ra, dec, angle : float
        Pointing, degrees.
    frame : str
        What event lists and images are to say of the frame of their coordinates. The SAS says FK5.
    target : str
        Name of the target.
    frames : int
        Rows of each science file; none: it has no table, and one block, which is enough for the stand-ins.

    Returns
    -------
    dict of str to bytes
        Files by name: ``{revolution}_{obs_id}_M1S00110IME.FIT`` ..., the summary ``SCX00000SUM.ASC``, the attitude
        ``SCX00000ATS.FIT``, and a manifest.
    """
    first = datetime.fromisoformat(start)
    dates = [f"{one:%Y-%m-%dT%H:%M:%S}" for one in (first, first + timedelta(seconds=duration))]
    common: list[tuple[str, object]] = [("TELESCOP", "XMM"), ("OBS_ID", obs_id), ("REVOLUT", revolution)]
    common += [("OBJECT", target), ("DATE-OBS", dates[0]), ("DATE-END", dates[1])]
    prefix = f"{revolution:04}_{obs_id}_"
    made: dict[str, bytes] = {}
    for one in exposures:
        exposure = one if isinstance(one, Exposure) else Exposure(instrument=one[:2], name=one[2:])
        made |= {prefix + name: content for name, content in _exposure(exposure, common, frames)}
    for name in HOUSEKEEPING:
        made[f"{prefix}{name}.FIT"] = _file([*common, ("INSTRUME", NAMES[name[:2]])])
    pointing = [("RA_PNT", ra), ("DEC_PNT", dec), ("PA_PNT", angle), ("RADECSYS", frame)]
    made[f"{prefix}SCX00000ATS.FIT"] = _file([*common, *pointing])
    made[f"{prefix}SCX00000SUM.ASC"] = _summary(target, ra, dec, angle, duration)
    made["MANIFEST.100000"] = "".join(f"{name}\n" for name in sorted(made)).encode()
    return dict(sorted(made.items()))


def _exposure(one: Exposure, common: list[tuple[str, object]], frames: int) -> Iterable[tuple[str, bytes]]:
    kind = one.kind or _KINDS[one.instrument]
    keys = [*common, ("INSTRUME", NAMES[one.instrument]), ("EXPIDSTR", one.name), ("EXPTYPE", one.type)]
    keys.append(("SUBMODE", one.mode or _MODES.get(one.instrument, "PrimeFullWindow")))
    if one.filter is not None and one.instrument[0] != "R":
        keys.append(("FILTER", one.filter))
    if kind not in ("DLI", "ODI"):  # diagnostics have no auxiliary file
        yield f"{one.instrument}{one.name}00AUX.FIT", _file(keys)
    for ccd in _CCDS[one.instrument] if one.ccds is None else one.ccds:
        digits = f"{ccd}0" if one.instrument in ("M1", "M2") else f"{ccd:02}"
        rows = [(number, 100 + number) for number in range(frames)]
        table = fits.table("EVENTS", (("FRAME", "J", ""), ("ENERGYE1", "I", "ADU")), rows, [("CCDID", ccd)])
        yield f"{one.instrument}{one.name}{digits}{kind}.FIT", _file(keys, *([table] if rows else []))


def _file(keys: list[tuple[str, object]], *tables: fits.HDU) -> bytes:
    content = BytesIO()
    fits.write_to(content, [fits.primary(keys, history=["generated, not observed"]), *tables])
    return content.getvalue()


def _summary(target: str, ra: float, dec: float, angle: float, duration: float) -> bytes:
    """Make the summary that comes with the raw files: proposal and configuration records."""
    lines = [
        "CONFIGURATION", "2", "ODF_VERSION = 003 / generated, not observed", "PRIME_INSTR = E3 / Prime Instrument",
        "PROPOSAL", "Nobody", "DAXA", "", "", "", "", "", "", "", " 5 / Announcement of Opportunity",
        " G / Observation type", f"{target:<20} / Target Name", f" {ra / 15:.7f} / Target Right Ascension",
        f"{dec:.7f} / Target Declination", f" {duration:.0f} / Proposed Observation Duration", "",
        f" {ra / 15:.7f} / Boresight Right Ascension", f"{dec:.7f} / Boresight Declination",
        f"{angle:.0f} / Position Angle Constraint (Lower)", f"{angle:.0f} / Position Angle Constraint (Upper)",
        "N / Position Angle Origin reference",
    ]  # fmt: skip
    return "".join(f"{line:<80}\n" for line in lines).encode()

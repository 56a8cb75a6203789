"""The archive of PHL 1811: five observations of XMM-Newton, reduced, and products of three other missions."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from daxa_demo.sky import DATA

if TYPE_CHECKING:
    from daxa.archive import Archive

NAME: Final = "PHL1811_made_earlier"
BESIDE: Final = ("0502671101", "0102041001", "0105261001")
"""Observations of other targets: of one an exposure fails, one never saw the sky, one has unscheduled exposures."""

POINTINGS: Final[Mapping[str, tuple[float, float]]] = {
    "0105261001": (67.54158333, -61.32288889),
    "0204310101": (328.779125, -9.39144444),
    "0502671101": (234.94941667, -83.56513889),
    "0761910201": (328.77954167, -9.38991667),
}
"""Where the images of these observations are centred, ICRS degrees: such that the recorded regions fit on them."""


def _diagnostics() -> list[Any]:
    """The exposures of 0204310101 that EPIC-pn took of itself: one a CCD, and one of its offsets."""
    from daxa_xmm.testing.sas import Exposure

    made = [
        Exposure(instrument="PN", name=f"U{ccd + 1:03d}", filter=None, mode="Diagnostic", kind="DLI", ccds=(ccd,))
        for ccd in range(1, 13)
    ]
    return [*made, Exposure(instrument="PN", name="U101", mode="Offset", kind="ODI")]


def exposures(obs_id: str) -> list[Any]:
    """What was exposed in an observation, for the raw files that stand in."""
    from daxa_xmm.testing.sas import Exposure

    usual = ["M1S001", "M2S002", "PNS003"]
    if obs_id == "0102041001":
        return [Exposure(instrument=one[:2], name=one[2:], filter="CalClosed") for one in usual]
    if obs_id == "0105261001":
        return [*usual, "M1U002", "M2U002", "PNU002"]
    return [*usual, *_diagnostics()] if obs_id == "0204310101" else list(usual)


def scenario() -> list[Mapping[str, Any]]:
    """What the stand-ins for SAS are to say and do otherwise, as it was recorded."""
    from daxa_xmm.testing.sas import rules

    texts = {path.stem: path.read_text(encoding="utf-8") for path in (DATA / "phl1811").glob("*.log")}
    failed, went_well = "espfilt_0502671101PNS003", "espfilt_0204310101M1S001"
    varies = (
        "** epframes: warning (notHKconstant), HK parameter F1725 is not constant, range = [           0 ,"
        "         256 ]. Use default:          256"
    )
    return [
        rules.fails(
            "espfilt",
            "0502671101PNS003",
            stdout=texts[f"{failed}_stdout"],
            stderr=texts[f"{failed}_stderr"],
        ),
        rules.says("espfilt", "0204310101M1S001", stdout=texts[f"{went_well}_stdout"]),
        rules.warns("epchain", "0502671101PNS003", varies, 110, when=["withoutoftime=Y"]),
    ]


async def build(root: Path) -> Archive:
    """Select, fetch, declare and reduce, as the tutorial did.

    Parameters
    ----------
    root : Path
        Output root: archives lie in it, and a directory ``region_files`` for the tutorial's source regions.

    Returns
    -------
    Archive
        The archive, open.
    """
    import numpy as np

    from daxa.archive import Archive
    from daxa.mission import Chandra, NuSTARPointed, ROSATAllSky, XMMPointed
    from daxa_xmm import full_process_xmm

    xm, ch, nu, rass = XMMPointed(), Chandra(), NuSTARPointed(), ROSATAllSky()
    missions = [xm, ch, nu, rass]
    await asyncio.gather(*(mission.filter_on_name("PHL 1811") for mission in missions))
    xm.filter_array = xm.filter_array | np.isin(xm.obs_ids, BESIDE)
    products = {mission.name: mission is not xm for mission in missions}
    arch = await Archive(NAME, missions, download_products=products, use_preprocessed=products)
    await full_process_xmm(arch)
    await asyncio.to_thread(shutil.copytree, DATA / "region_files", root / "region_files", dirs_exist_ok=True)
    return arch

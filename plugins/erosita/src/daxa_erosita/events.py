"""Event lists of some of eROSITA's telescope modules, cut from lists of all seven."""

from __future__ import annotations


def select_modules(source: str, target: str, inst: str) -> None:
    """Write an event list that holds the events of some telescope modules only.

    Everything else stays as it is: good times and the other tables are kept by module, and name it.

    Parameters
    ----------
    source : str
        Event list; its first extension has a column ``TM_NR`` with the number of the module.
    target : str
        Where the new one is written.
    inst : str
        Modules, joined by ``_``, e.g. ``TM1_TM5``.

    Raises
    ------
    BadEventListError
        If there is no such column.
    """
    import numpy as np
    from astropy.io import fits

    from daxa.api import BadEventListError

    modules = [int(one.removeprefix("TM")) for one in inst.split("_")]
    with fits.open(source, memmap=True) as hdus:
        if len(hdus) < 2 or "TM_NR" not in getattr(hdus[1], "columns", fits.ColDefs([])).names:
            raise BadEventListError(
                f"{source} does not tell the telescope modules of its events.",
                expected="a column TM_NR in its first extension",
                remedy="choose all of TM1 to TM7, or tell the archive's operators",
            )
        rows = np.isin(hdus[1].data["TM_NR"], modules)
        events = fits.BinTableHDU(hdus[1].data[rows], header=hdus[1].header)
        events.header["HISTORY"] = f"events of the telescope modules {inst.replace('_', ', ')} alone"
        fits.HDUList([hdus[0], events, *hdus[2:]]).writeto(target)

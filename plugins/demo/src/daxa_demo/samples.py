"""Two samples that DAXA's case studies select observations of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pandas import DataFrame

DATA: Final = Path(__file__).with_name("data") / "samples"


def supernovae() -> DataFrame:
    """Supernovae of type Ia that were discovered recently.

    Returns
    -------
    pandas.DataFrame
        1,000 rows; ``name``, ``ra`` and ``dec`` in degrees (ICRS), and ``discovered``, a time of UTC. They are of the
        Transient Name Server, in the selection of DAXA 0.3's case study.
    """
    import pandas as pd

    return pd.read_csv(DATA / "supernovae.csv", parse_dates=["discovered"])


def efeds_clusters() -> DataFrame:
    """Candidate clusters of galaxies of eROSITA's eFEDS field.

    Returns
    -------
    pandas.DataFrame
        542 rows; ``ra`` and ``dec`` in degrees (ICRS), as in DAXA 0.3's case study.
    """
    import pandas as pd

    return pd.read_csv(DATA / "efeds_clusters.csv")

"""Joining a mission's selected observations with positions: how far, and which with which."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from daxa.exceptions import InvalidParameterError, ParameterTypeError
from daxa.mission.selected import Selected

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pandas import DataFrame

    from daxa.mission.inputs import Positions
    from daxa.mission.selection import Keep, Pairs


class Joining(Selected):
    """The part of a mission that knows which observations are near a position."""

    # --- distances --------------------------------------------------------------------------------------------------

    def _check_radii(self, distance: Any, positions: Positions) -> None:
        """Refuse bad distances before anything is loaded, and warn where one is used for unlike instruments."""
        from daxa.mission.inputs import as_radii, as_radii_by_instrument

        several = isinstance(self.declared_fov, Mapping)
        if isinstance(distance, Mapping):
            if not several:
                raise ParameterTypeError(
                    f"The instruments of {self.pretty_name} have one field of view.",
                    expected="one search distance, or one for each position",
                    remedy="do not give them by instrument",
                )
            as_radii_by_instrument(distance, self.instruments, self._seeing())
        elif distance is not None:
            as_radii(distance, positions)
            if several:
                warnings.warn(
                    f"The instruments of {self.pretty_name} have unlike fields of view; one search distance is used"
                    " for all of them.",
                    stacklevel=2,
                )

    def _seeing(self) -> list[str]:
        """Chosen instruments that have a field of view; gratings have none."""
        declared = self.declared_fov
        return [inst for inst in self._instruments if not isinstance(declared, Mapping) or inst in declared]

    def _radii(self, distance: Any, positions: Positions) -> Any:
        """Search distances in degrees, as :func:`daxa.mission.selection.match` takes them."""
        import numpy as np

        from daxa.mission.inputs import as_degrees, as_radii, as_radii_by_instrument

        if distance is None:
            declared = self.declared_fov
            if declared is None:
                raise InvalidParameterError(
                    f"{self.pretty_name} does not say its field of view.",
                    expected="a search distance",
                    remedy="give search_distance",
                )
            if isinstance(declared, str):
                return 1.2 * as_degrees(declared)
            by_inst = {inst: 1.2 * as_degrees(one) for inst, one in declared.items()}
        elif isinstance(distance, Mapping):
            by_inst = as_radii_by_instrument(distance, self.instruments, self._seeing())
        else:
            radii = as_radii(distance, positions)
            return radii[:, np.newaxis] if isinstance(radii, np.ndarray) else radii
        if "instrument" in self._table.columns and self.one_inst_per_obs:
            return self._table["instrument"].map(by_inst).to_numpy(dtype=np.float64, na_value=np.nan)
        if distance is None:
            warnings.warn(
                f"The instruments of {self.pretty_name} have unlike fields of view; the widest one decides.",
                stacklevel=2,
            )
        return max(by_inst[inst] for inst in self._instruments if inst in by_inst)

    # --- joins ------------------------------------------------------------------------------------------------------

    def _join(self, positions: Positions, distance: Any) -> tuple[NDArray[np.int64], Any, Any, Any]:
        """Rows that the filters have left, their unit vectors, those of the positions, and the distances.

        Rows of instruments that are not chosen are among them: they may be chosen later.
        """
        import numpy as np

        from daxa.mission.selection import unit_vectors

        assert self._mask is not None
        rows = np.flatnonzero(self._mask)
        radii = self._radii(distance, positions)
        if np.ndim(radii) == 1:
            radii = radii[rows]
        ra, dec = (self._table[name].to_numpy()[rows] for name in ("ra", "dec"))
        return rows, unit_vectors(ra, dec), unit_vectors(positions.ra, positions.dec), radii

    def _pairs(self, positions: Positions, distance: Any, keep: Keep | None = None) -> Pairs:
        """Pairs of positions and rows that the filters have left; `keep` says which of them count."""
        import numpy as np

        from daxa.mission.selection import Pairs, match

        rows, vectors, centres, radii = self._join(positions, distance)
        if not len(rows):
            return Pairs(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
        kept = None if keep is None else (lambda position, row: keep(position, rows[row]))
        found = match(vectors, centres, radii, kept)
        return Pairs(found.positions, rows.astype(found.rows.dtype)[found.rows])

    def _near(self, positions: Positions, distance: Any, *, info: bool) -> DataFrame | None:
        """Apply the filter on positions; return the table of associations if it is asked for."""
        import numpy as np

        from daxa.mission.selection import near

        what = f"{len(positions)} position{'' if len(positions) == 1 else 's'}"
        if info:
            pairs = self._pairs(positions, distance)
            self.apply(pairs.row_mask(len(self._table)), what, of_rest=True)
            return self._associations(positions, pairs)
        rows, vectors, centres, radii = self._join(positions, distance)
        mask = np.zeros(len(self._table), dtype=bool)
        if len(rows):
            mask[rows] = near(vectors, centres, radii)
        self.apply(mask, what, of_rest=True)
        return None

    def _associations(self, positions: Positions, pairs: Pairs) -> DataFrame:
        """Which selected observations belong to which position, in the order of the catalogue."""
        import pandas as pd

        assert self._of_instruments is not None
        if not self._of_instruments.all():
            pairs = pairs.where(self._of_instruments[pairs.rows])
        found, groups = pairs.groups()
        obs_ids = self.obs_ids
        return pd.DataFrame(
            {
                "pos_ind": found,
                "pos_ra": positions.ra[found],
                "pos_dec": positions.dec[found],
                "ObsIDs": [",".join(obs_ids[rows]) for rows in groups],
            }
        )

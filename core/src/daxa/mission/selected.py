"""Which observations of a mission are selected, by which filters and instruments."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import frozen

from daxa.context import Context
from daxa.exceptions import (
    IncompatibleSaveError,
    InvalidParameterError,
    NoObsAfterFilterError,
    NoSelectionError,
    ParameterTypeError,
)
from daxa.mission.catalogue import Catalogue, conformed, shown
from daxa.mission.catalogued import Catalogued
from daxa.mission.operations import MissionState, encode, read_state
from daxa.mission.pending import is_filter

if TYPE_CHECKING:
    import numpy as np
    from astropy.coordinates import SkyCoord
    from numpy.typing import NDArray
    from pandas import DataFrame


@frozen
class Operation:
    """A filter that was applied.

    Parameters
    ----------
    name : str
        Of its method.
    arguments : Mapping
        Those it was called with.
    passed : frozenset of str, optional
        ObsIDs it let through, where that is known.
    of_rest : bool
        Whether it looked only at what the filters before it had left.
    """

    name: str
    arguments: Mapping[str, Any]
    passed: frozenset[str] | None = None
    of_rest: bool = False


class Selected(Catalogued):
    """The part of a mission that knows what is selected of its table.

    Parameters
    ----------
    insts : str or sequence of str, optional
        Instruments to use; by default the mission's usual ones.
    save_file_path : str or Path, optional
        State file of an earlier selection, DAXA's or ours.
    context : Context, optional
        The surroundings; by default those in force.
    """

    def __init__(
        self,
        insts: str | Sequence[str] | None = None,
        save_file_path: str | Path | None = None,
        *,
        context: Context | None = None,
    ) -> None:
        super().__init__(context)
        usual = list(self.default_instruments or self.instruments)
        self._instruments = self.check_inst_names(insts) if insts is not None else usual
        self._mask: NDArray[np.bool_] | None = None  # what the filters let through
        self._of_instruments: NDArray[np.bool_] | None = None  # rows of the chosen instruments
        self._operations: list[Operation] = []
        self._last_mask: NDArray[np.bool_] | None = None
        self._last_of_rest = False
        self._restored: MissionState | None = None
        self._updated: dict[str, Any] = {}
        self._downloaded: bool = False
        self._downloaded_type: str | None = None
        if save_file_path is not None:
            self._restore(read_state(Path(save_file_path).expanduser()))
            for one in self._operations:
                self.refuse_unknown_filter(one.name, one.arguments)

    def _restore(self, state: MissionState) -> None:
        """Take over a saved state; the selection follows when the catalogue is loaded."""
        if state.name != self.name:
            raise IncompatibleSaveError(
                f"The state is one of {state.name!r}.",
                expected=f"a state of {self.name!r}",
                remedy="name another file, or use the mission it belongs to",
            )
        try:
            if state.chos_inst:
                self._instruments = self.check_inst_names(state.chos_inst, True, False)
            self.restore_fields(state.chos_field)
        except (InvalidParameterError, ParameterTypeError) as problem:
            raise IncompatibleSaveError(
                f"The state of {self.name!r} cannot be taken over: {problem.message}",
                expected=problem.expected,
                remedy="name another file, or apply the filters anew",
            ) from problem
        self._processed = state.processed
        self._downloaded_type = state.downloaded_type
        self._operations = [Operation(one["name"], one["arguments"]) for one in state.decoded_operations()]
        self._restored = state

    def refuse_unknown_filter(self, name: str, arguments: Mapping[str, Any]) -> None:
        """Raise if a recorded operation is no filter of this mission: nothing else is ever called by its name.

        Raises
        ------
        IncompatibleSaveError
            It names the operation.
        """
        import inspect

        why = "" if is_filter(type(self), name) or name == "filter_array" else "there is no such filter"
        try:
            if not why and name != "filter_array":
                inspect.signature(getattr(type(self), name)).bind(self, **arguments)
            elif not why and "obs_ids" not in arguments:
                why = "it has no obs_ids"
        except TypeError as problem:
            why = str(problem)
        if why:
            raise IncompatibleSaveError(
                f"The recorded filter {name!r} of {self.pretty_name} cannot be applied: {why}.",
                expected="a filter of the mission, with its parameters",
                remedy="apply the filters anew",
                value=name,
            )

    def _take(self, catalogue: Catalogue) -> None:
        """Use a catalogue; keep what is selected by ObsID, or select what a saved state says."""
        kept = None
        if self.loaded:  # what the filters left, also of instruments that may be chosen later
            assert self._mask is not None
            kept = list(self._table["ObsID"][self._selected if self._by_hand else self._mask])
        super()._take(catalogue)
        self._of_instruments = self._instrument_rows(self._instruments)
        self._mask = self.science_usable.copy()
        if kept is not None and (self._operations or self._locked):
            self._mask = self._rows_of(kept)
        elif self._restored is not None:
            saved = self._rows_of(self._restored.selected_obs)
            self._mask = saved if self._by_hand else self._mask & saved
        if self._by_hand:
            self._of_instruments = self._of_instruments | self._mask

    @property
    def _by_hand(self) -> bool:
        """Whether ``filter_array`` was set, which may select what filters never would."""
        return any(one.name == "filter_array" for one in self._operations)

    @property
    def all_obs_info(self) -> DataFrame:
        """Table of all observations; setting it resets the filters."""
        return shown(self._table)

    @all_obs_info.setter
    def all_obs_info(self, table: DataFrame) -> None:
        self.refuse_if_locked("all_obs_info = ...")
        given = Catalogue(conformed(self, table), time.time(), "given by the user")
        self._forget_filters()
        self._take(given)

    @property
    def _selected(self) -> NDArray[np.bool_]:
        """What is selected, whoever is still at work on it."""
        self._table  # noqa: B018 - refuses a mission without catalogue
        assert self._mask is not None
        assert self._of_instruments is not None
        return self._mask & self._of_instruments

    # --- what is selected -------------------------------------------------------------------------------------------

    @property
    def filter_array(self) -> NDArray[np.bool_]:
        """Whether each observation is selected, shape (n,). Setting it replaces all filters."""
        self.marks.refuse()
        return self._selected

    @filter_array.setter
    def filter_array(self, mask: Any) -> None:
        import numpy as np

        self.refuse_if_locked("filter_array = ...")
        if getattr(mask, "dtype", None) != np.dtype(bool) or getattr(mask, "ndim", 0) != 1:
            raise ParameterTypeError(
                "The filter is not an array of flags.", expected="a NumPy array of bool", remedy="convert it"
            )
        if len(mask) != len(self._table):
            raise InvalidParameterError(
                f"The filter has {len(mask)} entries.",
                expected=f"{len(self._table)}, one for each observation",
                remedy="make it from all_obs_info",
            )
        self._mask = np.array(mask, dtype=bool)
        assert self._of_instruments is not None
        self._of_instruments = self._of_instruments | self._mask
        self._downloaded = False
        self._operations.clear()
        self._last_mask = self._mask
        self.record("filter_array", {"obs_ids": self._table["ObsID"][self._mask].tolist()})
        if not self._mask.any():
            warnings.warn(f"The filter of {self.pretty_name} lets nothing through.", stacklevel=2)

    @property
    def filtered_obs_info(self) -> DataFrame:
        """Table of the selected observations; rows keep their numbers."""
        return shown(self._table[self.filter_array])

    @property
    def filtered_obs_ids(self) -> NDArray[np.object_]:
        """ObsIDs of the selected observations, as str in an array of objects."""
        return self.filtered_obs_info["ObsID"].to_numpy(dtype=object)

    @property
    def filtered_ra_decs(self) -> SkyCoord:
        """Positions of the selected observations, in the mission's frame."""
        return self._coordinates(self.filtered_obs_info)

    def __len__(self) -> int:
        return int(self.filter_array.sum())

    def __bool__(self) -> bool:
        return True  # a mission is one, also while nothing is selected or loaded

    # --- filters that were applied ----------------------------------------------------------------------------------

    @property
    def filtering_operations(self) -> list[dict[str, Any]]:
        """The filters that were applied, ``{"name", "arguments"}``, in order. Setting it adds one to the record."""
        return [{"name": one.name, "arguments": dict(one.arguments)} for one in self._operations]

    @filtering_operations.setter
    def filtering_operations(self, operation: dict[str, Any]) -> None:
        given: Any = operation
        if (
            not isinstance(given, dict)
            or not {"name", "arguments"} <= set(operation)
            or not isinstance(operation["name"], str)
            or not isinstance(operation["arguments"], dict)
        ):
            raise ParameterTypeError(
                f"{operation!r} is not an operation.",
                expected="{'name': str, 'arguments': dict}",
                remedy="let the filters record themselves",
            )
        if not (is_filter(type(self), operation["name"]) or operation["name"] == "filter_array"):
            raise InvalidParameterError(
                f"{self.pretty_name} has no filter {operation['name']!r}.",
                expected="the name of a filter",
                remedy="correct the name",
                value=operation["name"],
            )
        self.refuse_if_locked("filtering_operations = ...")
        self._operations.append(Operation(operation["name"], operation["arguments"]))

    def record(self, name: str, arguments: dict[str, Any]) -> None:
        """Note a filter that was applied, with the arguments it really used."""
        passed = None if self._last_mask is None else frozenset(self._table["ObsID"][self._last_mask])
        self._operations.append(Operation(name, arguments, passed, self._last_of_rest))
        self._last_mask, self._last_of_rest = None, False

    def apply(self, mask: NDArray[np.bool_], what: str, *, of_rest: bool = False) -> None:
        """Let through only the observations that `mask` lets through as well.

        Parameters
        ----------
        mask : ndarray of bool, shape (n,)
            What the filter lets through.
        what : str
            The filter, for people.
        of_rest : bool
            Whether it looked only at what is left by the filters before.

        Raises
        ------
        NoObsAfterFilterError
            If none would be left; then nothing has changed.
        """
        assert self._mask is not None
        assert self._of_instruments is not None
        left = self._mask & mask
        if not (left & self._of_instruments).any():
            matching = "" if of_rest else f" ({int(mask.sum())} of {len(mask)} in the catalogue match)"
            raise NoObsAfterFilterError(
                f"No selected observation of {self.pretty_name} is left by {what}{matching}."
                " The selection is unchanged.",
                expected="at least one",
                remedy="widen the filter, or start again with reset_filter()",
                mission=self.name,
            )
        self._mask = left
        self._last_mask, self._last_of_rest = mask, of_rest
        self._downloaded = False

    def _select_all(self) -> None:
        """Select every row of the table, whatever the instruments."""
        import numpy as np

        self._mask = np.ones(len(self._table), dtype=bool)
        self._of_instruments = self._mask.copy()

    def _selection(self) -> tuple[Any, ...]:
        """All that filters change."""
        return (self._catalogue, self._mask, self._of_instruments, list(self._operations), self._restored)

    def _put_back(self, held: tuple[Any, ...]) -> None:
        """Undo what was changed since :meth:`_selection`."""
        self._catalogue, self._mask, self._of_instruments, self._operations, self._restored = held

    def _forget_filters(self) -> None:
        self.marks.clear()
        self._operations.clear()
        self._last_mask = None
        self._restored = None
        self._downloaded = False

    def reset_filter(self) -> None:
        """Take all filters away, and forget calls that were not awaited.

        Raises
        ------
        MissionLockedError
            If the mission belongs to an archive; then nothing has changed.
        """
        self.refuse_if_locked("reset_filter()")
        self._forget_filters()
        if self._catalogue is not None:
            self._of_instruments = self._instrument_rows(self._instruments)
            self._mask = self.science_usable.copy()

    def require_selection(self, *, all_observations: bool = False) -> None:
        """Refuse a mission that nobody filtered, or whose filter was not awaited.

        Raises
        ------
        NotAwaitedError
            If a filter was called and not awaited.
        NoSelectionError
            If no filter was applied, and not all observations are wanted.
        """
        self.marks.refuse()
        if not (self._operations or self._restored or self._locked or all_observations):
            raise NoSelectionError(
                f"No filter was applied to {self.pretty_name}: all of its observations would be taken.",
                expected="a filter, such as `await mission.filter_on_name(...)`",
                remedy="apply one, or say all_observations=True",
                mission=self.name,
            )
        if self.loaded and not self._selected.any():
            raise NoObsAfterFilterError(
                f"No observation of {self.pretty_name} is selected.", expected="one or more", remedy="reset_filter()"
            )

    # --- instruments ------------------------------------------------------------------------------------------------

    def rows_of_instruments(self, table: DataFrame, chosen: Sequence[str]) -> NDArray[np.bool_]:
        """Say which observations are of the chosen instruments; missions that know more override it.

        Parameters
        ----------
        table : pandas.DataFrame
            The catalogue.
        chosen : sequence of str
            Instruments chosen.

        Returns
        -------
        ndarray of bool, shape (n,)
        """
        import numpy as np

        if self.one_inst_per_obs:
            return np.asarray(table["instrument"].isin(list(chosen)), dtype=bool)
        return np.ones(len(table), dtype=bool)

    def choice_in_words(self, chosen: Sequence[str]) -> str:
        """Say what :meth:`rows_of_instruments` chooses; missions that override that one override this one too."""
        return f"the chosen instruments, {', '.join(chosen)}"

    def _instrument_rows(self, chosen: Sequence[str]) -> NDArray[np.bool_]:
        import numpy as np

        return np.asarray(self.rows_of_instruments(self._table, chosen), dtype=bool)

    @property
    def chosen_instruments(self) -> list[str]:
        """Instruments in use. Setting them selects anew among what the filters let through."""
        return list(self._instruments)

    @chosen_instruments.setter
    def chosen_instruments(self, insts: str | Sequence[str]) -> None:
        self.refuse_if_locked("chosen_instruments = ...")
        chosen = self.check_inst_names(insts)
        if self._catalogue is not None and self._mask is not None:
            rows = self._instrument_rows(chosen)
            if not (rows & self._mask).any():
                raise NoObsAfterFilterError(
                    f"No selected observation of {self.pretty_name} is of {self.choice_in_words(chosen)}."
                    " The choice is unchanged.",
                    expected="at least one",
                    remedy="choose others, or reset_filter() first",
                    mission=self.name,
                )
            self._of_instruments = rows
        self._instruments = chosen
        self._downloaded = False

    # --- state ------------------------------------------------------------------------------------------------------

    def fields_to_save(self) -> list[str] | None:
        """Fields chosen, for missions that have them: what the state keeps under DAXA's key ``chos_field``."""
        return None

    def restore_fields(self, fields: list[str] | None) -> None:
        """Choose the fields of a saved state; missions that have fields override it."""

    @property
    def state(self) -> MissionState:
        """The selection, as it is saved."""
        from datetime import datetime

        table = self.filtered_obs_info
        usable = [bool(one) for one in table["science_usable"]]
        public = table["proprietary_usable"] if "proprietary_usable" in table.columns else [True] * len(table)
        return MissionState(
            name=self.name,
            chos_inst=list(self._instruments),
            chos_field=self.fields_to_save(),
            downloaded_type=self._downloaded_type,
            cur_date=str(datetime.today()),
            processed=self._processed,
            selected_obs=[str(one) for one in table["ObsID"]],
            science_usable=usable,
            proprietary_usable=[bool(one) for one in public],
            filtering_operations=[
                {"name": one.name, "arguments": encode(dict(one.arguments))} for one in self._operations
            ],
        )

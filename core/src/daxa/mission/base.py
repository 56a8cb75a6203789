"""Mission: what every mission is, from its declarations to its downloaded products."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from attrs import frozen

from daxa.exceptions import IncompatibleSaveError, NoObsAfterFilterError
from daxa.mission.catalogue import Catalogue
from daxa.mission.operations import MissionState, write_state
from daxa.mission.products import ProductPaths

if TYPE_CHECKING:
    from daxa.context import Context

SNAPSHOT_FORMAT: Final = 1
"""Number of the form of :meth:`Mission.snapshot`."""

_RULE: Final = "-" * 53


@frozen
class Explanation:
    """Why an observation is selected, or is not.

    Parameters
    ----------
    obs_id : str
        The observation.
    selected : bool
        Whether it is.
    reasons : tuple of str
        One sentence each, in the order in which they count.
    """

    obs_id: str
    selected: bool
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join([f"{self.obs_id} is {'' if self.selected else 'not '}selected:", *self.reasons])


class Mission(ProductPaths):
    """A mission: its catalogue, a selection of its observations, and their downloads.

    Plugins derive from it: declarations first (see :class:`daxa.mission.declared.Declared`), then ``catalogue`` and
    ``remote_files``, and what their data need beyond.

    Parameters
    ----------
    insts : str or sequence of str, optional
        Instruments to use; by default the mission's usual ones.
    save_file_path : str or Path, optional
        State file of an earlier selection, DAXA's or ours.
    context : Context, optional
        The surroundings; by default those in force.
    """

    # --- what plugins may say of their data -------------------------------------------------------------------------

    def ident_to_obsid(self, ident: str) -> str:
        """Return the ObsID that the identifier of a process begins with."""
        raise NotImplementedError

    def assess_process_obs(self, obs_info: Mapping[str, Any]) -> dict[str, Any]:
        """Say which instruments and sub-exposures of an observation to process, after its summary."""
        raise NotImplementedError

    # --- state ------------------------------------------------------------------------------------------------------

    def save(self, save_root_path: str | Path, state_file_name: str | None = None) -> str:
        """Write the selection to a state file, for ``save_file_path=``.

        Parameters
        ----------
        save_root_path : str or Path
            Directory; made if it is not there.
        state_file_name : str, optional
            A name that ends in ``.json``; by default ``<name>_state.json``.

        Returns
        -------
        str
            Absolute path of the file.

        Raises
        ------
        NoObsAfterFilterError
            If nothing is selected.
        InvalidParameterError
            If the name cannot be one.
        StorageError
            If it cannot be written.
        """
        if not len(self):
            raise NoObsAfterFilterError(
                f"No observation of {self.pretty_name} is selected.", expected="one or more", remedy="reset_filter()"
            )
        directory = Path(save_root_path).expanduser().absolute()
        return str(write_state(self.state, directory, state_file_name or f"{self.name}_state.json"))

    def snapshot(self) -> dict[str, Any]:
        """Return the selection with its rows of the catalogue, as JSON: the mission can be made of it without network.

        Returns
        -------
        dict
            ``format``, ``state`` (as :meth:`save` writes it), ``fetched_at`` and ``source`` of the catalogue,
            ``dtypes`` and ``rows``; ``product_kinds`` and ``version``, where some were chosen.
        """
        from daxa.store.frames import rows_of

        table = self.filtered_obs_info
        dtypes, rows = rows_of(table)
        floats = {name for name, dtype in dtypes.items() if dtype[1:2] == "f"}
        return {
            "format": SNAPSHOT_FORMAT,
            "state": self.state.to_json(),
            "download_completed": self._downloaded,
            "product_kinds": list(self.product_kinds),
            "version": self._version,
            "fetched_at": self.catalogue_date,
            "source": self.catalogue_source,
            "dtypes": dtypes,
            "rows": [
                {key: None if key in floats and value != value else value for key, value in row.items()} for row in rows
            ],
        }

    @classmethod
    def from_snapshot(cls, snapshot: Mapping[str, Any], *, context: Context | None = None) -> Self:
        """Make a mission of what :meth:`snapshot` returned. Its table holds the selected observations only.

        Parameters
        ----------
        snapshot : Mapping
            The snapshot.
        context : Context, optional
            The surroundings.

        Raises
        ------
        IncompatibleSaveError
            If it is of another mission, or of a newer form.
        """
        from daxa.store.frames import table_of

        if snapshot.get("format") != SNAPSHOT_FORMAT:
            raise IncompatibleSaveError(
                f"The snapshot has the form {snapshot.get('format')!r}.",
                expected=f"form {SNAPSHOT_FORMAT}",
                remedy="update DAXA",
            )
        mission = cls(context=context)
        if snapshot.get("product_kinds"):
            mission.choose_products(snapshot["product_kinds"])
        mission._version = snapshot.get("version")
        mission._restore(MissionState.from_json(snapshot["state"], "the snapshot"))
        table = table_of(snapshot["dtypes"], snapshot["rows"])
        mission._take(Catalogue(table, snapshot["fetched_at"], snapshot["source"]))
        mission._select_all()
        mission._downloaded = bool(snapshot.get("download_completed", False))
        return mission

    async def update(self, download_new: bool = True) -> None:
        """Apply the recorded filters to today's catalogue; ``updated_meta_info`` then tells what changed.

        Parameters
        ----------
        download_new : bool
            Whether new observations are downloaded, of the same type as before.

        Raises
        ------
        NotAwaitedError
            If a filter was called and not awaited.
        """
        self.marks.refuse()
        if not self._operations and not self._locked:  # an archive took it whole, and does so again
            warnings.warn(f"No filter of {self.pretty_name} is recorded; nothing is updated.", stacklevel=2)
            return
        for one in self._operations:
            self.refuse_unknown_filter(one.name, one.arguments)
        await self.load()
        before, operations = self._state_before(), self.filtering_operations
        kind, locked, held = self._downloaded_type, self._locked, self._selection()
        self._locked = False
        try:
            await self.load(refresh=True)
            self.reset_filter()
            for operation in operations:
                await self._replay(operation["name"], operation["arguments"])
        except BaseException:
            self._put_back(held)
            raise
        finally:
            self._locked = locked
        self._updated = changes(before, self.state, has_proprietary="proprietary_usable" in self._table.columns)
        self._downloaded_type = kind
        if download_new and kind is not None and self._updated["any_obs_add"]:
            await self.download(download_products="preprocessed" in kind, download_raw="raw" in kind.split("+"))

    def _state_before(self) -> MissionState:
        """The selection that an update is compared with: the saved one, if no filter was applied since."""
        saved = self._restored
        return saved if saved is not None and len(saved.filtering_operations) == len(self._operations) else self.state

    async def _replay(self, name: str, arguments: Mapping[str, Any]) -> None:
        if name == "filter_array":
            self.filter_array = self._rows_of(arguments["obs_ids"])
        else:
            await getattr(self, name)(**arguments)

    @property
    def updated_meta_info(self) -> dict[str, Any]:
        """What the last :meth:`update` changed; empty before."""
        return dict(self._updated)

    # --- for people -------------------------------------------------------------------------------------------------

    def info(self) -> None:
        """Print a summary of catalogue and selection."""
        whole, chosen = self.all_obs_info, self.filtered_obs_info
        lines = [
            _RULE,
            f"Number of Observations - {len(whole)}",
            f"Number of Filtered Observations - {len(chosen)}",
            f"Total Duration - {whole['duration'].sum()}",
            f"Total Filtered Duration - {chosen['duration'].sum()}",
            f"Earliest Observation Date - {whole['start'].min()}",
            f"Latest Observation Date - {whole['end'].max()}",
            f"Earliest Filtered Observation Date - {chosen['start'].min()}",
            f"Latest Filtered Observation Date - {chosen['end'].max()}",
            _RULE,
        ]
        print("\n".join(["", *lines, ""]))  # noqa: T201 - printing is its purpose

    def explain(self, obs_id: str) -> Explanation:
        """Say why an observation is selected, or is not: usability, instruments, filters, public date.

        Parameters
        ----------
        obs_id : str
            The observation.

        Returns
        -------
        Explanation
            It prints as text.
        """
        self.marks.refuse()
        (checked,) = self.normalise_obs_ids(obs_id)
        rows = self._rows_of([checked])
        if not rows.any():
            whole = "the selection that was kept" if self._operations and self.locked else "the catalogue"
            return Explanation(checked, False, (f"It is not in {whole} of {self.pretty_name}.",))
        row, reasons = self.observation(checked), []
        if not row["science_usable"]:
            reasons.append("The catalogue says that it is of no use for science.")
        assert self._of_instruments is not None
        if not self._of_instruments[rows].any():
            reasons.append(f"It is not of {self.choice_in_words(self._instruments)}.")
        saved = self._restored
        left_out = not row["science_usable"] or (saved is not None and checked not in saved.selected_obs)
        for one in self._operations:
            if one.passed is None:
                continue
            passes = checked in one.passed
            if one.of_rest and left_out and not passes:
                reasons.append(f"{one.name} did not look at it, for it was left out before.")
            else:
                reasons.append(f"{one.name} {'lets it through' if passes else 'leaves it out'}.")
            left_out = not passes or (left_out and one.name != "filter_array")
        if not row.get("proprietary_usable", True):
            reasons.append(f"It is not public; the date is {row.get('proprietary_end_date')}.")
        selected = bool((rows & self._selected).any())
        if self._restored is not None and any(one.passed is None for one in self._operations):
            was = "selected" if checked in set(self._restored.selected_obs) else "not selected"
            reasons.append(f"It was {was} when the selection was saved.")
        if not reasons:
            reasons.append("No filter was applied." if not self._operations else "It was selected earlier.")
        return Explanation(checked, selected, tuple(reasons))

    def __repr__(self) -> str:
        if not self.loaded:
            return f"<{self.pretty_name}: catalogue not loaded>"
        return f"<{self.pretty_name}: {int(self._selected.sum())} of {len(self._table)} observations selected>"


def changes(before: MissionState, after: MissionState, *, has_proprietary: bool) -> dict[str, Any]:
    """Compare two selections; the keys are DAXA's.

    Parameters
    ----------
    before, after : MissionState
        The selections.
    has_proprietary : bool
        Whether the mission tells which observations are public.
    """
    added = [one for one in after.selected_obs if one not in set(before.selected_obs)]
    removed = [one for one in before.selected_obs if one not in set(after.selected_obs)]
    usable = _changed(before, after, "science_usable")
    public = _changed(before, after, "proprietary_usable") if has_proprietary else {}
    return {
        "sel_obs_change": bool(added or removed),
        "any_obs_add": bool(added),
        "new_obs_ids": added,
        "any_obs_removed": bool(removed),
        "removed_obs_ids": removed,
        "science_usable_change": bool(usable),
        "which_changed_science_usable": usable,
        "proprietary_usable_change": bool(public),
        "which_changed_proprietary_usable": public,
    }


def _changed(before: MissionState, after: MissionState, what: str) -> dict[str, bool]:
    old, new = (dict(zip(one.selected_obs, getattr(one, what), strict=False)) for one in (before, after))
    return {obs_id: value for obs_id, value in new.items() if obs_id in old and old[obs_id] != value}

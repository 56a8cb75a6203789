"""What an archive is asked before something is done: what there is to process, what succeeded, where it lies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from daxa.archive import layout
from daxa.archive.logs import Logs
from daxa.archive.reading import VERDICTS
from daxa.exceptions import (
    DAXANotDownloadedError,
    InvalidParameterError,
    NoDependencyProcessError,
    ParameterTypeError,
    PreProcessedNotAvailableError,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from daxa.mission.base import Mission


class Lookup(Logs):
    """The part of an archive that tells what there is to process, what succeeded, and where things are."""

    @property
    def preprocessed_missions(self) -> list[Mission]:
        """Missions of which products were downloaded.

        Raises
        ------
        PreProcessedNotAvailableError
            If there is none.
        """
        found = [mission for mission in self.missions if _has_products(mission)]
        if not found:
            raise PreProcessedNotAvailableError(
                f"No mission of the archive {self._name!r} has downloaded products.",
                expected="a mission downloaded with download_products=True",
                remedy="declare the archive with download_products=True",
            )
        return found

    # --- where ------------------------------------------------------------------------------------------------------

    def construct_processed_data_path(self, mission: str | Mission | None = None, obs_id: str | None = None) -> str:
        """Absolute directory of an observation's processed data, ending in ``/``, whether it is there or not.

        Parameters
        ----------
        mission : str or Mission, optional
            The mission. Without it the path is a template with ``{mn}`` in its place.
        obs_id : str, optional
            The observation; one that the archive does not hold will do. Without it the path is a template with ``{oi}``
            in its place; ``str.format`` fills it.

        Raises
        ------
        InvalidParameterError
            If an observation is given without its mission.
        MissionNotAssociatedError, InvalidObsIDError
            If the archive does not hold the mission, or it has no such ObsIDs.
        """
        return self._constructed(layout.PROCESSED, mission, obs_id)

    def construct_failed_data_path(self, mission: str | Mission | None = None, obs_id: str | None = None) -> str:
        """Absolute directory of the data of an observation that failed, ending in ``/``.

        Parameters, and errors, as for :meth:`construct_processed_data_path`.

        Raises
        ------
        InvalidParameterError
            If the observation has not failed.
        """
        path = self._constructed(layout.FAILED, mission, obs_id)
        if obs_id is not None and mission is not None:
            name = self._mission(mission).name
            if self._opened.final().get(name, {}).get(obs_id, True):
                raise InvalidParameterError(
                    f"The observation {obs_id} of {name} has not failed.",
                    expected="one that is False in final_process_success",
                    remedy="get_current_data_path tells where its data are",
                    value=obs_id,
                )
        return path

    def _constructed(self, part: str, mission: str | Mission | None, obs_id: str | None) -> str:
        if mission is None and obs_id is not None:
            raise InvalidParameterError(
                f"The observation {obs_id!r} is given without its mission.",
                expected="a mission as well",
                remedy="give both, or neither for a template",
                value=obs_id,
            )
        held = None if mission is None else self._mission(mission)
        if held is None or obs_id is None:
            return layout.template(self._root, part, held.name if held else "{mn}", "{oi}") + "/"
        self._check_obs_id(held, obs_id)
        return f"{self._root / part / held.name / obs_id}/"

    # --- what there is to process -----------------------------------------------------------------------------------

    def get_obs_to_process(self, mission_name: str, search_ident: str | None = None) -> list[list[str]]:
        """Data of a mission that processes should use, by its summaries.

        Parameters
        ----------
        mission_name : str
            The mission.
        search_ident : str, optional
            An ObsID or an instrument; by default everything.

        Returns
        -------
        list of list of str
            ``[ObsID, inst, subexp]`` each, or ``[ObsID, inst]`` where there are no sub-exposures.

        Raises
        ------
        MissionNotAssociatedError
            If the archive does not hold the mission.
        InvalidParameterError
            If what is searched for is neither an ObsID it holds nor an instrument of the mission.
        """
        mission = self._mission(mission_name)
        insts: Sequence[str] | None = None
        obs_ids = {str(one) for one in mission.filtered_obs_ids}
        if isinstance(search_ident, str) and search_ident in obs_ids:
            obs_ids = {search_ident}
        elif search_ident is not None:
            insts = mission.check_inst_names(search_ident, False, False)
            if not insts:
                raise InvalidParameterError(
                    f"{search_ident!r} is neither an observation nor an instrument of {mission.name} in the archive.",
                    expected=f"one of its filtered_obs_ids, or of {', '.join(mission.instruments)}",
                    remedy="correct it",
                    value=search_ident,
                )
        found = []
        for obs_id, parts in self._to_process(mission.name).items():
            if obs_id not in obs_ids:
                continue
            for inst, below in parts.items():
                if insts is not None and inst not in insts:
                    continue
                if isinstance(below, dict):
                    found += [[obs_id, inst, subexp] for subexp, usable in below.items() if usable]
                elif below:
                    found.append([obs_id, inst])
        return found

    def check_dependence_success(
        self,
        mission_name: str,
        obs_ident: str | Sequence[str] | Sequence[Sequence[str]],
        dep_proc: str | Sequence[str],
        no_success_error: bool = True,
    ) -> NDArray[np.bool_]:
        """Say for which data processes succeeded.

        Parameters
        ----------
        mission_name : str
            The mission.
        obs_ident : str, or sequence of str or of sequences of str
            Identifiers: ``"0201903501PNS003"``, or in parts, ``["0201903501", "PN", "S003"]``, in a list.
        dep_proc : str or sequence of str
            A process, or several: then all of them must have succeeded.
        no_success_error : bool
            Whether it is an error if they succeeded for none.

        Returns
        -------
        ndarray of bool, shape (n,)
            In the order of `obs_ident`; False also for data that a process was not run for.

        Raises
        ------
        NoProcessingError
            If nothing has been processed.
        NoDependencyProcessError
            If a process has not been run for the mission, or, unless `no_success_error` is False, succeeded for none.
        InvalidParameterError, ParameterTypeError
            If no identifier or no process is given, or it is no text.
        """
        import numpy as np

        mission = self._mission(mission_name).name
        self._processed()
        idents, processes = _idents(obs_ident), _names(dep_proc)
        good = np.ones(len(idents), dtype=bool)
        for process in processes:
            verdicts: dict[str, bool] = {}
            entries = self._opened.tasks(process=process, mission=mission)
            for entry in entries:
                ident, verdict = entry.key.data_id.ident, VERDICTS.get(entry.state) is True
                verdicts[ident] = verdicts.get(ident, True) and verdict  # of several variants, all
                if entry.key.variant:
                    verdicts[f"{ident}_{entry.key.variant}"] = verdict
            if not entries:
                raise NoDependencyProcessError(
                    f"{process!r} has not been run for {mission}.",
                    expected=f"one of {', '.join(self.process_success[mission]) or 'none so far'}",
                    remedy="correct the name, or run it",
                    value=process,
                )
            good &= [verdicts.get(ident, False) for ident in idents]
        if no_success_error and not good.any():
            raise NoDependencyProcessError(
                f"{', '.join(processes)} succeeded for none of what was asked for of {mission}.",
                expected="one success at least",
                remedy="`arch.failures()` says what went wrong",
                value=list(processes),
            )
        return good


def _idents(given: Any) -> list[str]:
    """Identifiers, whole or in parts."""
    found = _all_of(given)
    joined = ["".join(parts) if all(map(_is_text, parts := _all_of(one))) else one for one in found]
    wrong = [one for one in joined if not _is_text(one)]
    if wrong:
        raise ParameterTypeError(
            f"{wrong[0]!r} is not an identifier.",
            expected="text, or its parts in a list: [ObsID, inst, subexp]",
            remedy="correct obs_ident",
            value=wrong[0],
        )
    if not joined:
        raise InvalidParameterError(
            "No identifier is given.", expected="one at least", remedy="give obs_ident", value=given
        )
    return [str(one) for one in joined]


def _names(given: Any) -> list[str]:
    names = [getattr(one, "name", one) for one in _all_of(given)]
    if not names or not all(map(_is_text, names)):
        raise ParameterTypeError(
            f"{given!r} names no processes.", expected="a name, or a list of them", remedy="correct dep_proc"
        )
    return [str(one) for one in names]


def _all_of(given: Any) -> list[Any]:
    """One value, or the values of a list, tuple or array."""
    return list(given) if hasattr(given, "__iter__") and not isinstance(given, str) else [given]


def _is_text(value: Any) -> bool:
    return isinstance(value, str)  # NumPy's texts are


def _has_products(mission: Mission) -> bool:
    try:
        return mission.downloaded_type in ("preprocessed", "raw+preprocessed")
    except DAXANotDownloadedError:
        return False

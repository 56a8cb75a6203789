"""Logs of processes, chosen by mission, observation, instrument or identifier, as DAXA's getters choose them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from daxa.archive.reading import VERDICTS, Reading, ident_of, read_log
from daxa.exceptions import InvalidParameterError, NoDependencyProcessError, ObsNotAssociatedError, ParameterTypeError
from daxa.store.records import TaskEntry

_MANY: Final = 500
"""Observations that are looked up one by one in the record; of more, all rows of the process are read."""

Chosen = str | Sequence[str] | None


class Logs(Reading):
    """The part of an archive that shows what processes wrote."""

    def get_failed_processes(self, process_name: str) -> dict[str, list[str]]:
        """Identifiers for which a process failed, ``{mission: [ident, ...]}``; missions without any are left out.

        Raises
        ------
        NoDependencyProcessError
            If the process has not been run.
        """
        self._known_process(process_name)
        failed: dict[str, list[str]] = {}
        states = [state.value for state, verdict in VERDICTS.items() if not verdict]
        for entry in self._opened.tasks(process=process_name, state=states):
            failed.setdefault(entry.key.data_id.mission, []).append(ident_of(entry))
        return failed

    def get_process_logs(
        self,
        process_name: str,
        mission_name: str | None = None,
        obs_id: Chosen = None,
        inst: Chosen = None,
        full_ident: Chosen = None,
    ) -> dict[str, dict[str, str]]:
        """Logs of a process, ``{mission: {ident: text}}``.

        Parameters
        ----------
        process_name : str
            The process.
        mission_name : str, optional
            One mission only.
        obs_id : str or sequence of str, optional
            Observations.
        inst : str or sequence of str, optional
            Instruments, by any of their names. A task that is of no one instrument is of each.
        full_ident : str or sequence of str, optional
            Identifiers as they stand in ``process_success``; they override `obs_id` and `inst`.

        Returns
        -------
        dict
            Every mission that has run the process is in it, also if it has nothing of what is asked for.

        Raises
        ------
        NoDependencyProcessError
            If the process has not been run.
        MissionNotAssociatedError, ObsNotAssociatedError
            If the archive does not hold the mission, or an observation.
        InvalidParameterError, ParameterTypeError
            If no mission has such an instrument, or something is no text.
        """
        return self._texts("log", process_name, mission_name, obs_id, inst, full_ident)

    def get_process_raw_error_logs(
        self,
        process_name: str,
        mission_name: str | None = None,
        obs_id: Chosen = None,
        inst: Chosen = None,
        full_ident: Chosen = None,
    ) -> dict[str, dict[str, str]]:
        """What a process wrote to standard error where it failed, ``{mission: {ident: text}}``.

        Parameters, and errors, as for :meth:`get_process_logs`.
        """
        return self._texts("stderr", process_name, mission_name, obs_id, inst, full_ident)

    def get_failed_logs(self, process_name: str) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, str]]]:
        """Logs and error logs of the tasks for which a process failed; two empty dicts if it failed for none."""
        idents = [one for found in self.get_failed_processes(process_name).values() for one in found]
        if not idents:
            return {}, {}
        return (
            self.get_process_logs(process_name, full_ident=idents),
            self.get_process_raw_error_logs(process_name, full_ident=idents),
        )

    def _known_process(self, process_name: str) -> None:
        if not self._opened.counts(process=str(process_name)):
            raise NoDependencyProcessError(
                f"{process_name!r} has not been run on the archive {self._name!r}.",
                expected=f"one of {', '.join(sorted(self._process_names())) or 'none so far'}",
                remedy="correct the name, or run it",
                value=process_name,
            )

    def _texts(
        self, stream: str, process_name: str, mission_name: str | None, obs_id: Chosen, inst: Chosen, full_ident: Chosen
    ) -> dict[str, dict[str, str]]:
        self._known_process(process_name)
        missions = self.mission_names if mission_name is None else [self._mission(mission_name).name]
        have = [name for name in missions if self._opened.counts(process=process_name, mission=name)]
        found: dict[str, dict[str, str]] = {name: {} for name in have}
        for entry in self._chosen(process_name, missions, obs_id, inst, full_ident):
            path = getattr(entry, stream)
            if path and (stream == "log" or VERDICTS.get(entry.state) is False):
                found.setdefault(entry.key.data_id.mission, {})[ident_of(entry)] = read_log(self._root, path)
        return found

    def _chosen(
        self, process_name: str, missions: list[str], obs_id: Chosen, inst: Chosen, full_ident: Chosen
    ) -> Iterator[TaskEntry]:
        """Tasks of a process that are asked for."""
        where: dict[str, Any] = {"process": process_name, "mission": missions}
        if full_ident is not None:
            idents = set(_listed(full_ident, "full_ident"))
            where |= self._narrowed(self._observations_of(idents, missions))
            yield from (entry for entry in self._opened.tasks(**where) if ident_of(entry) in idents)
            return
        obs_ids = None if obs_id is None else self._held_obs_ids(_listed(obs_id, "obs_id"), missions)
        insts = None if inst is None else self._instruments_of(_listed(inst, "inst"), missions)
        where |= {} if obs_ids is None else self._narrowed(obs_ids)
        for entry in self._opened.tasks(**where):
            data_id = entry.key.data_id
            of_obs_id = obs_ids is None or data_id.obs_id in obs_ids
            of_inst = insts is None or data_id.inst is None or data_id.inst in insts[data_id.mission]
            if of_obs_id and of_inst:
                yield entry

    @staticmethod
    def _narrowed(obs_ids: set[str]) -> dict[str, Any]:
        return {"obs_id": sorted(obs_ids)} if len(obs_ids) <= _MANY else {}

    def _observations_of(self, idents: set[str], missions: Sequence[str]) -> set[str]:
        """The observations that identifiers may belong to: an identifier begins with its ObsID."""
        held = {str(obs_id) for name in missions for obs_id in self._missions[name].filtered_obs_ids}
        lengths = {len(obs_id) for obs_id in held}
        found: set[str] = set()
        for ident in idents:
            of_it = {ident[:length] for length in lengths} & held
            if not of_it:
                raise _not_held(self._name, ident, missions)
            found |= of_it
        return found

    def _held_obs_ids(self, asked: Sequence[str], missions: Sequence[str]) -> set[str]:
        """ObsIDs as the catalogues write them; each must be held by one of the missions."""
        held = {str(obs_id) for name in missions for obs_id in self._missions[name].filtered_obs_ids}
        for one in asked:
            if one not in held and one.upper() not in held:
                raise _not_held(self._name, one, missions)
        return {one if one in held else one.upper() for one in asked}

    def _instruments_of(self, asked: Sequence[str], missions: Sequence[str]) -> dict[str, list[str]]:
        """The instruments that are asked for, by mission and by their own names; each must be one of a mission."""
        held = [self._missions[name] for name in missions]
        unknown = [one for one in asked if not any(mission.check_inst_names(one, False, False) for mission in held)]
        if unknown or not asked:
            raise InvalidParameterError(
                f"{', '.join(map(repr, unknown)) or 'Nothing'} is not an instrument of {', '.join(missions)}.",
                expected=f"some of {', '.join(one for mission in held for one in mission.instruments)}",
                remedy="correct the name",
                value=list(asked),
            )
        return {mission.name: mission.check_inst_names(list(asked), False, False) for mission in held}


def _listed(value: str | Sequence[str], what: str) -> list[str]:
    found = [value] if isinstance(value, str) else list(value) if hasattr(value, "__iter__") else [value]
    for one in found:
        if not isinstance(one, str):
            raise ParameterTypeError(
                f"{what} holds {one!r}.", expected="text, or a list of it", remedy="give it in quotes", value=one
            )
    return [str(one) for one in found]


def _not_held(name: str, value: str, missions: Sequence[str]) -> ObsNotAssociatedError:
    return ObsNotAssociatedError(
        f"The archive {name!r} holds no observation of {', '.join(missions)} that {value!r} could be of.",
        expected="one of their filtered_obs_ids",
        remedy="correct it",
        value=value,
    )

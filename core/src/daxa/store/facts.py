"""What an archive holds: facts about it, its missions, observations and data ids."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from daxa.exceptions import InvalidParameterError
from daxa.ids import DataId
from daxa.specs import Child
from daxa.store.conditions import where
from daxa.store.db import Database
from daxa.store.entries import DataIdEntry, data_id_of, dump
from daxa.store.faults import understood
from daxa.store.writer import Written

if TYPE_CHECKING:
    from pandas import DataFrame

# The names in the statements are constants of ours; values are always parameters.
# ruff: noqa: S608

_SET_META: Final = "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)"
_SET_STATE: Final = "UPDATE missions SET state = ? WHERE name = ?"
_ADD_MISSION: Final = (
    "INSERT INTO missions (name, title, state) VALUES (?, ?, ?)"
    " ON CONFLICT (name) DO UPDATE SET title = excluded.title, state = excluded.state"
)


class ArchiveFacts:
    """The part of an archive's record that does not speak of tasks.

    Parameters
    ----------
    db : Database
        An open record of the form ``ARCHIVE``.
    """

    def __init__(self, db: Database) -> None:
        self.db = db

    # --- the archive itself -----------------------------------------------------------------------------------------

    def meta(self, key: str, default: Any = None) -> Any:
        """Return a fact about the archive as a whole."""
        with understood(self.db.path):
            found = self.db.read("SELECT value FROM meta WHERE key = ?", (key,))
            return json.loads(found[0][0]) if found else default

    def set_meta(self, facts: Mapping[str, Any]) -> Written[None]:
        """Record facts about the archive as a whole; plain data by name."""
        return self.renew(facts)

    def missions(self) -> list[tuple[str, Any]]:
        """Return names and recorded states of the missions, in the order they were added."""
        with understood(self.db.path):
            return [
                (row[0], json.loads(row[1]))
                for row in self.db.read("SELECT name, state FROM missions ORDER BY position")
            ]

    def mission_names(self) -> list[str]:
        """Return the names of the missions without their states."""
        return [row[0] for row in self.db.read("SELECT name FROM missions ORDER BY position")]

    def add_mission(self, name: str, title: str, state: Any) -> Written[None]:
        """Add a mission at the end; one that is there keeps its place and takes the new state."""
        return self._many(_ADD_MISSION, [(name, title, dump(state))])

    def set_mission_state(self, name: str, state: Any) -> Written[None]:
        """Record a mission's state anew."""
        return self._many(_SET_STATE, [(dump(state), name)])

    def renew(
        self,
        facts: Mapping[str, Any],
        states: Mapping[str, Any] | None = None,
        added: Mapping[str, tuple[str, Any]] | None = None,
    ) -> Written[None]:
        """Record facts about the archive and states of its missions together: all of them or none.

        Parameters
        ----------
        facts : Mapping
            As for :meth:`set_meta`.
        states : Mapping, optional
            States of missions that are there, by name.
        added : Mapping of str to tuple, optional
            Titles and states of missions that are added at the end, by name.
        """
        rows = [(key, dump(value)) for key, value in facts.items()]
        renewed = [(dump(state), name) for name, state in (states or {}).items()]
        new = [(name, title, dump(state)) for name, (title, state) in (added or {}).items()]

        def write(connection: sqlite3.Connection) -> None:
            connection.executemany(_SET_META, rows)
            connection.executemany(_SET_STATE, renewed)
            connection.executemany(_ADD_MISSION, new)

        return self.db.submit(write)

    def set_processed(self, name: str, processed: bool, processes: Sequence[str] = ()) -> Written[None]:
        """Record whether a mission's last process has run, and which processes it has."""
        sql = "UPDATE missions SET processed = ?, processes = ? WHERE name = ?"
        return self._many(sql, [(processed, dump(list(processes)), name)])

    def processed(self, name: str) -> tuple[bool, tuple[str, ...]]:
        """Return what :meth:`set_processed` recorded."""
        found = self.db.read("SELECT processed, processes FROM missions WHERE name = ?", (name,))
        return (bool(found[0][0]), tuple(json.loads(found[0][1]))) if found else (False, ())

    def set_final(
        self, mission: str, verdicts: Mapping[str, bool | None], moved: Mapping[str, tuple[str, str]] | None = None
    ) -> Written[None]:
        """Record whether observations came through as a whole, and that their files are called otherwise from now on.

        Parameters
        ----------
        mission : str
            Internal name.
        verdicts : Mapping of str to bool or None
            By ObsID; None takes a verdict back.
        moved : Mapping of str to (str, str), optional
            By ObsID, the old and the new beginning of recorded paths.
        """

        def write(connection: sqlite3.Connection) -> None:
            for obs_id, success in verdicts.items():
                if success is None:
                    connection.execute("DELETE FROM final WHERE mission = ? AND obs_id = ?", (mission, obs_id))
                    continue
                sql = "INSERT OR REPLACE INTO final (mission, obs_id, success) VALUES (?, ?, ?)"
                connection.execute(sql, (mission, obs_id, success))
            for obs_id, (old, new) in (moved or {}).items():
                for table, column in (("products", "path"), ("tasks", "log"), ("tasks", "stderr")):
                    sql = (
                        f"UPDATE {table} SET {column} = ? || substr({column}, ?)"
                        f" WHERE mission = ? AND obs_id = ? AND substr({column}, 1, ?) = ?"
                    )
                    connection.execute(sql, (new, len(old) + 1, mission, obs_id, len(old), old))
                sql = "UPDATE tasks SET extra = replace(extra, ?, ?) WHERE mission = ? AND obs_id = ?"
                connection.execute(sql, (dump(old)[:-1], dump(new)[:-1], mission, obs_id))

        return self.db.submit(write)

    def final(self) -> dict[str, dict[str, bool]]:
        """Return what :meth:`set_final` recorded, by mission and ObsID."""
        final: dict[str, dict[str, bool]] = {}
        for mission, obs_id, success in self.db.read("SELECT mission, obs_id, success FROM final"):
            final.setdefault(mission, {})[obs_id] = bool(success)
        return final

    # --- observations and data ids ----------------------------------------------------------------------------------

    def add_observations(self, mission: str, table: DataFrame) -> Written[None]:
        """Record a mission's observations; those that are there take their new row and keep their place.

        Parameters
        ----------
        mission : str
            Internal name.
        table : pandas.DataFrame
            One row an observation, with a column ``ObsID``; types as :func:`daxa.store.frames.pack`. The columns are
            the same at every call.
        """
        from daxa.store.frames import rows_of

        dtypes, rows = rows_of(table)
        name, columns = f"columns of {mission}", dump(dtypes)

        def write(connection: sqlite3.Connection) -> None:
            known = connection.execute("SELECT value FROM meta WHERE key = ?", (name,)).fetchone()
            if known is not None and known[0] != columns:
                raise InvalidParameterError(
                    f"The observations of {mission} have other columns than those recorded.",
                    expected=known[0],
                    remedy="bring the table to the recorded columns",
                    value=columns,
                )
            connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (name, columns))
            (start,) = connection.execute(
                "SELECT coalesce(max(position), -1) + 1 FROM observations WHERE mission = ?", (mission,)
            ).fetchone()
            connection.executemany(
                "INSERT INTO observations (mission, obs_id, position, row) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (mission, obs_id) DO UPDATE SET row = excluded.row, retired = 0",
                [(mission, row["ObsID"], start + number, dump(row)) for number, row in enumerate(rows)],
            )

        return self.db.submit(write)

    def observations(self, mission: str, *, retired: bool = False) -> DataFrame | None:
        """Return a mission's observations as they were recorded; None if none were.

        Parameters
        ----------
        mission : str
            Internal name.
        retired : bool
            Whether those are returned that no longer belong to the selection, instead of those that do.
        """
        with understood(self.db.path):
            from daxa.store.frames import table_of

            columns = self.meta(f"columns of {mission}")
            if columns is None:
                return None
            sql = "SELECT row FROM observations WHERE mission = ? AND retired = ? ORDER BY position"
            return table_of(columns, [json.loads(row[0]) for row in self.db.read(sql, (mission, retired))])

    def obs_ids(self, mission: str) -> list[str]:
        """Return a mission's ObsIDs, without those that were retired."""
        sql = "SELECT obs_id FROM observations WHERE mission = ? AND NOT retired ORDER BY position"
        return [row[0] for row in self.db.read(sql, (mission,))]

    def retire(self, mission: str, obs_ids: Iterable[str]) -> Written[None]:
        """Mark observations that no longer belong to the selection."""
        sql = "UPDATE observations SET retired = 1 WHERE mission = ? AND obs_id = ?"
        return self._many(sql, [(mission, obs_id) for obs_id in obs_ids])

    def put_children(self, mission: str, obs_id: str, children: Sequence[Child], inst: str = "") -> Written[None]:
        """Record what lies below an observation, or below one of its instruments, in place of what was recorded.

        Parameters
        ----------
        mission, obs_id : str
            The observation.
        children : sequence of Child
            Its instruments with their sub-exposures, or the instrument's sub-exposures.
        inst : str
            Instrument whose children they are; empty for the observation's own.
        """
        rows: list[tuple[Any, ...]] = []

        def add(above: tuple[str, ...], below: Sequence[Child]) -> None:
            for child in below:
                names = (*above, child.name)
                part = (*names, "")[:2]
                rows.append((mission, obs_id, *part, len(rows), child.usable, child.reason, dump(child.info)))
                add(names, child.children)

        add((inst,) if inst else (), children)

        def write(connection: sqlite3.Connection) -> None:
            below = " AND inst = ? AND subexp != ''" if inst else ""
            scope = (mission, obs_id, inst) if inst else (mission, obs_id)
            connection.execute(f"DELETE FROM data_ids WHERE mission = ? AND obs_id = ?{below}", scope)
            connection.executemany(
                "INSERT INTO data_ids (mission, obs_id, inst, subexp, position, usable, reason, info)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                rows,
            )

        return self.db.submit(write)

    def data_ids(self, mission: str | None = None, obs_id: str | None = None) -> list[DataIdEntry]:
        """Return what was brought to light, by mission and observation, in the order of the summary."""
        with understood(self.db.path):
            given = {name: value for name, value in (("mission", mission), ("obs_id", obs_id)) if value is not None}
            condition, params = where({"mission": "mission", "obs_id": "obs_id"}, given)
            sql = (
                f"SELECT mission, obs_id, inst, subexp, usable, reason, info FROM data_ids{condition}"
                " ORDER BY mission, obs_id, position"
            )
            return [
                DataIdEntry(data_id=data_id_of(*row[:4]), usable=bool(row[4]), reason=row[5], info=json.loads(row[6]))
                for row in self.db.read(sql, params)
            ]

    def info_of(self, data_id: DataId) -> Mapping[str, Any]:
        """Return what the summary says of a data id; nothing if there is none."""
        with understood(self.db.path):
            found = self.db.read(
                "SELECT info FROM data_ids WHERE mission = ? AND obs_id = ? AND inst = ? AND subexp = ?",
                (data_id.mission, data_id.obs_id or "", data_id.inst or "", data_id.subexp or ""),
            )
            info: dict[str, Any] = json.loads(found[0][0]) if found else {}
            return info

    def _many(self, sql: str, rows: Sequence[Sequence[Any]]) -> Written[None]:
        def write(connection: sqlite3.Connection) -> None:
            connection.executemany(sql, rows)

        return self.db.submit(write)

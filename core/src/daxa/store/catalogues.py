"""The cache of catalogues, and of the positions of names: one file a user, shared by all processes and archives."""

from __future__ import annotations

import logging
import math
import sqlite3
import time
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from daxa.exceptions import DamagedRecordError
from daxa.store.db import Database
from daxa.store.faults import damaged
from daxa.store.frames import Column, pack, unpack
from daxa.store.schema import CATALOGUES
from daxa.store.writer import Written

if TYPE_CHECKING:
    from pandas import DataFrame

log = logging.getLogger(__name__)

FILE: Final = "catalogues.sqlite"
"""Name of the cache in the cache directory."""

_MOST_NAMES: Final = 100_000


class CachedCatalogue(NamedTuple):
    """A catalogue, with where it is from.

    Parameters
    ----------
    table : pandas.DataFrame
        The catalogue as it was put, rows numbered from 0.
    fetched_at : float
        When it was fetched, in seconds of Unix time.
    source : str
        Where from, for people.
    etag : str or None
        The service's mark of this version, if it gave one.
    """

    table: DataFrame
    fetched_at: float
    source: str
    etag: str | None


class CatalogueCache:
    """Catalogues by mission and address of the service.

    Parameters
    ----------
    db : Database
        An open record of the form ``CATALOGUES``.
    """

    def __init__(self, db: Database) -> None:
        self.db = db

    @classmethod
    def open(cls, directory: Path | str) -> CatalogueCache:
        """Open the cache in a directory, or make it. A damaged one is set aside: everything in it can be had again.

        Parameters
        ----------
        directory : Path
            The cache directory.

        Raises
        ------
        StorageError
            If the directory cannot be written.
        NewerSchemaError
            If a newer version wrote the cache.
        """
        path = Path(directory) / FILE
        try:
            return cls(Database.open(path, CATALOGUES, create=True))
        except DamagedRecordError as problem:
            log.warning("%s A new cache is begun; the old one is kept as %s.damaged.", problem, path.name)
            for suffix in ("-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            path.replace(path.with_name(path.name + ".damaged"))
            return cls(Database.open(path, CATALOGUES, create=True))

    def get(self, mission: str, service_url: str) -> CachedCatalogue | None:
        """Return a catalogue; None if it was never put.

        Parameters
        ----------
        mission : str
            Internal name of the mission.
        service_url : str
            Address of the service it comes from: catalogues of another address are never seen.
        """
        with self.db.snapshot() as read:
            found = read(
                "SELECT id, fetched_at, source, etag, rows FROM catalogues WHERE mission = ? AND service_url = ?",
                (mission, service_url),
            )
            if not found:
                return None
            (row,) = found
            packed = read(
                "SELECT name, dtype, data FROM catalogue_columns WHERE catalogue_id = ? ORDER BY position", (row["id"],)
            )
        try:
            table = unpack((Column(*one) for one in packed), row["rows"])
        except (ValueError, zlib.error) as problem:
            raise damaged(self.db.path, f"the catalogue of {mission}: {problem}") from problem
        return CachedCatalogue(table, row["fetched_at"], row["source"], row["etag"])

    def fetched_at(self, mission: str, service_url: str) -> float | None:
        """Return when a catalogue was fetched, without reading it."""
        found = self.db.read(
            "SELECT fetched_at FROM catalogues WHERE mission = ? AND service_url = ?", (mission, service_url)
        )
        return found[0][0] if found else None

    def put(
        self,
        mission: str,
        service_url: str,
        table: DataFrame,
        *,
        source: str,
        etag: str | None = None,
        fetched_at: float | None = None,
    ) -> Written[None]:
        """Put a catalogue in place of an earlier one: whole, or not at all.

        Parameters
        ----------
        mission, service_url : str
            Under what it is kept.
        table : pandas.DataFrame
            The catalogue; its index is not kept.
        source : str
            Where it is from, for people.
        etag : str, optional
            The service's mark of this version.
        fetched_at : float, optional
            When it was fetched, in seconds of Unix time; by default now.

        Returns
        -------
        Written
            To be awaited, or asked for ``result()``.

        Raises
        ------
        ParameterTypeError
            If a column cannot be kept exactly.
        """
        columns, rows = pack(table), len(table)
        when = time.time() if fetched_at is None else fetched_at

        def write(connection: sqlite3.Connection) -> None:
            _forget(connection, mission, service_url)
            number = connection.execute(
                "INSERT INTO catalogues (mission, service_url, fetched_at, source, etag, rows)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (mission, service_url, when, source, etag, rows),
            ).lastrowid
            connection.executemany(
                "INSERT INTO catalogue_columns (catalogue_id, position, name, dtype, data) VALUES (?, ?, ?, ?, ?)",
                [(number, position, one.name, one.dtype, one.data) for position, one in enumerate(columns)],
            )

        return self.db.submit(write)

    def forget(self, mission: str, service_url: str) -> Written[None]:
        """Drop a catalogue."""
        return self.db.submit(lambda connection: _forget(connection, mission, service_url))

    def positions(
        self, service_url: str, names: Iterable[str], younger_than: float = math.inf
    ) -> dict[str, tuple[float, float]]:
        """Return positions that a name service told before.

        Parameters
        ----------
        service_url : str
            Address of the service.
        names : iterable of str
            Names of objects.
        younger_than : float
            Seconds after which an answer is not trusted any more.

        Returns
        -------
        dict of str to (float, float)
            Right ascension and declination in degrees, ICRS, of the names that are known.
        """
        sql = "SELECT ra, dec FROM names WHERE service_url = ? AND name = ? AND found_at > ?"
        since = time.time() - younger_than
        found = {name: self.db.read(sql, (service_url, name, since)) for name in names}
        return {name: (rows[0][0], rows[0][1]) for name, rows in found.items() if rows}

    def put_positions(self, service_url: str, positions: Mapping[str, tuple[float, float]]) -> Written[None]:
        """Keep what a name service told; of more than 100,000 names the oldest are dropped."""
        rows = [(service_url, name, ra, dec, time.time()) for name, (ra, dec) in positions.items()]

        def write(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "INSERT OR REPLACE INTO names (service_url, name, ra, dec, found_at) VALUES (?, ?, ?, ?, ?)", rows
            )
            (held,) = connection.execute("SELECT count(*) FROM names").fetchone()
            if held > _MOST_NAMES:
                oldest = "SELECT found_at FROM names ORDER BY found_at LIMIT 1 OFFSET ?"
                sql = f"DELETE FROM names WHERE found_at <= ({oldest})"  # noqa: S608 - it is ours
                connection.execute(sql, (held - _MOST_NAMES - 1,))

        return self.db.submit(write)

    def close(self) -> None:
        """Close the cache. May be called again."""
        self.db.close()

    def __enter__(self) -> CatalogueCache:
        return self

    def __exit__(self, *_failure: object) -> None:
        self.close()


def _forget(connection: sqlite3.Connection, mission: str, service_url: str) -> None:
    key = (mission, service_url)
    connection.execute(
        "DELETE FROM catalogue_columns WHERE catalogue_id IN"
        " (SELECT id FROM catalogues WHERE mission = ? AND service_url = ?)",
        key,
    )
    connection.execute("DELETE FROM catalogues WHERE mission = ? AND service_url = ?", key)

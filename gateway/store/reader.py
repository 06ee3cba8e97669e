"""SQLite to read only: beside the gateway that owns the file, or after it has gone.

Takes no lock and changes nothing; a write-ahead log lets readers see the last commit at any time.
"""

import asyncio
from pathlib import Path

import apsw

from gateway.ports import StoreError
from gateway.store.database import Returned, Rows, Unit
from gateway.store.queries import Params, Queries, Query
from gateway.store.schema import (
    READ_STEPS,
    READ_VERSION,
    newest,
    require_compatible,
    require_current,
)

_BUSY_MS = 5_000


class SqliteReader:
    """A `Database` that refuses every write."""

    slot = 0
    is_alone = False
    broken: str | None = "it was opened to read only"

    def __init__(self, connection: apsw.Connection) -> None:
        """Made by `open`."""
        self.queries = Queries("sqlite")
        self._connection = connection
        self._turn = asyncio.Lock()

    @classmethod
    async def open(cls, path: Path) -> "SqliteReader":
        """Raises `SchemaError` for another schema than this program's, else `StoreError`."""
        return cls(await asyncio.to_thread(_connect, path))

    async def write(self, unit: Unit) -> Returned:
        """Refuse."""
        raise StoreError(f"{len(unit.steps)} writes refused: {self.broken}")

    async def read(self, query: Query, params: Params) -> Rows:
        """Read from the last committed state."""
        chosen = query.given(params)
        async with self._turn:
            return await asyncio.to_thread(self._rows, chosen, params)

    async def copy(self, file: Path) -> None:
        """Refuse: copies are made by the process that owns the database, or by `hangdao backup`."""
        raise StoreError(f"no copy to {file.name}: {self.broken}")

    async def aclose(self) -> None:
        """Close the file."""
        async with self._turn:
            await asyncio.to_thread(self._connection.close)

    def _rows(self, query: Query, params: Params) -> Rows:
        try:
            return self._connection.execute(query.text, params).fetchall()
        except apsw.Error as error:
            raise StoreError(f"{query.name}: {type(error).__name__}: {error}") from error


def _connect(path: Path) -> apsw.Connection:
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    except apsw.Error as error:
        raise StoreError(f"{path} cannot be opened: {error}") from error
    try:
        connection.set_busy_timeout(_BUSY_MS)
        version = connection.execute(READ_VERSION).get
        if version > newest("sqlite"):
            require_compatible("sqlite", dict(connection.execute(READ_STEPS)))
        else:
            require_current("sqlite", version)
    except apsw.Error as error:
        connection.close()
        raise StoreError(f"{path} cannot be read: {error}") from error
    except StoreError:
        connection.close()
        raise
    return connection

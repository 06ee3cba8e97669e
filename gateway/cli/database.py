"""Looking at the configured database without changing it: its schema version, who holds it."""

import asyncio
import fcntl
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import apsw
import asyncpg
from msgspec import Struct

from gateway.ports import Position, StoreError
from gateway.store.queries import Queries
from gateway.store.schema import READ_VERSION, migrations
from policies.calendars.workdays import PUBLISHED, Almanac

_CONNECT_S = 5


class Found(Struct, frozen=True):
    """What was found; version 0 is a database without our schema, or none yet."""

    version: int
    newest: int
    """The version this program needs."""
    held: bool
    """Another process has the SQLite database: the gateway runs."""


async def look(url: str) -> Found:
    """Read a database's version. Raises `StoreError` with a sentence when it cannot be reached."""
    if url.startswith("sqlite:"):
        path = Path(unquote(urlsplit(url).path))
        return Found(_sqlite_version(path), migrations("sqlite")[-1].version, _is_held(path))
    return Found(await _postgres_version(url), migrations("postgres")[-1].version, held=False)


def _sqlite_version(path: Path) -> int:
    if not path.exists():
        return 0
    try:
        database = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            database.set_busy_timeout(1_000)
            known = "SELECT count(*) FROM sqlite_schema WHERE name = 'schema_version'"
            if not database.execute(known).get:
                return 0
            version: int = database.execute(READ_VERSION).get
            return version
        finally:
            database.close()
    except apsw.Error as error:
        raise StoreError(f"{path} cannot be read: {error}") from error


def _is_held(path: Path) -> bool:
    """Whether the lock beside the database is taken; it is let go of at once."""
    try:
        with Path(f"{path}.lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    except OSError as error:
        raise StoreError(f"{path}.lock cannot be read: {error.strerror}") from error
    return False


def read_books(url: str) -> tuple[list[str], Position | None]:
    """What is wrong inside a SQLite database, and how far it has come; it may be in use.

    Nothing and None for another database, or none. Raises `StoreError` for one that is damaged.
    """
    path = Path(unquote(urlsplit(url).path))
    if not url.startswith("sqlite:") or not path.exists():
        return [], None
    queries = Queries("sqlite")
    try:
        database = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            database.set_busy_timeout(1_000)
            state = database.execute("PRAGMA quick_check(1)").get
            if state != "ok":
                raise StoreError(f"{path} is damaged: {state}")
            if database.execute(READ_VERSION).get < migrations("sqlite")[-1].version:
                return [], None
            with database:
                faults = [
                    f"debits and credits in {currency} differ by {off}"
                    for currency, off in database.execute(queries["trial_balance"].text)
                    if off
                ]
                faults += [
                    f"posting {row[0]} is off"
                    for row in database.execute(queries["unbalanced_postings"].text)
                ]
                faults += [
                    f"{book}:{owner}:{currency} is kept as {kept}, its entries say {booked}"
                    for book, owner, currency, kept, booked in database.execute(
                        queries["accounts_off"].text
                    )
                ]
                whose, feed, attempts = database.execute(queries["position"].text).fetchall()[0]
                position = Position(str(whose), int(str(feed)), int(str(attempts)))
        finally:
            database.close()
    except apsw.Error as error:
        raise StoreError(f"{path} cannot be read: {error}") from error
    return faults, position


def read_calendar(url: str) -> Almanac:
    """Working days with what people said of them. Raises `StoreError`; the schema must be ours."""
    if url.startswith("sqlite:"):
        queries = Queries("sqlite")
        path = Path(unquote(urlsplit(url).path))
        try:
            database = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
            try:
                database.set_busy_timeout(1_000)
                days = database.execute(queries["calendar_days"].text).fetchall()
                years = database.execute(queries["calendar_years"].text).fetchall()
            finally:
                database.close()
        except apsw.Error as error:
            raise StoreError(f"{path} cannot be read: {error}") from error
    else:
        days, years = asyncio.run(_postgres_calendar(url))
    said = ((date.fromisoformat(str(row[0])), bool(row[1])) for row in days)
    return PUBLISHED.with_days(said, (int(str(row[0])) for row in years))


async def _postgres_calendar(url: str) -> tuple[list[Any], list[Any]]:
    queries = Queries("postgres")
    try:
        connection = await asyncpg.connect(url, timeout=_CONNECT_S)
        try:
            days = await connection.fetch(queries["calendar_days"].numbered)
            years = await connection.fetch(queries["calendar_years"].numbered)
        finally:
            await connection.close()
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        # The driver's own words may repeat the address with its password.
        raise StoreError(f"PostgreSQL cannot be read: {type(error).__name__}") from error
    return days, years


async def _postgres_version(url: str) -> int:
    try:
        connection = await asyncpg.connect(url, timeout=_CONNECT_S)
        try:
            if await connection.fetchval("SELECT to_regclass('schema_version')") is None:
                return 0
            version: int = await connection.fetchval(READ_VERSION)
            return version
        finally:
            await connection.close()
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        # The driver's own words may repeat the address with its password.
        raise StoreError(f"PostgreSQL cannot be reached: {type(error).__name__}") from error

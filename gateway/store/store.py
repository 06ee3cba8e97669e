"""The store as one object, over either database (`ports.Store`), and how to open it.

What only PostgreSQL needs is imported when a PostgreSQL is opened.
"""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from gateway.ports import Clock, Store, StoreError
from gateway.store.archives import Archives
from gateway.store.audit import Audit
from gateway.store.batches import Batches
from gateway.store.calendar import Calendar
from gateway.store.database import Database
from gateway.store.dialects import Dialects
from gateway.store.directory import Directory
from gateway.store.floats import Floats
from gateway.store.history import History
from gateway.store.inbox import Inbox
from gateway.store.incidents import Incidents
from gateway.store.ledger import Ledger
from gateway.store.outbox import Outbox
from gateway.store.payloads import PayloadOf, webhook_payload
from gateway.store.plans import Plans
from gateway.store.policies import Policies
from gateway.store.reader import SqliteReader
from gateway.store.restore import Restore
from gateway.store.schema import newest
from gateway.store.splits import Splits
from gateway.store.sqlite import SqliteDatabase
from gateway.store.statements import Statements
from gateway.store.switches import Switches
from gateway.store.vault import Vault
from gateway.store.workers import Workers

LEASE_S = 30
"""How long a worker may be out of reach."""


class SqlStore(
    Splits,
    Audit,
    Ledger,
    Directory,
    Outbox,
    Inbox,
    History,
    Statements,
    Restore,
    Incidents,
    Floats,
    Archives,
    Calendar,
    Switches,
    Policies,
    Plans,
    Batches,
    Dialects,
    Workers,
):
    """Everything durable, in one database."""

    @property
    def broken(self) -> str | None:
        """Why no write is taken any more; None while all is well."""
        return self._database.broken

    async def healthy(self) -> bool:
        """Whether a write goes through now: by writing one, durably."""
        if self._database.broken is not None:
            return False
        try:
            await self._beat()
        except StoreError:
            return False
        return True

    async def aclose(self) -> None:
        """Finish what was begun, give back what is this worker's, and close."""
        await self.leave()
        await self._database.aclose()


async def open_store(
    url: str,
    vault: Vault,
    clock: Clock,
    *,
    migrate: bool,
    payload_of: PayloadOf = webhook_payload,
    program: str = "",
    lease_s: int = LEASE_S,
) -> SqlStore:
    """Open `sqlite:///absolute/path.db` or `postgresql://…`; one vault serves one store.

    Raises `SchemaError` for another schema version (an older one is brought up to date with
    `migrate`), `LockedError` when another process has the SQLite file, `SealError` for a wrong
    key-encryption key, `StoreError` when the database cannot be reached. Then nothing stays open.
    `program` is the version other workers are told; `lease_s` how long one may be out of reach.
    """
    database = await _open_database(url, migrate=migrate)
    member = None
    if not _is_file(url):
        from gateway.store.member import Member  # noqa: PLC0415 - see above

        schema = newest("postgres")
        member = Member(
            url, database.queries, clock, program=program, schema=schema, lease_s=lease_s
        )
    store = SqlStore(database, vault, clock, payload_of, member)
    try:
        await store.prepare()
    except BaseException:
        await database.aclose()
        raise
    return store


async def open_reader(url: str, vault: Vault, clock: Clock) -> SqlStore:
    """Open to read only, also beside a running gateway. Raises as `open_store`, but not for locks.

    The schema must be this program's; every write raises `StoreError`.
    """
    if _is_file(url):
        database: Database = await SqliteReader.open(_file(url))
    else:
        database = await _open_database(url, migrate=False)
    store = SqlStore(database, vault, clock, webhook_payload)
    try:
        await store.adopt_keys()
    except BaseException:
        await database.aclose()
        raise
    return store


async def migrate(url: str) -> None:
    """Bring a database's schema up to this program's version; creates it when there is none."""
    database = await _open_database(url, migrate=True)
    await database.aclose()


async def _open_database(url: str, *, migrate: bool) -> Database:
    parts = urlsplit(url)
    match parts.scheme:
        case "sqlite":
            return await SqliteDatabase.open(_file(url), migrate=migrate)
        case "postgresql" | "postgres":
            from gateway.store.postgres import PostgresDatabase  # noqa: PLC0415 - see above

            return await PostgresDatabase.open(url, migrate=migrate)
        case _:
            raise StoreError("a database URL starts with sqlite:/// or postgresql://")


def _is_file(url: str) -> bool:
    return url.startswith("sqlite:")


def _file(url: str) -> Path:
    parts = urlsplit(url)
    path = Path(unquote(parts.path))
    if parts.netloc or not path.name or not path.is_absolute():
        raise StoreError(f"{url!r} is not of the form sqlite:///absolute/path.db")
    return path


_conforms: type[Store] = SqlStore
"""Held by the type checker: the store has every method of the port."""

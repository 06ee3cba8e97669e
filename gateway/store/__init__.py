"""Everything durable: payouts, ledger, directory, outbox, inbox, statements, in one database.

`open_store` gives a `gateway.ports.Store` over SQLite (embedded) or PostgreSQL (many replicas). The
SQL is in `queries.sql`; `sqlite` and `postgres` only connect, batch and map errors.
"""

from gateway.store.errors import LockedError, RefusedError, SchemaError, SealError
from gateway.store.payloads import PayloadOf, detail_of, webhook_payload
from gateway.store.store import SqlStore, migrate, open_reader, open_store
from gateway.store.vault import Vault

__all__ = [
    "LockedError",
    "PayloadOf",
    "RefusedError",
    "SchemaError",
    "SealError",
    "SqlStore",
    "Vault",
    "detail_of",
    "migrate",
    "open_reader",
    "open_store",
    "webhook_payload",
]

"""Failures of the store beyond those every caller must tell apart (`gateway.ports`)."""

from gateway.ports import StoreError


class SchemaError(StoreError):
    """The database has another schema version than this program."""


class LockedError(StoreError):
    """Another process already owns this SQLite database."""


class RefusedError(StoreError):
    """A constraint refused the write: a defect, or a collision. Nothing was written."""


class LogError(StoreError):
    """The audit log is not whole: `hangdao audit verify` says where."""


class SealError(StoreError):
    """A sealed value cannot be opened: wrong key-encryption key, or the row was tampered with."""

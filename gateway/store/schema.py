"""Which schema a database has, which one this program needs, and the files leading from one to the
other. Running them is the affair of `sqlite` and `postgres`.
"""

import re
from dataclasses import dataclass
from importlib.resources import files

from gateway.store.errors import SchemaError
from gateway.store.queries import Dialect

_FILE = re.compile(r"(\d{4})_(\w+)\.(sqlite|postgres)\.sql")

SCHEMA_TABLE = """
CREATE TABLE IF NOT EXISTS schema_version (
    version BIGINT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL
)
"""
READ_VERSION = "SELECT COALESCE(MAX(version), 0) FROM schema_version"


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered step of the schema."""

    version: int
    name: str
    sql: str


def migrations(dialect: Dialect) -> tuple[Migration, ...]:
    """All steps of a dialect, in order."""
    found = []
    for entry in (files("gateway.store") / "migrations").iterdir():
        match = _FILE.fullmatch(entry.name)
        if match and match[3] == dialect:
            found.append(Migration(int(match[1]), match[2], entry.read_text("utf-8")))
    return tuple(sorted(found, key=lambda migration: migration.version))


def missing(dialect: Dialect, version: int) -> tuple[Migration, ...]:
    """The steps a database at `version` still needs; `SchemaError` when it is past this program."""
    steps = migrations(dialect)
    newest = steps[-1].version
    if version > newest:
        raise SchemaError(
            f"the database has schema version {version}, this program knows only {newest}: "
            "start the newer program, or restore a backup from before the upgrade"
        )
    return tuple(step for step in steps if step.version > version)


def require_current(dialect: Dialect, version: int) -> None:
    """Raise `SchemaError` unless the database is exactly at this program's version."""
    steps = missing(dialect, version)
    if steps:
        raise SchemaError(
            f"the database has schema version {version}, this program needs {steps[-1].version}: "
            "run `hangdao migrate`"
        )

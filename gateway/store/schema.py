"""Which schema a database has, which one this program needs, and the files leading from one to the
other. Running them is the affair of `sqlite` and `postgres`.

A step whose file says `-- compatible: since 5` may be taken while programs that know only schema 5
still run: it takes nothing away that they read and asks for nothing that they do not write.
"""

import re
from collections.abc import Mapping
from importlib.resources import files

from msgspec import Struct

from gateway.store.errors import SchemaError
from gateway.store.queries import Dialect

_FILE = re.compile(r"(\d{4})_(\w+)\.(sqlite|postgres)\.sql")
_COMPATIBLE = re.compile(r"^-- compatible: since (\d+)\b", re.MULTILINE)

SCHEMA_TABLE = """
CREATE TABLE IF NOT EXISTS schema_version (
    version BIGINT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL
)
"""
READ_VERSION = "SELECT COALESCE(MAX(version), 0) FROM schema_version"
READ_STEPS = """
SELECT v.version, c.since
FROM schema_version AS v LEFT JOIN schema_compatible AS c ON c.version = v.version
"""
"""Of a newer database: every step it took, and since which schema programs can live with it."""


class Migration(Struct, frozen=True):
    """One numbered step of the schema."""

    version: int
    name: str
    sql: str

    @property
    def since(self) -> int | None:
        """Programs that know this schema can work on the result; None when only newer ones can."""
        said = _COMPATIBLE.search(self.sql)
        return int(said[1]) if said else None


def migrations(dialect: Dialect) -> tuple[Migration, ...]:
    """All steps of a dialect, in order."""
    found = []
    for entry in (files("gateway.store") / "migrations").iterdir():
        match = _FILE.fullmatch(entry.name)
        if match and match[3] == dialect:
            found.append(Migration(int(match[1]), match[2], entry.read_text("utf-8")))
    return tuple(sorted(found, key=lambda migration: migration.version))


def newest(dialect: Dialect) -> int:
    """The schema this program was written for."""
    return migrations(dialect)[-1].version


def missing(dialect: Dialect, version: int) -> tuple[Migration, ...]:
    """The steps a database at `version` still needs; `SchemaError` when it is past this program."""
    steps = migrations(dialect)
    known = steps[-1].version
    if version > known:
        raise SchemaError(
            f"the database has schema version {version}, this program knows only {known}: "
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


def require_compatible(dialect: Dialect, steps: Mapping[int, int | None]) -> None:
    """Raise `SchemaError` unless every step beyond this program says that it can live with it.

    `steps` are those a newer database took, each with the schema it is compatible since.
    """
    known = newest(dialect)
    for version, since in sorted(steps.items()):
        if version > known and (since is None or since > known):
            missing(dialect, version)

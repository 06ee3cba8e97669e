"""Read an SQLite file that a store of this process has open, apart from the store."""

from contextlib import closing
from pathlib import Path
from typing import Any

import apsw


def read(file: Path | str, sql: str) -> list[Any]:
    """What is committed, in rows.

    By the store's own copy of SQLite: a second one in the same process (Python's `sqlite3`) does
    not see the locks of the first, and would cut off the memory that its readers have mapped.
    """
    with closing(apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)) as database:
        return database.execute(sql).fetchall()

"""Inserts of several kinds, with the rows of many units, in one round trip to PostgreSQL.

Each statement is given its rows as one JSON array: an array for each column would cost the client
more than a round trip. Consecutive statements are the parts of one `WITH`, which all see the tables
as they were before the first of them, in no promised order (PostgreSQL manual, 7.8.4): whatever
names a table that another part names waits for the next round trip.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from types import NoneType

import orjson

from gateway.store.queries import Query

_HELD_BY = {"text": str, "int2": int, "int8": int, "bytea": bytes}
"""What each type of column is held by; other types have no place here."""


def is_bundled(query: Query) -> bool:
    """Whether it may share a round trip.

    Not a change of rows: how to find them is planned once, for as many rows as JSON may hold and
    for tables as small as they were then.
    """
    return query.takes_many and query.text.startswith("INSERT ")


def bundles(queries: Iterable[Query]) -> Iterator[tuple[Query, ...]]:
    """The same statements in the same order, in as few round trips as that allows."""
    bundle: list[Query] = []
    named: set[str] = set()
    for query in queries:
        if bundle and not (is_bundled(query) and named.isdisjoint(query.tables)):
            yield tuple(bundle)
            bundle, named = [], set()
        if is_bundled(query):
            bundle.append(query)
            named |= query.tables
        else:
            yield (query,)
    if bundle:
        yield tuple(bundle)


class Records:
    """Writes the rows of one statement as JSON in which PostgreSQL reads the same values."""

    def __init__(self, query: Query, types: Sequence[str]) -> None:
        """`types` are what the database says its parameters are."""
        self.query = query
        self.types = types
        self._fields = query.fields
        self._held_by = [_HELD_BY[kind] for kind in types]
        self._fitting: set[tuple[type, ...]] = set()

    def json(self, rows: Sequence[Sequence[object]]) -> str:
        """Raises `TypeError` where JSON would make one type of another."""
        for shape in {tuple(map(type, row)) for row in rows} - self._fitting:
            self._fit(shape)
        fields = self._fields
        records = [dict(zip(fields, row, strict=True)) for row in rows]
        return orjson.dumps(records, default=_hex).decode()

    def _fit(self, shape: tuple[type, ...]) -> None:
        for kind, wanted in zip(shape, self._held_by, strict=True):
            if kind is not NoneType and (kind is bool or not issubclass(kind, wanted)):
                raise TypeError(f"{self.query.name} takes {wanted.__name__}, not {kind.__name__}")
        self._fitting.add(shape)


def _hex(value: object) -> str:
    """As PostgreSQL reads bytes: the one type among those held that JSON has not."""
    if not isinstance(value, bytes):
        raise TypeError(type(value).__name__)
    return f"\\x{value.hex()}"


@lru_cache(maxsize=128)
def text_of(*bundle: Records) -> str:
    """The statement for all of them: `$n` is the JSON of each.

    It returns one row: how many rows each has written.
    """
    parts, counts = [], []
    for position, records in enumerate(bundle, 1):
        name = records.query.name
        parts.append(f"{name} AS (\n{records.query.from_records(records.types, position)}\n)")
        counts.append(f"(SELECT count(*) FROM {name})")  # noqa: S608 - a statement's name
    return f"WITH {', '.join(parts)}\nSELECT {', '.join(counts)}"

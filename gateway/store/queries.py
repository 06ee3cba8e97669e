"""Named SQL: reads `queries*.sql` once and hands out statements ready for either database.

SQLite takes `:name` parameters as they are; for PostgreSQL they become `$1 …` here, once. Lines
ending in `-- if given` make variants of a query without building SQL from text at run time.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import chain
from operator import itemgetter
from typing import Literal

from msgspec import Struct

Dialect = Literal["sqlite", "postgres"]
Params = Mapping[str, object]

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]+)")
_OPTIONAL = "-- if given"
_TABLE = re.compile(r"\b(?:INTO|UPDATE|FROM|JOIN) ([a-z_]+)")
_ROW = "VALUES ("
_RETURNING = "\nRETURNING "
_TOPIC = re.compile(r"queries_\w+\.sql")
_POSTGRES = "queries_postgres.sql"


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """One statement. Compared by identity: there is one object per name and variant."""

    name: str
    order: int
    """Position in the file: the order in which one change runs its writes."""
    text: str
    """With `:name` parameters, as SQLite takes it."""
    numbered: str
    """With `$n` parameters, as PostgreSQL takes it."""
    names: tuple[str, ...]
    """Which parameter each `$n` is."""
    counted: bool
    """Whether it is a write that returns the rows it touched."""
    tables: frozenset[str]
    """Those that it names, to write or to read."""
    optional: frozenset[str]
    takes_many: bool
    """Whether one statement can take the rows of many steps; see `many`."""
    _lines: tuple[str, ...] = field(repr=False)
    _pick: Callable[[Params], tuple[object, ...]] = field(repr=False)
    _variants: dict[frozenset[str], "Query"] = field(default_factory=dict, repr=False)
    _row: "Row | None" = field(default=None, repr=False)
    _many: dict[int, str] = field(default_factory=dict, repr=False)

    @property
    def fields(self) -> tuple[str, ...]:
        """What each of `names` is called in a row that is given as JSON, and in `VALUES`."""
        return tuple(f"column{number}" for number in range(1, len(self.names) + 1))

    def many(self, steps: Sequence[Params]) -> tuple[str, list[object]]:
        """One statement for all of them, as SQLite takes it, and its values by position.

        Only where `takes_many`. It returns nothing: what is `counted` is told by how many rows it
        has changed.
        """
        row = self._its_row()
        text = self._many.get(len(steps))
        if text is None:
            marks = _PARAMETER.sub("?", f"({row.text})")
            rows = ", ".join([marks] * len(steps))
            text = self._many[len(steps)] = f"{row.before}VALUES {rows}{row.after}"
        return text, list(chain.from_iterable(map(row.pick, steps)))

    def from_records(self, types: Sequence[str], position: int) -> str:
        """One statement for all of them, as PostgreSQL takes it: `$position` is JSON, see `fields`.

        Only where `takes_many`. `types` are those of `names`. It returns one row for each that it
        has written.
        """
        row = self._its_row()
        fields = dict(zip(self.names, self.fields, strict=True))
        values = _PARAMETER.sub(lambda match: f"given.{fields[match[1]]}", row.text)
        columns = ", ".join(map(" ".join, zip(self.fields, types, strict=True)))
        given = f"json_to_recordset(${position}::json) AS given ({columns})"
        return f"{row.before}SELECT {values} FROM {given}{row.after}\nRETURNING 1"  # noqa: S608 - our own

    def values(self, params: Params) -> tuple[object, ...]:
        """The parameters in the order of `$n`."""
        return self._pick(params)

    def given(self, params: Params) -> "Query":
        """The variant without the optional lines whose parameter is None."""
        absent = frozenset(name for name in self.optional if params[name] is None)
        if not absent:
            return self
        variant = self._variants.get(absent)
        if variant is None:
            lines = tuple(line for line in self._lines if not absent & _optional(line))
            variant = query_of(self.name, self.order, lines)
            self._variants[absent] = variant
        return variant

    def _its_row(self) -> "Row":
        if self._row is None:
            raise ValueError(f"{self.name} takes one row at a time")
        return self._row


class Row(Struct, frozen=True):
    """The row of a statement that holds all of its parameters, so that it can be written again."""

    before: str
    text: str
    """With a `:name` for each value."""
    after: str
    pick: Callable[[Params], tuple[object, ...]]
    """The values in the order in which the row names them."""


class Queries:
    """Every named statement of a dialect: `queries["insert_payout"]`."""

    def __init__(self, dialect: Dialect) -> None:
        """Read the shared files and the dialect's overrides, which keep their place in the order.

        Raises `ValueError` for a name that two shared files have.
        """
        here = files("gateway.store")
        texts: dict[str, tuple[str, ...]] = {}
        # The payouts' own file comes first, whatever the others are called.
        for name in ("queries.sql", *sorted(_topics(here))):
            found = _split((here / name).read_text("utf-8"))
            if twice := texts.keys() & found.keys():
                raise ValueError(f"{name} names again: {', '.join(sorted(twice))}")
            texts |= found
        if dialect == "postgres":
            texts |= _split((here / _POSTGRES).read_text("utf-8"))
        self._queries = {
            name: query_of(name, order, lines) for order, (name, lines) in enumerate(texts.items())
        }

    def __getitem__(self, name: str) -> Query:
        """The statement of that name; an unknown name is a defect (KeyError)."""
        return self._queries[name]

    def __contains__(self, name: object) -> bool:
        """Whether the dialect has a statement of that name."""
        return name in self._queries

    def all(self) -> list[Query]:
        """Every statement, in order."""
        return list(self._queries.values())


def _topics(here: Traversable) -> list[str]:
    """The shared files beside `queries.sql`: one a topic."""
    names = [entry.name for entry in here.iterdir()]
    return [name for name in names if _TOPIC.fullmatch(name) and name != _POSTGRES]


def _split(text: str) -> dict[str, tuple[str, ...]]:
    parts = _NAME.split(text)[1:]
    return {
        name: tuple(
            line.rstrip()
            for line in body.splitlines()
            if line.strip() and not line.startswith("--")
        )
        for name, body in zip(parts[::2], parts[1::2], strict=True)
    }


def _optional(line: str) -> frozenset[str]:
    if not line.endswith(_OPTIONAL):
        return frozenset()
    return frozenset(_PARAMETER.findall(line))


def query_of(name: str, order: int, lines: tuple[str, ...]) -> Query:
    """A statement that was written in these lines, the optional ones among them."""
    text = "\n".join(line.removesuffix(_OPTIONAL).rstrip() for line in lines)
    names = tuple(dict.fromkeys(_PARAMETER.findall(text)))
    positions = {parameter: f"${position}" for position, parameter in enumerate(names, 1)}
    row = _row_of(text)
    return Query(
        name=name,
        order=order,
        text=text,
        numbered=_PARAMETER.sub(lambda match: positions[match[1]], text),
        names=names,
        counted="RETURNING" in text,
        tables=frozenset(_TABLE.findall(text)),
        optional=frozenset().union(*map(_optional, lines)),
        takes_many=row is not None,
        _lines=lines,
        _pick=_picking(names),
        _row=row,
    )


def _picking(names: tuple[str, ...]) -> Callable[[Params], tuple[object, ...]]:
    if len(names) > 1:
        return itemgetter(*names)
    return lambda params: tuple(params[name] for name in names)


def _row_of(text: str) -> Row | None:
    """None for what must run alone: it tells what was not given, or counts on what it changes."""
    text, _, returned = text.partition(_RETURNING)
    if text.startswith("UPDATE "):
        return _row_to_find(text) if returned else None
    before, found, rest = text.partition(_ROW)
    if not found or (returned and not text.endswith("ON CONFLICT DO NOTHING")):
        return None
    depth, end = 1, 0
    while depth:
        depth += {"(": 1, ")": -1}.get(rest[end], 0)
        end += 1
    row, after = rest[: end - 1], rest[end:]
    names = _PARAMETER.findall(row)
    if "SELECT" in row:
        # Asked for every row before any is written, it would say the same for all.
        return None
    if len(names) < 2 or _PARAMETER.search(before) or _PARAMETER.search(after):
        return None
    return Row(before, " ".join(row.split()), after, itemgetter(*names))


def _row_to_find(update: str) -> Row | None:
    """Of a change of one row: where many are given, each finds its own.

    Not where parameters are added up, as one row may be meant twice; two that mean the same row
    change one, and the count tells.
    """
    names = tuple(dict.fromkeys(_PARAMETER.findall(update)))
    setting, found, where = update.partition("\nWHERE ")
    if not found or len(names) < 2 or "+ :" in setting:
        return None
    columns = {name: f"given.column{number}" for number, name in enumerate(names, 1)}
    setting, where = (_PARAMETER.sub(lambda m: columns[m[1]], part) for part in (setting, where))
    row = ", ".join(f":{name}" for name in names)
    return Row(f"{setting}\nFROM (", row, f") AS given\nWHERE {where}", itemgetter(*names))

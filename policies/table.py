"""Decision tables for people who write no CEL: a grid becomes rules, the first matching row wins.

Columns named after facts are conditions, those named after effects are outcomes; README, "Tables",
has the grammar of the cells. Every mistake is told with its row and column.
"""

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Final, NamedTuple, TypeAlias

import yaml

from policies.vocabulary import FACTS, Kind

Cell: TypeAlias = str | int | bool | None
OUTCOMES: Final = (
    *("prefer", "avoid", "require", "deny", "weight", "split"),
    *("max_attempts", "deadline", "review", "pass"),
)
NOTE: Final = "note"
"""A column that is only read by people."""
ROWS_MAX: Final = 200
COLUMNS_MAX: Final = 30


class Mistake(NamedTuple):
    """What is wrong in a table; row 0 is the header, `at` counts rows and columns from 0."""

    row: int
    column: int
    message: str


class TableError(ValueError):
    """A table that must not be used."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        """Keep the mistakes one by one."""
        self.mistakes = mistakes
        super().__init__("; ".join(one.message for one in mistakes))


class Row(NamedTuple):
    """One row as a rule: its number from 1, its condition in CEL, its effects as in YAML."""

    number: int
    when: str
    then: dict[str, object]


class _Column(NamedTuple):
    title: str
    fact: str | None
    scale: int


class _CellError(ValueError):
    """A cell that means nothing."""


_UNITS: Final[Mapping[str, int]] = {"yuan": 100, "元": 100, "%": 10_000}
_TITLE: Final = re.compile(r"^(?P<name>[a-z_.]+)\s*(?:[(（](?P<unit>[^)）]+)[)）])?$")
_SHORT: Final = {"amount": "payout.amount_minor"}


def read_csv(text: str) -> tuple[list[str], list[list[Cell]]]:
    """Header and rows of a CSV text; empty lines are left out. Raises TableError."""
    try:
        lines = list(csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""), strict=True))
    except csv.Error as error:
        raise TableError([Mistake(0, 0, f"not CSV: {error}")]) from error
    filled = [line for line in lines if any(cell.strip() for cell in line)]
    if not filled:
        raise TableError([Mistake(0, 0, "the table is empty")])
    return [cell.strip() for cell in filled[0]], [list[Cell](line) for line in filled[1:]]


def rows_of(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> list[Row]:
    """The rows as conditions and effects, in order. Raises TableError with every mistake."""
    mistakes: list[Mistake] = []
    if not rows or len(rows) > ROWS_MAX or len(columns) > COLUMNS_MAX:
        message = f"a table has 1 to {ROWS_MAX} rows and at most {COLUMNS_MAX} columns"
        raise TableError([Mistake(0, 0, message)])
    heads: list[_Column | None] = []
    for at, title in enumerate(columns):
        try:
            heads.append(_head(title, columns[:at]))
        except _CellError as error:
            mistakes.append(Mistake(0, at, f"column {title!r}: {error}"))
            heads.append(None)
    found: list[Row] = []
    for number, cells in enumerate(rows, 1):
        if len(cells) != len(columns):
            message = f"row {number} has {len(cells)} cells, the header has {len(columns)}"
            mistakes.append(Mistake(number, 0, message))
            continue
        conditions: list[str] = []
        then: dict[str, object] = {}
        for at, (head, cell) in enumerate(zip(heads, cells, strict=True)):
            try:
                if head is not None:
                    _read(head, cell, conditions, then)
            except _CellError as error:
                message = f"row {number}, column {columns[at]!r}: {error}"
                mistakes.append(Mistake(number, at, message))
        found.append(Row(number, " && ".join(conditions) or "true", then))
    if mistakes:
        raise TableError(mistakes)
    return found


def row_name(table: str, number: int) -> str:
    """The name of the rule that a row becomes."""
    return f"{table}-{number}"


def compile(text: str, name: str = "table") -> str:  # noqa: A001  # the word of the trade
    """The rules that a CSV table stands for, as YAML text for a policy. Raises TableError."""
    columns, rows = read_csv(text)
    rules = [
        {"name": row_name(name, row.number), "group": name, "when": row.when, "then": row.then}
        for row in rows_of(columns, rows)
    ]
    return yaml.safe_dump({"rules": rules}, allow_unicode=True, sort_keys=False, width=100)


def _head(title: str, before: Sequence[str]) -> _Column:
    if title in before:
        raise _CellError("the column is there twice")
    if title == NOTE or title in OUTCOMES:
        return _Column(title, None, 1)
    found = _TITLE.match(title)
    name = found["name"] if found else title
    fact = _SHORT.get(name, name)
    if found is None or fact not in FACTS:
        raise _CellError(f"neither a fact nor one of {', '.join(OUTCOMES)}, {NOTE}")
    unit = found["unit"]
    if unit is None:
        return _Column(title, fact, 1)
    fits = fact.endswith("_ppm") if unit == "%" else fact.endswith("_minor")
    if unit not in _UNITS or not fits:
        raise _CellError("the unit is (yuan) for amounts, (%) for shares, or none")
    return _Column(title, fact, _UNITS[unit])


def _read(head: _Column, cell: Cell, conditions: list[str], then: dict[str, object]) -> None:
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return
    text = ("yes" if cell else "no") if isinstance(cell, bool) else str(cell).strip()
    if head.fact is not None:
        if text != "*":
            conditions.append(_condition(head.fact, head.scale, text))
    elif head.title != NOTE:
        then[head.title] = _EFFECTS[head.title](text)


# --- Conditions ---------------------------------------------------------------------------------

_RANGE: Final = re.compile(r"^(\S+)\s*\.\.\s*(\S+)$")
_COMPARED: Final = re.compile(r"^(>=|<=|==|!=|>|<|=)\s*(\S+)$")
_LIST: Final = re.compile(r"^in\s+(lists\.[a-z_][a-z0-9_]*)$")


def _condition(fact: str, scale: int, text: str) -> str:
    kind = FACTS[fact].kind
    listed = _LIST.match(text)
    if kind is Kind.BOOL:
        return fact if _truth(text) else f"!{fact}"
    if kind is Kind.STRINGS:
        if listed:
            return f"{fact}.exists(one, one in {listed[1]})"
        negated, names = _alternatives(text)
        any_of = " || ".join(f"{_quoted(name)} in {fact}" for name in names)
        return f"!({any_of})" if negated else f"({any_of})"
    if listed:
        return f"{fact} in {listed[1]}"
    if kind is Kind.INT:
        return _numeric(fact, scale, text)
    negated, names = _alternatives(text)
    if len(names) == 1:
        return f"{fact} {'!=' if negated else '=='} {_quoted(names[0])}"
    searched = f"{fact} in [{', '.join(map(_quoted, names))}]"
    return f"!({searched})" if negated else searched


def _numeric(fact: str, scale: int, text: str) -> str:
    between = _RANGE.match(text)
    if between:
        low, high = _number(between[1], scale), _number(between[2], scale)
        if low > high:
            raise _CellError(f"{text!r} is an empty range")
        return f"{fact} >= {low} && {fact} <= {high}"
    compared = _COMPARED.match(text)
    if compared:
        operator = "==" if compared[1] == "=" else compared[1]
        return f"{fact} {operator} {_number(compared[2], scale)}"
    numbers = [_number(part, scale) for part in _parts(text)]
    if len(numbers) == 1:
        return f"{fact} == {numbers[0]}"
    return f"{fact} in [{', '.join(map(str, numbers))}]"


def _number(text: str, scale: int) -> int:
    """A number of the column's unit as an exact integer; commas may group the digits."""
    try:
        value = Decimal(text.replace(",", "")) * scale
    except InvalidOperation:
        raise _CellError(f"{text!r} is not a number") from None
    if not value.is_finite() or value != value.to_integral_value() or abs(value) > 10**15:
        raise _CellError(f"{text!r} is not exact in this unit")
    return int(value)


def _alternatives(text: str) -> tuple[bool, list[str]]:
    negated = text.startswith("!")
    return negated, _parts(text.removeprefix("!"))


def _parts(text: str) -> list[str]:
    parts = [part.strip() for part in text.split("|")]
    if not all(parts):
        raise _CellError(f"{text!r} has an empty alternative")
    return parts


def _quoted(text: str) -> str:
    if not text.isprintable():
        raise _CellError(f"{text!r} has characters that cannot be shown")
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


# --- Effects ------------------------------------------------------------------------------------

_TRUE: Final = frozenset({"yes", "true", "y", "1", "是"})
_FALSE: Final = frozenset({"no", "false", "n", "0", "否"})
_SHARE: Final = re.compile(r"^(?P<name>\S+?)\s*[:： ]\s*(?P<number>[0-9.]+)\s*(?P<percent>%?)$")


def _truth(text: str) -> bool:
    word = text.lower()
    if word not in _TRUE | _FALSE:
        raise _CellError(f"{text!r} is neither yes nor no")
    return word in _TRUE


def _passes(text: str) -> object:
    if not _truth(text):
        raise _CellError("leave the cell empty instead of no")
    return True


def _shares(text: str) -> object:
    shares: dict[str, int] = {}
    for part in _parts(text):
        found = _SHARE.match(part)
        if found is None:
            raise _CellError(f"{part!r} is not like `alipay-main: 70%`")
        if found["name"] in shares:
            raise _CellError(f"{found['name']!r} is there twice")
        scale = _UNITS["%"] if found["percent"] else 1
        shares[found["name"]] = _number(found["number"], scale)
    return shares


def _whole(text: str) -> object:
    return _number(text, 1)


def _as_written(text: str) -> object:
    return text


_EFFECTS: Final[Mapping[str, Callable[[str], object]]] = {
    **dict.fromkeys(("prefer", "avoid", "require", "deny"), _parts),
    **dict.fromkeys(("weight", "split"), _shares),
    "max_attempts": _whole,
    "deadline": _as_written,
    "review": _as_written,
    "pass": _passes,
}

"""A policy document to the policy that `decide` reads: constants, conditions, tables, effects.

Every mistake is collected with the keys that lead to it; rules that have none are built all the
same, so that whoever checks on can tell everything at once.
"""

import hashlib
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from pydantic import ValidationError

from policies.expression import Condition, Language
from policies.policy import ChannelLists, MerchantTerms, Parameters, Policy
from policies.rules import THIS, Effects, Rule, RuleSet
from policies.schema import (
    RULES_MAX,
    ListsDocument,
    PolicyDocument,
    RuleDocument,
    TableDocument,
    ThenDocument,
)
from policies.situation import ZONE
from policies.source import Path, Remark, spelled, told
from policies.syntax import ConditionError
from policies.table import TableError, read_csv, row_name, rows_of
from policies.vocabulary import Value

_PER_CHANNEL = ("prefer", "avoid", "deny", "weight")
_ALWAYS = "true"


class LocatedRule(NamedTuple):
    """A rule and where it was written; the rows of a table share the table's `unit`."""

    rule: Rule
    path: Path
    offset: int | None
    unit: str


class Built(NamedTuple):
    """What a document amounts to; a policy with any mistake must not be used."""

    policy: Policy
    rules: tuple[LocatedRule, ...]
    mistakes: tuple[Remark, ...]


def build(document: PolicyDocument) -> Built:
    """Compile everything and collect what is wrong."""
    mistakes: list[Remark] = []
    language = Language(constants(document))
    located: list[LocatedRule] = []
    for at, one in enumerate(document.rules):
        for written in _written(one, ("rules", at), mistakes):
            rule = _rule(written, language, mistakes)
            if rule is not None:
                located.append(LocatedRule(rule, written.path, written.offset, one.name))
    mistakes += _repeated(located)
    if len(located) > RULES_MAX:
        mistakes.append(Remark(("rules",), f"rules and rows of tables are more than {RULES_MAX}"))
    rules = RuleSet([one.rule for one in located])
    for at, one_located in enumerate(located):
        mistakes += _misfits(one_located, per_channel=rules.per_channel(at))
    policy = Policy(
        name=document.name,
        hash=hashlib.sha256(document.canonical()).hexdigest(),
        parameters=Parameters(**document.parameters.model_dump()),
        lists={merchant: _lists(lists) for merchant, lists in document.merchants.items()},
        terms={
            merchant: MerchantTerms(lists.tier, tuple(sorted(set(lists.tags))))
            for merchant, lists in document.merchants.items()
        },
        rules=rules,
    )
    return Built(policy, tuple(located), tuple(mistakes))


def constants(document: PolicyDocument) -> dict[str, Value]:
    """The policy's own names for use in conditions."""
    named: dict[str, Value] = {
        f"lists.{name}": _listed(members) for name, members in document.lists.items()
    }
    return named | {f"values.{name}": value for name, value in document.values.items()}


def _listed(values: list[str] | list[int]) -> Value:
    texts = tuple(one for one in values if isinstance(one, str))
    return texts or tuple(one for one in values if isinstance(one, int))


class _Written(NamedTuple):
    """A rule as it stands in the file, or a table's row made into one."""

    document: RuleDocument
    path: Path
    offset: int | None
    from_table: bool


def _written(one: RuleDocument, path: Path, mistakes: list[Remark]) -> Iterator[_Written]:
    if not isinstance(one.table, TableDocument):
        yield _Written(one, path, None, from_table=False)
        return
    grid: Path = (*path, "table")
    try:
        columns, rows = (
            (one.table.columns, one.table.rows)
            if one.table.csv is None
            else read_csv(one.table.csv)
        )
        for row in rows_of(columns, rows):
            place, offset = _row_place(one.table, grid, row.number)
            try:
                then = ThenDocument.model_validate(row.then)
                yield _Written(
                    RuleDocument(
                        name=row_name(one.name, row.number),
                        when=row.when,
                        then=then,
                        until=one.until,
                        group=one.name,
                    ),
                    place,
                    offset,
                    from_table=True,
                )
            except ValidationError as error:
                for found in error.errors(include_url=False):
                    column = f", column {spelled(found['loc'])!r}" if found["loc"] else ""
                    message = f"row {row.number}{column}: {told(found['msg'])}"
                    mistakes.append(Remark(place, message, offset=offset))
    except TableError as error:
        for mistake in error.mistakes:
            place, offset = _row_place(one.table, grid, mistake.row, mistake.column)
            mistakes.append(Remark(place, mistake.message, offset=offset))


def _row_place(
    grid: TableDocument, path: Path, number: int, column: int | None = None
) -> tuple[Path, int | None]:
    """Where a row (0 is the header) of a table stands in the file."""
    if grid.csv is not None:
        lines = grid.csv.split("\n")
        filled = [at for at, line in enumerate(lines) if line.replace(",", "").strip()]
        before = lines[: filled[number]] if number < len(filled) else []
        return (*path, "csv"), sum(len(line) + 1 for line in before)
    place: Path = (*path, "columns") if number == 0 else (*path, "rows", number - 1)
    return (place if column is None else (*place, column)), None


def _rule(written: _Written, language: Language, mistakes: list[Remark]) -> Rule | None:
    one = written.document
    condition: Condition
    try:
        condition = language.compile(_ALWAYS if one.when is None else one.when)
    except ConditionError as error:
        if written.from_table:
            message = f"{one.name}: {error.message} in `{one.when}`"
            mistakes.append(Remark(written.path, message, offset=written.offset))
        else:
            message = f"{one.name}: {error.message}"
            mistakes.append(Remark((*written.path, "when"), message, offset=error.at))
        return None
    return Rule(
        name=one.name,
        condition=condition,
        effects=_effects(one.then or ThenDocument.model_construct()),
        until_at=_until(one.until),
        final=one.final,
        group=one.group,
    )


def _effects(then: ThenDocument) -> Effects:
    return Effects(
        prefer=tuple(dict.fromkeys(then.prefer)),
        avoid=tuple(then.avoid),
        require=tuple(then.require),
        deny=tuple(then.deny),
        weight=then.weight,
        split=then.split,
        max_attempts=then.max_attempts,
        deadline=then.deadline,
        review=then.review,
        passes=bool(then.passes),
    )


def _until(until: datetime | date | None) -> datetime | None:
    """A date holds to its end, in Shanghai; so does a time without a zone."""
    if until is None:
        return None
    if isinstance(until, datetime):
        return until if until.tzinfo is not None else until.replace(tzinfo=ZONE)
    return datetime.combine(until + timedelta(days=1), time(0), ZONE)


def _misfits(located: LocatedRule, *, per_channel: bool) -> Iterator[Remark]:
    """A rule about the channel at hand acts on `this`; one about the payout names channels."""
    rule, path = located.rule, located.path
    effects = rule.effects
    for key in ("prefer", "avoid", "require", "deny", "weight", "split"):
        named = tuple(getattr(effects, key))
        if not named:
            continue
        if not per_channel and THIS in named:
            message = f"{rule.name}: {key} says `this`, but the condition names no channel fact"
            yield Remark(path, message, offset=located.offset)
        elif per_channel and (key not in _PER_CHANNEL or named != (THIS,)):
            hint = "say `this`" if key in _PER_CHANNEL else "it belongs into a rule about payouts"
            message = f"{rule.name}: the condition is about the channel at hand, so {key}: {hint}"
            yield Remark(path, message, offset=located.offset)
    whole = {
        "max_attempts": effects.max_attempts,
        "deadline": effects.deadline,
        "review": effects.review,
        "pass": effects.passes or None,
        "final": rule.final or None,
    }
    for key, value in whole.items():
        if per_channel and value is not None:
            message = (
                f"{rule.name}: {key} holds for the whole payout, "
                "so the condition must not name channel facts"
            )
            yield Remark(path, message, offset=located.offset)


def _repeated(located: list[LocatedRule]) -> Iterator[Remark]:
    seen: set[str] = set()
    for one in located:
        if one.rule.name in seen:
            message = f"{one.rule.name}: another rule has this name"
            yield Remark(one.path, message, offset=one.offset)
        seen.add(one.rule.name)


def _lists(lists: ListsDocument) -> ChannelLists:
    return ChannelLists(
        deny=frozenset(lists.deny), prefer=frozenset(lists.prefer), only=frozenset(lists.only)
    )

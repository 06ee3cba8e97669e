"""Fault rules: which request, order, notice or statement goes wrong, decided by seed.

A draw depends only on the seed, the rule and the event's own identity (account, operation,
reference, how often seen), never on the order in which unrelated events arrive. So one seed gives
one history, however the traffic interleaves. Magic payees and amounts are rules of the same kind.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, model_validator

from simulators.actions import ACTIONS, ParamValue, Stage, read_params
from simulators.clock import BEIJING, parse_duration

_NARROWING = ("op", "payee", "reference", "min_amount_fen", "max_amount_fen", "times", "times_each")


class FaultRule(BaseModel):
    """One rule. A selector left out matches everything; all given selectors must match."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = ""
    simulator: str = "*"
    account: str = "*"
    op: str = "*"
    """submit, inquire, cancel, balance, statement, download, ledger, …; orders match as submit."""
    payee: str | None = None
    reference: str | None = None
    min_amount_fen: int | None = None
    max_amount_fen: int | None = None
    action: str
    params: dict[str, JsonValue] = Field(default_factory=dict)
    probability: float = Field(default=1.0, ge=0.0, le=1.0)
    times: int | None = Field(default=None, ge=1)
    """At most so many hits in all (per simulator)."""
    times_each: int | None = Field(default=None, ge=1)
    """At most so many hits per reference."""
    from_at: AwareDatetime | None = None
    until_at: AwareDatetime | None = None

    @model_validator(mode="after")
    def _fits(self) -> FaultRule:
        if self.action not in ACTIONS:
            raise ValueError(f"unknown action {self.action!r} (known: {', '.join(ACTIONS)})")
        params = read_params(self.action, self.params)
        if self.action == "refuse":
            narrowed = [n for n in _NARROWING if getattr(self, n) not in (None, "*")]
            if narrowed or self.probability != 1.0:
                raise ValueError(
                    "a port refuses before anything is asked: only account and times from/until "
                    f"select, not {', '.join(narrowed) or 'probability'}"
                )
        if self.action == "slow" and not (
            params["fixed"] or params["median"] or (params["low"] is not None and params["high"])
        ):
            raise ValueError("slow needs `fixed`, or `low` and `high`, or `median`")
        return self

    @property
    def stage(self) -> Stage:
        """When this rule is asked."""
        return ACTIONS[self.action].stage

    def is_active(self, now: datetime) -> bool:
        """Whether `now` lies in the rule's window (end excluded)."""
        return (self.from_at is None or now >= self.from_at) and (
            self.until_at is None or now < self.until_at
        )


def read_rule(data: Mapping[str, object], now: datetime) -> FaultRule:
    """Read a rule as YAML or HTTP gives it: `at` is short for `from_at`, and `from_at`, `until_at`
    may be offsets like `+10s` from `now`. Raises ValueError (pydantic's included)."""
    given = dict(data)
    if "at" in given:
        if "from_at" in given:
            raise ValueError("give `at` or `from_at`, not both")
        given["from_at"] = given.pop("at")
    for name in ("from_at", "until_at"):
        value = given.get(name)
        if isinstance(value, str) and value.startswith("+"):
            given[name] = now + parse_duration(value[1:])
    return FaultRule.model_validate(given)


@dataclass(frozen=True, slots=True)
class Hit:
    """A rule that struck; `draw` seeds whatever the action still has to choose."""

    rule_id: str
    action: str
    params: Mapping[str, ParamValue]
    draw: int

    def text(self, name: str) -> str:
        """A text parameter."""
        value = self.params[name]
        return value if isinstance(value, str) else ""

    def whole(self, name: str) -> int:
        """An integer parameter."""
        value = self.params[name]
        return value if isinstance(value, int) else 0

    def flag(self, name: str) -> bool:
        """A yes-or-no parameter."""
        return self.params[name] is True

    def duration(self, name: str) -> timedelta:
        """A length of time, zero when not given."""
        value = self.params[name]
        return value if isinstance(value, timedelta) else timedelta()

    @property
    def delay_s(self) -> float:
        """The wait drawn for `slow`, in seconds."""
        chance = random.Random(self.draw)  # noqa: S311 - reproducible faults, no secret
        if self.params["fixed"] is not None:
            return self.duration("fixed").total_seconds()
        if self.params["median"] is not None:
            sigma = self.params["sigma"]
            spread = float(sigma) if isinstance(sigma, int | float) else 0.0
            return self.duration("median").total_seconds() * chance.lognormvariate(0.0, spread)
        low, high = self.duration("low").total_seconds(), self.duration("high").total_seconds()
        return chance.uniform(low, high)


class Hits(dict[str, Hit]):
    """What struck one event: action → hit; the first matching rule of an action wins."""

    @property
    def ids(self) -> tuple[str, ...]:
        """The rules that struck, for the journal."""
        return tuple(hit.rule_id for hit in self.values())


NO_HITS = Hits()
"""Nothing struck."""


@dataclass(slots=True)
class Faults:
    """The rules of one simulator, with what each has used up."""

    seed: int = 0
    rules: list[FaultRule] = field(default_factory=list)
    magic: tuple[FaultRule, ...] = ()
    """Always there, asked after `rules`; see simulators.magic."""
    _used: Counter[str] = field(default_factory=Counter)
    _used_each: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    _seen: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    _second: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    _added: int = 0

    def add(self, rule: FaultRule) -> FaultRule:
        """Take a rule in; one without id gets the next free `f1`, `f2`, … Raises ValueError for
        an id in use."""
        known = {r.id for r in self.rules}
        if rule.id in known:
            raise ValueError(f"a fault rule {rule.id!r} exists already")
        if not rule.id:
            while not self._added or f"f{self._added}" in known:
                self._added += 1
            rule = rule.model_copy(update={"id": f"f{self._added}"})
        self.rules.append(rule)
        return rule

    def remove(self, rule_id: str) -> bool:
        """Drop a rule; False when there is none of this id."""
        kept = [r for r in self.rules if r.id != rule_id]
        found = len(kept) != len(self.rules)
        self.rules = kept
        return found

    def clear(self) -> None:
        """Drop every rule; magic stays."""
        self.rules = []

    def hits_of(self, rule_id: str) -> int:
        """How often a rule struck."""
        return self._used[rule_id]

    def refuses(self, account: str, now: datetime) -> bool:
        """Whether the account's port refuses connections now."""
        return any(
            r.action == "refuse" and r.account in ("*", account) and r.is_active(now)
            for r in self.rules
        )

    def next_edge_at(self, now: datetime) -> datetime | None:
        """When some refusal begins or ends next."""
        edges = (
            at
            for r in self.rules
            if r.action == "refuse"
            for at in (r.from_at, r.until_at)
            if at is not None and at > now
        )
        return min(edges, default=None)

    def pick(
        self,
        stage: Stage,
        *,
        op: str,
        account: str,
        now: datetime,
        payee: str = "",
        reference: str = "",
        amount_minor: int | None = None,
    ) -> Hits:
        """The rules that strike this one event; each hit is used up by being returned."""
        hits = Hits()
        for rule in self._asked(stage):
            if rule.action in hits or not rule.is_active(now):
                continue
            if not _selects(
                rule,
                op=op,
                account=account,
                payee=payee,
                reference=reference,
                amount_minor=amount_minor,
            ):
                continue
            if rule.times is not None and self._used[rule.id] >= rule.times:
                continue
            each = (rule.id, account, reference)
            if rule.times_each is not None and self._used_each[each] >= rule.times_each:
                continue
            if not self._is_its_moment(rule, account, now):
                continue
            draw = self._draw(rule, op, account, reference)
            if rule.probability < 1.0 and draw / 2**64 >= rule.probability:
                continue
            self._used[rule.id] += 1
            if rule.times_each is not None:
                self._used_each[each] += 1
            params = read_params(rule.action, rule.params)
            # Another hash of the draw: the same number must not decide both whether and how much.
            hits[rule.action] = Hit(rule.id, rule.action, params, _mix(f"{draw}"))
        return hits

    def _asked(self, stage: Stage) -> Iterable[FaultRule]:
        yield from (r for r in self.rules if r.stage is stage)
        yield from (r for r in self.magic if r.stage is stage)

    def _is_its_moment(self, rule: FaultRule, account: str, now: datetime) -> bool:
        if rule.action == "throttle":
            second = int(now.timestamp())
            key = (rule.id, account)
            at, count = self._second.get(key, (second, 0))
            count = count + 1 if at == second else 1
            self._second[key] = (second, count)
            limit = read_params(rule.action, rule.params)["per_s"]
            return isinstance(limit, int) and count > limit
        if rule.action == "maintenance":
            params = read_params(rule.action, rule.params)
            return _in_hours(params["from_hour"], params["to_hour"], now)
        return True

    def _draw(self, rule: FaultRule, op: str, account: str, reference: str) -> int:
        if rule.probability >= 1.0 and rule.action != "slow":
            return 0
        key = (rule.id, op, account, reference)
        self._seen[key] += 1
        return _mix("\x1f".join((str(self.seed), *key, str(self._seen[key]))))


def _selects(
    rule: FaultRule,
    *,
    op: str,
    account: str,
    payee: str,
    reference: str,
    amount_minor: int | None,
) -> bool:
    if rule.account not in ("*", account) or rule.op not in ("*", op):
        return False
    if rule.payee is not None and rule.payee != payee:
        return False
    if rule.reference is not None and rule.reference != reference:
        return False
    if rule.min_amount_fen is None and rule.max_amount_fen is None:
        return True
    if amount_minor is None:
        return False
    low = amount_minor if rule.min_amount_fen is None else rule.min_amount_fen
    high = amount_minor if rule.max_amount_fen is None else rule.max_amount_fen
    return low <= amount_minor <= high


def _in_hours(start: ParamValue, end: ParamValue, now: datetime) -> bool:
    if not isinstance(start, time) or not isinstance(end, time):
        return False
    local = now.astimezone(BEIJING).time()
    return start <= local < end if start <= end else local >= start or local < end


def _mix(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())

"""The rules of a policy: conditions with effects, and what they say about one decision.

All rules are looked at, in order. Those that match apply together: denials and requirements add up
and win over preferences, the earlier preference is the stronger, prices multiply. A matching
`final` rule hides every rule behind it; of the rules of one `group` only the first match applies.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import Struct, field

from policies.exclusions import Code, Exclusion
from policies.expression import Condition
from policies.facts import MICRO, UNRANKED, Effect
from policies.judge import Judge
from policies.situation import Asked, AtHand, Clock, Merchant, Pool

THIS: Final = "this"
"""Stands for the channel at hand in the effects of a rule whose condition names `channel`."""
FIRST_RANK: Final = 1_000
"""Ranks below it belong to the request's own preferences."""
AVOIDED: Final = 10 * UNRANKED
"""Added to the rank of a channel that is avoided."""
_MEMO_MAX: Final = 10_000


class Effects(Struct, frozen=True):
    """What a matching rule does; README, "Rules", tells each effect's meaning."""

    prefer: tuple[str, ...] = ()
    avoid: tuple[str, ...] = ()
    require: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    weight: Mapping[str, int] = field(default_factory=dict)
    split: Mapping[str, int] = field(default_factory=dict)
    max_attempts: int | None = None
    deadline: timedelta | None = None
    review: str | None = None
    passes: bool = False

    @property
    def channels(self) -> frozenset[str]:
        """Every channel it names."""
        named = (*self.prefer, *self.avoid, *self.require, *self.deny, *self.weight, *self.split)
        return frozenset(named) - {THIS}


class Rule(Struct, frozen=True):
    """One rule; it does not apply from `until_at` on."""

    name: str
    condition: Condition
    effects: Effects
    until_at: datetime | None = None
    final: bool = False
    group: str | None = None

    def lifts_at(self, now: datetime) -> datetime | None:
        """The next moment at which waiting may have changed its answer; None for never."""
        every = self.condition.every_s
        soon: datetime | None = None
        if every:
            soon = datetime.fromtimestamp((int(now.timestamp()) // every + 1) * every, UTC)
        if self.until_at is not None and (soon is None or self.until_at < soon):
            return self.until_at
        return soon


class Standing(Struct, frozen=True):
    """How a channel stands by the rules; `against` are the rules that rule it out."""

    against: tuple[tuple[Code, Rule], ...] = ()
    avoided: bool = False
    rank: int = UNRANKED
    weight_ppm: int = MICRO
    applied: int = 0
    effects: tuple[Effect, ...] = ()
    """What the rules did to its place, without what rules it out."""

    @property
    def level(self) -> int:
        """Only channels of one level compete by cost; lower goes first."""
        return self.rank + AVOIDED if self.avoided else self.rank


INDIFFERENT: Final = Standing()
"""How every channel stands without rules."""


class Verdict(Struct, frozen=True):
    """What the rules that speak of the whole payout say."""

    applied: int
    """Bit n for the n-th rule."""
    open: int
    """The rules that are not hidden behind a final one."""
    max_attempts: int | None
    deadline: timedelta | None
    review: str | None
    passes: bool
    """The fast lane: nobody has to look at it, whatever its merchant's own limit."""


class RuleSet:
    """The rules of one policy, compiled together."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        """Keep the order: it decides preference, `final` and `group`."""
        self.rules = tuple(rules)
        self._count = len(self.rules)
        self._ranks = _ranks(self.rules)
        self.splits: Mapping[int, Mapping[str, int]] = {
            rank + len(rule.effects.prefer): rule.effects.split
            for rule, rank in zip(self.rules, self._ranks, strict=True)
            if rule.effects.split
        }
        """Shares in ppm by the rank of the channels that are split."""
        self._judge = Judge([rule.condition for rule in rules], self._levels())
        self._each = self._judge.each
        self.uses_pool = any(rule.condition.names("pool") for rule in rules)
        self.screens = any(
            rule.effects.review or rule.effects.passes or rule.effects.deadline for rule in rules
        )
        """Whether any rule has a say before routing: a review, the fast lane, a deadline."""
        self._dated = [(1 << at, rule.until_at) for at, rule in enumerate(rules) if rule.until_at]
        self._verdicts: dict[int, Verdict] = {}
        self._names: dict[int, tuple[str, ...]] = {0: ()}
        self._standings: dict[tuple[int, int, str], Standing] = {}

    def __reduce__(self) -> tuple[object, ...]:
        """Travels to another process as its rules, as generated code cannot."""
        return RuleSet, (self.rules,)

    def __bool__(self) -> bool:
        """Whether there is anything to ask."""
        return bool(self.rules)

    def per_channel(self, at: int) -> bool:
        """Whether the n-th rule is asked for each channel."""
        return self._levels()[at]

    def begin(self, asked: Asked, merchant: Merchant, clock: Clock, pool: Pool) -> "Hearing":
        """Ask the rules that speak of the whole payout."""
        live = (1 << self._count) - 1
        for bit, until_at in self._dated:
            if asked.now >= until_at:
                live &= ~bit
        found, shared = self._judge.whole(asked, merchant, clock, pool)
        hits = found & live
        verdict = self._verdicts.get(hits)
        if verdict is None:
            verdict = self._verdict(hits)
            if len(self._verdicts) < _MEMO_MAX:
                self._verdicts[hits] = verdict
        return Hearing(self, verdict, live & verdict.open, found >> self._count & live, shared)

    def hear(self, hearing: "Hearing", at_hand: AtHand) -> Standing:
        """Ask the rules about the channel at hand."""
        found = self._each(hearing.shared, at_hand)
        hearing.faulty |= found >> self._count & hearing.live
        key = (hearing.verdict.applied, found & hearing.live, at_hand.facts.name)
        standing = self._standings.get(key)
        if standing is None:
            standing = self._standing(*key)
            if len(self._standings) < _MEMO_MAX:
                self._standings[key] = standing
        hearing.applied |= standing.applied
        return standing

    def names(self, bits: int) -> tuple[str, ...]:
        """The names of the rules whose bits are set, in order."""
        found = self._names.get(bits)
        if found is None:
            found = tuple(rule.name for at, rule in enumerate(self.rules) if bits >> at & 1)
            if len(self._names) < _MEMO_MAX:
                self._names[bits] = found
        return found

    def _levels(self) -> list[bool]:
        """A group is asked for each channel as soon as one of its rules names it."""
        groups = {rule.group for rule in self.rules if rule.condition.names("channel")} - {None}
        return [rule.condition.names("channel") or rule.group in groups for rule in self.rules]

    def _verdict(self, hits: int) -> Verdict:
        applied, opened = self._applied(hits)
        rules = [rule for at, rule in enumerate(self.rules) if applied >> at & 1]
        passes = any(rule.effects.passes for rule in rules)
        attempts = [one.effects.max_attempts for one in rules if one.effects.max_attempts]
        deadlines = [one.effects.deadline for one in rules if one.effects.deadline]
        review: str | None = None
        for rule in rules:
            if rule.effects.passes:
                break
            if rule.effects.review is not None:
                review = rule.effects.review
                break
        return Verdict(
            *(applied, opened, min(attempts, default=None), min(deadlines, default=None)),
            review,
            passes and review is None,
        )

    def _applied(self, hits: int) -> tuple[int, int]:
        """Which of the matching rules apply, and the mask of rules that are not hidden."""
        applied, seen = 0, set[str]()
        for at, rule in enumerate(self.rules):
            if not hits >> at & 1 or (rule.group is not None and rule.group in seen):
                continue
            applied |= 1 << at
            if rule.group is not None:
                seen.add(rule.group)
            if rule.final:
                return applied, (1 << at + 1) - 1
        return applied, (1 << self._count) - 1

    def _standing(self, whole: int, hits: int, name: str) -> Standing:
        applied, _ = self._applied(whole | hits)
        against: list[tuple[Code, Rule]] = []
        avoided, rank, weight = False, UNRANKED, MICRO
        done: list[Effect] = []
        for at, rule in enumerate(self.rules):
            if not applied >> at & 1:
                continue
            effects = rule.effects
            if name in effects.deny or THIS in effects.deny:
                against.append((Code.POLICY_RULE_DENIES, rule))
            if effects.require and name not in effects.require:
                against.append((Code.POLICY_REQUIRES, rule))
            if name in effects.avoid or THIS in effects.avoid:
                avoided = True
                done.append(Effect("avoid", rule.name))
            for place, wanted in enumerate(effects.prefer):
                if wanted in (name, THIS):
                    rank = min(rank, self._ranks[at] + place)
                    done.append(Effect("prefer", rule.name))
            if name in effects.split:
                # One level, behind what the same rule prefers.
                rank = min(rank, self._ranks[at] + len(effects.prefer))
                done.append(Effect("split", rule.name, effects.split[name]))
            factor = effects.weight.get(name, effects.weight.get(THIS))
            if factor is not None:
                weight = max(1, weight * factor // MICRO)
                done.append(Effect("weight", rule.name, factor))
        return Standing(tuple(against), avoided, rank, weight, applied, tuple(done))


class Hearing:
    """The rules of one decision: what holds for the payout, and what the channels add to it."""

    __slots__ = ("_rules", "applied", "faulty", "live", "shared", "verdict")

    def __init__(
        self, rules: RuleSet, verdict: Verdict, live: int, faulty: int, shared: tuple[object, ...]
    ) -> None:
        """Begin with what the payout's own rules said."""
        self._rules = rules
        self.verdict = verdict
        self.live = live
        self.faulty = faulty
        self.shared = shared
        self.applied = verdict.applied

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules that applied to the payout or to any channel."""
        return self._rules.names(self.applied)

    @property
    def faults(self) -> tuple[str, ...]:
        """The rules that could not be computed, unless a final rule hid them."""
        return self._rules.names(self.faulty & self.verdict.open)


def exclusions(standing: Standing, now: datetime) -> tuple[Exclusion, ...]:
    """The reasons that the rules give against a channel."""
    return tuple(
        Exclusion(code, (rule.name,), rule.lifts_at(now)) for code, rule in standing.against
    )


def _ranks(rules: Iterable[Rule]) -> list[int]:
    """The rank of each rule's first preference; earlier rules are stronger."""
    ranks: list[int] = []
    rank = FIRST_RANK
    for rule in rules:
        ranks.append(rank)
        rank += len(rule.effects.prefer) + bool(rule.effects.split)
    return ranks


NO_RULES: Final = RuleSet(())
"""A policy without rules."""

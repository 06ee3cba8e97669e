"""Facts in, Decision out: which channel carries a payout, in which order the others follow, why.

Pure: time and the random draw are arguments, so the same facts give the same Decision, byte for
byte. Order of evaluation: hard filters, rules, quarantine, avoidance, preference, expected total
cost, then a split or a small exploration whose propensities are part of the Decision.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from operator import attrgetter

from msgspec import Struct
from msgspec.structs import replace

from policies.calendars.workdays import PUBLISHED, Almanac
from policies.cost import price
from policies.eligibility import attempts_reasons, illness_reasons, retry_at, tried_reason
from policies.exclusions import Exclusion
from policies.facts import (
    MICRO,
    UNRANKED,
    Candidate,
    ChannelFacts,
    Decision,
    Effect,
    Excluded,
    PayoutFacts,
    Tried,
)
from policies.plan.follow import PlanView
from policies.policy import ChannelLists, Parameters, Policy
from policies.ranking import Ranked, pick
from policies.rules import INDIFFERENT, Hearing, RuleSet, Standing, exclusions
from policies.screen import NO_POOL, Screened, own_reasons, pool_of, screen
from policies.situation import Asked, AtHand, Merchant, clock_at
from policies.waiting import goes_at, only_ill

_LISTED = UNRANKED - 1
"""The rank of a merchant's preferred channels: behind what rules and the request prefer."""
_REQUEST, _LIST = (Effect("request_prefers"),), (Effect("merchant_prefers"),)


class _Case(Struct, frozen=True):
    """What all channels of one decision are judged by."""

    payout: PayoutFacts
    lists: ChannelLists
    parameters: Parameters
    now: datetime
    rules: RuleSet
    hearing: Hearing | None
    deadline_at: datetime | None
    exhausted: tuple[Exclusion, ...]


class _Sorted(Struct, frozen=True):
    """Every channel x instrument, in exactly one of the three lists."""

    healthy: list[Ranked]
    probes: list[Ranked]
    excluded: list[Excluded]


def decide(
    payout: PayoutFacts,
    channels: Sequence[ChannelFacts],
    policy: Policy,
    now: datetime,
    draw_ppm: int,
    almanac: Almanac = PUBLISHED,
    *,
    plan: PlanView | None = None,
) -> Decision:
    """Choose for one attempt; `draw_ppm` is a uniform draw from 0 up to, not including, a million.

    The result does not depend on the order of `channels`. Raises ValueError for a draw out of
    range or two channels of one name: both are the caller's defects.
    """
    _check(channels, draw_ppm)
    into = _Sorted([], [], [])
    lists, parameters = policy.lists_for(payout.merchant_id), policy.parameters
    screened = [
        screen(payout, channel, lists, parameters, now, almanac, plan) for channel in channels
    ]
    hearing = _hear(payout, policy, screened, now, almanac) if policy.rules else None
    attempts = _fewest(
        payout.constraints.max_attempts, hearing.verdict.max_attempts if hearing else None
    )
    case = _Case(
        payout,
        lists,
        parameters,
        now,
        policy.rules,
        hearing,
        _deadline(payout, hearing, now),
        attempts_reasons(payout, attempts),
    )
    for one in screened:
        _examine(case, one, into)
    healthy, probes, excluded = into.healthy, into.probes, into.excluded
    forced = bool(probes) and not healthy and now >= goes_at(payout, parameters, now)
    if probes and not forced:
        probes = _due(case, channels, into)
    healthy.sort(key=attrgetter("key"))
    probes.sort(key=attrgetter("key"))
    excluded.sort(key=lambda one: (one.channel, one.instrument))
    outcome, order, propensities = pick(
        payout, healthy, probes, policy.rules.splits, parameters, draw_ppm, plan
    )
    held = hearing is not None and not payout.released
    return Decision(
        payout.payout_id,
        payout.merchant_id,
        payout.amount_minor,
        payout.currency,
        now,
        policy.hash,
        draw_ppm,
        "forced" if forced else outcome,
        order,
        propensities,
        tuple(excluded),
        None if order else _asked_again(case, excluded),
        hearing.rules if hearing else (),
        hearing.faults if hearing else (),
        attempts,
        hearing.verdict.review if hearing and held else None,
        case.deadline_at,
        None if plan is None else plan.plan_id,
    )


class Screening(Struct, frozen=True):
    """What the rules say of a payout before it is routed for the first time."""

    review: str | None = None
    """Why a person must release it first."""
    passes: bool = False
    """Nobody has to look at it, whatever its merchant's own limit."""
    deadline_at: datetime | None = None
    """Its own deadline, or the earlier one of a rule."""


def _check(channels: Sequence[ChannelFacts], draw_ppm: int) -> None:
    if not 0 <= draw_ppm < MICRO:
        raise ValueError("draw_ppm must be at least 0 and below 1,000,000")
    if len({channel.name for channel in channels}) != len(channels):
        raise ValueError("two channels have the same name")


def take_in(
    payout: PayoutFacts,
    channels: Sequence[ChannelFacts],
    policy: Policy,
    now: datetime,
    almanac: Almanac = PUBLISHED,
) -> Screening:
    """Ask the rules that speak of the whole payout; `channels` are needed only for `pool`."""
    lists, parameters = policy.lists_for(payout.merchant_id), policy.parameters
    screened = [screen(payout, channel, lists, parameters, now, almanac) for channel in channels]
    hearing = _hear(payout, policy, screened, now, almanac)
    verdict = hearing.verdict
    return Screening(verdict.review, verdict.passes, _deadline(payout, hearing, now))


def next_after(decision: Decision, tried: Iterable[Tried], now: datetime) -> Candidate | None:
    """The next candidate of a stored order, given what has failed since.

    For callers without fresh facts; deciding again with `tried` among the facts is better, as
    health and limits move.
    """
    failed = tuple(tried)
    if decision.max_attempts is not None and len(failed) >= decision.max_attempts:
        return None
    for one in decision.order:
        if tried_reason(failed, one.channel, one.instrument, now) is None:
            return one
    return None


# --- Filters and rules --------------------------------------------------------------------------


def _hear(
    payout: PayoutFacts,
    policy: Policy,
    screened: list[Screened],
    now: datetime,
    almanac: Almanac,
) -> Hearing:
    """Ask the rules that speak of the whole payout."""
    terms = policy.terms_for(payout.merchant_id)
    return policy.rules.begin(
        Asked(payout, now),
        Merchant(payout.merchant_id, terms.tier, terms.tags),
        clock_at(now, almanac),
        pool_of(payout, screened, now) if policy.rules.uses_pool else NO_POOL,
    )


def _deadline(payout: PayoutFacts, hearing: Hearing | None, now: datetime) -> datetime | None:
    """The payout's own deadline, or the earlier one that a rule sets from its acceptance."""
    own = payout.deadline_at
    if hearing is None or hearing.verdict.deadline is None:
        return own
    ruled = (payout.accepted_at or now) + hearing.verdict.deadline
    return ruled if own is None else min(own, ruled)


def _fewest(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return one if other is None else other
    return min(one, other)


def _examine(case: _Case, screened: Screened, into: _Sorted) -> None:
    """Sort each of the channel's instruments into one of the three lists."""
    payout, now = case.payout, case.now
    channel, charged, arrives = screened.facts, screened.charged, screened.arrives
    wished = bool(payout.constraints.prefer or case.lists.prefer)
    for instrument in payout.instruments:
        index = instrument.index
        reasons = screened.reasons + own_reasons(payout, channel, index, instrument.rail, now)
        health = channel.health_of.get(index, channel.health)
        ill, standing = health.ill, INDIFFERENT
        # Where the channel does no such payouts at all, price and rules would mean nothing.
        fits = instrument.rail in channel.rails and channel.currency == payout.currency
        if charged is not None and fits and case.hearing is not None:
            at_hand = AtHand(
                channel, health, instrument.rail, charged[0] + charged[1], arrives.days_calendar
            )
            standing = case.rules.hear(case.hearing, at_hand)
            if standing.against:
                reasons += exclusions(standing, now)
        reasons += case.exhausted
        if reasons and ill and not health.probing:
            reasons += illness_reasons(health, now)
        if charged is None or not fits:
            into.excluded.append(Excluded(channel.name, index, reasons))
            continue
        cost = price(
            payout.amount_minor,
            charged,
            arrives,
            deadline_at=case.deadline_at,
            health=health,
            parameters=case.parameters,
            spread=screened.spread,
        )
        if reasons:
            into.excluded.append(Excluded(channel.name, index, reasons, cost))
            continue
        if wished:
            standing = _wished(case, channel.name, standing)
        level = standing.level
        candidate = Candidate(
            channel.name,
            index,
            instrument.rail,
            cost,
            arrives,
            health.success_ppm,
            health.unknown_ppm,
            standing.rank < UNRANKED,
            ill,
            level,
            standing.weight_ppm,
            standing.effects,
        )
        waiting = health.latency_ms * (channel.inflight + 1)
        key = (level, cost.total * standing.weight_ppm, waiting, channel.name, index)
        (into.probes if ill else into.healthy).append(Ranked(key, candidate))


def _wished(case: _Case, name: str, standing: Standing) -> Standing:
    """How early the channel comes: the request's wishes, then the rules', then the merchant's."""
    wanted = case.payout.constraints.prefer
    if wanted and name in wanted:
        return replace(standing, rank=wanted.index(name), effects=standing.effects + _REQUEST)
    if name in case.lists.prefer:
        rank = min(standing.rank, _LISTED)
        return replace(standing, rank=rank, effects=standing.effects + _LIST)
    return standing


def _due(case: _Case, channels: Sequence[ChannelFacts], into: _Sorted) -> list[Ranked]:
    """The ill candidates that this payout may probe; the others are excluded.

    Only small payouts are risked, one whenever a probe is due.
    """
    by_name = {channel.name: channel for channel in channels}
    small = case.payout.amount_minor <= case.parameters.probe_max_minor
    due: list[Ranked] = []
    for ranked in into.probes:
        one = ranked.candidate
        channel = by_name[one.channel]
        health = channel.health_of.get(one.instrument, channel.health)
        if small and health.probing:
            due.append(ranked)
        else:
            reasons = illness_reasons(health, case.now)
            into.excluded.append(Excluded(one.channel, one.instrument, reasons, one.cost))
    return due


def _asked_again(case: _Case, excluded: list[Excluded]) -> datetime | None:
    """When asking again may help; what waits for somebody's recovery does not wait for ever."""
    at = retry_at([one.reasons for one in excluded])
    if at is None or not any(map(only_ill, excluded)):
        return at
    return min(at, goes_at(case.payout, case.parameters, case.now))

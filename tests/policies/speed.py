"""Measures `decide`: `python -m tests.policies.speed` writes medians in microseconds.

Eight channels with every kind of bound set, one instrument, exploration on; without rules, and with
twenty mixed rules of which seven look at every channel. Beside them a function that does nothing.
The calmest of several batches counts: the machine's other work is not what is measured.
"""

import sys
from collections.abc import Callable
from datetime import time, timedelta
from statistics import median
from time import perf_counter_ns

from msgspec.structs import replace

from policies.build import build
from policies.decide import decide
from policies.document import parse
from policies.facts import ChannelFacts, Cycle, HealthView, Hours, InstrumentFacts, PayoutFacts
from policies.fees import Fee
from policies.policy import ChannelLists, Policy
from tests.policies.builders import FRIDAY_NOON, T1, channel, payout

BATCHES, EACH = 15, 200

TWENTY_RULES = """\
version: 2
name: speed
merchants:
  "*": {deny: [other]}
  m_1: {tier: vip, tags: [payroll], deny: [other]}
lists:
  banks: [ICBC, ABC, BOC, CCB, CMB]
values:
  large: 5000000
rules:
  - name: r01
    when: payout.amount_minor >= values.large
    then: {prefer: [channel-3]}
  - name: r02
    when: payout.amount_minor < 1000 && payout.speed == 'fast'
    then: {deny: [channel-1]}
  - name: r03
    when: payout.bank in lists.banks
    then: {weight: {channel-2: 900000}}
  - name: r04
    when: "merchant.tier == 'vip'"
    then: {max_attempts: 3}
  - name: r05
    when: "'payroll' in merchant.tags && clock.hour < 18"
    then: {deadline: 2d}
  - name: r06
    when: clock.is_holiday_eve
    then: {avoid: [channel-5]}
  - name: r07
    when: "payout.rail == 'bank_card' && payout.instruments > 1"
    then: {prefer: [channel-6]}
  - name: r08
    when: pool.eligible < 3
    then: {review: few channels are left}
  - name: r09
    when: payout.attempt > 1 && payout.amount_minor > 100000
    then: {max_attempts: 2}
  - name: r10
    when: clock.weekday >= 6 || clock.hour >= 22
    then: {avoid: [channel-7]}
  - name: r11
    when: "merchant.id in ['m_1', 'm_2', 'm_3']"
    then: {weight: {channel-4: 1100000}}
  - name: r12
    when: "payout.merchant_ref.startsWith('TEST')"
    then: {review: a test reference}
  - name: r13
    when: payout.has_deadline && payout.deadline_minutes < 60
    then: {prefer: [channel-0]}
  - name: r14
    when: channel.success_ppm < 900000 && channel.observations > 50
    then: {avoid: this}
  - name: r15
    when: channel.unknown_ppm > 20000
    then: {deny: this}
  - name: r16
    when: channel.cycle_days > 0 && payout.amount_minor > 10000000
    then: {weight: {this: 1200000}}
  - name: r17
    when: channel.fee_minor * 100 > payout.amount_minor
    then: {deny: this}
  - name: r18
    when: channel.latency_ms > 5000 || channel.inflight > 40
    then: {avoid: this}
  - name: r19
    when: channel.in_doubt > 100 && !channel.instant
    then: {deny: this}
  - name: r20
    when: "channel.arrival_days > 3 && payout.speed == 'standard'"
    then: {weight: {this: 1050000}}
"""
"""Rules as operators would write them; most do not match, as in life."""


def eight_channels() -> list[ChannelFacts]:
    """Channels that are all eligible, which is the dearest case."""
    plain = channel(
        max_minor=10**8,
        float_minor=10**10,
        day_cap_minor=10**10,
        hours=Hours(((time(0, 30), time(23, 30)),)),
    )
    return [
        replace(
            plain,
            name=f"channel-{n}",
            fee=Fee(30 * n, 600, 10, 2500, 100 * n),
            cycle=T1 if n % 2 else Cycle(instant=True),
            health=HealthView(980_000 + 1000 * n, 500, 1000, latency_ms=300 + n),
        )
        for n in range(8)
    ]


def ruled() -> Policy:
    """A policy with twenty rules; the examples that saving would demand are not part of it."""
    return build(parse(TWENTY_RULES)).policy


def asked() -> PayoutFacts:
    """A payout to a bank card with everything set that rules may ask for."""
    return payout(
        123_456,
        instruments=(InstrumentFacts(0, "bank_card", "CCB"),),
        accepted_at=FRIDAY_NOON - timedelta(minutes=5),
        deadline_at=FRIDAY_NOON + timedelta(days=2),
        merchant_ref="SALARY-2026-11-0001",
    )


def median_us(run: Callable[[int], object]) -> float:
    """The median time of one call, in the calmest batch; `run` is given a draw."""
    batches: list[float] = []
    for _ in range(BATCHES):
        took: list[int] = []
        for n in range(EACH):
            begun = perf_counter_ns()
            run(n * 1_000_000 // EACH)
            took.append(perf_counter_ns() - begun)
        batches.append(median(took))
    return min(batches) / 1000


def measure() -> dict[str, float]:
    """Microseconds a decision: with rules, without, and of doing nothing."""
    channels, facts, rules = eight_channels(), asked(), ruled()
    plain = Policy("speed", "0" * 64, lists={"*": ChannelLists(deny=frozenset({"other"}))})
    return {
        "decision_us": median_us(lambda draw: decide(facts, channels, rules, FRIDAY_NOON, draw)),
        "plain_us": median_us(lambda draw: decide(facts, channels, plain, FRIDAY_NOON, draw)),
        "baseline_us": median_us(lambda draw: (facts, channels, rules, FRIDAY_NOON, draw)),
    }


if __name__ == "__main__":
    for name, value in measure().items():
        sys.stdout.write(f"{name} {value:.2f}\n")

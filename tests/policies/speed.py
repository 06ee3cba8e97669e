"""Measures `decide`: `python -m tests.policies.speed` writes the median in microseconds.

Eight channels with every kind of bound set, one instrument, exploration on. The calmest of several
batches counts, because the machine's other work is not what is measured.
"""

import sys
from dataclasses import replace
from datetime import time
from statistics import median
from time import perf_counter_ns

from policies.decide import decide
from policies.facts import ChannelFacts, Cycle, HealthView, Hours
from policies.fees import Fee
from policies.policy import ChannelLists, Policy
from tests.policies.builders import FRIDAY_NOON, T1, channel, payout

BATCHES, EACH = 15, 200


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


def median_us() -> float:
    """The median time of one decision."""
    channels, asked = eight_channels(), payout(123_456)
    policy = Policy("speed", "0" * 64, lists={"*": ChannelLists(deny=frozenset({"other"}))})
    batches: list[float] = []
    for _ in range(BATCHES):
        took: list[int] = []
        for n in range(EACH):
            begun = perf_counter_ns()
            decide(asked, channels, policy, FRIDAY_NOON, n * 1_000_000 // EACH)
            took.append(perf_counter_ns() - begun)
        batches.append(median(took))
    return min(batches) / 1000


if __name__ == "__main__":
    sys.stdout.write(f"{median_us():.1f}\n")

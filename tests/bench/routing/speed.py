"""How long a decision takes with its full trace: eight channels, twenty rules, beside nothing."""

from collections.abc import Mapping
from typing import Any

from tests.policies.speed import measure


def run(options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Medians in microseconds: `decision_us`, `plain_us` (no rules) and `baseline_us`.

    Option `rounds`: the calmest of so many measurements counts.
    """
    rounds = [measure() for _ in range(int((options or {}).get("rounds", 1)))]
    return min(rounds, key=lambda one: one["decision_us"])

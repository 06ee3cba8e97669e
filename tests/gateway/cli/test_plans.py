"""`hangdao plan`: against a running gateway without history, and how a plan is drawn."""

import io
from typing import Any

import orjson
import pytest
from rich.console import Console

from gateway.api.views import plan_view
from gateway.cli.plans import _draw, bar
from gateway.ports import StoredPlan
from policies.fees import Commitment, Fee
from policies.plan.make import make_plan
from policies.plan.written import to_json
from tests.gateway.cli.served import Served
from tests.policies.plan.worlds import MONTH, PARAMETERS, START, T3, channel, cliff


def test_a_fresh_sandbox_has_no_plan(served: Served) -> None:
    """Shown and asked for, it is refused with a reason; the list is empty."""
    assert served.ask("plan", "ls") == {"data": []}
    for command, code in (("show", "no_plan"), ("make", "plan_without_history")):
        result = served.run("plan", command, "--json")
        assert result.exit_code == 1
        assert orjson.loads(result.stdout)["error"]["code"] == code


def drawn(lang: str) -> str:
    """A month with a cliff and a promise, half-way there, as the terminal shows it."""
    tiered = channel("tiered", cliff(5_000, commitment=Commitment(12_000, 10)))
    slow = channel("slow", Fee(90), T3)
    plan = make_plan(MONTH, [tiered, slow], PARAMETERS, START)
    stored = StoredPlan(
        plan.id, plan.month, "CNY", START, "planner", "timer", "basis", to_json(plan)
    )
    shown: Any = plan_view(stored, plan, {"tiered": 2_500, "slow": 0}, (300, 310), START)
    out = io.StringIO()
    _draw(Console(file=out, width=220), shown, lang)
    return out.getvalue()


def test_a_plan_is_drawn_with_shares_progress_and_margin() -> None:
    """Tables first, then sentences in both languages."""
    text = drawn("both")
    for part in (
        *("310 payouts, 300 expected", "██████████░░░░░░░░░░ 50 %", "without a plan"),
        *("bank_card standard ¥200-¥300", "4,000 (80.0 %)", "3,000 short: 300.00 CNY"),
        *("cliff margin 4,000 payouts", "悬崖余量 4,000 笔"),
    ):
        assert part in text


@pytest.mark.parametrize(
    ("lang", "there", "absent"), [("zh", "悬崖", "cliff"), ("en", "cliff", "悬崖")]
)
def test_one_language_can_be_asked_for(lang: str, there: str, absent: str) -> None:
    """Sentences only in that one."""
    text = drawn(lang)
    assert there in text
    assert absent not in text


def test_bars_are_full_at_the_floor() -> None:
    """And never longer."""
    assert str(bar(1_000_000)) == "█" * 20 + " 100 %"
    assert str(bar(0)) == "░" * 20 + " 0 %"

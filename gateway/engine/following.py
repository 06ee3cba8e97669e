"""The plans that this process follows, and what it has given out since each was made.

In memory, as `Load`: refreshed from the store by the planner, moved by our own acts. Being behind
costs a detour of some payouts and never money.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from gateway.domain.payout import Adopted, Armed, Attempt, Died, Payout
from policies.plan.classes import PayoutClass, band_of
from policies.plan.follow import PlanView, view_on
from policies.plan.model import Plan

if TYPE_CHECKING:
    from gateway.ports import Change, PlanVolume

BUSINESS = ZoneInfo("Asia/Shanghai")


class Following:
    """One per process; without a plan for a currency, its payouts are routed by cost alone."""

    def __init__(self) -> None:
        """Follow nothing yet."""
        self.plans: dict[str, Plan] = {}
        """By currency."""
        self.given: dict[str, dict[PayoutClass, Counter[str]]] = {}
        """Payouts since the plan was made, by currency, class and channel."""
        self.minor: dict[str, Counter[str]] = {}
        """Money since then, by currency and channel."""
        self._views: dict[str, tuple[date, PlanView]] = {}

    def follow(self, plan: Plan, volumes: "Iterable[PlanVolume]") -> None:
        """Follow a plan from now on; `volumes` were given since it was made."""
        given: dict[PayoutClass, Counter[str]] = {}
        minor: Counter[str] = Counter()
        for one in volumes:
            given.setdefault(one.kind, Counter())[one.channel] += one.payouts
            minor[one.channel] += one.minor
        self.minor[plan.currency] = minor
        self.plans[plan.currency] = plan
        self.given[plan.currency] = given
        self._views.pop(plan.currency, None)

    def payouts(self, currency: str) -> Counter[str]:
        """Payouts since the plan was made, by channel."""
        found: Counter[str] = Counter()
        for counts in self.given.get(currency, {}).values():
            found.update(counts)
        return found

    def view(self, currency: str, now: datetime) -> PlanView | None:
        """The plan as decisions of `now` see it; None without one for this month."""
        plan = self.plans.get(currency)
        if plan is None:
            return None
        today = now.astimezone(BUSINESS).date()
        if (today.year, today.month) != (plan.month.year, plan.month.month):
            return None
        known = self._views.get(currency)
        if known is None or known[0] != today:
            known = (today, view_on(plan, today, self.given[currency]))
            self._views[currency] = known
        return known[1]

    def moved(self, change: "Change") -> None:
        """Follow a committed change."""
        payout = change.after
        plan = self.plans.get(payout.amount.currency)
        if plan is None:
            return
        for event in change.events:
            if isinstance(event, Armed | Adopted):
                self._count(payout, event.attempt, 1, plan)
            elif isinstance(event, Died):
                self._count(payout, payout.attempts[event.number - 1], -1, plan)

    def _count(self, payout: Payout, attempt: Attempt, by: int, plan: Plan) -> None:
        if attempt.armed_at < plan.made_at:
            return
        rail = payout.instruments[attempt.instrument].rail.value
        kind = PayoutClass(rail, payout.speed, band_of(payout.amount.minor))
        counts = self.given[plan.currency].setdefault(kind, Counter())
        counts[attempt.channel] = max(0, counts[attempt.channel] + by)
        money = self.minor[plan.currency]
        money[attempt.channel] = max(0, money[attempt.channel] + by * payout.amount.minor)

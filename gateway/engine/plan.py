"""Making plans and passing them on: one replica makes them, all follow the newest.

A plan is made from what the store counted in the weeks before: new every few hours, at the first
of the month, when fees, channels or parameters change, and when volume drifts away. Solving runs in
a thread. If it fails, the old plan stays, with an alarm; without enough history there is none, and
payouts go by cost at the current tier.
"""

import asyncio
import hashlib
from datetime import date, datetime, timedelta

from msgspec.structs import replace

from gateway.domain.errors import ConflictError
from gateway.domain.pricing import priced
from gateway.engine.gateway import Gateway
from gateway.engine.outlook import (
    LEAST_DAYS,
    LEAST_PAYOUTS,
    Basis,
    History,
    daily,
    local,
    midnight,
    passed_ppm,
    solved,
)
from gateway.engine.standby import Note
from gateway.ports import PlanReason, PlanVolume, StoredPlan
from policies.facts import ChannelFacts
from policies.fees import PPM
from policies.health import WHOLE
from policies.plan.drift import drifted
from policies.plan.follow import owed
from policies.plan.forecast import (
    DAY_SPREAD_PPM,
    day_spread,
    days_until,
)
from policies.plan.model import Plan
from policies.plan.written import from_json, to_json
from policies.policy import EVERY_MERCHANT

DRIFT_REST = timedelta(minutes=30)
"""After a plan, drift makes no other one for so long."""
MIDNIGHT_GRACE = timedelta(minutes=5)
"""A day's first plan waits until yesterday's last payouts are counted."""
_DAY = timedelta(days=1)


class Planner:
    """One per process; `tick` each minute."""

    def __init__(
        self,
        gateway: Gateway,
        *,
        mode: str = "auto",
        every: timedelta = timedelta(hours=6),
        weeks: int = 8,
    ) -> None:
        """`auto` plans only where a tier, a commitment or a day cap makes it worth it."""
        self._gateway = gateway
        self._mode = mode
        self._every = every
        self._weeks = weeks
        self._volumes: dict[str, dict[date, list[PlanVolume]]] = {}
        """Past days as counted, by currency; they hardly change any more."""
        self._hours: dict[str, tuple[date, tuple[int, ...]]] = {}
        self._noise: dict[str, int] = {}
        self._made: dict[str, StoredPlan] = {}
        """The plans that are followed, as stored."""
        self._tried_at: dict[str, datetime] = {}
        """When a plan was last tried in vain."""
        self._notes: dict[str, Note] = {}

    @property
    def notes(self) -> list[Note]:
        """What operators should know about plans; empty when all is well."""
        now = self._gateway.clock.now()
        found = dict(self._notes)
        for currency, plan in self._gateway.following.plans.items():
            age = now - plan.made_at
            if currency not in found and age > 2 * self._every:
                hours = int(age / timedelta(hours=1))
                found[currency] = Note(
                    "plan_stale",
                    f"the plan for {currency} is {hours} hours old and still followed",
                    f"{currency} 月度计划已 {hours} 小时未更新，仍在沿用",
                )
        return list(found.values())

    def measure(self, now: datetime) -> tuple[dict[str, float], dict[str, float]]:
        """Seconds since each currency's plan was made; tier progress by channel."""
        plans = self._gateway.following.plans
        ages = {name: (now - plan.made_at).total_seconds() for name, plan in plans.items()}
        progress: dict[str, float] = {}
        for plan in plans.values():
            reached = self.reached(plan)
            for one in plan.channels:
                if one.floor:
                    progress[one.name] = reached[one.name] / one.floor
        return ages, progress

    def reached(self, plan: Plan) -> dict[str, int]:
        """What each channel has carried in the month, as its fee counts."""
        following = self._gateway.following
        payouts, minor = following.payouts(plan.currency), following.minor[plan.currency]
        return {
            one.name: one.used + (payouts if one.basis == "payouts" else minor)[one.name]
            for one in plan.channels
        }

    def expected(self, plan: Plan, now: datetime) -> tuple[int, int]:
        """Payouts expected since the plan was made, and those given out."""
        hours = self._hours.get(plan.currency)
        spread = hours[1] if hours is not None else ()
        today, made = local(now).date(), local(plan.made_at).date()
        shares = 0
        for on, share in plan.forecast.days:
            if on < today:
                shares += share
            elif on == today:
                # The plan's share of its first day is what was still to come of it.
                begun = passed_ppm(spread, plan.made_at) if on == made else 0
                passed = max(0, passed_ppm(spread, now) - begun)
                shares += share * passed // max(1, PPM - begun)
        actual = sum(self._gateway.following.payouts(plan.currency).values())
        return plan.forecast.payouts * shares // PPM, actual

    async def standing(self, currency: str) -> tuple[StoredPlan, Plan] | None:
        """The plan that is followed, as stored and as it stands; None without one."""
        await self._adopt(currency)
        stored = self._made.get(currency)
        plan = self._gateway.following.plans.get(currency)
        return None if stored is None or plan is None else (stored, plan)

    async def tick(self) -> None:
        """Follow the newest plans; make new ones if that is due and ours. Raises `StoreError`."""
        for currency in self._currencies():
            await self._adopt(currency)
            reason = self._due(currency)
            if reason is None:
                continue
            async with self._gateway.store.turn("plan") as mine:
                if not mine:
                    continue
                # Another replica may just have made one.
                await self._adopt(currency)
                reason = self._due(currency)
                if reason is not None:
                    await self._try(currency, reason)

    async def make(self, currency: str, reason: PlanReason, actor: str) -> Plan:
        """Make, store and follow a plan now.

        Raises `ConflictError` when there is nothing to plan with, or no division was found.
        """
        basis = self._basis(currency)
        if not basis.channels:
            raise ConflictError(
                "plan_without_channels",
                f"no channel pays {currency} now",
                zh=f"当前没有可用的 {currency} 渠道",
            )
        now = self._gateway.clock.now()
        history = await self._read(currency, now)
        if not history.suffices:
            raise ConflictError(
                "plan_without_history",
                f"a plan needs {LEAST_DAYS} days and {LEAST_PAYOUTS} payouts of history; until "
                "then payouts go by cost at the current tier",
                zh=f"历史数据不足（至少需 {LEAST_DAYS} 天、{LEAST_PAYOUTS} 笔），"
                "暂按当前档位成本选择渠道",
            )
        self._noise[currency] = day_spread(history.ground)
        view = self._gateway.following.view(currency, now)
        carried = owed(view) if view is not None else {}
        try:
            plan = await asyncio.to_thread(solved, basis, history, carried, now)
        except (RuntimeError, ValueError) as error:
            raise ConflictError(
                "plan_impossible", f"no plan was found: {error}", zh="无法生成计划"
            ) from error
        kept = StoredPlan(
            plan.id, plan.month, currency, now, actor, reason, basis.mark, to_json(plan)
        )
        await self._gateway.store.keep_plan(kept)
        await self._follow(kept, plan)
        return plan

    async def _try(self, currency: str, reason: PlanReason) -> None:
        try:
            await self.make(currency, reason, "planner")
        except ConflictError as error:
            if error.code == "plan_impossible":
                self._gateway.observer.alarm(
                    "plan.failed", problem=error.message, problem_zh=error.zh
                )
            self._tried_at[currency] = self._gateway.clock.now()
            self._notes[currency] = Note(error.code, error.message, error.zh)

    async def _adopt(self, currency: str) -> None:
        """Follow what is stored, and count again where others give out as well."""
        store, now = self._gateway.store, self._gateway.clock.now()
        known = self._made.get(currency)
        newest = await store.newest_plan_id(currency)
        if newest is None:
            return
        if known is None or known.id != newest:
            stored = await store.newest_plan(currency)
            if stored is None or stored.month != local(now).date().replace(day=1):
                return
            try:
                plan = from_json(stored.plan)
            except (ValueError, KeyError, TypeError):
                # Another program's layout: what we cannot read we make anew.
                return
            await self._follow(stored, plan)
        elif store.worker != 0:
            volumes = await self._since(known)
            followed = self._gateway.following.plans.get(currency)
            if followed is not None:
                self._gateway.following.follow(followed, volumes)

    async def _follow(self, stored: StoredPlan, plan: Plan) -> None:
        self._gateway.following.follow(plan, await self._since(stored))
        self._made[stored.currency] = stored
        self._notes.pop(stored.currency, None)

    async def _since(self, stored: StoredPlan) -> list[PlanVolume]:
        """What was given since a plan was made; up to what is committed while it is counted."""
        until = self._gateway.clock.now() + _DAY
        return await self._gateway.store.plan_volumes(stored.currency, stored.made_at, until)

    def _currencies(self) -> list[str]:
        """Those worth planning for."""
        if self._mode == "off":
            return []
        terms = [one.traits.terms for one in self._gateway.channels.values()]
        every = sorted({one.currency.value for one in terms})
        if self._mode == "on":
            return every
        now = self._gateway.clock.now()
        return [
            currency
            for currency in every
            if any(
                one.day_cap_minor is not None
                or (one.fee is not None and bool(one.fee.tiers or one.fee.commitment))
                for one in self._basis(currency, now).channels
            )
        ]

    def _due(self, currency: str) -> PlanReason | None:
        """Why a plan is to be made now; None while the one there is will do."""
        now = self._gateway.clock.now()
        tried = self._tried_at.get(currency)
        if tried is not None and timedelta(0) <= now - tried < DRIFT_REST:
            return None
        stored = self._made.get(currency)
        plan = self._gateway.following.plans.get(currency)
        if stored is None or plan is None:
            return "first"
        here = local(now)
        since_midnight = here - here.replace(hour=0, minute=0, second=0, microsecond=0)
        if since_midnight < MIDNIGHT_GRACE:
            return None
        if stored.month != here.date().replace(day=1):
            return "month"
        basis = self._basis(currency, now)
        if stored.basis != basis.mark and basis.channels:
            return "changed"
        made = local(stored.made_at)
        if now - stored.made_at >= self._every or made.date() != here.date():
            return "timer"
        if now - stored.made_at >= DRIFT_REST and self._drifts(currency, plan, now):
            return "drift"
        return None

    def _drifts(self, currency: str, plan: Plan, now: datetime) -> bool:
        if currency not in self._hours:
            return False
        return drifted(*self.expected(plan, now), 2 * self._noise.get(currency, DAY_SPREAD_PPM))

    def _basis(self, currency: str, now: datetime | None = None) -> Basis:
        gateway = self._gateway
        at = now or gateway.clock.now()
        policy = gateway.policy
        denied = policy.lists_for(EVERY_MERCHANT)
        views = gateway.health.views(gateway.channels, WHOLE, at)
        channels: list[ChannelFacts] = []
        told: list[object] = [currency, policy.parameters, gateway.calendar_mark]
        for name, channel in sorted(gateway.channels.items()):
            terms = channel.traits.terms
            if (
                terms.currency.value != currency
                or gateway.load.status.get(name, "active") != "active"
                or name in denied.deny
                or (denied.only and name not in denied.only)
            ):
                continue
            price = priced(terms)
            fee = price.fee_at(at)
            if fee is None:
                continue
            limits = (terms.amount_min, terms.amount_max, terms.day_cap_minor)
            rails = sorted(channel.traits.rails)
            told.append((name, rails, fee, price.cycle, price.hours, limits))
            channels.append(
                ChannelFacts(
                    name=name,
                    rails=channel.traits.rails,
                    currency=currency,
                    fee=fee,
                    cycle=price.cycle,
                    month=gateway.load.month(name, at),
                    arrivals=gateway.load.arrivals.get(name, ()),
                    min_minor=terms.amount_min,
                    max_minor=terms.amount_max,
                    day_cap_minor=terms.day_cap_minor,
                    day_used_minor=gateway.load.used(name, at),
                    hours=price.hours,
                    # What quarantine does to one hour says nothing about a month.
                    health=replace(views[name], quarantined=False, probing=False),
                )
            )
        mark = hashlib.sha256(repr(told).encode()).hexdigest()[:16]
        return Basis(tuple(channels), policy.parameters, gateway.almanac, mark)

    async def _read(self, currency: str, now: datetime) -> History:
        """Count what is not yet known: today, and the days since the last look."""
        store, today = self._gateway.store, local(now).date()
        month = today.replace(day=1)
        known = self._volumes.setdefault(currency, {})
        begin = max(known, default=month - self._weeks * 7 * _DAY)
        fresh: dict[date, list[PlanVolume]] = {}
        for volume in await store.plan_volumes(currency, midnight(begin), now):
            fresh.setdefault(volume.on, []).append(volume)
        known.update(fresh)
        for day in [day for day in known if day < month - self._weeks * 7 * _DAY]:
            del known[day]
        hours = self._hours.get(currency)
        if hours is None or hours[0] != today:
            counted = await store.plan_hours(currency, now - self._weeks * 7 * _DAY, now)
            hours = self._hours[currency] = (today, counted)
        first = min(known, default=today)
        return History(
            daily(known, days_until(first, month)),
            daily(known, days_until(max(first, month), today + _DAY)),
            passed_ppm(hours[1], now),
        )

"""How channels stood at each decision of the past, from what that decision logged about them.

A candidate's believed rates are in the log. A channel that was out for a reason of its own
(paused, quarantined, full, refused by its adapter's check) stays out in a replay; one that was out
for what the policy, the payout or used-up caps say is judged anew. Its rates are then those of the
nearest earlier decision that priced it: for the same bank if there is one, else for the channel.
"""

from collections.abc import Mapping
from datetime import date
from typing import Final, TypeAlias

from policies.backtest.bill import Side
from policies.backtest.record import Choice, Record, Way
from policies.backtest.terms import Terms
from policies.exclusions import Code
from policies.facts import ChannelFacts, HealthView
from policies.fees import UNUSED, MonthUse

Trouble: TypeAlias = Mapping[str, Mapping[int, tuple[str, ...]]]
"""Channel → instrument → codes of reasons that a replay takes as they were."""

_JUDGED_ANEW: Final = frozenset(
    {
        Code.CURRENCY,
        Code.RAIL,
        Code.AMOUNT_BELOW_MINIMUM,
        Code.AMOUNT_ABOVE_MAXIMUM,
        Code.DAY_CAP,
        Code.CLOSED,
        Code.POLICY_DENIES,
        Code.POLICY_ONLY,
        Code.FEE_OVER_MAXIMUM,
        Code.TOO_SLOW,
        Code.NO_FEE,
        Code.POLICY_RULE_DENIES,
        Code.POLICY_REQUIRES,
        Code.REQUEST_DENIES,
        Code.REQUEST_ONLY,
        Code.ATTEMPTS_EXHAUSTED,
    }
)
_LASTING: Final = frozenset({Code.PROBLEM})
"""Troubles that no waiting would have ended."""
OBSERVATIONS: Final = 1_000
"""How well a channel counts as known to rules: decisions do not log it, and history has seen it."""
_UNKNOWN: Final = HealthView()


class Standing:
    """What is known of the channels' health so far; feed it decisions in order."""

    def __init__(self, terms: Mapping[str, Terms], floats: Mapping[str, int]) -> None:
        """`floats`: what a channel's account holds each morning, where that shall be a limit."""
        self._floats = floats
        self._rows = [
            (
                name,
                one,
                one.day_cap_minor is not None
                or name in floats
                or any(fee.tiers for _, fee in one.fees),
            )
            for name, one in terms.items()
        ]
        self._judged_anew = _JUDGED_ANEW | ({Code.FLOAT_SHORT} if floats else set())
        self._views: dict[tuple[int, int, bool], HealthView] = {}
        self._at_bank: dict[tuple[str, str, str | None], HealthView] = {}
        self._at_all: dict[str, HealthView] = {}
        self._made: dict[str, tuple[object, ChannelFacts]] = {}

    def learn(self, record: Record, choice: Choice) -> Trouble:
        """Take in what a decision says about rates; returns whose troubles it met."""
        ways = {way.index: way for way in record.ways}
        for one in choice.order:
            key = (one.success_ppm, one.unknown_ppm, one.probing)
            view = self._views.get(key)
            if view is None:
                view = self._views[key] = HealthView(
                    one.success_ppm,
                    one.unknown_ppm,
                    OBSERVATIONS,
                    quarantined=one.probing,
                    probing=one.probing,
                )
            way = ways.get(one.instrument)
            if way is not None:
                self._at_bank[one.channel, way.rail, way.bank_code] = view
            self._at_all[one.channel] = view
        if not choice.excluded:
            return {}
        trouble: dict[str, dict[int, tuple[str, ...]]] = {}
        for out in choice.excluded:
            codes = tuple(code for code in out.codes if code not in self._judged_anew)
            if codes:
                trouble.setdefault(out.channel, {})[out.instrument] = codes
        return trouble

    def facts(
        self, record: Record, trouble: Trouble, side: Side, days: Mapping[str, date]
    ) -> list[ChannelFacts]:
        """Every channel as `decide` takes it."""
        ways = record.ways
        found: list[ChannelFacts] = []
        made, at_bank, at_all = self._made, self._at_bank, self._at_all
        for name, terms, limited in self._rows:
            day = days[terms.cycle.timezone]
            period = terms.period(day)
            views = tuple(
                at_bank.get((name, way.rail, way.bank_code)) or at_all.get(name, _UNKNOWN)
                for way in ways
            )
            month, used, held = UNUSED, 0, None
            if limited:
                fee = terms.fee_in(period)
                held = self._floats.get(name)
                if fee is not None and fee.tiers:
                    month = side.use(name, day)
                if terms.day_cap_minor is not None or held is not None:
                    used = side.day_used(name, day)
            met = trouble.get(name) if trouble else None
            key = (views, month, used, period)
            known = made.get(name)
            if known is not None and known[0] == key and not met and len(ways) == 1:
                found.append(known[1])
                continue
            facts = self._channel(terms, period, ways, views, month, used, met or {}, held)
            if not met:
                made[name] = (key, facts)
            found.append(facts)
        return found

    def _channel(
        self,
        terms: Terms,
        period: int,
        ways: tuple[Way, ...],
        views: tuple[HealthView, ...],
        month: MonthUse,
        used: int,
        met: Mapping[int, tuple[str, ...]],
        held: int | None,
    ) -> ChannelFacts:
        return ChannelFacts(
            name=terms.name,
            rails=terms.rails,
            currency=terms.currency,
            fee=terms.fee_in(period),
            cycle=terms.cycle,
            month=month,
            arrivals=terms.arrivals,
            min_minor=terms.min_minor,
            max_minor=terms.max_minor,
            day_cap_minor=terms.day_cap_minor,
            day_used_minor=used,
            float_minor=None if held is None else held - used,
            hours=terms.hours,
            health=views[0],
            health_of=(
                {way.index: view for way, view in zip(ways, views, strict=True)}
                if len(ways) > 1
                else {}
            ),
            problems={
                index: tuple(f"as logged: {code}" for code in codes) for index, codes in met.items()
            },
        )


def lasting(trouble: Trouble) -> bool:
    """Whether no trouble of that moment would have passed by itself."""
    return all(
        _LASTING & set(codes) for instruments in trouble.values() for codes in instruments.values()
    )

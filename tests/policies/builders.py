"""Builders for routing facts with sensible defaults; a test names only what it is about."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, settings

from policies.facts import (
    ChannelFacts,
    Cycle,
    HealthView,
    InstrumentFacts,
    PayoutFacts,
)
from policies.fees import Fee
from policies.policy import ChannelLists, Parameters, Policy

SHANGHAI = ZoneInfo("Asia/Shanghai")
FRIDAY_NOON = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
"""Friday 20 November 2026, 12:00 in Shanghai; an ordinary working week follows."""

LAW = settings(suppress_health_check=[HealthCheck.too_slow])
"""For laws: how fast an example runs depends on what else the machine does."""

INSTANT = Cycle(instant=True)
T1 = Cycle(days=1, calendar="cn_statutory", cutoff=time(17))


def beijing(year: int, month: int, day: int, hour: int = 12, minute: int = 0) -> datetime:
    """A moment on the Shanghai wall clock, in UTC."""
    return datetime(year, month, day, hour, minute, tzinfo=SHANGHAI).astimezone(UTC)


def channel(name: str = "a", fee_minor: int = 100, **changes: object) -> ChannelFacts:
    """An open, healthy, instant channel with a flat fee, reaching Alipay and bank cards."""
    facts: dict[str, object] = {
        "name": name,
        "rails": frozenset({"alipay", "bank_card"}),
        "currency": "CNY",
        "fee": Fee(flat_minor=fee_minor),
        "cycle": INSTANT,
        "health": HealthView(success_ppm=990_000, observations=100),
    }
    return ChannelFacts(**(facts | changes))  # type: ignore[arg-type]  # names checked by the class


def payout(amount_minor: int = 50_000, **changes: object) -> PayoutFacts:
    """A standard payout of ¥500 to one Alipay account."""
    facts: dict[str, object] = {
        "payout_id": "po_1",
        "merchant_id": "m_1",
        "amount_minor": amount_minor,
        "currency": "CNY",
        "instruments": (InstrumentFacts(0, "alipay"),),
    }
    return PayoutFacts(**(facts | changes))  # type: ignore[arg-type]  # names checked by the class


def policy(lists: ChannelLists | None = None, **parameters: int) -> Policy:
    """A policy without exploration unless asked for, so that the best candidate always wins."""
    return Policy(
        name="test",
        hash="0" * 64,
        parameters=Parameters(**({"explore_ppm": 0} | parameters)),
        lists={} if lists is None else {"*": lists},
    )

"""What channels cost: tiers and months as shown, two side by side, and the float that is quoted."""

from datetime import timedelta

from msgspec.structs import replace

from channels.contract import Cycle, Paid, Tariff, TariffTier
from gateway.domain.payout import PayoutId
from gateway.engine import arrivals
from gateway.engine.worker import refresh
from tests.gateway.api.desk import Desk
from tests.gateway.api.test_admin import ask, refused

COMPARE = "/v1/admin/cost-comparison"


def price(desk: Desk, name: str, *tariffs: Tariff, cycle: Cycle | None = None) -> None:
    """Give a channel other terms."""
    channel = desk.till if name == "till" else desk.gateway.channels[name]
    terms = replace(channel.traits.terms, tariffs=tariffs)
    if cycle is not None:
        terms = replace(terms, cycle=cycle)
    traits = replace(channel.traits, terms=terms)
    if name == "till":
        desk.till.traits = traits
    else:
        channel._traits = traits  # type: ignore[attr-defined]  # both real adapters keep it there


async def test_a_channel_shows_its_month_and_tier(desk: Desk) -> None:
    """The tier is the one that the next payout is billed at."""
    price(desk, "till", Tariff(tiers=(TariffTier(0, 200), TariffTier(2, 120))))
    for ref in ("order-1", "order-2"):
        found = await ask(desk, "GET", "/v1/admin/channels/till")
        assert (found["tier"], found["tiers"], found["priced"]) == (1, 2, True)
        await desk.work(await desk.pay(ref))
    found = await ask(desk, "GET", "/v1/admin/channels/till")
    assert (found["month_payouts"], found["month_minor"]) == (2, 2 * 12_345)
    assert found["tier"] == 2
    await refresh(desk.gateway)
    assert await ask(desk, "GET", "/v1/admin/channels/till") == found


async def test_the_tier_reached_is_what_the_float_holds(desk: Desk) -> None:
    """Two payouts are quoted the first tier's fee, the third the second's."""
    price(desk, "till", Tariff(tiers=(TariffTier(0, 200), TariffTier(2, 120))))
    quotes = []
    for ref in ("order-1", "order-2", "order-3"):
        made = await desk.pay(ref)
        await desk.work(made)
        payout = await desk.store.payout(PayoutId(made))
        assert payout is not None
        quotes.append(payout.attempts[0].quoted_fee_minor)
    assert quotes == [200, 200, 120]


async def test_a_deducted_fee_is_not_taken_from_the_float(desk: Desk) -> None:
    """The channel keeps it back from the amount."""
    price(desk, "till", Tariff(flat_minor=30, mode="deducted"))
    before = desk.gateway.load.float_minor["till"]
    await desk.work(await desk.pay("order-1"))
    assert before - desk.gateway.load.float_minor["till"] == 12_345


async def test_without_a_fee_a_channel_takes_nothing(desk: Desk) -> None:
    """The payout waits or fails with the reason, and the channel says that it has no price."""
    price(desk, "till")
    made = await desk.pay("order-1")
    await desk.work(made)
    assert (await desk.get(f"/v1/payouts/{made}")).json["state"] != "paid"
    why = (await desk.get(f"/v1/payouts/{made}/why")).json
    assert "手续费" in str(why)
    assert not (await ask(desk, "GET", "/v1/admin/channels/till"))["priced"]


async def test_a_fee_holds_from_its_local_day_on(desk: Desk) -> None:
    """Before the first date there is no price, then each in its turn."""
    today = desk.clock.at.date()
    price(desk, "till", Tariff(start_on=today + timedelta(days=1)))
    assert not (await ask(desk, "GET", "/v1/admin/channels/till"))["priced"]
    desk.clock.advance(days=1)
    assert (await ask(desk, "GET", "/v1/admin/channels/till"))["priced"]


async def test_two_channels_are_compared_in_money(desk: Desk) -> None:
    """Free and a week late against 0.30 at once: the zero fee's time is shown as what it costs."""
    price(desk, "alipay-main", Tariff(flat_minor=30))
    price(desk, "till", Tariff(), cycle=Cycle(days=7))
    found = await ask(desk, "GET", f"{COMPARE}?a=till&b=alipay-main")
    free, fast = found["a"], found["b"]
    assert (free["free"], free["days_milli"], fast["free"], fast["days_milli"]) == (
        *(True, 7_000),
        *(False, 0),
    )
    assert [one["amount_minor"] for one in free["costs"]] == [
        *(100, 1_000, 10_000),
        *(100_000, 1_000_000, 5_000_000),
    ]
    thousand = free["costs"][3]
    assert thousand["fee_micro"] == 0
    assert thousand["capital_micro"] == -(-100_000 * 120_000 * 7 // 365)
    assert fast["costs"][3]["fee_micro"] == 30_000_000
    # 30 fen / (12 % x 7 / 365) = 130.36 yuan.
    assert found["crossings_minor"] == [13_036]


async def test_a_comparison_needs_two_priced_channels(desk: Desk) -> None:
    """Both there, both with a fee."""
    assert await refused(desk, "GET", f"{COMPARE}?a=till&b=gone") == (404, "no_such_channel", "b")
    price(desk, "till")
    assert await refused(desk, "GET", f"{COMPARE}?a=till&b=alipay-main") == (
        *(422, "channel_no_fee"),
        "a",
    )
    assert (await refused(desk, "GET", "/v1/admin/channels/gone"))[:2] == (404, "no_such_channel")


async def test_arrivals_are_learned_from_what_is_on_record(desk: Desk) -> None:
    """Paid a day and more after it left: an instant channel that is none."""
    sent_at = desk.clock.at
    for ref in ("order-1", "order-2"):
        desk.clock.at = sent_at
        await desk.work(await desk.pay(ref))
    await arrivals.measure(desk.gateway)
    assert not desk.gateway.load.arrivals["till"]
    late = desk.clock.at + timedelta(hours=30)
    desk.till.outcomes.append(Paid("till-late", late))
    await desk.work(await desk.pay("order-3"))
    await arrivals.measure(desk.gateway)
    seen = desk.gateway.load.arrivals["till"]
    assert [days for days, _ in seen] == [0, 1]
    shown = await ask(desk, "GET", "/v1/admin/channels/till")
    assert shown["arrivals"] == [list(one) for one in seen]
    compared = await ask(desk, "GET", f"{COMPARE}?a=till&b=alipay-main")
    assert compared["a"]["days_milli"] == round(seen[1][1] / 1_000)

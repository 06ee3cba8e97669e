"""Defects 9, 10 and 13: XxPay and its clones."""

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.contract import Reason, Rejected, Window
from channels.money import Currency, Money
from gateway.domain.payout import PayoutState
from policies.calendars.arrivals import is_open, next_open
from policies.decide import decide
from policies.facts import Hours
from tests.gateway.api.desk import CARD
from tests.gateway.dialects.conftest import Site
from tests.gateway.dialects.peer_defects.shop import open_shop
from tests.gateway.engine.rig import A, B, Seat, running, seat
from tests.policies.builders import SHANGHAI, channel, payout, policy

X = Seat("xxpay-x", "xxpay", 0)
TO_CARD = {"type": "bank", "account": "6222020200112233445", "name": "张三丰"}
NIGHT = Hours(((time(22), time(6)),), "Asia/Shanghai")
FEN = st.integers(min_value=1, max_value=10**11)


@pytest.mark.parametrize("action", ["bad_signature", "garbage", "reset_after", "unsigned"])
async def test_09_an_answer_that_cannot_be_read_neither_fails_nor_is_sent_again(
    url: str, action: str
) -> None:
    """XxPay took null for FAIL, released the money, and its repair job sent anew."""
    async with running(url, (seat(X, account={"notify_url": None}), B)) as rig:
        shop = await open_shop(rig)
        rig.fault("double_execute", X, times=None)
        rig.fault(action, X)
        told = await shop.submit("A", **TO_CARD)
        status, held = await shop.status("A"), (await shop.balances())[1]
        await rig.pass_time(hours=30)

        assert (told.ok, told.status, status) == (True, 0, 0)
        assert held >= 12_345
        assert len(rig.submitted(X)) == 1
        assert rig.moved() == [(X.name, 12_345)]
        assert await shop.status("A") == 1


async def test_10_the_day_cap_counts_the_payout_that_asks(url: str) -> None:
    """XxPay's cap ignored it: the last one of a day went over."""
    capped = seat(A, terms={"day_cap_minor": 20_000})
    async with running(url, (capped, B)) as rig:
        shop = await open_shop(rig)
        for number, money in (("1", "123.45"), ("2", "76.56"), ("3", "76.55"), ("4", "0.10")):
            await shop.submit(number, money=money)

        assert rig.moved() == [(A.name, 12_345), (B.name, 7_656), (A.name, 7_655), (B.name, 10)]


@given(FEN, FEN, FEN)
def test_10_no_sum_of_a_day_is_above_its_cap(cap: int, used: int, amount: int) -> None:
    """To the fen; and a channel without a cap has none, rather than one of nothing."""
    now = datetime(2026, 11, 20, 4, tzinfo=UTC)
    capped = channel("a", day_cap_minor=cap, day_used_minor=used)
    free = channel("b", day_used_minor=used)

    chosen = decide(payout(amount), [capped, free], policy(), now, 0)

    names = {one.channel for one in chosen.order}
    assert ("a" in names) == (used + amount <= cap)
    assert "b" in names


@pytest.mark.parametrize(
    ("hour", "minute", "opens"),
    [(21, 59, False), (22, 0, True), (23, 59, True), (0, 0, True), (5, 59, True), (6, 0, False)],
)
def test_10_a_window_may_cross_midnight(hour: int, minute: int, opens: bool) -> None:
    """XxPay compared opening and closing on one day, so a night's window was never open."""
    at = datetime(2026, 11, 20, hour, minute, tzinfo=SHANGHAI).astimezone(UTC)

    assert is_open(NIGHT, at) is opens
    assert (next_open(NIGHT, at) == at) is opens


async def test_10_what_comes_outside_the_window_waits_for_it(url: str) -> None:
    """It is neither refused nor lost: at 22:00 in Beijing it goes, and at 01:00 as well."""
    night = seat(A, terms={"hours": (Window(time(22), time(6)),)})
    async with running(url, (night,)) as rig:
        shop = await open_shop(rig)
        assert (await shop.submit("A")).status == 0
        await rig.pass_time(hours=11, minutes=59)
        assert rig.moved() == []
        await rig.pass_time(minutes=2)
        assert await shop.status("A") == 1
        await rig.pass_time(hours=3)
        await shop.submit("B", money="1.00")
        assert await shop.status("B") == 1


@given(FEN)
def test_10_yuan_become_fen_to_the_fen(fen: int) -> None:
    """XxPay's truncation made 0.29 yuan 28 fen."""
    text = f"{fen // 100}.{fen % 100:02d}"
    shorter = text.rstrip("0").rstrip(".")

    assert Money.parse(text, Currency.CNY) == Money(fen, Currency.CNY)
    assert Money.parse(shorter, Currency.CNY) == Money(fen, Currency.CNY)
    assert str(Money(fen, Currency.CNY)) == text


async def test_10_notorious_amounts_arrive_whole(site: Site) -> None:
    """Those that floats cannot hold: each is paid, charged and told as it was written."""
    amounts = {"0.29": 29, "0.57": 57, "1.15": 115, "4.35": 435, "8.2": 820, "1001.1": 100_110}
    for number, text in enumerate(amounts):
        await site.plugin.submit(str(number), money=text)
    await site.work()

    asked = {one.merchant_ref: one.asked.minor for one in await site.payouts()}
    wanted = {f"da_1:{at}": minor for at, minor in enumerate(amounts.values())}
    assert asked == wanted
    sent = {one.instruction.amount.minor for one in site.desk.till.sent}
    assert sent == set(amounts.values())
    for number, text in enumerate(amounts):
        told = await site.plugin.query(str(number))
        assert told["amount"] == str(Money.parse(text, Currency.CNY))


async def test_13_the_same_card_and_amount_wait_ten_minutes(site: Site) -> None:
    """As XxPay's guard does, in the database and not in a cache: the eleventh minute is free."""
    start = site.desk.clock.at
    for minute in (0, 9, 18):
        site.desk.clock.at = start + timedelta(minutes=minute)
        await site.plugin.submit(f"N{minute}", account=CARD)
    site.desk.clock.at = start + timedelta(minutes=28)
    await site.plugin.submit("N28", account=CARD)
    await site.plugin.submit("other", account=CARD, money="12.31")
    await site.work()

    states = {one.merchant_ref[5:]: one.state for one in await site.payouts()}
    held, paid = PayoutState.HELD, PayoutState.PAID
    assert states == {"N0": paid, "N9": held, "N18": held, "N28": paid, "other": paid}


async def test_13_a_proven_failure_lifts_the_guard(site: Site) -> None:
    """And nothing less: XxPay's was lifted by failures that it had made up."""
    site.desk.till.outcomes.append(Rejected(Reason.PAYEE_DECLINED, "DECLINED", ""))
    await site.plugin.submit("A", account=CARD)
    before = await site.plugin.submit("B", account=CARD)
    await site.work()
    await site.plugin.submit("C", account=CARD)
    await site.work()

    states = {one.merchant_ref[5:]: one.state for one in await site.payouts()}
    assert before.ok
    assert states["B"] is PayoutState.HELD
    assert len(site.desk.till.sent) == 1 + (states["C"] is PayoutState.PAID)

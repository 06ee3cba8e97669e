"""Defects 11, 12, 14 and 15: qs-faka, the 知宇 family, WeChat's SDKs, and money in floats."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from channels.contract import (
    Evidence,
    NoticeRefused,
    Outcome,
    Pending,
    Unknown,
    UnknownCause,
)
from channels.keyed_md5 import Secrets
from gateway.domain.ledger import Book
from gateway.domain.payout import PayoutState
from gateway.engine.gateway import Told
from gateway.engine.notices import receive
from gateway.engine.worker import advance, prune_claims
from tests.gateway.api.desk import ACME, payout_body
from tests.gateway.dialects.conftest import Site
from tests.gateway.dialects.peer_defects.shop import TO_LI, open_shop
from tests.gateway.engine.rig import RESOLD, A, Seat, W, live, running, seat

J, X = Seat("jeepay-j", "jeepay", 0), Seat("xxpay-x", "xxpay", 0)
WAYS = (J, X, seat(A, account={"notify_url": None}), W)
NOT_MONEY = (
    *("", " ", "0", "0.00", "-1", "+1", "-0.01", "1.234", "0.001", "1e2", "1E2", "1.0e1", "NaN"),
    *("nan", "Infinity", "-Infinity", "inf", "1,000.00", "1 000", "1_000", "0x10", "１２.30"),
    *("12.３0", "٣.50", "12.", ".5", "00.50", "01", "1.2.3", "¥1", "1元", "1\u00a0", "null"),
    "9" * 30,
)
NOT_MINOR = (12.0, 12.5, "12", True, None, -1, 0, [12], {"minor": 12}, 2**63, 1e3)


async def available(site: Site) -> int:
    """What the merchant can pay out now."""
    found = await site.desk.store.balances(Book.AVAILABLE, ACME)
    return sum(one.minor for one in found)


@pytest.mark.parametrize(
    "outcome",
    [
        Unknown(UnknownCause.CHANNEL_UNSURE, Evidence(200, "0", "Failed")),
        Unknown(UnknownCause.UNKNOWN_CODE, Evidence(200, "Failed", "Failed: 转账失败")),
        Pending("till-1", "Failed"),
    ],
)
async def test_11_the_word_failed_gives_no_money_back(site: Site, outcome: Outcome) -> None:
    """Qs-faka refunded at once on code 0, or on "Failed" anywhere in the message."""
    site.desk.till.outcomes.append(outcome)
    free = await available(site)
    await site.plugin.submit("A")
    await site.work()

    found = await site.plugin.query("A")

    assert (found["code"], found["status"]) == (0, 0)
    assert "errmsg" not in found
    assert await available(site) == free - 1260


async def test_11_a_withdrawal_that_passed_cannot_be_refused(site: Site) -> None:
    """In qs-faka it could, and the money came back although it was paid: by nobody's key here."""
    await site.plugin.submit("A")
    await site.work()
    (payout,) = await site.payouts()
    free = await available(site)

    for key in ("acme", "operator"):
        told = await site.desk.post(f"/v1/payouts/{payout.id}/cancel", key=key)
        assert (told.status, told.code) == (409, "state_forbids")

    assert (await site.payouts())[0].state is PayoutState.PAID
    assert await available(site) == free


async def test_12_thirty_orders_of_one_number_are_one(site: Site) -> None:
    """知宇 looks first and adds then; here the number itself is what there can be only one of."""
    body = payout_body(merchant_ref="same")
    made = await asyncio.gather(*(site.desk.post("/v1/payouts", body) for _ in range(30)))

    assert {one.status for one in made} == {201}
    assert len({one.json["id"] for one in made}) == 1
    assert len(await site.payouts()) == 1


@pytest.mark.parametrize("state", ["0", "1", "3", "4"])
async def test_12_a_notice_decides_nothing(url: str, state: str) -> None:
    """知宇's callback assigned where it meant to compare: every order failed. Ours only asks."""
    async with running(url, (J, A)) as rig:
        shop = await open_shop(rig)
        await shop.submit("A")
        await rig.pass_time(minutes=1)
        (payout,) = await shop.payouts()
        attempt = live(payout)
        secret = Secrets((str(RESOLD["jeepay"][0]["app_secret"]),))
        fields: dict[str, object] = {
            "transferId": attempt.channel_ref or "",
            "mchOrderNo": attempt.reference,
            "amount": "12345",
            "accountNo": "zhang@example.test",
            "state": state,
            "mchNo": "M1",
            "appId": "A1",
            "reqTime": "1772416800000",
        }
        body = "&".join(f"{k}={v}" for k, v in {**fields, "sign": secret.sign(fields)}.items())
        before = rig.witness.alarmed("notice.refused")

        await receive(rig.gateway, J.name, {}, body.encode())
        await rig.quiet()

        assert rig.witness.alarmed("notice.refused") == before
        assert await shop.status("A") == 1
        assert rig.moved() == [(J.name, 12_345)]


@pytest.mark.parametrize("at", WAYS, ids=lambda one: one.kind)
@pytest.mark.parametrize("signed", ["nothing", "a wrong signature"])
async def test_12_an_unsigned_notice_is_nobodys(url: str, at: Seat, signed: str) -> None:
    """知宇 tells and believes unsigned ones: refused here, kept nowhere, and nothing moves."""
    fields = {"mchOrderNo": "R1", "agentpayOrderId": "1", "state": "3", "status": "3"}
    fields |= {"orderid": "R1", "out_biz_no": "R1"} | (
        {"sign": "00"} if signed != "nothing" else {}
    )
    body = "&".join(f"{name}={value}" for name, value in fields.items()).encode()
    async with running(url, WAYS) as rig:
        channel = rig.gateway.channels[at.name]
        assert isinstance(channel.read_notice({}, body, rig.now()), NoticeRefused)

        await receive(rig.gateway, at.name, {}, body)
        await rig.quiet()

        assert rig.witness.alarmed("notice.refused") == 1
        assert await rig.store.notices(9) == []


async def test_12_no_order_is_ever_forgotten(site: Site) -> None:
    """知宇 purges payouts after 15 days, and takes their numbers for new ones then."""
    await site.plugin.submit("A")
    await site.work()
    site.desk.clock.at += timedelta(days=400)
    await prune_claims(site.desk.gateway)

    same = await site.plugin.submit("A")
    other = await site.plugin.submit("A", money="99.00")

    assert (same.ok, same.status) == (True, 1)
    assert other.reply["code"] == -1
    assert len(site.desk.till.sent) == len(await site.payouts()) == 1


async def test_14_concurrent_turns_of_one_payout_send_once(url: str) -> None:
    """wechatpay-php#78: requests at the same moment under one number were paid several times."""
    async with running(url, (W,), started=False) as rig:
        shop = await open_shop(rig)
        rig.fault("double_execute", W, times=None)
        await shop.submit("A", **TO_LI)
        (payout,) = await shop.payouts()

        await asyncio.gather(
            *(advance(rig.gateway, Told(payout.id)) for _ in range(10)), return_exceptions=True
        )
        await rig.start()
        await rig.later(seconds=5)

        assert len(rig.submitted(W)) == 1
        assert rig.moved() == [(W.name, 12_345)]
        assert await shop.status("A") == 1


async def test_14_the_number_changes_only_after_a_proven_end(url: str) -> None:
    """weixin-java-pay-demo#126: past the retry window ask first; a new number could pay again."""
    async with running(url, (seat(W, account={"notify_url": None}), A)) as rig:
        shop = await open_shop(rig)
        rig.fault("reset_after", W)
        rig.fault("confirm_late", W, after="23h")
        await shop.submit("A", **TO_LI)
        for _ in range(4):
            await rig.pass_time(hours=5)
            assert await shop.status("A") == 0
        await rig.pass_time(hours=5)

        assert await shop.status("A") == 1
        assert len(set(rig.submitted())) == 1
        assert rig.moved() == [(W.name, 12_345)]


@pytest.mark.parametrize("text", NOT_MONEY, ids=ascii)
async def test_15_what_is_no_plain_amount_is_refused_at_epays_door(site: Site, text: str) -> None:
    """Epay and acg-faka round floats; here a person need never guess what was meant."""
    told = await site.plugin.submit("A", money=text)

    assert told.reply["code"] == -1
    assert any(word in str(told.reply["msg"]) for word in ("金额", "money"))
    assert await site.payouts() == []


@pytest.mark.parametrize("minor", NOT_MINOR, ids=repr)
async def test_15_only_whole_minor_units_pass_the_native_door(site: Site, minor: Any) -> None:
    """Neither floats that happen to be whole nor text, flags or what no column holds."""
    body = {**payout_body(), "amount_minor": minor}

    told = await site.desk.post("/v1/payouts", body)

    assert told.status in {400, 422}, told.raw
    assert b"amount" in told.raw or b"float" in told.raw
    assert await site.payouts() == []

"""Defects 6 to 8: Jeepay, and what it makes of WeChat's words."""

import asyncio
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from channels.contract import Absent, Pending, Unknown, UnknownCause
from channels.jeepay import codes as jeepay_codes
from channels.wechat_pay import codes as wechat_codes
from channels.wechat_pay.answers import Reader
from gateway.engine.gateway import Told
from gateway.engine.worker import advance
from tests.channels.wechat_pay import platform
from tests.channels.wechat_pay.platform import NOW
from tests.gateway.dialects.peer_defects.shop import TO_LI, open_shop
from tests.gateway.engine.rig import A, B, Seat, W, running, seat, until

J = Seat("jeepay-j", "jeepay", 0)
MUTE = seat(A, account={"notify_url": None})
READER = Reader(platform.settings())
MANY = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
WORDS = st.text(st.characters(codec="ascii", categories=("Lu", "Nd"), include_characters="_"))
STATUSES = st.sampled_from([400, 401, 403, 404, 409, 429, 500, 502, 503])


async def test_06_what_may_have_been_sent_is_asked_about_after_any_downtime(url: str) -> None:
    """Jeepay never looked again at orders that a crash had left in state 0 for over a day."""
    async with running(url, (MUTE, B), started=False) as rig:
        shop = await open_shop(rig)
        await shop.submit("A")
        (payout,) = await shop.payouts()
        rig.fault("slow", A, fixed="1s")
        sending = asyncio.create_task(advance(rig.gateway, Told(payout.id)))
        await until(lambda: bool(rig.moved()))
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        await rig.world.advance(timedelta(days=3))
        await rig.reopen()
        shop.reconnect()

        await rig.start()
        await rig.quiet()

        assert await shop.status("A") == 1
        assert len(rig.submitted()) == 1


async def test_06_an_order_left_as_created_there_never_fails_and_is_never_paid_again(
    url: str,
) -> None:
    """State 0, with the money gone: still asked on the third day, and nobody else pays it."""
    async with running(url, (J, A)) as rig:
        shop = await open_shop(rig)
        rig.fault("left_created", J, executed=True)
        await shop.submit("A")
        for _ in range(3):
            asked = rig.witness.asked(J.name)
            await rig.pass_time(hours=24)
            assert await shop.status("A") == 0
            assert rig.witness.asked(J.name) > asked

        assert rig.moved() == [(J.name, 12_345)]
        assert (await shop.balances())[1] > 0


@MANY
@given(STATUSES, WORDS, st.text(max_size=20))
def test_07_an_unlisted_refusal_of_wechat_is_no_failure(
    status: int, code: str, message: str
) -> None:
    """Jeepay maps every code it does not list to FAIL; WeChat says not to change the number."""
    assume((status, code) not in {(row.status, row.code) for row in wechat_codes.SUBMIT})
    reply = platform.reply(status, {"code": code, "message": message})

    submitted = READER.submitted(reply, platform.instruction(), NOW)
    inquired = READER.inquired(reply, platform.inquiry(), NOW)

    assert isinstance(submitted, Unknown)
    assert isinstance(inquired, Absent if (status, code) == wechat_codes.NOT_FOUND else Unknown)


@pytest.mark.parametrize("state", ["CANCELING", "WAIT_USER_CONFIRM", "TRANSFERING", "ACCEPTED"])
@pytest.mark.parametrize("days", [0, 2])
def test_07_what_is_under_way_has_not_failed(state: str, days: int) -> None:
    """CANCELING was FAIL to Jeepay; closing may take longer than the day the payee has."""
    bill = platform.bill(state=state)
    reply = platform.reply(200, bill, at=platform.later(days=days))
    outcome = READER.inquired(reply, platform.inquiry(), platform.later(days=days))

    assert isinstance(outcome, Pending)


@MANY
@given(st.sampled_from(["wxpay", "alipay", "bank", "ysfpay"]), WORDS, st.text(max_size=20))
def test_07_a_failure_that_jeepay_may_have_made_up_is_none_of_ours(
    way: str, code: str, text: str
) -> None:
    """Only the channel's own published words count, wherever else Jeepay writes state 3."""
    assume(code not in jeepay_codes.ALIPAY_WORDS)
    assume(not (code == jeepay_codes.WECHAT_FAIL and text in jeepay_codes.WECHAT_WORDS))

    assert jeepay_codes.listed(way, code, text) is None


async def test_07_not_found_is_not_failed(url: str) -> None:
    """Within the channel's own window it means nothing: the money is not paid by another way."""
    async with running(url, (seat(W, account={"notify_url": None}), A)) as rig:
        shop = await open_shop(rig)
        rig.fault("reset_after", W)
        rig.fault("not_found_window", W, seconds="10m")

        told = await shop.submit("A", **TO_LI)
        await rig.pass_time(minutes=5)
        meanwhile = await shop.status("A")
        held = (await shop.balances())[1]
        await rig.pass_time(minutes=60)

        assert (told.ok, told.status, meanwhile) == (True, 0, 0)
        assert held > 0
        assert await shop.status("A") == 1
        assert rig.moved() == [(W.name, 12_345)]


@pytest.mark.parametrize("word", ["CANCELED", "CANCELLING", "Success", "FAILED", "CLOSED", "PAID"])
def test_08_a_state_spelled_otherwise_is_unknown(word: str) -> None:
    """Jeepay's query spells CANCELED and CANCELLING, its notices CANCELLED and CANCELING."""
    reply = platform.reply(200, platform.bill(state=word))

    outcome = READER.inquired(reply, platform.inquiry(), NOW)

    assert isinstance(outcome, Unknown)
    assert outcome.cause is UnknownCause.UNKNOWN_STATE


@pytest.mark.parametrize(
    ("action", "cause", "rule"),
    [
        ("unknown_status", "unknown_state", {"status": "CANCELED"}),
        ("unknown_code", "unknown_code", {"code": "NEW_WORD"}),
    ],
)
async def test_08_an_unknown_word_is_told_to_people_once(
    url: str, action: str, cause: str, rule: dict[str, str]
) -> None:
    """In doubt for the caller, an alarm that names the word for us, and no second payment."""
    async with running(url, (MUTE, B)) as rig:
        shop = await open_shop(rig)
        for number, money in (("A", "123.45"), ("B", "123.46")):
            rig.fault(action, A, **rule)
            rig.fault("not_found_window", A, seconds="30s")
            assert (await shop.submit(number, money=money)).status == 0
            assert await shop.status(number) == 0

        alarms = [facts for name, facts in rig.witness.alarms if name == "channel.strange_word"]
        assert [(one["channel"], one["cause"], one["code"]) for one in alarms] == [
            (A.name, cause, next(iter(rule.values())))
        ]
        await rig.pass_time(minutes=10)
        assert rig.moved() == [(A.name, 12_345), (A.name, 12_346)]

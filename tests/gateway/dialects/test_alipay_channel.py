"""Our own Alipay channel with another gateway in Alipay's place: gateway to gateway, both ways."""

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from channels.alipay.channel import AlipayChannel, build
from channels.alipay.settings import AlipaySettings
from channels.contract import (
    Absent,
    AlipayAccount,
    AlipayIdentity,
    BankAccount,
    BankCard,
    Inquiry,
    Instruction,
    Instrument,
    Outcome,
    Paid,
    Pending,
    Reason,
    Rejected,
    Returned,
    Unknown,
    UnknownCause,
)
from channels.money import Currency, Money
from gateway.engine import operate
from tests.builders import NOW, after, cny
from tests.channels.alipay.platform import ALL_RAILS, TERMS
from tests.gateway.dialects.conftest import APP_ID, OpenPlatform, pairs

ACCOUNT = AlipayAccount("zhang@example.com", AlipayIdentity.LOGON_ID, "张三丰")
CARD = BankCard("6222021234567890123", "王小五", None, "中国工商银行")
CORPORATE = BankAccount("0200004509022100123", "某某公司", "102100000450", "中国工商银行")


@pytest.fixture
async def channel(platform: OpenPlatform) -> AsyncIterator[AlipayChannel]:
    """Configured as for Alipay, with another address and keys."""
    settings = AlipaySettings.model_validate(
        {
            "gateway_url": platform.app.url,
            "app_id": APP_ID,
            "private_key": pairs()[0][0],
            "alipay_public_key": platform.app.alipay_public_key,
            "products": ALL_RAILS,
        }
    )
    made = build("upstream", settings, TERMS, platform.desk.clock.now)
    yield made
    await made.aclose()


def instruction(instrument: Instrument = ACCOUNT, reference: str = "R1") -> Instruction:
    """One try to pay 12.30 yuan."""
    return Instruction("a1", reference, cny(1230), instrument, "十月佣金")


def inquiry(instrument: Instrument = ACCOUNT, channel_ref: str | None = None) -> Inquiry:
    """The question about it."""
    return Inquiry("R1", cny(1230), instrument, NOW, channel_ref)


async def send(channel: AlipayChannel, told: Instruction) -> Outcome:
    """Checked, prepared and sent, as the engine does."""
    assert channel.check(told) == ()
    return await channel.send(channel.prepare(told, NOW))


@pytest.mark.parametrize("instrument", [ACCOUNT, CARD, CORPORATE])
async def test_what_it_asks_for_is_paid_and_found(
    platform: OpenPlatform, channel: AlipayChannel, instrument: Instrument
) -> None:
    """Under way, then paid, by our number and by theirs; the same again is the same payment."""
    taken = await send(channel, instruction(instrument))
    assert isinstance(taken, Pending)
    await platform.work()

    found = await channel.inquire(inquiry(instrument))
    by_order = await channel.inquire(inquiry(instrument, taken.channel_ref))
    again = await send(channel, instruction(instrument))

    assert isinstance(found, Paid)
    assert (found.channel_ref, found.at, found.fee) == (taken.channel_ref, NOW, cny(30))
    assert by_order == found
    assert isinstance(again, Paid)
    (payout,) = await platform.payouts()
    assert (payout.instruments, payout.purpose) == ((instrument,), "十月佣金")


async def test_the_balance_is_read(platform: OpenPlatform, channel: AlipayChannel) -> None:
    """What the merchant may spend up there is our float."""
    told = await channel.balance()

    assert told.available == Money(100_000_000, Currency.CNY)


async def test_what_was_never_taken_is_absent(channel: AlipayChannel) -> None:
    """In the one word that means it."""
    assert isinstance(await channel.inquire(inquiry()), Absent)


async def test_a_short_balance_is_ours_to_fill(
    platform: OpenPlatform, channel: AlipayChannel
) -> None:
    """And believed once the look finds nothing."""
    big = replace(instruction(), amount=Money(100_000_000, Currency.CNY))
    refused = await send(channel, big)

    assert isinstance(refused, Rejected)
    assert (refused.reason, refused.confirm) == (Reason.FLOAT_SHORT, True)
    assert isinstance(await channel.inquire(replace(inquiry(), amount=big.amount)), Absent)


async def test_another_content_under_its_number_proves_nothing(
    platform: OpenPlatform, channel: AlipayChannel
) -> None:
    """A conflict is a reason to look, never a refusal."""
    await send(channel, instruction())
    other = await send(channel, replace(instruction(), amount=cny(1231)))

    assert isinstance(other, Unknown)
    assert other.cause is UnknownCause.CHANNEL_UNSURE


@pytest.mark.parametrize(
    ("below", "read"),
    [
        (Rejected(Reason.PAYEE_NOT_FOUND, "NO", ""), Reason.PAYEE_NOT_FOUND),
        (Rejected(Reason.PAYEE_BLOCKED, "NO", ""), Reason.PAYEE_BLOCKED),
        (Rejected(Reason.UNEXPLAINED, "NO", ""), Reason.UNEXPLAINED),
    ],
)
async def test_a_proven_failure_comes_up_with_its_reason(
    platform: OpenPlatform, channel: AlipayChannel, below: Outcome, read: Reason
) -> None:
    """Through two gateways."""
    platform.desk.till.outcomes.append(below)
    await send(channel, instruction())
    await platform.work()

    found = await channel.inquire(inquiry())

    assert isinstance(found, Rejected)
    assert found.reason is read


async def test_what_nobody_knows_stays_open(platform: OpenPlatform, channel: AlipayChannel) -> None:
    """A channel below that is silent never comes up as a failure."""
    platform.desk.till.outcomes.append(Unknown(UnknownCause.TIMEOUT))
    await send(channel, instruction())
    await platform.work()

    assert isinstance(await channel.inquire(inquiry()), Pending)
    assert isinstance(await send(channel, instruction()), Pending)


async def test_money_that_came_back_comes_back_here(
    platform: OpenPlatform, channel: AlipayChannel
) -> None:
    """With its day and amount."""
    platform.desk.till.outcomes.append(
        Returned("till-1", after(5), cny(1230), Reason.BANK_RETURNED)
    )
    await send(channel, instruction(CARD))
    await platform.work()

    found = await channel.inquire(inquiry(CARD))

    assert isinstance(found, Returned)
    assert found.amount == cny(1230)


async def test_a_person_who_stops_it_leaves_a_failure_without_a_cause(
    platform: OpenPlatform, channel: AlipayChannel
) -> None:
    """So that nobody pays it by another way without a look."""
    await send(channel, instruction(reference="R0"))
    await send(channel, instruction())
    await operate.cancel(platform.desk.gateway, (await platform.payouts())[1].id, None, "ops")

    found = await channel.inquire(inquiry())

    assert isinstance(found, Rejected)
    assert found.reason is Reason.UNEXPLAINED


async def test_another_key_proves_nothing(platform: OpenPlatform, channel: AlipayChannel) -> None:
    """What it says is refused up there, and believed after a look only."""
    fresh = replace(platform.account.keys[0], id="k2", theirs=pairs()[2][1])
    rotated = platform.account.rotated(fresh, only=True)
    await platform.desk.store.change_dialect_account(rotated, "rotated", "ops")

    refused = await send(channel, instruction())

    assert isinstance(refused, Rejected)
    assert (refused.reason, refused.confirm) == (Reason.SIGNATURE_REFUSED, True)
    assert await platform.payouts() == []

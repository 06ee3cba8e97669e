"""Our own XxPay channel before our own XxPay door: one gateway resold by another."""

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec.structs import replace

from channels.contract import (
    Absent,
    BankAccount,
    BankCard,
    Inquiry,
    Instruction,
    Instrument,
    Outcome,
    Paid,
    Pending,
    Rail,
    Reason,
    Rejected,
    Returned,
    Tariff,
    Terms,
    Unknown,
    UnknownCause,
)
from channels.money import Currency, Money
from channels.xxpay.channel import XxPayChannel, build
from channels.xxpay.settings import XxPaySettings
from gateway.domain.payout import PayoutId, PayoutState
from gateway.engine import operate, record
from gateway.engine.gateway import Told
from gateway.engine.worker import advance, refresh
from tests.builders import after, bank_card, came_back
from tests.gateway.api.desk import open_desk
from tests.gateway.dialects.xxpay_shop import MCH_ID, XXPAY_KEY, XxShop

TERMS = Terms(Currency.CNY, amount_min=1, amount_max=100_000_000, tariffs=(Tariff(),))
REFERENCE = "P7K2M9X4Q1A1"
COMPANY = BankAccount(
    "0200004509022100123", "某某公司", "102100000450", "工商银行", province="浙江省", city="杭州市"
)


@dataclass(slots=True)
class Chain:
    """A channel on one side, the gateway behind the door on the other."""

    shop: XxShop
    channel: XxPayChannel

    def asks(self, instrument: Instrument, reference: str = REFERENCE) -> Instruction:
        """One try to pay 12.30."""
        amount = Money(1230, Currency.CNY)
        return Instruction("a1", reference, amount, instrument, "十月佣金")

    async def send(self, instrument: Instrument, reference: str = REFERENCE) -> Outcome:
        """Prepare and send once."""
        now = self.shop.desk.clock.now()
        return await self.channel.send(self.channel.prepare(self.asks(instrument, reference), now))

    async def inquire(self, instrument: Instrument, reference: str = REFERENCE) -> Outcome | Absent:
        """Ask by our number."""
        amount = Money(1230, Currency.CNY)
        now = self.shop.desk.clock.now()
        return await self.channel.inquire(Inquiry(reference, amount, instrument, now))


def channel_to(xxshop: XxShop, **changes: object) -> XxPayChannel:
    """Configured as an operator would: a base URL, an id and a key."""
    given: dict[str, object] = {
        "base_url": str(xxshop.desk.server.make_url("/d/xxpay")),
        "mch_id": MCH_ID,
        "private_key": XXPAY_KEY,
        "trust_failures": "all",
        "trust_refusals": True,
        "sub_amount_from": 2,
    }
    settings = XxPaySettings.model_validate(given | changes)
    return build("till", settings, TERMS, xxshop.desk.clock.now)


@pytest.fixture
async def chain(xxshop: XxShop) -> AsyncIterator[Chain]:
    """Both ends; the door's own channel reaches cards and companies."""
    till = xxshop.desk.till
    till.traits = replace(till.traits, rails=frozenset({Rail.BANK_CARD, Rail.BANK_ACCOUNT}))
    made = channel_to(xxshop)
    yield Chain(xxshop, made)
    with suppress(OSError):
        await made.aclose()


CARD = BankCard("6222021234567890123", "王五")
"""As it travels: the protocol has no field for a bank's short code."""


@pytest.mark.parametrize("instrument", [CARD, COMPANY], ids=["card", "company"])
async def test_a_payout_goes_through_both(chain: Chain, instrument: Instrument) -> None:
    """Pending, then paid, with the fee that the door takes."""
    sent = await chain.send(instrument)
    await chain.shop.work()
    found = await chain.inquire(instrument)

    assert isinstance(sent, Pending)
    assert isinstance(found, Paid)
    assert found.channel_ref == sent.channel_ref
    assert found.fee == Money(30, Currency.CNY)
    (payout,) = await chain.shop.payouts()
    assert payout.instruments == (instrument,)


async def test_a_number_that_is_not_known_is_absent(chain: Chain) -> None:
    """The door signs it, so that it can be believed."""
    assert isinstance(await chain.inquire(bank_card()), Absent)


async def test_a_refusal_is_believed(chain: Chain) -> None:
    """Nothing is stored; two looks complete it."""
    told = await chain.send(bank_card("12345678"))

    assert isinstance(told, Rejected)
    assert told.confirm
    assert await chain.shop.payouts() == []


async def test_a_failure_is_believed(chain: Chain) -> None:
    """Our door says failed only when it is proven."""
    chain.shop.desk.till.outcomes.append(Rejected(Reason.PAYEE_DECLINED, "DECLINED", ""))
    await chain.send(bank_card())
    await chain.shop.work()

    told = await chain.inquire(bank_card())

    assert isinstance(told, Rejected)
    assert told.message == "转账失败：收款人拒绝收款"


async def test_doubt_behind_the_door_is_pending_before_it(chain: Chain) -> None:
    """Nobody fails over on it."""
    chain.shop.desk.till.outcomes.append(Unknown(UnknownCause.TIMEOUT))
    await chain.send(bank_card())
    await chain.shop.work()

    assert isinstance(await chain.inquire(bank_card()), Pending)


async def test_what_came_back_behind_the_door_comes_back_before_it(chain: Chain) -> None:
    """With the whole amount."""
    await chain.send(bank_card())
    await chain.shop.work()
    (payout,) = await chain.shop.payouts()
    back = came_back(1, amount_minor=1230, at=after(1))
    await record.move(chain.shop.desk.gateway, payout, [back], actor="test")

    told = await chain.inquire(bank_card())

    assert isinstance(told, Returned)
    assert told.amount == Money(1230, Currency.CNY)


async def test_a_suspected_retry_is_pending(chain: Chain) -> None:
    """Two payouts of one amount to one payee: a person behind the door looks first."""
    await chain.send(bank_card())
    told = await chain.send(bank_card(), "P7K2M9X4Q1A2")

    assert isinstance(told, Pending)
    assert told.stage == "0"


async def test_the_balance_is_read(chain: Chain) -> None:
    """What is free."""
    await chain.send(bank_card())

    assert (await chain.channel.balance()).available == Money(99_998_740, Currency.CNY)


async def test_another_secret_proves_nothing(chain: Chain) -> None:
    """The door's refusal is unsigned, so it is no answer."""
    stranger = channel_to(chain.shop, private_key="ANOTHER-SECRET-OF-SOMEBODY")
    now = chain.shop.desk.clock.now()

    told = await stranger.send(stranger.prepare(chain.asks(bank_card()), now))

    await stranger.aclose()
    assert isinstance(told, Unknown)
    assert await chain.shop.payouts() == []


async def test_a_whole_gateway_pays_through_another(chain: Chain, tmp_path: Path) -> None:
    """Each has one payout, and the payee is paid once."""
    (tmp_path / "front").mkdir()
    async with open_desk(tmp_path / "front") as front:
        front.gateway.channels["till"] = chain.channel  # type: ignore[index] # a dict in tests
        front.clock.at = chain.shop.desk.clock.at
        made = PayoutId(await front.pay(amount_minor=1230))
        await front.work(made)
        await chain.shop.work()
        front.clock.at = after(60)
        await refresh(front.gateway)
        await advance(front.gateway, Told(made))
        paid = await operate.find(front.gateway, made, None)

    (behind,) = await chain.shop.payouts()
    assert paid.state is behind.state is PayoutState.PAID
    assert behind.merchant_ref == f"da_x:{paid.attempts[0].reference}"
    assert len(chain.shop.desk.till.sent) == 1

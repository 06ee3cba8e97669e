"""A gateway behind a gateway: our own Jeepay adapter on one side, our own door on the other.

What the adapter believes is what the door has done: each state, each doubt, each notice.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from channels.contract import (
    Absent,
    Inquiry,
    Instruction,
    Notice,
    NoticeRefused,
    Outcome,
    Paid,
    PayeeAction,
    Pending,
    Reason,
    Rejected,
    Unknown,
    UnknownCause,
)
from channels.jeepay.channel import JeepayChannel, build
from tests.builders import after, bank_card, cny
from tests.channels.jeepay.gateway import RAILS, TERMS, settings
from tests.gateway.dialects.jeepay_shop import APP_ID, MCH_NO, SECRET, Shop

REFERENCE = "P7K2M9X4Q1A1"
MOVED = (Paid, Pending)


@dataclass(slots=True)
class Pair:
    """Our channel and the shop that it pays through."""

    shop: Shop
    channel: JeepayChannel

    def instruction(self, reference: str = REFERENCE, fen: int = 1230) -> Instruction:
        """One try, with an address to be told at."""
        url = f"http://{self.shop.ears.origin}/notices/jeepay"
        return Instruction("a1", reference, cny(fen), bank_card(), "十月佣金", notify_url=url)

    async def pay(self, reference: str = REFERENCE, fen: int = 1230) -> Outcome:
        """Prepare and send once."""
        wanted = self.instruction(reference, fen)
        return await self.channel.send(self.channel.prepare(wanted, self.now()))

    async def ask(self, reference: str = REFERENCE) -> Outcome | Absent:
        """Inquire by our number."""
        return await self.channel.inquire(
            Inquiry(reference, cny(1230), bank_card(), self.now(), None)
        )

    def now(self) -> datetime:
        """The shop's clock."""
        return self.shop.desk.clock.now().astimezone(UTC)


@pytest.fixture
async def pair(shop: Shop) -> AsyncIterator[Pair]:
    """Configured as for any Jeepay gateway whose failures are known to be true."""
    configured = settings(
        base_url=shop.sdk.base.rstrip("/"),
        mch_no=MCH_NO,
        app_id=APP_ID,
        app_secret=SECRET,
        rails=RAILS,
        trust_failures="all",
    )
    channel = build("gateway", configured, TERMS, shop.desk.clock.now)
    yield Pair(shop, channel)
    await channel.aclose()


async def test_a_payment_goes_through(pair: Pair) -> None:
    """Taken, then paid at the moment the other gateway names."""
    taken = await pair.pay()
    await pair.shop.work()
    paid = await pair.ask()

    assert isinstance(taken, Pending)
    assert isinstance(paid, Paid)
    assert paid.channel_ref == taken.channel_ref
    assert abs(paid.at - pair.now()) < timedelta(seconds=1)


async def test_a_failure_is_believed_and_a_return_is_no_payment(pair: Pair) -> None:
    """With the other gateway's own code."""
    pair.shop.desk.till.outcomes.append(Rejected(Reason.PAYEE_NOT_FOUND, "X", ""))
    await pair.pay()
    await pair.shop.work()

    failed = await pair.ask()

    assert isinstance(failed, Rejected)
    assert failed.code == "PAYEE_NOT_FOUND"


async def test_doubt_there_is_waiting_here(pair: Pair) -> None:
    """Unknown, held for review, confirmed by the payee: none is a failure."""
    pair.shop.desk.till.outcomes.append(Unknown(UnknownCause.TIMEOUT))
    await pair.pay("A1")
    await pair.shop.work()
    held = await pair.pay("A2")
    action = PayeeAction("wechat_confirm", "PKG/1+2=", after(600))
    pair.shop.desk.till.outcomes.append(Pending("t", "WAIT_USER_CONFIRM", action))
    confirming = await pair.pay("A3", 77)
    await pair.shop.work()
    shown = await pair.channel.inquire(Inquiry("A3", cny(77), bank_card(), pair.now(), None))

    assert isinstance(await pair.ask("A1"), Pending)
    assert isinstance(held, Pending)
    assert isinstance(confirming, Pending)
    assert isinstance(shown, Pending)
    assert shown.action is not None
    assert (shown.action.kind, shown.action.package_info) == ("wechat_confirm", "PKG/1+2=")


async def test_wechats_package_comes_up_as_our_page(pair: Pair) -> None:
    """Whose application it is, only its owner could open; the page anybody can."""
    action = PayeeAction("wechat_confirm", "PKG", after(600), app_id="wx1", mch_id="19")
    pair.shop.desk.till.outcomes.append(Pending("t", "WAIT", action))
    await pair.pay()
    await pair.shop.work()
    (payout,) = await pair.shop.payouts()

    shown = await pair.ask()

    links = pair.shop.desk.api.confirm_links
    assert isinstance(shown, Pending)
    assert links is not None
    assert shown.action is not None
    assert (shown.action.kind, shown.action.package_info) == ("open_link", links.url(payout.id))


async def test_a_page_to_open_goes_through_both(pair: Pair) -> None:
    """As an address."""
    action = PayeeAction("open_link", "https://pay.example/c/1", after(600))
    pair.shop.desk.till.outcomes.append(Pending("t", "WAIT", action))
    await pair.pay()
    await pair.shop.work()

    shown = await pair.ask()

    assert isinstance(shown, Pending)
    assert shown.action is not None
    assert (shown.action.kind, shown.action.package_info) == (action.kind, action.package_info)


async def test_the_same_reference_sent_again_is_the_same_payout(pair: Pair) -> None:
    """A lost reply costs nothing; another amount under it is no outcome at all."""
    first = await pair.pay()
    again = await pair.pay()
    other = await pair.pay(fen=1231)
    await pair.shop.work()

    assert isinstance(first, Pending)
    assert isinstance(again, Pending)
    assert again.channel_ref == first.channel_ref
    assert isinstance(other, Unknown)
    assert len(pair.shop.desk.till.sent) == 1


async def test_what_was_never_asked_is_no_failure(pair: Pair) -> None:
    """An unsigned "not found" proves nothing to the adapter."""
    assert isinstance(await pair.ask(), Unknown)


async def test_its_notice_is_read(pair: Pair) -> None:
    """Proven, about our reference; the word that it wants is what we answer."""
    await pair.pay()
    await pair.shop.work()
    await pair.shop.deliver()
    heard = pair.shop.ears.heard[-1]

    read = pair.channel.read_notice(heard.headers, heard.body, pair.now())
    forged = pair.channel.read_notice(
        heard.headers, heard.body.replace(b"state=2", b"state=3"), pair.now()
    )

    assert isinstance(read, Notice)
    assert read.reference == REFERENCE
    assert read.reply.body == b"SUCCESS"
    assert isinstance(forged, NoticeRefused)

"""The Circle Mint adapter and its simulator over real sockets, beyond what every channel must do.

Neither knows the other's code. What money really moved is read from the simulator's own books.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from channels.contract import (
    Absent,
    ChainAddress,
    Inquiry,
    Instruction,
    Instrument,
    Notice,
    NoticeRefused,
    NotSent,
    NotSentCause,
    Outcome,
    Paid,
    Pending,
    Reason,
    Rejected,
    Returned,
    Terms,
    Unknown,
    UnknownCause,
    WireAccount,
)
from channels.money import Currency, Money
from channels.stablecoin.channel import StablecoinChannel, build
from channels.stablecoin.settings import StablecoinSettings
from channels.stablecoin.signing import idempotency_key
from channels.stablecoin.statement import PAGE_SIZE
from simulators.faults import FaultRule
from simulators.scenario import ClockPlan, Plan
from simulators.world import World
from tests.channels.faulty import Exchange, FaultServer, fault_server
from tests.channels.stablecoin.platform import TERMS, public_text
from tests.simulators.stablecoin.customer import (
    API_KEY,
    RECIPIENT_ID,
    TOPIC,
    WIRE_ID,
    account,
    config,
    notice_key,
)

START = datetime(2026, 11, 2, 2, 0, tzinfo=UTC)
BANK = WireAccount(WIRE_ID, "Lagos Trading Ltd")
ADDRESS = ChainAddress("0x00", "ETH", RECIPIENT_ID)
MAGIC = "00000000-0000-4000-8000-0000000000"
EUROS = Terms(Currency.EUR, 1, 500_000_000)


@dataclass
class Scene:
    """A simulator, a channel that pays there, and the address notices go to."""

    world: World
    channel: StablecoinChannel
    notices: FaultServer
    heard: list[Notice | NoticeRefused] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where the simulator is."""
        return self.world.shells["stablecoin"].url

    async def pay(self, order: Instruction) -> Outcome:
        """Prepare and send once."""
        return await self.channel.send(self.channel.prepare(order, self.world.clock.now()))

    async def ask(self, order: Instruction, channel_ref: str | None = None) -> Outcome | Absent:
        """Inquire."""
        now = self.world.clock.now()
        asked = Inquiry(order.reference, order.amount, order.instrument, now, channel_ref)
        return await self.channel.inquire(asked)

    async def taken(self, order: Instruction) -> str:
        """Pay; the id it is known by."""
        outcome = await self.pay(order)
        assert isinstance(outcome, Pending), outcome
        assert outcome.channel_ref is not None
        return outcome.channel_ref

    def moved(self) -> list[tuple[str, int]]:
        """What money really moved."""
        truth = self.world.shells["stablecoin"].simulator.truth()
        return [(one.kind, one.amount_minor) for one in truth]


def settings(url: str, **changes: object) -> StablecoinSettings:
    """The settings of the simulator's first account; its certificate has to be fetched."""
    given: dict[str, object] = {
        "base_url": url,
        "api_key": API_KEY,
        "rails": ["wire", "chain"],
        "sns_topic_arns": [TOPIC],
        "sns_origins": [url],
        "total_timeout_s": 5,
    }
    return StablecoinSettings.model_validate(given | changes)


@asynccontextmanager
async def opened(
    section: Mapping[str, Any] | None = None,
    terms: Terms = TERMS,
    given: Mapping[str, object] | None = None,
    **changes: object,
) -> AsyncIterator[Scene]:
    """Everything running; notices are read by the channel and answered as it says."""
    scenes: list[Scene] = []

    async def hear(exchange: Exchange) -> None:
        head, _, body = exchange.request.partition(b"\r\n\r\n")
        lines = (line.decode().split(": ", 1) for line in head.split(b"\r\n")[1:])
        headers = {name.lower(): value for name, value in lines}
        (made,) = scenes
        read = made.channel.read_notice(headers, body, made.world.clock.now())
        made.heard.append(read)
        said = f"HTTP/1.1 {read.reply.status} X\r\ncontent-length: {len(read.reply.body)}\r\n\r\n"
        await exchange.say(said.encode() + read.reply.body)

    async with fault_server(hear) as notices:
        account_of = account(notify_url=notices.url, **(section or {}))
        plan = Plan(
            seed=1,
            clock=ClockPlan(mode="virtual", start=START),
            simulators=(config(account_of, **changes),),
        )
        async with World(plan) as world:
            url = world.shells["stablecoin"].url
            channel = build("mint-sim", settings(url, **(given or {})), terms, world.clock.now)
            scenes.append(Scene(world, channel, notices))
            yield scenes[0]
            await channel.aclose()
            await asyncio.sleep(0.01)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """A USD account with both products."""
    async with opened() as made:
        yield made


def order(
    payee: Instrument = BANK, reference: str = "PO1A1", amount: Money | None = None
) -> Instruction:
    """Pay so much to that one."""
    money = amount or Money(12_345, Currency.USD)
    return Instruction("a1", reference, money, payee, "October fees")


def magic(number: int) -> WireAccount:
    """A bank account with which one thing goes wrong."""
    return WireAccount(f"{MAGIC}{number:02d}", "x")


async def test_coins_are_paid_once_the_chain_has_confirmed(scene: Scene) -> None:
    """Twelve blocks of twelve seconds; fees of the network count."""
    number = await scene.taken(order(ADDRESS))
    await scene.world.advance(timedelta(seconds=100))
    assert isinstance(await scene.ask(order(ADDRESS), number), Pending)
    await scene.world.advance(timedelta(seconds=50))
    assert isinstance(await scene.ask(order(ADDRESS), number), Paid)
    assert scene.moved() == [("payout", 12_345)]


@pytest.mark.parametrize(
    ("payee", "reason"),
    [
        (magic(2), Reason.INSTRUMENT_INVALID),
        (magic(4), Reason.RISK_REFUSED),
        (ChainAddress("0x00", "ETH", f"{MAGIC}11"), Reason.RISK_REFUSED),
    ],
)
async def test_magic_payees_fail_with_their_reason(
    scene: Scene, payee: Instrument, reason: Reason
) -> None:
    """Taken, then failed; nothing moved."""
    number = await scene.taken(order(payee))
    await scene.world.advance(timedelta(minutes=5))
    outcome = await scene.ask(order(payee), number)
    assert isinstance(outcome, Rejected)
    assert (outcome.reason, outcome.confirm) == (reason, False)
    assert scene.moved() == []


async def test_an_unregistered_payee_is_refused_at_once(scene: Scene) -> None:
    """400, code 2, at destination.id: no money moved, another instrument may do."""
    outcome = await scene.pay(order(magic(1)))
    assert isinstance(outcome, Rejected)
    assert (outcome.reason, outcome.confirm) == (Reason.INSTRUMENT_INVALID, False)


async def test_a_failure_without_a_certain_cause_stays_in_doubt(scene: Scene) -> None:
    """transaction_failed: only a return or a person ends it."""
    number = await scene.taken(order(magic(7)))
    await scene.world.advance(timedelta(days=3))
    outcome = await scene.ask(order(magic(7)), number)
    assert isinstance(outcome, Unknown)
    assert outcome.cause is UnknownCause.CHANNEL_UNSURE


async def test_a_short_balance_fails_the_payout_later() -> None:
    """insufficient_funds is a word of the payout, not of the request."""
    async with opened({"balance_fen": 100}) as scene:
        number = await scene.taken(order())
        await scene.world.advance(timedelta(minutes=1))
        outcome = await scene.ask(order(), number)
        assert isinstance(outcome, Rejected)
        assert outcome.reason is Reason.FLOAT_SHORT


@pytest.mark.parametrize("status", ["failed", "complete"])
async def test_a_return_under_way_is_no_return_yet(status: str) -> None:
    """Pending until it has cleared, then returned, whatever the payout shows meanwhile."""
    async with opened(return_clear_s=3600, returned_status=status) as scene:
        await scene.world.advance(timedelta(0))
        number = await scene.taken(order(magic(3)))
        await scene.world.advance(timedelta(minutes=1))
        assert isinstance(await scene.ask(order(magic(3)), number), Paid)
        await scene.world.advance(timedelta(days=1))
        assert isinstance(await scene.ask(order(magic(3)), number), Pending)
        await scene.world.advance(timedelta(hours=1))
        back = await scene.ask(order(magic(3)), number)
        assert isinstance(back, Returned)
        assert back.amount.minor == 12_345


async def test_a_look_never_makes_a_payout(scene: Scene) -> None:
    """Asked again and again without an id: nothing is created, and absent is all it says."""
    for _ in range(5):
        assert isinstance(await scene.ask(order()), Absent)
    assert scene.moved() == []
    journal = scene.world.journal.rows(limit=100)
    assert {row["method"] for row in journal} == {"GET"}


async def test_a_look_finds_what_could_be_ours_and_names_it(scene: Scene) -> None:
    """One of the same payee and amount; no proof, but a person can see which."""
    number = await scene.taken(order(reference="PO9A1"))
    outcome = await scene.ask(order())
    assert isinstance(outcome, Unknown)
    assert outcome.cause is UnknownCause.CHANNEL_UNSURE
    assert number in (outcome.evidence.message or "")


async def test_payouts_to_others_of_other_sums_or_of_long_ago_are_not_ours(scene: Scene) -> None:
    """Payee, amount and time each rule one out."""
    await scene.pay(order(reference="PO2A1"))
    await scene.world.advance(timedelta(days=2))
    await scene.pay(order(reference="PO3A1", amount=Money(12_346, Currency.USD)))
    await scene.pay(order(ADDRESS, reference="PO4A1"))
    assert isinstance(await scene.ask(order()), Absent)


async def test_every_page_of_the_list_is_read(scene: Scene) -> None:
    """Ours is the oldest of more than two pages."""
    number = await scene.taken(order(reference="PO0A1"))
    for n in range(2 * PAGE_SIZE + 1):
        await scene.pay(order(reference=f"PO{n}X", amount=Money(500 + n, Currency.USD)))
    outcome = await scene.ask(order())
    assert isinstance(outcome, Unknown)
    assert number in (outcome.evidence.message or "")


@pytest.mark.parametrize("action", ["garbage", "reset_after", "http_error", "throttle"])
async def test_a_list_that_cannot_be_read_says_nothing(scene: Scene, action: str) -> None:
    """Not even absence."""
    params = {"per_s": 0} if action == "throttle" else {}
    scene.world.add_rule(FaultRule(action=action, op="list", params=params))
    assert isinstance(await scene.ask(order()), Unknown)


async def test_the_same_key_with_the_same_body_is_answered_with_the_original(scene: Scene) -> None:
    """However often, and as it was when it was taken."""
    number = await scene.taken(order())
    await scene.world.advance(timedelta(minutes=5))
    assert await scene.pay(order()) == Pending(number, "pending")
    assert [one for one in scene.moved() if one[0] == "payout"] == [("payout", 12_345)]


async def test_a_notice_waits_for_its_certificate_and_then_names_the_payout(scene: Scene) -> None:
    """The first try is put off; the next inquiry fetches the certificate; SNS tries again."""
    number = await scene.taken(order())
    await scene.world.advance(timedelta(seconds=3))
    (first,) = scene.heard
    assert isinstance(first, NoticeRefused)
    assert first.reply.status == 503
    await scene.ask(order(), number)
    await scene.world.advance(timedelta(seconds=25))
    second = scene.heard[-1]
    assert isinstance(second, Notice)
    assert (second.channel_ref, second.event) == (number, "complete")


async def test_a_subscription_is_confirmed_with_the_next_inquiry(scene: Scene) -> None:
    """Verified first; then visited where SNS asks to, and nowhere else."""
    asked = scene.channel._transport
    headers = (("Authorization", f"Bearer {API_KEY}"), ("Content-Type", "application/json"))
    url = f"{scene.url}/v1/notifications/subscriptions"
    body = json.dumps({"endpoint": scene.notices.url}).encode()
    assert not isinstance(await asked.post(url, headers, body), NotSent | Unknown)
    for _ in range(3):
        await scene.world.advance(timedelta(seconds=21))
        await scene.ask(order())
    listed = await asked.get(url, headers)
    assert not isinstance(listed, Unknown)
    states = [one["subscriptionDetails"][0]["status"] for one in json.loads(listed.body)["data"]]
    assert states == ["confirmed", "confirmed"]


async def test_notices_signed_by_circle_need_no_certificate() -> None:
    """v2: under a configured key."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key(notice_key().encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    known = {"key_id": "0a5e0000-0000-4000-8000-000000000001", "public_key": public_text(key)}
    async with opened({"notices": "ecdsa"}, given={"notice_keys": [known]}) as scene:
        number = await scene.taken(order())
        await scene.world.advance(timedelta(seconds=3))
        (notice,) = scene.heard
        assert isinstance(notice, Notice)
        assert notice.channel_ref == number


CONVERTS: Mapping[str, object] = {
    "rails": ["chain"],
    "source_currency": "USD",
    "quote_refresh_s": 600,
}


async def test_a_conversion_waits_for_a_fresh_quote() -> None:
    """The first try leaves nothing and starts the watch; with a quote the payee gets euros."""
    async with opened(terms=EUROS, given=CONVERTS) as scene:
        euros = order(ADDRESS, amount=Money(10_000, Currency.EUR))
        early = await scene.pay(euros)
        assert isinstance(early, NotSent)
        assert early.cause is NotSentCause.PREPARE
        await scene.channel.refresh_quote()
        number = await scene.taken(euros)
        await scene.world.advance(timedelta(minutes=5))
        assert isinstance(await scene.ask(euros, number), Paid)
        assert scene.moved() == [("payout", 11_000)]
        late = await scene.pay(replace(euros, reference="PO2A1"))
        assert isinstance(late, NotSent)
        assert "old" in late.detail


async def test_a_rate_that_runs_away_stops_conversions() -> None:
    """Two percent within the hour, and one is the limit."""
    rates = {"EUR-USD": {"buy": "1.10", "sell": "1.09", "drift_ppm_per_hour": 40_000}}
    async with opened(terms=EUROS, given=CONVERTS, rates=rates) as scene:
        euros = order(ADDRESS, amount=Money(10_000, Currency.EUR))
        await scene.channel.refresh_quote()
        await scene.world.advance(timedelta(minutes=30))
        await scene.channel.refresh_quote()
        stopped = await scene.pay(euros)
        assert isinstance(stopped, NotSent)
        assert "moved" in stopped.detail
        assert scene.moved() == []


async def test_a_conversion_is_repeated_to_the_byte_at_any_rate() -> None:
    """Otherwise the same key would stand for two bodies."""
    async with opened(terms=EUROS, given=CONVERTS) as scene:
        euros = order(ADDRESS, amount=Money(10_000, Currency.EUR))
        first = scene.channel.prepare(euros, scene.world.clock.now())
        await scene.channel.refresh_quote()
        again = scene.channel.prepare(euros, scene.world.clock.now() + timedelta(hours=9))
        assert (first.body, first.digest) == (again.body, again.digest)
        assert json.loads(first.body)["idempotencyKey"] == idempotency_key("PO1A1")


@pytest.mark.parametrize("data", [b"{}", b'{"data":{"buy":"-1"}}', b"<html>"])
async def test_what_is_no_rate_is_no_quote(data: bytes) -> None:
    """Garbage, nothing, a negative rate: payouts go on waiting."""
    async with opened(terms=EUROS, given=CONVERTS) as scene:
        params = {"body": data.decode()}
        scene.world.add_rule(FaultRule(action="garbage", op="rate", params=params))
        await scene.channel.refresh_quote()
        euros = order(ADDRESS, amount=Money(10_000, Currency.EUR))
        assert isinstance(await scene.pay(euros), NotSent)

"""The Alipay adapter and the Alipay simulator over real sockets.

Neither knows the other's code: both were written from the platform's documents. What money really
moved is read from the simulator's own books.
"""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from channels.alipay.channel import AlipayChannel, build
from channels.alipay.settings import AlipaySettings
from channels.contract import (
    Absent,
    AlipayAccount,
    AlipayIdentity,
    BankCard,
    Inquiry,
    Instruction,
    Instrument,
    LineKind,
    Notice,
    NoticeRefused,
    Outcome,
    Paid,
    Pending,
    Reason,
    Rejected,
    Returned,
    StatementNotReadyError,
    Unknown,
    UnknownCause,
)
from channels.money import Currency, Money
from simulators.faults import FaultRule
from simulators.scenario import ClockPlan, Plan
from simulators.world import World
from tests.channels.alipay.platform import ALL_RAILS, TERMS
from tests.channels.faulty import Exchange, FaultServer, fault_server
from tests.simulators.alipay.certificates import Authority
from tests.simulators.alipay.customer import account, config
from tests.simulators.keys import pair

START = datetime(2026, 11, 2, 2, 0, tzinfo=UTC)
"""A Monday, 10:00 in Beijing."""
DAY = date(2026, 11, 2)
BALANCE_FEN = 1_000_000
FEE_FEN = 10
ZHANG = AlipayAccount("zhang@example.test", AlipayIdentity.LOGON_ID, "张三丰")


@dataclass
class Scene:
    """A simulator, a channel that pays there, and the address notices go to."""

    world: World
    channel: AlipayChannel
    notices: FaultServer
    heard: list[Notice | NoticeRefused] = field(default_factory=list)

    async def pay(self, instruction: Instruction) -> Outcome:
        """Prepare and send once."""
        return await self.channel.send(self.channel.prepare(instruction, self.world.clock.now()))

    async def ask(
        self, instruction: Instruction, channel_ref: str | None = None
    ) -> Outcome | Absent:
        """Inquire."""
        return await self.channel.inquire(
            Inquiry(
                instruction.reference,
                instruction.amount,
                instruction.instrument,
                self.world.clock.now(),
                channel_ref,
            )
        )

    def moved(self) -> list[tuple[str, int]]:
        """What money really moved, besides fees."""
        truth = self.world.shells["alipay"].simulator.truth()
        return [(m.kind, m.amount_minor) for m in truth if m.kind in {"payout", "return"}]


def settings(world: World, **changes: object) -> AlipaySettings:
    """The settings of the simulator's first account."""
    given: dict[str, object] = {
        "gateway_url": f"{world.shells['alipay'].url}/gateway.do",
        "app_id": account()["app_id"],
        "user_id": account()["user_id"],
        "private_key": pair("app").private_pem,
        "alipay_public_key": pair("platform").public_pem,
        "products": ALL_RAILS,
        "total_timeout_s": 5,
    }
    return AlipaySettings.model_validate(given | changes)


@asynccontextmanager
async def running(section: dict[str, object]) -> AsyncIterator[World]:
    """A simulator on a virtual clock that stands at ten in the morning."""
    clock = ClockPlan(mode="virtual", start=START)
    async with World(Plan(seed=1, clock=clock, simulators=(section,))) as world:
        yield world
        # Stopped in the very turn in which it was woken, the shell would miss being cancelled.
        await asyncio.sleep(0.01)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """Everything running; notices are read by the channel and answered as it says."""

    async def hear(exchange: Exchange) -> None:
        body = exchange.request.partition(b"\r\n\r\n")[2]
        read = made.channel.read_notice({}, body, made.world.clock.now())
        made.heard.append(read)
        head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(read.reply.body)}\r\n\r\n"
        await exchange.say(head.encode() + read.reply.body)

    async with fault_server(hear) as notices:
        paying = account(balance_fen=BALANCE_FEN, notify_url=notices.url, fee={"flat_fen": FEE_FEN})
        async with running(config(paying)) as world:
            channel = build("alipay-sim", settings(world), TERMS, world.clock.now)
            made = Scene(world, channel, notices)
            yield made
            await channel.aclose()


def instruct(
    fen: int = 12_345, instrument: Instrument = ZHANG, reference: str = "PO1A1"
) -> Instruction:
    """Pay so much to that one."""
    return Instruction("a1", reference, Money(fen, Currency.CNY), instrument, "十月佣金")


def card(number: str) -> BankCard:
    """A personal card."""
    return BankCard(number, "张三丰", "ICBC", "中国工商银行")


async def test_account_is_paid_at_once_and_the_query_names_the_fee(scene: Scene) -> None:
    """Paid in the reply; the inquiry agrees and knows what it cost."""
    outcome = await scene.pay(instruct())
    assert isinstance(outcome, Paid)
    asked = await scene.ask(instruct())
    assert asked == replace(outcome, fee=Money(FEE_FEN, Currency.CNY))
    assert await scene.ask(instruct(), outcome.channel_ref) == asked
    assert scene.moved() == [("payout", 12_345)]


async def test_card_goes_from_dealing_to_paid_to_returned(scene: Scene) -> None:
    """The bank takes its time, and a day later sends the money back."""
    order = instruct(instrument=card("6222000000000002"))
    assert isinstance(await scene.pay(order), Pending)
    await scene.world.advance(timedelta(minutes=5))
    assert isinstance(await scene.ask(order), Paid)
    await scene.world.advance(timedelta(days=2))
    returned = await scene.ask(order)
    assert isinstance(returned, Returned)
    assert returned.amount == order.amount
    assert scene.moved() == [("payout", 12_345), ("return", 12_345)]


async def test_card_the_bank_refuses_ends_as_rejected(scene: Scene) -> None:
    """Taken at first, then refused, with the bank's reason."""
    order = instruct(instrument=card("6222000000000004"))
    assert isinstance(await scene.pay(order), Pending)
    await scene.world.advance(timedelta(minutes=5))
    outcome = await scene.ask(order)
    assert isinstance(outcome, Rejected)
    assert (outcome.reason, outcome.confirm) == (Reason.INSTRUMENT_INVALID, False)


@pytest.mark.parametrize(
    ("fen", "cause"),
    [
        (10_002, UnknownCause.CONNECTION_LOST),
        (10_003, UnknownCause.CONNECTION_LOST),
        (10_005, UnknownCause.CHANNEL_UNSURE),
        (10_008, UnknownCause.BAD_SIGNATURE),
        (10_009, UnknownCause.UNREADABLE),
        (10_010, UnknownCause.UNREADABLE),
        (10_014, UnknownCause.UNKNOWN_STATE),
        (10_015, UnknownCause.MISMATCH),
    ],
    ids=["lost", "cut", "unsure", "signature", "garbage", "502", "status", "amount"],
)
async def test_paid_behind_a_bad_answer_is_unknown_until_asked(
    scene: Scene, fen: int, cause: UnknownCause
) -> None:
    """The money moved and the reply did not say so: unknown, then found, and paid once."""
    order = instruct(fen)
    outcome = await scene.pay(order)
    assert isinstance(outcome, Unknown)
    assert outcome.cause is cause
    assert isinstance(await scene.ask(order), Paid)
    assert scene.moved() == [("payout", fen)]


@pytest.mark.parametrize("fen", [10_001, 10_006], ids=["reset", "SYSTEM_ERROR"])
async def test_request_that_never_took_effect_may_be_sent_again(scene: Scene, fen: int) -> None:
    """Unknown, then absent (which proves nothing), then the same number is paid once."""
    order = instruct(fen)
    assert isinstance(await scene.pay(order), Unknown)
    assert isinstance(await scene.ask(order), Absent)
    assert isinstance(await scene.pay(order), Paid)
    assert scene.moved() == [("payout", fen)]


async def test_same_number_again_replays_the_answer(scene: Scene) -> None:
    """Sending twice pays once."""
    first = await scene.pay(instruct())
    assert await scene.pay(instruct()) == first
    assert scene.moved() == [("payout", 12_345)]


async def test_same_number_with_another_amount_is_in_doubt(scene: Scene) -> None:
    """An inconsistency is no refusal: an order with this number exists."""
    await scene.pay(instruct())
    outcome = await scene.pay(instruct(99_900))
    assert isinstance(outcome, Unknown)
    assert outcome.cause is UnknownCause.CHANNEL_UNSURE
    asked = await scene.ask(instruct(99_900))
    assert isinstance(asked, Unknown)
    assert asked.cause is UnknownCause.MISMATCH
    assert scene.moved() == [("payout", 12_345)]


@pytest.mark.parametrize(
    ("payee", "reason"),
    [
        ("nobody@magic.test", Reason.PAYEE_NOT_FOUND),
        ("frozen@magic.test", Reason.PAYEE_BLOCKED),
        ("wrong-name@magic.test", Reason.PAYEE_NAME_MISMATCH),
        ("unverified@magic.test", Reason.PAYEE_UNVERIFIED),
        ("over-limit@magic.test", Reason.PAYEE_LIMIT),
    ],
)
async def test_payee_that_cannot_be_paid_is_rejected(
    scene: Scene, payee: str, reason: Reason
) -> None:
    """A definite refusal; nothing moved."""
    order = instruct(instrument=replace(ZHANG, identity=payee))
    outcome = await scene.pay(order)
    assert isinstance(outcome, Rejected)
    assert (outcome.reason, outcome.confirm) == (reason, False)
    assert scene.moved() == []


async def test_short_balance_is_confirmed_by_an_inquiry(scene: Scene) -> None:
    """Rejected with confirmation, and the inquiry finds no such order."""
    order = instruct(BALANCE_FEN + 100)
    outcome = await scene.pay(order)
    assert isinstance(outcome, Rejected)
    assert (outcome.reason, outcome.confirm) == (Reason.FLOAT_SHORT, True)
    assert isinstance(await scene.ask(order), Absent)


async def test_throttled_request_is_unknown_and_may_be_repeated(scene: Scene) -> None:
    """Not taken in, but that is for the channel to say twice."""
    scene.world.add_rule(FaultRule(op="submit", action="throttle", params={"per_s": 0}, times=1))
    outcome = await scene.pay(instruct())
    assert isinstance(outcome, Unknown)
    assert outcome.cause is UnknownCause.THROTTLED


async def test_wrong_key_is_refused_by_the_gateway(scene: Scene) -> None:
    """A merchant key the platform does not know: the channel's fault, to be confirmed."""
    stranger = settings(scene.world, private_key=pair("stranger").private_pem)
    channel = build("alipay-sim", stranger, TERMS, scene.world.clock.now)
    outcome = await channel.send(channel.prepare(instruct(), scene.world.clock.now()))
    await channel.aclose()
    assert isinstance(outcome, Rejected)
    assert (outcome.reason, outcome.confirm) == (Reason.SIGNATURE_REFUSED, True)


async def test_balance_goes_down_by_amount_and_fee(scene: Scene) -> None:
    """As the institution sees it."""
    await scene.pay(instruct())
    balance = await scene.channel.balance()
    assert balance.available == Money(BALANCE_FEN - 12_345 - FEE_FEN, Currency.CNY)


async def test_notice_names_the_order_and_is_acknowledged(scene: Scene) -> None:
    """Delivered once, since the answer is exactly `success`."""
    await scene.pay(instruct(instrument=card("6222020200112233445")))
    await scene.world.advance(timedelta(hours=30))
    assert scene.heard
    assert {n.reference for n in scene.heard if isinstance(n, Notice)} == {"PO1A1"}
    ids = [n.notice_id for n in scene.heard if isinstance(n, Notice)]
    assert len(ids) == len(set(ids)) == len(scene.heard)
    assert scene.heard[-1].reply.body == b"success"


async def test_duplicate_notices_have_one_id(scene: Scene) -> None:
    """So that they can be told from new ones."""
    await scene.pay(instruct(10_011))
    await scene.world.advance(timedelta(minutes=1))
    ids = [n.notice_id for n in scene.heard if isinstance(n, Notice)]
    assert len(ids) > len(set(ids))


async def test_forged_notice_is_refused(scene: Scene) -> None:
    """The forged one is told apart from the true one."""
    await scene.pay(instruct(10_016))
    await scene.world.settle()
    assert {type(n) for n in scene.heard} == {Notice, NoticeRefused}


async def test_statement_shows_payout_fee_and_return(scene: Scene) -> None:
    """Each day complete, with every movement in its place; not ready before nine."""
    order = instruct(instrument=card("6222000000000002"))
    await scene.pay(order)
    await scene.pay(instruct(5_000, reference="PO2A1"))
    await scene.world.advance_to(datetime(2026, 11, 3, 0, 59, tzinfo=UTC))
    with pytest.raises(StatementNotReadyError):
        [line async for line in scene.channel.statement(DAY)]
    await scene.world.advance(timedelta(days=3))
    first = [line async for line in scene.channel.statement(DAY)]
    later = [
        line
        for day in range(1, 3)
        async for line in scene.channel.statement(DAY + timedelta(days=day))
    ]
    assert sorted(
        (line.kind, line.amount.minor, line.reference) for line in first if not line.credit
    ) == [
        (LineKind.FEE, FEE_FEN, "PO1A1"),
        (LineKind.FEE, FEE_FEN, "PO2A1"),
        (LineKind.PAYOUT, 5_000, "PO2A1"),
        (LineKind.PAYOUT, 12_345, "PO1A1"),
    ]
    assert (LineKind.RETURN, 12_345, "PO1A1") in [
        (line.kind, line.amount.minor, line.reference) for line in later
    ]


async def test_certificate_mode_with_encryption(tmp_path: Path) -> None:
    """Serials both ways, ciphertext both ways, and the payout arrives."""
    authority = Authority()
    app, platform = authority.issue("app"), authority.issue("platform")
    aes = base64.b64encode(bytes(range(16))).decode()
    paying = account(public_key=None, app_certificate=app.pem, aes_key=aes, notify_url=None)
    section = config(paying, platform_certificate=platform.pem, root_certificates=authority.bundle)
    for name, text in (
        ("app", app.pem),
        ("root", authority.bundle),
        ("alipay", platform.pem),
    ):
        (tmp_path / f"{name}.pem").write_text(text)
    async with running(section) as world:
        configured = settings(
            world,
            alipay_public_key=None,
            app_cert_file=tmp_path / "app.pem",
            root_cert_file=tmp_path / "root.pem",
            alipay_cert_file=tmp_path / "alipay.pem",
            aes_key=aes,
        )
        channel = build("alipay-sim", configured, TERMS, world.clock.now)
        outcome = await channel.send(channel.prepare(instruct(), world.clock.now()))
        balance = await channel.balance()
        await channel.aclose()
    assert isinstance(outcome, Paid)
    assert balance.available == Money(BALANCE_FEN - 12_345, Currency.CNY)

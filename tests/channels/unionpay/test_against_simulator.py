"""The UnionPay adapter and the UnionPay simulator over real sockets: what only they have.

What every kind must do stands in the contract suite. Neither knows the other's code. What money
really moved is read from the simulator's own books.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import pytest

from channels.contract import (
    Absent,
    BankAccount,
    BankCard,
    ChannelError,
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
    StatementLine,
    StatementNotReadyError,
    ThrottledError,
    Unknown,
    UnknownCause,
)
from channels.money import Currency, Money
from channels.unionpay.channel import UnionpayChannel, build
from simulators.faults import FaultRule
from simulators.scenario import ClockPlan, Plan
from simulators.world import World
from tests.channels.faulty import Exchange, FaultServer, fault_server
from tests.channels.unionpay.platform import CORPORATE, TERMS, settings, usual
from tests.simulators.keys import pair
from tests.simulators.unionpay.merchant import account, certified, config

START = datetime(2026, 11, 2, 2, 0, tzinfo=UTC)
"""A Monday, 10:00 in Beijing."""
DAY = date(2026, 11, 2)
NEXT_MORNING = datetime(2026, 11, 3, 1, 0, tzinfo=UTC)
FEE_FEN = 100
ZHANG = BankCard("6216261000000000018", "张三丰", "ICBC", "中国工商银行")


@dataclass
class Scene:
    """A simulator, a channel that pays there, and the address notices go to."""

    world: World
    channel: UnionpayChannel
    notices: FaultServer
    status: int = 200
    heard: list[Notice | NoticeRefused] = field(default_factory=list)
    sent: dict[str, datetime] = field(default_factory=dict)

    async def pay(self, instruction: Instruction) -> Outcome:
        """Prepare and send once."""
        now = self.world.clock.now()
        self.sent.setdefault(instruction.reference, now)
        return await self.channel.send(self.channel.prepare(instruction, now))

    async def ask(self, instruction: Instruction, at: datetime | None = None) -> Outcome | Absent:
        """Inquire with the time of the first send, or another."""
        sent_at = at or self.sent[instruction.reference]
        return await self.channel.inquire(
            Inquiry(instruction.reference, instruction.amount, instruction.instrument, sent_at)
        )

    async def lines(self, day: date = DAY) -> list[StatementLine]:
        """The statement of a day."""
        return [line async for line in self.channel.statement(day)]

    def moved(self) -> list[tuple[str, int]]:
        """What money really moved, besides fees."""
        truth = self.world.shells["unionpay"].simulator.truth()
        return [(m.kind, m.amount_minor) for m in truth if m.kind in {"payout", "return"}]

    def rule(self, action: str, op: str = "submit", **params: str | int | bool) -> None:
        """Let something go wrong."""
        self.world.add_rule(FaultRule(op=op, action=action, params=dict(params)))


@asynccontextmanager
async def staged(
    changes: dict[str, object] | None = None,
    paying: dict[str, object] | None = None,
    **configured: object,
) -> AsyncIterator[Scene]:
    """Everything running; notices are read by the channel and answered as it says."""

    async def hear(exchange: Exchange) -> None:
        body = exchange.request.partition(b"\r\n\r\n")[2]
        read = made.channel.read_notice({}, body, made.world.clock.now())
        made.heard.append(read)
        status = read.reply.status if made.status == 200 else made.status
        head = f"HTTP/1.1 {status} X\r\ncontent-length: {len(read.reply.body)}\r\n\r\n"
        await exchange.say(head.encode() + read.reply.body)

    section = config(account(fee={"flat_fen": FEE_FEN}, **(paying or {})), **(changes or {}))
    clock = ClockPlan(mode="virtual", start=START)
    async with (
        fault_server(hear) as notices,
        World(Plan(seed=1, clock=clock, simulators=(section,))) as world,
    ):
        url = world.shells["unionpay"].url
        here = settings(gateway_url=url, file_url=url, back_url=notices.url, **configured)
        made = Scene(world, build("unionpay-sim", here, TERMS, world.clock.now), notices)
        yield made
        await made.channel.aclose()
        # Stopped in the very turn in which it was woken, the shell would miss being cancelled.
        await asyncio.sleep(0.01)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """The usual one."""
    async with staged() as made:
        yield made


def instruct(
    fen: int = 12_345, instrument: Instrument = ZHANG, reference: str = "PAYOUT0001"
) -> Instruction:
    """Pay so much to that one."""
    return Instruction("a1", reference, Money(fen, Currency.CNY), instrument, "十月佣金")


def card(number: str) -> BankCard:
    """A personal card."""
    return BankCard(number, "张三丰", "ICBC", "中国工商银行")


@pytest.mark.parametrize("instrument", [ZHANG, CORPORATE], ids=["card", "corporate"])
@pytest.mark.parametrize("is_encrypted", [False, True])
async def test_payout_is_taken_in_then_paid(
    instrument: BankCard | BankAccount, is_encrypted: bool
) -> None:
    """Both kinds of account, plain and encrypted; 00 alone is not paid."""
    file = usual().encrypt if is_encrypted else None
    async with staged(encrypt_cert_file=file) as scene:
        order = instruct(instrument=instrument)
        assert isinstance(await scene.pay(order), Pending)
        assert isinstance(await scene.ask(order), Pending)
        assert scene.moved() == []
        await scene.world.advance(timedelta(minutes=3))
        paid = await scene.ask(order)
        assert isinstance(paid, Paid)
        assert paid.at == START + timedelta(seconds=2)
        (movement, _) = scene.world.shells["unionpay"].simulator.truth()
        assert movement.payee == instrument.number


async def test_query_with_another_time_finds_nothing(scene: Scene) -> None:
    """Paid, and yet "not found": why the original txnTime must be kept."""
    await scene.pay(instruct())
    await scene.world.advance(timedelta(minutes=3))
    assert isinstance(await scene.ask(instruct(), START + timedelta(seconds=1)), Absent)
    assert isinstance(await scene.ask(instruct()), Paid)
    assert scene.channel.traits.inquires_by_time


async def test_same_number_on_another_day_would_be_paid_again(scene: Scene) -> None:
    """Uniqueness ends with the day of txnTime, so nothing is ever sent a second time here."""
    await scene.pay(instruct())
    await scene.world.advance(timedelta(days=1))
    assert isinstance(await scene.pay(instruct()), Pending)
    await scene.world.advance(timedelta(minutes=3))
    assert scene.moved() == [("payout", 12_345)] * 2
    assert scene.channel.traits.resend is None


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ("6221000000000001", Reason.INSTRUMENT_INVALID),
        ("6221000000000002", Reason.PAYEE_BLOCKED),
        ("6221000000000003", Reason.PAYEE_NAME_MISMATCH),
    ],
)
async def test_payee_that_cannot_be_paid_is_rejected(
    scene: Scene, number: str, reason: Reason
) -> None:
    """A definite, signed refusal; nothing moved."""
    outcome = await scene.pay(instruct(instrument=card(number)))
    assert isinstance(outcome, Rejected)
    assert (outcome.reason, outcome.confirm) == (reason, False)
    assert scene.moved() == []


async def test_order_that_ends_in_60_stays_open(scene: Scene) -> None:
    """ "Failed, ask your issuer" is among the codes that the official cadence asks on."""
    order = instruct(instrument=card("6221000000000009"))
    await scene.pay(order)
    await scene.world.advance(timedelta(hours=1))
    outcome = await scene.ask(order)
    assert isinstance(outcome, Unknown)
    assert outcome.evidence.code == "60"
    assert scene.moved() == []


@pytest.mark.parametrize(("at", "code"), [(None, "05"), (START - timedelta(hours=1), "34")])
async def test_answer_to_a_query_is_kept_with_its_code(
    scene: Scene, at: datetime | None, code: str
) -> None:
    """The fate if there is one, else why there is none."""
    await scene.pay(instruct())
    scene.rule("wrong_echo", "inquire", field="reference")
    outcome = await scene.ask(instruct(), at)
    assert isinstance(outcome, Unknown)
    assert outcome.evidence.code == code


async def test_stale_time_is_refused(scene: Scene) -> None:
    """Bytes that rested for two hours: a format error, not a payout."""
    prepared = scene.channel.prepare(instruct(), START)
    await scene.world.advance(timedelta(hours=2))
    outcome = await scene.channel.send(prepared)
    assert isinstance(outcome, Rejected)
    assert outcome.code == "10"
    assert scene.moved() == []


async def test_outside_hours_is_the_channels_refusal() -> None:
    """39, by the merchant's hours and by maintenance."""
    hours = {"opens": "08:00", "closes": "09:30"}
    async with staged(paying={"hours": hours}) as scene:
        outcome = await scene.pay(instruct())
        assert isinstance(outcome, Rejected)
        assert (outcome.reason, outcome.confirm) == (Reason.OUTSIDE_HOURS, True)
    async with staged() as scene:
        scene.rule("maintenance", from_hour="00:00", to_hour="23:00")
        outcome = await scene.pay(instruct())
        assert isinstance(outcome, Rejected)
        assert outcome.code == "39"


async def test_replies_of_another_signer_are_not_believed() -> None:
    """A true simulator with a certificate that names somebody else: paid, and not known."""
    stranger = certified("unionpay-stranger", "041@1@某某支付有限公司@1")
    key = pair("unionpay-stranger").private_pem
    async with staged({"signing_private_key": key, "signing_certificate": stranger}) as scene:
        for outcome in (await scene.pay(instruct()), await scene.ask(instruct())):
            assert isinstance(outcome, Unknown)
            assert outcome.cause is UnknownCause.BAD_SIGNATURE
        await scene.world.advance(timedelta(minutes=3))
        assert scene.moved() == [("payout", 12_345)]
        assert all(isinstance(one, NoticeRefused) for one in scene.heard)


async def test_only_successes_are_told(scene: Scene) -> None:
    """One notice for the paid order, none for the failed one."""
    await scene.pay(instruct())
    await scene.pay(instruct(200, card("6221000000000004"), "PAYOUT0002"))
    await scene.world.advance(timedelta(hours=1))
    assert [one.reference for one in scene.heard if isinstance(one, Notice)] == ["PAYOUT0001"]


async def test_notice_that_is_not_taken_comes_five_times(scene: Scene) -> None:
    """1, 2, 4 and 5 minutes apart, with one id."""
    scene.status = 500
    await scene.pay(instruct())
    await scene.world.advance(timedelta(hours=1))
    ids = [one.notice_id for one in scene.heard if isinstance(one, Notice)]
    assert (len(ids), len(set(ids))) == (5, 1)


async def test_statement_shows_payout_fee_and_later_the_return(scene: Scene) -> None:
    """The ZME line of the next day is proven by the first day's ZM line."""
    await scene.pay(instruct(instrument=card("6221000000000007")))
    await scene.pay(instruct(5_000, CORPORATE, "PAYOUT0002"))
    await scene.world.advance(timedelta(days=3))
    assert sorted((one.kind, one.amount.minor, one.reference) for one in await scene.lines()) == [
        (LineKind.FEE, FEE_FEN, "PAYOUT0001"),
        (LineKind.FEE, FEE_FEN, "PAYOUT0002"),
        (LineKind.PAYOUT, 5_000, "PAYOUT0002"),
        (LineKind.PAYOUT, 12_345, "PAYOUT0001"),
    ]
    (back,) = await scene.lines(DAY + timedelta(days=1))
    assert (back.kind, back.credit, back.reference) == (LineKind.RETURN, True, "PAYOUT0001")
    assert back.amount == Money(12_345, Currency.CNY)
    assert isinstance(await scene.ask(instruct(instrument=card("6221000000000007"))), Paid)


async def test_return_of_a_payout_that_its_own_file_lacks_stays_other(scene: Scene) -> None:
    """What nothing proves is shown as it is."""
    scene.world.add_rule(FaultRule(action="statement_missing_line", times=1))
    await scene.pay(instruct(instrument=card("6221000000000007")))
    await scene.world.advance(timedelta(days=3))
    assert await scene.lines() == []
    (line,) = await scene.lines(DAY + timedelta(days=1))
    assert (line.kind, line.credit, line.reference) == (LineKind.OTHER, True, None)


@pytest.mark.parametrize("counted", ["bytes", "letters"])
async def test_chinese_names_in_the_file(counted: str) -> None:
    """Whichever way the institution counts widths."""
    async with staged({"widths_count": counted}, {"short_name": "某某商户（杭州）"}) as scene:
        await scene.pay(instruct())
        await scene.world.advance(timedelta(days=1))
        payout, fee = await scene.lines()
        assert (payout.amount.minor, fee.amount.minor) == (12_345, FEE_FEN)


async def test_payout_after_the_cut_off_settles_a_day_later() -> None:
    """And its return the day after that is still proven, by the file of the later day."""
    async with staged({"settle_cutoff_hour": 10}) as scene:
        await scene.pay(instruct(instrument=card("6221000000000007")))
        await scene.world.advance(timedelta(days=4))
        assert await scene.lines() == []
        shifted = await scene.lines(DAY + timedelta(days=1))
        assert [one.kind for one in shifted] == [LineKind.PAYOUT, LineKind.FEE]
        assert shifted[0].booked_at == START + timedelta(seconds=2)
        (back,) = await scene.lines(DAY + timedelta(days=2))
        assert (back.kind, back.reference) == (LineKind.RETURN, "PAYOUT0001")


async def test_statement_is_not_ready_before_nine(scene: Scene) -> None:
    """98; today and tomorrow are not even asked for."""
    await scene.pay(instruct())
    await scene.world.advance_to(NEXT_MORNING - timedelta(minutes=1))
    for day in (DAY, DAY + timedelta(days=1), DAY + timedelta(days=30)):
        with pytest.raises(StatementNotReadyError):
            await scene.lines(day)
    await scene.world.advance_to(NEXT_MORNING)
    assert len(await scene.lines()) == 2


async def test_statement_of_a_day_without_movements_is_empty(scene: Scene) -> None:
    """Not the same as not ready."""
    await scene.world.advance(timedelta(days=1))
    assert await scene.lines() == []


async def test_day_that_could_be_mistaken_for_another_year_is_refused(scene: Scene) -> None:
    """settleDate has no year."""
    with pytest.raises(ChannelError, match="without a year"):
        await scene.lines(DAY - timedelta(days=350))


async def test_throttled_statement_says_so(scene: Scene) -> None:
    """37: the same question later."""
    await scene.world.advance(timedelta(days=1))
    scene.rule("throttle", "statement", per_s=0)
    with pytest.raises(ThrottledError):
        await scene.lines()


@pytest.mark.parametrize("action", ["unsigned", "bad_signature", "http_error", "unknown_code"])
async def test_file_that_cannot_be_believed_is_an_error(scene: Scene, action: str) -> None:
    """Never an empty day."""
    await scene.pay(instruct())
    await scene.world.advance(timedelta(days=1))
    scene.rule(action, "statement")
    with pytest.raises(ChannelError):
        await scene.lines()

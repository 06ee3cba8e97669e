"""The Alipay adapter and the Alipay simulator over real sockets: what only Alipay has.

Neither knows the other's code: both were written from the platform's documents. What money really
moved is read from the simulator's own books. What every kind must do stands in
tests/contracts/channels.
"""

import base64
import dataclasses
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

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
    Outcome,
    Paid,
    Pending,
    Reason,
    Rejected,
    Returned,
    StatementNotReadyError,
)
from channels.money import Currency, Money
from simulators.world import World
from tests.channels.alipay.platform import ALL_RAILS, TERMS
from tests.contracts.channels.rig import START, world_of
from tests.simulators.alipay.certificates import Authority
from tests.simulators.alipay.customer import account, config
from tests.simulators.keys import pair

DAY = date(2026, 11, 2)
"""Of `START`, in Beijing."""
BALANCE_FEN = 1_000_000
FEE_FEN = 10
ZHANG = AlipayAccount("zhang@example.test", AlipayIdentity.LOGON_ID, "张三丰")


@dataclass
class Scene:
    """A simulator, and a channel that pays there."""

    world: World
    channel: AlipayChannel

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


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """Everything running."""
    paying = account(balance_fen=BALANCE_FEN, notify_url=None, fee={"flat_fen": FEE_FEN})
    async with world_of(config(paying), START) as world:
        channel = build("alipay-sim", settings(world), TERMS, world.clock.now)
        yield Scene(world, channel)
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
    order = instruct(instrument=dataclasses.replace(ZHANG, identity=payee))
    outcome = await scene.pay(order)
    assert isinstance(outcome, Rejected)
    assert (outcome.reason, outcome.confirm) == (reason, False)
    assert scene.moved() == []


async def test_short_balance_is_confirmed_by_an_inquiry(scene: Scene) -> None:
    """An account that truly holds too little: rejected with confirmation, no such order."""
    order = instruct(BALANCE_FEN + 100)
    outcome = await scene.pay(order)
    assert isinstance(outcome, Rejected)
    assert (outcome.reason, outcome.confirm) == (Reason.FLOAT_SHORT, True)
    assert isinstance(await scene.ask(order), Absent)


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
    async with world_of(section, START) as world:
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

"""The Epay adapter and the Epay simulator over real sockets.

Neither knows the other's code: both were written from the protocol's facts. What money really moved
is read from the site's own books.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from channels.contract import (
    Absent,
    AlipayAccount,
    AlipayIdentity,
    BankCard,
    Inquiry,
    Instruction,
    Instrument,
    Outcome,
    Paid,
    Pending,
    Reason,
    ReceiptNotReadyError,
    Rejected,
    Returned,
    Unknown,
    UnknownCause,
    WechatWallet,
)
from channels.epay.channel import EpayChannel, build
from channels.epay.settings import EpaySettings
from channels.money import Currency, Money
from simulators.faults import FaultRule
from simulators.opening import Wishes
from simulators.sandbox import make_sandbox
from simulators.scenario import ClockPlan, Plan
from simulators.world import World
from tests.channels.epay.platform import ALL_RAILS, TERMS, bare
from tests.simulators.epay.merchant import MD5_KEY, account, config
from tests.simulators.keys import pair

START = datetime(2026, 11, 2, 2, 0, tzinfo=UTC)
"""A Monday, 10:00 in Beijing."""
NUMBER = "4815162342108000001"
ZHANG = AlipayAccount("zhang@example.test", AlipayIdentity.LOGON_ID, "张三丰")
WALLET = WechatWallet("oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", None, "张三丰")
RATE_PPM = 6000
TRAP = {"code": "SYSTEM_ERROR", "executed": True}


@dataclass
class Scene:
    """A site, and a channel of one of its merchants."""

    world: World
    channel: EpayChannel

    async def pay(self, instruction: Instruction) -> Outcome:
        """Prepare and send once."""
        return await self.channel.send(self.channel.prepare(instruction, self.world.clock.now()))

    async def ask(
        self, instruction: Instruction, channel_ref: str | None = None
    ) -> Outcome | Absent:
        """Inquire."""
        return await self.channel.inquire(self.about(instruction, channel_ref))

    def about(self, instruction: Instruction, channel_ref: str | None = None) -> Inquiry:
        """All that an inquiry may use."""
        return Inquiry(
            instruction.reference,
            instruction.amount,
            instruction.instrument,
            self.world.clock.now(),
            channel_ref,
        )

    async def trigger(self, event: str) -> None:
        """What the administrator does to the order."""
        await self.world.trigger(event, NUMBER)

    def fault(self, action: str, op: str = "submit", /, **params: object) -> None:
        """Let the next one go wrong."""
        rule = {"action": action, "op": op, "params": params, "times": 1}
        self.world.add_rule(FaultRule.model_validate(rule))

    def moved(self) -> list[tuple[str, int]]:
        """What money really moved, besides fees."""
        truth = self.world.shells["epay"].simulator.truth()
        return [(m.kind, m.amount_minor) for m in truth if m.kind in {"payout", "return"}]


def settings(world: World, **changes: object) -> EpaySettings:
    """The settings of the site's first merchant, keys as its page shows them."""
    given: dict[str, object] = {
        "base_url": f"{world.shells['epay'].url}/",
        "pid": "1001",
        "private_key": pair("app").private_pem,
        "public_key": bare(pair("platform").public_pem),
        "rails": ALL_RAILS,
        "total_timeout_s": 5,
    }
    return EpaySettings.model_validate(given | changes)


@asynccontextmanager
async def opened(
    merchant: Mapping[str, object] | None = None,
    ours: Mapping[str, object] | None = None,
    **knobs: Any,
) -> AsyncIterator[Scene]:
    """A site with these knobs on a virtual clock that stands at ten in the morning."""
    section = config(account(**(merchant or {})), transfer_rate_ppm=RATE_PPM, **knobs)
    clock = ClockPlan(mode="virtual", start=START)
    async with World(Plan(seed=1, clock=clock, simulators=(section,))) as world:
        channel = build("epay-sim", settings(world, **(ours or {})), TERMS, world.clock.now)
        yield Scene(world, channel)
        await channel.aclose()
        # Stopped in the very turn in which it was woken, the shell would miss being cancelled.
        await asyncio.sleep(0.01)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """A stock site."""
    async with opened() as made:
        yield made


def instruct(
    fen: int = 12_345, instrument: Instrument = ZHANG, reference: str = NUMBER
) -> Instruction:
    """Pay so much to that one."""
    return Instruction("a1", reference, Money(fen, Currency.CNY), instrument, "十月佣金")


def card(number: str = "6222020200112233445") -> BankCard:
    """A personal card."""
    return BankCard(number, "张三丰", "ICBC", "中国工商银行")


def cause(outcome: Outcome | Absent) -> UnknownCause:
    """Why it is unknown."""
    assert isinstance(outcome, Unknown), outcome
    return outcome.cause


async def test_an_account_is_paid_at_once_and_the_query_agrees(scene: Scene) -> None:
    """With the fee on top: cost less amount."""
    outcome = await scene.pay(instruct())
    assert outcome == Paid(NUMBER, START, Money(74, Currency.CNY))
    assert await scene.ask(instruct()) == outcome
    assert await scene.ask(instruct(), NUMBER) == outcome
    assert scene.moved() == [("payout", 12_345)]


async def test_a_sandbox_opens_a_merchant_that_can_pay(tmp_path: Path) -> None:
    """What `init` hands out is all that a channel needs."""
    (given,) = make_sandbox(tmp_path, Wishes({"epay": 1}))
    section = yaml.safe_load((tmp_path / "sim.yaml").read_text())["simulators"][0]
    section["platform_private_key_file"] = tmp_path / section["platform_private_key_file"]
    for one in section["accounts"]:
        one["public_key_file"] = tmp_path / one["public_key_file"]
    async with World(Plan(seed=1, clock=ClockPlan(), simulators=(section,))) as world:
        configured = EpaySettings.model_validate(
            {
                "base_url": given["base_url"],
                "pid": given["pid"],
                "private_key_file": given["private_key_file"],
                "public_key_file": given["platform_public_key_file"],
            }
        )
        channel = build("epay-1", configured, TERMS, world.clock.now)
        outcome = await channel.send(channel.prepare(instruct(), world.clock.now()))
        await channel.aclose()
    assert isinstance(outcome, Paid)
    assert outcome.fee == Money(74, Currency.CNY)


async def test_an_md5_merchant_pays_as_well() -> None:
    """Requests by MD5, replies by RSA."""
    md5 = {"sign_type": "MD5", "md5_key": MD5_KEY, "private_key": None}
    async with opened({"public_key": None, "md5_key": MD5_KEY}, md5) as scene:
        assert isinstance(await scene.pay(instruct()), Paid)
        assert scene.moved() == [("payout", 12_345)]


async def test_a_card_is_paid_once_the_row_says_so(scene: Scene) -> None:
    """The reply in which the status changes names no amount; the next one does."""
    order = instruct(instrument=card())
    assert await scene.pay(order) == Pending(NUMBER, "0")
    await scene.world.advance(timedelta(minutes=5))
    assert await scene.ask(order) == Pending(NUMBER, "1")
    assert isinstance(await scene.ask(order), Paid)


async def test_a_card_the_bank_refuses_ends_as_rejected(scene: Scene) -> None:
    """With the channel's code out of the text, and everything given back."""
    order = instruct(instrument=card("6222000000000004"))
    await scene.pay(order)
    await scene.world.advance(timedelta(minutes=5))
    assert await scene.ask(order) == Pending(NUMBER, "2")
    outcome = await scene.ask(order)
    assert isinstance(outcome, Rejected)
    assert (outcome.reason, outcome.code) == (Reason.INSTRUMENT_INVALID, "PAYEE_CARD_INFO_ERROR")
    assert scene.moved() == []
    assert (await scene.channel.balance()).available == Money(1_000_000, Currency.CNY)


async def test_a_failure_with_a_time_is_no_return() -> None:
    """WeChat's plugin names one while the status changes; the row has none."""
    async with opened(failures_name_time=True, queries_name_amount=True) as scene:
        order = instruct(instrument=card("6222000000000004"))
        await scene.pay(order)
        await scene.world.advance(timedelta(minutes=5))
        assert await scene.ask(order) == Pending(NUMBER, "2")
        assert isinstance(await scene.ask(order), Rejected)


async def test_the_payee_opens_the_confirmation_page(scene: Scene) -> None:
    """The address comes with the submission; paid when confirmed."""
    order = instruct(instrument=WALLET)
    outcome = await scene.pay(order)
    assert isinstance(outcome, Pending)
    assert outcome.action is not None
    assert outcome.action.kind == "open_link"
    assert "/paypage/wxtrans.php?type=transfer&id=1" in outcome.action.package_info
    assert outcome.action.expires_at == START + timedelta(hours=24)
    await scene.world.advance(timedelta(seconds=5))
    await scene.ask(order)
    assert isinstance(await scene.ask(order), Paid)


async def test_hazard_1_the_same_number_again_is_looked_up(scene: Scene) -> None:
    """Whatever its other parameters; the first order is what counts."""
    await scene.pay(instruct())
    for again in (instruct(), instruct(99_900)):
        assert cause(await scene.pay(again)) is UnknownCause.CHANNEL_UNSURE
    assert isinstance(await scene.ask(instruct()), Paid)
    assert cause(await scene.ask(instruct(99_900))) is UnknownCause.MISMATCH
    assert scene.moved() == [("payout", 12_345)]


async def test_hazard_2_paid_then_error_leaves_nothing_to_find(scene: Scene) -> None:
    """The double-pay trap: unknown, then absent for ever, and the money is gone."""
    scene.fault("reject", **TRAP)
    assert cause(await scene.pay(instruct())) is UnknownCause.CHANNEL_UNSURE
    for _ in range(3):
        assert isinstance(await scene.ask(instruct()), Absent)
        await scene.world.advance(timedelta(days=30))
    assert scene.moved() == [("payout", 12_345)]
    assert not scene.channel.traits.profile.absence_proves


async def test_hazard_2_the_same_19_digits_again_pay_once(scene: Scene) -> None:
    """Where the operator allows it: the channel behind the site knows the number."""
    scene.fault("reject", **TRAP)
    await scene.pay(instruct())
    assert isinstance(await scene.pay(instruct()), Paid)
    assert isinstance(await scene.ask(instruct()), Paid)
    assert scene.moved() == [("payout", 12_345)]


@pytest.mark.parametrize("knob", ["mints_always", "channel_is_idempotent"])
async def test_hazard_2_and_pay_twice_where_the_site_is_another(knob: str) -> None:
    """Why no site gets the right to be sent a number again by default."""
    knobs: dict[str, Any] = {knob: knob == "mints_always"}
    async with opened(**knobs) as scene:
        assert scene.channel.traits.resend is None
        scene.fault("reject", **TRAP)
        await scene.pay(instruct())
        await scene.pay(instruct())
        assert scene.moved() == [("payout", 12_345)] * 2


@pytest.mark.parametrize("action", ["reset_before", "reset_after"])
async def test_hazard_2_a_lost_answer_and_what_is_found(scene: Scene, action: str) -> None:
    """Either way unknown; the row is there only if the site finished."""
    scene.fault(action)
    assert cause(await scene.pay(instruct())) is UnknownCause.CONNECTION_LOST
    found = await scene.ask(instruct())
    assert isinstance(found, Paid if action == "reset_after" else Absent)


async def test_hazard_3_a_site_with_numbers_of_its_own_is_asked_by_them() -> None:
    """Its own number comes with the answer, and alone finds the order."""
    async with opened(mints_always=True) as scene:
        outcome = await scene.pay(instruct())
        assert isinstance(outcome, Paid)
        assert outcome.channel_ref != NUMBER
        assert isinstance(await scene.ask(instruct()), Absent)
        assert await scene.ask(instruct(), outcome.channel_ref) == outcome


async def test_hazard_3_forks_with_a_mended_query_are_asked_by_ours() -> None:
    """EasyPay and others look where they should."""
    async with opened(mints_always=True, finds_out_biz_no=True) as scene:
        outcome = await scene.pay(instruct())
        assert await scene.ask(instruct()) == outcome


async def test_hazard_4_other_result_shapes_are_no_answer(scene: Scene) -> None:
    """An add-on answers by another path: what names no order proves nothing."""
    scene.fault("wrong_echo", field="reference")
    assert cause(await scene.pay(instruct())) is UnknownCause.MISMATCH
    assert isinstance(await scene.ask(instruct()), Paid)


async def test_hazard_5_the_administrators_queue_is_under_way() -> None:
    """Asked about, the site says 支付通道不存在, and the order lives."""
    async with opened(ways={"alipay": "queue"}) as scene:
        assert await scene.pay(instruct()) == Pending(NUMBER, "3")
        await scene.world.advance(timedelta(days=3))
        assert await scene.ask(instruct()) == Pending(NUMBER, "3")
        await scene.trigger("payout.approved")
        await scene.ask(instruct())
        assert isinstance(await scene.ask(instruct()), Paid)
        assert scene.moved() == [("payout", 12_345)]


async def test_hazard_5_and_ends_when_the_administrator_says_no() -> None:
    """Failed, for a reason that is no code."""
    async with opened(ways={"alipay": "queue"}) as scene:
        await scene.pay(instruct())
        await scene.trigger("payout.rejected")
        outcome = await scene.ask(instruct())
        assert isinstance(outcome, Rejected)
        assert (outcome.reason, outcome.message) == (Reason.UNEXPLAINED, "管理员已拒绝")
        assert scene.moved() == []


async def test_status_2_after_1_is_a_return(scene: Scene) -> None:
    """The administrator takes a paid order back: never a failure."""
    await scene.pay(instruct())
    await scene.trigger("payout.returned")
    outcome = await scene.ask(instruct())
    assert isinstance(outcome, Returned)
    assert outcome.amount == instruct().amount
    assert scene.moved() == [("payout", 12_345), ("return", 12_345)]


async def test_hazard_6_a_refusal_before_the_channel_is_definite() -> None:
    """Signed, in stock words, naming no order; nothing moved."""
    async with opened(min_fen=20_000) as scene:
        outcome = await scene.pay(instruct())
        assert outcome == Rejected(Reason.AMOUNT_BELOW_MINIMUM, "-1", "单笔最小代付金额限制为200元")
        assert scene.moved() == []


async def test_hazard_6_a_short_balance_is_looked_at_again() -> None:
    """Refused with a look, and the look finds nothing."""
    async with opened({"balance_fen": 12_345}) as scene:
        outcome = await scene.pay(instruct())
        assert isinstance(outcome, Rejected)
        assert (outcome.reason, outcome.confirm) == (Reason.FLOAT_SHORT, True)
        assert isinstance(await scene.ask(instruct()), Absent)


async def test_hazard_6_a_text_of_the_operators_is_unknown_until_he_configures_it() -> None:
    """Then it is a refusal that asks for a look."""
    async with opened() as scene:
        scene.fault("reject", code="今日额度剩0.50元")
        assert cause(await scene.pay(instruct())) is UnknownCause.UNKNOWN_CODE
    async with opened(ours={"refusals": {"今日额度剩{n}元": "quota_exhausted"}}) as scene:
        scene.fault("reject", code="今日额度剩0.50元")
        outcome = await scene.pay(instruct())
        assert isinstance(outcome, Rejected)
        assert (outcome.reason, outcome.confirm) == (Reason.QUOTA_EXHAUSTED, True)


async def test_hazard_6_a_payee_the_channel_refuses_is_unknown(scene: Scene) -> None:
    """The words come from behind the site, where money could have moved first."""
    order = instruct(instrument=replace(ZHANG, identity="nobody@magic.test"))
    assert cause(await scene.pay(order)) is UnknownCause.CHANNEL_UNSURE
    assert isinstance(await scene.ask(order), Absent)


async def test_the_daily_limit_of_a_payee() -> None:
    """The payee's, so another instrument may do."""
    async with opened(payee_day_max=1) as scene:
        await scene.pay(instruct())
        outcome = await scene.pay(instruct(reference="4815162342108000002"))
        assert isinstance(outcome, Rejected)
        assert outcome.reason is Reason.PAYEE_LIMIT


@pytest.mark.parametrize(
    "merchant", [{"banned": True}, {"may_transfer": False}, {"public_key": pair("x").public_pem}]
)
async def test_unsigned_errors_prove_nothing(merchant: dict[str, object]) -> None:
    """Banned, switched off, or a key that does not fit: unknown, though nothing moved."""
    async with opened(merchant) as scene:
        assert cause(await scene.pay(instruct())) is UnknownCause.BAD_SIGNATURE
        assert cause(await scene.ask(instruct())) is UnknownCause.BAD_SIGNATURE
        assert scene.moved() == []


async def test_a_clock_that_is_wrong_is_noticed_on_either_side(scene: Scene) -> None:
    """Bytes of ten minutes ago are refused; their refusal is unsigned and proves nothing."""
    late = scene.channel.prepare(instruct(), START - timedelta(minutes=10))
    assert cause(await scene.channel.send(late)) is UnknownCause.BAD_SIGNATURE
    assert scene.moved() == []


async def test_an_old_site_pays_and_cannot_be_asked() -> None:
    """Its submissions name our number; its queries name none, and so answer nothing."""
    async with opened(era="old") as scene:
        assert isinstance(await scene.pay(instruct()), Paid)
        assert cause(await scene.ask(instruct())) is UnknownCause.MISMATCH


async def test_an_old_sites_refusals_prove_nothing() -> None:
    """They are thrown, every one."""
    async with opened({"balance_fen": 0}, era="old") as scene:
        assert cause(await scene.pay(instruct())) is UnknownCause.BAD_SIGNATURE
        assert isinstance(await scene.ask(instruct()), Absent)


async def test_balance_in_d_plus_1_mode() -> None:
    """Without what came in today."""
    async with opened({"balance_fen": 500}, balance_mode="D+1") as scene:
        scene.world.topup("epay-1", 10_000)
        assert (await scene.channel.balance()).available == Money(500, Currency.CNY)
        await scene.world.advance(timedelta(days=1))
        assert (await scene.channel.balance()).available == Money(10_500, Currency.CNY)


async def test_a_receipt_is_a_file() -> None:
    """Not before it is made."""
    async with opened(receipt_after_s=60) as scene:
        await scene.pay(instruct())
        with pytest.raises(ReceiptNotReadyError):
            await scene.channel.receipt(scene.about(instruct()))
        await scene.world.advance(timedelta(minutes=1))
        receipt = await scene.channel.receipt(scene.about(instruct()))
        assert (receipt.content_type, receipt.filename) == ("application/pdf", f"{NUMBER}.pdf")
        assert NUMBER.encode() in receipt.body


@pytest.mark.parametrize(
    ("fen", "expected"),
    [
        (10_002, UnknownCause.CONNECTION_LOST),
        (10_003, UnknownCause.CONNECTION_LOST),
        (10_008, UnknownCause.BAD_SIGNATURE),
        (10_009, UnknownCause.UNREADABLE),
        (10_010, UnknownCause.UNREADABLE),
        (10_014, UnknownCause.UNKNOWN_STATE),
        (10_015, UnknownCause.MISMATCH),
    ],
    ids=["lost", "cut", "signature", "garbage", "502", "status", "amount"],
)
async def test_paid_behind_a_bad_answer_is_unknown_until_asked(
    scene: Scene, fen: int, expected: UnknownCause
) -> None:
    """The money moved and the reply did not say so: unknown, then found, and paid once."""
    order = instruct(fen)
    assert cause(await scene.pay(order)) is expected
    assert isinstance(await scene.ask(order), Paid)
    assert scene.moved() == [("payout", fen)]

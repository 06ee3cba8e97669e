"""The adapter and the simulator over real sockets: two readings of one specification must meet.

Here stands what only WeChat Pay has; what every kind must do stands in tests/contracts/channels.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec.structs import replace

from channels.contract import (
    Absent,
    ChannelError,
    Inquiry,
    Instruction,
    LineKind,
    Notice,
    NoticeRefused,
    Outcome,
    Paid,
    Pending,
    Reason,
    Rejected,
    StatementNotReadyError,
    Unknown,
    UnknownCause,
)
from channels.money import Currency, Money
from channels.wechat_pay.channel import WechatPayChannel, build
from simulators.clock import BEIJING
from simulators.faults import read_rule
from simulators.scenario import Plan
from simulators.world import World
from tests.channels.wechat_pay import platform
from tests.channels.wechat_pay.platform import APIV3_KEY, APPID, KEYS, MCHID, OPENID, SERIAL

START = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
BATCH = {
    "out_batch_no": "B202412",
    "details": [
        {"out_detail_no": "D0001", "openid": OPENID, "transfer_amount": 1234},
        {
            "out_detail_no": "D0002",
            "openid": OPENID,
            "transfer_amount": 1234,
            "detail_status": "FAIL",
            "fail_reason": "ACCOUNT_FROZEN",
        },
    ],
}


@dataclass
class Here:
    """A simulated platform, the channel that talks to it, and where its notices arrive."""

    world: World
    channel: WechatPayChannel
    notify_url: str
    notices: list[Notice | NoticeRefused] = field(default_factory=list)

    def fault(self, action: str, op: str = "submit", **rule: object) -> None:
        """Let something go wrong, once unless told otherwise."""
        given = {"action": action, "op": op, "times": 1, **rule}
        self.world.add_rule(read_rule(given, self.world.clock.now()))

    def instruction(self, reference: str = "PO1", **changes: object) -> Instruction:
        """12.34 yuan to somebody who confirms after a second."""
        made = platform.instruction(reference=reference, **changes)  # type: ignore[arg-type] # builder's keywords
        return replace(made, notify_url=self.notify_url)

    async def send(self, instruction: Instruction) -> Outcome:
        """Prepare and send now."""
        prepared = self.channel.prepare(instruction, self.world.clock.now())
        return await self.channel.send(prepared)

    async def inquire(self, instruction: Instruction) -> Outcome | Absent:
        """Ask what became of it."""
        return await self.channel.inquire(inquiry(instruction))

    async def later(self, **span: float) -> None:
        """Let time pass; everything due happens and every notice due is tried."""
        await self.world.advance(timedelta(**span))

    def paid_out(self) -> list[tuple[str, int]]:
        """What really left the account, by the simulator's own books."""
        truth = self.world.shells["wechat"].simulator.truth()
        return [(m.reference, m.amount_minor) for m in truth if m.kind == "payout"]

    async def on_notice(self, request: web.Request) -> web.Response:
        """Answer a push as the channel says."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = await request.read()
        answer = self.channel.read_notice(headers, body, self.world.clock.now())
        self.notices.append(answer)
        said = answer.reply
        return web.Response(status=said.status, body=said.body, content_type=said.content_type)


def inquiry(instruction: Instruction) -> Inquiry:
    """Everything an inquiry may use."""
    return Inquiry(instruction.reference, instruction.amount, instruction.instrument, START)


def plan(**changes: object) -> Plan:
    """One platform in both key modes; its merchant has 5,000.00 yuan and pays one per mille."""
    account = {
        "account": "wechat-1",
        "mchid": MCHID,
        "appid": APPID,
        "serial_no": SERIAL,
        "public_key": _public_pem(),
        "apiv3_key": APIV3_KEY,
        "balance_fen": 500_000,
        "fee": {"rate_ppm": 1000},
        "batches": [BATCH],
        **changes,
    }
    section = {
        "name": "wechat",
        "kind": "wechat_pay",
        "public_key_id": platform.PUBLIC_KEY_ID,
        "platform_private_key": (KEYS / "platform_test_only.pem").read_text(),
        "certificate": (KEYS / "platform_certificate.pem").read_text(),
        "certificate_private_key": (KEYS / "platform_certificate_test_only.pem").read_text(),
        "probe_every": 1,
        "accounts": [account],
    }
    clock = {"mode": "virtual", "start": START}
    return Plan.model_validate({"seed": 7, "clock": clock, "simulators": [section]})


def _public_pem() -> str:
    public = platform.MERCHANT.public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@asynccontextmanager
async def served(*, certificate: bool = False, **account: object) -> AsyncIterator[Here]:
    """A platform that listens, with a channel in one of the two key modes."""
    world = World(plan(**account))
    url = world.shells["wechat"].url
    if certificate:
        settings = platform.certificate_settings().model_copy(update={"base_url": url})
    else:
        settings = platform.settings(base_url=url)
    channel = build("wechat-main", settings, platform.terms(), world.clock.now)
    here = Here(world, channel, "")
    app = web.Application()
    app.router.add_post("/notices", here.on_notice)
    async with TestServer(app) as server, world:
        here.notify_url = str(server.make_url("/notices"))
        try:
            yield here
        finally:
            await channel.aclose()


@pytest.fixture
async def here() -> AsyncIterator[Here]:
    """A platform and a channel in public-key mode."""
    async with served() as made:
        yield made


@pytest.mark.parametrize("certificate", [False, True])
@pytest.mark.parametrize(("fen", "name"), [(1234, None), (1234, platform.NAME), (200_000, "李四")])
async def test_pay_confirm_success(fen: int, name: str | None, certificate: bool) -> None:
    """In both key modes, with and without a name: waits for the payee, then is paid once."""
    async with served(certificate=certificate) as here:
        payout = here.instruction(fen=fen, name=name)
        waiting = await here.send(payout)
        assert isinstance(waiting, Pending)
        assert waiting.stage == "WAIT_USER_CONFIRM"
        assert waiting.action is not None
        assert waiting.action.package_info
        assert waiting.action.expires_at == START + timedelta(hours=24)
        await here.later(seconds=2)
        paid = await here.inquire(payout)
        assert paid == Paid(str(waiting.channel_ref), START + timedelta(seconds=1))
        assert here.paid_out() == [("PO1", fen)]


async def test_a_name_below_thirty_fen_is_not_sent(here: Here) -> None:
    """The platform refuses a name there; a payout with one passes because it is left out."""
    assert isinstance(await here.send(here.instruction(fen=29, name=platform.NAME)), Pending)


async def test_a_resend_with_a_name_is_the_same_payout(here: Here) -> None:
    """The ciphertext of the name differs, the payout does not: same number, paid once."""
    payout = here.instruction(name=platform.NAME)
    first = await here.send(payout)
    again = await here.send(payout)
    assert isinstance(again, Pending)
    assert again == first
    await here.later(seconds=2)
    # A repetition meets SUCCESS, which without amount and payee is not yet believed.
    assert await here.send(payout) == Pending(again.channel_ref, "SUCCESS")
    assert here.paid_out() == [("PO1", 1234)]


async def test_a_resend_after_a_day_is_unknown(here: Here) -> None:
    """已超出重试期 says to inquire, and nothing else."""
    payout = here.instruction()
    await here.send(payout)
    await here.later(hours=25)
    outcome = await here.send(payout)
    assert isinstance(outcome, Unknown)
    assert outcome.cause is UnknownCause.CHANNEL_UNSURE


async def test_cancel(here: Here) -> None:
    """Recalled while waiting: first CANCELING, then CANCELLED, and no money moves."""
    payout = here.instruction(openid="magic-never-confirms")
    await here.send(payout)
    cancelling = await here.channel.recall(inquiry(payout))
    assert isinstance(cancelling, Pending)
    assert cancelling.stage == "CANCELING"
    await here.later(seconds=5)
    cancelled = await here.inquire(payout)
    assert isinstance(cancelled, Rejected)
    assert (cancelled.reason, cancelled.confirm) == (Reason.RECALLED, False)
    assert here.paid_out() == []


async def test_overdue(here: Here) -> None:
    """Nobody confirms: pending for 24 hours, then expired, and the money is released."""
    payout = here.instruction(openid="magic-never-confirms")
    await here.send(payout)
    await here.later(hours=23)
    assert isinstance(await here.inquire(payout), Pending)
    await here.later(hours=2)
    outcome = await here.inquire(payout)
    assert isinstance(outcome, Rejected)
    assert (outcome.reason, outcome.code) == (Reason.PAYEE_EXPIRED, "OVERDUE_CLOSE")
    assert here.paid_out() == []
    assert (await here.channel.balance()).available == Money(500_000, Currency.CNY)


@pytest.mark.parametrize(
    ("openid", "reason"),
    [
        ("magic-frozen", Reason.PAYEE_BLOCKED),
        ("magic-wrong-name", Reason.PAYEE_NAME_MISMATCH),
        ("magic-unverified", Reason.PAYEE_UNVERIFIED),
        ("magic-over-limit", Reason.PAYEE_LIMIT),
    ],
)
async def test_fails_on_the_payees_side(here: Here, openid: str, reason: Reason) -> None:
    """Each magic payee fails with its reason."""
    payout = here.instruction(openid=openid)
    await here.send(payout)
    await here.later(seconds=5)
    outcome = await here.inquire(payout)
    assert isinstance(outcome, Rejected)
    assert (outcome.reason, outcome.confirm) == (reason, False)


async def test_short_of_money(here: Here) -> None:
    """NOT_ENOUGH asks for a look first, and the look finds nothing."""
    payout = here.instruction(fen=500_001, name=platform.NAME)
    outcome = await here.send(payout)
    assert isinstance(outcome, Rejected)
    assert (outcome.reason, outcome.confirm) == (Reason.FLOAT_SHORT, True)
    assert isinstance(await here.inquire(payout), Absent)


async def test_a_request_signed_long_ago_is_refused(here: Here) -> None:
    """Six minutes after signing the platform takes nothing in any more."""
    prepared = here.channel.prepare(here.instruction(), START)
    await here.later(minutes=6)
    outcome = await here.channel.send(prepared)
    assert isinstance(outcome, Rejected)
    assert (outcome.reason, outcome.confirm) == (Reason.SIGNATURE_REFUSED, True)
    assert isinstance(await here.inquire(here.instruction()), Absent)


async def test_balance(here: Here) -> None:
    """What is locked for a waiting payout is no longer available."""
    assert (await here.channel.balance()).available == Money(500_000, Currency.CNY)
    await here.send(here.instruction(openid="magic-never-confirms"))
    assert (await here.channel.balance()).available < Money(500_000 - 1233, Currency.CNY)


async def test_balance_not_permitted() -> None:
    """A direct merchant may get 403."""
    async with served(balance_forbidden=True) as here:
        with pytest.raises(ChannelError, match="NO_AUTH"):
            await here.channel.balance()


async def test_statement(here: Here) -> None:
    """Next morning the bill holds the payout, its fee, and nothing that did not happen."""
    for number in (1, 2):
        await here.send(here.instruction(f"PO{number}", fen=10_000))
    await here.send(here.instruction("PO3", openid="magic-frozen"))
    await here.later(seconds=5)
    day = START.astimezone(BEIJING).date()
    with pytest.raises(StatementNotReadyError):
        await anext(here.channel.statement(day))
    await here.later(days=1)
    read = [line async for line in here.channel.statement(day)]
    paid = [line for line in read if line.kind is LineKind.PAYOUT]
    assert [(line.reference, line.amount.minor, line.credit) for line in paid] == [
        ("PO1", 10_000, False),
        ("PO2", 10_000, False),
    ]
    fees = [line for line in read if line.kind is LineKind.FEE]
    assert [line.amount.minor for line in fees] == [10, 10]
    assert {line.channel_ref for line in fees} == {line.channel_ref for line in paid}
    assert all(line.booked_at == START + timedelta(seconds=1) for line in paid)
    outcome = await here.inquire(here.instruction("PO1", fen=10_000))
    assert isinstance(outcome, Paid)
    assert outcome.channel_ref == paid[0].channel_ref


async def test_notices_and_probes(here: Here) -> None:
    """The notice of the end is taken, and the probe that comes with it is turned down."""
    await here.send(here.instruction())
    await here.later(seconds=10)
    taken = [notice for notice in here.notices if isinstance(notice, Notice)]
    refused = [notice for notice in here.notices if isinstance(notice, NoticeRefused)]
    assert [(n.reference, n.event) for n in taken] == [("PO1", "MCHTRANSFER.BILL.FINISHED")]
    assert [(n.cause, n.reply.status) for n in refused] == [("a signature probe", 401)]


async def test_duplicate_and_forged_notices(here: Here) -> None:
    """Duplicates share their id; a forgery is refused, and after 204 nothing is sent again."""
    here.fault("notice_duplicate", "notice", params={"copies": 2})
    here.fault("notice_forged", "notice")
    await here.send(here.instruction())
    await here.later(days=1)
    taken = [notice for notice in here.notices if isinstance(notice, Notice)]
    assert len(taken) == 3
    assert len({notice.notice_id for notice in taken}) == 1
    causes = {n.cause for n in here.notices if isinstance(n, NoticeRefused)}
    assert "a signature probe" in causes
    assert len(causes) == 2


async def test_a_legacy_batch_is_only_read(here: Here) -> None:
    """Lines of an old batch are found paid, failed, or not at all."""
    asked = replace(inquiry(here.instruction()), reference="B202412/D0001")
    assert isinstance(await here.channel.inquire(asked), Paid)
    failed = await here.channel.inquire(replace(asked, reference="B202412/D0002"))
    assert isinstance(failed, Rejected)
    assert failed.reason is Reason.PAYEE_BLOCKED
    assert isinstance(await here.channel.inquire(replace(asked, reference="B202412/D9")), Absent)

"""Receipts: what their answers mean, and against the simulator over real sockets."""

from datetime import timedelta

import pytest

from channels.alipay import receipts
from channels.alipay.envelope import Node
from channels.contract import (
    ChannelError,
    Inquiry,
    Receipted,
    ReceiptNotReadyError,
    ReceiptRefusedError,
)
from channels.money import Currency, Money
from simulators.faults import FaultRule
from tests.channels.alipay import platform
from tests.channels.alipay.test_against_simulator import Scene, card, instruct
from tests.channels.alipay.test_against_simulator import scene as _scene

scene = _scene


def node(**fields: str) -> Node:
    """A verified answer, successful unless told otherwise."""
    return Node({"code": "10000", **fields})


def test_the_channel_offers_receipts() -> None:
    """Implementing the protocol is the opt-in."""
    assert isinstance(platform.channel(), Receipted)


def found(**changes: str) -> Node:
    """The answer to a query about a paid transfer."""
    fields = {name: str(value) for name, value in platform.found().items()}
    return Node(fields | {"pay_fund_order_id": "2026110211007000155000000001"} | changes)


def test_the_movements_number_comes_from_the_institution() -> None:
    """From the answer to a query by our reference that echoes our amount."""
    assert receipts.fund_order(found(), platform.inquiry()) == "2026110211007000155000000001"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"status": "REFUND"}, ReceiptRefusedError),
        ({"status": "DEALING"}, ChannelError),
        ({"status": "FAIL"}, ChannelError),
        ({"trans_amount": "0.01"}, ChannelError),
        ({"out_biz_no": "ANOTHER"}, ChannelError),
        ({"pay_fund_order_id": ""}, ChannelError),
    ],
)
def test_a_payout_that_is_not_provably_paid_gets_none(
    changes: dict[str, str], error: type[Exception]
) -> None:
    """Nor one whose echo is another's."""
    with pytest.raises(error):
        receipts.fund_order(found(**changes), platform.inquiry())


def test_an_application_asks_for_one_movement() -> None:
    """The proof of a transfer, by the number of its movement."""
    assert receipts.application("123") == {"type": "FUND_DETAIL", "key": "123"}
    assert receipts.read_application(node(file_id="f1")) == "f1"


@pytest.mark.parametrize("fields", [{}, {"code": "40004", "sub_code": "SYSTEM_ERROR"}])
def test_an_application_without_a_file_id_is_no_application(fields: dict[str, str]) -> None:
    """A refusal, or an answer that says nothing."""
    with pytest.raises(ChannelError):
        receipts.read_application(node(**fields))


@pytest.mark.parametrize("status", ["INIT", "PROCESS"])
def test_a_receipt_that_is_being_made_is_asked_for_later(status: str) -> None:
    """Not an error of the payout's."""
    with pytest.raises(ReceiptNotReadyError):
        receipts.read_query(node(status=status))


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "FAIL", "error_message": "生成失败"},
        {"status": "SUCCESS"},
        {"status": "SUCCESS", "download_url": "file:///etc/passwd"},
        {"status": "SUCCESS", "download_url": "http://x", "code": "40004"},
        {"status": "ARCHIVED", "download_url": "http://x"},
        {},
    ],
)
def test_anything_but_an_address_is_trouble_and_never_a_refusal(fields: dict[str, str]) -> None:
    """Which failures are final is not published: asking again may help."""
    with pytest.raises(ChannelError) as raised:
        receipts.read_query(node(**fields))
    assert type(raised.value) is ChannelError


def test_a_page_of_text_is_no_receipt() -> None:
    """What a box in front of the platform says is not handed to a beneficiary."""
    with pytest.raises(ChannelError):
        receipts.document(b"<html>502</html>", "P1")
    made = receipts.document(b"%PDF-1.7 ...", "P1")
    assert (made.content_type, made.filename) == ("application/pdf", "alipay-P1.pdf")
    assert receipts.document(b"PK\x03\x04...", "P1").content_type == "application/zip"


def test_the_oldest_applications_are_forgotten() -> None:
    """Memory stays bounded; a forgotten one is made anew."""
    known = receipts.FileIds()
    for number in range(receipts.KNOWN_MAX + 2):
        known.keep(f"P{number}", f"f{number}")
    assert known.get("P1") is None
    assert known.get("P2") == "f2"
    known.forget("P2")
    known.forget("P2")
    assert known.get("P2") is None


# --- Against the simulator ---------------------------------------------------------------------


async def paid(scene: Scene) -> Inquiry:
    """Pay, and put together what a receipt is asked with."""
    order = instruct()
    outcome = await scene.pay(order)
    reference = getattr(outcome, "channel_ref", None)
    return Inquiry(
        order.reference, order.amount, order.instrument, scene.world.clock.now(), reference
    )


def applied(scene: Scene) -> int:
    """How many questions about receipts the platform was asked."""
    return sum(row.get("op") == "receipt" for row in scene.world.journal.rows(limit=1000))


async def test_a_receipt_is_asked_for_and_then_fetched(scene: Scene) -> None:
    """The second question goes on with the first one's application."""
    asked = await paid(scene)
    with pytest.raises(ReceiptNotReadyError):
        await scene.channel.receipt(asked)
    assert applied(scene) == 2
    await scene.world.advance(timedelta(seconds=5))
    made = await scene.channel.receipt(asked)
    assert applied(scene) == 3
    assert made.content_type == "application/pdf"
    assert b"123.45" in made.body
    assert asked.reference.encode() in made.body


async def test_a_failed_application_is_made_anew(scene: Scene) -> None:
    """The institution could not make it; the next question begins again."""
    asked = await paid(scene)
    with pytest.raises(ReceiptNotReadyError):
        await scene.channel.receipt(asked)
    await scene.world.advance(timedelta(seconds=5))
    scene.world.add_rule(
        FaultRule(action="status_lie", op="receipt", params={"status": "FAIL"}, times=1)
    )
    with pytest.raises(ChannelError, match="FAIL"):
        await scene.channel.receipt(asked)
    with pytest.raises(ReceiptNotReadyError):
        await scene.channel.receipt(asked)
    await scene.world.advance(timedelta(seconds=5))
    assert (await scene.channel.receipt(asked)).body.startswith(b"%PDF")


@pytest.mark.parametrize("action", ["bad_signature", "garbage", "http_error", "reset_before"])
async def test_an_answer_that_proves_nothing_gives_no_address(scene: Scene, action: str) -> None:
    """The address is taken from a signed answer alone."""
    asked = await paid(scene)
    scene.world.add_rule(FaultRule(action=action, op="receipt"))
    with pytest.raises(ChannelError):
        await scene.channel.receipt(asked)


async def test_a_download_that_fails_can_be_repeated(scene: Scene) -> None:
    """With a fresh address each time."""
    asked = await paid(scene)
    with pytest.raises(ReceiptNotReadyError):
        await scene.channel.receipt(asked)
    await scene.world.advance(timedelta(seconds=5))
    scene.world.add_rule(FaultRule(action="http_error", op="download", times=1))
    with pytest.raises(ChannelError):
        await scene.channel.receipt(asked)
    assert (await scene.channel.receipt(asked)).body


async def test_money_that_came_back_has_no_receipt(scene: Scene) -> None:
    """It would prove a payment that did not last."""
    order = instruct(instrument=card("6222000000000002"))
    await scene.pay(order)
    await scene.world.advance(timedelta(days=3))
    asked = Inquiry(order.reference, order.amount, order.instrument, scene.world.clock.now())
    with pytest.raises(ReceiptRefusedError):
        await scene.channel.receipt(asked)


async def test_another_amount_under_our_number_gets_none(scene: Scene) -> None:
    """The echo is compared before anything is asked for."""
    asked = await paid(scene)
    wrong = Inquiry(asked.reference, Money(1, Currency.CNY), asked.instrument, asked.sent_at)
    with pytest.raises(ChannelError):
        await scene.channel.receipt(wrong)
    assert applied(scene) == 0

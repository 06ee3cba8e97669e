"""Receipts: what their answers mean, and against the simulator over real sockets."""

import hashlib

import orjson
import pytest

from channels.contract import (
    ChannelError,
    Receipted,
    ReceiptNotReadyError,
    ReceiptRefusedError,
    ThrottledError,
)
from channels.transport import Reply
from channels.wechat_pay import receipts
from tests.channels.wechat_pay import platform
from tests.channels.wechat_pay.test_against_simulator import Here, inquiry
from tests.channels.wechat_pay.test_against_simulator import here as _here

here = _here

DIGEST = hashlib.sha256(b"%PDF-1.4").hexdigest()
FINISHED: dict[str, object] = {
    "state": "FINISHED",
    "hash_type": "SHA256",
    "hash_value": DIGEST.upper(),
    "download_url": "https://api.mch.weixin.qq.com/v3/billdownload/file?token=x",
}


def reply(status: int = 200, **fields: object) -> Reply:
    """A verified answer."""
    return Reply(status, {}, orjson.dumps(fields))


def finished(**changes: object) -> Reply:
    """A receipt that is made."""
    return reply(200, **{**FINISHED, **changes})


def test_the_channel_offers_receipts(here: Here) -> None:
    """Implementing the protocol is the opt-in."""
    assert isinstance(here.channel, Receipted)


def test_address_and_digest_are_read_once_it_is_finished() -> None:
    """The digest in lower case, whatever the platform writes."""
    assert receipts.finished(finished()) == (FINISHED["download_url"], DIGEST)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (reply(state="GENERATING"), ReceiptNotReadyError),
        (reply(state="FAILED", fail_reason="X"), ReceiptRefusedError),
        (finished(hash_value=None), ChannelError),
        (finished(hash_type="MD5"), ChannelError),
        (finished(hash_value="ab"), ChannelError),
        (finished(download_url=None), ChannelError),
        (reply(state="ARCHIVED"), ChannelError),
        (reply(), ChannelError),
        (reply(500, code="SYSTEM_ERROR"), ChannelError),
    ],
)
def test_anything_else_gives_no_address(answer: Reply, error: type[Exception]) -> None:
    """A state or a digest that no table knows proves nothing."""
    with pytest.raises(ChannelError) as raised:
        receipts.finished(answer)
    assert type(raised.value) is error


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (reply(400, code="INVALID_REQUEST", message="不满足"), ReceiptRefusedError),
        (reply(404, code="NOT_FOUND"), ChannelError),
        (reply(429, code="FREQUENCY_LIMITED"), ThrottledError),
        (reply(500, code="SYSTEM_ERROR"), ChannelError),
        (reply(200), ChannelError),
    ],
)
def test_an_application_that_was_not_taken_says_why(answer: Reply, error: type[Exception]) -> None:
    """Refused for good, too often, or in trouble."""
    with pytest.raises(ChannelError) as raised:
        receipts.check_applied(answer)
    assert type(raised.value) is error


def test_another_file_than_was_signed_for_is_refused() -> None:
    """The download itself is unsigned."""
    with pytest.raises(ChannelError, match="digest"):
        receipts.document(b"%PDF-1.5", DIGEST, "P1")
    made = receipts.document(b"%PDF-1.4", DIGEST, "P1")
    assert (made.content_type, made.filename) == ("application/pdf", "wechat-P1.pdf")


def test_a_line_of_the_closed_batch_product_has_none_here() -> None:
    """Its receipts are made by another interface."""
    with pytest.raises(ReceiptRefusedError):
        receipts.target("B1/D1")


# --- Against the simulator ---------------------------------------------------------------------


async def test_a_receipt_is_applied_for_made_and_fetched(here: Here) -> None:
    """The first question applies, later ones fetch; the digest fits."""
    payout = here.instruction(name=platform.NAME)
    await here.send(payout)
    await here.later(seconds=2)
    for _ in range(2):
        with pytest.raises(ReceiptNotReadyError):
            await here.channel.receipt(inquiry(payout))
    await here.later(seconds=3)
    made = await here.channel.receipt(inquiry(payout))
    assert made.body.startswith(b"%PDF-1.4")
    assert b"12.34" in made.body
    assert made.filename == f"wechat-{payout.reference}.pdf"


async def test_without_the_payees_name_there_is_none(here: Here) -> None:
    """The platform issues receipts for named transfers alone, and says so for good."""
    payout = here.instruction()
    await here.send(payout)
    await here.later(seconds=2)
    with pytest.raises(ReceiptRefusedError, match="INVALID_REQUEST"):
        await here.channel.receipt(inquiry(payout))


async def test_a_payout_that_is_not_there_has_none(here: Here) -> None:
    """Neither query nor application finds it."""
    with pytest.raises(ChannelError):
        await here.channel.receipt(inquiry(here.instruction(reference="UNHEARD")))


@pytest.mark.parametrize("action", ["bad_signature", "unsigned", "garbage", "http_error"])
async def test_an_answer_that_proves_nothing_gives_no_address(here: Here, action: str) -> None:
    """Our Authorization goes nowhere an unproven answer names."""
    payout = here.instruction(name=platform.NAME)
    await here.send(payout)
    await here.later(seconds=2)
    here.fault(action, "receipt", times=10)
    with pytest.raises(ChannelError) as raised:
        await here.channel.receipt(inquiry(payout))
    assert not isinstance(raised.value, ReceiptNotReadyError | ReceiptRefusedError)

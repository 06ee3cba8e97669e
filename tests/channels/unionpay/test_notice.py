"""What the channel believes of what is told to its backUrl."""

from datetime import timedelta
from urllib.parse import urlencode

import pytest

from channels.contract import Notice, NoticeRefused
from tests.channels.unionpay.platform import (
    NOW,
    QUERY_ID,
    REFERENCE,
    channel,
    found,
    signed,
    taken,
)


def read(fields: dict[str, str]) -> Notice | NoticeRefused:
    """As the channel reads it."""
    return channel().read_notice({}, urlencode(fields).encode(), NOW)


def test_true_notice_names_the_order() -> None:
    """And nothing more than that follows from it."""
    notice = read(signed(taken()))
    assert isinstance(notice, Notice)
    assert (notice.reference, notice.channel_ref, notice.event) == (REFERENCE, QUERY_ID, "00")
    assert notice.reply.status == 200


def test_duplicates_have_one_id() -> None:
    """Whatever else differs in them."""
    first, second = read(signed(taken())), read(signed(taken(respMsg="again")))
    assert isinstance(first, Notice)
    assert isinstance(second, Notice)
    assert first.notice_id == second.notice_id


def test_same_number_on_another_day_has_another_id() -> None:
    """There it is another order."""
    first, second = read(signed(taken())), read(signed(taken(txnTime="20261103093000")))
    assert isinstance(first, Notice)
    assert isinstance(second, Notice)
    assert first.notice_id != second.notice_id


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        (signed(taken()) | {"respCode": "61"}, 400),
        (taken(), 400),
        (signed(taken(merId="777290058110098")), 400),
        (signed({k: v for k, v in taken().items() if k != "orderId"}), 400),
        (signed(found()), 200),
    ],
    ids=["changed", "unsigned", "another merchant", "no order", "not a payout"],
)
def test_what_is_not_about_our_payout_is_refused(fields: dict[str, str], status: int) -> None:
    """200 only for what is genuine and of no interest, so that it is not told again."""
    refused = read(fields)
    assert isinstance(refused, NoticeRefused)
    assert refused.reply.status == status


@pytest.mark.parametrize("body", [b"", b"\xff", b"a", b"a=1&a=1", "名=1".encode()])
def test_what_is_no_form_is_refused(body: bytes) -> None:
    """Without raising."""
    assert isinstance(channel().read_notice({}, body, NOW), NoticeRefused)


def test_notice_with_an_expired_certificate_is_refused() -> None:
    """Judged at the time it is read."""
    body = urlencode(signed(taken())).encode()
    later = NOW + timedelta(days=9000)
    assert isinstance(channel().read_notice({}, body, later), NoticeRefused)

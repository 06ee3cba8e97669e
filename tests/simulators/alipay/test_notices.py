"""order.changed notices: what they say, how they are signed, how they come again or go astray."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

from simulators.kernel import Push
from tests.simulators.alipay.customer import TRANSFER, account, customer, to_card, transfer
from tests.simulators.keys import pair


def read(push: Push) -> dict[str, Any]:
    """The biz_content of a notice, after checking its signature (sign and sign_type left out)."""
    fields = dict(parse_qsl(push.body.decode(), strict_parsing=True))
    text = "&".join(f"{k}={v}" for k, v in sorted(fields.items()) if k not in ("sign", "sign_type"))
    pair("platform").key.public_key().verify(
        base64.b64decode(fields["sign"]), text.encode(), PKCS1v15(), hashes.SHA256()
    )
    content: dict[str, Any] = json.loads(fields["biz_content"])
    return content


def statuses(pushes: tuple[Push, ...]) -> list[str]:
    """The statuses told, in order of sending."""
    return [read(push)["status"] for push in pushes]


def test_a_paid_transfer_is_told_with_the_reply() -> None:
    """The push goes with the answer, as a signed form to the application gateway."""
    merchant = customer()
    merchant.ask(TRANSFER, transfer())
    (push,) = merchant.last.pushes
    assert (push.url, push.reference, push.account) == (
        "http://127.0.0.1:1/alipay",
        "po-1",
        "alipay-1",
    )
    told = read(push)
    assert (told["status"], told["action_type"]) == ("SUCCESS", "FINISH")
    assert (told["out_biz_no"], told["trans_amount"]) == ("po-1", "12.34")
    assert told["pay_date"] == "2026-03-02 10:00:00"
    fields = dict(parse_qsl(push.body.decode()))
    assert fields["msg_method"] == "alipay.fund.trans.order.changed"
    assert (fields["version"], fields["app_id"]) == ("1.1", "2021000000000001")


def test_a_card_is_told_about_three_times() -> None:
    """DEALING when taken, SUCCESS when paid, REFUND when it comes back."""
    merchant = customer()
    merchant.ask(TRANSFER, to_card(card="6222000000000002"))
    told = merchant.last.pushes + merchant.wait(timedelta(days=2))
    assert statuses(told) == ["DEALING", "SUCCESS", "REFUND"]
    assert read(told[-1])["refund_date"] == "2026-03-03 10:00:02"


def test_no_address_no_notice() -> None:
    """Without an application gateway nothing is owed."""
    merchant = customer(account(notify_url=None))
    merchant.ask(TRANSFER, transfer())
    assert merchant.last.pushes == ()
    assert merchant.simulator.next_tick_at() is None


@pytest.mark.parametrize(
    ("status", "body"), [(None, b""), (500, b"success"), (200, b"fail"), (200, b"SUCCESS")]
)
def test_anything_but_success_climbs_the_ladder(status: int | None, body: bytes) -> None:
    """Four minutes, then ten, … and after the last step no more."""
    merchant = customer(notice_ladder_s=[240, 600])
    merchant.ask(TRANSFER, transfer())
    (push,) = merchant.last.pushes
    attempts = []
    for _ in range(3):
        merchant.simulator.on_push_result(push, status, merchant.now, body)
        again = merchant.wait(timedelta(days=1))
        attempts += [(p.attempt, p.body == push.body) for p in again]
        if again:
            push = again[0]
    assert attempts == [(2, True), (3, True)]


def test_success_ends_it() -> None:
    """Exactly `success` is the only acknowledgement."""
    merchant = customer()
    merchant.ask(TRANSFER, transfer())
    merchant.simulator.on_push_result(merchant.last.pushes[0], 200, merchant.now, b"success")
    assert merchant.wait(timedelta(days=3)) == ()


def test_a_notice_comes_twice() -> None:
    """Copies are byte-identical."""
    merchant = customer()
    merchant.add("notice_duplicate", params={"copies": 2})
    merchant.ask(TRANSFER, transfer())
    assert len(merchant.last.pushes) == 3
    assert len({push.body for push in merchant.last.pushes}) == 1


def test_a_notice_is_lost() -> None:
    """The order is paid and nobody is told."""
    merchant = customer()
    merchant.add("notice_lost")
    merchant.ask(TRANSFER, transfer())
    assert merchant.last.pushes + merchant.wait(timedelta(days=1)) == ()


def test_a_notice_is_late() -> None:
    """notice_delay moves it, unchanged."""
    merchant = customer()
    merchant.add("notice_delay", params={"after": "10m"})
    merchant.ask(TRANSFER, transfer())
    assert merchant.last.pushes == ()
    assert merchant.wait(timedelta(minutes=9)) == ()
    assert statuses(merchant.wait(timedelta(minutes=1))) == ["SUCCESS"]


def test_notices_arrive_out_of_order() -> None:
    """The first is held until its successor has gone out."""
    merchant = customer()
    merchant.add("notice_out_of_order", times=1, params={"after": "1h"})
    merchant.ask(TRANSFER, to_card())
    assert statuses(merchant.last.pushes + merchant.wait(timedelta(minutes=1))) == [
        "SUCCESS",
        "DEALING",
    ]


def test_a_held_notice_without_successor_goes_out_in_the_end() -> None:
    """Held at most as long as the rule says."""
    merchant = customer()
    merchant.add("notice_out_of_order", params={"after": "1h"})
    merchant.ask(TRANSFER, transfer())
    assert merchant.wait(timedelta(minutes=59)) == ()
    assert statuses(merchant.wait(timedelta(minutes=1))) == ["SUCCESS"]


def test_a_forgery_comes_beside_the_truth() -> None:
    """The forged notice claims something else and does not verify."""
    merchant = customer()
    merchant.add("notice_forged", params={"status": "FAIL"})
    merchant.ask(TRANSFER, transfer())
    forged, true = merchant.last.pushes
    assert b"FAIL" in forged.body
    with pytest.raises(InvalidSignature):
        read(forged)
    assert read(true)["status"] == "SUCCESS"


def test_a_notice_can_be_asked_for_again() -> None:
    """The trigger notice.resend tells the present status."""
    merchant = customer()
    merchant.ask(TRANSFER, transfer())
    assert statuses(merchant.simulator.trigger("notice.resend", "po-1", merchant.now)) == [
        "SUCCESS"
    ]

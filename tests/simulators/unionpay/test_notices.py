"""What the UnionPay simulator tells, to whom, and how often."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from cryptography.exceptions import InvalidSignature

from tests.simulators.unionpay.merchant import Merchant, account, heard, merchant


def paid(one: Merchant) -> None:
    """One payout that is paid after two seconds."""
    one.pay(reqReserved="mine")


def test_success_is_told_to_the_payouts_own_address() -> None:
    """Signed, with the order's settlement and the reserved field."""
    one = merchant()
    paid(one)
    (push,) = one.wait(timedelta(seconds=2))
    said = heard(push)
    assert push.url == "http://127.0.0.1:1/notices"
    assert (said["txnType"], said["respCode"], said["orderId"]) == ("12", "00", "ORDER0001")
    assert (said["txnAmt"], said["settleDate"], said["reqReserved"]) == ("1234", "1102", "mine")


def test_one_address_may_take_all_notices() -> None:
    """Whatever backUrl says."""
    one = merchant(account(notify_url="http://127.0.0.1:2/all"))
    paid(one)
    (push,) = one.wait(timedelta(seconds=2))
    assert push.url == "http://127.0.0.1:2/all"


def test_failure_and_return_are_not_told() -> None:
    """Silence means nothing."""
    one = merchant()
    one.pay(accNo="6221000000000004")
    assert one.wait(timedelta(days=1)) == ()
    one.pay("ORDER0002", accNo="6221000000000007")
    assert len(one.wait(timedelta(days=3))) == 1


@pytest.mark.parametrize(
    ("status", "again"), [(200, False), (302, False), (500, True), (None, True)]
)
def test_only_200_and_302_are_taken(status: int | None, again: bool) -> None:
    """Anything else is told again after a minute."""
    one = merchant()
    paid(one)
    (push,) = one.wait(timedelta(seconds=2))
    one.simulator.on_push_result(push, status, one.now)
    assert bool(one.wait(timedelta(minutes=1))) is again


def test_ladder_ends_after_five_deliveries() -> None:
    """1, 2, 4 and 5 minutes after each other."""
    one = merchant()
    paid(one)
    moments = []
    for _ in range(9):
        for push in one.wait(timedelta(minutes=6)):
            moments.append(push.due_at)
            one.simulator.on_push_result(push, 500, push.due_at)
            one.now = push.due_at
    gaps = [int((b - a).total_seconds()) for a, b in pairwise(moments)]
    assert gaps == [60, 120, 240, 300]


def test_forgery_claims_another_code_and_does_not_verify() -> None:
    """Beside the true one."""
    one = merchant()
    one.add("notice_forged")
    paid(one)
    forged, true = one.wait(timedelta(seconds=2))
    assert heard(true)["respCode"] == "00"
    assert b"respCode=61" in forged.body
    with pytest.raises(InvalidSignature):
        heard(forged)


def test_notices_can_be_lost_doubled_and_delayed() -> None:
    """As the rules have it."""
    for action, params, seconds, count in (
        ("notice_lost", {}, 9000, 0),
        ("notice_duplicate", {"copies": 2}, 2, 3),
        ("notice_delay", {"after": "1h"}, 3000, 0),
        ("notice_delay", {"after": "1h"}, 3602, 1),
    ):
        one = merchant()
        one.add(action, params=params)
        paid(one)
        assert len(one.wait(timedelta(seconds=seconds))) == count, action

"""The life of a payout at the UnionPay simulator, and what its books say."""

from __future__ import annotations

from datetime import timedelta

import pytest

from simulators.kernel import UnknownTriggerError
from tests.simulators.unionpay.merchant import PAYOUT, QUERY, account, merchant


def test_accepted_payout_is_under_way_then_paid() -> None:
    """Money is frozen at once and moves when the issuer has it."""
    one = merchant(account(fee={"flat_fen": 10}))
    asked = one.payout()
    assert one.ask(PAYOUT, asked)["respCode"] == "00"
    assert one.fate(asked) == "05"
    assert one.moved() == []
    assert one.simulator.accounts()[0]["frozen_fen"] == 1244
    one.wait(timedelta(seconds=2))
    assert one.fate(asked) == "00"
    assert one.moved() == [("payout", "ORDER0001", 1234), ("fee", "ORDER0001", 10)]
    assert one.simulator.accounts()[0]["balance_fen"] == 1_000_000 - 1244


def test_query_tells_settlement_once_paid() -> None:
    """Amount, date, trace; the payee starred out."""
    one = merchant()
    asked = one.payout()
    said = one.ask(PAYOUT, asked)
    assert "settleDate" not in one.ask(QUERY, one.query(asked))
    one.wait(timedelta(seconds=2))
    found = one.ask(QUERY, one.query(asked))
    assert (found["queryId"], found["txnAmt"], found["settleAmt"]) == (
        said["queryId"],
        "1234",
        "1234",
    )
    assert (found["settleDate"], found["traceTime"]) == ("1102", "1102100002")
    assert found["accNo"] == "621626*********0018"


def test_order_is_found_by_its_very_time_or_its_number() -> None:
    """Another second is another order; queryId does without."""
    one = merchant()
    asked = one.payout()
    query_id = one.ask(PAYOUT, asked)["queryId"]
    assert one.fate(asked | {"txnTime": "20261102100001"}) == "34"
    by_number = one.query(asked, txnSubType="02", queryId=query_id, txnTime="20261102100009")
    assert one.ask(QUERY, by_number)["origRespCode"] == "05"
    assert one.ask(QUERY, by_number | {"queryId": "0" * 21})["respCode"] == "34"


def test_repeated_number_is_12_whatever_else_it_says() -> None:
    """Of the same day, at any time of it; paid once."""
    one = merchant()
    one.pay()
    one.wait(timedelta(minutes=5))
    assert one.pay()["respCode"] == "12"
    assert one.pay("ORDER0001", 99)["respCode"] == "12"
    assert one.moved() == [("payout", "ORDER0001", 1234)]


def test_same_number_on_another_day_is_another_order() -> None:
    """Uniqueness is per day of txnTime."""
    one = merchant()
    first = one.payout()
    one.ask(PAYOUT, first)
    one.wait(timedelta(days=1))
    second = one.payout()
    assert one.ask(PAYOUT, second)["respCode"] == "00"
    assert (one.fate(first), one.fate(second)) == ("00", "05")


def test_short_balance_is_refused_and_leaves_no_order() -> None:
    """90; frozen money counts."""
    one = merchant(account(balance_fen=2000))
    assert one.pay("ORDER0001", 1500)["respCode"] == "00"
    assert one.pay("ORDER0002", 501)["respCode"] == "90"
    assert one.pay("ORDER0002", 500)["respCode"] == "00"


@pytest.mark.parametrize(
    ("changes", "fen", "code"),
    [
        ({"min_fen": 100}, 99, "33"),
        ({"max_fen": 100}, 101, "33"),
        ({"day_cap_fen": 100}, 101, "33"),
        ({"account_types": ["04"]}, 100, "32"),
        ({"hours": {"opens": "11:00", "closes": "12:00"}}, 100, "39"),
        ({"hours": {"opens": "22:00", "closes": "10:00"}}, 100, "39"),
        ({"hours": {"opens": "22:00", "closes": "10:01"}}, 100, "00"),
    ],
)
def test_terms_of_the_contract_are_kept(changes: dict[str, object], fen: int, code: str) -> None:
    """Amounts, kinds of account, hours that may cross midnight."""
    assert merchant(account(**changes)).pay("ORDER0001", fen)["respCode"] == code


def test_day_cap_counts_what_did_not_fail() -> None:
    """And starts over with the day."""
    one = merchant(account(day_cap_fen=1000))
    assert one.pay("ORDER0001", 600)["respCode"] == "00"
    assert one.pay("ORDER0002", 600)["respCode"] == "33"
    one.simulator.trigger("payout.failed", "ORDER0001", one.now)
    assert one.pay("ORDER0002", 600)["respCode"] == "00"
    one.wait(timedelta(days=1))
    assert one.pay("ORDER0003", 600)["respCode"] == "00"


def test_name_of_a_known_payee_must_fit() -> None:
    """66."""
    one = merchant(payees={"6216261000000000018": "张三"})
    assert one.pay()["respCode"] == "66"


def test_failed_order_gives_the_money_back() -> None:
    """Its reason is its fate."""
    one = merchant()
    asked = one.payout(accNo="6221000000000004")
    one.ask(PAYOUT, asked)
    one.wait(timedelta(seconds=2))
    assert one.fate(asked) == "62"
    assert one.moved() == []
    assert one.simulator.accounts()[0]["available_fen"] == 1_000_000


def test_returned_order_still_says_success() -> None:
    """Only the books and the file know; the fee is kept."""
    one = merchant(account(fee={"flat_fen": 10}))
    asked = one.payout(accNo="6221000000000007")
    one.ask(PAYOUT, asked)
    one.wait(timedelta(days=2))
    assert one.fate(asked) == "00"
    assert [kind for kind, _, _ in one.moved()] == ["payout", "fee", "return"]


def test_events_can_be_forced() -> None:
    """Where they fit the order."""
    one = merchant()
    asked = one.payout(accNo="6221000000000006")
    one.ask(PAYOUT, asked)
    one.wait(timedelta(days=9))
    assert one.fate(asked) == "05"
    with pytest.raises(UnknownTriggerError, match="does not fit"):
        one.simulator.trigger("payout.returned", "ORDER0001", one.now)
    with pytest.raises(UnknownTriggerError, match="successes"):
        one.simulator.trigger("notice.resend", "ORDER0001", one.now)
    (told,) = one.simulator.trigger("payout.settled", "ORDER0001", one.now)
    assert told.reference == "ORDER0001"
    assert len(one.simulator.trigger("notice.resend", "ORDER0001", one.now)) == 1
    assert one.simulator.trigger("payout.returned", "ORDER0001", one.now) == ()
    for event, reference in (("payout.lost", "ORDER0001"), ("payout.settled", "ORDER0009")):
        with pytest.raises(UnknownTriggerError):
            one.simulator.trigger(event, reference, one.now)


def test_topups_are_movements() -> None:
    """Of known accounts."""
    one = merchant()
    one.simulator.topup("unionpay-1", 5, one.now)
    assert one.moved() == [("topup", "", 5)]
    with pytest.raises(LookupError):
        one.simulator.topup("unionpay-9", 5, one.now)

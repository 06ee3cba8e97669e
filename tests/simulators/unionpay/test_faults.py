"""Faults that speak UnionPay's dialect, and what they do to money."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography.exceptions import InvalidSignature

from simulators.kernel import Cut
from tests.simulators.unionpay.merchant import PAYOUT, QUERY, Merchant, merchant, split, verified


def settled(one: Merchant) -> int:
    """How many movements there are once everything is settled."""
    one.wait(timedelta(minutes=1))
    return len(one.moved())


@pytest.mark.parametrize(
    ("action", "cut", "moves"),
    [
        ("reset_before", Cut.BEFORE, 0),
        ("reset_after", Cut.AFTER, 1),
        ("reset_mid", Cut.MID, 1),
    ],
)
def test_a_reset_says_nothing_about_the_money(action: str, cut: Cut, moves: int) -> None:
    """Before: nothing executed. After or in the middle: paid."""
    one = merchant()
    one.add(action, op="submit")
    assert one.send(PAYOUT, one.payout()).cut is cut
    assert settled(one) == moves


@pytest.mark.parametrize(
    ("action", "params", "status", "moves"),
    [
        ("http_error", {"status": 503}, 503, 0),
        ("http_error", {"executed": True}, 502, 1),
        ("garbage", {}, 200, 1),
        ("garbage", {"executed": False}, 200, 0),
    ],
)
def test_something_in_front_answers(
    action: str, params: dict[str, object], status: int, moves: int
) -> None:
    """A proxy's error or junk comes with or without execution."""
    one = merchant()
    one.add(action, params=params, op="submit")
    reply = one.send(PAYOUT, one.payout()).reply
    assert reply is not None
    assert reply.status == status
    assert b"respCode" not in reply.body
    assert settled(one) == moves


@pytest.mark.parametrize(
    ("params", "code", "moves"),
    [
        ({}, "04", 0),
        ({"executed": True}, "04", 1),
        ({"code": "99"}, "99", 0),
        ({"code": "61", "executed": True}, "61", 1),
        ({"code": "NEVER_HEARD_OF"}, "NEVER_HEARD_OF", 0),
    ],
)
def test_any_code_can_be_forced(params: dict[str, object], code: str, moves: int) -> None:
    """Before or after the commit it sounds the same; the rules' own default is 04."""
    one = merchant()
    one.add("reject", params=params, op="submit")
    said = one.pay()
    assert said["respCode"] == code
    assert "queryId" not in said
    assert settled(one) == moves


@pytest.mark.parametrize(
    ("action", "params", "name", "value"),
    [
        ("unknown_code", {}, "respCode", "NEW_UNDOCUMENTED_CODE"),
        ("unknown_status", {}, "respCode", "ARCHIVED"),
        ("status_lie", {}, "respCode", "61"),
        ("wrong_echo", {"field": "amount"}, "txnAmt", "1235"),
        ("wrong_echo", {"field": "reference"}, "orderId", "ORDER0000"),
    ],
)
def test_a_taken_payout_is_told_wrongly(
    action: str, params: dict[str, object], name: str, value: str
) -> None:
    """The lie is signed, and the money moves."""
    one = merchant()
    one.add(action, params=params, op="submit")
    assert one.pay()[name] == value
    assert settled(one) == 1


@pytest.mark.parametrize(
    ("action", "params", "name", "value"),
    [
        ("unknown_status", {}, "origRespCode", "ARCHIVED"),
        ("status_lie", {"status": "62"}, "origRespCode", "62"),
        ("wrong_echo", {"field": "payee"}, "accNo", "621626*********0010"),
    ],
)
def test_a_lie_to_a_query_leaves_the_order_alone(
    action: str, params: dict[str, object], name: str, value: str
) -> None:
    """Only the answer changes; without the rule the truth is told again."""
    one = merchant()
    asked = one.payout()
    one.ask(PAYOUT, asked)
    one.wait(timedelta(minutes=1))
    one.add(action, op="inquire", params=params, times=1)
    assert one.ask(QUERY, one.query(asked))[name] == value
    assert one.fate(asked) == "00"


def test_bad_and_missing_signatures_hide_a_true_reply() -> None:
    """The certificate is there all the same."""
    for action in ("bad_signature", "unsigned"):
        one = merchant()
        one.add(action, op="submit")
        reply = one.send(PAYOUT, one.payout()).reply
        assert reply is not None
        assert split(reply.body.decode())["respCode"] == "00"
        with pytest.raises((InvalidSignature, KeyError)):
            verified(reply)
        assert settled(one) == 1


def test_a_taken_order_cannot_be_found_at_first() -> None:
    """34 is no proof: it was taken all along."""
    one = merchant()
    one.add("not_found_window", params={"seconds": "30s"})
    asked = one.payout()
    one.ask(PAYOUT, asked)
    assert one.fate(asked) == "34"
    one.wait(timedelta(seconds=30))
    assert one.fate(asked) == "00"


def test_a_careless_institution_pays_twice() -> None:
    """double_execute: the same number again moves money again."""
    one = merchant()
    one.add("double_execute")
    one.pay()
    one.wait(timedelta(minutes=1))
    assert one.pay()["respCode"] == "00"
    assert one.moved() == [("payout", "ORDER0001", 1234)] * 2


def test_a_throttle_counts_per_second() -> None:
    """06 for payouts, 37 for questions."""
    one = merchant()
    one.add("throttle", params={"per_s": 2})
    codes = [one.pay(f"ORDER000{n}")["respCode"] for n in range(3)]
    assert codes == ["00", "00", "06"]
    assert one.fate(one.payout("ORDER0000")) == "37"


def test_maintenance_hours_are_39() -> None:
    """Unless the rule names another code; Beijing time."""
    one = merchant()
    one.add("maintenance", params={"from_hour": "09:00", "to_hour": "10:01"}, times=1)
    assert one.pay()["respCode"] == "39"
    one.add("maintenance", params={"from_hour": "09:00", "to_hour": "10:01", "code": "02"})
    assert one.pay()["respCode"] == "02"
    one.wait(timedelta(minutes=1))
    assert one.pay()["respCode"] == "00"


def test_a_balance_can_seem_short() -> None:
    """short_balance refuses as the real thing does; the books are untouched."""
    one = merchant()
    one.add("short_balance", params={"available_fen": 1233})
    assert one.pay()["respCode"] == "90"
    assert one.pay("ORDER0001", 1233)["respCode"] == "00"


def test_settle_rules_decide_the_fate() -> None:
    """settle_late with return_late: paid late, returned later still."""
    one = merchant()
    one.add("settle_late", params={"after": "1h"})
    one.add("return_late", params={"after": "2h"})
    start = one.now
    one.pay()
    one.wait(timedelta(hours=4))
    paid, back = one.simulator.truth()
    assert (paid.at - start, back.at - start) == (timedelta(hours=1), timedelta(hours=3))


def test_rules_select_by_the_opened_payee() -> None:
    """Reference, payee and amount all narrow a rule, also for queries."""
    one = merchant()
    one.add("reject", payee="6216261000000000018", max_amount_fen=1234, params={"code": "63"})
    assert one.pay()["respCode"] == "63"
    assert one.pay("ORDER0001", 1235)["respCode"] == "00"
    assert one.pay("ORDER0002", accNo="6216261000000000026")["respCode"] == "00"


@pytest.mark.parametrize(("fen", "moves"), [(10_005, 1), (10_006, 0)])
def test_a_magic_amount_strikes_once_per_reference(fen: int, moves: int) -> None:
    """04 either way; the repeated request is a duplicate, or gets through."""
    one = merchant()
    assert one.pay("ORDER0001", fen)["respCode"] == "04"
    assert one.pay("ORDER0001", fen)["respCode"] == ("12" if moves else "00")
    assert settled(one) == 1


def test_one_seed_gives_one_history() -> None:
    """Which orders a half-probable rule strikes depends on the seed, not on their sequence."""

    def struck(seed: int, numbers: list[int]) -> set[int]:
        one = merchant(seed=seed)
        one.add("reject", id="half", probability=0.5)
        return {n for n in numbers if one.pay(f"ORDER{n:04d}", 1)["respCode"] != "00"}

    numbers = list(range(16))
    assert struck(1, numbers) == struck(1, numbers[::-1])
    assert struck(1, numbers) != struck(2, numbers)

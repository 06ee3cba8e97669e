"""What becomes of a transfer: paid, replayed, settled, failed, returned."""

from __future__ import annotations

from datetime import timedelta

import pytest

from simulators.kernel import UnknownTriggerError
from tests.simulators.alipay.customer import (
    BALANCE,
    QUERY,
    TRANSFER,
    about,
    account,
    customer,
    to_card,
    transfer,
)


def test_an_account_transfer_is_paid_in_the_reply() -> None:
    """To an Alipay account the reply says SUCCESS and the money has moved."""
    merchant = customer()
    node = merchant.ask(TRANSFER, transfer())
    assert (node["status"], node["out_biz_no"], node["amount"]) == ("SUCCESS", "po-1", "12.34")
    assert node["trans_date"] == "2026-03-02 10:00:00"
    assert len(node["order_id"]) == len(node["pay_fund_order_id"]) == 32
    assert merchant.moved() == [("payout", "po-1", 1234)]
    assert merchant.simulator.truth()[0].payee == "li@example.test"


def test_a_card_transfer_is_under_way_and_then_paid() -> None:
    """To a card: DEALING with the money frozen, SUCCESS after the settle delay."""
    merchant = customer()
    biz = to_card()
    assert merchant.ask(TRANSFER, biz)["status"] == "DEALING"
    held = merchant.ask(BALANCE, {"account_type": "ACCTRANS_ACCOUNT"})
    assert (held["available_amount"], held["freeze_amount"]) == ("9987.66", "12.34")
    assert merchant.moved() == []
    waiting = merchant.ask(QUERY, about(biz))
    assert waiting["status"] == "DEALING"
    assert waiting["arrival_time_end"] == "2026-03-02 12:00:00"
    assert "pay_date" not in waiting
    merchant.wait(timedelta(seconds=2))
    paid = merchant.ask(QUERY, about(biz))
    assert (paid["status"], paid["pay_date"]) == ("SUCCESS", "2026-03-02 10:00:02")
    assert merchant.moved() == [("payout", "po-1", 1234)]


def test_a_query_catches_up_with_time_by_itself() -> None:
    """A due settlement is visible to a query even if nobody ticked meanwhile."""
    merchant = customer()
    merchant.ask(TRANSFER, to_card())
    merchant.now += timedelta(minutes=1)
    assert merchant.ask(QUERY, about(to_card()))["pay_date"] == "2026-03-02 10:00:02"


@pytest.mark.parametrize("number", ["order_id", "pay_fund_order_id"])
def test_an_order_is_found_by_the_institutions_numbers(number: str) -> None:
    """Either number is enough, and goes before out_biz_no."""
    merchant = customer()
    node = merchant.ask(TRANSFER, transfer())
    found = merchant.ask(QUERY, {number: node[number], "out_biz_no": "another"})
    assert found["out_biz_no"] == "po-1"


def test_an_order_is_not_found_under_other_circumstances() -> None:
    """Unknown number, other product, another account's order: ORDER_NOT_EXIST."""
    merchant = customer(
        account(), account(account="two", app_id="2021000000000002", user_id="2088000000000002")
    )
    biz = transfer()
    node = merchant.ask(TRANSFER, biz)
    asked = [
        {**about(biz), "out_biz_no": "po-9"},
        {**about(biz), "product_code": "TRANS_BANKCARD_NO_PWD"},
        {"order_id": "1"},
    ]
    for question in asked:
        assert merchant.ask(QUERY, question)["sub_code"] == "ORDER_NOT_EXIST"
    merchant.app_id = "2021000000000002"
    assert merchant.ask(QUERY, {"order_id": node["order_id"]})["sub_code"] == "ORDER_NOT_EXIST"
    assert merchant.ask(QUERY, about(biz))["sub_code"] == "ORDER_NOT_EXIST"


def test_a_query_by_our_number_needs_product_and_scene() -> None:
    """out_biz_no alone is INVALID_PARAMETER."""
    merchant = customer()
    merchant.ask(TRANSFER, transfer())
    assert merchant.ask(QUERY, {"out_biz_no": "po-1"})["sub_code"] == "INVALID_PARAMETER"


def test_the_same_request_again_replays_its_result() -> None:
    """Same number, same parameters: the same order, and one movement."""
    merchant = customer()
    first = merchant.ask(TRANSFER, transfer())
    assert merchant.ask(TRANSFER, transfer(yuan="12.34")) == first
    assert len(merchant.moved()) == 1


@pytest.mark.parametrize(
    "changes",
    [{"yuan": "12.35"}, {"order_title": "x"}, {"remark": "x"}, {"payee_info": None}],
)
def test_the_same_number_for_something_else_is_refused(changes: dict[str, object]) -> None:
    """Other parameters under a known number: PAYMENT_INFO_INCONSISTENCY, nothing moves."""
    merchant = customer()
    merchant.ask(TRANSFER, transfer())
    if "payee_info" in changes:
        changes = {"payee_info": {"identity": "x", "identity_type": "ALIPAY_OPEN_ID"}}
    other = transfer(**changes)  # type: ignore[arg-type]  # yuan or free fields, by parameter
    assert merchant.ask(TRANSFER, other)["sub_code"] == "PAYMENT_INFO_INCONSISTENCY"
    assert len(merchant.moved()) == 1


def test_a_number_expires_when_the_knob_says_so() -> None:
    """After the retry window the number cannot be sent again, and nothing moves."""
    merchant = customer(retry_window_s=3600)
    merchant.ask(TRANSFER, transfer())
    merchant.now += timedelta(hours=2)
    assert merchant.ask(TRANSFER, transfer())["sub_code"] == "PAYMENT_TIME_EXPIRE"
    assert len(merchant.moved()) == 1


def test_a_short_balance_refuses_and_the_number_stays_free() -> None:
    """PAYER_BALANCE_NOT_ENOUGH leaves no order: after a top-up the same request is paid."""
    merchant = customer(account(balance_fen=1233))
    assert merchant.ask(TRANSFER, transfer())["sub_code"] == "PAYER_BALANCE_NOT_ENOUGH"
    assert merchant.ask(QUERY, about(transfer()))["sub_code"] == "ORDER_NOT_EXIST"
    merchant.simulator.topup("alipay-1", 1, merchant.now)
    assert merchant.ask(TRANSFER, transfer())["status"] == "SUCCESS"
    assert merchant.simulator.accounts()[0]["balance_fen"] == 0


def test_the_fee_is_a_movement_of_its_own() -> None:
    """Amount and fee are booked apart, and the query names the fee."""
    merchant = customer(
        account(fee={"rate_ppm": 1000, "min_fen": 10}, bankcard_fee={"flat_fen": 200})
    )
    merchant.ask(TRANSFER, transfer("po-1", "500.00"))
    merchant.ask(TRANSFER, to_card("po-2", "500.00"))
    merchant.wait(timedelta(seconds=3))
    assert merchant.moved() == [
        ("payout", "po-1", 50_000),
        ("fee", "po-1", 50),
        ("payout", "po-2", 50_000),
        ("fee", "po-2", 200),
    ]
    assert merchant.ask(QUERY, about(to_card("po-2")))["order_fee"] == "2.00"


def test_amount_and_fee_must_both_be_covered() -> None:
    """A balance that covers the amount alone is short."""
    merchant = customer(account(balance_fen=1234, fee={"flat_fen": 1}))
    assert merchant.ask(TRANSFER, transfer())["sub_code"] == "PAYER_BALANCE_NOT_ENOUGH"


def test_a_day_cap_counts_this_order_too() -> None:
    """The order that would pass the cap is refused; the next Beijing day starts anew."""
    merchant = customer(account(day_cap_fen=2000))
    assert merchant.ask(TRANSFER, transfer("po-1"))["code"] == "10000"
    assert merchant.ask(TRANSFER, transfer("po-2"))["sub_code"] == "EXCEED_LIMIT_DM_AMOUNT"
    merchant.now += timedelta(days=1)
    assert merchant.ask(TRANSFER, transfer("po-2"))["code"] == "10000"


def test_a_magic_card_comes_back_after_its_success() -> None:
    """退票: REFUND a day after SUCCESS, the money back on the account, the fee kept."""
    merchant = customer(account(fee={"flat_fen": 100}))
    biz = to_card(card="6222000000000002")
    merchant.ask(TRANSFER, biz)
    merchant.wait(timedelta(hours=1))
    assert merchant.ask(QUERY, about(biz))["status"] == "SUCCESS"
    merchant.wait(timedelta(days=1))
    node = merchant.ask(QUERY, about(biz))
    assert (node["status"], node["fail_reason"]) == ("REFUND", "银行退票")
    assert merchant.moved() == [
        ("payout", "po-1", 1234),
        ("fee", "po-1", 100),
        ("return", "po-1", 1234),
    ]
    back = merchant.simulator.truth()[-1]
    assert back.at == merchant.simulator.truth()[0].at + timedelta(days=1)


def test_a_refused_card_releases_its_money() -> None:
    """DEALING then FAIL: nothing ever moved."""
    merchant = customer()
    biz = to_card(card="6222000000000004")
    assert merchant.ask(TRANSFER, biz)["status"] == "DEALING"
    merchant.wait(timedelta(minutes=1))
    node = merchant.ask(QUERY, about(biz))
    assert (node["status"], node["error_code"]) == ("FAIL", "PAYEE_CARD_INFO_ERROR")
    assert merchant.moved() == []
    assert merchant.simulator.accounts()[0]["available_fen"] == 1_000_000


def test_a_slow_card_and_a_silent_one() -> None:
    """One arrives the next day, one stays DEALING."""
    merchant = customer()
    slow, silent = (
        to_card("po-1", card="6222000000000005"),
        to_card("po-2", card="6222000000000006"),
    )
    merchant.ask(TRANSFER, slow)
    merchant.ask(TRANSFER, silent)
    merchant.wait(timedelta(hours=23))
    assert merchant.ask(QUERY, about(slow))["status"] == "DEALING"
    merchant.wait(timedelta(hours=2))
    assert merchant.ask(QUERY, about(slow))["status"] == "SUCCESS"
    assert merchant.ask(QUERY, about(silent))["status"] == "DEALING"


@pytest.mark.parametrize(
    ("event", "status", "moves"),
    [
        ("payout.settled", "SUCCESS", ["payout"]),
        ("payout.failed", "FAIL", []),
        ("payout.returned", "REFUND", ["payout", "return"]),
    ],
)
def test_an_event_can_be_forced(event: str, status: str, moves: list[str]) -> None:
    """A trigger does at once what time or a bank would do, and time does not undo it."""
    merchant = customer()
    merchant.ask(TRANSFER, to_card())
    if event == "payout.returned":
        merchant.wait(timedelta(seconds=2))
    merchant.simulator.trigger(event, "po-1", merchant.now)
    merchant.wait(timedelta(days=2))
    assert merchant.ask(QUERY, about(to_card()))["status"] == status
    assert [kind for kind, _, _ in merchant.moved()] == moves


@pytest.mark.parametrize(
    ("event", "reference"),
    [("payout.returned", "po-1"), ("payout.flies", "po-1"), ("payout.settled", "po-9")],
)
def test_an_event_that_does_not_fit_is_refused(event: str, reference: str) -> None:
    """An account order cannot be returned, unknown events and orders are named."""
    merchant = customer()
    merchant.ask(TRANSFER, transfer())
    with pytest.raises(UnknownTriggerError):
        merchant.simulator.trigger(event, reference, merchant.now)


@pytest.mark.parametrize(
    "biz",
    [{}, {"account_type": "BASIC"}, {"account_type": "ACCTRANS_ACCOUNT", "alipay_user_id": "2"}],
)
def test_a_balance_needs_its_account_type_and_owner(biz: dict[str, object]) -> None:
    """account_type is mandatory, and another's balance is not told."""
    assert customer().ask(BALANCE, biz)["sub_code"] == "INVALID_PARAMETER"


def test_the_bill_balance_adds_up() -> None:
    """total = available + frozen."""
    merchant = customer()
    merchant.ask(TRANSFER, to_card())
    node = merchant.ask("alipay.data.bill.balance.query", {})
    assert (node["total_amount"], node["available_amount"], node["freeze_amount"]) == (
        "10000.00",
        "9987.66",
        "12.34",
    )

"""Jeepay's own defects as faults, and the common ones in its dialect."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from simulators.kernel import Cut
from tests.simulators.jeepay.merchant import (
    QUERY,
    TRANSFER,
    account,
    alipay,
    card,
    merchant,
    signature,
    told,
    wechat,
)

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


# ---- what Jeepay makes of the channel behind ----


def test_an_undecided_alipay_is_asked_again() -> None:
    """SYSTEM_ERROR leaves state 1; if it was paid, the repair finds out."""
    one = merchant()
    one.add("reject", op="submit", params={"code": "SYSTEM_ERROR", "executed": True})
    assert one.data(TRANSFER, alipay())["state"] == 1
    one.wait(MINUTE)
    assert one.state() == 2
    assert one.moved() == [("payout", "po1", 1234)]


def test_an_undecided_alipay_that_never_paid_stays_pending() -> None:
    """Not found is not failed, so the repair asks until it gives up."""
    one = merchant()
    one.add("reject", op="submit", params={"code": "SYSTEM_ERROR"})
    assert one.data(TRANSFER, alipay())["state"] == 1
    one.wait(3 * DAY)
    assert one.state() == 1
    assert one.moved() == []


@pytest.mark.parametrize("executed", [True, False])
def test_an_undecided_wechat_is_booked_as_failed(executed: bool) -> None:
    """The defect: the code is not the one the server knows, and the money may have moved."""
    one = merchant()
    one.add("reject", op="submit", params={"code": "SYSTEM_ERROR", "executed": executed})
    data = one.data(TRANSFER, wechat())
    assert (data["state"], data["errCode"]) == (3, "SYSTEM_ERROR")
    one.wait(3 * DAY)
    assert one.state() == 3
    assert one.moved() == [("payout", "po1", 1234)] * executed


def test_a_mended_server_keeps_asking_wechat() -> None:
    """A knob."""
    one = merchant(wechat_repairs_doubt=True)
    one.add("reject", op="submit", params={"code": "SYSTEM_ERROR"})
    assert one.data(TRANSFER, wechat())["state"] == 1


@pytest.mark.parametrize("executed", [True, False])
def test_a_word_nobody_knows_is_booked_as_failed(executed: bool) -> None:
    """And told, whatever is true."""
    one = merchant()
    one.add("reject", op="submit", params={"code": "SOME_NEW_ERROR", "executed": executed})
    answer = one.simulator.handle(one.request(TRANSFER, alipay()), one.now)
    (push,) = answer.pushes
    assert told(push)["errCode"] == "SOME_NEW_ERROR"
    assert one.state() == 3
    assert len(one.moved()) == executed


def test_a_refused_wechat_order_says_fail_and_why() -> None:
    """errCode is WeChat's state, errMsg its reason."""
    one = merchant()
    one.add("settle_fail", params={"reason": "ACCOUNT_FROZEN"})
    one.ask(TRANSFER, wechat())
    one.wait(MINUTE)
    data = one.data(QUERY, {"mchOrderNo": "po1"})
    assert (data["state"], data["errCode"], data["errMsg"]) == (3, "FAIL", "ACCOUNT_FROZEN")
    assert one.moved() == []


def test_nobody_confirms() -> None:
    """WeChat closes the order after 24 hours and tells Jeepay."""
    one = merchant()
    one.add("confirm_never")
    one.ask(TRANSFER, wechat())
    one.wait(DAY - MINUTE)
    assert one.state() == 1
    one.wait(2 * MINUTE)
    assert one.data(QUERY, {"mchOrderNo": "po1"})["errMsg"] == "OVERDUE_CLOSE"


def test_somebody_confirms_late() -> None:
    """After 23 hours; it is still seen."""
    one = merchant()
    one.add("confirm_late", params={"after": "23h"})
    one.ask(TRANSFER, wechat())
    one.wait(DAY)
    assert one.state() == 2


@pytest.mark.parametrize("executed", [True, False])
def test_an_order_can_be_left_as_created(executed: bool) -> None:
    """SYS_ERROR or a crash: state 0 for good, paid or not, and nothing stays frozen."""
    one = merchant()
    one.add("left_created", params={"executed": executed})
    assert one.data(TRANSFER, card())["state"] == 0
    one.wait(2 * DAY)
    assert one.state() == 0
    assert len(one.moved()) == executed
    assert one.simulator.accounts()[0]["frozen_fen"] == 0


def test_a_payout_can_be_booked_as_failed() -> None:
    """For good, and told: the lie a caller cannot see through."""
    one = merchant()
    one.add("failed_though_paid", params={"reason": "X"})
    one.last = one.simulator.handle(one.request(TRANSFER, alipay()), one.now)
    assert [told(push)["state"] for push in one.last.pushes] == ["3"]
    assert one.state() == 3
    assert one.moved() == [("payout", "po1", 1234)]


def test_the_repair_stops_looking_after_a_day() -> None:
    """What is paid later stays in state 1; WeChat is heard of whenever it comes."""
    one = merchant()
    one.add("settle_late", params={"after": "25h"})
    one.ask(TRANSFER, card("po1"))
    one.ask(TRANSFER, wechat("po2"))
    one.wait(2 * DAY)
    assert (one.state("po1"), one.state("po2")) == (1, 2)
    assert [reference for _, reference, _ in one.moved()] == ["po1", "po2"]
    for_ever = merchant(repair_s=None)
    for_ever.add("settle_late", params={"after": "25h"})
    for_ever.ask(TRANSFER, card())
    for_ever.wait(2 * DAY)
    assert for_ever.state() == 2


def test_an_unseen_failure_frees_the_money() -> None:
    """State 1 for good, nothing moved, nothing frozen."""
    one = merchant()
    one.add("settle_late", params={"after": "25h"})
    one.add("settle_fail")
    one.ask(TRANSFER, card())
    one.wait(2 * DAY)
    assert one.state() == 1
    assert one.moved() == []
    assert one.simulator.accounts()[0]["frozen_fen"] == 0


# ---- the common faults in this dialect ----


@pytest.mark.parametrize("executed", [True, False])
def test_its_own_code_comes_before_or_after_the_payment(executed: bool) -> None:
    """9999 looks the same either way, and is unsigned."""
    one = merchant()
    one.add("reject", op="submit", params={"code": "9999", "executed": executed})
    said = one.ask(TRANSFER, alipay())
    assert said["code"] == 9999
    assert "sign" not in said
    assert len(one.moved()) == executed


@pytest.mark.parametrize(
    ("action", "params", "name", "value"),
    [
        ("unknown_status", {}, "state", "ARCHIVED"),
        ("status_lie", {"status": "FAIL"}, "state", 3),
        ("status_lie", {"status": "4"}, "state", 4),
        ("wrong_echo", {"field": "amount"}, "amount", 1235),
        ("wrong_echo", {"field": "reference"}, "mchOrderNo", "po1X"),
        ("wrong_echo", {"field": "payee"}, "accountNo", "li@example.testX"),
    ],
)
def test_a_paid_order_is_told_wrongly(
    action: str, params: dict[str, object], name: str, value: object
) -> None:
    """The lie is signed, the money has moved, and the next query says the truth."""
    one = merchant()
    one.add(action, op="submit", params=params)
    assert one.data(TRANSFER, alipay())[name] == value
    assert len(one.moved()) == 1
    assert one.state() == 2


def test_signatures_can_be_wrong_or_missing() -> None:
    """Of a true answer."""
    one = merchant()
    one.add("bad_signature", op="submit")
    said = one.ask(TRANSFER, alipay())
    assert said["sign"] != signature(said["data"])
    one.faults.clear()
    one.add("unsigned", op="inquire")
    assert "sign" not in one.ask(QUERY, {"mchOrderNo": "po1"})
    assert len(one.moved()) == 1


def test_an_unknown_code_follows_an_execution() -> None:
    """As a number, if it is one."""
    one = merchant()
    one.add("unknown_code", op="submit", params={"code": "7777"})
    assert one.ask(TRANSFER, alipay())["code"] == 7777
    assert len(one.moved()) == 1


def test_a_box_in_front_throttles() -> None:
    """No JSON: the server knows no rate."""
    one = merchant()
    one.add("throttle", params={"per_s": 1})
    one.ask(TRANSFER, alipay())
    answer = one.simulator.handle(one.request(TRANSFER, alipay("po2")), one.now)
    assert answer.reply is not None
    assert answer.reply.status == 429
    assert len(one.moved()) == 1


def test_maintenance_and_short_balance() -> None:
    """The first with whatever code is wanted, the second as the channel behind says it."""
    one = merchant()
    one.add("maintenance", params={"from_hour": "09:00", "to_hour": "11:00", "code": "10"})
    assert one.ask(TRANSFER, alipay())["code"] == 10
    one.faults.clear()
    one.add("short_balance", params={"available_fen": 1233})
    assert one.data(TRANSFER, wechat())["errCode"] == "NOT_ENOUGH"
    assert one.moved() == []


def test_a_fresh_order_can_be_hidden() -> None:
    """Not found is no proof."""
    one = merchant()
    one.add("not_found_window", params={"seconds": "30s"})
    one.ask(TRANSFER, alipay())
    assert one.ask(QUERY, {"mchOrderNo": "po1"})["msg"] == "订单不存在"
    one.wait(timedelta(seconds=30))
    assert one.state() == 2


def test_a_careless_gateway_pays_twice() -> None:
    """double_execute: the second order of a number is carried out."""
    one = merchant()
    one.add("double_execute")
    one.ask(TRANSFER, alipay())
    assert one.data(TRANSFER, alipay())["state"] == 2
    assert one.moved() == [("payout", "po1", 1234)] * 2


@pytest.mark.parametrize(
    ("action", "cut", "moves"),
    [("reset_before", Cut.BEFORE, 0), ("reset_after", Cut.AFTER, 1), ("reset_mid", Cut.MID, 1)],
)
def test_a_reset_says_nothing_about_the_money(action: str, cut: Cut, moves: int) -> None:
    """Before, after, in the middle."""
    one = merchant()
    one.add(action, op="submit")
    one.last = one.simulator.handle(one.request(TRANSFER, alipay()), one.now)
    assert one.last.cut is cut
    assert len(one.moved()) == moves


def test_magic_payees_need_no_rule() -> None:
    """A few of the table, as a person would try them."""
    one = merchant(account(balance_fen=10_000_000))
    nobody = one.data(TRANSFER, alipay("po1", accountNo="nobody@jeepay.test"))
    assert (nobody["state"], nobody["errCode"]) == (3, "PAYEE_NOT_EXIST")
    left = one.data(TRANSFER, card("po2", accountNo="6222100000000002"))
    assert left["state"] == 0
    lie = one.data(TRANSFER, wechat("po3", accountNo="magic-jeepay-unsure"))
    assert lie["state"] == 3
    assert [reference for _, reference, _ in one.moved()] == ["po2", "po3"]
    unsure = one.ask(TRANSFER, alipay("po4", 10_005))
    assert unsure["code"] == 9999
    assert one.state("po4") == 2
    assert json.dumps([dict(row) for row in one.simulator.magic()])

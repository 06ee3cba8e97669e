"""XxPay's own defects as faults, the common ones in its dialect, and laws that survive both."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.kernel import Cut
from tests.simulators.xxpay.merchant import (
    APPLY,
    BALANCE,
    QUERY,
    account,
    merchant,
    payout,
    signature,
    told,
)

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def test_a_bank_that_was_not_understood_is_booked_as_failed() -> None:
    """Paid, status 3 for good, and nobody is told: the worst habit of the stock server."""
    one = merchant()
    one.add("failed_though_paid")
    one.ask(APPLY, payout())
    assert one.wait(DAY) == ()
    assert one.status() == "3"
    assert one.moved() == [("payout", "po1", 1234), ("fee", "po1", 7)]
    assert one.simulator.accounts()[0]["frozen_fen"] == 0


def test_a_bank_that_refuses_is_told() -> None:
    """Status 3 as well, with the bank's words, and the money is free again."""
    one = merchant()
    one.add("settle_fail", params={"reason": "户名不符"})
    one.ask(APPLY, payout())
    (push,) = one.wait(MINUTE)
    fields = told(push)
    assert (fields["status"], fields["transMsg"]) == ("3", "户名不符")
    assert one.moved() == []
    assert one.proven(BALANCE, {})["availableAgentpayBalance"] == "1000000"


@pytest.mark.parametrize("executed", [True, False])
def test_an_order_can_be_left_as_pending(executed: bool) -> None:
    """Status 0 for good, paid or not."""
    one = merchant()
    one.add("left_created", params={"executed": executed})
    assert one.proven(APPLY, payout())["status"] == 0
    one.wait(DAY)
    assert one.status() == "0"
    assert len(one.moved()) == 2 * executed


@pytest.mark.parametrize(
    ("action", "params", "status"),
    [("settle_late", {"after": "6h"}, "2"), ("settle_never", {}, "1")],
)
def test_a_bank_takes_long(action: str, params: dict[str, object], status: str) -> None:
    """Processing until then."""
    one = merchant()
    one.add(action, params=params)
    one.ask(APPLY, payout())
    one.wait(timedelta(hours=5))
    assert one.status() == "1"
    one.wait(DAY)
    assert one.status() == status


@pytest.mark.parametrize("executed", [True, False])
def test_a_refusal_comes_before_or_after_the_payment(executed: bool) -> None:
    """FAIL looks the same either way, and is unsigned."""
    one = merchant()
    one.add("reject", op="submit", params={"code": "FAIL", "executed": executed})
    said = one.ask(APPLY, payout())
    assert said["retCode"] == "FAIL"
    assert "sign" not in said
    one.wait(MINUTE)
    assert len(one.moved()) == 2 * executed


@pytest.mark.parametrize(
    ("action", "params", "name", "value"),
    [
        ("unknown_status", {}, "status", "ARCHIVED"),
        ("status_lie", {"status": "FAIL"}, "status", "3"),
        ("wrong_echo", {"field": "amount"}, "amount", "1235"),
        ("wrong_echo", {"field": "reference"}, "mchOrderNo", "po1X"),
    ],
)
def test_a_query_is_answered_wrongly(
    action: str, params: dict[str, object], name: str, value: str
) -> None:
    """The lie is signed; without the rule the truth is told again."""
    one = merchant()
    one.ask(APPLY, payout())
    one.wait(MINUTE)
    one.add(action, op="inquire", params=params, times=1)
    assert one.proven(QUERY, {"mchOrderNo": "po1"})[name] == value
    assert one.status() == "2"


def test_a_submission_echoes_a_wrong_extra() -> None:
    """All that it echoes."""
    one = merchant()
    one.add("wrong_echo", op="submit", params={"field": "reference"})
    assert one.proven(APPLY, payout())["extra"] == "po1X"


def test_signatures_can_be_wrong_or_missing() -> None:
    """Of a true answer."""
    one = merchant()
    one.add("bad_signature", op="submit")
    said = one.ask(APPLY, payout())
    assert said.pop("sign") != signature(said)
    one.add("unsigned", op="inquire")
    assert "sign" not in one.ask(QUERY, {"mchOrderNo": "po1"})


def test_other_common_faults() -> None:
    """An unknown code, a box that throttles, maintenance, a balance that seems short."""
    one = merchant(same_payee_s=0)
    one.add("unknown_code", op="submit", times=1)
    assert one.ask(APPLY, payout())["retCode"] == "NEW_UNDOCUMENTED_CODE"
    one.add("maintenance", params={"from_hour": "09:00", "to_hour": "11:00", "code": "FAIL"})
    assert one.ask(APPLY, payout("po2"))["retMsg"] == "系统维护中"
    one.faults.clear()
    one.add("short_balance", id="short", op="submit", params={"available_fen": 1240}, times=1)
    assert one.ask(APPLY, payout("po3"))["retMsg"] == "账户余额不足"
    one.add("throttle", params={"per_s": 0})
    answer = one.simulator.handle(one.request(APPLY, payout("po4")), one.now)
    assert answer.reply is not None
    assert answer.reply.status == 429
    one.wait(MINUTE)
    assert [reference for _, reference, _ in one.moved()] == ["po1", "po1"]


def test_a_fresh_order_can_be_hidden_and_a_careless_gateway_pays_twice() -> None:
    """Not found is no proof; double_execute carries the second out."""
    one = merchant()
    one.add("not_found_window", params={"seconds": "30s"})
    one.add("double_execute")
    one.ask(APPLY, payout())
    assert one.ask(QUERY, {"mchOrderNo": "po1"})["retMsg"] == "代付订单不存在"
    one.wait(MINUTE)
    assert one.proven(APPLY, payout())["status"] == 2
    assert [kind for kind, _, _ in one.moved()] == ["payout", "fee", "payout"]


def test_a_forged_notice_lies_under_a_bad_signature() -> None:
    """Beside the true one."""
    one = merchant()
    one.add("notice_forged", op="notice")
    one.ask(APPLY, payout())
    forged, true = one.wait(MINUTE)
    assert told(true)["status"] == "2"
    assert "status=3" in forged.url
    with pytest.raises(AssertionError):
        told(forged)


@pytest.mark.parametrize(
    ("action", "cut", "moves"),
    [("reset_before", Cut.BEFORE, 0), ("reset_after", Cut.AFTER, 2), ("reset_mid", Cut.MID, 2)],
)
def test_a_reset_says_nothing_about_the_money(action: str, cut: Cut, moves: int) -> None:
    """Before, after, in the middle."""
    one = merchant()
    one.add(action, op="submit")
    one.last = one.simulator.handle(one.request(APPLY, payout()), one.now)
    one.wait(MINUTE)
    assert one.last.cut is cut
    assert len(one.moved()) == moves


def test_magic_payees_need_no_rule() -> None:
    """The lie, as a person would try it."""
    one = merchant()
    one.ask(APPLY, payout(accountNo="6222200000000005"))
    one.wait(MINUTE)
    assert one.status() == "3"
    assert len(one.moved()) == 2


FAULTS = (
    *("reset_after", "reset_before", "bad_signature", "unknown_status", "settle_late"),
    *("settle_fail", "settle_never", "left_created", "failed_though_paid", "return_late"),
)
STEP = st.one_of(
    st.tuples(st.just("pay"), st.integers(0, 6), st.integers(1, 900)),
    st.tuples(st.just("wait"), st.integers(0, 200_000), st.none()),
    st.tuples(st.just("fault"), st.sampled_from(FAULTS), st.floats(0.1, 1.0)),
)


@settings(max_examples=50)
@given(st.lists(STEP, max_size=14), st.integers(0, 3), st.booleans())
def test_money_is_conserved_and_each_number_pays_once(
    steps: list[tuple[str, int | str, int | float | None]], seed: int, shows: bool
) -> None:
    """The balance follows from the truth; one payout, one fee and at most one later return per
    number; what a query calls paid or returned was; only what is under way is set aside."""
    one = merchant(account(balance_fen=3000), seed=seed, shows_returns=shows)
    asked = set()
    for kind, what, more in steps:
        if kind == "wait":
            one.wait(timedelta(seconds=int(what)))
        elif kind == "fault":
            one.add(str(what), probability=more)
        else:
            fields = payout(f"po{what}", int(more or 1))
            one.simulator.handle(one.request(APPLY, fields), one.now)
            asked.add(f"po{what}")
    one.faults.clear()
    truth = one.simulator.truth()
    net = sum(-m.amount_minor if m.is_outgoing else m.amount_minor for m in truth)
    (held,) = one.simulator.accounts()
    assert held["balance_fen"] == 3000 + net
    assert all(m.balance_minor >= 0 for m in truth)
    counts = Counter((m.kind, m.reference) for m in truth)
    assert set(counts.values()) <= {1}
    frozen = 0
    for reference in asked:
        said = one.ask(QUERY, {"mchOrderNo": reference})
        status = said.get("status")
        if status in {"2", "6"}:
            assert ("payout", reference) in counts
        if status == "6":
            assert ("return", reference) in counts
        if ("return", reference) in counts:
            assert status == ("6" if shows else "2")
        if status == "1":
            frozen += int(said["amount"]) + 7
    assert held["frozen_fen"] == frozen

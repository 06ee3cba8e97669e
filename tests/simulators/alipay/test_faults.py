"""Faults that speak the platform's dialect, and what they do to money."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from cryptography.exceptions import InvalidSignature

from simulators.kernel import Cut
from tests.simulators.alipay.customer import (
    QUERY,
    START,
    TRANSFER,
    Customer,
    about,
    customer,
    to_card,
    transfer,
    verified,
)


def submit(merchant: Customer, biz: dict[str, object]) -> None:
    """Submit without expecting anything of the reply."""
    request = merchant.request(merchant.parameters(TRANSFER, biz))
    merchant.last = merchant.simulator.handle(request, merchant.now)


@pytest.mark.parametrize(
    ("action", "params", "cut", "moves"),
    [
        ("reset_before", {}, Cut.BEFORE, 0),
        ("reset_after", {}, Cut.AFTER, 1),
        ("reset_mid", {}, Cut.MID, 1),
    ],
)
def test_a_reset_says_nothing_about_the_money(
    action: str, params: dict[str, object], cut: Cut, moves: int
) -> None:
    """Before: nothing executed. After or in the middle: paid."""
    merchant = customer()
    merchant.add(action, params=params, op="submit")
    submit(merchant, transfer())
    assert merchant.last.cut is cut
    assert len(merchant.moved()) == moves
    assert merchant.last.faults == ("f1",)


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
    merchant = customer()
    merchant.add(action, params=params, op="submit")
    submit(merchant, transfer())
    assert merchant.last.reply is not None
    assert merchant.last.reply.status == status
    with pytest.raises(ValueError, match="Expecting"):
        json.loads(merchant.last.reply.body.decode().lstrip("\x1f"))
    assert len(merchant.moved()) == moves


@pytest.mark.parametrize(("executed", "moves"), [(False, 0), (True, 1)])
def test_a_system_error_before_and_after_the_commit(executed: bool, moves: int) -> None:
    """SYSTEM_ERROR looks the same either way."""
    merchant = customer()
    merchant.add("reject", op="submit", params={"code": "SYSTEM_ERROR", "executed": executed})
    node = merchant.ask(TRANSFER, transfer())
    assert (node["code"], node["sub_code"]) == ("40004", "SYSTEM_ERROR")
    assert len(merchant.moved()) == moves


@pytest.mark.parametrize(
    ("code", "top"),
    [
        ("20000", "20000"),
        ("isp.unknow-error", "20000"),
        ("isv.insufficient-isv-permissions", "40006"),
        ("isv.invalid-signature", "40002"),
        ("PAYEE_NOT_EXIST", "40004"),
        ("NEVER_HEARD_OF", "40004"),
    ],
)
def test_any_code_of_the_table_can_be_forced(code: str, top: str) -> None:
    """The top-level code follows from the sub_code."""
    merchant = customer()
    merchant.add("reject", params={"code": code})
    node = merchant.ask(TRANSFER, transfer())
    assert node["code"] == top
    assert node["sub_code"] == ("isp.unknow-error" if code == "20000" else code)
    assert merchant.moved() == []


def test_a_bad_signature_hides_a_paid_order() -> None:
    """The reply is true but does not verify."""
    merchant = customer()
    merchant.add("bad_signature", op="submit")
    submit(merchant, transfer())
    assert merchant.last.reply is not None
    with pytest.raises(InvalidSignature):
        verified(merchant.last.reply)
    assert len(merchant.moved()) == 1


def test_an_unsigned_reply_has_no_signature() -> None:
    """`sign` is left out altogether."""
    merchant = customer()
    merchant.add("unsigned")
    submit(merchant, transfer())
    assert merchant.last.reply is not None
    assert set(json.loads(merchant.last.reply.body)) == {"alipay_fund_trans_uni_transfer_response"}


@pytest.mark.parametrize(
    ("action", "params", "field", "value"),
    [
        ("unknown_code", {}, "sub_code", "NEW_UNDOCUMENTED_CODE"),
        ("unknown_status", {}, "status", "ARCHIVED"),
        ("status_lie", {"status": "FAIL"}, "status", "FAIL"),
        ("wrong_echo", {"field": "amount"}, "amount", "12.35"),
        ("wrong_echo", {"field": "reference"}, "out_biz_no", "po-1X"),
    ],
)
def test_a_paid_order_is_told_wrongly(
    action: str, params: dict[str, object], field: str, value: str
) -> None:
    """The lie is signed, and the money has moved."""
    merchant = customer()
    merchant.add(action, params=params)
    assert merchant.ask(TRANSFER, transfer())[field] == value
    assert len(merchant.moved()) == 1


def test_a_lie_to_a_query_leaves_the_order_alone() -> None:
    """Only the answer changes; without the rule the truth is told again."""
    merchant = customer()
    merchant.ask(TRANSFER, transfer())
    merchant.add("status_lie", op="inquire", params={"status": "CLOSED"}, times=1)
    assert merchant.ask(QUERY, about(transfer()))["status"] == "CLOSED"
    assert merchant.ask(QUERY, about(transfer()))["status"] == "SUCCESS"


def test_a_paid_order_cannot_be_found_at_first() -> None:
    """Not found is no proof: the order was paid all along."""
    merchant = customer()
    merchant.add("not_found_window", params={"seconds": "30s"})
    merchant.ask(TRANSFER, transfer())
    assert merchant.ask(QUERY, about(transfer()))["sub_code"] == "ORDER_NOT_EXIST"
    assert len(merchant.moved()) == 1
    merchant.now += timedelta(seconds=30)
    assert merchant.ask(QUERY, about(transfer()))["status"] == "SUCCESS"


def test_a_careless_institution_pays_twice() -> None:
    """double_execute: the same request again moves money again."""
    merchant = customer()
    merchant.add("double_execute")
    merchant.ask(TRANSFER, transfer())
    merchant.ask(TRANSFER, transfer())
    assert merchant.moved() == [("payout", "po-1", 1234)] * 2


def test_a_throttle_counts_per_second() -> None:
    """The third request of a second gets the flow limit and is not executed."""
    merchant = customer()
    merchant.add("throttle", params={"per_s": 2})
    codes = [merchant.ask(TRANSFER, transfer(f"po-{n}")).get("sub_code") for n in range(3)]
    assert codes == [None, None, "RESOURCE_LIMIT_EXCEED"]
    merchant.now += timedelta(seconds=1)
    assert merchant.ask(TRANSFER, transfer("po-9"))["code"] == "10000"


def test_maintenance_hours_are_beijing_time() -> None:
    """A window across midnight closes 23:30 to 01:00 in Beijing."""
    merchant = customer()
    merchant.add("maintenance", params={"from_hour": "23:30", "to_hour": "01:00"})
    midnight = START + timedelta(hours=14)
    seen = []
    for offset in (-31, -29, 30, 61):
        merchant.now = midnight + timedelta(minutes=offset)
        seen.append(merchant.ask(TRANSFER, transfer(f"po{offset}")).get("sub_code"))
    assert seen == [None, "SYSTEM_ERROR", "SYSTEM_ERROR", None]


def test_a_balance_can_seem_short() -> None:
    """short_balance refuses as the real thing does; the books are untouched."""
    merchant = customer()
    merchant.add("short_balance", params={"available_fen": 1233})
    assert merchant.ask(TRANSFER, transfer())["sub_code"] == "PAYER_BALANCE_NOT_ENOUGH"
    assert merchant.ask(TRANSFER, transfer("po-2", "12.33"))["code"] == "10000"


def test_rules_reach_only_what_they_select() -> None:
    """Account, operation, payee, reference and amount all narrow a rule."""
    for selector, other in (
        ({"op": "submit"}, {"op": "inquire"}),
        ({"account": "alipay-1"}, {"account": "alipay-2"}),
        ({"reference": "po-1"}, {"reference": "po-2"}),
        ({"payee": "li@example.test"}, {"payee": "wu@example.test"}),
        ({"min_amount_fen": 1234}, {"min_amount_fen": 1235}),
        ({"max_amount_fen": 1234}, {"max_amount_fen": 1233}),
    ):
        for given, struck in ((selector, True), (other, False)):
            merchant = customer()
            merchant.add("reject", params={"code": "INST_PAY_UNABLE"}, **given)
            assert ("sub_code" in merchant.ask(TRANSFER, transfer())) is struck, given


@pytest.mark.parametrize(
    ("yuan", "first", "moves"),
    [("100.05", "SYSTEM_ERROR", 1), ("100.06", "SYSTEM_ERROR", 0)],
)
def test_a_magic_amount_strikes_once_per_reference(yuan: str, first: str, moves: int) -> None:
    """The repeated request gets through, and is paid once in all."""
    merchant = customer()
    assert merchant.ask(TRANSFER, transfer(yuan=yuan))["sub_code"] == first
    assert len(merchant.moved()) == moves
    assert merchant.ask(TRANSFER, transfer(yuan=yuan))["status"] == "SUCCESS"
    assert len(merchant.moved()) == 1


def test_a_magic_payee_is_always_refused() -> None:
    """nobody@magic.test does not exist."""
    payee = {"identity": "nobody@magic.test", "identity_type": "ALIPAY_LOGON_ID", "name": "无"}
    merchant = customer()
    for _ in range(2):
        node = merchant.ask(TRANSFER, transfer(payee_info=payee))
        assert node["sub_code"] == "PAYEE_NOT_EXIST"


def test_settle_rules_decide_the_fate_of_a_card() -> None:
    """settle_late with return_late: paid late, returned later still."""
    merchant = customer()
    merchant.add("settle_late", params={"after": "1h"})
    merchant.add("return_late", params={"after": "2h"})
    merchant.ask(TRANSFER, to_card())
    merchant.wait(timedelta(hours=4))
    paid, back = merchant.simulator.truth()
    assert (paid.at - START, back.at - START) == (timedelta(hours=1), timedelta(hours=3))


def test_one_seed_gives_one_history() -> None:
    """Which orders a half-probable rule strikes depends on the seed, not on their sequence."""

    def struck(seed: int, references: list[str]) -> set[str]:
        merchant = customer(seed=seed)
        merchant.add("reject", id="half", probability=0.5)
        return {r for r in references if "sub_code" in merchant.ask(TRANSFER, transfer(r, "1"))}

    references = [f"po-{n}" for n in range(24)]
    assert struck(1, references) == struck(1, references[::-1])
    assert struck(1, references) != struck(2, references)
    assert 0 < len(struck(1, references)) < 24

"""What the simulated bank lays out: statements, reports, pushes, and what faults make of them."""

from __future__ import annotations

import hashlib
import hmac
import json
from itertools import pairwise
from typing import Any

import pytest

from simulators.faults import FaultRule
from simulators.kernel import Request
from tests.simulators.bank.customer import CUSTOMER, SECRET, Customer, file, transaction

NOTICES = {"notify_url": "http://127.0.0.1:9/notices", "fee": {"flat_fen": 50}}


def statement(customer: Customer, number: int = 0) -> Any:
    """The statement of the n-th day."""
    return customer.documents("camt.053")[number].bk_to_cstmr_stmt.stmt[0]


def balances(one: Any) -> dict[str, int]:
    """Fen by type of balance."""
    return {b.tp.cd_or_prtry.cd: int(b.amt.value * 100) for b in one.bal}


def total(one: Any) -> int:
    """What the entries come to, credits less debits."""
    return sum(
        int(entry.amt.value * 100) * (1 if entry.cdt_dbt_ind.value == "CRDT" else -1)
        for entry in one.ntry
    )


def spoilt(action: str, **knobs: Any) -> Customer:
    """A customer with two payments on the first day, whose statement is spoilt once."""
    rule = FaultRule(op="statement", action=action, times=1)
    customer = Customer(rules=[rule], **knobs)
    for number in (1, 2):
        customer.send(file(transaction(f"E{number}"), message_id=f"M{number}"))
    customer.wait(days=2)
    return customer


def test_a_day_is_stated_the_next_morning() -> None:
    """Not before eight; then with every entry and balances that add up."""
    customer = Customer(account={"fee": {"flat_fen": 50}})
    customer.send(file())
    customer.wait(hours=21, minutes=59)
    assert customer.documents("camt.053") == []
    customer.wait(minutes=1)
    one = statement(customer)
    told = balances(one)
    assert (told["OPBD"], told["CLBD"]) == (1_000_000, 1_000_000 - 1_280)
    assert told["OPBD"] + total(one) == told["CLBD"]
    assert one.txs_summry.ttl_ntries.nb_of_ntries == "2"
    assert [entry.ntry_dtls[0].tx_dtls[0].refs.end_to_end_id for entry in one.ntry] == ["E1", "E1"]


def test_days_without_movements_are_stated_and_chained() -> None:
    """Every calendar day; each opens with what the one before closed with."""
    customer = Customer()
    customer.send(file())
    customer.wait(days=6)
    days = [statement(customer, number) for number in range(6)]
    for earlier, later in pairwise(days):
        assert balances(later)["PRCD"] == balances(later)["OPBD"] == balances(earlier)["CLBD"]
    assert [day.elctrnc_seq_nb for day in days] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("action", "off"),
    [
        ("statement_missing_line", 1_230),
        ("statement_extra_line", -100),
        ("statement_wrong_amount", -1),
        ("statement_duplicate_line", -1_230),
    ],
)
def test_a_wrong_line_breaks_the_equation(action: str, off: int) -> None:
    """The balances are what is truly there."""
    one = statement(spoilt(action))
    told = balances(one)
    assert told["OPBD"] + total(one) == told["CLBD"] + off


@pytest.mark.parametrize("action", ["statement_missing_line", "statement_extra_line"])
def test_a_statement_may_lie_consistently(action: str) -> None:
    """Then the next day's opening gives it away."""
    customer = spoilt(action, statement_balances="lines")
    first, second = statement(customer, 0), statement(customer, 1)
    assert balances(first)["OPBD"] + total(first) == balances(first)["CLBD"]
    assert balances(second)["OPBD"] != balances(first)["CLBD"]


def test_a_late_statement_is_late_and_then_stays() -> None:
    """Its faults are drawn once; a file once made is never made again."""
    rule = FaultRule(op="statement", action="statement_late", params={"after": "12h"}, times=1)
    customer = Customer(rules=[rule])
    customer.send(file())
    customer.wait(days=1)
    assert customer.raw("camt.053") == []
    customer.wait(hours=12)
    first = customer.raw("camt.053")
    assert len(first) == 1
    customer.wait(days=1)
    assert customer.raw("camt.053")[0] == first[0]


def test_the_balance_is_told_when_it_has_moved() -> None:
    """One camt.052 at first, another after the payment, none in between."""
    customer = Customer()
    assert len(customer.raw("camt.052")) == 1
    customer.send(file())
    customer.wait(minutes=5)
    last = customer.documents("camt.052")[-1].bk_to_cstmr_acct_rpt.rpt[0]
    assert balances(last)["ITAV"] == 1_000_000 - 1_230
    count = len(customer.raw("camt.052"))
    customer.names()
    assert len(customer.raw("camt.052")) == count


def test_every_booking_is_notified() -> None:
    """A debit with its fee, and a credit with the reason of the return."""
    customer = Customer(account={"fee": {"flat_fen": 50}})
    customer.send(file(transaction(payee="6222000000000002")))
    customer.wait(days=2)
    debit, credit = (d.bk_to_cstmr_dbt_cdt_ntfctn.ntfctn[0] for d in customer.documents("camt.054"))
    assert len(debit.ntry) == 2
    (entry,) = credit.ntry
    assert entry.cdt_dbt_ind.value == "CRDT"
    assert entry.ntry_dtls[0].tx_dtls[0].rtr_inf.rsn.cd == "AC04"


def test_what_is_pushed_is_signed_and_also_a_file() -> None:
    """HMAC over time and body; the same message stands in the list."""
    customer = Customer(account=NOTICES)
    customer.send(file())
    customer.wait(minutes=5)
    assert len(customer.pushes) == 6
    laid_out = customer.raw("pain.002") + customer.raw("camt.054")
    for push in customer.pushes:
        headers = dict(push.headers)
        signed = headers["x-bank-timestamp"].encode() + b"." + push.body
        code = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
        assert headers["x-bank-signature"] == code
        assert push.body in laid_out


def test_an_unheard_push_climbs_the_ladder() -> None:
    """Until a 2xx; a forgery is signed with another key."""
    customer = Customer(
        account=NOTICES, rules=[FaultRule(op="notice", action="notice_forged", times=1)]
    )
    customer.send(file())
    forged, first = customer.pushes
    signed = dict(forged.headers)["x-bank-timestamp"].encode() + b"." + forged.body
    code = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert dict(forged.headers)["x-bank-signature"] != code
    customer.bank.on_push_result(first, 500, customer.now)
    customer.bank.on_push_result(forged, 204, customer.now)
    customer.pushes.clear()
    customer.wait(minutes=1)
    assert [push.attempt for push in customer.pushes if push.body == first.body] == [2]


def test_a_hidden_payment_is_in_no_file_yet() -> None:
    """Not found is not failed."""
    params = {"seconds": "1h"}
    customer = Customer(rules=[FaultRule(op="submit", action="not_found_window", params=params)])
    customer.send(file())
    customer.wait(minutes=30)
    assert customer.statuses() == []
    assert customer.documents("camt.054") == []
    customer.wait(minutes=31)
    assert customer.statuses()[-1][0] == "ACCC"


@pytest.mark.parametrize(
    ("action", "params", "expected"),
    [
        ("unknown_status", {}, ("ARCH", "")),
        ("unknown_code", {}, ("RJCT", "NEW_UNDOCUMENTED_CODE")),
        ("reject", {"code": "AB06", "executed": True}, ("RJCT", "AB06")),
        ("status_lie", {"status": "ACSC"}, ("ACSC", "")),
    ],
)
def test_a_lie_is_the_first_word_only(
    action: str, params: dict[str, str | bool], expected: tuple[str, str]
) -> None:
    """What follows is true, and the money moves."""
    rule = FaultRule(op="submit", action=action, params=dict(params))
    customer = Customer(rules=[rule])
    customer.send(file())
    customer.wait(minutes=5)
    told = customer.statuses()
    assert told[0] == expected
    assert told[-1] == ("ACCC", "")
    assert len(customer.moved()) == 1


@pytest.mark.parametrize("field", ["amount", "reference", "payee"])
def test_a_wrong_echo_differs_in_that_field_alone(field: str) -> None:
    """And still keeps to the message's shape."""
    rule = FaultRule(op="submit", action="wrong_echo", params={"field": field})
    customer = Customer(rules=[rule])
    customer.send(file())
    (first,) = customer.documents("pain.002")
    one = first.cstmr_pmt_sts_rpt.orgnl_pmt_inf_and_sts[0].tx_inf_and_sts[0]
    echoed = {
        "amount": str(one.orgnl_tx_ref.amt.instd_amt.value),
        "reference": one.orgnl_end_to_end_id,
        "payee": one.orgnl_tx_ref.cdtr_acct.id.othr.id,
    }
    truth = {"amount": "12.30", "reference": "E1", "payee": "6222020200112233445"}
    assert {name for name in truth if echoed[name] != truth[name]} == {field}


@pytest.mark.parametrize(
    ("op", "action", "expected"),
    [("inquire", "throttle", 429), ("inquire", "maintenance", 503), ("download", "throttle", 429)],
)
def test_a_bank_that_takes_nothing_says_so(op: str, action: str, expected: int) -> None:
    """For lists and files as for uploads."""
    params = {"per_s": 0} if action == "throttle" else {"from_hour": "00:00", "to_hour": "23:59"}
    customer = Customer()
    name, _ = customer.names()[0]
    customer.faults.add(FaultRule(op=op, action=action, params=dict(params)))
    target = "/h2h/v1/files?since=2026-01-01" if op == "inquire" else f"/h2h/v1/files/{name}"
    request = Request("GET", target, {"x-customer-id": CUSTOMER}, b"")
    answer = customer.bank.handle(request, customer.now)
    assert answer.reply is not None
    assert answer.reply.status == expected


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("GET", "/h2h/v1/files?since=yesterday", 400),
        ("GET", "/h2h/v1/files", 400),
        ("GET", "/h2h/v1/files/none.xml", 404),
        ("GET", "/elsewhere", 404),
        ("DELETE", "/h2h/v1/files", 404),
    ],
)
def test_questions_nobody_understands(method: str, target: str, expected: int) -> None:
    """Errors of the envelope, as JSON."""
    request = Request(method, target, {"x-customer-id": CUSTOMER}, b"")
    customer = Customer()
    answer = customer.bank.handle(request, customer.now)
    assert answer.reply is not None
    assert answer.reply.status == expected
    assert "error" in json.loads(answer.reply.body)

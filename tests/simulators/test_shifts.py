"""On which day's statement a movement stands: decided once, never lost, never told twice."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.books import Movement
from simulators.faults import FaultRule, Faults
from simulators.shifts import DAYS_MAX, Shifts
from tests.simulators.alipay.customer import BILL, TRANSFER, Customer, account, customer, transfer
from tests.simulators.alipay.test_bills import READY, amounts, bill
from tests.simulators.wechat_pay.merchant import World, make_world
from tests.simulators.wechat_pay.merchant import account as wechat_account
from tests.simulators.wechat_pay.test_bills import ask_bill, fetch

NEXT = {"bill_type": "signcustomer", "bill_date": "2026-03-03"}
DAY = date(2026, 3, 2)
NOW = datetime(2026, 3, 9, 2, tzinfo=UTC)


def movement(number: int, at: datetime, reference: str = "po-1") -> Movement:
    """A payout."""
    return Movement(at, "a", reference, "x", 100, "CNY", "payout", f"o{number}", number, 0)


def rules(*given_: dict[str, object]) -> Faults:
    """Rules that shift lines."""
    faults = Faults(seed=7)
    for one in given_:
        faults.add(FaultRule.model_validate({"action": "statement_shifted_line", **one}))
    return faults


@given(
    hours=st.lists(st.integers(0, 5 * 24 - 1), min_size=1, max_size=12),
    days=st.integers(-9, 9),
    order=st.randoms(use_true_random=False),
    share=st.sampled_from((0.5, 1.0)),
)
def test_every_movement_stands_on_exactly_one_day(
    hours: list[int], days: int, order: object, share: float
) -> None:
    """Whatever is shifted how far, and in whatever order the files are asked for."""
    begin = datetime(2026, 3, 1, 16, tzinfo=UTC)
    moved = [movement(n, begin + timedelta(hours=one), f"r{n}") for n, one in enumerate(hours)]
    made: set[date] = set()
    shifts = Shifts(
        rules({"params": {"days": days}, "probability": share}), lambda _, day: day in made
    )
    seen: list[int] = []
    asked = [DAY + timedelta(days=one) for one in range(-8, 14)]
    order.shuffle(asked)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    for day in asked:
        seen += [one.number for one in moved if shifts.day_of(one, day, NOW) == day]
        made.add(day)
    assert sorted(seen) == sorted(one.number for one in moved)


def test_without_a_rule_nothing_is_decided() -> None:
    """A rule that comes later still finds the line where it belongs."""
    faults = Faults()
    shifts = Shifts(faults, lambda *_: False)
    one = movement(1, datetime(2026, 3, 2, 2, tzinfo=UTC))
    assert shifts.day_of(one, DAY, NOW) == DAY
    faults.add(FaultRule(action="statement_shifted_line"))
    assert shifts.day_of(one, DAY, NOW) == DAY + timedelta(days=1)
    faults.clear()
    assert shifts.day_of(one, DAY, NOW) == DAY + timedelta(days=1)


def test_no_line_moves_further_than_a_week() -> None:
    """A larger number is taken as that."""
    shifts = Shifts(rules({"params": {"days": 30}}), lambda *_: False)
    one = movement(1, datetime(2026, 3, 2, 2, tzinfo=UTC))
    assert shifts.day_of(one, DAY, NOW) == DAY + timedelta(days=DAYS_MAX)


# --- At the institutions -----------------------------------------------------------------------


def next_day(merchant: Customer) -> list[tuple[str, str, str]]:
    """What the second day's file shows."""
    merchant.now = READY + timedelta(days=1)
    return amounts(bill(merchant, NEXT))


def test_alipay_shows_a_shifted_line_in_the_neighbours_file() -> None:
    """With its own time and serial, and the sums of both files fit."""
    merchant = customer(account(fee={"flat_fen": 100}))
    merchant.ask(TRANSFER, transfer("po-1", "12.34"))
    merchant.ask(TRANSFER, transfer("po-2", "5.00"))
    merchant.add("statement_shifted_line", op="statement", reference="po-1")
    assert amounts(bill(merchant)) == [("po-2", "", "-5.00"), ("po-2", "", "-1.00")]
    assert next_day(merchant) == [("po-1", "", "-12.34"), ("po-1", "", "-1.00")]
    (row, _) = bill(merchant, NEXT)
    assert row["发生时间"] == "2026-03-02 10:00:00"
    assert row["账务流水号"].startswith("20260302")


def test_alipay_may_book_a_line_on_the_day_before() -> None:
    """If that day's file was not made yet; else it stays where it is."""
    merchant = customer()
    merchant.wait(timedelta(hours=15))
    merchant.ask(TRANSFER, transfer("po-1", "12.34"))
    merchant.add("statement_shifted_line", params={"days": -1})
    assert amounts(bill(merchant)) == [("po-1", "", "-12.34")]
    assert merchant.ask(BILL, NEXT).get("sub_code") is not None
    late = customer()
    late.wait(timedelta(hours=23))
    assert bill(late) == []
    late.ask(TRANSFER, transfer("po-1", "12.34"))
    late.add("statement_shifted_line", params={"days": -1})
    assert next_day(late) == [("po-1", "", "-12.34")]


def test_alipay_tells_other_faults_of_a_shifted_line_where_it_stands() -> None:
    """Shifted and a fen off: the neighbour's file is wrong."""
    merchant = customer()
    merchant.ask(TRANSFER, transfer("po-1", "12.34"))
    merchant.add("statement_shifted_line")
    merchant.add("statement_wrong_amount", params={"delta_fen": 1})
    assert bill(merchant) == []
    assert next_day(merchant) == [("po-1", "", "-12.35")]


@pytest.fixture
def world() -> World:
    """Two paid transfers on 20 May; now 09:00 the next day."""
    world = make_world(wechat_account())
    world.submit("a", transfer_amount=10_000)
    world.submit("b", transfer_amount=250)
    world.pass_time(seconds=1)
    world.now = datetime(2026, 5, 21, 1, 0, tzinfo=UTC)
    return world


def test_wechat_shows_a_shifted_line_in_the_neighbours_file(world: World) -> None:
    """The summary of each bill counts what stands there."""
    world.fault(action="statement_shifted_line", op="statement", reference="a")
    _, *rows, _, summary = fetch(world)
    assert [row[10] for row in rows] == ["b"]
    assert summary[0] == "1"
    world.pass_time(days=1)
    _, *rows, _, summary = fetch(world, "bill_date=2026-05-21")
    assert [(row[0], row[10]) for row in rows] == [("2026-05-20 10:00:01", "a")]
    assert summary[-1] == "100.00"


def test_wechat_without_the_line_has_no_bill(world: World) -> None:
    """A day whose every line stands elsewhere looks like one without movements."""
    world.fault(action="statement_shifted_line", op="statement")
    assert ask_bill(world).said["code"] == "NO_STATEMENT_EXIST"

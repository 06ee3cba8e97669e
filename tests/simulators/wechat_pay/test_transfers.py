"""The life of a transfer: states over time, money locked, paid and released, numbers used once."""

import itertools
from datetime import timedelta
from typing import Any

import pytest

from simulators.wechat_pay.bill import FINAL, MOVES, Bill, ForbiddenMoveError, Script, State
from simulators.wechat_pay.submission import Submission
from tests.simulators.wechat_pay.merchant import (
    START,
    TRANSFERS,
    World,
    account,
    make_world,
)


@pytest.fixture
def world() -> World:
    return make_world()


def test_transfer_is_confirmed_and_paid(world: World) -> None:
    """Money is locked while the payee confirms, and leaves the account on SUCCESS."""
    heard = world.submit()
    assert heard.said["state"] == "WAIT_USER_CONFIRM"
    assert world.balance() == (1_000_000 - 1234, 1234)
    assert world.moved() == []
    world.pass_time(seconds=1)
    assert world.state() == "SUCCESS"
    assert world.balance() == (1_000_000 - 1234, 0)
    assert world.moved() == [("payout", "payout1", 1234)]


def test_query_by_either_number_tells_the_same(world: World) -> None:
    """The bill is found by the merchant's and by the platform's number, with every field."""
    number = world.submit().text("transfer_bill_no")
    first = world.query().said
    assert first == world.get(f"{TRANSFERS}/transfer-bill-no/{number}").said
    assert first == {
        "mch_id": "1900000101",
        "out_bill_no": "payout1",
        "transfer_bill_no": number,
        "appid": "wxd678efh567hg6781",
        "state": "WAIT_USER_CONFIRM",
        "transfer_amount": 1234,
        "transfer_remark": "2026年5月报销",
        "openid": "o-MYE42l80oelYMDE34nYD456Xoy",
        "create_time": "2026-05-20T10:00:00+08:00",
        "update_time": "2026-05-20T10:00:00+08:00",
    }


def test_events_carry_their_own_time(world: World) -> None:
    """A success noticed a day later still says when it happened."""
    world.submit()
    world.pass_time(days=1)
    assert world.query().said["update_time"] == "2026-05-20T10:00:01+08:00"


def test_bills_of_another_merchant_are_not_found(world: World) -> None:
    """Neither number opens somebody else's bill."""
    number = world.submit().text("transfer_bill_no")
    assert world.query(number=2).status == 404
    assert world.get(f"{TRANSFERS}/transfer-bill-no/{number}", number=2).said["code"] == "NOT_FOUND"


def test_each_merchant_has_its_own_numbers(world: World) -> None:
    """The same out_bill_no of two merchants makes two bills."""
    first, second = world.submit(), world.submit(number=2)
    assert first.said["transfer_bill_no"] != second.said["transfer_bill_no"]
    world.pass_time(seconds=1)
    assert len(world.moved()) == 2


def test_repetition_returns_the_bill_as_it_stands(world: World) -> None:
    """The same number with the same content is never a second transfer."""
    first = world.submit()
    again = world.submit()
    assert again.said == first.said
    world.pass_time(seconds=1)
    late = world.submit()
    assert late.said["state"] == "SUCCESS"
    assert "package_info" not in late.said
    world.pass_time(seconds=5)
    assert len(world.moved()) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"transfer_amount": 1235},
        {"openid": "another"},
        {"transfer_remark": "other"},
        {"transfer_scene_id": "1005"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_repetition_with_other_content_is_refused(world: World, change: dict[str, Any]) -> None:
    """One number stands for one instruction."""
    world.submit()
    heard = world.submit(**change)
    assert (heard.status, heard.said["code"]) == (400, "INVALID_REQUEST")
    assert heard.said["message"] == "单号已存在但信息不一致，请查单后比较确认"


def test_repetition_is_refused_after_a_day(world: World) -> None:
    """After 24 hours a number may only be queried."""
    world.submit()
    world.pass_time(hours=24)
    assert world.submit().status == 200
    world.pass_time(seconds=1)
    heard = world.submit()
    assert (heard.status, heard.said["code"]) == (400, "INVALID_REQUEST")
    assert heard.text("message").startswith("对应单号已超出重试期")
    assert world.query().status == 200


def test_bill_is_forgotten_after_thirty_days(world: World) -> None:
    """A query finds a bill for 30 days."""
    world.submit()
    world.pass_time(days=30)
    assert world.query().status == 200
    world.pass_time(seconds=1)
    assert world.query().said["code"] == "NOT_FOUND"


def test_fee_is_locked_and_booked_apart() -> None:
    """The fee is taken on top of the amount, as a movement of its own, only when paid."""
    world = make_world(account(fee={"flat_fen": 10, "rate_ppm": 6000}))
    world.submit(transfer_amount=10_000)
    assert world.balance() == (1_000_000 - 10_070, 10_070)
    world.pass_time(seconds=1)
    assert world.moved() == [("payout", "payout1", 10_000), ("fee", "payout1", 70)]


@pytest.mark.parametrize(
    ("payee", "reason"),
    [
        ("magic-frozen", "ACCOUNT_FROZEN"),
        ("magic-wrong-name", "NAME_NOT_CORRECT"),
        ("magic-unverified", "REAL_NAME_CHECK_FAIL"),
        ("magic-over-limit", "DAY_RECEIVED_QUOTA_EXCEED"),
    ],
)
def test_magic_payee_fails_and_money_returns(world: World, payee: str, reason: str) -> None:
    """A payee who cannot be paid ends in FAIL with the reason, and the lock is undone."""
    world.submit(openid=payee)
    world.pass_time(seconds=1)
    assert world.query().said["fail_reason"] == reason
    assert world.submit(openid=payee).said["fail_reason"] == reason
    assert world.balance() == (1_000_000, 0)
    assert world.moved() == []


def test_unconfirmed_transfer_is_closed_after_a_day(world: World) -> None:
    """Without confirmation the bill fails with OVERDUE_CLOSE after 24 hours, not before."""
    world.submit(openid="magic-never-confirms")
    world.pass_time(hours=24, seconds=-1)
    assert world.state() == "WAIT_USER_CONFIRM"
    world.pass_time(seconds=1)
    said = world.query().said
    assert (said["state"], said["fail_reason"]) == ("FAIL", "OVERDUE_CLOSE")
    assert world.balance() == (1_000_000, 0)


def test_late_confirmation_still_pays(world: World) -> None:
    """A payee may confirm in the 24th hour."""
    world.submit(openid="magic-confirms-late")
    world.pass_time(hours=22, minutes=59)
    assert world.state() == "WAIT_USER_CONFIRM"
    world.pass_time(minutes=1)
    assert world.state() == "SUCCESS"


@pytest.mark.parametrize(("lag_s", "state"), [(0, "FAIL"), (7200, "SUCCESS")])
def test_closing_may_lag_and_the_payee_come_in_between(lag_s: int, state: str) -> None:
    """A confirmation after 25 hours pays when the platform was slow to close the bill."""
    world = make_world(close_lag_s=lag_s)
    world.fault(action="confirm_late", params={"after": "25h"})
    world.submit()
    world.pass_time(hours=26)
    assert world.state() == state


def test_order_may_stay_under_way(world: World) -> None:
    """`settle_late` keeps a confirmed bill TRANSFERING, `magic-never-settles` for good."""
    world.fault(action="settle_late", reference="late", params={"after": "2h"})
    world.submit("late")
    world.submit("stuck", openid="magic-never-settles")
    world.pass_time(hours=1)
    assert {world.state("late"), world.state("stuck")} == {"TRANSFERING"}
    world.pass_time(days=3)
    assert (world.state("late"), world.state("stuck")) == ("SUCCESS", "TRANSFERING")


def test_slow_intake_goes_through_every_state() -> None:
    """With delays configured a bill shows ACCEPTED, WAIT_USER_CONFIRM, TRANSFERING, SUCCESS."""
    world = make_world(accept_after_s=2, confirm_after_s=3, pay_after_s=4)
    heard = world.submit()
    assert "package_info" not in heard.said
    seen = [heard.text("state")]
    for _ in range(9):
        world.pass_time(seconds=1)
        seen.append(world.state())
    assert [state for state, _ in itertools.groupby(seen)] == [
        *("ACCEPTED", "WAIT_USER_CONFIRM", "TRANSFERING", "SUCCESS")
    ]


def test_cancel_releases_the_money(world: World) -> None:
    """A cancellation goes through CANCELING, repeats safely, and ends in CANCELLED."""
    world.submit(openid="magic-never-confirms")
    heard = world.cancel()
    assert heard.said == {
        "out_bill_no": "payout1",
        "transfer_bill_no": world.query().said["transfer_bill_no"],
        "state": "CANCELING",
        "update_time": "2026-05-20T10:00:00+08:00",
    }
    assert world.balance() == (1_000_000 - 1234, 1234)
    world.pass_time(seconds=1)
    assert world.cancel().said["state"] == "CANCELLED"
    assert world.balance() == (1_000_000, 0)
    world.pass_time(days=2)
    assert world.moved() == []


def test_cancel_takes_an_empty_object_and_nothing_else(world: World) -> None:
    """The body of a cancellation is empty or {}."""
    world.submit(openid="magic-never-confirms")
    target = f"{TRANSFERS}/out-bill-no/payout1/cancel"
    assert world.post(target, {"reason": "x"}).status == 400
    assert world.post(target, {}).status == 200


@pytest.mark.parametrize("payee", ["o-anybody", "magic-frozen", "magic-never-settles"])
def test_cancel_comes_too_late(world: World, payee: str) -> None:
    """Once confirmed, a transfer can no longer be cancelled."""
    world.submit(openid=payee)
    world.pass_time(seconds=1)
    before = world.query().said
    heard = world.cancel()
    assert (heard.status, heard.said["code"]) == (400, "INVALID_REQUEST")
    assert world.query().said == before


def test_cancel_of_nothing_is_not_found(world: World) -> None:
    """There is nothing to cancel under an unknown number."""
    assert world.cancel().said["code"] == "NOT_FOUND"


@pytest.mark.parametrize(("winner", "state"), [("platform", "CANCELLED"), ("payee", "SUCCESS")])
def test_cancel_race(winner: str, state: str) -> None:
    """A tap while the money is being released: the configuration says who wins."""
    world = make_world(cancel_after_s=5, confirm_after_s=3, cancel_race=winner)
    world.submit()
    assert world.cancel().said["state"] == "CANCELING"
    world.pass_time(seconds=5)
    assert world.state() == state
    assert len(world.moved()) == (1 if winner == "payee" else 0)
    assert world.balance()[1] == 0


def test_short_balance_is_refused_and_leaves_no_bill() -> None:
    """NOT_ENOUGH means that nothing exists: the same number goes through after a top-up."""
    world = make_world(account(balance_fen=1000))
    heard = world.submit()
    assert (heard.status, heard.said["code"]) == (403, "NOT_ENOUGH")
    assert world.query().status == 404
    world.simulator.topup("wechat-1", 500, world.now)
    assert world.submit().said["state"] == "WAIT_USER_CONFIRM"


def test_locked_money_cannot_be_spent_twice() -> None:
    """What is locked for one transfer is not there for the next."""
    world = make_world(account(balance_fen=2000))
    world.submit("a", openid="magic-never-confirms")
    assert world.submit("b").said["code"] == "NOT_ENOUGH"


def test_short_balance_may_hold_the_bill() -> None:
    """In `hold` mode bills wait in PROCESSING, oldest first, until money comes."""
    world = make_world(account(balance_fen=1000), short_balance="hold")
    assert world.submit("a").said["state"] == "PROCESSING"
    assert world.submit("b").said["state"] == "PROCESSING"
    world.simulator.topup("wechat-1", 500, world.now)
    assert (world.state("a"), world.state("b")) == ("WAIT_USER_CONFIRM", "PROCESSING")
    world.pass_time(hours=24)
    assert world.query("b").said["fail_reason"] == "BUDGET_NOT_ENOUGH"


def test_released_money_lets_a_held_bill_go_on() -> None:
    """Money that a cancelled bill gives back is locked by the next one that waits."""
    world = make_world(account(balance_fen=2000), short_balance="hold")
    world.submit("a", openid="magic-never-confirms")
    world.submit("b", openid="magic-never-confirms")
    assert world.state("b") == "PROCESSING"
    world.cancel("a")
    world.pass_time(seconds=1)
    assert (world.state("a"), world.state("b")) == ("CANCELLED", "WAIT_USER_CONFIRM")
    assert world.balance() == (766, 1234)


def test_held_bill_can_be_cancelled() -> None:
    """A bill that waits for money is cancelled without a movement, also when money comes then."""
    world = make_world(account(balance_fen=0), short_balance="hold", cancel_race="payee")
    world.submit()
    world.cancel()
    world.simulator.topup("wechat-1", 5000, world.now)
    world.pass_time(seconds=1)
    assert world.state() == "CANCELLED"
    assert world.balance() == (5000, 0)


def test_day_cap_of_the_merchant() -> None:
    """What would exceed the day's quota is refused; failed bills do not count; midnight resets."""
    world = make_world(account(day_cap_fen=3000))
    world.submit("failed", openid="magic-frozen", transfer_amount=2000)
    world.pass_time(seconds=1)
    assert world.submit("a", transfer_amount=2000).status == 200
    heard = world.submit("b", transfer_amount=1001)
    assert (heard.said["code"], heard.said["message"]) == (
        "INVALID_REQUEST",
        "超出商户单日转账额度",
    )
    world.pass_time(hours=14)
    assert world.submit("b", transfer_amount=1001).status == 200


def test_day_cap_of_the_payee() -> None:
    """What one payee cannot receive any more today fails with the quota reason."""
    world = make_world(account(payee_day_cap_fen=2000))
    world.submit("a")
    world.submit("b")
    world.submit("c", openid="o-other")
    world.pass_time(seconds=1)
    assert world.query("b").said["fail_reason"] == "DAY_RECEIVED_QUOTA_EXCEED"
    assert [world.state(number) for number in "ac"] == ["SUCCESS", "SUCCESS"]


def test_submissions_are_limited_per_second() -> None:
    """Beyond the contract's rate a submission is refused unexecuted; the next second is free."""
    world = make_world(account(submit_per_s=2))
    assert [world.submit(f"a{n}").status for n in range(3)] == [200, 200, 429]
    assert world.query("a2").status == 404
    world.pass_time(seconds=1)
    assert world.submit("a2").status == 200


def test_fresh_bill_may_not_be_found_yet() -> None:
    """In the not-found window query and cancel say NOT_FOUND while the transfer goes on."""
    world = make_world(not_found_s=20)
    world.fault(action="not_found_window", params={"seconds": "30s"})
    world.submit()
    assert world.query().said["code"] == "NOT_FOUND"
    assert world.cancel().status == 404
    assert world.submit().status == 200
    world.pass_time(seconds=30)
    assert world.state() == "SUCCESS"


def test_channel_without_idempotency_pays_twice(world: World) -> None:
    """`double_execute` pays a repeated number again, and the truth shows it."""
    world.fault(action="double_execute")
    first = world.submit()
    second = world.submit()
    assert first.said["transfer_bill_no"] != second.said["transfer_bill_no"]
    world.pass_time(seconds=1)
    assert world.moved() == [("payout", "payout1", 1234)] * 2


@pytest.mark.parametrize(
    ("event", "state"),
    [("payout.confirmed", "SUCCESS"), ("payout.failed", "FAIL"), ("payout.expired", "FAIL")],
)
def test_operator_forces_an_event(world: World, event: str, state: str) -> None:
    """A trigger moves one bill at once and its notice goes out with it."""
    world.submit(openid="magic-never-confirms")
    pushes = world.simulator.trigger(event, "payout1", world.now)
    assert world.state() == state
    assert [push.op for push in pushes] == ["notice"]


@pytest.mark.parametrize(
    ("event", "reference", "why"),
    [
        ("payout.returned", "payout1", "no event 'payout.returned' .there are: payout.confirmed"),
        ("payout.confirmed", "unknown", "no transfer has the number 'unknown'"),
        ("payout.confirmed", "payout1", "does not fit a transfer in SUCCESS"),
        ("payout.failed", "payout1", "does not fit a transfer in SUCCESS"),
        ("nonsense", "payout1", "no event 'nonsense'"),
    ],
)
def test_impossible_event_is_told(world: World, event: str, reference: str, why: str) -> None:
    """A trigger that does not fit the bill's state, or exist, raises LookupError with the cause."""
    world.submit()
    world.pass_time(seconds=1)
    with pytest.raises(LookupError, match=why):
        world.simulator.trigger(event, reference, world.now)


def test_top_up_of_an_unknown_account_is_told(world: World) -> None:
    """Money goes to configured accounts only."""
    with pytest.raises(LookupError, match="wechat-9"):
        world.simulator.topup("wechat-9", 1, world.now)


def test_next_tick_is_the_next_thing_due(world: World) -> None:
    """The core names when it has to be woken, and nothing waits when all is done."""
    assert world.simulator.next_tick_at() is None
    world.submit()
    assert world.simulator.next_tick_at() == START + timedelta(seconds=1)
    world.pass_time(seconds=1)
    assert world.simulator.next_tick_at() is None


def bill_in(state: State) -> Bill:
    """A bill put into a state by hand."""
    asked = Submission("wx", "a", "1000", "o", None, 10, "r", None, None, (), None)
    zero = timedelta()
    script = Script(zero, zero, zero, zero, zero)
    return Bill("wechat-1", asked, "1330", START, script, "serial", state=state)


@pytest.mark.parametrize(("before", "after"), list(itertools.product(State, State)))
def test_only_moves_of_the_table_happen(before: State, after: State) -> None:
    """Every pair of states: allowed moves happen, all others raise and change nothing."""
    bill = bill_in(before)
    if after in MOVES[before]:
        bill.move(after, START)
        assert bill.state is after
    else:
        with pytest.raises(ForbiddenMoveError):
            bill.move(after, START)
        assert bill.state is before


def test_final_states_have_no_way_out() -> None:
    """Exactly SUCCESS, FAIL and CANCELLED are ends, and every other state has a way on."""
    assert {state for state in State if not MOVES[state]} == FINAL

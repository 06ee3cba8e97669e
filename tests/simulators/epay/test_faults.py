"""Faults that speak the site's dialect, and how a site makes its customers pay twice."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from cryptography.exceptions import InvalidSignature

from simulators.epay.magic import MAGIC
from simulators.kernel import Cut
from tests.simulators.epay.merchant import (
    NUMBER,
    Merchant,
    account,
    is_verified,
    merchant,
    to_card,
    transfer,
)

BREAKS = {"code": "SYSTEM_ERROR", "executed": True}


def submit(one: Merchant, fields: dict[str, str]) -> None:
    """Submit without expecting anything of the reply."""
    one.last = one.simulator.handle(one.request("submit", one.fields(fields)), one.now)


@pytest.mark.parametrize(
    ("action", "cut", "moves"),
    [("reset_before", Cut.BEFORE, 0), ("reset_after", Cut.AFTER, 1), ("reset_mid", Cut.MID, 1)],
)
def test_a_reset_says_nothing_about_the_money(action: str, cut: Cut, moves: int) -> None:
    """Before: nothing executed. After or in the middle: paid, with a row."""
    one = merchant()
    one.add(action, op="submit")
    submit(one, transfer())
    assert one.last.cut is cut
    assert len(one.moved()) == moves
    assert one.query()["code"] == (0 if moves else -1)


@pytest.mark.parametrize(("executed", "moves"), [(False, 0), (True, 1)])
def test_paid_then_error_reads_like_error(executed: bool, moves: int) -> None:
    """The channel's error is passed on, names the order and leaves no row, paid or not."""
    one = merchant()
    one.add("reject", op="submit", params=BREAKS | {"executed": executed})
    answer = one.ask("submit", transfer())
    assert (answer["code"], answer["msg"]) == (-1, "[SYSTEM_ERROR]系统繁忙")
    assert (answer["biz_no"], answer["out_biz_no"]) == (NUMBER, NUMBER)
    assert one.query() == {"code": -1, "msg": "转账交易号不存在"}
    assert len(one.moved()) == moves


def test_a_short_number_sent_again_after_an_error_pays_twice() -> None:
    """The trap: each attempt gets a number of its own, so the channel sees two payments."""
    one = merchant()
    one.add("reject", op="submit", params=BREAKS, times=1)
    one.ask("submit", transfer("po-1"))
    assert one.ask("submit", transfer("po-1"))["status"] == 1
    assert one.moved() == [("payout", "po-1", 1234)] * 2


def test_19_digits_sent_again_after_an_error_pay_once() -> None:
    """The channel knows the number, and the site writes its row and charges at last."""
    one = merchant(transfer_rate_ppm=10_000)
    one.add("reject", op="submit", params=BREAKS, times=1)
    one.ask("submit", transfer(money="100.00"))
    assert one.held()["available_fen"] == 1_000_000
    assert one.ask("submit", transfer(money="100.00"))["status"] == 1
    assert one.moved() == [("payout", NUMBER, 10_000)]
    assert [m.amount_minor for m in one.simulator.truth() if m.kind == "fee"] == [100]
    assert one.held()["available_fen"] == 1_000_000 - 10_100


@pytest.mark.parametrize("how", ["magic", "knob", "fork"])
def test_without_idempotency_behind_it_19_digits_pay_twice_as_well(how: str) -> None:
    """A channel that pays a repeat, or a fork that always makes its own numbers."""
    knobs = {"magic": {}, "knob": {"channel_is_idempotent": False}, "fork": {"mints_always": True}}
    one = merchant(**knobs[how])
    payee = "repeats@magic.test" if how == "magic" else "li@example.test"
    one.add("reject", op="submit", params=BREAKS, times=1)
    for _ in range(2):
        one.ask("submit", transfer(account=payee))
    assert one.moved() == [("payout", NUMBER, 1234)] * 2


def test_a_card_paid_behind_an_error_is_paid_later_too() -> None:
    """No row, no charge, and the bank pays all the same."""
    one = merchant()
    one.add("reject", op="submit", params=BREAKS)
    one.ask("submit", to_card())
    assert one.moved() == []
    one.wait(timedelta(seconds=3))
    assert one.moved() == [("payout", NUMBER, 1234)]
    assert one.held()["available_fen"] == 1_000_000


def test_the_refusal_of_an_account_leaves_no_row() -> None:
    """A payee the channel does not know: an error that names the order and the channel's code."""
    one = merchant()
    answer = one.ask("submit", transfer(account="nobody@magic.test"))
    assert answer["msg"] == "[PAYEE_NOT_EXIST]收款账号不存在"
    assert one.query()["code"] == -1


def test_any_other_code_is_the_sites_own_text() -> None:
    """Spoken as it stands, signed, naming no order; `message` goes before it."""
    one = merchant()
    one.add("reject", op="submit", params={"code": "今日额度已满"}, times=1)
    assert one.ask("submit", transfer())["msg"] == "今日额度已满"
    one.add("reject", op="submit", params={"code": "x", "message": "余额不足"}, times=1)
    answer = one.ask("submit", transfer())
    assert (answer["msg"], "biz_no" in answer) == ("余额不足", False)


def test_a_query_may_be_refused_after_it_was_carried_out() -> None:
    """Whatever is asked."""
    one = merchant()
    one.ask("submit", transfer())
    one.add("reject", op="inquire", params={"executed": True})
    assert one.query()["code"] == -1


def test_a_true_reply_may_lack_its_signature() -> None:
    """Nothing of it is left: no time, no type."""
    one = merchant()
    one.add("unsigned", op="submit")
    answer = one.call("submit", transfer())
    assert (answer["status"], {"sign", "sign_type", "timestamp"} & answer.keys()) == (1, set())


def test_a_signature_may_be_false() -> None:
    """By the right key, over something else."""
    one = merchant()
    one.add("bad_signature", op="submit")
    with pytest.raises(InvalidSignature):
        one.ask("submit", transfer())
    assert len(one.moved()) == 1


def test_a_code_nobody_knows() -> None:
    """Carried out, answered with -99."""
    one = merchant()
    one.add("unknown_code", op="submit")
    answer = one.ask("submit", transfer())
    assert (answer["code"], answer["msg"]) == (-99, "NEW_UNDOCUMENTED_CODE")
    assert len(one.moved()) == 1


@pytest.mark.parametrize(
    ("action", "given", "status"),
    [
        ("unknown_status", {}, "ARCHIVED"),
        ("status_lie", {}, 2),
        ("status_lie", {"status": "DEALING"}, 0),
        ("status_lie", {"status": "QUEUED"}, 3),
    ],
)
def test_a_status_that_is_not_true(action: str, given: dict[str, str], status: object) -> None:
    """The words of other institutions are turned into the site's numbers."""
    one = merchant()
    one.add(action, op="submit", params=given)
    assert one.ask("submit", transfer())["status"] == status
    assert len(one.moved()) == 1


def test_echoes_that_are_wrong() -> None:
    """A submission's cost falls short, a query's amount is off, either names another number."""
    one = merchant()
    one.add("wrong_echo", op="submit", params={"field": "amount"}, times=1)
    assert one.ask("submit", transfer())["cost_money"] == 12.33
    one.add("wrong_echo", op="inquire", params={"field": "amount"}, times=1)
    assert one.query()["amount"] == "12.35"
    one.add("wrong_echo", op="inquire", params={"field": "reference"}, times=1)
    assert one.query()["out_biz_no"] == NUMBER + "0"


def test_the_web_server_throttles() -> None:
    """503 from in front; nothing is executed."""
    one = merchant()
    one.add("throttle", params={"per_s": 1})
    submit(one, transfer())
    submit(one, transfer("2" * 19))
    assert one.last.reply is not None
    assert one.last.reply.status == 503
    assert len(one.moved()) == 1


def test_a_closed_site_throws() -> None:
    """Between two hours everything gets this text, unsigned."""
    one = merchant()
    one.add("maintenance", params={"from_hour": "09:00", "to_hour": "11:00", "code": "网站维护中"})
    assert one.call("balance", {}) == {"code": -1, "msg": "网站维护中"}
    one.wait(timedelta(hours=1))
    assert one.ask("balance", {})["code"] == 0


def test_a_balance_may_seem_short() -> None:
    """Refused as if it were."""
    one = merchant()
    one.add("short_balance", params={"available_fen": 100})
    assert one.ask("submit", transfer())["msg"] == "需支付金额大于可转账余额"


def test_a_row_may_be_hidden_for_a_while() -> None:
    """Not found, then there."""
    one = merchant()
    one.add("not_found_window", params={"seconds": "30s"})
    one.ask("submit", transfer())
    assert one.query()["code"] == -1
    one.wait(timedelta(seconds=31))
    assert one.query()["status"] == 1


@pytest.mark.parametrize(
    ("card", "after", "statuses"),
    [
        ("6222000000000002", timedelta(days=2), [2]),
        ("6222000000000004", timedelta(minutes=1), [2]),
        ("6222000000000005", timedelta(hours=23), [0]),
        ("6222000000000005", timedelta(hours=25), [1]),
        ("6222000000000006", timedelta(days=30), [0]),
    ],
)
def test_magic_cards(card: str, after: timedelta, statuses: list[int]) -> None:
    """Each ends, or does not, as the table says."""
    one = merchant()
    one.ask("submit", to_card(account=card))
    one.wait(after)
    assert [one.query()["status"]] == statuses


@pytest.mark.parametrize(
    ("openid", "after", "status"),
    [
        ("magic-confirms-late", timedelta(hours=22), 0),
        ("magic-confirms-late", timedelta(hours=24), 1),
        ("magic-wrong-name", timedelta(minutes=1), 2),
    ],
)
def test_magic_openids(openid: str, after: timedelta, status: int) -> None:
    """Payees who confirm late, or whose name is another."""
    one = merchant()
    one.ask("submit", transfer(type="wxpay", account=openid))
    one.wait(after)
    assert one.query()["status"] == status


def test_an_account_may_fail_after_it_was_taken() -> None:
    """Under way first, then failed with the channel's code."""
    one = merchant()
    assert one.ask("submit", transfer(account="fails@magic.test"))["status"] == 0
    one.wait(timedelta(minutes=1))
    assert "[PAYEE_USER_INFO_ERROR]" in one.query()["errmsg"]


def test_a_failure_may_come_with_a_time() -> None:
    """As from WeChat's plugin: only while the status changes; the row has none."""
    one = merchant(failures_name_time=True, queries_name_amount=True)
    one.ask("submit", to_card(account="6222000000000004"))
    one.wait(timedelta(minutes=1))
    fresh, row = one.query(), one.query()
    assert (fresh["paydate"], row["paydate"]) == ("2026-03-02T10:00:02+08:00", None)


def test_every_magic_payee_is_of_use() -> None:
    """No row of the table leaves an ordinary payment behind."""
    plain = merchant()
    plain.ask("submit", transfer())
    for row in MAGIC:
        if row.payee is None:
            continue
        one = merchant(account(balance_fen=10_000_000))
        kind = {"6": "bank", "m": "wxpay"}.get(row.payee[0], "alipay")
        one.call("submit", transfer(account=row.payee, type=kind))
        struck = one.faults.hits_of(f"magic:{row.payee}")
        assert struck == 1, row.payee


def test_replies_are_written_as_php_writes_them() -> None:
    """Chinese as it is, slashes escaped."""
    one = merchant()
    submit(one, transfer(type="wxpay", account="oUpF8uMuAJO"))
    assert one.last.reply is not None
    body = one.last.reply.body.decode()
    assert '"jumpurl":"http:\\/\\/sim.test\\/paypage\\/wxtrans.php?type=transfer&id=1"' in body
    assert "提交成功" in body
    assert is_verified(json.loads(body))

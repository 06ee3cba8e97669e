"""The life of a transfer at a stock site, its mistakes included."""

from __future__ import annotations

from datetime import timedelta

import pytest

from simulators.kernel import Request, UnknownTriggerError
from tests.simulators.epay.merchant import (
    NUMBER,
    account,
    is_verified,
    merchant,
    to_card,
    transfer,
)


def test_an_account_is_paid_at_once_and_the_fee_is_on_top() -> None:
    """Amount and fee leave together; cost_money is written as a float is."""
    one = merchant(transfer_rate_ppm=10_000)
    answer = one.ask("submit", transfer(money="100.00"))
    assert (answer["code"], answer["status"], answer["cost_money"]) == (0, 1, 101)
    assert answer["biz_no"] == answer["out_biz_no"] == NUMBER
    assert one.moved() == [("payout", NUMBER, 10_000)]
    assert one.held()["available_fen"] == 1_000_000 - 10_100


def test_the_fee_falls_back_to_the_settlement_rate() -> None:
    """Without a rate for transfers the one for settlements counts."""
    one = merchant(settle_rate_ppm=20_000)
    assert one.ask("submit", transfer(money="100.00"))["cost_money"] == 102
    assert one.ask("balance", {})["transfer_rate"] == "2"


def test_a_paid_order_shows_amount_cost_and_time() -> None:
    """As the row has it, in Beijing time."""
    one = merchant(transfer_rate_ppm=6000)
    one.ask("submit", transfer(money="123.45"))
    answer = one.query()
    assert is_verified(answer)
    assert (answer["status"], answer["amount"], answer["cost_money"]) == (1, "123.45", "124.19")
    assert answer["paydate"] == "2026-03-02 10:00:00"


def test_a_card_order_shows_its_amount_only_once_the_row_is_final() -> None:
    """The reply in which the status changes comes from the channel behind the site."""
    one = merchant()
    assert one.ask("submit", to_card())["status"] == 0
    assert one.held()["frozen_fen"] == 1234
    assert one.query()["status"] == 0
    one.wait(timedelta(seconds=3))
    fresh, row = one.query(), one.query()
    assert (fresh["status"], "amount" in fresh) == (1, False)
    assert (row["status"], row["amount"]) == (1, "12.34")


def test_a_number_that_exists_is_refused_whatever_else_is_asked() -> None:
    """Signed, code -1, and nothing more is paid."""
    one = merchant()
    one.ask("submit", transfer())
    for again in (transfer(), transfer(money="99.00")):
        answer = one.ask("submit", again)
        assert (answer["code"], answer["msg"]) == (-1, "该交易号已存在，请更换交易号")
    assert len(one.moved()) == 1


def test_another_number_than_19_digits_gets_one_of_the_sites() -> None:
    """The time to the second and five digits, under which the channel pays."""
    one = merchant()
    answer = one.ask("submit", transfer("po-1"))
    assert answer["out_biz_no"] == "po-1"
    assert answer["biz_no"].startswith("20260302100000")
    assert len(answer["biz_no"]) == 19


def test_a_query_by_our_number_looks_in_the_wrong_column() -> None:
    """It finds 19-digit numbers only; the site's own number always works."""
    one = merchant()
    minted = one.ask("submit", transfer("po-1"))["biz_no"]
    assert one.query("po-1") == {"code": -1, "msg": "转账交易号不存在"}
    assert one.ask("query", {"biz_no": minted})["status"] == 1


def test_forks_have_mended_the_query() -> None:
    """Our number finds the order under either column."""
    one = merchant(finds_out_biz_no=True)
    one.ask("submit", transfer("po-1"))
    assert one.query("po-1")["status"] == 1


def test_another_merchants_order_is_not_found() -> None:
    """Rows belong to merchants, though their key is the site's."""
    one = merchant(account(), account(account="epay-2", pid="1002"))
    one.ask("submit", transfer())
    one.pid = "1002"
    assert one.query()["code"] == -1


def test_a_failed_card_order_gives_everything_back() -> None:
    """Amount and fee; the failed row shows the bare amount as its cost."""
    one = merchant(transfer_rate_ppm=6000)
    one.ask("submit", to_card(account="6222000000000004"))
    one.wait(timedelta(seconds=3))
    one.query()
    answer = one.query()
    assert (answer["status"], answer["cost_money"], answer["paydate"]) == (2, "12.34", None)
    assert "[PAYEE_CARD_INFO_ERROR]" in answer["errmsg"]
    assert one.moved() == []
    assert (one.held()["available_fen"], one.held()["frozen_fen"]) == (1_000_000, 0)


def test_a_wechat_order_waits_on_the_confirmation_page() -> None:
    """Under way with an address; paid when the payee confirms."""
    one = merchant()
    answer = one.ask("submit", transfer(type="wxpay", account="oUpF8uMuAJO"))
    assert answer["status"] == 0
    assert answer["jumpurl"] == "http://sim.test/paypage/wxtrans.php?type=transfer&id=1"
    one.wait(timedelta(seconds=2))
    assert one.query()["status"] == 1
    assert len(one.moved()) == 1


def test_a_payee_who_never_confirms_ends_it_after_a_day() -> None:
    """Failed, with everything given back."""
    one = merchant()
    one.ask("submit", transfer(type="wxpay", account="magic-never-confirms"))
    one.wait(timedelta(hours=23, minutes=59))
    assert one.query()["status"] == 0
    one.wait(timedelta(minutes=2))
    assert one.query()["status"] == 2
    assert one.moved() == []


def test_the_administrators_queue_has_no_channel_to_ask() -> None:
    """Status 3; a query answers with an error, signed and naming the order, though it is alive."""
    one = merchant(ways={"alipay": "queue"})
    answer = one.ask("submit", transfer())
    assert (answer["code"], answer["status"], answer["orderid"]) == (0, 3, None)
    asked = one.query()
    assert is_verified(asked)
    assert (asked["code"], asked["msg"], asked["biz_no"]) == (-1, "支付通道不存在", NUMBER)
    assert one.held()["frozen_fen"] == 1234


def test_an_approved_order_is_paid() -> None:
    """The administrator hands it to the channel."""
    one = merchant(ways={"alipay": "queue"})
    one.ask("submit", transfer())
    one.simulator.trigger("payout.approved", NUMBER, one.now)
    assert one.query()["status"] == 1
    assert one.moved() == [("payout", NUMBER, 1234)]
    assert one.held()["available_fen"] == 1_000_000 - 1234


def test_a_rejected_order_fails_and_gives_everything_back() -> None:
    """The administrator says no."""
    one = merchant(ways={"alipay": "queue"})
    one.ask("submit", transfer())
    one.simulator.trigger("payout.rejected", NUMBER, one.now)
    answer = one.query()
    assert (answer["status"], answer["errmsg"]) == (2, "管理员已拒绝")
    assert one.held()["available_fen"] == 1_000_000


def test_a_paid_order_may_be_taken_back_and_keeps_its_time_of_payment() -> None:
    """Status 2 after 1: the whole cost is credited."""
    one = merchant(transfer_rate_ppm=6000)
    one.ask("submit", transfer())
    one.simulator.trigger("payout.returned", NUMBER, one.now)
    answer = one.query()
    assert (answer["status"], answer["paydate"]) == (2, "2026-03-02 10:00:00")
    assert one.moved() == [("payout", NUMBER, 1234), ("return", NUMBER, 1234)]
    assert one.held()["available_fen"] == 1_000_000


def test_every_click_on_refund_credits_again() -> None:
    """The administrator's button has no guard."""
    one = merchant()
    one.ask("submit", transfer())
    for _ in range(2):
        one.simulator.trigger("payout.refunded", NUMBER, one.now)
    assert one.held()["available_fen"] == 1_000_000 + 1234


def test_an_order_refunded_under_way_may_still_be_paid() -> None:
    """The channel behind the site knows nothing of the button; the site pays out of its pocket."""
    one = merchant()
    one.ask("submit", to_card())
    one.simulator.trigger("payout.refunded", NUMBER, one.now)
    assert one.query()["status"] == 2
    one.wait(timedelta(seconds=3))
    assert one.moved() == [("payout", NUMBER, 1234)]
    assert one.held()["available_fen"] == 1_000_000


@pytest.mark.parametrize(
    "event", ["payout.settled", "payout.approved", "payout.rejected", "notice.resend", "x"]
)
def test_events_that_do_not_fit_are_refused(event: str) -> None:
    """A paid order can only be taken back."""
    one = merchant()
    one.ask("submit", transfer())
    with pytest.raises(UnknownTriggerError):
        one.simulator.trigger(event, NUMBER, one.now)


def test_the_channel_can_be_forced() -> None:
    """payout.settled pays a card order before its time, payout.failed fails it."""
    one = merchant()
    one.ask("submit", to_card("a-1"))
    one.ask("submit", to_card("a-2"))
    one.simulator.trigger("payout.settled", "a-1", one.now)
    one.simulator.trigger("payout.failed", "a-2", one.now)
    one.wait(timedelta(minutes=1))
    assert one.moved() == [("payout", "a-1", 1234)]


def test_what_came_in_today_is_not_paid_out_in_d_plus_1_mode() -> None:
    """It is tomorrow; the balance is then written as a float."""
    one = merchant(account(balance_fen=1000), balance_mode="D+1")
    one.simulator.topup("epay-1", 50_050, one.now)
    assert one.ask("balance", {})["available_money"] == "10"
    assert one.ask("submit", transfer())["msg"] == "需支付金额大于可转账余额"
    one.wait(timedelta(days=1))
    assert one.ask("balance", {})["available_money"] == "510.5"
    assert one.ask("submit", transfer())["status"] == 1


def test_a_receipt_is_a_file_on_the_site() -> None:
    """Only of paid orders; the address is the site's own."""
    one = merchant(receipt_after_s=60)
    one.ask("submit", transfer())
    assert one.ask("proof", {"out_biz_no": NUMBER})["code"] == -1
    one.wait(timedelta(minutes=1))
    url = one.ask("proof", {"out_biz_no": NUMBER})["download_url"]
    file = one.simulator.handle(Request("GET", url, {}, b""), one.now).reply
    assert file is not None
    assert (file.status, file.body[:5]) == (200, b"%PDF-")
    assert NUMBER.encode() in file.body


def test_no_receipt_of_what_is_not_there() -> None:
    """Thrown for an order, 404 for a file."""
    one = merchant()
    assert one.call("proof", {"out_biz_no": NUMBER}) == {"code": -1, "msg": "当前转账订单不存在"}
    file = one.simulator.handle(Request("GET", f"/upload/bill/{NUMBER}.pdf", {}, b""), one.now)
    assert file.reply is not None
    assert file.reply.status == 404


def test_a_query_needs_a_number() -> None:
    """Neither of the two: thrown."""
    assert merchant().call("query", {}) == {"code": -1, "msg": "转账交易号不能为空"}


def test_old_sites_name_no_order() -> None:
    """Neither do their queries, nor their submissions the site's own number."""
    one = merchant(era="old")
    assert "biz_no" not in one.ask("submit", transfer())
    answer = one.query()
    assert (answer["status"], "out_biz_no" in answer) == (1, False)
    assert one.query("2" * 19) == {"code": -1, "msg": "当前转账订单不存在"}


def test_old_sites_do_not_notice_a_number_used_again() -> None:
    """The channel behind them does: a second yes, one payment, one charge."""
    one = merchant(era="old")
    assert one.ask("submit", transfer())["status"] == 1
    assert one.ask("submit", transfer())["status"] == 1
    assert one.moved() == [("payout", NUMBER, 1234)]
    assert one.held()["available_fen"] == 1_000_000 - 1234


def test_topping_up_an_unknown_account_is_refused() -> None:
    """LookupError, as the control expects."""
    one = merchant()
    with pytest.raises(LookupError):
        one.simulator.topup("epay-9", 1, one.now)

"""The field rules of transfer/submit, and the refusals that come before the site's own channel."""

from __future__ import annotations

from typing import Any

import pytest

from simulators.epay.signing import Float, yuan
from simulators.epay.submission import escaped, read_amount
from tests.simulators.epay.merchant import account, is_verified, merchant, transfer


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"type": ""}, "代付方式(type)不能为空"),
        ({"account": " "}, "收款人账号(account)不能为空"),
        ({"name": ""}, "收款人姓名(name)不能为空"),
        ({"money": "0"}, "转账金额(money)不能为空"),
        ({"money": "0.00"}, "转账金额输入不规范"),
        ({"money": "1e3"}, "转账金额输入不规范"),
        ({"money": "-1"}, "转账金额输入不规范"),
        ({"out_biz_no": "a/b"}, "交易号输入不规范"),
        ({"remark": "字" * 33}, "转账备注最多32个字"),
        ({"remark": "&" * 7}, "转账备注最多32个字"),
    ],
)
def test_a_bad_field_is_thrown(changes: dict[str, str], expected: str) -> None:
    """Code -1, unsigned, and nothing happens."""
    one = merchant()
    answer = one.call("submit", transfer(**changes))
    assert answer == {"code": -1, "msg": expected}
    assert one.simulator.truth() == []


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({"min_fen": 10_000}, "单笔最小代付金额限制为100元"),
        ({"max_fen": 150}, "单笔最大代付金额限制为1.5元"),
        ({"ways": {"alipay": "off"}}, "未开启此转账方式"),
    ],
)
def test_a_rule_of_the_site_refuses_with_a_signature(rules: dict[str, Any], expected: str) -> None:
    """Returned, so signed; it names no order, for there is none."""
    one = merchant(**rules)
    answer = one.ask("submit", transfer())
    assert (answer["code"], answer["msg"]) == (-1, expected)
    assert "biz_no" not in answer
    assert one.simulator.truth() == []


def test_an_unknown_type_is_refused() -> None:
    """Only four types exist."""
    assert merchant().ask("submit", transfer(type="usdt"))["msg"] == "type参数错误"


def test_an_abnormal_merchant_may_not_pay_out() -> None:
    """`settle` switched off by the administrator."""
    answer = merchant(account(settles=False)).ask("submit", transfer())
    assert answer["msg"] == "您的商户出现异常，无法使用代付功能"


def test_the_fee_counts_towards_what_must_be_there() -> None:
    """The amount alone would do, amount and fee do not."""
    one = merchant(account(balance_fen=1234), transfer_rate_ppm=10_000)
    assert one.ask("submit", transfer())["msg"] == "需支付金额大于可转账余额"


def test_one_payee_gets_so_many_transfers_a_day() -> None:
    """Only paid ones count; another payee and the next Beijing day are free."""
    one = merchant(payee_day_max=1)
    assert one.ask("submit", transfer("a-1"))["status"] == 1
    assert one.ask("submit", transfer("a-2"))["msg"] == "您今天向该账号的转账次数已达到上限"
    assert one.ask("submit", transfer("a-3", account="han@example.test"))["status"] == 1


def test_an_empty_number_is_filled_in_by_the_site() -> None:
    """And then it is the site's own number on both sides."""
    answer = merchant().ask("submit", transfer(""))
    assert answer["out_biz_no"] == answer["biz_no"]
    assert len(answer["biz_no"]) == 19


def test_old_sites_want_exactly_19_digits() -> None:
    """Everything else is thrown out."""
    one = merchant(era="old")
    assert one.call("submit", transfer("po-1")) == {"code": -1, "msg": "交易号输入不规范"}
    assert one.ask("submit", transfer())["status"] == 1


def test_old_sites_throw_every_refusal() -> None:
    """The same words as a stock site's, without a signature."""
    answer = merchant(account(balance_fen=0), era="old").call("submit", transfer())
    assert answer == {"code": -1, "msg": "需支付金额大于可转账余额"}
    assert not is_verified(answer)


def test_account_and_name_are_escaped_before_they_are_paid() -> None:
    """The site's channel pays whoever the escaped text names."""
    one = merchant()
    one.ask("submit", transfer(account="a&b@example.test"))
    assert [m.payee for m in one.simulator.truth()] == ["a&amp;b@example.test"]
    assert escaped("'<\">&") == "&#039;&lt;&quot;&gt;&amp;"


@pytest.mark.parametrize(
    ("text", "fen"), [("1", 100), ("1.5", 150), ("0.01", 1), ("1.50000", 150), ("1.005", None)]
)
def test_amounts(text: str, fen: int | None) -> None:
    """Two decimals and zeros; what a bank could not carry is no amount."""
    assert read_amount(text) == fen


@pytest.mark.parametrize(
    ("fen", "as_float", "as_column"),
    [(12_340, "123.4", "123.40"), (10_000, "100", "100.00"), (5, "0.05", "0.05"), (0, "0", "0.00")],
)
def test_money_is_written_as_php_writes_it(fen: int, as_float: str, as_column: str) -> None:
    """Floats lose their zeros, columns keep them."""
    assert (str(Float(fen)), yuan(fen)) == (as_float, as_column)

"""Every row of the tables, and what happens to everything that is no row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.contract import Reason, UnknownCause
from channels.epay import codes
from channels.epay.codes import Row, Step

AT_ONCE = {
    "单笔最小代付金额限制为100元": Reason.AMOUNT_BELOW_MINIMUM,
    "单笔最大代付金额限制为1.5元": Reason.AMOUNT_ABOVE_MAXIMUM,
    "您今天向该账号的转账次数已达到上限": Reason.PAYEE_LIMIT,
    "type参数错误": Reason.PARAMETER_REFUSED,
    "代付方式(type)不能为空": Reason.PARAMETER_REFUSED,
    "收款人账号(account)不能为空": Reason.PARAMETER_REFUSED,
    "收款人姓名(name)不能为空": Reason.PARAMETER_REFUSED,
    "转账金额(money)不能为空": Reason.PARAMETER_REFUSED,
    "转账金额输入不规范": Reason.PARAMETER_REFUSED,
    "交易号输入不规范": Reason.PARAMETER_REFUSED,
    "转账备注最多32个字": Reason.PURPOSE_REFUSED,
}
AFTER_A_LOOK = {
    "需支付金额大于可转账余额": Reason.FLOAT_SHORT,
    "未开启此转账方式": Reason.NOT_PERMITTED,
    "当前支付通道信息不存在": Reason.RAIL_DOWN,
    "您的商户出现异常，无法使用代付功能": Reason.ACCOUNT_SUSPENDED,
    "管理员未开启代付功能": Reason.NOT_PERMITTED,
    "商户未开启代付API接口": Reason.NOT_PERMITTED,
}
DOUBTS = {"该交易号已存在，请更换交易号": UnknownCause.CHANNEL_UNSURE}


def meaning(text: str, code: str = "-1") -> Row:
    """What a stock site's refusal means."""
    return codes.submission_refusal(code, text, {})


@pytest.mark.parametrize(("text", "reason"), AT_ONCE.items())
def test_what_is_checked_first_is_refused_at_once(text: str, reason: Reason) -> None:
    """Class (a): before any money was asked for."""
    assert (meaning(text).means, meaning(text).confirm) == (reason, False)


@pytest.mark.parametrize(("text", "reason"), AFTER_A_LOOK.items())
def test_what_lies_with_merchant_or_site_is_looked_at_again(text: str, reason: Reason) -> None:
    """Class (d): believed once an inquiry has found nothing."""
    assert (meaning(text).means, meaning(text).confirm) == (reason, True)


@pytest.mark.parametrize(("text", "cause"), DOUBTS.items())
def test_an_existing_number_is_no_refusal(text: str, cause: UnknownCause) -> None:
    """An order of this number exists."""
    assert meaning(text).means is cause


def test_no_row_is_untested_and_each_names_its_source() -> None:
    """The three lists above are the table."""
    listed = {codes.shape(text) for text in (*AT_ONCE, *AFTER_A_LOOK, *DOUBTS)}
    assert listed == codes.SUBMIT.keys()
    assert all(row.source.startswith("§") for row in codes.SUBMIT.values())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "余额不足",
        "请求失败",
        "[SYSTEM_ERROR]系统繁忙",
        "转账失败，需支付金额大于可转账余额",
        "需支付金额大于可转账余额。",
        "单笔最小代付金额限制为元",
        "单笔最小代付金额限制为{n}元1",
    ],
)
def test_any_other_text_is_unknown(text: str) -> None:
    """Nearly is not enough: it may be the site's own channel speaking."""
    assert meaning(text).means is UnknownCause.UNKNOWN_CODE


@pytest.mark.parametrize("code", ["", "1", "-2", "-3", "-4", "-5", "-99"])
def test_known_words_under_another_code_are_unknown(code: str) -> None:
    """Only -1 carries them in any document."""
    assert meaning("需支付金额大于可转账余额", code).means is UnknownCause.UNKNOWN_CODE


@given(st.text())
def test_no_text_is_a_refusal_by_accident(text: str) -> None:
    """Whatever is said, only rows refuse."""
    row = meaning(text)
    assert isinstance(row.means, UnknownCause) or codes.shape(text) in codes.SUBMIT


def test_operators_add_texts_that_are_looked_at_again() -> None:
    """With their own reason, and never at once."""
    more = {"今日额度剩{n}元": Reason.QUOTA_EXHAUSTED}
    row = codes.submission_refusal("-1", "今日额度剩0.50元", more)
    assert (row.means, row.confirm) == (Reason.QUOTA_EXHAUSTED, True)
    assert codes.submission_refusal("-2", "今日额度剩0.50元", more).means is (
        UnknownCause.UNKNOWN_CODE
    )


def test_operators_cannot_make_a_failure_of_an_existing_number() -> None:
    """The stock table goes first, whatever got into the configuration."""
    text = "该交易号已存在，请更换交易号"
    row = codes.submission_refusal("-1", text, {text: Reason.PARAMETER_REFUSED})
    assert row.means is UnknownCause.CHANNEL_UNSURE


def test_statuses() -> None:
    """Five numbers; 3 and 4 are under way."""
    assert codes.STATUSES == {
        "0": Step.PENDING,
        "1": Step.PAID,
        "2": Step.FAILED,
        "3": Step.PENDING,
        "4": Step.PENDING,
    }


@pytest.mark.parametrize(("code", "reason"), codes.CAUSES.items())
def test_a_code_in_the_text_tells_why(code: str, reason: Reason) -> None:
    """However the site wraps it."""
    assert codes.failure_reason(f"转账失败：[{code}]收款方有误") == (reason, code)
    assert codes.failure_reason(f"{code}:x") == (reason, code)


@pytest.mark.parametrize(
    "text", ["", "原因未知", "[SYSTEM_ERROR]系统繁忙", "XPAYEE_NOT_EXIST", "payee_not_exist"]
)
def test_a_failure_without_a_known_code_is_unexplained(text: str) -> None:
    """Failed all the same; a person looks before another way is tried."""
    assert codes.failure_reason(text) == (Reason.UNEXPLAINED, "")

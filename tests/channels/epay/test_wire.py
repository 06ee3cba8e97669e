"""What is asked, and what each reply means: every hazard of the protocol has a test of its name."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.contract import (
    Absent,
    ChannelError,
    Evidence,
    Inquiry,
    Instrument,
    Outcome,
    Paid,
    PayeeAction,
    Pending,
    Reason,
    Rejected,
    Returned,
    Unknown,
    UnknownCause,
    WireAccount,
)
from channels.epay import codes, wire
from channels.epay.envelope import Answer, open_reply
from channels.money import Currency, Money
from tests.channels.epay.platform import (
    ACCOUNT,
    AMOUNT,
    CARD,
    NOW,
    REFERENCE,
    SETTINGS,
    WALLET,
    failed,
    found,
    inquiry,
    instruction,
    refused,
    signed,
    taken,
    thrown,
)

PAID_AT = datetime(2026, 11, 2, 1, 30, 1, tzinfo=UTC)
FEE = Money(74, Currency.CNY)


def submitted(body: bytes, **more: Reason) -> Outcome:
    """The meaning of a reply to a submission."""
    answer = open_reply(body, SETTINGS.keys, NOW)
    return wire.read_submission(answer, inquiry(), Evidence(), more)


def asked(body: bytes, about: Inquiry | None = None) -> Outcome | Absent:
    """The meaning of a reply to a query."""
    answer = open_reply(body, SETTINGS.keys, NOW)
    return wire.read_inquiry(answer, about or inquiry(), Evidence(), codes.NOT_FOUND)


def cause(outcome: Outcome | Absent) -> UnknownCause:
    """Why it is unknown."""
    assert isinstance(outcome, Unknown), outcome
    return outcome.cause


# --- Asking ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("instrument", "kind", "account"),
    [
        (ACCOUNT, "alipay", "zhang@example.com"),
        (WALLET, "wxpay", WALLET.openid),
        (CARD, "bank", CARD.number),
    ],
)
def test_a_submission_names_type_account_and_money(
    instrument: Instrument, kind: str, account: str
) -> None:
    """Yuan with two decimals, our 19 digits, the purpose as remark."""
    assert wire.submission(instruction(instrument)) == {
        "type": kind,
        "account": account,
        "name": "张三丰",
        "money": "123.45",
        "out_biz_no": REFERENCE,
        "remark": "十月佣金",
    }


def test_what_is_empty_is_left_out() -> None:
    """No name and no purpose, where the site allows it."""
    fields = wire.submission(instruction(replace(WALLET, name=None), purpose=""))
    assert {"name", "remark"} & fields.keys() == set()


def test_other_rails_are_not_reached() -> None:
    """ValueError; `check` says it before."""
    with pytest.raises(ValueError, match="does not reach"):
        wire.submission(instruction(WireAccount("1", "x")))


@pytest.mark.parametrize("channel_ref", [None, REFERENCE])
def test_a_query_uses_our_number(channel_ref: str | None) -> None:
    """With 19 digits it is the site's as well."""
    assert wire.query(inquiry(channel_ref)) == {"out_biz_no": REFERENCE}


def test_hazard_3_a_query_by_our_number_misses_where_the_site_made_its_own() -> None:
    """There the site's number is the only one that a stock site finds."""
    assert wire.query(inquiry("2026110209300112345")) == {"biz_no": "2026110209300112345"}


# --- Submissions -----------------------------------------------------------------------------


def test_paid_at_once() -> None:
    """The site's number, its time in Beijing, and what it charged beside the amount."""
    assert submitted(signed(taken())) == Paid(REFERENCE, PAID_AT, FEE)


def test_an_old_site_names_no_number_of_its_own() -> None:
    """It pays under ours."""
    body = signed({k: v for k, v in taken().items() if k != "biz_no"})
    assert submitted(body) == Paid(REFERENCE, PAID_AT, FEE)


@pytest.mark.parametrize(("status", "stage"), [(0, "0"), (3, "3"), (4, "4")])
def test_under_way(status: int, stage: str) -> None:
    """Processing, in the administrator's queue, or behind a link."""
    assert submitted(signed(taken(status=status))) == Pending(REFERENCE, stage)


def test_the_confirmation_page_is_the_payees_to_open() -> None:
    """For a day, as WeChat allows."""
    link = "https://pay.example.com/paypage/wxtrans.php?type=transfer&id=7"
    outcome = submitted(signed(taken(status=0, jumpurl=link)))
    action = PayeeAction("open_link", link, NOW + timedelta(hours=24))
    assert outcome == Pending(REFERENCE, "0", action)


@pytest.mark.parametrize("link", ["", "javascript:alert(1)", "http://", "//x", "http://[x", 7])
def test_what_is_no_address_is_not_shown_to_a_payee(link: object) -> None:
    """Under way all the same."""
    assert submitted(signed(taken(status=0, jumpurl=link))) == Pending(REFERENCE, "0")


def test_a_submission_that_failed_must_be_looked_up() -> None:
    """No document speaks of it; it names the order, so only that order's failure is proof."""
    outcome = submitted(signed(taken(status=2, msg="[NAME_NOT_CORRECT]姓名不符")))
    assert isinstance(outcome, Rejected)
    assert (outcome.reason, outcome.confirm, outcome.channel_ref) == (
        Reason.PAYEE_NAME_MISMATCH,
        True,
        REFERENCE,
    )


@pytest.mark.parametrize("status", [5, -1, "", None, "1.0", "SUCCESS"])
def test_a_status_nobody_knows_is_unknown(status: object) -> None:
    """Forks have more of them."""
    assert cause(submitted(signed(taken(status=status)))) is UnknownCause.UNKNOWN_STATE


@pytest.mark.parametrize(
    "change",
    [
        {"out_biz_no": "4815162342108000002"},
        {"out_biz_no": None},
        {"amount": "123.44"},
        {"amount": "x"},
        {"cost_money": 123.44},
        {"cost_money": "1e3"},
        {"cost_money": "-1"},
    ],
)
def test_a_reply_about_another_order_or_amount_is_no_answer(change: dict[str, object]) -> None:
    """Our number, no other amount, and a cost that covers it."""
    assert cause(submitted(signed(taken(**change)))) is UnknownCause.MISMATCH


def test_a_cost_that_is_not_named_is_no_fee() -> None:
    """The site could write no row: paid, and charged for nothing we know."""
    assert submitted(signed(taken(cost_money=None))) == Paid(REFERENCE, PAID_AT, None)


@pytest.mark.parametrize("paydate", [None, "", "0000-00-00 00:00:00", "2026-13-01 00:00:00", "x"])
def test_paid_without_a_readable_time_is_paid_when_the_site_says_so(paydate: object) -> None:
    """An administrator may set a status by hand; the money has arrived."""
    assert submitted(signed(taken(paydate=paydate))) == Paid(REFERENCE, NOW, FEE)


def test_wechats_times_have_an_offset() -> None:
    """As its plugin passes them on."""
    outcome = submitted(signed(taken(paydate="2026-11-02T09:30:01+08:00")))
    assert outcome == Paid(REFERENCE, PAID_AT, FEE)


def test_hazard_1_a_number_that_exists_is_looked_up() -> None:
    """Class (b), never a failure: the order may be paid."""
    outcome = submitted(signed(refused("该交易号已存在，请更换交易号")))
    assert cause(outcome) is UnknownCause.CHANNEL_UNSURE


def test_hazard_2_an_error_of_the_channel_behind_the_site_is_unknown() -> None:
    """It names the order, so the channel had been asked, and may have paid."""
    numbers = {"biz_no": REFERENCE, "out_biz_no": REFERENCE}
    outcome = submitted(signed(refused("[PAYEE_NOT_EXIST]收款账号不存在", **numbers)))
    assert cause(outcome) is UnknownCause.CHANNEL_UNSURE


@pytest.mark.parametrize("name", ["biz_no", "out_biz_no", "orderid"])
@pytest.mark.parametrize("text", ["需支付金额大于可转账余额", "单笔最小代付金额限制为1元"])
def test_hazard_2_even_in_the_words_of_a_check(name: str, text: str) -> None:
    """Behind the site may be another Epay site, which speaks in the same words."""
    outcome = submitted(signed(refused(text, **{name: REFERENCE})))
    assert cause(outcome) is UnknownCause.CHANNEL_UNSURE


def test_hazard_6_known_texts_are_refusals() -> None:
    """At once for the instruction, after a look for account and site; naming no order."""
    small = submitted(signed(refused("单笔最小代付金额限制为200元")))
    short = submitted(signed(refused("需支付金额大于可转账余额")))
    assert small == Rejected(Reason.AMOUNT_BELOW_MINIMUM, "-1", "单笔最小代付金额限制为200元")
    assert short == Rejected(
        Reason.FLOAT_SHORT, "-1", "需支付金额大于可转账余额", confirm=True, channel_ref=None
    )


@pytest.mark.parametrize("text", ["系统繁忙", "转账失败", "Operation timed out", ""])
def test_hazard_6_any_other_text_is_unknown(text: str) -> None:
    """It may have been spoken after the money had gone."""
    assert cause(submitted(signed(refused(text)))) is UnknownCause.UNKNOWN_CODE


def test_hazard_6_operators_know_more_texts() -> None:
    """Believed after a look."""
    outcome = submitted(signed(refused("额度用尽")), 额度用尽=Reason.QUOTA_EXHAUSTED)
    assert isinstance(outcome, Rejected)
    assert (outcome.reason, outcome.confirm) == (Reason.QUOTA_EXHAUSTED, True)


@pytest.mark.parametrize("code", [-1, -3, -4, -5])
@pytest.mark.parametrize("text", ["需支付金额大于可转账余额", "MD5签名校验失败", "商户已被封禁"])
def test_an_unsigned_error_never_proves_failure(code: int, text: str) -> None:
    """Anybody between us and the site could have said it."""
    assert cause(submitted(thrown(text, code))) is UnknownCause.BAD_SIGNATURE


def test_an_unsigned_yes_proves_nothing_either() -> None:
    """Nor does a no without words."""
    body = signed(taken()).replace(b'"sign"', b'"gone"')
    assert cause(submitted(body)) is UnknownCause.BAD_SIGNATURE


# --- Inquiries -------------------------------------------------------------------------------


def test_found_paid() -> None:
    """As the submission said it."""
    assert asked(signed(found())) == Paid(REFERENCE, PAID_AT, FEE)
    assert asked(signed(found()), inquiry(REFERENCE)) == Paid(REFERENCE, PAID_AT, FEE)


@pytest.mark.parametrize("status", [0, 3, 4])
def test_found_under_way(status: int) -> None:
    """With or without an amount."""
    body = found(status=status, paydate=None)
    assert asked(signed(body)) == Pending(REFERENCE, str(status))
    assert asked(signed(body | {"amount": None})) == Pending(REFERENCE, str(status))


@pytest.mark.parametrize("status", [1, 2])
def test_a_final_status_without_the_amount_is_asked_for_again(status: int) -> None:
    """The reply in which the status changes leaves it out; the next one is the site's own row."""
    body = found(status=status) | {"amount": None}
    assert asked(signed(body)) == Pending(REFERENCE, str(status))


def test_found_failed() -> None:
    """Class by status only; the text tells why."""
    outcome = asked(signed(failed()))
    assert outcome == Rejected(
        Reason.PAYEE_NAME_MISMATCH,
        "PAYEE_USER_INFO_ERROR",
        "[PAYEE_USER_INFO_ERROR]收款人姓名有误",
        channel_ref=REFERENCE,
    )


def test_found_failed_without_a_cause() -> None:
    """Failed all the same; a person looks."""
    outcome = asked(signed(failed(errmsg=None, msg="转账失败：原因未知")))
    assert outcome == Rejected(Reason.UNEXPLAINED, "2", "转账失败：原因未知", channel_ref=REFERENCE)


def test_hazard_5_a_failed_row_shows_the_bare_amount_as_cost() -> None:
    """That is no other amount, and no fee."""
    assert isinstance(asked(signed(failed(cost_money="123.45"))), Rejected)


def test_failed_after_it_was_paid_is_a_return() -> None:
    """The row keeps its time of payment: to call this a failure would pay twice."""
    outcome = asked(signed(failed(paydate="2026-11-02 09:30:01")))
    assert outcome == Returned(REFERENCE, NOW, AMOUNT)


@pytest.mark.parametrize(
    "change",
    [
        {"paydate": "2026-11-02T09:30:01+08:00"},
        {"paydate": "2026-11-02 09:30:01", "cost_money": "124.19"},
        {"paydate": "0000-00-00 00:00:00"},
    ],
)
def test_a_failure_with_a_time_of_the_channels_is_asked_for_again(
    change: dict[str, object],
) -> None:
    """It is not the row yet: failed or returned, the row will tell."""
    assert asked(signed(failed(**change))) == Pending(REFERENCE, "2")


@pytest.mark.parametrize("text", ["转账交易号不存在", "当前转账订单不存在"])
def test_hazard_2_not_found_is_absence_and_absence_proves_nothing(text: str) -> None:
    """Unsigned as it is; what it means for money is `profile.PROFILE`."""
    assert isinstance(asked(thrown(text)), Absent)
    assert isinstance(asked(signed(refused(text))), Absent)


@pytest.mark.parametrize("text", ["转账交易号不存在", "当前转账订单不存在"])
def test_absence_of_another_order_is_no_answer(text: str) -> None:
    """A fork may say which order it means."""
    body = signed(refused(text, out_biz_no="4815162342108000002"))
    assert cause(asked(body)) is UnknownCause.MISMATCH


@pytest.mark.parametrize("code", [0, -3, -5])
def test_the_words_of_absence_under_another_code_are_no_absence(code: int) -> None:
    """Only -1 carries them."""
    assert cause(asked(thrown("转账交易号不存在", code))) is UnknownCause.BAD_SIGNATURE


@pytest.mark.parametrize("text", ["付款记录不存在", "商户不存在！", "转账交易号不能为空", "x"])
def test_any_other_unsigned_word_is_no_answer(text: str) -> None:
    """Not even one about orders."""
    assert cause(asked(thrown(text))) is UnknownCause.BAD_SIGNATURE


def test_hazard_5_an_order_in_the_administrators_queue_is_alive() -> None:
    """支付通道不存在 is said of an order the site has; it rests in the queue without an end."""
    numbers = {"biz_no": REFERENCE, "out_biz_no": REFERENCE, "cost_money": "124.19"}
    assert asked(signed(refused("支付通道不存在", **numbers))) == Pending(REFERENCE, "3")


@pytest.mark.parametrize("numbers", [{}, {"out_biz_no": "4815162342108000002"}])
def test_hazard_5_only_if_the_reply_is_about_our_order(numbers: dict[str, object]) -> None:
    """Else it is about another."""
    outcome = asked(signed(refused("支付通道不存在", **numbers)))
    assert cause(outcome) is UnknownCause.MISMATCH


def test_an_error_of_the_channel_when_asked_says_nothing() -> None:
    """The site has the order, and could not ask about it."""
    numbers = {"biz_no": REFERENCE, "out_biz_no": REFERENCE}
    outcome = asked(signed(refused("请求失败", **numbers)))
    assert cause(outcome) is UnknownCause.CHANNEL_UNSURE


@pytest.mark.parametrize("code", [1, -2, -99, "", None])
def test_a_code_nobody_knows_is_unknown(code: object) -> None:
    """Whatever stands beside it."""
    assert cause(asked(signed(found(code=code)))) is UnknownCause.UNKNOWN_CODE


@pytest.mark.parametrize("status", [5, None, "FAIL"])
def test_a_status_nobody_knows_is_unknown_when_asked(status: object) -> None:
    """Also with everything else in place."""
    assert cause(asked(signed(found(status=status)))) is UnknownCause.UNKNOWN_STATE


@pytest.mark.parametrize(
    "change",
    [
        {"out_biz_no": "4815162342108000002"},
        {"out_biz_no": None},
        {"biz_no": "4815162342108000002"},
        {"amount": "123.46"},
        {"amount": "123.450"},
        {"cost_money": "1.00"},
    ],
)
@pytest.mark.parametrize("status", [0, 1, 2])
def test_an_answer_about_another_order_or_amount_is_no_answer(
    change: dict[str, object], status: int
) -> None:
    """Whatever the status."""
    outcome = asked(signed(found(status=status, **change)), inquiry(REFERENCE))
    assert cause(outcome) is UnknownCause.MISMATCH


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "code": st.sampled_from((0, -1, -2, "0")),
            "status": st.sampled_from((0, 1, 2, 3, 4, 5, "1")),
            "out_biz_no": st.sampled_from((REFERENCE, "1", None)),
            "biz_no": st.sampled_from((REFERENCE, "1", None)),
            "amount": st.sampled_from(("123.45", "1.00", 123.45, None)),
            "cost_money": st.sampled_from(("123.45", "124.19", "1", None)),
            "paydate": st.sampled_from(("2026-11-02 09:30:01", "x", None)),
            "msg": st.sampled_from(tuple(codes.SUBMIT) + tuple(codes.NOT_FOUND)),
        },
    ),
    st.booleans(),
)
def test_a_failure_needs_our_number_our_amount_and_a_signature(
    fields: dict[str, object], is_signed: bool
) -> None:
    """However a reply to a query is put together."""
    body = signed(fields) if is_signed else thrown(str(fields.get("msg", "")))
    outcome = asked(body)
    if isinstance(outcome, Rejected | Returned):
        assert is_signed
        assert (fields["out_biz_no"], str(fields["amount"])) == (REFERENCE, "123.45")
        assert str(fields["status"]) == "2"
    if isinstance(outcome, Paid):
        assert is_signed
        assert (fields["out_biz_no"], str(fields["amount"])) == (REFERENCE, "123.45")
        assert str(fields["status"]) == "1"


# --- Balance and receipts --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("percent", "ppm"),
    [("1", 10_000), ("0.6", 6000), ("0.0001", 1), ("", None), (None, None), ("x", None)],
)
def test_balance_and_rate(percent: str | None, ppm: int | None) -> None:
    """Yuan and percent; a rate that cannot be read is none."""
    body = signed({"code": 0, "available_money": "99.5", "transfer_rate": percent})
    answer = open_reply(body, SETTINGS.keys, NOW)
    assert wire.read_balance(answer) == (Money(9950, Currency.CNY), ppm)


@pytest.mark.parametrize(
    "body",
    [
        thrown("商户不存在！"),
        signed(refused("x", available_money="1")),
        signed({"code": 0}),
        signed({"code": 0, "available_money": "-5.00"}),
        signed({"code": 0, "available_money": "1.0E+25"}),
    ],
)
def test_no_figure_without_a_signed_and_readable_amount(body: bytes) -> None:
    """None rather than a guess."""
    assert wire.read_balance(open_reply(body, SETTINGS.keys, NOW)) is None


def lies_at(address: str) -> Answer:
    """The site's signed word for where a receipt lies."""
    return open_reply(signed({"code": 0, "download_url": address}), SETTINGS.keys, NOW)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("/upload/bill/7.pdf", "http://127.0.0.1:1/upload/bill/7.pdf"),
        ("upload/7.png", "http://127.0.0.1:1/upload/7.png"),
        ("http://127.0.0.1:1/7", "http://127.0.0.1:1/7"),
        ("https://bills.example.com/7?t=1", "https://bills.example.com/7?t=1"),
        ("https://Bills.Example.com:443/7", "https://Bills.Example.com:443/7"),
        ("https://bills.example.com:8443/7", "https://bills.example.com:8443/7"),
    ],
)
def test_where_a_receipt_lies(address: str, expected: str) -> None:
    """On the site, or behind TLS at a host that the operator named."""
    hosts = ("bills.example.com", "bills.example.com:8443")
    assert wire.receipt_address(lies_at(address), SETTINGS.base_url, hosts) == expected


@pytest.mark.parametrize(
    "address",
    [
        "",
        "https://169.254.169.254/latest/meta-data",
        "https://bills.example.com:22/7",
        "https://x.bills.example.com/7",
        "https://bills.example.com.evil.example/7",
        "https://bills.example.com@evil.example/7",
        "https://evil.example\\@bills.example.com/7",
        "https://bills.example.com\t.evil.example/7",
        "//evil.example/7",
        "http://bills.example.com/7",
        "http://127.0.0.1:2/7",
        "https://127.0.0.1:1/7",
        "https://bills.example.com:99999/7",
        "file:///etc/passwd",
        "http://[x",
    ],
)
def test_a_receipt_is_fetched_from_nowhere_else(address: str) -> None:
    """Whoever runs the site could have us ask for what only we can reach."""
    with pytest.raises(ChannelError):
        wire.receipt_address(lies_at(address), SETTINGS.base_url, ("bills.example.com",))


def test_a_receipt_elsewhere_tells_what_to_set() -> None:
    """In both languages, with the host as it would be written there."""
    with pytest.raises(ChannelError, match="add it to receipt_hosts if") as told:
        wire.receipt_address(lies_at("https://Bills.Example.com/7"), SETTINGS.base_url, ())
    assert "it lies at bills.example.com," in str(told.value)
    assert "若 bills.example.com 可信请加入 receipt_hosts" in str(told.value)


@pytest.mark.parametrize(
    ("url", "name"),
    [("https://x/7.PDF?a=b.png", f"{REFERENCE}.pdf"), ("https://x/7", REFERENCE)],
)
def test_a_receipt_is_named_after_our_number(url: str, name: str) -> None:
    """With the ending it has there."""
    assert wire.receipt_name(url, REFERENCE) == name

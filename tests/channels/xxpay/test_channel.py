"""The XxPay channel without a peer: bytes, checks, settings, notices, traits."""

from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qsl

import pytest
from pydantic import ValidationError

from channels.contract import (
    NOTICE_QUERY,
    AlipayAccount,
    AlipayIdentity,
    ChannelError,
    Instruction,
    Instrument,
    Notice,
    NoticeRefused,
    Rail,
    Terms,
)
from channels.money import Currency, Money
from channels.xxpay.channel import build
from tests.channels.xxpay.gateway import (
    CARD,
    COMPANY,
    MCH_ID,
    NOW,
    NUMBER,
    REFERENCE,
    SECRET,
    channel,
    instruction,
    query,
    settings,
    signature,
    told,
)

URL = "https://us.example.test/notices/xxpay"


def sent(instrument: Instrument, **changes: object) -> dict[str, str]:
    """The fields of a submission."""
    body = channel(**changes).prepare(instruction(instrument, notify_url=URL), NOW).body
    return dict(parse_qsl(body.decode(), strict_parsing=True))


COMMON = {
    "mchId": MCH_ID,
    "mchOrderNo": REFERENCE,
    "extra": REFERENCE,
    "amount": "12345",
    "remark": "十月佣金",
    "notifyUrl": URL,
    "reqTime": "20261102093000",
}


def test_a_card_is_asked_for_with_these_fields() -> None:
    """Our number twice, since answers and notices repeat one or the other."""
    fields = sent(CARD)
    assert fields.pop("sign") == signature(fields)
    assert fields == COMMON | {
        "accountAttr": "0",
        "accountName": "张三丰",
        "accountNo": CARD.number,
        "bankName": "中国工商银行",
    }


def test_a_company_is_asked_for_with_its_branch() -> None:
    """Province, city and line number are mandatory there."""
    fields = sent(COMPANY, sub_amount_from=2)
    assert fields.pop("sign") == signature(fields)
    assert fields == COMMON | {
        "accountAttr": "1",
        "accountName": "杭州某某科技有限公司",
        "accountNo": COMPANY.number,
        "bankName": "中国工商银行",
        "bankNumber": "102100000450",
        "province": "北京市",
        "city": "北京市",
        "subAmountFrom": "2",
    }


def test_clones_that_compare_lower_hex_are_served() -> None:
    """By a setting."""
    assert sent(CARD, lower_case_signature=True)["sign"] == sent(CARD)["sign"].lower()


def test_only_the_time_differs_between_two_preparations() -> None:
    """The same business fields, another reqTime and signature."""
    first, second = (
        dict(parse_qsl(channel().prepare(instruction(), at).body.decode()))
        for at in (NOW, NOW + timedelta(seconds=1))
    )
    assert {name for name in first if first[name] != second[name]} == {"reqTime", "sign"}


def test_paths_of_clones_are_settings() -> None:
    """Appended to the base address."""
    made = channel(base_url="https://pay.example.test/x/", apply_path="/api/unified/agentpay/apply")
    prepared = made.prepare(instruction(), NOW)
    assert prepared.url == "https://pay.example.test/x/api/unified/agentpay/apply"
    assert prepared.not_after is None


PROBLEMS: list[tuple[Instruction, str]] = [
    (instruction(AlipayAccount("z@e.test", AlipayIdentity.LOGON_ID, "张三")), "instrument"),
    (instruction(replace(CARD, number="6222x0202")), "instrument.number"),
    (instruction(replace(CARD, name=" ")), "instrument.name"),
    (instruction(replace(CARD, name="张&amount=1")), "instrument.name"),
    (instruction(replace(COMPANY, province=None)), "instrument.province"),
    (instruction(replace(COMPANY, city=" ")), "instrument.city"),
    (instruction(replace(COMPANY, bank_name="")), "instrument.bank_name"),
    (instruction(replace(COMPANY, bank_code="1")), "instrument.bank_code"),
    (instruction(reference="a-b"), "reference"),
    (instruction(reference="x" * 31), "reference"),
    (instruction(purpose=" "), "purpose"),
    (instruction(purpose="x" * 65), "purpose"),
    (instruction(purpose="a&status=2"), "purpose"),
    (instruction(amount=Money(0, Currency.CNY)), "amount"),
    (instruction(amount=Money(100, Currency.USD)), "amount.currency"),
    (instruction(notify_url="https://us.example.test/?a=1"), "notify_url"),
]


@pytest.mark.parametrize(("bad", "at_fault"), PROBLEMS)
def test_what_would_be_refused_for_ever_is_a_problem(bad: Instruction, at_fault: str) -> None:
    """Named by its field, and never prepared."""
    made = channel()
    assert [problem.field for problem in made.check(bad)] == [at_fault]
    with pytest.raises(ValueError, match=at_fault):
        made.prepare(bad, NOW)


def test_a_rail_that_is_not_configured_is_a_problem() -> None:
    """Some gateways pay persons only."""
    assert [p.field for p in channel(rails=["bank_card"]).check(instruction(COMPANY))] == [
        "instrument"
    ]


def test_traits_follow_the_settings() -> None:
    """Nothing is sent twice, silence proves nothing, notices come in the query string."""
    said = channel().traits
    assert (said.kind, said.resend, said.statement, said.notices) == ("xxpay", None, False, True)
    assert said.notices_in_query
    assert said.rails == {Rail.BANK_CARD, Rail.BANK_ACCOUNT}
    assert not said.profile.absence_proves
    assert said.profile.acceptance_window_s is None


async def test_there_is_no_statement() -> None:
    """An error, never an empty list."""
    with pytest.raises(ChannelError, match="no statement"):
        [line async for line in channel().statement(NOW.date())]


# ---- settings ----


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"base_url": "ftp://x"}, "base_url"),
        ({"base_url": "https://u@x/"}, "base_url"),
        ({"mch_id": "M1"}, "mch_id"),
        ({"private_key": "short"}, "private_key"),
        ({"rails": []}, "rails"),
        ({"rails": ["alipay"]}, "rails"),
        ({"apply_path": "api/agentpay?x"}, "apply_path"),
        ({"sub_amount_from": 3}, "sub_amount_from"),
        ({"inquire_first_s": 100, "inquire_max_s": 10}, "inquire_max_s"),
        ({"base_url": "http://pay.example.test", "trust_refusals": True}, "trust_refusals"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_bad_settings_are_refused_by_name(changes: dict[str, object], complaint: str) -> None:
    """At the door, and without a secret in the words."""
    with pytest.raises(ValidationError, match=complaint) as refused:
        settings(**changes)
    assert SECRET not in str(refused.value)


def test_secrets_are_in_no_repr_and_named_as_credentials() -> None:
    """Both live ones."""
    made = settings(previous_private_key="the-previous-secret")
    assert SECRET not in repr(made)
    assert [one.name for one in made.credentials()] == ["private_key", "previous_private_key"]


def test_other_currencies_are_refused() -> None:
    """XxPay pays yuan."""
    with pytest.raises(ValueError, match="CNY"):
        build("x", settings(), Terms(Currency.USD, 1, 2), lambda: NOW)


# ---- notices ----


def heard(text: str, body: bytes = b"") -> Notice | NoticeRefused:
    """What the channel makes of a notice with this query string."""
    return channel().read_notice({NOTICE_QUERY: text} if text else {}, body, NOW)


def test_a_notice_names_the_order_by_what_we_had_them_repeat() -> None:
    """`extra` holds our number; the acknowledgement is their word."""
    read = heard(query(told()))
    assert isinstance(read, Notice)
    assert (read.reference, read.channel_ref, read.notice_id) == (
        REFERENCE,
        NUMBER,
        f"{NUMBER}:2",
    )
    assert read.reply.body == b"success"


def test_a_clones_notice_may_name_our_number_or_come_as_a_form() -> None:
    """Either says the same."""
    assert heard(query(told(extra="", mchOrderNo=REFERENCE))) == heard(query(told()))
    assert heard("", query(told()).encode()) == heard(query(told()))


def test_a_notice_that_names_their_number_alone_is_left_to_a_look_up() -> None:
    """Proven, and about an order that only they can name."""
    read = heard(query(told(extra="")))
    assert isinstance(read, Notice)
    assert (read.reference, read.channel_ref) == ("", NUMBER)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "signature"),
        ("nothing", "not a form"),
        (query(told()) + "&status=3", "twice"),
        (query(told()).replace("status=2", "status=3"), "signature"),
        (query(told()).replace("sign=", "sigh="), "signature"),
        (query(told(agentpayOrderId=None)), "names no order"),
        (query(told(status="")), "names no order"),
        (query(told(mchOrderNo="P2")), "two numbers"),
    ],
)
def test_what_is_no_proven_notice_is_refused(text: str, cause: str) -> None:
    """With a word that makes them tell it again."""
    read = heard(text)
    assert isinstance(read, NoticeRefused)
    assert cause in read.cause
    assert read.reply.body == b"fail"

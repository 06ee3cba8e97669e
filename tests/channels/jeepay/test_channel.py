"""The Jeepay channel without a peer: bytes, checks, settings, notices, traits."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from channels.contract import (
    AlipayIdentity,
    BankAccount,
    ChannelError,
    Instruction,
    Instrument,
    Notice,
    NoticeRefused,
    Rail,
    Terms,
)
from channels.jeepay import wire
from channels.jeepay.channel import build
from channels.money import Currency, Money
from tests.channels.jeepay.gateway import (
    APP_ID,
    CARD,
    LOGON,
    MCH_NO,
    NOW,
    RAILS,
    REFERENCE,
    SCENE,
    SECRET,
    TERMS,
    TRANSFER,
    WALLET,
    channel,
    instruction,
    order,
    settings,
    signature,
)

URL = "https://us.example.test/notices/jeepay"


def sent(instrument: Instrument, **changes: object) -> dict[str, Any]:
    """The fields of a submission."""
    body = channel(**changes).prepare(instruction(instrument, notify_url=URL), NOW).body
    fields: dict[str, Any] = json.loads(body)
    return fields


COMMON = {
    "mchNo": MCH_NO,
    "appId": APP_ID,
    "mchOrderNo": REFERENCE,
    "amount": 12345,
    "currency": "cny",
    "transferDesc": "十月佣金",
    "notifyUrl": URL,
    "version": "1.0",
    "signType": "MD5",
    "reqTime": "1793583000000",
}


def test_an_alipay_payout_is_asked_for_with_these_fields() -> None:
    """And no others: a field that Jeepay does not know breaks the signature there."""
    fields = sent(LOGON)
    assert fields.pop("sign") == signature(fields)
    assert fields == COMMON | {
        "ifCode": "alipay",
        "entryType": "ALIPAY_CASH",
        "accountNo": "zhang@example.test",
        "accountName": "张三丰",
    }


def test_a_card_names_its_bank() -> None:
    """By the interface the operator has named."""
    fields = sent(CARD)
    assert fields.pop("sign") == signature(fields)
    assert fields == COMMON | {
        "ifCode": "bank",
        "entryType": "BANK_CARD",
        "accountNo": CARD.number,
        "accountName": "张三丰",
        "bankName": "中国工商银行",
    }


def test_a_wechat_payout_tells_its_scene() -> None:
    """As JSON text, which is signed like any other text."""
    fields = sent(WALLET)
    assert fields.pop("sign") == signature(fields)
    assert json.loads(fields.pop("channelExtra")) == {
        "transferSceneId": "1000",
        "transferSceneReportInfos": [
            {"infoType": "活动名称", "infoContent": "新会员有礼"},
            {"infoType": "奖励说明", "infoContent": "注册会员抽奖一等奖"},
        ],
    }
    assert "channelExtra" not in sent(WALLET, wechat_scene=None)
    assert "accountName" not in json.loads(
        channel().prepare(instruction(replace(WALLET, name=None)), NOW).body
    )


def test_only_the_time_differs_between_two_preparations() -> None:
    """The same business fields, another reqTime and signature."""
    first, second = (
        json.loads(channel().prepare(instruction(), at).body)
        for at in (NOW, NOW + timedelta(milliseconds=1500))
    )
    differing = {name for name in first if first[name] != second[name]}
    assert differing == {"reqTime", "sign"}
    assert second["reqTime"] == "1793583001500"


def test_a_path_before_the_api_is_kept() -> None:
    """Gateways hide behind prefixes."""
    prepared = channel(base_url="https://pay.example.test/gate/").prepare(instruction(), NOW)
    assert prepared.url == "https://pay.example.test/gate/api/transferOrder"
    assert prepared.not_after is None


PROBLEMS: list[tuple[Instruction, str]] = [
    (instruction(BankAccount("12345678", "某公司", "1" * 12, "工行")), "instrument"),
    (instruction(replace(LOGON, identity_type=AlipayIdentity.OPEN_ID)), "instrument.identity_type"),
    (instruction(replace(LOGON, identity=" ")), "instrument.identity"),
    (instruction(replace(LOGON, name="x" * 65)), "instrument.name"),
    (instruction(replace(LOGON, name="张&amount=1")), "instrument.name"),
    (instruction(replace(WALLET, openid="a b")), "instrument.openid"),
    (instruction(replace(CARD, number="6222 0202")), "instrument.number"),
    (instruction(replace(CARD, name=" ")), "instrument.name"),
    (instruction(replace(CARD, bank_name="x\n")), "instrument.bank_name"),
    (instruction(reference="a-b"), "reference"),
    (instruction(reference="x" * 33), "reference"),
    (instruction(purpose=" "), "purpose"),
    (instruction(purpose="x" * 101), "purpose"),
    (instruction(purpose="佣金&state=2"), "purpose"),
    (instruction(WALLET, purpose="x" * 33), "purpose"),
    (instruction(amount=Money(0, Currency.CNY)), "amount"),
    (instruction(amount=Money(500_000_001, Currency.CNY)), "amount"),
    (instruction(amount=Money(100, Currency.USD)), "amount.currency"),
    (instruction(notify_url="https://us.example.test/?a=1"), "notify_url"),
    (instruction(notify_url="ftp://us.example.test"), "notify_url"),
]


@pytest.mark.parametrize(("bad", "at_fault"), PROBLEMS)
def test_what_would_be_refused_for_ever_is_a_problem(bad: Instruction, at_fault: str) -> None:
    """Named by its field, and never prepared."""
    made = channel()
    assert [problem.field for problem in made.check(bad)] == [at_fault]
    with pytest.raises(ValueError, match=at_fault):
        made.prepare(bad, NOW)


def test_a_wallet_of_another_application_is_a_problem() -> None:
    """An openid belongs to one appid; the gateway's is known only if it is configured."""
    foreign = instruction(replace(WALLET, appid="wx2"))
    assert channel().check(foreign) == ()
    assert [p.field for p in channel(wechat_appid="wx1").check(foreign)] == ["instrument.appid"]


def test_a_user_id_is_checked_where_the_gateway_takes_one() -> None:
    """Some resellers pass it on rightly."""
    taking = channel(alipay_identities=["user_id"])
    good = replace(LOGON, identity_type=AlipayIdentity.USER_ID, identity="2088123456789012")
    assert taking.check(instruction(good)) == ()
    bad = replace(good, identity="1088")
    assert [p.field for p in taking.check(instruction(bad))] == ["instrument.identity"]


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_text_of_ours_poses_as_another_field(purpose: str, name: str) -> None:
    """Whatever passes the check is signed so that the text can be taken apart in one way only."""
    made = channel()
    order_ = instruction(replace(LOGON, name=name or None), purpose=purpose)
    if made.check(order_):
        return
    fields = json.loads(made.prepare(order_, NOW).body)
    signed = "&".join(f"{n}={v}" for n, v in fields.items() if n != "sign")
    names = [part.partition("=")[0] for part in signed.split("&") if "=" in part]
    assert {n for n in names if n.isidentifier()} <= fields.keys()
    assert sum(n in fields for n in names) == len(fields) - 1


def test_what_jeepay_does_not_reach_has_no_account() -> None:
    """An inquiry about such an instrument matches no order."""
    company = BankAccount("12345678", "某公司", "1" * 12, "工行")
    assert wire.account_of(company) == ""


def test_traits_follow_the_settings() -> None:
    """Nothing is sent twice, silence proves nothing, payees confirm only in the new product."""
    said = channel().traits
    assert (said.kind, said.resend, said.statement, said.notices) == ("jeepay", None, False, True)
    assert said.payee_confirms
    assert not said.notices_in_query
    assert said.rails == {Rail.ALIPAY, Rail.WECHAT, Rail.BANK_CARD}
    assert not said.profile.absence_proves
    assert said.profile.acceptance_window_s is None
    assert not channel(wechat_scene=None).traits.payee_confirms


async def test_there_is_no_statement() -> None:
    """An error, never an empty list."""
    with pytest.raises(ChannelError, match="no statement"):
        [line async for line in channel().statement(NOW.date())]


# ---- settings ----


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"base_url": "ftp://x"}, "base_url"),
        ({"base_url": "https://x/?a=1"}, "base_url"),
        ({"mch_no": "a b"}, "mch_no"),
        ({"app_secret": "short"}, "app_secret"),
        ({"rails": {}}, "rails"),
        ({"rails": {"alipay": RAILS["wechat"]}}, "rails"),
        ({"rails": {"wire": RAILS["wechat"]}}, "rails"),
        ({"rails": {"alipay": RAILS["alipay"]}}, "wechat_scene"),
        ({"inquire_first_s": 100, "inquire_max_s": 10}, "inquire_max_s"),
        ({"base_url": "http://pay.example.test", "trust_not_found": True}, "trust_not_found"),
        ({"trust_failures": "some"}, "trust_failures"),
        ({"wechat_scene": SCENE | {"transfer_scene_report_infos": []}}, "wechat_scene"),
        ({"alipay_identities": []}, "alipay_identities"),
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
    made = settings(previous_app_secret="the-previous-secret")
    assert SECRET not in repr(made)
    assert "the-previous-secret" not in repr(made)
    assert [one.name for one in made.credentials()] == ["app_secret", "previous_app_secret"]


def test_other_currencies_are_refused() -> None:
    """Jeepay pays yuan."""
    with pytest.raises(ValueError, match="CNY"):
        build("j", settings(), Terms(Currency.USD, 1, 2), lambda: NOW)
    assert TERMS.currency is Currency.CNY


# ---- notices ----


def told(secret: str = SECRET, **changes: object) -> bytes:
    """The body of a notice."""
    fields = order(reqTime=1793583002000, **changes)
    return urlencode({**fields, "sign": signature(fields, secret)}).encode()


def test_a_notice_names_the_order() -> None:
    """Verified, acknowledged in their word, and the same id however often it comes."""
    read = channel().read_notice({}, told(), NOW)
    assert isinstance(read, Notice)
    assert (read.reference, read.channel_ref, read.notice_id) == (
        REFERENCE,
        TRANSFER,
        f"{TRANSFER}:2",
    )
    assert read.reply.body == b"SUCCESS"


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (b"", "signature"),
        (b"\xff=1", "not a form"),
        (b"nothing", "not a form"),
        (told() + b"&state=3", "twice"),
        (told(secret="a-stranger's-secret"), "signature"),
        (told().replace(b"state=2", b"state=3"), "signature"),
        (told(mchNo="M1"), "another merchant"),
        (told(appId=None), "another merchant"),
        (told(mchOrderNo=None), "names no order"),
        (told(state="2&x"), "names no order"),
    ],
)
def test_what_is_no_proven_notice_is_refused(body: bytes, cause: str) -> None:
    """With a word that makes them tell it again."""
    read = channel().read_notice({}, body, NOW)
    assert isinstance(read, NoticeRefused)
    assert cause in read.cause
    assert read.reply.body == b"FAIL"

"""How Jeepay's requests are read: whom they pay, and who signed them."""

from typing import Any

import pytest

from channels.contract import AlipayAccount, AlipayIdentity, BankCard, Instrument, WechatWallet
from channels.keyed_md5 import signature
from gateway.api.dialects.jeepay_reading import fields_of, order_of, prove
from gateway.api.dialects.wire import Ask, RefusedError
from gateway.domain.dialect import KeySet
from tests.builders import NOW, cny
from tests.gateway.dialects.jeepay_callers import CARD, order

OPENID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
SECRET = "0123456789abcdef"  # a test's
WALLET = WechatWallet(OPENID, None, "王小五")
BY_CARD = BankCard(CARD, "王小五", None, "中国工商银行")
LOGON = AlipayAccount("wang@example.test", AlipayIdentity.LOGON_ID, "王小五")


@pytest.mark.parametrize(
    ("changes", "instrument"),
    [
        ({}, BY_CARD),
        ({"accountNo": "6222 0212 3456 7890 123"}, BY_CARD),
        ({"ifCode": "unionpay", "entryType": "card"}, BY_CARD),
        ({"ifCode": "wxpay"}, BY_CARD),
        ({"ifCode": "wxpay", "entryType": "WX_CASH", "accountNo": OPENID}, WALLET),
        ({"ifCode": "WXPAY", "entryType": "cash", "accountNo": OPENID}, WALLET),
        ({"ifCode": "931", "entryType": "wx_cash", "accountNo": OPENID}, WALLET),
        (
            {"ifCode": "alipay", "entryType": "ALIPAY_CASH", "accountNo": "wang@example.test"},
            LOGON,
        ),
        (
            {"entryType": "ALIPAY_CASH", "accountNo": "2088123412341234", "accountName": None},
            AlipayAccount("2088123412341234", AlipayIdentity.USER_ID, None),
        ),
        (
            {"entryType": "WX_CASH", "accountNo": OPENID, "accountName": ""},
            WechatWallet(OPENID, None, None),
        ),
    ],
)
def test_the_way_of_entry_says_whom_it_pays(
    changes: dict[str, Any], instrument: Instrument
) -> None:
    """The interface only where that is a word of the caller's own."""
    made = order_of({**order(), **changes}, None)

    assert made.instrument == instrument
    assert made.amount == cny(1230)


def test_what_is_shown_again_is_kept_as_sent() -> None:
    """Blanks, line ends and all."""
    kept = {"extParam": " a=1&b=2\n", "channelExtra": '{\n "x": 1}'}

    made = order_of({**order(), **kept}, None)

    assert made.metadata == {"ifCode": "bank", "entryType": "BANK_CARD", **kept}


@pytest.mark.parametrize(
    ("kind", "body", "query", "fields"),
    [
        ("application/json", b'{"a": 1, "b": "x", "c": 1.50}', "", {"a": 1, "b": "x", "c": "1.50"}),
        ("", b' {"a": 1}', "", {"a": 1}),
        ("application/x-www-form-urlencoded", b"a=1&b=%E7%8E%8B", "c=3", None),
        ("text/plain", b"", "a=1&b=%E7%8E%8B&c=3", None),
    ],
)
def test_fields_stand_in_many_places(
    kind: str, body: bytes, query: str, fields: dict[str, object] | None
) -> None:
    """JSON, a form, a query string; decimals stay text."""
    read = fields_of(Ask("POST", "/x", kind, query, body, None))

    assert read == (fields or {"a": "1", "b": "王", "c": "3"})


@pytest.mark.parametrize(
    ("kind", "body", "query"),
    [
        ("application/json", b"[1]", ""),
        ("application/json", b'{"a": 1, "a": 2}', ""),
        ("application/json", b'{"a": NaN}', ""),
        ("application/json", b"\xff", ""),
        ("application/x-www-form-urlencoded", b"a=1", "a=2"),
        ("application/x-www-form-urlencoded", b"&".join([b"a=1"] * 300), ""),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(kind: str, body: bytes, query: str) -> None:
    """Whoever signed it may have meant another one."""
    with pytest.raises(RefusedError):
        fields_of(Ask("POST", "/x", kind, query, body, None))


def test_a_proof_names_its_keys_and_what_nobody_knows() -> None:
    """Over all fields or over those we know; a name that hides a field is never part of it."""
    keys = (KeySet("k2", NOW, "f" * 16), KeySet("k1", NOW, SECRET), KeySet("k0", NOW))
    known = {"mchNo": "M1", "amount": 100}
    more = {**known, "fork": "1"}
    hiding = {**known, "amount=1&appId": "x"}
    one = prove({**more, "sign": signature(known, SECRET)}, keys, rsa_only=False)
    two = prove({**more, "sign": signature(more, SECRET).lower()}, keys, rsa_only=False)

    assert one is not None
    assert one == two
    assert (one.keys.id, one.unknown) == ("k1", ("fork",))
    assert prove({**hiding, "sign": signature(hiding, SECRET)}, keys, rsa_only=False) is None
    assert prove({**known, "sign": signature(known, "other-key")}, keys, rsa_only=False) is None

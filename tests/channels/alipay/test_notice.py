"""order.changed: verified first, in either variant; it names an order and decides nothing."""

from collections.abc import Mapping
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.alipay import signing
from channels.alipay.notice import NOT_TAKEN, TAKEN, read_notice
from channels.alipay.signing import Keys
from channels.contract import Notice, NoticeRefused
from tests.channels.alipay.platform import (
    APP_ID,
    MERCHANT_KEY,
    NOW,
    ORDER,
    REFERENCE,
    SETTINGS,
    channel,
    compact,
    signature,
)

KEYS = SETTINGS.keys
CONTENT = {
    "out_biz_no": REFERENCE,
    "order_id": ORDER,
    "status": "SUCCESS",
    "action_type": "FINISH",
    "trans_amount": "123.45",
    "fail_reason": "张三丰 & 张=无忌",
}


def fields(**changes: str) -> dict[str, str]:
    """The form's fields, unsigned."""
    return {
        "charset": "UTF-8",
        "biz_content": compact(CONTENT).decode(),
        "utc_timestamp": "1793583001000",
        "app_id": APP_ID,
        "version": "1.1",
        "sign_type": "RSA2",
        "notify_id": "2026110200222093001",
        "msg_method": "alipay.fund.trans.order.changed",
    } | changes


def signed(params: Mapping[str, str], *left_out: str, charset: str = "utf-8") -> bytes:
    """The form as the platform posts it."""
    text = "&".join(f"{k}={v}" for k, v in sorted(params.items()) if v and k not in left_out)
    sign = signature(text.encode(charset))
    return urlencode({**params, "sign": sign}, encoding=charset).encode()


def read(body: bytes, keys: Keys = KEYS) -> Notice | NoticeRefused:
    """Read it as our application."""
    return read_notice(body, APP_ID, keys)


GENUINE = Notice("2026110200222093001", REFERENCE, ORDER, "SUCCESS", TAKEN)


@pytest.mark.parametrize("left_out", [("sign_type",), ()], ids=["classic", "V2"])
def test_both_variants_of_the_signature_are_taken(left_out: tuple[str, ...]) -> None:
    """With sign_type in the signed text or without; the reply is exactly `success`."""
    assert read(signed(fields(), *left_out)) == GENUINE
    assert TAKEN.body == b"success"


def test_channel_reads_it_too() -> None:
    """The adapter hands it on unchanged."""
    made = channel()
    assert made.read_notice({}, signed(fields(), "sign_type"), NOW) == GENUINE


@pytest.mark.parametrize("charset", ["GBK", "gb2312", "gb18030"])
def test_older_charsets_are_read(charset: str) -> None:
    """The form says what it is written in, and the signature covers those bytes."""
    body = signed(fields(charset=charset), "sign_type", charset="gb18030")
    assert read(body) == GENUINE


def test_encrypted_content_is_read() -> None:
    """An application that encrypts gets encrypted notices."""
    aes = bytes(16)
    content = signing.encrypt(aes, compact(CONTENT))
    body = signed(fields(biz_content=content, encrypt_type="AES"), "sign_type")
    assert read(body, Keys(KEYS.private, KEYS.platform, aes=aes)) == GENUINE
    assert read(body) == NoticeRefused("genuine, but not readable", NOT_TAKEN)


def test_forged_notice_is_refused() -> None:
    """A changed field, and the platform is told to come again."""
    body = signed(fields(), "sign_type").replace(b"123.45", b"923.45")
    assert read(body) == NoticeRefused("the signature does not fit", NOT_TAKEN)
    assert NOT_TAKEN.body == b"fail"


def test_notice_signed_by_ourselves_is_refused() -> None:
    """Our own key is not the platform's."""
    params = fields()
    text = "&".join(f"{k}={v}" for k, v in sorted(params.items()) if k != "sign_type")
    key = signing.load_private_key(MERCHANT_KEY.read_text())
    body = urlencode({**params, "sign": signing.sign(key, text.encode())}).encode()
    assert read(body) == NoticeRefused("the signature does not fit", NOT_TAKEN)


def test_notice_for_another_application_is_refused() -> None:
    """One platform key signs for all its customers; the app_id tells them apart."""
    body = signed(fields(app_id="2021000000009999"), "sign_type")
    assert read(body) == NoticeRefused("for another application", NOT_TAKEN)


def test_genuine_notice_about_something_else_is_acknowledged() -> None:
    """Else the platform would repeat it for a day."""
    body = signed(fields(msg_method="alipay.open.app.changed"), "sign_type")
    assert read(body) == NoticeRefused("genuine, but not about a payout", TAKEN)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"out_biz_no":"a","out_biz_no":"b"}'])
def test_genuine_nonsense_is_refused(content: str) -> None:
    """Nothing is guessed from it."""
    body = signed(fields(biz_content=content), "sign_type")
    assert read(body) == NoticeRefused("genuine, but not readable", NOT_TAKEN)


@pytest.mark.parametrize("changes", [{"biz_content": "{}"}, {"notify_id": ""}])
def test_notice_that_names_nothing_is_refused(changes: dict[str, str]) -> None:
    """It must say which order, and who it is among its duplicates."""
    body = signed(fields(**changes), "sign_type")
    assert read(body) == NoticeRefused("genuine, but names no order", NOT_TAKEN)


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe",
        b"no form at all",
        b"charset=latin-9&sign=x",
        b"charset=utf-8&biz_content=%FF&sign=x",
        b"a=1&a=2&sign=x",
        b"&".join(b"f%d=1" % i for i in range(100)),
    ],
)
def test_what_is_no_form_is_refused(body: bytes) -> None:
    """Unreadable, ambiguous or oversized, and nothing of it is quoted."""
    assert read(body) == NoticeRefused("not an unambiguous form in a known charset", NOT_TAKEN)


@given(st.binary(max_size=200))
def test_random_bytes_are_never_a_notice(body: bytes) -> None:
    """Noise is refused, and never raises."""
    assert isinstance(read(body), NoticeRefused)

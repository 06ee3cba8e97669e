"""What people paste is read for what it is."""

import orjson
import pytest

from gateway.api.explain.sent import (
    FIELDS_MAX,
    SENT_BYTES_MAX,
    UnreadableError,
    read_fields,
    read_message,
)
from tests.gateway.api.explain.callers import SECRET, explained, md5

FIELDS = {"mchId": "1", "remark": "提现"}
SIGN = md5(f"mchId=1&remark=提现&key={SECRET}")
JSON = orjson.dumps({**FIELDS, "sign": SIGN})
FORM = f"mchId=1&remark=%E6%8F%90%E7%8E%B0&sign={SIGN}".encode()


@pytest.mark.parametrize(
    ("shape", "pasted"),
    [
        ("form", FORM),
        ("form", b"\xef\xbb\xbf  " + FORM + b"\r\n"),
        ("json", JSON),
        ("params", b"params=" + JSON),
        ("query", b"https://pay.example/api/agentpay/apply?" + FORM),
        ("query", b"/api/agentpay/apply?" + FORM),
        ("query", b"GET /api/agentpay/apply?" + FORM + b" HTTP/1.1\r\nHost: x\r\n\r\n"),
        ("form", b"POST /apply HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n" + FORM),
        ("json", b"POST /apply\nContent-Type: application/json\n\n" + JSON),
        ("form", b"POST /apply?mchId=1 HTTP/1.1\n\n" + FORM.removeprefix(b"mchId=1&")),
        (
            "envelope",
            orjson.dumps({"code": 0, "msg": "SUCCESS", "data": FIELDS, "sign": SIGN}),
        ),
    ],
)
def test_a_request_verifies_however_it_was_pasted(shape: str, pasted: bytes) -> None:
    """Body, address, or the whole message, with either line end."""
    assert read_fields(pasted, both=True).shape == shape
    assert explained("xxpay", pasted)["verifies"]


@pytest.mark.parametrize(
    ("pasted", "says"),
    [
        (b"", "no request"),
        (b"  \n", "no request"),
        (b"{", "no JSON"),
        (b"[1]", "an object"),
        (b'{"a": "\\ud800"}', "half a character"),
        (b'{"a": ' * 30_000, "32768 bytes"),
        (b"[" * 20_000, "no JSON"),
        (b"&".join(b"a%d=1" % one for one in range(FIELDS_MAX + 1)), "200 fields"),
        (b"POST /x HTTP/1.1\r\nno header\r\n\r\n", "no header"),
    ],
)
def test_what_is_no_request_is_refused_in_a_sentence(pasted: bytes, says: str) -> None:
    """Which never repeats what was pasted."""
    with pytest.raises(UnreadableError, match=says) as caught:
        read_fields(pasted)
    assert not caught.value.zh.isascii()


def test_the_size_is_bounded() -> None:
    """To the byte."""
    assert read_message(b"a" * SENT_BYTES_MAX).body == b"a" * SENT_BYTES_MAX
    with pytest.raises(UnreadableError):
        read_message(b"a" * (SENT_BYTES_MAX + 1))


def test_what_is_left_out_says_why() -> None:
    """Each kind of value that is not signed, by its reason."""
    sent = (
        b"pid=1&remark=&name=%20&a[]=x&odd=1&sign_type=MD5&sign=" + md5(f"pid=1{SECRET}").encode()
    )
    found = explained("epay", sent)

    assert found["verifies"]
    assert {one["name"]: one["why"] for one in found["dropped"]} == {
        "remark": "empty",
        "name": "blank",
        "a[]": "array",
        "odd": "unknown",
        "sign_type": "never",
        "sign": "never",
    }
    assert "unknown_fields_unsigned" in [one["code"] for one in found["notes"]]
    told = explained("jeepay", b'{"mchNo": null, "appId": "1", "sign": "0"}')
    assert {"name": "mchNo", "why": "null"}.items() <= told["dropped"][0].items()


def test_a_field_that_stands_twice_is_told() -> None:
    """The last one counts, as it does at the door."""
    sent = f"pid=1&pid=2&timestamp=1772416800&sign={md5(f'pid=2&timestamp=1772416800{SECRET}')}"
    found = explained("epay", sent.encode())

    assert found["verifies"]
    assert [(one["code"], one["field"]) for one in found["notes"]] == [("repeated", "pid")]


def test_bytes_are_shown_where_a_character_is_not_ascii() -> None:
    """As they were sent: GBK looks like GBK."""
    sent = b"pid=1&timestamp=1772416800&name=%D5%C5&remark=%E5%B0%8F&sign=0"
    found = explained("epay", sent)

    assert found["bytes"] == [
        {"name": "name", "text": "\\xd5\\xc5", "hex": "d5 c5"},
        {"name": "remark", "text": "小", "hex": "e5 b0 8f"},
    ]


@pytest.mark.parametrize(
    ("stamp", "code"),
    [("1772416800000", "time_form"), ("", "time_form"), ("1772416000", "time_window")],
)
def test_a_wrong_time_is_told_apart_from_the_signature(stamp: str, code: str) -> None:
    """Stock software answers both with the same error."""
    text = f"pid=1&timestamp={stamp}" if stamp else "pid=1"
    found = explained(
        "epay", f"pid=1&timestamp={stamp}&sign={md5(text + SECRET)}".encode(), now=1772416800
    )

    assert found["verifies"]
    assert code in [one["code"] for one in found["notes"]]

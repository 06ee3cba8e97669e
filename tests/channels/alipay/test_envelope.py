"""Cutting a reply open: nothing counts that the platform has not signed, byte for byte."""

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.alipay import signing
from channels.alipay.envelope import Node, WireError, open_reply, parse_object, scan
from channels.alipay.signing import Keys
from channels.contract import UnknownCause
from tests.channels.alipay.platform import PLATFORM, SETTINGS, compact, signature, signed_reply

METHOD = "alipay.fund.trans.uni.transfer"
NAME = "alipay_fund_trans_uni_transfer_response"
KEYS = SETTINGS.keys
AES_KEY = bytes(range(16))


def cause_of(body: bytes, keys: Keys = KEYS) -> UnknownCause:
    """Why this reply is not believed."""
    with pytest.raises(WireError) as refused:
        open_reply(body, METHOD, keys)
    return refused.value.cause


def test_signed_node_is_read() -> None:
    """The node's text fields come out as they were written."""
    node = open_reply(signed_reply(NAME, {"code": "10000", "msg": "中"}), METHOD, KEYS)
    assert (node.code, node.message, node.get("absent")) == ("10000", "中", None)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"code":"10000","msg":"} \\" { ] [ \\\\"}',
        b'{ "code" : "10000",\n "nested": {"a": ["}", {"b": 1}]} }',
        '{"code":"10000","msg":"\\u4e2d 中 ,\\"sign\\":\\"x\\""}'.encode(),
    ],
)
def test_node_is_cut_out_exactly(raw: bytes) -> None:
    """Braces, quotes and commas inside strings do not end the node; spaces belong to it."""
    assert open_reply(signed_reply(NAME, raw), METHOD, KEYS).code == "10000"


def test_error_response_stands_in_for_the_node() -> None:
    """When the gateway itself refuses, its answer has another name and is verified all the same."""
    node = open_reply(signed_reply("error_response", {"code": "40002"}), METHOD, KEYS)
    assert node.code == "40002"


def test_unsigned_reply_is_not_believed() -> None:
    """A refusal anyone could have written is no refusal."""
    body = b'{"%s":{"code":"40004","sub_code":"PAYEE_NOT_EXIST"}}' % NAME.encode()
    assert cause_of(body) is UnknownCause.BAD_SIGNATURE


def test_changed_byte_breaks_the_signature() -> None:
    """The signature covers every byte of the node."""
    body = signed_reply(NAME, {"code": "40004", "sub_code": "PAYEE_NOT_EXIST"})
    assert cause_of(body.replace(b"40004", b"10000")) is UnknownCause.BAD_SIGNATURE


def test_reserialised_node_breaks_the_signature() -> None:
    """Not even a space may change."""
    raw = b'{"code": "10000"}'
    body = signed_reply(NAME, raw).replace(raw, b'{"code":"10000"}')
    assert cause_of(body) is UnknownCause.BAD_SIGNATURE


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"ok",
        b"[]",
        b"{}",
        b"<html>502</html>",
        b'{"sign":"x"}',
        b'{"other_response":{},"sign":"x"}',
        b'{"alipay_fund_trans_uni_transfer_response":{"code":"10000"',
        b'{"alipay_fund_trans_uni_transfer_response" {}}',
        b'{"alipay_fund_trans_uni_transfer_response":{} "sign":"x"}',
        b'{"alipay_fund_trans_uni_transfer_response":{},"error_response":{},"sign":"x"}',
        b'{"alipay_fund_trans_uni_transfer_response":{},"sign":17}',
        b'{"alipay_fund_trans_uni_transfer_response":{},"\\q":"x"}',
    ],
)
def test_what_is_no_reply_is_unreadable(body: bytes) -> None:
    """Anything but one answer in one JSON object."""
    assert cause_of(body) is UnknownCause.UNREADABLE


def test_trailing_text_is_unreadable() -> None:
    """A second object behind the first makes both worthless."""
    body = signed_reply(NAME, {"code": "10000"})
    assert cause_of(body + b"{}") is UnknownCause.UNREADABLE


def test_node_given_twice_is_unreadable() -> None:
    """Which of the two was meant is not for us to guess."""
    raw = compact({"code": "10000"})
    body = b'{"%s":%s,"%s":{},"sign":"%s"}' % (
        NAME.encode(),
        raw,
        NAME.encode(),
        signature(raw).encode(),
    )
    assert cause_of(body) is UnknownCause.UNREADABLE


@pytest.mark.parametrize(
    "raw",
    [b'{"code":"10000","code":"40004"}', b"[]", b"17", b"\xff\xfe", b'{"code":NaN}', b'{"a":1 2}'],
)
def test_signed_nonsense_is_unreadable(raw: bytes) -> None:
    """A signature does not make sense of nonsense."""
    assert cause_of(signed_reply(NAME, raw)) is UnknownCause.UNREADABLE


def test_numbers_keep_their_text() -> None:
    """An amount written as a number never becomes a float."""
    node = open_reply(signed_reply(NAME, b'{"trans_amount":123.40,"n":7}'), METHOD, KEYS)
    assert (node.get("trans_amount"), node.get("n")) == ("123.40", "7")


# --- encryption and certificates -------------------------------------------------------------


def encrypted_reply(node: bytes, key: bytes = AES_KEY) -> bytes:
    """A reply whose node is a string, signed with its quotes."""
    return signed_reply(NAME, b'"%s"' % signing.encrypt(key, node).encode())


def with_aes(key: bytes) -> Keys:
    """Keys of an application that encrypts."""
    return Keys(KEYS.private, KEYS.platform, aes=key)


def test_encrypted_node_is_verified_with_quotes_and_read() -> None:
    """The signature covers the string as it stands, quotes included."""
    node = open_reply(encrypted_reply(b'{"code":"10000"}'), METHOD, with_aes(AES_KEY))
    assert node.code == "10000"


def test_encrypted_node_without_key_is_unreadable() -> None:
    """What cannot be read decides nothing."""
    assert cause_of(encrypted_reply(b'{"code":"10000"}')) is UnknownCause.UNREADABLE


def test_encrypted_with_another_key_is_unreadable() -> None:
    """A wrong key makes noise, not an answer."""
    body = encrypted_reply(b'{"code":"10000"}', bytes(16))
    assert cause_of(body, with_aes(AES_KEY)) is UnknownCause.UNREADABLE


def certified(serial: str) -> bytes:
    """A reply in certificate mode: the serial stands between node and signature."""
    raw = compact({"code": "10000"})
    return b'{"%s":%s,"alipay_cert_sn":"%s","sign":"%s"}' % (
        NAME.encode(),
        raw,
        serial.encode(),
        signature(raw).encode(),
    )


def test_certificate_mode_takes_the_key_the_reply_names() -> None:
    """While the platform changes certificates, several are live."""
    other = SETTINGS.keys.private.public_key()
    keys = Keys(KEYS.private, {"a" * 32: other, "b" * 32: PLATFORM.public_key()}, "app", "root")
    assert open_reply(certified("b" * 32), METHOD, keys).code == "10000"
    assert cause_of(certified("a" * 32), keys) is UnknownCause.BAD_SIGNATURE


@pytest.mark.parametrize("serial", ["c" * 32, ""])
def test_unknown_certificate_is_not_believed(serial: str) -> None:
    """A serial we do not hold, or none, is no proof."""
    keys = Keys(KEYS.private, {"b" * 32: PLATFORM.public_key()}, "app", "root")
    assert cause_of(certified(serial), keys) is UnknownCause.BAD_SIGNATURE


# --- laws ------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON, max_size=5), st.booleans(), st.sampled_from([None, 1]))
def test_scanner_cuts_what_a_parser_reads(
    value: dict[str, object], ascii_only: bool, indent: int | None
) -> None:
    """For any JSON object the pieces are exactly its members, in order."""
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "replace")
    value = json.loads(text)
    assert {name: json.loads(raw) for name, raw in scan(text)} == value


@given(st.binary(max_size=200))
def test_random_bytes_are_never_an_answer(body: bytes) -> None:
    """Noise is refused, and by nothing but `WireError`."""
    with pytest.raises(WireError):
        open_reply(body, METHOD, KEYS)


@settings(max_examples=60)
@given(st.data())
def test_reply_with_a_changed_byte_is_never_an_answer(data: st.DataObject) -> None:
    """Whatever byte of node or signature changes, the answer is gone or says the same."""
    body = signed_reply(NAME, {"code": "40004", "sub_code": "PAYEE_NOT_EXIST"})
    at = data.draw(st.integers(0, len(body) - 1))
    changed = bytearray(body)
    changed[at] ^= data.draw(st.integers(1, 255))
    try:
        node = open_reply(bytes(changed), METHOD, KEYS)
    except WireError:
        return
    assert node == Node({"code": "40004", "sub_code": "PAYEE_NOT_EXIST"})


def test_deep_nesting_is_unreadable_and_not_a_crash() -> None:
    """Depth is bounded by a refusal."""
    with pytest.raises(WireError):
        parse_object(b'{"a":' * 100_000)


def test_request_signs_what_it_sends() -> None:
    """The signature in the address covers the common parameters and the content."""
    from urllib.parse import parse_qsl, urlsplit

    from channels.alipay.envelope import request
    from tests.channels.alipay.platform import NOW

    signed = request("https://a.example/gateway.do", "2021", KEYS, METHOD, {"b": "中 &"}, NOW)
    params = dict(parse_qsl(urlsplit(signed.url).query)) | dict(parse_qsl(signed.body.decode()))
    given_signature = params.pop("sign")
    assert params == {
        "app_id": "2021",
        "biz_content": '{"b":"中 &"}',
        "charset": "utf-8",
        "format": "json",
        "method": METHOD,
        "sign_type": "RSA2",
        "timestamp": "2026-11-02 09:30:00",
        "version": "1.0",
    }
    content = "&".join(f"{k}={v}" for k, v in sorted(params.items()))
    assert signing.verifies(KEYS.private.public_key(), content.encode(), given_signature)


def test_encrypting_application_signs_the_ciphertext() -> None:
    """First encrypt, then sign; certificate serials travel along."""
    from urllib.parse import parse_qsl, urlsplit

    from channels.alipay.envelope import request
    from tests.channels.alipay.platform import NOW

    keys = Keys(KEYS.private, KEYS.platform, "app", "root", AES_KEY)
    signed = request("https://a.example/gateway.do", "2021", keys, METHOD, {"b": "中"}, NOW)
    params = dict(parse_qsl(urlsplit(signed.url).query)) | dict(parse_qsl(signed.body.decode()))
    assert (params["encrypt_type"], params["app_cert_sn"], params["alipay_root_cert_sn"]) == (
        "AES",
        "app",
        "root",
    )
    assert signing.decrypt(AES_KEY, params["biz_content"]) == '{"b":"中"}'.encode()
    assert base64.b64decode(params["biz_content"])
    given_signature = params.pop("sign")
    content = "&".join(f"{k}={v}" for k, v in sorted(params.items()))
    assert signing.verifies(KEYS.private.public_key(), content.encode(), given_signature)

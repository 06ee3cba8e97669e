"""Signatures: the string, the two ways to sign it, and keys in every form they are handed out."""

import base64

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from channels.epay import signing
from channels.epay.signing import KeyMaterialError, Keys
from tests.channels.epay.platform import (
    MD5_KEY,
    MERCHANT,
    MERCHANT_FILE,
    MERCHANT_PUBLIC,
    PLATFORM,
    PLATFORM_PUBLIC,
    bare,
    by_hand,
    content_of,
)

FIELDS = {
    "type": "alipay",
    "account": "13800138000",
    "name": "张三",
    "money": "100.00",
    "out_biz_no": "1000000000000000001",
    "pid": "1001",
    "timestamp": "1790000000",
    "remark": " ",
    "sign_type": "MD5",
    "sign": "…",
}
STRING = (
    "account=13800138000&money=100.00&name=张三&out_biz_no=1000000000000000001"
    "&pid=1001&timestamp=1790000000&type=alipay"
)
RSA_KEYS = Keys((PLATFORM.public_key(),), private=MERCHANT)
MD5_KEYS = Keys((PLATFORM.public_key(),), md5=MD5_KEY)


def test_the_string_leaves_out_what_is_blank_or_the_signature() -> None:
    """Sorted by key, joined raw."""
    assert signing.string_to_sign(FIELDS).decode() == STRING


@pytest.mark.parametrize("blank", ["", " ", "\t\n\r\0\x0b"])
def test_what_php_trims_away_is_not_signed(blank: str) -> None:
    """All six characters of PHP's trim."""
    assert signing.string_to_sign({"a": blank, "b": "1"}) == b"b=1"


@pytest.mark.parametrize("kept", ["0", " 0 ", "\u3000", "\x0c", "false"])
def test_what_php_keeps_is_signed(kept: str) -> None:
    """A zero is a value, and so is white space PHP does not know."""
    assert signing.string_to_sign({"a": kept}) == f"a={kept}".encode()


@given(st.dictionaries(st.text(min_size=1), st.text(max_size=5)))
def test_keys_are_sorted_by_their_bytes(fields: dict[str, str]) -> None:
    """As ksort does with the names of this wire."""
    lines = signing.string_to_sign(fields).split(b"&")
    expected = sorted(
        (k.encode(), v.encode())
        for k, v in fields.items()
        if v.strip(" \t\n\r\0\x0b") and k not in {"sign", "sign_type"}
    )
    assert b"&".join(lines) == b"&".join(k + b"=" + v for k, v in expected)


def test_md5_is_the_digest_of_string_and_key() -> None:
    """The vector is from md5sum: lower case, the key right behind the string."""
    content = signing.string_to_sign(FIELDS)
    assert signing.sign(MD5_KEYS, content) == "f12380bd7e4749e5fd6bc9deabe3f8c4"
    assert MD5_KEYS.sign_type == "MD5"


def test_rsa_is_what_integers_alone_make_of_it() -> None:
    """PKCS #1 v1.5 with SHA-256, worked out by hand."""
    content = signing.string_to_sign(FIELDS)
    assert signing.sign(RSA_KEYS, content) == by_hand(content, MERCHANT)
    assert RSA_KEYS.sign_type == "RSA"


def test_a_signature_of_the_site_verifies() -> None:
    """And not over one byte more, nor by another key."""
    content = content_of({"code": 0, "msg": "转账成功！"})
    assert signing.verifies(RSA_KEYS, content, by_hand(content))
    assert not signing.verifies(RSA_KEYS, content + b" ", by_hand(content))
    assert not signing.verifies(RSA_KEYS, content, by_hand(content, MERCHANT))


@pytest.mark.parametrize("signature", ["", "!", "AAAA", "签名", "0" * 32])
def test_what_is_no_signature_does_not_verify(signature: str) -> None:
    """Nothing raises."""
    assert not signing.verifies(RSA_KEYS, b"a=1", signature)


def test_either_of_two_keys_verifies() -> None:
    """While the site changes its own."""
    keys = Keys((MERCHANT.public_key(), PLATFORM.public_key()), md5=MD5_KEY)
    for key in (MERCHANT, PLATFORM):
        assert signing.verifies(keys, b"a=1", by_hand(b"a=1", key))


def test_no_key_no_signature() -> None:
    """Never an empty one."""
    with pytest.raises(ValueError, match="no key"):
        signing.sign(Keys((PLATFORM.public_key(),)), b"")


def test_keys_load_from_pem_and_from_bare_base64() -> None:
    """As files hold them and as the site's page shows them."""
    pem = MERCHANT_FILE.read_text()
    for text in (pem, bare(pem), "\n".join((bare(pem)[:64], bare(pem)[64:]))):
        assert signing.load_private_key(text).private_numbers() == MERCHANT.private_numbers()
    for text in (PLATFORM_PUBLIC, bare(PLATFORM_PUBLIC)):
        assert signing.load_public_key(text) == PLATFORM.public_key()


def test_pkcs1_keys_load_as_well() -> None:
    """Some tools export the older form."""
    der = MERCHANT.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    loaded = signing.load_private_key(base64.b64encode(der).decode())
    assert loaded.private_numbers() == MERCHANT.private_numbers()


def _curve() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def _short() -> str:
    key = rsa.generate_private_key(65537, 1024)  # noqa: S505 - too short is the point
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


@pytest.mark.parametrize("text", ["", "…", "AAAA", MERCHANT_PUBLIC, _curve(), _short()])
def test_what_is_no_private_key_is_refused_without_being_quoted(text: str) -> None:
    """Another kind, too short, or no key at all."""
    with pytest.raises(KeyMaterialError) as refused:
        signing.load_private_key(text)
    assert not text or text not in str(refused.value)


@pytest.mark.parametrize("text", ["", "AAAA", MERCHANT_FILE.read_text()])
def test_what_is_no_public_key_is_refused(text: str) -> None:
    """The private half in its place above all."""
    with pytest.raises(KeyMaterialError):
        signing.load_public_key(text)


def test_keys_show_nothing() -> None:
    """Not in a repr, not in a trace."""
    assert MD5_KEY not in repr(MD5_KEYS)
    assert str(MERCHANT.private_numbers().d) not in repr(RSA_KEYS)

"""Epay's signatures, by vectors and by law."""

import re
from pathlib import Path
from urllib.parse import urlencode

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from hypothesis import given
from hypothesis import strategies as st

from gateway.api.dialects import epay_signing
from gateway.api.dialects.epay_signing import md5, prove, sign_reply, string_to_sign
from gateway.api.dialects.wire import form
from gateway.domain.dialect import KeySet
from tests.builders import NOW
from tests.gateway.dialects.conftest import pairs
from tests.gateway.dialects.epayn import Epayn, text_to_sign

KEYS = Path("tests/wire/epay/keys")
OPENSSL_REQUEST = (
    "BTtT31OoeAWGduk6Rh6BwY/x+izmVaZc993zJufvARsLrm1cFZONW8HMAqQm3vEpZE2k7bc5/WsmMwSUCRIfOXvZ/f4n"
    "G8vWKqtbMj4sfaiz12Zfq/UrSDsEMKI+C/mPs3CK7e/mAHaCBuHggXYKRCWg1pmm3aqI3OBhNjeVfOqbVvnZddjYyARA"
    "i5bsvZQGWMHbnnhdoxg/UTJvmLzavRp9d04XqbdiZi7c7HIAxPPKYKfr8iIIPUzFQK6UyxE86iHYs7jXb1sIMzvr3gdQ"
    "jGfKIaBfGfhzKsqgnQs7Jcil0LJDGkEnyuSBAGP9+TQz3HY/9J/uWfkYJTfKewBPeg=="
)
"""`openssl dgst -sha256 -sign merchant_test_only.pem | base64`, over a text below."""
OPENSSL_REPLY = (
    "wxJRnjnQK4lSiXlfLr+Z6+c1GmqmZ8qozT7bg15yyCi/MXPmXZPN4R8tj27PVNAvwxj/712C7uEfApGt8KR+xFv4AXb6"
    "KjBOFCVvBqQog8hzZjVjNNZn73btCSUa7u9wanDQwy++T25S544qZGGBHv17wwh8XmivqwFXQSUgSHbYmS01EjLpVFZ8"
    "E3XZ3ebmBcsLa5YASU0YFxgMTP8sgqCvbY1xqbYkwndo7lc5SMA6KZbcsIzoF/dzR9ENL2bYQ6IoftelOc/eb21Llk8z"
    "yxOFb8jLzLUYnypzQ+agj/ekOUvNGaXyVlMjnx5so4NbnWi03Z8VSn+5GxcL2laIhw=="
)
"""The same with platform_test_only.pem over `biz_no=…&timestamp=1772416800`."""
KNOWN = frozenset({"pid", "money", "name", "remark", "sign", "sign_type"})
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


def test_the_documented_example_holds() -> None:
    """What the docstring shows is what the code makes."""
    told = epay_signing.__doc__ or ""
    (text,), (secret,), (sign,) = (
        re.findall(rf"    {name}:\s+(\S+)\n", told) for name in ("string", "secret", "sign")
    )
    fields = {"pid": "1001", "timestamp": "1772416800", "type": "alipay", "money": "1.00"}
    fields |= {"remark": " ", "sign_type": "MD5", "sign": sign}

    assert string_to_sign(fields) == text.encode()
    assert md5(text.encode(), secret) == sign
    assert prove(fields, (KeySet("k", NOW, secret),), frozenset(fields), rsa_only=False)


def test_what_openssl_signed_is_proven() -> None:
    """A vector that no code of ours took part in; one byte more and it proves nobody."""
    text = (
        "account=6222021234567890123&money=12.30&name=王小五&out_biz_no=2026030210000000001"
        "&pid=10001&remark=提现 +/%&timestamp=1772416800&type=bank"
    )
    fields = dict(part.split("=", 1) for part in text.split("&"))
    given = {**fields, "bookid": " ", "sign_type": "RSA", "sign": OPENSSL_REQUEST}
    pem = load_pem_private_key((KEYS / "merchant_test_only.pem").read_bytes(), None)
    public = pem.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    keys = (KeySet("k", NOW, theirs=public.decode()),)

    assert string_to_sign(given) == text.encode()
    assert prove(given, keys, frozenset(given), rsa_only=True)
    assert prove({**given, "money": "12.31"}, keys, frozenset(given), rsa_only=True) is None
    assert prove({**given, "bookid": "1"}, keys, frozenset(given), rsa_only=True) is None


def test_a_reply_is_signed_as_openssl_signs_it() -> None:
    """Byte for byte: numbers as written, empty fields left out, names in order."""
    reply: dict[str, object] = {
        "code": 0,
        "msg": "success",
        "biz_no": "2026030210000000001",
        "out_biz_no": "A-1",
        "orderid": "2026030210000000001",
        "status": 0,
        "paydate": "",
        "cost_money": "12.60",
        "timestamp": "1772416800",
        "sign_type": "RSA",
    }
    pem = (KEYS / "platform_test_only.pem").read_text("ascii")
    bare = "".join(line for line in pem.splitlines() if "-----" not in line)

    assert sign_reply(reply, KeySet("k", NOW, ours=bare)) == OPENSSL_REPLY


def test_zero_is_signed_and_blanks_are_not() -> None:
    """As PHP's `trim` sees them; the order is that of bytes."""
    fields = {"b": "0", "a": " \t\0", "Z": "z", "é": "1", "sign": "x", "sign_type": "RSA"}

    assert string_to_sign(fields) == "Z=z&b=0&é=1".encode()


def test_upper_hex_is_no_signature() -> None:
    """Stock compares exactly."""
    fields = {"pid": "1"}
    sign = md5(string_to_sign(fields), "secret-key").upper()

    keys = (KeySet("k", NOW, "secret-key"),)
    assert prove({**fields, "sign": sign}, keys, KNOWN, rsa_only=False) is None


def test_bytes_that_are_no_utf8_are_signed_as_sent() -> None:
    """GBK callers prove who they are; what they say is another matter."""
    raw = urlencode({"name": "张三".encode("gbk"), "pid": b"1"})
    fields = form(raw.encode())
    assert fields is not None

    assert string_to_sign(fields) == b"name=" + "张三".encode("gbk") + b"&pid=1"


@given(st.dictionaries(TEXT.filter(lambda name: "[" not in name), TEXT, max_size=6))
def test_a_form_reads_back_and_proves_its_signer(fields: dict[str, str]) -> None:
    """Whatever the text is, urlencoded and signed over all of it; a changed value proves nobody."""
    fields = {n: v for n, v in fields.items() if n not in {"sign", "sign_type"}}
    fields["pid"] = "1"
    sent = {**fields, "sign": md5(string_to_sign(fields), "secret-key")}
    read = form(urlencode(sent).encode())
    assert read is not None
    keys = (KeySet("other", NOW, "another-key"), KeySet("k", NOW, "secret-key"))

    proof = prove(read, keys, KNOWN, rsa_only=False)

    assert proof is not None
    assert proof.keys.id == "k"
    assert set(proof.unknown) == fields.keys() - KNOWN
    assert prove({**read, "pid": "2"}, keys, KNOWN, rsa_only=False) is None


def test_replies_are_believed_by_the_plugin() -> None:
    """Numbers and text, Chinese and empty ones."""
    keys = KeySet("k", NOW, ours=pairs()[1][0])
    reply = {"code": 0, "msg": "成功", "paydate": "", "status": 1, "timestamp": "1772416800"}
    plugin = Epayn(None, "", "1", pairs()[1][1], None, lambda: 1772416800.0)  # type: ignore[arg-type] # asks nothing

    assert plugin.believes({**reply, "sign_type": "RSA", "sign": sign_reply(reply, keys)})
    assert not plugin.believes({**reply, "status": 2, "sign": sign_reply(reply, keys)})
    assert text_to_sign(reply).encode() == string_to_sign({n: str(v) for n, v in reply.items()})

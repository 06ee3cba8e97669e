"""Epay's signatures, by vectors and by law."""

import re
from urllib.parse import urlencode

from hypothesis import given
from hypothesis import strategies as st

from gateway.api.dialects import epay_signing
from gateway.api.dialects.epay_signing import md5, prove, sign_reply, string_to_sign
from gateway.api.dialects.wire import form
from gateway.domain.dialect import KeySet
from tests.builders import NOW
from tests.gateway.dialects.conftest import pairs
from tests.gateway.dialects.epayn import Epayn, text_to_sign

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

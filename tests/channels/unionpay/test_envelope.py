"""Bytes of UnionPay's wire: what is sent, what is read, and what is not believed."""

import base64
import re
import ssl
from datetime import timedelta
from urllib.parse import parse_qs, urlencode

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from channels.contract import UnknownCause
from channels.unionpay import signing
from channels.unionpay.envelope import WireError, open_notice, open_reply, parse, request
from simulators.unionpay.certificates import UNIONPAY, authority, leaf, pem
from tests.channels.unionpay.platform import NOW, reply, row, settings, signature, signed, taken
from tests.simulators.keys import pair
from tests.simulators.unionpay.merchant import certified, merchant_pem, serial, signing_pem

TRUST = settings().keys.trust


def refused(body: bytes, **changes: object) -> UnknownCause:
    """Why a reply is not believed."""
    with pytest.raises(WireError) as error:
        open_reply(body, settings(**changes).keys.trust, NOW)
    return error.value.cause


def test_request_is_a_signed_form() -> None:
    """Common fields, our serial, no blank fields, and a signature that fits."""
    made = request(
        "http://127.0.0.1:1/x", {"orderId": "A1", "accNo": "", "m": "中"}, settings().keys
    )
    fields = {name: value for name, (value,) in parse_qs(made.body.decode()).items()}
    assert fields.pop("signature") == signature(fields, "unionpay-merchant")
    assert fields == {
        "version": "5.1.0",
        "encoding": "UTF-8",
        "signMethod": "01",
        "certId": serial(merchant_pem()),
        "orderId": "A1",
        "m": "中",
    }
    assert re.fullmatch(r"[0-9a-f]{64}", made.digest)


def test_value_in_braces_may_hold_separators() -> None:
    """Braces and brackets keep `&` and `=` together; other values keep their `=`."""
    text = "a={b=1&c={d=2&e=3}}&f=x==&g=[h&i]&j="
    assert parse(text) == {"a": "{b=1&c={d=2&e=3}}", "f": "x==", "g": "[h&i]", "j": ""}


@pytest.mark.parametrize("text", ["", "a", "=1", "a=1&a=2", "a=1&&b=2", "a=1&b"])
def test_row_that_is_none_is_unreadable(text: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(WireError) as error:
        parse(text)
    assert error.value.cause is UnknownCause.UNREADABLE


@given(
    st.dictionaries(
        st.text("abcXYZ09", min_size=1),
        st.text(st.characters(blacklist_characters="&{}[]", blacklist_categories=["Cs"])),
        min_size=1,
    )
)
def test_what_is_joined_is_split_again(fields: dict[str, str]) -> None:
    """For every value without separators."""
    assert parse("&".join(f"{k}={v}" for k, v in fields.items())) == fields


@given(st.binary(max_size=200))
def test_no_bytes_but_theirs_are_believed(body: bytes) -> None:
    """Garbage is an error with a cause, never anything else."""
    with pytest.raises(WireError):
        open_reply(body, TRUST, NOW)


def test_true_reply_is_read() -> None:
    """All fields, as they are."""
    message = open_reply(reply(**taken(reqReserved="{a=1&b=2}")), TRUST, NOW)
    assert (message.code, message.get("reqReserved")) == ("00", "{a=1&b=2}")
    assert message.get("nothing") is None


@pytest.mark.parametrize("blank_is_signed", [True, False])
def test_blank_field_may_be_signed_along_or_not(blank_is_signed: bool) -> None:
    """The rules leave blank fields out; the official library takes what stands there."""
    fields = signed(taken() | ({"reqReserved": ""} if blank_is_signed else {}))
    body = row({**fields, "reqReserved": ""})
    assert open_reply(body, TRUST, NOW).code == "00"


@pytest.mark.parametrize("missing", ["signature", "signPubKeyCert"])
def test_unsigned_reply_is_not_believed(missing: str) -> None:
    """Whatever else it says."""
    fields = signed(taken())
    del fields[missing]
    assert refused(row(fields)) is UnknownCause.BAD_SIGNATURE


@pytest.mark.parametrize("name", ["respCode", "orderId", "txnAmt", "signPubKeyCert"])
def test_changed_field_is_not_believed(name: str) -> None:
    """Also the certificate is signed."""
    fields = signed(taken())
    fields[name] = fields[name] + "\n" if name == "signPubKeyCert" else fields[name] + "1"
    assert refused(row(fields)) is UnknownCause.BAD_SIGNATURE


def test_certificate_of_a_stranger_is_not_believed() -> None:
    """The right name under another root."""
    mine = pair("evil-root").key
    fake = pem(leaf(UNIONPAY, pair("evil").key, ("middle", mine)))
    assert refused(row(signed(taken(), fake, "evil"))) is UnknownCause.BAD_SIGNATURE


def test_intermediate_needs_its_root() -> None:
    """A configured intermediate under an unconfigured root is not enough."""
    stray = x509.load_pem_x509_certificate(merchant_pem().encode())
    rootless = type(TRUST)(TRUST.middles, (stray,), TRUST.signers)
    with pytest.raises(WireError, match="no chain"):
        open_reply(reply(**taken()), rootless, NOW)


def test_certificate_of_another_customer_of_the_authority_is_not_believed() -> None:
    """A merchant's certificate has the right chain and the wrong name."""
    body = row(signed(taken(), merchant_pem(), "unionpay-merchant"))
    assert refused(body) is UnknownCause.BAD_SIGNATURE


@pytest.mark.parametrize(
    "common_name",
    [
        "中国银联股份有限公司",
        "a@b@中国银联股份有限公司x@c",
        "中国银联股份有限公司@a@b",
        "a@中国银联股份有限公司",
    ],
)
def test_only_the_third_part_of_the_name_counts(common_name: str) -> None:
    """Anybody may be called something with UnionPay in it."""
    body = row(signed(taken(), certified("liar", common_name), "liar"))
    assert refused(body) is UnknownCause.BAD_SIGNATURE


def test_name_of_the_test_environment_is_configurable() -> None:
    """It is believed only where it is configured."""
    body = row(signed(taken(), certified("test-env", "041@x@00040000:SIGN@1"), "test-env"))
    assert refused(body) is UnknownCause.BAD_SIGNATURE
    trust = settings(signer_names=["00040000:SIGN"]).keys.trust
    assert open_reply(body, trust, NOW).code == "00"


@pytest.mark.parametrize("days", [-9000, 9000])
def test_certificate_out_of_its_time_is_not_believed(days: int) -> None:
    """Neither before nor after."""
    with pytest.raises(WireError, match="not valid now"):
        open_reply(reply(**taken()), TRUST, NOW + timedelta(days=days))


def test_expired_intermediate_breaks_the_chain() -> None:
    """Each link is judged at the same moment."""
    key, middle = pair("short").key, pair("short-middle").key
    root = ("root", pair("unionpay-root").key)
    short = pem(leaf("short-middle", middle, root, not_after=NOW - timedelta(days=1)))
    fake = pem(leaf(UNIONPAY, key, ("short-middle", middle)))
    trust = settings().keys.trust
    old = x509.load_pem_x509_certificate(short.encode())
    chained = type(trust)((old,), trust.roots, trust.signers)
    with pytest.raises(WireError, match="no chain"):
        open_reply(row(signed(taken(), fake, "short")), chained, NOW)
    assert (
        open_reply(row(signed(taken(), fake, "short")), chained, NOW - timedelta(days=2)).code
        == "00"
    )


def test_authority_is_no_signer() -> None:
    """A certificate that may only sign certificates, with UnionPay's name."""
    own = pem(authority(UNIONPAY, pair("ca-leaf").key, ("middle", pair("unionpay-middle").key)))
    assert refused(row(signed(taken(), own, "ca-leaf"))) is UnknownCause.BAD_SIGNATURE


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (b"\x55\x1d\x13", b"\x55\x1d\x0f"),  # basicConstraints becomes a second keyUsage
        (b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x45"),  # version 69
    ],
    ids=["an extension twice", "no such version"],
)
def test_certificate_that_breaks_its_own_reader_is_not_believed(was: bytes, becomes: bytes) -> None:
    """Anybody can send one, also to the address of notices, without any key."""
    der = ssl.PEM_cert_to_DER_cert(signing_pem())
    assert was in der
    text = base64.encodebytes(der.replace(was, becomes)).decode()
    spoilt = f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n"
    fields = signed(taken(), spoilt)
    assert refused(row(fields)) is UnknownCause.BAD_SIGNATURE
    with pytest.raises(WireError, match="certificate"):
        open_notice(urlencode(fields).encode(), TRUST, NOW)


def test_issued_certificate_with_an_extension_twice_may_not_sign() -> None:
    """Even with a chain: what it is for cannot be told."""
    der = ssl.PEM_cert_to_DER_cert(signing_pem()).replace(b"\x55\x1d\x13", b"\x55\x1d\x0f")
    assert not signing._may_sign(x509.load_der_x509_certificate(der))


def test_notice_is_a_form() -> None:
    """URL-encoded, unlike replies; the same signature."""
    fields = signed(taken(respMsg="成功 & more"))
    message = open_notice(urlencode(fields).encode(), TRUST, NOW)
    assert message.text == "成功 & more"
    assert message.get("signPubKeyCert") == signing_pem()


def test_field_that_stands_twice_makes_a_notice_unreadable() -> None:
    """Which one was signed would be a guess."""
    body = urlencode([*signed(taken()).items(), ("respCode", "00")]).encode()
    with pytest.raises(WireError) as error:
        open_notice(body, TRUST, NOW)
    assert error.value.cause is UnknownCause.UNREADABLE

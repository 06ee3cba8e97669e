"""Our idempotency key, and whose word a signature is."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.stablecoin import signing
from channels.stablecoin.settings import rsa_key
from tests.channels.stablecoin.platform import (
    CERTIFICATE_URL,
    IDEMPOTENCY_KEY,
    KEYS,
    REFERENCE,
    compact,
    ecdsa,
    fiat,
    notice_key,
    public_text,
    sns,
    sns_signature,
    told,
)
from tests.simulators.keys import pair

CERTIFICATE = signing.load_certificate((KEYS / "sns_certificate.pem").read_bytes())
KEY = rsa_key(CERTIFICATE)


def test_the_key_of_a_reference_never_changes() -> None:
    """Were it to change, a request repeated after an upgrade would pay twice."""
    assert signing.idempotency_key(REFERENCE) == IDEMPOTENCY_KEY


@given(st.text(max_size=40))
def test_every_key_is_a_version_4_uuid(reference: str) -> None:
    """In version and variant, in lower case, and the same each time."""
    made = signing.idempotency_key(reference)
    assert made == str(uuid.UUID(made)) == signing.idempotency_key(reference)
    assert (uuid.UUID(made).version, uuid.UUID(made).variant) == (4, uuid.RFC_4122)


def test_references_have_keys_of_their_own() -> None:
    """Two attempts of one payout as well."""
    made = {signing.idempotency_key(f"P{n}A{m}") for n in range(500) for m in range(1, 4)}
    assert len(made) == 1500


@pytest.mark.parametrize("version", ["1", "2"])
def test_both_versions_of_sns_verify(version: str) -> None:
    """SHA-1 and SHA-256, over the lines that AWS lists."""
    message = sns(told(fiat()), SignatureVersion=version)
    assert signing.sns_verifies(KEY, message)
    assert signing.sns_verifies(KEY, sns("x", SignatureVersion=version, Subject="s"))


@pytest.mark.parametrize(
    "name", ["Message", "MessageId", "TopicArn", "Timestamp", "Type", "SignatureVersion"]
)
def test_a_changed_line_does_not_verify(name: str) -> None:
    """Nor a Subject that was not signed."""
    message = sns(told(fiat()))
    assert not signing.sns_verifies(KEY, message | {name: message[name] + "1"})
    assert not signing.sns_verifies(KEY, message | {"Subject": "new"})
    without = {key: value for key, value in message.items() if key != name}
    assert not signing.sns_verifies(KEY, without)


@pytest.mark.parametrize("signature", ["", "AAAA", "no base64!", "ü"])
def test_a_bad_signature_does_not_verify(signature: str) -> None:
    """Whatever it is made of."""
    assert not signing.sns_verifies(KEY, sns("x", Signature=signature))


def test_another_key_does_not_verify() -> None:
    """Anybody can sign."""
    message = sns("x")
    forged = message | {"Signature": sns_signature(message, pair("stranger").key)}
    assert not signing.sns_verifies(KEY, forged)


@pytest.mark.parametrize(
    ("url", "trusted"),
    [
        (CERTIFICATE_URL, True),
        ("https://sns.eu-west-1.amazonaws.com/x.pem", True),
        ("https://sns.cn-north-1.amazonaws.com.cn/x.pem", True),
        ("http://sns.us-east-1.amazonaws.com/x.pem", False),
        ("https://sns.us-east-1.amazonaws.com.evil.test/x.pem", False),
        ("https://evil.test/sns.us-east-1.amazonaws.com/x.pem", False),
        ("https://sns.evil.test#.amazonaws.com/x.pem", False),
        ("https://sns.us.east.amazonaws.com/x.pem", False),
        ("https://sns..amazonaws.com/x.pem", False),
        ("https://sns.amazonaws.com/x.pem", False),
        ("https://bucket.s3.amazonaws.com/x.pem", False),
        ("https://user@sns.us-east-1.amazonaws.com/x.pem", False),
        ("https://sns.us-east-1.amazonaws.com:8443/x.pem", False),
        ("https://sns.us-east-1.amazonaws.com:x/x.pem", False),
        ("https://[::1/x.pem", False),
        ("", False),
        ("http://127.0.0.1:9100/x.pem", True),
        ("http://127.0.0.1:9101/x.pem", False),
        ("http://127.0.0.1:9100@evil.test/x.pem", False),
    ],
)
def test_only_addresses_that_sns_would_name_are_trusted(url: str, trusted: bool) -> None:
    """And the origin an operator has named."""
    assert signing.is_sns_address(url, ("http://127.0.0.1:9100",)) is trusted


def test_circles_own_signature_verifies_over_raw_bytes() -> None:
    """One byte more, another signature or none: no."""
    body = compact({"notificationId": "1"})
    key = signing.load_notice_key(public_text(notice_key()))
    signature = ecdsa(body)["x-circle-signature"]
    assert signing.ecdsa_verifies(key, body, signature)
    assert not signing.ecdsa_verifies(key, body + b" ", signature)
    assert not signing.ecdsa_verifies(key, body, "AAAA")
    assert not signing.ecdsa_verifies(key, body, "no base64!")


@pytest.mark.parametrize("text", ["", "AAAA", pair("app").public_pem, "-----BEGIN NONSENSE"])
def test_notice_keys_of_another_kind_are_refused(text: str) -> None:
    """RSA is not P-256."""
    with pytest.raises(signing.KeyMaterialError):
        signing.load_notice_key(text)


@pytest.mark.parametrize("pem", [b"", pair("app").public_pem.encode()])
def test_what_is_no_certificate_is_refused(pem: bytes) -> None:
    """A bare key vouches for nothing."""
    with pytest.raises(signing.KeyMaterialError):
        signing.load_certificate(pem)

"""Keys are taken in every form that people have them in, and never repeated."""

import base64

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.api.explain.keys import KEY_CHARS_MAX, KeyMaterialError, given, stored
from gateway.domain.dialect import KeySet
from tests.builders import NOW
from tests.gateway.api.explain import callers
from tests.gateway.api.explain.callers import ALIPAY, EPAY, explained, form, full, joined, pem, rsa
from tests.gateway.dialects.conftest import pairs

RSA = [*EPAY, ("sign_type", "RSA")]
SENT = form(RSA, rsa(joined(full(EPAY))))
PUBLIC = serialization.PublicFormat


def bare(text: str) -> str:
    """Base64 alone, as platforms hand it out."""
    return "".join(line for line in text.splitlines() if "-----" not in line)


def public(form_: PUBLIC) -> str:
    """The public key as PEM."""
    key = callers.private_key().public_key()
    return key.public_bytes(serialization.Encoding.PEM, form_).decode()


@pytest.mark.parametrize(
    ("form_", "text"),
    [
        ("PKCS#8 private", pem()),
        ("PKCS#8 private", bare(pem())),
        ("PKCS#1 private", pem(pkcs1=True)),
        ("PKCS#1 private", bare(pem(pkcs1=True)) + "\n"),
        ("SPKI public", public(PUBLIC.SubjectPublicKeyInfo)),
        ("SPKI public", bare(public(PUBLIC.SubjectPublicKeyInfo))),
        ("PKCS#1 public", public(PUBLIC.PKCS1)),
        ("PKCS#8 private", pem().replace("PRIVATE KEY", "RSA PRIVATE KEY")),
    ],
)
def test_any_form_checks_the_signature(form_: str, text: str) -> None:
    """Private or public, PEM or bare base64, under the right header or the wrong one."""
    assert given("k", text).form == form_
    assert explained("epay", SENT, text)["verifies"]


@pytest.mark.parametrize(
    ("dialect", "text", "code"),
    [
        ("epay", pem(pkcs1=True), "key_form_pkcs1"),
        ("alipay", pem(), "key_form_pkcs8"),
        ("epay", public(PUBLIC.PKCS1), "key_form_public_pkcs1"),
        ("epay", pem(pkcs1=True).replace("RSA PRIVATE KEY", "PRIVATE KEY"), "key_label"),
        ("epay", pem().replace("PRIVATE KEY", "RSA PRIVATE KEY"), "key_label"),
        ("epay", " secret with a blank ", "key_blanks"),
    ],
)
def test_a_form_that_trips_libraries_is_told(dialect: str, text: str, code: str) -> None:
    """Even where the signature is right."""
    sent = SENT if dialect == "epay" else form(ALIPAY, rsa(joined(full(ALIPAY))))
    assert code in [one["code"] for one in explained(dialect, sent, text)["notes"]]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("x" * (KEY_CHARS_MAX + 1), "too long"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "no RSA key"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA", "no RSA key"),
    ],
)
def test_what_is_no_key_is_refused(text: str, says: str) -> None:
    """In both languages, without repeating it."""
    with pytest.raises(KeyMaterialError, match=says) as caught:
        given("k", text)
    assert not caught.value.zh.isascii()
    assert "AAAA" not in caught.value.message


def test_a_key_of_another_algorithm_is_refused() -> None:
    """An elliptic curve's signs nothing here."""
    other = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    with pytest.raises(KeyMaterialError, match="no RSA key"):
        given("k", other.decode())


def test_a_short_text_in_base64_is_a_secret() -> None:
    """What decodes to nothing known is taken as it is."""
    secret = base64.b64encode(b"0123456789abcdef").decode()
    assert given("k", secret + "\n").secret == secret


def test_an_accounts_keys_say_whose_they_are() -> None:
    """Secrets, the caller's public keys, ours; the newest set is marked, nothing is shown."""
    (_, theirs), (ours, _), (_, before) = pairs()
    sets = (KeySet("new", NOW, "secret-1", theirs, ours), KeySet("old", NOW, None, before))

    found = stored(sets)

    told = [(one.name, one.holder, one.newest, one.secret is not None) for one in found]
    assert told == [
        ("new", "caller", True, True),
        ("new", "caller", True, False),
        ("old", "caller", False, False),
        ("new", "platform", True, False),
    ]
    assert all(one.private is None for one in found)
    assert "secret-1" not in repr(found)

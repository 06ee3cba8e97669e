"""Alipay's cryptography, against the official SDK, pycryptodome and certificates made here."""

import base64
import datetime as dt
import hashlib

import pytest
from alipay.aop.api.util import SignatureUtils
from Crypto.Cipher import AES
from Crypto.Util.Padding import pad
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from channels.alipay import signing
from channels.alipay.signing import KeyMaterialError
from tests.channels.alipay.platform import MERCHANT_KEY, PLATFORM, PLATFORM_PUBLIC

MERCHANT_PEM = MERCHANT_KEY.read_text()
KEY = signing.load_private_key(MERCHANT_PEM)
PARAMS = {"b": "x y", "a": "中/+", "sign": "gone", "empty": "", "sign_type": "RSA2"}


def pkcs1_base64() -> str:
    """The merchant key as the platform's tool hands it out: PKCS #1, base64, no markers."""
    der = KEY.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    return base64.b64encode(der).decode()


def bare(pem: str) -> str:
    """A PEM text without its markers."""
    return "".join(line for line in pem.splitlines() if "-----" not in line)


def test_string_to_sign_sorts_and_leaves_out_the_empty() -> None:
    """Raw values, sorted by key, nothing empty, no signature."""
    assert signing.string_to_sign(PARAMS, "sign").decode() == "a=中/+&b=x y&sign_type=RSA2"


def test_string_to_sign_is_the_sdk_s() -> None:
    """The official SDK signs the same text."""
    params = {"method": "alipay.x", "biz_content": '{"a":"中"}', "app_id": "1", "sign_type": "RSA2"}
    assert signing.string_to_sign(params).decode() == SignatureUtils.get_sign_content(params)


def test_signature_is_the_sdk_s() -> None:
    """RSA2 is deterministic: both make the same signature."""
    text = "a=中&b=2"
    expected = SignatureUtils.sign_with_rsa2(pkcs1_base64(), text, "utf-8")
    assert signing.sign(KEY, text.encode()) == expected


def test_sdk_verifies_what_we_sign() -> None:
    """And the SDK accepts ours."""
    public = KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert SignatureUtils.verify_with_rsa(
        bare(public.decode()), b"text", signing.sign(KEY, b"text")
    )


@pytest.mark.parametrize("signature", ["", "!!", "AAAA", signing.sign(KEY, b"other")])
def test_wrong_signature_does_not_verify(signature: str) -> None:
    """Neither an unreadable signature nor one of something else."""
    assert not signing.verifies(KEY.public_key(), b"text", signature)


def test_signature_of_another_key_does_not_verify() -> None:
    """Only the platform's key speaks for the platform."""
    assert not signing.verifies(PLATFORM.public_key(), b"text", signing.sign(KEY, b"text"))


@pytest.mark.parametrize(
    "text",
    [MERCHANT_PEM, bare(MERCHANT_PEM), pkcs1_base64()],
    ids=["pem", "bare PKCS #8", "bare PKCS #1"],
)
def test_private_key_loads_in_every_form_handed_out(text: str) -> None:
    """PEM or bare base64, PKCS #1 or #8."""
    assert signing.load_private_key(text).private_numbers() == KEY.private_numbers()


@pytest.mark.parametrize("text", [PLATFORM_PUBLIC, bare(PLATFORM_PUBLIC)])
def test_public_key_loads_in_every_form_handed_out(text: str) -> None:
    """PEM or bare base64."""
    assert signing.load_public_key(text).public_numbers() == (
        PLATFORM.public_key().public_numbers()
    )


def short_private() -> str:
    """An RSA key too short for RSA2."""
    key = rsa.generate_private_key(65537, 1024)  # noqa: S505 - too short is the point
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


@pytest.mark.parametrize(
    "text",
    ["", "nonsense", "-----BEGIN PRIVATE KEY-----\nAA==\n", PLATFORM_PUBLIC, short_private()],
)
def test_unusable_private_key_is_refused_without_quoting_it(text: str) -> None:
    """The error says what is wrong, and shows nothing of the key."""
    with pytest.raises(KeyMaterialError, match="private key") as refused:
        signing.load_private_key(text)
    assert not text or text not in str(refused.value)


@pytest.mark.parametrize("text", ["", "nonsense", MERCHANT_PEM])
def test_unusable_public_key_is_refused(text: str) -> None:
    """A private key is not a public one."""
    with pytest.raises(KeyMaterialError, match="public key"):
        signing.load_public_key(text)


def certificate(serial: int, issuer: x509.Name, *, elliptic: bool = False) -> x509.Certificate:
    """A certificate of the merchant key, signed by RSA or by an elliptic curve."""
    start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(issuer)
        .issuer_name(issuer)
        .public_key(KEY.public_key())
        .serial_number(serial)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=40_000))
    )
    signer = ec.generate_private_key(ec.SECP256R1()) if elliptic else KEY
    return builder.sign(signer, hashes.SHA256())


ISSUER = x509.Name(
    [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Ant Financial"),
        x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "Certification Authority"),
        x509.NameAttribute(NameOID.COMMON_NAME, "Class 2 R1"),
    ]
)
NAMED = "CN=Class 2 R1,OU=Certification Authority,O=Ant Financial,C=CN"


def test_certificate_serial_is_md5_of_issuer_and_number() -> None:
    """Most specific part first, then the decimal serial number."""
    expected = hashlib.md5(f"{NAMED}1234567890123".encode(), usedforsecurity=False).hexdigest()
    assert signing.certificate_sn(certificate(1234567890123, ISSUER)) == expected


def test_root_serial_joins_the_rsa_signed_only() -> None:
    """The bundle's elliptic members do not count."""
    first, second = certificate(1, ISSUER), certificate(2, ISSUER)
    other = certificate(3, ISSUER, elliptic=True)
    assert signing.root_sn([first, other, second]) == (
        f"{signing.certificate_sn(first)}_{signing.certificate_sn(second)}"
    )


def test_bundle_of_nothing_is_refused() -> None:
    """A certificate file must hold one."""
    with pytest.raises(KeyMaterialError, match="PEM certificates"):
        signing.load_certificates("no certificate here")


def test_certificate_without_rsa_key_is_refused() -> None:
    """RSA2 needs an RSA key."""
    start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    elliptic = ec.generate_private_key(ec.SECP256R1())
    made = (
        x509.CertificateBuilder()
        .subject_name(ISSUER)
        .issuer_name(ISSUER)
        .public_key(elliptic.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=1))
        .sign(elliptic, hashes.SHA256())
    )
    with pytest.raises(KeyMaterialError, match="RSA key"):
        signing.certificate_key(made)


AES_KEY = bytes(range(16))


def test_encryption_is_aes_cbc_with_zero_iv() -> None:
    """Another library makes the same ciphertext."""
    text = '{"identity":"张"}'.encode()
    oracle = AES.new(AES_KEY, AES.MODE_CBC, bytes(16)).encrypt(pad(text, 16))
    assert signing.encrypt(AES_KEY, text) == base64.b64encode(oracle).decode()


@given(st.binary(max_size=200))
def test_decryption_undoes_encryption(content: bytes) -> None:
    """Whatever is encrypted comes back."""
    assert signing.decrypt(AES_KEY, signing.encrypt(AES_KEY, content)) == content


@pytest.mark.parametrize("content", ["", "!", "AAAA", base64.b64encode(bytes(32)).decode()])
def test_text_that_was_not_encrypted_is_refused(content: str) -> None:
    """Neither wrong lengths nor wrong padding pass."""
    with pytest.raises(ValueError, match=r".+"):
        signing.decrypt(AES_KEY, content)


@pytest.mark.parametrize(("text", "why"), [("!", "base64"), ("QUJD", "16, 24 or 32")])
def test_unusable_aes_key_is_refused(text: str, why: str) -> None:
    """The platform's page hands out base64 of a whole key."""
    with pytest.raises(KeyMaterialError, match=why):
        signing.load_aes_key(text)


def test_public_key_of_another_kind_is_refused() -> None:
    """RSA2 needs RSA."""
    elliptic = ec.generate_private_key(ec.SECP256R1()).public_key()
    text = elliptic.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()
    with pytest.raises(KeyMaterialError, match="not an RSA public key"):
        signing.load_public_key(text)

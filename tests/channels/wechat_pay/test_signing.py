"""Signing, proving, sealing and opening, with the official SDK's functions as the other side."""

import base64
import re
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from wechatpayv3 import utils as sdk

from channels.wechat_pay import signing
from tests.channels.wechat_pay import platform
from tests.channels.wechat_pay.platform import NOW, PUBLIC_KEY_ID, SERIAL

MERCHANT_KEY = signing.MerchantKey(platform.MCHID, SERIAL, platform.MERCHANT)
PLATFORM_PEM = (platform.KEYS / "platform_public.pem").read_text()
CERTIFICATE_PEM = (platform.KEYS / "platform_certificate.pem").read_text()
EXPIRED_PEM = (platform.KEYS / "platform_certificate_expired.pem").read_text()
KEYS = signing.PlatformKeys([signing.load_public(PUBLIC_KEY_ID, PLATFORM_PEM)])


def test_authorization_verifies_with_the_sdk() -> None:
    """The official SDK's verifier accepts our signature over METHOD, target, time, nonce, body."""
    body = '{"备注":"三月"}'
    header = MERCHANT_KEY.authorization("POST", "/v3/x?a=b", body.encode(), NOW, "N0NCE")
    match = re.fullmatch(
        r'WECHATPAY2-SHA256-RSA2048 mchid="1900000109",nonce_str="N0NCE",'
        r'signature="([^"]+)",timestamp="1772416800",serial_no="(\w+)"',
        header,
    )
    assert match is not None
    assert match[2] == SERIAL
    text = f"POST\n/v3/x?a=b\n1772416800\nN0NCE\n{body}\n"
    public = platform.MERCHANT.public_key()
    signature = base64.b64decode(match[1])
    public.verify(signature, text.encode(), padding.PKCS1v15(), hashes.SHA256())


def test_authorization_equals_the_sdks() -> None:
    """Fed with our time and nonce, the official SDK signs the same text to the same signature."""
    signature = sdk.rsa_sign(platform.MERCHANT, f"GET\n/v3/y\n{int(NOW.timestamp())}\nABC\n\n")
    ours = MERCHANT_KEY.authorization("GET", "/v3/y", b"", NOW, "ABC")
    assert f'signature="{signature}"' in ours


def test_nonce_depends_only_on_subject_and_time() -> None:
    """Preparing the same instruction twice at one moment signs the same bytes."""
    assert signing.nonce("R1", NOW) == signing.nonce("R1", NOW)
    assert signing.nonce("R1", NOW) != signing.nonce("R2", NOW)
    assert signing.nonce("R1", NOW) != signing.nonce("R1", NOW + timedelta(microseconds=1))
    assert re.fullmatch(r"[0-9A-F]{32}", signing.nonce("R1", NOW))


def test_a_signed_body_is_proven() -> None:
    """Nothing is objected to in a fresh message signed by a configured key."""
    assert KEYS.objection(platform.proof(b"{}"), b"{}", NOW) is None


@pytest.mark.parametrize("header", list(platform.proof(b"")))
def test_every_signature_header_is_needed(header: str) -> None:
    """A message without one of the five headers is unsigned."""
    headers = platform.proof(b"{}")
    del headers[header]
    assert KEYS.objection(headers, b"{}", NOW) == "unsigned: a Wechatpay-* header is missing"


@pytest.mark.parametrize(
    ("header", "value", "complaint"),
    [
        ("wechatpay-signature-type", "WECHATPAY2-SM2-WITH-SM3", "scheme"),
        ("wechatpay-serial", "PUB_KEY_ID_999", "not configured"),
        ("wechatpay-timestamp", "yesterday", "not a number"),
        ("wechatpay-timestamp", "-5", "not a number"),
        ("wechatpay-nonce", "another", "does not fit"),
        ("wechatpay-nonce", "\udcff", "does not fit"),
        ("wechatpay-signature", "AAAA", "does not fit"),
        ("wechatpay-signature", "!", "does not fit"),
        ("wechatpay-signature", "签名", "does not fit"),
        ("wechatpay-signature", "WECHATPAY/SIGNTEST/AAAA", "probe"),
    ],
)
def test_a_changed_header_proves_nothing(header: str, value: str, complaint: str) -> None:
    """Each altered header is objected to, and never raises."""
    headers = platform.proof(b"{}") | {header: value}
    assert complaint in (KEYS.objection(headers, b"{}", NOW) or "")


def test_a_changed_body_proves_nothing() -> None:
    """One blank more in the body breaks the proof: raw bytes are what is signed."""
    assert KEYS.objection(platform.proof(b"{}"), b"{ }", NOW) == "the signature does not fit"


def test_another_key_proves_nothing() -> None:
    """A signature by a key the platform does not own is refused though it names ours."""
    headers = platform.proof(b"{}", key=platform.MERCHANT)
    assert KEYS.objection(headers, b"{}", NOW) == "the signature does not fit"


@pytest.mark.parametrize(
    ("seconds", "proven"), [(-301, False), (-300, True), (300, True), (301, False)]
)
def test_a_proof_is_good_for_five_minutes_either_way(seconds: int, proven: bool) -> None:
    """A message signed more than 300 seconds from now proves nothing."""
    headers = platform.proof(b"{}", at=NOW + timedelta(seconds=seconds))
    assert (KEYS.objection(headers, b"{}", NOW) is None) is proven


def test_certificate_mode_finds_the_key_by_serial() -> None:
    """A reply names the certificate's serial, whatever its case and leading zeros."""
    keys = signing.PlatformKeys([signing.load_certificate(CERTIFICATE_PEM)])
    for serial in (platform.CERTIFICATE_SERIAL, f"0{platform.CERTIFICATE_SERIAL.lower()}"):
        headers = platform.proof(b"{}", key=platform.CERTIFIED, serial=serial)
        assert keys.objection(headers, b"{}", NOW) is None


def test_an_expired_certificate_proves_nothing() -> None:
    """A signature under a certificate outside its dates is objected to."""
    keys = signing.PlatformKeys([signing.load_certificate(EXPIRED_PEM)])
    headers = platform.proof(b"{}", key=platform.CERTIFIED, serial=platform.EXPIRED_SERIAL)
    assert keys.objection(headers, b"{}", NOW) == "signed with a certificate outside its dates"


def test_the_youngest_valid_certificate_leads() -> None:
    """Names are encrypted to the youngest certificate that is valid, not to an expired one."""
    young = signing.load_certificate(CERTIFICATE_PEM)
    old = signing.load_certificate(EXPIRED_PEM)
    keys = signing.PlatformKeys([old, young])
    assert young.serial == platform.CERTIFICATE_SERIAL
    assert keys.leading(NOW) is young
    assert keys.leading(datetime(2024, 6, 1, tzinfo=UTC)) is old
    assert keys.leading(datetime(2040, 1, 1, tzinfo=UTC)) is young


def test_a_bare_public_key_leads_over_certificates() -> None:
    """While the platform switches, names go to the public key but both kinds of proof are taken."""
    bare = signing.load_public(PUBLIC_KEY_ID, PLATFORM_PEM)
    keys = signing.PlatformKeys([signing.load_certificate(CERTIFICATE_PEM), bare])
    assert keys.leading(NOW) is bare
    certified = platform.proof(b"{}", key=platform.CERTIFIED, serial=platform.CERTIFICATE_SERIAL)
    assert keys.objection(certified, b"{}", NOW) is None
    assert keys.objection(platform.proof(b"{}"), b"{}", NOW) is None


def test_the_sdk_opens_a_sealed_name() -> None:
    """The official SDK decrypts our RSA-OAEP, and each sealing differs."""
    key = signing.load_public(PUBLIC_KEY_ID, PLATFORM_PEM)
    sealed = key.seal(platform.NAME)
    assert sdk.rsa_decrypt(sealed, platform.PLATFORM) == platform.NAME
    assert key.seal(platform.NAME) != sealed


def test_the_longest_name_can_be_sealed() -> None:
    """214 bytes are what a 2048-bit key carries, and not one more."""
    key = signing.load_public(PUBLIC_KEY_ID, PLATFORM_PEM)
    assert sdk.rsa_decrypt(key.seal("x" * signing.NAME_BYTES_MAX), platform.PLATFORM)
    with pytest.raises(ValueError, match=r"."):
        key.seal("x" * (signing.NAME_BYTES_MAX + 1))


def test_opens_what_the_sdk_can_open() -> None:
    """A resource that the official SDK opens with the APIv3 key opens here to the same text."""
    key, nonce = platform.APIV3_KEY, "0123456789ab"
    for associated in ("mch_payment", ""):
        raw = AESGCM(key.encode()).encrypt(nonce.encode(), b'{"a":1}', associated.encode())
        sealed = base64.b64encode(raw).decode()
        assert sdk.aes_decrypt(nonce, sealed, associated, key) == '{"a":1}'
        assert signing.open_resource(key, nonce, associated, sealed) == b'{"a":1}'


@pytest.mark.parametrize(
    ("nonce", "sealed"),
    [
        ("short", "AAAA"),
        ("fdasfjihihih", "not base64!"),
        ("fdasfjihihih", "签名"),
        ("fdasfjihihih", ""),
        ("fdasfjihihih", "AAAA"),
        ("fdasfjihihih", base64.b64encode(b"x" * 64).decode()),
    ],
)
def test_what_does_not_open_is_one_error(nonce: str, sealed: str) -> None:
    """Whatever is wrong with a resource, it is an UnsealError and nothing else."""
    with pytest.raises(signing.UnsealError):
        signing.open_resource(platform.APIV3_KEY, nonce, "", sealed)


def test_only_strong_rsa_keys_are_loaded() -> None:
    """Garbage, other algorithms and short keys are refused without quoting them."""
    curve = ec.generate_private_key(ec.SECP256R1())
    weak = rsa.generate_private_key(65537, 1024)  # noqa: S505 - it must be refused
    for key in (curve, weak):
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        with pytest.raises(ValueError, match="2048") as refused:
            signing.load_private(private)
        assert private[40:60] not in str(refused.value)
        with pytest.raises(ValueError, match="2048"):
            signing.load_public("PUB_KEY_ID_1", public.decode())
    with pytest.raises(ValueError, match="private key"):
        signing.load_private("nonsense")
    with pytest.raises(ValueError, match="public key"):
        signing.load_public("PUB_KEY_ID_1", "nonsense")
    with pytest.raises(ValueError, match="certificate"):
        signing.load_certificate("nonsense")


def test_no_key_at_all_is_refused() -> None:
    """Without any platform key no answer could ever be believed."""
    with pytest.raises(ValueError, match="no platform key"):
        signing.PlatformKeys([])

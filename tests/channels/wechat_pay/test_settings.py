"""Configuration: what is accepted, what is refused, and that no secret shows in a refusal."""

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from pydantic import ValidationError

from channels.wechat_pay.settings import WechatPaySettings
from tests.channels.wechat_pay import platform
from tests.channels.wechat_pay.platform import KEYS, NOW, raw_settings

MERCHANT_PEM = (KEYS / "merchant_test_only.pem").read_text()


def test_public_key_mode_is_enough() -> None:
    """A private key, a public key and its id make a configuration; the real host is default."""
    loaded = platform.settings(base_url=None)
    assert loaded.base_url == "https://api.mch.weixin.qq.com"
    assert loaded.platform_keys.leading(NOW).serial == platform.PUBLIC_KEY_ID
    assert loaded.merchant_key.serial_no == platform.SERIAL


def test_certificate_mode_is_enough() -> None:
    """Several platform certificates may be live at once."""
    files = ("platform_certificate_expired.pem", "platform_certificate.pem")
    loaded = platform.certificate_settings(*files)
    assert loaded.platform_keys.leading(NOW).serial == platform.CERTIFICATE_SERIAL


def test_keys_may_be_given_inline() -> None:
    """PEM text in place of files; the merchant serial is folded to upper case."""
    loaded = platform.settings(
        private_key_file=None,
        private_key=MERCHANT_PEM,
        public_key_file=None,
        public_key=(KEYS / "platform_public.pem").read_text(),
        serial_no=platform.SERIAL.lower(),
    )
    assert loaded.merchant_key.serial_no == platform.SERIAL


def certificate(key: RSAPrivateKey, serial: str, folder: Path) -> Path:
    """A merchant certificate of a key."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, platform.MCHID)])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), int(serial, 16))
        .not_valid_before(NOW - timedelta(days=9))
        .not_valid_after(NOW + timedelta(days=9))
        .sign(key, hashes.SHA256())
    )
    file = folder / "apiclient_cert.pem"
    file.write_bytes(made.public_bytes(Encoding.PEM))
    return file


def test_every_credential_is_named(tmp_path: Path) -> None:
    """Ours with the certificate's end, if it is given; theirs bare or certified."""
    ours = certificate(platform.MERCHANT, platform.SERIAL, tmp_path)
    theirs = [KEYS / "platform_certificate.pem"]
    made = platform.settings(certificate_file=ours, platform_certificates=theirs).credentials()
    assert [(one.name, one.holder, one.not_after is None) for one in made] == [
        ("private_key_file", "ours", True),
        ("apiv3_key", "ours", True),
        ("certificate_file", "ours", False),
        ("public_key_file", "theirs", True),
        ("platform_certificates", "theirs", False),
    ]
    assert made[2].not_after == NOW + timedelta(days=9)
    assert made[0].fingerprint == made[2].fingerprint
    assert platform.APIV3_KEY not in str(made)


def test_our_certificate_must_be_ours(tmp_path: Path) -> None:
    """Of the private key, and of the serial that requests name."""
    other = certificate(platform.PLATFORM, platform.SERIAL, tmp_path)
    with pytest.raises(ValidationError, match="not the certificate of this private key"):
        platform.settings(certificate_file=other)
    renewed = certificate(platform.MERCHANT, "ABCDEF0123", tmp_path)
    with pytest.raises(ValidationError, match="its serial is not serial_no"):
        platform.settings(certificate_file=renewed)


def test_our_own_public_key_is_not_the_platforms(tmp_path: Path) -> None:
    """The commonest mistake: every answer would look forged."""
    own = tmp_path / "own.pem"
    form = PublicFormat.SubjectPublicKeyInfo
    own.write_bytes(platform.MERCHANT.public_key().public_bytes(Encoding.PEM, form))
    with pytest.raises(ValidationError, match="that is your own key"):
        platform.settings(public_key_file=own)


def test_a_trailing_slash_of_the_base_url_is_dropped() -> None:
    """The origin is kept without a slash, so that targets can be appended."""
    assert platform.settings(base_url="http://127.0.0.1:1/").base_url == "http://127.0.0.1:1"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"colour": "red"}, "colour"),
        ({"private_key": MERCHANT_PEM}, "exactly one of private_key"),
        ({"private_key_file": None}, "exactly one of private_key"),
        ({"private_key_file": Path("/nowhere.pem")}, "private_key_file: /nowhere.pem"),
        ({"private_key_file": KEYS / "platform_public.pem"}, "private key"),
        ({"public_key": "x"}, "exactly one of public_key"),
        ({"public_key_id": None}, "needs public_key_id"),
        ({"public_key_file": None}, "without public_key"),
        ({"public_key_file": None, "public_key_id": None}, "no platform key"),
        ({"public_key_id": "KEY_1"}, "public_key_id"),
        ({"platform_certificates": [KEYS / "platform_public.pem"]}, "certificate"),
        ({"apiv3_key": "short"}, "32 ASCII"),
        ({"apiv3_key": "密" * 32}, "32 ASCII"),
        ({"base_url": "https://api.mch.weixin.qq.com/base"}, "origin"),
        ({"base_url": "https://user@api.mch.weixin.qq.com"}, "origin"),
        ({"base_url": "ftp://127.0.0.1"}, r"http\(s\)"),
        ({"mchid": "abc"}, "mchid"),
        ({"serial_no": "not hex"}, "serial_no"),
        ({"transfer_scene_report_infos": []}, "transfer_scene_report_infos"),
        ({"inquire_first_s": 60, "inquire_max_s": 30}, "inquire_max_s"),
        ({"connections": 0}, "connections"),
    ],
)
def test_bad_configuration_is_refused(changes: dict[str, object], complaint: str) -> None:
    """Each mistake stops the start, names the field, and quotes neither key nor secret."""
    with pytest.raises(ValidationError, match=complaint) as refused:
        WechatPaySettings.model_validate(raw_settings(**changes))
    shown = str(refused.value) + repr(refused.value)
    assert platform.APIV3_KEY not in shown
    assert MERCHANT_PEM.splitlines()[3] not in shown

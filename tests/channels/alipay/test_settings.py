"""What an operator may configure for Alipay, and what is refused before anything starts."""

import base64
import datetime as dt
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.x509.oid import NameOID
from pydantic import ValidationError

from channels.alipay import signing
from channels.alipay.settings import AlipaySettings
from tests.channels.alipay.platform import (
    MERCHANT_KEY,
    PLATFORM,
    PLATFORM_PUBLIC,
    SETTINGS,
    settings,
)
from tests.simulators.keys import pair

OURS = SETTINGS.keys.private
OWN_PUBLIC = (
    OURS.public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    .decode()
)
AES = base64.b64encode(bytes(16)).decode()


def pem(serial: int, key: RSAPrivateKey = PLATFORM) -> str:
    """A certificate of the platform's key, or of another."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"cert {serial}")])
    start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=40_000))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


@pytest.fixture
def certificates(tmp_path: Path) -> dict[str, object]:
    """Settings of certificate mode, with two platform certificates live."""
    files = {
        "app_cert_file": pem(1, OURS),
        "root_cert_file": pem(2) + pem(3),
        "alipay_cert_file": pem(4) + pem(5),
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    given: dict[str, object] = {name: tmp_path / name for name in files}
    return given | {"alipay_public_key": None}


def refused(**changes: object) -> str:
    """The error these settings cause, as an operator reads it."""
    with pytest.raises(ValidationError) as error:
        settings(**changes)
    return str(error.value)


def test_public_key_mode_has_one_key() -> None:
    """Under no certificate's serial."""
    assert set(SETTINGS.keys.platform) == {""}
    assert SETTINGS.keys.app_cert_sn is None


def test_certificate_mode_has_serials_and_every_live_key(
    certificates: dict[str, object],
) -> None:
    """While the platform changes its certificate, both old and new are in the file."""
    keys = settings(**certificates).keys
    serials = [signing.certificate_sn(c) for c in signing.load_certificates(pem(4) + pem(5))]
    assert list(keys.platform) == serials
    assert keys.app_cert_sn == signing.certificate_sn(signing.load_certificates(pem(1, OURS))[0])
    assert keys.root_cert_sn is not None
    assert keys.root_cert_sn.count("_") == 1


def test_key_may_stand_inline_or_in_a_file() -> None:
    """Both give the same key."""
    inline = settings(private_key_file=None, private_key=MERCHANT_KEY.read_text())
    assert inline.keys.private.private_numbers() == SETTINGS.keys.private.private_numbers()


def test_public_key_may_stand_in_a_file(tmp_path: Path) -> None:
    """As the platform's page offers it for download."""
    file = tmp_path / "alipay.pem"
    file.write_text(PLATFORM_PUBLIC)
    made = settings(alipay_public_key=None, alipay_public_key_file=file)
    assert made.keys.platform[""].public_numbers() == PLATFORM.public_key().public_numbers()


def test_aes_key_is_decoded() -> None:
    """Base64 as the platform shows it."""
    assert settings(aes_key=AES).keys.aes == bytes(16)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"surprise": 1}, "Extra inputs are not permitted"),
        ({"app_id": "x"}, "should match pattern"),
        ({"user_id": "3088000000000011"}, "should match pattern"),
        ({"gateway_url": "ftp://x/y"}, "URL scheme should be"),
        ({"gateway_url": "http://u:p@x/y"}, "plain address"),
        ({"gateway_url": "http://x/y?z=1"}, "plain address"),
        ({"private_key_file": None}, "exactly one of private_key and private_key_file"),
        ({"private_key": "x"}, "exactly one of private_key and private_key_file"),
        ({"private_key_file": Path("nowhere.pem")}, "nowhere.pem cannot be read"),
        ({"private_key_file": None, "private_key": "x"}, "private_key: not a private key"),
        ({"alipay_public_key": None}, "exactly one of alipay_public_key and"),
        ({"alipay_public_key": "x"}, "alipay_public_key: not a public key"),
        ({"alipay_public_key": [PLATFORM_PUBLIC, "x"]}, "alipay_public_key: not a public key"),
        ({"alipay_public_key": []}, "exactly one of alipay_public_key and"),
        ({"alipay_public_key": [PLATFORM_PUBLIC] * 3}, "at most 2 keys are live"),
        ({"alipay_public_key": OWN_PUBLIC}, "alipay_public_key: that is your own key"),
        ({"app_cert_file": MERCHANT_KEY}, "exclude each other"),
        (
            {"app_cert_file": MERCHANT_KEY, "alipay_public_key": None},
            "app_cert_file: not a bundle of PEM certificates",
        ),
        ({"aes_key": "x"}, "aes_key: not base64"),
        ({"products": {}}, "at least one rail"),
        ({"products": {"wechat": "TRANS_ACCOUNT_NO_PWD"}}, "cannot carry wechat"),
        ({"products": {"bank_card": "TRANS_ACCOUNT_NO_PWD"}}, "cannot carry bank_card"),
        ({"products": {"pigeon": "TRANS_ACCOUNT_NO_PWD"}}, "Input should be"),
        ({"inquire_first_s": 60, "inquire_max_s": 10}, "must not be below"),
        ({"transfer_scene_report_infos": [{"info_type": "a", "info_content": "b"}]}, "needs"),
        ({"connect_timeout_s": 0}, "greater than 0"),
    ],
)
def test_bad_settings_are_refused(changes: dict[str, object], why: str) -> None:
    """With a sentence that names the field."""
    assert why in refused(**changes)


def test_incomplete_certificate_mode_names_the_missing_file(
    certificates: dict[str, object],
) -> None:
    """All three or none."""
    message = refused(**certificates | {"root_cert_file": None})
    assert "root_cert_file is missing" in message


def test_a_certificate_of_another_key_is_refused(certificates: dict[str, object]) -> None:
    """The application's certificate must be of the private key that signs."""
    other = {"app_cert_file": certificates["alipay_cert_file"]}
    assert "not the certificate of this private key" in refused(**certificates | other)
    own = {"alipay_cert_file": certificates["app_cert_file"]}
    assert "alipay_cert_file: that is your own key" in refused(**certificates | own)


def test_two_public_keys_may_be_live(tmp_path: Path) -> None:
    """Inline or in files, the first one first."""
    file = tmp_path / "platform.pem"
    file.write_text(PLATFORM_PUBLIC)
    next_key = pair("next").public_pem
    inline = settings(alipay_public_key=[PLATFORM_PUBLIC, next_key]).keys.platform
    assert len({key.public_numbers() for key in inline.values()}) == 2
    assert next(iter(inline)) == ""
    files = settings(alipay_public_key=None, alipay_public_key_file=[file])
    assert files.keys.platform[""].public_numbers() == PLATFORM.public_key().public_numbers()


def test_bare_keys_are_named_and_never_end() -> None:
    """Ours with its secret, theirs with each live one."""
    both = [PLATFORM_PUBLIC, pair("next").public_pem]
    made = settings(alipay_public_key=both, aes_key=AES).credentials()
    assert [(one.name, one.holder) for one in made] == [
        ("private_key_file", "ours"),
        ("aes_key", "ours"),
        ("alipay_public_key", "theirs"),
        ("alipay_public_key", "theirs"),
    ]
    assert len({one.fingerprint for one in made}) == 4
    assert {one.not_after for one in made} == {None}
    assert AES not in str(made)


def test_certificates_are_named_with_their_ends(certificates: dict[str, object]) -> None:
    """Ours and each of theirs that is live; the root signs nothing here."""
    made = settings(**certificates).credentials()
    assert [(one.name, one.holder, one.not_after is None) for one in made] == [
        ("private_key_file", "ours", True),
        ("app_cert_file", "ours", False),
        ("alipay_cert_file", "theirs", False),
        ("alipay_cert_file", "theirs", False),
    ]
    assert made[0].fingerprint == made[1].fingerprint
    assert made[1].not_after == dt.datetime(2129, 7, 8, tzinfo=dt.UTC)


def test_no_secret_is_ever_shown() -> None:
    """Neither by repr, nor by str, nor by a dump, nor by the error about another field."""
    secret_lines = [line for line in MERCHANT_KEY.read_text().splitlines() if "---" not in line]
    made = settings(private_key_file=None, private_key=MERCHANT_KEY.read_text(), aes_key=AES)
    error = refused(
        private_key_file=None, private_key=MERCHANT_KEY.read_text(), aes_key=AES, app_id="x"
    )
    for shown in (repr(made), str(made), str(made.model_dump()), error, repr(made.keys)):
        assert not any(line in shown for line in (*secret_lines, AES))


def test_same_settings_are_equal() -> None:
    """Settings are values."""
    assert isinstance(SETTINGS, AlipaySettings)
    assert settings().model_dump() == SETTINGS.model_dump()

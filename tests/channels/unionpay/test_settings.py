"""What an operator may configure for UnionPay, and what is refused before anything starts."""

import hashlib
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from pydantic import ValidationError

from channels.contract import Terms
from channels.money import Currency
from channels.unionpay.channel import build
from simulators.unionpay.certificates import leaf, merchant_name, pem
from tests.channels.unionpay.platform import NOW, TERMS, settings, usual
from tests.simulators.keys import pair
from tests.simulators.unionpay.merchant import (
    MER_ID,
    encrypt_pem,
    merchant_pem,
    middle_pem,
    root_pem,
    serial,
)

PASSWORD = "000000"
NO_PEM = {"private_key_file": None, "certificate_file": None}


def refused(**changes: object) -> str:
    """The error these settings cause, as an operator reads it."""
    with pytest.raises(ValidationError) as error:
        settings(**changes)
    return str(error.value)


def pfx(folder: Path, lock: serialization.KeySerializationEncryption | None = None) -> Path:
    """The file CFCA hands out."""
    read = x509.load_pem_x509_certificate(merchant_pem().encode())
    lock = lock or serialization.BestAvailableEncryption(PASSWORD.encode())
    key = pair("unionpay-merchant").key
    file = folder / "merchant.pfx"
    file.write_bytes(pkcs12.serialize_key_and_certificates(b"m", key, read, None, lock))
    return file


def test_old_pfx_is_read_too(tmp_path: Path) -> None:
    """Triple DES and SHA-1, as such files were made for years."""
    lock = (
        serialization.PrivateFormat.PKCS12.encryption_builder()
        .key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
        .hmac_hash(hashes.SHA1())  # noqa: S303 - old files are locked so
        .build(PASSWORD.encode())
    )
    made = settings(**NO_PEM, pfx_file=pfx(tmp_path, lock), pfx_password=PASSWORD)
    assert made.keys.cert_id == serial(merchant_pem())


def expired_certificate(folder: Path) -> Path:
    """A merchant's certificate that was good until yesterday."""
    issuer = ("middle", pair("unionpay-middle").key)
    key = pair("unionpay-merchant").key
    made = leaf(merchant_name(MER_ID), key, issuer, not_after=NOW - timedelta(days=1))
    file = folder / "expired.pem"
    file.write_text(pem(made))
    return file


def test_pfx_and_pem_give_the_same_key(tmp_path: Path) -> None:
    """And the same certId."""
    by_pfx = settings(**NO_PEM, pfx_file=pfx(tmp_path), pfx_password=PASSWORD)
    assert by_pfx.keys.private.private_numbers() == settings().keys.private.private_numbers()
    assert by_pfx.keys.cert_id == settings().keys.cert_id == serial(merchant_pem())


def test_key_may_stand_inline() -> None:
    """As a secret of the environment."""
    text = usual().key.read_text()
    inline = settings(private_key_file=None, private_key=text)
    assert inline.keys.private.private_numbers() == settings().keys.private.private_numbers()


def test_two_intermediates_may_be_live(tmp_path: Path) -> None:
    """While one replaces the other."""
    other = tmp_path / "middle-2.pem"
    other.write_text(encrypt_pem())
    trust = settings(middle_cert_files=[usual().middle, other]).keys.trust
    assert len(trust.middles) == 2


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"surprise": 1}, "Extra inputs are not permitted"),
        ({"mer_id": "12"}, "should match pattern"),
        ({"gateway_url": "ftp://x"}, "http(s)://host"),
        ({"gateway_url": "http://x/gateway"}, "must be an origin"),
        ({"file_url": "http://u:p@x"}, "must be an origin"),
        ({"private_key_file": None}, "exactly one of private_key and private_key_file"),
        ({"private_key": "x"}, "exactly one of private_key and private_key_file"),
        ({"private_key_file": Path("nowhere.pem")}, "nowhere.pem cannot be read"),
        ({"private_key_file": None, "private_key": "x"}, "private_key: not a private key"),
        ({"certificate_file": None}, "must be given"),
        ({"certificate_file": usual().key}, "certificate_file: not a PEM certificate"),
        ({"certificate_file": usual().middle}, "certificate_file: the certificate belongs to an"),
        ({"middle_cert_files": []}, "at least 1 item"),
        ({"middle_cert_files": [usual().middle] * 3}, "at most 2 items"),
        ({"middle_cert_files": [usual().key]}, "middle_cert_files: not a PEM certificate"),
        ({"root_cert_files": [Path("nowhere.pem")]}, "root_cert_files: nowhere.pem cannot be"),
        ({"encrypt_cert_file": usual().key}, "encrypt_cert_file: not a PEM certificate"),
        ({"signer_names": []}, "at least 1 item"),
        ({"rails": []}, "bank_card, bank_account or both"),
        ({"rails": ["alipay"]}, "bank_card, bank_account or both"),
        ({"pfx_password": "x"}, "pfx_password is given without pfx_file"),
        ({"pfx_file": usual().key, "pfx_password": "x"}, "pfx_file excludes private_key"),
        ({**NO_PEM, "pfx_file": usual().key}, "pfx_file needs pfx_password"),
        ({**NO_PEM, "pfx_file": usual().key, "pfx_password": "x"}, "pfx_file: not a PKCS#12"),
        ({**NO_PEM, "pfx_file": Path("no.pfx"), "pfx_password": "x"}, "no.pfx cannot be read"),
        ({"inquire_first_s": 60, "inquire_max_s": 10}, "must not be below"),
        ({"connect_timeout_s": 0}, "greater than 0"),
    ],
)
def test_bad_settings_are_refused(changes: dict[str, object], why: str) -> None:
    """With a sentence that names the field."""
    assert why in refused(**changes)


def test_wrong_password_is_told_without_it(tmp_path: Path) -> None:
    """And so is a PFX whose certificate is about another key."""
    wrong = "very-secret-and-wrong"
    message = refused(**NO_PEM, pfx_file=pfx(tmp_path), pfx_password=wrong)
    assert "pfx_file: not a PKCS#12 file that this password opens" in message
    assert wrong not in message


def test_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    """UnionPay's signMethod 01 is RSA."""
    file = tmp_path / "ec.pem"
    file.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    assert "private_key_file: not an RSA private key" in refused(private_key_file=file)


def test_expired_certificate_stops_the_start(tmp_path: Path) -> None:
    """By the gateway's clock, naming the field."""
    old = settings(certificate_file=expired_certificate(tmp_path))
    with pytest.raises(ValueError, match="no certificate valid now in certificate_file"):
        build("unionpay-main", old, TERMS, lambda: NOW)


def test_expired_intermediate_beside_a_live_one_is_put_up_with(tmp_path: Path) -> None:
    """It is on its way out."""
    files = [usual().middle, expired_certificate(tmp_path)]
    made = settings(middle_cert_files=files)
    assert made.expired(NOW) == ()
    assert made.expired(NOW + timedelta(days=9000)) == (
        "certificate_file",
        "middle_cert_files",
        "root_cert_files",
    )


def test_only_yuan_are_paid_out() -> None:
    """Other terms are refused by name."""
    with pytest.raises(ValueError, match="CNY"):
        build("unionpay-main", settings(), Terms(Currency.USD, 1, 2), lambda: NOW)


def test_credentials_name_every_certificate() -> None:
    """With fingerprints of public keys and when they end."""
    listed = settings(encrypt_cert_file=usual().encrypt).credentials()
    assert [(one.name, one.holder) for one in listed] == [
        ("certificate_file", "ours"),
        ("middle_cert_files", "theirs"),
        ("root_cert_files", "theirs"),
        ("encrypt_cert_file", "theirs"),
    ]
    pems = (merchant_pem(), middle_pem(), root_pem(), encrypt_pem())
    for one, text in zip(listed, pems, strict=True):
        certificate = x509.load_pem_x509_certificate(text.encode())
        spki = certificate.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        assert one.fingerprint == hashlib.sha256(spki).hexdigest()
        assert one.not_after == certificate.not_valid_after_utc


def test_no_secret_is_ever_shown(tmp_path: Path) -> None:
    """Neither by repr, nor by a dump, nor by the error about another field."""
    text = usual().key.read_text()
    lines = [line for line in text.splitlines() if "---" not in line]
    made = settings(private_key_file=None, private_key=text)
    error = refused(private_key_file=None, private_key=text, mer_id="x")
    by_pfx = settings(**NO_PEM, pfx_file=pfx(tmp_path), pfx_password=PASSWORD)
    assert f"'{PASSWORD}'" not in repr(by_pfx) + str(by_pfx.model_dump())
    for shown in (repr(made), str(made), str(made.model_dump()), error, repr(by_pfx.keys)):
        assert not any(line in shown for line in lines)

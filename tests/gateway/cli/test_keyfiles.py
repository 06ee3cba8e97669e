"""Keys that parse and are wrong all the same."""

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import NameOID
from pydantic import BaseModel, SecretStr

from gateway.cli.findings import State
from gateway.cli.keyfiles import inspect

NOW = datetime(2026, 6, 1, tzinfo=UTC)


class Credentials(BaseModel):
    """Field names as the adapters have them."""

    private_key: SecretStr | None = None
    private_key_file: Path | None = None
    public_key: str | None = None
    alipay_cert_file: Path | None = None
    app_cert_file: Path | None = None
    platform_certificates: tuple[Path, ...] = ()


@pytest.fixture(scope="module")
def keys() -> tuple[RSAPrivateKey, RSAPrivateKey]:
    """Ours and the platform's."""
    return generate_private_key(65537, 2048), generate_private_key(65537, 2048)


def private_pem(key: RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    """PKCS #8."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public_pem(key: RSAPrivateKey) -> str:
    """SubjectPublicKeyInfo."""
    form = PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(Encoding.PEM, form).decode()


def certificate(key: RSAPrivateKey, ends: datetime, folder: Path) -> Path:
    """A self-signed certificate in a file."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=3650))
        .not_valid_after(ends)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{made.serial_number}.pem"
    file.write_bytes(made.public_bytes(Encoding.PEM))
    return file


def found(credentials: Credentials) -> list[tuple[State, str]]:
    """State and English sentence of each finding."""
    return [(one.state, one.en) for one in inspect("one", credentials, NOW)]


def test_a_pair_that_fits_is_well(keys: tuple[RSAPrivateKey, RSAPrivateKey]) -> None:
    """In PEM, and in the bare Base64 of Alipay's tool."""
    ours, theirs = keys
    der = ours.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    spki = theirs.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    pem = Credentials(private_key=SecretStr(private_pem(ours)), public_key=public_pem(theirs))
    bare = Credentials(
        private_key=SecretStr(base64.b64encode(der).decode()),
        public_key=base64.b64encode(spki).decode(),
    )
    assert [state for one in (pem, bare) for state, _ in found(one)] == [State.OK, State.OK]


def test_our_own_public_key_is_not_the_platforms(
    keys: tuple[RSAPrivateKey, RSAPrivateKey],
) -> None:
    """The commonest mistake: every answer would look forged."""
    ours, _ = keys
    swapped = Credentials(private_key=SecretStr(private_pem(ours)), public_key=public_pem(ours))
    [(state, text)] = found(swapped)
    assert (state, "your own" in text) == (State.FAIL, True)


def test_a_small_key_is_a_failure(keys: tuple[RSAPrivateKey, RSAPrivateKey]) -> None:
    """RSA2 and WeChat Pay both ask for 2048 bits."""
    small = generate_private_key(65537, 1024)  # noqa: S505 - too small is the point
    credentials = Credentials(
        private_key=SecretStr(private_pem(small)), public_key=public_pem(keys[1])
    )
    assert found(credentials) == [(State.FAIL, "a key has 1024 bits; at least 2048 are needed")]


def test_another_kind_of_key_is_a_failure(keys: tuple[RSAPrivateKey, RSAPrivateKey]) -> None:
    """Both institutions sign with RSA."""
    curve = ec.generate_private_key(ec.SECP256R1())
    credentials = Credentials(
        private_key=SecretStr(private_pem(curve)), public_key=public_pem(keys[1])
    )
    assert found(credentials) == [(State.FAIL, "the private key is not RSA")]


def test_a_certificate_must_be_of_the_private_key(
    keys: tuple[RSAPrivateKey, RSAPrivateKey], tmp_path: Path
) -> None:
    """The application's certificate belongs to our key, the platform's to theirs."""
    ours, theirs = keys
    later = NOW + timedelta(days=365)
    right = Credentials(
        private_key=SecretStr(private_pem(ours)),
        app_cert_file=certificate(ours, later, tmp_path),
        alipay_cert_file=certificate(theirs, later, tmp_path),
    )
    wrong = right.model_copy(update={"app_cert_file": right.alipay_cert_file})
    assert [state for state, _ in found(right)] == [State.OK]
    assert found(wrong) == [(State.FAIL, "app_cert_file is not of this private key")]


@pytest.mark.parametrize(("days", "state"), [(10, State.WARN), (-1, State.FAIL)])
def test_a_certificate_that_ends_is_found_in_time(
    days: int, state: State, keys: tuple[RSAPrivateKey, RSAPrivateKey], tmp_path: Path
) -> None:
    """A month before, so that there is time to change it."""
    ours, theirs = keys
    ending = certificate(theirs, NOW + timedelta(days=days), tmp_path)
    credentials = Credentials(
        private_key=SecretStr(private_pem(ours)), platform_certificates=(ending,)
    )
    assert [one for one, _ in found(credentials)] == [state]


def test_a_private_key_that_others_can_read_is_a_warning(
    keys: tuple[RSAPrivateKey, RSAPrivateKey], tmp_path: Path
) -> None:
    """With the command that mends it."""
    ours, theirs = keys
    file = tmp_path / "key.pem"
    file.write_text(private_pem(ours))
    file.chmod(0o644)
    credentials = Credentials(private_key_file=file, public_key=public_pem(theirs))
    [(state, text)] = found(credentials)
    assert (state, "chmod 600" in text) == (State.WARN, True)
    file.chmod(0o600)
    assert [state for state, _ in found(credentials)] == [State.OK]

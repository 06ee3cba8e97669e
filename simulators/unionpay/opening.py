"""Opening UnionPay merchants for a sandbox: an authority of its own, and what it certifies."""

from __future__ import annotations

from pathlib import Path

from simulators.keyring import Keyring
from simulators.opening import HOST, Wishes
from simulators.unionpay.certificates import UNIONPAY, authority, leaf, merchant_name, pem
from simulators.unionpay.signing import load_private_key

_ROOT, _MIDDLE = "unionpay-root", "unionpay-middle"
_SIGNING, _ENCRYPT = "unionpay-signing", "unionpay-encrypt"


def platform(keys: Keyring, wishes: Wishes) -> dict[str, object]:
    """The platform with its chain of certificates."""
    root, middle = keys.rsa(_ROOT), keys.rsa(_MIDDLE)
    keys.write(f"{_ROOT}.pem", pem(authority(_ROOT, root)))
    keys.write(f"{_MIDDLE}.pem", pem(authority(_MIDDLE, middle, (_ROOT, root))))
    for name in (_SIGNING, _ENCRYPT):
        keys.write(f"{name}.pem", pem(leaf(UNIONPAY, keys.rsa(name), (_MIDDLE, middle))))
    return {
        "name": "unionpay",
        "kind": "unionpay",
        "host": HOST,
        "signing_private_key_file": f"keys/{_SIGNING}-private.pem",
        "signing_certificate_file": f"keys/{_SIGNING}.pem",
        "encrypt_private_key_file": f"keys/{_ENCRYPT}-private.pem",
        "encrypt_certificate_file": f"keys/{_ENCRYPT}.pem",
    }


def account(
    name: str, number: int, port: int, keys: Keyring, wishes: Wishes
) -> tuple[dict[str, object], dict[str, str]]:
    """A merchant with a certificate of its own and money."""
    mer_id = f"7772900{wishes.seed % 10**4:04d}{number:04d}"
    middle = load_private_key(Path(keys.private(_MIDDLE)).read_text(encoding="utf-8"))
    certificate = leaf(merchant_name(mer_id), keys.rsa(name), (_MIDDLE, middle))
    keys.write(f"{name}.pem", pem(certificate))
    section: dict[str, object] = {
        "account": name,
        "port": port,
        "mer_id": mer_id,
        "certificate_file": f"keys/{name}.pem",
        "balance_fen": wishes.balance_fen,
        "fee": {"flat_fen": 100},
    }
    url = f"http://{HOST}:{port}"
    return section, {
        "mer_id": mer_id,
        "private_key_file": keys.private(name),
        "certificate_file": str(keys.folder / f"{name}.pem"),
        "middle_cert_file": str(keys.folder / f"{_MIDDLE}.pem"),
        "root_cert_file": str(keys.folder / f"{_ROOT}.pem"),
        "encrypt_cert_file": str(keys.folder / f"{_ENCRYPT}.pem"),
        "gateway_url": url,
        "file_url": url,
    }

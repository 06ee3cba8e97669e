"""Opening Circle Mint accounts for a sandbox."""

from __future__ import annotations

import random
import secrets
import uuid

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from simulators.keyring import Keyring
from simulators.opening import HOST, Wishes
from simulators.stablecoin import signing
from simulators.stablecoin.settings import Settings

_SNS, _NOTICES = "stablecoin-sns", "stablecoin-notices"


def platform(keys: Keyring, wishes: Wishes) -> dict[str, object]:
    """The institution with the key and certificate of its SNS, and the key of v2 notices."""
    key = keys.rsa(_SNS)
    entropy = random.Random(f"{wishes.seed}:{_SNS}")  # noqa: S311 - a serial number, no secret
    keys.write(f"{_SNS}-certificate.pem", signing.certificate(key, entropy))
    notices = ec.generate_private_key(ec.SECP256R1())
    private = notices.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = notices.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    keys.write_private(f"{_NOTICES}-private.pem", private.decode())
    keys.write(f"{_NOTICES}-public.pem", public.decode())
    return {
        "name": "stablecoin",
        "kind": "stablecoin",
        "host": HOST,
        "sns_private_key_file": f"keys/{_SNS}-private.pem",
        "sns_certificate_file": f"keys/{_SNS}-certificate.pem",
        "notice_private_key_file": f"keys/{_NOTICES}-private.pem",
    }


def account(
    name: str, number: int, port: int, keys: Keyring, wishes: Wishes
) -> tuple[dict[str, object], dict[str, str]]:
    """A USD account with one bank account and one address registered, a key and money."""
    api_key = f"SAND_API_KEY:{secrets.token_hex(16)}:{secrets.token_hex(16)}"
    entropy = random.Random(f"{wishes.seed}:{name}")  # noqa: S311 - ids, no secrets
    client_id, wire_id, recipient_id = (
        str(uuid.UUID(int=entropy.getrandbits(128), version=4)) for _ in range(3)
    )
    address = f"0x{entropy.getrandbits(160):040x}"
    section: dict[str, object] = {
        "account": name,
        "port": port,
        "api_key": api_key,
        "client_id": client_id,
        "wallet_id": f"{1_000_000_000 + number}",
        "balance_fen": wishes.balance_fen,
        "fee": {"flat_fen": 100},
        "network_fee_fen": 30,
        "wires": {wire_id: "Sandbox Trading Ltd"},
        "recipients": {recipient_id: {"chain": "ETH", "address": address}},
    }
    defaults = Settings.model_fields
    return section, {
        "api_key": api_key,
        "base_url": f"http://{HOST}:{port}",
        "source_wallet_id": f"{1_000_000_000 + number}",
        "wire_id": wire_id,
        "recipient_id": recipient_id,
        "address": address,
        "chain": "ETH",
        "sns_topic_arn": str(defaults["topic_arn"].default),
        "sns_origin": f"http://{HOST}:{port}",
        "sns_certificate_file": str(keys.folder / f"{_SNS}-certificate.pem"),
        "notice_key_id": str(defaults["notice_key_id"].default),
        "notice_key_file": str(keys.folder / f"{_NOTICES}-public.pem"),
    }

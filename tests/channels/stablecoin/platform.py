"""The institution's side of a test: keys made for tests alone, messages signed as theirs are.

It signs with its own few lines, not with the adapter's.
"""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from channels.contract import (
    ChainAddress,
    Inquiry,
    Instruction,
    Instrument,
    Tariff,
    Terms,
    WireAccount,
)
from channels.money import Currency, Money
from channels.stablecoin.channel import StablecoinChannel, build
from channels.stablecoin.settings import StablecoinSettings

WIRE = Path(__file__).parents[2] / "wire" / "stablecoin"
KEYS = WIRE / "keys"

NOW = datetime(2026, 11, 2, 1, 30, tzinfo=UTC)
API_KEY = "SAND_API_KEY:0123456789abcdef0123456789abcdef:fedcba9876543210fedcba9876543210"
REFERENCE = "P7K2M9X4Q1A1"
IDEMPOTENCY_KEY = "59797420-9243-478e-9147-c562d7bb73f4"
"""What stands for `REFERENCE`; written down so that it can never change unnoticed."""
PAYOUT_ID = "6e3f8a52-0c6f-4b19-9c0e-1f8d9c9f7a10"
WIRE_ID = "9d1fa351-b24d-442a-8aa5-e717db1ed636"
RECIPIENT_ID = "1f0c8e3b-6d0f-4c5b-a2f1-0e7a6f9d1c22"
TOPIC = "arn:aws:sns:us-east-1:908968368384:mint_platform-notifications-topic"
KEY_ID = "0a5e0000-0000-4000-8000-000000000001"
CERTIFICATE_URL = (
    "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem"
)
TERMS = Terms(Currency.USD, amount_min=1, amount_max=500_000_000)
PRICED = Terms(Currency.EUR, 1, 500_000_000, (Tariff(flat_minor=50), Tariff(surcharge_ppm=7)))
AMOUNT = Money(12_345, Currency.USD)

BANK = WireAccount(WIRE_ID, "Lagos Trading Ltd")
ADDRESS = ChainAddress(
    "0x8381470ed67c3802402dbbfa0058e8871f017a6f", "ETH", RECIPIENT_ID, "Lagos Trading Ltd"
)


def sns_key() -> RSAPrivateKey:
    """What SNS signs with, as far as these tests are concerned."""
    key = serialization.load_pem_private_key((KEYS / "sns_test_only.pem").read_bytes(), None)
    assert isinstance(key, RSAPrivateKey)
    return key


def notice_key() -> ec.EllipticCurvePrivateKey:
    """What Circle signs v2 notices with."""
    key = serialization.load_pem_private_key((KEYS / "notices_test_only.pem").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


def public_text(key: ec.EllipticCurvePrivateKey) -> str:
    """SubjectPublicKeyInfo in base64, as their API shows it."""
    der = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return base64.b64encode(der).decode()


def settings(**changes: object) -> StablecoinSettings:
    """Both rails and both kinds of notices, unless told otherwise."""
    given: dict[str, object] = {
        "base_url": "http://127.0.0.1:1",
        "api_key": API_KEY,
        "rails": ["wire", "chain"],
        "sns_topic_arns": [TOPIC],
        "sns_certificate_files": [KEYS / "sns_certificate.pem"],
        "notice_keys": [{"key_id": KEY_ID, "public_key": public_text(notice_key())}],
    }
    return StablecoinSettings.model_validate(given | changes)


SETTINGS = settings()
CONVERTING: Mapping[str, object] = {"rails": ["chain"], "source_currency": "USD"}
"""A USD balance that pays out EUR."""


def channel(terms: Terms = TERMS, **changes: object) -> StablecoinChannel:
    """A channel whose clock stands still."""
    return build("mint-test", settings(**changes), terms, lambda: NOW)


def instruction(instrument: Instrument = BANK, **changes: object) -> Instruction:
    """One try to pay 123.45."""
    given: dict[str, object] = {
        "attempt_id": "a1",
        "reference": REFERENCE,
        "amount": AMOUNT,
        "instrument": instrument,
        "purpose": "October fees",
    }
    return Instruction(**(given | changes))  # type: ignore[arg-type] # names are checked at run time


def inquiry(
    instrument: Instrument = BANK, channel_ref: str | None = None, amount: Money = AMOUNT
) -> Inquiry:
    """The question about that try."""
    return Inquiry(REFERENCE, amount, instrument, NOW, channel_ref)


def compact(fields: object) -> bytes:
    """JSON without spaces."""
    return json.dumps(fields, separators=(",", ":")).encode()


def fiat(**changes: object) -> dict[str, object]:
    """A fiat payout as their reference shows it."""
    return {
        "id": PAYOUT_ID,
        "sourceWalletId": "1000038499",
        "destination": {"type": "wire", "id": WIRE_ID},
        "amount": {"amount": "123.45", "currency": "USD"},
        "fees": {"amount": "1.00", "currency": "USD"},
        "status": "pending",
        "trackingRef": "CIR3KXZZ00",
        "createDate": "2026-11-02T01:30:00.123Z",
        "updateDate": "2026-11-02T01:31:00.456Z",
    } | changes


def crypto(**changes: object) -> dict[str, object]:
    """A crypto payout as their reference shows it."""
    shown = fiat(
        destination={"type": "address_book", "id": RECIPIENT_ID},
        toAmount={"amount": "123.45", "currency": "USD"},
        networkFees={"amount": "0.304", "currency": "USD"},
    )
    del shown["trackingRef"]
    return shown | changes


def returned(**changes: object) -> dict[str, object]:
    """The `return` object of a payout."""
    return {
        "id": "2f6c3c7e-4f4f-4a3e-8f0a-2f2f6f0d9a11",
        "payoutId": PAYOUT_ID,
        "amount": {"amount": "123.45", "currency": "USD"},
        "fees": {"amount": "0.00", "currency": "USD"},
        "reason": "Returned by the beneficiary bank",
        "status": "complete",
        "createDate": "2026-11-04T09:00:00.000Z",
        "updateDate": "2026-11-04T10:00:00.000Z",
    } | changes


def error(code: int, message: str = "Invalid entity.", **changes: object) -> dict[str, object]:
    """An error body."""
    return {"code": code, "message": message} | changes


def sns(message: Mapping[str, object] | str, **changes: str) -> dict[str, str]:
    """A signed SNS notification; a change to `Signature` replaces the true one."""
    text = message if isinstance(message, str) else compact(message).decode()
    fields = {
        "Type": "Notification",
        "MessageId": "e5f3a1c2-0000-4000-8000-00000000abcd",
        "TopicArn": TOPIC,
        "Message": text,
        "Timestamp": "2026-11-02T01:31:00.500Z",
        "SignatureVersion": "2",
        "SigningCertURL": CERTIFICATE_URL,
    } | changes
    if "Signature" not in fields:
        fields["Signature"] = sns_signature(fields)
    return fields


def sns_signature(fields: Mapping[str, str], key: RSAPrivateKey | None = None) -> str:
    """Over the lines of those fields that AWS lists for the type, in byte order."""
    listed = {"Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"}
    if fields["Type"] != "Notification":
        listed = (listed - {"Subject"}) | {"SubscribeURL", "Token"}
    lines = [line for name in sorted(listed & set(fields)) for line in (name, fields[name])]
    text = "".join(f"{line}\n" for line in lines).encode()
    digest = hashes.SHA1() if fields["SignatureVersion"] == "1" else hashes.SHA256()  # noqa: S303 - SNS v1
    return base64.b64encode((key or sns_key()).sign(text, PKCS1v15(), digest)).decode()


def told(payout: Mapping[str, object], kind: str = "payouts") -> dict[str, object]:
    """What a v1 message holds."""
    return {"clientId": "c60d2d5b", "notificationType": kind, "version": 1, "payout": payout}


def ecdsa(body: bytes, key_id: str = KEY_ID) -> dict[str, str]:
    """The headers of a v2 notice."""
    signature = base64.b64encode(notice_key().sign(body, ec.ECDSA(hashes.SHA256()))).decode()
    return {"x-circle-signature": signature, "x-circle-key-id": key_id}

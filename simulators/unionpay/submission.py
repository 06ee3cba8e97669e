"""The field rules of a payout (txnType 12): fields in, Submission or refusal out.

Source: the common fields of ACP 5.1.0 and the 代付 samples. Fields that those do not name are
ignored, as the platform does. Nothing here looks at balances or earlier orders.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from simulators.clock import BEIJING
from simulators.unionpay.errors import RefusedError
from simulators.unionpay.settings import Account
from simulators.unionpay.signing import decrypt

_NEEDED = (
    *("txnSubType", "bizType", "channelType", "accessType", "orderId", "txnTime", "accType"),
    *("accNo", "customerInfo", "txnAmt", "currencyCode", "backUrl"),
)
_FIXED = {"txnSubType": "00", "bizType": "000401", "accessType": "0", "currencyCode": "156"}
_REFERENCE = re.compile(r"[0-9A-Za-z]{8,40}", re.ASCII)
_AMOUNT = re.compile(r"[1-9]\d{0,11}", re.ASCII)
_NUMBERS = {"01": re.compile(r"\d{12,19}", re.ASCII), "04": re.compile(r"\d{6,32}", re.ASCII)}
_URL = re.compile(r"https?://[!-~]{1,250}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Opener:
    """What opens sensitive fields."""

    key: RSAPrivateKey
    serial: str


@dataclass(frozen=True, slots=True)
class Submission:
    """One well-formed payout."""

    reference: str
    txn_time: str
    amount_minor: int
    account_type: str
    payee: str
    name: str
    back_url: str
    reserved: str


def read_amount(text: str | None) -> int | None:
    """Fen of a txnAmt; None for anything else."""
    return int(text) if text is not None and _AMOUNT.fullmatch(text) else None


def read_payee(fields: Mapping[str, str], opener: Opener) -> str:
    """The account number, decrypted if need be. Raises RefusedError."""
    number, serial = fields.get("accNo", ""), fields.get("encryptCertId", "")
    if not serial:
        return number
    if serial != opener.serial:
        raise RefusedError("10")
    try:
        return decrypt(opener.key, number)
    except ValueError:
        raise RefusedError("10") from None


def read_submission(
    fields: Mapping[str, str],
    account: Account,
    opener: Opener,
    now: datetime,
    tolerance_s: float | None,
) -> Submission:
    """Check every field. Raises RefusedError."""
    if any(not fields.get(name) for name in _NEEDED):
        raise RefusedError("13")
    if any(fields[name] != value for name, value in _FIXED.items()):
        raise RefusedError("10")
    amount = read_amount(fields["txnAmt"])
    if amount is None or not _REFERENCE.fullmatch(fields["orderId"]):
        raise RefusedError("10")
    if fields["channelType"] not in ("07", "08") or not _URL.fullmatch(fields["backUrl"]):
        raise RefusedError("10")
    if len(fields.get("reqReserved", "")) > 1024:
        raise RefusedError("10")
    check_time(fields["txnTime"], now, tolerance_s)
    kind = fields["accType"]
    if kind not in _NUMBERS:
        raise RefusedError("10")
    if kind not in account.account_types:
        raise RefusedError("32")
    number = read_payee(fields, opener)
    if not _NUMBERS[kind].fullmatch(number):
        raise RefusedError("61")
    name = _customer_name(fields["customerInfo"], opener)
    if not account.min_fen <= amount <= account.max_fen:
        raise RefusedError("33")
    return Submission(
        reference=fields["orderId"],
        txn_time=fields["txnTime"],
        amount_minor=amount,
        account_type=kind,
        payee=number,
        name=name,
        back_url=fields["backUrl"],
        reserved=fields.get("reqReserved", ""),
    )


def check_time(text: str, now: datetime, tolerance_s: float | None) -> None:
    """A txnTime must be a Beijing time, and current. Raises RefusedError."""
    if len(text) != 14 or not (text.isascii() and text.isdigit()):
        raise RefusedError("10")
    try:
        said = datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=BEIJING)
    except ValueError:
        raise RefusedError("10") from None
    if tolerance_s is not None and abs((now - said).total_seconds()) > tolerance_s:
        raise RefusedError("10")


def _customer_name(text: str, opener: Opener) -> str:
    """customerNm of `{k=v&…}`; what is encrypted in there must at least open."""
    try:
        opened = base64.b64decode(text, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise RefusedError("10") from None
    if not (opened.startswith("{") and opened.endswith("}")):
        raise RefusedError("10")
    inner = dict(part.partition("=")[::2] for part in opened[1:-1].split("&"))
    if inner.get("encryptedInfo"):
        try:
            decrypt(opener.key, inner["encryptedInfo"])
        except ValueError:
            raise RefusedError("10") from None
    if not inner.get("customerNm"):
        raise RefusedError("13")
    return inner["customerNm"]

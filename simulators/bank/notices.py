"""What the bank pushes: the message itself, with HMAC-SHA256 over TIMESTAMP.BODY in two headers."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime

from simulators.bank.settings import Account
from simulators.kernel import Push

SIGNATURE = "x-bank-signature"
TIMESTAMP = "x-bank-timestamp"


def pushed(
    account: Account, reference: str, body: bytes, due_at: datetime, *, is_true: bool = True
) -> Push:
    """One message to the customer, signed as of the moment it is due."""
    secret = account.notice_secret.get_secret_value() if account.notice_secret else ""
    timestamp = str(int(due_at.timestamp()))
    key = secret if is_true else f"not {secret}"
    signature = hmac.new(key.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    headers = (
        ("content-type", "application/xml; charset=utf-8"),
        (TIMESTAMP, timestamp),
        (SIGNATURE, signature.hexdigest()),
    )
    return Push(due_at, account.notify_url or "", headers, body, reference, account.account)

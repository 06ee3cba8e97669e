"""Keeps payee data and secrets out of logs: an allow-list of fields, then a scan of what is left.

The allow-list is the rule; the scanner is the last net for a number or key that slips into an
allowed field. It may mask too much (one 16-digit number in ten passes the card checksum), never a
gateway id: those are letters and digits without a separator.
"""

import re
from collections.abc import MutableMapping
from datetime import date
from functools import lru_cache
from typing import Any

MASK = "[masked]"
SHORT = 10**10
"""Whole numbers below it have fewer digits than a telephone number."""

ALLOWED = frozenset(
    (
        # the line itself
        *("at", "level", "event", "logger", "error_type", "error_at", "traced"),
        # who and what, by id only
        *("request_id", "merchant_id", "key_id", "payout_id", "attempt", "reference"),
        *("channel", "channel_ref", "delivery_id", "endpoint_id", "notice_id", "actor", "owner"),
        *("incident_id", "change_id", "policy_hash", "bank"),
        # what became of it
        *("state", "kind", "seq", "outcome", "cause", "code", "reason", "stage", "certificate"),
        *("operation", "result", "verdict", "line_ref", "on", "problem", "due_at", "rail", "tries"),
        *("problem_zh", "share_ppm", "setting", "ends_at", "days_left"),
        # how much and how long
        *("amount_minor", "fee_minor", "currency", "count", "sends", "inquiries", "seconds"),
        *("off_minor", "looks", "in_flight", "limit", "shed"),
        # the request
        *("method", "route", "status", "bytes"),
        # the process
        *(
            "host",
            "port",
            "pid",
            "worker",
            "version",
            "channels",
            "signal",
            "database",
            "config_hash",
        ),
    )
)
"""Fields that may be logged. Any other is shown masked, so that the omission is seen."""

_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]+-----.*?(?:-----END [A-Z0-9 ]+-----|\Z)", re.DOTALL)
_WEBHOOK_SECRET = re.compile(r"whsec_[A-Za-z0-9+/=_-]+")
_CREDENTIAL = re.compile(r"(?i)\b(?:bearer|basic)\s+[A-Za-z0-9._~+/=-]+")
_USER_INFO = re.compile(r"(?<=://)[^/\s@]+@")
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
# 11 digits from 13… to 19…, the mobile numbering plan of mainland China.
_PHONE = re.compile(
    r"(?<![0-9A-Za-z])(?:\+?86[ -]?)?1[3-9][0-9](?:[ -]?[0-9]{4}){2}(?![0-9A-Za-z])"
)
# ISO 13616: country, two check digits, up to 30 characters, in groups of four when printed.
_IBAN = re.compile(r"(?<![0-9A-Za-z])[A-Z]{2}[0-9]{2}(?: ?[0-9A-Z]){11,30}(?![0-9A-Za-z])")
# GB 11643: 17 digits and a check character, which may be X.
_RESIDENT = re.compile(r"(?<![0-9A-Za-z])[1-9][0-9]{16}[0-9Xx](?![0-9A-Za-z])")
# ISO/IEC 7812: 13 to 19 digits, often written in groups.
_CARD = re.compile(r"(?<![0-9A-Za-z])[0-9](?:[ -]?[0-9]){12,18}(?![0-9A-Za-z])")

_SUSPECT = re.compile(
    r"[0-9](?:[ -]?[0-9]){10}|[A-Z]{2}[0-9]{2}|-----BEGIN|whsec_|@|(?i:bearer|basic)"
)
"""A first look: text without any of these needs no further one."""
_PLAIN = re.compile(
    # An id: no number has a letter in it, but for a resident's last.
    r"(?:[a-z]+_)?[0-9]*+[a-wyz][0-9a-z]*+"
    r"|(?:[a-z_.:/]++|[0-9]{1,10}+(?![0-9 -])|[A-Z](?![A-Z][0-9]{2}))*+"
)
"""A cheaper one, for ids and names: nothing in such text is masked but a webhook secret."""


def scan(text: str) -> str:
    """Mask card, account, phone and identity numbers, mail addresses, keys and credentials."""
    if _PLAIN.fullmatch(text) and "whsec_" not in text:
        return text
    if _SUSPECT.search(text) is None:
        return text
    for pattern in (_PEM, _WEBHOOK_SECRET, _CREDENTIAL, _USER_INFO, _EMAIL, _PHONE):
        text = pattern.sub(MASK, text)
    text = _IBAN.sub(lambda found: MASK if _is_iban(found[0]) else found[0], text)
    text = _RESIDENT.sub(lambda found: MASK if _is_resident(found[0]) else found[0], text)
    return _CARD.sub(lambda found: MASK if _is_card(found[0]) else found[0], text)


_scanned = lru_cache(maxsize=1024)(scan)
"""Names, routes and ids of keys come again and again."""


def redact(_logger: object, _method: str, line: MutableMapping[str, Any]) -> dict[str, Any]:
    """Mask fields that are not allowed and scan those that are: a structlog processor."""
    return {name: _clean(value) if name in ALLOWED else MASK for name, value in line.items()}


def _clean(value: object) -> object:
    if isinstance(value, str):
        return _scanned(value)
    if isinstance(value, int):
        return value if -SHORT < value < SHORT or scan(str(value)) == str(value) else MASK
    if value is None or isinstance(value, float | date):
        return value
    return scan(str(value))


def _is_card(text: str) -> bool:
    digits = [int(digit) for digit in text if digit.isdigit()]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _is_iban(text: str) -> bool:
    plain = text.replace(" ", "")
    if len(plain) > 34:
        return False
    return int("".join(str(int(sign, 36)) for sign in plain[4:] + plain[:4])) % 97 == 1


def _is_resident(text: str) -> bool:
    # GB 11643-1999 4.2.3: weights 2^(18-i) mod 11; remainder 0-10 stands for 10X98765432.
    total = sum(int(digit) * (2 ** (17 - at) % 11) for at, digit in enumerate(text[:17]))
    return "10X98765432"[total % 11] == text[17].upper()

"""Who is calling: method, merchant, time and signature, in the order in which a stock site asks.

Source: wire-protocols.md §6, dialects.md §2. Only the POST body is read: parameters in the address
do not exist for the site, and a call without `pid` in the body brought nothing at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qs, parse_qsl

from simulators.epay import errors
from simulators.epay.errors import ThrownError
from simulators.epay.settings import Merchant, Settings
from simulators.epay.signing import content, load_public_key, md5, rsa_fits
from simulators.kernel import Request

ACTIONS = {"submit": "submit", "query": "inquire", "balance": "balance", "proof": "receipt"}
"""The methods of `transfer`, and what fault rules and journal call them."""

_REWRITTEN = re.compile(r"/api/([A-Za-z0-9_]+/[A-Za-z0-9_]+)/?")
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Call:
    """A request whose sender is proven."""

    merchant: Merchant
    action: str
    fields: Mapping[str, str]

    def get(self, name: str) -> str:
        """A field, trimmed; empty when absent."""
        return self.fields.get(name, "").strip()


def action_of(request: Request) -> str | None:
    """`submit`, `query` …; empty for an unknown method, None for an address that is no API."""
    found = _REWRITTEN.fullmatch(request.path)
    if found is not None:
        named = found[1]
    elif request.path == "/api.php":
        named = parse_qs(request.query).get("s", [""])[0]
    else:
        return None
    area, _, action = named.partition("/")
    return action if area == "transfer" and action in ACTIONS else ""


def form(request: Request) -> dict[str, str]:
    """The POST body as PHP sees it: the last of several equal names wins."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method != "POST" or kind != _FORM:
        return {}
    return dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))


def admit(
    action: str,
    fields: Mapping[str, str],
    merchants: Mapping[str, Merchant],
    settings: Settings,
    now: datetime,
) -> Call:
    """Prove the sender. Raises ThrownError."""
    if not action:
        raise ThrownError(errors.NO_METHOD, -5)
    if "pid" not in fields:
        raise ThrownError(errors.NO_PARAMETERS, -4)
    digits = re.match(r"\s*[+]?(\d+)", fields["pid"])
    if digits is None or int(digits[1]) == 0:
        raise ThrownError(errors.NO_MERCHANT_ID)
    merchant = merchants.get(str(int(digits[1])))
    if merchant is None:
        raise ThrownError(errors.UNKNOWN_MERCHANT)
    if merchant.banned:
        raise ThrownError(errors.BANNED)
    _verify(merchant, fields, settings.tolerance_s, now)
    if not settings.transfers_on:
        raise ThrownError(errors.TRANSFERS_OFF)
    if not merchant.may_transfer:
        raise ThrownError(errors.API_OFF)
    return Call(merchant, action, fields)


def _verify(merchant: Merchant, fields: Mapping[str, str], tolerance_s: int, now: datetime) -> None:
    sign_type = fields.get("sign_type", "")
    if merchant.rsa_only and sign_type != "RSA":
        raise ThrownError(errors.RSA_ONLY, -3)
    stamp = fields.get("timestamp", "")
    if stamp in ("", "0"):
        raise ThrownError(errors.NO_TIMESTAMP, -3)
    if not re.fullmatch(r"\d{1,12}", stamp) or abs(int(now.timestamp()) - int(stamp)) > tolerance_s:
        raise ThrownError(errors.BAD_TIMESTAMP, -3)
    if "sign" not in fields:
        raise ThrownError(errors.NO_SIGNATURE, -3)
    if sign_type == "RSA":
        if merchant.public_key is None:
            raise ThrownError(errors.NO_PUBLIC_KEY, -3)
        fits = rsa_fits(load_public_key(merchant.public_key), content(fields), fields["sign"])
    else:
        secret = merchant.md5_key.get_secret_value() if merchant.md5_key else None
        fits = secret is not None and md5(content(fields), secret) == fields["sign"]
    if not fits:
        raise ThrownError(f"{sign_type or 'MD5'}签名校验失败", -3)

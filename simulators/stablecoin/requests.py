"""The field rules of the two payout calls: JSON in, Asked or a refusal out.

Source: POST /v1/businessAccount/payouts and POST /v1/payouts, request bodies. Names that the pages
do not know are ignored. Nothing here looks at balances or earlier payouts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from simulators.stablecoin.errors import RefusedError, invalid
from simulators.stablecoin.magic import CHAIN_IDS, WIRE_IDS
from simulators.stablecoin.settings import Account

_UUID4 = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE
)
_AMOUNT = re.compile(r"(0|[1-9][0-9]{0,12})(?:\.([0-9]{1,2}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Asked:
    """One well-formed payout request."""

    key: str
    is_crypto: bool
    destination_type: str
    payee: str
    chain: str
    amount_minor: int
    """What the payee gets."""
    currency: str
    source_currency: str
    """What it is taken from."""
    same_as: str
    """Canonical text of everything asked; equal texts are the same request."""


def read_body(body: bytes) -> Mapping[str, object]:
    """A JSON object. Raises RefusedError."""
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        raise invalid("body") from None
    if not isinstance(given, dict):
        raise invalid("body")
    return given


def read_amount(value: object) -> int | None:
    """Cents of a decimal string such as "10.00"; None for anything else."""
    matched = _AMOUNT.fullmatch(value) if isinstance(value, str) else None
    if matched is None:
        return None
    return int(matched[1]) * 100 + int((matched[2] or "0").ljust(2, "0"))


def read_asked(body: bytes, account: Account, *, is_crypto: bool) -> Asked:
    """Check every field of a payout request. Raises RefusedError."""
    given = read_body(body)
    key = _text(given, "idempotencyKey", "idempotencyKey")
    if _UUID4.fullmatch(key) is None:
        raise invalid("idempotencyKey", "pattern_mismatch")
    target = _part(given, "destination")
    kind = _text(target, "type", "destination.type")
    payee = _text(target, "id", "destination.id")
    if kind not in (("address_book",) if is_crypto else ("wire", "cbit")):
        raise invalid("destination.type")
    chain = _registered(account, payee, is_crypto=is_crypto)
    source = given.get("source")
    if is_crypto and source is not None:
        wallet = _part(given, "source")
        if (wallet.get("type"), wallet.get("id")) != ("wallet", account.wallet_id):
            raise invalid("source.id")
    amount_minor, currency, source_currency = _amounts(given, account, is_crypto=is_crypto)
    same_as = json.dumps([is_crypto, given], sort_keys=True)
    return Asked(
        key=key.lower(),
        is_crypto=is_crypto,
        destination_type=kind,
        payee=payee,
        chain=chain,
        amount_minor=amount_minor,
        currency=currency,
        source_currency=source_currency,
        same_as=same_as,
    )


def _amounts(
    given: Mapping[str, object], account: Account, *, is_crypto: bool
) -> tuple[int, str, str]:
    """What the payee gets, in what, and what pays it: one sum, in `amount` or in `toAmount`."""
    amount, to = _part(given, "amount"), given.get("toAmount")
    source = _currency(amount, "amount.currency")
    if source != account.currency:
        raise invalid("amount.currency")
    if to is None:
        return _sum(amount, "amount.amount", account), source, source
    if not is_crypto:
        raise invalid("toAmount", "not_required")
    wanted = _part(given, "toAmount")
    currency = _currency(wanted, "toAmount.currency")
    if ("amount" in amount) == ("amount" in wanted):
        raise invalid("toAmount.amount")
    if currency == source:
        holder, where = (amount, "amount") if "amount" in amount else (wanted, "toAmount")
        return _sum(holder, f"{where}.amount", account), currency, source
    if "amount" not in wanted:
        raise invalid("toAmount.amount", "required")
    return _sum(wanted, "toAmount.amount", account), currency, source


def _sum(holder: Mapping[str, object], location: str, account: Account) -> int:
    if "amount" not in holder:
        raise invalid(location, "required")
    minor = read_amount(holder["amount"])
    if minor is None:
        raise invalid(location, "number_format")
    if minor < account.min_fen:
        raise invalid(location, "min_value")
    if minor > account.max_fen:
        raise invalid(location, "max_value")
    return minor


def _registered(account: Account, payee: str, *, is_crypto: bool) -> str:
    """The chain of a registered beneficiary ("" for a bank account); magic ones always are."""
    if is_crypto:
        if payee in CHAIN_IDS:
            return "ETH"
        if payee not in account.recipients:
            raise invalid("destination.id")
        return account.recipients[payee].chain
    if payee not in account.wires and payee not in WIRE_IDS:
        raise invalid("destination.id")
    return ""


def _currency(holder: Mapping[str, object], location: str) -> str:
    value = _text(holder, "currency", location)
    if value not in ("USD", "EUR"):
        raise invalid(location)
    return value


def _part(given: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = given.get(name)
    if value is None:
        raise invalid(name, "required")
    if not isinstance(value, dict):
        raise invalid(name)
    return value


def _text(given: Mapping[str, object], name: str, location: str) -> str:
    value = given.get(name)
    if value is None:
        raise invalid(location, "required")
    if not isinstance(value, str) or not value:
        raise invalid(location)
    return value


def claimed(body: bytes) -> tuple[str, str, int | None]:
    """Key, payee and amount as a request claims them, for choosing fault rules alone."""
    try:
        given = read_body(body)
    except RefusedError:
        return "", "", None
    target, amount, to = (given.get(name) for name in ("destination", "amount", "toAmount"))
    payee = target.get("id") if isinstance(target, dict) else ""
    text = amount.get("amount") if isinstance(amount, dict) else None
    if text is None and isinstance(to, dict):
        text = to.get("amount")
    return str(given.get("idempotencyKey", "")), str(payee), read_amount(text)

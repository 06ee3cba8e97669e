"""Fields of Circle Mint's JSON, read strictly: text, times, amounts, fees. Pure.

Source: wire-protocols.md §5.2. Decimals stay text until they are whole cents; no float is made.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import ROUND_CEILING, Decimal

from channels.money import Currency, Money

_AMOUNT = re.compile(r"(0|[1-9][0-9]*)(?:\.([0-9]{0,2})0*)?", re.ASCII)
_FEE = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,18})?", re.ASCII)


class WireError(ValueError):
    """The bytes are not the message they should be; the text names the field."""


def parse(body: bytes) -> Mapping[str, object]:
    """Read a JSON object; decimals stay text, and a name that stands twice makes it unreadable."""
    try:
        read = json.loads(body, parse_float=str, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise WireError("not JSON") from error
    if not isinstance(read, dict):
        raise WireError("not a JSON object")
    return read


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise WireError("a name stands twice")
    return fields


def object_of(value: object, name: str) -> Mapping[str, object]:
    """A JSON object, or `WireError` naming the field."""
    if not isinstance(value, dict):
        raise WireError(name)
    return value


def text_of(fields: Mapping[str, object], name: str) -> str:
    """A text that is not empty, or `WireError`."""
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise WireError(name)
    return value


def time_of(fields: Mapping[str, object], name: str) -> datetime:
    """A time with its offset, or `WireError`."""
    try:
        at = datetime.fromisoformat(text_of(fields, name))
    except ValueError as error:
        raise WireError(name) from error
    if at.tzinfo is None:
        raise WireError(name)
    return at


def money_of(value: object) -> Money | None:
    """An amount in whole cents; spare decimals must be zeros ("10.0", "10.000000")."""
    if not isinstance(value, dict) or not isinstance(value.get("amount"), str):
        return None
    matched = _AMOUNT.fullmatch(value["amount"])
    currency = _currency(value)
    if matched is None or currency is None or len(matched[1]) > 15:
        return None
    cents = int(matched[1] + (matched[2] or "").ljust(2, "0"))
    return Money(cents, currency)


def fee_of(fields: Mapping[str, object]) -> Money | None:
    """What it cost: `fees` and `networkFees`, if they are in one currency; cents, rounded up."""
    total = Decimal(0)
    currencies: set[Currency | None] = set()
    for name in ("fees", "networkFees"):
        part = fields.get(name)
        if part is None:
            continue
        text = str(part.get("amount")) if isinstance(part, dict) else ""
        if not isinstance(part, dict) or _FEE.fullmatch(text) is None:
            return None
        total += Decimal(text)
        currencies.add(_currency(part))
    currency = currencies.pop() if len(currencies) == 1 else None
    if currency is None:
        return None
    return Money(int((total * 100).to_integral_value(ROUND_CEILING)), currency)


def _currency(sum_of: Mapping[str, object]) -> Currency | None:
    """One of the two there are; whatever else stands in its place, even a list, is none."""
    told = sum_of.get("currency")
    if not isinstance(told, str) or told not in {Currency.USD, Currency.EUR}:
        return None
    return Currency(told)

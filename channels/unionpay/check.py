"""What UnionPay would refuse for ever, found before anything is signed.

Pure. Rules of the fields of a payout (wire-protocols.md §3.2) and the operator's terms. Problems
name the field and never quote what is in it. The purpose is not checked: this message has no field
that the beneficiary would see.
"""

import re
import unicodedata

from channels.contract import (
    BankAccount,
    BankCard,
    Instruction,
    Problem,
    ReferenceRule,
    Traits,
)
from channels.money import Currency
from channels.unionpay.settings import UnionpaySettings
from channels.unionpay.wire import AMOUNT_MAX_FEN

URL_CHARS_MAX = 256
"""Length of backUrl in the common fields of the protocol."""
NAME_CHARS_MAX = 60

_NUMBER = {
    BankCard: re.compile(r"\d{12,19}", re.ASCII),
    BankAccount: re.compile(r"\d{6,32}", re.ASCII),
}
_BREAKS_THE_FORM = set("&={}")
"""`customerInfo` is `{name=value&…}` without any escaping."""


def problems(
    instruction: Instruction, settings: UnionpaySettings, traits: Traits
) -> tuple[Problem, ...]:
    """Everything at fault, in the order of the request's fields; empty if it may be sent."""
    return (
        *_reference(instruction.reference, traits.reference),
        *_amount(instruction, traits),
        *_instrument(instruction, traits),
        *_notices(instruction, settings),
    )


def _reference(reference: str, rule: ReferenceRule) -> list[Problem]:
    if rule.fits(reference):
        return []
    return [
        Problem("reference", f"must be {rule.length_min} to {rule.length_max} letters or digits")
    ]


def _amount(instruction: Instruction, traits: Traits) -> list[Problem]:
    if instruction.amount.currency is not Currency.CNY:
        return [Problem("amount.currency", "UnionPay pays out CNY only")]
    least = max(traits.terms.amount_min, 1)
    most = min(traits.terms.amount_max, AMOUNT_MAX_FEN)
    if least <= instruction.amount.minor <= most:
        return []
    return [Problem("amount", f"must be {least} to {most} fen")]


def _instrument(instruction: Instruction, traits: Traits) -> list[Problem]:
    instrument = instruction.instrument
    if instrument.rail not in traits.rails:
        return [Problem("instrument", f"this merchant is not configured for {instrument.rail}")]
    if not isinstance(instrument, BankCard | BankAccount):
        return [Problem("instrument", f"UnionPay does not reach {instrument.rail}")]
    found = []
    if _NUMBER[type(instrument)].fullmatch(instrument.number) is None:
        wanted = "12 to 19 digits" if isinstance(instrument, BankCard) else "6 to 32 digits"
        found.append(Problem("instrument.number", f"must be {wanted}"))
    name = instrument.name
    if not name.strip() or len(name) > NAME_CHARS_MAX:
        found.append(Problem("instrument.name", f"must be 1 to {NAME_CHARS_MAX} characters"))
    elif _BREAKS_THE_FORM & set(name) or any(unicodedata.category(one) == "Cc" for one in name):
        found.append(Problem("instrument.name", "must not hold '&', '=', braces or controls"))
    return found


def _notices(instruction: Instruction, settings: UnionpaySettings) -> list[Problem]:
    url = instruction.notify_url or settings.back_url
    if url is None:
        return [
            Problem("notify_url", "is mandatory here: configure back_url or the gateway's address")
        ]
    if len(url) > URL_CHARS_MAX or not url.isascii():
        return [Problem("notify_url", f"must be at most {URL_CHARS_MAX} ASCII characters")]
    return []

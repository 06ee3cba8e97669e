"""What a bank would refuse for ever, found before a file is made.

Pure. Rules of pain.001.001.09 (wire-protocols.md §4.2, §4.3) and the operator's terms. Problems
name the field and never quote what is in it.
"""

import re
import unicodedata

from channels.bank import wire
from channels.bank.settings import BankSettings
from channels.contract import (
    BankAccount,
    BankCard,
    Instruction,
    Problem,
    ReferenceRule,
    Traits,
)

_CARD = re.compile(r"[0-9]{12,19}", re.ASCII)
_ACCOUNT = re.compile(r"[A-Za-z0-9-]{5,34}", re.ASCII)
"""Othr/Id is Max34Text; a corporate account may have letters and dashes."""
AMOUNT_DIGITS_MAX = 18


def problems(
    instruction: Instruction, settings: BankSettings, traits: Traits
) -> tuple[Problem, ...]:
    """Everything at fault, in the order of the file's fields; empty if it may be sent."""
    return (
        *_reference(instruction.reference, traits.reference),
        *_amount(instruction, traits),
        *_instrument(instruction, settings),
        *_text("purpose", instruction.purpose, wire.PURPOSE_CHARS_MAX),
    )


def _reference(reference: str, rule: ReferenceRule) -> list[Problem]:
    if rule.fits(reference):
        return []
    return [Problem("reference", f"must be 1 to {rule.length_max} letters or digits")]


def _amount(instruction: Instruction, traits: Traits) -> list[Problem]:
    amount, terms = instruction.amount, traits.terms
    if amount.currency is not terms.currency:
        return [Problem("amount.currency", f"this account pays {terms.currency} only")]
    most = min(terms.amount_max, 10**AMOUNT_DIGITS_MAX - 1)
    if max(terms.amount_min, 1) <= amount.minor <= most:
        return []
    return [Problem("amount", f"must be {max(terms.amount_min, 1)} to {most} minor units")]


def _instrument(instruction: Instruction, settings: BankSettings) -> list[Problem]:
    instrument, requested = instruction.instrument, settings.bank.requested
    match instrument:
        case BankCard(number):
            found = [] if _CARD.fullmatch(number) else [_number("12 to 19 digits")]
        case BankAccount(number):
            found = [] if _ACCOUNT.fullmatch(number) else [_number("5 to 34 letters and digits")]
        case _:
            return [Problem("instrument", f"a bank pays to accounts, not to {instrument.rail}")]
    if not instrument.name.strip():
        found.append(Problem("instrument.name", "is mandatory"))
    found += _text("instrument.name", instrument.name, wire.NAME_CHARS_MAX)
    found += _text("instrument.bank_name", instrument.bank_name or "", wire.NAME_CHARS_MAX)
    member = wire.member_of(instrument, requested)
    if member is None and (requested.agent_required or isinstance(instrument, BankAccount)):
        message = "must be a 12-digit line number, or a short code that the bank's profile knows"
        found.append(Problem("instrument.bank_code", message))
    return found


def _number(shape: str) -> Problem:
    return Problem("instrument.number", f"must be {shape}")


def _text(field: str, text: str, longest: int) -> list[Problem]:
    """XML 1.0 has no control characters, surrogates or non-characters."""
    if len(text) > longest:
        return [Problem(field, f"must be at most {longest} characters")]
    if any(unicodedata.category(one) in {"Cc", "Cs", "Cn"} for one in text):
        return [Problem(field, "must not have control characters")]
    return []

"""What Alipay would refuse for ever, found before anything is signed.

Pure. Rules of the fields of alipay.fund.trans.uni.transfer (wire-protocols.md §1.3, §1.8) and the
operator's terms. Problems name the field and never quote what is in it.
"""

import re

from channels.alipay import wire
from channels.alipay.settings import AlipaySettings
from channels.contract import (
    AlipayAccount,
    AlipayIdentity,
    BankAccount,
    BankCard,
    Instruction,
    Problem,
    Rail,
    ReferenceRule,
    Traits,
)
from channels.money import Currency

_USER_ID = re.compile(r"2088\d{12}", re.ASCII)
_ACCOUNT_NUMBER = re.compile(r"\d{8,32}", re.ASCII)
_LINE_NUMBER = re.compile(r"\d{12}", re.ASCII)


def problems(
    instruction: Instruction, settings: AlipaySettings, traits: Traits
) -> tuple[Problem, ...]:
    """Everything at fault, in the order of the request's fields; empty if it may be sent."""
    return (
        *_reference(instruction.reference, traits.reference),
        *_amount(instruction, traits),
        *_purpose(instruction),
        *_instrument(instruction, settings),
    )


def _reference(reference: str, rule: ReferenceRule) -> list[Problem]:
    if rule.fits(reference):
        return []
    return [
        Problem(
            "reference",
            f"must be {rule.length_min} to {rule.length_max} letters, digits, '_' or '-'",
        )
    ]


def _amount(instruction: Instruction, traits: Traits) -> list[Problem]:
    if instruction.amount.currency is not Currency.CNY:
        return [Problem("amount.currency", "Alipay pays out CNY only")]
    least = traits.terms.amount_min
    if instruction.instrument.rail is Rail.ALIPAY:
        least = max(least, wire.ACCOUNT_MIN_FEN)
    most = min(traits.terms.amount_max, wire.AMOUNT_MAX_FEN)
    if least <= instruction.amount.minor <= most and instruction.amount.minor > 0:
        return []
    return [Problem("amount", f"must be {max(least, 1)} to {most} fen")]


def _purpose(instruction: Instruction) -> list[Problem]:
    if len(instruction.purpose) > wire.TITLE_CHARS_MAX:
        return [Problem("purpose", f"must be at most {wire.TITLE_CHARS_MAX} characters")]
    if not instruction.purpose.strip() and instruction.amount.minor >= wire.REMARK_FROM_FEN:
        return [Problem("purpose", f"is mandatory from {wire.REMARK_FROM_FEN} fen")]
    return []


def _instrument(instruction: Instruction, settings: AlipaySettings) -> list[Problem]:
    instrument = instruction.instrument
    if instrument.rail not in settings.products:
        return [Problem("instrument", f"this application is not configured for {instrument.rail}")]
    match instrument:
        case AlipayAccount(identity, identity_type, name):
            return _account(identity, identity_type, name)
        case BankCard(number, name):
            return _card(number, name)
        case BankAccount(number, name, line_number, bank_name):
            found = _card(number, name)
            if _LINE_NUMBER.fullmatch(line_number) is None:
                found.append(Problem("instrument.bank_code", "must be a 12-digit line number"))
            if not bank_name.strip():
                found.append(Problem("instrument.bank_name", "is mandatory"))
            return found
    return [Problem("instrument", f"Alipay does not reach {instrument.rail}")]


def _account(identity: str, identity_type: AlipayIdentity, name: str | None) -> list[Problem]:
    found = []
    if not identity.strip():
        found.append(Problem("instrument.identity", "is mandatory"))
    elif identity_type is AlipayIdentity.USER_ID and _USER_ID.fullmatch(identity) is None:
        found.append(Problem("instrument.identity", "must be 16 digits beginning with 2088"))
    if identity_type is AlipayIdentity.LOGON_ID and not (name and name.strip()):
        found.append(Problem("instrument.name", "is mandatory for a logon id"))
    return found


def _card(number: str, name: str) -> list[Problem]:
    found = []
    if _ACCOUNT_NUMBER.fullmatch(number) is None:
        found.append(Problem("instrument.number", "must be 8 to 32 digits"))
    if not name.strip():
        found.append(Problem("instrument.name", "is mandatory"))
    return found

"""What this channel promises, and what it would refuse for ever. Pure.

Rules of the fields of `/api/agentpay/apply` (dialects.md §3.1) and of the operator's contract.
Problems name the field and never quote what is in it.
"""

import re
import string
from dataclasses import replace

from channels.contract import (
    BankAccount,
    BankCard,
    Instruction,
    Instrument,
    Problem,
    ReferenceRule,
    Terms,
    Traits,
)
from channels.money import Currency, Money
from channels.xxpay import wire
from channels.xxpay.profile import PROFILE
from channels.xxpay.settings import XxPaySettings

_REFERENCE = re.compile(r"[A-Za-z0-9]{1,30}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{8,32}", re.ASCII)
_LINE_NUMBER = re.compile(r"[0-9]{12}", re.ASCII)
_POSES_AS_FIELD = re.compile(r"&\w+=")
_URL_CHARS_MAX = 200


def traits(settings: XxPaySettings, terms: Terms) -> Traits:
    """What protocol and contract promise. A number is never sent twice: nothing in the protocol
    keeps a second request from being carried out."""
    return Traits(
        kind="xxpay",
        rails=frozenset(settings.rails),
        terms=terms,
        reference=ReferenceRule(string.digits + string.ascii_letters, 1, 30),
        resend=None,
        inquire_first_s=settings.inquire_first_s,
        inquire_max_s=settings.inquire_max_s,
        inquire_horizon_days=None,
        sends_per_s=None,
        name_required_from_minor=None,
        notices=True,
        statement=False,
        statement_ready=None,
        payee_confirms=False,
        profile=replace(PROFILE, refusal_lag_s=settings.refusal_lag_s),
        notices_in_query=True,
    )


def problems(
    instruction: Instruction, settings: XxPaySettings, terms: Terms
) -> tuple[Problem, ...]:
    """Everything at fault, at once; empty if it may be sent."""
    instrument = instruction.instrument
    if instrument.rail not in settings.rails:
        return (Problem("instrument", f"this channel is not configured for {instrument.rail}"),)
    return (
        *_of_payee(instrument),
        *_of_amount(instruction.amount, terms),
        *_of_text(instruction),
    )


def _of_payee(instrument: Instrument) -> list[Problem]:
    if not isinstance(instrument, BankCard | BankAccount):
        return [Problem("instrument", f"XxPay does not reach {instrument.rail}")]
    found = []
    if _NUMBER.fullmatch(instrument.number) is None:
        found.append(Problem("instrument.number", "must be 8 to 32 digits"))
    given = {"name": instrument.name, "bank_name": instrument.bank_name}
    needed = {"name"}
    if isinstance(instrument, BankAccount):
        # §3.1: mandatory for companies, whatever the bank.
        given |= {"province": instrument.province, "city": instrument.city}
        needed |= {"bank_name", "province", "city"}
        if _LINE_NUMBER.fullmatch(instrument.bank_code) is None:
            found.append(Problem("instrument.bank_code", "must be a 12-digit line number"))
    for name, text in given.items():
        if name in needed and not (text or "").strip():
            found.append(Problem(f"instrument.{name}", "is mandatory"))
        elif not _is_plain(text or "", wire.NAME_CHARS_MAX):
            message = f"must be at most {wire.NAME_CHARS_MAX} readable characters"
            found.append(Problem(f"instrument.{name}", message))
    return found


def _of_amount(amount: Money, terms: Terms) -> list[Problem]:
    if amount.currency is not Currency.CNY:
        return [Problem("amount.currency", "this channel pays CNY only")]
    least = max(1, terms.amount_min)
    if least <= amount.minor <= terms.amount_max:
        return []
    return [Problem("amount", f"must be {least} to {terms.amount_max} fen")]


def _of_text(instruction: Instruction) -> list[Problem]:
    found = []
    if _REFERENCE.fullmatch(instruction.reference) is None:
        found.append(Problem("reference", "must be 1 to 30 letters and digits"))
    most = wire.PURPOSE_CHARS_MAX
    if not instruction.purpose.strip() or not _is_plain(instruction.purpose, most):
        found.append(Problem("purpose", f"must be 1 to {most} readable characters"))
    url = instruction.notify_url
    if url is not None and (
        not url.startswith(("https://", "http://"))
        or len(url) > _URL_CHARS_MAX
        or "?" in url
        or not url.isascii()
    ):
        # They append `?` and the fields, whatever the address already has.
        message = f"must be http(s), at most {_URL_CHARS_MAX} ASCII characters, without query"
        found.append(Problem("notify_url", message))
    return found


def _is_plain(text: str, chars_max: int) -> bool:
    """Readable, and not to be mistaken for another field of the signed text."""
    plain = text.isprintable() and _POSES_AS_FIELD.search(text) is None
    return plain and len(text) <= chars_max

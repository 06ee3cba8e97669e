"""What this channel promises, and what it would refuse for ever. Pure.

Rules of the fields of `/api/agentpay/apply` (dialects.md §3.1) and of the operator's contract.
Problems name the field and never quote what is in it.
"""

import re
import string

from msgspec.structs import replace

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
from channels.keyed_md5.checks import is_plain, of_amount, of_text
from channels.xxpay import wire
from channels.xxpay.profile import PROFILE
from channels.xxpay.settings import XxPaySettings

_NUMBER = re.compile(r"[0-9]{8,32}", re.ASCII)
_LINE_NUMBER = re.compile(r"[0-9]{12}", re.ASCII)
_REFERENCE_CHARS_MAX = 30
_URL_CHARS_MAX = 200


def traits(settings: XxPaySettings, terms: Terms) -> Traits:
    """What protocol and contract promise. A number is never sent twice: nothing in the protocol
    keeps a second request from being carried out."""
    return Traits(
        kind="xxpay",
        rails=frozenset(settings.rails),
        terms=terms,
        reference=ReferenceRule(string.digits + string.ascii_letters, 1, _REFERENCE_CHARS_MAX),
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
        *of_amount(instruction.amount, terms),
        *of_text(
            instruction,
            reference_max=_REFERENCE_CHARS_MAX,
            purpose_max=wire.PURPOSE_CHARS_MAX,
            url_max=_URL_CHARS_MAX,
        ),
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
        elif not is_plain(text or "", wire.NAME_CHARS_MAX):
            message = f"must be at most {wire.NAME_CHARS_MAX} readable characters"
            found.append(Problem(f"instrument.{name}", message))
    return found

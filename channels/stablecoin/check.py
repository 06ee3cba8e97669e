"""What Circle Mint would refuse for ever, found before anything is built.

Pure. Rules of the two payout calls (wire-protocols.md §5.2) and the operator's terms. Problems name
the field and never quote what is in it.
"""

import re
import string

from channels.contract import (
    ChainAddress,
    Instruction,
    Problem,
    ReferenceRule,
    Traits,
    WireAccount,
)
from channels.stablecoin.settings import StablecoinSettings

REFERENCE = ReferenceRule(string.digits + string.ascii_letters, 1, 32)
"""Ours alone: only the idempotency key made of it is sent (`signing.idempotency_key`)."""
AMOUNT_MAX_MINOR = 10**15

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)


def problems(
    instruction: Instruction, settings: StablecoinSettings, traits: Traits
) -> tuple[Problem, ...]:
    """Everything at fault; empty if it may be sent."""
    return (
        *_reference(instruction.reference),
        *_amount(instruction, traits),
        *_instrument(instruction, settings),
    )


def _reference(reference: str) -> list[Problem]:
    if REFERENCE.fits(reference):
        return []
    return [Problem("reference", "must be 1 to 32 letters and digits")]


def _amount(instruction: Instruction, traits: Traits) -> list[Problem]:
    terms, amount = traits.terms, instruction.amount
    if amount.currency is not terms.currency:
        return [Problem("amount.currency", f"this account pays out {terms.currency} only")]
    least, most = max(terms.amount_min, 1), min(terms.amount_max, AMOUNT_MAX_MINOR)
    if least <= amount.minor <= most:
        return []
    return [Problem("amount", f"must be {least} to {most} cents")]


def _instrument(instruction: Instruction, settings: StablecoinSettings) -> list[Problem]:
    instrument = instruction.instrument
    if instrument.rail not in settings.rails:
        return [Problem("instrument", f"this account is not configured for {instrument.rail}")]
    match instrument:
        case WireAccount(account_id):
            if _UUID.fullmatch(account_id) is None:
                return [Problem("instrument.account_id", "must be the id of a bank account")]
        case ChainAddress(chain=chain, recipient_id=recipient_id):
            found = []
            if chain not in settings.chains:
                found.append(Problem("instrument.chain", "this account does not pay out on it"))
            if recipient_id is None or _UUID.fullmatch(recipient_id) is None:
                found.append(
                    Problem("instrument.recipient_id", "must be the id of an address-book entry")
                )
            return found
    return []

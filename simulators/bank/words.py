"""How payments and movements are put into the bank's messages, truly or as faults want it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from simulators.bank.messages import Line, Owner, StatusWord, major
from simulators.bank.settings import Account
from simulators.bank.submission import Submission, Transaction
from simulators.books import Movement
from simulators.faults import Hits

RETURNED_FOR = "AC04"
_SUB_FAMILIES: Mapping[str, tuple[str, str]] = {
    "payout": ("ICDT", "DMCT"),
    "fee": ("ICDT", "CHRG"),
    "return": ("RCDT", "RRTN"),
    "topup": ("RCDT", "DMCT"),
}


def line_of(movement: Movement) -> Line:
    """How a movement is booked."""
    family, sub_family = _SUB_FAMILIES[movement.kind]
    return Line(
        entry_ref=f"E{movement.number:012d}",
        amount_minor=movement.amount_minor,
        credit=not movement.is_outgoing,
        booked_at=movement.at,
        family=family,
        sub_family=sub_family,
        end_to_end_id=movement.reference,
        payee=movement.payee if movement.kind == "payout" else "",
        returned_for=RETURNED_FOR if movement.kind == "return" else "",
    )


def owner_of(account: Account) -> Owner:
    """The account as reports name it."""
    return Owner(account.number, account.currency, account.exponent, account.owner)


def word_of(
    file: Submission, asked: Transaction, status: str, reason: str, number: str
) -> StatusWord:
    """A status with everything it echoes."""
    return StatusWord(
        original_message_id=file.message_id,
        original_created_at=file.created_at,
        payment_id=asked.payment_id,
        instruction_id=asked.instruction_id,
        end_to_end_id=asked.end_to_end_id,
        status=status,
        reason=reason,
        amount=str(asked.amount),
        currency=asked.currency,
        payee=asked.payee,
        service_ref=number,
    )


def disguised(word: StatusWord, hits: Hits | None) -> StatusWord:
    """The faults that change what a true first status says."""
    if hits is None or not hits:
        return word
    if (lie := hits.get("reject")) is not None:
        return replace(word, status="RJCT", reason=lie.text("code"))
    if (strange := hits.get("unknown_code")) is not None:
        return replace(word, status="RJCT", reason=strange.text("code"))
    for action in ("unknown_status", "status_lie"):
        if (lie := hits.get(action)) is not None:
            return replace(word, status=lie.text("status")[:4])
    if (wrong := hits.get("wrong_echo")) is not None:
        match wrong.text("field"):
            case "reference":
                return replace(word, end_to_end_id=f"{word.end_to_end_id[:34]}X")
            case "payee":
                return replace(word, payee=word.payee[::-1])
            case _:
                digits = int(word.amount.replace(".", "")) + 1
                places = len(word.amount.partition(".")[2])
                return replace(word, amount=major(digits, places) if places else str(digits))
    return word

"""Circle Mint's payout messages: what is asked, and what an answer means for a payout.

Pure. Fields follow wire-protocols.md §5.1 and §5.2. Replies are not signed; TLS alone says who
speaks. A payout is believed only if its destination and amount are ours, and its id where we know
it: nothing in it repeats our key.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from channels.contract import (
    Absent,
    ChainAddress,
    Evidence,
    Inquiry,
    Instruction,
    Instrument,
    Outcome,
    Paid,
    Pending,
    Rail,
    Reason,
    Rejected,
    Returned,
    Unknown,
    UnknownCause,
    WireAccount,
)
from channels.money import Money
from channels.stablecoin import codes
from channels.stablecoin.codes import Step
from channels.stablecoin.fields import (
    WireError,
    fee_of,
    money_of,
    object_of,
    parse,
    text_of,
    time_of,
)
from channels.stablecoin.settings import StablecoinSettings
from channels.stablecoin.signing import idempotency_key
from channels.transport import Reply
from channels.unprinted import Unprinted

PATHS: Mapping[Rail, str] = {Rail.WIRE: "/v1/businessAccount/payouts", Rail.CHAIN: "/v1/payouts"}
"""§5.1: fiat payouts and crypto payouts."""
CREATED = frozenset({200, 201})
MESSAGE_CHARS_MAX = 500
RETURNING = "returning"
"""The stage of a payout whose return is under way."""

_ID = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)


# --- Asking ----------------------------------------------------------------------------------


def payout(instruction: Instruction, settings: StablecoinSettings) -> bytes:
    """Ask to pay: the same instruction always makes the same bytes.

    With a balance in another currency only `toAmount` names a sum: one computed from a quote would
    differ at the next send, and the same key must stand for the same body.
    """
    instrument, amount = instruction.instrument, instruction.amount
    sum_of = {"amount": str(amount), "currency": amount.currency.value}
    asked: dict[str, object] = {"idempotencyKey": idempotency_key(instruction.reference)}
    if instrument.rail is Rail.CHAIN and settings.source_wallet_id is not None:
        asked["source"] = {"type": "wallet", "id": settings.source_wallet_id}
    asked["destination"] = dict(zip(("type", "id"), destination(instrument, settings), strict=True))
    if settings.source_currency is None:
        asked["amount"] = sum_of
    else:
        asked["amount"] = {"currency": settings.source_currency}
        asked["toAmount"] = sum_of
    return json.dumps(asked, separators=(",", ":")).encode()


def destination(instrument: Instrument, settings: StablecoinSettings) -> tuple[str, str]:
    """Type and id under which the institution knows the beneficiary."""
    match instrument:
        case WireAccount(account_id):
            return settings.wire_type, account_id
        case ChainAddress(recipient_id=recipient_id) if recipient_id:
            return "address_book", recipient_id
        case _:
            raise ValueError(f"no Circle Mint payout reaches this {instrument.rail}")


# --- Understanding ---------------------------------------------------------------------------


class Back(Struct, frozen=True):
    """The `return` object of a payout."""

    status: str
    amount: Money | None
    at: datetime | None


class Standing(Unprinted, frozen=True):
    """A payout as the institution shows it."""

    hidden = frozenset({"destination"})

    id: str
    destination: tuple[str, str]
    amount: Money | None
    """What the payee gets: `toAmount` where there is one. None if it cannot be read."""
    status: str
    error_code: str | None
    fee: Money | None
    updated_at: datetime
    back: Back | None

    def is_for(self, asked: Inquiry, settings: StablecoinSettings) -> bool:
        """Whether destination and amount are those of our payout."""
        return (
            self.destination == destination(asked.instrument, settings)
            and self.amount == asked.amount
        )


def read_standing(found: object) -> Standing:
    """Read one payout object. Raises `WireError`."""
    fields = object_of(found, "payout")
    target = object_of(fields.get("destination"), "destination")
    number = text_of(fields, "id")
    if _ID.fullmatch(number) is None:
        raise WireError("id")
    to_amount = fields.get("toAmount")
    return Standing(
        id=number,
        destination=(text_of(target, "type"), text_of(target, "id")),
        amount=money_of(fields.get("amount") if to_amount is None else to_amount),
        status=text_of(fields, "status"),
        error_code=text_of(fields, "errorCode") if fields.get("errorCode") is not None else None,
        fee=fee_of(fields),
        updated_at=time_of(fields, "updateDate"),
        back=_back(fields.get("return"), number),
    )


def read_submission(reply: Reply, asked: Inquiry, settings: StablecoinSettings) -> Outcome:
    """What the answer to a payout request means.

    A failed payout in it is left to the inquiry by its id: the table of errors speaks of looked-up
    payouts, and a first reply may be as old as the first request (§5.3).
    """
    if reply.status not in CREATED:
        return _refused(reply)
    outcome = _read(reply, asked, settings)
    if isinstance(outcome, Rejected):
        return Pending(outcome.channel_ref, "failed")
    return outcome


def read_inquiry(reply: Reply, asked: Inquiry, settings: StablecoinSettings) -> Outcome | Absent:
    """What the answer to a question by the payout's id means."""
    if reply.status in CREATED:
        return _read(reply, asked, settings)
    error = read_error(reply)
    if error is None:
        return Unknown(UnknownCause.UNREADABLE, reply.evidence())
    if reply.status == 404:
        return Absent(error.seen)
    return Unknown(codes.inquiry_error(reply.status, error.code), error.seen)


class Error(Struct, frozen=True):
    """An error of the institution's own."""

    code: int
    detail: tuple[str, str]
    seen: Evidence


def read_error(reply: Reply) -> Error | None:
    """Read the error body; None for anything that is not one, such as a proxy's page."""
    try:
        fields = parse(reply.body)
    except WireError:
        return None
    code, message, listed = fields.get("code"), fields.get("message"), fields.get("errors")
    if not isinstance(code, int) or isinstance(code, bool) or not isinstance(message, str):
        return None
    first = listed[0] if isinstance(listed, list) and listed else {}
    first = first if isinstance(first, dict) else {}
    detail = (str(first.get("error", "")), str(first.get("location", "")))
    return Error(code, detail, reply.evidence(str(code), message[:MESSAGE_CHARS_MAX]))


def _refused(reply: Reply) -> Outcome:
    error = read_error(reply)
    if error is None:
        return Unknown(UnknownCause.UNREADABLE, reply.evidence())
    row = codes.submission_error(reply.status, error.code, error.detail)
    if isinstance(row.means, Reason):
        said = error.seen.message or ""
        return Rejected(row.means, str(error.code), said, confirm=row.confirm)
    return Unknown(row.means, error.seen)


def _read(reply: Reply, asked: Inquiry, settings: StablecoinSettings) -> Outcome:
    try:
        found = read_standing(parse(reply.body).get("data"))
    except WireError as error:
        return Unknown(UnknownCause.UNREADABLE, reply.evidence(message=str(error)))
    if asked.channel_ref not in {None, found.id} or not found.is_for(asked, settings):
        message = "differs from what was sent: id, destination or amount"
        return Unknown(UnknownCause.MISMATCH, reply.evidence(message=message))
    return outcome_of(found, asked, reply.evidence(code=found.error_code or found.status))


def outcome_of(found: Standing, asked: Inquiry, seen: Evidence) -> Outcome:
    """What the state of our payout means. A return counts once it is complete (§5.2)."""
    if found.back is not None and found.back.status != "failed":
        return _came_back(found, found.back, asked, seen)
    match codes.STATUSES.get(found.status):
        case None:
            return Unknown(UnknownCause.UNKNOWN_STATE, replace(seen, code=found.status))
        case Step.PENDING:
            return Pending(found.id, found.status)
        case Step.PAID:
            return Paid(found.id, found.updated_at, found.fee)
        case Step.FAILED:
            row = codes.failure(found.error_code)
            if isinstance(row.means, UnknownCause):
                return Unknown(row.means, seen)
            return Rejected(row.means, found.error_code or "", channel_ref=found.id)


def _came_back(found: Standing, back: Back, asked: Inquiry, seen: Evidence) -> Outcome:
    if back.status == "pending":
        return Pending(found.id, RETURNING)
    if back.status != "complete":
        return Unknown(UnknownCause.UNKNOWN_STATE, replace(seen, code=back.status))
    amount = back.amount
    if amount is None or back.at is None or amount.currency is not asked.amount.currency:
        return Unknown(UnknownCause.MISMATCH, seen)
    if not Money(0, amount.currency) < amount <= asked.amount:
        return Unknown(UnknownCause.MISMATCH, seen)
    return Returned(found.id, back.at, amount)


def _back(value: object, number: str) -> Back | None:
    if value is None:
        return None
    fields = object_of(value, "return")
    named = fields.get("payoutId")
    if named is not None and named != number:
        raise WireError("return.payoutId")
    name = "updateDate" if fields.get("updateDate") is not None else "createDate"
    at = time_of(fields, name) if fields.get(name) is not None else None
    return Back(str(fields.get("status", "")), money_of(fields.get("amount")), at)

"""What Circle Mint's errors and states mean, as literal tables.

Sources are sections of wire-protocols.md. An answer counts only with the institution's own JSON:
HTTP status and numeric `code` together choose a row, and what no row names is `Unknown`.

Classes: (a) refused, no money moved; (b) cannot tell; (c) not taken in, the same may be sent again;
(d) the channel or our account refuses, believed only after a look has found nothing.
"""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from channels.contract import Reason, UnknownCause


class Row(Struct, frozen=True):
    """What one answer, or one errorCode, means."""

    means: Reason | UnknownCause
    source: str
    confirm: bool = False
    """Refused, but only believed once looks find nothing that could be this payout."""


ANY = 0
"""Stands for every numeric code under that HTTP status."""
UNSURE = -1
"""§5.4: "Something went wrong", transient, whatever the HTTP status; executed or not."""
INVALID = 2

SUBMIT: Mapping[tuple[int, int], Row] = {
    (400, INVALID): Row(Reason.PARAMETER_REFUSED, "§5.4 (a)"),
    # §5.3: another body under this key; documented for managed payments, UNVERIFIED for Mint. That
    # key is ours, so something was sent under it: its fate is open.
    (409, 1083): Row(UnknownCause.CHANNEL_UNSURE, "§5.4 (b)"),
    (409, ANY): Row(UnknownCause.CHANNEL_UNSURE, "§5.4 (b)"),
    (429, ANY): Row(UnknownCause.THROTTLED, "§5.4 (c)"),
    (500, ANY): Row(UnknownCause.CHANNEL_UNSURE, "§5.4 (b)"),
    # Which codes come with 401 and 403 is UNVERIFIED: so a look must agree.
    (401, ANY): Row(Reason.SIGNATURE_REFUSED, "§5.4 (d)", True),
    (403, ANY): Row(Reason.NOT_PERMITTED, "§5.4 (d)", True),
}

DETAILS: Mapping[tuple[str, str], Reason] = {
    # `errors[0]` of a 400 with code 2: (error, location); the class stays (a), §5.4.
    ("min_value", "amount.amount"): Reason.AMOUNT_BELOW_MINIMUM,
    ("max_value", "amount.amount"): Reason.AMOUNT_ABOVE_MAXIMUM,
    ("invalid_value", "destination.id"): Reason.INSTRUMENT_INVALID,
    ("invalid_value", "destination"): Reason.INSTRUMENT_INVALID,
}

FAILURES: Mapping[str, Row] = {
    # §5.2 lists the words, §5.4 classes them.
    "invalid_bank_account_number": Row(Reason.INSTRUMENT_INVALID, "§5.4 (a)"),
    "invalid_ach_rtn": Row(Reason.INSTRUMENT_INVALID, "§5.4 (a)"),
    "invalid_wire_rtn": Row(Reason.INSTRUMENT_INVALID, "§5.4 (a)"),
    "transaction_denied": Row(Reason.RISK_REFUSED, "§5.4 (a)"),
    # (d) counts without a further look: the failed payout itself has been looked up.
    "insufficient_funds": Row(Reason.FLOAT_SHORT, "§5.4 (d)"),
    "fiat_account_limit_exceeded": Row(Reason.QUOTA_EXHAUSTED, "§5.4 (d)"),
    "vendor_inactive": Row(Reason.ACCOUNT_SUSPENDED, "§5.4 (d)"),
    # Failed, yet the bank may have had the money: only a completed `return` ends these.
    "transaction_failed": Row(UnknownCause.CHANNEL_UNSURE, "§5.4 (b)"),
    "bank_transaction_error": Row(UnknownCause.CHANNEL_UNSURE, "§5.4 (b)"),
    "transaction_returned": Row(UnknownCause.CHANNEL_UNSURE, "§5.2, without `return`"),
}


class Step(StrEnum):
    """Where a status puts a payout."""

    PENDING = "pending"
    PAID = "paid"
    FAILED = "failed"


STATUSES: Mapping[str, Step] = {
    # §5.2
    "pending": Step.PENDING,
    "complete": Step.PAID,
    "failed": Step.FAILED,
}

UNLISTED = Row(UnknownCause.UNKNOWN_CODE, "§0, any code not in a list")


def submission_error(status: int, code: int, detail: tuple[str, str]) -> Row:
    """What an error answer to a payout request means."""
    if code == UNSURE:
        return Row(UnknownCause.CHANNEL_UNSURE, "§5.4 (b), code -1")
    row = SUBMIT.get((status, code)) or SUBMIT.get((status, ANY)) or UNLISTED
    if row.means is Reason.PARAMETER_REFUSED:
        return Row(DETAILS.get(detail, row.means), row.source)
    return row


def inquiry_error(status: int, code: int) -> UnknownCause:
    """Why a refused question leaves the payout's fate open."""
    if status == 429:
        return UnknownCause.THROTTLED
    known = code == UNSURE or status in {401, 403, 500}
    return UnknownCause.CHANNEL_UNSURE if known else UnknownCause.UNKNOWN_CODE


def failure(error_code: str | None) -> Row:
    """Why a payout in the state `failed` failed; without a listed word even that is in doubt."""
    return FAILURES.get(error_code or "", UNLISTED)

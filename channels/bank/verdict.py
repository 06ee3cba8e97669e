"""What became of a payout, judged from everything the bank's files say about it.

Pure. The rules, strongest first:

1. A booking, or the newest status, that names our reference with another amount or payee is a
   mismatch; an older one that does spoils a refusal.
2. A booked credit that brings our payment back: returned.
3. A booked debit proves that money left. With a final status newest it is paid; with a rejection
   newest and no return it is in doubt; else it is paid only if the profile says so.
4. Of the statuses the newest wins (`CreDtTm`; of the same second the later stage). A refusal of a
   repeated file says nothing about the first one. Without a debit, a rejection beside a final
   status is in doubt, whichever is newer.
5. A rejection is believed by its reason; one to be confirmed only once the bookings had
   `refusal_lag_s` to show a debit. Every file of the time must have been readable.
6. Nothing at all: absent, which proves nothing.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from channels.bank.codes import DUPLICATES, RANKS, STATUSES, Step, rejection
from channels.bank.facts import Entry, Status
from channels.bank.profile import BankProfile
from channels.contract import (
    Absent,
    Evidence,
    Inquiry,
    Instrument,
    Outcome,
    Paid,
    Pending,
    Reason,
    Rejected,
    Returned,
    Unknown,
    UnknownCause,
)

BOOKED = "BOOK"
UNDER_WAY = "PDNG"


def judge(
    asked: Inquiry,
    statuses: Sequence[Status],
    entries: Sequence[Entry],
    unreadable: Sequence[str],
    bank: BankProfile,
    now: datetime,
) -> Outcome | Absent:
    """The outcome, of facts that all may be about this payout."""
    seen = _evidence(statuses)
    # Charges may be booked apart under our reference; they prove nothing about the payment.
    entries = [one for one in entries if one.credit or one.bank_code not in bank.fee_codes]
    first_hand = [one for one in statuses if not _is_duplicate(one)]
    mismatched = [one for one in first_hand if not _is_told(one, asked)]
    if not all(_fits(one, asked) for one in entries) or (
        mismatched and max(first_hand, key=_order) in mismatched
    ):
        return Unknown(UnknownCause.MISMATCH, seen)
    booked = [one for one in entries if one.status == BOOKED]
    back = next((one for one in booked if one.brings_back), None)
    if back is not None:
        return Returned(back.service_ref, back.booked_at, back.amount)
    debit = next((one for one in booked if not one.credit), None)
    is_reserved = any(one.status == UNDER_WAY and not one.credit for one in entries)
    outcome = _by_status(statuses, first_hand, debit, bank, now, is_reserved=is_reserved)
    if mismatched and isinstance(outcome, Rejected):
        return Unknown(UnknownCause.MISMATCH, seen)
    if unreadable and isinstance(outcome, Rejected | Absent):
        # Any of them may tell the debit that this refusal, or this absence, knows nothing of.
        message = f"{len(unreadable)} unreadable files, e.g. {unreadable[0]}"
        return Unknown(UnknownCause.UNREADABLE, Evidence(code=seen.code, message=message))
    return outcome


def read_receipt(asked: Inquiry, statuses: Sequence[Status], bank: BankProfile) -> Outcome:
    """What a pain.002 means that comes as the answer to the file itself.

    It is the first word about it, so no booking can be looked at: refusals are to be confirmed
    unless their reason alone decides, and a duplicate is in doubt.
    """
    ours = about(asked.reference, statuses)
    seen = _evidence(ours)
    if not ours or not all(_is_told(one, asked) for one in ours):
        return Unknown(UnknownCause.MISMATCH, seen)
    newest = max(ours, key=_order)
    match STATUSES.get(newest.code, (None, ""))[0]:
        case Step.PENDING | Step.DEBITED | Step.CREDITED:
            return Pending(newest.service_ref, newest.code)
        case Step.REJECTED:
            row = rejection(newest.reasons, bank.overrides)
            if isinstance(row.means, UnknownCause):
                return Unknown(row.means, seen)
            return Rejected(row.means, ",".join(newest.reasons), newest.text, row.confirm)
        case _:
            return Unknown(UnknownCause.UNKNOWN_STATE, seen)


def about(reference: str, statuses: Sequence[Status]) -> list[Status]:
    """Those about our payment, or about the file that held it alone."""
    return [one for one in statuses if reference in {one.end_to_end_id, one.original_message_id}]


def _by_status(
    statuses: Sequence[Status],
    first_hand: Sequence[Status],
    debit: Entry | None,
    bank: BankProfile,
    now: datetime,
    *,
    is_reserved: bool,
) -> Outcome | Absent:
    seen = _evidence(statuses)
    if not first_hand and statuses and debit is None:
        return Unknown(UnknownCause.CHANNEL_UNSURE, seen)
    if not first_hand:
        return _unsaid(debit, bank, seen, is_reserved=is_reserved)
    newest = max(first_hand, key=_order)
    steps = {STATUSES.get(one.code, (None, ""))[0] for one in first_hand}
    if debit is not None and _is_final(newest, bank):
        return _paid(newest, debit)
    is_refused = bool(steps & {Step.REJECTED, Step.CANCELLED})
    if is_refused and (debit is not None or is_reserved or steps & {Step.DEBITED, Step.CREDITED}):
        return Unknown(UnknownCause.CHANNEL_UNSURE, seen)
    match STATUSES.get(newest.code, (None, ""))[0]:
        case None:
            return Unknown(UnknownCause.UNKNOWN_STATE, seen)
        case Step.PENDING if debit is not None:
            return _unsaid(debit, bank, seen, is_reserved=is_reserved)
        case Step.PENDING:
            # A stage told later than a final one takes nothing back.
            final = [one for one in first_hand if _is_final(one, bank)]
            return _paid(final[-1], debit) if final else Pending(newest.service_ref, newest.code)
        case Step.DEBITED | Step.CREDITED:
            if any(_is_final(one, bank) for one in first_hand):
                return _paid(newest, debit)
            return Pending(newest.service_ref, newest.code)
        case Step.CANCELLED:
            return _refused(newest, Reason.RECALLED, bank, now, confirm=True)
        case Step.REJECTED:
            row = rejection(newest.reasons, bank.overrides)
            if isinstance(row.means, UnknownCause):
                return Unknown(row.means, seen)
            return _refused(newest, row.means, bank, now, confirm=row.confirm)


def _unsaid(
    debit: Entry | None, bank: BankProfile, seen: Evidence, *, is_reserved: bool
) -> Outcome | Absent:
    """What bookings say without a final status."""
    if debit is None:
        return Pending(None, UNDER_WAY) if is_reserved else Absent(seen)
    if bank.debit_is_paid:
        return Paid(debit.service_ref or debit.entry_ref, debit.booked_at)
    return Pending(debit.service_ref, BOOKED)


def _paid(status: Status, debit: Entry | None) -> Paid:
    ref = status.service_ref or (debit.service_ref if debit is not None else None)
    return Paid(ref or status.message_id, status.created_at)


def _refused(
    status: Status, reason: Reason, bank: BankProfile, now: datetime, *, confirm: bool
) -> Outcome:
    code = ",".join(status.reasons) or status.code
    if confirm and now < status.created_at + timedelta(seconds=bank.refusal_lag_s):
        message = f"{status.code} {code}: waiting for bookings to show no debit"
        return Unknown(UnknownCause.CHANNEL_UNSURE, Evidence(code=code, message=message))
    return Rejected(reason, code, status.text, channel_ref=status.service_ref)


def _is_final(status: Status, bank: BankProfile) -> bool:
    step = STATUSES.get(status.code, (None, ""))[0]
    return step is Step.CREDITED or (step is Step.DEBITED and bank.paid == "ACSC")


def _is_duplicate(status: Status) -> bool:
    return status.code == "RJCT" and bool(DUPLICATES & set(status.reasons))


def _order(status: Status) -> tuple[datetime, int]:
    return status.created_at, RANKS.get(status.code, len(RANKS))


def _is_told(status: Status, asked: Inquiry) -> bool:
    """Whether the echoes, where there are any, are ours."""
    return (
        status.end_to_end_id in {None, asked.reference}
        and status.amount in {None, asked.amount}
        and _is_payee(status.payee_account, asked.instrument)
    )


def _fits(entry: Entry, asked: Inquiry) -> bool:
    if entry.end_to_end_id not in {None, asked.reference}:
        return False
    if entry.brings_back:
        # A bank may keep its charges back from what it returns.
        same = entry.amount.currency is asked.amount.currency
        return same and 0 < entry.amount.minor <= asked.amount.minor
    return entry.amount == asked.amount and _is_payee(entry.payee_account, asked.instrument)


def _is_payee(account: str | None, instrument: Instrument) -> bool:
    """Banks mask numbers in some messages: those compare nothing."""
    return account is None or "*" in account or account == getattr(instrument, "number", account)


def _evidence(statuses: Sequence[Status]) -> Evidence:
    if not statuses:
        return Evidence()
    newest = max(statuses, key=_order)
    code = f"{newest.code} {','.join(newest.reasons)}".strip()
    return Evidence(code=code, message=newest.text or None)

"""Match a channel's statement with our attempts: pure, and linear in the number of lines.

Every line ends as a match, as a break, or as a movement that is not a payout's; every confirmed
attempt old enough to have been on a statement, and on none, is a break too. Nothing is dropped.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from msgspec import Struct

from channels.contract import LineKind, StatementLine
from channels.money import Currency
from gateway.domain.payout import Attempt, AttemptState, MerchantId, PayoutId


class BreakKind(StrEnum):
    """How a statement and our attempts can disagree (style.md §5)."""

    MISSING_THEIRS = "missing_theirs"
    """We say paid; no statement shows it."""
    MISSING_OURS = "missing_ours"
    """The statement shows a payout we know nothing of."""
    AMOUNT = "amount"
    DUPLICATE = "duplicate"
    """Two payouts under one reference: money may have gone twice."""
    STATUS = "status"
    """The statement shows money moving for an attempt that is proven dead, or never paid."""


class Break(Struct, frozen=True):
    """One open disagreement with a channel's statement."""

    channel: str
    on: date
    kind: BreakKind
    reference: str | None
    line_ref: str | None
    amount_minor: int
    currency: Currency
    payout_id: PayoutId | None
    detail: str
    opened_at: datetime


class Booked(Struct, frozen=True):
    """An attempt as reconciliation needs it."""

    payout_id: PayoutId
    merchant_id: MerchantId
    number: int
    reference: str
    channel_ref: str | None
    amount_minor: int
    currency: Currency
    state: AttemptState
    settled: bool


class Match(Struct, frozen=True):
    """A statement line and the attempt it is about, with the fee lines under the same reference."""

    attempt: Booked
    line: StatementLine
    fee_minor: int | None = None


class Fees(Struct, frozen=True):
    """The fee lines of one attempt on one statement."""

    attempt: Booked
    minor: int
    lines: int
    """0 for a dead attempt that moved money and has no such line, else 1 for all of them."""


@dataclass(slots=True)
class Reconciled:
    """What a statement says about our attempts."""

    paid: list[Match] = field(default_factory=list)
    """Debits of the right amount for a live attempt: it is paid, and settled."""
    returned: list[Match] = field(default_factory=list)
    """Credits that bring a payout's money back."""
    breaks: list[Break] = field(default_factory=list)
    fees: list[Fees] = field(default_factory=list)
    """What this statement shows to have been charged for attempts, dead ones included."""
    other_lines: int = 0
    """Movements that are no payout's: top-ups, transfers between own accounts."""


def reconcile(
    channel: str,
    on: date,
    lines: Iterable[StatementLine],
    attempts: Mapping[str, Booked],
    overdue: Sequence[Booked],
    at: datetime,
) -> Reconciled:
    """Compare one complete statement with what we know.

    `attempts` maps our references and the channel's to attempts; `overdue` are confirmed ones
    that should have been on this or an earlier statement.
    """
    result = Reconciled()
    payouts: dict[str, tuple[Booked, list[StatementLine]]] = {}
    fees: dict[str, int] = defaultdict(int)
    charged: dict[str, tuple[Booked, int]] = {}
    for line in lines:
        attempt = find(line, attempts)
        match line.kind:
            case LineKind.PAYOUT if attempt is not None:
                payouts.setdefault(attempt.reference, (attempt, []))[1].append(line)
            case LineKind.OTHER if attempt is not None and not line.credit and _fits(line, attempt):
                # An institution's word that no table knows; reference and amount are ours.
                payouts.setdefault(attempt.reference, (attempt, []))[1].append(line)
            case LineKind.PAYOUT:
                why = "the statement shows a payout under no reference of ours"
                result.breaks.append(
                    _break(channel, on, BreakKind.MISSING_OURS, line, None, why, at)
                )
            case LineKind.FEE if attempt is not None:
                fees[attempt.reference] += -line.amount.minor if line.credit else line.amount.minor
                charged[attempt.reference] = (attempt, 1)
            case LineKind.RETURN if attempt is not None:
                result.returned.append(Match(attempt, line))
            case LineKind.RETURN:
                why = "the statement shows a return under no reference of ours"
                result.breaks.append(
                    _break(channel, on, BreakKind.MISSING_OURS, line, None, why, at)
                )
            case _:
                result.other_lines += 1
    seen = set()
    for reference, (owner, found) in payouts.items():
        # The line that fits stands for the payout, wherever it is in the file.
        first, *extras = sorted(
            found, key=lambda line: (not _fits(line, owner), line.booked_at, line.line_ref)
        )
        seen.add(reference)
        for extra in extras:
            why = f"a second payout under this reference, beside line {first.line_ref}"
            result.breaks.append(_break(channel, on, BreakKind.DUPLICATE, extra, owner, why, at))
        _one_payout(channel, on, first, owner, fees.get(reference), result, at)
    dead = {key: (one, 0) for key, (one, _) in payouts.items() if one.state is AttemptState.DEAD}
    result.fees = [
        Fees(owner, fees.get(reference, 0), count)
        for reference, (owner, count) in (dead | charged).items()
    ]
    for attempt in overdue:
        if attempt.reference not in seen:
            result.breaks.append(_missing(channel, on, attempt, at))
    return result


def is_on_record(attempt: Attempt) -> bool:
    """Whether its money is booked as moved on a statement's word, or against its proof of death."""
    late = attempt.state is AttemptState.DEAD and "paid" in attempt.contradictions
    return late or attempt.settled_on is not None


def shown_fee_minor(attempt: Attempt, minor: int, lines: int) -> int:
    """The fee that statements show: the sum of their lines.

    Without any line, a fee that the channel has named stands until its line comes, and one that was
    only quoted was not charged.
    """
    return minor if lines else (attempt.fee_minor or 0)


def find(line: StatementLine, attempts: Mapping[str, Booked]) -> Booked | None:
    """The attempt a line names, by our reference first and the channel's second."""
    for key in (line.reference, line.channel_ref):
        if key is not None and key in attempts:
            return attempts[key]
    return None


def _fits(line: StatementLine, attempt: Booked) -> bool:
    return line.amount.currency is attempt.currency and line.amount.minor == attempt.amount_minor


def _one_payout(
    channel: str,
    on: date,
    line: StatementLine,
    attempt: Booked,
    fee_minor: int | None,
    result: Reconciled,
    at: datetime,
) -> None:
    if attempt.state is AttemptState.DEAD:
        why = "the statement shows money moving for an attempt that is proven dead"
        result.breaks.append(_break(channel, on, BreakKind.STATUS, line, attempt, why, at))
    elif not _fits(line, attempt):
        why = f"we sent {attempt.amount_minor} {attempt.currency}, they booked {line.amount.minor}"
        result.breaks.append(_break(channel, on, BreakKind.AMOUNT, line, attempt, why, at))
    else:
        result.paid.append(Match(attempt, line, fee_minor))


def _break(
    channel: str,
    on: date,
    kind: BreakKind,
    line: StatementLine,
    attempt: Booked | None,
    detail: str,
    at: datetime,
) -> Break:
    return Break(
        channel,
        on,
        kind,
        line.reference or (attempt.reference if attempt else None),
        line.line_ref,
        line.amount.minor,
        line.amount.currency,
        attempt.payout_id if attempt else None,
        detail,
        at,
    )


def _missing(channel: str, on: date, attempt: Booked, at: datetime) -> Break:
    return Break(
        channel,
        on,
        BreakKind.MISSING_THEIRS,
        attempt.reference,
        None,
        attempt.amount_minor,
        attempt.currency,
        attempt.payout_id,
        "we have it as paid, and no statement up to this day shows it",
        at,
    )

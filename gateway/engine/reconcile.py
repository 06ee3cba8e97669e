"""Statements: fetch each finished business day, match it, settle what agrees, open what does not.

A day is marked as read only after all of it has been matched and acted on, so a crash in the
middle repeats the day; every act is idempotent.
"""

import asyncio
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from channels.contract import (
    Absent,
    Channel,
    ChannelError,
    Paid,
    Returned,
    StatementLine,
    StatementNotReadyError,
    ThrottledError,
)
from gateway.domain.certify import unseen
from gateway.domain.incident import of_break
from gateway.domain.ledger import charged_minor
from gateway.domain.payout import (
    Attempt,
    AttemptState,
    Event,
    FeeCorrected,
    Payout,
    PayoutState,
    Settled,
    Source,
)
from gateway.domain.proposal import open_attempt
from gateway.domain.reconciliation import (
    Booked,
    BreakKind,
    Fees,
    Match,
    Reconciled,
    is_on_record,
    reconcile,
    shown_fee_minor,
)
from gateway.domain.silence import Statements, statement_days, wait_of
from gateway.engine.dispatch import SETTLE_TRIES, conclude, settle
from gateway.engine.gateway import Gateway
from gateway.engine.hearing import heard_lines
from gateway.engine.inquire import ask
from gateway.engine.operate import find
from gateway.engine.quarantine import days_of
from gateway.engine.rebuild import recognise
from gateway.engine.record import incident_id, move, tell
from gateway.ports import StaleError, StoreError

PACE_S = 0.35
"""How long to wait, doubled each time, when a channel says that it is asked too often: WeChat takes
three bill requests a second (wire notes §2.6)."""
THROTTLED_TRIES = 5
LOOK_BACK = timedelta(days=7)
"""How many finished days are asked for; older gaps are for a person."""


@dataclass(slots=True)
class Report:
    """What one round of reading statements did."""

    days: int = 0
    lines: int = 0
    settled: int = 0
    returned: int = 0
    breaks: int = 0
    dead: int = 0
    """Attempts that complete statements prove never to have been carried out (C6)."""
    waiting: list[str] = field(default_factory=list)
    """Channel and day whose statement is not there yet or could not be read, with the reason."""


class Patience:
    """When a statement that was not there is asked for again: a minute, doubled up to an hour."""

    def __init__(self) -> None:
        """Begin impatient."""
        self._waits: dict[tuple[str, date], tuple[datetime, timedelta]] = {}

    def allows(self, channel: str, day: date, now: datetime) -> bool:
        """Whether it is time to ask (again)."""
        until, _ = self._waits.get((channel, day), (now, timedelta()))
        return now >= until

    def waited(self, channel: str, day: date, now: datetime) -> None:
        """It was not there."""
        _, last = self._waits.get((channel, day), (now, timedelta(seconds=30)))
        wait = min(last * 2, timedelta(hours=1))
        self._waits[channel, day] = (now + wait, wait)


async def reconcile_all(gateway: Gateway, patience: Patience | None = None) -> Report:
    """Read every statement that should exist by now and was not read before.

    With `patience`, days that were not ready are not asked for at every round. Raises the store's
    error, after every channel has come to its end.
    """
    report = Report()
    channels = [one for one in gateway.channels.values() if one.traits.statement]
    rounds = (_in_turn(gateway, one, patience, report) for one in channels)
    away: StoreError | None = None
    for channel, error in zip(
        channels, await asyncio.gather(*rounds, return_exceptions=True), strict=True
    ):
        if isinstance(error, StoreError):
            away = error
        elif isinstance(error, Exception):
            # A defect in one channel's file must not keep the others' from being read.
            gateway.observer.defect("statement.defect", error, channel=channel.name)
    if away is not None:
        raise away
    return report


async def _in_turn(
    gateway: Gateway, channel: Channel, patience: Patience | None, report: Report
) -> None:
    """One process at a time reads a channel's statements."""
    async with gateway.store.turn(f"statement:{channel.name}") as mine:
        if mine:
            await _channel(gateway, channel, patience, report)


async def _channel(
    gateway: Gateway, channel: Channel, patience: Patience | None, report: Report
) -> None:
    read = await gateway.store.statement_days(channel.name)
    known = len(read)
    for day in _days(gateway, channel, gateway.clock.now()):
        now = gateway.clock.now()
        if day in read or not (patience is None or patience.allows(channel.name, day, now)):
            continue
        try:
            lines = await _lines(gateway, channel, day)
        except ChannelError as trouble:
            report.waiting.append(f"{channel.name} {day}: {trouble}")
            if patience is not None:
                patience.waited(channel.name, day, now)
            if not isinstance(trouble, StatementNotReadyError):
                gateway.observer.alarm(
                    "statement.broken", channel=channel.name, on=str(day), problem=str(trouble)
                )
        else:
            await _day(
                gateway, channel, day, lines, await _overdue(gateway, channel, day, read), report
            )
            read.add(day)
    if len(read) > known:
        report.dead += await _never_booked(gateway, channel, read)


async def _lines(gateway: Gateway, channel: Channel, day: date) -> list[StatementLine]:
    """The whole statement; asked for again, ever more slowly, while the channel throttles."""
    for tries in range(THROTTLED_TRIES - 1):
        try:
            return await heard_lines(gateway, channel.name, channel.statement(day))
        except ThrottledError:
            await asyncio.sleep(PACE_S * 2**tries)
    return await heard_lines(gateway, channel.name, channel.statement(day))


async def _never_booked(gateway: Gateway, channel: Channel, read: Collection[date]) -> int:
    """Certify dead what complete statements of every possible day lack (C6); returns how many.

    The channel is asked once more right before: what it then says outweighs any file, and unless it
    says "not found" no file proves anything.
    """
    profile = channel.traits.profile
    wait = wait_of(profile)
    if profile.finality is None or wait is None:
        return 0
    zone = ZoneInfo(channel.traits.terms.cycle.timezone)
    dead = 0
    for payout_id in await gateway.store.doubtful(channel.name, gateway.clock.now() - wait):
        payout = await gateway.store.payout(payout_id)
        attempt = None if payout is None else open_attempt(payout)
        if payout is None or attempt is None or attempt.channel != channel.name:
            continue
        if not set(statement_days(attempt, profile, zone)) <= set(read):
            continue
        try:
            dead += await _is_dead_of_silence(gateway, payout, attempt, read)
        except StaleError:
            continue  # the worker has it in hand; the next statement looks again
    return dead


async def _is_dead_of_silence(
    gateway: Gateway, payout: Payout, attempt: Attempt, read: Collection[date]
) -> bool:
    traits = gateway.channels[attempt.channel].traits
    number, zone = attempt.number, ZoneInfo(traits.terms.cycle.timezone)
    outcome = await ask(gateway, payout, attempt)
    payout = await settle(gateway, payout, number, outcome, Source.INQUIRY)
    if not isinstance(outcome, Absent):
        # A channel that cannot say what it has may well be late with its statements, too.
        return False
    days = statement_days(payout.attempts[number - 1], traits.profile, zone)
    suspects = await gateway.store.suspects(payout.attempts[number - 1], payout.amount, days)
    statements = Statements(traits.profile, zone, read, suspects)

    def judge(payout: Payout, attempt: Attempt, now: datetime) -> tuple[Event, ...]:
        return unseen(payout, attempt, statements, now)

    after = await conclude(gateway, payout, number, judge, silent=True)
    return after.version != payout.version and after.live is None


def _days(gateway: Gateway, channel: Channel, now: datetime) -> Iterator[date]:
    """Finished local business days whose statement should be ready, oldest first.

    In quarantine, back to the day of the backup, however long ago that was.
    """
    zone = ZoneInfo(channel.traits.terms.cycle.timezone)
    ready = channel.traits.statement_ready or time(0)
    local = now.astimezone(zone)
    last = local.date() - timedelta(days=1 if local.time() >= ready else 2)
    day = last - LOOK_BACK + timedelta(days=1)
    if gateway.quarantine is not None and gateway.quarantine.ended_at is None:
        day = min(day, days_of(channel, gateway.quarantine)[0])
    while day <= last:
        yield day
        day += timedelta(days=1)


async def _overdue(
    gateway: Gateway, channel: Channel, day: date, read: Collection[date]
) -> list[Booked]:
    """Confirmed attempts that some statement up to `day` should have shown, and none did.

    One day of grace: a payout just before the cut-off may be booked on the next day. A statement
    that is late says nothing about the payouts it may show, and a break is opened only once.
    """
    store, zone = gateway.store, ZoneInfo(channel.traits.terms.cycle.timezone)

    async def paid_before(on: date) -> dict[str, Booked]:
        moment = datetime.combine(on, time(0), zone)
        return {one.reference: one for one in await store.unsettled(channel.name, moment)}

    overdue = await paid_before(day)
    one_day = timedelta(days=1)
    for back in range(1, LOOK_BACK.days):
        unread = day - back * one_day
        if overdue and unread not in read:
            earlier = await paid_before(unread - one_day)
            for reference in (await paid_before(unread + one_day)).keys() - earlier.keys():
                overdue.pop(reference, None)
    for known in await store.breaks(channel.name) if overdue else ():
        if known.kind is BreakKind.MISSING_THEIRS:
            overdue.pop(known.reference or "", None)
    return list(overdue.values())


async def _day(
    gateway: Gateway,
    channel: Channel,
    day: date,
    lines: list[StatementLine],
    overdue: Sequence[Booked],
    report: Report,
) -> None:
    store = gateway.store
    keys = {key for line in lines for key in (line.reference, line.channel_ref) if key}
    attempts = await store.attempts_by_references(channel.name, sorted(keys))
    if await recognise(gateway, channel, lines, attempts):
        attempts = await store.attempts_by_references(channel.name, sorted(keys))
    result = reconcile(channel.name, day, lines, attempts, overdue, gateway.clock.now())
    fees = {charged.attempt.reference: charged for charged in result.fees}
    for match in result.paid:
        if await _settle(gateway, channel, day, match):
            report.settled += 1
            fees.pop(match.attempt.reference, None)
    for match in result.returned:
        report.returned += await _come_back(gateway, match)
    await _open_breaks(gateway, channel, result, report)
    for charged in fees.values():
        await _correct_fee(gateway, channel, day, charged)
    await store.keep_statement(channel.name, day, lines, gateway.clock.now())
    report.days += 1
    report.lines += len(lines)


async def _settle(gateway: Gateway, channel: Channel, day: date, match: Match) -> bool:
    """The statement proves payment: confirm what was still open, then mark it settled."""
    if match.attempt.settled:
        return False
    payout = await _payout(gateway, match)
    number = match.attempt.number
    if payout.attempts[number - 1].state in {
        AttemptState.ARMED,
        AttemptState.PENDING,
        AttemptState.IN_DOUBT,
    }:
        proof = Paid(match.line.channel_ref or match.line.line_ref, match.line.booked_at)
        payout = await settle(gateway, payout, number, proof, Source.STATEMENT)
    for _ in range(SETTLE_TRIES):
        seen = payout.attempts[number - 1].settled_on is not None
        if seen or payout.state not in {PayoutState.PAID, PayoutState.RETURNED}:
            return False
        named = int(match.fee_minor is not None)
        charged = Fees(match.attempt, match.fee_minor or 0, named)
        shown = await _shown(gateway, channel, day, charged)
        fee_minor = shown_fee_minor(payout.attempts[number - 1], *shown)
        event = Settled(number, day, match.line.line_ref, fee_minor)
        try:
            await move(gateway, payout, [event], actor=f"channel:{channel.name}")
        except StaleError:
            payout = await _payout(gateway, match)
            continue
        return True
    return False


async def _correct_fee(gateway: Gateway, channel: Channel, day: date, charged: Fees) -> None:
    """Book the difference when statements show another fee than was booked for an attempt.

    What no statement has shown as paid yet is left: its own line brings the fee along.
    """
    payout = await find(gateway, charged.attempt.payout_id, None)
    number = charged.attempt.number
    shown = await _shown(gateway, channel, day, charged)
    for _ in range(SETTLE_TRIES):
        attempt = payout.attempts[number - 1]
        fee_minor = shown_fee_minor(attempt, *shown)
        if not is_on_record(attempt) or fee_minor == charged_minor(attempt):
            return
        event = FeeCorrected(number, day, fee_minor)
        try:
            await move(gateway, payout, [event], actor=f"channel:{channel.name}")
        except StaleError:
            payout = await find(gateway, payout.id, None)
        else:
            return


async def _shown(gateway: Gateway, channel: Channel, day: date, charged: Fees) -> tuple[int, int]:
    """All that statements show to have been charged for an attempt: sum and number of lines."""
    minor, lines = await gateway.store.fees_shown(channel.name, charged.attempt, day)
    return minor + charged.minor, lines + charged.lines


async def _come_back(gateway: Gateway, match: Match) -> bool:
    payout = await _payout(gateway, match)
    proof = Returned(match.line.channel_ref, match.line.booked_at, match.line.amount)
    after = await settle(gateway, payout, match.attempt.number, proof, Source.STATEMENT)
    return after.version != payout.version


async def _open_breaks(
    gateway: Gateway, channel: Channel, result: Reconciled, report: Report
) -> None:
    for broken in result.breaks:
        if broken.kind is BreakKind.STATUS and broken.payout_id and broken.reference:
            # Also for a known break: the process may have ended between the two.
            await _late_payment(gateway, broken.payout_id, broken.reference)
        incident = of_break(broken, incident_id(gateway))
        if not await gateway.store.open_break(broken, incident):
            continue
        report.breaks += 1
        if incident is not None:
            tell(gateway, incident)
        gateway.observer.alarm(
            "statement.break",
            kind=broken.kind,
            channel=channel.name,
            on=str(broken.on),
            payout_id=broken.payout_id,
        )


async def _late_payment(gateway: Gateway, payout_id: str, reference: str) -> None:
    """A dead attempt's money moved after all: book it to suspense and stop that payout."""
    payout = await find(gateway, payout_id, None)
    attempt = next(one for one in payout.attempts if one.reference == reference)
    proof = Paid(attempt.channel_ref or reference, gateway.clock.now())
    await settle(gateway, payout, attempt.number, proof, Source.STATEMENT)


async def _payout(gateway: Gateway, match: Match) -> Payout:
    payout = await gateway.store.payout(match.attempt.payout_id)
    if payout is None:
        raise StaleError(f"{match.attempt.payout_id} is gone from the store")
    return payout

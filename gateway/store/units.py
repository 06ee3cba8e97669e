"""From a Change to a unit of work: the statements, balance moves and tallies it stands for.

Pure: no database, no clock. Everything one event causes is in one unit, so it commits together:
payout, attempts, event, entries, webhooks, decision, evidence.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import orjson
from msgspec.structs import replace

from channels.money import Currency
from gateway.domain.batch import unreserve
from gateway.domain.dialect import ACCOUNT_PREFIX, RETRY_OF, NotifyTo, ends_as, original_of
from gateway.domain.errors import UnfundedError
from gateway.domain.ledger import DEBIT, Book, Posting
from gateway.domain.lifecycle import PAYOUT_EDGES, apply
from gateway.domain.merchant_fee import month_of
from gateway.domain.pace import next_look
from gateway.domain.payout import (
    Accepted,
    Armed,
    Attempt,
    AttemptState,
    Died,
    Event,
    MerchantId,
    Payout,
    PayoutState,
    Resent,
)
from gateway.domain.split import Split, SplitStatus, fate_of
from gateway.ports import (
    Change,
    FloatShortError,
    Intake,
    MonthMovedError,
    RowOfBatch,
    StaleError,
)
from gateway.store import codec, rows
from gateway.store.codec import micros
from gateway.store.database import Bound, Guard, Unit
from gateway.store.digest import state_hash
from gateway.store.errors import RefusedError
from gateway.store.payloads import PayloadOf, detail_of, dumped, split_payload
from gateway.store.queries import Queries
from gateway.store.vault import Vault
from policies.fees import UNUSED, MonthUse

QUARTER_US = 15 * 60 * 1_000_000
"""Amounts armed are tallied per quarter of an hour: every time zone's day starts on one."""
DAY_US = 96 * QUARTER_US
DAY_SHIFT_US = 32 * QUARTER_US
"""And per business day (UTC+8), so that a month is summed from days; only where another time zone's
month begins within one, from quarters as well."""

SHADOWED = b'"shadow":{'
"""In a decision's JSON: another policy decided as well (`engine.shadow`). Text cannot look like it,
as quotation marks inside text are escaped."""

FEELESS = frozenset({PayoutState.FAILED, PayoutState.CANCELLED})
"""States that give the fee back and do not count towards a merchant's month."""

OPEN_STATES = (AttemptState.ARMED, AttemptState.PENDING, AttemptState.IN_DOUBT)


MayWant = Callable[[MerchantId, str], bool]
"""Whether an endpoint of the merchant may want to hear of a kind of event."""


def _anything(_merchant_id: MerchantId, _kind: str) -> bool:
    return True


class TakenError(Exception):
    """The idempotency key or the merchant's reference was used before."""


class Units:
    """Builds units of work from changes."""

    def __init__(
        self, queries: Queries, vault: Vault, payload_of: PayloadOf, may_want: MayWant = _anything
    ) -> None:
        """Remember what statements there are, and how to seal and to write webhooks.

        What nobody `may_want` to hear of is owed to nobody. What it says holds for a unit that is
        handed to the database before anything else is.
        """
        self._queries = queries
        self._vault = vault
        self._payload_of = payload_of
        self._may_want = may_want

    def accepted(self, change: Change, intake: Intake, floor_minor: int | None) -> Unit:
        """The acceptance of a payout; `move` may add what follows at once.

        Fails with `TakenError`, or `UnfundedError` when `floor_minor` would not hold.
        """
        _check(change)
        if change.before is not None:
            raise ValueError(f"{change.after.id} was accepted before: use record")
        payout = change.after
        unit = Unit()
        self._taken_in(unit, change, intake, UNUSED)
        _guard_funds(unit, payout, floor_minor)
        return unit

    def split(
        self, split: Split, changes: Sequence[Change], intakes: Sequence[Intake], floor: int | None
    ) -> Unit:
        """The acceptance of all legs of a split in one unit; `intakes` has the split's own first.

        Fails as `accepted` does.
        """
        unit = Unit()
        own, *of_legs = intakes
        unit.add(
            self._queries["insert_split"],
            {
                "merchant_id": split.merchant_id,
                "id": split.id,
                "idempotency_key": own.idempotency_key,
                "fingerprint": own.fingerprint,
                "merchant_ref": split.merchant_ref,
                "currency": split.total.currency,
                "total_minor": split.total.minor,
                "legs": split.legs,
                "accepted_at": micros(split.accepted_at),
            },
            TakenError,
        )
        earlier = UNUSED
        for change, intake in zip(changes, of_legs, strict=True):
            self._taken_in(unit, change, intake, earlier)
            asked = change.after.asked.minor
            earlier = MonthUse(earlier.payouts + 1, earlier.minor + asked)
        _guard_funds(unit, changes[0].after, floor)
        return unit

    def _taken_in(self, unit: Unit, change: Change, intake: Intake, earlier: MonthUse) -> None:
        """Store a new payout; `earlier` in the same unit its month has grown by that."""
        payout = change.after
        unit.add(
            self._queries["insert_payout"],
            rows.payout_params(self._vault, payout, intake),
            TakenError,
        )
        for number, instrument in enumerate(payout.instruments):
            unit.add(
                self._queries["insert_payee"],
                {
                    "merchant_id": payout.merchant_id,
                    "payee_index": self._vault.blind_index(codec.payee_of(instrument)),
                    "payout_id": payout.id,
                    "instrument": number,
                },
            )
        self._fill(unit, change)
        _bound_month(unit, payout, earlier)
        if intake.row is not None:
            self._of_batch(unit, payout, intake.row)
        if intake.notify is not None:
            self._to_be_told(unit, payout, intake.notify)

    def _of_batch(self, unit: Unit, payout: Payout, row: RowOfBatch) -> None:
        """Its row is accepted in the same commit, and gives back what was reserved for it."""
        unit.add(
            self._queries["accept_batch_row"],
            {
                "merchant_id": payout.merchant_id,
                "batch_id": row.batch.id,
                "number": row.number,
                "payout_id": payout.id,
            },
            lambda: StaleError(f"row {row.number} of {row.batch.id} has moved on"),
        )
        if row.reserved_minor is not None:
            freed, at = unreserve(row.batch, row.reserved_minor), micros(payout.accepted_at)
            name = f"{row.batch.id}/{row.number}"
            self.posted(unit, freed, payout.merchant_id, name, at)

    def _to_be_told(self, unit: Unit, payout: Payout, to: NotifyTo) -> None:
        """Remember who asked for it and where that caller wants to hear of its end."""
        unit.add(
            self._queries["insert_notify"],
            {
                "merchant_id": payout.merchant_id,
                "payout_id": payout.id,
                "account_id": to.account_id,
                "number": to.number,
                "own_number": to.own_number,
                "url": to.url,
                "problem": to.problem,
                "accepted_at": micros(payout.accepted_at),
            },
        )

    def moved(self, change: Change, worker: int | None = 0) -> Unit:
        """A move of a stored payout; fails with `StaleError` or `FloatShortError`.

        `worker` is this process: what it sends must be its own.
        """
        unit = Unit()
        self.move(unit, change, worker)
        return unit

    def move(self, unit: Unit, change: Change, worker: int | None) -> None:
        """Add a move of a payout that is stored, or is by the same unit; fails as `moved` does."""
        _check(change)
        before, after = change.before, change.after
        if before is None:
            raise ValueError("an acceptance needs its intake: use accept")
        sender = _sender(change)
        sends = sender is not None
        if sends and worker is None:
            raise StaleError(f"{after.id} is no longer this worker's: it is detached")
        unit.add(
            self._queries["update_payout"],
            {
                "merchant_id": after.merchant_id,
                "id": after.id,
                "before_version": before.version,
                "epoch": before.epoch,
                "armer": worker if sends else None,
                "sender": sender,
                "state": after.state,
                "version": after.version,
                "updated_at": micros(after.updated_at),
                "due_at": codec.micros_or_none(after.due_at),
                "reason": after.reason,
                "owner": after.owner,
            },
            lambda: StaleError(
                f"{after.id} is no longer at version {before.version}, or another worker's"
                + (f", or {sender} is killed" if sends else "")
            ),
        )
        self._fill(unit, change)

    def decided(self, unit: Unit, payout: Payout, at: int, decision: bytes | None) -> None:
        """Keep a routing decision, when there is one."""
        if decision is not None:
            unit.add(
                self._queries["insert_decision"],
                {
                    "merchant_id": payout.merchant_id,
                    "payout_id": payout.id,
                    "at": at,
                    "decision": decision,
                },
            )
            if SHADOWED in decision:
                self._shadowed(unit, payout, orjson.loads(decision))

    def _shadowed(self, unit: Unit, payout: Payout, decision: Mapping[str, Any]) -> None:
        """Keep what the shadow policy would have chosen where it can be added up."""
        shadow = decision["shadow"]
        unit.add(
            self._queries["insert_shadow"],
            {
                "change_id": shadow["change"],
                "merchant_id": payout.merchant_id,
                "payout_id": payout.id,
                "number": shadow["number"],
                "currency": decision["currency"],
                "from_channel": shadow["instead_of"],
                "to_channel": shadow["channel"],
                "saving_micro": shadow["saving_micro"],
            },
        )

    def posted(self, unit: Unit, posting: Posting, merchant_id: str, name: str, at: int) -> None:
        """Append a posting's entries and move its accounts."""
        sums: dict[str, int] = {}
        insert, moves = self._queries["insert_entry"], unit.moves
        for leg, entry in enumerate(posting, 1):
            account, side, minor = entry
            book, owner, currency = account
            sums[currency] = sums.get(currency, 0) + (minor if side is DEBIT else -minor)
            unit.add(
                insert,
                {
                    "merchant_id": merchant_id,
                    "posting": name,
                    "leg": leg,
                    "book": book,
                    "owner": owner,
                    "currency": currency,
                    "side": side,
                    "amount_minor": minor,
                    "at": at,
                },
            )
            moves[account] += entry.change_minor
        if any(sums.values()):
            raise RefusedError(f"posting {name} is off by {dict(sums)}")

    # --- What acceptances and moves have in common ---

    def _fill(self, unit: Unit, change: Change) -> None:
        after, at = change.after, micros(change.after.updated_at)
        self._attempts(unit, change)
        _tally_state(unit, change)
        self._leg(unit, change)
        first = after.version - len(change.events) + 1
        state = change.before.state if change.before else None
        for seq, (event, posting, then) in enumerate(
            zip(change.events, change.postings, _stages(change), strict=True), first
        ):
            state = _state_after(state, event)
            digest = None if then is None else state_hash(then, self._vault.keyed)
            self._event(unit, change, event, seq, state, digest)
            self.posted(unit, posting, after.merchant_id, f"{after.id}/{seq}", at)
            if isinstance(event, Armed):
                unit.guards.append(_float_guard(event.attempt, after.amount.currency))
        self._notice(unit, change)
        self.decided(unit, after, at, change.decision)
        if change.evidence is not None:
            sealed = self._vault.seal(
                codec.evidence_json(change.evidence),
                after.merchant_id,
                "evidence",
                f"{after.id}/{after.version}",
            )
            unit.add(
                self._queries["insert_evidence"],
                {
                    "merchant_id": after.merchant_id,
                    "payout_id": after.id,
                    "seq": after.version,
                    "evidence": sealed,
                },
            )
        self._looked_after(unit, change)

    def _notice(self, unit: Unit, change: Change) -> None:
        """Owe the caller of another platform a notice when its order has come to an end."""
        after = change.after
        # No other reference belongs to such an order: the rest is spared the statement.
        if not after.merchant_ref.startswith(ACCOUNT_PREFIX):
            return
        standing = ends_as(change.before, after)
        if standing is None:
            return
        original = original_of(after)
        owed = {
            "merchant_id": after.merchant_id,
            "payout_id": after.id,
            "seq": after.version,
            "payload": dumped({"standing": RETRY_OF if original else standing}),
            "at": micros(after.updated_at),
        }
        notice_id = f"msg_{after.id.removeprefix('po_')}_{after.version}_notify"
        unit.add(self._queries["owe_notice"], {**owed, "id": notice_id})
        if original is None:
            suffix = f"_{after.version}_original"
            unit.add(self._queries["owe_notice_of_retries"], {**owed, "suffix": suffix})
        else:
            # Even where that one has ended: which of the two commits came first is known to nobody.
            named = {"payout_id": after.id, "original_id": original}
            unit.add(self._queries["insert_retry"], {"merchant_id": after.merchant_id, **named})

    def _looked_after(self, unit: Unit, change: Change) -> None:
        """Open incidents, watch what died, spend the proposal that two people agreed on."""
        after = change.after
        for incident in change.incidents:
            unit.add(self._queries["insert_incident"], rows.incident_params(incident))
        for event in change.events:
            if isinstance(event, Died):
                due_at = next_look(after, event.number, after.updated_at, looks=0)
                unit.add(
                    self._queries["insert_watch"],
                    {
                        "merchant_id": after.merchant_id,
                        "payout_id": after.id,
                        "number": event.number,
                        "died_at": micros(after.updated_at),
                        "due_at": codec.micros_or_none(due_at),
                    },
                )
        if change.approval is not None:
            said = change.approval
            unit.add(
                self._queries["approve_proposal"],
                {
                    "id": said.proposal_id,
                    "payout_id": after.id,
                    "checker": said.checker,
                    "checker_person": said.checker_person,
                    "decided_at": micros(said.at),
                },
                lambda: StaleError(f"the proposal about {after.id} was decided already"),
            )

    def _attempts(self, unit: Unit, change: Change) -> None:
        if not change.after.attempts:
            return
        known = change.before.attempts if change.before else ()
        added = change.after.attempts[len(known) :]
        for old, attempt in zip(known, change.after.attempts, strict=False):
            if old == attempt:
                continue
            unit.add(
                self._queries["update_attempt"],
                rows.attempt_params(self._vault, change.after, attempt),
                lambda: RefusedError("an attempt to be moved is not stored"),
            )
            _tally_attempt(unit, change.after, old, attempt)
        for attempt in added:
            unit.add(
                self._queries["insert_attempt"],
                rows.attempt_params(self._vault, change.after, attempt),
            )
            _tally_attempt(unit, change.after, None, attempt)

    def _leg(self, unit: Unit, change: Change) -> None:
        """Count the leg where it stands now, and tell endpoints when the split has come to an end.

        Which status that is only the commit knows: there is a statement for each it could be.
        """
        before, after = change.before, change.after
        leg = after.leg
        if leg is None or before is None or fate_of(before.state) == fate_of(after.state):
            return
        moves = dict.fromkeys(("open", "paid", "failed", "returned"), 0)
        moves[fate_of(before.state)] -= 1
        moves[fate_of(after.state)] += 1
        opened = moves.pop("open")
        key = {"merchant_id": after.merchant_id}
        unit.add(
            self._queries["move_leg"],
            {**key, "id": leg.split_id, "opened": opened, **moves},
            lambda: RefusedError("the split of a leg to be moved is not stored"),
        )
        for status in SplitStatus:
            if status.is_final:
                unit.add(
                    self._queries["insert_split_deliveries"],
                    {
                        **key,
                        "stem": f"msg_{after.id.removeprefix('po_')}_{after.version}_split_",
                        "split_id": leg.split_id,
                        "status": status,
                        "payload": split_payload(after, leg, status),
                        "at": micros(after.updated_at),
                    },
                )

    def _event(
        self,
        unit: Unit,
        change: Change,
        event: Event,
        seq: int,
        state: PayoutState,
        digest: bytes | None,
    ) -> None:
        payout, at = change.after, micros(change.after.updated_at)
        unit.add(
            self._queries["insert_event"],
            {
                "merchant_id": payout.merchant_id,
                "payout_id": payout.id,
                "seq": seq,
                "kind": event.kind,
                "state": state,
                "at": at,
                "actor": change.actor,
                "detail": dumped(detail_of(event)).decode(),
                "state_hash": digest,
            },
        )
        if not self._may_want(payout.merchant_id, event.kind):
            return
        then = payout if payout.state is state else replace(payout, state=state)
        unit.add(
            self._queries["insert_deliveries"],
            {
                "stem": f"msg_{payout.id.removeprefix('po_')}_{seq}_",
                "merchant_id": payout.merchant_id,
                "payout_id": payout.id,
                "seq": seq,
                "payload": self._payload_of(then, event, seq, payout.updated_at),
                "at": at,
                "kind_quoted": f'%"{event.kind}"%',
                "type_quoted": f'%"payout.{event.kind}"%',
            },
        )


def _sender(change: Change) -> str | None:
    """The channel that bytes may leave through once the change is committed."""
    for event in change.events:
        if isinstance(event, Armed):
            return event.attempt.channel
        if isinstance(event, Resent):
            return change.after.attempts[event.number - 1].channel
    return None


def _check(change: Change) -> None:
    """A change that does not add up is a defect and never reaches the database."""
    before, after = change.before, change.after
    start = before.version if before else 0
    if after.version != start + len(change.events) or not change.events:
        raise ValueError(f"{after.id}: {len(change.events)} events lead to {after.version}?")
    if len(change.postings) != len(change.events):
        raise ValueError(f"{after.id}: every event has one posting")
    if before and (before.id, before.merchant_id) != (after.id, after.merchant_id):
        raise ValueError(f"{before.id} cannot become {after.id}")
    if before and before.attempts and len(after.attempts) < len(before.attempts):
        raise ValueError(f"{after.id}: attempts are never removed")


def _stages(change: Change) -> Iterator[Payout | None]:
    """The payout after each event; None between an acceptance and what came with it."""
    then = change.before
    for event in change.events[:-1]:
        then = None if then is None else apply(then, event, change.after.updated_at)
        yield then
    yield change.after


def _state_after(state: PayoutState | None, event: Event) -> PayoutState:
    if isinstance(event, Accepted):
        return event.state
    if state is None:
        raise ValueError("a payout's first event is its acceptance")
    return PAYOUT_EDGES[state, type(event)]


def _tally_state(unit: Unit, change: Change) -> None:
    before, after = change.before, change.after
    if before is not None:
        unit.tallies["payout", before.state, 0] -= 1
    unit.tallies["payout", after.state, 0] += 1
    counts = (after.state not in FEELESS) - (before is not None and before.state not in FEELESS)
    if counts:
        owner = month_owner(after.merchant_id, after.amount.currency)
        month = month_bucket(month_of(after.accepted_at))
        unit.tallies["asked", owner, month] += counts * after.asked.minor
        unit.tallies["asked_count", owner, month] += counts


def month_owner(merchant_id: MerchantId, currency: Currency) -> str:
    """Whose month is tallied: a merchant's, for each currency."""
    return f"{merchant_id}:{currency}"


def month_bucket(month_on: date) -> int:
    """Months since the year 0."""
    return month_on.year * 12 + month_on.month - 1


def _guard_funds(unit: Unit, payout: Payout, floor_minor: int | None) -> None:
    if floor_minor is not None:
        account = (Book.AVAILABLE, payout.merchant_id, payout.amount.currency)
        unit.guards.append(Guard(account, floor_minor, unfunded))


def _bound_month(unit: Unit, payout: Payout, earlier: MonthUse) -> None:
    """Refuse the commit when the month is no longer at what the fee was computed for.

    What is compared is the month before the whole unit, so less what stands `earlier` in it.
    """
    charge = payout.charge
    between = None if charge is None else charge.holds_between(payout.asked.minor)
    if charge is None or between is None:
        return
    by_amount = charge.terms.fee.basis == "amount"
    kind = "asked" if by_amount else "asked_count"
    shift = earlier.minor if by_amount else earlier.payouts
    low, high = between
    owner = month_owner(payout.merchant_id, payout.amount.currency)
    unit.bounds.append(
        Bound(
            (kind, owner, month_bucket(charge.month_on)),
            low - shift,
            None if high is None else high - shift,
            lambda: MonthMovedError(f"{owner}: the month's use has moved past a tier"),
        )
    )


def _tally_attempt(unit: Unit, payout: Payout, old: Attempt | None, new: Attempt) -> None:
    if old is not None:
        unit.tallies[f"attempt:{old.state}", old.channel, 0] -= 1
    unit.tallies[f"attempt:{new.state}", new.channel, 0] += 1
    used = (new.state is not AttemptState.DEAD) - (
        old is not None and old.state is not AttemptState.DEAD
    )
    if used:
        at, minor = micros(new.armed_at), used * payout.amount.minor
        quarter, day = at // QUARTER_US, (at + DAY_SHIFT_US) // DAY_US
        unit.tallies["armed", new.channel, quarter] += minor
        unit.tallies["armed_count", new.channel, quarter] += used
        unit.tallies["armed_day", new.channel, day] += minor
        unit.tallies["armed_day_count", new.channel, day] += used


def _float_guard(attempt: Attempt, currency: Currency) -> Guard:
    channel = attempt.channel
    return Guard(
        (Book.FLOAT, channel, currency),
        0,
        lambda: FloatShortError(f"the float of {channel} does not cover the payout"),
    )


def unfunded() -> UnfundedError:
    """What a merchant is told whose balance does not cover it."""
    return UnfundedError(
        "insufficient_funds",
        "the available balance does not cover amount and fee; fund the account and try again",
        zh="可用余额不足以支付付款金额和手续费，请充值后重试",
    )

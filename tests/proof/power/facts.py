"""The outside journal's language: what a change leaves behind, as plain facts by key.

Worked out from the domain alone, never read back from the database under test. `oracle` reads the
same facts out of a store, so that two dicts can be compared.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson
from msgspec.structs import replace

from gateway.domain.ledger import Posting
from gateway.domain.lifecycle import PAYOUT_EDGES
from gateway.domain.payout import Accepted, Event, Payout, PayoutState
from gateway.ports import Change, DeliveryState, Endpoint, Intake
from gateway.store import detail_of, webhook_payload
from gateway.store.payloads import dumped

Key = tuple[str | int, ...]
Facts = dict[Key, object]


@dataclass(slots=True)
class Effects:
    """What one acknowledged operation adds to the facts."""

    facts: Facts = field(default_factory=dict)
    sums: Counter[Key] = field(default_factory=Counter)

    def on(self, facts: Facts) -> Facts:
        """The facts after it."""
        after = {**facts, **self.facts}
        for key, delta in self.sums.items():
            total = after.get(key, 0)
            if not isinstance(total, int):
                raise TypeError(f"{key} is not a sum")
            after[key] = total + delta
            if not after[key]:
                del after[key]
        return after


def payouts(facts: Facts) -> list[Payout]:
    """Every payout there is, oldest first."""
    return [value for value in facts.values() if isinstance(value, Payout)]


def of_change(
    facts: Facts, change: Change, endpoints: Sequence[Endpoint], intake: Intake | None = None
) -> Effects:
    """Everything a change leaves: payout, events, postings, webhooks, decision, evidence."""
    after, before = change.after, change.before
    made = Effects()
    made.facts["payout", after.id] = after
    if intake is not None:
        made.facts["intake", after.id] = (intake.idempotency_key, intake.fingerprint)
    state = before.state if before else None
    first = after.version - len(change.events) + 1
    for seq, (event, posting) in enumerate(zip(change.events, change.postings, strict=True), first):
        state = event.state if isinstance(event, Accepted) else _next(state, type(event))
        made.facts["event", after.id, seq] = (
            event.kind,
            state,
            after.updated_at,
            change.actor,
            orjson.loads(dumped(detail_of(event))),
        )
        book(made, f"{after.id}/{seq}", posting)
        for endpoint in endpoints:
            if endpoint.merchant_id != after.merchant_id or not _wants(endpoint, event.kind):
                continue
            made.facts["delivery", f"msg_{after.id.removeprefix('po_')}_{seq}_{endpoint.id}"] = (
                endpoint.id,
                after.id,
                seq,
                _payload(after, state, event, seq),
                DeliveryState.DUE,
                0,
                after.updated_at,
                None,
                None,
            )
    if change.decision is not None:
        earlier = facts.get(("decisions", after.id), ())
        made.facts["decisions", after.id] = (*_tuple(earlier), change.decision)
    if change.evidence is not None:
        made.facts["evidence", after.id, after.version] = change.evidence
    return made


def book(effects: Effects, name: str, posting: Posting) -> None:
    """Add a posting's entries and what they move."""
    for leg, entry in enumerate(posting, 1):
        account = entry.account
        effects.facts["entry", name, leg] = (
            account.book.value,
            account.owner,
            account.currency.value,
            entry.side.value,
            entry.amount_minor,
        )
        effects.sums["balance", account.book, account.owner, account.currency] += entry.change_minor


def _next(state: PayoutState | None, kind: type) -> PayoutState:
    if state is None:
        raise AssertionError("a payout begins with its acceptance")
    return PAYOUT_EDGES[state, kind]


def _wants(endpoint: Endpoint, kind: str) -> bool:
    return endpoint.active and (not endpoint.kinds or kind in endpoint.kinds)


def _payload(after: Payout, state: PayoutState, event: Event, seq: int) -> bytes:
    return webhook_payload(replace(after, state=state), event, seq, after.updated_at)


def _tuple(value: object) -> tuple[object, ...]:
    if not isinstance(value, tuple):
        raise TypeError(f"{value!r} is not a tuple")
    return value

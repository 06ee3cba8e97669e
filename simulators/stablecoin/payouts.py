"""What becomes of a payout: taken, replayed, settled, failed, returned; with its effect on money.

Source: the payout resources and "Idempotent requests". Money is set aside when a payout is taken,
leaves when it completes (amount and fees, two movements) and comes back whole when the bank returns
it. A refused request leaves nothing, so its key may be used again. Says nothing about the wire.
"""

from __future__ import annotations

import heapq
import random
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal

from simulators.books import Books
from simulators.faults import Hits
from simulators.stablecoin.requests import Asked
from simulators.stablecoin.settings import Account, Settings

DENIED = "transaction_denied"
SHORT = "insufficient_funds"


@dataclass(slots=True)
class Back:
    """A bank's return of a payout."""

    id: str
    at: datetime
    status: str = "pending"
    updated_at: datetime | None = None


@dataclass(slots=True)
class Payout:
    """One payout and everything that was decided about it when it was taken."""

    id: str
    account: str
    asked: Asked
    tracking_ref: str
    created_at: datetime
    debit_minor: int
    """What leaves the balance without fees; another number than the amount after a conversion."""
    fee_minor: int
    network_fee_minor: int
    fails_with: str = ""
    never_settles: bool = False
    returns_after: timedelta | None = None
    pays_twice: bool = False
    hidden_until: datetime | None = None
    in_review: bool = False
    status: str = "pending"
    error_code: str = ""
    updated_at: datetime | None = None
    frozen_minor: int = 0
    wake_at: datetime | None = None
    back: Back | None = None

    @property
    def total_minor(self) -> int:
        """All that leaves the balance."""
        return self.debit_minor + self.fee_minor + self.network_fee_minor


@dataclass(slots=True)
class Payouts:
    """All payouts of one simulator. What moved is appended to `changed`, for notices."""

    settings: Settings
    books: Books
    entropy: random.Random
    changed: list[tuple[Payout, datetime]] = field(default_factory=list)
    by_id: dict[str, Payout] = field(default_factory=dict)
    _by_key: dict[tuple[str, str], Payout] = field(default_factory=dict)
    _queue: list[tuple[datetime, int, Payout]] = field(default_factory=list)
    _count: int = 0

    def of_key(self, account: str, key: str) -> Payout | None:
        """The first payout under an idempotency key."""
        return self._by_key.get((account, key.lower()))

    def of_reference(self, reference: str) -> Payout | None:
        """The first payout of any account under a key, for the operator of the simulator."""
        return next((p for (_, key), p in self._by_key.items() if key == reference.lower()), None)

    def of_account(self, account: str, *, is_crypto: bool, now: datetime) -> list[Payout]:
        """What a list shows, newest first."""
        return [
            one
            for one in reversed(self.by_id.values())
            if one.account == account and one.asked.is_crypto == is_crypto
            if one.hidden_until is None or one.hidden_until <= now
        ]

    def create(
        self, account: Account, asked: Asked, hits: Hits, now: datetime, available_minor: int | None
    ) -> Payout:
        """Take a payout in; a short balance shows later, as `insufficient_funds`."""
        made = self._new(account, asked, now)
        needed, free = made.total_minor, self.books.available_minor(account.account)
        if needed > min(free, free if available_minor is None else available_minor):
            made.fails_with = SHORT
        else:
            self.books.freeze(account.account, needed)
            made.frozen_minor = needed
        self._script(made, hits, now)
        self.by_id[made.id] = made
        self._by_key.setdefault((account.account, asked.key), made)
        return made

    def settle(self, payout: Payout, at: datetime) -> bool:
        """Complete it now; False unless it is under way with its money set aside."""
        if payout.status != "pending" or not payout.frozen_minor:
            return False
        self._complete(payout, at)
        return True

    def fail(self, payout: Payout, reason: str, at: datetime) -> bool:
        """Fail it now; False unless it is under way."""
        if payout.status != "pending":
            return False
        self._release(payout)
        self._change(payout, "failed", at, reason)
        return True

    def give_back(self, payout: Payout, at: datetime) -> bool:
        """The bank returns it now; False unless it is complete."""
        if payout.status != "complete" or payout.back is not None:
            return False
        payout.back = Back(self._uuid(), at, updated_at=at)
        clears_at = at + timedelta(seconds=self.settings.return_clear_s)
        if clears_at > at:
            self._change(payout, payout.status, at)
            self._wake(payout, clears_at)
        else:
            self._clear(payout, payout.back, at)
        return True

    def run(self, now: datetime) -> None:
        """Do everything due by `now`, in due order, each at its own time."""
        while self._queue and self._queue[0][0] <= now:
            at, _, payout = heapq.heappop(self._queue)
            if payout.wake_at == at:
                payout.wake_at = None
                self._step(payout, at)

    def next_at(self) -> datetime | None:
        """When the next payout moves by itself."""
        while self._queue and self._queue[0][2].wake_at != self._queue[0][0]:
            heapq.heappop(self._queue)
        return self._queue[0][0] if self._queue else None

    def rate(self, pair: str, now: datetime, since: datetime) -> tuple[Decimal, Decimal] | None:
        """Buy and sell of a pair; both drift by the hour, counted from `since`."""
        known = self.settings.rates.get(pair)
        if known is None:
            return None
        hours = Decimal(int((now - since).total_seconds())) / 3600
        factor = 1 + hours * known.drift_ppm_per_hour / 1_000_000
        places = Decimal("0.00001")
        floor = places  # a rate never reaches zero, however long it has fallen
        return (
            max((known.buy * factor).quantize(places), floor),
            max((known.sell * factor).quantize(places), floor),
        )

    since: datetime | None = None
    """From when rates drift: the first moment the simulator was asked anything."""

    def _new(self, account: Account, asked: Asked, now: datetime) -> Payout:
        debit = asked.amount_minor
        if asked.currency != asked.source_currency:
            pair = f"{asked.currency}-{asked.source_currency}"
            found = self.rate(pair, now, self.since or now)
            rate = found[0] if found else Decimal(1)
            debit = int((debit * rate).to_integral_value(ROUND_CEILING))
        return Payout(
            id=self._uuid(),
            account=account.account,
            asked=asked,
            tracking_ref=f"CIR{self.entropy.getrandbits(40):010X}"[:13],
            created_at=now,
            updated_at=now,
            debit_minor=debit,
            fee_minor=account.fee.of(debit),
            network_fee_minor=account.network_fee_fen if asked.is_crypto else 0,
        )

    def _script(self, made: Payout, hits: Hits, now: datetime) -> None:
        made.pays_twice = "double_execute" in hits
        if hit := hits.get("not_found_window"):
            made.hidden_until = now + hit.duration("seconds")
        if hit := hits.get("return_late"):
            made.returns_after = hit.duration("after")
        if (hit := hits.get("settle_fail")) and not made.fails_with:
            made.fails_with = hit.text("reason") or "invalid_bank_account_number"
        if "settle_never" in hits:
            made.never_settles = True
            return
        chain = self.settings.chains.get(made.asked.chain)
        after_s = self.settings.wire_settle_after_s
        if made.asked.is_crypto:
            after_s = chain.settles_after_s if chain else 60.0
        after = timedelta(seconds=after_s)
        if hit := hits.get("settle_late"):
            made.in_review = not made.asked.is_crypto
            after = hit.duration("after")
        self._wake(made, now + after)

    def _step(self, payout: Payout, at: datetime) -> None:
        if payout.status == "pending":
            if payout.fails_with:
                self._release(payout)
                self._change(payout, "failed", at, payout.fails_with)
            else:
                self._complete(payout, at)
        elif payout.back is None:
            self.give_back(payout, at)
        else:
            self._clear(payout, payout.back, at)

    def _complete(self, payout: Payout, at: datetime) -> None:
        self._release(payout)
        self._move("payout", payout, payout.debit_minor, at)
        fees = payout.fee_minor + payout.network_fee_minor
        if fees:
            self._move("fee", payout, fees, at)
        payout.in_review = False
        self._change(payout, "complete", at)
        if payout.returns_after is not None:
            self._wake(payout, at + payout.returns_after)

    def _clear(self, payout: Payout, back: Back, at: datetime) -> None:
        self._move("return", payout, payout.debit_minor, at)
        back.status, back.updated_at = "complete", at
        status = self.settings.returned_status
        self._change(payout, status, at, "transaction_returned" if status == "failed" else "")

    def _move(self, kind: str, payout: Payout, amount_minor: int, at: datetime) -> None:
        self.books.move(
            kind,  # type: ignore[arg-type] # one of three literals above
            at=at,
            account=payout.account,
            amount_minor=amount_minor,
            reference=payout.asked.key,
            payee=payout.asked.payee,
            channel_ref=payout.id,
        )

    def _release(self, payout: Payout) -> None:
        if payout.frozen_minor:
            self.books.unfreeze(payout.account, payout.frozen_minor)
            payout.frozen_minor = 0

    def _change(self, payout: Payout, status: str, at: datetime, error_code: str = "") -> None:
        payout.status, payout.error_code, payout.updated_at = status, error_code, at
        if payout.status == "failed" and payout.back is None:
            payout.wake_at = None
        self.changed.append((payout, at))

    def _wake(self, payout: Payout, at: datetime) -> None:
        payout.wake_at = at
        self._count += 1
        heapq.heappush(self._queue, (at, self._count, payout))

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self.entropy.getrandbits(128), version=4))

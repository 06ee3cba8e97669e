"""What the database itself refuses, whatever the domain above it came to believe.

The domain never makes such changes; here they are made by hand. Constraints are the last to say no
(reliability.md §3: I1, I2, I4, I7), and a refused change leaves nothing behind.
"""

import asyncio
from collections.abc import Sequence

from hypothesis import strategies as st
from hypothesis.stateful import rule
from msgspec.structs import replace

from channels.money import Currency
from gateway.domain import ledger
from gateway.domain.errors import UnfundedError
from gateway.domain.ledger import Account, Book
from gateway.domain.payout import (
    Armed,
    Attempt,
    AttemptState,
    Died,
    Doubted,
    Event,
    MerchantId,
    Payout,
    PayoutId,
    PayoutState,
    Source,
)
from gateway.ports import Change, Intake, StoreError
from tests import builders as build
from tests.proof.laws.shared import NEVER, SIDES, OnStore, Shared


class ForgeryLaws(OnStore):
    """Payouts on two channels, and changes that no rule would make."""

    def __init__(self) -> None:
        """Nothing was taken in yet."""
        super().__init__()
        self.made: list[PayoutId] = []

    def teardown(self) -> None:
        """Leave nothing due; the dictionaries know nothing of what is done here."""
        for payout_id in self.made:
            known = Shared.run(self.store.payout(payout_id))
            if known is not None and known.due_at is not None:
                Shared.run(self.store.postpone(known, NEVER, None))

    @rule(side=SIDES)
    def arm_twice(self, side: int) -> None:
        """I1: a second live attempt beside the first."""
        known = self._armed(side)
        second = self._attempt(2, 1 - side)
        doubted = Doubted(1, Source.INQUIRY, "timeout")
        self._refused(known, (*known.attempts, second), doubted, known.state)

    @rule(side=SIDES)
    def name_twice(self, side: int) -> None:
        """I4: another payout's attempt under a reference of the same channel."""
        taken = self._armed(side).attempts[0]
        known = self._accepted()
        attempt = replace(self._attempt(1, side), reference=taken.reference)
        self._refused(known, (attempt,), Armed(attempt), PayoutState.ATTEMPTING)

    @rule(side=SIDES)
    def bury_without_proof(self, side: int) -> None:
        """I2: dead, and no certificate says why."""
        known = self._armed(side)
        buried = replace(known.attempts[0], state=AttemptState.DEAD, certificate=None)
        event = Died(1, Source.INQUIRY, build.certificate())
        self._refused(known, (buried,), event, PayoutState.ROUTING)

    @rule(count=st.integers(2, 5))
    def spend_it_at_once(self, count: int) -> None:
        """I7: of requests at one moment, as many are taken in as the balance covers."""
        merchant = MerchantId(f"m{self.name}x{next(self.fresh)}")
        asked = [build.accepted_change(self._payout(merchant)) for _ in range(count)]
        hold = asked[0].after.hold_minor
        self._post(ledger.funded(merchant, Currency.CNY, hold))
        answers = Shared.run(self._all_at_once(asked))
        taken = [one for one in answers if isinstance(one, Payout)]
        refused = [one for one in answers if isinstance(one, UnfundedError)]
        assert (len(taken), len(refused)) == (1, count - 1), answers
        available = Account(Book.AVAILABLE, merchant, Currency.CNY)
        left = {one.account: one.minor for one in Shared.run(self.store.balances(None, merchant))}
        assert left.get(available, 0) == 0

    async def _all_at_once(self, asked: Sequence[Change]) -> list[object]:
        work = (
            self.store.accept(one, Intake(f"key-{one.after.id}", one.after.id.encode()), 0)
            for one in asked
        )
        return list(await asyncio.gather(*work, return_exceptions=True))

    def _refused(
        self, known: Payout, attempts: tuple[Attempt, ...], event: Event, state: PayoutState
    ) -> None:
        after = replace(known, attempts=attempts, state=state, version=known.version + 1)
        change = Change(known, after, (event,), (ledger.posting(known, after, event),), "forger")
        try:
            Shared.run(self.store.record(change))
        except StoreError:
            assert Shared.run(self.store.payout(known.id)) == known
            return
        raise AssertionError(f"the store took {event.kind} on {known.state}")

    def _armed(self, side: int) -> Payout:
        known = self._accepted()
        self._post(ledger.topped_up(self.channels[side], Currency.CNY, 1_000_000))
        change = build.change(known, Armed(self._attempt(1, side)))
        Shared.run(self.store.record(change))
        return self._kept(known)

    def _accepted(self) -> Payout:
        merchant = self.merchants[0]
        asked = build.accepted_change(self._payout(merchant))
        self._post(ledger.funded(merchant, Currency.CNY, asked.after.hold_minor))
        (answer,) = Shared.run(self._all_at_once([asked]))
        assert isinstance(answer, Payout), answer
        return self._kept(answer)

    def _kept(self, known: Payout) -> Payout:
        kept = Shared.run(self.store.payout(known.id))
        assert kept is not None
        return kept

    def _payout(self, merchant: MerchantId) -> Payout:
        name = f"{self.name}-{next(self.fresh)}"
        made = build.payout(merchant_id=merchant, merchant_ref=name, amount=build.cny(9_000))
        self.made.append(made.id)
        return made

    def _attempt(self, number: int, side: int) -> Attempt:
        reference = f"R{self.name}{next(self.fresh):08d}"
        return build.attempt(number, channel=self.channels[side], reference=reference)

    def _post(self, posting: ledger.Posting) -> None:
        key = f"{self.name}-f{next(self.fresh)}"
        assert Shared.run(self.store.post(posting, "deposit", key, "ops"))

"""What any caller may do to payouts and webhooks: the moves that the machines on a store share."""

from datetime import timedelta
from hashlib import sha256

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from gateway.domain.lifecycle import TransitionError, apply
from gateway.domain.payout import (
    Adopted,
    Armed,
    Attempt,
    Event,
    Payout,
    PayoutState,
    Source,
)
from gateway.ports import Change, Intake
from tests import builders as build
from tests.gateway.domain.situations import every_event
from tests.proof.laws.shared import NUMBERS, SIDES, OnStore, Shared


class StoreMoves(OnStore):
    """Accepting, delivering, waiting; and how a payout may move."""

    @rule(
        merchant=SIDES,
        key=NUMBERS,
        ref=NUMBERS,
        body=SIDES,
        floor=st.sampled_from((0, None, -20_000)),
    )
    def accept(self, merchant: int, key: int, ref: int, body: int, floor: int | None) -> None:
        """Any key with any reference and any body."""
        change, intake = self._asked(merchant, key, ref, body)
        if floor != 0 and self.is_short(change):
            floor = 0
        self.both(
            self.store.accept(change, intake, floor),
            lambda: self.model.accept(change, intake, floor),
        )

    def _asked(self, merchant: int, key: int, ref: int, body: int) -> tuple[Change, Intake]:
        name = f"{self.name}-{ref}"
        subject = build.payout(
            merchant_id=self.merchants[merchant],
            merchant_ref=name,
            amount=build.cny(9_000 + 1_000 * body),
            accepted_at=Shared.clock.at,
            due_at=Shared.clock.at,
        )
        fingerprint = sha256(f"{ref}/{body}".encode()).digest()
        return build.accepted_change(subject), Intake(f"key-{self.name}-{key}", fingerprint)

    @rule(side=SIDES, active=st.booleans())
    def switch(self, side: int, active: bool) -> None:
        """A merchant's endpoint, on or off."""
        name, merchant = f"we{self.name}{side}", self.merchants[side]
        endpoint = build.endpoint(name, merchant, active=active, created_at=self.start)
        self.model.endpoints[name] = (merchant, active)
        Shared.run(self.store.put_endpoint(endpoint, "ops"))

    @precondition(lambda self: self.model.owed)
    @rule(which=st.integers(0, 9), fate=st.integers(0, 4), seconds=st.integers(0, 500))
    def deliver(self, which: int, fate: int, seconds: int) -> None:
        """A webhook goes well, or badly, or for good, or is wanted again, also by a stranger."""
        one = list(self.model.owed.values())[which % len(self.model.owed)]
        now, store, model = Shared.clock.at, self.store, self.model
        later = now + timedelta(seconds=seconds)
        other = self.merchants[self.merchants[0] == one.merchant_id]
        match fate:
            case 0:
                self.both(store.delivered(one.id, 204, now), lambda: model.delivered(one.id, 204))
            case 1:
                self.both(
                    store.delivery_failed(one.id, 500, "no", later),
                    lambda: model.delivery_failed(one.id, 500, later),
                )
            case 2:
                self.both(
                    store.delivery_failed(one.id, None, "gone", None),
                    lambda: model.delivery_failed(one.id, None, None),
                )
            case 3:
                self.both(
                    store.resend(one.merchant_id, one.id, now),
                    lambda: model.resend(one.merchant_id, one.id, now),
                )
            case _:
                self.both(
                    store.resend(other, one.id, now), lambda: model.resend(other, one.id, now)
                )

    @rule(seconds=st.integers(1, 90))
    def wait(self, seconds: int) -> None:
        """Time passes."""
        Shared.clock.at += timedelta(seconds=seconds)

    # --- ---

    def _known(self, which: int) -> Payout:
        known = list(self.model.payouts.values())
        return known[which % len(known)]

    def _change(self, which: int, kind: int, side: int, at: int) -> Change | None:
        """A move that the domain allows, of the kind nearest to the one wanted."""
        known = self._known(which)
        if known.state is PayoutState.ROUTING and kind % 3:
            return self._armed(known, side)
        number = max(1, len(known.attempts))
        events = every_event(number, number + 1)
        for turn in range(len(events)):
            event = events[(kind + turn) % len(events)]
            if isinstance(event, Armed) or event.kind == "accepted":
                continue
            if isinstance(event, Adopted):
                event = Adopted(self._attempt(known, side), Source.RECOVERY)
            found = self._applied(known, event, at)
            if found is not None:
                return found
        return None

    def _applied(self, known: Payout, event: Event, at: int) -> Change | None:
        moment = max(Shared.clock.at, known.updated_at)
        try:
            after = apply(known, event, moment)
        except TransitionError:
            return None
        ends = after.state.is_final or after.state in {PayoutState.PAID, PayoutState.SETTLED}
        due_at = None if ends else moment + timedelta(seconds=at)
        return build.change(known, event, at=moment, due_at=due_at)

    def _armed(self, known: Payout, side: int) -> Change:
        made, moment = self._attempt(known, side), max(Shared.clock.at, known.updated_at)
        return build.change(known, Armed(made), at=moment, due_at=moment, decision=b'{"order":[]}')

    def _attempt(self, known: Payout, side: int) -> Attempt:
        return build.attempt(
            len(known.attempts) + 1,
            channel=self.channels[side],
            reference=f"{self.name}{next(self.fresh):010d}",
            armed_at=max(Shared.clock.at, known.updated_at),
        )

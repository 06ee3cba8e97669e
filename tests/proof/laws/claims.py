"""Two workers on one PostgreSQL: what one has the other does not get, and who was asleep is late.

Owners and epochs are dictionaries here too. Workers come, leave and lose their lock sessions; who
has gone leaves behind what anybody may take, once.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Any
from unittest import mock

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule
from msgspec.structs import replace

from gateway.domain.payout import Armed, AttemptState, Payout, PayoutId, Resent
from gateway.ports import Change, Claim, StaleError
from gateway.store import SqlStore, member
from gateway.store.outbox import CLAIM
from tests import builders as build
from tests.proof.laws.moves import StoreMoves
from tests.proof.laws.shared import NEVER, SIDES, Shared

WHICH = st.integers(0, 5)
KINDS = st.integers(0, 30)
FEW = st.integers(1, 4)
ENOUGH = 10_000
RETURN_S = 20.0
"""How long a worker that lost its session may take to come back; it takes a tenth of a second."""


class ClaimLaws(StoreMoves):
    """Claims, takeovers and writes of two workers against the dictionaries."""

    def __init__(self) -> None:
        """Both workers are there; nobody owns anything."""
        super().__init__()
        self.gone: set[int] = set()

    @initialize(keys=st.integers(1, 4))
    def begin(self, keys: int) -> None:
        """Enough money; an endpoint; some payouts."""
        for number in (0, 1):
            self.fund(self.merchants[number], 10_000_000, f"deposit-{number}")
            self.top_up(self.channels[number], 10_000_000, f"float-{number}")
        self.switch(0, True)
        for key in range(keys):
            self.accept(0, key, key, 0, 0)

    # --- Who has what ---

    @rule(side=SIDES, limit=FEW)
    def claim(self, side: int, limit: int) -> None:
        """What is due and one's own, and the oldest of what is nobody's."""
        store, now = self._crew(side), Shared.clock.at
        mine = [one for one in self._due(now) if one.worker == _id(store)][:limit]
        free = self._free(now)[:limit]
        wanted = sorted([(one.due_at, one.id, False) for one in mine] + _taken(free))
        self._own(free, store)
        found = Shared.run(store.claim(now, limit))
        assert found == [Claim(payout_id, is_taken) for _, payout_id, is_taken in wanted]

    @rule()
    def claim_at_once(self) -> None:
        """Whatever is nobody's goes to one of them; what is somebody's goes to no other."""
        stores, now = [self._crew(0), self._crew(1)], Shared.clock.at
        free, due = self._free(now), self._due(now)

        async def both() -> list[list[Claim]]:
            return await asyncio.gather(*(store.claim(now, ENOUGH) for store in stores))

        answers = Shared.run(both())
        for store, claims in zip(stores, answers, strict=True):
            mine = {one.id for one in due if one.worker == _id(store)}
            assert {one.payout_id for one in claims if not one.is_taken} == mine
            taken = {one.payout_id for one in claims if one.is_taken}
            self._own([one for one in free if one.id in taken], store)
        all_taken = [one.payout_id for claims in answers for one in claims if one.is_taken]
        assert sorted(all_taken) == sorted(one.id for one in free)

    @precondition(lambda self: self.model.payouts)
    @rule(which=WHICH, side=SIDES)
    def take(self, which: int, side: int) -> None:
        """One payout, due or not; not from a worker that is there."""
        store, known = self._crew(side), self._known(which)
        is_free = known.worker in {0, *self.gone}
        if known.worker != _id(store):
            assert Shared.run(store.take(known.id)) is is_free
            if is_free:
                self._own([known], store)
        assert Shared.run(store.payout(known.id)) == self.model.payouts[known.id]

    @rule(side=SIDES)
    def read_own(self, side: int) -> None:
        """Due is one's own and nobody's, never the other's."""
        store, now = self._crew(side), Shared.clock.at
        wanted = [one.id for one in self._due(now) if one.worker in {0, _id(store)}]
        assert Shared.run(store.due(now, ENOUGH)) == wanted

    @rule()
    def claim_webhooks_at_once(self) -> None:
        """Each webhook that is due is given to one of them, and put off for the other."""
        now = Shared.clock.at
        stores = [self._crew(0), self._crew(1)]

        async def both() -> list[list[Any]]:
            return await asyncio.gather(*(one.due_deliveries(now, ENOUGH) for one in stores))

        found = [one.id for page in Shared.run(both()) for one in page]
        assert sorted(found) == sorted(self.model.due_deliveries(now))
        for name in found:
            self.model.owed[name].due_at = now + CLAIM

    # --- Who may write what ---

    @precondition(lambda self: self.model.payouts)
    @rule(which=WHICH, kind=KINDS, side=SIDES, other=SIDES, back=st.integers(0, 2))
    def write(self, which: int, kind: int, side: int, other: int, back: int) -> None:
        """Evidence comes from anybody, a send from its owner, and nothing from an older epoch."""
        store, change = self._crew(side), self._change(which, kind, other, 0)
        if change is None or change.before is None:
            return
        epoch = max(0, change.before.epoch - back)
        change = replace(
            change,
            before=replace(change.before, epoch=epoch),
            after=replace(change.after, epoch=epoch),
        )
        self.both(store.record(change), lambda: self._write(change, _id(store)))

    @precondition(lambda self: self.model.payouts)
    @rule(which=WHICH, side=SIDES, back=st.integers(0, 1), seconds=st.integers(0, 100))
    def put_off(self, which: int, side: int, back: int, seconds: int) -> None:
        """By whoever knows it as it is."""
        known = self._known(which)
        if known.due_at is None:
            return
        past = replace(known, epoch=max(0, known.epoch - back))
        due_at = Shared.clock.at + timedelta(seconds=seconds)
        self.both(
            self._crew(side).postpone(past, due_at, None),
            lambda: self.model.postpone(past, due_at, None),
        )

    def _write(self, change: Change, worker: int) -> None:
        known = self.model.payouts[change.after.id]
        sends = any(isinstance(event, Armed | Resent) for event in change.events)
        if sends and known.worker != worker:
            raise StaleError("another worker's")
        self.model.record(change)

    # --- Who is there ---

    @rule(side=SIDES)
    def part(self, side: int) -> None:
        """A worker leaves and another comes: what was open is anybody's, in the same epoch."""
        old = _id(self._crew(side))
        for one in self.model.payouts.values():
            if one.worker == old and one.due_at is not None:
                self.model.payouts[one.id] = replace(one, worker=0)
        Shared.replace(side)
        self._bury(old)

    @rule(side=SIDES)
    def cut(self, side: int) -> None:
        """A worker loses its lock session: what it has armed may not leave any more, it comes back
        as another, and what it had may be taken."""
        store = self._crew(side)
        old, fence = _id(store), store.fence()
        assert store.holds(fence)
        with mock.patch.object(member, "TICK_S", 0.02):
            Shared.run(_cut(store, self._crew(1 - side)))
        assert not store.holds(fence)
        assert _id(store) != old
        self._bury(old)

    def _bury(self, old: int) -> None:
        """What the dead had armed is looked at without delay."""
        self.gone.add(old)
        now = Shared.clock.at
        for one in self.model.payouts.values():
            armed = any(attempt.state is AttemptState.ARMED for attempt in one.attempts)
            if one.worker == old and armed and one.due_at is not None and one.due_at > now:
                self.model.payouts[one.id] = replace(one, due_at=now)

    # --- ---

    def _crew(self, side: int) -> SqlStore:
        return Shared.crew()[side]

    def _due(self, now: datetime) -> list[Payout]:
        return [self.model.payouts[payout_id] for payout_id in self.model.due(now)]

    def _free(self, now: datetime) -> list[Payout]:
        return [one for one in self._due(now) if one.worker in {0, *self.gone}]

    def _own(self, taken: list[Payout], store: SqlStore) -> None:
        for one in taken:
            self.model.payouts[one.id] = replace(one, worker=_id(store), epoch=one.epoch + 1)

    def teardown(self) -> None:
        """Whatever was found: the store has what the dictionaries have."""
        try:
            for one in self.model.payouts.values():
                assert Shared.run(self.store.payout(one.id)) == one
        finally:
            super().teardown()

    async def _rest(self) -> None:
        """Leave nothing armed either: a worker that goes later would make it due again."""
        for payout_id in self.model.payouts:
            one = await self.store.payout(payout_id)
            if one is None or one.due_at is None:
                continue
            live, moment = one.live, max(Shared.clock.at, one.updated_at)
            if live is not None and live.state is AttemptState.ARMED:
                over = build.change(one, build.doubted(live.number), at=moment, due_at=NEVER)
                await self.store.record(over)
            else:
                await self.store.postpone(one, NEVER, None)
        for merchant in self.merchants:
            for owed in await self.store.deliveries(merchant, None, ENOUGH):
                await self.store.delivered(owed.id, 200, self.start)


def _id(store: SqlStore) -> int:
    if not store.worker:
        raise AssertionError("a worker that is there has a number")
    return store.worker


def _taken(free: list[Payout]) -> list[tuple[datetime | None, PayoutId, bool]]:
    return [(one.due_at, one.id, True) for one in free]


async def _cut(store: SqlStore, witness: SqlStore) -> None:
    """End a worker's session, and wait until it is back and its former self is known to be gone."""
    old = store.worker
    if store._member is None or store._member._session is None:
        raise AssertionError("not a worker")
    store._member._session.connection.terminate()
    assert store.fence().worker is None
    assert await store.claim(datetime.max.replace(tzinfo=build.NOW.tzinfo), 1) == []
    async with asyncio.timeout(RETURN_S):
        while store.worker is None or old in await _others(witness):  # noqa: ASYNC110 - no bell
            await asyncio.sleep(0.005)


async def _others(store: SqlStore) -> set[int]:
    if store._member is None:
        raise AssertionError("not a worker")
    rows = await store._member.fetch("other_workers", {"id": store.worker or 0})
    return {int(row[0]) for row in rows}

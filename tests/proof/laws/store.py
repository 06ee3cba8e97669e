"""The store against the dictionaries: every write of its port, alone and at once; every read."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from channels.money import Currency
from gateway.domain.errors import UnfundedError
from gateway.domain.ledger import Account, Book
from gateway.domain.payout import (
    AttemptState,
    MerchantId,
    Payout,
    PayoutId,
    PayoutState,
)
from gateway.ports import FloatShortError, Kill, Search, StaleError
from tests.proof.laws.fees import FeeLaws
from tests.proof.laws.shared import CLOSED, NUMBERS, SIDES, Shared, heard

FEED_LOOKS = 200
"""With pauses of 20 ms: four seconds."""
RARELY = st.integers(0, 15)
SELDOM = st.integers(0, 5)
STATES = st.sampled_from([None, *PayoutState])
MONEY = st.sampled_from((0, 9_000, 25_000, 10_000_000, 10_000_000))


class StoreLaws(FeeLaws):
    """The store against the dictionaries."""

    @initialize(money=MONEY, floats=MONEY, keys=st.integers(0, 3))
    def begin(self, money: int, floats: int, keys: int) -> None:
        """Some money on both sides, perhaps too little; one endpoint; some payouts."""
        for number, merchant in enumerate(self.merchants):
            if money:
                self.fund(merchant, money, f"deposit-{number}")
        for number, channel in enumerate(self.channels):
            if floats:
                self.top_up(channel, floats, f"float-{number}")
        self.switch(0, True)
        for key in range(keys):
            self.accept(0, key, key, 0, 0)

    # --- Writes ---

    @rule(merchant=SIDES, key=NUMBERS, bodies=st.lists(SIDES, min_size=2, max_size=5))
    def accept_at_once(self, merchant: int, key: int, bodies: list[int]) -> None:
        """Callers at the same moment under one key: one payout, and everybody hears of it or of a
        conflict; whoever won is then what the model accepts first."""
        asked = [self._asked(merchant, key, key, body) for body in bodies]

        async def all_at_once() -> list[Any]:
            work = (self.store.accept(change, intake, 0) for change, intake in asked)
            return await asyncio.gather(*work, return_exceptions=True)

        answers = Shared.run(all_at_once())
        new = [
            i
            for i, a in enumerate(answers)
            if isinstance(a, Payout) and a.id == asked[i][0].after.id
        ]
        assert len(new) <= 1
        taken = self.taken()
        for number in (*new, *(i for i in range(len(asked)) if i not in new)):
            change, intake = asked[number]
            answer = answers[number]
            if isinstance(answer, UnfundedError) and self.was_short(change, intake, taken):
                continue
            wanted, refused = heard(partial(self.model.accept, change, intake, 0))
            expected = refused or wanted
            assert expected in {type(answer), getattr(answer, "id", None)}, f"{answer!r}"

    @rule(merchant=SIDES, key=NUMBERS, body=SIDES, side=SIDES, stopped=SELDOM)
    def accept_and_arm(self, merchant: int, key: int, body: int, side: int, stopped: int) -> None:
        """In one commit: both, or neither, or the payout that was there before."""
        change, intake = self._asked(merchant, key, key, body)
        arming = self._armed(change.after, side)
        with self._killed(self.channels[side] if stopped == 0 else None):
            self.both(
                self.store.accept(change, intake, 0, arming),
                lambda: self.model.accept(change, intake, 0, arming),
            )

    @contextmanager
    def _killed(self, channel: str | None) -> Iterator[None]:
        """A person has stopped it, and lets it go on afterwards."""
        if channel is None:
            yield
            return
        now, kill_id = Shared.clock.at, f"kill{self.name}{next(self.fresh)}"
        assert Shared.run(self.store.kill(Kill(kill_id, channel, "stop", now, "ops")))
        self.model.killed.add(channel)
        yield
        self.model.killed.remove(channel)
        assert Shared.run(self.store.revive(channel, now, "ops", "somebody", "found"))

    @precondition(lambda self: self.model.payouts)
    @rule(which=st.integers(0, 5), kind=st.integers(0, 30), side=SIDES, at=st.integers(0, 40))
    def move(self, which: int, kind: int, side: int, at: int) -> None:
        """Any event that may follow."""
        change = self._change(which, kind, side, at)
        if change is not None:
            self.both(self.store.record(change), lambda: self.model.record(change))

    @precondition(lambda self: self.model.payouts)
    @rule(which=st.integers(0, 5), side=SIDES, stopped=SELDOM)
    def arm(self, which: int, side: int, stopped: int) -> None:
        """The event that needs a float, and a channel that nobody has stopped."""
        known = self._known(which)
        if known.state is PayoutState.ROUTING:
            change = self._armed(known, side)
            with self._killed(self.channels[side] if stopped == 0 else None):
                self.both(self.store.record(change), lambda: self.model.record(change))

    @precondition(lambda self: self.model.payouts)
    @rule(which=st.integers(0, 5), kinds=st.lists(st.integers(0, 30), min_size=2, max_size=4))
    def move_at_once(self, which: int, kinds: list[int]) -> None:
        """Several workers hold the same version: one moves it, the others change nothing."""
        changes = [one for one in (self._change(which, kind, 0, 0) for kind in kinds) if one]

        async def all_at_once() -> list[Any]:
            work = (self.store.record(one) for one in changes)
            return await asyncio.gather(*work, return_exceptions=True)

        answers = Shared.run(all_at_once())
        won = [i for i, answer in enumerate(answers) if answer is None]
        assert len(won) <= 1
        for number in (*won, *(i for i in range(len(changes)) if i not in won)):
            _, refused = heard(partial(self.model.record, changes[number]))
            answer = answers[number]
            if refused is None or not won:
                assert type(answer) is (refused or type(None)), f"{answer!r}"
            else:
                # A float that was short before somebody else won is refused for that first.
                assert isinstance(answer, StaleError | FloatShortError), f"{answer!r}"

    @precondition(lambda self: self.model.payouts)
    @rule(which=st.integers(0, 5), kind=st.integers(0, 30))
    def move_the_past(self, which: int, kind: int) -> None:
        """A worker that was asleep: its version is gone, and it changes nothing."""
        first = self._change(which, kind, 0, 0)
        if first is None:
            return
        with suppress(*CLOSED):
            self.model.record(first)
            Shared.run(self.store.record(first))
        if self.model.payouts[first.after.id].version == first.after.version:
            self.both(self.store.record(first), lambda: self.model.record(first))
            if first.before is not None:
                past = first.before
                later = Shared.clock.at + timedelta(hours=1)
                self.both(
                    self.store.postpone(past, later, b"{}"),
                    lambda: self.model.postpone(past, later, b"{}"),
                )

    @precondition(lambda self: self.model.payouts)
    @rule(which=st.integers(0, 5), seconds=st.integers(0, 100), decided=st.booleans())
    def postpone(self, which: int, seconds: int, decided: bool) -> None:
        """Look again later."""
        known = self._known(which)
        if known.due_at is None:
            return
        due_at = Shared.clock.at + timedelta(seconds=seconds)
        decision = b'{"chosen":null}' if decided else None
        self.both(
            self.store.postpone(known, due_at, decision),
            lambda: self.model.postpone(known, due_at, decision),
        )

    @rule(side=SIDES, minor=st.integers(1, 30_000), key=NUMBERS)
    def post(self, side: int, minor: int, key: int) -> None:
        """An operator books, perhaps again."""
        if key % 2:
            self.fund(self.merchants[side], minor, f"more-{key}")
        else:
            self.top_up(self.channels[side], minor, f"up-{key}")

    # --- Reads ---

    @rule(what=st.integers(0, 7), which=st.integers(0, 5), side=SIDES, state=STATES, dice=RARELY)
    def look(self, what: int, which: int, side: int, state: PayoutState | None, dice: int) -> None:
        """Read something; now and then have the store audit itself, or open it anew."""
        match what:
            case 0:
                self.read_due()
            case 1:
                self.read_feed()
            case 2 if self.model.payouts:
                self.read_payout(which)
            case 3:
                self.read_search(side, state)
            case 4:
                self.read_deliveries()
            case 5:
                self.read_use()
            case 6:
                self.read_balances()
            case _ if dice == 0:
                assert Shared.run(self.store.audit()) == []
            case _ if dice == 1:
                Shared.reopen()
            case _:
                self.read_balances()

    def read_due(self) -> None:
        """Who is due, in order, and who will be next."""
        now = Shared.clock.at
        found = [one for one in Shared.run(self.store.due(now, 500)) if one in self.model.payouts]
        assert found == self.model.due(now)
        moments = [one.due_at for one in self.model.payouts.values() if one.due_at]
        if moments:
            next_at = Shared.run(self.store.next_due_at())
            assert next_at is not None
            assert next_at <= min(moments)

    def read_feed(self) -> None:
        """Every event once, per merchant in the order of commits, none skipped at any page size."""
        for merchant in self.merchants:
            wanted = [(p, seq, kind) for m, p, seq, kind in self.model.feed if m == merchant]
            seen = self._whole_feed(merchant)
            # PostgreSQL holds the end back while an older transaction, even of another database,
            # is open: later is allowed, never, wrongly ordered or with a gap is not.
            for _ in range(FEED_LOOKS):
                assert seen == wanted[: len(seen)]
                if len(seen) == len(wanted):
                    break
                Shared.run(asyncio.sleep(0.02))
                seen = self._whole_feed(merchant)
            assert seen == wanted

    def _whole_feed(self, merchant: MerchantId) -> list[tuple[PayoutId, int, str]]:
        after, seen = 0, list[tuple[PayoutId, int, str]]()
        while page := Shared.run(self.store.feed(merchant, after, 7)):
            assert [one.feed for one in page] == sorted({one.feed for one in page})
            seen += [(one.payout_id, one.seq, one.kind) for one in page]
            after = page[-1].feed
        return seen

    def read_payout(self, which: int) -> None:
        """Whole, with attempts, history and decisions; by its references; never a stranger's."""
        known = self._known(which)
        store, run = self.store, Shared.run
        assert run(store.payout(known.id)) == known
        other = self.merchants[self.merchants[0] == known.merchant_id]
        assert run(store.payout(known.id, other)) is None
        seqs = [(one.seq, one.kind) for one in run(store.timeline(known.id))]
        assert seqs == [(s, k) for _, p, s, k in self.model.feed if p == known.id]
        told = [decision for _, decision in run(store.decisions(known.id))]
        assert told == self.model.decisions[known.id]
        for attempt in known.attempts:
            assert run(store.by_reference(attempt.channel, attempt.reference)) == known.id

    def read_search(self, side: int, state: PayoutState | None) -> None:
        """Newest first, page by page."""
        merchant, before, seen = self.merchants[side], None, []
        while True:
            search = Search(merchant, state=state, before_id=before, limit=2)
            page = Shared.run(self.store.search(search))
            if not page:
                break
            seen += [one.id for one in page]
            before = seen[-1]
        wanted = [
            one.id
            for one in self.model.payouts.values()
            if one.merchant_id == merchant and state in {None, one.state}
        ]
        assert seen == sorted(wanted, reverse=True)

    def read_deliveries(self) -> None:
        """What is due, lane by lane, and where every webhook stands."""
        now, model = Shared.clock.at, self.model
        due = [one.id for one in Shared.run(self.store.due_deliveries(now, 10_000))]
        assert [one for one in due if one in model.owed] == model.due_deliveries(now)
        for merchant in self.merchants:
            kept = Shared.run(self.store.deliveries(merchant, None, 10_000))
            assert {
                one.id: (one.state.value, one.tries, one.due_at, one.last_status) for one in kept
            } == {
                one.id: (one.state, one.tries, one.due_at, one.last_status)
                for one in model.owed.values()
                if one.merchant_id == merchant
            }

    def read_use(self) -> None:
        """What each channel carries, and who is armed."""
        use = Shared.run(self.store.use(self.start))
        for channel in self.channels:
            attempts = [
                (one, a)
                for one in self.model.payouts.values()
                for a in one.attempts
                if a.channel == channel
            ]
            open_ones = [a.state for _, a in attempts]
            found = use.get(channel)
            counts = (
                (0, 0, 0, 0)
                if found is None
                else (found.inflight, found.in_doubt, found.day_used_minor, found.float_minor)
            )
            assert counts == (
                sum(
                    s in {AttemptState.ARMED, AttemptState.PENDING, AttemptState.IN_DOUBT}
                    for s in open_ones
                ),
                open_ones.count(AttemptState.IN_DOUBT),
                sum(one.amount.minor for one, a in attempts if a.state is not AttemptState.DEAD),
                self.model.balances[Account(Book.FLOAT, channel, Currency.CNY)],
            )
        armed = set(Shared.run(self.store.armed(1_000_000)))
        assert armed & set(self.model.payouts) == self.model.armed()

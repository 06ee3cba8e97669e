"""What a commit has just owed is begun without a look: when it may, when not, and never twice."""

import asyncio
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.domain.payout import PayoutId
from gateway.engine import deliver
from gateway.engine.deliver import Answer, Courier
from gateway.ports import Delivery, DeliveryState, Endpoint, Owed, StoreBrokenError
from tests.builders import delivery, endpoint
from tests.gateway.webhooks.outbox import FrozenClock, Outbox

DUE, DELIVERED, DEAD = DeliveryState.DUE, DeliveryState.DELIVERED, DeliveryState.DEAD
PO = PayoutId("po_1")


class Merchants:
    """Receivers, one an endpoint; each hears only what no earlier one of its lane may follow."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self.heard: list[str] = []
        self.answers: dict[str, list[int]] = {}
        """What endpoints answer next; 204 where nothing is said."""
        self.gate: dict[str, asyncio.Event] = {}
        """Endpoints that answer once it is set."""
        self._trying: set[str] = set()

    async def send(self, endpoint: Endpoint, delivery: Delivery, at: datetime) -> Answer:
        """Answer; a delivery out of its turn, or a second time, is a finding."""
        outbox = self._outbox
        assert outbox.state(delivery.id) is DUE, f"{delivery.id} was heard before"
        assert outbox.rows[delivery.id].due_at <= at, f"{delivery.id} was put off"
        assert delivery.id not in self._trying, f"{delivery.id} is sent twice at once"
        lane = (delivery.payout_id, delivery.endpoint_id)
        for other in outbox.rows.values():
            if (other.payout_id, other.endpoint_id) == lane and other.seq < delivery.seq:
                assert other.state is not DUE, f"{delivery.id} has overtaken {other.id}"
        self._trying.add(delivery.id)
        self.heard.append(delivery.id)
        if endpoint.id in self.gate:
            await self.gate[endpoint.id].wait()
        await asyncio.sleep(0)
        self._trying.discard(delivery.id)
        waiting = self.answers.get(endpoint.id, [])
        return Answer(waiting.pop(0) if waiting else 204)


class Place:
    """One process that delivers."""

    def __init__(self, *endpoints: str, limit: int = 10) -> None:
        self.outbox = Outbox(*(endpoint(name) for name in endpoints or ("we_1",)))
        self.merchants = Merchants(self.outbox)
        self.clock = FrozenClock()
        self.courier = Courier(self.outbox, self.merchants, self.clock, limit=limit, concurrency=8)

    def commit(self, seq: int, *to: str, payout: str = PO, last: int = 0) -> Owed:
        """Store what events of a payout owe."""
        rows = [
            delivery(
                f"{payout}/{number}/{name}",
                endpoint_id=name,
                payout=payout,
                seq=number,
                due_at=self.clock.now(),
            )
            for number in range(seq, max(seq, last) + 1)
            for name in to or ("we_1",)
        ]
        self.outbox.rows.update({row.id: row for row in rows})
        fresh = tuple(replace(row, may_be_followed=False) for row in rows)
        return Owed(PayoutId(payout), seq, max(seq, last), fresh)

    async def wants_a_look(self) -> bool:
        """Whether the rest before the next look ends at once."""
        try:
            async with asyncio.timeout(0.02):
                await self.courier.rest(60)
        except TimeoutError:
            return False
        return True

    async def look(self) -> int:
        """Look, and wait for what it began."""
        started = await self.courier.start_due()
        await self.courier.finish()
        return started


async def test_what_the_first_commit_of_a_payout_owes_is_begun_without_a_look() -> None:
    """Nothing can wait before it, so nobody needs to look."""
    place = Place()
    place.courier.owed(place.commit(1))
    await place.courier.finish()
    assert place.merchants.heard == ["po_1/1/we_1"]
    assert place.outbox.state("po_1/1/we_1") is DELIVERED
    assert not await place.wants_a_look()
    assert await place.look() == 0


async def test_so_is_what_comes_after_it_was_heard() -> None:
    """Each event of the payout, as long as none is tried in vain."""
    place = Place()
    for seq in (1, 2, 3):
        place.courier.owed(place.commit(seq))
        await place.courier.finish()
    assert place.merchants.heard == [f"po_1/{n}/we_1" for n in (1, 2, 3)]
    assert not await place.wants_a_look()


async def test_what_comes_at_the_very_end_of_a_lane_is_looked_for() -> None:
    """The lane has nothing left to do, and is not yet counted as ended."""
    place = Place()
    place.courier.owed(place.commit(1))
    (way,) = place.courier._lanes.values()
    assert way.task is not None
    while not way.task.done():  # noqa: ASYNC110 - between that and the next turn of the loop
        await asyncio.sleep(0)
    assert place.courier._lanes
    place.courier.owed(place.commit(2))
    assert await place.wants_a_look()
    await place.look()
    place.courier.owed(place.commit(3))
    assert await place.wants_a_look()
    await place.look()
    assert place.merchants.heard == [f"po_1/{n}/we_1" for n in (1, 2, 3)]


async def test_events_that_nobody_wants_are_followed_all_the_same() -> None:
    """So that the one that is wanted is known to be the first of its lane."""
    place = Place()
    place.courier.owed(Owed(PO, 1, 2, ()))
    place.courier.owed(place.commit(3))
    await place.courier.finish()
    assert place.merchants.heard == ["po_1/3/we_1"]
    assert not await place.wants_a_look()


async def test_a_payout_from_before_the_start_is_left_to_a_look() -> None:
    """What its earlier commits owed may still be due."""
    place = Place()
    place.commit(1)
    place.courier.owed(place.commit(2))
    assert await place.wants_a_look()
    assert place.merchants.heard == []
    await place.look()
    assert place.merchants.heard == ["po_1/1/we_1", "po_1/2/we_1"]


async def test_after_a_commit_that_was_not_told_of_a_look_is_needed() -> None:
    """Its caller was cancelled, and it owed something: the numbers do not follow each other."""
    place = Place()
    place.courier.owed(Owed(PO, 1, 1, ()))
    place.commit(2)
    place.courier.owed(place.commit(3))
    assert await place.wants_a_look()
    await place.look()
    assert place.merchants.heard == ["po_1/2/we_1", "po_1/3/we_1"]


async def test_what_is_not_known_for_certain_ends_the_following() -> None:
    """A hint says that something may be due; what comes behind it is left to looks as well."""
    place = Place()
    place.courier.owed(Owed(PO, 1, 1, ()))
    place.commit(2)
    place.courier.owed(Owed(PO))
    place.courier.owed(place.commit(3))
    assert place.merchants.heard == []
    await place.look()
    assert place.merchants.heard == ["po_1/2/we_1", "po_1/3/we_1"]


async def test_the_next_waits_for_what_is_in_hand() -> None:
    """It follows in the same lane, with no look between."""
    place = Place()
    gate = place.merchants.gate["we_1"] = asyncio.Event()
    place.courier.owed(place.commit(1))
    await asyncio.sleep(0.001)
    place.courier.owed(place.commit(2))
    await asyncio.sleep(0.001)
    assert place.merchants.heard == ["po_1/1/we_1"]
    gate.set()
    await place.courier.finish()
    assert place.merchants.heard == ["po_1/1/we_1", "po_1/2/we_1"]
    assert not await place.wants_a_look()


@pytest.mark.parametrize("when", ["before its failure", "after its failure"])
async def test_behind_one_that_was_put_off_nothing_is_begun(when: str) -> None:
    """Whether it was committed while that was tried or later: it comes after it."""
    place = Place()
    place.merchants.answers["we_1"] = [503]
    place.courier.owed(place.commit(1))
    if when == "after its failure":
        await place.courier.finish()
    place.courier.owed(place.commit(2))
    await place.courier.finish()
    assert place.merchants.heard == ["po_1/1/we_1"]
    place.courier.owed(place.commit(3))
    await place.courier.finish()
    assert place.merchants.heard == ["po_1/1/we_1"]
    place.clock.turn(seconds=6)
    await place.look()
    assert place.merchants.heard == [f"po_1/{n}/we_1" for n in (1, 1, 2, 3)]


async def test_a_lane_does_not_wait_for_another() -> None:
    """Of two endpoints, one is slow."""
    place = Place("we_1", "we_2")
    gate = place.merchants.gate["we_1"] = asyncio.Event()
    place.courier.owed(place.commit(1, "we_1", "we_2", last=2))
    await asyncio.sleep(0.01)
    assert place.merchants.heard == ["po_1/1/we_1", "po_1/1/we_2", "po_1/2/we_2"]
    gate.set()
    await place.courier.finish()
    assert place.merchants.heard[-1] == "po_1/2/we_1"


async def test_an_endpoint_switched_off_meanwhile_gets_nothing() -> None:
    """As it is when it is sent, not as it was when that was owed."""
    place = Place()
    place.courier.owed(place.commit(1))
    place.outbox.endpoints["we_1"] = replace(place.outbox.endpoints["we_1"], active=False)
    await place.courier.finish()
    assert place.merchants.heard == []
    assert place.outbox.state("po_1/1/we_1") is DEAD


async def test_no_more_is_taken_in_hand_than_a_look_may_bring() -> None:
    """The rest is in the store, and is looked for."""
    place = Place(limit=3)
    gate = place.merchants.gate["we_1"] = asyncio.Event()
    for n in range(9):
        place.courier.owed(place.commit(1, payout=f"po_{n}"))
    await asyncio.sleep(0.01)
    assert len(place.courier._lanes) == 3
    assert await place.wants_a_look()
    gate.set()
    await place.courier.finish()
    while await place.look():
        pass
    assert sorted(place.merchants.heard) == [f"po_{n}/1/we_1" for n in range(9)]


async def test_so_many_payouts_are_followed_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those forgotten are left to looks."""
    monkeypatch.setattr(deliver, "KEPT_MAX", 4)
    place = Place()
    for n in range(9):
        place.courier.owed(Owed(PayoutId(f"po_{n}"), 1, 1, ()))
    assert len(place.courier._kept) <= 4
    place.courier.owed(place.commit(2, payout="po_0"))
    assert await place.wants_a_look()
    assert place.merchants.heard == []


async def test_a_look_that_is_older_than_the_end_of_it_does_not_send_it_again() -> None:
    """The row was read while it was due, and used when it was not."""
    place = Place()

    async def meanwhile() -> None:
        place.courier.owed(owed)
        await place.courier.finish()

    owed = place.commit(1)
    place.outbox.while_looking = meanwhile
    assert await place.look() == 0
    assert place.merchants.heard == ["po_1/1/we_1"]


async def test_what_a_look_was_faster_to_find_is_begun_once() -> None:
    """A reader may see a commit before whoever asked for it hears of it."""
    place = Place()
    gate = place.merchants.gate["we_1"] = asyncio.Event()
    owed = place.commit(1)
    assert await place.courier.start_due() == 1
    place.courier.owed(owed)
    gate.set()
    await place.courier.finish()
    assert place.merchants.heard == ["po_1/1/we_1"]


async def test_a_crash_between_hand_over_and_mark_costs_a_repetition_and_no_more() -> None:
    """The row stayed due: whoever comes after looks, and sends it under the same id."""
    place = Place()
    place.merchants.gate["we_1"] = asyncio.Event()
    place.courier.owed(place.commit(1))
    await asyncio.sleep(0.001)
    await place.courier.aclose()
    assert place.outbox.state("po_1/1/we_1") is DUE
    place.merchants = Merchants(place.outbox)
    after = Courier(place.outbox, place.merchants, place.clock, limit=10, concurrency=8)
    assert await after.start_due() == 1
    await after.finish()
    assert place.merchants.heard == ["po_1/1/we_1"]
    assert place.outbox.state("po_1/1/we_1") is DELIVERED


async def test_what_is_owed_after_the_end_is_not_begun() -> None:
    """It is due in the store."""
    place = Place()
    await place.courier.aclose()
    place.courier.owed(place.commit(1))
    await place.courier.finish()
    assert place.merchants.heard == []


async def test_a_mark_that_was_not_written_ends_the_following() -> None:
    """Its row is still due: what comes next must not overtake the repetition."""
    place = Place()
    place.outbox.broken_for.add("po_1/1/we_1")
    place.courier.owed(place.commit(1))
    with pytest.raises(StoreBrokenError):
        await place.courier.finish()
    place.outbox.broken_for.clear()
    place.courier.owed(place.commit(2))
    assert await place.wants_a_look()
    await place.look()
    assert place.merchants.heard == [f"po_1/{n}/we_1" for n in (1, 1, 2)]


async def test_what_a_person_has_sent_again_goes_before_what_is_new() -> None:
    """It is due once more, and comes earlier."""
    place = Place()
    place.courier.owed(place.commit(1))
    await place.courier.finish()
    row = place.outbox.rows["po_1/1/we_1"]
    await place.outbox.resend(row.merchant_id, row.id, place.clock.now())
    place.courier.owed(Owed(PO))
    place.courier.owed(place.commit(2))
    assert place.merchants.heard == ["po_1/1/we_1"]
    await place.look()
    assert place.merchants.heard == [f"po_1/{n}/we_1" for n in (1, 1, 2)]


_STEP = st.one_of(
    st.tuples(
        st.just("commit"),
        st.integers(0, 1),  # which payout
        st.sampled_from([("we_1",), ("we_2",), ("we_1", "we_2"), ()]),
        st.sampled_from(["all", "all", "all", "hint", "nothing"]),  # what is told of it
        st.booleans(),  # whether time is left to send it
    ),
    st.tuples(st.sampled_from(["turn", "look", "look late", "resend"])),
)
_ANSWERS = st.lists(st.sampled_from([204, 503]), min_size=4)


@settings(max_examples=300, deadline=None)
@given(st.lists(_STEP, min_size=4, max_size=40), _ANSWERS, _ANSWERS)
async def test_whatever_is_told_and_looked_for_each_lane_keeps_its_order(
    steps: list[tuple[object, ...]], one: list[int], other: list[int]
) -> None:
    """And all is heard in the end, nothing twice; `Merchants` finds what is not so."""
    place = Place("we_1", "we_2", limit=4)
    place.merchants.answers = {"we_1": one, "we_2": other}
    seqs = [0, 0]
    for step in steps:
        match step:
            case ("commit", int(which), tuple(to), str(told), bool(paused)):
                seqs[which] += 1
                payout = f"po_{which}"
                owed = Owed(PayoutId(payout), seqs[which], seqs[which], ())
                if to:
                    owed = place.commit(seqs[which], *to, payout=payout)
                if told != "nothing":
                    place.courier.owed(owed if told == "all" else Owed(owed.payout_id))
                await asyncio.sleep(0.0001 if paused else 0)
            case ("look",):
                await place.courier.start_due()
            case ("look late",):
                place.outbox.while_looking = place.courier.finish
                await place.courier.start_due()
            case ("turn",):
                place.clock.turn(seconds=6)
            case ("resend",):
                heard = [row for row in place.outbox.rows.values() if row.state is DELIVERED]
                if heard and not place.courier._lanes:
                    row = heard[0]
                    await place.outbox.resend(row.merchant_id, row.id, place.clock.now())
                    place.courier.owed(Owed(row.payout_id))
    place.merchants.answers.clear()
    await place.courier.finish()
    for _ in range(2 * len(steps) + 1):
        place.clock.turn(hours=30)
        await place.look()
    assert {row.state for row in place.outbox.rows.values()} <= {DELIVERED}

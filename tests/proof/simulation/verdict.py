"""The judgement after a run: the gateway's books against the world bank's, payout by payout.

Faults have ended and days have passed. Every payout must now be at rest, or be in the hands of
people with a reason; what it says must be what the bank knows; what was acknowledged must be there.
"""

from dataclasses import dataclass, field
from datetime import timedelta

from gateway.domain.checkpoint import Verifier
from gateway.domain.ledger import Book
from gateway.domain.payout import Attempt, AttemptState, Payout, PayoutState
from gateway.engine.audit import Auditor
from gateway.engine.verify import verify
from gateway.ports import Observer
from gateway.store import SqlStore, Vault, webhook_payload
from gateway.store.codec import micros
from tests.proof.simulation.duties import ORIGIN, SIGNER
from tests.proof.simulation.people import People
from tests.proof.simulation.replica import KEK, Witness
from tests.proof.simulation.server import Link
from tests.proof.simulation.world import World

P = PayoutState
AT_REST = frozenset({P.PAID, P.SETTLED, P.RETURNED, P.FAILED, P.CANCELLED})
BEIJING = timedelta(hours=8)
"""Ahead of UTC."""
YOUNG = timedelta(hours=1)
"""Events of the last hour may still be on their way."""
WITH_PEOPLE = frozenset({P.PARKED, P.HELD})
FINAL = frozenset({"SUCCESS", "FAIL", "REFUND", "CANCELLED"})
"""What an institution calls an order that is done with, one way or the other."""


@dataclass
class Verdict:
    """Looks at one finished world."""

    world: World
    people: People
    observer: Observer = field(init=False)
    _incidents: set[str] = field(default_factory=set)
    _broken: set[str] = field(default_factory=set)
    """Payouts that an open break is about."""

    async def judge(self) -> None:
        """Compare everything; what is wrong is told to the world."""
        world = self.world
        process = world.loop.born("judge")
        self.observer = Witness(world, process)
        link = Link(world.server, world.loop, process, world.plan, world.story)
        link.is_disturbed = False
        clock = world.replicas[0].clock
        store = SqlStore(link, Vault(KEK), clock, webhook_payload)
        await store.prepare()
        for sentence in await store.audit():
            world.broken("I7", 0, sentence)
        rows = world.server.ask("SELECT id FROM payouts ORDER BY id")
        known: dict[str, Payout] = {}
        for (payout_id,) in rows:
            payout = await store.payout(payout_id)
            if payout is not None:
                known[payout_id] = payout
        for number, payout_id in sorted(self.people.told.items()):
            if payout_id not in known:
                world.broken("lost", number, f"{payout_id} was acknowledged and is gone")
        self._incidents = {str(one.payout_id) for one in await store.incidents(open_only=False)}
        self._broken = {str(one.payout_id) for one in await store.breaks()}
        for payout in known.values():
            self._payout(payout)
        numbers = {world.number_of(payout_id) for payout_id in known}
        for number in sorted(world.bank.paid.keys() - numbers):
            if world.bank.net(number):
                world.broken("lost", number, "the bank shows a payment of which we know nothing")
        self._events()
        if world.plan.webhooks:
            self._webhooks()
        if world.plan.audited:
            await self._log(store)
        await self._floats(store, known)

    # --- One payout ---

    def _payout(self, payout: Payout) -> None:
        world, number = self.world, self.world.number_of(payout.id)
        net = world.bank.net(number)
        contradicted = any(one.contradictions for one in payout.attempts)
        seen = contradicted or payout.id in self._broken
        told = f"{payout.state} ({payout.reason})"
        if payout.state not in AT_REST | WITH_PEOPLE:
            world.broken("stuck", number, f"{told} is neither at rest nor with people")
        if payout.state in WITH_PEOPLE and not (payout.reason and payout.owner):
            world.broken("stuck", number, f"{told} has no reason or no owner")
        if payout.state is P.PARKED and payout.live is not None:
            self._not_needlessly(payout.live, number, told)
        if net > 1 and not (seen and number in world.lied_about()):
            world.broken("double", number, f"{told}, and the bank shows {net} payments")
        if payout.state in {P.FAILED, P.CANCELLED, P.RETURNED} and net != 0 and not seen:
            world.broken("I8", number, f"{told}, and the bank shows {net} payments")
        if payout.state is P.HELD and net != 0 and not seen:
            world.broken("I8", number, f"{told}, and the bank shows {net} payments")
        if contradicted and payout.id not in self._incidents:
            world.broken("I10", number, f"{told} is contradicted, and there is no incident")
        if payout.state in {P.PAID, P.SETTLED}:
            self._paid(payout, number, seen)

    def _not_needlessly(self, live: Attempt, number: int, told: str) -> None:
        """I13: people are needed only where the channel itself does not know by now."""
        world = self.world
        (kind,) = {seat.kind for seat in world.plan.seats if seat.name == live.channel}
        word = world.institution(kind).status_of(live.channel, live.reference)
        if word in FINAL and number not in world.lied_about():
            world.broken("stuck", number, f"{told}: parked, although the channel knows: {word}")

    def _paid(self, payout: Payout, number: int, seen: bool) -> None:
        world = self.world
        (live,) = [one for one in payout.attempts if one.state is AttemptState.CONFIRMED]
        movements = world.bank.paid.get(number, [])
        right = [
            one
            for one in movements
            if (one.account, one.reference) == (live.channel, live.reference)
            and one.amount_minor == payout.amount.minor
        ]
        if len(right) != 1 or (world.bank.net(number) != 1 and not seen):
            world.broken("I8", number, f"paid, and the bank shows {len(right)} of this attempt")
        today = (world.now() + BEIJING).date()
        if live.paid_at is not None and (live.paid_at + BEIJING).date() >= today:
            return  # no statement of that day is out yet
        if payout.state is P.PAID and not seen and "statement_missing" not in world.plan.faults:
            world.broken("I15", number, "paid, on no statement, and no break is open")

    # --- The whole ---

    def _events(self) -> None:
        """I9: the history of every payout is complete and ends where the payout stands."""
        rows = self.world.server.ask(
            "SELECT p.id, p.version, COUNT(e.seq), COALESCE(MAX(e.seq), 0) FROM payouts p "
            "LEFT JOIN events e ON e.merchant_id = p.merchant_id AND e.payout_id = p.id "
            "GROUP BY p.id, p.version HAVING COUNT(e.seq) <> p.version OR MAX(e.seq) <> p.version"
        )
        for payout_id, version, count, last in rows:
            number = self.world.number_of(str(payout_id))
            told = f"version {version}, {count} events, the last is {last}"
            self.world.broken("I9", number, told)

    def _webhooks(self) -> None:
        """I14: every event was delivered at least once, or is a dead letter; none just vanished."""
        world = self.world
        rows = world.server.ask(
            "SELECT e.payout_id, e.seq, e.at, d.id, d.state FROM events e LEFT JOIN deliveries d "
            "ON d.payout_id = e.payout_id AND d.seq = e.seq"
        )
        young = micros(world.now() - YOUNG)
        for payout_id, seq, at, delivery, state in rows:
            number, came = world.number_of(payout_id), world.sink.received.get((payout_id, seq))
            if delivery is None and not world.sink.is_gone:
                world.broken("I14", number, f"event {seq} is owed to nobody")
            elif state == "due" and at < young:
                world.broken("I14", number, f"event {seq} is neither delivered nor a dead letter")
            elif state == "dead" and not world.sink.is_gone:
                world.broken("I14", number, f"event {seq} was given up after so few days")
            elif state == "delivered" and not came:
                world.broken("I14", number, f"event {seq} is said to be delivered and never came")
            elif came and len(came) > 1 and not world.plan.restores:
                world.broken("I14", number, f"event {seq} came under {len(came)} ids")

    async def _log(self, store: SqlStore) -> None:
        """I22: the log covers everything, and it all computes again, from the rows up."""
        notary = self.world.notary
        auditor = Auditor(
            store, self.world.replicas[0].clock, self.observer, SIGNER, notary, [notary]
        )
        await auditor.catch_up()
        if await auditor.checkpoint(now=True) is None:
            self.world.broken("I22", 0, "the log does not continue what was signed before")
        report = await verify(store, Verifier(ORIGIN, (SIGNER.public_key,)), notary.notes)
        for finding in report.findings:
            self.world.broken("I22", 0, f"{finding.flaw}: {finding.message}")

    def _is_open(self, payout: Payout) -> bool:
        """Whether what contradicts it is not all booked yet: a lie, or what a break is about."""
        return (
            payout.id in self._broken or self.world.number_of(payout.id) in self.world.lied_about()
        )

    async def _floats(self, store: SqlStore, known: dict[str, Payout]) -> None:
        """Where nothing is open, our float is what lies at the bank."""
        world = self.world
        odd = {
            one.channel
            for payout in known.values()
            for one in payout.attempts
            if payout.state is P.PARKED or (one.contradictions and self._is_open(payout))
        }
        if world.plan.faults.keys() & {"statement_double", "statement_missing"}:
            return  # a fee line too many or too few is believed until a person corrects it
        balances: dict[tuple[Book, str], int] = {}
        for balance in await store.balances():
            balances[balance.account.book, balance.account.owner] = balance.minor
        for institution in world.network.institutions.values():
            for name, there in institution.balances().items():
                ours = balances.get((Book.FLOAT, name), 0)
                open_minor = balances.get((Book.IN_TRANSIT, name), 0)
                if open_minor == 0 and name not in odd and ours != there:
                    world.broken("float", 0, f"{name}: {ours} in our books, {there} there")

"""Everything of one run in one place: who is there, how they reach each other, what they broke.

Judges nothing but what must hold at every single moment; the rest is `verdict`'s.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import urlsplit

from gateway.domain.certify import CHANNELS_WORD
from gateway.domain.payout import Armed, AttemptState, Payout, PayoutId, Resent
from gateway.engine import notices
from gateway.engine.gateway import Gateway
from gateway.ports import Change, Clock, Position
from gateway.store.codec import micros
from simulators.kernel import Push
from tests.proof.simulation.bank import Bank
from tests.proof.simulation.dice import Dice
from tests.proof.simulation.duties import Notary
from tests.proof.simulation.institutions import HOSTS, Institution
from tests.proof.simulation.loop import Process, SeededLoop
from tests.proof.simulation.mischief import STRICT, Mischief
from tests.proof.simulation.network import Network, Wire
from tests.proof.simulation.plan import Plan
from tests.proof.simulation.replica import Replica, ReplicaClock
from tests.proof.simulation.server import Link, Server
from tests.proof.simulation.sink import Sink
from tests.proof.simulation.story import Story
from tests.proof.simulation.worker import NAP_MAX_S, Awaits

T = TypeVar("T")

DECIDING_S = 120.0
"""No decision is older than this when it is committed."""
NOTICE_PATIENCE_S = 5.0
CALL_PATIENCE_S = 30.0
FRESH_S = 2 * 3600.0
STATEMENT_HOURS = (10.1, 22.1)
MEASURE_S = 6 * 3600.0
"""Channels' arrivals move by days; the gateway's minute would be most of a calm day's steps."""
"""Beijing time at which gateways look for statements."""


class Violation(Exception):  # noqa: N818 - it is what the proof is after, not an error in it
    """A promise was broken."""

    def __init__(self, rule: str, number: int, what: str) -> None:
        """`rule` as numbered in reliability.md §3; `number` is the payout's, 0 for none."""
        super().__init__(f"{rule}: {what}")
        self.rule = rule
        self.number = number


class World:
    """One run's everything."""

    def __init__(self, plan: Plan, loop: SeededLoop, *, keeps: bool) -> None:
        """Build it; nothing runs yet. `keeps` the story as text."""
        self.plan = plan
        self.loop = loop
        self.dice = Dice(plan.seed, "world")
        self._start = self._now = plan.start.astimezone(UTC)
        self._now_s = 0.0
        self.story = Story(plan.start, loop.time, keeps)
        self.bank = Bank(self.story)
        self.bank.on_double = self._paid_again
        self.server = Server()
        self.server.on_commit = self._committed
        self.network = Network(loop, plan, self.story)
        self.network.about = self.about
        self.network.ours = self._ours
        self.network.check = self._may_leave
        self.network.too_old = self._too_old
        self.is_disturbed = True
        self.sink = Sink(self)
        self.notary = Notary()
        self.mark: Position | None = None
        """How far the database was known to be, outside the database."""
        self.is_fresh = False
        """Whether the database was put back lately."""
        self.violations: list[Violation] = []
        self.incidents: set[str] = set()
        """Payouts somebody was told to look at."""
        self.replicas = [
            Replica(f"gw{index}", plan, self, ReplicaClock(self.now))
            for index in range(1, plan.replicas + 1)
        ]
        self._frozen: dict[str, tuple[str, float]] = {}
        """Open incidents that freeze: channel, and when we first saw it."""
        self._links: list[Link] = []
        self._wires: list[Wire] = []
        self.dead: list[Process] = []
        self._numbers: dict[str, int] = {}
        self._references: dict[tuple[str, str], int] = {}
        self._nobodys: set[tuple[str, str, int]] = set()
        """Account, reference and commits so far: a rebuild asks about what never was, by scores."""
        self._signed_at: dict[str, datetime] = {}
        """By digest."""
        self._strict = frozenset(seat.name for seat in plan.seats if seat.is_strict)
        self._promised: dict[Process, Counter[str]] = {}
        self._build_institutions()

    def _build_institutions(self) -> None:
        for kind in sorted({seat.kind for seat in self.plan.seats}):
            seats = [seat for seat in self.plan.seats if seat.kind == kind]
            mischief = Mischief(
                kind=kind,
                plan=self.plan,
                story=self.story,
                about=self.about,
                known=lambda account, reference, kind=kind: (  # type: ignore[misc]  # bound early
                    self.institution(kind).status_of(account, reference) is not None
                ),
            )
            made = Institution(
                kind, seats, self.plan, mischief, self.loop, self.bank.moved, self._owe
            )
            self.network.institutions[HOSTS[kind]] = made

    # --- Asking ---

    def now(self) -> datetime:
        """What a right clock shows."""
        at_s = self.loop.time()
        if at_s != self._now_s:
            self._now_s, self._now = at_s, self._start + timedelta(seconds=at_s)
        return self._now

    def institution(self, kind: str) -> Institution:
        """The one of that kind."""
        return self.network.institutions[HOSTS[kind]]

    def number_of(self, payout_id: str) -> int:
        """Which payout of the plan it is; 0 when unknown."""
        number = self._numbers.get(payout_id)
        if number is None:
            rows = self.server.ask("SELECT merchant_ref FROM payouts WHERE id = ?", (payout_id,))
            if not rows:
                return 0
            number = self._numbers[payout_id] = int(str(rows[0][0]).removeprefix("ref-"))
        return number

    def about(self, account: str, reference: str) -> int:
        """Which payout a reference at an account is about; 0 when unknown."""
        number = self._references.get((account, reference))
        if number is None:
            asked = (account, reference, self.server.commits)
            if asked in self._nobodys:
                return 0
            rows = self.server.ask(
                "SELECT payout_id FROM attempts WHERE channel = ? AND reference = ?",
                (account, reference),
            )
            if not rows:
                self._nobodys.add(asked)
                return 0
            number = self._references[account, reference] = self.number_of(str(rows[0][0]))
        return number

    def _ours(self, account: str, order: str) -> str:
        rows = self.server.ask(
            "SELECT reference FROM attempts WHERE channel = ? AND channel_ref = ?", (account, order)
        )
        return str(rows[0][0]) if rows else ""

    # --- Processes ---

    def connect(self, process: Process) -> Link:
        """A process's connection to the database."""
        link = Link(self.server, self.loop, process, self.plan, self.story)
        link.is_disturbed = self.is_disturbed
        self._links.append(link)
        return link

    def wire(self, process: Process, account: str) -> Wire:
        """A channel's way out of a process."""
        made = Wire(self.network, process, account)
        self._wires.append(made)
        return made

    def died(self, process: Process) -> None:
        """It is gone; its remains are buried after the run."""
        self.dead.append(process)
        self._promised.pop(process, None)

    def left(self, replica: Replica, process: Process) -> None:
        """It ended by itself; whoever watches over it starts another one."""
        if replica.process is process:
            replica.kill()
            self.loop.after(1 + self.dice.next("restart") * 60, self.revive, replica)

    def revive(self, replica: Replica) -> None:
        """Start it unless it runs."""
        if replica.process is None:
            replica.start()

    def put_back(self) -> None:
        """Stop everything, restore an old copy, start everything: it must notice by itself."""
        mark = self.server.position()
        for replica in self.replicas:
            replica.kill()
            self.loop.after(1 + self.dice.next("restart") * 300, self.revive, replica)
        for link in self._links:
            link.cut()
        self._links.clear()
        self.server.put_back()
        self.mark = mark
        self.notary.forget()
        self.is_fresh = True
        self.loop.after(FRESH_S, self._not_fresh)

    def _not_fresh(self) -> None:
        self.is_fresh = False

    def serving(self) -> list[Replica]:
        """Replicas that take calls, stopped ones included: nobody knows that they are stopped."""
        return [one for one in self.replicas if one.is_serving and one.gateway is not None]

    async def call(
        self, replica: Replica, use: Callable[[Gateway], Awaitable[T]], patience: float
    ) -> T | Exception:
        """Have a replica do something; TimeoutError when it does not answer."""
        process, gateway = replica.process, replica.gateway
        if process is None or gateway is None:
            return ConnectionRefusedError()
        done: asyncio.Future[T | Exception] = self.loop.create_future()

        def answer(result: T | Exception) -> None:
            if not done.done():
                done.set_result(result)

        async def inside() -> None:
            try:
                result: T | Exception = await use(gateway)
            except Exception as error:  # noqa: BLE001 - the caller hears of it
                result = error
            self.loop.after(0.001, answer, result)

        self.loop.start(process, inside())
        timer = self.loop.after(patience, answer, TimeoutError())
        result = await done
        timer.cancel()
        return result

    # --- Naps ---

    def jitter(self, awaits: Awaits, pause_s: float) -> float:
        """How much later than it could a worker's loop looks again."""
        if awaits is Awaits.CHANGES:
            calm_s = 1800 if self.plan.restores else 4 * 1800
            return pause_s + self.dice.next("refresh") * (60 if self.is_disturbed else calm_s)
        return pause_s * (0.1 + 0.9 * self.dice.next("poll"))

    def idle_s(
        self, awaits: Awaits, gateway: Gateway, busy: Collection[PayoutId], counted: int
    ) -> float:
        """How long a worker's loop would find nothing, as things stand.

        `counted`: how many commits there were when it last began to count.
        """
        if awaits is Awaits.CHANGES:
            return NAP_MAX_S if counted == self.server.commits else 0.0
        if awaits is Awaits.ARRIVALS:
            return MEASURE_S
        due_at = self.server.next_due(awaits is Awaits.WATCHES, busy)
        return self.wait_s(due_at, gateway.clock)

    def wait_s(self, due_at: int | None, clock: Clock) -> float:
        """Seconds until a moment (µs), by this clock; very long to None."""
        if due_at is None:
            return NAP_MAX_S
        return min(max((due_at - micros(clock.now())) / 1_000_000, 0.0), NAP_MAX_S)

    def rouse(self) -> None:
        """Something happened that every worker should see."""
        for replica in self.replicas:
            if replica.worker is not None:
                replica.worker.rouse()

    def reads(self, replica: Replica) -> bool:
        """Whether it looks for statements now: any may while things go wrong, then one a round.

        Gateways take turns at a channel's statements; who finds them read asks for nothing.
        """
        serving = self.serving()
        if self.is_disturbed or not serving:
            return True
        draw = self.dice.unit(f"reader/{int(self.loop.time() // 43200)}")
        return serving[int(draw * len(serving))] is replica

    async def until_statements(self, name: str) -> None:
        """Sleep until the next time to look for statements."""
        local = self.now() + timedelta(hours=8)
        hour = local.hour + local.minute / 60 + local.second / 3600
        waits = [(due - hour) % 24 for due in STATEMENT_HOURS]
        spread = 120 * self.dice.unit(f"statements/{name}")
        await asyncio.sleep(
            min(wait if wait > 0.1 else wait + 24 for wait in waits) * 3600 + spread
        )

    # --- What must hold at every moment ---

    def broken(self, rule: str, number: int, what: str) -> None:
        """Write down a broken promise."""
        self.story.tell("JUDGE", number, f"VIOLATION {rule}: {what}")
        self.violations.append(Violation(rule, number, what))

    def moved(self, process: Process, change: Change) -> None:
        """A commit was acknowledged to this process."""
        payout = change.after
        number = self.number_of(payout.id)
        for event in change.events:
            told = f"{event.kind} ({change.actor}) → {payout.state}"
            self.story.tell(process.name, number, told)
            if isinstance(event, Armed):
                self._not_frozen(payout, number)
                self._references[event.attempt.channel, event.attempt.reference] = number
                self._promised.setdefault(process, Counter())[event.attempt.digest] += 1
                self._signed_at[event.attempt.digest] = event.attempt.signed_at
            elif isinstance(event, Resent):
                self._promised.setdefault(process, Counter())[event.digest] += 1
            elif event.kind == "contradicted":
                self._freezes()
                self.incidents.add(payout.id)
            elif event.kind == "parked":
                self.incidents.add(payout.id)
        self._judge(payout, number)

    def alarmed(self, process: Process, event: str, facts: Mapping[str, object]) -> None:
        """An alarm was raised."""
        payout_id = facts.get("payout_id")
        number = self.number_of(str(payout_id)) if payout_id else 0
        self.story.tell(process.name, number, f"ALARM {event} {facts.get('kind', '')}".rstrip())

    def defective(
        self, process: Process, event: str, error: Exception, facts: Mapping[str, object]
    ) -> None:
        """The engine met a bug of its own."""
        payout_id = facts.get("payout_id")
        number = self.number_of(str(payout_id)) if payout_id else 0
        self.broken("defect", number, f"{process.name} {event} {error!r}")

    def lied_about(self) -> set[int]:
        """Payouts of which an institution said a signed untruth."""
        return {
            self.about(seat.name, reference)
            for seat in self.plan.seats
            for reference in self.institution(seat.kind).mischief.lied
        }

    def _paid_again(self, number: int, what: str) -> None:
        """Twice is once too often, unless a lie led to it: that must come out by the end."""
        if number == 0 or number not in self.lied_about():
            self.broken("double", number, what)

    def _judge(self, payout: Payout, number: int) -> None:
        live = [one for one in payout.attempts if one.state.is_live]
        if len(live) > 1:
            self.broken("I1", number, "two live attempts")
        for earlier in payout.attempts[:-1]:
            if earlier.state is not AttemptState.DEAD or earlier.certificate is None:
                self.broken("I2", number, f"attempt {earlier.number} has a successor and no proof")

    def _too_old(self, account: str, digest: str) -> bool:
        """A strict account measures the age of what was signed, by its own right clock."""
        signed_at = self._signed_at.get(digest)
        if account not in self._strict or signed_at is None:
            return False
        return abs(self.now() - signed_at).total_seconds() > (STRICT.acceptance_window_s or 0)

    def _not_frozen(self, payout: Payout, number: int) -> None:
        """I10: nothing leaves a channel on its word while an incident there is open.

        Not judged where a process stands still between its decision and its commit.
        """
        words = {
            one.channel
            for one in payout.attempts[:-1]
            if one.certificate is not None and one.certificate.kind in CHANNELS_WORD
        }
        if not words or "pause" in self.plan.faults:
            return
        for channel, since in self._freezes().items():
            if channel in words and self.loop.time() - since > DECIDING_S:
                self.broken("I10", number, f"it left {channel} whose failover is frozen")

    def _freezes(self) -> dict[str, float]:
        """Frozen channels, and since when we know: stored times are those of clocks that err."""
        rows = self.server.ask(
            "SELECT id, channel FROM incidents WHERE freezes = 1 AND released_at IS NULL"
        )
        known, self._frozen = self._frozen, {}
        for incident_id, channel in rows:
            self._frozen[incident_id] = known.get(incident_id, (channel, self.loop.time()))
        since: dict[str, float] = {}
        for channel, at in self._frozen.values():
            since[channel] = min(at, since.get(channel, at))
        return since

    def _may_leave(self, process: Process, account: str, reference: str, digest: str) -> None:
        """I3 and I4: armed, committed, acknowledged to this process; one commit, one send."""
        promised = self._promised.get(process, Counter())
        if promised[digest] < 1:
            number = self.about(account, reference)
            self.broken("I3", number, f"{reference} leaves {process.name} without a commit")
        promised[digest] -= 1

    def _committed(self) -> None:
        for replica in self.replicas:
            if replica.worker is not None:
                replica.worker.look_again()
            if replica.duties is not None:
                replica.duties.look_again()

    # --- Notices ---

    def _owe(self, institution: Institution, push: Push) -> None:
        """Deliver a notice to whichever replica answers."""
        wait = max((push.due_at - institution.now()).total_seconds(), 0.0)
        self.loop.after(wait, self._deliver, institution, push)

    def _deliver(self, institution: Institution, push: Push) -> None:
        self.loop.start(self.loop.world, self._delivering(institution, push))

    async def _delivering(self, institution: Institution, push: Push) -> None:
        account = urlsplit(push.url).path.rpartition("/")[2]
        about = self.about(push.account, push.reference)
        serving = self.serving()
        status, body = None, b""
        if serving and not self.network.strikes("request_lost", account, about, "notice"):
            await asyncio.sleep(self.network.leg(account, about))
            replica = serving[int(self.dice.next("balancer") * len(serving))]
            headers = {name.lower(): value for name, value in push.headers}
            self.story.tell(account, about, f"notice {push.reference} to {replica.name}")
            reply: Any = await self.call(
                replica,
                lambda gateway: notices.receive(gateway, account, headers, push.body),
                NOTICE_PATIENCE_S,
            )
            if not isinstance(reply, Exception):
                status, body = reply.status, reply.body
            if self.network.strikes("reply_lost", account, about, "notice"):
                status, body = None, b""
        institution.heard(push, status, body)

    # --- Phases ---

    def calm(self) -> None:
        """Nothing goes wrong any more."""
        self.is_disturbed = self.network.is_disturbed = False
        for link in self._links:
            link.is_disturbed = False
        for institution in self.network.institutions.values():
            institution.mischief.is_disturbed = False
        for replica in self.replicas:
            replica.clock.wrong_by = timedelta()
            if replica.process is not None:
                replica.process.is_paused = False
            self.revive(replica)
        self.rouse()

    def silence(self) -> None:
        """After the run: nobody reaches the database or the network any more."""
        self.story.keeps = False
        for link in self._links:
            link.cut()
        for wire in self._wires:
            wire.cut()

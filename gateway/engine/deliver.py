"""The outbox is emptied here: due webhooks are sent, in order, and their fate is written down.

So are the notices that callers of other platforms' protocols are owed: what is said, how often and
what counts as heard is theirs (`Notices`), all the rest is the same.

At least once: a delivery is marked only after its receiver has answered, so a crash in between
sends it again under the same id. In order: one payout's webhooks to one endpoint form a lane, and a
lane never overtakes itself. Nobody waits for a stranger: an endpoint holds a fraction of the slots,
and one that has gone silent is probed by one delivery at a time while its others move along the
ladder unsent.

What is due is looked for in the store. Only what a commit of this process has just owed, about a
payout of which nothing can be waiting, is begun without a look; it is in the store all the same.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol
from weakref import WeakValueDictionary

from msgspec import Struct
from msgspec.structs import replace

from channels.unprinted import Unprinted
from gateway.domain.dialect import ACCOUNT_PREFIX
from gateway.domain.pace import DELIVERY_LADDER_S, jitter, next_delivery
from gateway.domain.payout import PayoutId
from gateway.ports import Clock, Delivery, Endpoint, OutboxStore, Owed

ACTOR = "gateway"
ENDPOINT_SHARE = 4
"""One endpoint may hold a quarter of the slots."""
SILENCES_MAX = 3
"""After so many tries in a row without any status, an endpoint counts as silent."""

SILENT_MAX = 10_000
"""Beyond so many silent receivers, all are tried afresh."""

KEPT_MAX = 10_000
"""Beyond so many payouts whose webhooks are followed from the first on, all are left to looks."""

LOOK_GAP_S = 0.005
"""Between looks, so that one serves many; longer where a look takes longer."""
LOOK_GAP_MAX_S = 0.1

TRY_MAX = timedelta(seconds=15)
"""One try takes less; a claim that ends sooner is not begun on."""

_GONE = 410

_Lane = tuple[PayoutId, str]


class Answer(Unprinted, frozen=True):
    """What came of one try: the receiver's status, or else why there is none."""

    hidden = frozenset({"said"})

    status: int | None
    error: str | None = None
    said: bytes = b""
    """The beginning of the reply, where it counts."""

    @property
    def is_accepted(self) -> bool:
        """Whether the receiver has it."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def problem(self) -> str:
        """Say what went wrong in words for the merchant."""
        return self.error or f"the receiver answered {self.status}"


class Sender(Protocol):
    """Puts one webhook on the wire."""

    async def send(self, endpoint: Endpoint, delivery: Delivery, at: datetime) -> Answer:
        """Try once, signed as of `at`; never raises for what the receiver does."""


class Notice(Unprinted, frozen=True):
    """What another platform would send its caller now."""

    hidden = frozenset({"body"})

    receiver: str
    """Whose silence is counted together."""
    url: str
    content_type: str
    body: bytes
    word: str
    """By which, alone in the reply, the receiver says that it has it; in any case."""
    ladder_s: Sequence[int]

    def is_heard(self, answer: Answer) -> bool:
        """Whether the receiver has said its word; the status is no part of it."""
        said = answer.said.decode("utf-8", "replace").strip("\ufeff \t\r\n")
        return answer.status is not None and said.lower() == self.word.lower()

    def problem(self, answer: Answer) -> str:
        """What is missing."""
        if answer.status is None or answer.error is not None:
            return answer.problem
        return f"the receiver answered {answer.status} without the word {self.word!r} alone"


class Unsaid(Struct, frozen=True):
    """Why there is nothing to send; what comes later is owed by a commit of its own."""

    reason: str
    again: bool = False
    """Whether the same delivery is tried again."""


class Notices(Protocol):
    """What is owed to callers of other platforms' protocols."""

    async def make(self, delivery: Delivery) -> Notice | Unsaid:
        """Write it as things stand now. Raises what the store raises, and nothing else."""

    async def send(self, notice: Notice) -> Answer:
        """Try once; never raises for what the receiver does."""


class DeliveryStore(OutboxStore, Protocol):
    """Webhooks owed, and of the directory only the endpoints they are owed to."""

    async def endpoint(self, endpoint_id: str) -> Endpoint | None:
        """One endpoint."""

    async def put_endpoint(self, endpoint: Endpoint, actor: str) -> None:
        """Insert or replace a webhook endpoint."""


class _End(Struct, frozen=True):
    """How a try ended, as it is to be written down."""

    answer: Answer
    heard_at: datetime | None = None
    """When the receiver had it; None: not."""
    due_at: datetime | None = None
    """When it is tried again; None: never."""


@dataclass(slots=True, eq=False)
class _Way:
    """What a lane has in hand."""

    waiting: deque[Delivery]
    last: int
    """Number of the last event it was given."""
    is_clear: bool = False
    """Whether all of it was heard or is a dead letter: nothing is left to wait behind."""
    task: asyncio.Task[None] | None = None


class Courier:
    """Sends what is due without waiting for slow receivers. One per process.

    Call `start_due` after each `rest`, again and again; call `finish` before leaving.
    """

    def __init__(
        self,
        store: DeliveryStore,
        sender: Sender,
        clock: Clock,
        *,
        limit: int,
        concurrency: int,
        shared: bool = False,
        notices: Notices | None = None,
    ) -> None:
        """`limit` bounds what one look at the outbox brings, `concurrency` what is being sent.

        `shared`: others look, too, and what a look brings is left to us for a while: then no more
        than `limit` is in hand at any time.
        """
        self._shared = shared
        self._notices = notices
        self._store = store
        self._sender = sender
        self._clock = clock
        self._limit = limit
        self._slots = asyncio.Semaphore(concurrency)
        self._share = max(1, concurrency // ENDPOINT_SHARE)
        self._shares: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._silences: dict[str, int] = {}
        self._probed: set[str] = set()
        self._lanes: dict[_Lane, _Way] = {}
        self._kept: dict[PayoutId, int] = {}
        """Payouts of which all webhooks up to that event were in hand from the first on, and none
        is left that was tried in vain: what comes next waits for nothing but what is in hand."""
        self._followed: set[_Lane] = set()
        """Under way, and a look may find something behind what they have in hand."""
        self._begun: set[_Lane] = set()
        """In hand when a look began that is under way, or since."""
        self._looks = 0
        self._news: set[PayoutId | None] = set()
        """What was owed something since the last look began; None: it may be any."""
        self._wanted = asyncio.Event()
        self._may_look_at = 0.0
        self._failures: list[BaseException] = []
        self._is_closed = False
        self.settled = 0
        """Tries whose end has been written down since the start."""

    async def start_due(self) -> int:
        """Start the lanes that have something due and are not under way; how many.

        Raises what the store raised in an earlier lane.
        """
        self._raise_failure()
        self._followed.update(lane for lane in self._lanes if self._is_news(lane))
        self._news.clear()
        busy = len(self._lanes)
        room = self._limit + (-busy if self._shared else busy)
        if room <= 0:
            return 0
        self._wanted.clear()
        due = await self._looked(room)
        waiting: dict[_Lane, list[Delivery]] = {}
        for delivery in due:
            lane = (delivery.payout_id, delivery.endpoint_id)
            if lane not in self._begun and lane not in self._lanes:
                waiting.setdefault(lane, []).append(delivery)
        for lane, deliveries in waiting.items():
            self._start(lane, deliveries)
            # A look brings only the head of a lane.
            if deliveries[-1].may_be_followed:
                self._followed.add(lane)
        return len(waiting)

    def owed(self, owed: Owed) -> None:
        """Something was owed just now: begin it where nothing older can wait, else do not rest."""
        if not self._took(owed):
            if owed.payout_id is not None:
                self._kept.pop(owed.payout_id, None)
            self._news.add(owed.payout_id)
            self._wanted.set()

    def _took(self, owed: Owed) -> bool:
        """Take all of it in hand, unless something that it must not overtake may wait unseen."""
        payout_id, deliveries = owed.payout_id, owed.deliveries
        if payout_id is None or deliveries is None or self._is_closed:
            return False
        # Nothing comes before a payout's first event.
        if self._kept.get(payout_id, 0) != owed.first - 1:
            return not deliveries
        if deliveries and len(self._lanes) + len(deliveries) > self._limit:
            return False
        if len(self._kept) >= KEPT_MAX:
            self._kept.clear()
        self._kept[payout_id] = owed.last
        for delivery in deliveries:
            lane = (delivery.payout_id, delivery.endpoint_id)
            way = self._lanes.get(lane)
            if way is None:
                self._start(lane, [delivery])
            elif delivery.seq > way.last:
                # Otherwise a look was faster, and has brought it.
                way.waiting.append(delivery)
                way.last = delivery.seq
        return True

    def _is_news(self, lane: _Lane) -> bool:
        """Whether something may have been owed behind it since the last look began."""
        return lane[0] in self._news or None in self._news

    async def rest(self, seconds: float) -> None:
        """Wait until a look may find something, or so long; at least as long as looks are dear."""
        loop = asyncio.get_running_loop()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wanted.wait()
        await asyncio.sleep(self._may_look_at - loop.time())

    async def _looked(self, room: int) -> list[Delivery]:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        if not self._looks:
            self._begun = set(self._lanes)
        self._looks += 1
        try:
            return await self._store.due_deliveries(self._clock.now(), room)
        finally:
            self._looks -= 1
            took = loop.time() - begun
            self._may_look_at = begun + took + min(max(LOOK_GAP_S, took), LOOK_GAP_MAX_S)

    def _start(self, lane: _Lane, deliveries: Iterable[Delivery]) -> None:
        waiting = deque(deliveries)
        way = self._lanes[lane] = _Way(waiting, waiting[-1].seq)
        if self._looks:
            # What the look brings may be older than the end of a lane.
            self._begun.add(lane)
        way.task = asyncio.create_task(self._run(lane, way))
        # Not at the end of `_run`: a task cancelled before its first step never gets there.
        way.task.add_done_callback(partial(self._ended, lane))

    async def finish(self) -> None:
        """Wait for every lane under way; raises the first failure of the store."""
        while self._lanes:
            await asyncio.wait(self._tasks())
        self._raise_failure()

    async def aclose(self) -> None:
        """Stop in the middle: what was not written down stays due and will be sent again."""
        self._is_closed = True
        for task in self._tasks():
            task.cancel()
        while self._lanes:
            await asyncio.wait(self._tasks())

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [way.task for way in self._lanes.values() if way.task is not None]

    async def _run(self, lane: _Lane, way: _Way) -> None:
        try:
            share = self._shares.setdefault(lane[1], asyncio.Semaphore(self._share))
            while way.waiting:
                # The own share first: who waits for it must not sit on a slot meanwhile.
                async with share, self._slots:
                    delivery = way.waiting.popleft()
                    until = delivery.claimed_until
                    if until is not None and self._clock.now() + TRY_MAX >= until:
                        # It waited too long for its turn: it falls due again, for whoever is free.
                        return
                    end = await self._tried(delivery)
                # Without a slot: nobody else need wait until the disk has it.
                if not await self._settle(delivery, end):
                    return
            way.is_clear = True
        except Exception as error:  # noqa: BLE001 - raised by the next `start_due` or `finish`
            self._failures.append(error)

    def _ended(self, lane: _Lane, _task: asyncio.Task[None]) -> None:
        way = self._lanes.pop(lane)
        if not way.is_clear or way.waiting:
            # Something of it is due later, or came after its end: what follows is for a look.
            self._kept.pop(lane[0], None)
            self._news.update({lane[0]} if way.waiting else ())
        if lane in self._followed or self._is_news(lane):
            self._followed.discard(lane)
            self._wanted.set()

    async def _settle(self, delivery: Delivery, end: _End) -> bool:
        """Write down how a try ended; whether the next of its lane may follow.

        Behind a dead letter it may, behind one that is tried again it may not.
        """
        answer = end.answer
        if end.heard_at is not None and answer.status is not None:
            await self._store.delivered(delivery.id, answer.status, end.heard_at)
        else:
            await self._store.delivery_failed(
                delivery.id, answer.status, answer.problem, end.due_at
            )
        self.settled += 1
        return end.due_at is None

    async def _tried(self, delivery: Delivery) -> _End:
        """Try one delivery."""
        if self._notices is not None and delivery.endpoint_id.startswith(ACCOUNT_PREFIX):
            return await self._notify(self._notices, delivery)
        endpoint = await self._store.endpoint(delivery.endpoint_id)
        if endpoint is None or endpoint.merchant_id != delivery.merchant_id:
            return _End(Answer(None, "the endpoint no longer exists"))
        if not endpoint.active:
            return _End(Answer(None, "the endpoint is switched off"))
        answer = await self._ask(endpoint, delivery)
        now = self._clock.now()
        if answer.is_accepted:
            return _End(answer, heard_at=now)
        if answer.status == _GONE and await self._switch_off(endpoint):
            gone = "the receiver answered 410 (gone); the endpoint was switched off"
            return _End(replace(answer, error=gone))
        return _End(answer, due_at=retry_at(delivery, now))

    async def _notify(self, notices: Notices, delivery: Delivery) -> _End:
        """As `_tried`, for another platform's caller."""
        notice = await notices.make(delivery)
        if isinstance(notice, Unsaid):
            due_at = retry_at(delivery, self._clock.now()) if notice.again else None
            return _End(Answer(None, notice.reason), due_at=due_at)
        answer = await self._try(notice.receiver, lambda: notices.send(notice))
        now = self._clock.now()
        if notice.is_heard(answer):
            return _End(answer, heard_at=now)
        answer = replace(answer, error=notice.problem(answer))
        return _End(answer, due_at=retry_at(delivery, now, notice.ladder_s))

    async def _ask(self, endpoint: Endpoint, delivery: Delivery) -> Answer:
        return await self._try(
            endpoint.id, lambda: self._sender.send(endpoint, delivery, self._clock.now())
        )

    async def _try(self, receiver: str, send: Callable[[], Awaitable[Answer]]) -> Answer:
        """Send, unless the receiver is silent and another delivery is just finding out."""
        silent = self._silences.get(receiver, 0) >= SILENCES_MAX
        if silent and receiver in self._probed:
            return Answer(None, "not sent: the receiver did not answer other webhooks just now")
        if silent:
            self._probed.add(receiver)
        try:
            answer = await send()
        finally:
            if silent:
                self._probed.discard(receiver)
        if answer.status is None:
            self._forget_receivers()
            self._silences[receiver] = self._silences.get(receiver, 0) + 1
        else:
            self._silences.pop(receiver, None)
        return answer

    def _forget_receivers(self) -> None:
        """Callers name a receiver with each order: they must not fill the memory."""
        if len(self._silences) >= SILENT_MAX:
            self._silences.clear()

    async def _switch_off(self, endpoint: Endpoint) -> bool:
        """Honour a 410, unless the merchant has moved the endpoint while we were asking."""
        current = await self._store.endpoint(endpoint.id)
        if current is None or current.url != endpoint.url:
            return False
        if current.active:
            await self._store.put_endpoint(replace(current, active=False), ACTOR)
        return True

    def _raise_failure(self) -> None:
        if self._failures:
            failure, self._failures = self._failures[0], []
            raise failure


def retry_at(
    delivery: Delivery, now: datetime, ladder_s: Sequence[int] = DELIVERY_LADDER_S
) -> datetime | None:
    """When to try again after one more failure, up to 10 % late; None when it is a dead letter."""
    tries = delivery.tries + 1
    due_at = next_delivery(tries, now, ladder_s)
    if due_at is None:
        return None
    return now + jitter(f"{delivery.id}{tries}", int((due_at - now).total_seconds()))


async def deliver_due(
    store: DeliveryStore, sender: Sender, clock: Clock, *, limit: int, concurrency: int
) -> int:
    """Send what is due now, at most `limit`, and wait for it; how many tries were written down.

    Raises only what the store raises, after every other lane has come to its end.
    """
    courier = Courier(store, sender, clock, limit=limit, concurrency=concurrency)
    try:
        await courier.start_due()
        await courier.finish()
    finally:
        await courier.aclose()
    return courier.settled

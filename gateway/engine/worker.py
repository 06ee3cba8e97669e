"""The loop that makes payouts go on: whoever is due, bounded, drained on stop.

Where several processes share the store each works on the payouts that are its own, takes over those
of nobody and of workers that have gone, and passes on to others what concerns theirs.

Work comes from two sides: a queue for what just happened (an acceptance, a notice), and the store's
`due_at` for everything else, so that a lost wake-up costs a poll and never a payout. Within this
process one payout is worked on by one task at a time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from datetime import timedelta

from msgspec.structs import replace

from gateway.domain.dialect import SOFT_DEDUPE_MINUTES_MAX
from gateway.domain.payout import Attempt, AttemptState, Payout, PayoutId, PayoutState, Released
from gateway.domain.pricing import priced
from gateway.engine import arrivals, calendar, credentials
from gateway.engine.banks import Banks
from gateway.engine.floats import watch_floats
from gateway.engine.gateway import Gateway, Halt, Told
from gateway.engine.inquire import inquire
from gateway.engine.load import business_day_start
from gateway.engine.notices import requeue
from gateway.engine.queueing import hurry
from gateway.engine.rebuild import arm
from gateway.engine.record import move
from gateway.engine.vigil import due_looks, look
from gateway.ports import CommitUnknownError, Nudge, StaleError, StoreBrokenError, StoreError

STEPS_MAX = 50
"""A payout takes at most so many steps in one turn; then the others have theirs."""

STORE_BROKEN = Halt(
    "store_broken",
    "the database cannot be written or read any more (disk full, I/O error or damage): sending has "
    "stopped; free or repair the disk, run `hangdao doctor`, then start again",
    "数据库已无法读写（磁盘满、I/O 错误或损坏），已停止出款；"
    "请修复磁盘并运行 hangdao doctor 后重新启动",
)

REFRESH = timedelta(seconds=1)
MEASURE_EVERY_S = 60.0
NOTICES_EVERY_S = 30.0
CLAIMS_KEPT = timedelta(minutes=2 * SOFT_DEDUPE_MINUTES_MAX)
"""Twice the longest window there is: a claim of that age binds nobody."""
CLAIMS_A_ROUND = 10_000
NOTICE_LOST = timedelta(minutes=1)
"""A notice that nobody has acted on for so long went to a worker that is gone."""


class Worker:
    """Runs payouts until stopped. One per process."""

    def __init__(
        self, gateway: Gateway, *, concurrency: int, poll_s: float, exclusive: bool
    ) -> None:
        """`exclusive`: no other process works on this store, so every ARMED one is an orphan."""
        self._gateway = gateway
        self._slots = asyncio.Semaphore(concurrency)
        self._concurrency = concurrency
        self._poll_s = poll_s
        self._exclusive = exclusive
        self._busy: set[PayoutId] = set()
        self._again: dict[PayoutId, list[Told]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._banks = Banks(gateway)
        self.done = 0
        """Turns that have come to their end since the start."""
        self.broken: StoreBrokenError | None = None
        """Set when the store failed for good; the process must leave."""

    @property
    def in_hand(self) -> int:
        """Payouts that wait in the queue for their turn, or have it and wait for no channel."""
        at_channels = sum(self._gateway.load.sending.values())
        return self._gateway.queue.qsize() + max(len(self._tasks) - at_channels, 0)

    async def join(self) -> None:
        """Become one of the workers on this store, before anything is taken in; safe to repeat."""
        await self._gateway.store.join(self._told)

    async def run(self) -> None:
        """Work until `stop`; returns when everything begun is finished."""
        await self.join()
        await self._recover()
        self._gateway.hands = self
        async with asyncio.TaskGroup() as group:
            if self._gateway.store.worker != 0:
                group.create_task(self._finding_notices())
            group.create_task(self._from_store())
            group.create_task(self._from_hints())
            group.create_task(self._from_queue())
            group.create_task(self._refreshing())
            group.create_task(self._measuring())
            group.create_task(self._watching())
        while self._tasks:
            await asyncio.wait(self._tasks)

    def is_free_for(self, payout_id: PayoutId) -> bool:
        """Whether a turn for it would begin now (`Hands`): nobody waits, and it is not in hand."""
        return (
            payout_id not in self._busy
            and len(self._tasks) < self._concurrency
            and not self._slots.locked()
            and self._gateway.queue.empty()
            and not self._stopping.is_set()
        )

    def begin(self, told: Told) -> None:
        """Begin a turn without asking for a slot first: `is_free_for` has said that one is free."""
        self._busy.add(told.payout_id)
        self._start(self._opened(told))

    def stop(self) -> None:
        """Take nothing new; what is under way finishes."""
        self._stopping.set()
        self._gateway.nudged.set()

    async def _recover(self) -> None:
        gateway = self._gateway
        await refresh(gateway)
        await arrivals.measure(gateway)
        async with gateway.store.turn("notices") as mine:
            if mine:
                await requeue(gateway)
        if self._exclusive:
            for payout_id in await gateway.store.armed(1_000_000):
                gateway.wake(Told(payout_id, orphan=True))

    def _told(self, nudge: Nudge) -> None:
        """Another process was told about a payout that is ours."""
        self._gateway.wake(Told(nudge.payout_id, nudge.reference, nudge.notice_id))

    async def _from_store(self) -> None:
        while not self._stopping.is_set():
            await self._look()
            await self._pause(self._poll_s)

    async def _look(self) -> None:
        """Begin whatever is due and ours, or nobody's."""
        gateway = self._gateway
        with suppress(StoreError):
            for claim in await gateway.store.claim(gateway.clock.now(), 500):
                # What was taken over is looked at in any case: its sender may be gone.
                if claim.is_taken or claim.payout_id not in self._busy:
                    await self._begin(Told(claim.payout_id, orphan=claim.is_taken))

    async def _from_hints(self) -> None:
        """Look into the store between polls when another replica says that it may be worth it."""
        gateway = self._gateway
        while not self._stopping.is_set():
            await gateway.nudged.wait()
            gateway.nudged.clear()
            if not self._stopping.is_set():
                await self._look()

    async def _finding_notices(self) -> None:
        """Queue notices again that were passed on to a worker which is gone."""
        gateway = self._gateway
        while not self._stopping.is_set():
            await self._pause(NOTICES_EVERY_S)
            with suppress(StoreError):
                async with gateway.store.turn("notices") as mine:
                    if mine and not self._stopping.is_set():
                        await requeue(gateway, before=gateway.clock.now() - NOTICE_LOST)

    async def _from_queue(self) -> None:
        queue = self._gateway.queue
        while not self._stopping.is_set():
            stopping = asyncio.ensure_future(self._stopping.wait())
            coming = asyncio.ensure_future(queue.get())
            await asyncio.wait({stopping, coming}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            if not coming.done():
                coming.cancel()
                return
            await self._begin(coming.result())
            while not queue.empty() and not self._stopping.is_set():
                await self._begin(queue.get_nowait())

    async def _refreshing(self) -> None:
        while not self._stopping.is_set():
            with suppress(StoreError):
                await refresh(self._gateway)
                await self._banks.look()
                await hurry(self._gateway)
            await self._pause(REFRESH.total_seconds())

    async def _measuring(self) -> None:
        """See how long channels' money takes, and forget old claims on payees, each minute."""
        while not self._stopping.is_set():
            await self._pause(MEASURE_EVERY_S)
            with suppress(StoreError):
                await arrivals.measure(self._gateway)
            with suppress(StoreError):
                await prune_claims(self._gateway)

    async def _watching(self) -> None:
        """Ask about the dead, a few at a time."""
        while not self._stopping.is_set():
            with suppress(StoreError):
                async with self._gateway.store.turn("vigil") as mine:
                    if mine:
                        await due_looks(self._gateway)
            await self._pause(self._poll_s)

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _begin(self, told: Told) -> None:
        """Start a turn for a payout, or remember that it is wanted again."""
        if told.payout_id in self._busy:
            # Every notice is kept: each names an attempt, and each waits to be marked as done.
            waiting = self._again.setdefault(told.payout_id, [])
            kept = told.reference is not None or told.watch is not None or told.orphan
            if kept or not waiting:
                # By then it has moved on.
                waiting.append(replace(told, known=None))
            return
        self._busy.add(told.payout_id)
        await self._slots.acquire()
        self._start(self._turn(told))

    async def _opened(self, told: Told) -> None:
        await self._slots.acquire()
        await self._turn(told)

    def _start(self, turn: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(turn)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _turn(self, told: Told) -> None:
        gateway = self._gateway
        try:
            await advance(gateway, told)
        except StoreBrokenError as broken:
            self.broken = broken
            gateway.observer.alarm("store.broken")
            gateway.halt(STORE_BROKEN)
            self.stop()
        except (StaleError, CommitUnknownError):
            pass  # somebody else moved it, or we cannot know: its due time brings it back
        except StoreError:
            gateway.observer.alarm("store.unavailable")
        except Exception as error:  # noqa: BLE001 - one payout's defect must not stop the others
            gateway.observer.defect("payout.defect", error, payout_id=told.payout_id)
            await self._set_aside(told.payout_id)
        finally:
            self.done += 1
            self._slots.release()
            self._busy.discard(told.payout_id)
            for again in self._again.pop(told.payout_id, ()):
                gateway.wake(again)

    async def _set_aside(self, payout_id: PayoutId) -> None:
        """Look again in a minute at a payout whose turn met a defect, instead of spinning on it."""
        gateway = self._gateway
        with suppress(StoreError):
            payout = await gateway.store.payout(payout_id)
            if payout is not None and payout.due_at is not None:
                later = gateway.clock.now() + timedelta(minutes=1)
                await gateway.store.postpone(payout, later, None)


async def prune_claims(gateway: Gateway) -> None:
    """Forget claims on payees that bind nobody any more, some at a time."""
    async with gateway.store.turn("claims") as mine:
        if mine:
            before = gateway.clock.now() - CLAIMS_KEPT
            await gateway.store.prune_claims(before, CLAIMS_A_ROUND)


async def refresh(gateway: Gateway) -> None:
    """Bring the in-memory load up to what the store counts."""
    now = gateway.clock.now()
    months = {
        name: priced(channel.traits.terms).month_start(now)
        for name, channel in gateway.channels.items()
    }
    gateway.load.counting()
    uses = await gateway.store.use(business_day_start(now), months)
    gateway.quarantine = await gateway.store.quarantine()
    gateway.load.refresh(uses, await gateway.store.channel_statuses(), now, months)
    gateway.load.frozen = await gateway.store.frozen()
    await calendar.refresh(gateway)
    credentials.look(gateway)
    gateway.load.kills = {one.channel: one for one in await gateway.store.kills(open_only=True)}
    gateway.load.maintenance = await gateway.store.maintenance(now)
    watch_floats(gateway)


async def advance(gateway: Gateway, told: Told) -> Payout | None:
    """Do everything that can be done for a payout now; returns it as it then stands."""
    payout = await _found(gateway, told)
    if payout is None:
        return None
    if payout.worker != gateway.store.worker and told.watch is None:
        if not await gateway.store.take(payout.id):
            if payout.worker:
                nudge = Nudge(payout.id, told.reference, told.notice_id)
                await gateway.store.nudge(payout.worker, nudge)
            return payout
        payout = await gateway.store.payout(payout.id) or payout
        told = replace(told, orphan=True)
    live = payout.live
    if told.orphan and live is not None and live.state is AttemptState.ARMED:
        payout = await inquire(gateway, payout, live)
    if told.reference is not None:
        payout = await _about(gateway, payout, told)
    if told.watch is not None:
        payout = await look(gateway, payout, told.watch)
    if payout.worker != gateway.store.worker:
        # Looking at the dead is evidence, which anybody may bring; the rest is its worker's.
        return payout
    for _ in range(STEPS_MAX):
        step = _step(gateway, payout)
        if step is None:
            return payout
        version = payout.version
        payout = await step()
        if payout.version == version:
            return payout
    return payout


async def _found(gateway: Gateway, told: Told) -> Payout | None:
    """The payout that a turn is for, as far as it has come."""
    if told.opening is not None:
        return await told.opening()
    # Should it have moved since, its version gives that away to whatever is committed.
    return told.known or await gateway.store.payout(told.payout_id)


async def _about(gateway: Gateway, payout: Payout, told: Told) -> Payout:
    """A notice named one of the payout's attempts: ask about it, whatever its state."""
    attempt = _named(payout, told.reference)
    if attempt is not None:
        payout = await inquire(gateway, payout, attempt, noticed=told.notice_id is not None)
    if told.notice_id is not None:
        await gateway.store.notice_done(told.notice_id, "asked")
    return payout


def _named(payout: Payout, reference: str | None) -> Attempt | None:
    return next((one for one in payout.attempts if one.reference == reference), None)


def _step(gateway: Gateway, payout: Payout) -> Callable[[], Awaitable[Payout]] | None:
    """The next thing to do for a payout, if its time has come."""
    if payout.due_at is None or payout.due_at > gateway.clock.now():
        return None
    match payout.state:
        case PayoutState.SCHEDULED:
            return lambda: move(gateway, payout, [Released("schedule")], actor="gateway")
        case PayoutState.ROUTING:
            return lambda: arm(gateway, payout)
        case PayoutState.ATTEMPTING | PayoutState.PARKED if payout.live is not None:
            live = payout.live
            return lambda: inquire(gateway, payout, live, routine=True)
        case _:
            return None

"""Sending news and hearing it: a bounded queue out, a watched stream in.

Nothing here blocks or raises into whoever has news. What cannot be sent or believed is dropped and
counted: a hint too few costs a detour or a poll.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Container
from contextlib import suppress
from time import monotonic

from gateway.health.beliefs import Beliefs
from gateway.health.link import Batch, Link, LinkError
from gateway.health.news import ITEMS_MAX, Due, Item, read, sender, write
from gateway.ports import Clock

QUEUE_MAX = 10_000
EVERY_S = 0.2
"""Observations wait so long for others to travel with."""
AT_ONCE_S = 0.01
"""A wake-up waits only so long."""
HEARD_MAX = 5000
"""Items a second that are listened to: a flood must not take the event loop."""
CATCH_UP = 200
"""Batches read at the start."""
READ_MAX = 20
LISTEN_S = 1.0
DUE_AFTER_S = 0.1
"""Whoever has told normally works on it: look a moment later at what is still due then."""
BACKOFF_MAX_S = 2.0


class Gossip:
    """One replica's news, both ways."""

    def __init__(
        self,
        me: str,
        link: Link,
        clock: Clock,
        channels: Container[str],
        nudge: Callable[[], None],
    ) -> None:
        """`nudge`: the store may have something due. Set `beliefs` before `hear`."""
        self._me, self._link, self._clock = me, link, clock
        self._channels = channels
        self._nudge = nudge
        self._nudging: asyncio.TimerHandle | None = None
        self._queue: deque[Item] = deque()
        self._urgent = asyncio.Event()
        self._position = ""
        self._second, self._heard = 0, 0
        self.dropped: Counter[str] = Counter()
        """By reason: `queue_full`, `unsent`, `unread`, `invalid`, `flood`."""
        self.heard: Counter[str] = Counter()
        """Items of others that were believed, by kind."""

    def tell(self, item: Item) -> None:
        """Have the others know, if possible."""
        if len(self._queue) >= QUEUE_MAX:
            self.dropped["queue_full"] += 1
            return
        self._queue.append(item)
        if isinstance(item, Due):
            self._urgent.set()

    async def send(self) -> None:
        """Send what there is to tell, for ever. At most once: an observation counts as evidence."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._urgent.wait(), EVERY_S)
                await asyncio.sleep(AT_ONCE_S)
            self._urgent.clear()
            while self._queue:
                count = min(len(self._queue), ITEMS_MAX)
                batch = [self._queue.popleft() for _ in range(count)]
                try:
                    await self._link.tell(self._me, write(batch))
                except LinkError:
                    self.dropped["unsent"] += count
                    await asyncio.sleep(EVERY_S)

    async def hear(self, beliefs: Beliefs) -> None:
        """Listen to the others, for ever."""
        pause = EVERY_S
        while True:
            try:
                await self._listen(beliefs)
            except LinkError:
                self.dropped["unread"] += 1
                await asyncio.sleep(pause)
                pause = min(pause * 2, BACKOFF_MAX_S)
            else:
                pause = EVERY_S

    async def _listen(self, beliefs: Beliefs) -> None:
        if not self._position:
            # What was told before we came: the state of channels, but no old wake-ups.
            known = await self._link.latest(CATCH_UP)
            self._position = "0-0"
            for batch in known:
                await self._take_in(batch, beliefs, late=True)
        news = await self._link.after(self._position, READ_MAX, LISTEN_S)
        for batch in news:
            await self._take_in(batch, beliefs)
        if not news:
            await self._find_place()

    async def _find_place(self) -> None:
        """After a flush, or when its clock went back, the stream starts again before our place."""
        newest = await self._link.latest(1)
        if not newest or _order(newest[0][0]) < _order(self._position):
            self._position = "0-0"

    async def _take_in(self, batch: Batch, beliefs: Beliefs, *, late: bool = False) -> None:
        self._position, fields = batch
        who = sender(fields)
        if who == self._me:
            return
        now = self._clock.now()
        items, bad = read(fields, self._channels, now) if who else ([], 1)
        self.dropped["invalid"] += bad
        if not self._has_time(len(items)):
            self.dropped["flood"] += len(items)
            return
        for item in items:
            if isinstance(item, Due):
                if not late:
                    self.heard["due"] += 1
                    self._nudge_soon()
            else:
                self.heard["health"] += 1
                beliefs.hear(item, now)
        await asyncio.sleep(0)

    def _has_time(self, count: int) -> bool:
        second = int(monotonic())
        if second != self._second:
            self._second, self._heard = second, 0
        self._heard += count
        return self._heard <= HEARD_MAX

    def _nudge_soon(self) -> None:
        if self._nudging is None:
            loop = asyncio.get_running_loop()
            self._nudging = loop.call_later(DUE_AFTER_S, self._nudged)

    def _nudged(self) -> None:
        self._nudging = None
        self._nudge()


def _order(position: str) -> tuple[int, int]:
    stamp, _, number = position.partition("-")
    try:
        return int(stamp), int(number or 0)
    except ValueError:
        raise LinkError("nonsense") from None

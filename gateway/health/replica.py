"""This process as one of several: its lease, its news, and what it can say about both.

Without Redis nothing here runs but the local buckets.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from time import monotonic

from msgspec import Struct

from gateway.domain.payout import PayoutId
from gateway.engine.standby import Note
from gateway.health.beliefs import Beliefs
from gateway.health.gossip import Gossip
from gateway.health.lease import LATE_S, LEASE_S, Lease, Standing
from gateway.health.link import GO, NO_LEASE, Link, LinkError
from gateway.health.news import Due
from gateway.health.throttle import Single, Turns
from gateway.ports import Clock, Entropy, Health, Observer

TAKES_MAX = 16
"""Questions under way that came too late; beyond them none is asked."""
NO_LEASE_US = 20_000
GOODBYE_S = 0.5


class Reach(Struct, frozen=True):
    """How to reach Redis."""

    url: str
    prefix: str
    budget_s: float
    """Slower than this is as good as away."""
    connect_s: float
    timeout_s: float


def root(prefix: str, installation: str) -> str:
    """What begins every key: two installations on one Redis do not meet."""
    return f"{prefix}:{hashlib.sha256(installation.encode()).hexdigest()[:12]}"


async def try_out(reach: Reach) -> float:
    """Have it carry out our scripts, on keys of nobody's; returns how long an answer takes, in s.

    Raises `LinkError`.
    """
    link = Link(
        reach.url,
        root(reach.prefix, "doctor"),
        connect_s=reach.connect_s,
        timeout_s=reach.timeout_s,
    )
    try:
        await link.ping()
        await link.beat("doctor", lease_us=0, sent_us=0, late_us=0)
        began = monotonic()
        await link.take("doctor", "doctor", 1, 1)
        took_s = monotonic() - began
        await link.leave("doctor")
        return took_s
    finally:
        await link.aclose()


class Leased:
    """The shared buckets, while this replica holds the lease on them."""

    def __init__(self, me: str, link: Link, lease: Lease, budget_s: float) -> None:
        """Asks `link` in the name of `me`."""
        self._me, self._link, self._lease = me, link, lease
        self._budget_s = budget_s
        self._late: set[asyncio.Task[tuple[int, int]]] = set()
        self.lost = asyncio.Event()
        """Set when Redis says that there is no lease."""

    @property
    def replicas(self) -> int:
        """As the lease knows them."""
        return self._lease.replicas

    def standing(self) -> Standing:
        """As of now."""
        return self._lease.standing(monotonic())

    async def take(self, channel: str, per_s: int) -> int | None:
        """Take a send within the budget; a late answer is a send not used."""
        if len(self._late) >= TAKES_MAX:
            return None
        asking = asyncio.create_task(
            self._link.take(self._me, channel, per_s, self._lease.replicas)
        )
        self._late.add(asking)
        asking.add_done_callback(self._done)
        await asyncio.wait({asking}, timeout=self._budget_s)
        if not asking.done() or asking.cancelled() or asking.exception() is not None:
            return None
        if self.standing() is not Standing.SHARED:
            return None
        answer, wait_us = asking.result()
        if answer == NO_LEASE:
            self._lease.lost()
            self.lost.set()
            return NO_LEASE_US
        return 0 if answer == GO else max(wait_us, 1000)

    def cancel(self) -> None:
        """Give up what is still under way."""
        for asking in self._late:
            asking.cancel()

    def _done(self, asking: "asyncio.Task[tuple[int, int]]") -> None:
        self._late.discard(asking)
        if not asking.cancelled():
            asking.exception()  # looked at, or the loop complains


class Replica:
    """What wiring puts into the gateway, and runs beside it."""

    def __init__(
        self,
        reach: Reach | None,
        *,
        installation: str,
        limits: Mapping[str, int | None],
        replicas: int,
        health: Health,
        clock: Clock,
        entropy: Entropy,
        observer: Observer,
        nudge: Callable[[], None],
    ) -> None:
        """`limits`: sends per second of every channel, None where there is none.

        Raises `ValueError` for a URL that the client cannot use.
        """
        self._observer = observer
        self._up: bool | None = None
        self._link: Link | None = None
        self.health: Health = health
        limited = {name: per_s for name, per_s in limits.items() if per_s is not None}
        if reach is None:
            self.turns = Turns(limited, Single(replicas))
            return
        self._me = entropy.bytes(16).hex()
        self._budget_s = reach.budget_s
        link = Link(
            reach.url,
            root(reach.prefix, installation),
            connect_s=reach.connect_s,
            timeout_s=reach.timeout_s,
        )
        self._link = link
        self._lease = Lease(monotonic(), replicas)
        self._leased = Leased(self._me, link, self._lease, reach.budget_s)
        self._gossip = Gossip(self._me, link, clock, limits.keys(), nudge)
        self._beliefs = Beliefs(health, self._gossip.tell)
        self.health = self._beliefs
        self.turns = Turns(limited, self._leased)

    @property
    def up(self) -> bool:
        """Whether Redis is there and shares its buckets with us."""
        return self._link is not None and self._leased.standing() is Standing.SHARED

    @property
    def replicas(self) -> int:
        """How many there are, as far as is known."""
        return 1 if self._link is None else self._lease.replicas

    @property
    def dropped(self) -> Mapping[str, int]:
        """News that were lost, and keys that were not ours any more, by reason."""
        if self._link is None:
            return {}
        return self._gossip.dropped + Counter({"spoilt_key": self._link.repaired})

    @property
    def heard(self) -> Mapping[str, int]:
        """News of others that were believed, by kind."""
        return {} if self._link is None else self._gossip.heard

    def note(self) -> Note | None:
        """What a person should know who looks at this process; None when all is well."""
        if self._link is None or self.up:
            return None
        count = self._lease.replicas
        return Note(
            "redis_away",
            f"Redis is away: payouts go on, each replica within 1/{count} of the channels' limits",
            f"Redis 不可用：代付照常进行，各实例按渠道限速的 1/{count} 发送",
        )

    def announce(self, payout_id: PayoutId) -> None:
        """Tell the others that a payout may be due. Never blocks, never raises."""
        if self._link is not None:
            self._gossip.tell(Due(payout_id))

    async def run(self) -> None:
        """Keep the lease, send and hear news, until cancelled; then say goodbye."""
        if self._link is None:
            return
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._guarded(self._beat))
                group.create_task(self._guarded(self._gossip.send))
                group.create_task(self._guarded(lambda: self._gossip.hear(self._beliefs)))
        finally:
            self._leased.cancel()
            self._lease.lost()
            with suppress(LinkError, TimeoutError):
                async with asyncio.timeout(GOODBYE_S):
                    await self._link.leave(self._me)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._link is not None:
            await self._link.aclose()

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        """Go on after a defect of ours: hints may stop, payouts may not."""
        while True:
            try:
                await work()
            except Exception as error:  # noqa: BLE001 - see above
                self._observer.defect("redis.defect", error)
                await asyncio.sleep(1)

    async def _beat(self) -> None:
        assert self._link is not None  # noqa: S101 - run() has looked
        lease = self._lease
        while True:
            if lease.misses:
                # A new connection may take longer than an answer may.
                with suppress(LinkError):
                    await self._link.ping()
            await self._sign_of_life(self._link)
            self._say()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._leased.lost.wait(), lease.pause_s)
            self._leased.lost.clear()

    async def _sign_of_life(self, link: Link) -> None:
        lease, sent = self._lease, monotonic()
        wanted = lease.wants(sent)
        if wanted:
            lease.asked(sent)
        try:
            beat = await link.beat(
                self._me,
                lease_us=int(LEASE_S * 1e6) if wanted else 0,
                sent_us=lease.server_us(sent),
                late_us=int(LATE_S * 1e6),
            )
        except LinkError:
            lease.missed()
            return
        now = monotonic()
        lease.answered(beat, sent, now, wanted=wanted, in_time=now - sent <= self._budget_s)

    def _say(self) -> None:
        """One line for each change: it is there, it is away."""
        standing = self._leased.standing()
        if standing is Standing.SHARED:
            if self._up is False:
                self._observer.alarm("redis.back", count=self._lease.replicas)
            self._up = True
        elif standing is Standing.ALONE and self._up is not False:
            self._observer.alarm("redis.away", count=self._lease.replicas)
            self._up = False

"""The trouble, drawn from a seed: who is hit, how, and for how long."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import asyncpg
import redis.asyncio

from simulators.faults import read_rule
from tests.proof.chaos.city import City, Replica
from tests.proof.chaos.proxy import Mode

Act = Callable[["Mischief", random.Random], Awaitable[None]]
Say = Callable[[str], None]

LANES = 2

BANK_FAULTS = (
    {"op": "submit", "action": "reset_after", "probability": 0.3},
    {"op": "submit", "action": "reset_before", "probability": 0.3},
    {"op": "submit", "action": "http_error", "params": {"executed": True}, "probability": 0.3},
    {"op": "inquire", "action": "reset_after", "probability": 0.5},
)


@dataclass(slots=True)
class Mischief:
    """Strikes in two lanes at once; first everything there is, then as chance has it."""

    city: City
    seed: int
    say: Say
    strikes: Counter[str] = field(default_factory=Counter)
    failovers: int = 0
    _hit: set[int] = field(default_factory=set)
    """Replicas that are being struck; each is by one lane at a time."""
    _servers: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self, until: float) -> None:
        """Strike until the loop's clock says `until`; each strike heals itself in the end."""
        chance = random.Random(self.seed)
        first = [act for act, _, _ in ACTS]
        chance.shuffle(first)
        lanes = (random.Random(f"{self.seed}/{lane}") for lane in range(LANES))
        async with asyncio.TaskGroup() as group:
            for own in lanes:
                group.create_task(self._lane(own, first, until))

    async def _lane(self, chance: random.Random, first: list[Act], until: float) -> None:
        loop = asyncio.get_running_loop()
        acts, names, rates = zip(*ACTS, strict=True)
        while loop.time() < until:
            act = first.pop() if first else chance.choices(acts, rates)[0]
            name = names[acts.index(act)]
            self.strikes[name] += 1
            self.say(f"strike {self.strikes.total()}: {name}")
            await act(self, chance)
            await asyncio.sleep(chance.uniform(0.2, 2))

    @contextmanager
    def replica(self, chance: random.Random) -> Iterator[Replica]:
        """One that nobody else is striking; there are more of them than lanes."""
        free = [one for one in self.city.replicas if one.number not in self._hit]
        chosen = chance.choice(free)
        self._hit.add(chosen.number)
        try:
            yield chosen
        finally:
            self._hit.discard(chosen.number)

    def servers(self) -> asyncio.Lock:
        """Held by whoever strikes PostgreSQL or Valkey themselves."""
        return self._servers


async def killed(self: Mischief, chance: random.Random) -> None:
    """A gateway is killed and started again."""
    with self.replica(chance) as replica:
        await replica.kill()
        await asyncio.sleep(chance.uniform(0, 3))
        await self.city.revive(replica)


async def stopped(self: Mischief, chance: random.Random) -> None:
    """A gateway stands still, perhaps for longer than its lease."""
    with self.replica(chance) as replica:
        replica.sleep()
        await asyncio.sleep(chance.choice((1, 3, 8, 35)))
        replica.wake()


async def ended(self: Mischief, chance: random.Random) -> None:
    """A gateway is asked to end and started again."""
    with self.replica(chance) as replica:
        await replica.child.stop()
        await self.city.revive(replica)


async def cut_off(self: Mischief, chance: random.Random) -> None:
    """A gateway loses its database: silently, or with every connection reset."""
    modes: tuple[Mode, ...] = ("hole", "cut")
    with self.replica(chance) as replica:
        replica.postgres.become(chance.choice(modes))
        await asyncio.sleep(chance.choice((1, 4, 12)))
        replica.postgres.reset()
        replica.postgres.become("open")


async def slowed(self: Mischief, chance: random.Random) -> None:
    """A gateway's database answers slowly, or drop by drop."""
    modes: tuple[Mode, ...] = ("slow", "drip")
    with self.replica(chance) as replica:
        replica.postgres.become(chance.choice(modes), delay_s=chance.uniform(0.02, 0.4))
        await asyncio.sleep(chance.uniform(1, 5))
        replica.postgres.become("open")


async def failed_over(self: Mischief, chance: random.Random) -> None:
    """The primary is lost; its standby takes over and gets a standby of its own."""
    del chance
    async with self.servers():
        pair = self.city.pair
        if not await pair.is_in_step():
            await pair.mend()
        await pair.fail_over()
        self.failovers += 1
        await self.city.lead()
        await pair.mend()


async def sessions_ended(self: Mischief, chance: random.Random) -> None:
    """Every session of the database is ended by its server."""
    del chance
    with suppress(OSError, asyncpg.PostgresError, TimeoutError):
        await self.city.pair.primary.ask(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )


async def standby_lost(self: Mischief, chance: random.Random) -> None:
    """Commits wait for a standby that is not there, until it is built anew."""
    async with self.servers():
        await self.city.pair.standby.stop()
        await asyncio.sleep(chance.uniform(0.5, 4))
        await self.city.pair.mend()


async def flushed(self: Mischief, chance: random.Random) -> None:
    """Redis forgets everything, or holds what nobody wrote."""
    if self.city.lost_valkey:
        return
    client = redis.asyncio.Redis(port=self.city.valkey.port, socket_timeout=2)
    with suppress(redis.exceptions.RedisError, OSError):
        if chance.random() < 0.5:
            await client.flushall()
        else:
            for key in await client.keys("*"):
                await client.delete(key)
                await client.set(key, b"\xff nonsense")
    await client.aclose()


async def redis_lost(self: Mischief, chance: random.Random) -> None:
    """Redis is gone for a while."""
    async with self.servers():
        self.city.lost_valkey = True
        await asyncio.to_thread(self.city.valkey.stop)
        await asyncio.sleep(chance.uniform(0.5, 4))
        await asyncio.to_thread(self.city.valkey.start)
        self.city.lost_valkey = False
        for replica in self.city.replicas:
            replica.redis.lead_to(self.city.valkey.port)


async def redis_silent(self: Mischief, chance: random.Random) -> None:
    """Redis takes connections and never answers, for one gateway."""
    with self.replica(chance) as replica:
        replica.redis.become("hole")
        await asyncio.sleep(chance.uniform(1, 6))
        replica.redis.reset()
        replica.redis.become("open")


async def bank_bad(self: Mischief, chance: random.Random) -> None:
    """The way to an institution is cut, silent, slow or dripping."""
    link = chance.choice(self.city.banks)
    modes: tuple[Mode, ...] = ("cut", "hole", "slow", "drip")
    mode = chance.choice(modes)
    link.become(mode, delay_s=chance.uniform(0.1, 2))
    await asyncio.sleep(chance.uniform(1, 5))
    link.reset()
    link.become("open")


async def bank_lies(self: Mischief, chance: random.Random) -> None:
    """An institution carries out and does not answer, or does not carry out."""
    world = self.city.world
    rule = world.add_rule(read_rule(dict(chance.choice(BANK_FAULTS)), world.clock.now()))
    await asyncio.sleep(chance.uniform(1, 4))
    world.remove_rule(rule.id)


ACTS: tuple[tuple[Act, str, float], ...] = (
    (killed, "gateway killed", 3),
    (stopped, "gateway stopped", 2),
    (ended, "gateway ended in order", 1),
    (cut_off, "database partitioned from a gateway", 3),
    (slowed, "database slow for a gateway", 1),
    (failed_over, "primary lost, standby promoted", 2),
    (sessions_ended, "all sessions ended by the server", 2),
    (standby_lost, "synchronous standby lost", 1),
    (flushed, "Redis flushed or poisoned", 1.5),
    (redis_lost, "Redis lost", 1),
    (redis_silent, "Redis partitioned from a gateway", 1),
    (bank_bad, "institution's network bad", 2),
    (bank_lies, "institution resets or errs", 2),
)
"""What, how it is called, and how often as against the others."""

"""The trouble, drawn from a seed: who is hit, how, and for how long."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import asyncpg
import redis.asyncio

from simulators.faults import read_rule
from tests.proof.chaos.city import City, Replica
from tests.proof.chaos.proxy import Mode

Act = Callable[["Mischief", random.Random], Awaitable[None]]
Say = Callable[[str], None]

BANK_FAULTS = (
    {"op": "submit", "action": "reset_after", "probability": 0.3},
    {"op": "submit", "action": "reset_before", "probability": 0.3},
    {"op": "submit", "action": "http_error", "params": {"executed": True}, "probability": 0.3},
    {"op": "inquire", "action": "reset_after", "probability": 0.5},
)


@dataclass(slots=True)
class Mischief:
    """Strikes one thing after the other while it runs."""

    city: City
    seed: int
    say: Say
    strikes: Counter[str] = field(default_factory=Counter)
    failovers: int = 0

    async def run(self, until: float) -> None:
        """Strike until the loop's clock says `until`; each strike heals itself in the end."""
        chance = random.Random(self.seed)
        loop = asyncio.get_running_loop()
        while loop.time() < until:
            act = chance.choices([one for one, _, _ in ACTS], [rate for _, _, rate in ACTS])[0]
            name = next(what for one, what, _ in ACTS if one is act)
            self.strikes[name] += 1
            self.say(f"strike {self.strikes.total()}: {name}")
            await act(self, chance)
            await asyncio.sleep(chance.uniform(0.2, 2))

    def one(self, chance: random.Random) -> Replica:
        """A replica."""
        return chance.choice(self.city.replicas)


async def killed(self: Mischief, chance: random.Random) -> None:
    """A gateway is killed and started again."""
    replica = self.one(chance)
    await replica.kill()
    await asyncio.sleep(chance.uniform(0, 3))
    await self.city.revive(replica)


async def stopped(self: Mischief, chance: random.Random) -> None:
    """A gateway stands still, perhaps for longer than its lease."""
    replica = self.one(chance)
    replica.sleep()
    await asyncio.sleep(chance.choice((1, 3, 8, 35)))
    replica.wake()


async def ended(self: Mischief, chance: random.Random) -> None:
    """A gateway is asked to end and started again."""
    replica = self.one(chance)
    await replica.child.stop()
    await self.city.revive(replica)


async def cut_off(self: Mischief, chance: random.Random) -> None:
    """A gateway loses its database: silently, or with every connection reset."""
    link = self.one(chance).postgres
    link.become(chance.choice(("hole", "cut")))
    await asyncio.sleep(chance.choice((1, 4, 12)))
    link.reset()
    link.become("open")


async def slowed(self: Mischief, chance: random.Random) -> None:
    """A gateway's database answers slowly, or drop by drop."""
    link = self.one(chance).postgres
    link.become(chance.choice(("slow", "drip")), delay_s=chance.uniform(0.02, 0.4))
    await asyncio.sleep(chance.uniform(1, 5))
    link.become("open")


async def failed_over(self: Mischief, chance: random.Random) -> None:
    """The primary is lost; its standby takes over and gets a standby of its own."""
    del chance
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
    await self.city.pair.standby.stop()
    await asyncio.sleep(chance.uniform(0.5, 4))
    await self.city.pair.mend()


async def flushed(self: Mischief, chance: random.Random) -> None:
    """Redis forgets everything, or holds what nobody wrote."""
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
    self.city.lost_valkey = True
    await asyncio.to_thread(self.city.valkey.stop)
    await asyncio.sleep(chance.uniform(0.5, 4))
    await asyncio.to_thread(self.city.valkey.start)
    self.city.lost_valkey = False
    for replica in self.city.replicas:
        replica.redis.lead_to(self.city.valkey.port)


async def redis_silent(self: Mischief, chance: random.Random) -> None:
    """Redis takes connections and never answers, for one gateway."""
    link = self.one(chance).redis
    link.become("hole")
    await asyncio.sleep(chance.uniform(1, 6))
    link.reset()
    link.become("open")


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

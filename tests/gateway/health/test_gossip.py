"""What one replica sees, the others believe within a second; what strangers write, nobody."""

import asyncio
from datetime import timedelta
from time import monotonic

import orjson
import pytest

from gateway.clock import SystemClock
from gateway.domain.payout import PayoutId
from gateway.health import gossip
from gateway.health.replica import Replica
from policies.facts import HealthView
from tests.gateway.health.pair import replica, running
from tests.gateway.health.valkey import Valkey, until

PAYOUT = PayoutId("po_" + "0123456789abcdefghijklmnop")
CLOCK = SystemClock()


def sees(one: Replica, outcome: str, count: int = 1) -> None:
    """It has sent something, and this came of it."""
    now = CLOCK.now()
    for _ in range(count):
        one.health.started("a", "alipay", now)
        one.health.observe("a", "alipay", outcome, now, sent_at=now, latency_ms=70)  # type: ignore[arg-type]  # one of the three


def view(one: Replica) -> HealthView:
    """What it believes of the channel."""
    return one.health.views(("a", "b"), "alipay", CLOCK.now())["a"]


async def test_a_quarantine_is_everybodys_within_a_second(there: Valkey) -> None:
    """One meets the failures, all keep away from the channel; a success reaches them as well."""
    first, second, third = (replica(there.url) for _ in range(3))
    async with running(first, second, third):
        await until(lambda: first.up and second.up and third.up)
        began = monotonic()
        sees(first, "failure", 12)
        assert view(first).quarantined
        await until(lambda: view(second).quarantined and view(third).quarantined)
        assert monotonic() - began < 1
        assert view(second).observations == view(first).observations == 12
        await asyncio.sleep(0.5)
        assert view(first).observations == 12


async def test_a_newcomer_hears_what_is_known(there: Valkey) -> None:
    """It starts with the state of the channels, not with hope."""
    first, later = replica(there.url), replica(there.url)
    async with running(first):
        await until(lambda: first.up)
        sees(first, "failure", 12)
        await asyncio.sleep(0.5)
        async with running(later):
            await until(lambda: view(later).quarantined)


async def test_after_a_flush_and_a_restart_news_go_on(there: Valkey) -> None:
    """The stream starts again from nothing, at an id of its own."""
    pair = replica(there.url), replica(there.url)
    async with running(*pair):
        await until(lambda: pair[0].up and pair[1].up)
        sees(pair[0], "success")
        await until(lambda: view(pair[1]).observations == 1)
        client = there.client()
        (key,) = client.keys("*news")
        client.delete(key)
        # Its clock has gone back: the new ids are smaller than those that were read.
        client.xadd(key, {"s": "x"}, id="5-1")
        await asyncio.sleep(gossip.LISTEN_S + 0.5)
        client.close()
        sees(pair[0], "success")
        await until(lambda: view(pair[1]).observations == 2)
        there.kill()
        await asyncio.sleep(0.3)
        there.start()
        await until(lambda: pair[0].up and pair[1].up)
        sees(pair[0], "success")
        await until(lambda: view(pair[1]).observations == 3)


async def test_an_id_at_the_end_of_time_is_put_right(there: Valkey) -> None:
    """Somebody adds the greatest id there is: nothing could ever be added after it."""
    pair = replica(there.url), replica(there.url)
    async with running(*pair):
        await until(lambda: pair[0].up and pair[1].up)
        client = there.client()
        for key in client.keys("*news"):
            client.delete(key)
        root = there.key(":replicas").removesuffix(":replicas")
        client.xadd(f"{root}:news", {"s": "x"}, id=f"{2**64 - 1}-{2**64 - 1}")
        client.close()
        for _ in range(20):
            sees(pair[0], "success")
            await asyncio.sleep(0.25)
            if view(pair[1]).observations:
                break
        assert view(pair[1]).observations


def _row(ahead_s: float, channel: str = "a") -> bytes:
    ms = int((CLOCK.now() + timedelta(seconds=ahead_s)).timestamp() * 1000)
    return orjson.dumps([["seen", channel, "alipay", "failure", ms, ms, None, False]] * 20)


@pytest.mark.parametrize(
    "fields",
    [
        {"s": "0" * 32, "b": b"\x00garbage"},
        {"s": "0" * 32, "b": _row(3600)},
        {"s": "0" * 32, "b": _row(-3600)},
        {"s": "0" * 32, "b": _row(0, "unknown")},
        {"s": "stranger", "b": _row(0)},
        {"x": "y"},
    ],
)
async def test_what_strangers_write_is_not_believed(
    there: Valkey, fields: dict[bytes | str, bytes | str]
) -> None:
    """It is counted, and the next news are heard."""
    one = replica(there.url)
    other = replica(there.url)
    async with running(one, other):
        await until(lambda: one.up and other.up)
        sees(other, "success")
        await until(lambda: view(one).observations == 1)
        client = there.client()
        client.xadd(client.keys("*news")[0], fields)  # type: ignore[arg-type]  # invariant
        client.close()
        await until(lambda: one.dropped["invalid"] >= 1)
        assert not view(one).quarantined
        sees(other, "success")
        await until(lambda: view(one).observations == 2)


async def test_telling_never_waits_and_a_full_queue_drops(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody takes the news: they are counted, and the caller does not notice."""
    monkeypatch.setattr(gossip, "QUEUE_MAX", 100)
    one = replica("redis://127.0.0.1:1/0")
    began = monotonic()
    sees(one, "success", 1000)
    for _ in range(1000):
        one.announce(PAYOUT)
    assert monotonic() - began < 1
    assert one.dropped["queue_full"] == 1900
    await one.aclose()


async def test_a_wake_up_reaches_the_others_and_not_oneself(there: Valkey) -> None:
    """Many in a moment are one look into the store."""
    mine: list[float] = []
    theirs: list[float] = []
    pair = replica(there.url, nudges=mine), replica(there.url, nudges=theirs)
    async with running(*pair):
        await until(lambda: pair[0].up and pair[1].up)
        await asyncio.sleep(0.3)
        began = monotonic()
        for _ in range(50):
            pair[0].announce(PAYOUT)
        await until(lambda: theirs)
        assert theirs[0] - began < 0.5
        await asyncio.sleep(0.2)
        assert (len(mine), len(theirs)) == (0, 1)
        assert pair[1].heard["due"] == 50


async def test_nothing_in_redis_lives_for_ever_or_names_a_payee(there: Valkey) -> None:
    """Keys: the stream, the two lists of replicas, the buckets; each capped or running out."""
    one = replica(there.url)
    async with running(one):
        await until(lambda: one.up)
        assert await one.turns.turn("a") is None
        sees(one, "success")
        one.announce(PAYOUT)
        client = there.client()
        await until(lambda: len(client.keys("*")) == 4)
        names = ["news", "replicas", "sharing", "rate:a"]
        kinds = {name: client.ttl(there.key(f"}}:{name}")) for name in names}
        client.close()
        assert all(ttl > 0 for name, ttl in kinds.items() if name != "news")

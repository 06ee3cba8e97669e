"""Two replicas and one limit, before a Redis that dies, forgets, stops, drags and lies."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

import pytest

from gateway.health.replica import Replica
from tests.gateway.engine.rig import Witness
from tests.gateway.health.pair import Senders, replica, running
from tests.gateway.health.valkey import Valkey, Wire, busiest, until, wire

LIMIT = 40


@asynccontextmanager
async def sending(*replicas: Replica) -> AsyncIterator[Senders]:
    """They run and send all they may; in the end no second has seen more than the limit."""
    async with running(*replicas):
        senders = Senders(replicas)
        try:
            yield senders
        finally:
            await senders.end()
        assert busiest(senders.times) <= LIMIT


async def shared(*replicas: Replica) -> None:
    """Wait until all share."""
    await until(lambda: all(one.up for one in replicas))


async def test_two_replicas_share_the_whole_limit(there: Valkey) -> None:
    """Together they come near the limit, and never above it."""
    pair = replica(there.url), replica(there.url)
    async with sending(*pair) as senders:
        await shared(*pair)
        began = monotonic()
        await asyncio.sleep(2)
        assert len(senders.since(began)) >= 0.6 * LIMIT * 2


async def test_one_of_two_gets_what_the_other_leaves(there: Valkey) -> None:
    """The second one has nothing to send: the first may use the limit of both."""
    pair = replica(there.url), replica(there.url)
    async with running(*pair):
        await shared(*pair)
        senders = Senders(pair[:1])
        await asyncio.sleep(2)
        await senders.end()
        assert len(senders.times) > LIMIT / 2 * 2
        assert busiest(senders.times) <= LIMIT


async def test_killed_it_leaves_each_its_part_and_back_the_whole(there: Valkey) -> None:
    """kill -9: at most two seconds of rest, then half each; started again, the whole again."""
    witness = Witness()
    pair = replica(there.url, witness), replica(there.url)
    async with sending(*pair) as senders:
        await shared(*pair)
        there.kill()
        await until(lambda: witness.alarmed("redis.away"), 4)
        alone = monotonic()
        await asyncio.sleep(1.5)
        assert all(one.turns.tokens["a", "local"] for one in pair)
        assert len(senders.since(alone)) >= LIMIT / 2
        assert [one.replicas for one in pair] == [2, 2]
        there.start()
        await shared(*pair)
        await asyncio.sleep(1)
    assert witness.alarmed("redis.away") == witness.alarmed("redis.back") == 1


async def test_flushed_again_and_again_it_gives_nothing_away(there: Valkey) -> None:
    """FLUSHALL ten times: an empty server hands out no bursts, and sending goes on."""
    pair = replica(there.url), replica(there.url)
    client = there.client()
    async with sending(*pair) as senders:
        await shared(*pair)
        for _ in range(10):
            client.flushall()
            await asyncio.sleep(0.15)
        flushed = monotonic()
        await asyncio.sleep(1)
        assert len(senders.since(flushed)) >= LIMIT / 4
    client.close()


async def test_stopped_and_continued_it_never_lets_both_through(there: Valkey) -> None:
    """SIGSTOP for three seconds, then what it was asked before is carried out late."""
    pair = replica(there.url), replica(there.url)
    async with sending(*pair) as senders:
        await shared(*pair)
        there.stop()
        stopped = monotonic()
        await asyncio.sleep(3.5)
        assert senders.since(stopped + 2.5)
        there.go_on()
        await shared(*pair)
        await asyncio.sleep(1)


async def _drag(there: Wire) -> None:
    there.delay_s = 0.15


async def _swallow(there: Wire) -> None:
    there.silent = True


async def _babble(there: Wire) -> None:
    there.garbage = b"*1\r\n$3\r\nfoo\r\n:7\r\n+OK\r\n%%%\x00\xff\r\n"


@pytest.mark.parametrize("spoil", [_drag, _swallow, _babble])
async def test_one_that_is_cut_off_takes_its_part_and_the_other_leaves_it(
    there: Valkey, spoil: object
) -> None:
    """Slow, silent or babbling for one replica only: the other still shares, and leaves it room."""
    assert callable(spoil)
    async with wire(there) as between:
        pair = replica(between.url), replica(there.url)
        async with sending(*pair) as senders:
            await shared(*pair)
            await spoil(between)
            await until(lambda: pair[0].turns.tokens["a", "local"], 5)
            alone = monotonic()
            await asyncio.sleep(1.5)
            assert pair[1].up
            assert not pair[0].up
            assert len(senders.since(alone)) >= LIMIT / 2


async def test_poisoned_keys_are_put_right(there: Valkey) -> None:
    """Wrong types under every key of ours: sending goes on, and they share again."""
    pair = replica(there.url), replica(there.url)
    client = there.client()
    async with sending(*pair) as senders:
        await shared(*pair)
        await until(lambda: senders.times)
        for key in client.keys("*"):
            # At once: a key made anew in between would be of the right type.
            with client.pipeline(transaction=True) as at_once:
                at_once.delete(key)
                at_once.hset(key, "x", "y")
                at_once.execute()
        poisoned = monotonic()
        # Whoever meets one puts it right, and its neighbours, for both.
        await until(lambda: b"hash" not in map(client.type, client.keys("*")))
        assert sum(one.dropped["spoilt_key"] for one in pair) >= 1
        await asyncio.sleep(2)
        await shared(*pair)
        assert senders.since(poisoned + 1)
    client.close()


@pytest.mark.parametrize("value", ["junk", "nan", "inf", "-inf", "1e300", "99999999999999999999"])
async def test_a_strange_bucket_is_an_empty_one(there: Valkey, value: str) -> None:
    """Whatever the number says: neither a flood nor a standstill."""
    one = replica(there.url, replicas=1)
    client = there.client()
    async with sending(one) as senders:
        await shared(one)
        await until(lambda: senders.times)
        (key,) = client.keys("*rate*")
        client.set(key, value)
        strange = monotonic()
        await until(lambda: len(senders.since(strange)) > 5, 3)
    client.close()


async def test_invented_replicas_do_not_stop_us(there: Valkey) -> None:
    """A thousand that do not exist: slower, and still sending."""
    one = replica(there.url, replicas=1, limits={"a": 4000})
    client = there.client()
    async with running(one):
        await shared(one)
        (key,) = client.keys("*replicas")
        now = client.time()
        score = now[0] * 1_000_000
        client.zadd(key, {f"ghost{number}": score for number in range(1000)})
        client.zadd(key, {"far": 2e16})
        senders = Senders([one])
        await asyncio.sleep(1.5)
        await senders.end()
        assert len(senders.times) >= 10
        assert client.zscore(key, "far") is None
    client.close()


async def test_never_there_from_the_start_each_keeps_to_its_part() -> None:
    """Nothing listens: after two seconds of looking, each sends half."""
    witness = Witness()
    pair = replica("redis://127.0.0.1:1/0", witness), replica("redis://127.0.0.1:1/0")
    async with sending(*pair) as senders:
        await until(lambda: witness.alarmed("redis.away"), 5)
        began = monotonic()
        await asyncio.sleep(1.5)
        assert len(senders.since(began)) >= LIMIT / 2
        note = pair[0].note()
        assert note is not None
        assert "1/2" in note.zh


async def test_a_goodbye_leaves_the_others_the_whole(there: Valkey) -> None:
    """One stops in order: nobody waits for it to be forgotten."""
    stays, goes = replica(there.url, replicas=1), replica(there.url, replicas=1)
    async with running(stays):
        async with running(goes):
            await shared(stays, goes)
            await until(lambda: stays.replicas == 2)
        client = there.client()
        (key,) = client.keys("*replicas")
        assert client.zcard(key) == 1
        client.close()


async def test_while_sends_wait_routine_inquiries_keep_to_a_fifth() -> None:
    """They are free as long as no send has to wait."""
    one = replica(None, replicas=1)
    assert all(one.turns.may_ask("a") for _ in range(100))
    async with sending(one):
        await asyncio.sleep(0.7)
        asked = 0
        for _ in range(50):
            asked += one.turns.may_ask("a")
            await asyncio.sleep(0.02)
        assert 1 <= asked <= LIMIT / 5 + 1
    assert one.turns.may_ask("b")


async def test_without_redis_a_limit_holds_as_well() -> None:
    """One process alone: its own bucket."""
    one = replica(None, replicas=1)
    async with sending(one) as senders:
        await asyncio.sleep(1.2)
        assert len(senders.times) >= LIMIT / 2
        assert one.note() is None


async def test_a_channel_without_a_limit_never_waits() -> None:
    """Nothing is counted for it."""
    one = replica(None)
    assert [await one.turns.turn("b") for _ in range(1000)] == [None] * 1000

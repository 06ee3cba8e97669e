"""The token bucket's law, and that Redis computes the same."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.bucket import Bucket, Pace, pace_of
from tests.gateway.health.valkey import Valkey, busiest

LIMITS = st.integers(1, 5000)
STEPS = st.lists(st.integers(0, 400_000), max_size=200)
"""Microseconds between one wish to send and the next; small ones are the interesting ones."""


@given(interval=st.integers(1, 2_000_000), burst=st.integers(1, 50), steps=STEPS)
def test_never_more_than_burst_and_rate_allow(interval: int, burst: int, steps: list[int]) -> None:
    """Between any two sends there were at most `burst` and what the time between them paid for."""
    pace, now, sent = Pace(interval, burst), 0, list[int]()
    bucket = Bucket(now)
    for step in steps:
        now += step
        if bucket.take(pace, now) == 0:
            sent.append(now)
    for first in range(len(sent)):
        for last in range(first, len(sent)):
            assert last - first + 1 <= burst + (sent[last] - sent[first]) // interval


@given(per_s=LIMITS, parts=st.integers(1, 6), steps=STEPS)
def test_parts_never_add_up_to_more_than_the_limit(
    per_s: int, parts: int, steps: list[int]
) -> None:
    """All replicas greedy at the same moments: no second sees more than the limit, as long as
    each may send at least once a second."""
    pace, now, sent = pace_of(per_s, 1, parts), 0, list[float]()
    buckets = [Bucket(now) for _ in range(parts)]
    for step in steps[:60]:
        now += step % 40_000
        for bucket in buckets:
            while bucket.take(pace, now) == 0:
                sent.append(now / 1e6)
    assert busiest(sent) <= max(per_s, parts)


@given(per_s=LIMITS, steps=st.lists(st.integers(-5_000_000, 5_000_000), max_size=50))
def test_a_jumping_clock_never_stops_sends_for_longer_than_an_interval(
    per_s: int, steps: list[int]
) -> None:
    """Forward and back: a send is free again within one interval of an empty bucket."""
    pace, now = pace_of(per_s), 10**12
    bucket = Bucket(now)
    for step in steps:
        now += step
        bucket.take(pace, now)
        assert bucket.wait_us(pace, now) <= pace.interval_us


def test_asking_what_it_would_take_takes_nothing() -> None:
    """Only `take` takes."""
    bucket, pace = Bucket(0), pace_of(10)
    assert [bucket.wait_us(pace, 0) for _ in range(5)] == [0] * 5
    assert bucket.take(pace, 0) == 0
    assert bucket.take(pace, 0) > 0


def test_redis_computes_the_same_pace(there: Valkey) -> None:
    """The script's arithmetic is `pace_of`'s: read back from the wait of an empty bucket."""
    source = _arithmetic()
    client = there.client()
    for per_s in (1, 3, 7, 19, 20, 100, 999, 5000):
        for present, every in ((1, 1), (1, 2), (2, 3), (1, 7), (5, 5), (1, 256)):
            answer = client.eval(source, 0, per_s, present, every)
            pace = pace_of(per_s, present, every)
            assert answer == [pace.interval_us, pace.burst], (per_s, present, every)
    client.close()


def _arithmetic() -> str:
    from importlib.resources import files

    script = files("gateway.health").joinpath("take.lua").read_text("utf-8")
    inner = script[script.index("local share =") : script.index("local empty =")]
    names = "local per_s, present, all = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])"
    return f"{names}\n{inner}\nreturn {{interval, burst}}"

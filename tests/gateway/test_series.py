"""Our counters and histograms beside prometheus_client's own: a scraper reads the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from gateway.observe.series import Counted, Timed

BOUNDS_S = (0.005, 0.25, 1, 86400, 259200)
names = st.sampled_from(["alipay-main", 'a "quoted"\nname', "银行", ""])
seconds = st.one_of(st.sampled_from(BOUNDS_S), st.floats(0, 300_000))


def scraped(registry: CollectorRegistry) -> list[str]:
    """The lines of a scrape, but for when each series began."""
    lines = generate_latest(registry).decode().splitlines()
    return sorted(line for line in lines if "_created" not in line)


@given(st.lists(st.tuples(names, names)))
def test_a_counter_is_scraped_as_the_library_would_write_it(raised: list[tuple[str, str]]) -> None:
    """Whatever the labels say."""
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    counted = Counted("seen_total", "What was seen.", ("channel", "state"))
    ours.register(counted)
    counter = Counter("seen_total", "What was seen.", ("channel", "state"), registry=theirs)
    for labels in raised:
        counted.add(*labels)
        counter.labels(*labels).inc()
    assert scraped(ours) == scraped(theirs)


@given(st.lists(st.tuples(names, seconds)))
def test_a_histogram_is_scraped_as_the_library_would_write_it(
    took: list[tuple[str, float]],
) -> None:
    """What is exactly on a bound is below it; sums are added up in the same order."""
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    timed = Timed("call_seconds", "A call.", ("channel",), BOUNDS_S)
    ours.register(timed)
    histogram = Histogram(
        "call_seconds", "A call.", ("channel",), registry=theirs, buckets=BOUNDS_S
    )
    for channel, each in took:
        timed.add(each, channel)
        histogram.labels(channel).observe(each)
    assert scraped(ours) == scraped(theirs)


def test_a_histogram_without_labels_is_there_before_anything_happened() -> None:
    """A graph of it begins at zero."""
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    ours.register(Timed("call_seconds", "A call.", (), BOUNDS_S))
    Histogram("call_seconds", "A call.", registry=theirs, buckets=BOUNDS_S)
    assert scraped(ours) == scraped(theirs)


def test_a_value_with_a_label_too_many_or_too_few_is_refused_and_not_kept() -> None:
    """The library refuses it as well; a series under a wrong name would be found by nobody."""
    counted = Counted("seen_total", "What was seen.", ("channel",))
    timed = Timed("call_seconds", "A call.", (), BOUNDS_S)
    registry = CollectorRegistry()
    registry.register(counted)
    registry.register(timed)
    before = scraped(registry)
    for labels in ((), ("alipay-main", "paid")):
        with pytest.raises(ValueError, match="channel"):
            counted.add(*labels)
    with pytest.raises(ValueError, match="none"):
        timed.add(0.1, "alipay-main")
    assert scraped(registry) == before

"""Planned maintenance: how it is written, when it is under way, when it ends."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.maintenance import Once, parse, under_way
from tests.policies.builders import LAW, beijing

ZONE = "Asia/Shanghai"
# 22 November 2026 is a Sunday.


@pytest.mark.parametrize(
    ("text", "inside", "outside", "end"),
    [
        (
            "2026-11-23 01:00-05:00",
            beijing(2026, 11, 23, 1),
            beijing(2026, 11, 23, 5),
            beijing(2026, 11, 23, 5),
        ),
        (
            "2026-11-23 23:00-02:00",
            beijing(2026, 11, 24, 1, 59),
            beijing(2026, 11, 23, 22, 59),
            beijing(2026, 11, 24, 2),
        ),
        (
            "2026-11-23 22:00 - 2026-11-25 02:00",
            beijing(2026, 11, 24, 12),
            beijing(2026, 11, 25, 2),
            beijing(2026, 11, 25, 2),
        ),
        (
            "Sun 02:00-04:00",
            beijing(2026, 11, 22, 3),
            beijing(2026, 11, 23, 3),
            beijing(2026, 11, 22, 4),
        ),
        (
            "Sun 23:00-01:00",
            beijing(2026, 11, 23, 0, 30),
            beijing(2026, 11, 22, 0, 30),
            beijing(2026, 11, 23, 1),
        ),
        (
            "Sun 00:00-00:00",
            beijing(2026, 11, 22, 23, 59),
            beijing(2026, 11, 23, 0),
            beijing(2026, 11, 23, 0),
        ),
    ],
)
def test_a_window_holds_its_beginning_and_not_its_end(
    text: str, inside: object, outside: object, end: object
) -> None:
    """On the wall clock of the channel, past midnight where the end is not after the beginning."""
    window = parse(text, ZONE)
    assert window.end(inside) == end  # type: ignore[arg-type]  # moments, as listed
    assert window.end(outside) is None  # type: ignore[arg-type]  # moments, as listed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tomorrow",
        "2026-11-23",
        "2026-02-30 01:00-02:00",
        "2026-11-23 25:00-26:00",
        "2026-11-23 05:00 - 2026-11-23 01:00",
        "2026-11-23 01:00 - 2027-11-23 01:00",
        "Sunday 02:00-04:00",
        "Xxx 02:00-04:00",
        "Sun 02:00",
    ],
)
def test_what_is_no_window_is_refused(text: str) -> None:
    """With the text, so that the person finds it."""
    with pytest.raises(ValueError, match="maintenance"):
        parse(text, ZONE)


def test_windows_that_meet_count_as_one() -> None:
    """The second begins when the first ends: the channel is back after both."""
    windows = [parse("2026-11-23 01:00-03:00", ZONE), parse("2026-11-23 03:00-05:00", ZONE)]
    assert under_way(windows, beijing(2026, 11, 23, 2)) == beijing(2026, 11, 23, 5)
    assert under_way(windows, beijing(2026, 11, 23, 5)) is None
    assert under_way([], beijing(2026, 11, 23, 2)) is None


@LAW
@given(
    st.lists(st.tuples(st.integers(0, 500), st.integers(1, 300)), max_size=5),
    st.integers(0, 900),
)
def test_what_is_under_way_ends_later_and_outside_all_windows(
    spans: list[tuple[int, int]], minute: int
) -> None:
    """The end is in the future, and no window holds it."""
    begin = beijing(2026, 11, 23)
    windows = [
        Once(begin + timedelta(minutes=start), begin + timedelta(minutes=start + length))
        for start, length in spans
    ]
    now = begin + timedelta(minutes=minute)
    until = under_way(windows, now)
    assert (until is None) == all(one.end(now) is None for one in windows)
    if until is not None:
        assert until > now
        assert all(one.end(until) is None for one in windows)

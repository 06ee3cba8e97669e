"""When keys end: whose counts, which step is reached, and what keeps a channel out."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.contract import Credential
from gateway.domain.credentials import WARN_DAYS, End, ends, expired

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
BARE = Credential("public_key", "theirs", "b" * 64)


def ours(days: float, name: str = "cert") -> Credential:
    """A certificate of ours that ends so many days from now."""
    return Credential(name, "ours", "a" * 64, NOW + days * DAY)


def theirs(days: float, name: str = "platform") -> Credential:
    """One of theirs."""
    return Credential(name, "theirs", "c" * 64, NOW + days * DAY)


@pytest.mark.parametrize(
    ("days", "step"),
    [(30.1, None), (30, 30), (14.1, 30), (14, 14), (7, 7), (6.9, 7), (1, 1), (0.1, 1), (0, 0)],
)
def test_the_least_step_reached_is_told(days: float, step: int | None) -> None:
    """30, 14, 7, 1, and then none left."""
    assert End("cert", "ours", NOW + days * DAY).step(NOW) == step


def test_of_ours_the_first_to_end_counts() -> None:
    """Each of them is needed."""
    assert [one.at for one in ends((ours(9), ours(3)))] == [NOW + 3 * DAY]


def test_of_theirs_the_last_to_end_counts() -> None:
    """Old and new are live while the institution changes its own; a bare key never ends."""
    assert [one.at for one in ends((theirs(3), theirs(9)))] == [NOW + 9 * DAY]
    bare = Credential("platform", "theirs", "d" * 64)
    assert ends((theirs(3), bare)) == []


def test_what_ends_first_comes_first() -> None:
    """Whoever looks at one looks at the most urgent."""
    assert [one.name for one in ends((ours(9, "a"), theirs(1), ours(2, "b")))] == [
        *("platform", "b", "a"),
    ]


@pytest.mark.parametrize(
    ("given_", "name"),
    [
        ((ours(1), BARE), None),
        ((ours(0), BARE), "cert"),
        ((ours(5), theirs(-1), theirs(1)), None),
        ((ours(5), theirs(-1), theirs(-2)), "platform"),
        ((ours(5), theirs(-1), BARE), None),
        ((ours(-3), theirs(-1)), "cert"),
        ((), None),
    ],
)
def test_an_ended_key_keeps_a_channel_out(given_: tuple[Credential, ...], name: str | None) -> None:
    """One of ours, or the last one of theirs; ours first, as that is ours to mend."""
    found = expired(given_, NOW)
    assert (None if found is None else found.name) == name


@given(st.integers(0, 100 * 86400), st.integers(0, 100 * 86400))
def test_steps_only_fall(first: int, more: int) -> None:
    """So each fall is news, once."""
    end = End("cert", "ours", NOW + 40 * DAY)
    sooner, later = NOW + timedelta(seconds=first), NOW + timedelta(seconds=first + more)
    above = WARN_DAYS[0] + 1
    steps = [above if step is None else step for step in (end.step(sooner), end.step(later))]
    assert steps[0] >= steps[1]

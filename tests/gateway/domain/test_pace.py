"""When to look again, when to send again, when to tell a person."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from channels.contract import Profile, Reason, Resend
from gateway.domain.pace import (
    DELIVERY_LADDER_S,
    jitter,
    may_resend,
    must_park,
    next_delivery,
    next_inquiry,
)
from gateway.domain.payout import AttemptState, Refusal
from tests.builders import NOW, after, attempt
from tests.gateway.domain.situations import HISTORIES, situation, traits

OPEN = [name for name in HISTORIES if name.startswith(("attempting", "parked"))]


@given(seed=st.text(), seconds=st.integers(0, 10**7))
def test_jitter_stretches_by_at_most_a_tenth(seed: str, seconds: int) -> None:
    """Never sooner than asked, never much later, and the same for the same seed."""
    spread = jitter(seed, seconds)
    assert timedelta(seconds=seconds) <= spread <= timedelta(seconds=seconds * 1.1)
    assert spread == jitter(seed, seconds)


def test_jitter_spreads_a_crowd() -> None:
    """A thousand payouts doubted in one second come back over the whole tenth."""
    delays = {jitter(f"po_{number}", 1000) for number in range(1000)}
    assert len(delays) > 200
    assert min(delays) < timedelta(seconds=1005)
    assert max(delays) > timedelta(seconds=1095)


@pytest.mark.parametrize(
    ("open_s", "delay_s"),
    [
        (0, 10),
        (9, 10),
        (10, 10),
        (20, 20),
        (40, 40),
        (80, 80),
        (21_599, 21_599),
        (21_600, 21_600),
        (10**7, 21_600),
        (-3600, 10),
    ],
)
def test_gaps_double_up_to_the_channels_maximum(open_s: int, delay_s: int) -> None:
    """As long again as it has been open; a clock that went back costs the first delay only."""
    payout = situation("attempting, in doubt")
    live = replace(payout.attempts[0], armed_at=after(-open_s), signed_at=NOW)
    wait = next_inquiry(payout, live, traits(), NOW) - NOW
    assert wait == jitter(f"{payout.id}{payout.version}", delay_s)


def test_asking_backs_off_and_goes_on() -> None:
    """Within a month of silence the channel is asked a few hundred times, at the end every 6 h."""
    payout = situation("attempting, in doubt")
    live, now, asked = payout.attempts[0], NOW, 0
    gap = timedelta()
    while now < after(days=30):
        following = next_inquiry(payout, live, traits(), now)
        assert following - now >= gap * 0.9
        gap, now, asked = following - now, following, asked + 1
    assert 120 <= asked <= 140
    assert timedelta(hours=6) <= gap <= timedelta(hours=6.6)


@pytest.mark.parametrize("name", OPEN)
@given(open_s=st.integers(0, 10**9))
def test_open_attempts_always_have_a_next_time(name: str, open_s: int) -> None:
    """I13: however long it has been open, there is a later moment to ask, and it is near."""
    payout = situation(name)
    live = payout.live
    assert live is not None
    now = live.signed_at + timedelta(seconds=open_s)
    wait = next_inquiry(payout, live, traits(), now) - now
    assert timedelta(seconds=10) <= wait <= timedelta(seconds=21_600 * 1.1)


@pytest.mark.parametrize(
    ("doubted_s", "parks"), [(0, False), (4 * 3600 - 1, False), (4 * 3600, True), (10**6, True)]
)
def test_long_doubt_is_given_to_a_person(doubted_s: int, parks: bool) -> None:
    """After four hours of doubt, not before."""
    live = replace(attempt(), state=AttemptState.IN_DOUBT, doubted_at=after(-doubted_s))
    assert must_park(live, Profile(), NOW) == ("in_doubt_too_long" if parks else None)


@pytest.mark.parametrize(
    ("open_s", "parks"), [(0, False), (28 * 3600 - 1, False), (28 * 3600, True), (10**6, True)]
)
def test_pending_for_longer_than_a_channel_may_rest_is_given_to_a_person(
    open_s: int, parks: bool
) -> None:
    """A day of the channel's own, and four hours of grace; a person's look starts it anew."""
    pending = replace(attempt(), state=AttemptState.PENDING, armed_at=after(-open_s))
    slow = Profile(dwell_s=24 * 3600)
    assert must_park(pending, slow, NOW) == ("pending_too_long" if parks else None)
    assert must_park(replace(pending, doubted_at=after(-60)), slow, NOW) is None


@pytest.mark.parametrize("state", [AttemptState.DEAD, AttemptState.CONFIRMED, AttemptState.ARMED])
def test_what_is_known_is_not_parked(state: AttemptState) -> None:
    """Only open questions are for people."""
    known = replace(attempt(), state=state, doubted_at=after(-(10**6)))
    assert must_park(known, Profile(), NOW) is None


# --- Sending again -------------------------------------------------------------------------------

DOUBTFUL = replace(attempt(), absences=2)


def test_resend_is_allowed_after_two_absences() -> None:
    """The channel honours its reference, and twice found nothing under it."""
    assert may_resend(DOUBTFUL, traits(), after(60))
    assert may_resend(replace(DOUBTFUL, absences=5), traits(), after(60))


@pytest.mark.parametrize("absences", [0, 1])
def test_resend_waits_for_the_second_absence(absences: int) -> None:
    """One "not found" may be a slow index."""
    assert not may_resend(replace(DOUBTFUL, absences=absences), traits(), after(60))


@pytest.mark.parametrize("absences", [0, 1, 2])
def test_where_a_repetition_is_the_question_nothing_has_to_be_absent(absences: int) -> None:
    """Doubt is enough; the quiet time, the window and a refusal's looks still count."""
    asks = replace(traits(), resend=Resend(86_400, answers=True))
    doubtful = replace(DOUBTFUL, absences=absences)
    assert may_resend(doubtful, asks, after(60))
    assert not may_resend(doubtful, asks, after(59))
    assert not may_resend(doubtful, asks, after(86_400 * 9 // 10))
    refused = replace(doubtful, refusal=Refusal(Reason.SIGNATURE_REFUSED, "401", ""))
    assert not may_resend(refused, asks, after(60))


def test_sticky_channel_is_never_sent_to_again() -> None:
    """Without a promise in the specification a second send may be a second payment."""
    assert not may_resend(DOUBTFUL, traits(resend_window_s=None), after(60))


@pytest.mark.parametrize(("age_s", "allowed"), [(899, True), (900, False), (1000, False)])
def test_resend_ends_before_the_promise_does(age_s: int, allowed: bool) -> None:
    """Nine tenths of the window, counted from the first send, whatever was sent since."""
    late = replace(DOUBTFUL, signed_at=after(age_s // 2 - 1), sends=3)
    assert may_resend(late, traits(resend_window_s=1000), after(age_s)) is allowed


@pytest.mark.parametrize(("at_s", "allowed"), [(30, False), (89, False), (90, True)])
def test_resend_leaves_the_channel_alone_after_the_last_send(at_s: int, allowed: bool) -> None:
    """Two requests under one number at the same moment have been paid twice by real channels."""
    sent = replace(DOUBTFUL, signed_at=after(30))
    assert may_resend(sent, traits(), after(at_s)) is allowed


@pytest.mark.parametrize(("at_s", "allowed"), [(300, False), (599, False), (600, True)])
def test_each_resend_waits_as_long_again(at_s: int, allowed: bool) -> None:
    """A reference that the channel will not take is not sent over and over for a day."""
    sent = replace(DOUBTFUL, signed_at=after(300), sends=2)
    assert may_resend(sent, traits(), after(at_s)) is allowed


# --- Webhooks ------------------------------------------------------------------------------------


def test_delivery_ladder_climbs_and_ends() -> None:
    """Each wait is at least the one before; after the last there is none."""
    waits = []
    for tries in range(len(DELIVERY_LADDER_S)):
        at = next_delivery(tries, NOW)
        assert at is not None
        waits.append(at - NOW)
    assert waits == sorted(waits)
    assert waits[0] == timedelta()
    assert next_delivery(len(DELIVERY_LADDER_S), NOW) is None
    assert next_delivery(10**6, NOW) is None


def test_delivery_is_tried_for_three_days() -> None:
    """A receiver that is down over a weekend misses nothing."""
    assert timedelta(seconds=sum(DELIVERY_LADDER_S)) >= timedelta(days=3)

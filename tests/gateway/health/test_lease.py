"""The lease: nobody goes alone while Redis may still count him among those who share."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.health.lease import FIRST_CONTACT_S, LATE_S, LEASE_S, Beat, Lease, Standing


def beat(lease: Lease, now: float, *, took: float = 0.001, renewed: bool = True) -> None:
    """A sign of life that Redis answers."""
    wanted = lease.wants(now)
    if wanted:
        lease.asked(now)
    answer = Beat(renewed and wanted, int((now + took / 2) * 1e6), 2)
    lease.answered(answer, now, now + took, wanted=wanted, in_time=took <= 0.02)


def held(now: float = 0.0) -> Lease:
    """One that shares."""
    lease = Lease(now, 1)
    for step in range(5):
        beat(lease, now + step * 0.01)
    assert lease.standing(now + 0.05) is Standing.SHARED
    return lease


def test_before_the_first_answer_nothing_is_sent() -> None:
    """Nobody knows how many there are; after two seconds the configured number must do."""
    lease = Lease(0, 3)
    assert lease.standing(FIRST_CONTACT_S - 0.01) is Standing.BETWEEN
    assert lease.standing(FIRST_CONTACT_S) is Standing.ALONE
    assert lease.replicas == 3


def test_one_good_answer_is_not_enough() -> None:
    """Three in a row, and then the lease itself."""
    lease = Lease(0, 1)
    for step in range(3):
        assert not lease.wants(step * 0.01)
        beat(lease, step * 0.01)
    assert lease.wants(0.05)


def test_slow_answers_end_it() -> None:
    """They come, but too late to be of use."""
    lease = held()
    for step in range(1, 20):
        beat(lease, step * 0.25, took=0.15)
    assert lease.standing(5.0) is Standing.ALONE


def test_a_lease_not_renewed_is_asked_for_anew() -> None:
    """Redis's clock has jumped: its new time is learnt, and three good answers bring it back."""
    lease = held()
    beat(lease, 0.3, renewed=False)
    for step in range(4):
        beat(lease, 0.6 + step * 0.05)
    assert lease.standing(0.8) is Standing.SHARED


def test_a_flush_is_noticed_at_once() -> None:
    """Redis says that there is none: nothing is taken until there is one again."""
    lease = held()
    lease.lost()
    assert lease.standing(0.06) is Standing.BETWEEN
    beat(lease, 0.07)
    assert lease.standing(0.08) is Standing.SHARED


def test_a_flush_does_not_make_the_others_forgotten() -> None:
    """The number of replicas falls only when it has been smaller for a while."""
    lease = held()
    lease.answered(Beat(False, 1, 1), 1.0, 1.0, wanted=False, in_time=True)
    assert lease.replicas == 2
    lease.answered(Beat(False, 1, 1), 7.0, 7.0, wanted=False, in_time=True)
    assert lease.replicas == 1


@given(
    st.lists(
        st.tuples(
            st.floats(0.01, 0.6), st.sampled_from(["good", "late", "lost", "refused", "unheard"])
        ),
        max_size=60,
    )
)
def test_alone_only_when_redis_can_count_it_no_more(history: list[tuple[float, str]]) -> None:
    """Whatever happens to the signs of life: when it goes alone, every lease that Redis can have
    given has run out; and while it shares, Redis has given one that still runs."""
    lease, now, given_until = Lease(0, 1), 0.0, 0.0
    for pause, fate in history:
        now += pause
        wanted = lease.wants(now)
        if wanted:
            lease.asked(now)
        took = {"good": 0.001, "late": 0.2, "refused": 0.001}.get(fate, 0.25)
        arrives = now + (LATE_S if fate == "unheard" else took / 2)
        if wanted and fate not in {"lost", "refused"}:
            given_until = max(given_until, arrives + LEASE_S)
        sent, now = now, now + took
        if fate in {"lost", "unheard"}:
            lease.missed()
        else:
            answer = Beat(wanted and fate != "refused", int((sent + took / 2) * 1e6), 2)
            lease.answered(answer, sent, now, wanted=wanted, in_time=took <= 0.02)
        for later in (now, now + 0.5, now + 1.0, now + 1.5):
            probe = lease._quiet_until, lease._shares, lease._until
            standing = lease.standing(later)
            lease._quiet_until, lease._shares, lease._until = probe
            if standing is Standing.ALONE:
                assert later >= given_until
            if standing is Standing.SHARED:
                assert later <= given_until

"""Strategies for what a channel may answer, in honest and in hostile moods."""

from datetime import timedelta

from hypothesis import strategies as st

from channels.contract import (
    Absent,
    NotSent,
    NotSentCause,
    Outcome,
    Paid,
    Pending,
    Reason,
    Rejected,
    Returned,
    Unknown,
    UnknownCause,
)
from gateway.domain.payout import Source
from tests.builders import NOW, cny

AMOUNT = 10_000
"""What every payout of these tests is for."""

MOMENTS = st.integers(0, 10**6).map(lambda seconds: NOW + timedelta(seconds=seconds))
REFERENCES = st.sampled_from(["CH1", "CH2"])
SOURCES = st.sampled_from(Source)

UNKNOWN = st.builds(Unknown, st.sampled_from(UnknownCause))
ABSENT = st.just(Absent())
NOT_SENT = st.builds(NotSent, st.sampled_from(NotSentCause))
PENDING = st.builds(Pending, st.none() | REFERENCES, st.sampled_from(["DEALING", "WAIT"]))
REJECTED = st.builds(
    Rejected, st.sampled_from(Reason), st.sampled_from(["A", "B"]), confirm=st.booleans()
)
PAID = st.builds(Paid, REFERENCES, MOMENTS, st.none() | st.integers(0, 30).map(cny))
RETURNED = st.builds(Returned, st.none() | REFERENCES, MOMENTS, st.integers(1, AMOUNT).map(cny))

ANYTHING: st.SearchStrategy[Outcome | Absent] = st.one_of(
    UNKNOWN, ABSENT, NOT_SENT, PENDING, REJECTED, PAID, RETURNED
)
"""Every outcome there is; channels lie, repeat themselves and take words back."""

"""What silence proves: every certificate held against a log that the machine keeps by itself.

The conditions below are written from the rules (reliability.md §4.3 C1, C3, C5 and §4.4), not from
`gateway.domain`: which sends there were and when each was signed, what was answered to which of
them, and when nothing was found. Whatever dies must have died lawfully.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from channels.contract import (
    Absent,
    NotSent,
    NotSentCause,
    Outcome,
    Pending,
    Profile,
    Reason,
    Rejected,
    Unknown,
    UnknownCause,
)
from gateway.domain.certify import events_of
from gateway.domain.lifecycle import apply
from gateway.domain.payout import (
    Armed,
    Attempt,
    AttemptState,
    CertificateKind,
    Payout,
    PayoutState,
    Resent,
    Source,
)
from gateway.domain.silence import Asked
from gateway.engine.record import is_news
from tests.builders import NOW, attempt, payout
from tests.proof.laws.shared import Counted

Word = Literal["send", "unknown", "refused", "rejected", "not_sent", "pending", "absent"]
SECONDS = st.sampled_from((1, 20, 60, 100, 200, 300, 600, 1_000))
SELDOM = st.integers(0, 11)
"""What ends or restarts a history happens when this is 0."""
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Said:
    """One line of the log."""

    word: Word
    at: datetime
    canary_at: datetime | None = None


class SilenceLaws(RuleBasedStateMachine):
    """One attempt, a channel that mostly says nothing, and time."""

    def __init__(self) -> None:
        """Nothing was sent yet."""
        super().__init__()
        self.now = NOW
        self.log: list[Said] = []
        self.unanswered = True
        self.profile = Profile()
        self.subject: Payout = payout(state=PayoutState.ROUTING)

    @property
    def it(self) -> Attempt:
        """The attempt."""
        return self.subject.attempts[0]

    @initialize(
        window=st.sampled_from((None, 0, 60, 300)),
        dwell=st.sampled_from((0, 60)),
        lag=st.sampled_from((0, 60)),
        skew=st.integers(0, 60),
        proves=st.sampled_from((True, True, False)),
        refusal_lag=st.sampled_from((30, 120)),
    )
    def begin(
        self, window: int | None, dwell: int, lag: int, skew: int, proves: bool, refusal_lag: int
    ) -> None:
        """A channel of some profile is given the payout."""
        self.profile = Profile(
            acceptance_window_s=window,
            dwell_s=dwell,
            visibility_lag_s=lag,
            skew_s=skew,
            absence_proves=proves,
            refusal_lag_s=refusal_lag,
        )
        armed = attempt(1, armed_at=self.now)
        self.subject = apply(self.subject, Armed(armed), self.now)
        self.log.append(Said("send", self.now))

    # --- What may happen ---

    @rule(seconds=SECONDS)
    def wait(self, seconds: int) -> None:
        """Time passes."""
        self.now += timedelta(seconds=seconds)

    @precondition(lambda self: self._is_open() and self.unanswered)
    @rule(word=st.sampled_from(("unknown", "refused", "rejected", "not_sent")))
    def answer(self, word: Word) -> None:
        """What comes of the send that was last, perhaps after somebody has asked about it."""
        self.unanswered = False
        outcomes: dict[Word, Outcome] = {
            "unknown": Unknown(UnknownCause.TIMEOUT),
            "refused": Rejected(Reason.FLOAT_SHORT, "NO?", confirm=True),
            "rejected": Rejected(Reason.FLOAT_SHORT, "NO"),
            "not_sent": NotSent(NotSentCause.REFUSED),
        }
        self._hear(word, outcomes[word], Source.SEND)

    @precondition(lambda self: self._is_open())
    @rule(sixths=st.sampled_from((0, 1, 2, 2, 3, 6)), canary=st.sampled_from((0, 30, 90, None)))
    def find_nothing(self, sixths: int, canary: int | None) -> None:
        """An inquiry finds nothing, so many sixths of the wait after what was last; a canary was
        found so many seconds ago, or not at all."""
        self.now += self.wait_time() * sixths / 6 + timedelta(seconds=1)
        seen_at = None if canary is None else self.now - timedelta(seconds=canary)
        self._hear("absent", Absent(), Source.INQUIRY, seen_at)

    @precondition(lambda self: self._is_open())
    @rule(seldom=SELDOM)
    def find_it(self, seldom: int) -> None:
        """An inquiry finds the order."""
        if seldom == 0:
            self._hear("pending", Pending("CH"), Source.INQUIRY)

    @precondition(lambda self: self._is_open())
    @rule(seldom=SELDOM)
    def learn_nothing(self, seldom: int) -> None:
        """An inquiry is not answered."""
        if seldom < 3:
            self._hear("unknown", Unknown(UnknownCause.TIMEOUT), Source.INQUIRY)

    @precondition(lambda self: self._is_open() and self.it.state is AttemptState.IN_DOUBT)
    @rule(seldom=SELDOM)
    def resend(self, seldom: int) -> None:
        """The same reference, signed now."""
        if seldom < 3:
            self.subject = apply(self.subject, Resent(1, "e" * 64, self.now, None), self.now)
            self.log.append(Said("send", self.now))
            self.unanswered = True

    def _is_open(self) -> bool:
        return bool(self.log) and self.subject.state is PayoutState.ATTEMPTING

    def _hear(
        self, word: Word, outcome: Outcome | Absent, source: Source, canary: datetime | None = None
    ) -> None:
        asked = Asked(self.profile, self.now, canary) if source is Source.INQUIRY else None
        self.log.append(Said(word, self.now, canary))
        for event in events_of(self.subject, self.it, outcome, source, self.now, asked):
            if is_news(self.subject, event):
                self.subject = apply(self.subject, event, self.now)

    # --- What must hold ---

    @invariant()
    def count(self) -> None:
        """One more step."""
        Counted.steps += 1

    @invariant()
    def whatever_died_has_died_lawfully(self) -> None:
        """The log has what the certificate claims."""
        if not self.subject.attempts or self.it.certificate is None:
            return
        match self.it.certificate.kind:
            case CertificateKind.DEFINITE_REJECT:
                assert self._was_rejected() or self._was_refused_and_looked_for(), self.log
            case CertificateKind.NEVER_LEFT:
                assert self._sends() == 1, self.log
                assert self._last("not_sent") is not None, self.log
            case CertificateKind.ABSENT_AFTER_WINDOW:
                assert self._was_absent_long_enough(), self.log
            case kind:
                raise AssertionError(f"nothing here can prove {kind}: {self.log}")

    def wait_time(self) -> timedelta:
        """§4.4: window, dwell, lag and skew, counted from the last signature."""
        told = self.profile
        window = told.acceptance_window_s or 0
        return timedelta(seconds=window + told.dwell_s + told.visibility_lag_s + told.skew_s)

    def _sends(self) -> int:
        return sum(said.word == "send" for said in self.log)

    def _last(self, word: Word) -> Said | None:
        return next((said for said in reversed(self.log) if said.word == word), None)

    def _was_rejected(self) -> bool:
        """C1: verified, in the list, the only send, and nobody has seen the order."""
        return (
            self._sends() == 1
            and self._last("rejected") is not None
            and self._last("pending") is None
        )

    def _was_refused_and_looked_for(self) -> bool:
        """C1 with a look: the only send, and two looks after the refusal, a lag apart."""
        refused = self._last("refused")
        if refused is None or self._sends() != 1:
            return False
        after = self.log[self.log.index(refused) + 1 :]
        looks = [said.at for said in after if said.word == "absent"]
        apart = timedelta(seconds=self.profile.refusal_lag_s)
        seen = any(said.word == "pending" for said in after)
        return len(looks) > 1 and looks[-1] - looks[0] >= apart and not seen

    def _was_absent_long_enough(self) -> bool:
        """C5: allowed, never seen, thrice and spaced since the last send, late, canary found."""
        last_send, wait = self._last("send"), self.wait_time()
        if not self.profile.absence_proves or self.profile.acceptance_window_s is None:
            return False
        if self._last("pending") is not None or last_send is None:
            return False
        looks: list[datetime] = []
        for said in self.log[self.log.index(last_send) :]:
            if said.word == "absent" and (not looks or said.at - looks[-1] >= wait / 3):
                looks.append(said.at)
        end = self.log[-1]
        alive = end.canary_at is not None and end.at - end.canary_at <= MINUTE
        return len(looks) >= 3 and end.at >= last_send.at + wait and alive

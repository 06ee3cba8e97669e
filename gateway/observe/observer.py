"""The engine's observer: every move and call becomes metrics and, where it matters, a log line.

Events are logged at debug; one canonical line per attempt at info. Nothing here may stop money: an
observation that fails is counted and forgotten.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prometheus_client import Counter

from gateway.domain.payout import Attempt, AttemptState, Confirmed, Died, Payout, PayoutState
from gateway.observe.events import WEBHOOK_TRIED
from gateway.observe.log import Log, attempt_line, place
from gateway.observe.metrics import Metrics
from gateway.ports import Change

CLOSED = frozenset({AttemptState.CONFIRMED, AttemptState.DEAD, AttemptState.RETURNED})


class Observe:
    """`ports.Observer` over a log and metrics."""

    def __init__(self, log: Log, metrics: Metrics) -> None:
        """Both may be shared with the rest of the process."""
        self.log = log
        self.metrics = metrics
        self._states: dict[PayoutState, Counter] = {}

    def moved(self, change: Change) -> None:
        """Count the states reached, and write the line of every attempt that has just closed."""
        try:
            self._moved(change)
        except Exception:  # noqa: BLE001 - what moved is durable; losing its line is the lesser harm
            self.metrics.unobserved.inc()

    def _moved(self, change: Change) -> None:
        before, after = change.before, change.after
        if before is None or before.state is not after.state:
            self._reached(after.state).inc()
        earlier = () if before is None else before.attempts
        for attempt in after.attempts:
            known = earlier[attempt.number - 1] if attempt.number <= len(earlier) else None
            if known is None or known.state is not attempt.state:
                self.metrics.attempts.labels(attempt.channel, attempt.state.value).inc()
                if attempt.state in CLOSED:
                    self._closed(after, attempt)
        first = after.version - len(change.events) + 1
        for seq, event in enumerate(change.events, first):
            if isinstance(event, Died):
                channel = after.attempts[event.number - 1].channel
                self.metrics.certificates.labels(channel, event.certificate.kind.value).inc()
            if isinstance(event, Confirmed):
                waited = after.updated_at - after.accepted_at
                self.metrics.to_paid.observe(waited.total_seconds())
            name = f"payout.{event.kind}"
            self.log.debug(
                name,
                payout_id=after.id,
                merchant_id=after.merchant_id,
                seq=seq,
                state=after.state,
                actor=change.actor,
            )

    def _reached(self, state: PayoutState) -> Counter:
        counter = self._states.get(state)
        if counter is None:
            counter = self._states[state] = self.metrics.payouts.labels(state.value)
        return counter

    def _closed(self, payout: Payout, attempt: Attempt) -> None:
        certificate = attempt.certificate
        attempt_line(
            self.log,
            payout_id=payout.id,
            merchant_id=payout.merchant_id,
            attempt=attempt.number,
            channel=attempt.channel,
            reference=attempt.reference,
            outcome=attempt.state,
            certificate=None if certificate is None else certificate.kind,
            reason=None if certificate is None else certificate.reason,
            code=None if certificate is None else certificate.code,
            amount_minor=payout.asked.minor,
            currency=payout.amount.currency,
            fee_minor=attempt.fee_minor,
            sends=attempt.sends,
            inquiries=attempt.inquiries,
            seconds=(payout.updated_at - attempt.armed_at).total_seconds(),
        )

    def called(self, channel: str, operation: str, outcome: str, seconds: float) -> None:
        """Count one question to a channel."""
        with self._harmless():
            self.metrics.calls.labels(channel, operation).observe(seconds)
            self.metrics.answers.labels(channel, operation, outcome).inc()

    def decided(self, seconds: float) -> None:
        """Count one routing decision."""
        with self._harmless():
            self.metrics.route.observe(seconds)

    def delivered(self, result: str) -> None:
        """Count one webhook try."""
        with self._harmless():
            self.metrics.deliveries.labels(result).inc()
            self.log.debug(WEBHOOK_TRIED, result=result)

    def alarm(self, event: str, **facts: Any) -> None:
        """Log a warning and count it by name."""
        with self._harmless():
            self.metrics.alarms.labels(event).inc()
            self.log.warning(event, **facts)

    def defect(self, event: str, error: Exception, **facts: Any) -> None:
        """Log an error by type and place, and count it by name."""
        with self._harmless():
            self.metrics.alarms.labels(event).inc()
            self.log.error(event, **facts, error_type=type(error).__name__, error_at=place(error))

    @contextmanager
    def _harmless(self) -> Iterator[None]:
        try:
            yield
        except Exception:  # noqa: BLE001 - what is told is durable; losing its line is the lesser harm
            self.metrics.unobserved.inc()

"""The engine's observer: every move and call becomes metrics and, where it matters, a log line.

Events are logged at debug; one canonical line per attempt at info. Nothing here may stop money: an
observation that fails is counted and forgotten.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from gateway.domain.payout import Attempt, AttemptState, Confirmed, Died, Payout
from gateway.observe.events import WEBHOOK_TRIED
from gateway.observe.log import Log, attempt_line, place
from gateway.observe.metrics import Metrics
from gateway.ports import Change

CLOSED = frozenset({AttemptState.CONFIRMED, AttemptState.DEAD, AttemptState.RETURNED})

_Told = ParamSpec("_Told")
_Telling = Callable[Concatenate["Observe", _Told], None]


def _harmless(tell: _Telling[_Told]) -> _Telling[_Told]:
    """What is told is durable: losing its line is the lesser harm."""

    @wraps(tell)
    def told(self: "Observe", /, *args: _Told.args, **facts: _Told.kwargs) -> None:
        try:
            tell(self, *args, **facts)
        except Exception:  # noqa: BLE001 - see above
            self.metrics.unobserved.inc()

    return told


class Observe:
    """`ports.Observer` over a log and metrics."""

    def __init__(self, log: Log, metrics: Metrics) -> None:
        """Both may be shared with the rest of the process."""
        self.log = log
        self.metrics = metrics

    @_harmless
    def moved(self, change: Change) -> None:
        """Count the states reached, and write the line of every attempt that has just closed."""
        before, after = change.before, change.after
        if before is None or before.state is not after.state:
            self.metrics.payouts.add(after.state)
        earlier = () if before is None else before.attempts
        for attempt in after.attempts:
            known = earlier[attempt.number - 1] if attempt.number <= len(earlier) else None
            if known is None or known.state is not attempt.state:
                self.metrics.attempts.add(attempt.channel, attempt.state)
                if attempt.state in CLOSED:
                    self._closed(after, attempt)
        first = after.version - len(change.events) + 1
        for seq, event in enumerate(change.events, first):
            if isinstance(event, Died):
                channel = after.attempts[event.number - 1].channel
                self.metrics.certificates.add(channel, event.certificate.kind)
            if isinstance(event, Confirmed):
                waited = after.updated_at - after.accepted_at
                self.metrics.to_paid.add(waited.total_seconds())
            name = f"payout.{event.kind}"
            self.log.debug(
                name,
                payout_id=after.id,
                merchant_id=after.merchant_id,
                seq=seq,
                state=after.state,
                actor=change.actor,
            )

    def _closed(self, payout: Payout, attempt: Attempt) -> None:
        certificate = attempt.certificate
        attempt_line(
            self.log,
            {
                "payout_id": payout.id,
                "merchant_id": payout.merchant_id,
                "attempt": attempt.number,
                "channel": attempt.channel,
                "reference": attempt.reference,
                "outcome": attempt.state,
                "certificate": None if certificate is None else certificate.kind,
                "reason": None if certificate is None else certificate.reason,
                "code": None if certificate is None else certificate.code,
                "amount_minor": payout.asked.minor,
                "currency": payout.amount.currency,
                "fee_minor": attempt.fee_minor,
                "sends": attempt.sends,
                "inquiries": attempt.inquiries,
                "seconds": (payout.updated_at - attempt.armed_at).total_seconds(),
            },
        )

    @_harmless
    def called(self, channel: str, operation: str, outcome: str, seconds: float) -> None:
        """Count one question to a channel."""
        self.metrics.calls.add(seconds, channel, operation)
        self.metrics.answers.add(channel, operation, outcome)

    @_harmless
    def decided(self, seconds: float) -> None:
        """Count one routing decision."""
        self.metrics.route.add(seconds)

    @_harmless
    def delivered(self, result: str) -> None:
        """Count one webhook try."""
        self.metrics.deliveries.add(result)
        self.log.debug(WEBHOOK_TRIED, result=result)

    @_harmless
    def alarm(self, /, event: str, **facts: Any) -> None:
        """Log a warning and count it by name."""
        self.metrics.alarms.labels(event).inc()
        self.log.warning(event, **facts)

    @_harmless
    def defect(self, /, event: str, error: Exception, **facts: Any) -> None:
        """Log an error by type and place, and count it by name."""
        self.metrics.alarms.labels(event).inc()
        self.log.error(event, **facts, error_type=type(error).__name__, error_at=place(error))

"""Everything that can go wrong, in one hierarchy; the message says what to do.

    ClientError
    ├── ProblemError            the gateway refused, in its own words (RFC 9457)
    │   ├── InvalidError           a field is wrong; `field` names it
    │   ├── UnauthenticatedError   no valid key or signature
    │   ├── ForbiddenError         this key may not do it
    │   ├── AbsenceError           there is no such thing
    │   ├── ConflictError          what is stored does not allow it
    │   ├── UnfundedError          the balance does not cover it
    │   └── UnavailableError       not now, and nothing was done
    ├── NoAnswerError           no word of the gateway, and nothing was done by it
    ├── OutcomeUnknownError     no word of the gateway, and it may have been done: NOT a failure
    └── WebhookRefusedError     a message that is not the gateway's, or too old

Every error can be pickled, so that a task queue can hand it on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from gateway.client.bulk_requests import Request


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of an error."""

    code: str
    """Stable, for programs."""
    message: str
    message_zh: str = ""
    status: int | None = None
    """The HTTP status, if there was an answer."""
    field: str | None = None
    """Which field is at fault."""
    request_id: str | None = None
    """Under which the gateway's log has the last try."""
    retryable: bool = False
    """Whether asking again later can help; a payout only with the same key."""
    retry_after_s: int | None = None
    idempotency_key: str | None = None
    """Under which this was asked. Asking again with it never pays twice."""


class ClientError(Exception):
    """Something was not done, or nobody knows whether it was."""

    def __init__(self, facts: Facts) -> None:
        """`facts` says everything; the properties repeat it."""
        super().__init__(facts)
        self.facts = facts

    def __str__(self) -> str:
        """One line for a log, in English; no payee data, no secret."""
        facts = self.facts
        known = {"field": facts.field, "request_id": facts.request_id}
        known["idempotency_key"] = facts.idempotency_key
        rest = " ".join(f"{name}={value}" for name, value in known.items() if value)
        return f"{facts.code}: {facts.message}" + (f" ({rest})" if rest else "")

    @property
    def code(self) -> str:
        """Stable, for programs."""
        return self.facts.code

    @property
    def message(self) -> str:
        """What was wrong and what to do, in English."""
        return self.facts.message

    @property
    def message_zh(self) -> str:
        """The same in Chinese; empty if the gateway did not say."""
        return self.facts.message_zh

    @property
    def status(self) -> int | None:
        """The HTTP status, if there was an answer."""
        return self.facts.status

    @property
    def field(self) -> str | None:
        """Which field is at fault."""
        return self.facts.field

    @property
    def request_id(self) -> str | None:
        """Under which the gateway's log has the last try."""
        return self.facts.request_id

    @property
    def retryable(self) -> bool:
        """Whether asking again later can help; a payout only with the same key."""
        return self.facts.retryable

    @property
    def retry_after_s(self) -> int | None:
        """Asking again sooner is of no use."""
        return self.facts.retry_after_s

    @property
    def idempotency_key(self) -> str | None:
        """Under which this was asked. Asking again with it never pays twice."""
        return self.facts.idempotency_key


class ProblemError(ClientError):
    """The gateway's own word that this was refused."""


class InvalidError(ProblemError):
    """A field's value cannot be used; `field` names it."""


class UnauthenticatedError(ProblemError):
    """The key or the signature is not valid."""


class ForbiddenError(ProblemError):
    """The key is valid and may not do this."""


class AbsenceError(ProblemError):
    """There is no such thing, or it is another merchant's."""


class ConflictError(ProblemError):
    """The request contradicts what is stored, or the state does not allow it."""


class UnfundedError(ProblemError):
    """The available balance does not cover amount and fee."""


class UnavailableError(ProblemError):
    """The gateway cannot do this now. Of what acts, it has done nothing."""


class NoAnswerError(ClientError):
    """There was no usable answer, and nothing was done by what was asked."""


class OutcomeUnknownError(ClientError):
    """Nobody here knows whether it was done. Never treat this as a failure.

    A payout: repeat `payouts.create(error.request, idempotency_key=error.idempotency_key)` until
    it answers, now or after a restart; there will be one payout, whichever try made it. Likewise
    with `splits.create` and `batches.create`.
    """

    def __init__(
        self, facts: Facts, request: Request | None = None, last: ClientError | None = None
    ) -> None:
        """`last` is how the last try ended; it speaks for that try alone."""
        super().__init__(facts)
        self.args = (facts, request, last)
        self.request = request
        self.last = last


class WebhookRefusedError(ClientError):
    """Do not act on this message; answer it with 401."""


_BY_STATUS: Mapping[int, type[ProblemError]] = {
    400: InvalidError,
    401: UnauthenticatedError,
    402: UnfundedError,
    403: ForbiddenError,
    404: AbsenceError,
    409: ConflictError,
    413: InvalidError,
    415: InvalidError,
    422: InvalidError,
    429: UnavailableError,
}


def problem_error(facts: Facts) -> ProblemError:
    """The error of a problem document's status."""
    status = facts.status or 0
    kind = UnavailableError if status >= 500 else _BY_STATUS.get(status, ProblemError)
    return kind(facts)


@dataclass(frozen=True, slots=True)
class Advice:
    """How to go on when nobody knows whether something was done."""

    en: str
    zh: str
    code: str = field(default="outcome_unknown")

    def error(self, last: ClientError, request: Request | None = None) -> OutcomeUnknownError:
        """The error that says so, after a last try that ended with `last`."""
        facts = replace(
            last.facts,
            code=self.code,
            message=f"{self.en} (the last try: {last.code}: {last.message})",
            message_zh=f"{self.zh}（最后一次：{last.code} {last.message_zh or last.message}）",
            field=None,
            retryable=True,
        )
        return OutcomeUnknownError(facts, request, last)

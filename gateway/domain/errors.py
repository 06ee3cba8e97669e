"""What a caller or an operator can do wrong, each with a stable code.

    GatewayError
    ├── Invalid                422  a field is wrong; `param` names it
    ├── Unauthenticated        401  no key, revoked key, bad or replayed signature
    ├── Forbidden              403  the key's scopes do not cover this
    ├── Absence                404  no such thing, or another merchant's: the same answer
    ├── Conflict               409  same key, other body; or the state does not allow it
    ├── Unfunded               402  the balance does not cover amount and fee
    └── Unavailable            503  try again later; nothing was stored

The HTTP status is mapped in `gateway.api.problems`, nowhere else.
"""


class GatewayError(Exception):
    """Refused, with nothing half-done. `message` says what was wrong and what to do."""

    retryable = False

    def __init__(self, code: str, message: str, *, zh: str = "", param: str | None = None) -> None:
        """`code` is stable and machine-readable; `zh` is the same sentence in Chinese."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.zh = zh
        self.param = param


class InvalidError(GatewayError):
    """A field's value cannot be used."""


class UnauthenticatedError(GatewayError):
    """The caller did not prove who it is."""


class ForbiddenError(GatewayError):
    """The caller is known, and may not do this."""


class AbsenceError(GatewayError):
    """There is no such thing, or it belongs to another merchant."""


class GoneError(GatewayError):
    """It was here, and was moved away on purpose; the message says where to."""


class ConflictError(GatewayError):
    """The request contradicts what is stored."""


class UnfundedError(GatewayError):
    """The merchant's available balance (with its credit line) does not cover the payout."""


class UnavailableError(GatewayError):
    """The gateway cannot take this now; nothing was stored."""

    retryable = True

    def __init__(
        self,
        code: str,
        message: str,
        *,
        zh: str = "",
        param: str | None = None,
        retry_after_s: int = 1,
    ) -> None:
        """`retry_after_s`: asking again sooner is of no use."""
        super().__init__(code, message, zh=zh, param=param)
        self.retry_after_s = retry_after_s

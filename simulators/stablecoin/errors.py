"""Circle's error body, `{code, message, errors[]}`, and which HTTP status goes with which code.

Source: the API's error pages ("Error response shape"). The pages number few codes; where they are
silent the choice is named in simulators/README.md.
"""

from __future__ import annotations

from collections.abc import Mapping

UNSURE, INVALID, FORBIDDEN, UNAUTHORIZED, CONFLICT, LIMITED = -1, 2, 3, 401, 1083, 429

_STATUSES: Mapping[int, int] = {
    UNSURE: 500,
    INVALID: 400,
    FORBIDDEN: 403,
    UNAUTHORIZED: 401,
    CONFLICT: 409,
    LIMITED: 429,
}
_MESSAGES: Mapping[int, str] = {
    UNSURE: "Something went wrong.",
    INVALID: "Invalid entity.",
    FORBIDDEN: "Forbidden",
    UNAUTHORIZED: "Malformed authorization. Is the authorization type missing?",
    CONFLICT: "The idempotency key has been used with another request.",
    LIMITED: "Too many requests.",
}


class RefusedError(Exception):
    """The institution's own refusal of one request; nothing was executed for it."""

    def __init__(
        self,
        code: int,
        message: str = "",
        *,
        status: int | None = None,
        error: str = "",
        location: str = "",
    ) -> None:
        """With `error` and `location`, one entry of `errors[]`."""
        super().__init__(code)
        self.code = code
        self.status = status or _STATUSES.get(code, 400)
        self.message = message or _MESSAGES.get(code, "Unclassified error.")
        self.error = error
        self.location = location

    def body(self) -> dict[str, object]:
        """The JSON of the reply."""
        said: dict[str, object] = {"code": self.code, "message": self.message}
        if self.error:
            entry = {"error": self.error, "message": self.message, "location": self.location}
            said["errors"] = [entry]
        return said


def invalid(location: str, error: str = "invalid_value") -> RefusedError:
    """A field that does not fit: 400, code 2."""
    return RefusedError(
        INVALID, f"Invalid entity. {location} is not valid", error=error, location=location
    )


def not_found() -> RefusedError:
    """Nothing of this id: 404."""
    return RefusedError(INVALID, "Resource not found", status=404)


def named(code: str, message: str = "", location: str = "") -> RefusedError:
    """The refusal that a fault rule names; a word that is no number stands for "cannot tell"."""
    number = int(code) if code.lstrip("-").isdigit() else UNSURE
    error = "invalid_value" if number == INVALID else ""
    return RefusedError(number, message, error=error, location=location)

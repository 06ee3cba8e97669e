"""The closed table of everything a fault rule can do, with its parameters and when it applies.

The rule reader validates against it, the README shows it, and every simulator honours it. `Stage`
tells the moment: a rule's `times` are used up only by events of its own stage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time, timedelta
from enum import StrEnum

from simulators.clock import parse_duration

_GIVEN_AS: Mapping[str, type | tuple[type, ...]] = {
    "text": str,
    "whole": int,
    "number": (int, float),
    "flag": bool,
}
"""What YAML or JSON may give for a parameter; durations and hours are read apart."""

ParamValue = str | int | float | bool | timedelta | time | None


class Stage(StrEnum):
    """When a rule is asked."""

    LISTENER = "listener"
    """Before any byte: whether the account's port takes connections."""
    REQUEST = "request"
    """Once for every request whose sender is known, whatever it asks for."""
    ORDER = "order"
    """Once for every order when it is taken; decides what becomes of it later."""
    NOTICE = "notice"
    """Once for every notice when the institution makes it."""
    STATEMENT = "statement"
    """Once for every statement when it is made; the file then stays as it is."""
    BOOKING = "booking"
    """Once for every movement: on which day's statement it stands."""
    LINE = "line"
    """Once for every line of that statement."""


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter: `kind` is text, whole, number, flag, duration or hour."""

    kind: str
    default: ParamValue

    def read(self, value: object) -> ParamValue:
        """Check a value given by a rule. Raises ValueError."""
        if self.kind == "duration":
            if isinstance(value, str | int | float):
                return parse_duration(value)
            raise ValueError("needs a duration")
        if self.kind == "hour":
            if isinstance(value, str):
                return time.fromisoformat(value)
            raise ValueError("needs a time of day like '23:30' (quoted)")
        wanted = _GIVEN_AS[self.kind]
        if isinstance(value, wanted) and isinstance(value, bool) == (self.kind == "flag"):
            return value  # type: ignore[return-value]  # isinstance against the table above proved it
        raise ValueError(f"needs a {self.kind}")


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that can go wrong."""

    stage: Stage
    params: Mapping[str, Param]
    meaning: str


def _of(stage: Stage, meaning: str, /, **params: tuple[str, ParamValue]) -> Action:
    return Action(stage, {k: Param(*v) for k, v in params.items()}, meaning)


_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)

ACTIONS: Mapping[str, Action] = {
    "refuse": _of(Stage.LISTENER, "the port refuses connections (a real ECONNREFUSED)"),
    # ---- a request ----
    "reject": _of(
        Stage.REQUEST,
        "the institution's own error with this code; `executed` carries the request out first",
        code=("text", "SYSTEM_ERROR"),
        message=("text", ""),
        executed=("flag", False),
    ),
    "reset_before": _of(Stage.REQUEST, "connection reset, nothing executed"),
    "reset_after": _of(Stage.REQUEST, "executed, then reset before any reply byte"),
    "reset_mid": _of(Stage.REQUEST, "executed, then reset in the middle of the reply"),
    "slow": _of(
        Stage.REQUEST,
        "executed late: `fixed`, or uniform `low` to `high`, or log-normal `median` and `sigma`",
        fixed=("duration", None),
        low=("duration", None),
        high=("duration", None),
        median=("duration", None),
        sigma=("number", 0.5),
    ),
    "http_error": _of(
        Stage.REQUEST,
        "an HTTP error from a box in front of the institution",
        status=("whole", 502),
        body=("text", "<html><body>Bad Gateway</body></html>"),
        executed=("flag", False),
    ),
    "garbage": _of(
        Stage.REQUEST,
        "200 with bytes that are no reply",
        body=("text", "\x1f<!-- upstream -->{"),
        executed=("flag", True),
    ),
    "bad_signature": _of(Stage.REQUEST, "a true reply whose signature does not fit"),
    "unsigned": _of(Stage.REQUEST, "a true reply without signature"),
    "unknown_code": _of(
        Stage.REQUEST,
        "executed, answered with an error code nobody documented",
        code=("text", "NEW_UNDOCUMENTED_CODE"),
    ),
    "unknown_status": _of(
        Stage.REQUEST,
        "executed, answered with a status nobody documented",
        status=("text", "ARCHIVED"),
    ),
    "status_lie": _of(
        Stage.REQUEST,
        "executed, answered with this status whatever is true",
        status=("text", "FAIL"),
    ),
    "wrong_echo": _of(
        Stage.REQUEST,
        "the reply echoes a wrong `field`: amount, reference or payee",
        field=("text", "amount"),
    ),
    "throttle": _of(
        Stage.REQUEST,
        "more than `per_s` requests in one second get the flow-limit error",
        per_s=("whole", 1),
    ),
    "short_balance": _of(
        Stage.REQUEST,
        "the account seems to hold only `available_fen`",
        available_fen=("whole", 0),
    ),
    "maintenance": _of(
        Stage.REQUEST,
        "between two Beijing times of day (may cross midnight) everything gets this error",
        from_hour=("hour", time(0, 0)),
        to_hour=("hour", time(5, 0)),
        code=("text", "SYSTEM_ERROR"),
    ),
    # ---- what becomes of an order ----
    "not_found_window": _of(
        Stage.ORDER,
        "inquiries do not find the order for so long",
        seconds=("duration", timedelta(seconds=30)),
    ),
    "settle_late": _of(
        Stage.ORDER,
        "the order stays under way for so long",
        after=("duration", _HOUR),
    ),
    "settle_never": _of(Stage.ORDER, "the order stays under way for good"),
    "settle_fail": _of(
        Stage.ORDER,
        "taken, then failed with this reason; the money comes back",
        reason=("text", ""),
    ),
    "left_created": _of(
        Stage.ORDER,
        "written and never carried on with (where a gateway pays by way of somebody else); "
        "`executed`: the money moves all the same",
        executed=("flag", False),
    ),
    "failed_though_paid": _of(
        Stage.ORDER,
        "paid, and booked for good as failed with this reason (where a gateway pays by way of "
        "somebody else)",
        reason=("text", ""),
    ),
    "return_late": _of(
        Stage.ORDER,
        "succeeds, and comes back so long after the success",
        after=("duration", _DAY),
    ),
    "confirm_late": _of(
        Stage.ORDER,
        "the payee confirms only after so long (where payees confirm)",
        after=("duration", timedelta(hours=23)),
    ),
    "confirm_never": _of(Stage.ORDER, "the payee never confirms (where payees confirm)"),
    "double_execute": _of(
        Stage.ORDER,
        "a repeated number pays again: an institution without idempotency",
    ),
    # ---- notices ----
    "notice_duplicate": _of(
        Stage.NOTICE,
        "delivered `copies` times more",
        copies=("whole", 1),
    ),
    "notice_lost": _of(Stage.NOTICE, "never sent"),
    "notice_delay": _of(Stage.NOTICE, "sent so much later", after=("duration", _HOUR)),
    "notice_out_of_order": _of(
        Stage.NOTICE,
        "held until a later notice of the same order has gone out (at the latest `after`)",
        after=("duration", timedelta(minutes=1)),
    ),
    "notice_forged": _of(
        Stage.NOTICE,
        "beside the true one, a forgery with a bad signature claims this status",
        status=("text", "FAIL"),
    ),
    # ---- statements ----
    "statement_late": _of(
        Stage.STATEMENT,
        "ready so much later than promised",
        after=("duration", timedelta(hours=6)),
    ),
    "statement_extra_line": _of(
        Stage.STATEMENT,
        "a line for money that never moved",
        reference=("text", "EXTRA-LINE-0001"),
        amount_fen=("whole", 100),
    ),
    "statement_shifted_line": _of(
        Stage.BOOKING,
        "the line stands in the file of so many days later (negative: earlier; a week at most)",
        days=("whole", 1),
    ),
    "statement_missing_line": _of(Stage.LINE, "the line is left out"),
    "statement_wrong_amount": _of(
        Stage.LINE,
        "the line's amount is off by this much",
        delta_fen=("whole", 1),
    ),
    "statement_duplicate_line": _of(Stage.LINE, "the line stands there twice"),
}


def read_params(action: str, given: Mapping[str, object]) -> dict[str, ParamValue]:
    """All parameters of an action, defaults filled in. Raises ValueError naming the parameter."""
    known = ACTIONS[action].params
    for name in given:
        if name not in known:
            offered = ", ".join(known) or "none"
            raise ValueError(f"{action} has no parameter {name!r} (it has: {offered})")
    values = {name: param.default for name, param in known.items()}
    for name, value in given.items():
        try:
            values[name] = known[name].read(value)
        except ValueError as problem:
            raise ValueError(f"{action}.{name}: {problem}") from None
    return values

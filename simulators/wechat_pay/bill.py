"""One transfer bill (转账单): its states, the moves the platform allows between them, and its
script.

Pure: no money, no clock. Source: 查询转账单, field `state`; the spelling TRANSFERING is the
platform's. The script says in advance what payee and platform are going to do, so that time alone
drives a bill from submission to its end.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from simulators.wechat_pay.submission import Submission


class State(StrEnum):
    """The eight states as they stand on the wire."""

    ACCEPTED = "ACCEPTED"  # taken in, nothing locked
    PROCESSING = "PROCESSING"  # about to lock the merchant's money; stays here while it is short
    WAIT_USER_CONFIRM = "WAIT_USER_CONFIRM"  # money locked, the payee has to confirm
    TRANSFERING = "TRANSFERING"  # confirmed, being paid
    SUCCESS = "SUCCESS"
    FAIL = "FAIL"  # money released; fail_reason says why
    CANCELING = "CANCELING"  # cancellation accepted, money being released
    CANCELLED = "CANCELLED"


FINAL = frozenset({State.SUCCESS, State.FAIL, State.CANCELLED})
CANCELLABLE = frozenset({State.ACCEPTED, State.PROCESSING, State.WAIT_USER_CONFIRM})
CANCEL_REPEATS = frozenset({State.CANCELING, State.CANCELLED})

MOVES: dict[State, frozenset[State]] = {
    State.ACCEPTED: frozenset({State.PROCESSING, State.CANCELING}),
    State.PROCESSING: frozenset({State.WAIT_USER_CONFIRM, State.FAIL, State.CANCELING}),
    State.WAIT_USER_CONFIRM: frozenset({State.TRANSFERING, State.FAIL, State.CANCELING}),
    State.TRANSFERING: frozenset({State.SUCCESS, State.FAIL}),
    # A payee who taps while the release is under way wins the race.
    State.CANCELING: frozenset({State.CANCELLED, State.TRANSFERING}),
    State.SUCCESS: frozenset(),
    State.FAIL: frozenset(),
    State.CANCELLED: frozenset(),
}


class ForbiddenMoveError(Exception):
    """A defect of the simulator: a move the platform's state table does not have."""


@dataclass(frozen=True, slots=True)
class Script:
    """What is going to happen to one bill unless somebody interferes."""

    accept_after: timedelta
    confirm_after: (
        timedelta | None
    )  # counted from WAIT_USER_CONFIRM; None: the payee never confirms
    pay_after: timedelta | None  # counted from TRANSFERING; None: stays there for good
    close_after: timedelta  # counted from WAIT_USER_CONFIRM; longer than 24 h when closing lags
    cancel_after: timedelta
    fail_reason: str | None = None  # the payment itself fails after the confirmation
    payee_wins_race: bool = False  # a confirmation that falls into CANCELING still counts
    payee_day_cap_fen: int | None = None  # what one payee may get from this merchant in a day
    pays_twice: bool = False  # the same number sent again is paid again


@dataclass(slots=True)
class Bill:
    """A transfer the platform has accepted. `wake_at` is when the script moves it next."""

    account: str
    submission: Submission
    transfer_bill_no: str
    created_at: datetime
    script: Script
    identity: str  # serial of the platform key the merchant reads, from its Wechatpay-Serial
    state: State = State.ACCEPTED
    updated_at: datetime | None = None
    fail_reason: str | None = None
    package_info: str | None = None
    frozen_fen: int = 0
    fee_fen: int = 0
    confirm_at: datetime | None = None
    close_at: datetime | None = None
    wake_at: datetime | None = None
    receipt_at: datetime | None = None  # when an electronic receipt was first asked for
    hidden_until: datetime | None = None  # queries do not find it before

    @property
    def is_final(self) -> bool:
        """Whether nothing can happen to it any more."""
        return self.state in FINAL

    def move(self, to: State, at: datetime) -> None:
        """Changes the state along MOVES; ForbiddenMoveError for any other move, the bill
        unchanged."""
        if to not in MOVES[self.state]:
            raise ForbiddenMoveError(f"{self.state} to {to}")
        self.state = to
        self.updated_at = at
        if to is not State.WAIT_USER_CONFIRM:
            self.package_info = None

"""One try over httpx, and tries in a row by tenacity: what both clients do the same way."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import httpx
from tenacity import RetryCallState, retry_if_result, wait_random_exponential

from gateway.client.calls import Answer, Call
from gateway.client.course import Course, Silence, Verdict
from gateway.client.door import Door

T = TypeVar("T")

ANSWER_MAX = 64 * 1024 * 1024
"""Bytes; the largest answer is a receipt."""

_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class TooLateError(Exception):
    """The answer was still coming when its time was over."""


class TooLargeError(Exception):
    """The answer is longer than any answer of the gateway."""


def request(http: httpx.Client | httpx.AsyncClient, door: Door, course: Course[T]) -> httpx.Request:
    """The request of the next try, with what the budget leaves as its timeouts."""
    call = course.call
    answer_s = allowed_s(door, course)
    connect_s = min(door.limits.connect_s, answer_s)
    return http.build_request(
        call.method,
        door.target(call),
        content=call.body,
        headers=door.headers(call, course.begin()),
        timeout=httpx.Timeout(answer_s, connect=connect_s, pool=connect_s),
    )


class Gathering:
    """An answer's body as it comes: bounded in size and, between its pieces, in time."""

    def __init__(self, door: Door, course: Course[T]) -> None:
        """The time begins now."""
        self._clock = door.clock
        self.allowed_s = allowed_s(door, course)
        self._ends = door.clock.steady() + self.allowed_s
        self._body = bytearray()

    def take(self, piece: bytes) -> None:
        """Add a piece. Raises `TooLateError` or `TooLargeError`."""
        self._body += piece
        if len(self._body) > ANSWER_MAX:
            raise TooLargeError
        if self._clock.steady() > self._ends:
            raise TooLateError

    def answer(self, response: httpx.Response) -> Answer:
        """The whole."""
        headers: Mapping[str, str] = {
            name.lower(): value for name, value in response.headers.items()
        }
        return Answer(response.status_code, headers, bytes(self._body))


def allowed_s(door: Door, course: Course[T]) -> float:
    """How long the next try may take; a spent budget still allows it a moment."""
    return max(0.001, min(door.limits.answer_s, course.left_s))


def silence(course: Course[T], error: Exception) -> Verdict[T]:
    """Judge a try that ended with an exception; only its kind is told, never what it holds."""
    kind = type(error).__name__
    if isinstance(error, _UNSENT):
        return course.silent(Silence.UNSENT, kind)
    if isinstance(error, httpx.TimeoutException | TooLateError | TimeoutError):
        return course.silent(Silence.LATE, kind)
    return course.silent(Silence.LOST, kind)


BROKEN = (httpx.RequestError, TooLateError, TooLargeError, TimeoutError)
"""How a try can end without an answer."""

wants_more = retry_if_result(lambda verdict: bool(verdict.again))


def pausing(door: Door) -> Callable[[RetryCallState], float]:
    """How long to wait: what the gateway asks for, and a random time that grows, on top."""
    limits = door.limits
    grow = wait_random_exponential(multiplier=2 * limits.backoff_s, max=limits.backoff_max_s)

    def pause(state: RetryCallState) -> float:
        verdict: Verdict[object] = last(state)
        return verdict.after_s + grow(state)

    return pause


def spent(course: Course[T]) -> Callable[[RetryCallState], bool]:
    """Whether the budget ends before the next try could begin."""

    def is_spent(state: RetryCallState) -> bool:
        return state.upcoming_sleep >= course.left_s

    return is_spent


def last(state: RetryCallState) -> Verdict[T]:
    """What the last try told."""
    assert state.outcome is not None  # noqa: S101 - tenacity asks only after a try
    verdict: Verdict[T] = state.outcome.result()
    return verdict


def concluded(course: Course[T], verdict: Verdict[T]) -> T:
    """The value, or the error that the whole course of tries allows to be raised."""
    if verdict.error is not None:
        raise course.last_word(verdict)
    return verdict.value  # type: ignore[return-value]  # without an error there is a value


def leave_the_key(call: Call[T], broken: BaseException) -> None:
    """Whoever was cancelled or interrupted finds in the traceback how to go on."""
    if call.key is not None:
        broken.add_note(f"a payout may have been made under idempotency_key={call.key}")

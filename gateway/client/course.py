"""The course of one logical call: what each try tells, whether to try again, what to raise.

Pure, shared by both clients. The rule: whoever asks for money to move hears "refused" only if that
is proven. A try that was sent and not answered leaves doubt, and only a success ends it; a later
refusal speaks for the later try alone.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Generic, TypeVar
from uuid import uuid4

from gateway.client.calls import Answer, Call, parsed
from gateway.client.clock import Clock
from gateway.client.errors import ClientError, Facts, NoAnswerError, problem_error
from gateway.client.reading import UnreadableError

T = TypeVar("T")

_SECONDS = re.compile(r"[0-9]{1,9}", re.ASCII)
_MAYBE_STORED = frozenset({"commit_unknown"})
"""Codes of a 503 that does not say "nothing was stored"."""


class Silence(Enum):
    """Why a try brought no answer."""

    UNSENT = ("the gateway could not be reached", "无法连接网关")
    LOST = ("the request was sent and no answer came", "请求已发出但未收到应答")
    LATE = ("the answer did not come in time", "等待应答超时")


@dataclass(frozen=True, slots=True)
class Verdict(Generic[T]):
    """What a try tells."""

    value: T | None = None
    error: ClientError | None = None
    again: bool = False
    """Another try is allowed, if there is time."""
    after_s: int = 0
    """The gateway asks not to come sooner."""


class Course(Generic[T]):
    """One logical call from its first try to its end; not shared between calls."""

    def __init__(self, call: Call[T], clock: Clock, budget_s: float) -> None:
        """The budget begins now, and covers every try and every wait."""
        self.call = call
        self._clock = clock
        self._ends = clock.steady() + budget_s
        self._doubt = False
        self._id = uuid4().hex
        self.tries = 0

    def begin(self) -> str:
        """Begin a try; the request id under which the gateway logs it."""
        self.tries += 1
        return f"{self._id}-{self.tries}"

    @property
    def request_id(self) -> str:
        """Of the try under way."""
        return f"{self._id}-{self.tries}"

    @property
    def left_s(self) -> float:
        """What is left of the budget."""
        return max(0.0, self._ends - self._clock.steady())

    def silent(self, why: Silence, detail: str) -> Verdict[T]:
        """Judge a try without an answer."""
        en, zh = why.value
        error = NoAnswerError(
            self._facts(f"no_answer_{why.name.lower()}", f"{en}: {detail}", f"{zh}（{detail}）")
        )
        return self._failed(error, why is Silence.UNSENT, transient=True)

    def answered(self, answer: Answer) -> Verdict[T]:
        """Judge an answer."""
        if 200 <= answer.status < 300:
            try:
                return Verdict(self.call.read(answer))
            except UnreadableError as wrong:
                return self._foreign(answer, f"{wrong}")
        document = _document(answer)
        if document is None:
            return self._foreign(answer, f"HTTP {answer.status} without a problem document")
        after = self._retry_after(answer)
        error = problem_error(self._problem(answer, document, after))
        stored = error.code in _MAYBE_STORED
        nothing_done = answer.status < 500 or (answer.status == 503 and not stored)
        return self._failed(error, nothing_done, _is_transient(answer.status), after)

    def last_word(self, verdict: Verdict[T]) -> ClientError:
        """What is raised when no more tries follow."""
        error = verdict.error or NoAnswerError(self._facts("no_answer_lost", "no try was made"))
        if self._doubt and self.call.advice is not None:
            return self.call.advice.error(error, self.call.request)
        return error

    def _foreign(self, answer: Answer, detail: str) -> Verdict[T]:
        """Not the gateway's word, or not readable as such: it proves nothing."""
        after = self._retry_after(answer)
        facts = self._facts(
            "answer_unreadable",
            f"the answer is not one of the gateway's: {detail}; check the address, and what "
            "stands between",
            f"应答不是来自网关（{detail}），请检查地址和中间代理",
        )
        facts = replace(
            facts,
            status=answer.status,
            retryable=_is_transient(answer.status),
            retry_after_s=after,
            request_id=answer.headers.get("x-request-id", facts.request_id),
        )
        return self._failed(NoAnswerError(facts), False, _is_transient(answer.status), after)

    def _failed(
        self, error: ClientError, nothing_done: bool, transient: bool, after: int | None = None
    ) -> Verdict[T]:
        self._doubt = self._doubt or not nothing_done
        again = transient and (self.call.repeatable or nothing_done)
        return Verdict(error=error, again=again, after_s=after or 0)

    def _facts(self, code: str, message: str, zh: str = "") -> Facts:
        return Facts(
            code=code,
            message=message,
            message_zh=zh,
            request_id=self.request_id,
            retryable=True,
            idempotency_key=self.call.key,
        )

    def _problem(self, answer: Answer, document: Mapping[str, object], after: int | None) -> Facts:
        return Facts(
            code=_text(document, "code") or "unknown",
            message=_text(document, "detail") or _text(document, "title") or "",
            message_zh=_text(document, "detail_zh") or "",
            status=answer.status,
            field=_text(document, "param"),
            request_id=_text(document, "request_id") or self.request_id,
            retryable=document.get("retryable") is True or _is_transient(answer.status),
            retry_after_s=after,
            idempotency_key=self.call.key,
        )

    def _retry_after(self, answer: Answer) -> int | None:
        """Seconds, however they were written (RFC 9110 §10.2.3); None for nonsense."""
        text = answer.headers.get("retry-after", "").strip()
        if _SECONDS.fullmatch(text):
            return int(text)
        try:
            at = parsedate_to_datetime(text)
        except ValueError:
            return None
        if at.utcoffset() is None:
            return None
        return max(0, int((at - self._clock.now()).total_seconds()) + 1)


def _is_transient(status: int) -> bool:
    return status in {408, 429} or status >= 500


def _document(answer: Answer) -> Mapping[str, object] | None:
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/problem+json":
        return None
    try:
        found = parsed(answer.body)
    except UnreadableError:
        return None
    is_ours = isinstance(found, dict) and isinstance(found.get("code"), str)
    return found if isinstance(found, dict) and is_ours else None


def _text(document: Mapping[str, object], name: str) -> str | None:
    value = document.get(name)
    return value if isinstance(value, str) and value else None

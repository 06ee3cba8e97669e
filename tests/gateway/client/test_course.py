"""Laws over every course of tries: doubt ends with a success only, and the budget is kept."""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Any, get_args

import httpx
import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.client import ClientError, NoAnswerError, OutcomeUnknownError, calls
from gateway.client.answers import AttemptState, DeliveryState, PayoutState
from gateway.client.calls import Answer
from gateway.client.course import Course, Silence
from gateway.domain import payout as domain
from gateway.ports import DeliveryState as StoredDeliveryState
from tests.gateway.client.stand_in import REQUEST, FakeClock, calling, made, payout_view, problem

SURE = {"unsent", "refused", "busy"}
"""Ends of a try that prove that it made no payout."""


def answer(response: httpx.Response) -> Answer:
    """As the client gathers it."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status_code, headers, response.content)


def ended(end: str) -> httpx.Response | Silence:
    """How a try ends, by name."""
    ways: dict[str, httpx.Response | Silence] = {
        "unsent": Silence.UNSENT,
        "lost": Silence.LOST,
        "late": Silence.LATE,
        "refused": problem(402, "insufficient_funds"),
        "busy": problem(503, "store_unavailable"),
        "maybe": problem(503, "commit_unknown"),
        "broken": problem(500, "defect"),
        "foreign": httpx.Response(403, html="no"),
        "garbled": httpx.Response(201, content=b"{"),
        "made": made(),
    }
    return ways[end]


ENDS = [
    *("unsent", "lost", "late", "refused", "busy", "maybe", "broken", "foreign", "garbled", "made")
]


@given(st.lists(st.sampled_from(ENDS), min_size=1, max_size=8))
def test_a_create_is_called_refused_only_if_no_try_can_have_made_it(ends: list[str]) -> None:
    """Whatever happens, in whatever order: an error without doubt means no payout."""
    course = Course(calls.create(REQUEST, None), FakeClock(), 60.0)
    lived: list[str] = []
    for end in ends:
        course.begin()
        how = ended(end)
        silent = isinstance(how, Silence)
        verdict = (
            course.silent(how, "x") if isinstance(how, Silence) else course.answered(answer(how))
        )
        assert silent == (verdict.error is not None and verdict.error.status is None)
        lived.append(end)
        if not verdict.again:
            break
    if verdict.error is None:
        assert lived[-1] == "made"
        return
    word = course.last_word(verdict)
    assert isinstance(word, OutcomeUnknownError) == (not SURE.issuperset(lived))
    assert word.idempotency_key == course.call.key


@given(
    st.lists(st.sampled_from(ENDS), min_size=1, max_size=12),
    st.sampled_from(["blocking", "asyncio"]),
)
@settings(max_examples=60)
def test_every_try_of_a_call_sends_the_same_key_and_bytes(ends: list[str], kind: str) -> None:
    """There is never a second key, and a repetition can always be recognised."""
    left = iter(ends)

    def reply(_: httpx.Request) -> httpx.Response:
        how = ended(next(left, "made"))
        if isinstance(how, Silence):
            raise httpx.ConnectError("x") if how is Silence.UNSENT else httpx.ReadError("x")
        return how

    with calling(kind) as caller:
        caller.route.post("/v1/payouts").mock(side_effect=reply)
        try:
            key = asyncio.run(_run(caller.run(calls.create(REQUEST, None)))).idempotency_key
        except ClientError as error:
            key = error.idempotency_key
        sent = {(one.headers["Idempotency-Key"], one.content) for one in caller.requests}
        assert [one for one, _ in sent] == [key]


async def _run(awaited: Awaitable[Any]) -> Any:
    return await awaited


def test_a_problem_document_without_a_code_is_not_the_gateways() -> None:
    """Others write problem documents, too; their refusal proves nothing."""
    course = Course(calls.create(REQUEST, None), FakeClock(), 60.0)
    course.begin()
    foreign = httpx.Response(
        402,
        headers={"Content-Type": "application/problem+json"},
        content=orjson.dumps({"title": "pay for the proxy"}),
    )
    verdict = course.answered(answer(foreign))
    assert isinstance(verdict.error, NoAnswerError)
    assert isinstance(course.last_word(verdict), OutcomeUnknownError)


def test_states_are_the_gateways() -> None:
    """What the client's types list is what the domain has."""
    pairs: Iterable[tuple[object, Iterable[object]]] = (
        (PayoutState, domain.PayoutState),
        (AttemptState, domain.AttemptState),
        (DeliveryState, StoredDeliveryState),
    )
    for said, real in pairs:
        assert set(get_args(said)) == set(map(str, real))


def test_a_state_of_a_newer_gateway_is_told_as_it_is() -> None:
    """An unknown word is no reason to lose a payout."""
    course = Course(calls.payout("po_1"), FakeClock(), 60.0)
    course.begin()
    told = course.answered(answer(httpx.Response(200, json=payout_view(state="reversing", more=1))))
    assert told.value is not None
    assert str(told.value.state) == "reversing"

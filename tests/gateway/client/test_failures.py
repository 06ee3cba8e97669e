"""Every way a call can fail, in both clients: what is sent again, what is raised, which key."""

import pickle
from collections.abc import Iterator
from datetime import timedelta
from email.utils import format_datetime

import httpx
import pytest

from gateway.client import (
    AbsenceError,
    ClientError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    Limits,
    NoAnswerError,
    OutcomeUnknownError,
    ProblemError,
    UnauthenticatedError,
    UnavailableError,
    UnfundedError,
    calls,
)
from tests.builders import NOW
from tests.gateway.client.stand_in import REQUEST, Caller, calling, made, payout_view, problem

MINE = "a-key-of-the-caller-0001"
LOST = [
    httpx.ReadTimeout("late"),
    httpx.ReadError("cut"),
    httpx.WriteError("cut"),
    httpx.WriteTimeout("late"),
    httpx.RemoteProtocolError("cut"),
    httpx.ProxyError("who knows"),
    httpx.DecodingError("no gzip"),
]
UNSENT = [httpx.ConnectError("refused"), httpx.ConnectTimeout("late"), httpx.PoolTimeout("busy")]


def named(one: Exception) -> str:
    """A case is called after its exception."""
    return type(one).__name__


@pytest.fixture(params=["blocking", "asyncio"])
def caller(request: pytest.FixtureRequest) -> Iterator[Caller]:
    """Each of the two clients."""
    with calling(request.param) as ready:
        yield ready


def answering(caller: Caller, *answers: httpx.Response | Exception) -> None:
    """These answers to creates, in order; the last one for ever."""
    left = list(answers)

    def answer(_: httpx.Request) -> httpx.Response:
        one = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(one, Exception):
            raise one
        return httpx.Response(one.status_code, headers=one.headers, content=one.content)

    caller.route.post("/v1/payouts").mock(side_effect=answer)


async def failing(caller: Caller, *answers: httpx.Response | Exception) -> ClientError:
    """Create before these answers; what was raised."""
    answering(caller, *answers)
    with pytest.raises(ClientError) as raised:
        await caller.run(calls.create(REQUEST, MINE))
    assert raised.value.idempotency_key == MINE
    return raised.value


@pytest.mark.parametrize("loss", [*LOST, *UNSENT], ids=named)
async def test_a_lost_try_is_repeated_unchanged(caller: Caller, loss: Exception) -> None:
    """The same key, the same bytes, another request id; the caller sees one success."""
    answering(caller, loss, loss, made())
    created = await caller.run(calls.create(REQUEST, MINE))
    assert (created.payout.id, created.idempotency_key, created.replayed) == ("po_1", MINE, False)
    assert len(caller.requests) == 3
    assert {one.headers["Idempotency-Key"] for one in caller.requests} == {MINE}
    assert len({one.content for one in caller.requests}) == 1
    assert len({one.headers["X-Request-Id"] for one in caller.requests}) == 3


async def test_without_a_key_one_is_made_and_told(caller: Caller) -> None:
    """Once for the call, not once for the try."""
    answering(caller, LOST[0], made())
    created = await caller.run(calls.create(REQUEST, None))
    sent = [one.headers["Idempotency-Key"] for one in caller.requests]
    assert sent == [created.idempotency_key] * 2
    assert created.idempotency_key.startswith("hd-")


async def test_two_calls_never_share_a_made_key(caller: Caller) -> None:
    """Two creates without keys are two payouts."""
    answering(caller, made())
    one, other = [await caller.run(calls.create(REQUEST, None)) for _ in range(2)]
    assert one.idempotency_key != other.idempotency_key


async def test_a_replay_is_told(caller: Caller) -> None:
    """The caller learns that an earlier try had made it."""
    answering(
        caller, httpx.Response(201, json=payout_view(), headers={"Idempotency-Replayed": "true"})
    )
    assert (await caller.run(calls.create(REQUEST, MINE))).replayed


REFUSALS: list[tuple[int, str, type[ProblemError]]] = [
    (400, "body_not_json", InvalidError),
    (401, "key_invalid", UnauthenticatedError),
    (402, "insufficient_funds", UnfundedError),
    (403, "scope_missing", ForbiddenError),
    (404, "no_such_path", AbsenceError),
    (409, "merchant_ref_reused", ConflictError),
    (413, "body_too_large", InvalidError),
    (415, "content_type_unsupported", InvalidError),
    (422, "field_invalid", InvalidError),
]


@pytest.mark.parametrize(("status", "code", "kind"), REFUSALS)
async def test_a_refusal_is_not_repeated(
    caller: Caller, status: int, code: str, kind: type[ProblemError]
) -> None:
    """One request; the error says everything the gateway said."""
    error = await failing(caller, problem(status, code, param="merchant_ref"))
    assert type(error) is kind
    assert (error.status, error.code, error.field) == (status, code, "merchant_ref")
    assert (error.message, error.message_zh) == (f"what {code} means", "中文说明")
    assert error.request_id == "req-of-the-gateway"
    assert not error.retryable
    assert len(caller.requests) == 1


@pytest.mark.parametrize(("status", "code", "kind"), REFUSALS)
async def test_a_refusal_after_a_lost_try_proves_nothing_of_it(
    caller: Caller, status: int, code: str, kind: type[ProblemError]
) -> None:
    """The first try may have made the payout, or still be on its way: no failure is claimed."""
    error = await failing(caller, LOST[0], problem(status, code))
    assert isinstance(error, OutcomeUnknownError)
    assert type(error.last) is kind
    assert error.request is REQUEST
    assert code in error.message
    assert error.retryable


async def test_a_refusal_after_an_unsent_try_is_a_refusal(caller: Caller) -> None:
    """What never left this machine leaves no doubt."""
    assert (
        type(await failing(caller, UNSENT[0], problem(402, "insufficient_funds"))) is UnfundedError
    )


@pytest.mark.parametrize("loss", LOST, ids=named)
async def test_a_create_that_never_gets_an_answer_is_unknown(
    caller: Caller, loss: Exception
) -> None:
    """The error has the key and the request to go on with, also after a trip through a queue."""
    error = await failing(caller, loss)
    assert isinstance(error, OutcomeUnknownError)
    assert len(caller.requests) > 3
    handed_on = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert isinstance(handed_on, OutcomeUnknownError)
    assert (handed_on.request, handed_on.facts) == (REQUEST, error.facts)
    assert "payouts.create" in error.message
    assert "payouts.create" in error.message_zh


@pytest.mark.parametrize("loss", UNSENT, ids=named)
async def test_a_create_that_never_left_is_not_unknown(caller: Caller, loss: Exception) -> None:
    """Nobody was reached: nothing was done, and the error says it can be tried later."""
    error = await failing(caller, loss)
    assert type(error) is NoAnswerError
    assert (error.code, error.retryable) == ("no_answer_unsent", True)


@pytest.mark.parametrize("status", [500, 502, 504])
async def test_a_server_error_is_repeated_and_then_unknown(caller: Caller, status: int) -> None:
    """Something broke, before or after the commit."""
    error = await failing(caller, httpx.Response(status, html="<h1>broken</h1>"))
    assert isinstance(error, OutcomeUnknownError)
    assert len(caller.requests) > 3


async def test_a_commit_that_may_have_been_is_unknown(caller: Caller) -> None:
    """The one 503 that does not say that nothing was stored."""
    error = await failing(caller, problem(503, "commit_unknown"))
    assert isinstance(error, OutcomeUnknownError)


@pytest.mark.parametrize(("status", "code"), [(503, "store_unavailable"), (429, "too_many")])
async def test_a_gateway_that_cannot_now_is_asked_until_the_budget_ends(
    caller: Caller, status: int, code: str
) -> None:
    """Nothing was stored, each time: unavailable, and no doubt."""
    error = await failing(caller, problem(status, code))
    assert type(error) is UnavailableError
    assert len(caller.requests) > 3
    assert sum(caller.clock.slept) <= Limits().budget_s


@pytest.mark.parametrize("status", [200, 201])
@pytest.mark.parametrize("body", [b"<html>log in</html>", b"{}", b'{"id": 1}', b"[", b""])
async def test_a_success_that_cannot_be_read_is_unknown(
    caller: Caller, status: int, body: bytes
) -> None:
    """The payout may exist; guessing is for nobody."""
    error = await failing(caller, httpx.Response(status, content=body))
    assert isinstance(error, OutcomeUnknownError)
    assert error.last is not None
    assert error.last.code == "answer_unreadable"


@pytest.mark.parametrize("status", [302, 403, 404])
async def test_a_refusal_that_is_not_the_gateways_is_unknown(caller: Caller, status: int) -> None:
    """Whatever stands between may have let the request through and kept the answer."""
    error = await failing(caller, httpx.Response(status, html="<h1>no</h1>"))
    assert isinstance(error, OutcomeUnknownError)
    assert len(caller.requests) == 1


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_honoured(caller: Caller, status: int) -> None:
    """In seconds: no try comes sooner."""
    answering(caller, problem(status, "later", headers={"Retry-After": "7"}), made())
    await caller.run(calls.create(REQUEST, MINE))
    (slept,) = caller.clock.slept
    assert 7 <= slept <= 7 + Limits().backoff_max_s


async def test_retry_after_may_be_a_date(caller: Caller) -> None:
    """As proxies write it."""
    at = format_datetime(NOW + timedelta(seconds=20), usegmt=True)
    answering(caller, problem(503, "later", headers={"Retry-After": at}), made())
    await caller.run(calls.create(REQUEST, MINE))
    assert 20 <= caller.clock.slept[0] <= 21 + Limits().backoff_max_s


@pytest.mark.parametrize("text", ["soon", "-5", "1e3", "9" * 40, "٣"])
async def test_a_retry_after_that_says_nothing_is_ignored(caller: Caller, text: str) -> None:
    """Nonsense neither stops the client nor makes it wait for ever."""
    raw = [(b"content-type", b"application/problem+json"), (b"retry-after", text.encode())]
    busy = httpx.Response(503, headers=raw, content=problem(503, "later").content)
    answering(caller, busy, made())
    await caller.run(calls.create(REQUEST, MINE))
    assert caller.clock.slept[0] <= Limits().backoff_max_s


async def test_a_wait_longer_than_the_budget_is_not_begun(caller: Caller) -> None:
    """The error comes at once, and says when to come back."""
    error = await failing(caller, problem(503, "later", headers={"Retry-After": "3600"}))
    assert caller.clock.slept == []
    assert error.retry_after_s == 3600


@pytest.mark.parametrize("kind", ["blocking", "asyncio"])
async def test_the_budget_covers_tries_and_waits(kind: str) -> None:
    """Slow tries use it up as waits do; none begins after its end."""
    with calling(kind, Limits(budget_s=10, answer_s=4)) as caller:

        def slow(request: httpx.Request) -> httpx.Response:
            allowed = request.extensions["timeout"]["read"]
            assert 0 < allowed <= 4
            caller.clock.passed += allowed
            raise httpx.ReadTimeout("late")

        caller.route.post("/v1/payouts").mock(side_effect=slow)
        with pytest.raises(OutcomeUnknownError):
            await caller.run(calls.create(REQUEST, MINE))
        assert caller.clock.passed <= 10 + 1e-6


async def test_waits_grow_and_differ(caller: Caller) -> None:
    """Clients that fail together do not come back together."""
    await failing(caller, problem(503, "later"))
    bounds = [0.5 * 2**number for number in range(len(caller.clock.slept))]
    assert all(
        slept <= min(8, most) for slept, most in zip(caller.clock.slept, bounds, strict=True)
    )
    assert len(set(caller.clock.slept)) == len(caller.clock.slept)


ONCE = [
    calls.release("po_1"),
    calls.add_endpoint("https://merchant.test/hook", []),
    calls.rotate_endpoint("we_1"),
    calls.resend("wd_1"),
]


@pytest.mark.parametrize("call", ONCE, ids=lambda call: call.path)
async def test_what_is_not_repeatable_is_not_repeated_in_doubt(
    caller: Caller, call: calls.Call[object]
) -> None:
    """A second rotation would drop a secret that is in use: one try, and an honest error."""
    caller.route.post(call.path).mock(side_effect=httpx.ReadTimeout("late"))
    with pytest.raises(OutcomeUnknownError):
        await caller.run(call)
    assert len(caller.requests) == 1


@pytest.mark.parametrize("call", ONCE, ids=lambda call: call.path)
async def test_what_was_proven_not_to_be_done_may_be_repeated(
    caller: Caller, call: calls.Call[object]
) -> None:
    """Refused connections and "nothing was stored" leave no doubt."""
    caller.route.post(call.path).mock(
        side_effect=[httpx.ConnectError("refused"), problem(503, "halted"), problem(404, "gone")]
    )
    with pytest.raises(AbsenceError):
        await caller.run(call)
    assert len(caller.requests) == 3


async def test_a_cancel_is_repeated(caller: Caller) -> None:
    """The gateway answers a second cancel with the cancelled payout."""
    caller.route.post("/v1/payouts/po_1/cancel").mock(
        side_effect=[
            httpx.ReadTimeout("late"),
            httpx.Response(200, json=payout_view(state="cancelled")),
        ]
    )
    assert (await caller.run(calls.cancel("po_1"))).state == "cancelled"


async def test_a_read_without_an_answer_is_only_that(caller: Caller) -> None:
    """Looking changes nothing, so nothing is unknown but the answer."""
    caller.route.get("/v1/balances").mock(side_effect=httpx.ReadTimeout("late"))
    with pytest.raises(NoAnswerError) as raised:
        await caller.run(calls.balances())
    assert raised.value.idempotency_key is None


async def test_an_interruption_leaves_the_key_in_the_traceback(caller: Caller) -> None:
    """Whoever was stopped from outside finds how to go on."""

    def interrupt(_: httpx.Request) -> httpx.Response:
        raise KeyboardInterrupt

    caller.route.post("/v1/payouts").mock(side_effect=interrupt)
    with pytest.raises(KeyboardInterrupt) as raised:
        await caller.run(calls.create(REQUEST, MINE))
    assert MINE in raised.value.__notes__[0]


async def test_errors_tell_no_secret_and_no_payee(caller: Caller) -> None:
    """What is logged of an error can be logged."""
    error = await failing(caller, LOST[0])
    told = f"{error} {error!r}"
    assert MINE in told
    assert "sssss" not in told
    assert "6222021234567890123" not in told
    assert "王小五" not in told


@pytest.mark.parametrize("key", ["short", "x" * 256, "键" * 20, "with-a-\n-in-the-middle"])
def test_an_unusable_key_is_refused_before_anything_is_sent(key: str) -> None:
    """The gateway would refuse it; a line break would be a header of its own."""
    with pytest.raises(ValueError, match="idempotency_key"):
        calls.create(REQUEST, key)


@pytest.mark.parametrize("payout_id", ["", "../admin/clock", "po_1/cancel", "po 1", "x" * 129])
def test_an_id_cannot_lead_elsewhere(payout_id: str) -> None:
    """No path is made from what is no id."""
    with pytest.raises(ValueError, match="payout_id"):
        calls.payout(payout_id)

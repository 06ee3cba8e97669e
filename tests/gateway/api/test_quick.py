"""Requests for payouts that go past the router are answered as the application answers them."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.api.app import build_app
from gateway.api.quick import QUICK
from gateway.api.routes import ROUTES
from gateway.engine.gateway import Halt
from gateway.wiring import _Requests
from tests.gateway.api.desk import BODY_MAX, Answer, Desk, payout_body
from tests.gateway.api.test_admission import full

_OWN = re.compile(rb'(po_|sp_)[0-9a-v]{26}|"request_id":"[^"]*"|\d{4}-\d\d-\d\dT[0-9:.]+Z')
"""What differs between any two answers."""
_VARYING = frozenset({"date", "server-timing", "x-request-id"})


@pytest.fixture
async def slow(desk: Desk) -> AsyncIterator[Desk]:
    """The same gateway behind a server that asks the router each time."""
    app = build_app(desk.api, body_max=BODY_MAX, observe_http=_Requests(desk.observe))
    server = TestServer(app)
    await server.start_server(access_log=None)
    try:
        yield replace(desk, server=server)
    finally:
        await server.close()


def plain(answer: Answer) -> tuple[int, dict[str, str], bytes]:
    """An answer without what is its own."""
    headers = {
        name: _OWN.sub(b"*", value.encode()).decode()
        for name, value in answer.headers.items()
        if name.lower() not in _VARYING
    }
    return answer.status, headers, _OWN.sub(b"*", answer.raw)


ASKED: Mapping[str, tuple[str, str, Any, dict[str, Any]]] = {
    "taken": ("POST", "/v1/payouts", payout_body(merchant_ref="order-1"), {}),
    "told": ("POST", "/v1/payouts", payout_body(), {"headers": {"X-Request-Id": "mine-12345"}}),
    "stranger": ("POST", "/v1/payouts", payout_body(), {"key": None}),
    "operator": ("POST", "/v1/payouts", payout_body(), {"key": "operator"}),
    "unknown field": ("POST", "/v1/payouts", payout_body(colour="red"), {}),
    "amount": ("POST", "/v1/payouts", payout_body(amount_minor=0), {}),
    "unreachable": ("POST", "/v1/payouts", payout_body(amount_minor=10**12), {}),
    "no JSON": ("POST", "/v1/payouts", b"{", {}),
    "twice": ("POST", "/v1/payouts", b'{"purpose":"a","purpose":"b"}', {}),
    "empty": ("POST", "/v1/payouts", None, {}),
    "too large": ("POST", "/v1/payouts", b" " * (BODY_MAX + 1), {}),
    "form": ("POST", "/v1/payouts", b"a=b", {"headers": {"Content-Type": "text/plain"}}),
    "query": ("POST", "/v1/payouts?a=b", payout_body(), {}),
    "slash": ("POST", "/v1/payouts/", payout_body(), {}),
    "escaped": ("POST", "/v1/%70ayouts", payout_body(merchant_ref="order-1"), {}),
    "method": ("PUT", "/v1/payouts", payout_body(), {}),
    "waits for leave": ("POST", "/v1/payouts", payout_body(), {"headers": {"Expect": "nothing"}}),
    "split": ("POST", "/v1/splits", {"merchant_ref": "s-1"}, {}),
}


@pytest.mark.parametrize("name", ASKED)
async def test_both_ways_answer_alike(desk: Desk, slow: Desk, name: str) -> None:
    """Status, headers and body are the same, whichever way a request has taken."""
    method, path, body, more = ASKED[name]
    for one in (desk, slow):
        # Stored once, so that all that follows are repetitions.
        assert (await one.post("/v1/payouts", payout_body(merchant_ref="order-1"))).status == 201
    quick, usual = [plain(await one.call(method, path, body, **more)) for one in (desk, slow)]
    assert quick == usual


async def test_both_ways_say_that_nothing_is_taken_in(desk: Desk, slow: Desk) -> None:
    """A crowd and a halt turn requests away alike."""
    with full(desk.api.admission):
        crowded = [plain(await one.post("/v1/payouts", payout_body())) for one in (desk, slow)]
    desk.gateway.halt(Halt("books_off", "the books are off", "账目不平"))
    halted = [plain(await one.post("/v1/payouts", payout_body())) for one in (desk, slow)]
    assert crowded[0] == crowded[1]
    assert halted[0] == halted[1]
    assert (crowded[0][0], halted[0][0]) == (503, 503)


async def test_both_ways_leave_the_same_line(desk: Desk, slow: Desk) -> None:
    """The canonical line names the route, not the path, and who asked."""
    written = []
    for one in (desk, slow):
        desk.log.seek(0)
        desk.log.truncate()
        await one.post("/v1/payouts", payout_body(merchant_ref="order-1"))
        text = re.sub(r'"(request_id|at)":"[^"]*"|"seconds":[0-9.e-]+', "", desk.log.getvalue())
        written += [line for line in text.splitlines() if "http.request" in line]
    assert len(written) == 2
    assert written[0] == written[1]
    assert '"route":"/v1/payouts"' in written[0]


async def test_what_takes_payouts_in_is_quick(
    desk: Desk, slow: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a request never meets the router of a quickened server; every other one does."""
    assert desk.server.app[QUICK].keys() == {(it.method, it.path) for it in ROUTES if it.intake}
    resolved: list[str] = []
    for one in (desk, slow):
        router = one.server.app.router
        monkeypatch.setattr(router, "resolve", _told(router.resolve, resolved))
    await desk.pay("order-9")
    assert resolved == []
    await desk.get("/v1/payouts")
    await slow.pay("order-10")
    assert resolved == ["GET /v1/payouts", "POST /v1/payouts"]


def _told(resolve: Callable[[Any], Awaitable[Any]], told: list[str]) -> Any:
    """A router's method that writes down what it was asked."""

    async def resolving(request: web.Request) -> Any:
        told.append(f"{request.method} {request.path}")
        return await resolve(request)

    return resolving

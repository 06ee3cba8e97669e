"""The aiohttp application: routes, probes, notices, and the middlewares around them."""

import asyncio
import re
from collections.abc import Mapping
from functools import cache, partial
from time import perf_counter
from typing import Protocol

import orjson
from aiohttp import web
from aiohttp.typedefs import Middleware

from channels.contract import NOTICE_QUERY
from gateway.api.confirm_pages import open_page
from gateway.api.context import API, WHO, Api, serve
from gateway.api.dialects.door import is_door, open_doors
from gateway.api.dialects.registry import DIALECTS
from gateway.api.openapi import document
from gateway.api.problems import REQUEST_ID, Handler, problem, problem_of
from gateway.api.quick import QUICK
from gateway.api.routes import ROUTES
from gateway.domain.errors import InvalidError
from gateway.engine import notices

_ID = re.compile(r"[A-Za-z0-9_-]{8,64}", re.ASCII)


def build_app(
    api: Api, *, body_max: int, observe_http: "HttpObserver | None" = None
) -> web.Application:
    """Put the application together; nothing starts until it is served."""
    answer = _answering(api, observe_http)
    app = web.Application(client_max_size=body_max, middlewares=[_around(answer)])
    app[API] = api
    quick: dict[tuple[str, str], Handler] = {}
    for route in ROUTES:
        handler = serve(api, route)
        app.router.add_route(route.method, route.path, handler)
        if route.intake:
            quick[route.method, route.path] = partial(answer, handler=handler, route=route.path)
    app[QUICK] = quick

    async def openapi(_: web.Request) -> web.Response:
        # A third of a second of work that no start and no payout waits for.
        described = await asyncio.to_thread(_described, api.version)
        return web.Response(body=described, content_type="application/json")

    app.router.add_get("/openapi.json", openapi)
    app.router.add_get("/healthz", _healthz)
    app.router.add_get("/readyz", _readyz)
    app.router.add_get("/version", _version)
    app.router.add_get("/metrics", _metrics)
    app.router.add_post("/notices/{channel}", _notice)
    app.router.add_head("/notices/{channel}", _noticeable)
    open_page(app, api)
    open_doors(app, api)
    return app


async def warm_up() -> None:
    """Build the validators of what callers send, one at a time, before somebody has to wait for
    one, and import the dialects. Nothing depends on it."""
    for route in ROUTES:
        for model in (route.body, route.query):
            if model is not None:
                model.model_rebuild()
                await asyncio.sleep(0)
    for dialect in DIALECTS:
        _ = DIALECTS[dialect]
        await asyncio.sleep(0)


@cache
def _described(version: str) -> bytes:
    return orjson.dumps(document(ROUTES, version))


class HttpObserver(Protocol):
    """Who is told of every request; `gateway.observe` counts them."""

    def requested(
        self, method: str, route: str, status: int, seconds: float, who: Mapping[str, str]
    ) -> None:
        """One request was answered; `who` holds ids (request, key, merchant), no payee data."""


class _Answer(Protocol):
    """What stands between every request and its handler."""

    async def __call__(
        self, request: web.Request, handler: Handler, route: str
    ) -> web.StreamResponse:
        """The handler's answer, or a problem document; `route` is the path as a template."""


def _answering(api: Api, observe_http: HttpObserver | None) -> _Answer:
    """Give every request an id, one canonical log line, and its time in the answer."""

    async def answer(request: web.Request, handler: Handler, route: str) -> web.StreamResponse:
        started = perf_counter()
        asked = request.headers.get("X-Request-Id")
        own = asked is None or _ID.fullmatch(asked) is None
        request_id = api.entropy.bytes(8).hex() if own or asked is None else asked
        who = {"request_id": request_id}
        request[REQUEST_ID], request[WHO] = request_id, who
        try:
            response = _halted(api, request) or await handler(request)
        except Exception as error:  # noqa: BLE001 - the last line of defence: say nothing inside
            response = problem_of(request, error) or _defect(api, request, error)
        seconds = perf_counter() - started
        headers = response.headers
        # Not the library's own, which tells what to look up weaknesses of.
        headers["Server"] = "hangdao"
        headers["X-Request-Id"] = request_id
        headers["Server-Timing"] = f"app;dur={seconds * 1000:.2f}"
        if observe_http is not None:
            observe_http.requested(request.method, route, response.status, seconds, who)
        return response

    return answer


def _around(answer: _Answer) -> Middleware:
    """The same for what the application's router has found, or has not."""

    @web.middleware
    async def around(request: web.Request, handler: Handler) -> web.StreamResponse:
        resource = request.match_info.route.resource
        return await answer(request, handler, resource.canonical if resource else "unmatched")

    return around


def _defect(api: Api, request: web.Request, error: Exception) -> web.Response:
    api.gateway.observer.defect("http.defect", error, path=request.path)
    return problem(request, 500, "defect", "the gateway failed on this; it has been recorded")


def _halted(api: Api, request: web.Request) -> web.Response | None:
    """Once halted, what is stored can be read and nothing can be done."""
    why = api.gateway.halted
    if why is None or request.method in {"GET", "HEAD"} or is_door(request):
        return None
    return problem(request, 503, "halted", why.en, zh=why.zh, retryable=True)


async def _healthz(_: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


async def _readyz(request: web.Request) -> web.Response:
    api = request.app[API]
    problems_now = await api.ready()
    said: dict[str, object] = {"ready": not problems_now, "problems": problems_now}
    stopped = api.gateway.stopped()
    if stopped is not None:
        # Quarantined is ready: payouts are taken in, and wait.
        said["sending"] = stopped
    if api.gateway.load.frozen:
        # As last read from the store; who pays and who waits is never decided on this.
        said["failover_frozen"] = dict(sorted(api.gateway.load.frozen.items()))
    worker = api.gateway.store.worker
    if worker:
        said["worker"] = worker
    notes = [{"code": one.code, "en": one.en, "zh": one.zh} for one in api.notes()]
    if notes:
        said["notes"] = notes
    return web.json_response(said, status=503 if problems_now else 200)


async def _version(request: web.Request) -> web.Response:
    return web.json_response({"version": request.app[API].version})


async def _metrics(request: web.Request) -> web.Response:
    return web.Response(
        body=request.app[API].metrics(),
        headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
    )


async def _noticeable(request: web.Request) -> web.Response:
    """Some institutions look whether anybody is there before they tell (Circle's warm-up)."""
    if request.match_info["channel"] not in request.app[API].gateway.channels:
        return web.Response(status=404)
    return web.Response()


async def _notice(request: web.Request) -> web.Response:
    """A channel's message: raw bytes in, the exact reply out; nothing is decided in between."""
    gateway, name = request.app[API].gateway, request.match_info["channel"]
    headers = {name.lower(): value for name, value in request.headers.items()}
    if request.query_string:
        channel = gateway.channels.get(name)
        if channel is None or not channel.traits.notices_in_query:
            raise InvalidError("query_unknown", "notices take no query parameters")
        headers[NOTICE_QUERY] = request.rel_url.raw_query_string
    reply = await notices.receive(gateway, name, headers, await request.read())
    return web.Response(
        status=reply.status,
        body=reply.body,
        headers={"Content-Type": reply.content_type} if reply.content_type else None,
    )

"""Where dialects meet HTTP: `/d/<dialect>/…` for all, stock paths on a host of a dialect's own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial

from aiohttp import web
from msgspec.structs import replace

from gateway.api.admission import OverloadedError
from gateway.api.context import WHO, Api
from gateway.api.dialects.dialect import Counter, Dialect, Receipts
from gateway.api.dialects.orders import FINISH_S, Orders
from gateway.api.dialects.registry import DIALECTS
from gateway.api.dialects.wire import Ask, Said

ORDERS: web.AppKey[Orders] = web.AppKey("orders", Orders)
PREFIX = "/d/"
STOCK = ("/api/{rest:.*}", "/agentPay/{rest:.*}", "/gateway.do")
"""Paths outside the prefix, on hosts that are configured for a dialect."""


def open_doors(app: web.Application, api: Api) -> None:
    """Add the dialects' paths."""
    gateway = api.gateway
    app[ORDERS] = Orders(gateway)
    app.cleanup_ctx.append(_finishing)
    counter = Counter(
        *(gateway, app[ORDERS], Receipts(gateway), api.check_webhook_url),
        confirm_links=api.confirm_links,
    )
    for name in DIALECTS:
        app.router.add_route(
            "*", f"{PREFIX}{name}/{{rest:.*}}", _door(api, counter, partial(_always, name))
        )
    by_host = _door(api, counter, lambda request: _dialect_of(request, api.dialect_hosts))
    for path in STOCK:
        app.router.add_route("*", path, by_host)


def is_door(request: web.Request) -> bool:
    """Whether a dialect answers there, who says in its own words that nothing is taken in."""
    return request.path.startswith((PREFIX, "/api/", "/agentPay/")) or request.path == "/gateway.do"


async def _finishing(app: web.Application) -> AsyncIterator[None]:
    yield
    with suppress(TimeoutError):
        async with asyncio.timeout(FINISH_S):
            await app[ORDERS].finish()


def _always(name: str, _: web.Request) -> str | None:
    return name


def _dialect_of(request: web.Request, hosts: Mapping[str, str]) -> str | None:
    host = request.host.rpartition(":")[0] if _has_port(request.host) else request.host
    return hosts.get(host.lower())


def _has_port(host: str) -> bool:
    return host.rpartition(":")[2].isdigit() and not host.endswith("]")


def _door(
    api: Api, counter: Counter, dialect_of: Callable[[web.Request], str | None]
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handler(request: web.Request) -> web.Response:
        dialect = DIALECTS.get(dialect_of(request) or "")
        if dialect is None:
            raise web.HTTPNotFound
        ask = Ask(
            method=request.method,
            path="/" + request.path.removeprefix(f"{PREFIX}{dialect.name}/").lstrip("/"),
            content_type=request.content_type,
            query=request.rel_url.raw_query_string,
            body=await request.read(),
            remote=request.remote,
        )
        said = await _answered(api, dialect, counter, ask)
        who = request[WHO]
        if said.merchant_id is not None:
            who["merchant_id"] = said.merchant_id
        if said.code:
            who["code"] = f"{dialect.name}:{said.code}"
        if said.silent and request.transport is not None:
            # The answer that follows is for the log line alone.
            request.transport.abort()
        headers = {"Content-Type": said.content_type}
        return web.Response(status=said.status, body=said.body, headers=headers)

    return handler


async def _answered(api: Api, dialect: Dialect, counter: Counter, ask: Ask) -> Said:
    """The dialect's answer; none at all to an order that there is no room for.

    Nothing is stored of it here, and no stock word says so: whatever reads as an error could be
    taken for "not paid" of an earlier submission of the same number, "processing" would be untrue.
    """
    if not dialect.takes_in(ask):
        return await _answer(dialect, counter, ask)
    try:
        entered = api.admission.enter(can_repeat=False)
    except OverloadedError:
        return replace(Said.nothing(), code="overloaded")
    try:
        return await _answer(dialect, counter, ask)
    finally:
        api.admission.leave(entered)


async def _answer(dialect: Dialect, counter: Counter, ask: Ask) -> Said:
    try:
        return await dialect.answer(counter, ask)
    except Exception as error:  # noqa: BLE001 - callers read every error page as "not paid"
        counter.gateway.observer.defect("dialect.defect", error)
        return Said.nothing()

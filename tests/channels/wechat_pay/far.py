"""A far side on a real socket: answers what a test put down for it, and keeps what it heard."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from channels.transport import Reply
from channels.wechat_pay.channel import WechatPayChannel, build
from tests.channels.wechat_pay import platform

Answer = Reply | None
"""None hangs up without a word."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A request as it arrived, the target to the byte."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Far:
    """One server and the channel that talks to it."""

    url: str
    channel: WechatPayChannel
    answers: list[Answer] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    deaf: bool = False
    """Hang up once the answers are used up, however often it is asked."""

    def will(self, *answers: Answer) -> None:
        """Put down the next answers, in order."""
        self.answers.extend(answers)


@asynccontextmanager
async def far(now: datetime = platform.NOW, **changes: Any) -> AsyncIterator[Far]:
    """Serve on a loopback port while the block runs; every answer put down must be asked for."""
    state: Far | None = None

    async def handle(request: web.Request) -> web.StreamResponse:
        if state is None:
            raise AssertionError("asked before the far side was ready")
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = await request.read()
        state.heard.append(Heard(request.method, request.raw_path, headers, body))
        answer = state.answers.pop(0) if state.answers or not state.deaf else None
        if answer is None:
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        return web.Response(status=answer.status, headers=dict(answer.headers), body=answer.body)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    server = TestServer(app)
    await server.start_server()
    url = f"http://{server.host}:{server.port}"
    settings = platform.settings(base_url=url, **changes)
    channel = build("wechat-main", settings, platform.terms(), lambda: now)
    state = Far(url, channel)
    try:
        yield state
    finally:
        await channel.aclose()
        await server.close()
    if state.answers:
        raise AssertionError(f"{len(state.answers)} answers were never asked for")

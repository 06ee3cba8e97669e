"""Where an institution's notices arrive: read by the channel, answered as it says, and kept."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.test_utils import TestServer

from channels.contract import Notice, NoticeRefused

Read = Callable[[Mapping[str, str], bytes], Notice | NoticeRefused]


@dataclass(frozen=True, slots=True)
class Heard:
    """One notice as it arrived, and what the channel made of it."""

    headers: Mapping[str, str]
    body: bytes
    read: Notice | NoticeRefused


@dataclass(slots=True)
class Ear:
    """A listening address."""

    url: str = ""
    heard: list[Heard] = field(default_factory=list)
    read: Read | None = None
    """Set once there is a channel."""

    @property
    def notices(self) -> list[Notice]:
        """Those that were proven true, in order of arrival."""
        return [one.read for one in self.heard if isinstance(one.read, Notice)]

    @property
    def refused(self) -> list[NoticeRefused]:
        """Those that were not."""
        return [one.read for one in self.heard if isinstance(one.read, NoticeRefused)]


@asynccontextmanager
async def listening() -> AsyncIterator[Ear]:
    """Listen on a free loopback port."""
    ear = Ear()

    async def hear(request: web.Request) -> web.Response:
        if ear.read is None:
            raise AssertionError("told something before there was a channel")
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = await request.read()
        answer = ear.read(headers, body)
        ear.heard.append(Heard(headers, body, answer))
        said = answer.reply
        headers_back = {"Content-Type": said.content_type} if said.content_type else {}
        return web.Response(status=said.status, body=said.body, headers=headers_back)

    app = web.Application()
    app.router.add_post("/notices", hear)
    async with TestServer(app) as server:
        ear.url = str(server.make_url("/notices"))
        yield ear

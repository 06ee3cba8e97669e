"""What both floor programs do for every request: check the key, read the JSON, refuse the rest."""

import hmac
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import orjson
from aiohttp import web

Handler = Any
"""What `web.Server` calls: a coroutine function of one request."""


@dataclass(frozen=True, slots=True)
class Options:
    """Told in a JSON file, named on the command line."""

    key: str
    """The only API key."""
    webhook_url: str = ""
    webhook_secret: str = ""
    gateway_url: str = ""
    """The channel's address."""
    app_id: str = ""
    private_key_file: str = ""
    platform_public_key_file: str = ""
    database: str = ""

    @classmethod
    def read(cls) -> Self:
        """Of this process."""
        return cls(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))


class Door:
    """Knows one key by its keyed hash, as the gateway knows its keys."""

    def __init__(self, key: str) -> None:
        """`key`: the one that opens."""
        self._digest = hmac.digest(b"pepper", f"Bearer {key}".encode(), "sha256")

    async def read(self, request: web.BaseRequest) -> dict[str, Any] | None:
        """The body as JSON, or None for a stranger."""
        offered = request.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(hmac.digest(b"pepper", offered, "sha256"), self._digest):
            return None
        body: dict[str, Any] = orjson.loads(await request.read())
        return body


UNAUTHENTICATED = 401


def answer(status: int, content: dict[str, Any]) -> web.Response:
    """A JSON answer."""
    return web.Response(status=status, body=orjson.dumps(content), content_type="application/json")


async def listen(handler: Handler) -> int:
    """Serve on a free loopback port; returns it."""
    runner = web.ServerRunner(web.Server(handler, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    port: int = runner.addresses[0][1]
    return port


def say_ready(port: int) -> None:
    """One line, as the gateway says it."""
    url = f"http://127.0.0.1:{port}"
    sys.stdout.write(orjson.dumps({"ready": True, "url": url}).decode() + "\n")
    sys.stdout.flush()

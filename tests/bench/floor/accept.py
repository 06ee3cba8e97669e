"""Floor (a): parse the same JSON, check the same key, answer. Nothing is stored."""

import asyncio

import uvloop
from aiohttp import web

from tests.bench.floor.door import UNAUTHENTICATED, Door, Options, answer, listen, say_ready


async def main() -> None:
    """Serve until ended."""
    door = Door(Options.read().key)

    async def take(request: web.BaseRequest) -> web.StreamResponse:
        body = await door.read(request)
        if body is None:
            return answer(UNAUTHENTICATED, {})
        return answer(201, {"merchant_ref": body["merchant_ref"], "state": "scheduled"})

    say_ready(await listen(take))
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())

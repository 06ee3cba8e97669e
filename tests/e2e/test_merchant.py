"""The rehearsal's merchants call as the API's document tells callers to."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.sandbox.merchant import Client, RefusedError


@asynccontextmanager
async def answering(statuses: Iterator[int]) -> AsyncIterator[str]:
    """A door that answers one status after another."""

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({}, status=next(statuses), headers={"Retry-After": "0"})

    app = web.Application()
    app.router.add_post("/v1/payouts", answer)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


async def test_a_merchant_without_room_comes_again() -> None:
    """Two refusals for want of room, and the third time it is let in."""
    statuses = iter((503, 503, 201))
    async with answering(statuses) as url, Client(url, "a key") as client:
        assert await client.post("/v1/payouts", {}) == {}
    assert next(statuses, None) is None


async def test_a_merchant_that_was_refused_does_not_insist() -> None:
    """Any other refusal is heard once."""
    statuses = iter((409, 201))
    async with answering(statuses) as url, Client(url, "a key") as client:
        with pytest.raises(RefusedError, match="409"):
            await client.post("/v1/payouts", {})
    assert next(statuses) == 201

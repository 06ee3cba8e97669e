"""A merchant's webhook receiver for the rehearsal: verifies each message as a merchant would."""

import hmac
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Self

import orjson
from aiohttp import web
from standardwebhooks import Webhook


class Receiver:
    """Takes webhooks on a loopback port; counts what verified and remembers sequences."""

    def __init__(self) -> None:
        """Nothing listens yet."""
        self._secrets: list[Webhook] = []
        self._runner: web.AppRunner | None = None
        self.url = ""
        self.verified = 0
        self.refused = 0
        self.sequences: dict[str, set[int]] = defaultdict(set)

    def trust(self, secret: str) -> None:
        """Accept messages signed with this endpoint secret."""
        self._secrets.append(Webhook(secret))

    async def start(self, port: int) -> Self:
        """Listen."""
        app = web.Application()
        app.router.add_post("/webhooks", self._take)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.url = f"http://127.0.0.1:{port}/webhooks"
        return self

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        for secret in self._secrets:
            if not _signed(secret, headers, body):
                continue
            self.verified += 1
            message = orjson.loads(body)
            self.sequences[message["payout_id"]].add(message["seq"])
            return web.Response(status=204)
        self.refused += 1
        return web.Response(status=401)

    @property
    def gaps(self) -> int:
        """Payouts of which a message in the middle is missing."""
        return sum(seen != set(range(1, max(seen) + 1)) for seen in self.sequences.values())


def _signed(secret: Webhook, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether one of the signatures is this secret's.

    The library's own `verify` also compares the timestamp with this machine's clock, which a
    rehearsal leaves behind when it moves to the value date.
    """
    stamp = headers.get("webhook-timestamp", "")
    if not stamp.isdigit():
        return False
    at = datetime.fromtimestamp(int(stamp), UTC)
    expected = secret.sign(headers.get("webhook-id", ""), at, body.decode())
    given = headers.get("webhook-signature", "").split(" ")
    return any(hmac.compare_digest(expected, one) for one in given)

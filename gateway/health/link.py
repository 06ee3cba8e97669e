"""The only module that speaks to Redis: five questions, each bounded in time, one kind of error.

Whatever answers there may be stopped, cut off, flushed, somebody else's or lying. Every way in
which it can fail ends in `LinkError`; a key of ours that holds something else is removed, since
nothing in Redis is worth keeping.
"""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from importlib.resources import files
from typing import TypeVar, cast

from gateway.health.lease import Beat

NEWS_MAX = 2000
"""Batches kept in the stream: some minutes of news, 20 MB at the very most."""
KNOWN_S = 60
"""A replica that fell silent without a goodbye counts for so long: it may only be cut off."""
GO, WAIT, NO_LEASE = 0, 1, 2
WAIT_MAX_US = 1_000_000 * 3600

_Answer = TypeVar("_Answer")
_SPOILT = ("WRONGTYPE", "equal or smaller", "exhausted the last possible ID")
"""Errors that say a key of ours is not what we made it (Valkey: `shared.wrongtypeerr`, XADD)."""

Batch = tuple[str, Mapping[bytes, bytes]]


class LinkError(Exception):
    """Redis did not do it, or nobody knows whether it did. The message is a short code."""


class Link:
    """A connection pool on one Redis, and the keys of one installation in it."""

    def __init__(self, url: str, root: str, *, connect_s: float, timeout_s: float) -> None:
        """`root` begins every key; in braces, so that a cluster keeps them together.

        Connects when first asked. Raises `ValueError` for a URL that cannot be used.
        """
        # A tenth of a second of imports that a gateway without Redis does not pay.
        from redis.asyncio import Redis  # noqa: PLC0415 - see above
        from redis.asyncio.retry import Retry  # noqa: PLC0415 - see above
        from redis.backoff import NoBackoff  # noqa: PLC0415 - see above
        from redis.exceptions import ResponseError  # noqa: PLC0415 - see above

        self._refusal = ResponseError
        self._connect_s, self._timeout_s = connect_s, timeout_s
        self._redis = Redis.from_url(
            url,
            protocol=2,
            max_connections=32,
            socket_connect_timeout=connect_s,
            socket_timeout=None,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=0,
        )
        self._root = "{" + root + "}"
        self._sharing, self._known = f"{self._root}:sharing", f"{self._root}:replicas"
        self._news = f"{self._root}:news"
        scripts = files(__package__)
        self._beat = self._redis.register_script(scripts.joinpath("beat.lua").read_text("utf-8"))
        self._take = self._redis.register_script(scripts.joinpath("take.lua").read_text("utf-8"))
        self.repaired = 0
        """Keys that held something else than what we put there."""

    async def ping(self) -> None:
        """Have a connection that works."""
        await self._bounded(self._redis.ping(), self._connect_s + self._timeout_s)

    async def beat(
        self, me: str, *, lease_us: int, sent_us: int, late_us: int, keep_s: int = KNOWN_S
    ) -> Beat:
        """A sign of life; with a `lease_us` above 0 it asks for the lease as well."""
        given: list[str | int] = [me, lease_us, sent_us, late_us, keep_s * 1_000_000]
        keys = [self._sharing, self._known]
        renewed, at, known = _integers(
            await self._bounded(self._beat(keys, given), self._timeout_s, keys), 3
        )
        return Beat(renewed == 1, at, known)

    async def take(self, me: str, channel: str, per_s: int, replicas: int) -> tuple[int, int]:
        """Take a send from the shared bucket: GO, WAIT with microseconds, or NO_LEASE."""
        keys = [f"{self._root}:rate:{channel}", self._sharing, self._known]
        given: list[str | int] = [me, per_s, replicas]
        answer, wait_us = _integers(
            await self._bounded(self._take(keys, given), self._timeout_s, keys), 2
        )
        if answer not in {GO, WAIT, NO_LEASE} or not 0 <= wait_us <= WAIT_MAX_US:
            raise LinkError("nonsense")
        return answer, wait_us

    async def leave(self, me: str) -> None:
        """Say goodbye, so that the others take this replica's part over at once."""
        for key in (self._sharing, self._known):
            await self._bounded(_awaited(self._redis.zrem(key, me)), self._timeout_s, [key])

    async def tell(self, me: str, payload: bytes) -> None:
        """Add one batch of news."""
        fields = {"s": me, "b": payload}
        adding = self._redis.xadd(self._news, fields, maxlen=NEWS_MAX, approximate=True)  # type: ignore[arg-type]  # its field type is invariant
        await self._bounded(_awaited(adding), self._timeout_s, [self._news])

    async def latest(self, count: int) -> list[Batch]:
        """The newest batches, oldest first."""
        asking = self._redis.xrevrange(self._news, count=count)
        found = await self._bounded(_awaited(asking), self._timeout_s, [self._news])
        return _batches(found)[::-1]

    async def after(self, position: str, count: int, wait_s: float) -> list[Batch]:
        """The batches behind `position`, waiting for some if there are none."""
        asking = self._redis.xread({self._news: position}, count=count, block=int(wait_s * 1000))
        found = await self._bounded(
            _awaited(asking), wait_s + self._connect_s + self._timeout_s, [self._news]
        )
        if not found:
            return []
        try:
            ((_, rows),) = cast("Sequence[tuple[object, object]]", found)
        except (TypeError, ValueError):
            raise LinkError("nonsense") from None
        return _batches(rows)

    async def aclose(self) -> None:
        """Close every connection."""
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._redis.aclose()
        except Exception:  # noqa: BLE001 - a peer that does not let go must not keep us
            return

    async def _bounded(
        self, asking: Awaitable[_Answer], seconds: float, keys: Sequence[str] = ()
    ) -> _Answer:
        try:
            async with asyncio.timeout(seconds):
                return await asking
        except TimeoutError:
            raise LinkError("timeout") from None
        except Exception as error:  # noqa: BLE001 - whatever answers there need not be a Redis at all
            if not isinstance(error, self._refusal):
                raise LinkError("unreachable") from None
            if any(sign in str(error) for sign in _SPOILT):
                await self._repair(keys)
                raise LinkError("spoilt_key") from None
            raise LinkError("refused") from None

    async def _repair(self, keys: Sequence[str]) -> None:
        self.repaired += 1
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._redis.unlink(*keys)
        except Exception:  # noqa: BLE001 - it is tried again with the next question
            return


def _awaited(asking: object) -> Awaitable[object]:
    """The client's commands are typed for both its flavours; this one is awaited."""
    return cast("Awaitable[object]", asking)


def _integers(answer: object, count: int) -> list[int]:
    if not isinstance(answer, list) or len(answer) != count:
        raise LinkError("nonsense")
    if not all(type(one) is int for one in answer):
        raise LinkError("nonsense")
    return answer


def _batches(rows: object) -> list[Batch]:
    if not isinstance(rows, list):
        raise LinkError("nonsense")
    found: list[Batch] = []
    for row in rows:
        try:
            position, fields = row
            found.append((position.decode("ascii"), fields if isinstance(fields, dict) else {}))
        except (TypeError, ValueError, AttributeError):
            raise LinkError("nonsense") from None
    return found

"""Channel notices, kept raw before anything is decided."""

import asyncio

from gateway.ports import StoredNotice
from gateway.store import SqlStore
from tests import builders as build


async def test_notices_come_back_oldest_first_byte_for_byte(store: SqlStore) -> None:
    """Headers and body are exactly what came."""
    headers = {"wechatpay-serial": "S", "x": "ü"}
    first = await store.keep_notice("a", headers, b"\x00\xff{}", build.NOW)
    second = await store.keep_notice("b", {}, b"", build.after(1))

    assert await store.notices(10) == [
        StoredNotice(first, "a", headers, b"\x00\xff{}", build.NOW),
        StoredNotice(second, "b", {}, b"", build.after(1)),
    ]
    assert len(await store.notices(1)) == 1


async def test_a_processed_notice_is_not_listed_again(store: SqlStore) -> None:
    """Done is done."""
    first = await store.keep_notice("a", {}, b"1", build.NOW)
    second = await store.keep_notice("a", {}, b"2", build.NOW)

    await store.notice_done(first, "inquired")

    assert [notice.id for notice in await store.notices(10)] == [second]


async def test_notices_kept_together_are_told_their_own_ids(store: SqlStore) -> None:
    """Each caller gets the number of its own."""
    bodies = [b"1", b"2", b"3"]

    ids = await asyncio.gather(*(store.keep_notice("a", {}, body, build.NOW) for body in bodies))

    assert {notice.id: notice.body for notice in await store.notices(10)} == dict(
        zip(ids, bodies, strict=True)
    )

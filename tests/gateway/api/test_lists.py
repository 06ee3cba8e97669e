"""Lists and feeds: filters, pages that stay put while others insert, and nothing skipped."""

from typing import Any

from tests.builders import after
from tests.gateway.api.desk import Desk


async def pages(desk: Desk, limit: int, **query: str) -> list[list[str]]:
    """Follow a list to its end; the ids page by page."""
    found: list[list[str]] = []
    asked = {"limit": str(limit), **query}
    while True:
        page = (await desk.get("/v1/payouts", query=asked)).json
        found.append([one["id"] for one in page["data"]])
        if not page["has_more"]:
            return found
        asked["after"] = found[-1][-1]


async def several(desk: Desk, count: int, start: int = 0) -> list[str]:
    """Payouts a second apart, newest first."""
    made = []
    for number in range(start, start + count):
        desk.clock.advance(seconds=1)
        made.append(await desk.pay(f"order-{number}"))
    return made[::-1]


async def ids(desk: Desk, **query: str) -> list[str]:
    """One page of ids."""
    answer = await desk.get("/v1/payouts", query=query)
    assert answer.status == 200, answer.raw
    return [one["id"] for one in answer.json["data"]]


async def test_a_list_is_newest_first_and_paged(desk: Desk) -> None:
    """Each payout on exactly one page; the last page says that it is."""
    made = await several(desk, 7)
    assert await pages(desk, 3) == [made[:3], made[3:6], made[6:]]
    assert await pages(desk, 7) == [made]
    assert await ids(desk) == made


async def test_an_empty_list_is_a_page(desk: Desk) -> None:
    """With nothing in it and nothing after it."""
    assert (await desk.get("/v1/payouts")).json == {"data": [], "has_more": False}


async def test_pages_stay_put_while_payouts_are_made(desk: Desk) -> None:
    """What is inserted meanwhile shifts no page: nothing twice, nothing skipped."""
    made = await several(desk, 6)
    first = await ids(desk, limit="2")
    await several(desk, 3, start=6)
    second = await ids(desk, limit="2", after=first[-1])
    await desk.post(f"/v1/payouts/{made[5]}/cancel")
    third = await ids(desk, limit="2", after=second[-1])
    assert first + second + third == made


async def test_filters_narrow_a_list(desk: Desk) -> None:
    """By state, number, channel and time of acceptance, also together."""
    made = await several(desk, 4)
    await desk.post(f"/v1/payouts/{made[0]}/cancel")
    await desk.work(made[1])
    assert await ids(desk, state="cancelled") == [made[0]]
    assert await ids(desk, state="paid") == [made[1]]
    assert await ids(desk, channel="till") == [made[1]]
    assert await ids(desk, channel="till", state="routing") == []
    assert await ids(desk, merchant_ref="order-0") == [made[3]]
    assert await ids(desk, accepted_from=after(2).isoformat().replace("+00:00", "Z")) == made[:3]
    assert await ids(desk, accepted_until="2026-03-02T10:00:03+08:00") == made[2:]


async def test_filters_hold_over_pages(desk: Desk) -> None:
    """The cursor counts among what the filter lets through."""
    made = await several(desk, 6)
    for one in made[::2]:
        await desk.post(f"/v1/payouts/{one}/cancel")
    assert await pages(desk, 2, state="routing") == [[made[1], made[3]], [made[5]]]


async def feed(desk: Desk, after_: int = 0, limit: int = 100, **rest: Any) -> Any:
    """One page of events."""
    query = {"after": str(after_), "limit": str(limit)}
    return (await desk.get("/v1/events", query=query, **rest)).json


async def test_the_feed_gives_every_event_once_in_order(desk: Desk) -> None:
    """Page by page, with a position to come back to."""
    made = await several(desk, 3)
    for one in made:
        await desk.work(one)
    whole = await feed(desk)
    assert len(whole["data"]) == 9
    assert whole["has_more"] is False
    read, position = [], 0
    while True:
        page = await feed(desk, position, 2)
        read += page["data"]
        position = page["next_after"]
        if not page["has_more"]:
            break
    assert read == whole["data"]
    assert [one["feed"] for one in read] == sorted({one["feed"] for one in read})


async def test_the_feed_goes_on_where_it_stopped(desk: Desk) -> None:
    """At its end the position stays; what comes later is behind it."""
    await several(desk, 1)
    end = (await feed(desk))["next_after"]
    assert await feed(desk, end) == {"data": [], "next_after": end, "has_more": False}
    (later,) = await several(desk, 1, start=1)
    assert [one["payout_id"] for one in (await feed(desk, end))["data"]] == [later]


async def test_the_feed_shows_a_merchant_its_own_events_only(desk: Desk) -> None:
    """And an operator everybody's."""
    mine = await desk.pay()
    theirs = await desk.pay(key="other")
    assert {one["payout_id"] for one in (await feed(desk))["data"]} == {mine}
    everything = await feed(desk, key="operator")
    assert {one["payout_id"] for one in everything["data"]} == {mine, theirs}


async def test_the_feed_begins_anywhere(desk: Desk) -> None:
    """Also at the largest position there can be."""
    await several(desk, 1)
    assert (await feed(desk, 2**63 - 1))["data"] == []


async def test_balances_follow_a_payout(desk: Desk) -> None:
    """Available, held and spent, in minor units."""

    async def now() -> dict[str, int]:
        found = (await desk.get("/v1/balances")).json["data"]
        return {one["book"]: one["balance_minor"] for one in found}

    assert await now() == {"available": 100_000_000}
    made = await desk.pay()
    assert await now() == {"available": 99_987_625, "held": 12_375}
    await desk.work(made)
    assert await now() == {"available": 99_987_625, "held": 0}

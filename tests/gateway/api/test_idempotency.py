"""The same request is the same payout, for ever, however often and from however many sides."""

import asyncio
from collections import Counter
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.domain.payout import MerchantId
from gateway.ports import Search
from tests.builders import after
from tests.gateway.api.desk import ACME, Desk, payout_body

KEY = {"Idempotency-Key": "a-key-of-sixteen-characters"}


async def payouts(desk: Desk, merchant_id: str = ACME) -> int:
    """How many payouts a merchant has."""
    return len(await desk.store.search(Search(MerchantId(merchant_id), limit=1000)))


async def test_the_first_request_makes_a_payout(desk: Desk) -> None:
    """201, where it is, and nothing about a replay."""
    made = await desk.post("/v1/payouts", payout_body(), headers=KEY)
    assert made.status == 201
    assert made.headers["Location"] == f"/v1/payouts/{made.json['id']}"
    assert "Idempotency-Replayed" not in made.headers
    assert (await desk.get(made.headers["Location"])).json == made.json


async def test_a_repeated_request_gets_the_same_payout(desk: Desk) -> None:
    """Same key, same body: 201, the same payout, marked as replayed."""
    made = await desk.post("/v1/payouts", payout_body(), headers=KEY)
    again = await desk.post("/v1/payouts", payout_body(), headers=KEY)
    assert (again.status, again.json) == (201, made.json)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert await payouts(desk) == 1


async def test_a_replay_shows_the_payout_as_it_is_now(desk: Desk) -> None:
    """Once paid, the repeated request says so."""
    made = await desk.post("/v1/payouts", payout_body(), headers=KEY)
    await desk.work(made.json["id"])
    again = await desk.post("/v1/payouts", payout_body(), headers=KEY)
    assert again.json["id"] == made.json["id"]
    assert again.json["state"] == "paid"


async def test_a_payout_that_moved_at_once_is_not_called_a_replay(desk: Desk) -> None:
    """Held and scheduled payouts are new when they are new."""
    later = after(days=2).isoformat()
    made = await desk.post("/v1/payouts", payout_body(release_after=later), headers=KEY)
    assert (made.status, made.json["state"]) == (201, "scheduled")
    assert "Idempotency-Replayed" not in made.headers


async def test_a_key_used_with_another_body_is_refused(desk: Desk) -> None:
    """422, and the first payout stands alone."""
    await desk.post("/v1/payouts", payout_body(), headers=KEY)
    before = desk.rows()
    other = await desk.post("/v1/payouts", payout_body(amount_minor=12_346), headers=KEY)
    assert (other.status, other.code) == (422, "idempotency_key_reused")
    assert desk.rows() == before


async def test_a_merchant_ref_used_with_another_body_is_refused(desk: Desk) -> None:
    """409 whether or not keys were given: the number is the merchant's, for ever."""
    await desk.post("/v1/payouts", payout_body())
    before = desk.rows()
    for headers in ({}, KEY):
        other = await desk.post("/v1/payouts", payout_body(amount_minor=12_346), headers=headers)
        assert (other.status, other.code) == (409, "merchant_ref_reused")
        assert other.json["param"] == "merchant_ref"
    assert desk.rows() == before


async def test_a_merchant_ref_alone_makes_a_request_repeatable(desk: Desk) -> None:
    """Without a key, the merchant's own number is one."""
    made = await desk.post("/v1/payouts", payout_body())
    again = await desk.post("/v1/payouts", payout_body())
    assert again.json["id"] == made.json["id"]
    assert again.headers["Idempotency-Replayed"] == "true"


async def test_a_key_added_later_finds_the_payout_of_its_merchant_ref(desk: Desk) -> None:
    """A client that learns to send keys between two tries does not pay twice."""
    made = await desk.post("/v1/payouts", payout_body())
    again = await desk.post("/v1/payouts", payout_body(), headers=KEY)
    assert (again.status, again.json["id"]) == (201, made.json["id"])


async def test_a_key_alone_is_enough(desk: Desk) -> None:
    """The payout gets a number made from the key."""
    body = payout_body(merchant_ref=None)
    made = await desk.post("/v1/payouts", body, headers=KEY)
    again = await desk.post("/v1/payouts", body, headers=KEY)
    assert (made.status, again.json["id"]) == (201, made.json["id"])


async def test_neither_key_nor_number_is_refused(desk: Desk) -> None:
    """400: nothing would tell a repetition from a second payout."""
    before = desk.rows()
    answer = await desk.post("/v1/payouts", payout_body(merchant_ref=None))
    assert (answer.status, answer.code) == (400, "idempotency_key_missing")
    assert answer.json["param"] == "Idempotency-Key"
    assert desk.rows() == before


@pytest.mark.parametrize("key", ["short", "x" * 256, "", "with-a-tab\tin-the-middle"])
async def test_an_unusable_key_is_refused(desk: Desk, key: str) -> None:
    """16 to 255 printable ASCII characters."""
    answer = await desk.post("/v1/payouts", payout_body(), headers={"Idempotency-Key": key})
    assert (answer.status, answer.code) == (422, "idempotency_key_invalid")


async def test_two_keys_in_one_request_are_refused(desk: Desk) -> None:
    """Which one counts would depend on who reads it."""
    before = desk.rows()
    async with desk.http.post(
        desk.server.make_url("/v1/payouts"),
        json=payout_body(),
        headers=[
            ("Authorization", f"Bearer {desk.keys['acme']}"),
            ("Idempotency-Key", "the-first-of-two-keys"),
            ("Idempotency-Key", "the-second-of-two-keys"),
        ],
    ) as response:
        assert (response.status, (await response.json(content_type=None))["code"]) == (
            422,
            "idempotency_key_invalid",
        )
    assert desk.rows() == before


async def test_merchants_do_not_share_keys_or_numbers(desk: Desk) -> None:
    """The same key and number of two merchants are two payouts."""
    mine = await desk.post("/v1/payouts", payout_body(), headers=KEY)
    theirs = await desk.post("/v1/payouts", payout_body(amount_minor=1), headers=KEY, key="other")
    assert (mine.status, theirs.status) == (201, 201)
    assert mine.json["id"] != theirs.json["id"]


async def test_a_refused_request_does_not_use_its_key_up(desk: Desk) -> None:
    """What was refused for lack of money can be repeated once there is some."""
    body = payout_body(amount_minor=99_999_999)
    assert (await desk.post("/v1/payouts", body, headers=KEY)).code == "insufficient_funds"
    await desk.post(
        f"/v1/admin/merchants/{ACME}/fund",
        {"amount_minor": 1000, "currency": "CNY", "key": "more"},
        key="operator",
    )
    made = await desk.post("/v1/payouts", body, headers=KEY)
    assert made.status == 201
    assert "Idempotency-Replayed" not in made.headers


async def test_a_repeated_request_is_answered_after_its_deadline(desk: Desk) -> None:
    """A late repetition finds its payout instead of an error that reads like "not stored"."""
    body = payout_body(deadline=after(hours=1).isoformat())
    made = await desk.post("/v1/payouts", body, headers=KEY)
    desk.clock.advance(hours=2)
    again = await desk.post("/v1/payouts", body, headers=KEY)
    assert (again.status, again.json["id"]) == (201, made.json["id"])
    assert again.headers["Idempotency-Replayed"] == "true"


async def test_a_repeated_request_is_answered_when_its_channel_is_gone(desk: Desk) -> None:
    """What the configuration says today does not unmake yesterday's payout."""
    made = await desk.post("/v1/payouts", payout_body(), headers=KEY)
    desk.gateway.channels = {
        name: channel for name, channel in desk.gateway.channels.items() if name != "till"
    }
    again = await desk.post("/v1/payouts", payout_body(), headers=KEY)
    assert (again.status, again.json["id"]) == (201, made.json["id"])
    fresh = await desk.post("/v1/payouts", payout_body(merchant_ref="order-2"))
    assert (fresh.status, fresh.code) == (422, "no_channel")


async def test_a_hundred_clients_with_one_key_make_one_payout(desk: Desk) -> None:
    """Whoever comes first wins; the same body joins it, another body is refused."""
    bodies = [payout_body(amount_minor=100 + number % 2) for number in range(100)]
    answers = await asyncio.gather(
        *(desk.post("/v1/payouts", body, headers=KEY) for body in bodies)
    )
    assert await payouts(desk) == 1
    made = [answer for answer in answers if answer.status == 201]
    assert Counter(answer.status for answer in answers) == {201: 50, 422: 50}
    assert len({answer.json["id"] for answer in made}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in made) == 1
    assert await desk.store.audit() == []


def shuffled(value: Any, order: Any) -> Any:
    """The same JSON value with every object's keys in another order."""
    if isinstance(value, dict):
        names = list(value)
        order.shuffle(names)
        return {name: shuffled(value[name], order) for name in names}
    if isinstance(value, list):
        return [shuffled(one, order) for one in value]
    return value


@given(order=st.randoms(use_true_random=False), spaced=st.booleans())
@settings(
    max_examples=15,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
async def test_how_json_is_written_does_not_matter(desk: Desk, order: Any, spaced: bool) -> None:
    """Order of keys and blanks between them are not part of the request."""
    body = payout_body(metadata={"a": "1", "b": "2"})
    await desk.post("/v1/payouts", body, headers=KEY)
    text = orjson.dumps(shuffled(body, order), option=orjson.OPT_INDENT_2 if spaced else None)
    again = await desk.post("/v1/payouts", text, headers=KEY)
    assert (again.status, again.headers.get("Idempotency-Replayed")) == (201, "true")
    assert await payouts(desk) == 1

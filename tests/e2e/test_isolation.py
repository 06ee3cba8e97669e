"""No merchant reaches what is another's, on any route: the route table itself is walked."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.api.context import Route
from gateway.api.routes import ROUTES
from gateway.ports import Scope
from tests.builders import merchant
from tests.gateway.api.desk import ACME, CARD, Answer, Desk, open_desk
from tests.gateway.api.test_batches import GOOD, upload

BODIES: Mapping[str, Any] = {
    "Book a deposit": {"amount_minor": 1, "currency": "CNY", "key": "k"},
    "Book a float top-up": {"amount_minor": 1, "currency": "CNY", "key": "k"},
    "Make a key": {"label": "x", "scopes": ["payouts:read"]},
    "Pause, drain or resume a channel": {"status": "paused", "reason": "x"},
}
ABSENT: Mapping[str, str] = {
    "payout_id": "po_00000000000000000000000000",
    "delivery_id": "msg_00000000000000000000000000_1_we_00000000000000000000000000",
    "endpoint_id": "we_00000000000000000000000000",
    "merchant_id": "m_nobody",
    "key_id": "0000000000000000",
    "channel": "nowhere",
    "incident_id": "in_00000000000000000000000000",
    "maintenance_id": "ma_00000000000000000000000000",
    "change": "pc_00000000000000000000000000",
    "policy": "0000000000000000",
    "split_id": "sp_00000000000000000000000000",
    "batch_id": "ba_00000000000000000000000000",
    "account_id": "da_00000000000000000000000000",
}

WITH_ID = [route for route in ROUTES if "{" in route.path]
OF_MERCHANTS = [route for route in WITH_ID if route.scope is not Scope.ADMIN]
OF_OPERATORS = [route for route in ROUTES if route.scope is Scope.ADMIN]
LISTS = [
    route
    for route in ROUTES
    if route.method == "GET"
    and "{" not in route.path
    and route.scope is not Scope.ADMIN
    # One key signs for everybody, and a template is empty.
    and route.path not in {"/v1/audit/key", "/v1/batches/template"}
]


def name(route: Route) -> str:
    """How a route is called in a test's name."""
    return f"{route.method} {route.path}"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """Acme has one of everything."""
    async with open_desk(tmp_path) as opened:
        yield opened


async def things(desk: Desk) -> dict[str, str]:
    """Acme's ids, by the name of the path parameter they fill."""
    made = await desk.post("/v1/webhook-endpoints", {"url": "https://acme.example/hook"})
    payout_id = await desk.pay()
    owed = await desk.get(f"/v1/payouts/{payout_id}/deliveries")
    legs = [leg("1"), leg("2")]
    split = {"merchant_ref": "split-1", "currency": "CNY", "legs": legs}
    return {
        "split_id": (await desk.post("/v1/splits", split)).json["id"],
        "batch_id": (await upload(desk, GOOD)).json["id"],
        "account_id": "da_00000000000000000000000001",
        "payout_id": payout_id,
        "delivery_id": owed.json["data"][0]["id"],
        "endpoint_id": made.json["id"],
        "merchant_id": ACME,
        "key_id": desk.keys["acme"][3:19],
        "channel": "till",
        "incident_id": "in_00000000000000000000000001",
        "maintenance_id": "ma_00000000000000000000000001",
        "change": "pc_00000000000000000000000001",
        "policy": "0000000000000001",
    }


def leg(name: str) -> dict[str, Any]:
    """One of a split's."""
    card = {"rail": "bank_card", "number": CARD, "name": "王小五"}
    return {
        "beneficiary": {"instruments": [card]},
        "purpose": "货款",
        "amount_minor": 100,
        "merchant_ref": f"leg-{name}",
    }


async def walk(desk: Desk, route: Route, ids: Mapping[str, str], key: str) -> Answer:
    """Ask a route about these ids."""
    body = BODIES[route.summary] if route.body is not None else None
    return await desk.call(route.method, route.path.format_map(ids), body, key=key)


def told(answer: Answer, ids: Mapping[str, str]) -> tuple[int, str, dict[str, str]]:
    """Everything a caller can tell from an answer, but for the id it named itself and chance."""
    text = answer.raw.decode().replace(answer.headers["X-Request-Id"], "")
    for one in ids.values():
        text = text.replace(one, "<id>")
    passing = {"date", "x-request-id", "server-timing", "content-length"}
    headers = {key.lower(): value for key, value in answer.headers.items()}
    headers = {key: value for key, value in headers.items() if key not in passing}
    return answer.status, text, headers


@pytest.mark.parametrize("route", OF_MERCHANTS, ids=name)
async def test_another_merchants_thing_reads_like_one_that_is_not_there(
    desk: Desk, route: Route
) -> None:
    """404, to the letter what an id that nobody has gets, and nothing happens to the thing."""
    ids = await things(desk)
    before = desk.rows()
    foreign = await walk(desk, route, ids, "other")
    absent = await walk(desk, route, ABSENT, "other")
    assert foreign.status == 404
    assert told(foreign, ids) == told(absent, ABSENT)
    assert desk.rows() == before
    own = await walk(desk, route, ids, "acme")
    assert own.status != 404, "the walk asks for the wrong thing"


@pytest.mark.parametrize("route", OF_OPERATORS, ids=name)
async def test_a_merchant_administers_nothing(desk: Desk, route: Route) -> None:
    """403 for its own things, another's, and none: administration needs an operator's key."""
    ids = await things(desk)
    before = desk.rows()
    answers = [
        await desk.call(route.method, route.path.format_map(known), b"{", key=key)
        for known in (ids, ABSENT)
        for key in ("acme", "other")
    ]
    assert {answer.status for answer in answers} == {403}
    assert len({told(answer, {})[1] for answer in answers}) == 1
    assert desk.rows() == before


@pytest.mark.parametrize("route", LISTS, ids=name)
async def test_a_list_holds_the_callers_own_things_only(desk: Desk, route: Route) -> None:
    """Nothing of Acme's stands in what another merchant lists; Acme finds it there."""
    ids = await things(desk)
    theirs = await desk.get(route.path, key="other")
    own = await desk.get(route.path, key="acme")
    traces = [ids["payout_id"], ids["endpoint_id"], ids["batch_id"], ACME]
    assert not [one for one in traces if one.encode() in theirs.raw]
    assert [one for one in traces if one.encode() in own.raw]


async def test_the_walk_covers_every_parameter() -> None:
    """A new kind of id in a path must be taught to this test."""
    named = {
        part[1:-1] for route in ROUTES for part in route.path.split("/") if part.startswith("{")
    }
    assert named == set(ABSENT)


async def test_filters_do_not_reach_over(desk: Desk) -> None:
    """Asking for another's number, or paging from another's id, finds nothing of theirs."""
    ids = await things(desk)
    by_number = await desk.get("/v1/payouts", query={"merchant_ref": "order-1"}, key="other")
    assert by_number.json["data"] == []
    desk.clock.advance(seconds=1)
    mine = await desk.pay("mine", key="other")
    page = await desk.get("/v1/payouts", query={"after": mine}, key="other")
    assert page.json["data"] == []
    assert ids["payout_id"].encode() not in page.raw


async def test_a_merchant_named_like_a_channel_does_not_see_its_float(desk: Desk) -> None:
    """Owners of accounts share one name space; books tell them apart."""
    await desk.add_merchant(merchant("till"), funds_minor=500)
    found = (await desk.get("/v1/balances", key="till")).json["data"]
    assert [(one["book"], one["balance_minor"]) for one in found] == [("available", 500)]


async def test_a_stolen_merchant_ref_opens_nothing(desk: Desk) -> None:
    """Repeating another merchant's request makes a payout of one's own."""
    theirs = await desk.pay("order-1")
    mine = await desk.pay("order-1", key="other")
    assert mine != theirs
    assert (await desk.get(f"/v1/payouts/{mine}", key="other")).json["merchant_id"] == "m_other"

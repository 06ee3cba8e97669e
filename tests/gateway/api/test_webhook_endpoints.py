"""Webhook endpoints and what is owed to them."""

import base64
from typing import Any

import pytest

from tests.gateway.api.desk import Desk

URL = "https://merchant.example/webhooks"


async def add(desk: Desk, **changes: Any) -> Any:
    """A new endpoint, as answered."""
    made = await desk.post("/v1/webhook-endpoints", {"url": URL, **changes})
    assert made.status == 201, made.raw
    return made.json


async def owed(desk: Desk, payout_id: str) -> list[dict[str, Any]]:
    """What is owed for a payout."""
    found = await desk.get(f"/v1/payouts/{payout_id}/deliveries")
    assert found.status == 200
    data = found.json["data"]
    assert isinstance(data, list)
    return data


async def test_a_secret_is_shown_once(desk: Desk) -> None:
    """With the endpoint's making, in Standard Webhooks form, and never again."""
    made = await add(desk)
    secret = made.pop("secret")
    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    listed = await desk.get("/v1/webhook-endpoints")
    assert listed.json == {"data": [made]}
    assert secret.encode() not in listed.raw


async def test_a_rotation_makes_a_new_secret_and_keeps_the_last(desk: Desk) -> None:
    """Two sign until the next rotation; older ones are gone."""
    made = await add(desk)
    secrets = [made["secret"]]
    for _ in range(2):
        rotated = await desk.post(f"/v1/webhook-endpoints/{made['id']}/rotate")
        assert rotated.status == 200
        secrets.insert(0, rotated.json["secret"])
    stored = await desk.store.endpoint(made["id"])
    assert stored is not None
    assert stored.secrets == tuple(secrets[:2])
    assert len(set(secrets)) == 3


async def test_an_endpoint_can_be_switched_off(desk: Desk) -> None:
    """It stays listed, and is owed nothing for what happens from then on."""
    made = await add(desk)
    gone = await desk.call("DELETE", f"/v1/webhook-endpoints/{made['id']}")
    assert (gone.status, gone.json["active"]) == (200, False)
    assert "secret" not in gone.json
    assert [one["active"] for one in (await desk.get("/v1/webhook-endpoints")).json["data"]] == [
        False
    ]
    assert await owed(desk, await desk.pay()) == []


async def test_a_removed_endpoint_gets_no_new_secret(desk: Desk) -> None:
    """Rotating must not bring it back."""
    made = await add(desk)
    await desk.call("DELETE", f"/v1/webhook-endpoints/{made['id']}")
    refused = await desk.post(f"/v1/webhook-endpoints/{made['id']}/rotate")
    assert (refused.status, refused.code) == (409, "endpoint_removed")
    stored = await desk.store.endpoint(made["id"])
    assert stored is not None
    assert not stored.active
    assert stored.secrets == (made["secret"],)


@pytest.mark.parametrize(
    "url",
    [
        "http://merchant.example/hook",
        "https://127.0.0.1/hook",
        "https://localhost/hook",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:10.0.0.1]/hook",
        "https://2130706433/hook",
        "https://user:secret@merchant.example/hook",
        "https://merchant.example:22/hook",
        "ftp://merchant.example/hook",
        "javascript:alert(1)",
    ],
)
async def test_an_address_inside_our_network_is_refused(desk: Desk, url: str) -> None:
    """Said at the door; the guard at the time of sending is another one."""
    before = desk.rows()
    answer = await desk.post("/v1/webhook-endpoints", {"url": url})
    assert (answer.status, answer.code, answer.json["param"]) == (422, "url_refused", "url")
    assert b"secret" not in answer.raw
    assert desk.rows() == before


async def test_an_event_that_does_not_exist_is_refused(desk: Desk) -> None:
    """A misspelt kind would be a webhook that never comes."""
    answer = await desk.post("/v1/webhook-endpoints", {"url": URL, "kinds": ["paid", "payed"]})
    assert (answer.status, answer.json["param"]) == (422, "kinds.1")


async def test_an_endpoint_gets_the_kinds_it_wants(desk: Desk) -> None:
    """By the short name or as webhooks write it."""
    wanted = await add(desk, kinds=["payout.paid", "cancelled"])
    assert wanted["kinds"] == ["paid", "cancelled"]
    made = await desk.pay()
    assert await owed(desk, made) == []
    await desk.work(made)
    assert [one["seq"] for one in await owed(desk, made)] == [3]


async def test_every_event_is_owed_to_every_endpoint(desk: Desk) -> None:
    """Due at once, never tried, numbered as in the timeline."""
    endpoints = {(await add(desk))["id"], (await add(desk, url=f"{URL}/2"))["id"]}
    made = await desk.pay()
    await desk.work(made)
    found = await owed(desk, made)
    assert {(one["endpoint_id"], one["seq"]) for one in found} == {
        (endpoint, seq) for endpoint in endpoints for seq in (1, 2, 3)
    }
    assert {(one["state"], one["tries"], one["last_error"]) for one in found} == {("due", 0, None)}


async def test_a_dead_letter_can_be_sent_again(desk: Desk) -> None:
    """It becomes due, with all its tries before it."""
    await add(desk)
    made = await desk.pay()
    (one,) = await owed(desk, made)
    await desk.store.delivery_failed(one["id"], 500, "the receiver answered 500", None)
    (dead,) = await owed(desk, made)
    assert (dead["state"], dead["last_status"]) == ("dead", 500)
    again = await desk.post(f"/v1/deliveries/{one['id']}/resend")
    assert (again.status, again.json) == (202, {"queued": True})
    (due,) = await owed(desk, made)
    assert (due["state"], due["tries"]) == ("due", 0)
    assert len(await desk.store.due_deliveries(desk.clock.now(), 10)) == 1


async def test_a_delivered_webhook_can_be_sent_again(desk: Desk) -> None:
    """The merchant may have lost it."""
    await add(desk)
    made = await desk.pay()
    (one,) = await owed(desk, made)
    await desk.store.delivered(one["id"], 204, desk.clock.now())
    assert (await owed(desk, made))[0]["state"] == "delivered"
    await desk.post(f"/v1/deliveries/{one['id']}/resend")
    assert (await owed(desk, made))[0]["state"] == "due"


async def test_a_delivery_that_is_not_there_is_a_404(desk: Desk) -> None:
    """Like everything else."""
    answer = await desk.post("/v1/deliveries/msg_1/resend")
    assert (answer.status, answer.code) == (404, "delivery_not_found")


async def test_an_operator_has_no_endpoints(desk: Desk) -> None:
    """They belong to merchants."""
    answer = await desk.get("/v1/webhook-endpoints", key="operator")
    assert (answer.status, answer.code) == (403, "scope_missing")

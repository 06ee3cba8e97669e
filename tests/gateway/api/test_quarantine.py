"""Quarantine over the API: begun by hand, looked at, released by two people."""

from datetime import timedelta
from typing import Any

import pytest

from tests.gateway.api.desk import OPERATOR_SCOPES, Answer, Desk

QUARANTINE = "/v1/admin/quarantine"


@pytest.fixture
async def restored(desk: Desk) -> Desk:
    """Somebody has put a backup of an hour ago in place and says so; there are two operators."""
    for name in ("wang", "zhao"):
        await desk.add_key(name, None, OPERATOR_SCOPES, person=name)
    at = (desk.clock.now() - timedelta(hours=1)).isoformat()
    body = {"reason": "snapshot of the machine", "backup_at": at}
    begun = await desk.post(QUARANTINE, body, key="wang")
    assert begun.status == 201
    return desk


async def test_without_one_there_is_nothing_to_see_or_release(desk: Desk) -> None:
    """It says so, and refuses."""
    seen = await desk.get(QUARANTINE, key="operator")
    assert (seen.json["quarantined"], seen.json["channels"]) == (False, [])
    body = {"channel": "till", "reason": "x"}
    refused = await desk.post(f"{QUARANTINE}/release", body, key="operator")
    assert (refused.status, refused.code) == (409, "not_quarantined")


async def test_it_says_what_it_waits_for(restored: Desk) -> None:
    """Cause, moment of the backup, and what each channel still owes."""
    seen = (await restored.get(QUARANTINE, key="wang")).json
    assert (seen["quarantined"], seen["cause"]) == (True, "snapshot of the machine")
    assert "till" in {one["channel"] for one in seen["channels"]}
    ready = await restored.call("GET", "/readyz")
    assert (ready.status, ready.json["sending"]) == (200, "quarantined")


async def test_payouts_are_taken_in_and_wait(restored: Desk) -> None:
    """Nothing is sent while the quarantine is open."""
    payout_id = await restored.pay()
    await restored.work(payout_id)
    assert (await restored.get(f"/v1/payouts/{payout_id}")).json["state"] == "routing"
    assert restored.till.sent == []


def of_till(answer: Answer) -> dict[str, Any]:
    """What a quarantine says of the channel named till."""
    found: list[dict[str, Any]] = answer.json["channels"]
    return next(one for one in found if one["channel"] == "till")


async def test_two_people_release_a_channel(restored: Desk) -> None:
    """One asks, another agrees; the same one twice does not do."""
    body = {"channel": "till", "reason": "looked into their portal"}
    asked = await restored.post(f"{QUARANTINE}/release", body, key="wang")
    channel = of_till(asked)
    assert channel["asked_by"] is not None
    assert channel["agreed_by"] is None
    again = await restored.post(f"{QUARANTINE}/release", body, key="wang")
    assert (again.status, again.code) == (409, "same_person")
    agreed = await restored.post(f"{QUARANTINE}/release", body, key="zhao")
    channel = of_till(agreed)
    assert channel["agreed_by"] not in {None, channel["asked_by"]}


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/release", {"channel": "nowhere", "reason": "x"}, 404, "no_such_channel"),
        ("/release", {"channel": "till", "reason": " "}, 422, None),
        ("", {"reason": "x", "backup_at": "2999-01-01T00:00:00Z"}, 422, "backup_in_future"),
        ("", {}, 422, None),
    ],
)
async def test_what_is_refused(
    restored: Desk, path: str, body: dict[str, str], status: int, code: str | None
) -> None:
    """A channel that does not exist, no reason, a backup from the future."""
    refused = await restored.post(QUARANTINE + path, body, key="wang")
    assert refused.status == status
    assert code is None or refused.code == code


async def test_it_is_no_merchants_business(restored: Desk) -> None:
    """Merchants' keys see and release nothing."""
    for refused in (
        await restored.get(QUARANTINE, key="acme"),
        await restored.post(QUARANTINE, {"reason": "x"}, key="acme"),
        await restored.post(
            f"{QUARANTINE}/release", {"channel": "till", "reason": "x"}, key="acme"
        ),
    ):
        assert (refused.status, refused.code) == (403, "scope_missing")

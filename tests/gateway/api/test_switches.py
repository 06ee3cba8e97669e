"""The kill switch, planned maintenance and the float's runway, over the API."""

from datetime import timedelta
from typing import Any

import pytest

from gateway.domain.incident import of_bank
from tests.builders import NOW
from tests.gateway.api.desk import OPERATOR_SCOPES, Desk

CHANNELS = "/v1/admin/channels"
MAINTENANCE = "/v1/admin/maintenance"


TILL = f"{CHANNELS}/till"


async def till(desk: Desk) -> Any:
    """The channel that pays, as it stands."""
    found = (await desk.get(CHANNELS, key="operator")).json["data"]
    return next(one for one in found if one["name"] == "till")


@pytest.mark.parametrize("whole", [False, True])
async def test_a_kill_is_shown_and_ended_by_a_person_only(desk: Desk, whole: bool) -> None:
    """Any operator kills; a key without a name does not revive; the list says who and why."""
    await desk.add_key("wang", None, OPERATOR_SCOPES, person="Wang")
    path = f"{CHANNELS}/ALL" if whole else TILL
    killed = await desk.post(f"{path}/kill", {"reason": "money went missing"}, key="operator")
    assert killed.status == 200
    shown = (await till(desk))["killed"]
    assert shown["channel"] == ("*" if whole else "till")
    assert (shown["reason"], shown["killed_by"][:4]) == ("money went missing", "key:")
    nameless = await desk.post(f"{path}/revive", {"reason": "fine"}, key="operator")
    assert (nameless.status, nameless.code) == (403, "person_unknown")
    resume = {"status": "active", "reason": "x"}
    assert (await desk.post(f"{TILL}/status", resume, key="operator")).status == 200
    assert (await till(desk))["killed"] is not None
    revived = await desk.post(f"{path}/revive", {"reason": "found"}, key="wang")
    assert (revived.status, (await till(desk))["killed"]) == (200, None)
    again = await desk.post(f"{path}/revive", {"reason": "found"}, key="wang")
    assert (again.status, again.code) == (409, "not_killed")


async def test_a_killed_channel_pays_nothing(desk: Desk) -> None:
    """The payout waits, and `why` says so."""
    await desk.post(f"{TILL}/kill", {"reason": "x"}, key="operator")
    payout_id = await desk.pay()
    await desk.work(payout_id)
    why = (await desk.get(f"/v1/payouts/{payout_id}/why")).json
    assert "人工紧急停用" in str(why)
    assert desk.till.sent == []


async def test_unknown_channels_are_404(desk: Desk) -> None:
    """Killing, reviving and planning alike."""
    await desk.add_key("wang", None, OPERATOR_SCOPES, person="Wang")
    window = {"from_at": "2099-01-01T00:00:00Z", "until_at": "2099-01-02T00:00:00Z", "reason": "x"}
    for act, body in (
        ("kill", {"reason": "x"}),
        ("revive", {"reason": "x"}),
        ("maintenance", window),
    ):
        answer = await desk.post(f"{CHANNELS}/nobody/{act}", body, key="wang")
        assert (answer.status, answer.code) == (404, "no_such_channel")


async def test_maintenance_is_planned_listed_and_cancelled(desk: Desk) -> None:
    """Under way it shows at the channel; cancelled it is over."""
    window = {
        "from_at": NOW.isoformat(),
        "until_at": (NOW + timedelta(hours=2)).isoformat(),
        "reason": "升级",
    }
    made = await desk.post(f"{TILL}/maintenance", window, key="operator")
    assert (made.status, made.json["channel"], made.json["reason"]) == (201, "till", "升级")
    listed = await desk.get(MAINTENANCE, key="operator")
    assert listed.json["data"] == [made.json]
    assert (await till(desk))["maintenance_until"] == made.json["until_at"]
    gone = await desk.call("DELETE", f"{MAINTENANCE}/{made.json['id']}", key="operator")
    assert (gone.status, gone.json["data"]) == (200, [])
    assert (await till(desk))["maintenance_until"] is None
    again = await desk.call("DELETE", f"{MAINTENANCE}/{made.json['id']}", key="operator")
    assert (again.status, again.code) == (404, "no_such_maintenance")


@pytest.mark.parametrize(
    ("from_h", "until_h", "code"),
    [(2, 1, "window_invalid"), (-2, -1, "window_past"), (0, 24 * 40, "window_invalid")],
)
async def test_a_window_that_makes_no_sense_is_refused(
    desk: Desk, from_h: int, until_h: int, code: str
) -> None:
    """Backwards, over, or hardly ever over."""
    window = {
        "from_at": (NOW + timedelta(hours=from_h)).isoformat(),
        "until_at": (NOW + timedelta(hours=until_h)).isoformat(),
        "reason": "x",
    }
    refused = await desk.post(f"{TILL}/maintenance", window, key="operator")
    assert (refused.status, refused.code) == (422, code)


async def test_an_incident_of_a_bank_names_it(desk: Desk) -> None:
    """And no channel."""
    await desk.store.open_bank_incident(of_bank("CCB", ("till",), NOW, "in_1"))
    (found,) = (await desk.get("/v1/admin/incidents", key="operator")).json["data"]
    assert (found["bank"], found["channel"], found["freezes"]) == ("CCB", "", False)
    assert found["kind"] == "bank_down"

"""Proposals of two people and incidents, over the API."""

from typing import Any

import pytest

from channels.contract import Absent, Paid, Reason, Rejected, Unknown, UnknownCause
from tests.gateway.api.desk import OPERATOR_SCOPES, Answer, Desk
from tests.gateway.api.till import Till

BODY: dict[str, Any] = {"reason": "rail_down", "evidence": "letter of 3 March, 王小五"}
PROPOSALS, INCIDENTS = "/v1/admin/proposals", "/v1/admin/incidents"


@pytest.fixture
async def people(desk: Desk) -> Desk:
    """Two persons, one of them with two keys, and the bootstrap key of nobody."""
    for name, person in (("wang", "Wang"), ("wang-2", "wang "), ("zhao", "Zhao")):
        await desk.add_key(name, None, OPERATOR_SCOPES, person=person)
    return desk


class Silent:
    """Makes the till find nothing."""

    def __init__(self, till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
        """From now on."""

        async def nothing(_: object) -> Absent:
            return Absent()

        monkeypatch.setattr(till, "inquire", nothing)


async def doubtful(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> str:
    """A payout of whose only attempt nobody knows anything."""
    Silent(desk.till, monkeypatch)
    desk.till.outcomes.append(Unknown(UnknownCause.TIMEOUT))
    payout_id = await desk.pay()
    await desk.work(payout_id)
    return f"/v1/admin/payouts/{payout_id}/certificate"


async def by(desk: Desk, who: str, path: str, body: Any = None) -> Answer:
    """Somebody posts."""
    return await desk.post(path, body, key=who)


async def test_one_proposes_and_another_approves(
    people: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """201 with what was proposed; then the payout is free of its attempt."""
    path = await doubtful(people, monkeypatch)
    made = await by(people, "wang", path, {**BODY, "evidence_sha256": "a" * 64})
    assert made.status == 201
    assert (made.json["maker_person"], made.json["state"]) == ("Wang", "open")
    listed = await people.get(PROPOSALS, key="zhao")
    assert [one["id"] for one in listed.json["data"]] == [made.json["id"]]
    approved = await by(people, "zhao", f"{path}/approve")
    assert approved.status == 200
    assert approved.json["state"] == "routing"
    assert (await people.get(PROPOSALS, key="zhao")).json == {"data": []}
    every = await people.get(PROPOSALS, key="zhao", query={"state": "all"})
    assert [(one["state"], one["checker_person"]) for one in every.json["data"]] == [
        ("approved", "Zhao")
    ]


@pytest.mark.parametrize(
    ("who", "status", "code"),
    [
        ("wang", 403, "same_person"),
        ("wang-2", 403, "same_person"),
        ("operator", 403, "person_unknown"),
        ("acme", 403, "scope_missing"),
    ],
)
async def test_who_may_not_approve(
    people: Desk, monkeypatch: pytest.MonkeyPatch, who: str, status: int, code: str
) -> None:
    """Nobody who proposed, with whatever key, nor a key of nobody, nor a merchant."""
    path = await doubtful(people, monkeypatch)
    await by(people, "wang", path, BODY)
    refused = await by(people, who, f"{path}/approve")
    assert (refused.status, refused.code) == (status, code)


async def test_a_proposal_is_rejected_with_a_note(
    people: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is closed, and there is nothing left to approve."""
    path = await doubtful(people, monkeypatch)
    await by(people, "wang", path, BODY)
    assert (await by(people, "wang", path, BODY)).code == "proposal_exists"
    closed = await by(people, "zhao", f"{path}/reject", {"note": "which letter?"})
    assert (closed.json["state"], closed.json["note"]) == ("rejected", "which letter?")
    assert (await by(people, "zhao", f"{path}/approve")).code == "no_such_proposal"
    assert (await by(people, "zhao", f"{path}/reject", {})).status == 404


@pytest.mark.parametrize(
    "body",
    [{}, {"reason": "rail_down"}, {**BODY, "reason": "because"}, {**BODY, "evidence_sha256": "A"}],
)
async def test_a_proposal_needs_reason_and_evidence(people: Desk, body: dict[str, Any]) -> None:
    """Else it is refused as a bad request."""
    refused = await by(people, "wang", "/v1/admin/payouts/po_x/certificate", body)
    assert refused.status == 422


async def test_what_is_not_in_doubt_is_not_certified(people: Desk) -> None:
    """A paid payout, or none."""
    payout_id = await people.pay()
    await people.work(payout_id)
    refused = await by(people, "wang", f"/v1/admin/payouts/{payout_id}/certificate", BODY)
    assert (refused.status, refused.code) == (409, "nothing_in_doubt")
    refused = await by(people, "wang", "/v1/admin/payouts/po_none/certificate", BODY)
    assert refused.status == 404


async def lied(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> str:
    """An incident: the till refused a payout and says an hour later that it paid it."""
    desk.till.outcomes.append(Rejected(Reason.PAYEE_BLOCKED, "NO"))
    payout_id = await desk.pay()
    await desk.work(payout_id)

    async def paid(_: object) -> Paid:
        return Paid("T1", desk.clock.now())

    monkeypatch.setattr(desk.till, "inquire", paid)
    from gateway.engine.vigil import due_looks, look

    desk.clock.advance(hours=2)
    assert await due_looks(desk.gateway) == 1
    told = desk.gateway.queue.get_nowait()
    while told.watch is None:
        told = desk.gateway.queue.get_nowait()
    payout = await desk.store.payout(told.payout_id)
    assert payout is not None
    await look(desk.gateway, payout, told.watch)
    return payout_id


async def test_an_incident_is_listed_shown_and_released(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The channel is shown as frozen until somebody has looked and said what was found."""
    payout_id = await lied(desk, monkeypatch)
    (found,) = (await desk.get(INCIDENTS, key="operator")).json["data"]
    assert (found["kind"], found["payout_id"], found["freezes"]) == (
        "late_success",
        payout_id,
        True,
    )
    channels = (await desk.get("/v1/admin/channels", key="operator")).json["data"]
    assert {one["name"]: one["frozen_by"] for one in channels}["till"] == found["id"]
    ready = await desk.call("GET", "/readyz")
    assert ready.json["failover_frozen"] == {"till": found["id"]}
    path = f"{INCIDENTS}/{found['id']}"
    assert (await desk.get(path, key="operator")).json == found
    assert (await desk.post(f"{path}/release", {}, key="operator")).status == 422
    released = await desk.post(f"{path}/release", {"reason": "their error"}, key="operator")
    assert (released.json["state"], released.json["note"]) == ("released", "their error")
    assert "failover_frozen" not in (await desk.call("GET", "/readyz")).json
    assert (await desk.get(INCIDENTS, key="operator")).json == {"data": []}
    every = await desk.get(INCIDENTS, key="operator", query={"state": "all"})
    assert len(every.json["data"]) == 1


async def test_an_unknown_incident_is_404(desk: Desk) -> None:
    """To look at, and to release."""
    assert (await desk.get(f"{INCIDENTS}/in_x", key="operator")).code == "no_such_incident"
    refused = await desk.post(f"{INCIDENTS}/in_x/release", {"reason": "x"}, key="operator")
    assert refused.code == "no_such_incident"

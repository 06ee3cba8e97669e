"""Routing policies over the API: two people, mistakes by line, canary, shadow, rollback."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import orjson
import pytest

from gateway.domain.payout import PayoutId
from tests.gateway.api.desk import OPERATOR_SCOPES, Answer, Desk

POLICY = "/v1/admin/policy"
NIGHT = "version: 1\nname: night\nparameters: {capital_rate_ppm: 200000}\n"
DENY = """\
version: 2
name: deny
rules:
  - {name: untried, when: channel.observations < 1000, then: {deny: this}}
examples:
  - name: a big one
    payout: {amount_minor: 12345, rail: bank_card}
    expect: {rules: [untried]}
"""


@pytest.fixture
async def people(desk: Desk) -> Desk:
    """Two persons, one of them with two keys, and the bootstrap key of nobody."""
    for name, person in (("wang", "Wang"), ("wang-2", "wang "), ("zhao", "Zhao")):
        await desk.add_key(name, None, OPERATOR_SCOPES, person=person)
    return desk


async def by(desk: Desk, who: str, path: str, body: Any = None) -> Answer:
    """Somebody posts."""
    return await desk.post(f"{POLICY}/{path}", body, key=who)


async def agreed(desk: Desk, text: str = NIGHT, **plan: Any) -> str:
    """Wang proposes, Zhao approves; the change's path."""
    made = await by(desk, "wang", "changes", {"text": text, "note": "cheaper", **plan})
    assert made.status == 201, made.raw
    path = f"changes/{made.json['change']['id']}"
    approved = await by(desk, "zhao", f"{path}/approve")
    assert approved.status == 200, approved.raw
    return path


async def status(desk: Desk) -> Mapping[str, Any]:
    """What is in use."""
    answer = await desk.get(POLICY, key="wang")
    assert answer.status == 200, answer.raw
    found: Mapping[str, Any] = answer.json
    return found


async def decisions(desk: Desk, payout_id: str) -> list[Any]:
    """Every stored decision of a payout."""
    return [orjson.loads(text) for _, text in await desk.store.decisions(PayoutId(payout_id))]


async def test_a_fresh_installation_has_the_built_in_policy(people: Desk) -> None:
    """In use, stored, and shown with its text."""
    found = await status(people)
    assert (found["mode"], found["active"]["name"], found["active"]["version"]) == (
        "database",
        "default",
        1,
    )
    shown = await people.get("/v1/admin/policies/active", key="wang")
    assert shown.json["text"].startswith("# The policy a fresh installation starts with")
    assert (await people.get("/v1/admin/policies", key="wang")).json["data"][0]["version"] == 1


async def test_what_is_proposed_is_told_in_words(people: Desk) -> None:
    """201 with the differences; whoever reviews it reads the same."""
    made = await by(people, "wang", "changes", {"text": NIGHT, "note": "cheaper"})
    assert made.status == 201
    assert [one["path"] for one in made.json["differences"]] == [
        "merchants.*",
        "name",
        "parameters.capital_rate_ppm",
        "version",
    ]
    change = made.json["change"]
    assert (change["state"], change["proposed_person"]) == ("open", "Wang")
    reviewed = await people.get(f"{POLICY}/changes/{change['id']}", key="zhao")
    assert reviewed.json == made.json
    listed = await people.get(f"{POLICY}/changes", key="zhao")
    assert listed.json == {"data": [change]}
    again = await by(people, "wang", "changes", {"text": NIGHT, "note": "cheaper"})
    assert (again.status, again.json) == (201, made.json)


@pytest.mark.parametrize(
    ("who", "status_code", "code"),
    [
        ("wang", 403, "same_person"),
        ("wang-2", 403, "same_person"),
        ("operator", 403, "person_unknown"),
        ("acme", 403, "scope_missing"),
    ],
)
async def test_who_may_not_approve(people: Desk, who: str, status_code: int, code: str) -> None:
    """The proposer, with whatever key; a key of nobody; a merchant."""
    made = await by(people, "wang", "changes", {"text": NIGHT, "note": "cheaper"})
    before = people.rows()
    refused = await by(people, who, f"changes/{made.json['change']['id']}/approve")
    assert (refused.status, refused.code) == (status_code, code)
    assert people.rows() == before
    if code == "person_unknown":
        assert "--person" in refused.json["detail"]
        assert "--person" in refused.json["detail_zh"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("changes", {"text": NIGHT, "note": "n"}),
        ("rollback", {"leaving": "a" * 64, "reason": "bad"}),
    ],
)
async def test_the_bootstrap_key_is_nobodys(people: Desk, path: str, body: Any) -> None:
    """It proposes nothing and rolls nothing back."""
    refused = await by(people, "operator", path, body)
    assert (refused.status, refused.code) == (403, "person_unknown")


async def test_every_mistake_has_its_line(people: Desk) -> None:
    """RFC 9457 with `errors`; nothing is stored, and what decides goes on."""
    before = people.rows()
    text = "version: 1\nname: BAD\nparameters:\n  explore_ppm: lots\n  no_such: 1\n"
    for path, body in (("changes", {"text": text, "note": "n"}), ("check", {"text": text})):
        refused = await by(people, "wang", path, body)
        assert (refused.status, refused.code) == (422, "policy_invalid")
        assert [one["line"] for one in refused.json["errors"]] == [2, 4, 5]
        assert "explore_ppm" in refused.json["errors"][1]["detail"]
        assert "2、4、5" in refused.json["detail_zh"]
    assert people.rows() == before
    assert (await status(people))["active"]["name"] == "default"


async def test_a_check_stores_nothing(people: Desk) -> None:
    """And says what would change."""
    before = people.rows()
    found = await by(people, "operator", "check", {"text": NIGHT})
    assert found.status == 200
    assert found.json["differences"]
    assert people.rows() == before


async def test_the_whole_way_and_back(people: Desk) -> None:
    """Canary, more, active, rollback; each twice, as a client that got no answer would."""
    path = await agreed(people)
    for share in (50_000, 200_000):
        for _ in range(2):
            found = await by(people, "wang", f"{path}/canary", {"share_ppm": share})
            assert (found.status, found.json["share_ppm"]) == (200, share)
    assert (await status(people))["canary"]["share_ppm"] == 200_000
    for _ in range(2):
        found = await by(people, "wang", f"{path}/activate", {})
        assert found.json["state"] == "active"
    active = (await status(people))["active"]
    assert (active["name"], active["by"]) == ("night", "Wang")
    for _ in range(2):
        back = await by(
            people, "zhao", "rollback", {"leaving": active["hash"], "reason": "it is worse"}
        )
        assert back.status == 200
        assert back.json["active"]["name"] == "default"
    history = (await people.get(f"{POLICY}/history", key="wang")).json["data"]
    assert [one["act"] for one in history] == [
        *("seeded", "proposed", "approved", "canaried", "canaried", "activated", "rolled_back")
    ]
    assert history[-1]["note"] == "it is worse"
    trail = await people.store.audit_trail(1000)
    acts = [row.action for row in trail if row.action.startswith("policy.")]
    assert acts == [f"policy.{one['act']}" for one in history]


async def test_a_schedule_is_shown_and_can_be_given_up(people: Desk) -> None:
    """Approved for a time: it says so; cancelled, it does not come."""
    then = (people.clock.now() + timedelta(days=2)).isoformat()
    path = await agreed(people, activates_at=then)
    scheduled = (await status(people))["scheduled"]
    assert scheduled["activates_at"] == then.replace("+00:00", "Z")
    cancelled = await by(people, "wang", f"{path}/cancel", {"note": "not now"})
    assert (cancelled.json["state"], cancelled.json["activates_at"]) == ("cancelled", None)
    people.clock.at += timedelta(days=3)
    await people.api.policies.look()
    assert (await status(people))["active"]["name"] == "default"


async def test_a_time_too_far_ahead_is_refused(people: Desk) -> None:
    """422, naming the field."""
    body = {"text": NIGHT, "note": "n", "activates_at": "2099-01-01T02:00:00+08:00"}
    refused = await by(people, "wang", "changes", body)
    assert (refused.status, refused.json["param"]) == (422, "activates_at")


async def test_a_canary_decides_for_its_payouts_only(people: Desk) -> None:
    """Those accepted since, by lot; the policy's hash stands in each decision."""
    old = await people.pay("before")
    path = await agreed(people)
    await by(people, "wang", f"{path}/canary", {"share_ppm": 500_000})
    people.clock.at += timedelta(seconds=10)
    made = [await people.pay(f"order-{number}") for number in range(20)]
    found = await status(people)
    names = {found["active"]["hash"]: "active", found["canary"]["hash"]: "canary"}
    by_policy = []
    for payout_id in (old, *made):
        await people.work(payout_id)
        (decision,) = await decisions(people, payout_id)
        by_policy.append(names[decision["policy"]])
    assert by_policy[0] == "active"
    assert set(by_policy[1:]) == {"active", "canary"}


async def test_a_shadow_decides_in_vain_and_is_added_up(people: Desk) -> None:
    """The real decision is untouched; the report says how often it would have differed."""
    await agreed(people, DENY, shadow=True)
    made = await people.pay("order-1")
    await people.work(made)
    (decision,) = await decisions(people, made)
    assert decision["shadow"]["instead_of"] == "till"
    assert decision["shadow"]["channel"] is None
    assert decision["shadow"]["saving_micro"] is None
    shown = await people.get(f"/v1/payouts/{made}/attempts")
    assert shown.json["data"][0]["channel"] == "till"
    report = await people.get(f"{POLICY}/shadow", key="wang")
    assert report.status == 200
    assert (report.json["decisions"], report.json["agreement_ppm"]) == (1, 0)
    assert report.json["by_channel"] == [
        {
            "currency": "CNY",
            "from_channel": "till",
            "to_channel": None,
            "decisions": 1,
            "priced": 0,
            "saving_micro": 0,
        }
    ]
    why = await people.get(f"/v1/payouts/{made}/why")
    assert why.status == 200


async def test_a_shadow_that_agrees_saves_nothing(people: Desk) -> None:
    """Priced, and 0; found by its change's id when it runs no more."""
    path = await agreed(people, NIGHT, shadow=True)
    made = await people.pay("order-1")
    await people.work(made)
    await by(people, "wang", f"{path}/cancel", {"note": "seen enough"})
    assert (await people.get(f"{POLICY}/shadow", key="wang")).status == 404
    change = path.removeprefix("changes/")
    report = await people.get(f"{POLICY}/shadow", key="wang", query={"change": change})
    assert (report.json["state"], report.json["agreement_ppm"]) == ("cancelled", 1_000_000)
    assert report.json["savings"] == [{"currency": "CNY", "priced": 1, "saving_micro": 0}]


async def test_a_rejected_policy_goes_nowhere(people: Desk) -> None:
    """Its maker may withdraw it so; then nobody can approve it."""
    made = await by(people, "wang", "changes", {"text": NIGHT, "note": "n"})
    path = f"changes/{made.json['change']['id']}"
    for _ in range(2):
        rejected = await by(people, "wang", f"{path}/reject", {"note": "mistake"})
        assert (rejected.status, rejected.json["state"]) == (200, "rejected")
    refused = await by(people, "zhao", f"{path}/approve")
    assert (refused.status, refused.code) == (409, "state_forbids")
    everything = await people.get(f"{POLICY}/changes", key="wang", query={"state": "all"})
    assert [one["closing_note"] for one in everything.json["data"]] == ["mistake"]


async def test_two_policies_are_compared(people: Desk) -> None:
    """By number, by role."""
    await by(people, "wang", "changes", {"text": NIGHT, "note": "n"})
    found = await people.get("/v1/admin/policies/v2/diff", key="wang", query={"against": "v1"})
    assert found.status == 200
    assert found.json["differences"]
    same = await people.get("/v1/admin/policies/v1/diff", key="wang")
    assert same.json["differences"] == []


@pytest.mark.parametrize(
    "path", ["policies/v9", "policies/abcdef", "policy/changes/pc_x", "policies/v9/diff"]
)
async def test_what_does_not_exist_is_not_found(people: Desk, path: str) -> None:
    """404."""
    assert (await people.get(f"/v1/admin/{path}", key="wang")).status == 404


async def test_a_rollback_from_what_is_not_in_use_is_refused(people: Desk) -> None:
    """Somebody looked at another moment: look again."""
    refused = await by(people, "wang", "rollback", {"leaving": "a" * 64, "reason": "bad"})
    assert (refused.status, refused.code) == (409, "policy_moved")
    active = (await status(people))["active"]["hash"]
    refused = await by(people, "wang", "rollback", {"leaving": active, "reason": "bad"})
    assert (refused.status, refused.code) == (409, "nothing_before")


async def test_a_long_policy_is_taken(people: Desk) -> None:
    """Longer than other requests may be, and not without end."""
    text = NIGHT + "# 备注" * 20_000
    found = await by(people, "wang", "check", {"text": text})
    assert found.status == 200, found.raw
    refused = await by(people, "wang", "check", {"text": text * 4})
    assert (refused.status, refused.code) == (422, "field_invalid")
    endless = await by(people, "wang", "check", {"text": text * 6})
    assert (endless.status, endless.code) == (413, "body_too_large")

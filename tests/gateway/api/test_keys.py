"""Who may ask: keys, scopes and revocation."""

import asyncio
from typing import Any

import pytest

from gateway.ports import ApiKey, Scope
from tests.builders import merchant
from tests.gateway.api.desk import ACME, Desk, payout_body


async def denied(desk: Desk, method: str, path: str, **rest: Any) -> tuple[int, str]:
    """Status and code of a refusal that must leave nothing behind."""
    before = desk.rows()
    answer = await desk.call(method, path, **rest)
    assert desk.rows() == before
    if answer.status == 401:
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    return answer.status, answer.code


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer hd_live_1",
        "Basic dXNlcjpwYXNz",
        "bearer x",
        "Bearer hd_0123456789abcdef_" + "A" * 42,
        "Bearer hd_0123456789ABCDEF_" + "A" * 43,
    ],
)
async def test_a_request_without_a_key_is_refused(desk: Desk, header: str | None) -> None:
    """401 with the way to authenticate, whatever else is wrong with the request."""
    headers = {} if header is None else {"Authorization": header}
    for path in ("/v1/payouts", "/v1/payouts/po_1?x=1", "/v1/admin/ledger"):
        told = await denied(desk, "GET", path, key=None, headers=headers)
        assert told == (401, "key_missing")
    posted = await denied(
        desk, "POST", "/v1/payouts", body=payout_body(), key=None, headers=headers
    )
    assert posted == (401, "key_missing")


async def test_an_unknown_key_and_a_wrong_secret_read_the_same(desk: Desk) -> None:
    """Nobody learns which key ids exist."""
    good = desk.keys["acme"]
    desk.keys["unknown"] = f"hd_{'0' * 16}_{good[-43:]}"
    desk.keys["wrong"] = good[:-1] + ("A" if good[-1] != "A" else "B")
    unknown = await desk.get("/v1/payouts", key="unknown")
    wrong = await desk.get("/v1/payouts", key="wrong")
    for answer in (unknown, wrong):
        assert (answer.status, answer.code) == (401, "key_invalid")
    assert {**unknown.json, "request_id": ""} == {**wrong.json, "request_id": ""}


async def test_a_revoked_key_opens_nothing_from_then_on(desk: Desk) -> None:
    """Also right after it was used: what is cached is forgotten."""
    key_id = await desk.add_key("second", ACME, frozenset(Scope) - {Scope.ADMIN})
    assert (await desk.get("/v1/payouts", key="second")).status == 200
    revoked = await desk.call("DELETE", f"/v1/admin/keys/{key_id}", key="operator")
    assert revoked.status == 200
    assert await denied(desk, "GET", "/v1/payouts", key="second") == (401, "key_invalid")
    again = await desk.call("DELETE", f"/v1/admin/keys/{key_id}", key="operator")
    assert (again.status, again.code) == (404, "no_such_key")


async def test_a_key_revoked_by_another_process_is_refused_within_seconds(desk: Desk) -> None:
    """What is cached is believed for two seconds and no longer."""
    key_id = await desk.add_key("second", ACME, frozenset({Scope.PAYOUTS_READ}))
    assert (await desk.get("/v1/payouts", key="second")).status == 200
    await desk.store.revoke_key(key_id, desk.clock.now(), "another process")
    desk.clock.advance(seconds=2)
    assert await denied(desk, "GET", "/v1/payouts", key="second") == (401, "key_invalid")


async def test_requests_at_the_same_moment_ask_for_their_key_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When what is cached ends, one of them asks and all wait for its answer."""
    asked: list[str] = []
    key = desk.store.key

    async def counting(key_id: str) -> ApiKey | None:
        asked.append(key_id)
        await asyncio.sleep(0.05)
        return await key(key_id)

    monkeypatch.setattr(desk.store, "key", counting)
    desk.clock.advance(seconds=2)

    answers = await asyncio.gather(*(desk.get("/v1/payouts") for _ in range(8)))

    assert [answer.status for answer in answers] == [200] * 8
    assert len(asked) == 1


async def test_what_is_read_while_a_key_is_revoked_is_not_believed_afterwards(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that had read the key before it was revoked leaves nothing cached behind."""
    key_id = await desk.add_key("second", ACME, frozenset({Scope.PAYOUTS_READ}))
    key, reading, go_on = desk.store.key, asyncio.Event(), asyncio.Event()

    async def slow(wanted: str) -> ApiKey | None:
        found = await key(wanted)
        if wanted == key_id and not reading.is_set():
            reading.set()
            await go_on.wait()
        return found

    monkeypatch.setattr(desk.store, "key", slow)
    early = asyncio.create_task(desk.get("/v1/payouts", key="second"))
    await reading.wait()
    revoked = await desk.call("DELETE", f"/v1/admin/keys/{key_id}", key="operator")
    go_on.set()

    assert revoked.status == 200
    await early
    assert await denied(desk, "GET", "/v1/payouts", key="second") == (401, "key_invalid")


async def test_two_live_keys_serve_one_merchant(desk: Desk) -> None:
    """So that a key can be replaced without a gap."""
    await desk.add_key("second", ACME, frozenset({Scope.PAYOUTS_READ}))
    made = await desk.pay()
    assert (await desk.get(f"/v1/payouts/{made}", key="second")).json["id"] == made


async def test_an_inactive_merchants_key_opens_nothing(desk: Desk) -> None:
    """Its keys are as good as revoked."""
    await desk.add_merchant(merchant("m_gone", active=False))
    assert await denied(desk, "GET", "/v1/payouts", key="gone") == (401, "key_invalid")


@pytest.mark.parametrize(
    ("scopes", "method", "path"),
    [
        ({Scope.PAYOUTS_READ}, "POST", "/v1/payouts"),
        ({Scope.PAYOUTS_READ}, "POST", "/v1/payouts/po_1/cancel"),
        ({Scope.PAYOUTS_READ, Scope.PAYOUTS_WRITE}, "GET", "/v1/webhook-endpoints"),
        ({Scope.PAYOUTS_WRITE, Scope.WEBHOOKS}, "GET", "/v1/payouts"),
        ({Scope.PAYOUTS_WRITE, Scope.WEBHOOKS}, "GET", "/v1/balances"),
        (set(Scope) - {Scope.ADMIN}, "GET", "/v1/admin/ledger"),
        (set(Scope) - {Scope.ADMIN}, "POST", "/v1/admin/clock/advance"),
    ],
)
async def test_a_key_acts_only_within_its_scopes(
    desk: Desk, scopes: set[Scope], method: str, path: str
) -> None:
    """403 names the scope that lacks, before body and path are looked at."""
    await desk.add_key("narrow", ACME, frozenset(scopes))
    assert await denied(desk, method, path, key="narrow") == (403, "scope_missing")


async def test_an_operator_makes_no_payouts(desk: Desk) -> None:
    """A payout belongs to a merchant; an operator's key has none."""
    told = await denied(desk, "POST", "/v1/payouts", body=payout_body(), key="operator")
    assert told == (403, "merchant_key_needed")


async def test_an_operator_sees_every_merchants_payouts(desk: Desk) -> None:
    """With the scope to read, and without their details."""
    made = {await desk.pay(), await desk.pay(key="other")}
    seen = await desk.get("/v1/payouts", key="operator")
    assert {one["id"] for one in seen.json["data"]} == made

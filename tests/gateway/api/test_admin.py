"""Administration with an operator's key."""

from datetime import timedelta
from typing import Any

import pytest

from channels.contract import Credential, Unknown, UnknownCause
from gateway.engine import reconcile
from gateway.engine.gateway import ChannelLabel
from tests.builders import after, merchant
from tests.gateway.api.desk import ACME, Desk, payout_body

MERCHANTS = "/v1/admin/merchants"
DEPOSIT = {"amount_minor": 5_000, "currency": "CNY", "key": "deposit-1"}


async def ask(desk: Desk, method: str, path: str, body: Any = None, status: int = 200) -> Any:
    """Do something as the operator."""
    answer = await desk.call(method, path, body, key="operator")
    assert answer.status == status, answer.raw
    return answer.json


async def refused(desk: Desk, method: str, path: str, body: Any = None) -> tuple[int, str, Any]:
    """Status, code and param of a refusal that leaves nothing behind."""
    before = desk.rows()
    answer = await desk.call(method, path, body, key="operator")
    assert desk.rows() == before
    return answer.status, answer.code, answer.json.get("param")


# --- Merchants ---------------------------------------------------------------------------------


async def test_a_merchant_is_added_with_its_agreement(desk: Desk) -> None:
    """And listed from then on."""
    body = {
        "id": "m_new",
        "name": "新商户",
        "funding": "credit",
        "credit_limit_minor": 100_000,
        "fee": {"flat_minor": 20, "rate_ppm": 3000, "max_minor": 900},
        "release_delay_s": 60,
        "review_above_minor": 500_000,
    }
    made = await ask(desk, "POST", MERCHANTS, body, 201)
    assert {name: made[name] for name in body if name != "fee"} == {
        name: one for name, one in body.items() if name != "fee"
    }
    assert made["fee"] == {
        "flat_minor": 20,
        "rate_ppm": 3000,
        "min_minor": 0,
        "max_minor": 900,
        "surcharge_ppm": 0,
        "mode": "on_top",
        "tiers": [],
        "basis": "payouts",
        "scheme": "incremental",
        "on_return": "kept",
    }
    assert made["active"] is True
    listed = (await ask(desk, "GET", MERCHANTS))["data"]
    assert [one["id"] for one in listed] == ["m_acme", "m_new", "m_other"]
    assert listed[1] == made


async def test_a_merchant_id_is_taken_once(desk: Desk) -> None:
    """409, and the first one stands."""
    told = await refused(desk, "POST", MERCHANTS, {"id": ACME, "name": "Again"})
    assert told == (409, "merchant_exists", "id")


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"id": "M New"}, "id"),
        ({"name": "a\u202eb"}, "name"),
        ({"funding": "barter"}, "funding"),
        ({"funding": "credit"}, "credit_limit_minor"),
        ({"credit_limit_minor": 5}, "credit_limit_minor"),
        ({"fee": {"min_minor": 5, "max_minor": 4}}, "fee.max_minor"),
        ({"fee": {"rate_ppm": 1_000_001}}, "fee.rate_ppm"),
        ({"fee": {"percent": 1}}, "fee.percent"),
        ({"review_above_minor": 0}, "review_above_minor"),
        ({"release_delay_s": -1}, "release_delay_s"),
    ],
)
async def test_an_agreement_that_contradicts_itself_is_refused(
    desk: Desk, changes: dict[str, Any], param: str
) -> None:
    """With the field at fault."""
    status, _, found = await refused(
        desk, "POST", MERCHANTS, {"id": "m_new", "name": "New", **changes}
    )
    assert (status, found) == (422, param)


async def test_each_way_of_funding_sets_its_own_floor(desk: Desk) -> None:
    """Credit reaches below zero to its limit; pass-through has no floor."""
    await ask(
        desk,
        "POST",
        MERCHANTS,
        {"id": "m_credit", "name": "C", "funding": "credit", "credit_limit_minor": 10_000},
        201,
    )
    await ask(
        desk, "POST", MERCHANTS, {"id": "m_pass", "name": "P", "funding": "pass_through"}, 201
    )
    for name in ("m_credit", "m_pass"):
        made = await ask(
            desk,
            "POST",
            f"{MERCHANTS}/{name}/keys",
            {"label": "till", "scopes": ["payouts:write"]},
            201,
        )
        desk.keys[name] = made["key"]
    within = payout_body(amount_minor=10_000)
    assert (await desk.post("/v1/payouts", within, key="m_credit")).status == 201
    beyond = payout_body(amount_minor=10, merchant_ref="order-2")
    assert (await desk.post("/v1/payouts", beyond, key="m_credit")).code == "insufficient_funds"
    assert (await desk.post("/v1/payouts", within, key="m_pass")).status == 201
    assert (await ask(desk, "GET", "/v1/admin/ledger"))["balanced"] is True


async def test_a_release_delay_holds_every_payout_for_a_while(desk: Desk) -> None:
    """The merchant's time to change its mind."""
    await desk.add_merchant(merchant("m_slow", release_delay_s=60))
    made = await desk.post("/v1/payouts", payout_body(), key="slow")
    assert (made.json["state"], made.json["release_after"]) == (
        "scheduled",
        after(60).isoformat().replace("+00:00", "Z"),
    )


# --- Money -------------------------------------------------------------------------------------


async def test_a_deposit_is_booked_once_per_key(desk: Desk) -> None:
    """Repeating it says that it had been booked."""
    path = f"{MERCHANTS}/{ACME}/fund"
    assert await ask(desk, "POST", path, DEPOSIT) == {"booked": True}
    assert await ask(desk, "POST", path, DEPOSIT) == {"booked": False}
    other = {**DEPOSIT, "amount_minor": 7}
    refused = await desk.post(path, other, key="operator")
    assert refused.code == "idempotency_key_reused"
    (available,) = (await desk.get("/v1/balances")).json["data"]
    assert available["balance_minor"] == 100_005_000


async def test_two_merchants_may_use_one_deposit_key(desk: Desk) -> None:
    """Keys are of a merchant; so are those of a channel."""
    for path in (
        f"{MERCHANTS}/{ACME}/fund",
        f"{MERCHANTS}/m_other/fund",
        "/v1/admin/channels/till/topup",
    ):
        assert await ask(desk, "POST", path, DEPOSIT) == {"booked": True}


@pytest.mark.parametrize("amount", [0, -1, "1", 10**15 + 1, 2**63, None])
async def test_a_deposit_needs_an_amount(desk: Desk, amount: Any) -> None:
    """Positive, whole, and not so large that a few would overflow a balance."""
    told = await refused(
        desk, "POST", f"{MERCHANTS}/{ACME}/fund", DEPOSIT | {"amount_minor": amount}
    )
    assert told == (422, "field_invalid", "amount_minor")


async def test_a_top_up_is_in_the_channels_currency(desk: Desk) -> None:
    """A channel has one."""
    told = await refused(
        desk, "POST", "/v1/admin/channels/till/topup", DEPOSIT | {"currency": "USD"}
    )
    assert told == (422, "currency_mismatch", "currency")


async def test_the_ledger_shows_every_book_and_recomputes_it(desk: Desk) -> None:
    """After a payout, float is what is left, and income is the fee."""
    made = await desk.pay()
    await desk.work(made)
    told = await ask(desk, "GET", "/v1/admin/ledger")
    assert (told["balanced"], told["problems"]) == (True, [])
    found = {(one["book"], one["owner"]): one["balance_minor"] for one in told["data"]}
    assert found["float", "till"] == 100_000_000 - 12_345
    assert found["fee_income", ""] == 30
    assert found["available", ACME] == 100_000_000 - 12_375


async def test_the_ledger_says_when_it_does_not_balance(desk: Desk) -> None:
    """A balance changed behind its entries is found and named."""
    import apsw

    with apsw.Connection(str(desk.file)) as tampered:
        tampered.execute("UPDATE balances SET minor = minor + 1 WHERE owner = 'm_acme'")
    told = await ask(desk, "GET", "/v1/admin/ledger")
    assert told["balanced"] is False
    assert any("m_acme" in problem for problem in told["problems"])


# --- Keys --------------------------------------------------------------------------------------


async def test_a_key_is_shown_once_and_stored_hashed(desk: Desk) -> None:
    """Its list shows everything but the secret."""
    body = {"label": "till 1", "scopes": ["payouts:read", "payouts:write"], "signed": True}
    made = await ask(desk, "POST", f"{MERCHANTS}/{ACME}/keys", body, 201)
    assert made["key"].startswith(f"hd_{made['id']}_")
    assert made["signing_secret"]
    listed = await desk.call("GET", f"{MERCHANTS}/{ACME}/keys", key="operator")
    (found,) = [one for one in listed.json["data"] if one["id"] == made["id"]]
    assert found == {
        "id": made["id"],
        "label": "till 1",
        "scopes": ["payouts:read", "payouts:write"],
        "signed": True,
        "person": None,
        "created_at": "2026-03-02T02:00:00Z",
        "revoked_at": None,
    }
    content = desk.file.read_bytes() + desk.file.with_name("desk.db-wal").read_bytes()
    for secret in (made["key"], made["key"][-43:], made["signing_secret"]):
        assert secret.encode() not in listed.raw
        assert secret.encode() not in content


async def test_a_merchants_key_is_never_an_operators(desk: Desk) -> None:
    """Nor has a key no scope, or one that does not exist."""
    path = f"{MERCHANTS}/{ACME}/keys"
    told = await refused(desk, "POST", path, {"label": "x", "scopes": ["admin"]})
    assert told == (422, "scope_not_for_merchants", "scopes")
    assert (await refused(desk, "POST", path, {"label": "x", "scopes": []}))[2] == "scopes"
    assert (await refused(desk, "POST", path, {"label": "x", "scopes": ["all"]}))[2] == "scopes.0"


async def test_a_new_key_works_at_once(desk: Desk) -> None:
    """And within its scopes."""
    made = await ask(
        desk, "POST", f"{MERCHANTS}/{ACME}/keys", {"label": "r", "scopes": ["payouts:read"]}, 201
    )
    desk.keys["new"] = made["key"]
    assert made["signing_secret"] is None
    assert (await desk.get("/v1/balances", key="new")).status == 200


# --- Channels ----------------------------------------------------------------------------------


async def test_channels_show_their_labels_and_keys(desk: Desk) -> None:
    """Keys by name and fingerprint, with their ends; the ended one that keeps a channel out."""
    ends = desk.clock.at + timedelta(days=20)
    cert = Credential("app_cert_file", "ours", "a" * 64, ends)
    desk.gateway.credentials = {"till": (cert,)}
    desk.gateway.labels = {"till": ChannelLabel("一号柜台", "First till")}
    found = await ask(desk, "GET", "/v1/admin/channels/till")
    assert found["label"] == {"zh": "一号柜台", "en": "First till"}
    [told] = found["credentials"]
    assert (told["name"], told["holder"]) == ("app_cert_file", "ours")
    assert told["fingerprint"] == "a" * 64
    assert told["expires_at"].startswith(ends.strftime("%Y-%m-%dT%H:%M"))
    assert found["expired"] is None
    assert (await ask(desk, "GET", "/v1/admin/channels/alipay-main"))["label"] is None
    desk.clock.at = ends
    assert (await ask(desk, "GET", "/v1/admin/channels/till"))["expired"] == "app_cert_file"


async def test_channels_show_what_they_carry_and_how_they_do(desk: Desk) -> None:
    """Float, use of the day, doubts, believed success."""
    for ref in ("order-1", "order-2"):
        await desk.work(await desk.pay(ref))
    desk.till.outcomes.append(Unknown(UnknownCause.TIMEOUT))
    await desk.work(await desk.pay("order-3"))
    found = {one["name"]: one for one in (await ask(desk, "GET", "/v1/admin/channels"))["data"]}
    assert set(found) == {"alipay-main", "wechat-main", "till"}
    till = found["till"]
    assert (till["kind"], till["status"], till["rails"]) == ("till", "active", ["bank_card"])
    assert till["float_minor"] == 100_000_000 - 3 * 12_345
    assert till["day_used_minor"] == 3 * 12_345
    assert (till["in_doubt"], till["sending"]) == (1, 0)
    assert till["observations"] == 3
    assert 0 < till["success_ppm"] <= 1_000_000
    assert found["alipay-main"]["float_minor"] == 0


async def test_a_paused_channel_gets_nothing_until_it_is_resumed(desk: Desk) -> None:
    """Effective at once, and shown with its reason."""
    switch = "/v1/admin/channels/till/status"
    told = await ask(desk, "POST", switch, {"status": "paused", "reason": "bank is down"})
    (till,) = [one for one in told["data"] if one["name"] == "till"]
    assert (till["status"], till["reason"]) == ("paused", "bank is down")
    made = await desk.pay()
    await desk.work(made)
    assert (await desk.get(f"/v1/payouts/{made}")).json["state"] == "routing"
    await ask(desk, "POST", switch, {"status": "active", "reason": "up again"})
    desk.clock.advance(hours=1)
    await desk.work(made)
    assert (await desk.get(f"/v1/payouts/{made}")).json["state"] == "paid"


async def test_a_channel_that_is_not_there_is_a_404(desk: Desk) -> None:
    """For every act on it."""
    status = {"status": "paused", "reason": "x"}
    assert (await refused(desk, "POST", "/v1/admin/channels/gone/status", status))[:2] == (
        404,
        "no_such_channel",
    )
    assert (await refused(desk, "POST", "/v1/admin/channels/gone/topup", DEPOSIT))[:2] == (
        404,
        "no_such_channel",
    )


# --- Operations --------------------------------------------------------------------------------


async def test_a_parked_payout_is_handed_back(desk: Desk) -> None:
    """Only a parked one."""
    made = await desk.pay()
    path = f"/v1/admin/payouts/{made}/unpark"
    assert (await refused(desk, "POST", path))[:2] == (409, "state_forbids")
    desk.till.outcomes.append(Unknown(UnknownCause.TIMEOUT))
    await desk.work(made)
    forgotten, desk.till.sent = desk.till.sent, []
    for _ in range(3):
        desk.clock.advance(hours=5)
        await desk.work(made)
    assert (await desk.get(f"/v1/payouts/{made}")).json["state"] == "parked"
    assert (await ask(desk, "POST", path))["state"] == "attempting"
    desk.till.sent = forgotten
    desk.clock.advance(hours=5)
    await desk.work(made)
    assert (await desk.get(f"/v1/payouts/{made}")).json["state"] == "paid"


async def test_statements_are_read_on_demand(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not published yet is told, not hidden."""
    monkeypatch.setattr(reconcile, "PACE_S", 0)
    desk.gateway.channels = {"till": desk.till}
    told = await ask(desk, "POST", "/v1/admin/statements/read")
    assert (told["days"], told["lines"], told["breaks"]) == (0, 0, 0)
    assert (told["settled"], told["returned"]) == (0, 0)
    assert len(told["waiting"]) == 7
    assert "till 2026-03-01: 2026-03-01 is not published" in told["waiting"]
    assert (await ask(desk, "GET", "/v1/admin/breaks")) == {"data": []}


async def test_a_sandbox_clock_moves_forward(desk: Desk) -> None:
    """By whole seconds, and the gateway's own time with it; what follows stands after `feed`."""
    assert await ask(desk, "GET", "/v1/admin/clock") == {"now": "2026-03-02T02:00:00Z", "feed": 0}
    await desk.pay()
    feed = (await desk.get("/v1/events")).json["next_after"]
    moved = await ask(desk, "POST", "/v1/admin/clock/advance", {"seconds": 86_400})
    assert moved == {"now": "2026-03-03T02:00:00Z", "feed": feed}
    for seconds in (0, -1, 401 * 86_400):
        told = await refused(desk, "POST", "/v1/admin/clock/advance", {"seconds": seconds})
        assert told == (422, "field_invalid", "seconds")


async def test_a_real_clock_cannot_be_moved(desk: Desk) -> None:
    """In production there is nothing to move; the answer says why."""
    desk.api.advance_clock = None
    told = await refused(desk, "POST", "/v1/admin/clock/advance", {"seconds": 1})
    assert told == (403, "clock_is_real", None)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", f"{MERCHANTS}/m_gone/fund", DEPOSIT),
        ("POST", f"{MERCHANTS}/m_gone/keys", {"label": "x", "scopes": ["webhooks"]}),
        ("GET", f"{MERCHANTS}/m_gone/keys", None),
        ("DELETE", "/v1/admin/keys/0123456789abcdef", None),
        ("POST", "/v1/admin/payouts/po_1/unpark", None),
    ],
)
async def test_acts_on_what_is_not_there_are_404(
    desk: Desk, method: str, path: str, body: Any
) -> None:
    """Merchants, keys and payouts alike."""
    assert (await refused(desk, method, path, body))[0] == 404

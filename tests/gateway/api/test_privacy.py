"""Nothing about a beneficiary and no secret leaves, in a body, a header or a line of the log."""

from collections.abc import Iterator
from typing import Any

import pytest

from channels.contract import Evidence, Reason, Rejected, Unknown, UnknownCause
from gateway.api.views import masked, masked_name
from tests.gateway.api.desk import Answer, Desk, payout_body

CARD = "6225880112345676"
HOLDER = "欧阳慕容雪"
OPENID = "oCANARY_uMuAJO_M2pxb1Q9zNjWeS"
LOGON = "canary.zhang@example.com"
SECRETS = (CARD, HOLDER, OPENID, LOGON)

WAYS: list[dict[str, Any]] = [
    {"rail": "bank_card", "number": CARD, "name": HOLDER},
    {"rail": "wechat", "openid": OPENID, "name": HOLDER},
    {"rail": "alipay", "identity": LOGON, "name": HOLDER},
]


def views(payout_id: str, delivery_id: str) -> Iterator[tuple[str, str, str]]:
    """Every reading route, as (method, path, key)."""
    one = f"/v1/payouts/{payout_id}"
    for path in (one, *(f"{one}/{part}" for part in ("attempts", "timeline", "why", "deliveries"))):
        yield "GET", path, "acme"
        yield "GET", path, "operator"
    yield from (
        ("GET", path, "acme")
        for path in ("/v1/payouts", "/v1/events", "/v1/balances", "/v1/webhook-endpoints")
    )
    yield "POST", f"/v1/deliveries/{delivery_id}/resend", "acme"
    yield from (
        ("GET", f"/v1/admin/{part}", "operator")
        for part in ("merchants", "channels", "ledger", "breaks", "merchants/m_acme/keys")
    )


def assert_private(answer: Answer, *secrets: str) -> None:
    """None of these stands anywhere in an answer."""
    said = answer.raw.decode() + " ".join(f"{n}: {v}" for n, v in answer.headers.items())
    assert not [secret for secret in (*SECRETS, *secrets) if secret in said]


async def test_no_view_and_no_log_line_names_a_beneficiary(desk: Desk) -> None:
    """After a rejection that quotes the payee, a doubt with evidence, and a payment."""
    quoting = f"{HOLDER} 的卡 {CARD} 不存在"
    desk.till.outcomes += [
        Rejected(Reason.RAIL_DOWN, "BUSY", quoting),
        Unknown(UnknownCause.UNREADABLE, Evidence(200, "X", quoting, quoting.encode())),
    ]
    endpoint = await desk.post("/v1/webhook-endpoints", {"url": "https://merchant.example/hook"})
    secret = endpoint.json["secret"]
    made = await desk.post("/v1/payouts", payout_body(beneficiary={"instruments": WAYS}))
    assert made.status == 201
    assert_private(made)
    for _ in range(3):
        await desk.work(made.json["id"])
        desk.clock.advance(hours=1)
    told = await desk.get(f"/v1/payouts/{made.json['id']}")
    assert told.json["state"] == "paid"
    (delivery, *_) = (await desk.get(f"/v1/payouts/{made.json['id']}/deliveries")).json["data"]
    for method, path, key in views(made.json["id"], delivery["id"]):
        answer = await desk.call(method, path, key=key)
        assert answer.status in {200, 202}, (path, answer.raw)
        assert_private(answer, secret, desk.keys["acme"], desk.keys["operator"])
    log = desk.log.getvalue()
    assert len(desk.log_lines()) > 20
    assert not [one for one in (*SECRETS, secret, *desk.keys.values()) if one in log]
    owed = await desk.store.due_deliveries(desk.clock.now(), 100)
    assert owed
    assert not [one for one in SECRETS for webhook in owed if one in webhook.payload.decode()]


@pytest.mark.parametrize(
    "changes",
    [
        {"speed": "now"},
        {"amount_minor": 10**18},
        {"currency": "USD"},
        {"amount_minor": 99_999_999},
        {"beneficiary": {"instruments": [{**WAYS[0], "name": f"{HOLDER}\u202e"}]}},
        {"beneficiary": {"instruments": [{**WAYS[0], "number": f"{CARD}-"}]}},
        {"beneficiary": {"instruments": [{**WAYS[0], "number": int(CARD)}]}},
        {"beneficiary": {"instruments": [{**WAYS[1], "openid": f"{OPENID}!"}]}},
        {"beneficiary": {"instruments": [{**WAYS[2], "cvv": CARD}]}},
        {"beneficiary": {"instruments": CARD}},
        {"beneficiary": CARD},
        {"amount_minor": float(f"{CARD}.5")},
        {"purpose": f"{CARD}\x00"},
        {"deadline": CARD},
        {"metadata": {"card": f"{CARD}\x00"}},
    ],
)
async def test_no_refusal_repeats_a_beneficiary(desk: Desk, changes: dict[str, Any]) -> None:
    """Whichever field is wrong, and wherever the number was put."""
    body = payout_body(beneficiary={"instruments": WAYS}) | changes
    answer = await desk.post("/v1/payouts", body)
    assert 400 <= answer.status < 500
    assert_private(answer)
    assert not [one for one in SECRETS if one in desk.log.getvalue()]


def test_masks_leave_too_little_to_use() -> None:
    """At most six and four of sixteen digits (PCI DSS 3.4.1), and of a name its last character."""
    assert masked(CARD) == "622588******5676"
    assert masked("13812345678") == "13****78"
    assert masked("12345") == "****"
    assert masked_name(HOLDER) == "****雪"
    assert masked_name("张三") == "*三"
    assert masked_name("张") == "*"
    assert masked_name(None) is None

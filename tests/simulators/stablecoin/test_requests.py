"""What the simulator refuses, with status, code and place, and that a refusal leaves nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulators.stablecoin.customer import (
    CRYPTO,
    FIAT,
    OTHER_WIRE_ID,
    RECIPIENT_ID,
    WIRE_ID,
    account,
    coins,
    customer,
    key,
    wire,
)

USD = {"amount": "1.00", "currency": "USD"}


@pytest.mark.parametrize(
    ("change", "location"),
    [
        ({"idempotencyKey": None}, "idempotencyKey"),
        ({"idempotencyKey": "po-1"}, "idempotencyKey"),
        ({"idempotencyKey": "6ba7b810-9dad-11d1-80b4-00c04fd430c8"}, "idempotencyKey"),
        ({"idempotencyKey": 1}, "idempotencyKey"),
        ({"destination": None}, "destination"),
        ({"destination": WIRE_ID}, "destination"),
        ({"destination": {"type": "wire"}}, "destination.id"),
        ({"destination": {"type": "ach", "id": WIRE_ID}}, "destination.type"),
        ({"destination": {"type": "address_book", "id": RECIPIENT_ID}}, "destination.type"),
        ({"destination": {"type": "wire", "id": RECIPIENT_ID}}, "destination.id"),
        ({"amount": None}, "amount"),
        ({"amount": {"currency": "USD"}}, "amount.amount"),
        ({"amount": USD | {"amount": 1.0}}, "amount.amount"),
        ({"amount": USD | {"amount": "1.001"}}, "amount.amount"),
        ({"amount": USD | {"amount": "-1"}}, "amount.amount"),
        ({"amount": USD | {"amount": "1e3"}}, "amount.amount"),
        ({"amount": USD | {"amount": "01.00"}}, "amount.amount"),
        ({"amount": USD | {"amount": "0.00"}}, "amount.amount"),
        ({"amount": USD | {"amount": "100000000.01"}}, "amount.amount"),
        ({"amount": USD | {"currency": "CNY"}}, "amount.currency"),
        ({"amount": USD | {"currency": "EUR"}}, "amount.currency"),
        ({"toAmount": USD}, "toAmount"),
    ],
)
def test_fields_that_do_not_fit_are_named(change: dict[str, Any], location: str) -> None:
    """400, code 2, with the place; and the key may be used again."""
    mint = customer()
    assert mint.refused(wire(**change)) == (400, 2, location)
    assert mint.moved() == []
    mint.pay(wire())


@pytest.mark.parametrize("body", [b"", b"[]", b"nonsense", b'"x"', b"[" * 9999])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    """Without a traceback."""
    assert customer().refused(body)[:2] == (400, 2)


@pytest.mark.parametrize(
    ("change", "location"),
    [
        ({"source": {"type": "wallet", "id": "1"}}, "source.id"),
        ({"destination": {"type": "wire", "id": WIRE_ID}}, "destination.type"),
        ({"destination": {"type": "address_book", "id": OTHER_WIRE_ID}}, "destination.id"),
        ({"toAmount": USD}, "toAmount.amount"),
        ({"toAmount": {"currency": "EUR"}}, "toAmount.amount"),
        ({"toAmount": {"currency": "BTC"}}, "toAmount.currency"),
    ],
)
def test_crypto_payouts_have_rules_of_their_own(change: dict[str, Any], location: str) -> None:
    """The wallet must be the account's; one sum only, and on the payee's side of a conversion."""
    assert customer().refused(coins(**change), CRYPTO) == (400, 2, location)


def test_a_crypto_payout_may_name_its_wallet() -> None:
    """And the sum in `toAmount` in the same currency."""
    mint = customer()
    paid = mint.pay(coins(source={"type": "wallet", "id": "1000038499"}), CRYPTO)
    assert paid["toAmount"] == {"amount": "123.45", "currency": "USD"}
    other = coins(2, amount={"currency": "USD"}, toAmount={"amount": "1.00", "currency": "USD"})
    assert mint.pay(other, CRYPTO)["amount"]["amount"] == "1.00"


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", "Basic SAND_API_KEY:1111:2222"])
def test_nobody_else_is_let_in(header: str) -> None:
    """401, whatever is asked, and nothing is told about what exists."""
    from simulators.kernel import Request

    mint = customer()
    for method, path in (("POST", FIAT), ("GET", FIAT), ("GET", "/v1/nothing")):
        request = Request(method, path, {"host": "x", "authorization": header}, b"{}")
        answer = mint.simulator.handle(request, mint.now)
        assert answer.reply is not None
        assert answer.reply.status == 401


def test_a_product_that_is_not_activated_is_forbidden() -> None:
    """403, code 3."""
    mint = customer(account(products=["fiat"]))
    assert mint.refused(coins(), CRYPTO)[:2] == (403, 3)
    mint.pay(wire())


def test_what_there_is_not_is_not_found() -> None:
    """An unknown call, an unknown payout, one of the other product, one of another customer."""
    other = account(
        account="mint-2",
        api_key="SAND_API_KEY:3333:4444",
        client_id="d60d2d5b-203c-45bb-9f6e-93641d40a599",
    )
    mint = customer(account(), other)
    paid = mint.pay()
    assert mint.ask("GET", "/v1/nothing")[0] == 404
    assert mint.ask("GET", f"{FIAT}/{key(9)}")[0] == 404
    assert mint.ask("GET", f"{CRYPTO}/{paid['id']}")[0] == 404
    mint.api_key = "SAND_API_KEY:3333:4444"
    assert mint.ask("GET", f"{FIAT}/{paid['id']}")[0] == 404
    assert mint.ask("GET", FIAT)[1]["data"] == []
    mint.pay()
    assert len({m.account for m in mint.simulator.truth()}) == 0


def test_too_many_requests_in_a_second_are_turned_away() -> None:
    """429 beyond the configured pace; the next second is free again."""
    mint = customer(account(requests_per_s=2))
    statuses = [mint.ask("GET", "/v1/businessAccount/balances")[0] for _ in range(3)]
    assert statuses == [200, 200, 429]
    mint.now = mint.now.replace(second=mint.now.second + 1)
    assert mint.ask("GET", "/v1/businessAccount/balances")[0] == 200


def test_anybody_may_ask_whether_it_is_there() -> None:
    """GET /ping needs no key."""
    mint = customer()
    mint.api_key = "nobody"
    assert mint.ask("GET", "/ping") == (200, {"message": "pong"})

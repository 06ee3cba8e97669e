"""What becomes of payouts, and of the money."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from simulators.kernel import UnknownTriggerError
from tests.simulators.stablecoin.customer import (
    CRYPTO,
    FIAT,
    OTHER_WIRE_ID,
    START,
    WIRE_ID,
    account,
    coins,
    customer,
    key,
    wire,
)

MAGIC = "00000000-0000-4000-8000-0000000000"
MINUTE = timedelta(minutes=1)


def to(number: int) -> dict[str, str]:
    """A magic bank account."""
    return {"type": "wire", "id": f"{MAGIC}{number:02d}"}


def test_a_wire_is_pending_then_complete() -> None:
    """Money is set aside at once and leaves, with the fee, when it completes."""
    mint = customer(account(fee={"flat_fen": 100}))
    paid = mint.pay()
    assert (paid["status"], paid["fees"]["amount"]) == ("pending", "1.00")
    assert mint.moved() == []
    (row,) = mint.simulator.accounts()
    assert (row["balance_fen"], row["available_fen"]) == (1_000_000, 1_000_000 - 12_445)
    mint.wait(MINUTE)
    assert mint.show(paid)["status"] == "complete"
    assert mint.moved() == [("payout", key(), 12_345), ("fee", key(), 100)]
    (row,) = mint.simulator.accounts()
    assert row["balance_fen"] == row["available_fen"] == 1_000_000 - 12_445


@pytest.mark.parametrize(("chain", "seconds"), [("ETH", 144), ("BASE", 60), ("SOL", 13)])
def test_coins_wait_for_their_confirmations(chain: str, seconds: int) -> None:
    """Blocks times confirmations, by chain; the network has a fee."""
    recipient = "1f0c8e3b-6d0f-4c5b-a2f1-0e7a6f9d1c22"
    known = {recipient: {"chain": chain, "address": "0x00"}}
    mint = customer(account(recipients=known, network_fee_fen=30))
    paid = mint.pay(coins(), CRYPTO)
    assert paid["networkFees"]["amount"] == "0.30"
    mint.wait(timedelta(seconds=seconds - 1))
    assert mint.show(paid, CRYPTO)["status"] == "pending"
    mint.wait(timedelta(seconds=2))
    assert mint.show(paid, CRYPTO)["status"] == "complete"
    assert mint.moved() == [("payout", key(), 12_345), ("fee", key(), 30)]


def test_the_same_request_again_is_answered_with_the_original() -> None:
    """As it was when it was taken, however it stands by now; nothing more moves."""
    mint = customer()
    first = mint.pay()
    mint.wait(MINUTE)
    assert mint.pay() == first
    assert mint.show(first)["status"] == "complete"
    assert len(mint.moved()) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"amount": {"amount": "123.46", "currency": "USD"}},
        {"destination": {"type": "wire", "id": OTHER_WIRE_ID}},
        {"destination": {"type": "cbit", "id": WIRE_ID}},
    ],
)
def test_another_request_under_the_same_key_is_a_conflict(change: dict[str, Any]) -> None:
    """409, code 1083, and the first stands."""
    mint = customer()
    first = mint.pay()
    assert mint.refused(wire(**change))[:2] == (409, 1083)
    assert mint.refused(coins(), CRYPTO)[:2] == (409, 1083)
    mint.wait(MINUTE)
    assert mint.show(first)["status"] == "complete"
    assert mint.moved() == [("payout", key(), 12_345)]


def test_nothing_is_found_by_our_key() -> None:
    """Neither by id nor by a filter: the list ignores a name it does not know."""
    mint = customer()
    mint.pay()
    assert mint.ask("GET", f"{FIAT}/{key()}")[0] == 404
    assert len(mint.ask("GET", FIAT, None, idempotencyKey=key(2))[1]["data"]) == 1
    assert key() not in str(mint.ask("GET", FIAT)[1])


def test_a_short_balance_fails_the_payout_and_not_the_request() -> None:
    """insufficient_funds, and what was free stays free."""
    mint = customer(account(balance_fen=12_344))
    paid = mint.pay()
    assert paid["status"] == "pending"
    mint.wait(MINUTE)
    assert mint.show(paid)["errorCode"] == "insufficient_funds"
    mint.pay(wire(2, "100.00"))
    mint.wait(MINUTE)
    assert mint.moved() == [("payout", key(2), 10_000)]


@pytest.mark.parametrize(
    ("number", "status", "word", "moves"),
    [
        (2, "failed", "invalid_wire_rtn", []),
        (3, "failed", "transaction_returned", ["payout", "return"]),
        (4, "failed", "transaction_denied", []),
        (5, "complete", None, ["payout"]),
        (6, "pending", None, []),
        (7, "failed", "transaction_failed", []),
    ],
)
def test_magic_bank_accounts(number: int, status: str, word: str | None, moves: list[str]) -> None:
    """Each makes one thing go wrong."""
    mint = customer()
    paid = mint.pay(wire(destination=to(number)))
    mint.wait(timedelta(days=3))
    shown = mint.show(paid)
    assert (shown["status"], shown.get("errorCode")) == (status, word)
    assert [kind for kind, _, _ in mint.moved()] == moves


def test_the_first_magic_bank_account_is_refused() -> None:
    """As one that was never registered."""
    assert customer().refused(wire(destination=to(1))) == (400, 2, "destination.id")


def test_risk_shows_its_decision() -> None:
    """Denied with the failure; in review while it waits; nothing for an ordinary one."""
    mint = customer()
    ordinary, denied, reviewed = (
        mint.pay(wire(n, destination=where))
        for n, where in enumerate(({"type": "wire", "id": WIRE_ID}, to(4), to(5)), start=1)
    )
    mint.wait(MINUTE)
    assert "riskEvaluation" not in mint.show(ordinary)
    assert mint.show(denied)["riskEvaluation"]["decision"] == "denied"
    assert mint.show(reviewed)["riskEvaluation"]["decision"] == "review"
    mint.wait(timedelta(days=1))
    assert "riskEvaluation" not in mint.show(reviewed)


@pytest.mark.parametrize("status", ["failed", "complete"])
def test_a_return_comes_after_complete_and_clears_later(status: str) -> None:
    """First pending, the money not back; then complete, the amount back, the fee kept."""
    given = account(fee={"flat_fen": 100})
    mint = customer(given, return_clear_s=600, returned_status=status)
    paid = mint.pay(wire(destination=to(3)))
    mint.wait(timedelta(days=1, seconds=3))
    assert mint.show(paid)["return"]["status"] == "pending"
    assert "return" not in [kind for kind, _, _ in mint.moved()]
    mint.wait(timedelta(seconds=601))
    shown = mint.show(paid)
    assert (shown["status"], shown["return"]["status"]) == (status, "complete")
    assert shown["return"]["payoutId"] == paid["id"]
    assert mint.moved()[-1] == ("return", key(), 12_345)
    (row,) = mint.simulator.accounts()
    assert row["balance_fen"] == 1_000_000 - 100


def test_lists_filter_and_page_newest_first() -> None:
    """By destination, state and time; pages after and before an id."""
    mint = customer()
    made = []
    for number in range(1, 6):
        target = {"type": "wire", "id": WIRE_ID if number % 2 else OTHER_WIRE_ID}
        made.append(mint.pay(wire(number, destination=target))["id"])
        mint.wait(timedelta(hours=1))

    def listed(**query: object) -> list[str]:
        status, said = mint.ask("GET", FIAT, None, **query)
        assert status == 200, said
        return [one["id"] for one in said["data"]]

    newest = made[::-1]
    assert listed() == newest
    assert listed(destination=OTHER_WIRE_ID) == [made[3], made[1]]
    assert listed(type="cbit") == []
    assert listed(status=["pending", "failed"]) == []
    assert listed(status="complete") == newest
    assert listed(pageSize=2) == newest[:2]
    assert listed(pageSize=2, pageAfter=newest[1]) == newest[2:4]
    assert listed(pageSize=2, pageBefore=newest[4]) == newest[2:4]
    since = (START + timedelta(hours=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert listed(**{"from": since}) == newest[:2]
    assert listed(to=since) == newest[1:]


@pytest.mark.parametrize(
    "query",
    [{"pageSize": 0}, {"pageSize": 51}, {"pageSize": "x"}, {"from": "today"}, {"pageAfter": "x"}],
)
def test_lists_refuse_what_they_cannot_read(query: dict[str, object]) -> None:
    """Rather than showing too little."""
    assert customer().ask("GET", FIAT, None, **query)[0] == 400


def test_balances_show_what_is_free_and_what_is_not() -> None:
    """Both calls, in the account's currency."""
    mint = customer(account(currency="EUR"))
    mint.pay(wire(amount={"amount": "10.00", "currency": "EUR"}))
    for path in ("/v1/businessAccount/balances", "/v1/balances"):
        said = mint.ask("GET", path)[1]["data"]
        assert said["available"] == [{"amount": "9990.00", "currency": "EUR"}]
        assert said["unsettled"] == [{"amount": "10.00", "currency": "EUR"}]


def test_rates_move_and_conversions_pay_at_the_moment_they_are_taken() -> None:
    """One percent an hour; cents are rounded up."""
    rates = {"EUR-USD": {"buy": "1.10", "sell": "1.09", "drift_ppm_per_hour": 10_000}}
    mint = customer(rates=rates)
    path = "/v1/exchange/rates/EUR-USD"
    assert mint.ask("GET", path)[1]["data"]["buy"] == "1.10000"
    mint.wait(timedelta(hours=1))
    assert mint.ask("GET", path)[1]["data"]["buy"] == "1.11100"
    asked = coins(amount={"currency": "USD"}, toAmount={"amount": "10.01", "currency": "EUR"})
    paid = mint.pay(asked, CRYPTO)
    assert (paid["amount"]["amount"], paid["toAmount"]["amount"]) == ("11.13", "10.01")
    mint.wait(timedelta(hours=1))
    assert mint.moved() == [("payout", key(), 1113)]
    assert mint.ask("GET", "/v1/exchange/rates/EUR-JPY")[0] == 404


def test_triggers_force_what_would_come_by_itself() -> None:
    """By idempotency key; what cannot be is said to be impossible."""
    mint = customer()
    first, second = (mint.pay(wire(n, destination=to(6))) for n in (1, 2))
    mint.simulator.trigger("payout.settled", key(1), mint.now)
    mint.simulator.trigger("payout.returned", key(1), mint.now)
    mint.simulator.trigger("payout.failed", key(2), mint.now)
    assert mint.show(first)["return"]["status"] == "complete"
    assert mint.show(second)["status"] == "failed"
    for event, reference in (
        ("payout.settled", key(1)),
        ("payout.failed", key(2)),
        ("payout.returned", key(2)),
        ("payout.confirmed", key(1)),
        ("payout.settled", key(3)),
    ):
        with pytest.raises(UnknownTriggerError):
            mint.simulator.trigger(event, reference, mint.now)


def test_a_top_up_is_a_movement() -> None:
    """Of an account there is."""
    mint = customer()
    mint.simulator.topup("mint-1", 5, mint.now)
    assert mint.moved() == [("topup", "", 5)]
    with pytest.raises(LookupError):
        mint.simulator.topup("mint-9", 5, mint.now)
